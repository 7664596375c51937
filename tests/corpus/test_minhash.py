from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.corpus.minhash import NUM_HASHES, PIECE_TOKENS, piece_hashes, signature, similar_pairs


def overlap(first: list[str], second: list[str]) -> float:
    a, b = (set(piece_hashes(tokens, PIECE_TOKENS).tolist()) for tokens in (first, second))
    return len(a & b) / len(a | b)


def text(rng: random.Random, length: int) -> list[str]:
    return [rng.choice("abcdefghijklmnop") for _ in range(length)]


def changed(rng: random.Random, tokens: list[str], times: int) -> list[str]:
    copy = list(tokens)
    for _ in range(times):
        copy[rng.randrange(len(copy))] = "changed"
    return copy


def test_agreement_of_signatures_estimates_the_overlap() -> None:
    rng = random.Random(1)
    errors = []
    for times in (0, 1, 3, 6, 12, 40):
        for _ in range(20):
            tokens = text(rng, 200)
            copy = changed(rng, tokens, times)
            estimate = float((signature(tokens) == signature(copy)).mean())
            errors.append(estimate - overlap(tokens, copy))
    assert abs(float(np.mean(errors))) < 0.02
    assert max(map(abs, errors)) < 5 * (0.25 / NUM_HASHES) ** 0.5


def test_near_copies_are_found_among_many() -> None:
    rng = random.Random(2)
    texts = [text(rng, rng.randint(30, 300)) for _ in range(400)]
    copies = [changed(rng, tokens, 1) for tokens in texts[:100] if len(tokens) > 100]
    signatures = np.stack([signature(tokens) for tokens in [*texts, *copies]])
    pairs = similar_pairs(signatures, 0.8)
    originals = [index for index in range(100) if len(texts[index]) > 100]
    wanted = {(400 + place, original) for place, original in enumerate(originals)}
    found = {(int(later), int(earlier)) for later, earlier in pairs}
    assert found <= wanted
    assert len(found) >= 0.95 * len(wanted)


def test_nothing_and_one_are_no_pairs() -> None:
    assert similar_pairs(np.zeros((0, NUM_HASHES), np.uint32), 0.8).shape == (0, 2)
    assert similar_pairs(signature(["a"])[None], 0.8).shape == (0, 2)


def test_many_equal_ones_are_compared_with_the_first_of_them() -> None:
    pairs = similar_pairs(np.repeat(signature(["a", "b"])[None], 300, axis=0), 0.9)
    assert (pairs[:, 0] > pairs[:, 1]).all()
    assert pairs[:, 1].max() == 255
    assert set(pairs[:, 0].tolist()) == set(range(1, 300))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=3), max_size=30), st.integers(1, 13))
def test_pieces_are_the_distinct_runs_of_tokens(tokens: list[str], length: int) -> None:
    runs = (
        {tuple(tokens[i : i + length]) for i in range(max(1, len(tokens) - length + 1))} if tokens else set()
    )
    assert len(piece_hashes(tokens, length)) == len(runs)


def test_signatures_are_the_same_everywhere() -> None:
    found = signature(["the", "same", "tokens", "everywhere", "and", "always"])
    assert found[:3].tolist() == [1042372287, 2306243682, 2064127262]
