"""Watch a package while its own tests run: which functions were called, with what, and what came back.

Runs inside the sandbox, in a process of its own, as the target :func:`main`. Everything is sent the moment it
is seen, as one JSON record, so that a test suite that hangs or kills its process loses nothing of before.
Records are untrusted data: the package could have written them itself.

A trace function sees only calls; a function that has been seen often enough costs one look into a table.
pytest is imported by :func:`main` alone, in the sandbox.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import dis
import functools
import inspect
import json
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FrameType, FunctionType
from typing import Any, Final

from opencwm.corpus.harvest.values import Expression, Needs, SourceRenderer, UnrenderableError
from opencwm.tracer.limits import TraceLimits
from opencwm.tracer.rendering import Renderer

Emit = Callable[[bytes], None]

_GENERATOR, _ASYNC = 0x20, 0x80 | 0x200  # co_flags
_VARARGS, _VARKEYWORDS = 0x04, 0x08
_RESUME: Final = dis.opmap["RESUME"]
_NO_NAME: Final = "<"
_TEST_PARTS: Final = frozenset({"test", "tests", "testing", "conftest", "_testing", "idle_test"})
MAX_CONSTRUCTIONS: Final = 400
MAX_HELD: Final = 20_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObserveRequest:
    """What to run and what to look at.

    Attributes:
        modules: packages and modules whose functions are wanted, with all below them.
        num_paths: how many of the last entries of ``sys.path`` are to come first.
        tests: what pytest is to collect: a dotted name, or ``N:PATH`` for a path below one of those entries.
        arguments: further arguments of pytest.
        max_inputs: distinct inputs kept of one function.
        max_calls: calls of one function that are looked at.
        max_chars: longest argument, and longest result that is compared.
        test_s: seconds for one test.
    """

    modules: tuple[str, ...]
    num_paths: int
    tests: tuple[str, ...]
    arguments: tuple[str, ...]
    max_inputs: int = 12
    max_calls: int = 60
    max_chars: int = 400
    test_s: float = 5.0


class _Function:
    """A code object of interest and what has been seen of it."""

    def __init__(self, code: CodeType, module: str, defaults: dict[str, object]) -> None:
        self.code = code
        self.module = module
        self.defaults = defaults
        self.makes = code.co_name in ("__init__", "__new__")
        self.num_calls = 0
        self.inputs: set[str] = set()
        self.problems: collections.Counter[str] = collections.Counter()


class Observer:
    """Sees calls through :meth:`trace`, a function for ``sys.settrace``, and emits records of them."""

    def __init__(self, request: ObserveRequest, emit: Emit) -> None:
        self._request = request
        self._emit = emit
        self._functions: dict[int, _Function | None] = {}
        self._codes: list[CodeType] = []  # held, so that no id is used twice
        self._made: dict[int, tuple[Callable[[], object], Expression]] = {}
        self._num_held = 0
        self._renderer = SourceRenderer(self.is_ours, self._recall, request.max_chars)
        self._results = Renderer(
            TraceLimits(max_value_chars=max(request.max_chars, 16), max_elements=80, max_nesting=5)
        )
        self._own_pid = os.getpid()
        self._has_recalled, self._may_recall = False, True

    def is_ours(self, module: str) -> bool:
        """Whether a module's functions are wanted: it is of the package, and no test."""
        parts = module.split(".")
        if not _TEST_PARTS.isdisjoint(parts) or parts[-1].startswith("test_"):
            return False
        return any(module == name or module.startswith(name + ".") for name in self._request.modules)

    def trace(self, frame: FrameType, event: str, _: object) -> Any:
        """Look at one call; made for ``sys.settrace``."""
        if event != "call":
            return None
        code = frame.f_code
        try:
            function = self._functions[id(code)]
        except KeyError:
            function = self._meet(code, frame)
        if function is None:
            return None
        if code.co_flags & _GENERATOR and not _starts(frame):
            return None
        return self._look(function, frame)

    def _meet(self, code: CodeType, frame: FrameType) -> _Function | None:
        module = frame.f_globals.get("__name__")
        wanted = (
            isinstance(module, str)
            and self.is_ours(module)
            and _NO_NAME not in code.co_qualname
            and _NO_NAME not in code.co_filename
            and not code.co_flags & _ASYNC
        )
        function = _Function(code, str(module), _defaults(frame)) if wanted else None
        self._functions[id(code)] = function
        self._codes.append(code)
        if function is not None and code.co_name != "__new__":
            self._send({"seen": [function.module, code.co_qualname, code.co_firstlineno]})
        return function

    def _look(self, function: _Function, frame: FrameType) -> Any:
        function.num_calls += 1
        request = self._request
        enough = function.num_calls > request.max_calls or len(function.inputs) >= request.max_inputs
        if enough and (not function.makes or function.num_calls > MAX_CONSTRUCTIONS):
            self._functions[id(function.code)] = None
            return None
        if os.getpid() != self._own_pid:
            return None
        try:
            call = self._arguments(function, frame)
            if self._has_recalled and not enough:
                call["state"] = self._by_state(function, frame)
        except UnrenderableError as error:
            reason = str(error)
            function.problems[reason] += 1
            if function.problems[reason] == 1:
                self._send(
                    {
                        "unrenderable": [
                            function.module,
                            function.code.co_qualname,
                            function.code.co_firstlineno,
                        ],
                        "why": reason,
                    }
                )
            return None
        key = json.dumps([call["args"], call["star"], call["keywords"]])
        is_new = not enough and key not in function.inputs
        if function.code.co_name == "__new__":
            frame.f_trace_lines = False
            return _Making(self, call).trace
        if not is_new:
            return None
        function.inputs.add(key)
        frame.f_trace_lines = False
        return _Outcome(self, call).trace

    def _arguments(self, function: _Function, frame: FrameType) -> dict[str, Any]:
        """Render the arguments of a call that has just begun.

        Raises:
            UnrenderableError: one of them cannot be written.
        """
        code, values = function.code, frame.f_locals
        self._has_recalled = False
        names = code.co_varnames
        num_plain = code.co_argcount + code.co_kwonlyargcount
        needs: Needs = {}

        def text(value: object) -> str:
            expression = self._renderer.render(value)
            for name, module in expression.needs.items():
                if needs.setdefault(name, module) != module:
                    raise UnrenderableError("two things of one name")
            return expression.text

        positional = list(names[: code.co_argcount])
        given_star = values[names[num_plain]] if code.co_flags & _VARARGS else ()
        defaults = {} if given_star or code.co_posonlyargcount else function.defaults

        def pair(name: str) -> list[str | None]:
            is_default = name in defaults and defaults[name] is values[name]
            return [name, None if is_default else text(values[name])]

        first = 1 if function.makes and positional else 0
        args = [pair(name) for name in positional[first:]]
        keyword_only = [pair(name) for name in names[code.co_argcount : num_plain]]
        star: list[str] | None = None
        keywords: list[list[str | None]] = []
        if code.co_flags & _VARARGS:
            star = [text(value) for value in given_star]
            num_plain += 1
        if code.co_flags & _VARKEYWORDS:
            keywords = [[name, text(value)] for name, value in values[names[num_plain]].items()]
        call = {
            "function": [function.module, code.co_qualname, code.co_firstlineno],
            "args": args,
            "keyword_only": keyword_only,
            "star": star,
            "keywords": keywords,
            "needs": needs,
            "cls": None,
            "state": None,
        }
        if code.co_name == "__init__" and positional:
            made = values[positional[0]]
            known = self._made.get(id(made))
            if (
                known is not None and known[0]() is made
            ):  # by the __new__ of its class, or a subclass's __init__
                call["cls"] = known[1].text.partition("(")[0]
            else:
                self.remember(made, call)
        return call

    def _by_state(self, function: _Function, frame: FrameType) -> dict[str, Any] | None:
        """Render the arguments again, objects by their attributes as they are now."""
        if function.makes:
            return None
        self._may_recall = False
        try:
            return self._arguments(function, frame)
        except UnrenderableError:
            return None
        finally:
            self._may_recall = True

    def remember(self, made: object, call: dict[str, Any]) -> None:
        """Keep the call that made an object.

        Raises:
            UnrenderableError: the call cannot be written.
        """
        kind = type(made)
        if not self.is_ours(kind.__module__ or "") or "<" in kind.__qualname__:
            raise UnrenderableError("class of another package")
        text = f"{kind.__qualname__}({written_arguments(call)})"
        if len(text) > self._request.max_chars:
            raise UnrenderableError("long")
        outer = kind.__qualname__.partition(".")[0]
        if call["needs"].setdefault(outer, kind.__module__) != kind.__module__:
            raise UnrenderableError("two things of one name")
        call["cls"] = kind.__qualname__
        try:
            reference: Callable[[], object] = weakref.ref(made)
        except TypeError:  # its class has slots; held, so that its id is not used twice
            if self._num_held >= MAX_HELD:
                return
            self._num_held += 1
            reference = functools.partial(_itself, made)
        self._made[id(made)] = reference, Expression(text, dict(call["needs"]))

    def _recall(self, value: object) -> Expression | None:
        known = self._made.get(id(value)) if self._may_recall else None
        if known is None or known[0]() is not value:
            return None
        self._has_recalled = True
        return known[1]

    def finish(self, call: dict[str, Any], values: list[object], ended: str) -> None:
        """Send a call with what came of it.

        Args:
            call: as :meth:`_arguments` made it.
            values: the value returned, or the values yielded.
            ended: ``returned``, ``raised``, ``yielded``, or ``open`` for a generator left in the middle.
        """
        texts = []
        for value in values:
            text = self._results.render(value)
            if self._results.cut:
                return self._send({**call, "ended": ended, "values": None})
            texts.append(text)
        return self._send({**call, "ended": ended, "values": texts})

    def _send(self, record: dict[str, Any]) -> None:
        if os.getpid() == self._own_pid:
            self._emit(json.dumps(record).encode())


