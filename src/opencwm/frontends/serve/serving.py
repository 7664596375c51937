"""Run the server until it is interrupted."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from collections.abc import Callable

from opencwm.frontends.listening import LOOPBACK, bound, served_hosts, shown_host
from opencwm.frontends.quiet_server import quiet_server
from opencwm.frontends.serve.app import MAX_BODY_BYTES, App
from opencwm.frontends.serve.served_model import ServedModel


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """How a model is served.

    Attributes:
        host: address or name to listen at.
        port: 0 for a free one.
        token: that requests must carry; empty for a new one, None for none.
        max_requests: most sequences that are let in at once.
        max_body_bytes: most bytes of a request.
        patience_s: seconds that requests under way get to end when the server is told to.
    """

    host: str = LOOPBACK
    port: int = 0
    token: str | None = ""
    max_requests: int = 256
    max_body_bytes: int = MAX_BODY_BYTES
    patience_s: int = 10


class Served:
    """A server that is bound to its port.

    Args:
        make: opens the model.
        config: how it is served.

    Attributes:
        url: of the API.
        token: that requests must carry, or None.
        app: what answers.

    Raises:
        ConfigError: the address cannot be used; whatever ``make`` raises.
    """

    def __init__(self, make: Callable[[], ServedModel], config: ServeConfig | None = None) -> None:
        config = config or ServeConfig()
        self._socket = bound(config.host, config.port)
        number = self._socket.getsockname()[1]
        self.token = secrets.token_urlsafe(24) if config.token == "" else config.token
        try:
            served = make()
        except BaseException:
            self._socket.close()
            raise
        self.app = App(
            served,
            max_jobs=config.max_requests,
            token=self.token,
            hosts=served_hosts(config.host, number),
            max_body_bytes=config.max_body_bytes,
        )
        self._server = quiet_server(self.app.asgi, keep_alive_s=75, patience_s=config.patience_s)
        self.url = f"http://{shown_host(config.host)}:{number}/v1"

    def run(self) -> None:
        """Serve until interrupted, or until :meth:`stop`; what is under way may end."""
        try:
            with contextlib.suppress(KeyboardInterrupt):
                self._server.run(sockets=[self._socket])
        finally:
            self.app.scheduler.close()
            self._socket.close()

    def stop(self) -> None:
        """End :meth:`run`, from any thread."""
        self._server.should_exit = True
