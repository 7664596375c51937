"""A plugin of pytest: write how each test ended, and which lines it ran, as JSON lines.

Variables: OPENCWM_RECORD, the file to write; OPENCWM_SELECT, a file that lists the only tests to run;
OPENCWM_LINES, a folder: for each test the lines run in files below it are written too.
Runs on Python 3.6 and later, in whatever environment the tests need.
"""

import json
import os
import sys
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional, Set

import pytest

_RECORD = os.environ.get("OPENCWM_RECORD", "")
_SELECT = os.environ.get("OPENCWM_SELECT", "")
_LINES = os.environ.get("OPENCWM_LINES", "")
_MAX_CHARS = 20000
_outcomes: Dict[str, List[Any]] = {}  # test -> [outcome, text, seconds]
_lines: Dict[str, Set[int]] = {}


def _write(entry: Dict[str, Any]) -> None:
    if _RECORD:
        with open(_RECORD, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(entry) + "\n")


def _trace_call(frame: Any, event: str, argument: Any) -> Optional[Callable[..., Any]]:
    name = frame.f_code.co_filename
    if not name.startswith(_LINES):
        return None
    lines = _lines.setdefault(name, set())
    lines.add(frame.f_lineno)

    def trace_line(frame: Any, event: str, argument: Any) -> Callable[..., Any]:
        lines.add(frame.f_lineno)
        return trace_line

    return trace_line


def _start_lines() -> None:
    if _LINES:
        threading.settrace(_trace_call)
        sys.settrace(_trace_call)


def _stop_lines() -> Dict[str, List[int]]:
    """Return the lines since the start, by file name below the folder."""
    if not _LINES:
        return {}
    sys.settrace(None)
    threading.settrace(None)
    found = {os.path.relpath(name, _LINES): sorted(lines) for name, lines in _lines.items()}
    _lines.clear()
    return found


_start_lines()  # what is run when modules are imported belongs to every test


def pytest_collection_modifyitems(config: Any, items: List[Any]) -> None:
    """Keep the tests that are wanted."""
    _write({"import_lines": _stop_lines()})
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
    _start_lines()
    yield
    lines = _stop_lines()
    outcome, text, seconds = _outcomes.pop(item.nodeid, ["missing", "", 0.0])
    _write({"test": item.nodeid, "outcome": outcome, "text": text[:_MAX_CHARS], "s": seconds, "lines": lines})


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
