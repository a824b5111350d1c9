"""``schema-sync.toml``, or ``[tool.schema-sync]`` in ``pyproject.toml``: which files belong to which warehouse.

Never a connection itself: a file names the environment variable that holds it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import TerminalError

FILE_NAME = "schema-sync.toml"


@dataclass(frozen=True, slots=True)
class Where:
    """What the connection is that files are checked over, and what their datasets do not say themselves.

    :ivar variable: the environment variable that holds the connection URI.
    :ivar connection: the URI itself, where the command line gave one.
    :ivar database, schema: of datasets that name none; schema None: the warehouse's usual one.
    """

    variable: str
    connection: str | None = field(default=None, repr=False)
    dialect: str | None = None
    database: str | None = None
    schema: str | None = None

    def uri(self) -> str:
        """:raises TerminalError: no connection is given."""
        uri = self.connection or os.environ.get(self.variable, "").strip()
        if not uri:
            raise TerminalError(
                f"No connection is given: the environment variable {self.variable} is not set. Set it to "
                "type://user:password@host:port/database, for instance sqlite:///shop.db."
            )
        return uri


@dataclass(frozen=True, slots=True)
class Configuration:
    """:ivar root: the folder of the configuration file, else of the repository, else the working folder.

    :ivar places: (folder or file, what is checked there), the most specific last.
    """

    root: Path
    default: Where
    places: tuple[tuple[Path, Where], ...] = ()
    fail_on: str = "critical"
    exclude: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """What is checked when the command line names nothing.

        :raises TerminalError: nothing is configured.
        """
        if not self.places:
            raise TerminalError(
                f"Nothing to check was named. Name dataset files or folders, or list them in {FILE_NAME}: "
                '[[check]] with paths = ["datasets"].'
            )
        return tuple(path for path, _ in self.places)

    def where(self, path: Path) -> Where:
        """How one file is checked: as the most specific of the configured folders says, else as the default."""
        absolute = Path(os.path.abspath(path))
        within = (where for folder, where in reversed(self.places) if absolute.is_relative_to(folder))
        return next(within, self.default)


def read_configuration(folder: Path, given: Where) -> Configuration:
    """Look for the configuration in ``folder`` and above it, up to the repository's root.

    :param given: what the command line gave goes first, for every file; its variable is the usual one.
    :raises TerminalError: a file that cannot be read, an unknown key, a value of another kind; the message names it.
    """
    for each in (folder, *folder.parents):
        for name, keys in ((FILE_NAME, ()), ("pyproject.toml", ("tool", "schema-sync"))):
            path = each / name
            table = _table(path, keys) if path.is_file() else None
            if table is not None:
                return _configuration(path, table, given)
        if (each / ".git").exists():
            return Configuration(each, given)
    return Configuration(folder, given)


def _table(path: Path, keys: Sequence[str]) -> Mapping[str, Any] | None:
    try:
        value: Any = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TerminalError(f"{path} cannot be read: {error}. Correct it.") from None
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if value is None or isinstance(value, Mapping) else {}


def _configuration(path: Path, table: Mapping[str, Any], given: Where) -> Configuration:
    _refuse_unknown(path, table, ("fail-on", "exclude", "check"))
    fail_on = table.get("fail-on", "critical")
    if fail_on not in ("critical", "warning"):
        raise TerminalError(f'{path}: fail-on is {fail_on!r}; write "critical" or "warning".')
    checks = table.get("check", [])
    if not isinstance(checks, list) or not all(isinstance(each, Mapping) for each in checks):
        raise TerminalError(f"{path}: write each set of paths as a table [[check]].")
    places = [(folder, where) for check in checks for folder, where in _places(path, check, given)]
    places.sort(key=lambda place: len(place[0].parts))
    return Configuration(path.parent, given, tuple(places), fail_on, _texts(path, table, "exclude"))


def _places(path: Path, check: Mapping[str, Any], given: Where) -> list[tuple[Path, Where]]:
    texts = ("connection-variable", "dialect", "database", "schema")
    _refuse_unknown(path, check, ("paths", *texts))
    for key in texts:
        if not isinstance(check.get(key, ""), str):
            raise TerminalError(f"{path}: {key} is {check[key]!r}; write a text.")
    paths = _texts(path, check, "paths")
    if not paths:
        raise TerminalError(f'{path}: a [[check]] names no paths. Write paths = ["datasets"].')
    stated = {key: value for key, value in asdict(given).items() if value is not None}
    told = {key: check.get(key) for key in ("dialect", "database", "schema")}
    where = Where(**{**told, **stated, "variable": check.get("connection-variable", given.variable)})
    return [(Path(os.path.abspath(path.parent / each)), where) for each in paths]


def _texts(path: Path, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TerminalError(f'{path}: {key} is {value!r}; write a list of texts, such as {key} = ["datasets"].')
    return tuple(value)


def _refuse_unknown(path: Path, table: Mapping[str, Any], known: Sequence[str]) -> None:
    if unknown := [key for key in table if key not in known]:
        raise TerminalError(f"{path}: {', '.join(unknown)} is not known here. Known: {', '.join(known)}.")
