"""How a repository's tests go before anything is changed: which pass, which lines each runs, how long.

All runs are in boxes. A repository whose tests do not run, hang, or write outside their folder is refused
with the reason; tests that fail or need the network are left out, each with its reason.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from opencwm.agent.box import Box, BoxLimits, BoxSpec, RunStatus, open_box
from opencwm.core.errors import TaskError

COMMANDS: Final = ("PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q", "python -m pytest -q")
"""How tests are run unless the user says otherwise: without the plugins that happen to be installed here,
which can cost more than the tests; with them where a test needs one."""
_RECORDER: Final = Path(__file__).parents[1] / "verifier/opencwm_recorder.py"
_RECORD: Final = "/tests/record.jsonl"
_ADDOPTS: Final = "-p opencwm_recorder -p no:cacheprovider --continue-on-collection-errors"
_SCRIPT: Final = f'rm -f {_RECORD}; touch /tests/marker; cat > /tests/select.json; exec bash -c "$1"'
_OUTSIDE: Final = (
    "find / -xdev -newer /tests/marker -type f -not -path '{workdir}/*' -not -path '/tmp/*' "
    "-not -path '/var/tmp/*' -not -path '/tests/*' -not -path '/logs/*' -not -path '/proc/*' "
    "-not -path '/dev/*' 2>/dev/null | head -n 5"
)
_NETWORK: Final = re.compile(
    r"Network is unreachable|Name or service not known|Temporary failure in name resolution"
    r"|nodename nor servname|Max retries exceeded|getaddrinfo failed|No route to host"
)
_DENIED: Final = re.compile(r"Read-only file system|PermissionError")


@dataclasses.dataclass(frozen=True)
class SuiteRun:
    """What one run of the test command said.

    Attributes:
        outcomes: of each test: ``passed``, ``failed``, ``skipped``, ``xfailed`` or ``missing``.
        texts: how pytest tells of those that failed, and of files that cannot be collected.
        seconds: of each test.
        lines: of each test, the lines it ran by file, when asked for.
        calls: of each test, a digest of its calls with their arguments, results and exceptions; empty
            when there are too many.
        import_lines: lines run while tests were collected, by file.
        unfinished: the test that had begun and not ended.
        status: how the command ended.
        output: what it printed, shortened.
    """

    outcomes: dict[str, str]
    texts: dict[str, str]
    seconds: dict[str, float]
    lines: dict[str, dict[str, frozenset[int]]]
    calls: dict[str, str]
    import_lines: dict[str, frozenset[int]]
    unfinished: str
    status: RunStatus
    output: str


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A repository's tests before any change.

    Attributes:
        tests: those that pass every time, in order, with their seconds.
        left_out: those that do not, with the reason.
        lines: of each test, the lines it runs by file.
        calls: of each test that does the same every time, the digest of what it does.
        import_lines: lines that are run when modules are imported, by file.
        command: how they were run.
    """

    tests: dict[str, float]
    left_out: dict[str, str]
    lines: dict[str, dict[str, frozenset[int]]]
    calls: dict[str, str]
    import_lines: dict[str, frozenset[int]]
    command: str

    def covered(self) -> dict[str, frozenset[int]]:
        """Return the lines that any test runs, by file."""
        found: dict[str, set[int]] = {}
        for lines_by_file in (self.import_lines, *(self.lines[test] for test in self.tests)):
            for path, lines in lines_by_file.items():
                found.setdefault(path, set()).update(lines)
        return {path: frozenset(lines) for path, lines in found.items()}

    def touching(self, path: str, lines: Iterable[int]) -> list[str]:
        """Return the tests that run any of ``lines``; all of them where a line is run on import."""
        wanted = set(lines)
        if wanted & self.import_lines.get(path, frozenset()):
            return list(self.tests)
        return [test for test in self.tests if wanted & self.lines[test].get(path, frozenset())]


def box_spec(repository: Path, timeout_s: float, kind: str) -> BoxSpec:
    """Describe the box that a repository's tests run in."""
    env = {"PYTHONDONTWRITEBYTECODE": "1"}
    return BoxSpec(files=repository, kind=kind, env=env, limits=BoxLimits(wall_s=timeout_s))


def prepare(box: Box) -> None:
    """Put the recorder into a started box."""
    box.write_file("/tests/opencwm_recorder.py", _RECORDER.read_text())


def run_tests(
    box: Box,
    command: str,
    *,
    timeout_s: float,
    select: Sequence[str] | None = None,
    has_lines: bool = False,
    change: tuple[str, str] | None = None,
) -> SuiteRun:
    """Run the test command in a prepared box.

    Args:
        box: as it is.
        command: shell text that ends in pytest.
        timeout_s: seconds it may take.
        select: the only tests to run; all when None.
        has_lines: whether to record the lines each runs.
        change: a file and its new content, written first.

    Raises:
        SandboxError: the box failed.
    """
    if change is not None:
        box.write_file(*change)
    env = {"PYTHONPATH": "/tests", "PYTEST_ADDOPTS": _ADDOPTS, "OPENCWM_RECORD": _RECORD}
    env["OPENCWM_CALLS"] = box.spec.workdir
    env |= {"OPENCWM_SELECT": "/tests/select.json"} if select is not None else {}
    env |= {"OPENCWM_LINES": box.spec.workdir} if has_lines else {}
    done = box.run(
        ["bash", "-c", _SCRIPT, "bash", command],
        timeout_s=timeout_s,
        env=env,
        stdin=json.dumps(list(select or ())).encode(),
    )
    try:
        record = box.read_file(_RECORD).decode(errors="replace")
    except OSError:
        record = ""
    return _parsed(record, done.status, done.output)


