"""A door for other programs, under a name that stays: two type texts → a verdict."""

from .types.compare import Verdict, compare_types

__all__ = ["Verdict", "compare_types"]
