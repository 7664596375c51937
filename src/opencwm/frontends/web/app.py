"""The server: pages, steps and moves over HTTP, and a stream of news; what guards it is in ``guard.py``."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from opencwm.core.config import from_dict
from opencwm.core.errors import ConfigError, EngineError, OpenCWMError
from opencwm.frontends.web import breakpoint_messages, messages, saved
from opencwm.frontends.web.answers import JsonAnswer, refusal
from opencwm.frontends.web.assets import asset, page
from opencwm.frontends.web.desk import Desk
from opencwm.frontends.web.guard import Guard
from opencwm.frontends.web.worker import BusyError, Worker

MAX_WINDOWS = 32
_QUIET_S = 10.0
"""Seconds without news after which a sign of life is sent, and the file is looked at."""
Message = TypeVar("Message")
_Endpoint = Callable[[Request], Awaitable[Response]]


class App:
    """The endpoints over one desk; an ASGI application.

    Args:
        desk: what is shown.
        worker: the thread that the desk belongs to.
        token: of the printed address.
        hosts: see :class:`Guard`.
        port: likewise.
    """

    def __init__(self, desk: Desk, worker: Worker, *, token: str, hosts: Iterable[str], port: int) -> None:
        self._desk = desk
        self._worker = worker
        routes = [
            Route("/", self._page),
            Route("/assets/{name}", self._asset),
            Route("/share", _answered(self._share)),
            Route("/api/state", _answered(self._state)),
            Route("/api/overview", _answered(self._overview)),
            Route("/api/steps", _answered(self._steps)),
            Route("/api/history", _answered(self._history)),
            Route("/api/events", self._events),
            *(Route(f"/api/{path}", _answered(answer), methods=["POST"]) for path, answer in self._posts()),
        ]
        self.asgi = Guard(Starlette(routes=routes), token=token, hosts=hosts, port=port)

    def _posts(self) -> list[tuple[str, _Endpoint]]:
        desk, worker = self._desk, self._worker
        return [
            ("move", _posted(messages.Move, self._move)),
            (
                "set",
                _posted(
                    messages.SetVariable, lambda message, _: worker.do(lambda: desk.set_variable(message))
                ),
            ),
            ("steer", _posted(messages.Steer, self._steer)),
            (
                "restart",
                _posted(messages.Restart, lambda message, _: worker.do(lambda: desk.restart(message))),
            ),
            ("evaluate", _posted(messages.Evaluate, self._evaluate)),
            ("cancel", _posted(messages.Nothing, self._cancel)),
            (
                "breakpoints",
                _posted(
                    breakpoint_messages.NewBreakpoint,
                    lambda message, _: worker.look(lambda: desk.add_breakpoint(message)),
                ),
            ),
            (
                "breakpoints/{number:int}",
                _posted(
                    breakpoint_messages.ChangeBreakpoint,
                    lambda message, request: worker.look(
                        lambda: desk.change_breakpoint(request.path_params["number"], message)
                    ),
                ),
            ),
            (
                "breakpoints/{number:int}/remove",
                _posted(
                    messages.Nothing,
                    lambda _, request: worker.look(
                        lambda: desk.remove_breakpoint(request.path_params["number"])
                    ),
                ),
            ),
        ]

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(page(request.state.nonce))

    async def _asset(self, request: Request) -> Response:
        found = asset(request.path_params["name"])
        return (
            refusal(404, "there is no such file")
            if found is None
            else Response(found[0], media_type=found[1])
        )

    async def _share(self, _: Request) -> Response:
        text = await self._worker.do(lambda: saved.document(self._desk))
        name = saved.file_name(self._desk)
        return HTMLResponse(text, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    async def _state(self, _: Request) -> Response:
        return JsonAnswer(await self._worker.look(self._desk.state))

    async def _overview(self, request: Request) -> Response:
        timeline = _number(request, "timeline")
        return JsonAnswer(await self._worker.look(lambda: self._desk.overview(timeline)))

    async def _steps(self, request: Request) -> Response:
        timeline, start, stop = (_number(request, name) for name in ("timeline", "start", "stop"))
        return JsonAnswer(await self._worker.look(lambda: self._desk.steps(timeline, start, stop)))

    async def _history(self, request: Request) -> Response:
        timeline, position, level = (_number(request, name) for name in ("timeline", "position", "level"))
        name = request.query_params.get("name", "")
        return JsonAnswer(
            await self._worker.look(lambda: self._desk.history(timeline, position, level, name))
        )

    async def _move(self, message: messages.Move, request: Request) -> dict[str, Any]:
        return await self._for(request, self._worker.do(lambda: self._desk.move(message)))

    async def _steer(self, message: messages.Steer, request: Request) -> dict[str, Any]:
        return await self._for(request, self._worker.do(lambda: self._desk.steer(message)))

    async def _for(self, request: Request, work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        """Return what work comes to; cancel it when nobody waits for it any more."""
        task = asyncio.ensure_future(work)
        while not (await asyncio.wait({task}, timeout=_QUIET_S / 10))[0]:
            if await request.is_disconnected():
                self._desk.cancel()
        return task.result()

    async def _evaluate(self, message: messages.Evaluate, request: Request) -> dict[str, Any]:
        if message.ask:
            return await self._for(request, self._worker.do(lambda: self._desk.ask(message)))
        return await self._worker.look(lambda: self._desk.evaluate(message))

    async def _cancel(self, _message: messages.Nothing, _: Request) -> dict[str, Any]:
        self._desk.cancel()
        return {}

    async def _events(self, _: Request) -> Response:
        if self._desk.num_windows >= MAX_WINDOWS:
            return refusal(429, f"{MAX_WINDOWS} windows are open on this session; close one")
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(self._news(), media_type="text/event-stream", headers=headers)

    async def _news(self) -> AsyncIterator[str]:
        """Yield what happens as server-sent events."""
        news: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=64)
        loop = asyncio.get_running_loop()

        def hear(event: dict[str, Any]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(_offer, news, event)

        was_stale = self._desk.is_stale()
        with self._desk.listening(hear):
            yield "retry: 2000\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(news.get(), _QUIET_S)
                except TimeoutError:
                    yield ": still here\n\n"
                    if self._desk.is_stale() is not was_stale:
                        was_stale = not was_stale
                        yield 'data: {"kind": "shared"}\n\n'
                else:
                    yield f"data: {json.dumps(event)}\n\n"


def _offer(news: asyncio.Queue[dict[str, Any]], event: dict[str, Any]) -> None:
    """Put an event in; a window that does not read loses the oldest."""
    if news.full():
        news.get_nowait()
    news.put_nowait(event)


def _posted(
    kind: type[Message], answer: Callable[[Message, Request], Awaitable[Any]]
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that reads a message of a kind and answers with JSON."""

    async def endpoint(request: Request) -> Response:
        try:
            data = json.loads(await request.body())
        except (ValueError, RecursionError):
            raise ConfigError("not valid JSON", where="body") from None
        if not isinstance(data, dict):
            raise ConfigError("a JSON object is wanted", where="body")
        return JsonAnswer(await answer(from_dict(kind, data, where="body"), request))

    return endpoint


def _answered(endpoint: _Endpoint) -> _Endpoint:
    """Return an endpoint that answers errors made on purpose in one line, and survives them."""

    async def safe(request: Request) -> Response:
        try:
            return await endpoint(request)
        except BusyError as error:
            return refusal(409, str(error))
        except EngineError as error:
            return refusal(500, str(error))
        except OpenCWMError as error:
            return refusal(400, str(error))

    return safe


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise ConfigError("a number is wanted", where=name)
    return int(text)
