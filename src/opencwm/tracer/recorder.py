"""The trace function: turns the interpreter's events into steps.

One closure per activation holds what was last seen of its locals; it is the frame's own local trace function, so that nothing
is kept under ``id(frame)``, which the interpreter reuses. An atom is unchanged when it is the same object; a built-in
container when ``marshal.dumps`` gives the same bytes; anything else, and whatever was cut, is rendered again and its text
compared. Only atoms are held on to, so that the recorder keeps no object of the program alive.
"""

from __future__ import annotations

import marshal
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from opencwm.traces.trace import CodeInfo, Status, Step, StepFlags, StepKind
from opencwm.tracer.bytecode import FOLDED_NAMES, RETURN_OPS, YIELD_OPS, CodeFacts, facts_of, nested_codes
from opencwm.tracer.limits import TraceLimits
from opencwm.tracer.rendering import ATOMS, PLAIN_CONTAINERS, Renderer

RawStep = tuple[StepKind, int, int, int, tuple[tuple[str, str], ...], tuple[str, ...], str | None, int]
LocalTrace = Callable[[FrameType, str, Any], Any]

_CALL, _LINE, _RETURN, _EXCEPTION = StepKind.CALL, StepKind.LINE, StepKind.RETURN, StepKind.EXCEPTION
_YIELD, _RESUME, _UNWIND, _TRUNCATED = (
    int(flag) for flag in (StepFlags.YIELD, StepFlags.RESUME, StepFlags.UNWIND, StepFlags.TRUNCATED)
)
_dumps, _type, _id, _repr, _len, _zip, _range = marshal.dumps, type, id, repr, len, zip, range
_STEP_BYTES = 16
_SMALL = 10**15


class LimitReached(BaseException):
    """Unwinds a program that reached a limit, where no ``on_limit`` ends the process. The program could swallow it."""


class Unset:
    """The state of a local that has no value, and of one whose identity tells nothing."""


class Recorder:
    """Collects the steps of one run.

    Attributes:
        steps: what was recorded so far.
        codes: the code objects entered so far, in order of first entry.
        limit: the limit that was reached, or None.
    """

    def __init__(self, module: CodeType, limits: TraceLimits, on_limit: Callable[[], None]) -> None:
        self.steps: list[RawStep] = []
        self.codes: list[CodeInfo] = []
        self.limit: Status | None = None
        self.out_of_memory = False
        self.trace = self._make(module, limits, on_limit)

    def build_steps(self) -> tuple[Step, ...]:
        """Return the steps as records."""
        flags = [StepFlags(value) for value in range(16)]
        return tuple([Step(*raw[:7], flags[raw[7]]) for raw in self.steps])

    def _make(self, module: CodeType, limits: TraceLimits, on_limit: Callable[[], None]) -> LocalTrace:
        steps = self.steps
        add = steps.append
        renderer = Renderer(limits)
        render = renderer.render
        missing, unheld = Unset(), Unset()
        max_elements = limits.max_elements
        max_chars = limits.max_value_chars
        recorder = self
        depth = 0
        num_bytes = 0
        table = {id(code): facts_of(code) for code in nested_codes(module) if code.co_name not in FOLDED_NAMES}
        indices: dict[int, int] = {}

        def index_of(facts: CodeFacts) -> int:
            index = indices.get(_id(facts.code))
            if index is None:
                index = indices[_id(facts.code)] = _len(recorder.codes)
                recorder.codes.append(facts.info)
            return index

        def end(status: Status) -> None:
            recorder.limit = status
            sys.settrace(None)
            on_limit()
            raise LimitReached(str(status))

        def enter(facts: CodeFacts) -> LocalTrace:
            index = index_of(facts)
            names = facts.info.local_names
            ops = facts.ops
            num_names = _len(names)
            positions = _range(num_names)
            held: list[Any] = [missing] * num_names
            keys: list[bytes | None] = [None] * num_names
            ids = [0] * num_names
            texts: list[str | None] = [None] * num_names
            my_depth = depth
            line = 0
            started = False
            thrown_at = -1

            def local(frame: FrameType, event: str, arg: Any) -> Any:
                nonlocal line, started, my_depth, depth, num_bytes, thrown_at
                get = frame.f_locals.get
                flags = 0
                value_text = None
                kind = _LINE
                if event == "line":
                    line = frame.f_lineno or line
                    thrown_at = -1
                elif event == "return":
                    kind = _RETURN
                    offset = frame.f_lasti
                    op = ops[offset >> 1]
                    if op in RETURN_OPS:
                        value_text = render(arg)
                    elif op in YIELD_OPS and arg is not None or (op in YIELD_OPS and thrown_at != offset):
                        flags = _YIELD
                        value_text = render(arg)
                    else:
                        flags = _UNWIND
                    if value_text is not None:
                        num_bytes += _len(value_text)
                        if renderer.cut:
                            flags |= _TRUNCATED
                elif event == "exception":
                    kind = _EXCEPTION
                    thrown_at = frame.f_lasti
                    value_text = render(arg[1])
                    num_bytes += _len(value_text)
                    if renderer.cut:
                        flags |= _TRUNCATED
                elif event == "call":
                    kind = _CALL
                    thrown_at = -1
                    line = frame.f_lineno or line
                    my_depth = depth
                    depth += 1
                    if started:
                        flags = _RESUME
                        for i in positions:
                            held[i] = missing
                            keys[i] = texts[i] = None
                    started = True
                else:
                    return local

                changed: list[tuple[str, str]] = []
                deleted: list[str] = []
                for i, name, last in _zip(positions, names, held):
                    value = get(name, missing)
                    if value is last:
                        continue
                    value_type = _type(value)
                    if value_type in ATOMS:
                        held[i] = value
                        keys[i] = None
                        text = render(value)
                    elif value is missing:
                        held[i] = missing
                        keys[i] = texts[i] = None
                        deleted.append(name)
                        continue
                    elif value_type in PLAIN_CONTAINERS:
                        held[i] = unheld
                        key = keys[i]
                        if key is not None and ids[i] == _id(value) and _len(value) <= max_elements:
                            try:
                                new_key = _dumps(value, 2)
                            except ValueError:
                                new_key = None
                            if new_key == key:
                                continue
                        else:
                            new_key = None
                        text = render(value)
                        ids[i] = _id(value)
                        keys[i] = None
                        if renderer.plain:
                            keys[i] = new_key or _dumps(value, 2)
                    else:
                        held[i] = unheld
                        keys[i] = None
                        text = render(value)
                    if text != texts[i]:
                        texts[i] = text
                        changed.append((name, text))
                        num_bytes += _len(name) + _len(text)
                        if renderer.cut:
                            flags |= _TRUNCATED

                add((kind, index, line, my_depth, (*changed,), (*deleted,), value_text, flags))
                num_bytes += _STEP_BYTES
                if kind is _RETURN:
                    depth = my_depth
                if num_bytes > limits.max_bytes:
                    end(Status.BYTE_LIMIT)
                if _len(steps) >= limits.max_steps:
                    end(Status.STEP_LIMIT)
                return local

            return local

        def trace(frame: FrameType, event: str, arg: Any) -> Any:
            facts = table.get(_id(frame.f_code))
            if facts is None:
                return None
            local = frame.f_trace or enter(facts)
            return local(frame, event, arg)

        return trace
