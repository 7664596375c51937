"""Lay a predicted execution beside a real one, step by step, and find where they part.

The one idea: as long as both went the same way, step ``i`` of one is step ``i`` of the other, and what they
say is compared. After they part, steps are paired by what they are (function, kind, line, depth), so that a
detour is seen as one.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator

from opencwm.debugger.execution import Execution, FrameView, Origin, StepView, Value
from opencwm.traces import StepFlags

_MEANING = StepFlags.YIELD | StepFlags.RESUME | StepFlags.UNWIND
_MAX_REALIGNED = 1_000  # steps after the parting that are paired; pairing costs their square
_Key = tuple[str, str, int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One step of either execution, or the same step of both.

    Attributes:
        predicted_index: step of the predicted execution; None when it has no such step.
        real_index: step of the real execution; None when it has no such step.
        predicted: the predicted step.
        real: the real step.
        line_agrees: same function, line and depth.
        kind_agrees: same kind.
        locals_agree: the activations hold the same variables with the same values.
        value_agrees: same returned, yielded or raised value, or none in both.
        locals: the predicted locals; those that are right are VERIFIED, with their probability kept.
        differences: name -> (predicted, real) text, None where it is unbound, of the locals that are not
            right.
    """

    predicted_index: int | None
    real_index: int | None
    predicted: StepView | None
    real: StepView | None
    line_agrees: bool = False
    kind_agrees: bool = False
    locals_agree: bool = False
    value_agrees: bool = False
    locals: dict[str, Value] = dataclasses.field(default_factory=dict)
    differences: dict[str, tuple[str | None, str | None]] = dataclasses.field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether everything agrees."""
        return self.line_agrees and self.kind_agrees and self.locals_agree and self.value_agrees

    @property
    def value(self) -> Value | None:
        """The predicted returned, yielded or raised value; VERIFIED when it is right."""
        value = None if self.predicted is None else self.predicted.value
        if value is not None and self.value_agrees:
            return Value(value.text, Origin.VERIFIED, value.probability)
        return value

    def describe(self) -> str:
        """Say in words what differs; empty when nothing does."""
        if self.predicted is None:
            return "the prediction has no such step"
        if self.predicted.malformed is not None:
            return f"the model's step was malformed: {self.predicted.malformed}"
        if self.real is None:
            return "the real run has no such step"
        said, was = self.predicted.step, self.real.step
        parts = []
        if not (self.line_agrees and self.kind_agrees):
            parts.append(
                f"predicted {said.kind} at line {said.lineno}, really {was.kind} at line {was.lineno}"
            )
        parts += [
            f"{name}: predicted {one or 'unbound'}, really {other or 'unbound'}"
            for name, (one, other) in self.differences.items()
        ]
        if not self.value_agrees and self.kind_agrees:
            parts.append(f"value: predicted {said.value}, really {was.value}")
        return "; ".join(parts)


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Two executions side by side.

    Attributes:
        rows: in order.
        first_divergence: index into ``rows`` of the first that does not agree; None when all do.
    """

    rows: tuple[Row, ...]
    first_divergence: int | None

    @property
    def agrees(self) -> bool:
        """Whether the prediction is right to the last step."""
        return self.first_divergence is None


class Lockstep:
    """Two executions compared step for step, for as long as they go the same way.

    Attributes:
        predicted: what is judged.
        real: what it is judged by.
        parted_at: the first step at which they went different ways; None while that is not known.
    """

    def __init__(self, predicted: Execution, real: Execution) -> None:
        self.predicted = predicted
        self.real = real
        self.parted_at: int | None = None
        self._num_checked = 0

    def row(self, index: int) -> Row | None:
        """Compare step ``index`` of both, the steps before it first.

        Returns None when the executions parted before it, or neither has it.
        """
        while self._num_checked <= index and self.parted_at is None:
            row = self._compare(self._num_checked)
            if row is None:
                return None
            if not (row.line_agrees and row.kind_agrees):
                self.parted_at = self._num_checked
            self._num_checked += 1
        if self.parted_at is not None and index > self.parted_at:
            return None
        return self._compare(index)

    def _compare(self, index: int) -> Row | None:
        said, was = self.predicted.get(index), self.real.get(index)
        if said is None and was is None:
            return None
        return _row(self.predicted, index, said, self.real, index, was)


