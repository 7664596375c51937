"""A process that makes rollouts: what to do comes as lines of JSON, an answer goes back for each.

Started by ``opencwm.agent.rollout_pool``. When its input ends, so does it, at once and with its box.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any

from opencwm.agent.rollouts import Bench, RunConfig
from opencwm.core.errors import OpenCWMError


def main() -> None:
    """Read the settings, then make one attempt for each line."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a policy prints must not look like an answer
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    setup = json.loads(lines.get())
    try:
        bench = Bench(RunConfig.from_json(setup["config"]), Path(setup["folder"]))
    except OpenCWMError as error:
        answer({"error": [error.what, error.where, error.hint]})
        return
    answer({"ready": True})
    while True:
        bench.run(json.loads(lines.get()))
        answer({"done": True})


def _listen(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)  # whoever asked is gone, and bubblewrap ends its boxes with this process


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # a terminal sends it to all; the one who asked decides
        os._exit(130)
