"""Cases of an evaluation spread over engines in other processes, here or on a Ray cluster.

The one idea: a case is a function with its arguments, as :class:`opencwm.model.together.Worker` has it. It is
pickled for the process that does it, but for what every process opens for itself (the model, the sandbox),
which travels as a number. A process that ends without an answer is replaced, and its case is done again; the
caller sees each result once. What a case comes to does not depend on where it is done.
"""

from __future__ import annotations

import contextlib
import functools
import io
import pickle
import queue
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar, cast

from opencwm.core.cluster import connect_ray
from opencwm.core.errors import EngineError

ATTEMPTS: Final = 3
"""Processes that may end at one case before the evaluation does."""

T = TypeVar("T")
Opener = Callable[[], object]
"""Opens what a process has for itself. It is pickled: a function of a module, or a partial of one."""


class LostError(Exception):
    """A process ended while it was doing a case, or before."""


class Engine(Protocol):
    """A process that does cases."""

    def start(self) -> None:
        """Wait until it can do cases; raises :class:`LostError` when it ends instead."""
        ...

    def do(self, job: bytes) -> bytes:
        """Return the pickled answer to a pickled case; raises :class:`LostError` when the process ends."""
        ...

    def close(self) -> None:
        """End it, whatever it does. May be called from any thread, and twice."""
        ...


class Bench:
    """What a process works at: it opens what it has for itself when first asked, and does cases.

    Args:
        openers: pickled openers, in the order of the numbers that stand for what they open.
        path: where modules are found, after where they are found anyhow.
    """

    def __init__(self, openers: bytes, path: Sequence[str] = ()) -> None:
        sys.path += [each for each in path if each not in sys.path]
        self._pickled = openers
        self._opened: dict[int, object] = {}

    def shared(self, number: int) -> object:
        """Return what an opener opens, opened once."""
        if number not in self._opened:
            openers: Sequence[Opener] = pickle.loads(self._pickled)  # noqa: S301 - from our own process
            self._opened[number] = openers[number]()
        return self._opened[number]

    def ready(self) -> None:
        """Do nothing: the answer says that the process is there."""

    def do(self, job: bytes) -> bytes:
        """Do a case; return its result or its error, pickled."""
        try:
            job_here: Callable[[], object] = _Unpickler(job, self).load()
            answer: tuple[str, Any] = ("result", job_here())
        except Exception as error:
            answer = ("error", error)
        return _pickled(answer)


