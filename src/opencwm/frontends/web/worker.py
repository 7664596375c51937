"""One thread for all work on a session, so that the server's own thread never waits.

The one idea: there are long jobs, one at a time, and short ones, which only look. A long job calls
:meth:`Worker.pause` between its steps, and what is short and waits is done there.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")
_Job = tuple[Callable[[], Any], "Future[Any]"]


class BusyError(Exception):
    """A long job is under way already."""


class Worker:
    """The thread; it ends with the process, or when closed."""

    def __init__(self) -> None:
        self._short: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._is_busy = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="opencwm-session", daemon=True)
        self._thread.start()

    async def look(self, job: Callable[[], Result]) -> Result:
        """Do a short job, at the latest in the next pause of a long one."""
        return await self._put(job)

    async def do(self, job: Callable[[], Result]) -> Result:
        """Do a long job.

        Raises:
            BusyError: there is one already.
        """
        if not self._is_busy.acquire(blocking=False):
            raise BusyError("still predicting; cancel that first")

        def whole() -> Result:
            try:
                return job()
            finally:
                self._is_busy.release()

        return await self._put(whole)

    def pause(self) -> None:
        """Do the short jobs that wait; called on the thread, by a long job."""
        while True:
            try:
                job = self._short.get_nowait()
            except queue.Empty:
                return
            if job is None:  # closing waits until the long job is over
                self._short.put(None)
                return
            _run(job)

    def close(self) -> None:
        """End the thread after what it does now."""
        self._short.put(None)

    async def _put(self, job: Callable[[], Result]) -> Result:
        future: Future[Result] = Future()
        self._short.put((job, future))
        return await asyncio.shield(asyncio.wrap_future(future))

    def _work(self) -> None:
        while (job := self._short.get()) is not None:
            _run(job)


def _run(item: _Job) -> None:
    job, future = item
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job())
    except BaseException as error:  # raised where the job is waited for
        future.set_exception(error)
