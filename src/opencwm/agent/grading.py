"""Grading: a submitted patch in a fresh box, and what the verifier of the task says.

A patch is looked at before anything of it runs: git itself tells which files it touches. The verifier's
files come into the box after the patch, and bring back tests and configuration of pytest (see
:mod:`.verifier`). What no verifier inside the same process can rule out is code under test that forges the
outcome of its own tests.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from pathlib import Path
from typing import Final

from opencwm.agent.box import Box, RunResult, RunStatus, open_box
from opencwm.agent.task import Task, Verdict, VerdictStatus
from opencwm.core.errors import SandboxError, TaskError

MAX_PATCH_BYTES: Final = 8 << 20
_DIFF: Final = (
    "git add -A -- . ':(exclude,glob)**/__pycache__/**' ':(exclude,glob)**/.pytest_cache/**' && "
    'git diff --cached --binary --no-color --no-ext-diff "$(git rev-list --max-parents=0 HEAD | tail -n 1)" '
    "> /tmp/.submitted.patch"
)
_DONE: Final = ("passed", "failed", "missing")


def submitted_patch(box: Box) -> bytes:
    """Return what an agent changed in the box's workdir, as a patch against the files it was given.

    Raises:
        TaskError: the history in the box is gone.
        SandboxError: the box failed.
    """
    done = box.run(_DIFF)
    if not done.is_success:
        raise TaskError(f"no patch can be made: {_last_line(done.output)}")
    return box.read_file("/tmp/.submitted.patch")  # noqa: S108 - in the box


def grade_patch(task: Task, patch: str | bytes, *, kind: str = "auto") -> Verdict:
    """Grade a patch. See :func:`opencwm.agent.task.grade`."""
    started = time.monotonic()
    data = patch.encode(errors="surrogateescape") if isinstance(patch, str) else patch
    try:
        if verdict := _looked_at(data):
            return verdict
        with open_box(task.box_spec(kind)) as box:
            verdict = _applied(box, task, data) or verify(box, task)
    except (SandboxError, TaskError, OSError) as error:
        verdict = Verdict(status=VerdictStatus.BOX_FAILED, score=None, reason=str(error))
    return _timed(verdict, started)


def grade_gold(task: Task, *, kind: str = "auto") -> Verdict:
    """Grade the task's own solution: ``solution/solve.sh``, run as the agent would.

    Raises:
        TaskError: the task has no solution.
    """
    started = time.monotonic()
    folder = task.directory / "solution"
    if not (folder / "solve.sh").is_file():
        raise TaskError("the task has no solution/solve.sh", where=str(task.directory))
    try:
        with open_box(task.box_spec(kind)) as box:
            _upload(box, folder, "/solution")
            done = box.run(["bash", "/solution/solve.sh"], timeout_s=task.verifier_timeout_s)
            if not done.is_success:
                reason = f"solve.sh ended with {done.exit_code}: {_last_line(done.output)}"
                return _refused(VerdictStatus.DOES_NOT_APPLY, reason)
            verdict = verify(box, task)
    except (SandboxError, OSError) as error:
        verdict = Verdict(status=VerdictStatus.BOX_FAILED, score=None, reason=str(error))
    return _timed(verdict, started)


def grade_untouched(task: Task, *, kind: str = "auto") -> Verdict:
    """Grade the files as the task gives them, which must score 0."""
    started = time.monotonic()
    try:
        with open_box(task.box_spec(kind)) as box:
            verdict = verify(box, task)
    except (SandboxError, TaskError, OSError) as error:
        verdict = Verdict(status=VerdictStatus.BOX_FAILED, score=None, reason=str(error))
    return _timed(verdict, started)


def why_invalid(task: Task, *, kind: str = "auto") -> str:
    """Return why a task is not sound; empty when its solution scores 1 and the untouched files 0."""
    try:
        gold = grade_gold(task, kind=kind)
    except TaskError as error:
        return error.what
    if gold.score != 1.0:
        return f"the solution scores {_shown(gold)}"
    untouched = grade_untouched(task, kind=kind)
    if untouched.score != 0.0:
        return f"the untouched files score {_shown(untouched)}"
    return ""


def _shown(verdict: Verdict) -> str:
    score = "nothing" if verdict.score is None else f"{verdict.score:g}"
    return f"{score} ({verdict.status}{': ' + verdict.reason if verdict.reason else ''})"


def verify(box: Box, task: Task) -> Verdict:
    """Run the task's verifier in a box whose files are to be graded, and read the score it leaves.

    Raises:
        SandboxError: the box failed.
    """
    box.run("rm -rf /tests /logs/verifier; mkdir -p /tests /logs/verifier")
    _upload(box, task.directory / "tests", "/tests")
    env = task.config.get("verifier", {}).get("env", {})
    done = box.run(["bash", "/tests/test.sh"], timeout_s=task.verifier_timeout_s, env=env)
    if done.status is RunStatus.TIMEOUT:
        reason = f"the verifier took over {task.verifier_timeout_s:g} s"
        return _refused(VerdictStatus.TIMEOUT, reason, output=done.output)
    score = _score(box)
    if score is None:
        reason = f"the verifier left no score: {_last_line(done.output) or _end(done)}"
        return _refused(VerdictStatus.NO_REWARD, reason, output=done.output)
    tests = _tests(box, task)
    reason = "" if score == 1.0 else _why(tests) or _last_line(done.output)
    return Verdict(status=VerdictStatus.GRADED, score=score, reason=reason, tests=tests, output=done.output)


def _looked_at(data: bytes) -> Verdict | None:
    """Judge what needs no box."""
    if not data.strip():
        return _refused(VerdictStatus.EMPTY_PATCH, "the patch is empty")
    if len(data) > MAX_PATCH_BYTES:
        return _refused(VerdictStatus.MALFORMED_PATCH, f"the patch has over {MAX_PATCH_BYTES} bytes")
    if b"\0" in data or b"\nGIT binary patch\n" in data or b"\nBinary files " in data:
        return _refused(VerdictStatus.BINARY_PATCH, "the patch has binary parts")
    return None


def _applied(box: Box, task: Task, data: bytes) -> Verdict | None:
    """Apply a patch, or say what is wrong with it."""
    told = box.run(["git", "apply", "--numstat", "-z", "-"], stdin=data)
    if not told.is_success:
        return _refused(VerdictStatus.MALFORMED_PATCH, f"not a patch: {_last_line(told.output)}")
    paths = _paths(told.output)
    if wrong := [path for path in paths if path.startswith("/") or {"..", ".git"} & set(path.split("/"))]:
        return _refused(VerdictStatus.MALFORMED_PATCH, f"the patch leaves the folder: {wrong[0]}")
    touched = sorted(set(paths) & set(task.test_files))
    if touched:
        return _refused(VerdictStatus.TOUCHES_TESTS, f"the patch changes tests: {', '.join(touched[:5])}")
    done = box.run(["git", "apply", "--whitespace=nowarn", "-"], stdin=data)
    if done.is_success:
        return None
    first = next(
        (line for line in done.output.splitlines() if line.startswith("error:")), _last_line(done.output)
    )
    return _refused(
        VerdictStatus.DOES_NOT_APPLY, f"the patch does not apply: {first.removeprefix('error: ')}"
    )


def _paths(numstat: str) -> list[str]:
    """Return the files in the output of ``git apply --numstat -z``; both names of one that is moved."""
    found = []
    for record in numstat.split("\0"):
        fields = record.split("\t", 2)
        found += [name for name in (fields[2] if len(fields) == 3 else record,) if name]
    return found


def _upload(box: Box, folder: Path, target: str) -> None:
    """Copy a folder into a box.

    Raises:
        SandboxError: it cannot be copied.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, ".", filter=_without_owner)
    words = ["bash", "-c", 'mkdir -p -- "$1" && tar -x -o -C "$1"', "bash", target]
    done = box.run(words, stdin=buffer.getvalue())
    if not done.is_success:
        raise SandboxError(
            f"files cannot be copied into the box: {_last_line(done.output)}", where=str(folder)
        )


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _score(box: Box) -> float | None:
    """Read the score: ``reward.json`` (its ``reward``, or its only number) or ``reward.txt``."""
    for name in ("reward.json", "reward.txt"):
        try:
            found = json.loads(box.read_file(f"/logs/verifier/{name}"))
        except (OSError, ValueError):
            continue
        if isinstance(found, dict):
            found = found.get("reward", next(iter(found.values()), None) if len(found) == 1 else None)
        if isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found <= 1:
            return float(found)
    return None


