"""Run the server until it is interrupted."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable

from opencwm.frontends.listening import LOOPBACK, bound, served_hosts, shown_host
from opencwm.frontends.quiet_server import quiet_server
from opencwm.frontends.web.app import App
from opencwm.frontends.web.desk import Desk
from opencwm.frontends.web.worker import Worker


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
        self._socket = bound(host, port)
        number = self._socket.getsockname()[1]
        token = secrets.token_urlsafe(24)
        self._worker = Worker()
        try:
            desk = make_desk(self._worker.pause)
            app = App(desk, self._worker, token=token, hosts=served_hosts(host, number), port=number)
            self._server = quiet_server(app.asgi, keep_alive_s=60, patience_s=1)
        except BaseException:
            self._close()
            raise
        self.url = f"http://{shown_host(host)}:{number}/?token={token}"

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
