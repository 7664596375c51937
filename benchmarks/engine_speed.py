"""The engine beside others on the same weights, and what a step of the debugger costs, in one run.

    python benchmarks/engine_speed.py RUN [--part decode|steps|together ...] [--turns N] [--programs N]
                                          [--data FILE] [--tokenizer FILE]

``RUN`` is a training run (``config.json``, ``model/model.safetensors``), so that all runtimes get weights of
one origin. Everything is measured on one thread. Runtimes that are not installed are named and left out:
``pip install transformers gguf llama-cpp-python`` in an environment of its own brings them.

decode    greedy decoding of one prompt: processes take turns, so a busy machine slows all alike; the ratio is
          the median over turns of a runtime's CPU time a token by that of ours. Start-up is from the start of
          the process to the first token, memory the peak of its resident set.
steps     see ``engine_passes.py``: steps a second, and forward passes a step against the published format.
together  see ``engine_together.py``: many sequences at once.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import engine_passes
import engine_together
from engine_rivals import RUNTIMES, Runtime, missing, version

from opencwm.codec.cwm_tokenizer import Tokenizer
from opencwm.codec.native import NativeCodec
from opencwm.corpus.trace_files import held_out_traces
from opencwm.debugger.selection import source_view
from opencwm.frontends.exporting import export_run
from opencwm.model.config import ModelConfig
from opencwm.model.export import read_weights
from opencwm.model.gguf import export_gguf

PROMPT, NEW = 256, 200
SEED = 2


def prepare(run: Path, work: Path) -> None:
    """Write the run's weights in every form that a runtime reads."""
    for kind in ("int8", "fp32"):
        export_run(run, work / kind, precision=kind)
    (work / "hf").symlink_to((run / "model").resolve())
    if not missing("llama.cpp"):
        config, weights = (
            ModelConfig.load(run / "model" / "config.json"),
            read_weights(run / "model" / "model.safetensors"),
        )
        for name, kind in (("q8_0", "int8"), ("f32", "fp32")):
            export_gguf(config, weights, work / f"{name}.gguf", kind=kind)


def prompt(num_ids: int) -> list[int]:
    """Return the first ids of a document with expression detail, of a held-out program."""
    codec = NativeCodec()
    for trace in held_out_traces(20, SEED, expressions=True):
        view = source_view(trace.program, codec, max_tokens=2048)
        ids = codec.encode(trace, view, expressions=True).ids
        if len(ids) >= num_ids:
            return list(ids[:num_ids])
    raise ValueError("no program is that long")


def median_ms(times: list[float]) -> float:
    """Return the median milliseconds between tokens."""
    return 1000 * statistics.median(b - a for a, b in itertools.pairwise(times))


def decode(work: Path, num_turns: int) -> None:
    """Print the table of greedy decoding."""
    ids = prompt(PROMPT)
    runtimes = []
    for name, weights in RUNTIMES.items():
        if missing(name):
            print(f"*** LEFT OUT: {name}: not installed: {', '.join(missing(name))}")
        else:
            runtimes.append(Runtime(name, work / weights, ids, NEW))
    turns: dict[str, list[dict[str, Any]]] = {runtime.name: [] for runtime in runtimes}
    for turn in range(num_turns):
        for runtime in runtimes[turn % 2 :] + runtimes[: turn % 2]:
            turns[runtime.name].append(runtime.turn())
    for runtime in runtimes:
        runtime.close()
    starts = {runtime.name: [runtime.start_s] for runtime in runtimes}
    for _ in range(2):
        for name in turns:
            again = Runtime(name, work / RUNTIMES[name], ids, NEW)
            starts[name].append(again.start_s)
            again.close()
    ours, exact = turns["opencwm int8"], turns["opencwm fp32"][0]["tokens"]
    print(f"\ngreedy decoding, {PROMPT} tokens of prompt and {NEW} new, {num_turns} turns, one thread")
    heads = ("tokens/s", "ms/token", "its CPU", "ratio", "(range)", "prefill ms", "start s", "MiB", "same")
    print(f"{'':33}" + "".join(f"{head:>12}" for head in heads))
    for name, mine in turns.items():
        rates = [(NEW - 1) / (turn["wall"][-1] - turn["wall"][0]) for turn in mine]
        ratios = [
            (turn["cpu"][-1] - turn["cpu"][0]) / (our["cpu"][-1] - our["cpu"][0])
            for turn, our in zip(mine, ours, strict=True)
        ]
        middle = statistics.median(median_ms(turn["wall"]) for turn in mine)
        same = next((i for i, (a, b) in enumerate(zip(mine[0]["tokens"], exact, strict=True)) if a != b), NEW)
        cells = (
            f"{statistics.median(rates):,.0f}",
            "-" if name.endswith("ahead") else f"{middle:.2f}",  # half of its tokens take no pass
            f"{statistics.median((t['cpu'][-1] - t['cpu'][0]) * 1000 / (NEW - 1) for t in mine):.2f}",
            f"{statistics.median(ratios):.2f}x",
            f"{min(ratios):.2f}-{max(ratios):.2f}",
            f"{1000 * statistics.median(turn['wall'][0] for turn in mine):.0f}",
            f"{min(starts[name]):.2f}",
            f"{mine[-1]['peak_mib']:.0f}",
            f"{same}",
        )
        print(f"{name:33}" + "".join(f"{cell:>12}" for cell in cells))
    print(
        "ratio: CPU time a token by that of opencwm int8; same: first tokens that are those of opencwm fp32"
    )
    print("; ".join(sorted({version(name) for name in turns})))


def main() -> None:
    parser = argparse.ArgumentParser(description="The engine beside others, and what a step costs.")
    parser.add_argument("run", type=Path)
    parser.add_argument("--part", action="append", choices=("decode", "steps", "together"))
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--programs", type=int, default=10)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tokenizer", type=Path, help="of facebook/cwm, or of Llama 3 (tokenizer.model)")
    chosen = parser.parse_args()
    parts = chosen.part or ["decode", "steps", "together"]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; weights of {chosen.run}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        prepare(chosen.run, work)
        if "decode" in parts:
            decode(work, chosen.turns)
        if "steps" in parts:
            tokenizer: Tokenizer = engine_passes.open_tokenizer(chosen.tokenizer)
            engine_passes.measure(work / "int8", tokenizer, num_programs=chosen.programs, data=chosen.data)
        if "together" in parts:
            engine_together.measure(work / "int8", prompt(PROMPT))


if __name__ == "__main__":
    main()
