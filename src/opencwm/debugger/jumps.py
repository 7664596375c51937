"""Predict where a debugger's action ends, in one go: over, out, to a line, to the end of the run.

What is asked for follows the true or predicted steps so far, as in the documents that are learned from
(:mod:`opencwm.codec.native_moves`). What is not a decision is appended, and what is no landing cannot be
written: lines are those the action may end at, names those of the activation, in their order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence

from opencwm.codec.native import MalformedStep, NativeCodec, called
from opencwm.codec.native_moves import Landing, MoveDecoder, action_ids
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, is_line, is_text, line_label, line_token
from opencwm.core.errors import EngineError
from opencwm.debugger.context import contextualise
from opencwm.debugger.sampler import OutOfContextError, Sampler
from opencwm.debugger.token_writer import MalformedError, TokenWriter
from opencwm.model.engine import ScoringEngine
from opencwm.model.sampling import SamplingConfig
from opencwm.source.cfg import CodeGraph, ControlFlow
from opencwm.traces import Action, Activation, CodeInfo, Step

_SET, _DELETE, _AT = int(Control.SET), int(Control.DELETE), int(Control.AT)
_LEAVING = frozenset(map(int, (Control.RETURN, Control.YIELD, Control.UNWIND)))
_LEAST_ROOM = 32
"""Ids of the shortest landings that are worth asking for."""
_OUTCOME = frozenset(map(int, (Control.RETURN, Control.RAISE)))


@dataclasses.dataclass(frozen=True, slots=True)
class PredictedLanding:
    """Where an action ends, as predicted.

    Attributes:
        landing: what was read from the ids, or why they are none.
        probability: of everything the model decided, in (0, 1].
        num_sampled: decisions the model made.
    """

    landing: Landing | MalformedStep
    probability: float
    num_sampled: int


class JumpPredictor:
    """Predicts landings in runs of one program; greedy unless told otherwise.

    Args:
        codec: of the engine's vocabulary.
        engine: owned by the predictor from now on.
        view: what is shown of the program.
        control_flow: of the program.
        sampling: how tokens are picked.
    """

    def __init__(
        self,
        codec: NativeCodec,
        engine: ScoringEngine,
        view: SourceView,
        control_flow: ControlFlow,
        *,
        sampling: SamplingConfig | None = None,
    ) -> None:
        self._codec = codec
        self._view = view
        self._control_flow = control_flow
        self._sampler = Sampler(engine, sampling)
        self._writer = TokenWriter(self._sampler, codec.vocabulary)
        self._labels = {line: line_token(label) for line, label in view.label_of.items()}
        self._no_text = frozenset(token for token in range(len(codec.vocabulary)) if not is_text(token))

    def predict(
        self, steps: Sequence[Step], codes: Sequence[CodeInfo], action: Action, goal: int | None = None
    ) -> PredictedLanding:
        """Return where ``action`` ends, told after ``steps``.

        Args:
            steps: of a run so far, at least one; the entry was not left.
            codes: :attr:`Step.code` indexes it.
            action: anything but to step into.
            goal: the line of a breakpoint.

        Raises:
            ValueError: there is nothing to go on from, or it is told to step into.
            CodecError: the goal is not shown.
            EngineError: the engine broke, or its context is too small.
        """
        told = action_ids(action, self._view, goal)
        room = self._sampler.engine.max_tokens
        for budget in (room * 3 // 4, 0):
            context, placed = contextualise(
                self._codec, self._view, self._control_flow, steps, codes, max_tokens=budget
            )
            if not placed.stack or not told:
                raise ValueError("an action is told where a run goes on")
            decoder = MoveDecoder(
                self._codec.vocabulary, self._view, self._control_flow, placed.stack, placed.codes
            )
            try:
                return self._predict(context, decoder, told, action, goal)
            except OutOfContextError:
                if not budget and len(context) + len(told) < room - _LEAST_ROOM:
                    problem = MalformedStep(tuple(self._writer.ids), "it does not end within the context")
                    return PredictedLanding(problem, self._probability, self._sampler.num_sampled)
        raise EngineError(
            "the program and one jump do not fit the model's context",
            where=self._view.program.filename,
            hint=f"it holds {room} tokens; shorten the program or its values",
        )

    def _predict(
        self,
        context: Sequence[int],
        decoder: MoveDecoder,
        told: Sequence[int],
        action: Action,
        goal: int | None,
    ) -> PredictedLanding:
        writer = self._writer
        self._sampler.restart(context)
        writer.ids, writer.ahead = [], None
        self._probability, before = 1.0, self._sampler.num_sampled
        writer.force(told)
        landing: Landing | MalformedStep
        try:
            if action is Action.CONTINUE:
                self._decide(_OUTCOME)
                self._value()
            else:
                self._landing(decoder.stack[-1], decoder.codes, action, goal)
            read = decoder.push_move(writer.ids)
            assert not isinstance(read, Step)  # noqa: S101 - it begins with JUMP
            landing = read
        except MalformedError as error:
            landing = MalformedStep(tuple(writer.ids), str(error))
        return PredictedLanding(landing, self._probability, self._sampler.num_sampled - before)

    def _decide(self, allowed: Collection[int]) -> int:
        token, probability = self._writer.decide(allowed)
        self._probability *= probability
        return token

    def _landing(self, top: Activation, codes: Sequence[CodeInfo], action: Action, goal: int | None) -> None:
        code = codes[top.code]
        graph = self._control_flow.get(code.qualname, code.firstlineno)
        if graph is None:
            raise MalformedError(f"{code.qualname} is not in the program")
        if action is Action.BREAKPOINT:
            own = frozenset({self._labels[goal]} if goal in graph.lines and goal is not None else ())
            changes = self._changes(graph) if own else set()
            token = self._decide(own | _OUTCOME | changes | {int(Control.STATE)})
            if token == Control.STATE:
                self._state(goal or 0)
                return
            if token in _OUTCOME:  # the run ends before
                self._value()
                return
            ends = own
        elif action is Action.STEP_RETURN:
            ends = _LEAVING
            token = self._decide(ends | self._changes(graph) | {_AT})
        else:
            lines = {self._labels[line] for line in graph.lines if line in self._labels}
            ends = frozenset(lines) | _LEAVING | {int(Control.RAISE)}
            token = self._decide(ends | self._changes(graph) | {_AT})
        self._effects_and_end(graph, token, ends, tuple(top.locals))

    @staticmethod
    def _changes(graph: CodeGraph) -> set[int]:
        return {_SET, _DELETE} if graph.local_names else set()

    def _effects_and_end(
        self, graph: CodeGraph, token: int, ends: frozenset[int], bound: Sequence[str]
    ) -> None:
        at = frozenset() if ends <= frozenset(self._labels.values()) else frozenset({_AT})
        names: Sequence[str] = graph.local_names
        deletable = [name for name in names if name in bound]
        if token == _DELETE and not deletable:
            raise MalformedError("there is nothing to delete")
        while token == _SET:
            names = self._binding(names, lambda left: ends | at | self._more(left, deletable))
            token = self._decide(())
        while token == _DELETE:
            deletable = self._deletion(deletable, ends | at)
            token = self._decide(())
        if token == _AT:
            shown = {self._labels[line] for line in graph.lines if line in self._labels}
            self._decide(shown)
            token = self._decide(ends - shown)
        if is_line(token):
            self._echo(token)
        elif token != Control.UNWIND:
            self._value()

    @staticmethod
    def _more(names: Sequence[str], deletable: Sequence[str]) -> set[int]:
        return ({_SET} if names else set()) | ({_DELETE} if deletable else set())

    def _binding(
        self, names: Sequence[str], ends: Callable[[Sequence[str]], Collection[int]]
    ) -> Sequence[str]:
        """Write a name and its value; return the names behind it. One of the ends is the id ahead then."""
        name, chance = self._writer.spell(names, lambda _name: (int(Control.IS),))
        self._writer.decide((int(Control.IS),))
        left = names[names.index(name) + 1 :]
        self._probability *= chance * self._writer.text(ends(left))
        return left

    def _deletion(self, names: Sequence[str], ends: frozenset[int]) -> list[str]:
        """Write a name that is gone; return the names behind it. One of the ends is the id ahead then."""
        name, chance = self._writer.spell(
            names, lambda name: ends | ({_DELETE} if name != names[-1] else set())
        )
        self._probability *= chance
        return list(names[names.index(name) + 1 :])

    def _value(self) -> None:
        self._probability *= self._writer.text(self._no_text)

    def _echo(self, token: int) -> None:
        lineno = self._view.line_at(line_label(token))
        if lineno is None:
            raise MalformedError(f"{self._codec.vocabulary.token_name(token)} is no line that is shown")
        self._writer.force(self._view.echo_ids(lineno, self._codec.vocabulary))

    def _state(self, goal: int) -> None:
        """Write all live activations, of which the innermost runs the goal."""
        by_label = {
            label: graph for line, label in self._labels.items() for graph in self._control_flow.at(line)
        }
        token = self._decide({int(Control.FRAME)})
        while token == Control.FRAME:
            first = self._decide(by_label)
            graph = called(self._control_flow, self._view.line_at(line_label(first)) or 0, (), resumes=False)
            if graph is None:
                raise MalformedError("no function starts there")
            token = self._frame(graph)
            self._echo(token)
            if self._view.line_at(line_label(token)) == goal:
                token = self._decide(self._no_text)
                if token != Control.FRAME:
                    self._writer.ids.pop()
            else:
                token = self._decide({int(Control.FRAME)})

    def _frame(self, graph: CodeGraph) -> int:
        """Write the locals of an activation; return the label of its line, written last."""
        lines = frozenset(self._labels[line] for line in graph.lines if line in self._labels)
        names: Sequence[str] = graph.local_names
        token = self._decide(lines | ({_SET} if names else set()))
        while token == _SET:
            names = self._binding(names, lambda left: lines | ({_SET} if left else set()))
            token = self._decide(())
        return token
