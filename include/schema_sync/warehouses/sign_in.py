"""How a data source signs in: vault JSON or a connection URI → what its driver is told. Nothing is connected here.

The vault JSON is the product's (contract, section 9). URIs have SQLAlchemy's form, ``type+driver://user:password@host:port/
database?option=value``, and are read once for every engine; a driver's name behind the type is passed over.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from ..errors import TerminalError
from ..settings import Settings


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a driver is told, whichever form it was written in.

    :ivar options: the driver's own arguments, without its limits; secrets among them.
    :ivar own_database: the database that the connection opens by itself, None where it cannot be told.
    :ivar schema: the schema of datasets that name none, None where there is no usual one.
    :ivar host: the server, None where there is none. Many organizations may share one.
    :ivar file: the database's file, for engines that live in one.
    """

    options: Mapping[str, Any] = field(repr=False)
    own_database: str | None = None
    schema: str | None = None
    host: str | None = None
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Driver:
    """How one engine is signed in to and connected, whoever asks.

    :ivar package: what to install when importing the driver fails.
    :ivar modules: what connecting imports, or one of them, with spaces between.
    :ivar vault_keys: the keys of its vault JSON, separated by spaces; ``?`` may be left out, ``|`` is one of several.
    :ivar sign_in_from_vault: the only reader of this engine's vault JSON.
    :ivar sign_in_from_uri: the same for a connection URI.
    :ivar limits: options that bound how long connecting and statements may take; those of the sign-in come first.
    :ivar connect: (options, database or None, settings) → open DB-API connection. It imports the driver. A database
        is given only where a connection sees one database only.
    :ivar pin: (options, its host's addresses or its file's path) → options that lead just there. None: the driver
        looks names up in Python.
    :ivar wakes_up: a stopped warehouse starts when it is connected to, or when the first statement comes.
    """

    package: str
    modules: str
    vault_keys: str
    sign_in_from_vault: Callable[[VaultJson], SignIn]
    sign_in_from_uri: Callable[[Uri], SignIn]
    connect: Callable[[dict[str, Any], str | None, Settings], Any]
    limits: Callable[[Settings], dict[str, Any]] = lambda _settings: {}
    wakes_up: bool = False
    pin: Callable[[dict[str, Any], Sequence[str]], dict[str, Any]] | None = None

    def from_vault(self, secret: Mapping[str, Any]) -> SignIn:
        """:raises InvalidVaultJson: a key is missing or wrong; the text says which are known."""
        return self.sign_in_from_vault(VaultJson(secret, self.vault_keys))

    def load(self) -> None:
        """Import the driver before anybody counts the seconds of connecting, where one that lacks is told."""
        for module in self.modules.split():
            with suppress(ImportError):
                import_module(module)

    def open(self, sign_in: SignIn, database: str | None, settings: Settings) -> Any:
        """An open connection, its certificates in private files for as long as connecting takes.

        :raises TerminalError: the driver is not installed, or knows no such option.
        """
        problem: str | None = None
        with pem_files({**self.limits(settings), **sign_in.options}) as options:
            try:
                return self.connect(options, database, settings)
            except ImportError as error:
                problem = f"The driver is not installed ({error.name or error}). Run: pip install {self.package}"
            except TypeError as error:
                if "keyword argument" not in str(error):
                    raise
                problem = f"The driver knows no such option: {error}. Correct the connection's options"
        raise TerminalError(problem)


class InvalidVaultJson(ValueError):  # noqa: N818 (what it is)
    """A vault secret that cannot be used; the text goes behind "cannot be used:" and holds nothing secret."""


class VaultJson:
    """A vault secret, read key by key.

    :param keys: as :attr:`Driver.vault_keys`.
    :raises InvalidVaultJson: it is no JSON object, or a key that nobody knows looks like one that is absent.
    """

    def __init__(self, values: Mapping[str, Any], keys: str) -> None:
        self._hint = f"Known keys (? may be left out, | is one of several): {', '.join(keys.split())}"
        if not isinstance(values, Mapping):
            raise self.invalid("it is not a JSON object")
        self._values = {key: value for key, value in values.items() if value not in (None, "")}
        known = set(re.findall(r"\w+", keys))
        for key in sorted(map(str, self._values.keys() - known - {"type"})):
            meant = get_close_matches(key, sorted(known - self._values.keys()), n=1, cutoff=0.8)
            if meant:
                raise self.invalid(f"it has `{key}`, which is not known; `{meant[0]}` seems to be meant")

    def invalid(self, problem: str) -> InvalidVaultJson:
        """The error for a problem that a caller has found."""
        return InvalidVaultJson(f"{problem}. {self._hint}")

    def __getitem__(self, key: str) -> str:
        return self.one_of(key)

    def one_of(self, *keys: str) -> str:
        """The first of these keys that is there.

        :raises InvalidVaultJson: none is.
        """
        for key in keys:
            if key in self._values:
                return str(self._values[key])
        raise self.invalid(f"it has no {' or '.join(f'`{key}`' for key in keys)}")

    def options(self, **keys: str) -> dict[str, Any]:
        """{option of the driver: value of its key}; keys as in :attr:`Driver.vault_keys`, without what is left out."""
        found = {
            option: self.get(key[:-1]) if key.endswith("?") else self.one_of(*key.split("|"))
            for option, key in keys.items()
        }
        return {option: value for option, value in found.items() if value is not None}

    def get(self, key: str) -> str | None:
        return str(self._values[key]) if key in self._values else None

    def raw(self, key: str) -> Any:
        """The value as JSON has it, None where there is none."""
        return self._values.get(key)

    def flag(self, key: str) -> bool | None:
        """A truth, which may also be written as a word."""
        value: bool | str | None = self._values.get(key)
        if not isinstance(value, str):
            return value
        return value.strip().lower() in ("true", "1", "yes", "on", "require", "required", "strict")

    def number(self, key: str) -> int | None:
        """:raises InvalidVaultJson: there is something else."""
        value = self._values.get(key)
        try:
            return None if value is None else int(value)
        except (TypeError, ValueError):
            pass
        raise self.invalid(f"its `{key}` is not a whole number")


