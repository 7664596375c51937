"""Traced programs a second on one core: generating, running, filtering; by size and for the full mixture.

    python benchmarks/generator_speed.py [PROGRAMS]

Times are CPU seconds of this process, so a busy machine does not change them much.
"""

from __future__ import annotations

import sys
import time

from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import GeneratorConfig, generate_program, generate_traced, sample_config


def measure(count: int, size: float | None) -> tuple[float, float, float]:
    """Return programs generated a second, programs generated and traced a second, and steps a program."""
    start = time.process_time()
    for index in range(count):
        rng = derive_rng("speed", index)
        generate_program(rng, sample_config(rng) if size is None else GeneratorConfig(size=size))
    generated_s = time.process_time() - start
    num_steps = num_traces = 0
    start = time.process_time()
    for index in range(count):
        rng = derive_rng("speed", index)
        trace = generate_traced(rng, sample_config(rng) if size is None else GeneratorConfig(size=size))
        if trace is not None:
            num_traces += 1
            num_steps += len(trace.steps)
    traced_s = time.process_time() - start
    return count / generated_s, num_traces / traced_s, num_steps / max(num_traces, 1)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    measure(50, None)
    print(f"{'size':>8} {'generated/s':>12} {'traced/s':>10} {'steps':>7}")
    for size in (0.0, 0.2, 0.5, 1.0, None):
        generated, traced, steps = measure(count, size)
        name = "mixture" if size is None else f"{size:.1f}"
        print(f"{name:>8} {generated:12.0f} {traced:10.0f} {steps:7.1f}")


if __name__ == "__main__":
    main()