def compare(predicted: Execution, real: Execution, *, max_steps: int = 10_000) -> Comparison:
    """Align two executions of one program.

    Args:
        predicted: read to its end, so it predicts.
        real: what really happens.
        max_steps: most steps read of either; at least 1.

    Raises:
        EngineError: the engine behind the predicted execution broke.
    """
    rows: list[Row] = []
    lockstep = Lockstep(predicted, real)
    for index in range(max_steps):
        row = lockstep.row(index)
        if row is None:
            break
        if lockstep.parted_at is not None:
            rows += _realigned(predicted, real, index, max_steps)
            break
        rows.append(row)
    first = next((index for index, row in enumerate(rows) if not row.agrees), None)
    return Comparison(tuple(rows), first)


def _realigned(predicted: Execution, real: Execution, start: int, max_steps: int) -> Iterator[Row]:
    """Pair the steps from ``start`` on by what they are; the first pair differs, that is why we are here."""
    said = list(_steps(predicted, start, max_steps))
    was = list(_steps(real, start, max_steps))
    matcher = difflib.SequenceMatcher(
        None,
        [_key(predicted, view) for view in said[:_MAX_REALIGNED]],
        [_key(real, view) for view in was[:_MAX_REALIGNED]],
        autojunk=False,
    )
    rest = ("delete", _MAX_REALIGNED, len(said), _MAX_REALIGNED, len(was))
    for operation, a, a_end, b, b_end in [*matcher.get_opcodes(), rest]:
        paired = min(a_end - a, b_end - b) if operation in ("equal", "replace") else 0
        for offset in range(paired):
            left, right = a + offset, b + offset
            yield _row(predicted, start + left, said[left], real, start + right, was[right])
        for left in range(a + paired, a_end):
            yield Row(start + left, None, said[left], None)
        for right in range(b + paired, b_end):
            yield Row(None, start + right, None, was[right])


def _steps(execution: Execution, start: int, max_steps: int) -> Iterator[StepView]:
    for index in range(start, max_steps):
        view = execution.get(index)
        if view is None:
            return
        yield view


def _key(execution: Execution, view: StepView) -> _Key:
    step = view.step
    if view.malformed is not None:
        return "", "malformed", 0, 0
    return _function(execution, view), str(step.kind), step.lineno, step.depth


def _function(execution: Execution, view: StepView) -> str:
    codes = execution.codes
    return codes[view.step.code].qualname if 0 <= view.step.code < len(codes) else "?"


def _row(
    predicted: Execution,
    predicted_index: int,
    said: StepView | None,
    real: Execution,
    real_index: int,
    was: StepView | None,
) -> Row:
    if said is None or was is None or said.malformed is not None:
        return Row(
            predicted_index if said is not None else None, real_index if was is not None else None, said, was
        )
    one, other = said.step, was.step
    left, right = _top(predicted, predicted_index), _top(real, real_index)
    same_function = _function(predicted, said) == _function(real, was)
    differences = {
        name: (_text(left, name), _text(right, name))
        for name in {**left.locals, **right.locals}
        if _text(left, name) != _text(right, name)
    }
    return Row(
        predicted_index,
        real_index,
        said,
        was,
        line_agrees=same_function and (one.lineno, one.depth) == (other.lineno, other.depth),
        kind_agrees=one.kind is other.kind and one.flags & _MEANING == other.flags & _MEANING,
        locals_agree=not differences,
        value_agrees=one.value == other.value,
        locals={
            name: value if name in differences else _verified(value, right.locals[name])
            for name, value in left.locals.items()
        },
        differences=differences,
    )


def _verified(value: Value, real: Value) -> Value:
    """Return a value that is right; what a real run was given proves nothing."""
    return real if real.origin is Origin.SUPPLIED else Value(value.text, Origin.VERIFIED, value.probability)


def _top(execution: Execution, index: int) -> FrameView:
    return execution.stack_at(index)[-1]


def _text(frame: FrameView, name: str) -> str | None:
    return frame.locals[name].text if name in frame.locals else None
