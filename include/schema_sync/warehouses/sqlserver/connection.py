"""How SQL Server is connected to: pymssql with a login, Microsoft's mssql-python with an Entra service principal.

pymssql speaks TDS without Entra; mssql-python carries ODBC Driver 18, which does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ContextDecorator, contextmanager
from typing import Any

from ...settings import Settings
from ..autocommit import AutocommitConnection
from ..engine import by_text
from ..sign_in import Driver, SignIn, Uri, VaultJson


def _sign_in_from_vault(secret: VaultJson) -> SignIn:
    """With a login ``trust_server_certificate`` changes nothing: FreeTDS checks certificates only where its own file
    freetds.conf names an authority, so there is nothing to switch off, and no option could switch it on."""
    server, instance, port = secret["server"], secret.get("instance"), secret.number("port")
    # An instance is found by asking the server's browser service; a port says where it is, so it comes first.
    place = {"server": f"{server}\\{instance}" if instance and not port else server, "port": port or 1433}
    encrypt = secret.flag("encrypt")
    if secret.get("tenant_id") or secret.get("client_id"):
        own = {key: secret[key] for key in ("tenant_id", "client_id", "client_secret")}
        trust = bool(secret.flag("trust_server_certificate"))
        options = {**place, **own, "encrypt": encrypt is not False, "trust_server_certificate": trust}
    else:
        user, domain = secret.one_of("username", "client_id"), secret.get("domain")
        options = {**place, "user": f"{domain}\\{user}" if domain else user, "password": secret["password"]}
        if encrypt is not None:
            # Without `encrypt` the product's driver still encrypts the login, which FreeTDS calls "request".
            options["encryption"] = "require" if encrypt else "request"
    options["database"] = secret["database"]
    return SignIn(options, secret["database"], "dbo", server)


def _sign_in_from_uri(uri: Uri) -> SignIn:
    """``mssql://user:password@host:port/database``, or with ``?tenant_id=…`` an Entra service principal's client id and
    secret in their place."""
    options = uri.arguments("tenant_id", "charset", "appname", "tds_version")
    options.update(server=uri.host, port=uri.port or 1433, database=uri.database or "")
    if "tenant_id" in options:
        options.update(client_id=uri.user, client_secret=uri.password)
    else:
        options.update(user=uri.user, password=uri.password)
    return SignIn(options, uri.database, "dbo", uri.host or None)


def limits(settings: Settings) -> dict[str, Any]:
    return {
        "login_timeout": settings.connect_timeout_s,
        "timeout": settings.statement_timeout_s,
        "appname": "schema-sync",
    }


def _connect(options: dict[str, Any], _database: str | None, _settings: Settings) -> Any:
    if "tenant_id" in options:
        return connect_service_principal(options)
    import pymssql

    with sql_server_errors():
        # Only catalogues are read: no transaction to hold locks.
        raw = pymssql.connect(**{**options, "port": str(options["port"]), "autocommit": True})
    return SqlServerConnection(raw)


def _pin(options: dict[str, Any], addresses: Sequence[str]) -> dict[str, Any]:
    """Azure's gateway goes by the name, which only Microsoft can point elsewhere."""
    server, slash, instance = options["server"].partition("\\")
    return options if server.lower().endswith(_AZURE) else {**options, "server": f"{addresses[0]}{slash}{instance}"}


_AZURE = (".database.windows.net", ".fabric.microsoft.com")


class SqlServerError(Exception):
    """What the server or the driver said; ``errno`` is the server's error number, or None."""

    def __init__(self, errno: int | None, text: str) -> None:
        super().__init__(text if errno is None else f"{text} ({errno})")
        self.errno = errno


class SqlServerConnection(AutocommitConnection):
    """pymssql, whose errors are numbers and bytes."""

    def cursor(self) -> Any:
        return _Cursor(self.raw, sql_server_errors)

    @property
    def closed(self) -> bool:
        try:
            return not self.raw._conn.connected
        except Exception:  # noqa: BLE001 (the driver raises when it has given the connection up)
            return True


class _Cursor:
    """A driver's cursor whose errors are made for people."""

    def __init__(self, connection: Any, errors: Callable[[], ContextDecorator]) -> None:
        raw = errors()(connection.cursor)()
        self.execute, self.fetchmany, self.close = errors()(raw.execute), errors()(raw.fetchmany), raw.close


