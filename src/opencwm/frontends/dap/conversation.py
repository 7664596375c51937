"""One client's conversation: which request may come when, and what is looked at while something takes long.

The one idea: one thread does everything. While a move runs it looks at what has arrived after every step, so
a client can set breakpoints, pause, cancel or leave at any time, and nothing needs a lock. What the requests
do is the adapter's.

Source: https://microsoft.github.io/debug-adapter-protocol/overview, its section on the order of requests.
"""

from __future__ import annotations

import itertools
import queue
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opencwm.core.errors import OpenCWMError
from opencwm.debugger.cancellation import Cancellation, CancelledError
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided
from opencwm.frontends.dap import arguments
from opencwm.frontends.dap.framing import BadFrame
from opencwm.frontends.dap.launching import refusal
from opencwm.frontends.dap.messages import (
    CANCELLED,
    NOT_STOPPED,
    Body,
    MessageError,
    Outbox,
    Request,
    RequestError,
    parse_request,
)
from opencwm.frontends.dap.places import Dialect
from opencwm.frontends.dap.progress import Progress
from opencwm.frontends.dap.rules import RULES, Phase, Rule

Arrival = bytes | BadFrame | None
"""A payload, bytes that are none, or the end of the connection."""


class Conversation:
    """What is said to a client and in which order; a subclass has a method ``_on_...`` for each request.

    Args:
        inbox: what arrives, in order; filled by another thread.
        send: takes one payload.
    """

    def __init__(self, inbox: queue.SimpleQueue[Arrival], send: Callable[[bytes], None]) -> None:
        self._inbox = inbox
        self._out = Outbox(send)
        self._phase = Phase.NEW
        self._dialect = Dialect(arguments.Initialize())
        self._progress_ids = itertools.count(1)
        self._is_lost = False  # the client has gone without a word
        self._current = Request(0, "", {})
        self._deferred: list[Request] = []
        self._after: Callable[[], None] | None = None  # done once the answer is out
        self._running: tuple[Progress, Cancellation] | None = None

    def run(self) -> None:
        """Answer until the client leaves."""
        while self._phase is not Phase.CLOSED and not self._is_lost:
            if self._deferred:
                self._handle(self._deferred.pop(0))
            else:
                self._take(self._inbox.get())

    def _take(self, arrival: Arrival) -> None:
        request = self._read(arrival)
        if request is not None:
            self._handle(request)

    def _read(self, arrival: Arrival) -> Request | None:
        """Return the request in what arrived; None when there is none, after saying what is wrong."""
        if arrival is None:
            self._is_lost = True
            return None
        if isinstance(arrival, BadFrame):
            self._say(f"opencwm: bad message: {arrival.problem}\n", "stderr")
            return None
        try:
            return parse_request(arrival)
        except MessageError as error:
            if error.seq is None:
                self._say(f"opencwm: bad message: {error}\n", "stderr")
            else:
                self._out.failure(error.seq, error.command, error)
            return None

    def _handle(self, request: Request) -> None:
        self._after = None
        try:
            body = self._answer(request)
        except RequestError as error:
            self._out.failure(request.seq, request.command, error)
        else:
            self._out.response(request, body)
        self._finish()

    def _finish(self) -> None:
        """Do what comes after the answer."""
        after, self._after = self._after, None
        if after is not None:
            after()

    def _answer(self, request: Request) -> Body | None:
        """Do what a request asks for.

        Raises:
            RequestError: it cannot be done.
        """
        rule = RULES.get(request.command)
        if rule is None:
            raise RequestError(f"no request {request.command[:60]!r}")
        self._check_phase(request, rule)
        handler: Callable[[Any], Body | None] = getattr(self, f"_on_{rule.handler}")
        self._current = request
        try:
            return handler(arguments.read(rule.reads, request.arguments))
        except RequestError:
            raise
        except CancelledError as error:
            raise RequestError(str(error), code=CANCELLED) from None
        except (Undecided, ExpressionError) as error:
            raise RequestError(str(error)) from None
        except OpenCWMError as error:
            raise refusal(error) from None
        except Exception as error:  # a fault of ours must not end the user's session
            traceback.print_exc(file=sys.stderr)
            raise RequestError(f"a fault in the debugger: {type(error).__name__}: {error}") from None

    def _check_phase(self, request: Request, rule: Rule) -> None:
        if self._phase in rule.phases:
            return
        if self._phase is Phase.RUNNING and Phase.STOPPED in rule.phases:
            raise RequestError("the run is not stopped", code=NOT_STOPPED)
        if self._phase is Phase.NEW:
            raise RequestError(f"{request.command} before initialize")
        if rule.phases == {Phase.NEW}:
            raise RequestError(f"a second {request.command}")
        raise RequestError(f"{request.command} cannot be done now: {self._phase.value}")

    # While something takes long

    @contextmanager
    def _cancellable(self, title: str) -> Iterator[tuple[Progress, Cancellation]]:
        """Let what is done within be cancelled and tell its progress."""
        number = f"opencwm-{next(self._progress_ids)}"
        is_wanted = self._dialect.client.supports_progress_reporting
        progress = Progress(self._out, number, title, self._current.seq, is_wanted=is_wanted)
        self._running = progress, Cancellation()
        try:
            yield self._running
        finally:
            self._running = None
            progress.end()

    def _poll(self) -> None:
        """Handle what has arrived while something runs."""
        while not self._is_lost:
            try:
                request = self._read(self._inbox.get_nowait())
            except queue.Empty:
                return
            if request is not None:
                self._meanwhile(request)
        self._interrupt()

    def _meanwhile(self, request: Request) -> None:
        rule = RULES.get(request.command)
        if rule is not None and rule.ends_run:
            self._deferred.append(request)
            self._interrupt()
        elif rule is not None and rule.is_long and self._phase is not Phase.RUNNING:
            self._deferred.append(request)  # the model is being asked; one question after the other
        else:
            outer = self._current
            self._handle(request)
            self._current = outer

    def _interrupt(self) -> None:
        if self._running is not None:
            self._running[1].cancel()

    def _on_cancel(self, wanted: arguments.Cancel) -> None:
        if self._running is not None:
            progress, _ = self._running
            if wanted.progress_id == progress.id or wanted.request_id == progress.request_seq:
                self._interrupt()
        for request in [item for item in self._deferred if item.seq == wanted.request_id]:
            self._deferred.remove(request)
            error = RequestError("cancelled", code=CANCELLED)
            self._out.failure(request.seq, request.command, error)

    def _say(self, text: str, category: str) -> None:
        self._out.event("output", {"category": category, "output": text})
