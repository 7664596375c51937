"""The inverse question: which call of a function ends in this result.

The model writes calls; whether one is an answer only running it tells. The first is its best guess, greedy;
more are drawn at a temperature. What it writes is a call expression of Python, whatever the model says:
brackets and strings are closed, it ends only where it parses, and it has as many arguments as the function
takes. Starred arguments are not written.
"""

from __future__ import annotations

import ast
import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from opencwm.codec.native import NativeCodec
from opencwm.codec.native_input import input_prompt
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, is_text
from opencwm.debugger.sampler import Sampler
from opencwm.debugger.value_grammar import ValueGrammar, ValueState, value_grammar
from opencwm.model.engine import ScoringEngine
from opencwm.model.sampling import SamplingConfig
from opencwm.source.signatures import ANY, Arity, arity_of
from opencwm.traces import Outcome

MAX_CALL_TOKENS = 320
"""A call that goes on longer is no answer."""

TEMPERATURE = 0.8
"""Of every call but the first."""


@dataclasses.dataclass(frozen=True, slots=True)
class PredictedCall:
    """A call that may end in the wanted result.

    Attributes:
        call: a Python expression, ``name(...)``.
        probability: that the model writes it, in (0, 1].
        num_sampled: tokens the model decided.
    """

    call: str
    probability: float
    num_sampled: int


def predict_calls(
    codec: NativeCodec,
    engine: ScoringEngine,
    view: SourceView,
    name: str,
    wanted: Outcome,
    *,
    num_draws: int = 1,
    seed: int = 0,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[PredictedCall]:
    """Yield distinct calls, the greedy one first; draws that fail or repeat an earlier call give none.

    Args:
        codec: of the engine's vocabulary.
        engine: its sequence is replaced.
        view: what is shown of the program; its wrapper is left out.
        name: of the function, as the call begins: the text before the first parenthesis.
        wanted: what the call is to return or to raise.
        num_draws: most calls.
        seed: of all draws but the first.
        is_cancelled: asked before each token; once true, there are no more calls.

    Raises:
        CodecError: nothing but the wrapper is shown.
        EngineError: the engine broke.
    """
    arity = arity_of(view.program.source, name)
    prompt = input_prompt(codec, view, name, wanted)
    if len(prompt) + 2 >= engine.max_tokens:
        return
    seen: set[str] = set()
    for draw in range(num_draws):
        sampling = SamplingConfig(temperature=TEMPERATURE if draw else 0.0, seed=seed + draw)
        sampler = Sampler(engine, sampling)
        sampler.restart(prompt)
        room = min(MAX_CALL_TOKENS, engine.max_tokens - len(prompt) - 1)
        found = _write(codec, sampler, name, arity, room, is_cancelled)
        if is_cancelled():
            return
        if found is not None and found.call not in seen:
            seen.add(found.call)
            yield found


def _write(
    codec: NativeCodec,
    sampler: Sampler,
    name: str,
    arity: Arity,
    max_tokens: int,
    is_cancelled: Callable[[], bool],
) -> PredictedCall | None:
    size = max(sampler.engine.vocab_size, len(codec.vocabulary))
    grammar, state = value_grammar(codec.vocabulary, size), ValueState()
    arguments = _Arguments(grammar, arity)
    written, logarithm = "", 0.0
    for _ in range(max_tokens):
        mask = grammar.allowed(state) & (arguments.allowed(state) if written else arguments.opening)
        if not mask.any() or is_cancelled():
            return None
        mask[Control.END] = state.is_complete and is_call(name + written)
        token, distribution = sampler.choose(mask)
        logarithm += math.log(max(float(distribution[token]), 1e-300))
        if not is_text(token):
            return PredictedCall(name + written, math.exp(logarithm), sampler.num_sampled)
        text = grammar.text_of(token)
        for character in text:
            arguments.feed(character, state)
            state.feed(character)
        written += text
    return None


class _Arguments:
    """Counts the arguments of the outermost call while it is written, and keeps to an arity.

    Pieces of text with a bracket and more are left out where the count matters, so that none is overlooked.
    """

    def __init__(self, grammar: ValueGrammar, arity: Arity) -> None:
        self._arity = arity
        self._commas, self._is_empty, self._is_over = 0, True, False
        self._anything = grammar.anything
        self._no_comma = grammar.without(",")
        self._no_end = grammar.without(")")
        self.opening = grammar.starting_with("(") & self._no_comma
        if arity.least:
            self.opening &= self._no_end
        self._no_star = grammar.without("*") if arity != ANY else grammar.anything

    def allowed(self, state: ValueState) -> NDArray[np.bool_]:
        """Return the text ids that the arity allows next."""
        if self._is_over or state.quote or state.brackets != ["("]:
            return self._anything
        mask = self._no_star
        if self._arity.most is not None and self._commas + 1 >= self._arity.most:
            mask = mask & self._no_comma
        if self._commas + (not self._is_empty) < self._arity.least:
            mask = mask & self._no_end
        return mask

    def feed(self, character: str, state: ValueState) -> None:
        """Go on by a character that is written where ``state`` is."""
        if self._is_over or state.quote or state.brackets != ["("]:
            return
        if character == ",":
            self._commas += 1
            self._is_empty = True
        elif character == ")":
            self._is_over = True
        elif not character.isspace():
            self._is_empty = False


def is_call(text: str) -> bool:
    """Whether ``text`` is a Python call expression."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return isinstance(ast.parse(text, mode="eval").body, ast.Call)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
