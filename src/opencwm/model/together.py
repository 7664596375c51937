"""Jobs that use one engine, in turns, so that the passes they ask for are run in one call.

The idea: a job is written as if it were alone. It runs in a thread of its own, and only one thread runs at a
time: each goes on until it needs a pass, and when all wait for theirs these are run together. What a job
computes is what it would compute alone, and nothing in it needs a lock.

A thread here is a coroutine that may wait deep inside of code that knows nothing of it: none runs beside
another, and what Python does is not made faster, only the passes are.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.graph import Graph, Pass, RowsGraph

ROWS = 8
"""Sequences of one call that graphs are exported for. More gain little: see docs/engine.md."""

T = TypeVar("T")
Answer = NDArray[np.float32] | EngineError


class Worker(Protocol):
    """Does jobs and yields the number, from 0, and the result of each as it ends."""

    def __call__(self, jobs: Iterable[Callable[[], T]]) -> Iterator[tuple[int, T]]:
        """Do them; an exception of one ends all."""
        ...


def one_by_one(jobs: Iterable[Callable[[], T]]) -> Iterator[tuple[int, T]]:
    """Do jobs one after the other: a :class:`Worker`."""
    for number, job in enumerate(jobs):
        yield number, job()


class _AbandonedError(BaseException):
    """Unwinds a job that nobody waits for any more; no ``except Exception`` is to stop it."""


class _Job:
    """A job in a thread that runs only while its owner waits in :meth:`go_on`.

    Args:
        number: of the job.
        work: what is to be done.
        own: gets the job as attribute ``job``, in its thread.
    """

    def __init__(self, number: int, work: Callable[[], object], own: threading.local) -> None:
        self.number = number
        self._own = own
        self.asked: Pass | None = None  # what it waits for; None once it is over
        self.answer: Answer | None = None
        self.result: object = None
        self.error: BaseException | None = None
        self._work = work
        self._turn, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._is_abandoned = self._is_running = False
        self.thread = threading.Thread(target=self._run, name=f"opencwm job {number}", daemon=True)
        self.thread.start()

    def go_on(self) -> None:
        """Let it run until it asks for a pass or is over."""
        self._is_running = True
        self._turn.release()
        self._back.acquire()  # which Ctrl-C may end, while the job runs on
        self._is_running = False

    def abandon(self) -> None:
        """Unwind it, wherever it is."""
        self._is_abandoned = True
        if self._is_running:
            thread, error = ctypes.c_ulong(self.thread.ident or 0), ctypes.py_object(_AbandonedError)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, error)
        self._turn.release()
        self.thread.join()

    def ask(self, one: Pass) -> NDArray[np.float32]:
        """Wait for the logits of a pass. Called by the job itself, deep inside of its work."""
        self.asked = one
        self._back.release()
        self._turn.acquire()
        if self._is_abandoned:
            raise _AbandonedError
        answer, self.answer, self.asked = self.answer, None, None
        if answer is None or isinstance(answer, EngineError):
            raise answer or EngineError("a pass was not run")
        return answer

    def _run(self) -> None:
        self._own.job = self
        self._turn.acquire()
        try:
            if not self._is_abandoned:
                self.result = self._work()
        except BaseException as error:
            self.error = error
        self.asked = None
        self._back.release()


class Together:
    """Runs passes: alone, or those of several jobs in one call.

    Args:
        graph: of one sequence.
        rows: the ``rows.onnx`` beside it. It is opened when it is first of use; without such a file passes
            are run one by one.
    """

    def __init__(self, graph: Graph, rows: Path) -> None:
        self._graph = graph
        self._path = rows
        self._rows: RowsGraph | None = None
        self._own = threading.local()  # the job of a thread

    @property
    def can_join(self) -> bool:
        """Whether passes can be run in one call."""
        return self._path.is_file()

    def run(self, one: Pass) -> NDArray[np.float32]:
        """Return the logits of a pass, (K, V); within a job it waits for those of the other jobs.

        Raises:
            EngineError: the runtime failed.
        """
        job: _Job | None = getattr(self._own, "job", None)
        return job.ask(one) if job is not None else self._alone(one)

    def work(self, jobs: Iterable[Callable[[], T]], *, at_once: int) -> Iterator[tuple[int, T]]:
        """Do jobs, ``at_once`` of them together; yield the number and the result of each as it ends.

        Args:
            jobs: taken as others end. Each may use engines of these passes that no other job uses.
            at_once: at least 1.

        Raises:
            EngineError: the runtime failed, or ``rows.onnx`` is not of these weights.
            BaseException: whatever a job raised; the others are abandoned.
        """
        waiting = enumerate(jobs)
        running: list[_Job] = []
        try:
            while True:
                for number, work in waiting if len(running) < at_once else ():
                    self._start(running, number, work)
                    if len(running) >= at_once:
                        break
                if not running:
                    return
                over = [job for job in running if job.asked is None]
                for job in over:
                    running.remove(job)
                    yield job.number, cast("T", self._result(job))
                if not over:
                    self._go_on(running)
        finally:
            for job in running:
                job.abandon()
            if self._rows is not None:
                self._rows.release()

    def _start(self, running: list[_Job], number: int, work: Callable[[], object]) -> None:
        job = _Job(number, work, self._own)
        running.append(job)
        job.go_on()

    @staticmethod
    def _result(job: _Job) -> object:
        job.thread.join()
        if job.error is not None:
            raise job.error
        return job.result

    def _go_on(self, running: Sequence[_Job]) -> None:
        """Run what all of the jobs ask for, then let each go on."""
        asked = [(job, job.asked) for job in running if job.asked is not None]
        if len(asked) > 1 and self._rows is None and self.can_join:
            graph = self._graph
            self._rows = RowsGraph(self._path, graph.path, graph.config, num_threads=graph.num_threads)
        size = self._rows.num_rows if self._rows is not None else 1
        for start in range(0, len(asked), size):
            part = asked[start : start + size]
            for (job, _), answer in zip(part, self._answers([one for _, one in part]), strict=True):
                job.answer = answer
        for job in running:
            job.go_on()

    def _answers(self, passes: Sequence[Pass]) -> Sequence[Answer]:
        try:
            if len(passes) == 1 or self._rows is None:
                return [self._alone(one) for one in passes]
            return self._rows.run(passes)
        except Exception as error:
            return [_failure(error)] * len(passes)

    def _alone(self, one: Pass) -> NDArray[np.float32]:
        try:
            return self._graph.run(one)
        except Exception as error:
            raise _failure(error) from None


def _failure(error: Exception) -> EngineError:
    if isinstance(error, EngineError):
        return error
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return EngineError(f"onnxruntime failed: {lines[0]}")
