import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from opencwm.codec.native import TokenClass
from opencwm.codec.vocabulary import Control
from opencwm.core.errors import ConfigError
from opencwm.train.curriculum import (
    BlockConfig,
    GeneratedSource,
    generate_block,
    generated,
    generated_held_out,
)
from opencwm.train.data import resolve

CONFIG = BlockConfig(seed=3, num_programs=200, programs_per_block=16)


def ids(source: GeneratedSource, number: int) -> list[list[int]]:
    return [document.ids.tolist() for document in itertools.islice(source, number)]


def test_a_block_is_a_function_of_seed_and_number() -> None:
    first = generate_block(CONFIG, 2)
    again = generate_block(CONFIG, 2)
    other = generate_block(CONFIG, 3)
    assert [d.ids.tolist() for d in first] == [d.ids.tolist() for d in again]
    assert [d.ids.tolist() for d in first] != [d.ids.tolist() for d in other]
    for document in first:
        assert document.class_ids is not None
        assert len(document.ids) == len(document.loss_mask) == len(document.class_ids) <= 1024
        assert not document.loss_mask[document.class_ids == TokenClass.PROMPT].any()
        assert document.loss_mask[document.class_ids != TokenClass.PROMPT].all()


def test_a_share_of_the_programs_is_recorded_with_expression_detail() -> None:
    half = [d.ids[2] == Control.EXPRESSIONS for d in generate_block(replace(CONFIG, expressions=0.5), 12)]
    assert 0.2 < np.mean(half) < 0.8
    assert all(
        d.ids[2] == Control.EXPRESSIONS or d.ids[1] == Control.OUTPUT
        for d in generate_block(replace(CONFIG, expressions=1.0), 12)
    )
    source = generated(num_programs=10, expressions=1.0)
    assert any(Control.EVAL in document for document in ids(source, 30))


def test_a_restored_source_goes_on_with_the_very_next_document() -> None:
    source = GeneratedSource(CONFIG)
    ids(source, 25)
    state = json.loads(json.dumps(source.state()))
    expected = ids(source, 20)
    restored = GeneratedSource(CONFIG)
    restored.restore(state)
    assert ids(restored, 20) == expected


def test_workers_change_nothing_but_speed() -> None:
    source = GeneratedSource(CONFIG, workers=2)
    try:
        assert ids(source, 60) == ids(GeneratedSource(CONFIG), 60)
    finally:
        source.close()


def test_programs_grow_with_progress_and_echo_stays() -> None:
    early, late = generate_block(CONFIG, 0), generate_block(CONFIG, 12)
    assert np.mean([len(d.ids) for d in early]) < np.mean([len(d.ids) for d in late])


def test_held_out_documents_are_none_of_the_trained_ones() -> None:
    trained = {
        bytes(d.ids) for block in range(1) for d in generate_block(BlockConfig(seed=0, num_programs=1), block)
    }
    held_out = generated_held_out(num_blocks=1, seed=0)
    long = [d for d in held_out if len(d.ids) > 200]
    assert len(long) > 40
    assert not {bytes(d.ids) for d in long} & trained


def test_recipes_find_the_sources_by_name() -> None:
    assert resolve("generated") is generated
    assert resolve("generated_held_out") is generated_held_out
    with pytest.raises(ConfigError, match="num_programs"):
        generated(num_programs=0)
