"""Serves trajectories to the browser of whoever has the address; guarded like ``opencwm web``."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from opencwm.core.errors import OpenCWMError
from opencwm.frontends.listening import LOOPBACK, bound, served_hosts, shown_host
from opencwm.frontends.quiet_server import quiet_server
from opencwm.frontends.view import pages, shown
from opencwm.frontends.web.answers import JsonAnswer, refusal
from opencwm.frontends.web.guard import Guard


class Served:
    """A server that is bound to its port.

    Args:
        paths: the trajectory files it shows, and no others.
        index: what the list says of each.
        host: address or name to listen at.
        port: 0 for a free one.

    Attributes:
        url: to open, with the token.

    Raises:
        ConfigError: the address cannot be used.
    """

    def __init__(
        self, paths: Sequence[Path], index: Sequence[shown.Json], *, host: str = LOOPBACK, port: int = 0
    ) -> None:
        self._paths, self._index = list(paths), list(index)
        self._socket = bound(host, port)
        number = self._socket.getsockname()[1]
        token = secrets.token_urlsafe(24)
        routes = [
            Route("/", self._page),
            Route("/assets/{name}", self._asset),
            Route("/api/index", self._list),
            Route("/api/trajectories/{number:int}", self._trajectory),
        ]
        guard = Guard(Starlette(routes=routes), token=token, hosts=served_hosts(host, number), port=number)
        self.asgi = guard
        self._server = quiet_server(guard, keep_alive_s=5, patience_s=1)
        self.url = f"http://{shown_host(host)}:{number}/?token={token}"

    def run(self) -> None:
        """Serve until interrupted, or until :meth:`stop`."""
        try:
            with contextlib.suppress(KeyboardInterrupt):
                self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """End :meth:`run`, from any thread."""
        self._server.should_exit = True

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(pages.served_page())

    async def _asset(self, request: Request) -> Response:
        found = pages.asset(request.path_params["name"])
        return (
            refusal(404, "there is no such file")
            if found is None
            else Response(found[0], media_type=found[1])
        )

    async def _list(self, _: Request) -> Response:
        return JsonAnswer(self._index)

    async def _trajectory(self, request: Request) -> Response:
        number = request.path_params["number"]
        if number >= len(self._paths):
            return refusal(404, "there is no such trajectory")
        try:
            return JsonAnswer(shown.read(self._paths[number]))
        except OpenCWMError as error:
            return refusal(422, str(error))
