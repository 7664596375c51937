from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opencwm.core.errors import ConfigError
from opencwm.train.data import Document, MemorySource
from opencwm.train.mixture import MixtureSource, mixture


def source(token: int, lengths: list[int], seed: int = 0) -> MemorySource:
    """Documents of one token, so that what was drawn tells where it came from."""
    documents = [Document(np.full(n, token, np.uint16), np.ones(n, np.bool_)) for n in lengths]
    return MemorySource(documents, seed=seed)


def make(shares: list[tuple[float, dict[str, float]]], num_tokens: int = 10_000) -> MixtureSource:
    return MixtureSource(
        {"a": source(1, [3, 50, 7]), "b": source(2, [20, 21]), "c": source(3, [100])},
        shares,
        num_tokens=num_tokens,
    )


def taken(mixed: MixtureSource, num_tokens: int) -> NDArray[np.float64]:
    """Share of the tokens 1, 2 and 3 in the next ``num_tokens``."""
    counts = np.zeros(4)
    while counts.sum() < num_tokens:
        document = next(mixed)
        counts[document.ids[0]] += len(document.ids)
    shares: NDArray[np.float64] = counts[1:] / counts.sum()
    return shares


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda weights: sum(weights) > 0.1))
def test_tokens_come_in_the_shares_asked_for(weights: list[float]) -> None:
    shares = dict(zip("abc", weights, strict=True))
    found = taken(make([(0.0, shares)]), 20_000)
    assert found == pytest.approx(np.array(weights) / sum(weights), abs=0.01)


def test_shares_move_with_progress_and_stay_at_the_end() -> None:
    mixed = make([(0.0, {"a": 1.0}), (0.5, {"a": 1.0, "b": 1.0}), (1.0, {"c": 1.0})])
    assert mixed.weights(0.0) == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert mixed.weights(0.25) == {"a": 1.0, "b": 0.5, "c": 0.0}
    assert mixed.weights(0.75) == {"a": 0.5, "b": 0.5, "c": 0.5}
    assert mixed.weights(3.0) == {"a": 0.0, "b": 0.0, "c": 1.0}
    assert next(mixed).ids[0] == 1
    taken(mixed, 12_000)
    assert taken(mixed, 2_000).tolist() == [0.0, 0.0, 1.0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 60))
def test_a_restored_mixture_goes_on_with_the_very_next_document(num_taken: int) -> None:
    shares = [(0.0, {"a": 2.0, "b": 1.0, "c": 0.5}), (1.0, {"b": 1.0})]
    mixed = make(shares, 2_000)
    for _ in range(num_taken):
        next(mixed)
    state = mixed.state()
    expected = [next(mixed).ids.tolist() for _ in range(30)]
    again = make(shares, 2_000)
    again.restore(state)
    assert [next(again).ids.tolist() for _ in range(30)] == expected


@pytest.mark.parametrize(
    ("shares", "what"),
    [
        ([], "times"),
        ([(0.5, {"a": 1.0}), (0.2, {"a": 1.0})], "times"),
        ([(0.0, {"z": 1.0})], "'z', which is no source"),
        ([(0.0, {"a": -1.0, "b": 2.0})], "weights are >= 0"),
        ([(0.0, {"a": 0.0})], "weights are >= 0"),
    ],
)
def test_what_is_no_mixture_is_refused(shares: list[tuple[float, dict[str, float]]], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        make(shares)


def test_a_recipe_must_name_sources_and_times() -> None:
    with pytest.raises(ConfigError, match="names no source"):
        mixture(sources={"a": {"path": "x"}}, shares=[], num_tokens=1)
    with pytest.raises(ConfigError, match="unknown source"):
        mixture(sources={"a": {"source": "nothing"}}, shares=[], num_tokens=1)
    with pytest.raises(ConfigError, match="without 'at'"):
        mixture(sources={"a": {"source": "generated", "num_programs": 1}}, shares=[{"a": 1.0}], num_tokens=1)