@contextmanager
def sql_server_errors() -> Iterator[None]:
    """The driver's error, a number and bytes with its own remarks behind, becomes one for people."""
    import pymssql

    try:
        yield
    except pymssql.Error as error:
        arguments = error.args
        if len(arguments) == 1 and isinstance(arguments[0], tuple):
            arguments = arguments[0]
        number = next((item for item in arguments if isinstance(item, int)), None)
        last = arguments[-1] if arguments else ""
        text = last.decode(errors="replace") if isinstance(last, bytes) else str(last)
        first = next(filter(None, (part.strip() for part in _REMARK.split(text))), "the driver gave no reason")
        raise SqlServerError(number, first) from None


_REMARK = re.compile(r"DB-Lib error message \d+, severity \d+:")


# --- Microsoft Entra service principals ---
# https://learn.microsoft.com/sql/connect/odbc/using-azure-active-directory


def connect_service_principal(options: Mapping[str, Any]) -> Any:
    """The server names its tenant by itself when it is asked for a login."""
    import mssql_python

    words = {
        "Server": f"{options['server']},{options['port']}" if "\\" not in options["server"] else options["server"],
        "Database": options["database"],
        "Authentication": "ActiveDirectoryServicePrincipal",
        "UID": options["client_id"],
        "PWD": options["client_secret"],
        "Encrypt": "yes" if options.get("encrypt", True) else "no",
        "TrustServerCertificate": "yes" if options.get("trust_server_certificate") else "no",
    }
    text = "".join(f"{word}={_braced(str(value))};" for word, value in words.items())
    with _odbc_errors():
        raw = mssql_python.connect(text, autocommit=True, timeout=options["login_timeout"])
        raw.timeout = options["timeout"]
    return _OdbcConnection(raw)


def _braced(value: str) -> str:
    return "{" + value.replace("}", "}}") + "}"


class _OdbcConnection(AutocommitConnection):
    def cursor(self) -> Any:
        cursor = _Cursor(self.raw, _odbc_errors)
        execute = cursor.execute
        cursor.execute = lambda sql, *parameters: execute(*declared(sql, *parameters))
        return cursor

    @property
    def closed(self) -> bool:
        return bool(self.raw.closed)


_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def declared(sql: str, parameters: Mapping[str, object] | None = None) -> tuple[str, list[object]]:
    """A statement for ODBC: each value bound once, to a variable of a known type.

    ODBC would ask the server for the type of every placeholder, which it cannot tell of a bare NULL.
    """
    if not parameters:
        return sql, []
    variables = ", ".join(f"@{name} nvarchar(max) = ?" for name in parameters)
    body = _PLACEHOLDER.sub(lambda match: f"@{match[1]}", sql)
    return f"SET NOCOUNT ON; DECLARE {variables}; {body}", list(parameters.values())


# ODBC's texts have no numbers; these are the server's own sentences (sys.messages).
_number_of = by_text(
    None,
    (208, r"Invalid object name '"),
    (207, r"Invalid column name '"),
    (4104, r"The multi-part identifier .* could not be bound"),
    (229, r"The SELECT permission was denied on the object"),
    (230, r"The SELECT permission was denied on the column"),
    (916, r"The server principal .* is not able to access the database"),
    (4413, r"Could not use view or function"),
    (4502, r"View or function .* has more column names specified"),
    (911, r"Database '.*' does not exist"),
    (4060, r"Cannot open (?:database|server) "),
    (18456, r"Login failed|.*\bAADSTS\d+"),
    (102, r"Incorrect syntax"),
)
_PREFIX = re.compile(r"^.*?DDBC Error: (?:\[[^\]]*\])*\s*", re.DOTALL)


@contextmanager
def _odbc_errors() -> Iterator[None]:
    import mssql_python

    try:
        yield
    except (mssql_python.Error, RuntimeError) as error:
        text = _PREFIX.sub("", str(error)).strip() or "the driver gave no reason"
        raise SqlServerError(_number_of(None, text), text) from None


DRIVER = Driver(
    "pymssql (or mssql-python, for a service principal)",
    "pymssql mssql_python",
    "server port? database username|client_id password? tenant_id? client_secret? domain? instance? "
    "encrypt? trust_server_certificate?",
    _sign_in_from_vault,
    _sign_in_from_uri,
    _connect,
    limits,
    pin=_pin,
)
