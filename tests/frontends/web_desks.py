"""Desks over recorded and scripted runs, and a client that talks to the application without a socket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from opencwm.debugger.execution import Execution, Origin, RealExecution, StepView
from opencwm.debugger.testing import ScriptedExecution, predicted_from
from opencwm.frontends.sessions import Opened
from opencwm.frontends.web.app import App
from opencwm.frontends.web.desk import Desk
from opencwm.frontends.web.serving import Served
from opencwm.frontends.web.worker import Worker
from opencwm.tracer import TraceLimits, record
from opencwm.traces import CodeInfo, Program, Step, StepKind, Trace

COUNT = """\
def count(word, letter):
    n = 0
    for c in word:
        if c == letter:
            n += 1
    return n


def f(word):
    best = 0
    for letter in sorted(set(word)):
        k = count(word, letter)
        if k > best:
            best = k
    return best * 10
"""
CALL = "f('abba')"
TOKEN = "the-token"  # noqa: S105 - of tests
HOST = "127.0.0.1:8123"


def traced(source: str = COUNT, call: str = CALL) -> Trace:
    """Record a run, with the sub-expressions."""
    program = Program.from_call(source, call, filename="count.py")
    return record(program, limits=TraceLimits(expressions=True))


def predicted(trace: Trace, wrong: Mapping[int, Mapping[str, str]] | None = None) -> ScriptedExecution:
    """Return a prediction like the run, with mistakes."""
    status = f"the program returned {trace.result}"
    return predicted_from(trace, probability=0.8, wrong=wrong, status=status)


def opened(execution: Execution, real: RealExecution | None = None, max_steps: int = 1_000) -> Opened:
    """Return what a session is made of."""
    return Opened(execution, real, max_steps, ())


def comparing(wrong: Mapping[int, Mapping[str, str]] | None = None, *, num_known: int = 1) -> Desk:
    """Return a desk with a prediction beside the real run."""
    trace = traced()
    desk = Desk(opened(predicted(trace, wrong), RealExecution(trace)))
    desk.read_on(num_known, lambda _: None)
    return desk


def endless(pause: Callable[[], None], pause_s: float = 0.03) -> Desk:
    """Return a desk with a prediction that takes its time and never ends."""
    text = "def main():\n    n = 0\n    while True:\n        n += 1\n"
    program = Program(text, "main", filename="endless.py")

    def views() -> Iterator[StepView]:
        yield StepView(Step(StepKind.CALL, 0, 1, 0), Origin.PREDICTED)
        for n in itertools.count():
            time.sleep(pause_s)
            changed = (("n", str(n)),)
            yield StepView(Step(StepKind.LINE, 0, 4, 0, changed), Origin.PREDICTED, {"n": 0.9}, 0.99)

    execution = ScriptedExecution(program, (CodeInfo("main", 1, ("n",)),), views())
    return Desk(opened(execution, max_steps=100_000), pause=pause)


@contextlib.contextmanager
def served(make_desk: Callable[[Callable[[], None]], Desk]) -> Iterator[Served]:
    """Serve a desk on a free port while the block runs."""
    server = Served(make_desk)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(20)


class Client:
    """Asks the application, as the page does unless headers say otherwise."""

    def __init__(self, desk: Desk, worker: Worker) -> None:
        app = App(desk, worker, token=TOKEN, hosts={HOST}, port=8123).asgi
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.headers = {"Host": HOST, "Authorization": f"Bearer {TOKEN}"}

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return the answer."""
        headers = self.headers | options.pop("headers", {})

        request = httpx.Request(method, f"http://{HOST}{path}", headers=headers, **options)

        async def ask() -> httpx.Response:
            answer = await self._transport.handle_async_request(request)
            await answer.aread()
            return answer

        return asyncio.run(ask())

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Return the answer to a GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, message: Any) -> httpx.Response:
        """Return the answer to a JSON message."""
        return self.request("POST", path, json=message)


@contextlib.contextmanager
def client_of(desk: Desk) -> Iterator[Client]:
    """Yield a client; the thread behind it ends afterwards."""
    worker = Worker()
    try:
        yield Client(desk, worker)
    finally:
        worker.close()