def _tests(box: Box, task: Task) -> dict[str, str]:
    """Read what became of the tests that the task names, if the verifier tells."""
    try:
        found = json.loads(box.read_file("/logs/verifier/tests.json"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    names = (*task.fail_to_pass, *task.pass_to_pass)
    return {name: found[name] if found.get(name) in _DONE else "missing" for name in names}


def _why(tests: dict[str, str]) -> str:
    wrong = [name for name, outcome in tests.items() if outcome != "passed"]
    return f"{len(wrong)} of {len(tests)} tests do not pass, {wrong[0]} first" if wrong else ""


def _refused(status: VerdictStatus, reason: str, *, output: str = "") -> Verdict:
    return Verdict(status=status, score=0.0, reason=" ".join(reason.split()), output=output)


def _timed(verdict: Verdict, started: float) -> Verdict:
    return Verdict(
        status=verdict.status,
        score=verdict.score,
        reason=verdict.reason,
        tests=verdict.tests,
        output=verdict.output,
        wall_s=time.monotonic() - started,
    )


def _end(result: RunResult) -> str:
    return str(result.status) if result.exit_code is None else f"it ended with {result.exit_code}"


def _last_line(text: str) -> str:
    return next((line.strip()[:300] for line in reversed(text.splitlines()) if line.strip()), "")
