"""Seeds derived from names."""

from __future__ import annotations

from opencwm.core.seeds import derive_rng, derive_seed


def test_is_a_fixed_function_of_its_parts() -> None:
    assert derive_seed("shard", 7) == 13_979_636_791_318_255_536
    assert derive_rng("shard", 7).random() == derive_rng("shard", 7).random()


def test_every_part_its_type_and_its_place_count() -> None:
    seeds = [derive_seed(), derive_seed(1), derive_seed("1"), derive_seed(1, 2), derive_seed(2, 1)]
    seeds += [derive_seed("a", "b"), derive_seed("ab"), derive_seed("a\0str:b"), derive_seed(12)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**64 for seed in seeds)
