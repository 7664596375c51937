"""Several ranks train as one does: same rows, same losses, checkpoints that any number goes on from."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.train.config import BatchConfig, OptimizerConfig, ParallelConfig, ScheduleConfig, TrainConfig
from opencwm.train.data import MemorySource, TokenDocument, pack, part_of
from opencwm.train.metrics import METRICS_NAME, read_metrics

torch = pytest.importorskip("torch")

from opencwm.train.checkpoint import load_model  # noqa: E402 - needs torch
from opencwm.train.loop import train  # noqa: E402
from opencwm.train.testing import copy_documents, run_ranks, tiny_recipe  # noqa: E402

KILLED_AT = 350  # documents: some 36 make a step
LESS = ParallelConfig(checkpoint_activations=True, reshard=False, loss_chunk=100)
BATCH = BatchConfig(
    rows=4, row_tokens=96, num_micro_batches=2, max_document_tokens=48, align_tokens=8, lookahead=8
)


def config(name: Any, num_steps: int = 12, **changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {
        "batch": BATCH,
        "optimizer": OptimizerConfig(name=name, learning_rate=3e-3, ema_decay=0.9),
        "schedule": ScheduleConfig(num_steps=num_steps, warmup_steps=4),
        "log_interval_steps": 1,
        "eval_interval_steps": 5,
    }
    changes.setdefault(
        "model", dataclasses.replace(tiny_recipe().model, intermediate_size=66)
    )  # no multiple of 4
    return tiny_recipe(**{**settings, **changes})


def go(config: TrainConfig, out: Path) -> None:
    """One rank, or the only one."""
    train(config, out, source=MemorySource(copy_documents(60)), held_out=copy_documents(30, seed=1))


def records(folder: Path) -> list[dict[str, Any]]:
    return read_metrics(folder / METRICS_NAME)


def assert_same_run(mine: Path, theirs: Path, *, ignore_evaluations: bool = False) -> None:
    """Losses, norms and evaluations to 1e-5, everything counted exactly."""
    runs = [
        [r for r in records(folder) if r["kind"] == "train" or not ignore_evaluations]
        for folder in (mine, theirs)
    ]
    counted = [[(r["kind"], r["step"], r.get("tokens"), r.get("targets")) for r in run] for run in runs]
    assert counted[0] == counted[1]
    for name in ("loss", "grad_norm", "lr"):
        values = [[r[name] for r in run if name in r] for run in runs]
        np.testing.assert_allclose(values[0], values[1], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", [pytest.param("adamw", marks=pytest.mark.slow), "muon"])
def test_two_ranks_give_the_loss_curve_of_one(tmp_path: Path, name: str) -> None:
    go(config(name), tmp_path / "one")
    run_ranks(2, go, config(name), tmp_path / "two")
    assert len(records(tmp_path / "two")) == 12 + 3
    assert_same_run(tmp_path / "one", tmp_path / "two")
    models = [load_model(tmp_path / run / "model").state_dict() for run in ("one", "two")]
    for weight, other in zip(*(model.values() for model in models), strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-4, atol=1e-5)


def steady(num_steps: int, **changes: Any) -> TrainConfig:
    """A run whose rate does not depend on its length, so that it can be cut anywhere."""
    schedule = ScheduleConfig(num_steps=num_steps, warmup_steps=4, decay_fraction=0.0)
    return dataclasses.replace(config("muon"), schedule=schedule, eval_interval_steps=0, **changes)


@pytest.mark.slow
def test_any_number_of_ranks_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    for path in ("whole", "one-two"):
        go(steady(12 if path == "whole" else 6), tmp_path / path)
    run_ranks(2, go, steady(6), tmp_path / "two-one")
    run_ranks(2, go, steady(12), tmp_path / "one-two")
    go(steady(12), tmp_path / "two-one")
    for path in ("one-two", "two-one"):
        assert_same_run(tmp_path / "whole", tmp_path / path, ignore_evaluations=True)


@pytest.mark.slow
def test_four_ranks_go_on_from_the_checkpoint_of_two(tmp_path: Path) -> None:
    go(steady(12), tmp_path / "whole")
    run_ranks(2, go, steady(6), tmp_path / "cut")
    run_ranks(4, go, steady(12, parallel=LESS), tmp_path / "cut")
    assert_same_run(tmp_path / "whole", tmp_path / "cut", ignore_evaluations=True)


class DeadlySource(MemorySource):
    """Ends the process of rank 1 as ``kill -9`` does, when it is asked for a document of a middle step."""

    def __next__(self) -> TokenDocument:
        if os.environ.get("RANK") == "1" and self.state()["index"] == KILLED_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__next__()


def go_deadly(config: TrainConfig, out: Path) -> None:
    try:
        train(config, out, source=DeadlySource(copy_documents(2000)))
    except OpenCWMError as error:
        (out / f"reason-{os.environ['RANK']}").write_text(str(error))


def go_long(config: TrainConfig, out: Path) -> None:
    train(config, out, source=MemorySource(copy_documents(2000)))


@pytest.mark.slow
def test_a_killed_rank_ends_the_run_with_a_reason_and_no_batch_is_lost(tmp_path: Path) -> None:
    go_long(steady(12), tmp_path / "whole")
    go_long(steady(4), tmp_path / "cut")
    run_ranks(2, go_deadly, steady(12), tmp_path / "cut", exit_codes=[0, -signal.SIGKILL])
    reason = (tmp_path / "cut" / "reason-0").read_text()
    assert "rank 0 lost another process of the run" in reason
    assert "it goes on from the last checkpoint" in reason
    assert 5 <= records(tmp_path / "cut")[-1]["step"] < 12
    run_ranks(2, go_long, steady(12), tmp_path / "cut")
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def go_apart(config: TrainConfig, out: Path) -> None:
    """Every rank has data of its own, which is wrong."""
    seed = int(os.environ["RANK"])
    with pytest.raises(ConfigError, match="the ranks read different data"):
        train(config, out, source=MemorySource(copy_documents(60, seed=seed)))


@pytest.mark.slow
def test_ranks_that_read_different_data_are_stopped(tmp_path: Path) -> None:
    run_ranks(2, go_apart, steady(12), tmp_path)


def test_rows_that_cannot_be_dealt_out_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"batch.rows 4 cannot be dealt out to 3 ranks \(make it a multiple"
    ):
        BATCH.dealt_to(3)
    with pytest.raises(
        ConfigError, match=r"8 rows cannot be dealt out to 3 ranks, 2 each \(make batch.rows a mult"
    ):
        dataclasses.replace(BATCH, rows_per_rank=2).dealt_to(3)


def test_a_rank_can_compute_few_rows_at_a_time(tmp_path: Path) -> None:
    go_long(steady(4), tmp_path / "all")
    go_long(steady(4, batch=dataclasses.replace(BATCH, rows_per_rank=2)), tmp_path / "few")
    assert_same_run(tmp_path / "all", tmp_path / "few")


def test_a_part_of_a_batch_is_some_of_its_rows() -> None:
    rows = [[document] for document in copy_documents(6)]
    whole = pack(rows, 48, 8)
    parts = [part_of(whole, number, 3) for number in range(3)]
    assert np.array_equal(np.concatenate([part.ids_BT for part in parts]), whole.ids_BT)
    assert np.array_equal(np.concatenate([part.targets_P for part in parts]), whole.targets_P)
    for part in parts:
        after = part.ids_BT.reshape(-1)[part.positions_P + 1]
        assert np.array_equal(after, part.targets_P)


def test_what_saves_memory_changes_nothing(tmp_path: Path) -> None:
    for out, parallel in (("plain", ParallelConfig()), ("less", LESS)):
        go_long(steady(4, parallel=parallel), tmp_path / out)
    assert_same_run(tmp_path / "plain", tmp_path / "less")
