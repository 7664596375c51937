"""Traced programs a second on one core: generating, running, filtering; by size and for the full mixture.

``detailed`` is the same with expression detail.

    python benchmarks/generator_speed.py [PROGRAMS]

Times are CPU seconds of this process, so a busy machine does not change them much.
"""

from __future__ import annotations

import random
import sys
import time

from opencwm.core.seeds import derive_rng
from opencwm.corpus.generator import GeneratorConfig, generate_program, generate_traced, sample_config
from opencwm.corpus.generator.traced import in_process_recorder


def settings(rng: random.Random, size: float | None) -> GeneratorConfig:
    """Return what is generated: one size, or the mixture."""
    return sample_config(rng) if size is None else GeneratorConfig(size=size)


def traced(count: int, size: float | None, *, expressions: bool) -> tuple[float, float]:
    """Return programs generated and traced a second, and steps a program."""
    num_steps = num_traces = 0
    start = time.process_time()
    for index in range(count):
        rng = derive_rng("speed", index)
        config = settings(rng, size)
        trace = generate_traced(rng, config, in_process_recorder(config, expressions=expressions))
        if trace is not None:
            num_traces += 1
            num_steps += len(trace.steps)
    return num_traces / (time.process_time() - start), num_steps / max(num_traces, 1)


def measure(count: int, size: float | None) -> tuple[float, float, float, float]:
    """Return programs generated a second, traced a second without and with detail, and steps a program."""
    start = time.process_time()
    for index in range(count):
        rng = derive_rng("speed", index)
        generate_program(rng, settings(rng, size))
    generated_s = time.process_time() - start
    traced_rate, steps = traced(count, size, expressions=False)
    detailed_rate, _ = traced(count, size, expressions=True)
    return count / generated_s, traced_rate, detailed_rate, steps


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    measure(50, None)
    print(f"{'size':>8} {'generated/s':>12} {'traced/s':>10} {'detailed/s':>11} {'steps':>7}")
    for size in (0.0, 0.2, 0.5, 1.0, None):
        generated, plain, detailed, steps = measure(count, size)
        name = "mixture" if size is None else f"{size:.1f}"
        print(f"{name:>8} {generated:12.0f} {plain:10.0f} {detailed:11.0f} {steps:7.1f}")


if __name__ == "__main__":
    main()
