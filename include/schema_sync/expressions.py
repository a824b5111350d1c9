"""A door for other programs, under a name that stays: an expression → the columns that it reads."""

from .sql.expressions import References, referenced_columns

__all__ = ["References", "referenced_columns"]
