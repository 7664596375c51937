"""Predict one step after another: the native codec, an engine, and the rules of the program.

The model decides; what is not a decision is appended without asking it: a line's text, the only legal name,
the parameters of a call. Constrained, every predicted step is well formed and every next line a legal one;
it then never says that a value was cut, nor that a return or an exception has another line than the one
running. Unconstrained, the model may write anything, and what is no step ends the prediction.

With expression detail the model first works out the sub-expressions of the line, freely but for their number
and length: :attr:`opencwm.traces.Step.evaluations` of the step it then writes.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from opencwm.codec.native import MalformedStep, NativeCodec, StepDecoder, called
from opencwm.codec.native_writer import MAX_EVALUATIONS
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, is_line, is_text, line_label, line_token
from opencwm.core.errors import EngineError
from opencwm.debugger.context import contextualise
from opencwm.debugger.legality import Legal, Legality
from opencwm.debugger.sampler import OutOfContextError, Sampler, SamplingConfig
from opencwm.debugger.supplied import SuppliedCall
from opencwm.debugger.value_grammar import ValueState, value_grammar
from opencwm.model.engine import Engine
from opencwm.source.cfg import ControlFlow
from opencwm.traces import CodeInfo, Step, StepKind

MAX_VALUE_TOKENS = 320
"""A value that goes on longer is malformed: the tracer's bounds make recorded ones shorter."""

MAX_EVALUATION_TOKENS = 72
"""Text and value of an evaluation are ended after so many each; those that are learned from are shorter."""
_EVAL, _IS = frozenset({int(Control.EVAL)}), frozenset({int(Control.IS)})


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """One predicted step and the probabilities of its parts, each in (0, 1], given everything before.

    Attributes:
        step: the step, or why the ids are none.
        probabilities: changed name to the probability of writing it with this value.
        control_probability: of the step's kind and line.
        value_probability: of the returned or raised value, None when there is none.
        num_sampled: decisions the model made.
        num_tokens: ids of the step, appended ones included.
        supplied: changed names whose values the program's call gives; they were not predicted.
    """

    step: Step | MalformedStep
    probabilities: Mapping[str, float]
    control_probability: float
    value_probability: float | None
    num_sampled: int
    num_tokens: int
    supplied: frozenset[str] = frozenset()


class _MalformedError(Exception):
    """The step cannot be completed."""


