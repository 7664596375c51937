"""Processes of this machine that make rollouts, each an interpreter of its own with a policy of its own.

A worker that dies (out of memory, killed) costs the attempt it was at, which is recorded as an error, and is
replaced. When this process goes, by whatever end, workers see their input end and go too, and boxes with
them.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opencwm.agent.rollouts import Job, Report, RunConfig, not_made
from opencwm.agent.run_folder import RunFolder
from opencwm.core.errors import OpenCWMError


def run_pool(config: RunConfig, folder: Path, jobs: Sequence[Job], report: Report, workers: int) -> None:
    """Make the attempts in so many processes.

    Raises:
        OpenCWMError: no worker can be started.
    """
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    events: queue.SimpleQueue[Job | OpenCWMError | None] = queue.SimpleQueue()
    hands = [_Hand(config, folder, waiting, events) for _ in range(min(workers, len(jobs)))]
    try:
        for hand in hands:
            hand.thread.start()
        running = len(hands)
        while running:
            event = events.get()
            if isinstance(event, OpenCWMError):
                raise event
            if event is None:
                running -= 1
            else:
                report(event)
    finally:
        for hand in hands:
            hand.stop()


class _Hand:
    """Drives one worker after the other, as they die, from a thread."""

    def __init__(
        self,
        config: RunConfig,
        folder: Path,
        waiting: queue.SimpleQueue[Job],
        events: queue.SimpleQueue[Job | OpenCWMError | None],
    ) -> None:
        self._config, self._folder = config, folder
        self._waiting, self._events = waiting, events
        self._worker: subprocess.Popen[str] | None = None
        self._is_stopped = False
        self._lock = threading.Lock()
        self.thread = threading.Thread(target=self._drive, daemon=True)

    def stop(self) -> None:
        """End the worker and the thread."""
        with self._lock:
            self._is_stopped = True
            if self._worker is not None:
                self._worker.kill()
        if self.thread.is_alive():
            self.thread.join()

    def _drive(self) -> None:
        try:
            while not self._is_stopped:
                try:
                    job = self._waiting.get_nowait()
                except queue.Empty:
                    break
                self._do(job)
        except (OpenCWMError, OSError) as error:
            self._events.put(error if isinstance(error, OpenCWMError) else OpenCWMError(str(error)))
        finally:
            self._end()
            self._events.put(None)

    def _do(self, job: Job) -> None:
        worker = self._started()
        try:
            answer = _asked(worker, job)
        except OSError:
            answer = ""
        if not answer and not self._is_stopped:
            self._end()
            reason = f"the process that made it ended unexpectedly (status {worker.returncode})"
            RunFolder(self._folder).write_record(not_made(job, self._config, reason))
        if not self._is_stopped:
            self._events.put(job)

    def _started(self) -> subprocess.Popen[str]:
        """Return a worker that is ready.

        Raises:
            OpenCWMError: it cannot begin, for example because its policy cannot be made.
        """
        with self._lock:
            if self._worker is not None:
                return self._worker
            if self._is_stopped:
                raise OpenCWMError("the run was stopped")
            worker = self._worker = subprocess.Popen(
                [sys.executable, "-m", "opencwm.agent.rollout_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
        ready = _asked(worker, {"config": self._config.to_json(), "folder": str(self._folder)})
        message = json.loads(ready) if ready else {"error": ["a worker could not be started", "", ""]}
        if "error" in message:
            what, where, hint = message["error"]
            raise OpenCWMError(what, where=where, hint=hint)
        return worker

    def _end(self) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            worker.communicate()


def _asked(worker: subprocess.Popen[str], message: dict[str, Any]) -> str:
    """Return the line a worker answers; empty when it is gone."""
    if worker.stdin is None or worker.stdout is None:
        return ""
    worker.stdin.write(json.dumps(message) + "\n")
    worker.stdin.flush()
    return worker.stdout.readline()
