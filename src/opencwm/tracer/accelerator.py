"""The compiled accelerator of the tracer, where it was built: an equal, faster trace function.

It takes the place of :class:`opencwm.tracer.activation.Activation` and of most of the renderer, and makes the
same steps, record by record. It is built when the package is installed and a C compiler is there, and is
absent otherwise; nothing but the time tells. How it works is said in ``_accelerator.c``.

Visible to a program all the same: ``sys.gettrace()`` and ``f_trace`` are other objects, and atoms inside
containers have more references.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from opencwm.source.code_facts import RETURN_OPS
from opencwm.tracer import bytecode
from opencwm.tracer.bytecode import EXHAUST_OPS, YIELD_OPS, YIELD_VALUE, RecordedCode
from opencwm.tracer.limits import TraceLimits
from opencwm.traces.trace import Status, Step, StepFlags, StepKind

if TYPE_CHECKING:
    from opencwm.tracer.recorder import Recorder

_accelerator: Any = None
with contextlib.suppress(ImportError):  # not built, or built for another interpreter
    _accelerator = importlib.import_module("opencwm.tracer._accelerator")

_OPS = bytes((op in RETURN_OPS) | (op in YIELD_OPS) << 1 | (op in EXHAUST_OPS) << 2 for op in range(256))
_KINDS = StepKind.CALL, StepKind.EXCEPTION, StepKind.LINE, StepKind.RETURN  # as PyTrace_* number them
_FLAGS = tuple(StepFlags(value) for value in range(16))
_SLOTS = tuple(getattr(Step, field.name) for field in dataclasses.fields(Step))


class AcceleratedTrace(Protocol):
    """The compiled trace function."""

    def __call__(self, frame: FrameType, event: str, arg: Any, /) -> Any:
        """Take an event, become the interpreter's own trace function and return the frame's."""

    def build_steps(self) -> tuple[Step, ...]:
        """Return what was recorded so far."""


def is_available() -> bool:
    """Tell whether the accelerator was built for this interpreter."""
    return _accelerator is not None


def trace_function(
    recorder: Recorder,
    codes: Iterable[RecordedCode],
    limits: TraceLimits,
    *,
    room: int,
    set_limit: Callable[[int], None],
) -> AcceleratedTrace:
    """Return a function for ``sys.settrace`` that records.

    Args:
        recorder: is asked for whatever happens once: a code object's index, a limit, a recursion limit.
        codes: the code objects to record.
        limits: bounds of the recording.
        room: Python frames kept free for the trace function.
        set_limit: ``sys.setrecursionlimit``.
    """
    tracer: AcceleratedTrace = _accelerator.Tracer(
        recorder=recorder,
        renderer=recorder.renderer,
        codes=[_as_tuple(code) for code in codes],
        slots=_SLOTS,
        kinds=_KINDS,
        flags=_FLAGS,
        ops=_OPS,
        yield_value=YIELD_VALUE,
        cache=bytecode.CACHE,
        step_limit=Status.STEP_LIMIT,
        byte_limit=Status.BYTE_LIMIT,
        closes_silently=bytecode.closes_silently,
        ends_loop=bytecode.ends_loop,
        set_limit=set_limit,
        room=room,
        max_steps=limits.max_steps,
        max_chars_in_all=limits.max_bytes,
        max_chars=limits.max_value_chars,
        max_elements=limits.max_elements,
        max_nesting=limits.max_nesting,
    )
    return tracer


def _as_tuple(code: RecordedCode) -> tuple[object, ...]:
    facts = code.facts
    return (
        facts.code,
        code,
        facts.local_names,
        code.info.firstlineno,
        code.ops,
        facts.line_rules,
        facts.late_lines,
        facts.loop_places,
        facts.shadowed,
    )
