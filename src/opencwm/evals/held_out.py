"""Recorded runs to evaluate on, from a corpus or a file of traces.

Of a corpus only one split is read, by default the one that is kept for this: training reads the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from opencwm.core.errors import ConfigError
from opencwm.traces import Trace

_HINT = "name a corpus folder, a .jsonl or a .parquet file of traces"


def load_traces(path: Path, *, split: str = "test") -> Iterator[Trace]:
    """Yield the traces of a corpus' split, or of a ``.jsonl`` or ``.parquet`` file, in order.

    Args:
        path: a corpus folder or a file.
        split: of a corpus; a file has none.

    Raises:
        ConfigError: there is nothing there, the name ends in something else, the corpus is not finished or
            has no such split.
        TraceFormatError: it is corrupt.
    """
    if path.is_dir():
        from opencwm.corpus.shards import read_split

        yield from read_split(path, split)
    elif not path.exists():
        raise ConfigError("no such file", where=str(path), hint=_HINT)
    elif path.suffix == ".jsonl":
        from opencwm.traces.jsonl import read_jsonl

        yield from read_jsonl(path)
    elif path.suffix == ".parquet":
        from opencwm.traces.parquet import read_parquet

        yield from read_parquet(path)
    else:
        raise ConfigError(f"unknown kind of file {path.suffix!r}", where=str(path), hint=_HINT)
