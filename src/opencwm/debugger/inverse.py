"""The inverse question: which call of a function ends in this result.

The model writes calls; whether one is an answer only running it tells. The first is its best guess, greedy;
more are drawn at a temperature. What it writes is a call expression of Python, whatever the model says:
brackets and strings are closed, and it ends only where it parses.
"""

from __future__ import annotations

import ast
import dataclasses
import math
import warnings
from collections.abc import Iterator

from opencwm.codec.native import NativeCodec
from opencwm.codec.native_input import input_prompt
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, is_text
from opencwm.debugger.sampler import Sampler, SamplingConfig
from opencwm.debugger.value_grammar import ValueState, value_grammar
from opencwm.model.engine import ScoringEngine
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

    Raises:
        CodecError: nothing but the wrapper is shown.
        EngineError: the engine broke.
    """
    prompt = input_prompt(codec, view, name, wanted)
    if len(prompt) + 2 >= engine.max_tokens:
        return
    seen: set[str] = set()
    for draw in range(num_draws):
        sampling = SamplingConfig(temperature=TEMPERATURE if draw else 0.0, seed=seed + draw)
        sampler = Sampler(engine, sampling)
        sampler.restart(prompt)
        found = _write(codec, sampler, name, min(MAX_CALL_TOKENS, engine.max_tokens - len(prompt) - 1))
        if found is not None and found.call not in seen:
            seen.add(found.call)
            yield found


def _write(codec: NativeCodec, sampler: Sampler, name: str, max_tokens: int) -> PredictedCall | None:
    size = max(sampler.engine.vocab_size, len(codec.vocabulary))
    grammar, state = value_grammar(codec.vocabulary, size), ValueState()
    opening = grammar.starting_with("(")
    written, logarithm = "", 0.0
    for _ in range(max_tokens):
        mask = (grammar.allowed(state) if written else opening).copy()
        mask[Control.END] = state.is_complete and is_call(name + written)
        token, distribution = sampler.choose(mask)
        logarithm += math.log(max(float(distribution[token]), 1e-300))
        if not is_text(token):
            return PredictedCall(name + written, math.exp(logarithm), sampler.num_sampled)
        text = grammar.text_of(token)
        state.feed(text)
        written += text
    return None


def is_call(text: str) -> bool:
    """Whether ``text`` is a Python call expression."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return isinstance(ast.parse(text, mode="eval").body, ast.Call)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