class _Making:
    """Waits for the object that a ``__new__`` makes; the outermost one returns last, and counts."""

    def __init__(self, observer: Observer, call: dict[str, Any]) -> None:
        self._observer = observer
        self._call = call

    def trace(self, _: FrameType, event: str, value: Any) -> Any:
        if event != "return":
            return self.trace
        if value is not None:
            with contextlib.suppress(UnrenderableError):
                self._observer.remember(value, self._call)
        return None


def _itself(value: object) -> object:
    return value


def written_arguments(call: dict[str, Any]) -> str:
    """Write the arguments of a call; those that are the default stand for nothing."""
    parts, by_name = [], False
    for name, text in call["args"]:
        if text is None:
            by_name = True
        else:
            parts.append(f"{name}={text}" if by_name else text)
    parts += call["star"] or []
    parts += [f"{name}={text}" for name, text in call["keyword_only"] + call["keywords"] if text is not None]
    return ", ".join(parts)


def _defaults(frame: FrameType) -> dict[str, object]:
    """Return the defaults of the function that a frame runs, where it can be found by its name."""
    code = frame.f_code
    first, *rest = code.co_qualname.split(".")
    found: object = frame.f_globals.get(first)
    try:
        for part in rest:
            found = inspect.getattr_static(found, part)
    except AttributeError:
        return {}
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    if not isinstance(found, FunctionType) or found.__code__ is not code:
        return {}
    positional = code.co_varnames[: code.co_argcount]
    values = found.__defaults__ or ()
    return {
        **dict(zip(positional[len(positional) - len(values) :], values, strict=True)),
        **(found.__kwdefaults__ or {}),
    }


