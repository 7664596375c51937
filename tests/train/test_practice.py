"""Learning from attempts: which direction probabilities move, and a run of rounds with a tiny model."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from opencwm.agent.conversation import Occasion, Utterance
from opencwm.agent.policies import PolicySpec, make_policy
from opencwm.agent.small.attempts import Attempt
from opencwm.agent.small.desk import TOOLS
from opencwm.agent.small.make import SmallConfig, make_small_tasks
from opencwm.agent.small.phrases import tokenizer
from opencwm.agent.token_segments import Segment
from opencwm.core.errors import ConfigError, EngineError
from opencwm.model.config import ModelConfig
from opencwm.model.folder import default_model_path
from opencwm.model.start import start_weights
from opencwm.model.torch_decoder import Decoder, document_borders
from opencwm.train.acting import Demonstrations, demonstrations
from opencwm.train.building import build_model
from opencwm.train.checkpoint import save_model
from opencwm.train.config import InitConfig, OptimizerConfig
from opencwm.train.data import Document, pack
from opencwm.train.optimizer import Optimizer
from opencwm.train.practice import LOG_NAME, PLOT_NAME, PracticeConfig, graded, learn, practise
from opencwm.train.ranks import ALONE
from opencwm.train.testing import tiny_recipe

TINY = ModelConfig(
    vocab_size=len(tokenizer()),
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    sliding_window=64,
    max_position_embeddings=1280,
)
CONFIG = PracticeConfig(
    start="", tasks="", learning_rate=3e-3, warmup_steps=1, row_tokens=64, rows_per_step=2
)


ALL = frozenset(range(TINY.vocab_size))


def attempt(ids: list[int], *, is_solved: bool, allowed: frozenset[int] = ALL) -> Attempt:
    mask = [0, 0, *[1] * (len(ids) - 2)]
    segment = Segment(ids, mask, None, dict.fromkeys(range(2, len(ids)), allowed))
    return Attempt(
        task="t", is_solved=is_solved, stop="finished", num_turns=1, num_backtracks=0, segment=segment
    )


def logarithm_of(model: Decoder, one: Attempt) -> float:
    """Return the mean logarithm of the probability of an attempt's own tokens."""
    ids, mask = np.array(one.segment.ids), np.array(one.segment.loss_mask, np.bool_)
    batch = pack([[Document(ids, mask)]], 64, 1)
    doc = torch.from_numpy(batch.doc_BT)
    with torch.inference_mode():
        loss, _ = model(
            torch.from_numpy(batch.ids_BT),
            doc,
            torch.from_numpy(batch.positions_P),
            document_borders(doc),
            torch.from_numpy(batch.targets_P),
        )
    return -float(loss.mean())


def test_what_was_right_becomes_likelier_and_what_was_wrong_less_so() -> None:
    torch.manual_seed(1)
    model = Decoder(TINY)
    right = attempt([1, 5, 9, 8, 7], is_solved=True)
    wrong = attempt([1, 5, 6, 6, 4, 3], is_solved=False)
    start = logarithm_of(model, right), logarithm_of(model, wrong)
    optimizer = Optimizer(model, OptimizerConfig(learning_rate=3e-3, weight_decay=0.0))
    for _ in range(3):
        measures = learn(model, optimizer, list(graded([[right, wrong]])), CONFIG)
    assert measures["num_learned"] == 2
    assert logarithm_of(model, right) > start[0] + 0.02
    assert logarithm_of(model, wrong) < start[1] - 0.02


def test_ids_that_the_grammar_holds_back_are_nothing_to_learn_from() -> None:
    torch.manual_seed(1)
    config = ModelConfig.from_hugging_face({**TINY.to_hugging_face(), "tie_word_embeddings": False})
    model = Decoder(config)
    among = frozenset({4, 9})
    group = [
        attempt([1, 5, 9], is_solved=True, allowed=among),
        attempt([1, 5, 4], is_solved=False, allowed=among),
    ]
    before = model.lm_head.weight.detach().clone()
    optimizer = Optimizer(model, OptimizerConfig(learning_rate=3e-3, weight_decay=0.0))
    start = logarithm_of(model, group[0]) - logarithm_of(model, group[1])
    learn(model, optimizer, list(graded([group])), CONFIG)
    moved = (model.lm_head.weight.detach() != before).any(dim=1)
    assert set(moved.nonzero()[:, 0].tolist()) == among
    assert logarithm_of(model, group[0]) - logarithm_of(model, group[1]) > start + 0.02


