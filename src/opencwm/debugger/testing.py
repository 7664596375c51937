"""A predicted execution without a model: it plays back the steps and probabilities it was given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from opencwm.core.errors import ConfigError
from opencwm.debugger.execution import Execution, FrameView, Origin, StackHistory, StepView
from opencwm.source.cfg import ControlFlow
from opencwm.traces import CodeInfo, Program, Trace

Continuation = Callable[[int, Mapping[str, str]], Iterable[StepView]]
"""Called on a fork with its step and changes; gives the steps from that one on."""


class ScriptedExecution:
    """An execution over an iterable of steps, read one by one as they are asked for.

    Args:
        program: what it pretends to execute.
        codes: the code objects its steps refer to.
        views: the steps; may be endless. One that is malformed is the last.
        status: why nothing follows the last step.
        continuation: what follows a fork; without one, forks are refused.

    Attributes:
        num_made: how many steps were taken from ``views`` so far.
        answers: what is executed when another program is asked for; without it, that is refused.
    """

    def __init__(
        self,
        program: Program,
        codes: Sequence[CodeInfo],
        views: Iterable[StepView],
        status: str = "the script ends",
        continuation: Continuation | None = None,
    ) -> None:
        self.program = program
        self.codes = codes
        self.control_flow = ControlFlow(program.text, program.filename)
        self.num_made = 0
        self.answers: Callable[[Program, Mapping[str, str]], Execution] | None = None
        self._script: Iterator[StepView] | None = iter(views)
        self._views: list[StepView] = []
        self._history = StackHistory()
        self._status = status
        self._continuation = continuation

    def get(self, index: int) -> StepView | None:
        """Return step ``index``, taking as many from the script as that needs."""
        while len(self._views) <= index and self._script is not None:
            view = next(self._script, None)
            if view is None:
                self._script = None
                break
            self.num_made += 1
            self._views.append(view)
            if view.malformed is not None:
                self._script = None
                break
            self._history.append(view, self.codes)
        return self._views[index] if index < len(self._views) else None

    @property
    def num_known(self) -> int:
        """How many steps were kept so far."""
        return len(self._views)

    def ended(self) -> bool:
        """Whether the script is known to hold no more steps."""
        return self._script is None

    @property
    def status(self) -> str:
        """What was given as the reason of the end, once that is reached."""
        return self._status if self.ended() else ""

    def stack_at(self, index: int) -> list[FrameView]:
        """Return the live activations at step ``index``.

        Raises:
            IndexError: there is no such step.
        """
        self.get(index)
        return self._history.at(index)

    def fork(self, index: int, changes: Mapping[str, str]) -> Execution:
        """Return an execution that goes on as the continuation says.

        Raises:
            ConfigError: there is no continuation.
        """
        if self._continuation is None:
            raise ConfigError("this script has no continuation")
        views = [*self._views[:index], *self._continuation(index, changes)]
        return ScriptedExecution(self.program, self.codes, views, self._status, self._continuation)

    def beginning(self, program: Program, state: Mapping[str, str]) -> Execution:
        """Return the execution that the answers give for a program.

        Raises:
            ConfigError: there are no answers.
        """
        if self.answers is None:
            raise ConfigError("this script has no answers")
        return self.answers(program, state)


def predicted_from(
    trace: Trace,
    *,
    probability: float = 0.9,
    wrong: Mapping[int, Mapping[str, str]] | None = None,
    malformed_at: int | None = None,
    status: str = "the program returned",
) -> ScriptedExecution:
    """Make a prediction out of a recorded run.

    Args:
        trace: what is predicted.
        probability: of every changed local, value and line.
        wrong: step -> local -> the text that is predicted instead of the right one, until it changes again.
        malformed_at: step that is malformed; None for none.
        status: why it ends.
    """

    def view(index: int) -> StepView:
        step = trace.steps[index]
        mistakes = (wrong or {}).get(index, {})
        if mistakes:
            changed = dict(step.changed) | dict(mistakes)
            step = dataclasses.replace(step, changed=tuple(changed.items()))
        return StepView(
            step,
            Origin.PREDICTED,
            {name: probability for name, _ in step.changed},
            probability,
            probability if step.value is not None else None,
            malformed="no line follows" if index == malformed_at else None,
        )

    def following(index: int, changes: Mapping[str, str]) -> Iterator[StepView]:
        """Set the changes, then go on as before."""
        for later in range(index, len(trace.steps)):
            made = view(later)
            if later == index:
                merged = dict(made.step.changed) | dict(changes)
                names = trace.codes[made.step.code].local_names
                changed = tuple((name, merged[name]) for name in names if name in merged)
                step = dataclasses.replace(made.step, changed=changed)
                made = dataclasses.replace(made, step=step, supplied=frozenset(changes))
            yield made

    return ScriptedExecution(
        trace.program, trace.codes, (view(index) for index in range(len(trace.steps))), status, following
    )
