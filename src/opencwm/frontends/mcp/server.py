"""The tools, joined to the protocol's library: arguments, descriptions, errors, progress and cancellation.

Work is done in a thread, one call at a time, so that the server keeps answering. A call that takes too long,
or that the client cancels, stops within a step; a session then is where it got.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar, cast

import anyio
import anyio.from_thread
import anyio.to_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field
from typing_extensions import TypedDict

from opencwm.core.errors import OpenCWMError
from opencwm.core.version import __version__
from opencwm.debugger.cancellation import Cancellation, CancelledError, Watch
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided
from opencwm.frontends.calls import wanted_outcome
from opencwm.frontends.mcp import debugging, predicting
from opencwm.frontends.mcp.answers import (
    BreakpointsAnswer,
    CheckAnswer,
    ExecutionAnswer,
    InputAnswer,
    InspectAnswer,
    OutcomeAnswer,
    SessionsAnswer,
    StatesAnswer,
    StopAnswer,
    ValueAnswer,
    rounded,
    stop_answer,
)
from opencwm.frontends.mcp.service import ProgramRequest, Service
from opencwm.frontends.sessions import Mode

INSTRUCTIONS = """\
Predicts what Python code does, line by line, without running it. Every value says where it comes from
(supplied, carried, predicted, verified) and how sure the model is; a prediction can be wrong, and real or
verify modes, which run the program in a sandbox, tell. Give a program as source text or as a file below the
server's folder, and a call such as f('a', 3). Answers are short; offset, limit, max_chars, detail get more.
"""
PROGRESS_EVERY_S = 0.5
_T = TypeVar("_T")

Source = Annotated[str | None, Field(description="Text of a Python program. Give this or file.")]
File = Annotated[str | None, Field(description="Path of a Python file below the server's folder.")]
Call = Annotated[str | None, Field(description="The call that starts it, for example f('a', 3).")]
Entry = Annotated[
    str | None,
    Field(description="Instead of call: the function to start in. Arguments that it needs are invented."),
]
Assume = Annotated[
    list[str],
    Field(
        max_length=50,
        description='Assumptions about what is unknown: "x = [1, 2]",'
        " \"df: list of 3 dicts with keys 'a', 'b'\","
        ' "requests.get(...) -> \'text\'", "open(...) raises OSError()".',
    ),
]
ModeName = Annotated[
    Literal["predicted", "real", "compare"],
    Field(description="predicted runs nothing; real runs it in the sandbox; compare lays both side by side."),
]
Offset = Annotated[int, Field(ge=0, le=100_000, description="How many to skip.")]
Limit = Annotated[int, Field(ge=1, le=500, description="Most items in the answer.")]
MaxChars = Annotated[int, Field(ge=10, le=100_000, description="Longer values are cut.")]
SessionName = Annotated[str, Field(description="As open_session answered.")]
Level = Annotated[int, Field(description="Of the call stack, 0 outermost, -1 innermost.")]
Draws = Annotated[int, Field(ge=1, le=32, description="Most guesses of the model.")]
Verify = Annotated[bool, Field(description="Run what is answered in the sandbox, and say what is true.")]
FunctionName = Annotated[str, Field(description="A function at the top of the program.")]
Line = Annotated[int, Field(ge=1, description="1-based line of the program.")]
Values = Annotated[dict[str, str], Field(description="Variable to its value as a Python literal.")]


class BreakpointArgument(TypedDict, total=False):
    """A breakpoint: ``line``, ``function``, ``variable`` (or ``self.total``), ``exceptions`` by its kind."""

    kind: Literal["line", "function", "exception", "data"]
    line: int
    function: str
    variable: str
    exceptions: list[str]
    mode: Literal["raised", "uncaught"]
    condition: str
    hit_condition: str
    log_message: str


class Tools:
    """The tools of one server, each a method; its docstring is what a client reads."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def predict_execution(
        self,
        context: Context[Any, Any],
        source: Source = None,
        file: File = None,
        call: Call = None,
        entry: Entry = None,
        assume: Assume = [],  # noqa: B006 - read only
        mode: ModeName = "predicted",
        offset: Offset = 0,
        limit: Limit = 30,
        detail: Literal["short", "full"] = "short",
        max_chars: MaxChars = 200,
    ) -> ExecutionAnswer:
        """Predict the steps of a call: lines, changed variables, values returned and raised."""
        request = ProgramRequest(source, file, call, entry, tuple(assume), Mode(mode))
        return await self._done(
            context,
            lambda watch: predicting.predict_execution(
                self._service,
                watch,
                request,
                offset=offset,
                limit=limit,
                is_full=detail == "full",
                max_chars=max_chars,
            ),
        )

    async def predict_output(
        self,
        context: Context[Any, Any],
        source: Source = None,
        file: File = None,
        call: Call = None,
        entry: Entry = None,
        assume: Assume = [],  # noqa: B006 - read only
        rollouts: Annotated[int, Field(ge=1, le=16, description="Predicted runs that vote.")] = 1,
        max_chars: MaxChars = 2_000,
    ) -> OutcomeAnswer:
        """Predict what a call returns or raises, without running it."""
        request = ProgramRequest(source, file, call, entry, tuple(assume))
        return await self._done(
            context,
            lambda watch: predicting.predict_output(
                self._service, watch, request, rollouts=rollouts, max_chars=max_chars
            ),
        )

    async def predict_input(
        self,
        context: Context[Any, Any],
        function: FunctionName,
        source: Source = None,
        file: File = None,
        returns: Annotated[str | None, Field(description="The wanted value, as Python writes it.")] = None,
        raises: Annotated[str | None, Field(description="Or the wanted exception: KeyError('a').")] = None,
        draws: Draws = 5,
        verify: Verify = False,
    ) -> InputAnswer:
        """Propose calls of a function that give a result; most guesses are wrong, verify tells which hold."""
        request = ProgramRequest(source, file)
        return await self._done(
            context,
            lambda watch: predicting.predict_input(
                self._service,
                watch,
                request,
                function,
                wanted_outcome(returns, raises),
                draws=draws,
                verify=verify,
            ),
        )

    async def predict_state_before(
        self,
        context: Context[Any, Any],
        line: Line,
        after: Values,
        source: Source = None,
        file: File = None,
        end_line: Annotated[int | None, Field(ge=1, description="Last of several lines that ran.")] = None,
        known: Values = {},  # noqa: B006 - read only
        draws: Draws = 5,
        verify: Verify = False,
    ) -> StatesAnswer:
        """Propose variables before a line ran that lead to the variables after it."""
        request = ProgramRequest(source, file)
        return await self._done(
            context,
            lambda watch: predicting.predict_state_before(
                self._service,
                watch,
                request,
                line,
                after,
                end_line=end_line,
                known=known,
                draws=draws,
                verify=verify,
            ),
        )

    async def check_function(
        self,
        context: Context[Any, Any],
        function: FunctionName,
        source: Source = None,
        file: File = None,
        inputs: Annotated[int, Field(ge=1, le=100, description="Most inputs that are tried.")] = 10,
        verify: Verify = False,
    ) -> CheckAnswer:
        """Tell what could go wrong in a function: inputs for which it should raise or never end."""
        request = ProgramRequest(source, file)
        return await self._done(
            context,
            lambda watch: predicting.check(
                self._service, watch, request, function, inputs=inputs, verify=verify
            ),
        )

    async def open_session(
        self,
        context: Context[Any, Any],
        source: Source = None,
        file: File = None,
        call: Call = None,
        entry: Entry = None,
        assume: Assume = [],  # noqa: B006 - read only
        mode: ModeName = "predicted",
        max_chars: MaxChars = 200,
    ) -> StopAnswer:
        """Open a debugging session at the first step; it is closed when nobody uses it for long."""
        request = ProgramRequest(source, file, call, entry, tuple(assume), Mode(mode))

        def opened(_: Watch) -> StopAnswer:
            held = self._service.open_session(request)
            answer = stop_answer(held, held.session.last_stop, max_chars)
            return {**answer, "notices": list(held.notices)}

        return await self._done(context, opened)

    async def list_sessions(self, context: Context[Any, Any]) -> SessionsAnswer:
        """List the open sessions."""
        return await self._done(context, lambda _: {"sessions": debugging.listed(self._service)})

    async def close_session(self, context: Context[Any, Any], session: SessionName) -> SessionsAnswer:
        """Close a session; answers those that are left."""

        def closed(_: Watch) -> SessionsAnswer:
            self._service.close_session(session)
            return {"sessions": debugging.listed(self._service)}

        return await self._done(context, closed)

    async def step(
        self,
        context: Context[Any, Any],
        session: SessionName,
        move: Annotated[
            debugging.Move,
            Field(
                description="into, over and out step; continue and continue_back go to a breakpoint or the"
                " end; run_to and until take a line, goto a position; back, back_over and back_out go back."
            ),
        ] = "over",
        line: Annotated[int | None, Field(ge=1, description="For run_to and until.")] = None,
        position: Annotated[int | None, Field(ge=0, description="For goto: a step by number.")] = None,
        level: Level = -1,
        count: Annotated[int, Field(ge=1, le=1_000, description="Make the move so many times.")] = 1,
        max_chars: MaxChars = 200,
    ) -> StopAnswer:
        """Move a session, forwards or backwards; answers where it is now and why it stopped."""
        return await self._done(
            context,
            lambda watch: debugging.move(
                self._service.session(session),
                watch,
                move,
                line=line,
                position=position,
                level=level,
                count=count,
                max_chars=max_chars,
            ),
        )

    async def set_breakpoints(
        self,
        context: Context[Any, Any],
        session: SessionName,
        breakpoints: Annotated[list[BreakpointArgument], Field(max_length=100)],
        keep: Annotated[bool, Field(description="Keep those that there are.")] = False,
    ) -> BreakpointsAnswer:
        """Set the breakpoints of a session: by line, function, exception, or changed variable (data)."""
        wanted = [{"kind": "line", **item} for item in breakpoints]
        return await self._done(
            context,
            lambda _: debugging.set_breakpoints(self._service.session(session), wanted, is_added=keep),
        )

    async def inspect(
        self,
        context: Context[Any, Any],
        session: SessionName,
        what: Literal["locals", "stack", "history", "source", "steps", "timelines", "breakpoints"] = "locals",
        name: Annotated[str | None, Field(description="For history: a variable.")] = None,
        level: Level = -1,
        offset: Offset = 0,
        limit: Limit = 30,
        max_chars: MaxChars = 500,
    ) -> InspectAnswer:
        """Look at a session: variables, stack, how a variable changed, source, known steps, timelines."""
        return await self._done(
            context,
            lambda _: debugging.inspect(
                self._service.session(session),
                what,
                name=name,
                level=level,
                offset=offset,
                limit=limit,
                max_chars=max_chars,
            ),
        )

    async def evaluate(
        self,
        context: Context[Any, Any],
        session: SessionName,
        expression: Annotated[str, Field(max_length=10_000)],
        level: Level = -1,
        ask_model: Annotated[
            bool, Field(description="Have the model predict what cannot be computed, such as calls.")
        ] = False,
        max_chars: MaxChars = 2_000,
    ) -> ValueAnswer:
        """Evaluate a pure expression over the variables of a session, exactly and safely."""
        return await self._done(
            context,
            lambda watch: debugging.evaluate(
                self._service.session(session),
                watch,
                expression,
                level=level,
                ask_model=ask_model,
                max_chars=max_chars,
            ),
        )

    async def set_variable(
        self,
        context: Context[Any, Any],
        session: SessionName,
        name: str,
        value: Annotated[str, Field(max_length=10_000, description="A literal or a pure expression.")],
        max_chars: MaxChars = 200,
    ) -> StopAnswer:
        """Set a variable where a session stands; what follows is predicted anew, on a new timeline."""
        return await self._done(
            context,
            lambda _: debugging.set_variable(self._service.session(session), name, value, max_chars),
        )

    async def state_before(
        self,
        context: Context[Any, Any],
        session: SessionName,
        changes: Values = {},  # noqa: B006 - read only
        draws: Draws = 5,
    ) -> StatesAnswer:
        """Propose variables before the line that ran last in a session that lead to those that are there.

        With changes: that lead to other values of some of them.
        """
        return await self._done(
            context,
            lambda watch: predicting.predict_state_before_here(
                self._service, self._service.session(session), watch, changes, draws=draws
            ),
        )

    async def select_timeline(
        self, context: Context[Any, Any], session: SessionName, number: int, max_chars: MaxChars = 200
    ) -> StopAnswer:
        """Go to another timeline of a session: from before a variable was set, or after."""
        return await self._done(
            context,
            lambda _: debugging.select_timeline(self._service.session(session), number, max_chars),
        )

    async def _done(self, context: Context[Any, Any], work: Callable[[Watch], _T]) -> _T:
        """Do work in a thread; what goes wrong becomes the tool's error, in one line.

        Raises:
            ToolError: the request, the program, the model or the sandbox is at fault, or time is up.
        """
        cancellation = Cancellation()
        watch = Watch(cancellation, _reporter(context))
        try:
            answer = await anyio.to_thread.run_sync(
                functools.partial(self._worked, work, watch, cancellation), abandon_on_cancel=True
            )
            return cast("_T", rounded(answer))
        except anyio.get_cancelled_exc_class():
            cancellation.cancel()
            raise
        except CancelledError:
            bound = self._service.config.max_call_s
            raise ToolError(f"stopped: not done after {bound:g} s (ask for less at once)") from None
        except Undecided as error:
            raise ToolError(f"not known: {error}") from None
        except (OpenCWMError, ExpressionError) as error:
            raise ToolError(" ".join(str(error).split())) from None

    def _worked(self, work: Callable[[Watch], _T], watch: Watch, cancellation: Cancellation) -> _T:
        with self._service.busy:
            timer = threading.Timer(self._service.config.max_call_s, cancellation.cancel)
            timer.daemon = True
            timer.start()
            try:
                return work(watch)
            finally:
                timer.cancel()


def _reporter(context: Context[Any, Any]) -> Callable[[int], None]:
    """Return what tells a client how many steps were read, from a thread and not too often."""
    last = time.monotonic()

    def report(num_steps: int) -> None:
        nonlocal last
        if time.monotonic() - last < PROGRESS_EVERY_S:
            return
        last = time.monotonic()
        anyio.from_thread.run(context.report_progress, float(num_steps))

    return report


READING = ("predict_execution", "predict_output", "predict_input", "predict_state_before", "check_function")
IN_SESSION = (
    "open_session", "list_sessions", "close_session", "step", "set_breakpoints", "inspect", "evaluate",
    "set_variable", "select_timeline", "state_before",
)  # fmt: skip


def build(service: Service) -> MCPServer[Any]:
    """Return a server that offers the tools of a service."""
    server: MCPServer[Any] = MCPServer(
        "opencwm", title="OpenCWM", version=__version__, instructions=INSTRUCTIONS, log_level="ERROR"
    )
    tools = Tools(service)
    for name in (*READING, *IN_SESSION):
        hints = ToolAnnotations(read_only_hint=name in READING, destructive_hint=False, open_world_hint=False)
        server.add_tool(getattr(tools, name), name=name, annotations=hints)
    return server
