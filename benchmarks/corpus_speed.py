"""What each part of a corpus build costs a program, in CPU time of one core, and what it leaves on disk.

    python benchmarks/corpus_speed.py [PROGRAMS] [FACTS]

Programs are those of the generator (full mixture). The pass over all programs is timed on FACTS made-up facts
that resemble nothing. Times are CPU seconds of this process, so a busy machine does not change them much.
"""

from __future__ import annotations

import collections
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from opencwm.core.seeds import derive_rng
from opencwm.corpus.contamination import ContaminationIndex, TestSet
from opencwm.corpus.facts import FactTable
from opencwm.corpus.formats import open_formats, write_documents
from opencwm.corpus.generator import generate_traced, sample_config
from opencwm.corpus.minhash import signature
from opencwm.corpus.mutants import mutant_traces
from opencwm.corpus.recipe import EncodeConfig
from opencwm.corpus.selection import select
from opencwm.corpus.statistics import Statistics
from opencwm.corpus.structure import digest, structure_tokens
from opencwm.traces import Trace
from opencwm.traces.parquet import read_parquet, write_parquet

spent: collections.Counter[str] = collections.Counter()


@contextmanager
def part(name: str) -> Iterator[None]:
    start = time.process_time()
    yield
    spent[name] += int(1e9 * (time.process_time() - start))


def drawn(count: int) -> list[Trace]:
    traces = []
    for index in range(count):
        rng = derive_rng("corpus speed", index)
        trace = generate_traced(rng, sample_config(rng))
        if trace is not None:
            traces.append(trace)
    return traces


def describe(traces: list[Trace], index: ContaminationIndex) -> None:
    for trace in traces:
        with part("structure of the function and of the run"):
            tokens = structure_tokens(trace.program.source)
            digest(tokens)
            digest(structure_tokens(trace.program.text))
        with part("MinHash signature"):
            signature(tokens)
        with part("comparison with test sets"):
            index.hits(trace.program.source)


def store(traces: list[Trace], folder: Path) -> dict[str, int]:
    """Write traces and tokens; return bytes by kind, and the number of tokens."""
    path = folder / "traces.parquet"
    with part("traces: write (done twice)"):
        write_parquet(path, traces)
    with part("traces: read"):
        collections.deque(read_parquet(path), maxlen=0)
    with part("counts for the card"):
        statistics = Statistics()
        for trace in traces:
            statistics.add_trace(trace)
    sizes = {"traces": path.stat().st_size}
    for name, codec in open_formats(EncodeConfig(formats=("native", "cwm", "nd"))).items():
        with part(f"format {name}"):
            pairs = [
                (trace.program.id, document)
                for trace in traces
                for document in codec.documents(trace, derive_rng("documents", trace.program.id))
            ]
            write_documents(folder / name, codec, pairs)
        sizes[name] = (folder / name).stat().st_size
        if name == "native":
            sizes["native tokens"] = sum(len(document.ids) for _, document in pairs)
    return sizes


def mutate(traces: list[Trace]) -> int:
    """Make mutants in the sandbox; return how many."""
    from opencwm.sandbox import Sandbox, record
    from opencwm.tracer import TraceLimits

    made = 0
    before = time.monotonic()
    with Sandbox() as sandbox:
        limits = TraceLimits(max_steps=1001)
        for trace in traces:
            rng = derive_rng("mutants", trace.program.id)
            found = mutant_traces(
                [trace], rng, None, lambda program: record(program, sandbox=sandbox, trace_limits=limits)
            )
            made += sum(1 for _ in found)
    print(
        f"{'mutants in the sandbox (wall clock)':44} {1e3 * (time.monotonic() - before) / made:8.2f} ms each"
    )
    return made


def choose(count: int) -> None:
    """Time the pass over all programs."""
    rng = np.random.default_rng(1)
    numbers = rng.permutation(count).astype(np.uint64)
    facts = FactTable(
        id_P=numbers,
        run_P=numbers,
        function_P=numbers,
        group_P=numbers,
        split_P=(rng.random(count) > 0.99).astype(np.uint8),
        stratum_P=(rng.random(count) > 0.7).astype(np.uint8),
        hits={},
        signed_F=numbers,
        signatures_F=rng.integers(0, 2**32, (count, 128), np.uint32),
    )
    start = time.process_time()
    select(facts, weights={"a": 2.0, "b": 1.0}, near=0.85, num_test_sets=0, shard_programs=2000, seed=1)
    each_us = 1e6 * (time.process_time() - start) / count
    print(f"{f'the pass over all programs, of {count:,}':44} {each_us:8.2f} us each")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    num_facts = int(sys.argv[2]) if len(sys.argv) > 2 else 300_000
    drawn(20)
    with part("drawing and recording"):
        traces = drawn(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = folder / "items"
        items.mkdir()
        for index, trace in enumerate(drawn(1000)[:1000]):
            (items / f"{index}.py").write_text(trace.program.source)
        describe(traces, ContaminationIndex([TestSet("items", items, "", 0)]))
        sizes = store(traces, folder)
    for what, nanoseconds in spent.items():
        print(f"{what:44} {nanoseconds / 1e6 / len(traces):8.2f} ms")
    mutate(traces[:200])
    choose(num_facts)
    for what, size in sizes.items():
        print(f"{what:44} {size / len(traces):8.0f} {'' if what == 'native tokens' else 'bytes '}a program")


if __name__ == "__main__":
    main()
