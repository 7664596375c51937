"""Other ways to record a run: the repr of every local at every line, PySnooper, hunter.

PySnooper and hunter are development
dependencies (the ``benchmark`` extra) and may be absent: see :func:`available`.
"""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from tracer_workloads import Loaded

from opencwm.source.code_facts import FOLDED_NAMES
from opencwm.traces import Step, StepKind


def available(package: str) -> bool:
    """Tell whether a package to compare with is installed."""
    return importlib.util.find_spec(package) is not None


def run(entry: Callable[[], object]) -> None:
    """Run a program to its end; some raise on purpose."""
    try:
        entry()
    except Exception:  # whatever a generated program raises
        return


def repr_steps(program: Loaded, entry: Callable[[], object]) -> list[Step]:
    """Record the same steps as the tracer, taking the repr of every local at every event."""
    steps: list[Step] = []
    indices: dict[CodeType, int] = {}
    filename = str(program.path)
    depth = 0

    def enter(code: CodeType) -> Callable[[FrameType, str, Any], Any]:
        nonlocal depth
        index = indices.setdefault(code, len(indices))
        names = dict.fromkeys((*code.co_varnames, *code.co_cellvars, *code.co_freevars))
        seen: dict[str, str] = {}
        my_depth = depth
        depth += 1

        def local(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal depth, seen
            values = frame.f_locals
            now = {name: safe_repr(values[name]) for name in names if name in values}
            changed = tuple((name, text) for name, text in now.items() if seen.get(name) != text)
            deleted = tuple(name for name in seen if name not in now)
            seen = now
            value = None
            if event == "return":
                depth = my_depth
                value = safe_repr(arg)
            elif event == "exception":
                value = safe_repr(arg[1])
            steps.append(Step(StepKind(event), index, frame.f_lineno, my_depth, changed, deleted, value))
            return local

        return local

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        if code.co_filename != filename or code.co_name in FOLDED_NAMES or code.co_name == "__repr__":
            return None
        return enter(code)(frame, event, arg)

    sys.settrace(trace)
    try:
        run(entry)
    finally:
        sys.settrace(None)
    return steps


def safe_repr(value: object) -> str:
    """Return the repr, whatever happens in it, of bounded length."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}: repr raised {type(error).__name__}>"
    return text if len(text) <= 2000 else text[:2000] + "..."


def num_chars(steps: list[Step] | tuple[Step, ...]) -> int:
    """Return the characters of names and values in the steps."""
    changes = sum(len(name) + len(text) for step in steps for name, text in step.changed)
    return changes + sum(len(step.value or "") for step in steps)


def record_pysnooper(_program: Loaded, entry: Callable[[], object]) -> int:
    """Record with PySnooper, calls included, into memory; return the characters recorded."""
    import pysnooper

    stream = io.StringIO()
    snoop = pysnooper.snoop(stream, depth=1000, color=False)
    run(snoop(entry))
    return len(stream.getvalue())


def record_hunter(program: Loaded, entry: Callable[[], object]) -> int:
    """Record with hunter's VarsSnooper into memory; return the characters recorded."""
    import hunter

    stream = io.StringIO()
    tracer = hunter.trace(filename=str(program.path), action=hunter.VarsSnooper(stream=stream))
    try:
        run(entry)
    finally:
        tracer.stop()
    return len(stream.getvalue())
