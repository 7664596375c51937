"""Questions to a server: a pool of connections that waits, tries again, gives up and is told to stop.

The idea: an event loop in a thread of its own holds the connections, so any number of threads ask at once,
each as if it waited alone, and what is asked can be cancelled at any moment. A question may be asked again,
for it changes nothing at the server: after a dropped connection, a timeout, a broken reply, and the statuses
that mean *later*. How long to wait is what the server says (Retry-After), or doubles each time, with jitter
so that many clients do not come back together.

It knows nothing of tokens. It needs the extra ``http``, which is imported when a connection is made.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import email.utils
import importlib
import json
import os
import random
import threading
import time
import weakref
from collections.abc import Coroutine, Mapping
from types import ModuleType, TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from opencwm.core.errors import ConfigError, EngineError

KEY_VARIABLE = "OPENCWM_API_KEY"
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True, kw_only=True)
class HttpConfig:
    """How a server is asked.

    Attributes:
        api_key: sent as a bearer token; by default that of the variable ``OPENCWM_API_KEY``, if any.
        connect_timeout_s: most seconds until a connection stands.
        timeout_s: most seconds in which nothing comes of a reply.
        attempts: how often a question is asked at most.
        first_wait_s: mean wait before the second attempt; it doubles from attempt to attempt.
        longest_wait_s: most seconds between two attempts, whatever the server asks for.
        connections: most at once; more questions wait for their turn.
        max_reply_bytes: a larger reply is refused.
    """

    api_key: str | None = None
    connect_timeout_s: float = 10.0
    timeout_s: float = 300.0
    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    connections: int = 64
    max_reply_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        least = min(self.attempts, self.connections, self.max_reply_bytes)
        if least < 1 or min(self.connect_timeout_s, self.timeout_s) <= 0 or self.first_wait_s < 0:
            raise ConfigError("times and counts must be positive", where="http")


class _LaterError(Exception):
    """What may go better the next time.

    Args:
        problem: what went wrong.
        wait_s: what the server says of when to ask again.
    """

    def __init__(self, problem: str, wait_s: float | None = None) -> None:
        super().__init__(problem)
        self.wait_s = wait_s


class HttpConnection:
    """Asks one server. Thread-safe; closed by :meth:`close`, by ``with``, or when nothing uses it any more.

    Args:
        url: of the API, for example ``http://127.0.0.1:8000/v1``.
        config: how it is asked.

    Raises:
        ConfigError: no such kind of address, or the extra ``http`` is not installed.
    """

    def __init__(self, url: str, config: HttpConfig | None = None) -> None:
        self.url = _checked(url)
        self.config = config = config or HttpConfig()
        self._httpx = httpx = _library()
        key = config.api_key if config.api_key is not None else os.environ.get(KEY_VARIABLE, "")
        if not (key.isascii() and key.isprintable()):
            raise ConfigError("an API key is printable ASCII", where=KEY_VARIABLE)
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(config.timeout_s, connect=config.connect_timeout_s, pool=None),
            limits=httpx.Limits(
                max_connections=config.connections, max_keepalive_connections=config.connections
            ),
            trust_env=urlsplit(self.url).hostname not in _LOOPBACK,
        )
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, name="opencwm http", daemon=True)
        thread.start()
        self._end = weakref.finalize(self, _close, self._loop, self._client, thread)

    def get(self, path: str, *, attempts: int | None = None) -> Any:
        """Return the JSON at a path below the address, after at most so many attempts; see :meth:`post`."""
        return self._wait(self._ask("GET", path, None, attempts or self.config.attempts))

    def post(self, path: str, data: Mapping[str, Any]) -> Any:
        """Send JSON and return the JSON that comes back.

        Raises:
            EngineError: the server cannot be reached, refuses, or answers what is no JSON, after as many
                attempts as make sense; the connection was closed or the question cancelled.
        """
        body = json.dumps(data, separators=(",", ":")).encode()
        return self._wait(self._ask("POST", path, body, self.config.attempts))

    def cancel(self) -> None:
        """End all questions that are under way; whoever waits for one gets an EngineError."""
        if self._end.alive:
            self._loop.call_soon_threadsafe(_cancel_all, self._loop)

    def close(self) -> None:
        """End all questions and connections; from any thread, as often as wanted."""
        self._end()

    def __enter__(self) -> HttpConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        if not self._end.alive:
            work.close()
            raise EngineError("the connection is closed", where=self.url)
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise EngineError("the question was cancelled", where=self.url) from None
        except BaseException:
            future.cancel()  # whoever waited was interrupted
            raise

    async def _ask(self, method: str, path: str, body: bytes | None, attempts: int) -> Any:
        """Ask until there is an answer, or no sense in asking again."""
        config = self.config
        for attempt in range(1, attempts + 1):
            try:
                return await self._ask_once(method, path, body)
            except _LaterError as error:
                if attempt == attempts:
                    tried = f", {attempt} times" if attempt > 1 else ""
                    raise EngineError(f"{error}{tried}", where=self.url) from None
                wait_s = error.wait_s
                if wait_s is None:
                    # jitter, not a secret
                    wait_s = config.first_wait_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311
                await asyncio.sleep(min(wait_s, config.longest_wait_s))
        raise AssertionError

    async def _ask_once(self, method: str, path: str, body: bytes | None) -> Any:
        httpx = self._httpx
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with self._client.stream(
                method, f"{self.url}/{path}", content=body, headers=headers
            ) as reply:
                content = await self._content(reply)
        except httpx.TimeoutException as error:
            kind = "to connect" if isinstance(error, httpx.ConnectTimeout) else "for an answer"
            raise _LaterError(f"the server took too long {kind}") from None
        except httpx.ConnectError as error:
            raise _LaterError(f"the server cannot be reached: {_line(str(error))}") from None
        except httpx.TransportError as error:
            raise _LaterError(f"the connection broke: {_line(str(error) or type(error).__name__)}") from None
        except (httpx.DecodingError, httpx.InvalidURL, ValueError) as error:
            raise _LaterError(f"the answer cannot be read: {_line(str(error))}") from None
        return self._judge(reply.status_code, reply.headers, content)

    async def _content(self, reply: Any) -> bytes:
        content = bytearray()
        async for part in reply.aiter_bytes():
            content += part
            if len(content) > self.config.max_reply_bytes:
                problem = f"the answer is larger than {self.config.max_reply_bytes} bytes"
                raise EngineError(problem, where=self.url)
        return bytes(content)

    def _judge(self, status: int, headers: Mapping[str, str], content: bytes) -> Any:
        """Return what was answered, or say what is wrong."""
        if status in _LATER:
            problem = f"the server answers {status}: {_message(content)}"
            raise _LaterError(problem, _retry_after(headers.get("retry-after")))
        if status in (401, 403):
            problem = f"the server answers {status}: {_message(content)}"
            raise EngineError(problem, where=self.url, hint=f"set {KEY_VARIABLE} to its token")
        if status != 200:
            hint = "the address of the API usually ends with /v1" if status in (404, 405) else ""
            problem = f"the server answers {status}: {_message(content)}"
            raise EngineError(problem, where=self.url, hint=hint)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise _LaterError("the answer is not valid JSON, or was cut off") from None


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right:
        raise ConfigError(
            "is not the address of a server", where=url, hint="it looks like http://host:8000/v1"
        )
    return url.rstrip("/")


def _library() -> ModuleType:
    try:
        return importlib.import_module("httpx")
    except ModuleNotFoundError as error:
        if error.name != "httpx":
            raise
        raise ConfigError("asking a server needs httpx", hint="pip install 'opencwm[http]'") from None


def _message(content: bytes) -> str:
    """Return what a refusal says, in one line."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return _line(content[:400].decode("utf-8", "replace"))
    found = data.get("error", data) if isinstance(data, dict) else data
    for name in ("message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    return _line(found if isinstance(found, str) else json.dumps(found)[:400])


def _line(text: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())[:300] or "nothing more"


def _retry_after(value: str | None) -> float | None:
    """Return the seconds that a header asks for, given in seconds or as a date."""
    if value is None:
        return None
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


def _close(loop: asyncio.AbstractEventLoop, client: Any, thread: threading.Thread) -> None:
    """End what a connection holds."""

    async def end() -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await client.aclose()

    if loop.is_closed():
        return
    if thread.is_alive() and threading.current_thread() is not thread:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
