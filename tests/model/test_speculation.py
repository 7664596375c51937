from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError, EngineError
from opencwm.model.engine import Logits, ScoringEngine
from opencwm.model.export import export_onnx
from opencwm.model.onnx_engine import OnnxEngine
from opencwm.model.speculation import NgramIndex, SpeculationConfig, SpeculativeEngine
from opencwm.model.testing import ScriptedEngine, random_weights, tiny_config

VOCABULARY = 3  # few ids, so that n-grams come back


def logits_of(ids: tuple[int, ...] | list[int]) -> Logits:
    """Return logits that tell any two sequences apart."""
    number = int("1" + "".join(map(str, ids)), VOCABULARY + 1)
    return np.array([number % 65521, number % 65519, number % 65497], np.float32)


def plain(max_tokens: int = 60) -> ScriptedEngine:
    return ScriptedEngine(VOCABULARY, lambda ids: logits_of(tuple(ids)), max_tokens=max_tokens)


some_ids = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=5)
actions = st.one_of(
    st.tuples(st.just("append"), some_ids),
    st.tuples(st.just("repeat"), st.integers(1, 9)),
    st.tuples(st.just("append_all"), some_ids),
    st.tuples(st.just("truncate"), st.floats(0, 1)),
    st.tuples(st.sampled_from(["fork", "switch", "bad", "empty", "too many"]), st.none()),
)
configs = st.builds(
    lambda sizes, drafts: SpeculationConfig(
        shortest=min(sizes), longest=max(sizes), first_draft=min(drafts), longest_draft=max(drafts)
    ),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
)


def outcome(engine: ScoringEngine, name: str, argument: object) -> object:
    """Do one thing to an engine; return what came of it, errors as text."""
    held = list(engine.ids)
    try:
        if name == "truncate":
            assert isinstance(argument, float)
            engine.truncate(round(len(held) * argument))
            return None
        if name == "append_all":
            assert isinstance(argument, list)
            return engine.append_all(argument).tolist()
        ids = {"bad": [0, VOCABULARY], "empty": [], "too many": [0] * (engine.max_tokens - len(held) + 1)}
        given = ids.get(name, argument)
        assert isinstance(given, list)
        return engine.append(given).tolist()
    except EngineError as error:
        return str(error)


@settings(max_examples=100, deadline=None)
@given(configs, st.lists(actions, max_size=30))
def test_nothing_tells_it_from_the_wrapped_engine(
    config: SpeculationConfig, history: list[tuple[str, object]]
) -> None:
    pairs: list[tuple[ScoringEngine, ScoringEngine]] = [(plain(), SpeculativeEngine(plain(), config))]
    for name, argument in history:
        one, other = pairs[-1]
        if name == "fork":
            pairs.append((one.fork(), other.fork()))
        elif name == "switch":
            pairs.insert(0, pairs.pop())
        elif name == "repeat":  # one id after another, as they came before
            assert isinstance(argument, int)
            for token in list(one.ids)[:argument]:
                assert outcome(other, "append", [token]) == outcome(one, "append", [token])
        else:
            assert outcome(other, name, argument) == outcome(one, name, argument)
        assert all(list(one.ids) == list(other.ids) for one, other in pairs)


@settings(max_examples=100, deadline=None)
@given(st.lists(some_ids, max_size=12), st.integers(1, 3), st.integers(0, 3), st.data())
def test_the_index_finds_the_latest_longest_match(
    pieces: list[list[int]], shortest: int, more: int, data: st.DataObject
) -> None:
    index = NgramIndex(shortest, shortest + more)
    for piece in pieces:
        index.push(piece)
        index.truncate(data.draw(st.integers(0, len(index.ids))))
    ids = index.ids
    expected: list[int] = []
    for size in range(shortest + more, shortest - 1, -1):
        ends = [end for end in range(size, len(ids)) if ids[end - size : end] == ids[-size:]]
        if ends and len(ids) >= size:
            expected = ids[ends[-1] :][:4]
            while len(expected) < 4:
                expected.append(expected[len(expected) - (len(ids) - ends[-1])])
            break
    assert index.continuation(4) == expected
    assert index.copy().continuation(4) == expected


def test_a_repetition_costs_a_pass_for_every_draft() -> None:
    wrapped = plain(max_tokens=2000)
    engine = SpeculativeEngine(wrapped, SpeculationConfig(first_draft=4, longest_draft=8))
    engine.append([0, 1, 2, 0, 1])
    for token in [2, 0, 1] * 10:
        engine.append([token])
    assert wrapped.calls == [5 + 4, 1 + 6, 1 + 8, 1 + 8, 1 + 8]
    assert list(engine.ids) == [0, 1, 2, 0, 1] + [2, 0, 1] * 10


def test_drafts_get_shorter_where_they_fail() -> None:
    wrapped = plain()
    engine = SpeculativeEngine(wrapped, SpeculationConfig(shortest=1, first_draft=4, longest_draft=4))
    for token in [0, 0, 1, 0, 1, 1, 0]:
        engine.append([token])
    assert wrapped.calls == [1, 1 + 4, 1, 1 + 2, 1 + 1, 1 + 1]


def test_it_never_runs_past_the_limit() -> None:
    wrapped = plain(max_tokens=8)
    engine = SpeculativeEngine(wrapped)
    engine.append([0, 0, 0, 0, 0, 0])
    assert len(wrapped.ids) == 8
    engine.append([0])
    engine.append([0])
    assert wrapped.calls == [8]
    with pytest.raises(EngineError, match="exceed 8"):
        engine.append([0])
    assert len(engine.ids) == 8


def test_nothing_is_foreseen_behind_a_prompt() -> None:
    wrapped = plain(max_tokens=200)
    SpeculativeEngine(wrapped).append([0] * 100)
    assert wrapped.calls == [100]


def test_settings_that_make_no_sense_are_refused() -> None:
    for settings_ in ({"shortest": 0}, {"shortest": 5}, {"first_draft": 0}, {"first_draft": 9}):
        with pytest.raises(ConfigError):
            SpeculationConfig(**settings_)


def test_a_real_engine_gives_the_same_logits_up_to_rounding(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    config = tiny_config()
    export_onnx(config, random_weights(config, seed=3), tmp_path / "model.onnx", kind="fp32")
    alone = OnnxEngine.load(tmp_path / "model.onnx", config)
    ahead = SpeculativeEngine(alone.fork())
    rng = np.random.default_rng(0)
    phrase = [int(token) for token in rng.integers(0, 48, 12)]
    ids = [*phrase, 5, *phrase, 6, *phrase[:7], *phrase[:7], 9, *phrase] * 4
    for position, token in enumerate(ids):
        np.testing.assert_allclose(ahead.append([token]), alone.append([token]), atol=1e-4)
        if position % 50 == 49:
            ahead, alone = ahead.fork(), alone.fork()
            ahead.truncate(position - 20)
            alone.truncate(position - 20)
    assert list(ahead.ids) == list(alone.ids)