@pytest.mark.parametrize(("rate", "is_clipped"), [(1e-6, False), (3e-2, True)])
def test_what_moved_too_far_in_a_round_is_clipped(rate: float, is_clipped: bool) -> None:
    torch.manual_seed(1)
    model = Decoder(TINY)
    right, wrong = attempt([1, 5, 9, 8, 7], is_solved=True), attempt([1, 5, 6, 6, 4], is_solved=False)
    config = dataclasses.replace(CONFIG, row_tokens=5, rows_per_step=1)
    optimizer = Optimizer(model, OptimizerConfig(learning_rate=rate, weight_decay=0.0))
    measures = learn(model, optimizer, list(graded([[right, wrong, right, wrong]])), config)
    assert measures["num_steps"] == 4
    assert (measures["clipped"] > 0.0) is is_clipped


def test_groups_that_agree_teach_nothing() -> None:
    same = [attempt([1, 2, 3], is_solved=True)] * 3
    assert list(graded([same])) == []
    mixed = [*same, attempt([1, 2, 4], is_solved=False)]
    assert [one.advantage for one in graded([mixed])] == [0.25, 0.25, 0.25, -0.75]
    assert [one.advantage for one in graded([mixed], negative_weight=0.0)] == [0.25, 0.25, 0.25]


def test_a_run_begins_with_the_weights_of_another_and_more_ids(tmp_path: Path) -> None:
    recipe = tiny_recipe()
    first = build_model(recipe, torch.device("cpu"), ALONE)
    assert isinstance(first, Decoder)
    save_model(tmp_path, first)
    more = ModelConfig.from_hugging_face({**recipe.model.to_hugging_face(), "vocab_size": 30})
    second = build_model(
        tiny_recipe(model=more, init=InitConfig(weights=str(tmp_path)), seed=9), torch.device("cpu"), ALONE
    )
    given, taken = first.state_dict(), second.state_dict()
    for name, weight in given.items():
        assert torch.equal(taken[name][: len(weight)], weight)
    assert len(taken["model.embed_tokens.weight"]) == 30
    other = ModelConfig.from_hugging_face({**recipe.model.to_hugging_face(), "intermediate_size": 32})
    with pytest.raises(ConfigError, match="does not fit"):
        build_model(
            tiny_recipe(model=other, init=InitConfig(weights=str(tmp_path))), torch.device("cpu"), ALONE
        )


def test_a_run_may_begin_with_the_model_in_the_package() -> None:
    shape, weights = start_weights(None)
    more = ModelConfig.from_hugging_face({**shape.to_hugging_face(), "vocab_size": shape.vocab_size + 7})
    init = InitConfig(weights="package")
    taken = build_model(tiny_recipe(model=more, init=init), torch.device("cpu"), ALONE).state_dict()
    for name, weight in weights.items():
        assert torch.equal(taken[name][: len(weight)], torch.from_numpy(weight)), name


def test_a_model_that_cannot_act_is_refused_as_a_policy() -> None:
    with pytest.raises(EngineError, match="cannot act"):
        make_policy(PolicySpec(spec=f"model:{default_model_path()}"))


@pytest.mark.slow
def test_a_tiny_model_practises_and_its_folder_is_a_policy(tmp_path: Path) -> None:
    make_small_tasks([], tmp_path / "tasks", SmallConfig(num_tasks=2, seed=5))
    torch.manual_seed(1)
    save_model(tmp_path / "start", Decoder(TINY))
    config = PracticeConfig(
        start=str(tmp_path / "start"), tasks=str(tmp_path / "tasks"), num_rounds=1, attempts=2
    )
    out = tmp_path / "out"
    records = practise(config, out)
    assert json.loads((out / LOG_NAME).read_text())["round"] == 1
    assert (out / PLOT_NAME).is_file()
    assert records[0]["num_attempts"] == 4
    more = PracticeConfig(**{**config.__dict__, "num_rounds": 2})
    assert practise(more, out)[:1] == records
    policy = make_policy(PolicySpec(spec=f"model:{out / 'round-002'}"))
    occasion = Occasion(task="t", rollout=0, seed=1, tools=TOOLS)
    reply = policy.begin(occasion)([Utterance(role="user", text="task")])
    assert reply.tokens is not None
    assert len(reply.tokens.logarithms) == len(reply.tokens.allowed) == len(reply.tokens.ids)


@pytest.mark.slow
def test_demonstrations_go_on_where_they_were(tmp_path: Path) -> None:
    make_small_tasks([], tmp_path, SmallConfig(num_tasks=2, seed=5))
    source = demonstrations(tasks=str(tmp_path), seed=3)
    assert isinstance(source, Demonstrations)
    try:
        next(source)
        state = source.state()
        wanted = [next(source).ids for _ in range(3)]
        source.restore(state)
        assert all(np.array_equal(ids, next(source).ids) for ids in wanted)
    finally:
        source.close()
