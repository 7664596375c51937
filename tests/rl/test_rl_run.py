"""Learning from rewards, whole: a tiny random policy and an environment that it can master in a few steps."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="learning from rewards needs the extra rl")
pytest.importorskip("datasets", reason="learning from rewards needs the extra rl")

import torch
from safetensors.torch import load_file

from opencwm.core.errors import ConfigError, SandboxError
from opencwm.frontends.cli.app import invoke
from opencwm.model.start import start_weights
from opencwm.rl.answer_tree import group_logits
from opencwm.rl.batches import Batches
from opencwm.rl.held_out import Comparison, compare, is_better
from opencwm.rl.policy import Answer, answers, make_policy
from opencwm.rl.predict_output import PredictOutput
from opencwm.rl.questions import training_questions
from opencwm.rl.recipe import (
    HeldOutConfig,
    QuestionsConfig,
    RlConfig,
    SamplingConfig,
    UpdateConfig,
)
from opencwm.rl.run import run_recipe
from opencwm.rl.testing import EvenIds, tiny_start
from opencwm.rl.trl_environment import environment_factory
from opencwm.train.metrics import read_metrics

EVEN = "opencwm.rl.testing:EvenIds"
UPDATE = UpdateConfig(num_steps=12, questions=2, max_questions=8, learning_rate=0.1, warmup_steps=0)


def recipe(start: Path, **changes: Any) -> RlConfig:
    settings: dict[str, Any] = {
        "environment": EVEN,
        "start": start,
        "sources": {"generated": QuestionsConfig(programs=4)},
        "held_out": HeldOutConfig(sets={"held": QuestionsConfig(kind="held_out", programs=4)}),
        "sampling": SamplingConfig(group=8, max_tokens=2),
        "update": UPDATE,
        "checkpoint_interval_steps": 5,
    }
    return RlConfig(**{**settings, **changes})


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    tiny_start(folder)
    return folder


@pytest.fixture(scope="module")
def finished(start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    result = run_recipe(recipe(start), folder)
    assert (result.status, result.step) == ("finished", 12)
    return folder


def policy(start: Path) -> Any:
    return make_policy(*start_weights(start)).eval()


PROMPTS = [[1, 300, 301, 302, *range(400, 470)], [1, 500, 501]]


def test_answers_have_the_probabilities_of_answers_written_alone(start: Path) -> None:
    model = policy(start)
    drawn = answers(
        model,
        PROMPTS,
        num_answers=6,
        stops=set(range(0, 1000, 3)),
        max_tokens=5,
        temperature=0.8,
        generator=torch.Generator().manual_seed(1),
    )
    assert [len(group) for group in drawn] == [6, 6]
    assert len({answer.ids for group in drawn for answer in group}) > 4
    for prompt, group in zip(PROMPTS, drawn, strict=True):
        logits_NV, paths = group_logits(model, prompt, [answer.ids for answer in group])
        tree = torch.log_softmax(logits_NV / 0.8, dim=-1)
        for answer, path in zip(group, paths, strict=True):
            assert all(token % 3 for token in answer.ids[:-1])
            alone = model(torch.tensor([[*prompt, *answer.ids]])).logits[0, len(prompt) - 1 : -1]
            expected = torch.log_softmax(alone / 0.8, dim=-1)[range(len(answer.ids)), answer.ids]
            assert torch.allclose(torch.tensor(answer.logarithms), expected, atol=1e-4)
            assert torch.allclose(tree[path, answer.ids], expected, atol=1e-4)


def test_greedy_answers_are_those_of_generate(start: Path) -> None:
    model = policy(start)
    [[answer], _] = answers(model, PROMPTS, num_answers=1, stops=(), max_tokens=6, temperature=0)
    written = model.generate(
        torch.tensor([PROMPTS[0]]), max_new_tokens=6, do_sample=False, eos_token_id=None, use_cache=True
    )
    assert list(answer.ids) == written[0, len(PROMPTS[0]) :].tolist()


def test_bfloat16_is_near_and_sees_every_change_of_the_weights(start: Path) -> None:
    model = policy(start)
    whole, _ = group_logits(model, PROMPTS[0], [[5, 6]])
    model.compute_dtype = torch.bfloat16
    small, _ = group_logits(model, PROMPTS[0], [[5, 6]])
    assert not torch.equal(small, whole)
    assert torch.allclose(small.float(), whole, atol=0.05)
    with torch.no_grad():
        model.model.norm.weight.mul_(2)
    again, _ = group_logits(model, PROMPTS[0], [[5, 6]])
    assert torch.allclose(again.float(), 2 * small.float(), atol=0.05)
    [[answer], _] = answers(model, PROMPTS, num_answers=1, stops=(), max_tokens=6, temperature=0)
    assert len(answer.ids) == 6
    assert model.model.norm.weight.dtype == torch.float32


def test_the_reward_goes_up_and_the_weights_are_kept(finished: Path) -> None:
    report = json.loads((finished / "report.json").read_text())
    score = report["held_out"]["held"]
    train = [record for record in read_metrics(finished / "metrics.jsonl") if record["kind"] == "train"]
    assert [record["step"] for record in train] == list(range(1, 13))
    assert train[0]["asked_reward"] < 0.75 < train[-1]["asked_reward"]
    assert report["is_kept"] == (score["after"] - score["before"] > 2 * score["error"])
    assert score["after"] == 1
    where = finished if report["is_kept"] else finished / "rejected"
    assert "model.norm.weight" in load_file(where / "model" / "model.safetensors")
    assert (finished / "reward.png").stat().st_size > 1000


def test_a_run_goes_on_exactly_where_it_stopped(start: Path, finished: Path, tmp_path: Path) -> None:
    def interrupt(_: float, record: Mapping[str, Any]) -> None:
        if record["kind"] == "train" and record["step"] == 7:
            os.kill(os.getpid(), signal.SIGTERM)

    config = recipe(start)
    assert run_recipe(config, tmp_path, progress=interrupt).status == "interrupted"
    assert (tmp_path / "checkpoint-8" / "questions.json").exists()
    (tmp_path / "checkpoint-9").mkdir()  # a kill left half a checkpoint: it is not gone on from
    assert run_recipe(config, tmp_path).status == "finished"
    whole, pieced = (read_metrics(folder / "metrics.jsonl") for folder in (finished, tmp_path))
    assert [record["position"] for record in pieced] == [record["position"] for record in whole]
    for one, other in zip(whole, pieced, strict=True):
        assert math.isclose(one["loss"], other["loss"], abs_tol=1e-4)
        assert one["asked_reward"] == other["asked_reward"]
    again = run_recipe(config, tmp_path)  # it is over: nothing is learned, the report is the same
    assert again.step == 12
    with pytest.raises(ConfigError, match="another recipe"):
        run_recipe(dataclasses.replace(config, seed=1), tmp_path)


def test_groups_without_a_gradient_are_replaced(start: Path) -> None:
    config = recipe(start)
    environment = EvenIds()
    questions = training_questions(config, environment, ())
    batches = Batches(environment, questions, seed=0)
    drawn = iter([[0, 2], [1, 3], [0, 1], [4, 5]])

    def ask(prompts: Any) -> Any:
        return [[Answer((token,), (0.0,)) for token in next(drawn)] for _ in prompts]

    groups = batches.take(ask, 2, most=8, together=1)
    assert [[answer.ids[0] for answer in group.answers] for group in groups] == [[0, 1], [4, 5]]
    assert (len(batches.asked), batches.position) == (4, 4)


def test_a_step_without_any_gradient_changes_nothing(start: Path, tmp_path: Path) -> None:
    update = dataclasses.replace(UPDATE, num_steps=2, max_questions=3)
    config = recipe(start, environment="opencwm.rl.testing:Unlearnable", update=update)
    result = run_recipe(config, tmp_path)
    assert not result.is_kept
    assert result.folder == tmp_path / "rejected"
    before, after = (
        load_file(start / "model.safetensors"),
        load_file(tmp_path / "rejected/model/model.safetensors"),
    )
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [record["asked"] for record in read_metrics(tmp_path / "metrics.jsonl")] == [3, 3]


def test_observations_carry_a_loss_when_asked_to(start: Path, tmp_path: Path) -> None:
    update = dataclasses.replace(UPDATE, observation_weight=1.0, num_steps=6)
    run_recipe(recipe(start, update=update), tmp_path)
    losses = [record["observation_loss"] for record in read_metrics(tmp_path / "metrics.jsonl")]
    assert losses[-1] < losses[0]


def test_several_updates_for_a_batch_are_clipped(start: Path, tmp_path: Path) -> None:
    update = dataclasses.replace(UPDATE, updates_per_batch=2, num_steps=6)
    run_recipe(recipe(start, update=update), tmp_path)
    clipped = [record["clipped"] for record in read_metrics(tmp_path / "metrics.jsonl")]
    assert clipped[0] == 0  # the first update is of the policy that drew
    assert max(clipped) > 0


def test_a_grader_that_breaks_ends_the_run(start: Path, tmp_path: Path) -> None:
    class Broken(EvenIds):
        def grade_ids(self, *_: Any) -> Any:
            raise SandboxError("no space left")

    globals()["Broken"] = Broken
    config = recipe(start, environment=f"{__name__}:Broken", held_out=HeldOutConfig())
    with pytest.raises(SandboxError, match="no space left"):
        run_recipe(config, tmp_path)


def test_standard_errors_are_of_pairs_and_clusters(start: Path) -> None:
    environment = EvenIds()
    questions = training_questions(recipe(start), environment, ())
    keys = [question.key for question in questions]
    one = compare(questions, dict.fromkeys(keys, 0.0), {**dict.fromkeys(keys, 0.0), keys[0]: 1.0})
    assert (one.difference, one.gained, one.lost) == (0.25, 1, 0)
    assert math.isclose(one.error, 0.25)  # sd 0.5 over the root of 4
    grouped = [
        dataclasses.replace(
            question,
            trace=dataclasses.replace(
                question.trace, program=dataclasses.replace(question.trace.program, group="one")
            ),
        )
        for question in questions
    ]
    assert compare(grouped, dict.fromkeys(keys, 0.0), dict.fromkeys(keys, 1.0)).error == 0


BAD = {
    "[update]\nlearning_rat = 1\n": "did you mean 'learning_rate'?",
    "environment = 'predict-outptu'\n": "no environment 'predict-outptu'",
    "[sampling]\ngroup = 1\n": "sampling.group is >= 2",
    "[sources.a]\nkind = 'traces'\n": "has a path",
    "[sources.a]\nkind = 'traces'\npath = '/nowhere/x.jsonl'\n": "no such file",
    "start = '/nowhere'\n": "no such folder",
    "max_prompt_tokens = 0\n": "are >= 1",
    "x = \n": "is not valid TOML",
    "[update]\nquestions = 3\nupdates_per_batch = 2\n": "multiple of updates_per_batch",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_recipe_is_one_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    assert invoke(["rl", str(path), "-o", str(tmp_path / "run")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.strip().split("\n")
    assert BAD[text] in line
    assert not (tmp_path / "run").exists()


def test_trl_makes_a_schema_of_the_tool() -> None:
    from transformers.utils import get_json_schema

    schema = get_json_schema(environment_factory(PredictOutput(), [])().submit_answer)
    assert schema["function"]["parameters"]["required"] == ["answer"]


@pytest.mark.slow
def test_the_shipped_recipe_runs_whole_in_small(tmp_path: Path) -> None:
    recipe_path = Path(__file__).parents[2] / "recipes" / "rl-predict-output.toml"
    settings = ("sources.generated.programs=30", "held_out.sets.generated.programs=12", "update.num_steps=2")
    flags = [part for setting in settings for part in ("--set", setting)]
    assert invoke(["rl", str(recipe_path), "-o", str(tmp_path), *flags]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["num_steps"] == 2
    assert report["held_out_drawn"]["generated"]["num_questions"] > 5
    where = tmp_path if report["is_kept"] else tmp_path / "rejected"
    assert invoke(["export", str(where), "-o", str(tmp_path / "exported")]) == 0


@pytest.mark.parametrize(
    ("afters", "is_kept"),
    [((0.43, 0.38), True), ((0.41, 0.41), False), ((0.6, 0.36), False), ((0.4, 0.4), False)],
)
def test_weights_are_kept_that_are_surely_better_somewhere_and_nowhere_worse(
    afters: tuple[float, float], is_kept: bool
) -> None:
    comparisons = [
        Comparison(100, 0.4, after, error, 0, 0) for after, error in zip(afters, (0.01, 0.03), strict=True)
    ]
    assert is_better(comparisons) is is_kept
