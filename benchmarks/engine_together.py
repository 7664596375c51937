"""Many sequences at once: tokens, runs of one program and programs a second, by how many decode together.

appends   forks of one engine in jobs, each appending 1, 4 or 8 ids a pass.
rollouts  one program predicted so many times, as ``opencwm predict --rollouts`` does: the first run greedily,
          the others drawn. The prompt is read once.
programs  held-out generated programs, each rolled out once, as ``opencwm eval steps --batch`` does.

All are the engine's own jobs, told to work one after the other or together; what they come to must be equal,
bit for bit. CPU time is what counts on a machine that others use too.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from opencwm.corpus.trace_files import held_out_traces
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.working import Working
from opencwm.evals.agreement import TEMPERATURE
from opencwm.evals.rollout import Rollout, roll_out
from opencwm.model.engine import ScoringEngine
from opencwm.model.sampling import SamplingConfig
from opencwm.traces import Program

SIZES = (1, 4, 8, 16)
SEED, MAX_STEPS = 2, 16
NUM_PASSES = 16
Job = Callable[[], Any]


def append(engine: ScoringEngine, ids: Sequence[int], ids_a_pass: int) -> tuple[int, list[int]]:
    """Append ids behind what an engine holds, so many a pass; return their number and the likeliest next."""
    mine, found = engine.fork(), []
    for start in range(0, len(ids), ids_a_pass):
        found += mine.append_all(ids[start : start + ids_a_pass]).argmax(axis=-1).tolist()
    return len(ids), found


def steps_of(rollout: Rollout, num_tokens: int) -> tuple[int, list[Any]]:
    """Return the tokens of a run and what must be equal."""
    return num_tokens, [(view.step, view.value_probability) for view in rollout.steps]


def roll(start: Callable[[], Any]) -> tuple[int, list[Any]]:
    """Roll out an execution; return the tokens of its steps, and these."""
    execution = start()
    rollout = roll_out(execution, max_steps=MAX_STEPS)
    return steps_of(rollout, sum(one.num_tokens for one in execution.predictions))


def timed(model: NativeWorldModel, jobs: Sequence[Job], at_once: int) -> tuple[float, float, int, list[Any]]:
    """Do jobs; return wall and CPU seconds, tokens, and what they came to."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = dict(model.worker(at_once)(jobs))
    spent = time.perf_counter() - wall, time.process_time() - cpu
    results = [found[number] for number in range(len(jobs))]
    return *spent, sum(count for count, _ in results), [result for _, result in results]


def table(
    title: str,
    unit: str,
    model: NativeWorldModel,
    jobs: Callable[[int], Sequence[Job]],
    *,
    num_turns: int = 1,
) -> None:
    """Print a table: jobs of each size one after the other and together, the best of so many turns."""
    print(f"\n{title}")
    heads = ("tokens/s", f"{unit}/s", "CPU ms/token", "tokens/s", f"{unit}/s", "CPU ms/token")
    print(f"{'N':>4}" + "".join(f"{head:>14}" for head in (*heads, "CPU ratio", "equal")))
    for size in SIZES:
        todo = jobs(size)
        turns = [(timed(model, todo, 1), timed(model, todo, size)) for _ in range(num_turns)]
        alone, together = (min(ways, key=lambda way: way[1]) for ways in zip(*turns, strict=True))
        cells = []
        for wall, cpu, count, _ in (alone, together):
            cells += [f"{count / wall:,.0f}", f"{len(todo) / wall:.2f}", f"{1000 * cpu / count:.2f}"]
        cells += [f"{alone[1] / together[1]:.2f}x", str(alone[3] == together[3])]
        print(f"{size:>4}" + "".join(f"{cell:>14}" for cell in cells), flush=True)


def programs(num_programs: int) -> list[Program]:
    """Return held-out programs of which at least the first ``MAX_STEPS`` steps can be predicted."""
    traces = held_out_traces(4 * num_programs, SEED, expressions=False)
    return [trace.program for trace in traces if len(trace.steps) >= MAX_STEPS][:num_programs]


def measure(folder: Path, ids: Sequence[int]) -> None:
    """Print the tables; sequences of the first begin with the first of ``ids``, not equally many."""
    plain = NativeWorldModel.load(folder, speculative=False)
    print(
        "\nleft: one after the other; right: N together; int8, one thread; N = 16 is two calls of eight rows"
    )
    for ids_a_pass in (1, 4, 8):
        new = list(ids[: NUM_PASSES * ids_a_pass])

        def appends(size: int, new: list[int] = new, ids_a_pass: int = ids_a_pass) -> list[Job]:
            engines = [plain.engine.fork() for _ in range(size)]
            for number, engine in enumerate(engines):
                engine.append(ids[: len(ids) - 7 * number])
            return [functools.partial(append, engine, new, ids_a_pass) for engine in engines]

        table(f"appends of {ids_a_pass} ids a pass", "sequences", plain, appends, num_turns=2)
    chosen = programs(max(SIZES))
    model = NativeWorldModel.load(folder)
    for name, working in (("line detail", None), ("expression detail, calculated", Working.CALCULATED)):
        settings: dict[str, Any] = {"expressions": working is not None, "working": working or Working.FREE}
        rolled = functools.partial(rollouts, model, chosen[0], settings)
        table(f"rollouts of one program, {name}", "runs", model, rolled)

        def rolled_out(size: int, settings: dict[str, Any] = settings) -> list[Job]:
            starts = [functools.partial(model.execution, one, **settings) for one in chosen[:size]]
            return [functools.partial(roll, start) for start in starts]

        table(f"programs, {name}", "programs", model, rolled_out)
    two_processes(folder, ids)


def rollouts(model: NativeWorldModel, program: Program, settings: dict[str, Any], size: int) -> list[Job]:
    """Return jobs that predict one program, the first greedily."""
    first = model.execution(program, **settings)
    first.read()
    samplings = [
        SamplingConfig(temperature=TEMPERATURE * (number > 0), seed=number) for number in range(size)
    ]
    return [functools.partial(roll, functools.partial(first.afresh, sampling)) for sampling in samplings]


def two_processes(folder: Path, ids: Sequence[int]) -> None:
    """Print what two processes of one sequence do together, one id a pass."""
    command = [sys.executable, __file__, str(folder), *map(str, ids)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    rates = [float(worker.communicate()[0]) for worker in workers]
    print(f"\ntwo processes of one sequence each: {sum(rates):,.0f} tokens/s together")


if __name__ == "__main__":
    alone = NativeWorldModel.load(Path(sys.argv[1]), speculative=False)
    prompt = list(map(int, sys.argv[2:]))
    alone.engine.append(prompt)
    job = functools.partial(append, alone.engine, prompt[:64], 1)
    print(max(count / wall for wall, _, count, _ in (timed(alone, [job], 1) for _ in range(4))))
