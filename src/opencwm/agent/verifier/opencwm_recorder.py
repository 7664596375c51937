"""A plugin of pytest: write how each test ended, which lines it ran and what it did, as JSON lines.

Variables: OPENCWM_RECORD, the file to write; OPENCWM_SELECT, a file that lists the only tests to run;
OPENCWM_LINES, a folder: for each test the lines run in files below it are written too; OPENCWM_CALLS, a
folder: so is a digest of all calls of functions in files below it, with arguments, results and exceptions.
Runs on Python 3.6 and later, in whatever environment the tests need.
"""

import hashlib
import json
import os
import sys
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional, Set

import pytest

_RECORD = os.environ.get("OPENCWM_RECORD", "")
_SELECT = os.environ.get("OPENCWM_SELECT", "")
_LINES = os.environ.get("OPENCWM_LINES", "")
_CALLS = os.environ.get("OPENCWM_CALLS", "")
_MAX_CHARS = 20000
_MAX_CALLED_CHARS = 4000000  # of one test; one that does more has no digest
_MAX_ITEMS = 50
_MAX_DEPTH = 4
_SCALARS = (int, float, complex, bool, bytes, str, type(None))
_outcomes: Dict[str, List[Any]] = {}  # test -> [outcome, text, seconds]
_lines: Dict[str, Set[int]] = {}


class _Calls:
    """What a test did so far: calls, results and exceptions, hashed."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.chars = 0

    def add(self, *parts: str) -> None:
        text = "\0".join(parts)
        self.chars += len(text)
        if self.chars <= _MAX_CALLED_CHARS:
            self.hash.update((text + "\n").encode("utf-8", "backslashreplace"))

    def digest(self) -> str:
        return self.hash.hexdigest()[:16] if 0 < self.chars <= _MAX_CALLED_CHARS else ""


_calls = [_Calls()]


def _shown(value: Any, depth: int = 0) -> str:
    """Write a value without running any code of its class, the same in every process."""
    kind = type(value)
    if kind in _SCALARS:
        return repr(value) if kind not in (str, bytes) or len(value) < 500 else repr(value[:500]) + "..."
    if depth == _MAX_DEPTH:
        return kind.__name__
    if kind in (list, tuple):
        parts = [_shown(item, depth + 1) for item in value[:_MAX_ITEMS]]
    elif kind in (set, frozenset):
        parts = sorted(_shown(item, depth + 1) for item in value) if len(value) <= _MAX_ITEMS else []
    elif kind is dict:
        kept = list(value.items())[:_MAX_ITEMS]
        parts = [_shown(key, depth + 1) + ":" + _shown(item, depth + 1) for key, item in kept]
    else:
        try:
            fields = object.__getattribute__(value, "__dict__")
        except AttributeError:
            fields = {}
        is_plain = type(fields) is dict and not isinstance(value, (type, type(os)))
        parts = [_shown(fields, depth + 1)] if is_plain and not callable(value) else []
    size = len(value) if kind in (list, tuple, set, frozenset, dict) else 0
    return "%s%d(%s)" % (kind.__name__, size, ",".join(parts))


def _write(entry: Dict[str, Any]) -> None:
    if _RECORD:
        with open(_RECORD, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(entry) + "\n")


def _trace_call(frame: Any, event: str, argument: Any) -> Optional[Callable[..., Any]]:
    code = frame.f_code
    name = code.co_filename
    if not name.startswith(_LINES or _CALLS):
        return None
    lines = _lines.setdefault(name, set())
    lines.add(frame.f_lineno)
    calls = _calls[0]
    if _CALLS:
        where = os.path.relpath(name, _CALLS) + ":" + code.co_name
        given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        calls.add("call", where, *[_shown(frame.f_locals.get(argument)) for argument in given])
    if not _LINES and hasattr(frame, "f_trace_lines"):
        frame.f_trace_lines = False

    def trace_line(frame: Any, event: str, argument: Any) -> Callable[..., Any]:
        lines.add(frame.f_lineno)
        if _CALLS and event == "return":
            calls.add("return", where, _shown(argument))
        elif _CALLS and event == "exception":
            calls.add("exception", where, argument[0].__name__)
        return trace_line

    return trace_line


def _start_trace() -> None:
    if _LINES or _CALLS:
        threading.settrace(_trace_call)
        sys.settrace(_trace_call)


def _stop_trace() -> Dict[str, Any]:
    """Return the lines since the start by file name below the folder, and the digest of the calls."""
    if not _LINES and not _CALLS:
        return {"lines": {}, "calls": ""}
    sys.settrace(None)
    threading.settrace(None)
    found = {os.path.relpath(name, _LINES): sorted(lines) for name, lines in _lines.items()} if _LINES else {}
    digest = _calls[0].digest()
    _lines.clear()
    _calls[0] = _Calls()
    return {"lines": found, "calls": digest}


_start_trace()  # what is run when modules are imported belongs to every test


def pytest_collection_modifyitems(config: Any, items: List[Any]) -> None:
    """Keep the tests that are wanted."""
    _write({"import_lines": _stop_trace()["lines"]})
    if _SELECT:
        with open(_SELECT, encoding="utf-8") as file:
            wanted = set(json.load(file))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
        items[:] = [item for item in items if item.nodeid in wanted]


def pytest_collectreport(report: Any) -> None:
    """Tell of a file that cannot be collected."""
    if report.failed:
        _write({"collect": report.nodeid, "text": str(report.longrepr)[:_MAX_CHARS]})


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    """Tell of a test from beginning to end."""
    _write({"start": item.nodeid})
    _start_trace()
    yield
    traced = _stop_trace()
    outcome, text, seconds = _outcomes.pop(item.nodeid, ["missing", "", 0.0])
    ended = {"test": item.nodeid, "outcome": outcome, "text": text[:_MAX_CHARS], "s": seconds}
    ended.update(traced)
    _write(ended)


def pytest_runtest_logreport(report: Any) -> None:
    """Note how a part of a test went."""
    entry = _outcomes.setdefault(report.nodeid, ["missing", "", 0.0])
    entry[2] += report.duration
    if report.failed or (report.outcome == "skipped" and getattr(report, "wasxfail", None) is not None):
        if report.failed:
            entry[:2] = ["failed", str(report.longrepr)]
        elif entry[0] != "failed":
            entry[0] = "xfailed"
    elif report.skipped and entry[0] == "missing":
        entry[0] = "skipped"
    elif report.when == "call" and entry[0] == "missing":
        entry[0] = "passed"