class StepPredictor:
    """Predicts the steps of one execution in order.

    Args:
        engine: owned by the predictor from now on.
        constrained: whether kinds, lines and names are limited to what the program allows.
        supplied: values of a call's arguments that need no prediction: given the first activation of a
            function at depth 1, the rendered value of each parameter by name.
        expressions: have the model work with expression detail.
    """

    def __init__(
        self,
        codec: NativeCodec,
        engine: Engine,
        view: SourceView,
        control_flow: ControlFlow,
        *,
        constrained: bool = True,
        sampling: SamplingConfig | None = None,
        supplied: SuppliedCall | None = None,
        expressions: bool = False,
    ) -> None:
        self.codec = codec
        self.view = view
        self.control_flow = control_flow
        self.constrained = constrained
        self.supplied = supplied
        self.expressions = expressions
        self.sampler = Sampler(engine, sampling)
        self._legality = Legality(view, control_flow)
        self._decoder = StepDecoder(codec.vocabulary, view, control_flow)
        self._last: Step | None = None
        self._steps: list[Step] = []
        self._ahead: tuple[int, float] | None = None  # an id already decided, and its probability
        self._vocab_size = max(engine.vocab_size, len(codec.vocabulary))
        self._grammar = value_grammar(codec.vocabulary, self._vocab_size)
        self._ids: list[int] = []

    @property
    def codes(self) -> Sequence[CodeInfo]:
        """Code objects entered so far; :attr:`Step.code` indexes it."""
        return self._decoder.codes

    @property
    def is_over(self) -> bool:
        """Whether the entry was left, so that no step can follow."""
        return self._last is not None and not self._decoder.stack

    def start(
        self, steps: Sequence[Step] = (), codes: Sequence[CodeInfo] = (), *, max_tokens: int | None = None
    ) -> None:
        """Put the model where a run stands after ``steps``; without any, at its very start.

        The prompt goes back as many steps as fit into ``max_tokens`` (default: three quarters of the
        engine's context).
        """
        budget = max_tokens if max_tokens is not None else self.sampler.engine.max_tokens * 3 // 4
        context, decoder = contextualise(
            self.codec,
            self.view,
            self.control_flow,
            steps,
            codes,
            max_tokens=budget,
            expressions=self.expressions,
        )
        self._decoder = decoder
        self._steps = list(steps)
        self._last = steps[-1] if steps else None
        self._ahead = None
        self.sampler.restart(context)

    def fork(self, steps: Sequence[Step]) -> StepPredictor:
        """Return an independent predictor that stands after ``steps``, not necessarily its own."""
        twin = StepPredictor(
            self.codec,
            self.sampler.engine.fork(),
            self.view,
            self.control_flow,
            constrained=self.constrained,
            sampling=self.sampler.config,
            supplied=self.supplied,
            expressions=self.expressions,
        )
        twin.start(steps, self.codes)
        return twin

    def predict(self) -> Prediction | None:
        """Predict the next step; None when the run is over.

        Raises:
            EngineError: the engine broke, or the context is too small for one step.
        """
        if self.is_over:
            return None
        try:
            return self._predict()
        except OutOfContextError:
            self.start(self._steps, self.codes)
        try:
            return self._predict()
        except OutOfContextError:
            self.start(self._steps, self.codes, max_tokens=0)
        try:
            return self._predict()
        except OutOfContextError as error:
            raise EngineError(
                "the program and one step do not fit the model's context",
                where=self.view.program.filename,
                hint=f"it holds {self.sampler.engine.max_tokens} tokens; shorten the program or its values",
            ) from error

    def _predict(self) -> Prediction:
        self._ids = []
        sampled = self.sampler.num_sampled
        self._parts: dict[str, float] = {}
        self._supplied_names: set[str] = set()
        self._control = 1.0
        self._value_probability: float | None = None
        try:
            if self.constrained:
                self._constrained_step()
            else:
                self._free_step()
            step = self._decoder.push(self._ids)
        except _MalformedError as error:
            step = MalformedStep(tuple(self._ids), str(error))
        if isinstance(step, Step):
            self._last = step
            self._steps.append(step)
        return Prediction(
            step,
            self._parts,
            self._control,
            self._value_probability,
            self.sampler.num_sampled - sampled,
            len(self._ids),
            frozenset(self._supplied_names),
        )

    # -- decisions

    def _mask(self, tokens: Collection[int]) -> NDArray[np.bool_]:
        mask = np.zeros(self._vocab_size, dtype=np.bool_)
        mask[list(tokens)] = True
        return mask

    def _decide(self, allowed: Collection[int]) -> tuple[int, float]:
        """Return one of ``allowed`` and its probability; a single possibility is appended without asking."""
        if self._ahead is not None:
            token, probability = self._ahead
            self._ahead = None
        elif not allowed:
            raise _MalformedError("the control-flow graph allows nothing here")
        elif len(allowed) == 1:
            token, probability = next(iter(allowed)), 1.0
            self.sampler.force((token,))
        else:
            token, distribution = self.sampler.choose(self._mask(allowed))
            probability = float(distribution[token])
        self._ids.append(token)
        return token, probability

    def _force(self, ids: Sequence[int]) -> None:
        self.sampler.force(ids)
        self._ids.extend(ids)

    def _text(self, ends: Collection[int]) -> float:
        """Write text until one of ``ends`` is decided, the id ahead then; return the text's probability.

        Where the model would end the value within a bracket or a string, what is open is closed first.
        """
        logarithm = 0.0
        state = ValueState()
        ending = list(ends)
        for count in range(MAX_VALUE_TOKENS):
            mask = self._grammar.allowed(state)
            with_ends = mask.copy()
            with_ends[ending] = count > 0
            if not state.is_complete and self.sampler.probabilities(with_ends).argmax() in ends:
                mask = self._grammar.closing(state)
            elif state.is_complete:
                mask = with_ends
            token, distribution = self.sampler.choose(mask)
            if is_text(token):
                self._ids.append(token)
                state.feed(self._grammar.text_of(token))
                logarithm += math.log(max(float(distribution[token]), 1e-300))
                continue
            mass = float(distribution[ending].sum())
            self._ahead = (token, float(distribution[token]) / mass)
            return math.exp(logarithm + math.log(max(mass, 1e-300)))
        raise _MalformedError(f"a value of more than {MAX_VALUE_TOKENS} tokens")

    def _spell(self, names: Sequence[str], ends: Callable[[str], Collection[int]]) -> tuple[str, float]:
        """Choose one of ``names`` and the id after it out of its ``ends``, which becomes the id ahead."""
        options = {name: self.codec.vocabulary.encode_text(name) for name in names}
        probability, position = 1.0, 0
        while True:
            finished = next((name for name, ids in options.items() if len(ids) == position), None)
            following = {ids[position] for ids in options.values() if len(ids) > position}
            leaving = set(ends(finished)) if finished is not None else set()
            token, chance = self._decide(following | leaving)
            probability *= chance
            if finished is not None and token in leaving:
                self._ids.pop()
                self._ahead = (token, 1.0)
                return finished, probability
            options = {
                name: ids for name, ids in options.items() if len(ids) > position and ids[position] == token
            }
            position += 1

    # -- a step within the rules

    def _constrained_step(self) -> None:
        if self.supplied is not None and self._is_at_the_call():
            token, probability = self._first(frozenset({int(Control.CALL)}))
            self._call(token, probability, self.supplied)
            return
        legal = self._legality.next_step(self._decoder.stack, self.codes, self._last)
        if legal is None:
            raise _MalformedError("nothing is running")
        token, probability = self._first(legal.first())
        if token in (Control.CALL, Control.RESUME):
            self._call(token, probability)
            return
        token, probability = self._effects(legal, token, probability)
        self._control = probability
        if is_line(token):
            self._echo(token)
        elif token != Control.UNWIND:
            self._value_probability = self._text(self._after_leaving(Control(token)))

    def _first(self, allowed: frozenset[int]) -> tuple[int, float]:
        """Let the model work out sub-expressions, and return the id the step proper begins with."""
        if not self.expressions:
            return self._decide(allowed)
        for count in range(MAX_EVALUATIONS + 1):
            may_go_on = count < MAX_EVALUATIONS
            token, probability = self._decide(allowed | _EVAL if may_go_on else allowed)
            if token != Control.EVAL:
                return token, probability
            self._note(_IS)
            self._decide(())
            self._note(allowed | _EVAL if count + 1 < MAX_EVALUATIONS else allowed)
        raise _MalformedError(f"more than {MAX_EVALUATIONS} sub-expressions")

    def _note(self, ends: frozenset[int]) -> None:
        """Write text of an evaluation until one of ``ends`` is decided, the id ahead then."""
        ending = list(ends)
        only_ends = self._mask(ends)
        with_text = only_ends | self._grammar.anything
        for count in range(MAX_EVALUATION_TOKENS + 1):
            mask = self._grammar.anything if count == 0 else with_text
            token, distribution = self.sampler.choose(mask if count < MAX_EVALUATION_TOKENS else only_ends)
            if token in ends:
                self._ahead = (token, float(distribution[token] / distribution[ending].sum()))
                return
            self._ids.append(token)

    def _effects(self, legal: Legal, token: int, probability: float) -> tuple[int, float]:
        settable, deletable = legal.settable, legal.deletable
        written: list[str] = []
        while token == Control.SET:
            name, chance = self._spell(legal.next_names(written, settable), _before_value)
            self._decide((int(Control.IS),))
            written.append(name)
            settable = settable[settable.index(name) + 1 :]
            deletable = tuple(other for other in deletable if other != name)
            value = self._text(legal.following(written, settable, deletable))
            self._parts[name] = probability * chance * value
            token, probability = self._decide(())
        while token == Control.DELETE:
            name, _ = self._spell(
                deletable, functools.partial(_after_deleted, legal, tuple(written), deletable)
            )
            deletable = deletable[deletable.index(name) + 1 :]
            token, probability = self._decide(())
        return token, probability

    def _call(self, token: int, probability: float, supplied: SuppliedCall | None = None) -> None:
        arguments = supplied.arguments if supplied else {}
        lines: Collection[int]
        if supplied:
            lines = (line_token(self.view.label_of[supplied.lineno]),)
        elif token == Control.RESUME:
            lines = self._legality.resume_lines
        elif self._last is None:
            entry = self._legality.entry_line(self.view.program.entry)
            lines = self._legality.call_lines if entry is None else (entry,)
        else:
            lines = self._legality.call_lines_at(self._decoder.stack[-1].lineno)
        line, chance = self._decide(lines)
        self._control = probability * chance
        self._echo(line)
        lineno = self.view.line_at(line_label(line))
        graph = called(self.control_flow, lineno or 0, (), resumes=token == Control.RESUME)
        if graph is None:
            raise _MalformedError(f"no function starts or is suspended at line {lineno}")
        optional = [name for name in graph.local_names if name in graph.shared and name not in graph.params]
        if token == Control.RESUME:
            self._optional_bindings(list(graph.local_names))
            return
        for index, name in enumerate(graph.params):
            self._decide((int(Control.SET),))
            self._force((*self.codec.vocabulary.encode_text(name), Control.IS))
            is_last = index == len(graph.params) - 1
            ends = self._bindings_end(optional) if is_last else (int(Control.SET),)
            if name in arguments:
                self._force(self.codec.vocabulary.encode_text(arguments[name]))
                self._supplied_names.add(name)
            else:
                self._parts[name] = self._text(ends)
        self._optional_bindings(optional)

    def _optional_bindings(self, names: list[str]) -> None:
        while True:
            token, probability = self._decide(self._bindings_end(names))
            if token == Control.BODY:
                return
            name, chance = self._spell(names, _before_value)
            self._decide((int(Control.IS),))
            names = names[names.index(name) + 1 :]
            self._parts[name] = probability * chance * self._text(self._bindings_end(names))

    @staticmethod
    def _bindings_end(names: Sequence[str]) -> tuple[int, ...]:
        return (int(Control.SET), int(Control.BODY)) if names else (int(Control.BODY),)

    def _is_at_the_call(self) -> bool:
        """Whether the wrapper's line is about to make the program's call."""
        return self._last is not None and self._last.kind is StepKind.LINE and len(self.codes) == 1

    def _echo(self, token: int) -> None:
        lineno = self.view.line_at(line_label(token))
        if lineno is None:
            raise _MalformedError(f"{self.codec.vocabulary.token_name(token)} is no line that is shown")
        self._force(self.view.echo_ids(lineno, self.codec.vocabulary))

    def _after_leaving(self, ending: Control) -> frozenset[int]:
        """Ids that may follow the value of a RETURN, YIELD or RAISE: the first ids of the next step."""
        stack = self._decoder.stack
        if ending == Control.RAISE:
            pretended = Step(StepKind.EXCEPTION, 0, stack[-1].lineno, len(stack) - 1)
        else:
            pretended = Step(StepKind.RETURN, 0, stack[-1].lineno, len(stack) - 1)
            stack = stack[:-1]
        legal = self._legality.next_step(stack, self.codes, pretended)
        if legal is None:
            return frozenset({int(Control.END)})
        return legal.first() | _EVAL if self.expressions else legal.first()

    # -- a step without rules

    def _free_step(self) -> None:
        is_call, at_start = False, True
        for _ in range(4 * MAX_VALUE_TOKENS):
            token = self._next_free()
            is_call = is_call or (at_start and token in (Control.CALL, Control.RESUME))
            at_start = at_start and (token in (Control.EVAL, Control.IS) or is_text(token))
            if is_line(token):
                if len(self._ids) > 1 and self._ids[-2] == Control.AT:
                    continue
                self._echo(token)
                if not is_call:
                    return
            elif token in (Control.BODY, Control.UNWIND, Control.END):
                return
            elif token in (Control.RETURN, Control.YIELD, Control.RAISE):
                self._free_value()
                return
        raise _MalformedError("the step does not end")

    def _next_free(self) -> int:
        if self._ahead is not None:
            token, probability = self._ahead
            self._ahead = None
        else:
            token, distribution = self.sampler.choose(None)
            probability = float(distribution[token])
        self._ids.append(token)
        self._control *= probability
        return token

    def _free_value(self) -> None:
        logarithm = 0.0
        for _ in range(MAX_VALUE_TOKENS):
            token, distribution = self.sampler.choose(None)
            probability = float(distribution[token])
            if not is_text(token):
                self._ahead = (token, probability)
                self._value_probability = math.exp(logarithm)
                return
            self._ids.append(token)
            logarithm += math.log(max(probability, 1e-300))
        raise _MalformedError(f"a value of more than {MAX_VALUE_TOKENS} tokens")


def _after_deleted(legal: Legal, written: Sequence[str], names: Sequence[str], name: str) -> frozenset[int]:
    return legal.following(written, (), names[names.index(name) + 1 :])


def _before_value(name: str) -> tuple[int, ...]:  # noqa: ARG001 - whatever the name
    return (int(Control.IS),)
