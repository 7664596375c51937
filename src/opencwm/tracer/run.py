"""Runs a program in this process and returns the record of its run.

Untrusted code belongs in :mod:`opencwm.sandbox`, which calls :func:`opencwm.tracer.child.main` in a child
process; here the program has every right this process has.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import io
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from opencwm.tracer.bytecode import ASYNC_GENERATOR, COROUTINE, GENERATOR
from opencwm.tracer.evaluator import Evaluator
from opencwm.tracer.instrument import instrument, with_hooks
from opencwm.tracer.limits import DEFAULT_LIMITS, TraceLimits
from opencwm.tracer.recorder import LimitReached, Recorder
from opencwm.tracer.rendering import Renderer
from opencwm.traces.program import Program
from opencwm.traces.trace import Status, Trace

MODULE_NAME = "program"
"""``__name__`` of the module while it runs, so that an ``if __name__ == "__main__"`` block does not."""

# Bound here, so that a program that changes these modules does not change its recorder.
_collect_no_more, _setprofile = gc.disable, sys.setprofile
_monotonic, _builtins = time.monotonic, vars(builtins)


class _Output(io.RawIOBase):
    """Keeps the first bytes written to it and drops the rest."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self.kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.kept += view[: self._left]
        self._left = max(self._left - len(view), 0)
        return len(view)


def record(
    program: Program,
    limits: TraceLimits = DEFAULT_LIMITS,
    *,
    on_limit: Callable[[Trace], NoReturn] | None = None,
    accelerate: bool = False,
) -> Trace:
    """Run ``program`` in this process and return its trace.

    The module's own statements run unrecorded; then the entry is called without arguments (a coroutine it
    returns is run by ``asyncio.run``) and every activation of the program's code is recorded until the entry
    is left.

    Args:
        program: what to run.
        limits: bounds of the recording.
        on_limit: called with the trace so far, from inside the program, when a limit is reached. It must not
            return: it is meant to save the trace and end the process. Without it a ``BaseException`` unwinds
            the program, untraced; a program that swallows that runs on until it ends by itself.
        accelerate: use the compiled accelerator where it was built, unless sub-expressions are recorded. The
            trace is the same either way.
    """
    return Run(program, limits, on_limit, accelerate=accelerate).result()


