"""``opencwm rl``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opencwm.frontends.cli import EXIT_INTERRUPTED
from opencwm.frontends.cli.options import Json, OutputFolder, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opencwm.rl.run import RlResult


def rl(
    recipe: Annotated[
        Path,
        typer.Argument(
            metavar="RECIPE", help="A TOML file, recipes/rl-*.toml for example.", show_default=False
        ),
    ],
    output: OutputFolder,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Improve a model by reinforcement learning on real runs.

    Questions, answers, and rewards from what really happens: GRPO through TRL. Goes on where it stopped when
    DIR holds a checkpoint; Ctrl-C or SIGTERM ends it with one. In DIR: config.json, metrics.jsonl,
    reward.png, report.json, checkpoint-N, and model/ with the weights if they are better on what is held out,
    else rejected/model/.
    """
    from opencwm.core.config import load_config
    from opencwm.core.errors import ConfigError
    from opencwm.frontends.cli.output import notice, progress
    from opencwm.rl.recipe import RlConfig

    config = load_config(RlConfig, recipe, settings or [])
    for name in ("torch", "transformers", "trl", "datasets"):
        if importlib.util.find_spec(name) is None:
            raise ConfigError(
                f"reinforcement learning needs {name}, which is not installed",
                hint="pip install 'opencwm[rl]'",
            )
    from opencwm.rl.run import run_recipe

    with progress(f"training {output.name}", 1_000, counts=False) as show:

        def tell(fraction: float, record: Mapping[str, Any]) -> None:
            if record["kind"] == "answering":
                show(
                    int(1_000 * fraction), description=f"{record['set']}: {record['done']}/{record['total']}"
                )
                return
            show(int(1_000 * fraction), description=f"training {output.name}")
            notice(_line(record))

        result = run_recipe(config, output, progress=tell)
    _print_result(result, output, as_json=as_json)


def _print_result(result: RlResult, output: Path, *, as_json: bool) -> None:
    import json

    from opencwm.frontends.cli.output import notice, print_json

    if result.status == "interrupted":
        notice("the same command goes on from here")
        raise typer.Exit(EXIT_INTERRUPTED)
    if as_json:
        print_json(json.loads((output / "report.json").read_text(encoding="utf-8")))
        return
    print(f"{result.status} after {result.step} steps: {output}")
    for name, one in result.held_out.items():
        print(
            f"  {name:<16} {one.before:.3f} -> {one.after:.3f}  difference {one.difference:+.3f} "
            f"+- {one.error:.3f} (paired standard error, {one.num_questions} questions)"
        )
    print(f"  weights {'kept' if result.is_kept else 'not better, not kept'}: {result.folder}/model")


def _line(record: Mapping[str, Any]) -> str:
    if record["kind"] == "eval":
        scores = ", ".join(f"{name} {score:.3f}" for name, score in record["held_out"].items())
        return f"step {record['step']} held out: {scores}"
    shown = ("asked_reward", "mixed", "entropy", "grad_norm", "observation_loss", "elapsed_s")
    parts = [f"{name} {record[name]:.4g}" for name in shown if name in record]
    return f"step {record['step']}: {', '.join(parts)}"
