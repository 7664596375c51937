"""What each request does, from ``initialize`` to ``disconnect``, and what the client is told of the session.

What answers hold is made elsewhere: here it is decided what happens.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hmac
import itertools
import queue
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager

from opencwm.core.errors import OpenCWMError
from opencwm.debugger.stops import LogEntry, Stop, StopKind
from opencwm.frontends.dap import arguments, breakpoint_table, moves, repl
from opencwm.frontends.dap.breakpoint_table import BreakpointTable, Target, Wanted
from opencwm.frontends.dap.completion import completions
from opencwm.frontends.dap.conversation import Arrival, Conversation
from opencwm.frontends.dap.debuggee import Debuggee
from opencwm.frontends.dap.launching import Launched, launch
from opencwm.frontends.dap.messages import CANCELLED, Body, RequestError
from opencwm.frontends.dap.places import Dialect
from opencwm.frontends.dap.rules import CAPABILITIES, RULES, Phase
from opencwm.frontends.models import Models
from opencwm.frontends.programs import read_source
from opencwm.frontends.sessions import Mode
from opencwm.source.cfg import ControlFlow

THREAD_ID = 1
_LOOK_S = 0.02
"""How often arrivals are looked at during a launch."""
_THREAD = {"id": THREAD_ID, "name": "the run"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a server gives all its clients.

    Attributes:
        models: loaded once.
        token: what launch and attach must bring; empty for nothing.
        program: what a client that attaches without a program gets; None for nothing.
    """

    models: Models = dataclasses.field(default_factory=Models)
    token: str = ""
    program: arguments.Launch | None = None


