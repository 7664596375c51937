"""The one pass over all programs, on facts made by hand."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.corpus.contamination import Hit
from opencwm.corpus.facts import Fact, FactTable, Pairs, read_facts, write_facts
from opencwm.corpus.minhash import signature
from opencwm.corpus.selection import Selection, select
from opencwm.corpus.structure import SPLITS

TRAIN, VALID, TEST = range(3)
TEXT = [f"t{n}" for n in range(120)]
NEAR = [*TEXT[:60], "changed", *TEXT[61:]]


def fact(number: int, **fields: Any) -> Fact:
    """A program that is like no other, but for the fields."""
    tokens = fields.pop("tokens", [f"{number}.{place}" for place in range(40)])
    defaults: dict[str, Any] = {
        "id": number,
        "run": number,
        "function": number,
        "group": number,
        "split": TRAIN,
        "stratum": 0,
        "hits": [],
        "signature": signature(tokens),
    }
    return Fact(**defaults | fields)


def pairs(facts: list[Fact], name: str) -> Pairs:
    found = [(one.function, structure) for one in facts for structure in getattr(one, name)]
    return Pairs(*np.array(found, np.uint64).reshape(-1, 2).T)


def table(facts: list[Fact]) -> FactTable:
    signed = [one for one in facts if one.signature is not None]
    return FactTable(
        **{
            f"{name}_P": np.array([getattr(one, name) for one in facts], kind)
            for name, kind in (
                ("id", "uint64"),
                ("run", "uint64"),
                ("function", "uint64"),
                ("group", "uint64"),
                ("split", "uint8"),
                ("stratum", "uint8"),
            )
        },
        hits={row: list(one.hits) for row, one in enumerate(facts) if one.hits},
        signed_F=np.array([one.function for one in signed], np.uint64),
        signatures_F=np.array([one.signature for one in signed], np.uint32).reshape(-1, 128),
        subjects=pairs(facts, "subject"),
        parts=pairs(facts, "parts"),
    )


def chosen(facts: list[Fact], **settings_: Any) -> Selection:
    defaults: dict[str, Any] = {
        "weights": {"a": None, "b": None},
        "near": 0.85,
        "num_test_sets": 1,
        "shard_programs": 1000,
        "seed": 1,
    }
    return select(table(facts), **defaults | settings_)


def kept(selection: Selection) -> set[int]:
    return {int(row) for shards in selection.shards.values() for shard in shards for row in shard}


def test_what_differs_stays() -> None:
    assert kept(chosen([fact(n) for n in range(9)])) == set(range(9))


def test_of_equal_runs_the_first_stays_but_that_of_a_held_out_split_before_all() -> None:
    facts = [
        fact(0, run=1),
        fact(1, run=1),
        fact(2, run=5),
        fact(3, run=5, split=VALID),
        fact(4, run=5, split=TEST),
    ]
    selection = chosen(facts)
    assert kept(selection) == {0, 4}
    assert selection.dropped == {"a": {"same run": 3}, "b": {}}


def test_a_function_of_two_groups_stays_with_one() -> None:
    facts = [
        fact(n, function=7, group=group, split=split)
        for n, (group, split) in enumerate([(1, TRAIN), (1, TRAIN), (2, TEST), (2, TEST), (3, TRAIN)])
    ]
    selection = chosen(facts)
    assert kept(selection) == {2, 3}
    assert selection.dropped["a"] == {"same function": 3}


@pytest.mark.parametrize("split", [VALID, TEST])
@pytest.mark.parametrize("train_first", [True, False])
def test_a_near_duplicate_of_a_held_out_program_falls_out_of_train(split: int, train_first: bool) -> None:
    in_train, held_out = fact(0, tokens=TEXT), fact(1, tokens=NEAR, split=split)
    facts = [in_train, held_out] if train_first else [held_out, in_train]
    selection = chosen(facts)
    assert kept(selection) == {facts.index(held_out)}
    assert selection.dropped["a"] == {"near-duplicate": 1}
    assert kept(chosen(facts, near=1.0)) == {0, 1}


@pytest.mark.parametrize("split", [VALID, TEST])
def test_what_a_held_out_program_is_about_is_in_no_program_of_train(split: int) -> None:
    facts = [
        fact(0, parts=(70, 71)),
        fact(1, parts=(71, 72)),
        fact(2, split=split, subject=(70,), parts=(70, 72)),
    ]
    selection = chosen(facts)
    assert kept(selection) == {1, 2}  # that both need 72 is no harm
    assert selection.dropped["a"] == {"holds a held-out function": 1}


def test_what_train_is_about_may_be_in_held_out_programs() -> None:
    facts = [fact(0, subject=(70,), parts=(70,)), fact(1, split=TEST, subject=(71,), parts=(70, 71))]
    assert kept(chosen(facts)) == {0, 1}


def test_a_program_that_fell_out_holds_nothing_back() -> None:
    facts = [fact(0, parts=(70,)), fact(1, split=TEST, subject=(70,), hits=[Hit(0, "exact", "x")])]
    assert kept(chosen(facts)) == {0}


def test_near_duplicates_within_a_group_stay() -> None:
    facts = [fact(0, tokens=TEXT, group=5), fact(1, tokens=NEAR, group=5), fact(2, tokens=NEAR[1:], group=5)]
    assert kept(chosen(facts)) == {0, 1, 2}


def test_what_resembles_only_what_has_fallen_stays() -> None:
    chain = [fact(n, tokens=[*(f"new{k}" for k in range(4 * n)), *TEXT[4 * n :]]) for n in range(3)]
    assert kept(chosen(chain, near=0.9)) == {0, 2}


def test_a_contaminated_function_falls_with_its_runs_and_mutants() -> None:
    hit = Hit(0, "ast", "item 3")
    facts = [fact(0, group=1), fact(1, group=1, hits=[hit]), fact(2, group=1, stratum=1), fact(3)]
    selection = chosen(facts, num_test_sets=2)
    assert kept(selection) == {3}
    assert selection.dropped == {"a": {"in a test set": 2}, "b": {"in a test set": 1}}
    first, second = selection.contaminated
    assert first["ast"] == [f"{1:016x}"]
    assert first["group"] == [f"{0:016x}", f"{2:016x}"]
    assert first["exact"] == first["ngram"] == []
    assert not any(second.values())


@pytest.mark.parametrize(
    ("weights", "shares"), [((1.0, 1.0), (100, 100)), ((3.0, 1.0), (300, 100)), ((1.0, 3.0), (33, 100))]
)
def test_weights_are_shares_of_programs(weights: tuple[float, float], shares: tuple[int, int]) -> None:
    facts = [fact(n, stratum=int(n >= 400)) for n in range(500)]
    selection = chosen(facts, weights=dict(zip("ab", weights, strict=True)), near=1.0)
    rows = kept(selection)
    assert sum(row < 400 for row in rows) == pytest.approx(shares[0], abs=1)
    assert sum(row >= 400 for row in rows) == shares[1]
    assert selection.dropped["a"] == {"beyond its weight": 400 - sum(row < 400 for row in rows)}


def test_a_stratum_without_programs_takes_nothing_from_the_others() -> None:
    assert len(kept(chosen([fact(n) for n in range(5)], weights={"a": 1.0, "b": 1.0}))) == 5


def test_every_shard_holds_the_mixture() -> None:
    facts = [fact(n, stratum=int(n >= 600)) for n in range(900)]
    shards = chosen(facts, near=1.0, shard_programs=100).shards["train"]
    assert len(shards) == 9
    for number, shard in enumerate(shards):
        assert len(shard) == 100
        assert sum(row >= 600 for row in shard) in (33, 34)
        assert max(row for row in shard if row < 600) - min(shard) < 70
        assert list(shard) != sorted(shard), number


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 60))
def test_nothing_is_lost_and_nothing_twice(seed: int, count: int) -> None:
    rng = random.Random(seed)
    facts = [
        fact(
            n,
            run=rng.randrange(40),
            function=rng.randrange(30),
            group=rng.randrange(20),
            split=rng.randrange(3),
            stratum=rng.randrange(2),
            hits=[Hit(0, "exact", "x")] if rng.random() < 0.05 else [],
        )
        for n in range(count)
    ]
    groups = {one.group: one.split for one in facts}
    facts = [
        Fact(**{name: getattr(one, name) for name in Fact.__slots__} | {"split": groups[one.group]})
        for one in facts
    ]
    selection = chosen(facts, weights={"a": 2.0, "b": 1.0}, shard_programs=7)
    rows = [int(row) for shards in selection.shards.values() for shard in shards for row in shard]
    assert len(rows) == len(set(rows))
    assert len(rows) + sum(sum(reasons.values()) for reasons in selection.dropped.values()) == count
    for split, shards in selection.shards.items():
        assert all(facts[row].split == SPLITS.index(split) for shard in shards for row in shard)
        assert all(0 < len(shard) <= 7 for shard in shards)
    for field in ("run", "function"):
        owners: dict[int, set[int]] = {}
        for row in rows:
            owners.setdefault(getattr(facts[row], field), set()).add(facts[row].group)
        assert all(len(found) == 1 for found in owners.values())


def test_facts_come_back_from_files(tmp_path: Any) -> None:
    facts = [fact(n, hits=[Hit(1, "ngram", "é")] if n == 3 else []) for n in range(5)]
    facts.append(fact(9, function=3, signature=None, subject=(2**64 - 1,), parts=(2**64 - 1, 5)))
    write_facts(tmp_path / "a", facts[:4])
    write_facts(tmp_path / "b", facts[4:])
    write_facts(tmp_path / "c", [])
    found, wanted = read_facts([tmp_path / name for name in "cabc"]), table(facts)
    assert found.hits == wanted.hits
    for name in FactTable.__slots__:
        if name in ("subjects", "parts"):
            for column in Pairs.__slots__:
                mine, theirs = (getattr(getattr(one, name), column) for one in (found, wanted))
                assert np.array_equal(mine, theirs), (name, column)
        elif name != "hits":
            assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
