"""Traces of mutants a second, beside the generator whose programs they are made from; what becomes of them.

    python benchmarks/mutants_speed.py [PROGRAMS]

In this process times are CPU seconds, so a busy machine does not change them much; in the sandbox, where
mutants of real code run, they are wall-clock seconds. The share of mutants that raise, go on to the step
limit, or behave as their original follows.
"""

from __future__ import annotations

import collections
import resource
import sys
import time
from collections.abc import Callable

from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import (
    GeneratorConfig,
    Recorder,
    generate_traced,
    in_process_recorder,
    sample_config,
)
from opencwm.corpus.mutants import MutationConfig, mutant_traces, mutate
from opencwm.sandbox import Sandbox, record
from opencwm.tracer import TraceLimits
from opencwm.traces import Status, Trace

LIMIT_BYTES = 2**30
"""Memory of this process: a mutant may ask for any amount. Workers of a build have a limit too."""


def originals_of(count: int) -> list[Trace]:
    drawn = (derive_rng("mutants speed", index) for index in range(count))
    traces = (generate_traced(rng, sample_config(rng)) for rng in drawn)
    return [trace for trace in traces if trace is not None]


def measure(
    originals: list[Trace], max_mutants: int, recorder: Recorder, clock: Callable[[], float]
) -> tuple[float, list[Trace]]:
    """Return the traces of mutants recorded a second, and the traces."""
    config = MutationConfig(max_mutants=max_mutants)
    start = clock()
    traces = [
        trace
        for index, original in enumerate(originals)
        for trace in mutant_traces([original], derive_rng("mutants", index), config, recorder)
    ]
    return len(traces) / (clock() - start), traces


def print_ends(traces: list[Trace]) -> None:
    by_operator: dict[str, collections.Counter[str]] = {}
    for trace in traces:
        if trace.mutation is not None:
            for name in (trace.mutation.operator, "all"):
                ends = by_operator.setdefault(name, collections.Counter())
                ends["all"] += 1
                ends["raised"] += trace.status is Status.RAISED
                ends["endless"] += trace.status is Status.STEP_LIMIT
                ends["same"] += trace.mutation.is_equivalent
    print(f"\n{'operator':<20}{'traces':>8}{'raised':>9}{'endless':>9}{'same':>9}")
    for name, ends in sorted(by_operator.items(), key=lambda item: item[1]["all"]):
        shares = "".join(f"{100 * ends[key] / ends['all']:8.1f}%" for key in ("raised", "endless", "same"))
        print(f"{name:<20}{ends['all']:8}{shares}")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    clock = time.process_time
    originals_of(50)
    print(f"{'':<28}{'a second':>10}")
    start = clock()
    originals = originals_of(count)
    print(f"{'generated, traced':<28}{len(originals) / (clock() - start):10.0f}")
    start = clock()
    num_texts = sum(1 for trace in originals for _ in mutate(trace.program, derive_rng("all")))
    print(f"{'mutants, all, not run':<28}{num_texts / (clock() - start):10.0f}")
    limits = TraceLimits(max_steps=201)
    with Sandbox() as sandbox:
        confined, traces = measure(
            originals,
            2,
            lambda program: record(program, sandbox=sandbox, trace_limits=limits),
            time.perf_counter,
        )
    print(f"{'in the sandbox, 2 each':<28}{confined:10.0f}")
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    recorder = in_process_recorder(GeneratorConfig())
    for max_mutants in (1, 2, 4):
        speed, traces = measure(originals, max_mutants, recorder, clock)
        print(f"{f'in this process, {max_mutants} each':<28}{speed:10.0f}", flush=True)
    print_ends(traces)


if __name__ == "__main__":
    main()
