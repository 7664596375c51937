"""Who may ask: the checks that every request passes before anything else sees it.

- A *token*, where there is one, comes as ``Authorization: Bearer``; it is compared in constant time.
- Without a token only names of this machine are served (*Host*), so that a web page whose name resolves here
  (DNS rebinding) reaches nothing.
- *Origin* and *Sec-Fetch-Site* tell a browser's page, and no page is served.
- What is posted is JSON, of a size that its header tells in advance or that is counted as it is read.

``/health`` needs no token, for whoever starts and watches servers.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from opencwm.frontends.serve.refusals import refusal

OPEN_PATH = "/health"


class Guard:
    """ASGI middleware; see the module.

    Args:
        app: what is guarded.
        token: that requests must carry; None for none.
        hosts: values of the Host header that mean this server, lower case.
        max_body_bytes: most bytes of a body.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, hosts: Iterable[str], max_body_bytes: int) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._hosts = frozenset(hosts)
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            return
        answer = self._judge(scope)
        await (answer or self._app)(scope, receive, send)

    def _judge(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._token is None and headers.get("host", "").lower() not in self._hosts:
            return refusal(403, "this server is not known by that name")
        if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
            return refusal(403, "requests from web pages are not served")
        if scope["path"] == OPEN_PATH:
            return None
        if self._token is not None and not self._is_known(headers, self._token):
            hint = "give the token that `opencwm serve` printed, as an API key"
            return refusal(401, f"the token is missing or wrong: {hint}", code="invalid_api_key")
        if scope["method"] == "POST":
            if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                return refusal(415, "JSON is wanted: Content-Type: application/json")
            length = headers.get("content-length", "0")
            if not (length.isascii() and length.isdecimal()) or int(length[:18]) > self._max_body_bytes:
                return refusal(413, f"the body is larger than {self._max_body_bytes} bytes")
        return None

    @staticmethod
    def _is_known(headers: Headers, token: bytes) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer.strip().encode("utf-8", "surrogatepass")
        return scheme.lower() == "bearer" and secrets.compare_digest(given, token)
