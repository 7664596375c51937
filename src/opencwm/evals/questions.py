"""Questions about a run, each answered from the run itself: what suites ask beside what a call returns.

The one idea: a recorded run gives the gold answer and a predicted run the model's, by the same reading.
Answers and golds are JSON. None is no answer, which is wrong, or no gold, which is not graded.
"""

from __future__ import annotations

import abc
import dataclasses
import difflib
from typing import Any, ClassVar

from opencwm.evals.runs import NO_LITERAL, Run, UnreadableError, is_cut, literal, values_of
from opencwm.evals.values import is_same_value
from opencwm.traces import OutcomeKind, Program

TOLERANCE = 1e-6
"""Floats of a state that differ by less are the same, as REval has it."""


class Question(abc.ABC):
    """One question; equal questions ask the same, and its ``repr`` says all of it."""

    kind: ClassVar[str]

    @abc.abstractmethod
    def gold(self, run: Run) -> Any:
        """Return what a whole, real run says; None when it does not say."""

    @abc.abstractmethod
    def answer(self, run: Run) -> Any:
        """Return the one answer a predicted run gives, which may be partial; None when it gives none."""

    @abc.abstractmethod
    def is_right(self, answer: Any, gold: Any, program: Program) -> bool:
        """Whether an answer is what the gold says; neither is None."""

    def details(self, answer: Any, gold: Any) -> dict[str, Any]:  # noqa: ARG002 - for subclasses
        """Return what else is kept of an answer."""
        return {}


@dataclasses.dataclass(frozen=True)
class Coverage(Question):
    """Whether a line is executed. What was not reached by a run that broke off is not."""

    kind = "coverage"
    lineno: int

    def gold(self, run: Run) -> bool | None:
        """Return whether the line is executed."""
        return bool(run.visits(self.lineno)) if run.is_whole else None

    def answer(self, run: Run) -> bool:
        """Return whether the line is executed, as far as the run goes."""
        return bool(run.visits(self.lineno))

    def is_right(self, answer: Any, gold: Any, program: Program) -> bool:  # noqa: ARG002 - the interface
        """Whether both say the same."""
        return bool(answer == gold)


@dataclasses.dataclass(frozen=True)
class NextLine(Question):
    """Which line is executed after a line: any that ever is will do; -1 where none is."""

    kind = "path"
    lineno: int

    def gold(self, run: Run) -> list[int] | None:
        """Return all lines that follow."""
        return sorted(set(self._next(run))) if run.is_whole else None

    def answer(self, run: Run) -> int | None:
        """Return the line that follows the first time."""
        return next(iter(self._next(run)), None)

    def _next(self, run: Run) -> list[int]:
        visits = run.visits(self.lineno)
        if not visits:
            return [-1] if run.is_whole else []
        after = [run.states[index + 1].lineno for index in visits if index + 1 < len(run.states)]
        return after + [-1] * (run.is_whole and visits[-1] + 1 == len(run.states))

    def is_right(self, answer: Any, gold: Any, program: Program) -> bool:
        """Whether the line is one of them, or reads like one: REval is answered with the text of a line."""
        if answer in gold or not 1 <= answer <= len(program.lines):
            return answer in gold
        texts = {program.lines[lineno - 1].strip() for lineno in gold if lineno > 0}
        return program.lines[answer - 1].strip() in texts


@dataclasses.dataclass(frozen=True)
class Value(Question):
    """Value and type of a variable after a line: any that it ever has will do; Nil, ``[]``, where none."""

    kind = "state"
    lineno: int
    var: str

    def gold(self, run: Run) -> list[str] | None:
        """Return all values."""
        try:
            return values_of(self.var, self._moments(run)) if run.is_whole else None
        except UnreadableError:
            return None

    def answer(self, run: Run) -> list[str] | None:
        """Return the first value, alone in a list, or an empty one for Nil."""
        moments = self._moments(run)
        if not run.is_whole and not moments:
            return None
        try:
            return next(([found[0]] for moment in moments if (found := values_of(self.var, [moment]))), [])
        except UnreadableError:
            return None

    def _moments(self, run: Run) -> list[dict[str, str]]:
        last = len(run.states) - 1
        visits = [index for index in run.visits(self.lineno) if index < last or run.is_whole]
        return [dict(run.states[min(index + 1, last)].locals) for index in visits]

    def is_right(self, answer: Any, gold: Any, program: Program) -> bool:  # noqa: ARG002 - the interface
        """Whether the value is one of them, of the same type; floats within :data:`TOLERANCE`."""
        if not answer or not gold:
            return not answer and not gold
        return any(_is_same_state(answer[0], text) for text in gold)


