"""What greedy decoding takes, measured in a new process: ``python -m opencwm.evals.decode_cost MODEL``.

Memory is the peak of a process, so each measurement needs one; interpreter and runtime are part of it, as
they are for whoever runs the model. One thread, no running ahead: a token costs what its weights cost.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from opencwm.core.errors import EngineError
from opencwm.model.folder import META_NAME, load_folder
from opencwm.model.generation import EngineGenerator, Generator
from opencwm.model.sampling import SamplingConfig

_PROMPT_TOKENS, _NEW_TOKENS = 256, 64


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """What decoding took once, in a process of its own.

    Attributes:
        tokens_per_s: new tokens a second, one at a time, wall-clock.
        cpu_ms_per_token: CPU milliseconds of one of them; on a busy machine the number to trust.
        prompt_tokens_per_s: tokens a second of a prompt that is read at once, wall-clock.
        peak_mib: peak resident memory of the process, interpreter and libraries included; of the accelerator
            where the weights are on one.
    """

    tokens_per_s: float
    cpu_ms_per_token: float
    prompt_tokens_per_s: float
    peak_mib: float


def measure_cost(model: str) -> Cost:
    """Measure a model in a new process.

    Args:
        model: a model folder of our own, or what :mod:`opencwm.model.spec` says of one of the ``cwm`` format.

    Raises:
        EngineError: the process failed.
    """
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    package = str(Path(__file__).parents[2])
    paths = os.pathsep.join(path for path in (package, os.environ.get("PYTHONPATH")) if path)
    done = subprocess.run(
        [sys.executable, "-m", "opencwm.evals.decode_cost", model],
        capture_output=True,
        text=True,
        env={**os.environ, **threads, "PYTHONPATH": paths},
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise EngineError(f"decoding could not be measured: {last[0]}", where=model)
    return Cost(**json.loads(done.stdout))


def decode(generator: Generator, *, memory: Callable[[], float] | None = None) -> Cost:
    """Read a prompt and decode greedily.

    Args:
        generator: is changed.
        memory: returns the peak to report, in MiB; :func:`peak_mib` by default.
    """
    num_prompt = min(_PROMPT_TOKENS, generator.max_tokens // 2)
    num_new = min(_NEW_TOKENS, generator.max_tokens - num_prompt)
    prompt = [1 + place % (generator.vocab_size - 1) for place in range(num_prompt)]

    def write(ids: Sequence[int], max_tokens: int) -> Sequence[int]:
        return generator.generate(ids, stops=(), max_tokens=max_tokens, sampling=SamplingConfig()).ids

    write(prompt[::-1][:2], 1)  # what is done only once
    start = time.perf_counter()
    first = write(prompt, 1)
    read, cpu = time.perf_counter(), time.process_time()
    written = write([*prompt, *first], num_new - 1)
    end, cpu_end = time.perf_counter(), time.process_time()
    return Cost(
        tokens_per_s=len(written) / (end - read),
        cpu_ms_per_token=1000 * (cpu_end - cpu) / len(written),
        prompt_tokens_per_s=len(prompt) / (read - start),
        peak_mib=(memory or peak_mib)(),
    )


def peak_mib() -> float:
    """Return the peak resident memory of this process, since it began to run this program."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage counts what the parent held when it started this process
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes, on macOS


def _generator(model: str) -> Generator:
    if (Path(model) / META_NAME).is_file():
        return EngineGenerator(load_folder(Path(model)).engine())
    from opencwm.debugger.cwm_model import CwmWorldModel
    from opencwm.debugger.world_model import WorldModel

    world = WorldModel.load(model)
    if not isinstance(world, CwmWorldModel):
        raise EngineError(f"speaks {world.format}, not cwm", where=model)
    return world.generator


def main(model: str) -> None:
    """Measure and print one JSON object."""
    print(json.dumps(dataclasses.asdict(decode(_generator(model)))))


if __name__ == "__main__":
    main(sys.argv[1])
