"""What can go wrong, sorted by what to do about it: retry it (transient) or tell somebody (terminal).

Every message names who is affected, what happened and the next step. Messages never hold a secret.
"""

from __future__ import annotations


class SchemaSyncError(Exception):
    """Base of every error that Schema Sync raises on purpose; ``str(error)`` is fit for people to read."""


class TerminalError(SchemaSyncError):
    """Trying again will not help: bad credentials, missing provider package, unknown type, refused input."""


class TransientError(SchemaSyncError):
    """Trying again may help: connection refused or lost, timeout, HTTP 429 or 5xx."""


class InvalidDatasetYml(TerminalError):  # noqa: N818 (its name is fixed: other programs catch it)
    """A document cannot be read as a dataset.

    :ivar line: 1-based line in the YML, or None when the document as a whole is refused.
    :ivar column: 1-based column, or None.
    """

    def __init__(self, message: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class NoDatasetHere(InvalidDatasetYml):
    """A document that is well-formed and describes no table. :ivar reason: what it is instead."""

    def __init__(self, reason: str, expected: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {reason}; expected {expected}", line=line, column=column)
        self.reason = reason