def _is_same_state(answer: str, gold: str) -> bool:
    one, other = literal(answer), literal(gold)
    if one is NO_LITERAL or other is NO_LITERAL:
        return is_same_value(answer, gold)
    if type(one) is not type(other):
        return False
    is_near = isinstance(one, float) and abs(one - other) < TOLERANCE
    return bool(is_near or one == other)


@dataclasses.dataclass(frozen=True)
class Returned(Question):
    """What completes ``assert f(x) == ??``: a value that equals what the call returns."""

    kind = "output"

    def gold(self, run: Run) -> str | None:
        """Return the value, recorded in full."""
        value = self.answer(run)
        return None if value is None or is_cut(value) else value

    def answer(self, run: Run) -> str | None:
        """Return the value."""
        returned = run.outcome is not None and run.outcome.kind is OutcomeKind.RETURNED
        return run.outcome.value if returned and run.outcome else None

    def is_right(self, answer: Any, gold: Any, program: Program) -> bool:  # noqa: ARG002 - the interface
        """Whether the assertion passes: equal values, as Python has it."""
        one, other = literal(answer), literal(gold)
        if one is NO_LITERAL or other is NO_LITERAL:
            return is_same_value(answer, gold)
        return bool(one == other)


@dataclasses.dataclass(frozen=True)
class Lines(Question):
    """The lines executed, in order."""

    kind = "trace"

    def gold(self, run: Run) -> list[int] | None:
        """Return the lines."""
        return run.lines if run.is_whole else None

    def answer(self, run: Run) -> list[int]:
        """Return the lines, as far as the run goes."""
        return run.lines

    def is_right(self, answer: Any, gold: Any, program: Program) -> bool:  # noqa: ARG002 - the interface
        """Whether they are the same."""
        return bool(answer == gold)

    def details(self, answer: Any, gold: Any) -> dict[str, Any]:
        """Return CoCoNUT's similarity: difflib's ratio over the texts of the lists, in characters."""
        one, other = (",".join(str(lines)) for lines in (gold, answer))
        return {"similarity": difflib.SequenceMatcher(a=one, b=other).ratio()}


@dataclasses.dataclass(frozen=True)
class Text(Question):
    """A value as CodeSense compares it: as text, without case, outer quotes and differences in white space.

    Attributes:
        kind: what is asked, for the report.
        lineno: of the line after whose first run the value is asked for; None: what the call returns.
        var: which expression's; empty: what the line returns.
        is_branch: whether the value stands for ``Yes`` (true) or ``No``.
    """

    kind: str  # type: ignore[misc]
    lineno: int | None = None
    var: str = ""
    is_branch: bool = False

    def gold(self, run: Run) -> str | None:
        """Return the value, recorded in full."""
        value = self.answer(run) if run.is_whole else None
        return None if value is None or is_cut(value) else value

    def answer(self, run: Run) -> str | None:
        """Return the value."""
        if self.lineno is None:
            value = Returned().answer(run)
        else:
            try:
                value = run.value_after(self.lineno, self.var)
            except UnreadableError:
                return None
        if self.is_branch and value is not None:
            return "Yes" if value == "True" else "No"
        return value

    def is_right(self, answer: Any, gold: Any, program: Program) -> bool:  # noqa: ARG002 - the interface
        """Whether the texts are the same."""
        return comparable(answer) == comparable(gold)


def comparable(text: str) -> str:
    """Return the text that CodeSense compares."""
    return " ".join(text.strip().rstrip(";").strip().lower().strip("'").strip('"').split())
