"""How many boxes start and stop in a second, with and without a command in between.

    python benchmarks/boxes.py [NUM_BOXES]

Prints boxes/s, one after the other on one thread, and the load of the machine, which must be told with them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from opencwm.agent.box import BoxSpec
from opencwm.agent.bubblewrap import BoxPlan, BubblewrapBox, obtained_plan


def main() -> None:
    num_boxes = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    plan = obtained_plan()
    print(plan.description)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(100):
            Path(folder, f"m{number}.py").write_text(f"x = {number}\n" * 100)
        spec = BoxSpec(files=Path(folder))
        rate("start, stop", num_boxes, lambda: cycle(spec, plan, has_command=False))
        rate("start, run true, stop", num_boxes, lambda: cycle(spec, plan, has_command=True))
        with BubblewrapBox(spec, plan) as box:
            rate("run true in one box", num_boxes, lambda: box.run(["true"]))
            box.write_file("x", "1")
            rate("fork, stop", num_boxes, lambda: box.fork().stop())


def cycle(spec: BoxSpec, plan: BoxPlan, *, has_command: bool) -> None:
    with BubblewrapBox(spec, plan) as box:
        if has_command:
            assert box.run(["true"]).is_success


def rate(name: str, num_rounds: int, once: Callable[[], object]) -> None:
    once()  # the template is made once
    started = time.perf_counter()
    for _ in range(num_rounds):
        once()
    print(f"{name:<24} {num_rounds / (time.perf_counter() - started):8.1f} /s")


if __name__ == "__main__":
    main()