def _parsed(record: str, status: RunStatus, output: str) -> SuiteRun:
    run = SuiteRun({}, {}, {}, {}, {}, {}, "", status, output)
    unfinished = ""
    for line in record.splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            continue  # the process ended while it wrote
        if "start" in entry:
            unfinished = entry["start"]
        elif "test" in entry:
            name, unfinished = entry["test"], ""
            run.outcomes[name] = entry["outcome"]
            run.seconds[name] = float(entry["s"])
            run.calls[name] = entry["calls"]
            run.lines[name] = {path: frozenset(lines) for path, lines in entry["lines"].items()}
            if entry["text"]:
                run.texts[name] = entry["text"]
        elif "collect" in entry:
            run.texts[entry["collect"]] = entry["text"]
        elif "import_lines" in entry:
            run.import_lines.update({path: frozenset(lines) for path, lines in entry["import_lines"].items()})
    return dataclasses.replace(run, unfinished=unfinished)


def record_baseline(
    repository: Path, *, command: str | None = None, timeout_s: float, kind: str = "auto"
) -> Baseline:
    """Run a repository's tests twice in boxes, and record what the changes are compared with.

    Args:
        repository: its folder.
        command: shell text that ends in pytest; None: the one of :data:`COMMANDS` with which more tests pass.
        timeout_s: seconds that all tests may take.
        kind: of box.

    Raises:
        TaskError: its tests do not run, hang, all fail, or write outside their folder.
        SandboxError: no box can be made.
    """
    if command is not None:
        return _recorded(repository, command, timeout_s, kind)
    plain, full = COMMANDS
    try:
        found = _recorded(repository, plain, timeout_s, kind)
    except TaskError:
        return _recorded(repository, full, timeout_s, kind)
    if found.left_out:
        other = _recorded(repository, full, timeout_s, kind)
        return other if len(other.tests) > len(found.tests) else found
    return found


def _recorded(repository: Path, command: str, timeout_s: float, kind: str) -> Baseline:
    where = str(repository)
    with open_box(box_spec(repository, timeout_s, kind)) as box:
        prepare(box)
        first = run_tests(box, command, timeout_s=timeout_s, has_lines=True)
        _refuse(first, where, timeout_s)
        outside = box.run(_OUTSIDE.format(workdir=box.spec.workdir)).output.split("\n")[0].strip()
        if outside:
            raise TaskError(f"the tests write outside their folder: {outside}", where=where)
    with open_box(box_spec(repository, timeout_s, kind)) as box:
        prepare(box)
        second = run_tests(box, command, timeout_s=timeout_s)
    tests: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for name, outcome in first.outcomes.items():
        if outcome == "passed" and second.outcomes.get(name) == "passed":
            tests[name] = second.seconds[name]
        elif outcome not in ("skipped", "xfailed"):
            left_out[name] = _reason(first, second, name)
    left_out |= {name: _failure(text) for name, text in first.texts.items() if name not in first.outcomes}
    if not tests:
        name, reason = next(iter(left_out.items()), ("", "all are skipped"))
        raise TaskError(f"no test passes before any change: {name}: {reason}", where=where)
    calls = {
        name: digest for name, digest in first.calls.items() if digest and digest == second.calls.get(name)
    }
    return Baseline(tests, left_out, first.lines, calls, first.import_lines, command)


def _refuse(run: SuiteRun, where: str, timeout_s: float) -> None:
    if run.status is RunStatus.TIMEOUT:
        told = f", {run.unfinished} had begun" if run.unfinished else ""
        hint = "a longer --timeout, or a --test-command that leaves out the slow ones"
        raise TaskError(f"the tests take over {timeout_s:g} s{told}", where=where, hint=hint)
    if run.status is RunStatus.DISK_FULL:
        raise TaskError("the tests fill the disk of their box", where=where)
    if not run.outcomes and not run.texts:
        last = next((line for line in reversed(run.output.splitlines()) if line.strip()), "no output")
        raise TaskError(
            f"the test command ran no test of pytest: {last.strip()[:200]}",
            where=where,
            hint="see --test-command",
        )


def _reason(first: SuiteRun, second: SuiteRun, name: str) -> str:
    outcome = first.outcomes[name]
    if outcome == "passed" or (outcome == "failed" and second.outcomes.get(name) == "passed"):
        return "passes only sometimes"
    return _failure(first.texts.get(name, outcome))


def _failure(text: str) -> str:
    """Tell in a few words why a test fails, from what pytest says."""
    if _NETWORK.search(text):
        return "needs the network"
    if _DENIED.search(text):
        return "writes where it may not"
    errors = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    last = errors[0] if errors else next((line for line in reversed(text.splitlines()) if line.strip()), text)
    return f"fails: {last.strip()[:160]}"
