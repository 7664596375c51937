"""What was launched: a session with its sources, and what is to be said of it at each stop.

It knows the session and the words of the protocol, and nothing of the order of messages.
"""

from __future__ import annotations

import itertools

from opencwm.core.errors import ConfigError
from opencwm.debugger import asking, display, value_parts
from opencwm.debugger.execution import RealExecution
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided
from opencwm.debugger.hits import HitFinder
from opencwm.debugger.stops import Stop, StopKind
from opencwm.frontends.dap import arguments, moves, presentation
from opencwm.frontends.dap.breakpoint_table import Target, data_id
from opencwm.frontends.dap.inspection import Inspection
from opencwm.frontends.dap.launching import Launched
from opencwm.frontends.dap.messages import Body, RequestError
from opencwm.frontends.dap.places import Dialect, Places
from opencwm.traces import StepFlags, StepKind

MAX_TARGETS = 100
_REASONS = {
    StopKind.ENDED: "end",
    StopKind.MALFORMED: "exception",
    StopKind.LIMIT: "pause",
    StopKind.CANCELLED: "pause",
    StopKind.START: "entry",
}
"""Reasons of the protocol for kinds of stops that it names otherwise."""


class Debuggee:
    """A launched program.

    Args:
        launched: what was launched; the first step is predicted here.
        dialect: of the client.
        references: numbers for texts that the client may ask for.

    Raises:
        ConfigError: the program has no first step.
    """

    def __init__(self, launched: Launched, dialect: Dialect, references: itertools.count[int]) -> None:
        self.launched = launched
        self.session = launched.opened.session()
        self.places = Places(launched.program, launched.path, dialect, references)
        self.inspection = Inspection(self.session, self.places, dialect.client)
        self._dialect = dialect
        self._goto_targets: dict[int, int] = {}
        self._target_ids = itertools.count(1)

    # Moving

    def begin(self, *, stops: bool) -> Stop:
        """Go to where a client is first shown something: the first line, or where a breakpoint stops."""
        session = self.session
        if stops:
            stop = moves.enter(session, self.places.is_wrapper)
            return Stop(StopKind.ENTRY, "entry", stop.position) if stop.kind is StopKind.STEP else stop
        first = HitFinder(session.execution, session.breakpoints).forward(0)
        if first.stopping:
            numbers = tuple(item.number for item, _ in first.stopping)
            return Stop(first.kind, first.reason, 0, numbers, tuple(first.logs))
        return session.continue_()

    def move(self, request: str, granularity: str) -> Stop:
        """Make a move that a request asks for."""
        return moves.go(self.session, request, granularity, self.places.is_wrapper)

    def restart_frame(self, level: int) -> Stop:
        """Go back to the first line of an activation."""
        session = self.session
        stop = session.restart_frame(level)
        if self.places.is_wrapper(session.step.lineno):
            return stop
        entered = session.step_into()
        return stop if entered.kind is not StopKind.STEP else Stop(stop.kind, stop.reason, entered.position)

    def goto_position(self, target_id: int) -> int:
        """Return the step of an occurrence of a line.

        Raises:
            RequestError: no such target was given out.
        """
        if target_id not in self._goto_targets:
            raise RequestError("no such target", where="targetId", hint="ask for gotoTargets first")
        return self._goto_targets[target_id]

    def goto_targets(self, wanted: arguments.GotoTargets) -> Body:
        """Return the occurrences of a line that are known, and the next one behind them.

        Raises:
            ConfigError: the line holds no code of a function.
        """
        if not self.places.owns(wanted.source):
            raise ConfigError("not the source that is debugged")
        lineno = self._dialect.line_in(wanted.line)
        known = len(self.session.occurrences(lineno))
        found = list(itertools.islice(self.session.find_occurrences(lineno), min(known + 1, MAX_TARGETS)))
        targets = []
        for ordinal, position in enumerate(found, 1):
            number = next(self._target_ids)
            self._goto_targets[number] = position
            side = "now" if position == self.session.position else "later"
            side = "earlier" if position < self.session.position else side
            label = f"line {wanted.line}, time {ordinal}: step {position}, {side}"
            targets.append({"id": number, "label": label, "line": wanted.line})
        return {"targets": targets}

    def moved(self) -> None:
        """Forget what was given out before the session moved."""
        real, row = self.session.real, self.session.row
        frame = None
        if real is not None and row is not None and row.real_index is not None:
            frame = real.stack_at(row.real_index)[-1]
        self.inspection.moved(row, frame)

    # What a stop says

    def stopped(self, stop: Stop) -> Body:
        """Return reason, description and text of a stop."""
        view, row = self.session.view, self.inspection.row
        text = presentation.details(view, row)
        divergence = self.divergence()
        if divergence:
            text += ("; " if text else "") + divergence
        reason = _REASONS.get(stop.kind, str(stop.kind))
        body: Body = {
            "reason": reason,
            "description": f"{stop.reason} ({presentation.confidence(view, row)})",
        }
        if reason == "exception" and view.step.value is not None:
            body["text"] = f"{view.step.value}" + (f" ({text})" if text else "")
        elif text:
            body["text"] = text
        return body

    def divergence(self) -> str:
        """Say where the prediction first differs from the real run; empty while that is nowhere."""
        row = self.session.first_divergence
        view = None if row is None else row.predicted or row.real
        if row is None or view is None:
            return ""
        position = row.real_index if row.predicted_index is None else row.predicted_index
        return f"first divergence at step {position}, line {view.step.lineno}: {row.describe()}"

    def is_failed(self) -> bool:
        """Whether the run, which is known to its end, ended with an exception or otherwise badly."""
        step = self.session.step
        return step.kind is not StepKind.RETURN or bool(step.flags & StepFlags.UNWIND)

    @property
    def printed(self) -> str:
        """What the program printed, in a real run."""
        execution = self.session.real or self.session.execution
        return execution.trace.stdout if isinstance(execution, RealExecution) else ""

    def target(self) -> Target:
        """Return where breakpoints of the launched source are set."""
        flow = self.session.execution.control_flow
        num_lines = len(self.launched.program.source.splitlines())
        return Target(flow, self.session.breakpoints, num_lines=num_lines)

    # Expressions

    def evaluate(self, wanted: arguments.Evaluate) -> Body:
        """Return the value of an expression; only the REPL asks the model for what cannot be computed.

        Raises:
            Undecided: it is not known.
            ExpressionError: it is not valid, not allowed, or raises.
            CancelledError: it was cancelled.
        """
        level = self.inspection.level(wanted.frame_id)
        shown = self.session.stack[level].locals
        expression = wanted.expression.strip()
        found = self.inspection.local(level, expression)
        if found is not None:
            value, real = found
            return self.inspection.result(value.text, presentation.mark(value, real), expression)
        try:
            answer = asking.computed(expression, shown)
        except Undecided:
            texts = {name: value.text for name, value in shown.items()}
            part = value_parts.reached(expression, texts)
            if part is not None:
                return self.inspection.result(part, "", expression)
            if wanted.context != "repl":
                raise
            answer = self.session.ask(expression, level - len(self.session.stack))
        return self.inspection.result(answer.text, _answer_mark(answer), "")

    def set_variable(self, wanted: arguments.SetVariable) -> Body:
        """Set a variable, or a part of one; what follows is predicted anew.

        Raises:
            ConfigError: it cannot be set, or the value is no literal.
            RequestError: likewise.
        """
        try:
            name, expression, path = self.inspection.assignment(wanted)
        except (Undecided, ExpressionError) as error:
            raise ConfigError(f"{wanted.value} has no known value", hint=str(error)) from None
        self.session.set_variable(name, expression)
        self.moved()
        return self.inspection.value_at(len(self.session.stack) - 1, path)

    def data_breakpoint_info(self, wanted: arguments.DataBreakpointInfo) -> Body:
        """Say whether a data breakpoint may be set on a variable."""
        try:
            function, name = self.inspection.data_breakpoint(wanted)
        except ConfigError as error:
            return {"dataId": None, "description": str(error)}
        return {
            "dataId": data_id(function, name),
            "description": f"any change of {name} in {function}",
            "accessTypes": ["write"],
            "canPersist": True,
        }

    def exception_info(self) -> Body:
        """Return the exception of the current step.

        Raises:
            RequestError: there is none.
        """
        view = self.session.view
        if view.step.kind is not StepKind.EXCEPTION or view.step.value is None:
            raise RequestError("no exception at this step")
        name = presentation.exception_name(view.step.value)
        is_uncaught = self.session.last_stop.reason.endswith("is not caught")
        trace = "\n".join(
            line
            for frame in self.session.stack
            for line in display.frame_lines(self.session.program, frame, is_current=False)
        )
        return {
            "exceptionId": name,
            "description": f"{view.step.value} ({presentation.confidence(view, self.inspection.row)})",
            "breakMode": "unhandled" if is_uncaught else "always",
            "details": {
                "message": view.step.value,
                "typeName": name,
                "fullTypeName": name,
                "stackTrace": trace,
            },
        }


def _answer_mark(answer: asking.Answer) -> str:
    if answer.is_predicted:
        raised = "raises, " if answer.has_raised else ""
        return f"({raised}asked of the model, {display.percent(answer.probability or 0.0)})"
    if answer.probability is None:
        return ""
    return f"(from predicted values, the least sure {display.percent(answer.probability)})"
