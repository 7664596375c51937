"""A run that trains nothing: what it would need, and the first thing that would go wrong.

The idea: everything a run opens before its first step is opened here by the same functions, in the same
order, and its first batch is made; so what is found is what a run would say. Nothing is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from opencwm.core.errors import ConfigError, OpenCWMError
from opencwm.train import checkpoint as checkpoints
from opencwm.train.config import TrainConfig
from opencwm.train.data import Packer, TokenSource, nothing_fits, open_held_out, open_source, pack_all
from opencwm.train.feed import check_ids
from opencwm.train.plan import GIB, Gpu, Memory, Plan, Planner
from opencwm.train.pretrained_folder import open_folder
from opencwm.train.ranks import local_device


def plans(planner: Planner, ranks: Sequence[int]) -> tuple[list[Plan], OpenCWMError | None]:
    """Return the run on each number of ranks, and why it cannot be on the first for which it cannot."""
    made: list[Plan] = []
    problem: OpenCWMError | None = None
    for world in ranks:
        try:
            made.append(planner.plan(world))
        except ConfigError as error:
            problem = problem or error
    return made, problem


def first_error(
    config: TrainConfig, out: Path | None, made: Sequence[Plan], undealt: OpenCWMError | None, gpu: Gpu
) -> OpenCWMError | None:
    """Return the first error that a run here would meet, None when it would begin to train.

    Args:
        config: the recipe.
        out: the run's folder, whose checkpoint must fit, if it is known.
        made: the plans.
        undealt: why there are not more of them.
        gpu: which must hold them, unless the recipe is for a CPU.
    """
    source: TokenSource | None = None
    try:
        source = open_source(config.data)
        for batch in pack_all(open_held_out(config.data), config.batch):
            check_ids(batch, config.model.vocab_size)
        device = local_device(config.device)
        if undealt:
            return undealt
        if config.compile and device.type == "cpu":
            return ConfigError("compile is for GPUs", where="recipe")
        if config.init.from_:
            open_folder(config, with_weights=False)
        if out is not None:
            checkpoints.load_state(out, config)
        _first_batch(config, source)
        if device.type == "cuda":
            _demand_memory(made, gpu)
    except OpenCWMError as error:
        return error
    finally:
        if source is not None and hasattr(source, "close"):
            source.close()
    return None


def _first_batch(config: TrainConfig, source: TokenSource) -> None:
    packer = Packer(source, config.batch)
    try:
        batch = next(packer)
    except StopIteration:
        raise nothing_fits() from None
    check_ids(batch, config.model.vocab_size)


def _demand_memory(made: Sequence[Plan], gpu: Gpu) -> None:
    for plan in made:
        if plan.memory.total > gpu.memory_bytes:
            raise ConfigError(
                f"a rank of {plan.ranks} needs {plan.memory.total / GIB:.0f} GiB, and {gpu.name} has "
                f"{gpu.memory_bytes / GIB:.0f}",
                where="recipe",
                hint="more ranks, fewer batch.rows_per_rank, or parallel.checkpoint_activations",
            )


def table(planner: Planner, made: Sequence[Plan]) -> list[str]:
    """Return what is planned as lines of text, a column for each number of ranks."""
    counts, config, gpu = planner.weights, planner.config, planner.gpu
    frozen = f", of which {counts.trained:,} are trained" if counts.trained < counts.all else ""
    batch = config.batch
    rows, peak = batch.rows * batch.num_micro_batches, gpu.peak_flops / 1e12
    parts = f"{planner.matmul_flops:.3e} with weights + {planner.attention_flops:.3e} between tokens"
    memory = f"{gpu.memory_bytes / GIB:.0f} GiB"
    lines = [
        f"weights        {counts.all:,}{frozen}",
        f"a step         {planner.tokens_per_step:,} tokens: {rows} rows of {batch.row_tokens:,}",
        f"FLOPs a token  {planner.flops_per_token:.3e}: {parts} (documents of {batch.document_limit:,})",
        f"a GPU          {gpu.name}, {memory}, {peak:,.0f} TFLOP/s, {planner.mfu:.0%} of them reached",
        "",
    ]
    return [*lines, *(_row(name, [cell(plan) for plan in made]) for name, cell in _rows(gpu))]


def _rows(gpu: Gpu) -> list[tuple[str, Callable[[Plan], str]]]:
    fields = dataclasses.fields(Memory)
    return [
        ("ranks", lambda plan: f"{plan.ranks}"),
        ("rows at once x accumulated", lambda plan: f"{plan.rows_per_rank} x {plan.micro_batches}"),
        *((f"{field.name}, GiB a rank", partial(_gib, field.name)) for field in fields),
        ("all of them", partial(_gib, "total")),
        ("fits", lambda plan: "yes" if plan.memory.total <= gpu.memory_bytes else "no"),
        ("tokens/s", lambda plan: f"{plan.tokens_per_s:,.0f}"),
        ("steps", lambda plan: f"{plan.steps:,}" if plan.steps else "by time"),
        ("tokens", lambda plan: f"{plan.tokens:.3e}"),
        ("FLOPs", lambda plan: f"{plan.flops:.3e}"),
        ("days", lambda plan: f"{plan.days:.2f}"),
    ]


def _gib(name: str, plan: Plan) -> str:
    return f"{getattr(plan.memory, name) / GIB:.1f}"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<28}" + "".join(f"{cell:>12}" for cell in cells)


def as_json(planner: Planner, made: Sequence[Plan], error: OpenCWMError | None) -> dict[str, Any]:
    """Return what is planned as JSON-able data; ``error`` is null when there is none."""
    return {
        "weights": dataclasses.asdict(planner.weights),
        "tokens_per_step": planner.tokens_per_step,
        "flops_per_token": planner.flops_per_token,
        "gpu": dataclasses.asdict(planner.gpu),
        "mfu": planner.mfu,
        "plans": [{**dataclasses.asdict(plan), "memory_total": plan.memory.total} for plan in made],
        "error": str(error) if error else None,
    }
