"""Serves many requests with one bank: which rows are run when, and which keep what they hold.

The idea is continuous batching: between any two steps, requests that are done leave and others take their
rows. A turn first reads prompts, so many ids at most that those who write are not kept waiting, then lets all
that write take one step in one call. A request begins with the longest beginning of its prompt that some row
holds, so a session that sends a growing prompt pays for what is new.

All work is done in one thread of its own. Greedy writing and probabilities are worked out for all rows at
once.

Source: Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative Models", OSDI 2022
(iteration-level scheduling); prefix reuse as in vLLM's automatic prefix caching, by row instead of by block.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.bank import Bank
from opencwm.model.sampling import SamplingConfig, pick

READ_TOKENS = 256
"""Prompt ids that are read between two steps."""

_SPARED_TOKENS = 16
"""A row is continued in place when no more ids than these are lost by it; else its beginning is copied."""

Finish = Literal["stop", "length", "cancelled"]


class FullError(Exception):
    """There are as many requests as are let in."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be written after a prompt, or what is to be told about it.

    Attributes:
        prompt: at least one id.
        max_tokens: most ids to write; 0 to write none.
        stops: ids that end it.
        sampling: how ids are picked.
        num_top: how many of the likeliest ids are told at each written one; None for no probabilities at all.
        logits_from: give the logits after each id of the prompt from this index on; None for none.
        read_from: ids of the prompt from this index on are read in one pass, though a row may hold more.
        is_streamed: whether each id is told as it is written, or all at the end.
    """

    prompt: tuple[int, ...]
    max_tokens: int
    stops: frozenset[int] = frozenset()
    sampling: SamplingConfig = dataclasses.field(default_factory=SamplingConfig)
    num_top: int | None = None
    logits_from: int | None = None
    read_from: int | None = None
    is_streamed: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A written id.

    Attributes:
        id: which.
        logarithm: of its probability at temperature 1; 0 when no probabilities were asked for.
        top: the likeliest ids here and their logarithms, the likeliest first.
    """

    id: int
    logarithm: float
    top: tuple[tuple[int, float], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """News of a request.

    Attributes:
        tokens: written since the last news.
        finish: why it is over; None while it is not.
        error: what broke; with it, it is over.
        logits: of the prompt, (K, V), with the last news, if they were asked for.
        num_reused: ids of the prompt that were not read anew.
    """

    tokens: tuple[Token, ...]
    finish: Finish | None = None
    error: EngineError | None = None
    logits: NDArray[np.float32] | None = None
    num_reused: int = 0

    @property
    def is_last(self) -> bool:
        """Whether nothing more comes."""
        return self.finish is not None or self.error is not None


Listener = Callable[[Update], None]


class Observer(Protocol):
    """Counts what is done; called in the scheduler's thread."""

    def read(self, num_tokens: int) -> None:
        """Prompt ids were read."""
        ...

    def stepped(self, num_rows: int) -> None:
        """Rows wrote an id each in one call."""
        ...


class Job:
    """A request that was let in.

    Args:
        request: what is asked.
        listener: told the news, in the scheduler's thread; it must not wait.
    """

    def __init__(self, request: Request, listener: Listener) -> None:
        self.request = request
        self.row = -1
        self.num_reused = 0
        self.num_written = 0
        self.pending = -1  # written, and not yet in the row
        self.pieces: list[NDArray[np.float32]] = []  # logits of the prompt
        self.rng = np.random.default_rng(request.sampling.seed)
        self.is_cancelled = False
        self.is_over = False
        self._listener = listener
        self._untold: list[Token] = []

    def cancel(self) -> None:
        """Have it end before its next step; from any thread."""
        self.is_cancelled = True

    def write(self, token: Token) -> None:
        """Tell a written id, now or later."""
        self.num_written += 1
        self.pending = token.id
        self._untold.append(token)

    def tell(self) -> None:
        """Tell what is new to those who want it at once."""
        if self.request.is_streamed and self._untold:
            self._send(Update(tuple(self._untold)))

    def end(self, finish: Finish | None, error: EngineError | None = None) -> None:
        """Tell that it is over."""
        self.is_over = True
        logits = np.concatenate(self.pieces) if self.pieces else None
        self._send(Update(tuple(self._untold), finish, error, logits, self.num_reused))

    def _send(self, update: Update) -> None:
        self._untold = []
        self._listener(update)


class Scheduler:
    """The thread that does all work on a bank.

    Args:
        bank: owned by this from now on.
        max_jobs: most requests that are let in, those under way included.
        observer: counts what is done.
    """

    def __init__(self, bank: Bank, *, max_jobs: int, observer: Observer | None = None) -> None:
        self._bank = bank
        self._max_jobs = max_jobs
        self._observer = observer
        self._inbox: collections.deque[Job] = collections.deque()
        self._reading: Job | None = None
        self._writing: list[Job] = []
        self._used = [0] * bank.num_rows  # when a row was last used, in turns
        self._turn = 0
        self._num_jobs = 0
        self._is_closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="opencwm scheduler", daemon=True)
        self._thread.start()

    @property
    def num_running(self) -> int:
        """Requests that have a row."""
        return max(0, self._num_jobs - len(self._inbox))

    @property
    def num_waiting(self) -> int:
        """Requests that have none yet."""
        return len(self._inbox)

    def submit(self, requests: Sequence[Request], listeners: Sequence[Listener]) -> list[Job]:
        """Let requests in, all of them or none; from any thread.

        Raises:
            FullError: there are too many.
            EngineError: a prompt does not fit.
        """
        for request in requests:
            self._check(request)
        jobs = [Job(request, listener) for request, listener in zip(requests, listeners, strict=True)]
        with self._changed:
            if self._is_closing:
                raise EngineError("the engine is shutting down")
            if self._num_jobs + len(jobs) > self._max_jobs:
                raise FullError
            self._num_jobs += len(jobs)
            self._inbox.extend(jobs)
            self._changed.notify()
        return jobs

    def close(self) -> None:
        """End all requests, and the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()

    def _check(self, request: Request) -> None:
        room = self._bank.max_tokens - (request.max_tokens > 0)
        if not 0 < len(request.prompt) <= room:
            problem = f"a prompt of {len(request.prompt)} ids does not fit"
            raise EngineError(problem, where=f"context {self._bank.max_tokens}")
        if min(request.prompt) < 0 or max(request.prompt) >= self._bank.vocab_size:
            raise EngineError(f"an id of the prompt is outside 0..{self._bank.vocab_size - 1}")

    def _run(self) -> None:
        while self._wait():
            self._turn += 1
            self._read()
            self._step()
        for job in (*self._inbox, *([self._reading] if self._reading else []), *self._writing):
            job.end(None, EngineError("the engine is shutting down"))

    def _wait(self) -> bool:
        """Wait for something to do; return whether to go on."""
        with self._changed:
            while not (self._is_closing or self._inbox or self._reading or self._writing):
                self._changed.wait()
            return not self._is_closing

    def _end(self, job: Job, finish: Finish | None, error: EngineError | None = None) -> None:
        if job.is_over:
            return
        with self._changed:
            self._num_jobs -= 1
        if job.row >= 0:
            self._used[job.row] = self._turn
        job.end(finish, error)

    def _next(self) -> Job | None:
        """Give the first that waits a row, if there is one to give."""
        while self._inbox and len(self._writing) < self._bank.num_rows:
            job = self._inbox.popleft()
            if not job.is_cancelled:
                self._place(job)
                return job
            self._end(job, "cancelled")
        return None

    def _place(self, job: Job) -> None:
        """Give a request a row that holds as much of its prompt as may be reused."""
        request, busy = job.request, {other.row for other in self._writing}
        prompt = list(request.prompt)
        wanted = (request.read_from, request.logits_from, len(request.prompt) - 1)
        bound = min(limit for limit in wanted if limit is not None)
        shared = [common(self._bank.held(row), prompt, bound) for row in range(self._bank.num_rows)]
        best = max(range(len(shared)), key=lambda row: (shared[row], -len(self._bank.held(row))))
        num_lost = len(self._bank.held(best)) - shared[best]
        if best not in busy and num_lost <= _SPARED_TOKENS:
            job.row = best
        else:
            free = (row for row in range(self._bank.num_rows) if row not in busy)
            job.row = min(free, key=lambda row: (len(self._bank.held(row)) > 0, self._used[row]))
            if job.row != best:
                self._bank.copy(best, job.row, shared[best])
        self._bank.truncate(job.row, shared[best])
        job.num_reused = shared[best]

    def _read(self) -> None:
        """Read prompts until enough ids were read for a turn."""
        left = READ_TOKENS
        while left > 0:
            job = self._reading = self._reading or self._next()
            if job is None:
                return
            if job.is_cancelled:
                self._reading = None
                self._end(job, "cancelled")
                continue
            try:
                left -= self._read_on(job, left)
            except Exception as error:
                self._reading = None
                self._end(job, None, _failure(error))

    def _read_on(self, job: Job, left: int) -> int:
        """Read the next part of a prompt, and what follows once it is read; return how many ids that was."""
        request = job.request
        held = len(self._bank.held(job.row))
        first = request.read_from if request.read_from is not None else request.logits_from
        is_scored = request.logits_from is not None and (first is None or held >= first)
        end = len(request.prompt) if is_scored else min(held + left, len(request.prompt))
        if first is not None and held < first:
            end = min(end, first)
        new = request.prompt[held:end]
        every = is_scored and request.logits_from != len(request.prompt) - 1
        logits_KV = self._bank.extend(job.row, new, every=every)
        if self._observer is not None:
            self._observer.read(len(new))
        if is_scored and request.logits_from is not None:
            job.pieces.append(logits_KV[max(0, request.logits_from - held) :] if every else logits_KV)
        if end == len(request.prompt):
            self._reading = None
            if request.max_tokens == 0:
                self._end(job, "length")
            else:
                self._write([job], logits_KV[-1:])
        return len(new)

    def _step(self) -> None:
        """Let all that write take a step."""
        for job in [job for job in self._writing if job.is_cancelled]:
            self._writing.remove(job)
            self._end(job, "cancelled")
        jobs, self._writing = self._writing, []
        if not jobs:
            return
        try:
            logits_BV = self._bank.step([job.row for job in jobs], [job.pending for job in jobs])
            if self._observer is not None:
                self._observer.stepped(len(jobs))
            self._write(jobs, logits_BV)
        except Exception as error:
            self._writing = []
            for job in jobs:
                self._end(job, None, _failure(error))

    def _write(self, jobs: Sequence[Job], logits_BV: NDArray[np.float32]) -> None:
        """Pick the next id of each; those that are not over by it go on writing."""
        tokens = picked(jobs, logits_BV)
        for job, token in zip(jobs, tokens, strict=True):
            job.write(token)
            bound = min(job.request.max_tokens, self._bank.max_tokens - len(job.request.prompt))
            if token.id in job.request.stops:
                self._end(job, "stop")
            elif job.num_written >= bound:
                self._end(job, "length")
            else:
                self._writing.append(job)
                job.tell()


def common(held: Sequence[int], prompt: list[int], bound: int) -> int:
    """Return how many ids, at most ``bound``, two sequences have in common at their beginnings."""
    low, high = 0, min(len(held), len(prompt), bound)
    while low < high:  # slices are compared far faster than ids one by one
        middle = (low + high + 1) // 2
        if list(held[low:middle]) == prompt[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def picked(jobs: Sequence[Job], logits_BV: NDArray[np.float32]) -> list[Token]:
    """Pick an id for each request from its row of logits."""
    chosen = logits_BV.argmax(axis=1).tolist()
    asked = [
        row
        for row, job in enumerate(jobs)
        if job.request.num_top is not None or job.request.sampling.temperature > 0
    ]
    if not asked:
        return [Token(token, 0.0) for token in chosen]
    shifted = logits_BV[asked].astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    logarithms = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    tokens = [Token(token, 0.0) for token in chosen]
    for row, logarithms_V in zip(asked, logarithms, strict=True):
        request, token = jobs[row].request, chosen[row]
        if request.sampling.temperature > 0:
            token = pick(np.exp(logarithms_V), request.sampling, jobs[row].rng)
        tokens[row] = Token(token, float(logarithms_V[token]), likeliest(logarithms_V, request.num_top or 0))
    return tokens


def likeliest(logarithms_V: NDArray[np.float64], number: int) -> tuple[tuple[int, float], ...]:
    """Return the ids of the so many largest, the largest first, with their logarithms."""
    if number == 0:
        return ()
    number = min(number, len(logarithms_V))
    found = np.argpartition(-logarithms_V, number - 1)[:number]
    found = found[np.argsort(-logarithms_V[found], kind="stable")]
    return tuple((int(token), float(logarithms_V[token])) for token in found)


def _failure(error: Exception) -> EngineError:
    if isinstance(error, EngineError):
        return error
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return EngineError(f"the engine failed: {lines[0]}")
