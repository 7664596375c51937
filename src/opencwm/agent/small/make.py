"""Small tasks in numbers: one line of a function changed, examples from real runs of the original.

A change is kept when some examples break and at least one still passes, and nothing runs too long. Original
and change are both run in a box (:mod:`.runner`); ``opencwm tasks validate`` grades them once more. Tasks for
training and for evaluation are made from trace files whose functions were split before.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from opencwm.agent.mutation.make import patch_text
from opencwm.agent.small.examples_file import RUN, SOLUTION, TESTS, Example, examples_text, node_ids
from opencwm.agent.small.functions import SmallFunction, functions_of
from opencwm.agent.small.runner import Runner
from opencwm.agent.task import Task
from opencwm.agent.task_writing import TaskDraft, write_task
from opencwm.core.errors import ConfigError
from opencwm.corpus.mutants import MutationConfig, mutate
from opencwm.corpus.mutants.operators import OPERATORS
from opencwm.traces import Program

INSTRUCTION: Final = f"`{SOLUTION}` is wrong in one line. `{RUN}` shows which examples fail."
COMMAND: Final = f"python -m pytest -q {TESTS}"
DOCKERFILE: Final = """\
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir pytest
COPY repo /testbed
WORKDIR /testbed
"""
_VALUES: Final = f"""\
import json
from {TESTS.removesuffix(".py")} import EXAMPLES, outcome
print(json.dumps([outcome(call) for call, _ in EXAMPLES]))
"""
_UNUSED: Final = ("drop-statement", "return-none", "swap-statements", "swap-jump", "change-text")
"""Changes whose line says nothing of what stood there."""
_MAX_VALUE_CHARS: Final = 40
_MIN_EXAMPLES: Final = 3
_MOST_EXAMPLES: Final = 6
_TRIED: Final = 4
"""Changes of a function that are run for each that is wanted of it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmallConfig:
    """Which tasks are made.

    Attributes:
        num_tasks: how many.
        seed: fixes which.
        per_function: most tasks of one function.
        operators: names of the changes that are made; all that a line tells something of when empty.
        kind: of box.
    """

    num_tasks: int = 100
    seed: int = 0
    per_function: int = 3
    operators: tuple[str, ...] = ()
    kind: str = "auto"

    def __post_init__(self) -> None:
        self.mutation()
        if self.num_tasks < 1 or self.per_function < 1:
            raise ConfigError("num_tasks and per_function are >= 1", where="tasks small")

    def mutation(self) -> MutationConfig:
        """Return which changes are drawn, and how often.

        Raises:
            ConfigError: there is no such change.
        """
        left_out = dict.fromkeys(OPERATORS if self.operators else _UNUSED, 0.0)
        chosen = {name: OPERATORS[name].weight if name in OPERATORS else 1.0 for name in self.operators}
        return MutationConfig(weights={**left_out, **chosen})


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SmallTask:
    """A function with one line changed.

    Attributes:
        source: the module as it should be.
        broken: as the agent finds it.
        examples: what it must do.
        failing: numbers of the examples that fail before it is repaired.
        operator: name of the change.
        group: of the function.
        licence: of the function.
    """

    source: str
    broken: str
    examples: tuple[Example, ...]
    failing: tuple[int, ...]
    operator: str
    group: str
    licence: str

    @property
    def lineno(self) -> int:
        """The line that was changed, from 1."""
        pairs = zip(self.source.split("\n"), self.broken.split("\n"), strict=True)
        return next(number for number, (right, wrong) in enumerate(pairs, 1) if right != wrong)

    @property
    def name(self) -> str:
        """Name of the task's folder."""
        digest = hashlib.sha256(f"{self.group}\0{self.broken}".encode()).hexdigest()
        return f"small-{self.operator}-{digest[:10]}"


def make_small_tasks(
    files: Sequence[Path],
    folder: Path,
    config: SmallConfig,
    progress: Callable[[int], object] = lambda _: None,
) -> list[str]:
    """Write task folders and return their names.

    Args:
        files: trace files; none for generated programs.
        folder: where they go.
        config: which.
        progress: told how many there are.

    Raises:
        ConfigError: no function can be had.
        SandboxError: no box can be made.
    """
    names: list[str] = []
    for task in draw_small_tasks(files, config):
        write_small_task(task, config.seed, folder)
        names.append(task.name)
        progress(len(names))
    return names