class EngineWorkers:
    """A :class:`opencwm.model.together.Worker` over processes that stay until it is closed.

    A context manager. Results come in the order in which they are done.

    Args:
        make_engine: returns a process that is yet to be started, given pickled openers.
        num_engines: most processes at once.
        shared: objects that cases hold, each with what opens its like in another process.
    """

    def __init__(
        self,
        make_engine: Callable[[bytes], Engine],
        num_engines: int,
        shared: Sequence[tuple[object, Opener]],
    ) -> None:
        self._num_engines = num_engines
        self._shared = [one for one, _ in shared]
        openers = pickle.dumps([opener for _, opener in shared])
        self._make = functools.partial(make_engine, openers)
        self._idle: list[Engine] = []
        self._starting: set[Engine] = set()
        self._busy: set[Engine] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> EngineWorkers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: types.TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes; what they are doing is lost."""
        with self._lock:
            self._is_closed = True
            engines = [*self._idle, *self._starting, *self._busy]
        for engine in engines:
            engine.close()

    def __call__(self, jobs: Iterable[Callable[[], T]]) -> Iterator[tuple[int, T]]:
        """Do cases; yield the number and the result of each as it is done.

        Raises:
            EngineError: processes ended again and again at one case.
            BaseException: whatever a case raised.
        """
        waiting: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        count = 0
        for number, job in enumerate(jobs):
            waiting.put((number, self._pickled(job)))
            count += 1
        answers: queue.SimpleQueue[tuple[int, bytes | Exception]] = queue.SimpleQueue()
        threads = [
            threading.Thread(target=self._drive, args=(waiting, answers), daemon=True)
            for _ in range(min(self._num_engines, count))
        ]
        for thread in threads:
            thread.start()
        is_over = False
        try:
            for _ in range(count):
                number, answer = answers.get()
                yield number, cast("T", _result(answer))
            is_over = True
        finally:
            if not is_over:
                self.close()  # nobody waits for what is under way
            self._call_off()
            for thread in threads:
                thread.join()

    def _call_off(self) -> None:
        """End processes that are not there yet: there is nothing left for them to do."""
        with self._lock:
            engines = list(self._starting)
        for engine in engines:
            engine.close()

    def _pickled(self, job: object) -> bytes:
        buffer = io.BytesIO()
        _Pickler(buffer, self._shared).dump(job)
        return buffer.getvalue()

    def _drive(
        self,
        waiting: queue.SimpleQueue[tuple[int, bytes]],
        answers: queue.SimpleQueue[tuple[int, bytes | Exception]],
    ) -> None:
        """Have one process after the other do cases until none are left."""
        lost = 0
        held: tuple[int, bytes] | None = None
        while True:
            engine = None
            try:
                engine = self._take()
                while True:
                    held = held or waiting.get_nowait()
                    answers.put((held[0], engine.do(held[1])))
                    held, lost = None, 0
            except queue.Empty:
                self._give_back(engine)
                return
            except LostError as error:
                self._drop(engine)
                lost += 1
                if self._is_closed or (held is None and waiting.empty()):
                    return
                if lost == ATTEMPTS:
                    answers.put((-1, _given_up(error, held)))
                    return
            except Exception as error:  # for whoever waits for answers
                self._drop(engine)
                answers.put((-1, error))
                return

    def _take(self) -> Engine:
        """Return a process that is ready: one that was started before, or a new one.

        Raises:
            LostError: it ended, or is not needed any more.
        """
        with self._lock:
            if self._idle:
                engine = self._idle.pop()
                self._busy.add(engine)
                return engine
            if self._is_closed:
                raise LostError("closed")
            engine = self._make()
            self._starting.add(engine)
        try:
            engine.start()
        except BaseException:
            engine.close()
            raise
        finally:
            with self._lock:
                self._starting.discard(engine)
                self._busy.add(engine)
        return engine

    def _give_back(self, engine: Engine | None) -> None:
        if engine is not None:
            with self._lock:
                self._busy.discard(engine)
                self._idle.append(engine)

    def _drop(self, engine: Engine | None) -> None:
        if engine is not None:
            with self._lock:
                self._busy.discard(engine)
            engine.close()


def _given_up(error: LostError, held: tuple[int, bytes] | None) -> EngineError:
    where = f"case {held[0] + 1}" if held is not None else "--engine-workers"
    return EngineError(
        f"{ATTEMPTS} engine processes ended, one after the other ({error})",
        where=where,
        hint="results so far are kept; is there memory for all of them?",
    )


def _result(answer: bytes | Exception) -> object:
    if isinstance(answer, Exception):
        raise answer
    kind, value = pickle.loads(answer)  # noqa: S301 - from our own process
    if kind == "error":
        raise value
    return value


def _pickled(answer: tuple[str, Any]) -> bytes:
    try:
        made = pickle.dumps(answer)
        pickle.loads(made)  # noqa: S301 - an exception that cannot be built again is told as text
    except Exception:
        return pickle.dumps(("error", EngineError(f"{type(answer[1]).__name__}: {answer[1]}")))
    return made


class _Pickler(pickle.Pickler):
    """Pickles a case; what processes open for themselves becomes its number."""

    def __init__(self, buffer: io.BytesIO, shared: Sequence[object]) -> None:
        super().__init__(buffer)
        self._numbers = {id(one): number for number, one in enumerate(shared)}

    def persistent_id(self, item: Any) -> int | None:
        """Return the number of what is shared."""
        return self._numbers.get(id(item))


class _Unpickler(pickle.Unpickler):
    """Reads a case, with what this process opened in it."""

    def __init__(self, job: bytes, bench: Bench) -> None:
        super().__init__(io.BytesIO(job))
        self._bench = bench

    def persistent_load(self, number: Any) -> object:
        """Return what stands under a number."""
        return self._bench.shared(number)


class LocalEngine:
    """A process of this machine: :mod:`opencwm.evals.engine_process`.

    It is in a process group of its own, so that Ctrl-C reaches only who started it; it ends with that one.

    Args:
        openers: see :class:`Bench`.
    """

    def __init__(self, openers: bytes) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "opencwm.evals.engine_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        self._openers = openers

    def start(self) -> None:
        """Wait until it has read where modules are found."""
        self._exchange((sys.path, self._openers))

    def do(self, job: bytes) -> bytes:
        """Have a case done."""
        return cast("bytes", self._exchange(job))

    def close(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _exchange(self, message: object) -> object:
        requests, replies = self.process.stdin, self.process.stdout
        if requests is None or replies is None:
            raise LostError("no pipes")
        try:
            pickle.dump(message, requests)
            requests.flush()
            return pickle.load(replies)  # noqa: S301 - from our own process
        except (OSError, ValueError, EOFError, pickle.UnpicklingError):
            self.close()
            raise LostError(f"exit status {self.process.returncode}") from None


class RayEngine:
    """An actor of a Ray cluster.

    Args:
        openers: see :class:`Bench`.
        ray: the connected module.
        num_gpus: that the actor is given; 0 for none.
    """

    def __init__(self, openers: bytes, ray: Any, num_gpus: float) -> None:
        self._ray = ray
        self._actor = ray.remote(num_cpus=1, num_gpus=num_gpus)(Bench).remote(openers, sys.path)

    def start(self) -> None:
        """Wait until the cluster has room for the actor."""
        self._get(self._actor.ready.remote())

    def do(self, job: bytes) -> bytes:
        """Have a case done."""
        return cast("bytes", self._get(self._actor.do.remote(job)))

    def close(self) -> None:
        """End the actor."""
        self._ray.kill(self._actor)

    def _get(self, reference: object) -> object:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise LostError(lines[0]) from None
        except self._ray.exceptions.RayError as error:
            raise EngineError(f"Ray failed: {error}", where="--ray") from None


def local_workers(num_engines: int, shared: Sequence[tuple[object, Opener]]) -> EngineWorkers:
    """Return workers that are processes of this machine; see :class:`EngineWorkers`."""
    return EngineWorkers(LocalEngine, num_engines, shared)


def ray_workers(
    num_engines: int, shared: Sequence[tuple[object, Opener]], *, num_gpus: float = 0
) -> EngineWorkers:
    """Return workers that are actors on the cluster ``RAY_ADDRESS`` names, or on a Ray of this machine.

    All nodes need this package, and see the model under the same path.

    Args:
        num_engines: most actors at once; those the cluster has no room for are waited for by nobody.
        shared: see :class:`EngineWorkers`.
        num_gpus: that each actor is given.

    Raises:
        ConfigError: Ray is not installed.
    """
    ray = connect_ray("--ray", num_cpus=num_engines)
    return EngineWorkers(lambda openers: RayEngine(openers, ray, num_gpus), num_engines, shared)