class Run:
    """One run of a program; the arguments are those of :func:`record`."""

    def __init__(
        self,
        program: Program,
        limits: TraceLimits = DEFAULT_LIMITS,
        on_limit: Callable[[Trace], NoReturn] | None = None,
        *,
        accelerate: bool = False,
    ) -> None:
        self.program = program
        self.limits = limits
        self.on_limit = on_limit
        self.accelerate = accelerate
        self.recorder: Recorder | None = None
        self.is_over = False
        self.started_s = _monotonic()
        self.builtins = dict(_builtins)
        self.recursion_limit = sys.getrecursionlimit()
        self.output = _Output(limits.max_stdout_chars * 4)
        self.stdout = io.TextIOWrapper(io.BufferedWriter(self.output), "utf-8", "backslashreplace", "\n")

    def result(self) -> Trace:
        """Run the program and return its trace."""
        status, detail = self._run()
        self.is_over = True
        return self._trace(status, detail)

    def expire(self, *_: object) -> None:
        """End the program because its time is up, unless it has ended by itself. Made to be a signal handler.

        Runs inside the program, but nothing of it. Before the program has been compiled it does nothing.

        Raises:
            LimitReached: there is no ``on_limit``.
        """
        if self.recorder is not None and not self.is_over:
            self.recorder.end(Status.TIMEOUT)

    def _run(self) -> tuple[Status, str]:
        """Run the program and tell how it ended."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code, evaluator = self._compiled()
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return Status.REFUSED, f"does not compile: {self._describe(error)}"
        recorder = self.recorder = Recorder(
            code, self.program.text, self.limits, self._at_limit, evaluator, accelerate=self.accelerate
        )
        module = types.ModuleType(MODULE_NAME)
        module.__file__ = self.program.filename
        with self._surroundings(module):
            try:
                exec(code, module.__dict__)  # noqa: S102 - running the program is the purpose
            except MemoryError as error:
                return Status.MEMORY, self._describe(error)
            except BaseException as error:
                if recorder.limit is not None:
                    return recorder.limit, self._limit_detail(recorder.limit)
                return Status.MODULE_FAILED, self._describe(error)
            entry, problem = _find_entry(module, self.program.entry)
            if problem:
                return Status.NO_ENTRY, problem
            return self._call(entry, recorder)

    def _compiled(self) -> tuple[types.CodeType, Evaluator | None]:
        """Return the code to run, and what records its sub-expressions when that is asked for."""
        program = self.program
        instrumented = instrument(program.text, program.filename) if self.limits.expressions else None
        if instrumented is None:
            return compile(program.text, program.filename, "exec", dont_inherit=True), None
        evaluator = Evaluator(instrumented.sites, self.limits)
        return with_hooks(instrumented.code, evaluator.hooks()), evaluator

    def _call(self, entry: Callable[[], object], recorder: Recorder) -> tuple[Status, str]:
        """Call the entry, traced."""
        previous = sys.gettrace()
        if isinstance(entry, types.FunctionType) and not entry.__code__.co_flags & COROUTINE:
            recorder.entry = entry.__code__
        status, detail = Status.RETURNED, ""
        try:
            own_limit = sys.getrecursionlimit()  # of the module's statements, or of this process
            recorder.start(_stack_depth(), None if own_limit == self.recursion_limit else own_limit)
            result = entry()
            if _is_coroutine_of(result, entry):
                import asyncio

                asyncio.run(result)  # type: ignore[arg-type]
        except LimitReached:
            pass
        except MemoryError as error:
            status, detail = Status.MEMORY, self._describe(error)
        except SystemExit as error:
            status, detail = Status.EXITED, self._describe(error)
        except BaseException as error:
            status, detail = Status.RAISED, self._describe(error)
        finally:
            removed = sys.gettrace() is not recorder.trace
            sys.settrace(previous)
        if recorder.failure is not None:
            raise recorder.failure
        if recorder.out_of_memory:
            return Status.MEMORY, detail or "no memory left to record"
        if recorder.limit is not None:
            return recorder.limit, self._limit_detail(recorder.limit)
        if removed and status is not Status.MEMORY:
            return Status.UNTRACED, "the program removed or replaced the trace function"
        return status, detail

    def _at_limit(self) -> None:
        """Hand the trace so far to ``on_limit``, which ends the process."""
        self.is_over = True
        if self.on_limit is not None and self.recorder is not None and self.recorder.limit is not None:
            _collect_no_more()  # finalizers are the program's code
            _setprofile(None)
            _builtins.update(self.builtins)
            self.on_limit(self._trace(self.recorder.limit, self._limit_detail(self.recorder.limit)))

    def _limit_detail(self, limit: Status) -> str:
        if limit is Status.TIMEOUT:
            return f"out of time after {_monotonic() - self.started_s:.1f} s"
        if limit is Status.STEP_LIMIT:
            return f"more than {self.limits.max_steps} steps"
        return f"more than {self.limits.max_bytes} bytes of values"

    def _trace(self, status: Status, detail: str) -> Trace:
        with contextlib.suppress(ValueError, OSError, RuntimeError):  # closed; or ended while it was flushed
            self.stdout.flush()
        text = bytes(self.output.kept).decode("utf-8", "replace")[: self.limits.max_stdout_chars]
        return Trace(
            program=self.program,
            codes=tuple(self.recorder.codes) if self.recorder else (),
            steps=self.recorder.build_steps() if self.recorder else (),
            status=status,
            detail=detail,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            stdout=text,
        )

    def _describe(self, error: BaseException) -> str:
        text = Renderer(self.limits).render(error)
        return " ".join(text.split())

    @contextlib.contextmanager
    def _surroundings(self, module: types.ModuleType) -> Iterator[None]:
        """Give the program its module, empty input and captured output; put everything back afterwards."""
        saved = sys.stdin, sys.stdout, sys.stderr, sys.argv
        shadowed = sys.modules.get(MODULE_NAME)
        sys.modules[MODULE_NAME] = module
        sys.stdin, sys.stdout, sys.stderr = (
            io.TextIOWrapper(io.BytesIO()),
            self.stdout,
            io.TextIOWrapper(_Output(0)),
        )
        sys.argv = [self.program.filename]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            _builtins.update(self.builtins)
            sys.setrecursionlimit(self.recursion_limit)
            sys.stdin, sys.stdout, sys.stderr, sys.argv = saved
            if shadowed is None:
                sys.modules.pop(MODULE_NAME, None)
            else:
                sys.modules[MODULE_NAME] = shadowed


def _find_entry(module: types.ModuleType, name: str) -> tuple[Any, str]:
    """Return the entry and an empty string, or None and what is wrong."""
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except Exception:
            return None, f"the program has no function {name!r}"
    if not callable(found):
        return None, f"{name!r} is not a function"
    if isinstance(found, types.FunctionType):
        code = found.__code__
        if code.co_flags & (GENERATOR | ASYNC_GENERATOR):
            return (
                None,
                f"{name!r} is a generator function: give a call that consumes it, such as list({name}())",
            )
        missing = code.co_argcount - len(found.__defaults__ or ())
        keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        if missing > 0 or any(keyword not in (found.__kwdefaults__ or {}) for keyword in keywords):
            return None, f"{name!r} needs arguments: give a call such as {name}(...)"
    return found, ""


def _is_coroutine_of(result: object, entry: object) -> bool:
    return isinstance(result, types.CoroutineType) and getattr(entry, "__code__", None) is result.cr_code


def _stack_depth() -> int:
    frame = sys._getframe()
    depth = 0
    while frame.f_back is not None:
        frame = frame.f_back
        depth += 1
    return depth
