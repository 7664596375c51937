"""The endpoints: completions, chats, models, health and metrics.

The server's thread never waits for a model: requests go to the scheduler's thread, and news come back through
the event loop. A client that goes away takes its sequences with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opencwm.core.errors import ConfigError, EngineError
from opencwm.frontends.serve.chat_order import ChatOrder
from opencwm.frontends.serve.chat_replies import ChatWriter
from opencwm.frontends.serve.guard import Guard
from opencwm.frontends.serve.metrics import Metrics
from opencwm.frontends.serve.order import Body, Drawn, Order, read_order
from opencwm.frontends.serve.refusals import refusal, told
from opencwm.frontends.serve.replies import Replies, Writer, event
from opencwm.frontends.serve.served_model import ServedModel
from opencwm.model.scheduler import FullError, Job, Scheduler, Token, Update
from opencwm.model.scheduler import Request as Asked

MAX_BODY_BYTES = 8 * 1024 * 1024
_RETRY_S = 1
_News = tuple[int, Update]


class App:
    """The endpoints over one model; an ASGI application.

    Args:
        served: the model.
        max_jobs: most sequences that are let in at once; more are answered by 429.
        token: see :class:`Guard`.
        hosts: likewise.
        max_body_bytes: likewise.

    Attributes:
        scheduler: what does the work; to be closed by whoever made this.
    """

    def __init__(
        self,
        served: ServedModel,
        *,
        max_jobs: int,
        token: str | None,
        hosts: Iterable[str],
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._served = served
        self._max_body_bytes = max_body_bytes
        self._metrics = Metrics()
        self.scheduler = scheduler = Scheduler(served.bank, max_jobs=max_jobs, observer=self._metrics)
        self._metrics.watch("sequences_running", "Sequences that have a row.", lambda: scheduler.num_running)
        self._metrics.watch("sequences_waiting", "Sequences that have none.", lambda: scheduler.num_waiting)
        routes = [
            Route("/v1/completions", self._completions, methods=["POST"]),
            Route("/v1/chat/completions", self._chats, methods=["POST"]),
            Route("/v1/models", self._models),
            Route("/v1/models/{name:path}", self._model),
            Route("/health", self._health),
            Route("/metrics", self._shown_metrics),
        ]
        handlers = {404: _unknown, 405: _unknown, 500: _broken}
        guarded = Guard(
            Starlette(routes=routes, exception_handlers=handlers),
            token=token,
            hosts=hosts,
            max_body_bytes=max_body_bytes,
        )
        self.asgi = self._counted(guarded)

    def _counted(self, app: ASGIApp) -> ASGIApp:
        """Count the answers of an application, by known paths only."""
        known = {"/v1/completions", "/v1/chat/completions", "/v1/models", "/health", "/metrics"}

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_counted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    path = scope["path"] if scope["path"] in known else "other"
                    self._metrics.answered(path, message["status"])
                await send(message)

            await app(scope, receive, send_counted)

        return counted

    async def _health(self, _: Request) -> Response:
        return _json({"status": "ok"})

    async def _shown_metrics(self, _: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def _models(self, _: Request) -> Response:
        return _json({"object": "list", "data": [self._served.card()]})

    async def _model(self, request: Request) -> Response:
        name = request.path_params["name"]
        return _json(self._served.card()) if name == self._served.name else self._no_model(name)

    def _no_model(self, name: str) -> Response:
        problem = f"there is no model {name[:100]!r} here, only {self._served.name!r}"
        return refusal(404, problem, param="model", code="model_not_found")

    async def _completions(self, request: Request) -> Response:
        return await self._answered(request, Order, Writer)

    async def _chats(self, request: Request) -> Response:
        return await self._answered(request, ChatOrder, ChatWriter)

    async def _answered(self, request: Request, kind: type[Body], make: Callable[..., Replies]) -> Response:
        begin_s = time.monotonic()
        try:
            body = await self._body(request)
            if body is None:
                return refusal(413, f"the body is larger than {self._max_body_bytes} bytes")
            order = read_order(kind, body)
            if order.model not in (None, self._served.name):
                return self._no_model(str(order.model))
            asked = order.requests(self._served)
            news: asyncio.Queue[_News] = asyncio.Queue()
            jobs = self.scheduler.submit(asked, [_listener(news, index) for index in range(len(asked))])
        except ClientDisconnect:
            return Response(status_code=499)
        except ConfigError as error:
            hint = f" ({error.hint})" if error.hint else ""
            where = f"{error.where}: " if error.where else ""
            return refusal(400, f"{where}{error.what}{hint}", param=error.where or None)
        except FullError:
            return refusal(429, "as many requests as this server takes are under way", retry_s=_RETRY_S)
        except EngineError as error:
            return refusal(503, str(error), retry_s=_RETRY_S)
        writer = make(order, asked, self._served, secrets.token_hex(12), int(time.time()))
        waited = _Waited(jobs, asked, news, self._metrics, begin_s)
        if order.stream:
            headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-cache"}
            return _Stream(waited, _parts(order, writer, waited), headers=headers)
        return await self._whole(request, writer, waited)

    async def _body(self, request: Request) -> bytes | None:
        """Read what was posted; None when it is too much."""
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._max_body_bytes:
                return None
        return bytes(body)

    @staticmethod
    async def _whole(request: Request, writer: Replies, waited: _Waited) -> Response:
        work = asyncio.ensure_future(waited.all())
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return Response(status_code=499)
            return _json(writer.whole(work.result()))
        except EngineError as error:
            return refusal(500, str(error))
        finally:
            waited.close()
            for task in (work, gone):
                task.cancel()


@dataclasses.dataclass
class _Waited:
    """Sequences whose news somebody waits for."""

    jobs: Sequence[Job]
    asked: Sequence[Asked]
    news: asyncio.Queue[_News]
    metrics: Metrics
    begin_s: float
    num_open: int = dataclasses.field(init=False)
    is_begun: bool = False

    def __post_init__(self) -> None:
        self.num_open = len(self.jobs)

    async def next(self) -> _News:
        """Return the next news.

        Raises:
            EngineError: the engine broke.
        """
        index, update = await self.news.get()
        if update.tokens and not self.is_begun:
            self.is_begun = True
            if self.asked[index].is_streamed:
                self.metrics.began(time.monotonic() - self.begin_s)
        if update.is_last:
            self.num_open -= 1
            seconds = time.monotonic() - self.begin_s
            job = self.jobs[index]
            self.metrics.completed(len(job.request.prompt), update.num_reused, job.num_written, seconds)
        if update.error is not None:
            raise update.error
        return index, update

    async def all(self) -> list[Update]:
        """Return what each sequence came to."""
        found: dict[int, Update] = {}
        while self.num_open:
            index, update = await self.next()
            found[index] = update
        return [found[index] for index in range(len(self.jobs))]

    def close(self) -> None:
        """Have what is still under way end."""
        for job in self.jobs:
            if not job.is_over:
                job.cancel()
                self.metrics.cancelled()


class _Stream(StreamingResponse):
    """A stream of events; whoever stops reading ends the sequences behind it, wherever they are."""

    media_type = "text/event-stream"

    def __init__(self, waited: _Waited, parts: AsyncIterator[str], *, headers: Mapping[str, str]) -> None:
        super().__init__(parts, headers=headers)
        self._waited = waited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._waited.close()


async def _parts(order: Drawn, writer: Replies, waited: _Waited) -> AsyncIterator[str]:
    """Yield a stream's events."""
    options = order.stream_options
    written: list[list[Token]] = [[] for _ in waited.jobs]
    try:
        while waited.num_open:
            index, update = await waited.next()
            written[index] += update.tokens
            for part in writer.parts(index, update):
                yield event(part)
        if options is not None and options.include_usage:
            reused = [job.num_reused for job in waited.jobs]
            whole = [Update(tuple(w), num_reused=n) for w, n in zip(written, reused, strict=True)]
            yield event(writer.last(whole))
        yield "data: [DONE]\n\n"
    except EngineError as error:
        yield event({"error": told(500, str(error))})


def _listener(news: asyncio.Queue[_News], index: int) -> Callable[[Update], None]:
    """Return what brings news of a sequence from the scheduler's thread into the event loop."""
    loop = asyncio.get_running_loop()

    def tell(update: Update) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(news.put_nowait, (index, update))

    return tell


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(data: object) -> Response:
    return Response(json.dumps(data, separators=(",", ":")), media_type="application/json")


async def _broken(_: Request, error: Exception) -> Response:
    return refusal(500, f"the server failed: {type(error).__name__}")


async def _unknown(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    problem = "there is no such endpoint" if status == 404 else "that is not how this endpoint is asked"
    return refusal(status, f"{problem}: {request.method} {request.url.path[:200]}")
