"""Making tasks: draw changes, run the tests they touch, keep those that break some and not all.

The folder written is whole at every moment: a task is renamed into it when it is valid, and
``mutate.jsonl`` has one line for each change that has been judged. The same command goes on from there, and
gives the same tasks.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from opencwm.agent.box import Box, RunStatus, open_box
from opencwm.agent.box_store import remove
from opencwm.agent.box_template import is_copied
from opencwm.agent.grading import grade_gold, grade_untouched
from opencwm.agent.mutation.baseline import Baseline, box_spec, prepare, record_baseline, run_tests
from opencwm.agent.mutation.candidates import Candidate, draw_candidates, is_test_file
from opencwm.agent.mutation.instruction import instruction_text
from opencwm.agent.task import Task
from opencwm.agent.task_writing import TaskDraft, write_task
from opencwm.agent.verifier import CONFIGURATION
from opencwm.core.errors import SandboxError, TaskError
from opencwm.core.files import write_atomic

JOURNAL: Final = "mutate.jsonl"
REPORT: Final = "mutate.json"
MAX_TRIES: Final = 40
"""Changes tried for each task wanted, before it is said that there are no more."""
_SLOWDOWN: Final = 5.0
_START_S: Final = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class MutateConfig:
    """How tasks are made.

    Attributes:
        num_tasks: how many are wanted.
        seed: fixes which ones.
        command: shell text that ends in pytest; chosen when None.
        timeout_s: seconds that all tests may take.
        max_pass_to_pass: most tests of a task that must still pass.
        kind: of box.
    """

    num_tasks: int = 10
    seed: int = 0
    command: str | None = None
    timeout_s: float = 300.0
    max_pass_to_pass: int = 100
    kind: str = "auto"


@dataclasses.dataclass
class MutateReport:
    """What came of it.

    Attributes:
        tasks: names of the folders written, in order.
        judged: how many changes ended how.
        left_out: tests that were left out, with the reason.
        num_tests: tests that pass before any change.
    """

    tasks: list[str] = dataclasses.field(default_factory=list)
    judged: dict[str, int] = dataclasses.field(default_factory=dict)
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)
    num_tests: int = 0


def mutate_repository(
    repository: Path,
    folder: Path,
    config: MutateConfig | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> MutateReport:
    """Make bug-fix tasks from a repository with tests.

    Args:
        repository: its folder, never written to.
        folder: where the task directories go.
        config: how.
        progress: told how many tasks there are.

    Raises:
        TaskError: the repository cannot be used; also written to ``mutate.json``.
        SandboxError: no box can be made.
    """
    config = config or MutateConfig()
    if not repository.is_dir():
        raise TaskError("no such folder", where=str(repository))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        baseline = record_baseline(
            repository, command=config.command, timeout_s=config.timeout_s, kind=config.kind
        )
    except TaskError as error:
        _write_report(folder, repository, config, {"status": "refused", "reason": str(error)})
        raise
    report = MutateReport(left_out=baseline.left_out, num_tests=len(baseline.tests))
    maker = _Maker(repository, folder, config, baseline)
    for outcome, task in maker.outcomes():
        report.judged[outcome] = report.judged.get(outcome, 0) + 1
        if task:
            report.tasks.append(task)
            progress(len(report.tasks))
    status = "complete" if len(report.tasks) >= config.num_tasks else "exhausted"
    _write_report(folder, repository, config, {"status": status, **dataclasses.asdict(report)})
    return report


def _write_report(folder: Path, repository: Path, config: MutateConfig, entry: dict[str, Any]) -> None:
    about = {"repository": repository.resolve().name, "config": dataclasses.asdict(config)}
    write_atomic(folder / REPORT, json.dumps({**about, **entry}, indent=1) + "\n")


class _Maker:
    """Judges the changes of one repository, one after the other."""

    def __init__(self, repository: Path, folder: Path, config: MutateConfig, baseline: Baseline) -> None:
        self._repository = repository
        self._folder = folder
        self._config = config
        self._baseline = baseline
        self._journal = _read_journal(folder / JOURNAL, self._signature())
        self._twins: set[str] = set()
        self._places: set[tuple[str, str, str]] = set()

    def _signature(self) -> str:
        """Return what a journal must have been written for to be gone on with."""
        settings = {**dataclasses.asdict(self._config), "num_tasks": None}
        covered = {path: sorted(lines) for path, lines in sorted(self._baseline.covered().items())}
        sources = [
            hashlib.sha256((self._repository / path).read_bytes()).hexdigest()
            for path in covered
            if (self._repository / path).is_file()
        ]
        text = json.dumps([settings, covered, sources, sorted(self._baseline.tests)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def outcomes(self) -> Iterator[tuple[str, str]]:
        """Yield how each change ended, and the name of the task it became, if it did."""
        num_tasks = 0
        most = MAX_TRIES * self._config.num_tasks
        candidates = draw_candidates(self._repository, self._baseline, self._config.seed)
        with (self._folder / JOURNAL).open("a") as journal, self._base_box() as base:
            prepare(base)
            for _, candidate in zip(range(most), candidates, strict=False):
                known = self._journal.get(candidate.key)
                if known is None or (
                    known["task"] and not (self._folder / known["task"] / "task.toml").is_file()
                ):
                    known = self._judged(base, candidate)
                    entry = {"signature": self._signature(), "key": candidate.key, **known}
                    journal.write(json.dumps(entry) + "\n")
                    journal.flush()
                self._remember(candidate, known)
                num_tasks += bool(known["task"])
                yield known["outcome"], known["task"]
                if num_tasks >= self._config.num_tasks:
                    return

    def _base_box(self) -> Box:
        return open_box(box_spec(self._repository, self._config.timeout_s, self._config.kind))

    def _remember(self, candidate: Candidate, known: dict[str, Any]) -> None:
        if known["task"]:
            self._twins.update(known["twins"])
            self._places.add(_place(candidate))

    def _judged(self, base: Box, candidate: Candidate) -> dict[str, Any]:
        """Run the tests a change touches; write the task it makes."""
        if _place(candidate) in self._places:
            return _entry("same place and operator as an earlier task")
        selected = self._baseline.touching(candidate.path, candidate.lines)
        if not selected:
            return _entry("no test runs it")
        timeout_s = _START_S + _SLOWDOWN * sum(self._baseline.tests[test] for test in selected)
        box = base.fork()
        try:
            run = run_tests(
                box,
                self._baseline.command,
                timeout_s=timeout_s,
                select=selected,
                change=(candidate.path, candidate.text),
            )
        finally:
            box.stop()
        if run.status is not RunStatus.EXITED:
            return _entry(f"ends in {run.status}")
        broken = [test for test in selected if run.outcomes.get(test) != "passed"]
        passing = [test for test in self._baseline.tests if test not in set(broken)]
        if not broken:
            is_equivalent = all(
                run.calls.get(test) == self._baseline.calls.get(test, "unknown") for test in selected
            )
            return _entry("equivalent: the tests run as before" if is_equivalent else "no test breaks")
        if not passing:
            return _entry("every test breaks")
        texts = {test: run.texts.get(test) or _collection_text(run.texts, test) for test in broken}
        twins = _twins(candidate, texts, run.calls)
        if twins[0] in self._twins:
            return _entry("fails like an earlier task")
        if twins[1] in self._twins:
            return _entry("runs like an earlier task")
        task = self._written(candidate, texts, passing)
        return _entry("kept", task, twins) if task else _entry("not sound")

    def _written(self, candidate: Candidate, texts: dict[str, str], passing: list[str]) -> str:
        rng = random.Random(f"{self._config.seed} {candidate.key}")  # noqa: S311 - reproducible, nothing secret
        kept = set(rng.sample(passing, min(len(passing), self._config.max_pass_to_pass)))
        draft = self._draft(candidate, texts, [test for test in passing if test in kept])
        task = write_task(draft, self._folder / ".unproven")
        try:
            if not _is_sound(task, self._config.kind):
                return ""
            final = self._folder / task.directory.name
            if final.exists():
                remove(final)
            task.directory.rename(final)
        finally:
            remove(self._folder / ".unproven")
        return final.name

    def _draft(self, candidate: Candidate, texts: dict[str, str], passing: list[str]) -> TaskDraft:
        files = {path.relative_to(self._repository).as_posix(): path for path in _files_of(self._repository)}
        tests = {name.partition("::")[0] for name in self._baseline.tests}
        restored = {
            name: path
            for name, path in files.items()
            if name in tests or is_test_file(name) or path.name in CONFIGURATION
        }
        repository = (
            re.sub(r"[^A-Za-z0-9_-]+", "-", self._repository.resolve().name).strip("-") or "repository"
        )
        return TaskDraft(
            name=f"opencwm/{repository}-{candidate.operator}-{candidate.key[:8]}",
            instruction=instruction_text(texts, "/testbed", self._baseline.command),
            command=self._baseline.command,
            dockerfile=_dockerfile(),
            fail_to_pass=list(texts),
            pass_to_pass=passing,
            test_files=sorted(name for name in restored if name in tests or is_test_file(name)),
            oracle_files=[candidate.path],
            gold_patch=patch_text(candidate.path, candidate.text, candidate.original),
            files={**files, candidate.path: candidate.text},
            restore=restored,
            metadata={"origin": "mutate", "operator": candidate.operator, "seed": self._config.seed},
            timeout_s=max(60.0, _SLOWDOWN * self._config.timeout_s),
        )


def _entry(outcome: str, task: str = "", twins: Sequence[str] = ()) -> dict[str, Any]:
    return {"outcome": outcome, "task": task, "twins": list(twins)}


def _place(candidate: Candidate) -> tuple[str, str, str]:
    return candidate.path, candidate.function, candidate.operator


def _twins(candidate: Candidate, texts: dict[str, str], calls: dict[str, str]) -> tuple[str, str]:
    """Return what changes of one function share when tests fail in the same way, and when they run so."""
    errors = {
        test: [line for line in text.splitlines() if line.startswith("E ")]
        for test, text in sorted(texts.items())
    }
    runs = {test: calls.get(test) or candidate.key for test in sorted(texts)}
    told = [json.dumps([candidate.path, candidate.function, what]) for what in (errors, runs)]
    failing, running = (hashlib.sha256(text.encode()).hexdigest()[:16] for text in told)
    return failing, running


def _collection_text(texts: dict[str, str], test: str) -> str:
    path = test.partition("::")[0]
    return texts.get(path, "")


def _is_sound(task: Task, kind: str) -> bool:
    """Whether the solution scores 1, and the files as given break what they must and nothing else."""
    untouched = grade_untouched(task, kind=kind)
    if untouched.score is None:
        raise SandboxError(untouched.reason)
    is_as_told = all(untouched.tests.get(name) != "passed" for name in task.fail_to_pass) and all(
        untouched.tests.get(name) == "passed" for name in task.pass_to_pass
    )
    return untouched.score == 0.0 and is_as_told and grade_gold(task, kind=kind).score == 1.0


def _files_of(repository: Path) -> Iterator[Path]:
    for path in sorted(repository.iterdir()):
        if not is_copied(path):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files_of(path)
        else:
            yield path


def _dockerfile() -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"FROM python:{version}-slim\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends git "
        "&& rm -rf /var/lib/apt/lists/*\n"
        "RUN pip install --no-cache-dir pytest\n"
        "COPY repo /testbed\n"
        "WORKDIR /testbed\n"
        "RUN if [ -e pyproject.toml ] || [ -e setup.py ]; then pip install --no-cache-dir -e . || true; fi\n"
    )


def patch_text(path: str, old: str, new: str) -> str:
    """Write the patch from one text of a file to another, as ``git apply`` takes it."""
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    body = "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return f"diff --git a/{path} b/{path}\n{body}"


def _read_journal(path: Path, signature: str) -> dict[str, dict[str, Any]]:
    found = {}
    if path.is_file():
        for line in path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the process was killed while it wrote
            if entry.get("signature") == signature:
                found[entry["key"]] = {name: entry[name] for name in ("outcome", "task", "twins")}
    return found
