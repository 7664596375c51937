"""A session as several windows look at it: shared timelines and breakpoints, a place of its own for each.

The one idea: a window says where it is with every request, so the server keeps no window's place, a window
that was away for a day goes on where it is, and two never move each other. All methods run on the thread of a
:class:`~opencwm.frontends.web.worker.Worker`, except for those that say otherwise.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.core.version import __version__
from opencwm.debugger import asking
from opencwm.debugger.activations import changes_of, last_step_at
from opencwm.debugger.cancellation import Cancellation, CancelledError
from opencwm.debugger.compare import Lockstep
from opencwm.debugger.display import percent
from opencwm.debugger.execution import RealExecution
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided
from opencwm.debugger.session import Session
from opencwm.debugger.stops import Stop
from opencwm.debugger.timelines import Fork
from opencwm.frontends.sessions import Opened
from opencwm.frontends.web import wire
from opencwm.frontends.web.breakpoint_messages import ChangeBreakpoint, NewBreakpoint, specification
from opencwm.frontends.web.lines import Line
from opencwm.frontends.web.messages import (
    MAX_STEPS_AT_ONCE,
    Evaluate,
    Move,
    Place,
    Restart,
    SetVariable,
    Steer,
)
from opencwm.frontends.web.starting import Opens, Start
from opencwm.frontends.web.subexpressions import SubExpressions
from opencwm.traces import StepKind

Listener = Callable[[dict[str, Any]], None]
"""Told of what happens; called on any thread."""
_TELL_EVERY_S = 0.2
MAX_TIMELINES = 64
MAX_BREAKPOINTS = 200


class Desk:
    """What the windows share.

    Args:
        opened: what is looked at first.
        open_start: makes the same of another start, or of the file as it is now; None where nothing can.
        start: how it was opened.
        path: the file; None when there is none to watch.
        pause: called between the steps of a long job.
    """

    def __init__(
        self,
        opened: Opened,
        open_start: Opens | None = None,
        start: Start = Start(),  # noqa: B008 - frozen
        *,
        path: Path | None = None,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self._open_start, self._start = open_start, start
        self._path = path
        self._pause = pause
        self._listeners: set[Listener] = set()
        self._cancellation = Cancellation()
        self._lock = threading.Lock()  # of the listeners
        self._last_told_s = 0.0
        self._last_id = 0
        self._lines: dict[int, Line] = {}
        self._begin(opened)

    def _begin(self, opened: Opened) -> None:
        sessions = [opened.session()]  # raises when there is no first step: then all stays as it was
        self._opened, self._sessions = opened, sessions
        self._lines = {}
        lockstep = None if opened.real is None else Lockstep(opened.execution, opened.real)
        is_real = isinstance(opened.execution, RealExecution)
        self._add_line(self._sessions[0], "the real run" if is_real else "predicted", lockstep)
        if opened.real is not None:
            most = max(opened.max_steps, len(opened.real.trace.steps) + 1)
            self._sessions.append(Session(opened.real, max_steps=most))
            self._add_line(self._sessions[1], "the real run")
        self._expressions = SubExpressions(opened.execution.program.text)
        self._stamp = self._file_stamp()

    def _add_line(
        self, session: Session, label: str, lockstep: Lockstep | None = None, forked_at: int | None = None
    ) -> Line:
        self._last_id += 1
        line = Line(
            self._last_id, session, session.timeline.number, label, session.execution, lockstep, forked_at
        )
        self._lines[line.id] = line
        return line

    # Listening; on any thread

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Tell a window of what happens while the block runs; the others are told that it came and went."""
        with self._lock:
            self._listeners.add(listener)
        self.tell({"kind": "shared"})
        try:
            yield
        finally:
            with self._lock:
                self._listeners.discard(listener)
            self.tell({"kind": "shared"})

    def tell(self, event: dict[str, Any]) -> None:
        """Tell all windows."""
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(event)

    @property
    def num_windows(self) -> int:
        """How many windows listen."""
        return len(self._listeners)

    def cancel(self) -> None:
        """End the long job that is under way, within one step."""
        self._cancellation.cancel()

    def is_stale(self) -> bool:
        """Whether the file has been changed since it was read."""
        return self._file_stamp() != self._stamp

    def _file_stamp(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    # Looking

    def state(self) -> dict[str, Any]:
        """Return what all windows share."""
        program = self._opened.execution.program
        graphs = self._opened.execution.control_flow
        return {
            "file": self.name,
            "source": program.text.removesuffix("\n"),
            "call": program.call,
            "start": dataclasses.asdict(self._start),
            "wrapper_line": program.wrapper_lineno,
            "mode": self._mode,
            "version": __version__,
            "breakable": sorted({line for graph in graphs for line in graph.lines}),
            "timelines": [line.json() for line in self._lines.values()],
            "breakpoints": self.breakpoints(),
            "notes": list(self._opened.notices),
            "real_status": "" if self._opened.real is None else self._opened.real.status,
            "num_windows": self.num_windows,
            "is_stale": self.is_stale(),
        }

    def overview(self, timeline: int, start: int = 0) -> dict[str, Any]:
        """Return a few numbers about each known step of a timeline, from ``start`` on.

        Raises:
            ConfigError: there is no such timeline.
        """
        line = self._line(timeline)
        indices = range(max(0, min(start, line.num_steps)), line.num_steps)
        views = [view for index in indices if (view := line.execution.get(index)) is not None]
        return wire.overview_json(views, [line.row(index) for index in indices], indices.start)

    def steps(self, timeline: int, start: int, stop: int) -> dict[str, Any]:
        """Return known steps with all there is to see, at most ``MAX_STEPS_AT_ONCE``.

        Raises:
            ConfigError: there is no such timeline.
        """
        line = self._line(timeline)
        start = max(0, start)
        indices = range(start, min(stop, line.num_steps, start + MAX_STEPS_AT_ONCE))
        frames = wire.Frames()
        rows = [line.row(index) for index in indices]
        steps = wire.steps_json(line.execution, rows, start, frames=frames, expressions=self._expressions)
        return {"frames": frames.items, "steps": steps}

    def evaluate(self, message: Evaluate) -> dict[str, Any]:
        """Return what an expression is, as far as that is known without a model.

        Raises:
            ConfigError: there is no such place.
        """
        line = self._line(message.timeline)
        stack = line.stack(message.position)
        if not -len(stack) <= message.level < len(stack):
            raise ConfigError(f"no activation {message.level}", hint=f"there are {len(stack)}")
        try:
            answer = asking.computed(message.expression, stack[message.level].locals)
        except Undecided as error:
            return self._written(line, message, str(error))
        except ExpressionError as error:
            return _unknown(str(error), can_ask=False)
        how = f"computed{_sure(answer.probability)}"
        return {"text": answer.text, "how": how, "is_known": True, "can_ask": False}

    def _written(self, line: Line, message: Evaluate, problem: str) -> dict[str, Any]:
        """Return what the line itself evaluates an expression to, where that is known."""
        if message.level == -1:
            found = self._expressions.written_value(line.execution, message.position, message.expression)
            if found is not None:
                return {"text": found[0], "how": found[1], "is_known": True, "can_ask": False}
        return _unknown(problem, can_ask=not line.is_real)

    def history(self, timeline: int, position: int, level: int, name: str) -> list[dict[str, Any]]:
        """Return the values that a variable of activation ``level`` had up to a step, oldest first.

        Raises:
            ConfigError: there is no such place.
        """
        line = self._line(timeline)
        frame = line.stack(position)  # checks the position
        if not -len(frame) <= level < len(frame):
            raise ConfigError(f"no activation {level}", hint=f"there are {len(frame)}")
        own = last_step_at(line.execution, position, level % len(frame))
        return [wire.change_json(change) for change in changes_of(line.execution, own, name)]

    def breakpoints(self) -> list[dict[str, Any]]:
        """Return all breakpoints."""
        return [
            wire.breakpoint_json(item, max(each.breakpoints[item.number].num_hits for each in self._sessions))
            for item in self._sessions[0].breakpoints
        ]

    @property
    def name(self) -> str:
        """Name of the file."""
        return Path(self._opened.execution.program.filename).name

    def saved(self, max_steps: int) -> dict[str, Any]:
        """Return all there is to see, for a page without a server; a note says what was left out.

        Args:
            max_steps: most steps of all timelines together.
        """
        shared = self.state() | {"num_windows": 1, "is_stale": False}
        frames, timelines, room = wire.Frames(), [], max_steps
        for line in self._lines.values():
            indices = range(min(line.num_steps, room))
            room -= len(indices)
            if len(indices) < line.num_steps:
                text = (
                    f"{line.label}: only the first {len(indices)} of {line.num_steps} steps are in this file"
                )
                shared["notes"].append(text)
            if not indices:
                shared["timelines"] = [item for item in shared["timelines"] if item["id"] != line.id]
                continue
            views = [view for index in indices if (view := line.execution.get(index)) is not None]
            rows = [line.row(index) for index in indices]
            timelines.append(
                {
                    "id": line.id,
                    "overview": wire.overview_json(views, rows),
                    "steps": wire.steps_json(
                        line.execution, rows, 0, frames=frames, expressions=self._expressions
                    ),
                }
            )
            self._pause()
        place = {"timeline": timelines[0]["id"], "position": 0, "is_ended": False}
        return {"shared": shared, "frames": frames.items, "timelines": timelines, "place": place}

    def read_on(self, max_steps: int, told: Callable[[int], None]) -> None:
        """Predict the first timeline to its end, or until ``max_steps`` are known.

        Args:
            max_steps: at least 1.
            told: called with the number of steps known.

        Raises:
            EngineError: the engine broke.
        """
        execution = next(iter(self._lines.values())).execution
        for index in range(max_steps):
            if execution.get(index) is None:
                return
            told(index + 1)

    # Changing; short

    def add_breakpoint(self, message: NewBreakpoint) -> list[dict[str, Any]]:
        """Add a breakpoint and return all.

        Raises:
            ConfigError: it makes no sense, or there are too many.
        """
        if len(self._sessions[0].breakpoints) >= MAX_BREAKPOINTS:
            raise ConfigError(f"there are {MAX_BREAKPOINTS} breakpoints already")
        for session in self._sessions:
            message.add_to(session.breakpoints)
        return self._changed()

    def change_breakpoint(self, number: int, message: ChangeBreakpoint) -> list[dict[str, Any]]:
        """Change a breakpoint and return all.

        Raises:
            ConfigError: there is none with this number, or the condition is no expression.
        """
        for session in self._sessions:
            message.apply(session.breakpoints[number])
        return self._changed()

    def remove_breakpoint(self, number: int) -> list[dict[str, Any]]:
        """Remove a breakpoint and return the others.

        Raises:
            ConfigError: there is none with this number.
        """
        for session in self._sessions:
            session.breakpoints.remove(number)
        return self._changed()

    def _changed(self) -> list[dict[str, Any]]:
        self.tell({"kind": "shared"})
        return self.breakpoints()

    # Moving; long

    def move(self, message: Move) -> dict[str, Any]:
        """Make a move from where a window is, and return where it ends.

        Raises:
            ConfigError: there is no such place, or no such line.
            EngineError: the engine broke.
        """
        line = self._at(message)
        with self._watched(line):
            method = getattr(line.session, message.move)
            stop = method(message.line) if message.line is not None else method()
        return self._moved(line, stop, message.known)

    def set_variable(self, message: SetVariable) -> dict[str, Any]:
        """Set a variable where a window is: that makes a timeline, and the window goes there.

        Raises:
            ConfigError: it cannot be set here or so, or there are too many timelines.
        """
        self._check_room()
        line = self._at(message)
        stop = line.session.set_variable(message.name, message.value)
        fork = line.session.timeline.fork
        label = line.label
        if isinstance(fork, Fork):
            label = f"{fork.name} = {fork.text} at step {fork.position + 1}"
        made = self._add_line(line.session, label, forked_at=message.position)
        self.tell({"kind": "shared"})
        return self._moved(made, stop, 0)

    def steer(self, message: Steer) -> dict[str, Any]:
        """Have the next step be of a kind: that makes a timeline, and the window goes to that step.

        Raises:
            ConfigError: the model's format knows no steering, nothing can follow here, or there are too many
                timelines.
            EngineError: the engine broke.
        """
        self._check_room()
        line = self._at(message)
        number = line.session.timeline.number
        try:
            with self._watched(line):
                stop = line.session.steer(StepKind(message.kind))
        except OpenCWMError:
            line.session.select_timeline(number)  # one that was begun in vain is not shown
            raise
        label = f"{message.kind} asked for after step {message.position + 1}"
        made = self._add_line(line.session, label, forked_at=message.position)
        self.tell({"kind": "shared"})
        return self._moved(made, stop, 0)

    def _check_room(self) -> None:
        if len(self._lines) >= MAX_TIMELINES:
            raise ConfigError(f"there are {MAX_TIMELINES} timelines already", hint="start again")

    def ask(self, message: Evaluate) -> dict[str, Any]:
        """Ask the model what an expression is.

        Raises:
            ConfigError: there is no such place.
            EngineError: the engine broke.
        """
        line = self._at(message)
        try:
            with self._watched(line):
                answer = line.session.ask(message.expression, message.level)
        except (Undecided, ExpressionError, CancelledError) as error:
            return _unknown(str(error), can_ask=isinstance(error, CancelledError))
        sure = _sure(answer.probability)
        verb = "raises" if answer.has_raised else "is"
        how = f"the model was asked: it {verb} this{sure}" if answer.is_predicted else f"computed{sure}"
        return {"text": answer.text, "how": how, "is_known": True, "can_ask": False}

    def restart(self, message: Restart) -> dict[str, Any]:
        """Begin again from the file as it is now; breakpoints that still make sense stay, timelines do not.

        Raises:
            ConfigError: there is nothing to begin again from, or the call, an assumption or the file makes no
                sense; then all stays as it was.
            EngineError: the engine broke.
            SandboxError: the sandbox failed.
        """
        if self._open_start is None:
            raise ConfigError("this session cannot be started again")
        start = self._start.changed(message.call, message.assumptions)
        kept = [(specification(item), item.is_enabled) for item in self._sessions[0].breakpoints]
        self._begin(self._open_start(start))
        self._start = start
        for spec, is_enabled in kept:
            with contextlib.suppress(ConfigError):
                for session in self._sessions:
                    spec.add_to(session.breakpoints).is_enabled = is_enabled
        self.tell({"kind": "shared"})
        line = next(iter(self._lines.values()))
        return self._moved(line, line.session.last_stop, 0)

    # Machinery

    def _moved(self, line: Line, stop: Stop, num_before: int) -> dict[str, Any]:
        place = {"timeline": line.id, "position": stop.position, "is_ended": stop.is_end}
        logs = [{"line": item.lineno, "text": item.text} for item in stop.logs]
        step = wire.whole_step_json(
            line.execution,
            stop.position,
            row=line.row(stop.position),
            expressions=self._expressions,
        )
        return {
            "place": place,
            "stop": {"kind": str(stop.kind), "reason": stop.reason, "logs": logs},
            "step": step,
            "overview": self.overview(line.id, num_before),
            "timeline": line.json(),
        }

    @contextlib.contextmanager
    def _watched(self, line: Line) -> Iterator[None]:
        self._cancellation = Cancellation()

        def advance(_: int) -> None:
            self._pause()
            now_s = time.monotonic()
            if now_s - self._last_told_s >= _TELL_EVERY_S:
                self._last_told_s = now_s
                self.tell({"kind": "progress", "timeline": line.id, "num_steps": line.num_steps})

        began_s = time.monotonic()
        try:
            with line.session.watched(self._cancellation, advance):
                yield
        finally:
            if self._last_told_s >= began_s:  # others were told of progress, and now of its end
                self.tell({"kind": "shared"})

    def _line(self, timeline: int) -> Line:
        if timeline not in self._lines:
            raise ConfigError("this timeline is gone", hint="the session was started again; reload the page")
        return self._lines[timeline]

    def _at(self, place: Place) -> Line:
        """Bring the session of a timeline to where a window is."""
        line = self._line(place.timeline)
        line.check(place.position)
        session = line.session
        if session.timeline.number != line.number:
            session.select_timeline(line.number)
        session.goto(place.position)
        if place.is_ended:
            session.step_into()
        return line

    @property
    def _mode(self) -> str:
        if isinstance(self._opened.execution, RealExecution):
            return "real"
        return "predicted" if self._opened.real is None else "compare"


def _sure(probability: float | None) -> str:
    return "" if probability is None or probability >= 1.0 else f", {percent(probability)} sure"


def _unknown(problem: str, *, can_ask: bool) -> dict[str, Any]:
    return {"text": "not known", "how": problem, "is_known": False, "can_ask": can_ask}
