"""Predict one step after another: the native codec, an engine, and the rules of the program.

The model decides; what is not a decision is appended without asking it: a line's text, the only legal name,
the parameters of a call. Constrained, every predicted step is well formed and every next line a legal one;
it then never says that a value was cut, nor that a return or an exception has another line than the one
running. Unconstrained, the model may write anything, and what is no step ends the prediction.

With expression detail the model first works out the sub-expressions of the line, which become
:attr:`opencwm.traces.Step.evaluations` of the step it then writes. Where the line can be followed
(:mod:`opencwm.debugger.foreseeing`) it is asked for their values only, and not again for what those settle.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Collection, Mapping, Sequence

from opencwm.codec.native import MalformedStep, NativeCodec, StepDecoder, called
from opencwm.codec.native_writer import MAX_EVALUATIONS, is_written
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, is_line, line_label, line_token
from opencwm.core.errors import EngineError
from opencwm.debugger.assumed import NOTHING_ASSUMED, Assumed
from opencwm.debugger.context import contextualise
from opencwm.debugger.foreseeing.expectations import (
    EnteringError,
    Expected,
    Outcome,
    ResumingError,
    UnforeseenError,
)
from opencwm.debugger.foreseeing.foresight import Foresight
from opencwm.debugger.foreseeing.workings import Workings
from opencwm.debugger.free_step import FreeStep
from opencwm.debugger.legality import Legal, Legality, has_just_come
from opencwm.debugger.prediction import Prediction
from opencwm.debugger.sampler import OutOfContextError, Sampler
from opencwm.debugger.step_search import Attempt, SearchConfig, elected
from opencwm.debugger.supplied import SuppliedCall
from opencwm.debugger.token_writer import MalformedError, TokenWriter
from opencwm.debugger.window import HiddenError, Window
from opencwm.debugger.working import Working
from opencwm.model.engine import ScoringEngine
from opencwm.model.sampling import SamplingConfig
from opencwm.source.cfg import CodeGraph, ControlFlow
from opencwm.traces import CodeInfo, Step, StepFlags, StepKind

LEAST_PROBABILITY = 1e-4
"""Foreseen text of an evaluation is not written where the model finds one of its ids less probable."""
_SET = frozenset({int(Control.SET)})
_BODY = frozenset({int(Control.BODY)})
_INTERRUPTIONS = frozenset(map(int, (Control.RAISE, Control.CALL, Control.RESUME)))
_CAUGHT_UNSEEN = ("StopIteration", "StopAsyncIteration", "AttributeError", "GeneratorExit")
_EVAL, _IS = frozenset({int(Control.EVAL)}), frozenset({int(Control.IS)})


class _BegunError(Exception):
    """The model goes on from sub-expressions to the step itself, with this id."""

    def __init__(self, token: int, probability: float) -> None:
        super().__init__()
        self.token = token
        self.probability = probability


class StepPredictor:
    """Predicts the steps of one execution in order.

    Args:
        engine: owned by the predictor from now on.
        view: what the model is shown first; of a long program that moves with the run.
        constrained: whether kinds, lines and names are limited to what the program allows.
        supplied: values of a call's arguments that need no prediction: given the first activation of a
            function at depth 1, the rendered value of each parameter by name.
        expressions: have the model work with expression detail.
        working: who works out the sub-expressions then; without the rules always the model.
        search: whether unsure steps are attempted again.
        assumed: which values assumptions give.
    """

    def __init__(
        self,
        codec: NativeCodec,
        engine: ScoringEngine,
        view: SourceView,
        control_flow: ControlFlow,
        *,
        constrained: bool = True,
        sampling: SamplingConfig | None = None,
        supplied: SuppliedCall | None = None,
        expressions: bool = False,
        working: Working = Working.FOLLOWED,
        search: SearchConfig | None = None,
        assumed: Assumed = NOTHING_ASSUMED,
    ) -> None:
        self.codec = codec
        self.assumed = assumed
        self.control_flow = control_flow
        self.constrained = constrained
        self.supplied = supplied
        self.expressions = expressions
        self.working = working
        self.search = search or SearchConfig()
        self.sampler = Sampler(engine, sampling)
        self._writer = TokenWriter(self.sampler, codec.vocabulary)
        self._window = Window(view, control_flow, codec.vocabulary, max_tokens=engine.max_tokens)
        self._legality = Legality(view, control_flow)
        self._decoder = StepDecoder(codec.vocabulary, view, control_flow)
        self._last: Step | None = None
        self._steps: list[Step] = []
        self._foresight: Foresight | None = None
        if expressions and constrained and working is not Working.FREE:
            workings = Workings.of(view.program.text)
            self._foresight = Foresight(workings, calculates=working is Working.CALCULATED)

    @property
    def view(self) -> SourceView:
        """What the model is shown of the program now."""
        return self._window.view

    @property
    def codes(self) -> Sequence[CodeInfo]:
        """Code objects entered so far; :attr:`Step.code` indexes it."""
        return self._decoder.codes

    @property
    def is_over(self) -> bool:
        """Whether the entry was left, so that no step can follow."""
        return self._last is not None and not self._decoder.stack

    @property
    def _running(self) -> int:
        """The line that runs in the innermost activation; 0 before its first one."""
        is_running = self._last is not None and self._last.kind is not StepKind.CALL
        return self._decoder.stack[-1].lineno if is_running and self._decoder.stack else 0

    def start(
        self,
        steps: Sequence[Step] = (),
        codes: Sequence[CodeInfo] = (),
        *,
        max_tokens: int | None = None,
        entering: int = 0,
    ) -> None:
        """Put the model where a run stands after ``steps``; without any, at its very start.

        The prompt goes back as many steps as fit into ``max_tokens`` (default: three quarters of the
        engine's context). ``entering``: first line of a function that is to be shown as well, 0 for none.
        """
        if max_tokens is None:
            self._window.widen()
        if self._window.move(steps, codes, entering=entering):
            self._legality = Legality(self.view, self.control_flow)
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
        self._writer.ahead = None
        self.sampler.restart(context)
        if self._foresight is not None:
            self._foresight.restart(steps, codes)

    def fork(self, steps: Sequence[Step], *, sampling: SamplingConfig | None = None) -> StepPredictor:
        """Return an independent predictor that stands after ``steps``, not necessarily its own.

        Tokens are picked as ``sampling`` says, by default as here.
        """
        twin = StepPredictor(
            self.codec,
            self.sampler.engine.fork(),
            self.view,
            self.control_flow,
            constrained=self.constrained,
            sampling=sampling or self.sampler.config,
            supplied=self.supplied,
            expressions=self.expressions,
            working=self.working,
            search=self.search,
            assumed=self.assumed,
        )
        twin.start(steps, self.codes[: max((step.code + 1 for step in steps), default=0)])
        return twin

    def predict(self) -> Prediction | None:
        """Predict the next step; None when the run is over.

        Raises:
            EngineError: the engine broke, or the context is too small for one step.
        """
        if self.is_over:
            return None
        before = self.sampler.engine.num_passes
        if not self._window.holds(self._decoder.stack, self.codes):
            self.start(self._steps, self.codes)
        prediction = self._predict_anyhow()
        return dataclasses.replace(prediction, num_passes=self.sampler.engine.num_passes - before)

    def _predict_anyhow(self) -> Prediction:
        """Predict the next step, starting anew from less and less where the context is full.

        And once from what shows a function that the line is sure to enter.
        """
        left: list[int | None] = [0, None]
        max_tokens, entering = None, 0
        while True:
            try:
                return self._predict()
            except HiddenError as hidden:
                entering = hidden.first
            except OutOfContextError as error:
                if not left and not self._window.narrow(self._steps, self.codes):
                    problem = "what runs and one step do not fit the model's context"
                    hint = f"it holds {self.sampler.engine.max_tokens} tokens; shorten the program's values"
                    raise EngineError(problem, where=self.view.program.filename, hint=hint) from error
                max_tokens = left.pop() if left else 0
            self.start(self._steps, self.codes, max_tokens=max_tokens, entering=entering)

    def _predict(self) -> Prediction:
        sampled = self.sampler.num_sampled
        before, ahead = self.sampler.ids, self._writer.ahead
        try:
            attempt = self._attempt()
            if self.search.samples and attempt.logarithm < math.log(max(self.search.below, 1e-300)):
                attempt = self._best_of(attempt, before, ahead)
        except EngineError:  # whoever asks for the step again gets it from where it begins
            self.sampler.restart(before)
            self._writer.ahead = ahead
            raise
        running = self._running
        malformed = MalformedStep(attempt.ids, attempt.malformed) if attempt.malformed else None
        step = malformed or self._decoder.push(attempt.ids)
        supplied, is_value_supplied = attempt.supplied, False
        if isinstance(step, Step):
            names, is_value_supplied = self.assumed.supplies(running, step)
            supplied |= names
            self._last = step
            self._steps.append(step)
            if self._foresight is not None:
                self._foresight.push(step, self._decoder.stack, self.codes)
        return Prediction(
            step,
            attempt.probabilities,
            attempt.control_probability,
            attempt.value_probability,
            self.sampler.num_sampled - sampled,
            len(attempt.ids),
            supplied=supplied,
            is_value_supplied=is_value_supplied,
        )

    def _attempt(self) -> Attempt:
        """Write one step; nothing but the sampler and the writer know of it."""
        self._writer.ids = []
        self._parts: dict[str, float] = {}
        self._supplied_names: set[str] = set()
        self._evaluated: list[tuple[str, str]] = []
        self._raised: str | None = None
        self._entering = 0
        self._resuming: ResumingError | None = None
        self._control = 1.0
        self._value_probability: float | None = None
        before = self.sampler.logarithm
        malformed = ""
        try:
            if self.constrained:
                self._constrained_step()
            else:
                self._free_step()
        except MalformedError as error:
            malformed = str(error) or "no step"
        return Attempt(
            tuple(self._writer.ids),
            malformed,
            self.sampler.logarithm - before,
            self._parts,
            self._control,
            self._value_probability,
            frozenset(self._supplied_names),
        )

    def _best_of(self, first: Attempt, before: Sequence[int], ahead: tuple[int, float] | None) -> Attempt:
        """Attempt a step some more times from where ``before`` ends; stand behind the one elected."""
        attempts, greedy = [first], self.sampler.config
        start = before[:-1] if ahead is not None else before
        for number in range(self.search.samples):
            self.sampler.restart(before)
            self._writer.ahead = ahead
            self.sampler.draw_by(self.search.sampling(len(before), number))
            try:
                attempts.append(self._attempt())
            finally:
                self.sampler.draw_by(greedy)
        best = elected(attempts)
        self._writer.ahead = None
        self.sampler.restart([*start, *best.ids])
        return best

    # -- a step within the rules

    def _constrained_step(self) -> None:
        if self.supplied is not None and self._is_at_the_call():
            token, probability = self._first(frozenset({int(Control.CALL)}))
            self._call(token, probability, self.supplied)
            return
        legal = self._legality.next_step(self._decoder.stack, self.codes, self._last)
        if legal is None:
            raise MalformedError("nothing is running")
        self._worked = 1.0
        token, probability, legal, outcome = self._begin(legal)
        if token in (Control.CALL, Control.RESUME):
            self._call(token, probability)
            return
        known = {**outcome.values, **self.assumed.values.get(self._running, {})}
        token, probability = self._effects(legal, token, probability, known)
        self._control = probability
        if is_line(token):
            self._echo(token)
        elif token != Control.UNWIND:
            ends = self._legality.after_leaving(Control(token), self._decoder.stack, self.codes)
            ends |= _EVAL if self.expressions and Control.END not in ends else frozenset()
            returned = outcome.returned if token in (Control.RETURN, Control.YIELD) else self._raised
            if token == Control.RETURN:
                returned = self.assumed.returned.get(self._running, returned)
            if token == Control.RETURN and self._foresight is not None and self._foresight.returns_none:
                returned = "None"
            self._value_probability = self._value(returned, ends, is_last=True)

    # -- sub-expressions

    def _begin(self, legal: Legal) -> tuple[int, float, Legal, Outcome]:
        """Let the model work out sub-expressions; return the id of what follows and its probability.

        With them what is legal, narrowed by the outcome of the line, and that outcome: empty unless the line
        could be followed to its end.
        """
        outcome = Outcome()
        if self.expressions and self._last is not None:  # no line ran before the first step
            allowed = legal.first()
            try:
                if self._foresight is not None:
                    self._raised = self._passed_on(legal)
                    if self._raised is not None:
                        return *self._writer.decide(frozenset({int(Control.RAISE)})), legal, outcome
                    outcome = self._foresight.follow(functools.partial(self._expected, allowed))
                    if outcome.raised is not None and Control.RAISE in allowed:
                        self._raised = outcome.raised
                        return *self._writer.decide(frozenset({int(Control.RAISE)})), legal, outcome
                    legal = self._narrowed(legal, outcome)
            except EnteringError as entering:
                if Control.CALL in allowed and self._legality.label(entering.first) is not None:
                    self._entering = entering.first
                    return *self._writer.decide(frozenset({int(Control.CALL)})), legal, outcome
                self._window.enter(entering.first, self._steps, self.codes)
            except ResumingError as resuming:
                if Control.RESUME in allowed:
                    self._resuming = resuming
                    return *self._writer.decide(frozenset({int(Control.RESUME)})), legal, outcome
            except UnforeseenError:
                pass
            except _BegunError as begun:
                return begun.token, begun.probability, legal, outcome
            if not outcome.is_told and not has_just_come(self._last):
                return *self._first(legal.first()), legal, outcome
        return *self._writer.decide(legal.first()), legal, outcome

    def _passed_on(self, legal: Legal) -> str | None:
        """Return the exception that left a called function and arrives here, as it reads; None for none.

        Functions that Python calls by itself are left out, and exceptions that end loops and look-ups: what
        called those may catch them unseen.
        """
        last = self._last
        if last is None or legal.may_call_unseen or not last.flags & StepFlags.UNWIND:
            return None
        steps = (step for step in reversed(self._steps) if step.kind is StepKind.EXCEPTION)
        value = next((step.value for step in steps), None)
        is_caught_unseen = value is None or value.startswith(_CAUGHT_UNSEEN)
        return None if is_caught_unseen or Control.RAISE not in legal.ends else value

    def _narrowed(self, legal: Legal, outcome: Outcome) -> Legal:
        assert self._foresight is not None  # noqa: S101 - asked for by what has it
        branch = self._legality.label(self._foresight.branch)
        leads_to = outcome.leads_to
        following = None if leads_to is None else self._legality.ids_of(leads_to)
        return legal.narrowed(outcome, branch, self._decoder.stack[-1].locals, following)

    def _first(self, allowed: frozenset[int]) -> tuple[int, float]:
        """Let the model work out any more sub-expressions, and return the id the step proper begins with."""
        while self.expressions:
            may_go_on = len(self._evaluated) < MAX_EVALUATIONS
            token, probability = self._writer.decide(allowed | _EVAL if may_go_on else allowed)
            if token != Control.EVAL:
                return token, probability
            text, _ = self._writer.note(_IS)
            self._writer.decide(())
            self._evaluated.append((text, self._writer.note(allowed | _EVAL)[0]))
        return self._writer.decide(allowed)

    def _expected(self, allowed: frozenset[int], expected: Expected) -> tuple[str, str]:
        """Have the model write the next evaluation, which is expected; return its text and value.

        Raises:
            UnforeseenError: there are too many.
            _BegunError: it goes on to the step itself.
        """
        is_full = len(self._evaluated) >= MAX_EVALUATIONS  # a document holds no more, whatever comes
        if is_full and self.working is not Working.CALCULATED:
            raise UnforeseenError
        encode = self.codec.vocabulary.encode_text
        text, value = expected.text, expected.value
        if self.working is Working.CALCULATED and value is None and self._foresight is not None:
            value = self._foresight.workings.known.calculated(expected)
            if value is None and Control.RAISE in allowed:
                self._raised = self._foresight.workings.known.raised(expected)
                if self._raised is not None:
                    self._writer.decide(frozenset({int(Control.RAISE)}))
                    raise _BegunError(int(Control.RAISE), 1.0)
        if text is not None and value is not None:
            if is_written(text, value) and not is_full:
                self._writer.retract()
                self._writer.force((Control.EVAL, *encode(text), Control.IS, *encode(value)))
                self._evaluated.append((text, value))
            return text, value
        if is_full:
            raise UnforeseenError
        possible = allowed & _INTERRUPTIONS if expected.is_certain else allowed
        token, probability = self._writer.decide(possible | _EVAL)
        if token != Control.EVAL:
            raise _BegunError(token, probability)
        ids = [] if text is None else encode(text)
        if expected.is_certain:
            self._writer.force((*ids, Control.IS))
        elif ids and self.sampler.accept(ids, LEAST_PROBABILITY):
            self._writer.ids.extend(ids)
            self._writer.decide(_IS)
        else:
            text, _ = self._writer.note(_IS)
            self._writer.decide(())
        value, chance = self._writer.note(allowed | _EVAL)
        self._worked *= chance
        self._evaluated.append((text or "", value))
        return self._evaluated[-1]

    # -- what the step says

    def _value(self, known: str | None, ends: Collection[int], *, is_last: bool = False) -> float:
        """Write a value and decide the id ahead; return the probability of the value.

        Of one that sub-expressions settle that is theirs, and if the step ends with it nothing is decided.
        """
        if known is None:
            return self._writer.text(ends)
        self._writer.force(self.codec.vocabulary.encode_text(known))
        if is_last:
            return self._worked
        self._writer.ahead = self._writer.decide(ends)
        self._writer.ids.pop()
        return self._worked

    def _effects(
        self, legal: Legal, token: int, probability: float, known: Mapping[str, str]
    ) -> tuple[int, float]:
        settable, deletable = legal.settable, legal.deletable
        written: list[str] = []
        while token == Control.SET:
            name, chance = self._writer.spell(legal.next_names(written, settable), _before_value)
            self._writer.decide((int(Control.IS),))
            written.append(name)
            settable = settable[settable.index(name) + 1 :]
            deletable = tuple(other for other in deletable if other != name)
            ends = legal.following(written, settable, deletable)
            value = self._value(known.get(name), ends)
            self._parts[name] = probability * chance * value
            token, probability = self._writer.decide(())
        while token == Control.DELETE:
            name, _ = self._writer.spell(
                deletable, functools.partial(legal.after_deleted, tuple(written), deletable)
            )
            deletable = deletable[deletable.index(name) + 1 :]
            token, probability = self._writer.decide(())
        return token, probability

    def _call(self, token: int, probability: float, supplied: SuppliedCall | None = None) -> None:
        lines: Collection[int]
        if supplied:
            lines = (line_token(self.view.label_of[supplied.lineno]),)
        elif token == Control.RESUME:
            label = self._legality.label(self._resuming.suspended.lineno) if self._resuming else None
            lines = self._legality.resume_lines if label is None else (label,)
        elif self._last is None:
            entry = self._legality.entry_line(self.view.program.entry)
            lines = self._legality.call_lines if entry is None else (entry,)
        else:
            lines = self._callees(self._legality.call_lines_at(self._decoder.stack[-1].lineno))
        line, chance = self._writer.decide(lines)
        self._control = probability * chance
        self._echo(line)
        lineno = self.view.line_at(line_label(line))
        graph = called(self.control_flow, lineno or 0, (), resumes=token == Control.RESUME)
        if graph is None:
            raise MalformedError(f"no function starts or is suspended at line {lineno}")
        optional = [name for name in graph.local_names if name in graph.shared and name not in graph.params]
        if token == Control.RESUME:
            self._resumed(graph)
            return
        arguments: Mapping[str, str] = supplied.arguments if supplied else {}
        if not supplied and self._foresight is not None:
            arguments = self._foresight.arguments(lineno or 0, self._evaluated)
        for index, name in enumerate(graph.params):
            self._writer.decide((int(Control.SET),))
            self._writer.force((*self.codec.vocabulary.encode_text(name), Control.IS))
            is_last = index == len(graph.params) - 1
            ends = self._bindings_end(optional) if is_last else (int(Control.SET),)
            if supplied and name in arguments:
                self._writer.force(self.codec.vocabulary.encode_text(arguments[name]))
                if name in self.assumed.invented:
                    self._parts[name] = self.assumed.invented[name]
                else:
                    self._supplied_names.add(name)
            else:
                self._parts[name] = self._value(arguments.get(name), ends)
        self._optional_bindings(optional, arguments)

    def _resumed(self, graph: CodeGraph) -> None:
        """Write the locals of a generator that goes on."""
        if self._resuming is None or graph.shared:
            self._optional_bindings(list(graph.local_names))
            return
        names = [name for name in graph.local_names if name in self._resuming.suspended.left]
        kept = self._resuming.kept(frozenset())
        for index, name in enumerate(names):
            self._writer.decide(_SET)
            self._writer.force((*self.codec.vocabulary.encode_text(name), Control.IS))
            value = self._value(kept.get(name), _SET if index < len(names) - 1 else _BODY)
            if name not in kept:
                self._parts[name] = value
        self._writer.decide(_BODY)

    def _callees(self, lines: Collection[int]) -> Collection[int]:
        """Return those of the functions that may be called which the line calls next."""
        if self._foresight is None:
            return lines
        if self._entering:
            label = self._legality.label(self._entering)
            return [line for line in lines if line == label] or lines
        first_lines = {self.view.line_at(line_label(line)) or 0: line for line in lines}
        return [first_lines[first] for first in self._foresight.next_callees(first_lines, self._evaluated)]

    def _optional_bindings(self, names: list[str], known: Mapping[str, str] | None = None) -> None:
        while True:
            is_first_known = bool(names) and names[0] in (known or {})
            token, probability = self._writer.decide(_SET if is_first_known else self._bindings_end(names))
            if token == Control.BODY:
                return
            name, chance = self._writer.spell(names[:1] if is_first_known else names, _before_value)
            self._writer.decide((int(Control.IS),))
            names = names[names.index(name) + 1 :]
            value = self._value((known or {}).get(name), self._bindings_end(names))
            self._parts[name] = probability * chance * value

    @staticmethod
    def _bindings_end(names: Sequence[str]) -> tuple[int, ...]:
        return (int(Control.SET), int(Control.BODY)) if names else (int(Control.BODY),)

    def _is_at_the_call(self) -> bool:
        """Whether the wrapper's line is about to make the program's call."""
        return self._last is not None and self._last.kind is StepKind.LINE and len(self.codes) == 1

    def _echo(self, token: int) -> None:
        lineno = self.view.line_at(line_label(token))
        if lineno is None:
            raise MalformedError(f"{self.codec.vocabulary.token_name(token)} is no line that is shown")
        self._writer.force(self.view.echo_ids(lineno, self.codec.vocabulary))

    # -- a step without rules

    def _free_step(self) -> None:
        free = FreeStep(self.sampler, self._writer, self._echo)
        try:
            free.write()
        finally:
            self._control, self._value_probability = free.control_probability, free.value_probability


def _before_value(name: str) -> tuple[int, ...]:  # noqa: ARG001 - whatever the name
    return (int(Control.IS),)
