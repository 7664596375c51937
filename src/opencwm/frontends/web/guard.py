"""Who may talk to the server: the checks that every request passes before anything else sees it.

- *Host* is an address of this machine that the server was told to use, so that a name which resolves here
  (DNS rebinding) reaches nothing.
- *Origin* and *Sec-Fetch-Site*, where a browser sends them, are the page's own.
- The *token* of the printed address is exchanged for a cookie once; later requests carry the cookie, or
  ``Authorization: Bearer``. Both are compared in constant time.
- What is posted is JSON of bounded size.

Every response forbids what the page does not need: scripts and styles of others, frames, sniffing, caching.
Source: OWASP's cheat sheets on content security policy, cross-site request forgery and DNS rebinding;
https://www.w3.org/TR/CSP3/.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opencwm.frontends.web.answers import refusal

MAX_BODY_BYTES = 64 * 1024
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
"""A content security policy; ``{nonce}`` is that of the editor's own style sheet."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HOW_TO_COME_IN = "Open the address that `opencwm web` printed: it holds the token."


class Guard:
    """ASGI middleware; see the module.

    Args:
        app: what is guarded.
        token: of the printed address.
        hosts: values of the Host header that are served, lower case, with port: ``127.0.0.1:8765``.
        port: what the cookie is named by, for cookies know no ports.

    Attributes:
        cookie: name of the cookie.
    """

    def __init__(self, app: ASGIApp, *, token: str, hosts: Iterable[str], port: int) -> None:
        self._app = app
        self._token = token.encode()
        self._key = secrets.token_urlsafe(32)
        self._hosts = frozenset(hosts)
        self.cookie = f"opencwm-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
            await send(message)

        answer = self._judge(scope)
        if answer is not None:
            await answer(scope, receive, send_guarded)
            return
        if scope["method"] == "POST":
            body = await _body(receive)
            if body is None:
                await refusal(413, f"more than {MAX_BODY_BYTES // 1024} KiB")(scope, receive, send_guarded)
                return
            receive = _replayed(body, receive)
        await self._app(scope, receive, send_guarded)

    def _judge(self, scope: Scope) -> Response | None:
        """Return a refusal or the exchange of the token; None when the request may pass."""
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return refusal(403, "this server is not known by that name")
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host}":
            return refusal(403, "requests from other pages are not served")
        is_page = scope["path"] == "/" and scope["method"] == "GET"
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not is_page:
            return refusal(403, "requests from other sites are not served")
        if is_page and (given := _query_token(scope)) is not None:
            return self._exchange(given)
        if not self._is_known(headers):
            return PlainTextResponse(_HOW_TO_COME_IN, 401) if is_page else refusal(401, _HOW_TO_COME_IN)
        if (
            scope["method"] == "POST"
            and headers.get("content-type", "").partition(";")[0] != "application/json"
        ):
            return refusal(415, "JSON is wanted: Content-Type: application/json")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:12]) > MAX_BODY_BYTES:
            return refusal(413, f"more than {MAX_BODY_BYTES // 1024} KiB")
        return None

    def _exchange(self, given: str) -> Response:
        if not _is_same(given, self._token):
            return PlainTextResponse(f"Not the token of this server. {_HOW_TO_COME_IN}", 401)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self.cookie, self._key, path="/", httponly=True, samesite="strict")
        return answer

    def _is_known(self, headers: Headers) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _is_same(bearer.strip(), self._token):
            return True
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return self.cookie in cookies and _is_same(cookies[self.cookie].value, self._key.encode())


def _is_same(given: str, wanted: bytes) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), wanted)


def _query_token(scope: Scope) -> str | None:
    given = parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=16).get("token")
    return given[0] if given else None


async def _body(receive: Receive) -> bytes | None:
    """Read what was posted; None when it is too much."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read once more, then what really comes: that the client has gone."""
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
