"""``opencwm train``, ``opencwm export`` and ``opencwm quantize``."""

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


class Format(enum.StrEnum):
    """What a model is written as."""

    ONNX = "onnx"
    HF = "hf"
    GGUF = "gguf"


class PlannedGpu(enum.StrEnum):
    """GPUs whose peak and memory are known."""

    H100 = "h100"
    H200 = "h200"


class Precision(enum.StrEnum):
    """Weights of an exported model."""

    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"
    INT4 = "int4"


BlockSize = Annotated[
    int,
    typer.Option(
        "--block-size",
        metavar="N",
        help="Weights of int8 and int4 that share a scale: 16, 32, 64, 128 or 256.",
    ),
]
_PRECISIONS = "fp32|bf16|int8|int4"


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
    require_torch()
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


def require_torch() -> None:
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
    format: Annotated[  # noqa: A002 - the option's name
        Format,
        typer.Option(
            "--format",
            metavar="onnx|hf|gguf",
            help="A model folder, a Hugging Face folder, or a file for llama.cpp.",
        ),
    ] = Format.ONNX,
    precision: Annotated[
        Precision | None,
        typer.Option(
            "--precision",
            metavar=_PRECISIONS,
            help="Precision of the weights [default: int8; fp32 in a Hugging Face folder].",
            show_default=False,
        ),
    ] = None,
    block_size: BlockSize = 32,
) -> None:
    """Make a folder that runs without this package's trainer.

    CHECKPOINT is a training run, or a model folder made with --safetensors. onnx: a graph that needs no
    torch, the vocabulary, and a model card that says how it was trained. hf: what transformers and vLLM open.
    gguf: what llama.cpp opens.
    """
    from opencwm.frontends import exporting

    common: dict[str, Any] = {"others": average or [], "reports": scores or []}
    if format is Format.ONNX:
        stored = _stored(precision or Precision.INT8, block_size)
        exporting.export_run(
            checkpoint, output, **common, with_safetensors=with_safetensors, precision=stored
        )
    elif format is Format.HF:
        stored = _stored(precision or Precision.FP32, block_size)
        exporting.export_hub_folder(checkpoint, output, **common, precision=stored)
    else:
        stored = _stored(precision or Precision.INT8, block_size)
        exporting.export_gguf_folder(checkpoint, output, **common, precision=stored)
    _say_size(output)


def quantize(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A model folder made with --safetensors, or a training run.",
            show_default=False,
        ),
    ],
    output: OutputFolder,
    precision: Annotated[
        Precision, typer.Option("--precision", metavar=_PRECISIONS, help="Precision of the weights.")
    ] = Precision.INT8,
    block_size: BlockSize = 32,
) -> None:
    """Store a model's weights in another precision.

    The result is a model folder of its own. It starts from fp32 weights, which MODEL must hold; scores of
    MODEL are not taken over. What a precision costs is measured by `opencwm eval quantization`.
    """
    from opencwm.frontends.exporting import export_run

    export_run(source, output, precision=_stored(precision, block_size))
    _say_size(output)


def _stored(precision: Precision, block_size: int) -> str:
    """Return both as one word.

    Raises:
        ConfigError: no such block size.
    """
    from opencwm.model.precision import WeightFormat

    return str(WeightFormat(precision.value, block_size))


def _say_size(folder: Path) -> None:
    from opencwm.frontends.cli.output import notice

    size_bytes = sum(path.stat().st_size for path in folder.iterdir())
    notice(f"{size_bytes / 2**20:.1f} MiB written to {folder}")
