"""``opencwm practice``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opencwm.frontends.cli.options import Json, OutputFolder, Settings


def practice(
    recipe: Annotated[
        Path,
        typer.Argument(
            metavar="RECIPE", help="A TOML file: recipes/agent-practice.toml.", show_default=False
        ),
    ],
    output: OutputFolder,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Let a small model that acts learn from its attempts at small tasks.

    In DIR: round-000 (the model before) to round-NNN, folders for `--policy model:FOLDER`; practice.jsonl and
    practice.png with a point for each round. The same command goes on after the last round.
    """
    from opencwm.core.config import load_config
    from opencwm.frontends.cli.output import notice, print_json
    from opencwm.frontends.cli.train import require_torch

    require_torch()
    from opencwm.train.practice import PracticeConfig, practise

    config = load_config(PracticeConfig, recipe, settings or [])
    records = practise(config, output, lambda number, line: notice(f"round {number}: {line}"))
    if as_json:
        print_json(records)
    else:
        print(f"{len(records)} rounds: {output}")
