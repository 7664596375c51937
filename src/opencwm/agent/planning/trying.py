"""Run a repository's tests on many candidates in one box, each in a process of its own.

pytest is imported once and forked for every candidate, which costs a fraction of a new interpreter. What a
candidate's process leaves in files stays for the next, as in any box.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from opencwm.agent.box import Box
from opencwm.agent.planning.ranking import Candidate

_RUNNER: Final = """\
import json, os, resource, signal, sys
import pytest

class Recorder:
    def __init__(self, out):
        self.out, self.state = out, {}
    def pytest_runtest_logreport(self, report):
        known = self.state.setdefault(report.nodeid, ["missing", ""])
        if report.failed:
            known[:] = ["failed", str(report.longrepr)[-8000:]]
        elif report.when == "call" and report.passed and known[0] == "missing":
            known[0] = "passed"
        if report.when == "teardown":
            self.out.write(json.dumps([report.nodeid, *known]) + "\\n")
            self.out.flush()

def run(groups, seconds, out):
    signal.alarm(max(1, int(3 * seconds)))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1,) * 2)
    sys.dont_write_bytecode = True
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    for tests in groups:
        if tests and pytest.main([*OPTIONS, *tests], plugins=[Recorder(out)]):
            return

OPTIONS = ["-q", "-p", "no:cacheprovider", "--tb=short", "--assert=plain"]
os.makedirs("/tmp/nothing", exist_ok=True)
pytest.main([*OPTIONS, "-c", "/dev/null", "--rootdir=/tmp/nothing", "/tmp/nothing"])  # imports all there is
request = json.load(sys.stdin)
for number, (path, text) in enumerate(request["candidates"]):
    with open(path, encoding="utf-8", newline="") as file:
        before = file.read()
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    child = os.fork()
    if not child:
        try:
            with open(f"/tmp/outcomes.{number}", "w") as out:
                run(request["groups"], request["seconds"], out)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(before)
    with open(f"/tmp/outcomes.{number}") as file, open("/tmp/outcomes", "a") as all_of_them:
        lines = [json.loads(line) for line in file if line.endswith("\\n")]
        all_of_them.write(json.dumps([number, lines]) + "\\n")
"""


def try_candidates(
    box: Box,
    candidates: Sequence[Candidate],
    first: Sequence[str],
    rest: Sequence[str] = (),
    *,
    seconds: float = 3.0,
) -> list[dict[str, tuple[str, str]]]:
    """Return for each candidate the outcome of each test, and what pytest says of those that fail.

    A test that did not come to its end, or was not run, is missing.

    Args:
        box: started; its files are as before afterwards.
        candidates: in this order.
        first: names of tests that are run.
        rest: of those that are run when the first ones pass.
        seconds: of processor time for one candidate.

    Raises:
        SandboxError: the box failed.
    """
    box.write_file("/tmp/try_candidates.py", _RUNNER)  # noqa: S108 - in the box
    request = {
        "candidates": [[candidate.path, candidate.text] for candidate in candidates],
        "groups": [list(first), list(rest)],
        "seconds": seconds,
    }
    box.run(
        ["python", "/tmp/try_candidates.py"],  # noqa: S108 - likewise
        timeout_s=60 + 4 * seconds * len(candidates),
        stdin=json.dumps(request).encode(),
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    found: list[dict[str, tuple[str, str]]] = [{} for _ in candidates]
    try:
        written = box.read_file("/tmp/outcomes").decode(errors="replace")  # noqa: S108 - likewise
    except OSError:
        written = ""
    for line in written.splitlines():
        number, outcomes = json.loads(line)
        found[number] = {name: (outcome, text) for name, outcome, text in outcomes}
    return found
