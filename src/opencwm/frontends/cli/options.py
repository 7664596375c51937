"""Options that several commands share, so that each reads the same everywhere."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from opencwm.debugger.working import Working


class Detail(enum.StrEnum):
    """How much of a run is recorded or predicted."""

    LINE = "line"
    EXPR = "expr"


ProgramFile = Annotated[Path, typer.Argument(metavar="FILE", help="A Python file.", show_default=False)]
Call = Annotated[
    str | None,
    typer.Option("--call", metavar="CALL", help="The call to start with, for example \"f('a', 3)\"."),
]
Entry = Annotated[
    str | None,
    typer.Option("--entry", metavar="NAME", help="The function to start in [default: main]."),
]
Assume = Annotated[
    list[str] | None,
    typer.Option(
        "--assume",
        metavar="WHAT",
        help="Something unknown: \"df: list of 3 dicts with keys 'a', 'b'\", \"x = [1, 2]\","
        ' "requests.get(...) -> \'text\'", "open(...) raises OSError()"; repeatable.',
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DetailLevel = Annotated[
    Detail,
    typer.Option(
        "--detail",
        metavar="line|expr",
        help="What a step tells: its effects, or also the sub-expressions evaluated on the way to it.",
    ),
]


WorkingLevel = Annotated[
    Working,
    typer.Option(
        "--working",
        metavar="free|followed|calculated",
        help="With --detail expr: the model writes sub-expressions; it is asked for their values; or only for"
        " those that are no pure operation on literals.",
    ),
]
SearchSamples = Annotated[
    int,
    typer.Option(
        "--search",
        metavar="N",
        help="Attempt a step that the model is unsure of N more times, and keep what most attempts come to.",
        min=0,
        max=64,
    ),
]
Real = Annotated[bool, typer.Option("--real", help="Step the real run instead, recorded in the sandbox.")]
MostSteps = Annotated[
    int, typer.Option("--max-steps", metavar="N", help="Most steps predicted at once.", min=1)
]
MaxSteps = Annotated[
    int, typer.Option("--max-steps", metavar="N", help="Most steps of a predicted run.", min=1)
]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", help="Wall-clock limit of the real run.", min=0.01)
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="SPEC",
        help="A model folder, a Hugging Face folder or name (facebook/cwm), or a server"
        " (http://HOST:8000/v1); options after commas (facebook/cwm,quantize=int8), see docs/models.md"
        " [default: the one in the package].",
    ),
]
Unconstrained = Annotated[
    bool,
    typer.Option(
        "--unconstrained", help="Let the model write any step, also ones the program does not allow."
    ),
]
OutputFolder = Annotated[
    Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write.", show_default=False)
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a setting, for example batch.rows=2; repeatable."
    ),
]