def write_small_task(task: SmallTask, seed: int, folder: Path) -> Task:
    """Write the folder of a task below ``folder``.

    Raises:
        OSError: it cannot be written.
    """
    return write_task(_draft(task, seed), folder)


def draw_small_tasks(files: Sequence[Path], config: SmallConfig) -> Iterator[SmallTask]:
    """Yield tasks, as many as wanted or as can be had; the same ones for the same seed.

    Raises:
        ConfigError: no function can be had.
        SandboxError: no box can be made.
    """
    seen: set[str] = set()
    left = config.num_tasks
    with Runner(config.kind, timeout_s=1.0) as runner:
        for function in functions_of(files, config.seed):
            rng = random.Random(f"{config.seed} {function.source}")  # noqa: S311 - reproducible
            for task in _tasks_of(function, runner, rng, config):
                if task.name not in seen:
                    seen.add(task.name)
                    yield task
                    left -= 1
                    if not left:
                        return


def _tasks_of(
    function: SmallFunction, runner: Runner, rng: random.Random, config: SmallConfig
) -> Iterator[SmallTask]:
    wanted = config.per_function
    values = _values(runner, function.source, function.calls)
    pairs = zip(function.calls, values, strict=bool(values))
    examples = tuple((call, value) for call, value in pairs if _is_plain(value))[:_MOST_EXAMPLES]
    if len(examples) < _MIN_EXAMPLES:
        return
    program = Program.from_call(function.source, examples[0][0])
    changed = mutate(program, rng, config.mutation())
    mutants = (one for one in changed if _is_one_line(function.source, one.source))
    for mutant in itertools.islice(mutants, _TRIED * wanted):
        found = _values(runner, mutant.source, [call for call, _ in examples])
        failing = tuple(n for n, value in enumerate(found) if value != examples[n][1])
        if failing and len(failing) < len(examples):
            yield SmallTask(
                source=function.source,
                broken=mutant.source,
                examples=examples,
                failing=failing,
                operator=mutant.operator,
                group=function.group,
                licence=function.licence,
            )
            wanted -= 1
            if not wanted:
                return


def _values(runner: Runner, source: str, calls: Sequence[str]) -> list[str]:
    """Return what the calls give or raise; nothing when the module prints, or runs too long."""
    files = {SOLUTION: source, TESTS: examples_text([(call, "") for call in calls]), "values.py": _VALUES}
    try:
        values = json.loads(runner.run(files, "values.py").output)
    except ValueError:
        return []
    return values if isinstance(values, list) and len(values) == len(calls) else []


def _is_one_line(source: str, other: str) -> bool:
    """Whether two sources differ in one line alone."""
    lines, others = source.split("\n"), other.split("\n")
    return len(lines) == len(others) and sum(a != b for a, b in zip(lines, others, strict=True)) == 1


def _is_plain(value: str) -> bool:
    """Whether a value is short, and written the same way in every run."""
    if len(value) > _MAX_VALUE_CHARS:
        return False
    try:
        tree = ast.parse(value, mode="eval")
        ast.literal_eval(tree)
    except (ValueError, SyntaxError):
        return False
    return not any(isinstance(node, ast.Set) for node in ast.walk(tree))


def _draft(task: SmallTask, seed: int) -> TaskDraft:
    names = node_ids(len(task.examples))
    text = examples_text(task.examples)
    return TaskDraft(
        name=f"opencwm/{task.name}",
        instruction=INSTRUCTION,
        command=COMMAND,
        dockerfile=DOCKERFILE,
        fail_to_pass=[names[number] for number in task.failing],
        pass_to_pass=[name for number, name in enumerate(names) if number not in task.failing],
        test_files=[TESTS],
        oracle_files=[SOLUTION],
        gold_patch=patch_text(SOLUTION, task.broken, task.source),
        files={SOLUTION: task.broken, TESTS: text},
        restore={TESTS: text},
        metadata={
            "origin": "small",
            "operator": task.operator,
            "seed": seed,
            "group": task.group,
            "licence": task.licence,
            "lineno": task.lineno,
            "line": task.source.split("\n")[task.lineno - 1],
        },
        timeout_s=300.0,
    )
