"""``opencwm corpus mutate``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencwm.frontends.cli.options import Settings, Timeout

if TYPE_CHECKING:
    from opencwm.traces import Trace

Traces = Annotated[
    Path,
    typer.Argument(
        metavar="TRACES", help="A corpus folder, a .jsonl or a .parquet file of traces.", show_default=False
    ),
]


def mutate(
    traces: Traces,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to: a .parquet or a .jsonl file.",
            show_default=False,
        ),
    ],
    per_program: Annotated[
        int, typer.Option("--per-program", metavar="N", help="Most mutants of one source.", min=1)
    ] = 2,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="The same seed gives the same mutants.")
    ] = 0,
    timeout: Timeout = 5.0,
    max_steps: Annotated[
        int, typer.Option(metavar="N", help="End a run after this many steps.", min=1)
    ] = 1_000,
    max_value_chars: Annotated[
        int, typer.Option(metavar="N", help="Cut rendered values after this many characters.", min=16)
    ] = 2_000,
    settings: Settings = None,
) -> None:
    """Change recorded programs a little and record them again.

    Written is also where the two runs part. Every input of a source is run on every mutant. Mutants of a
    corpus stay in the split of their original when the file is built into a corpus.
    """
    from opencwm.core.config import load_config
    from opencwm.corpus.mutants import MutationConfig, MutationTally, mutate_traces
    from opencwm.corpus.structure import SPLITS
    from opencwm.corpus.trace_files import load_traces, save_traces
    from opencwm.frontends.cli.output import notice, progress
    from opencwm.sandbox import RunLimits, Sandbox, record
    from opencwm.tracer import TraceLimits

    config = load_config(MutationConfig, overrides=[f"max_mutants={per_program}", *(settings or [])])
    limits = RunLimits(wall_s=timeout, cpu_s=timeout)
    bounds = TraceLimits(max_steps=max_steps, max_value_chars=max_value_chars)
    tally = MutationTally()
    with Sandbox() as sandbox, progress("recording mutants") as advance:
        found = mutate_traces(
            load_traces(traces, splits=SPLITS),
            seed,
            config,
            lambda program: record(program, sandbox=sandbox, limits=limits, trace_limits=bounds),
            tally,
        )
        num_traces = save_traces(output, _shown(found, advance))
    left_out = (
        f"; {tally.num_not_reproduced} runs were not the same again" if tally.num_not_reproduced else ""
    )
    notice(
        f"{num_traces} runs of mutants of {tally.num_functions} sources written to {output}"
        f" ({tally.num_originals} runs of originals{left_out})"
    )


def _shown(traces: Iterator[Trace], advance: Callable[[int], object]) -> Iterator[Trace]:
    """Pass traces on, and tell a progress bar."""
    for number, trace in enumerate(traces, 1):
        advance(number)
        yield trace
