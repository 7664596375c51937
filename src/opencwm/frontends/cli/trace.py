"""``opencwm trace``."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opencwm.core.files import write_atomic
from opencwm.frontends.cli.options import Call, Detail, DetailLevel, Entry, ProgramFile, Timeout

if TYPE_CHECKING:
    from opencwm.traces import Trace


class Format(enum.StrEnum):
    """What ``opencwm trace`` writes."""

    TABLE = "table"
    CWM = "cwm"
    ND = "nd"
    ND_INVERSE = "nd-inverse"
    JSONL = "jsonl"
    PARQUET = "parquet"


def trace(
    file: ProgramFile,
    call: Call = None,
    entry: Entry = None,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            metavar="table|cwm|nd|nd-inverse|jsonl|parquet",
            help="What to write [default: what PATH ends in, .jsonl or .parquet, else a table].",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="PATH", help="Where to; stdout when absent, unless parquet."),
    ] = None,
    walk: Annotated[
        int | None,
        typer.Option(
            metavar="SEED", help="nd, nd-inverse: draw the debugger's actions, instead of stepping into all."
        ),
    ] = None,
    detail: DetailLevel = Detail.LINE,
    timeout: Timeout = 10.0,
    max_steps: Annotated[
        int, typer.Option(metavar="N", help="End the run after this many steps.", min=1)
    ] = 100_000,
    max_value_chars: Annotated[
        int, typer.Option(metavar="N", help="Cut rendered values after this many characters.", min=16)
    ] = 2_000,
    rows: Annotated[int, typer.Option(metavar="N", help="Most rows of the table; 0 for all.", min=0)] = 1_000,
) -> None:
    """Run a call in the sandbox and record every step.

    A step tells its line, the locals that changed, and what was returned or raised. What the program printed
    stands below the table.
    """
    from opencwm.core.errors import ConfigError
    from opencwm.frontends.cli.output import notice
    from opencwm.frontends.programs import load_program
    from opencwm.sandbox import RunLimits, record
    from opencwm.tracer import TraceLimits

    form = form or _format_of(output)
    if form is Format.PARQUET and output is None:
        raise ConfigError("parquet is binary", where="--format parquet", hint="name a file with -o PATH")
    if walk is not None and form not in (Format.ND, Format.ND_INVERSE):
        raise ConfigError(f"{form} has no actions", where="--walk", hint="add --format nd or nd-inverse")
    program = load_program(file, call=call, entry=entry)
    recorded = record(
        program,
        limits=RunLimits(wall_s=timeout, cpu_s=timeout),
        trace_limits=TraceLimits(
            max_steps=max_steps, max_value_chars=max_value_chars, expressions=detail is Detail.EXPR
        ),
    )
    _refuse_empty(recorded)
    if form is Format.TABLE:
        _write_table(recorded, output, rows)
    else:
        _write(recorded, form, output, walk)
    if output is not None:
        notice(f"{len(recorded.steps)} steps written to {output}: {_outcome(recorded)}")


def _format_of(output: Path | None) -> Format:
    """Return the format that a file's name promises."""
    suffix = output.suffix.lower() if output is not None else ""
    return {".jsonl": Format.JSONL, ".parquet": Format.PARQUET}.get(suffix, Format.TABLE)


def _outcome(trace: Trace) -> str:
    from opencwm.debugger.execution import describe_end

    return describe_end(trace.status, trace.result, trace.detail)


def _refuse_empty(trace: Trace) -> None:
    """Raise when the run never came to the entry.

    Raises:
        ConfigError: there is no step.
    """
    from opencwm.core.errors import ConfigError
    from opencwm.traces import Status

    if trace.steps:
        return
    hints = {
        Status.MODULE_FAILED: "opencwm debug steps through it without running it",
        Status.TIMEOUT: "give it longer with --timeout SECONDS",
    }
    raise ConfigError(
        f"nothing was recorded: {_outcome(trace)}",
        where=trace.program.filename,
        hint=hints.get(trace.status, ""),
    )


def _published_text(trace: Trace, form: Format, walk: int | None) -> str:
    """Return the run in a published format; a ``walk`` is the seed of a debugger's actions."""
    if form is Format.CWM:
        from opencwm.codec.cwm_text import trace_text

        return trace_text(trace)
    from opencwm.codec.nd_text import trajectory_text
    from opencwm.codec.nd_walk import inverse_trajectory, trajectory
    from opencwm.core.seeds import derive_rng

    rng = None if walk is None else derive_rng("walk", walk)
    return trajectory_text(trajectory(trace, rng) if form is Format.ND else inverse_trajectory(trace, rng))


def _write(trace: Trace, form: Format, output: Path | None, walk: int | None) -> None:
    from opencwm.traces.jsonl import trace_to_json, write_jsonl

    if form in (Format.CWM, Format.ND, Format.ND_INVERSE):
        text = _published_text(trace, form, walk)
        if output is not None:
            write_atomic(output, text)
        else:
            print(text)
    elif output is None:
        print(json.dumps(trace_to_json(trace), separators=(",", ":")))
    elif form is Format.PARQUET:
        from opencwm.traces.parquet import write_parquet

        write_parquet(output, [trace])
    else:
        write_jsonl(output, [trace])


def _write_table(trace: Trace, output: Path | None, max_rows: int) -> None:
    import io

    from opencwm.frontends.cli.output import console, print_table, visible
    from opencwm.frontends.cli.trace_table import trace_table

    file = io.StringIO() if output is not None else None
    screen = console(file=file)
    print_table(screen, trace_table(trace, width=screen.width, max_rows=max_rows))
    if max_rows and len(trace.steps) > max_rows:
        screen.print(f"... {len(trace.steps) - max_rows} more steps (--rows 0 shows all)")
    screen.print(visible(_outcome(trace)), soft_wrap=True)
    for line in trace.stdout.splitlines():
        screen.print("printed: " + visible(line), soft_wrap=True)
    if file is not None and output is not None:
        write_atomic(output, file.getvalue())
