"""A connection URI → a way to reach a warehouse without Airflow: plain DB-API drivers, each imported when it is used.

No secret leaves here: every error text goes through ``redact``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..introspect.organizations import SourceAccess
from ..settings import Settings
from ..warehouses import dialect_for
from ..warehouses.sign_in import parse_uri, redactor, sensitive_values


@dataclass(frozen=True, slots=True)
class Place:
    """A warehouse to check against.

    :ivar schema: the schema of datasets that name none, None where the kind of warehouse has no usual one.
    """

    schema: str | None
    access: SourceAccess


def place_from_uri(uri: str, type_text: str | None, settings: Settings) -> Place:
    """Read a connection URI; nothing is connected yet.

    :param type_text: the kind of warehouse; None: the URI's scheme says it.
    :raises TerminalError: the URI cannot be read, or the kind of warehouse is not known; without a word of the URI
        that could be secret.
    """
    parsed = parse_uri(uri)
    dialect = dialect_for(type_text or parsed.scheme)
    sign_in = dialect.driver.sign_in_from_uri(parsed)
    access = SourceAccess(
        dialect=dialect,
        own_database=sign_in.own_database,
        connect=lambda database: dialect.driver.open(sign_in, database, settings),
        redact=redactor([parsed.password, *sensitive_values(parsed.options)], parsed.user),
        host=sign_in.host,
    )
    return Place(sign_in.schema, access)
