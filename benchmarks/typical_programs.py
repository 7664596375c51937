"""Ordinary small programs, predicted as ``opencwm predict`` does, against what they really come to.

    python benchmarks/typical_programs.py [NAME ...]

For each program of ``typical_programs.toml``: whether the predicted outcome is the real one (recorded in the
sandbox), processor seconds, steps, and the first steps that the model was not sure of, as (step, line,
probability): there it was asked for something that could not be worked out.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from pathlib import Path
from typing import Any

from opencwm.debugger.working import Working
from opencwm.debugger.world_model import WorldModel
from opencwm.evals.rollout import roll_out
from opencwm.evals.values import is_same_value
from opencwm.sandbox import record
from opencwm.traces import Program, outcome_of_steps

MAX_STEPS = 400
MAX_SECONDS = 60.0
SURE = 0.97


def judged(world: WorldModel, name: str, source: str, call: str) -> tuple[bool, str]:
    """Return whether a program is predicted rightly, and a line about it."""
    program = Program.from_call(source, call, filename=f"{name}.py")
    real = outcome_of_steps(record(program).steps)
    started = time.process_time()
    execution = world.execution(program, expressions=True, working=Working.CALCULATED)
    rollout = roll_out(execution, max_steps=MAX_STEPS, max_seconds=MAX_SECONDS)
    seconds, found = time.process_time() - started, rollout.outcome
    is_right = (
        real is not None
        and found is not None
        and real.kind is found.kind
        and is_same_value(real.value, found.value)
    )
    unsure = [
        (index, view.step.lineno, round(view.probability, 2))
        for index, view in enumerate(rollout.steps)
        if view.probability is not None and view.probability < SURE
    ]
    said = "" if is_right else f"  {found.value if found else rollout.end} instead of {real and real.value}"
    return is_right, f"{name:<12} {seconds:5.1f} s {len(rollout.steps):>4} steps  {unsure[:4]}{said[:160]}"


def main() -> None:
    """Print a line a program, and how many are right."""
    parser = argparse.ArgumentParser(description="Ordinary small programs, predicted and run.")
    parser.add_argument("names", nargs="*", help="only these")
    names = parser.parse_args().names
    path = Path(__file__).with_suffix(".toml")
    programs: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["program"]
    chosen = [program for program in programs if not names or program["name"] in names]
    world = WorldModel.load(None)
    num_right = 0
    for program in chosen:
        is_right, line = judged(world, program["name"], program["source"], program["call"])
        num_right += is_right
        print("right" if is_right else "WRONG", line, flush=True)
    print(f"{num_right} of {len(chosen)}")


if __name__ == "__main__":
    main()
