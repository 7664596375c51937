"""Who does the tasks of a build: this process, processes of this machine, or Ray Data.

The idea: an engine only decides where tasks run. Each is a pure function that leaves files, so all engines
leave the same bytes. The first task that fails ends the run; what was finished stays.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from opencwm.core.cluster import connect_ray
from opencwm.core.errors import OpenCWMError
from opencwm.corpus.tasks import Setup, Task, Workbench

Report = Callable[[int], object]
"""Called with the number of tasks that are done."""

Engine = Callable[[Setup, Sequence[Task], int, Report], None]
"""Does all tasks with so many workers; raises OpenCWMError for the first that fails."""


def run_local(setup: Setup, tasks: Sequence[Task], workers: int, report: Report) -> None:
    """Do the tasks in ``workers`` processes of this machine, or in this process when that is 0."""
    if workers == 0:
        with Workbench(setup) as bench:
            for number, task in enumerate(tasks, 1):
                bench.run(task)
                report(number)
    elif tasks:
        _run_in_processes(setup, tasks, min(workers, len(tasks)), report)


def _run_in_processes(setup: Setup, tasks: Sequence[Task], workers: int, report: Report) -> None:
    """Let workers take tasks from one queue; report from this thread; the first failure ends all."""
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    events: queue.SimpleQueue[bool | Exception] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        for _ in range(workers):
            worker = stack.enter_context(_worker(setup))
            thread = threading.Thread(target=_drive, args=(worker, waiting, events), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(worker.kill)  # runs first: a thread that waits for a reply sees the pipe end
        done, running = 0, workers
        while running:
            event = events.get()
            if isinstance(event, Exception):
                raise event
            if event:
                done += 1
                report(done)
            else:
                running -= 1


@contextlib.contextmanager
def _worker(setup: Setup) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "opencwm.corpus.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    try:
        _send(process, setup.to_json())
        yield process
    finally:
        process.kill()
        process.communicate()


def _send(worker: subprocess.Popen[str], message: dict[str, Any]) -> None:
    if worker.stdin is None:
        raise OSError("the worker takes no requests")
    worker.stdin.write(json.dumps(message) + "\n")
    worker.stdin.flush()


def _drive(
    worker: subprocess.Popen[str],
    waiting: queue.SimpleQueue[Task],
    events: queue.SimpleQueue[bool | Exception],
) -> None:
    """Hand tasks to one worker until none are left: True for each that is done, then False, or an error."""
    try:
        while True:
            try:
                task = waiting.get_nowait()
            except queue.Empty:
                break
            _send(worker, task)
            line = worker.stdout.readline() if worker.stdout is not None else ""
            if not line:
                events.put(OpenCWMError("a worker of the build ended unexpectedly", where=_name(task)))
                return
            message = json.loads(line)
            if "error" in message:
                what, where, hint = message["error"]
                events.put(OpenCWMError(what, where=where, hint=hint))
                return
            events.put(True)
    except (OSError, ValueError) as error:
        events.put(OpenCWMError(f"a worker of the build failed: {error}"))
        return
    events.put(False)


def _name(task: Task) -> str:
    """Return what a task is about, for messages."""
    if "unit" in task:
        return f"part {task['unit']['number']} of source {task['unit']['source']}"
    return f"shard {task['shard']['number']} of {task['shard']['split']}"


def run_ray(setup: Setup, tasks: Sequence[Task], workers: int, report: Report) -> None:
    """Do the tasks by Ray Data on the cluster that ``RAY_ADDRESS`` names, or on a Ray of this machine.

    All nodes must see the corpus' folder, the sources and the test sets under the same paths. A task whose
    process or machine dies is done again elsewhere by Ray.

    Args:
        setup: what the tasks share.
        tasks: what to do.
        workers: of a Ray of this machine, its number of processors; a cluster decides itself.
        report: see :data:`Report`.

    Raises:
        ConfigError: Ray is not installed.
        OpenCWMError: a task failed.
    """
    if not tasks:
        return
    connect_ray("--engine ray", num_cpus=workers)
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    text = json.dumps(setup.to_json())
    items = [{"task": json.dumps(task), "setup": text} for task in tasks]
    rows = ray.data.from_items(items, override_num_blocks=len(items)).map(run_ray_task)
    for done, row in enumerate(rows.iter_rows(), 1):
        if row["error"]:
            what, where, hint = json.loads(row["error"])
            raise OpenCWMError(what, where=where, hint=hint)
        report(done)


def run_ray_task(row: dict[str, str]) -> dict[str, str]:
    """Do one task in a process of Ray; return what went wrong as JSON, or an empty text."""
    try:
        _bench(row["setup"]).run(json.loads(row["task"]))
    except OpenCWMError as error:
        return {"error": json.dumps([error.what, error.where, error.hint])}
    return {"error": ""}


@functools.lru_cache(maxsize=1)
def _bench(setup: str) -> Workbench:
    """Return the bench of this process; it lasts as long as the process."""
    return Workbench(Setup.from_json(json.loads(setup)))


ENGINES: Final[dict[str, Engine]] = {"local": run_local, "ray": run_ray}
"""Engines by the names of ``--engine``."""
