"""What credentials that a tenant wrote may reach: files of its own, servers outside of the denied networks.

For vault credentials only; operators' own Airflow connections and URIs are not confined. Contract, section 14.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from stat import S_ISREG
from typing import Any

from ..errors import TerminalError, TransientError
from ..settings import Settings
from .sign_in import Driver, SignIn

_NAT64 = ip_network("64:ff9b::/96")


def confined(driver: Driver, sign_in: SignIn, organization_id: str, settings: Settings) -> Callable[[str | None], Any]:
    """How to connect: (database or None) → open connection, on which every name that is looked up is checked.

    A name is resolved once. Drivers written in Python do it themselves, and connect to what :func:`_checked` has seen;
    the others are told the addresses (``Driver.pin``).
    """

    driver.load()

    def connect(database: str | None) -> Any:
        socket.getaddrinfo = _checked
        _guard.set(settings)  # for this thread, which is the data source's own
        where: Sequence[str] = ()
        if sign_in.file is not None:
            where = [str(_own_file(sign_in.file, organization_id, settings))]
        elif sign_in.host and driver.pin is not None:
            where = _addresses(sign_in.host)
        options = driver.pin(dict(sign_in.options), where) if driver.pin and where else sign_in.options
        return driver.open(replace(sign_in, options=options), database, settings)

    return connect


def _own_file(path: Path, organization_id: str, settings: Settings) -> Path:
    """The file itself, links followed: an ordinary one that holds something, in the organization's own folder.

    :raises TerminalError: it is anything else; what it is stays untold.
    """
    if settings.file_root is None:
        raise TerminalError(
            "Files of organizations are not read here: SCHEMA_SYNC_FILE_ROOT is not set. Set it to a folder with one "
            "folder for each organization, named as its id"
        )
    root = Path(settings.file_root).resolve() / organization_id
    try:
        found = (root / path).resolve(strict=True)
        status = found.stat()
        if found.is_relative_to(root) and S_ISREG(status.st_mode) and status.st_size:
            return found
    except (OSError, ValueError, RuntimeError):
        pass  # absent, a name that no file can have, links in a circle
    raise TerminalError(
        f"The data source names no file with content under SCHEMA_SYNC_FILE_ROOT/{organization_id}/. Put it there, "
        "or create the Airflow connection of this data source"
    )


def _check(host: str, address: str, settings: Settings) -> None:
    """:raises TerminalError: the address is in a denied network, in whatever form it is written."""
    for form in _forms(ip_address(address.partition("%")[0])):
        allowed, denied = (
            any(form in ip_network(each) for each in networks)
            for networks in (settings.allowed_networks, settings.denied_networks)
        )
        if denied and not allowed:
            raise TerminalError(
                f"Its host {host[:200]} is at {address}, where credentials of organizations may not lead "
                "(SCHEMA_SYNC_DENIED_NETWORKS). If this is meant, add the address to SCHEMA_SYNC_ALLOWED_NETWORKS"
            )


def _forms(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address, and those of IPv4 that it may lead to: mapped, 6to4, NAT64."""
    forms: list[IPv4Address | IPv6Address] = [address]
    if isinstance(address, IPv6Address):
        forms += [each for each in (address.ipv4_mapped, address.sixtofour) if each is not None]
        if address in _NAT64:
            forms.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return forms


_guard: ContextVar[Settings | None] = ContextVar("guard", default=None)
_look_up = socket.getaddrinfo


def _checked(host: Any, *args: Any, **kwargs: Any) -> Any:
    """``socket.getaddrinfo``; where a tenant's connection is opened, every address that it finds is checked."""
    found = _look_up(host, *args, **kwargs)
    settings = _guard.get()
    if settings is not None:
        for *_, address in found:
            _check(host.decode() if isinstance(host, bytes) else str(host), str(address[0]), settings)
    return found


def _addresses(host: str) -> list[str]:
    if not host.strip() or set(host) & set(",/@"):  # libpq: several servers, or a socket of this machine
        raise TerminalError("Its host is not the name or address of one server")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TransientError(f"The name of its host is not known here ({error.strerror or error})") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
