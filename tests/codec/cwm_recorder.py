"""A plain recorder for the codec's tests: ``sys.settrace``, the repr of every local at every event.

It is written apart from the tracer of the package, so that the codec is tested on real runs whatever the
tracer does.
"""

from __future__ import annotations

import dis
import sys
import warnings
from types import CodeType, FrameType
from typing import Any

from opencwm.traces import CodeInfo, Program, Status, Step, StepFlags, StepKind, Trace

_FOLDED = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


class Recorder:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.codes: list[CodeType] = []
        self.steps: list[Step] = []
        self.stack: list[tuple[FrameType, dict[str, str]]] = []
        self.seen: dict[FrameType, bool] = {}

    def record(self) -> Trace:
        name, previous = self.program.entry, sys.gettrace()
        namespace: dict[str, Any] = {"__name__": "program"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # since 3.14 of a `return` in `finally`
            code = compile(self.program.text, self.program.filename, "exec", dont_inherit=True)
        exec(code, namespace)
        status, detail = Status.RETURNED, ""
        sys.settrace(self.on_call)
        try:
            namespace[name]()
        except Exception as error:
            status, detail = Status.RAISED, repr(error)
        finally:
            sys.settrace(previous)
        codes = tuple(CodeInfo(code.co_qualname, code.co_firstlineno, _names(code)) for code in self.codes)
        return Trace(self.program, codes, tuple(self.steps), status, detail)

    def on_call(self, frame: FrameType, _event: str, _arg: object) -> Any:
        code = frame.f_code
        if code.co_filename != self.program.filename or code.co_name in _FOLDED:
            return None
        if code not in self.codes:
            self.codes.append(code)
        resumed = frame in self.seen
        self.seen[frame] = True
        self.stack.append((frame, {}))
        self.add(frame, StepKind.CALL, None, StepFlags.RESUME if resumed else StepFlags.NONE)
        return self.on_event

    def on_event(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.add(frame, StepKind.LINE, None)
        elif event == "exception":
            self.add(frame, StepKind.EXCEPTION, repr(arg[1]))
        elif event == "return":
            flags = _return_flags(frame, arg)
            self.add(frame, StepKind.RETURN, None if flags == StepFlags.UNWIND else repr(arg), flags)
            self.stack.pop()
        return self.on_event

    def add(
        self, frame: FrameType, kind: StepKind, value: str | None, flags: StepFlags = StepFlags.NONE
    ) -> None:
        before = self.stack[-1][1]
        live = frame.f_locals
        now = {name: repr(live[name]) for name in _names(frame.f_code) if name in live}
        changed = tuple((name, text) for name, text in now.items() if before.get(name) != text)
        deleted = tuple(name for name in before if name not in now)
        self.stack[-1] = (frame, now)
        depth, code = len(self.stack) - 1, self.codes.index(frame.f_code)
        self.steps.append(Step(kind, code, frame.f_lineno, depth, changed, deleted, value, flags))


def _names(code: CodeType) -> tuple[str, ...]:
    if not code.co_varnames and not code.co_flags & 1:  # a class body
        return tuple(item.argval for item in dis.get_instructions(code) if item.opname == "STORE_NAME")
    return tuple(dict.fromkeys(code.co_varnames + code.co_cellvars + code.co_freevars))


def _return_flags(frame: FrameType, arg: object) -> StepFlags:
    opname = dis.opname[frame.f_code.co_code[frame.f_lasti]]
    if opname.startswith("RETURN"):
        return StepFlags.NONE
    if opname in {"YIELD_VALUE", "SEND", "RESUME"}:
        return StepFlags.YIELD
    return StepFlags.UNWIND if arg is None else StepFlags.NONE


def record(source: str, call: str | None = None, entry: str = "main") -> Trace:
    program = Program(source, entry) if call is None else Program.from_call(source, call)
    return Recorder(program).record()
