"""Sockets and names of the servers that listen for other programs."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterator

from opencwm.core.errors import ConfigError

LOOPBACK = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def served_hosts(host: str, port: int) -> set[str]:
    """Return the values of the Host header that mean this server."""
    names = {LOOPBACK, "localhost", "[::1]"}
    if not is_loopback(host):
        names |= set(_own_names()) if _is_any(host) else {f"[{host}]" if ":" in host else host.lower()}
    return {f"{name}:{port}" for name in names} | (names if port == 80 else set())


def shown_host(host: str) -> str:
    """Return the name of a host as it stands in an address that reaches it from here."""
    return LOOPBACK if _is_any(host) else f"[{host}]" if ":" in host else host


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigError: the address cannot be used.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with contextlib.ExitStack() as undo:
            made = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, port))
            made.listen(128)  # whoever opens the address before the server runs waits, and is served
            undo.pop_all()
    except OSError as error:
        is_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        raise ConfigError(
            f"cannot listen there: {error.strerror or error}",
            where=f"{host}:{port}",
            hint="a host is a name or an address of this machine"
            if is_host
            else "choose another --port, or leave it out for a free one",
        ) from None
    return made


def _own_names() -> Iterator[str]:
    name = socket.gethostname()
    yield name.lower()
    with contextlib.suppress(OSError):
        for *_, address in socket.getaddrinfo(name, None):
            yield f"[{address[0]}]" if ":" in str(address[0]) else str(address[0])


def _is_any(host: str) -> bool:
    return host in ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
