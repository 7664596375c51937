"""Which programs a corpus keeps, and in which shard each lies: the one pass over everything.

The idea: decisions that need all programs are made on facts alone (:mod:`opencwm.corpus.facts`), in one
process, in an order that depends on nothing but the recipe. Of two programs that are too alike the one in
the more held-out split stays (``test`` before ``valid`` before ``train``), and among equals the one that
comes first in the recipe. So what is in ``test`` has no near copy in ``train``. Nor has ``train`` a program
that only makes use of what a held-out program is about: functions of a package call each other.

In memory: 60 bytes a program, and 1.1 kB for each distinct function (benchmarks/corpus_speed.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opencwm.corpus.contamination import CRITERIA
from opencwm.corpus.facts import FactTable
from opencwm.corpus.minhash import similar_pairs
from opencwm.corpus.structure import SPLITS

CONTAMINATED: Final = "in a test set"
SAME_RUN: Final = "same run"
SAME_FUNCTION: Final = "same function"
NEAR_DUPLICATE: Final = "near-duplicate"
HELD_OUT: Final = "holds a held-out function"
NO_ROOM: Final = "beyond its weight"
_ORDER: Final = np.array([SPLITS.index(split) for split in ("test", "valid", "train")])
_Rows = NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """The outcome of the pass.

    Attributes:
        shards: for each split, for each shard, row numbers of the facts in the order of the corpus.
        dropped: programs left out, by stratum and reason.
        contaminated: for each test set, for each criterion, the ids of the programs that fell by it; under
            ``group`` those that fell with another run or mutant of their function.
    """

    shards: dict[str, list[_Rows]]
    dropped: dict[str, dict[str, int]]
    contaminated: list[dict[str, list[str]]]


def select(
    facts: FactTable,
    *,
    weights: Mapping[str, float | None],
    near: float,
    num_test_sets: int,
    shard_programs: int,
    seed: int,
) -> Selection:
    """Decide what stays.

    Args:
        facts: of all programs, in the order of the recipe.
        weights: of the strata, in the order of their numbers.
        near: overlap from which two functions are one; 1.0 compares none.
        num_test_sets: of the test sets that hits refer to.
        shard_programs: most programs in a shard.
        seed: decides which programs go when there are more than a weight allows, and their order in shards.
    """
    reasons = np.zeros(len(facts.id_P), np.uint8)  # 0: kept; otherwise 1 + index into _REASONS
    order = np.concatenate([np.flatnonzero(facts.split_P == split) for split in _ORDER])
    contaminated = _drop_contaminated(facts, reasons, num_test_sets)
    _drop_same_runs(facts, order, reasons)
    owners = _drop_same_functions(facts, order, reasons)
    if near < 1.0:
        _drop_near_duplicates(facts, owners, near, reasons)
    _drop_held_out(facts, reasons)
    keys = _shuffle_keys(facts.id_P, seed)
    _drop_beyond_weight(facts, list(weights.values()), keys, reasons)
    return Selection(
        shards=_shards(facts, len(weights), keys, reasons, shard_programs),
        dropped=_count(facts, list(weights), reasons),
        contaminated=contaminated,
    )


_REASONS: Final = (CONTAMINATED, SAME_RUN, SAME_FUNCTION, NEAR_DUPLICATE, HELD_OUT, NO_ROOM)


def _code(reason: str) -> int:
    return 1 + _REASONS.index(reason)


def _drop_contaminated(
    facts: FactTable, reasons: NDArray[np.uint8], num_test_sets: int
) -> list[dict[str, list[str]]]:
    """Drop what shares something with a test set, and with it the whole group."""
    report: list[dict[str, list[str]]] = [
        {criterion: [] for criterion in (*CRITERIA, "group")} for _ in range(num_test_sets)
    ]
    guilty: list[dict[int, None]] = [{} for _ in range(num_test_sets)]
    for row, hits in facts.hits.items():
        for hit in hits:
            report[hit.test_set][hit.criterion].append(f"{int(facts.id_P[row]):016x}")
            guilty[hit.test_set][int(facts.group_P[row])] = None
    for number, groups in enumerate(guilty):
        fallen = np.isin(facts.group_P, np.array(list(groups), np.uint64))
        reasons[fallen] = _code(CONTAMINATED)
        own = {row for row, hits in facts.hits.items() if any(hit.test_set == number for hit in hits)}
        report[number]["group"] = [
            f"{int(facts.id_P[row]):016x}" for row in np.flatnonzero(fallen) if int(row) not in own
        ]
    return report


def _drop_same_runs(facts: FactTable, order: _Rows, reasons: NDArray[np.uint8]) -> None:
    rows = order[reasons[order] == 0]
    _, first = np.unique(facts.run_P[rows], return_index=True)
    later = np.ones(len(rows), bool)
    later[first] = False
    reasons[rows[later]] = _code(SAME_RUN)


def _drop_same_functions(facts: FactTable, order: _Rows, reasons: NDArray[np.uint8]) -> _Rows:
    """Drop functions that an earlier group has; return the first row of each that stays, in order."""
    rows = order[reasons[order] == 0]
    _, first, inverse = np.unique(facts.function_P[rows], return_index=True, return_inverse=True)
    foreign = facts.group_P[rows] != facts.group_P[rows[first]][inverse]
    reasons[rows[foreign]] = _code(SAME_FUNCTION)
    owners: _Rows = rows[np.sort(first)]
    return owners


def _drop_near_duplicates(facts: FactTable, owners: _Rows, near: float, reasons: NDArray[np.uint8]) -> None:
    """Drop functions that nearly equal an earlier one of another group; ``owners`` are their first rows."""
    known, place = np.unique(facts.signed_F, return_index=True)
    functions, groups = facts.function_P[owners], facts.group_P[owners]
    signatures = facts.signatures_F[place[np.searchsorted(known, functions)]]
    fallen = np.zeros(len(owners), bool)
    for later, earlier in similar_pairs(signatures, near):
        if not fallen[earlier] and groups[later] != groups[earlier]:
            fallen[later] = True
    gone = np.isin(facts.function_P, functions[fallen]) & (reasons == 0)
    reasons[gone] = _code(NEAR_DUPLICATE)


def _drop_held_out(facts: FactTable, reasons: NDArray[np.uint8]) -> None:
    """Drop programs that hold a function which a program of a more held-out split is about."""
    held_out = np.zeros(0, np.uint64)
    for split in _ORDER:
        mine = facts.split_P == split
        guilty = facts.parts.functions_N[np.isin(facts.parts.structures_N, held_out)]
        reasons[mine & (reasons == 0) & np.isin(facts.function_P, guilty)] = _code(HELD_OUT)
        kept = np.isin(facts.subjects.functions_N, facts.function_P[mine & (reasons == 0)])
        held_out = np.union1d(held_out, facts.subjects.structures_N[kept])


def _shuffle_keys(ids: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Return a pseudo-random number for each program that depends on its id and the seed alone."""
    mixed = ids ^ np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    for factor, shift in ((0xBF58476D1CE4E5B9, 30), (0x94D049BB133111EB, 27)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result


def _drop_beyond_weight(
    facts: FactTable, weights: Sequence[float | None], keys: NDArray[np.uint64], reasons: NDArray[np.uint8]
) -> None:
    """Take as many programs as keep the shares of the strata: the one with least sets the scale."""
    wanted = {number: weight for number, weight in enumerate(weights) if weight is not None}
    have = {number: int(((facts.stratum_P == number) & (reasons == 0)).sum()) for number in wanted}
    present = [number for number in wanted if have[number]]
    if not present:
        return
    scale = min(have[number] / wanted[number] for number in present)
    for number in present:
        rate = min(1.0, scale * wanted[number] / have[number])
        for split in range(len(SPLITS)):
            rows = np.flatnonzero((facts.stratum_P == number) & (facts.split_P == split) & (reasons == 0))
            taken = int(rate * len(rows) + 0.5)
            surplus = rows[np.argsort(keys[rows], kind="stable")[taken:]]
            reasons[surplus] = _code(NO_ROOM)


def _shards(
    facts: FactTable,
    num_strata: int,
    keys: NDArray[np.uint64],
    reasons: NDArray[np.uint8],
    shard_programs: int,
) -> dict[str, list[_Rows]]:
    """Cut each split into shards of equal size, each of which has its part of every stratum.

    The strata are laid beside each other at one scale and cut at the same places, so that a shard reads a few
    neighbouring units and holds the mixture of the whole; within a shard the order is shuffled.
    """
    shards: dict[str, list[_Rows]] = {}
    for number, split in enumerate(SPLITS):
        rows = np.flatnonzero((facts.split_P == number) & (reasons == 0))
        strata = facts.stratum_P[rows]
        place = np.zeros(len(rows))
        for stratum in range(num_strata):
            (mine,) = np.nonzero(strata == stratum)
            place[mine] = (np.arange(len(mine)) + 0.5) / max(1, len(mine))
        rows = rows[np.lexsort((strata, place))]
        count = -(-len(rows) // shard_programs)
        parts = [rows[n * len(rows) // count : (n + 1) * len(rows) // count] for n in range(count)]
        shards[split] = [part[np.argsort(keys[part], kind="stable")] for part in parts]
    return shards


def _count(facts: FactTable, strata: Sequence[str], reasons: NDArray[np.uint8]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for number, stratum in enumerate(strata):
        mine: Any = reasons[facts.stratum_P == number]
        counts[stratum] = {
            reason: count for reason in _REASONS if (count := int((mine == _code(reason)).sum()))
        }
    return counts
