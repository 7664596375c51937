"""How much shorter a debugger's walks are than whole traces, and how fast they are made.

    python benchmarks/walk_sizes.py [--programs 400]

Generated programs; tokens and characters after the prompt, means; thread CPU time.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

from opencwm.codec.native import NativeCodec
from opencwm.codec.native_moves import encode_moves
from opencwm.codec.nd_text import trajectory_text
from opencwm.codec.nd_walk import sample_walks, trajectory
from opencwm.codec.view import SourceView
from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import generate_traced, sample_config
from opencwm.source.reach import visible_lines
from opencwm.traces import StateTree, Trace
from opencwm.traces.trajectory import DEBUGGING, STEPPING, ActionWeights, sample_trajectory

CODEC = NativeCodec()


def native_tokens(trace: Trace, weights: ActionWeights | None, rng: random.Random) -> int:
    """Return the tokens after the prompt of a whole trace, or of a walk with some weights."""
    lines = visible_lines(trace.program.text, trace.program.entry).lines
    view = SourceView(trace.program, lines)
    if weights is None:
        document = CODEC.encode(trace, view)
    else:
        moves = sample_trajectory(StateTree(trace.steps), rng, lines=lines, weights=weights)
        document = encode_moves(CODEC, trace, view, moves)
    return len(document.ids) - document.num_prompt


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=400)
    found = []
    for seed in range(parser.parse_args().programs):
        rng = derive_rng("walk_sizes", seed)
        trace = generate_traced(rng, sample_config(rng))
        if trace is not None:
            found.append(trace)
    print(f"{len(found)} programs, {statistics.mean(len(trace.steps) for trace in found):.1f} steps each")
    kinds = {"whole trace": None, "walk, debugging weights": DEBUGGING, "walk, stepping weights": STEPPING}
    for name, weights in kinds.items():
        start = time.thread_time()
        tokens = [native_tokens(trace, weights, derive_rng(seed)) for seed, trace in enumerate(found)]
        rate = len(found) / (time.thread_time() - start)
        print(f"native {name:24} {statistics.mean(tokens):7.0f} tokens {rate:7.0f} documents/s")
    for name, is_walk in {"every step": False, "walk": True}.items():
        start = time.thread_time()
        sizes = []
        for seed, trace in enumerate(found):
            written = next(sample_walks(trace, derive_rng(seed))) if is_walk else trajectory(trace)
            sizes.append(len(trajectory_text(written)) - len(written.code))
        rate = len(found) / (time.thread_time() - start)
        print(f"nd     {name:24} {statistics.mean(sizes):7.0f} characters {rate:7.0f} documents/s")


if __name__ == "__main__":
    main()
