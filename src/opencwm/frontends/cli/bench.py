"""``opencwm bench``: public benchmarks of a served model, through the harnesses that maintain them."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencwm.core.errors import ConfigError, TaskError
from opencwm.frontends.cli.evaluating import command_line, print_report
from opencwm.frontends.cli.options import Json

if TYPE_CHECKING:
    from opencwm.evals.harnesses import Launch

Endpoint = Annotated[
    str,
    typer.Option(
        "--endpoint",
        metavar="URL",
        help="An OpenAI-compatible API, such as http://localhost:8000/v1; OPENAI_API_KEY is its key.",
        show_default=False,
    ),
]
ServedModel = Annotated[
    str,
    typer.Option("--model", metavar="NAME", help="The model, as the server names it.", show_default=False),
]
Temperature = Annotated[
    float, typer.Option("--temperature", metavar="X", help="Sampling temperature; 0 is greedy.", min=0)
]
TopP = Annotated[
    float,
    typer.Option(
        "--top-p",
        metavar="X",
        help="Draw from the likeliest tokens that together have this probability.",
        min=0,
        max=1,
    ),
]
MaxTokens = Annotated[
    int,
    typer.Option("--max-tokens", metavar="N", help="Most tokens of an answer, reasoning included.", min=1),
]
Plain = Annotated[
    bool,
    typer.Option(
        "--plain", help="Without facebook/cwm's system prompt and template settings: for other models."
    ),
]


BenchmarkName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="livecodebench-code, math500, aime24, aime25, swebench-verified or terminal-bench.",
        show_default=False,
    ),
]
OutputFolder = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="DIR", help="What the harness leaves goes there."),
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="Only the first N items.", min=1)]
Attempts = Annotated[
    int,
    typer.Option("--attempts", metavar="K", help="Answers to each item.", min=1),
]
Concurrency = Annotated[int, typer.Option("--concurrency", metavar="N", help="Questions at once.", min=1)]
Agent = Annotated[
    str, typer.Option("--agent", metavar="NAME", help="Which of Harbor's agents works at the tasks.")
]
OwnTask = Annotated[
    str,
    typer.Option("--task", metavar="TASK", help="What the harness runs instead: items of your own."),
]
Executable = Annotated[
    Path | None,
    typer.Option("--harness", metavar="FILE", help="Its executable, in whatever environment."),
]
Extra = Annotated[
    str,
    typer.Option("--extra", metavar="WORDS", help="More arguments for the harness, as in a shell."),
]
OnlyPrint = Annotated[
    bool, typer.Option("--print", help="Print the harness' command lines and start nothing.")
]
Collect = Annotated[bool, typer.Option("--collect", help="Start nothing: report on what is in DIR already.")]


def bench(
    context: typer.Context,
    name: BenchmarkName,
    endpoint: Endpoint,
    model: ServedModel,
    output: OutputFolder = Path("bench"),
    limit: Limit = None,
    attempts: Attempts = 1,
    concurrency: Concurrency = 8,
    temperature: Temperature = 1.0,
    top_p: TopP = 0.95,
    max_tokens: MaxTokens = 65_536,
    plain: Plain = False,
    agent: Agent = "terminus-2",
    task: OwnTask = "",
    harness: Executable = None,
    extra: Extra = "",
    only_print: OnlyPrint = False,
    collect: Collect = False,
    as_json: Json = False,
) -> None:
    """Run a public benchmark of a served model.

    It runs through its maintained harness, which is installed by you and fetches its own items. Answers are
    drawn and asked for as facebook/cwm's published figures were, which stand beside the result.
    """
    from opencwm.evals.chat import ChatEndpoint, Sampling
    from opencwm.evals.harness_results import HarnessReport
    from opencwm.evals.harnesses import BENCHMARKS, Order, find_executable, launch
    from opencwm.evals.report import Provenance

    if name not in BENCHMARKS:
        raise ConfigError(f"no benchmark {name!r}", where="bench", hint=f"one of {', '.join(BENCHMARKS)}")
    benchmark = BENCHMARKS[name]
    sampling = Sampling(temperature=temperature, top_p=top_p, max_tokens=max_tokens, thinking=not plain)
    order = Order(
        url=endpoint,
        model=model,
        folder=output.absolute() / name,
        sampling=sampling,
        limit=limit,
        attempts=attempts,
        concurrency=concurrency,
        agent=agent,
        task=task,
        extra=shlex.split(extra),
    )
    launched = launch(benchmark, order)
    if only_print:
        _print(launched)
        return
    if not collect:
        executable = find_executable(benchmark, harness)
        _check_empty(order.folder)
        with ChatEndpoint(endpoint, model, sampling) as served:
            served.check()
        _start(launched, executable, order.folder)
    told = Provenance(
        model=model,
        data=task or benchmark.title,
        command=command_line(context),
        settings={"endpoint": endpoint, "harness": [list(each) for each in launched.commands]},
    )
    print_report(HarnessReport.of(told, benchmark, order.folder), as_json=as_json)


def _print(launched: Launch) -> None:
    if launched.folder is not None:
        folder = shlex.quote(str(launched.folder))
        print(f"mkdir -p {folder} && cd {folder}")
    for path, text in launched.files.items():
        print(f"cat > {shlex.quote(str(path))} <<'END'\n{text}END")
    for command in launched.commands:
        print(shlex.join(command))


def _check_empty(folder: Path) -> None:
    """Check that no results would be mixed; raises :class:`ConfigError` where there are some."""
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(
            "there are results already",
            where=str(folder),
            hint="--collect reports on them; or name another DIR",
        )


def _start(launched: Launch, executable: Path, folder: Path) -> None:
    """Run the harness; what it prints goes to stderr.

    Raises:
        TaskError: it failed.
    """
    import subprocess

    from opencwm.evals.chat import API_KEY

    folder.mkdir(parents=True, exist_ok=True)
    for path, text in launched.files.items():
        path.write_text(text, encoding="utf-8")
    environment = {API_KEY: "none", **os.environ}
    for command in launched.commands:
        ended = subprocess.run(
            [executable, *command[1:]], env=environment, stdout=2, cwd=launched.folder, check=False
        )
        if ended.returncode:
            raise TaskError(
                f"{command[0]} ended with status {ended.returncode}",
                where=str(folder),
                hint="see what it said above",
            )
