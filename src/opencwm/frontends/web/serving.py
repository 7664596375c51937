"""Run the server until it is interrupted."""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import socket
from collections.abc import Callable, Iterator

import uvicorn

from opencwm.core.errors import ConfigError
from opencwm.frontends.web.app import App
from opencwm.frontends.web.desk import Desk
from opencwm.frontends.web.worker import Worker

LOOPBACK = "127.0.0.1"


class Served:
    """A server that is bound to its port.

    Args:
        make_desk: makes what is shown, given what a long job is to call between its steps.
        host: address or name to listen at.
        port: 0 for a free one.

    Attributes:
        url: to open, with the token.

    Raises:
        ConfigError: the address cannot be used; whatever ``make_desk`` raises.
    """

    def __init__(
        self, make_desk: Callable[[Callable[[], None]], Desk], *, host: str = LOOPBACK, port: int = 0
    ) -> None:
        self._socket = _bound(host, port)
        bound = self._socket.getsockname()[1]
        token = secrets.token_urlsafe(24)
        self._worker = Worker()
        try:
            desk = make_desk(self._worker.pause)
        except BaseException:
            self._close()
            raise
        app = App(desk, self._worker, token=token, hosts=served_hosts(host, bound), port=bound)
        config = uvicorn.Config(
            app.asgi,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            date_header=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=32 * 1024,
        )
        self._server = uvicorn.Server(config)
        shown = LOOPBACK if _is_any(host) else f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{bound}/?token={token}"

    def run(self) -> None:
        """Serve until interrupted, or until :meth:`stop`."""
        try:
            with contextlib.suppress(KeyboardInterrupt):
                self._server.run(sockets=[self._socket])
        finally:
            self._close()

    def stop(self) -> None:
        """End :meth:`run`, from any thread."""
        self._server.should_exit = True

    def _close(self) -> None:
        self._worker.close()
        self._socket.close()


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


def _own_names() -> Iterator[str]:
    name = socket.gethostname()
    yield name.lower()
    with contextlib.suppress(OSError):
        for *_, address in socket.getaddrinfo(name, None):
            yield f"[{address[0]}]" if ":" in str(address[0]) else str(address[0])


def _is_any(host: str) -> bool:
    return host in ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with contextlib.ExitStack() as undo:
            made = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((host, port))
            made.listen(128)  # whoever opens the address before the server runs waits, and is served
            undo.pop_all()
    except OSError as error:
        raise ConfigError(
            f"cannot listen there: {error.strerror or error}",
            where=f"{host}:{port}",
            hint="choose another --port, or leave it out for a free one",
        ) from None
    return made