class Adapter(Conversation):
    """A conversation with one client.

    Args:
        inbox: what arrives, in order; filled by another thread.
        send: takes one payload.
        settings: of the server.
    """

    def __init__(
        self, inbox: queue.SimpleQueue[Arrival], send: Callable[[bytes], None], settings: Settings
    ) -> None:
        super().__init__(inbox, send)
        self._settings = settings
        self._table = BreakpointTable(self._out.event, lambda lineno: self._dialect.line_out(lineno))
        self._references = itertools.count(1)
        self._wanted = arguments.Launch()
        self._debuggee_or_none: Debuggee | None = None
        self._is_authorized = not settings.token
        self._is_configured = False
        self._is_at_end = False  # the client was shown the end of the run
        self._divergence_told = ""

    @property
    def _debuggee(self) -> Debuggee:
        if self._debuggee_or_none is None:
            raise RequestError("nothing was launched")
        return self._debuggee_or_none

    # Beginning and ending

    def _on_initialize(self, client: arguments.Initialize) -> Body:
        if client.path_format not in ("path", "uri"):
            raise RequestError("must be path or uri", where="pathFormat")
        self._dialect = Dialect(client)
        self._phase = Phase.READY
        self._after = lambda: self._out.event("initialized")
        return dict(CAPABILITIES)

    def _on_launch(self, wanted: arguments.Launch) -> None:
        self._authorize(wanted)
        self._launch(wanted)
        self._phase = Phase.LAUNCHED
        self._after = self._begin_when_configured

    def _on_attach(self, wanted: arguments.Launch) -> None:
        self._authorize(wanted)
        if not wanted.program and not wanted.source:
            if self._settings.program is None:
                raise RequestError(
                    "nothing to attach to: this server was started without a program",
                    hint="name one as program, or start opencwm dap FILE --port PORT",
                    shows=True,
                )
            wanted = self._settings.program
        self._launch(wanted)
        self._phase = Phase.LAUNCHED
        self._after = self._begin_when_configured

    def _authorize(self, wanted: arguments.Launch) -> None:
        if not self._is_authorized:
            given, token = wanted.token.encode("utf-8", "replace"), self._settings.token.encode()
            if not hmac.compare_digest(given, token):
                raise RequestError(
                    "a wrong token" if wanted.token else "a token is missing",
                    hint="add the token that the server printed to the launch arguments",
                    shows=True,
                )
            self._is_authorized = True

    def _launch(self, wanted: arguments.Launch) -> None:
        launched = self._prepared(wanted)
        debuggee = Debuggee(launched, self._dialect, self._references)
        self._wanted, self._debuggee_or_none = wanted, debuggee
        self._is_at_end, self._divergence_told = False, ""
        if not wanted.no_debug:
            self._table.bind(self._target)
        for text in launched.opened.notices:
            self._say(f"{text}\n", "important")

    def _prepared(self, wanted: arguments.Launch) -> Launched:
        """Load the model and record the real run on another thread, while looking at what arrives."""
        found: concurrent.futures.Future[Launched] = concurrent.futures.Future()

        def work() -> None:
            try:
                found.set_result(launch(wanted, self._dialect, self._settings.models))
            except BaseException as error:  # raised where it is waited for
                found.set_exception(error)

        title = "Loading the model" if wanted.mode == Mode.PREDICTED else "Recording the run"
        with self._cancellable(title) as (progress, cancellation):
            threading.Thread(target=work, name="opencwm-dap-launch", daemon=True).start()
            while not cancellation.is_cancelled:
                concurrent.futures.wait([found], timeout=_LOOK_S)
                if found.done():
                    return found.result()
                progress.advance("")
                self._poll()
        raise RequestError("cancelled", code=CANCELLED)

    def _on_configuration_done(self, _: arguments.NoArguments) -> None:
        self._is_configured = True
        self._after = self._begin_when_configured

    def _begin_when_configured(self) -> None:
        if self._phase is Phase.LAUNCHED and self._is_configured:
            self._begin()

    def _begin(self) -> None:
        debuggee = self._debuggee
        name = debuggee.launched.program.filename
        self._out.event("process", {"name": name, "isLocalProcess": True, "startMethod": "launch"})
        self._out.event("thread", {"reason": "started", "threadId": THREAD_ID})
        stops = self._wanted.stop_on_entry and not self._wanted.no_debug
        self._move(lambda: debuggee.begin(stops=stops), "Running to the first stop")

    def _on_restart(self, wanted: arguments.Restart) -> None:
        again = self._wanted
        if wanted.arguments is not None:
            again = arguments.read(arguments.Launch, wanted.arguments)
            if not again.program and not again.source:
                again = self._wanted
        self._launch(again)
        self._phase = Phase.LAUNCHED
        self._after = self._begin_when_configured

    def _on_terminate(self, _: arguments.NoArguments) -> None:
        self._after = lambda: self._terminate(None)

    def _terminate(self, exit_code: int | None) -> None:
        if exit_code is not None:
            self._out.event("exited", {"exitCode": exit_code})
        self._phase = Phase.TERMINATED
        self._out.event("terminated")

    def _on_disconnect(self, _: arguments.Disconnect) -> None:
        self._after = self._close

    def _close(self) -> None:
        self._phase = Phase.CLOSED

    # Moving

    def _on_move(self, wanted: arguments.Move) -> Body | None:
        command = self._current.command
        self._check_thread(wanted.thread_id)
        debuggee = self._debuggee
        if debuggee.session.is_ended and command in moves.FORWARD:
            self._after = lambda: self._terminate(int(debuggee.is_failed()))
        else:
            self._after = lambda: self._move(lambda: debuggee.move(command, wanted.granularity), command)
        return {"allThreadsContinued": True} if command == "continue" else None

    def _on_goto(self, wanted: arguments.Goto) -> None:
        self._check_thread(wanted.thread_id)
        debuggee = self._debuggee
        position = debuggee.goto_position(wanted.target_id)
        self._after = lambda: self._move(lambda: debuggee.session.goto(position), "goto")

    def _on_restart_frame(self, wanted: arguments.Frame) -> None:
        debuggee = self._debuggee
        level = debuggee.inspection.level(wanted.frame_id)
        self._after = lambda: self._move(lambda: debuggee.restart_frame(level), "restartFrame")

    def _on_pause(self, wanted: arguments.Thread) -> None:
        self._check_thread(wanted.thread_id)
        self._interrupt()

    def _check_thread(self, thread_id: int) -> None:
        if thread_id != THREAD_ID:
            raise RequestError(f"no thread {thread_id}", where="threadId")

    def _move(self, make: Callable[[], Stop], title: str) -> None:
        """Make a move while looking at what arrives, and tell where it ended."""
        debuggee = self._debuggee
        self._phase = Phase.RUNNING
        try:
            with self._watched(title):
                stop = make()
        except OpenCWMError as error:  # the engine broke; the session is where it was
            self._say(f"opencwm: {error}\n", "stderr")
            stop = dataclasses.replace(debuggee.session.last_stop, kind=StopKind.LIMIT, reason=str(error))
        self._phase = Phase.STOPPED
        if not self._is_lost and not any(RULES[item.command].ends_run for item in self._deferred):
            self._report(stop)

    @contextmanager
    def _watched(self, title: str) -> Iterator[None]:
        """Let what the session does within be cancelled, tell its progress, and answer meanwhile."""
        with self._cancellable(title) as (progress, cancellation):

            def advance(num_steps: int) -> None:
                progress.advance(f"{num_steps} steps")
                self._poll()

            with self._debuggee.session.watched(cancellation, advance):
                yield

    # Telling

    def _report(self, stop: Stop) -> None:
        """Tell the client that the session stands still, or that it has ended."""
        debuggee = self._debuggee
        debuggee.moved()
        self._tell_logs(stop.logs)
        self._tell_news(debuggee)
        if stop.is_end:
            self._tell_end(debuggee, stop)
            if self._wanted.no_debug or not self._wanted.stop_at_end:
                self._terminate(int(debuggee.is_failed()))
                return
        body = {**debuggee.stopped(stop), "threadId": THREAD_ID, "allThreadsStopped": True}
        hit = self._table.ids(stop.breakpoints)
        self._out.event("stopped", {**body, **({"hitBreakpointIds": hit} if hit else {})})

    def _tell_logs(self, logs: Iterable[LogEntry]) -> None:
        for entry in logs:
            place = self._debuggee.places.place(entry.lineno)
            self._out.event("output", {"category": "console", "output": f"{entry.text}\n", **place})

    def _tell_news(self, debuggee: Debuggee) -> None:
        """Tell once that the source has changed, and where prediction and reality part."""
        if debuggee.places.check():
            text = f"{debuggee.places.path} has changed; the session goes on with the text it began with"
            self._say(f"opencwm: {text}: restart to take the new one\n", "important")
        divergence = debuggee.divergence()
        if divergence and not self._divergence_told:
            self._say(f"opencwm: {divergence}\n", "important")
            self._divergence_told = divergence

    def _tell_end(self, debuggee: Debuggee, stop: Stop) -> None:
        if self._is_at_end:
            return
        self._is_at_end = True
        if debuggee.printed:
            self._say(debuggee.printed, "stdout")
        self._say(f"opencwm: {stop.reason}\n", "console")

    # Breakpoints

    def _target(self, group: Hashable) -> Target:
        """Return where a group of breakpoints is set."""
        debuggee = self._debuggee_or_none
        if isinstance(group, arguments.SourceRef):
            if debuggee is None:
                return self._file_target(group)
            if not debuggee.places.owns(group):
                return Target(problem="not the source that is debugged")
        if debuggee is None:
            return Target()
        return Target(problem="not stopped at: noDebug") if self._wanted.no_debug else debuggee.target()

    def _file_target(self, source: arguments.SourceRef) -> Target:
        """Return what is known of a file before anything was launched."""
        if not self._is_authorized or not source.path:
            return Target()
        path = self._dialect.path_in(source.path)
        try:
            text = read_source(path)
            return Target(ControlFlow(text, str(path)), num_lines=len(text.splitlines()))
        except OpenCWMError as error:
            return Target(problem=str(error))

    def _set(self, group: Hashable, wanted: Iterable[Wanted]) -> Body:
        return {"breakpoints": self._table.set(group, wanted, self._target(group))}

    def _on_set_breakpoints(self, wanted: arguments.SetBreakpoints) -> Body:
        items = breakpoint_table.line_breakpoints(wanted, self._dialect.line_in)
        return self._set(self._group(wanted.source), items)

    def _group(self, source: arguments.SourceRef) -> arguments.SourceRef:
        """Return one name for a source, however it is written."""
        if source.source_reference or not source.path:
            return arguments.SourceRef(name=source.name, source_reference=source.source_reference)
        return arguments.SourceRef(path=str(self._dialect.path_in(source.path)))

    def _on_set_function_breakpoints(self, wanted: arguments.SetFunctionBreakpoints) -> Body:
        return self._set("functions", breakpoint_table.function_breakpoints(wanted))

    def _on_set_exception_breakpoints(self, wanted: arguments.SetExceptionBreakpoints) -> Body:
        return self._set("exceptions", breakpoint_table.exception_breakpoints(wanted))

    def _on_set_data_breakpoints(self, wanted: arguments.SetDataBreakpoints) -> Body:
        return self._set("data", breakpoint_table.data_breakpoints(wanted))

    def _on_data_breakpoint_info(self, wanted: arguments.DataBreakpointInfo) -> Body:
        return self._debuggee.data_breakpoint_info(wanted)

    def _on_breakpoint_locations(self, wanted: arguments.BreakpointLocations) -> Body:
        first = self._dialect.line_in(wanted.line)
        last = first if wanted.end_line is None else self._dialect.line_in(wanted.end_line)
        lines = self._target(self._group(wanted.source)).lines(first, last)
        return {"breakpoints": [{"line": self._dialect.line_out(line)} for line in lines]}

    # Looking

    def _on_threads(self, _: arguments.NoArguments) -> Body:
        return {"threads": [dict(_THREAD)] if self._debuggee_or_none is not None else []}

    def _on_source(self, wanted: arguments.SourceText) -> Body:
        text = self._debuggee.places.text(wanted.source, wanted.source_reference)
        return {"content": text, "mimeType": "text/x-python"}

    def _on_stack_trace(self, wanted: arguments.StackTrace) -> Body:
        self._check_thread(wanted.thread_id)
        return self._debuggee.inspection.stack_trace(wanted)

    def _on_scopes(self, wanted: arguments.Frame) -> Body:
        return self._debuggee.inspection.scopes(wanted)

    def _on_variables(self, wanted: arguments.Variables) -> Body:
        return self._debuggee.inspection.variables(wanted)

    def _on_set_variable(self, wanted: arguments.SetVariable) -> Body:
        body = self._debuggee.set_variable(wanted)
        self._after = self._invalidate
        return body

    def _invalidate(self) -> None:
        if self._dialect.client.supports_invalidated_event:
            self._out.event("invalidated", {"areas": ["all"], "threadId": THREAD_ID})

    def _on_evaluate(self, wanted: arguments.Evaluate) -> Body:
        with self._watched(f"Evaluating {wanted.expression[:60]}"):
            if wanted.context == "repl":
                reply = repl.answer(self._debuggee, wanted.expression)
                if reply is not None:
                    self._after = self._reported(reply.stop)
                    return {"result": reply.text, "variablesReference": 0}
            return self._debuggee.evaluate(wanted)

    def _reported(self, stop: Stop | None) -> Callable[[], None] | None:
        return None if stop is None else lambda: self._report(stop)

    def _on_completions(self, wanted: arguments.Completions) -> Body:
        level = self._debuggee.inspection.level(wanted.frame_id)
        shown = self._debuggee.session.stack[level].locals
        texts = {name: value.text for name, value in shown.items()}
        return {"targets": completions(wanted, texts, self._dialect)}

    def _on_exception_info(self, wanted: arguments.Thread) -> Body:
        self._check_thread(wanted.thread_id)
        return self._debuggee.exception_info()

    def _on_goto_targets(self, wanted: arguments.GotoTargets) -> Body:
        with self._watched(f"Looking for line {wanted.line}"):
            return self._debuggee.goto_targets(wanted)
