"""Scripted engines that the debugger's tests share: one that says what really happens, and a liar."""

import random
from collections.abc import Sequence

import numpy as np

from opencwm.codec.native import NativeCodec
from opencwm.corpus.generator import generate_traced, sample_config
from opencwm.debugger.selection import source_view
from opencwm.model.engine import Logits
from opencwm.model.testing import ScriptedEngine
from opencwm.traces import StepKind, Trace

CODEC = NativeCodec()
VOCABULARY_SIZE = len(CODEC.vocabulary)


def oracle(
    trace: Trace, *, max_tokens: int = 16_000, probability: float = 0.99, expressions: bool = False
) -> ScriptedEngine:
    """An engine that continues every document of ``trace``, from any state, as it really went."""
    view = source_view(trace.program, CODEC, max_tokens=max_tokens)
    firsts = [0, *(i + 1 for i, step in enumerate(trace.steps) if step.kind is StepKind.LINE)]
    documents = [CODEC.encode(trace, view, first_step=first, expressions=expressions).ids for first in firsts]
    return ScriptedEngine.saying(VOCABULARY_SIZE, documents, max_tokens=max_tokens, probability=probability)


def random_engine(seed: int, max_tokens: int = 2000) -> ScriptedEngine:
    """An engine that believes nonsense, firmly, the same nonsense after the same ids."""

    def logits(ids: Sequence[int]) -> Logits:
        return np.random.default_rng([seed, *ids[-8:]]).normal(size=VOCABULARY_SIZE).astype(np.float32) * 5

    return ScriptedEngine(VOCABULARY_SIZE, logits, max_tokens=max_tokens)


def generated(seed: int) -> Trace:
    rng = random.Random(seed)
    trace = generate_traced(rng, sample_config(rng))
    assert trace is not None
    return trace
