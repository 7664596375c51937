"""``opencwm train`` and ``opencwm export``."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencwm.frontends.cli.options import Json, OutputFolder, Settings

if TYPE_CHECKING:
    from opencwm.train.config import TrainConfig

Recipe = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="A TOML file, for example of recipes/.", show_default=False)
]
Checkpoint = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="The folder of a training run.", show_default=False)
]


class PlannedGpu(enum.StrEnum):
    """GPUs whose peak and memory are known."""

    H100 = "h100"
    H200 = "h200"


class Precision(enum.StrEnum):
    """Weights of an exported model."""

    INT8 = "int8"
    FP32 = "fp32"


def train(
    recipe: Recipe,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="The folder of the run.", show_default=False),
    ] = None,
    settings: Settings = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Tell what a run would need and take, and its first error; train nothing."
        ),
    ] = False,
    ranks: Annotated[
        list[int] | None,
        typer.Option("--ranks", metavar="N", help="Dry run: GPUs, repeatable [default: 1].", min=1),
    ] = None,
    gpu: Annotated[
        PlannedGpu, typer.Option("--gpu", metavar="h100|h200", help="Dry run: which GPU.")
    ] = PlannedGpu.H100,
    mfu: Annotated[
        float,
        typer.Option(
            "--mfu", metavar="PART", help="Dry run: the part of its peak reached.", min=0.01, max=1.0
        ),
    ] = 0.4,
    as_json: Json = False,
) -> None:
    """Train a model by a recipe.

    Goes on where it stopped when DIR holds a checkpoint; Ctrl-C or SIGTERM ends it with one. In DIR:
    config.json, metrics.jsonl, loss.png, checkpoint/, and model/ with the latest weights. Several GPUs:
    torchrun --nproc-per-node N --no-python opencwm train RECIPE -o DIR.
    """
    from opencwm.core.config import load_config
    from opencwm.core.errors import ConfigError
    from opencwm.train.config import TrainConfig

    config = load_config(TrainConfig, recipe, settings or [])
    _require_torch()
    if dry_run:
        _plan(config, output, ranks or [1], gpu, mfu, as_json=as_json)
    elif output is None:
        raise ConfigError("a run needs a folder to write", where="train", hint="give one with -o")
    else:
        _run(config, output, as_json=as_json)


def _run(config: TrainConfig, output: Path, *, as_json: bool) -> None:
    from opencwm.frontends.cli.output import notice, print_json, progress
    from opencwm.train.curriculum import CLASS_NAMES
    from opencwm.train.loop import train
    from opencwm.train.ranks import Ranks

    if not Ranks.from_environment().is_first:  # of the processes of a run, one speaks
        result = train(config, output, class_names=CLASS_NAMES)
        raise typer.Exit(130 if result.status == "interrupted" else 0)
    with progress(f"training {output.name}", 1_000, counts=False) as show:

        def report(fraction: float, record: Mapping[str, Any]) -> None:
            show(int(1_000 * fraction))
            notice(_line(record))

        result = train(config, output, class_names=CLASS_NAMES, progress=report)
    if as_json:
        print_json(dataclasses.asdict(result))
    else:
        print(f"{result.status} after {result.step} steps, loss {result.loss:.4f}: {output}")
        for name, value in result.evaluation.items():
            print(f"  {name:<24} {value:.4f}")
    if result.status == "interrupted":
        notice("the same command goes on from here")
        raise typer.Exit(130)


def _plan(
    config: TrainConfig, output: Path | None, ranks: list[int], gpu: PlannedGpu, mfu: float, *, as_json: bool
) -> None:
    from opencwm.frontends.cli.output import notice, print_json
    from opencwm.train import dry_run
    from opencwm.train.plan import GPUS, Planner

    planner = Planner(config, GPUS[gpu.value], mfu)
    made, undealt = dry_run.plans(planner, ranks)
    error = dry_run.first_error(config, output, made, undealt, planner.gpu)
    if as_json:
        print_json(dry_run.as_json(planner, made, error))
    else:
        print("\n".join(dry_run.table(planner, made)))
    if error:
        notice(f"the first error of a run: {error}")
        raise typer.Exit(2)


def _require_torch() -> None:
    """Say how to get torch before anything is imported that needs it.

    Raises:
        ConfigError: torch is not installed.
    """
    import importlib.util

    from opencwm.core.errors import ConfigError

    if importlib.util.find_spec("torch") is None:
        raise ConfigError("training needs torch, which is not installed", hint="pip install 'opencwm[train]'")


def _line(record: Mapping[str, Any]) -> str:
    shown = ("loss", "accuracy", "exact/argument", "exact/line", "exact/value", "lr", "tokens_per_s")
    parts = [f"{name} {record[name]:.4g}" for name in shown if name in record]
    return f"step {record['step']} {record['kind']}: {', '.join(parts)}"


def export(
    checkpoint: Checkpoint,
    output: OutputFolder,
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            "--scores",
            metavar="JSON",
            help="A report of `opencwm eval ... --json` for the model card; repeatable.",
        ),
    ] = None,
    average: Annotated[
        list[Path] | None,
        typer.Option(
            "--average",
            metavar="RUN",
            help="Export the mean with the weights of this run of the same model; repeatable.",
        ),
    ] = None,
    with_safetensors: Annotated[
        bool, typer.Option("--safetensors", help="Also copy the fp32 weights.")
    ] = False,
    precision: Annotated[
        Precision,
        typer.Option(
            "--precision",
            metavar="int8|fp32",
            help="Of the weights; fp32 is four times as large, and slower.",
        ),
    ] = Precision.INT8,
) -> None:
    """Make a model folder that runs without torch.

    From a training run: an ONNX graph, the vocabulary, and a model card that says how it was trained.
    """
    from opencwm.frontends.cli.output import notice
    from opencwm.frontends.exporting import export_run

    folder = export_run(
        checkpoint,
        output,
        others=average or [],
        reports=scores or [],
        with_safetensors=with_safetensors,
        precision=precision.value,
    )
    size_bytes = sum(path.stat().st_size for path in folder.path.iterdir())
    notice(f"{size_bytes / 2**20:.1f} MiB written to {folder.path}")
