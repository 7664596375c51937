"""Recorded runs to evaluate on: from a file, from a corpus, or generated for the purpose.

Generated ones are held out by their seeds: training derives its programs from other ones. A very small
program can still come out equal to one in training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from opencwm.core.errors import ConfigError
from opencwm.core.seeds import derive_rng
from opencwm.traces import Trace


def load_traces(path: Path, splits: Sequence[str] = ("test",)) -> Iterator[Trace]:
    """Yield the traces of splits of a corpus, of a ``.jsonl`` or of a ``.parquet`` file.

    Raises:
        ConfigError: there is no such file, or its name ends in something else.
        TraceFormatError: it is damaged.
    """
    if path.is_dir():
        from opencwm.corpus.shards import read_split

        for split in splits:
            yield from read_split(path, split)
    elif not path.exists():
        raise ConfigError(
            "no such file", where=str(path), hint="name a corpus folder, a .jsonl or a .parquet file"
        )
    elif path.suffix == ".jsonl":
        from opencwm.traces.jsonl import read_jsonl

        yield from read_jsonl(path)
    elif path.suffix == ".parquet":
        from opencwm.traces.parquet import read_parquet

        yield from read_parquet(path)
    else:
        raise ConfigError(
            f"unknown kind of file {path.suffix!r}",
            where=str(path),
            hint="a corpus folder, .jsonl or .parquet",
        )


def save_traces(path: Path, traces: Iterable[Trace]) -> int:
    """Write traces to a ``.jsonl`` or a ``.parquet`` file, whole or not at all; return how many.

    Raises:
        ConfigError: its name ends in something else. Nothing is taken from ``traces`` then.
    """
    if path.suffix == ".jsonl":
        from opencwm.traces.jsonl import write_jsonl

        return write_jsonl(path, traces)
    if path.suffix == ".parquet":
        from opencwm.traces.parquet import write_parquet

        return write_parquet(path, traces)
    raise ConfigError(
        f"unknown kind of file {path.suffix!r}", where=str(path), hint="name it .jsonl or .parquet"
    )


def held_out_traces(num_programs: int, seed: int, *, expressions: bool = False) -> Iterator[Trace]:
    """Yield runs of generated programs of all sizes; the same arguments give the same programs.

    The programs come from our own generator and run in this process, within its bounds. ``expressions``:
    recorded with expression detail.
    """
    from opencwm.corpus.generator.config import sample_config
    from opencwm.corpus.generator.traced import generate_traced, in_process_recorder

    made, index = 0, 0
    while made < num_programs:
        rng = derive_rng("held out", seed, index)
        index += 1
        config = sample_config(rng, 1.0)
        trace = generate_traced(rng, config, in_process_recorder(config, expressions=expressions))
        if trace is not None:
            made += 1
            yield trace