class _Outcome:
    """Waits for the end of one call."""

    def __init__(self, observer: Observer, call: dict[str, Any]) -> None:
        self._observer = observer
        self._call = call
        self._raised: str | None = None
        self._yielded: list[object] = []

    def trace(self, frame: FrameType, event: str, value: Any) -> Any:
        if event == "exception":
            self._raised = value[0].__name__
        elif event == "line":
            self._raised = None
        elif event == "return":
            frame.f_trace = None  # a generator is left here for the first time only
            if frame.f_code.co_flags & _GENERATOR:
                self._observer.finish(self._call, [value], "yielded")
            elif value is None and self._raised is not None and _is_unwinding(frame):
                self._call["raised"] = self._raised
                self._observer.finish(self._call, [], "raised")
            else:
                self._observer.finish(self._call, [value], "returned")
            return None
        return self.trace


_RETURNS: Final = frozenset(
    dis.opmap[name]
    for name in ("RETURN_VALUE", "RETURN_CONST", "INSTRUMENTED_RETURN_VALUE")
    if name in dis.opmap
)


def _is_unwinding(frame: FrameType) -> bool:
    return frame.f_code.co_code[frame.f_lasti] not in _RETURNS


def _starts(frame: FrameType) -> bool:
    """Whether a generator that begins to run does so for the first time."""
    code, at = frame.f_code.co_code, frame.f_lasti
    return at < 0 or (code[at] == _RESUME and code[at + 1] & 3 == 0)


class _TestTimeoutError(Exception):
    """Raised inside a test that takes too long."""


class _Plugin:
    """A pytest plugin that observes while tests run, and counts how they ended."""

    def __init__(self, observer: Observer, test_s: float) -> None:
        self._observer = observer
        self._test_s = test_s
        self.outcomes: collections.Counter[str] = collections.Counter()

    def pytest_runtest_protocol(self) -> Iterator[None]:
        """Observe one test, from its first fixture to its last."""
        signal.signal(signal.SIGALRM, _give_up)
        signal.setitimer(signal.ITIMER_REAL, self._test_s)
        sys.settrace(self._observer.trace)
        threading.settrace(self._observer.trace)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)
            signal.setitimer(signal.ITIMER_REAL, 0)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count a test's outcome."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1

    def pytest_collectreport(self, report: Any) -> None:
        """Count files that could not be collected."""
        if report.failed:
            self.outcomes["not collected"] += 1


def _give_up(*_: object) -> None:
    raise _TestTimeoutError


def _located(tests: Sequence[str], paths: Sequence[str]) -> list[str]:
    found = []
    for test in tests:
        number, colon, rest = test.partition(":")
        found.append(f"{paths[int(number)]}/{rest}".rstrip("/") if colon and number.isdigit() else test)
    return found


def main(payload: bytes, emit: Emit) -> None:
    """Run the tests that ``payload``, the JSON of an :class:`ObserveRequest`, names; emit what was seen.

    The last record is ``{"tests": {outcome: count}}``.
    """
    fields = json.loads(payload)
    for name in ("modules", "tests", "arguments"):
        fields[name] = tuple(fields[name])
    request = ObserveRequest(**fields)
    own = sys.path[len(sys.path) - request.num_paths :]
    sys.path[:0] = own
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    plugin = _Plugin(Observer(request, emit), request.test_s)
    pytest.hookimpl(hookwrapper=True)(_Plugin.pytest_runtest_protocol)  # marks the function in place
    status = pytest.main([*request.arguments, *_located(request.tests, own)], plugins=[plugin])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        plugin.outcomes[f"pytest: {pytest.ExitCode(status).name.lower()}"] += 1
    emit(json.dumps({"tests": dict(plugin.outcomes)}).encode())
