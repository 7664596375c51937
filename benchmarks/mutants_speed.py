"""Traces of mutants a second on one core, beside the generator whose programs they are made from.

    python benchmarks/mutants_speed.py [PROGRAMS]

Times are CPU seconds of this process, so a busy machine does not change them much. The share of mutants that
raise, go on to the step limit, or behave as their original follows.
"""

from __future__ import annotations

import collections
import resource
import sys
import time

from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import GeneratorConfig, generate_traced, in_process_recorder, sample_config
from opencwm.corpus.mutants import MutationConfig, mutant_traces, mutate
from opencwm.traces import Status, Trace


def originals_of(count: int) -> list[Trace]:
    drawn = (derive_rng("mutants speed", index) for index in range(count))
    traces = (generate_traced(rng, sample_config(rng)) for rng in drawn)
    return [trace for trace in traces if trace is not None]


def measure(originals: list[Trace], max_mutants: int) -> tuple[float, list[Trace]]:
    """Return the CPU seconds it takes to record mutants of every original, and their traces."""
    config = MutationConfig(max_mutants=max_mutants)
    recorder = in_process_recorder(GeneratorConfig())
    start = time.process_time()
    traces = [
        trace
        for index, original in enumerate(originals)
        for trace in mutant_traces([original], derive_rng("mutants", index), config, recorder)
    ]
    return time.process_time() - start, traces


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    limit_bytes = 2**30  # a mutant may ask for any amount of memory; workers of a build have a limit too
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))
    originals_of(50)
    start = time.process_time()
    originals = originals_of(count)
    generated_s = time.process_time() - start
    print(f"{'':<28}{'a second':>10}")
    print(f"{'generated, traced':<28}{len(originals) / generated_s:10.0f}")
    start = time.process_time()
    num_texts = sum(1 for trace in originals for _ in mutate(trace.program, derive_rng("all")))
    print(f"{'mutants, all, not run':<28}{num_texts / (time.process_time() - start):10.0f}")
    for max_mutants in (1, 2, 4, 8):
        seconds, traces = measure(originals, max_mutants)
        print(f"{f'mutants, traced, {max_mutants} each':<28}{len(traces) / seconds:10.0f}")
    by_operator: dict[str, collections.Counter[str]] = {}
    for trace in traces:
        mutation = trace.mutation
        if mutation is not None:
            ends = by_operator.setdefault(mutation.operator, collections.Counter())
            ends["all"] += 1
            ends["raised"] += trace.status is Status.RAISED
            ends["endless"] += trace.status is Status.STEP_LIMIT
            ends["same"] += mutation.is_equivalent
    print(f"\n{'operator':<20}{'traces':>8}{'raised':>9}{'endless':>9}{'same':>9}")
    totals: collections.Counter[str] = collections.Counter()
    for ends in by_operator.values():
        totals.update(ends)
    for name, ends in [*sorted(by_operator.items()), ("all", totals)]:
        shares = "".join(f"{100 * ends[key] / ends['all']:8.1f}%" for key in ("raised", "endless", "same"))
        print(f"{name:<20}{ends['all']:8}{shares}")


if __name__ == "__main__":
    main()