@dataclass(frozen=True, slots=True)
class Uri:
    """A connection URI taken apart, percent-encoding resolved.

    :ivar scheme: in lower case, without the driver's name.
    :ivar path: what follows the host, split at ``/``; ``file`` is the same in one piece, as files are named.
    """

    scheme: str
    host: str
    port: int | None
    user: str
    password: str = field(repr=False)
    path: tuple[str, ...]
    file: str
    options: Mapping[str, str] = field(repr=False)

    @property
    def database(self) -> str | None:
        return self.path[0] if self.path else None

    def arguments(self, *texts: str) -> dict[str, Any]:
        """The options as a driver wants them: truths and numbers as such, except those named in ``texts``."""
        return {key: value if key in texts else _typed(key, value) for key, value in self.options.items()}

    def existing_file(self) -> Path:
        """``sqlite:///relative.db`` and ``sqlite:////absolute.db``, as SQLAlchemy has it.

        :raises TerminalError: no file is named.
        """
        if self.file in ("", ":memory:"):
            raise TerminalError(
                f"The connection URI names no file. Write {self.scheme}:///relative/path or "
                f"{self.scheme}:////absolute/path."
            )
        return Path(self.file).absolute()


_HINT = "Write it as type://user:password@host:port/database, with special characters encoded (@ as %40, / as %2F)."


def parse_uri(uri: str) -> Uri:
    """Read a connection URI.

    :raises TerminalError: it cannot be read; without a word of the URI, any of which could be secret.
    """
    # Python's own reader: SQLAlchemy's, whose form this is, would take longer to import than all else together.
    scheme, mark, rest = uri.strip().partition("://")
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port
    except ValueError:  # its text quotes a part of the URI, which may be one of the password
        parts, port = urlsplit(""), None
    login, _, address = parts.netloc.rpartition("@")
    ends_early = parts.fragment or "[" in parts.path or "@" in login or (parts.netloc and "@" in parts.path)
    if not (mark and scheme) or ends_early or not (parts.netloc or parts.path):
        raise TerminalError(f"The connection URI cannot be read, or a password in it ends too early. {_HINT}")
    user, _, password = login.partition(":")
    host = address[1:].partition("]")[0] if address.startswith("[") else address.partition(":")[0]
    database = parts.path.removeprefix("/")
    return Uri(
        scheme=scheme.partition("+")[0].lower(),
        host=unquote(host),
        port=port,
        user=unquote(user),
        password=unquote(password),
        path=tuple(unquote(part) for part in database.split("/") if part),
        file=unquote(database),
        options=dict(parse_qsl(parts.query)),
    )


_NUMBERS = re.compile(r"timeout|port$|attempts|duration|size|retries|interval|idle|count$")


def _typed(key: str, value: str) -> Any:
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    return int(value) if _NUMBERS.search(key) and value.isascii() and value.isdigit() else value


# Certificates and secrets


class Pem(str):
    """A certificate or key as text, for a driver that reads it from a file."""

    __slots__ = ()


@contextmanager
def pem_files(options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The same options, each :class:`Pem` as the path of a private file that is there as long as the context."""
    pems = {key: value for key, value in options.items() if isinstance(value, Pem)}
    if not pems:
        yield dict(options)
        return
    with tempfile.TemporaryDirectory(prefix="schema-sync-") as folder:
        paths = {key: f"{folder}/{key}.pem" for key in pems}
        for key, path in paths.items():
            with open(path, "w", opener=partial(os.open, mode=0o600)) as file:
                file.write(pems[key])
        yield {**options, **paths}


_SENSITIVE = re.compile(r"pass|pwd|secret|token|key|credential|cert", re.IGNORECASE)

# A shorter one is as good as any word: taking it out would change words that are no secret, and so tell it. Shorter
# ones are kept out of texts instead: none of ours holds a password, and no driver's error quotes one.
_SHORTEST_SECRET = 8


def sensitive_values(value: object, *, sensitive: bool = False) -> Iterator[str]:
    """Texts under keys that sound like secrets, however deep, also in JSON that is kept as text (a service account)."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from sensitive_values(item, sensitive=sensitive or _SENSITIVE.search(str(key)) is not None)
    elif isinstance(value, list):
        for item in value:
            yield from sensitive_values(item, sensitive=sensitive)
    elif sensitive and isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
        yield value
        if value.lstrip().startswith("{"):
            with suppress(ValueError):
                yield from sensitive_values(json.loads(value))


def redactor(secrets: Iterable[str | None], user: str = "") -> Callable[[str], str]:
    """A function that takes secrets out of any text, however they are encoded.

    :param user: a login's name, which may also be a word of the text: it is taken out where it can only be the user's.
    """
    long = [value for value in secrets if value and len(value) >= _SHORTEST_SECRET]
    forms = {form for value in long for form in (value, quote(value, safe=""), quote_plus(value))}
    ordered = sorted(forms, key=len, reverse=True)
    name = re.escape(user)
    named = re.compile(rf"""(?<=["'`])(?:{name})(?=["'`@])|\b(?:{name})(?=[:@])""") if user else None

    def redact(text: str) -> str:
        for secret in ordered:
            text = text.replace(secret, "***")
        return named.sub("***", text) if named else text

    return redact
