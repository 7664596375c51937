"""Tasks to write code for, read strictly from JSONL: a text, a reference solution, and tests.

One JSON object a line: ``task_id`` (or ``id``), ``prompt``, ``entry_point``, ``canonical_solution`` (the rest
of the function that the prompt begins, or all of it), and tests: ``test``, code that defines
``check(candidate)``, or ``tests``, a list of statements. Other keys are ignored. No task comes with this
package.

Source of the format: Chen et al., "Evaluating large language models trained on code", arXiv 2107.03374.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import random
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opencwm.core.errors import ConfigError
from opencwm.evals.cruxeval_items import read_items
from opencwm.evals.twins.names import Renaming, all_names, new_names, own_names
from opencwm.sandbox import RunLimits, RunStatus

if TYPE_CHECKING:
    from opencwm.sandbox import Sandbox

_BLOCK: Final = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)
_TARGET: Final = "opencwm.evals.twins.confined:run_tests"
LIMITS: Final = RunLimits(wall_s=10.0, cpu_s=10.0)
"""Of one run of the tests."""


@dataclasses.dataclass(frozen=True, slots=True)
class CodeTask:
    """One task.

    Attributes:
        id: unique in its file.
        prompt: what is shown: text, or the beginning of a function.
        entry_point: the function to write.
        solution: one that is right, whole.
        tests: code that raises when the function is wrong.
    """

    id: str
    prompt: str
    entry_point: str
    solution: str
    tests: str

    def renamed(self, rng: random.Random) -> CodeTask | None:
        """Return the task with other names for the function and its parameters; None where that cannot be.

        In the prompt they are replaced as whole words.
        """
        tree = _parsed(self.solution)
        function = next(
            (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == self.entry_point), None
        )
        if function is None:
            return None
        parameters = [item.arg for item in (*function.args.posonlyargs, *function.args.args)]
        tests = _parsed(self.tests)
        keywords = {node.arg for node in ast.walk(tests) if isinstance(node, ast.keyword) and node.arg}
        wanted = {self.entry_point, *parameters} - keywords
        names = [name for name in own_names(tree) if name in wanted and len(name) > 1]
        if self.entry_point not in names:
            return None
        given = new_names(names, all_names(tree) | all_names(tests) | set(self.prompt.split()), rng)
        Renaming(given).visit(tree)
        Renaming({self.entry_point: given[self.entry_point]}).visit(tests)
        prompt = self.prompt
        for old, new in given.items():
            prompt = re.sub(rf"\b{re.escape(old)}\b", new, prompt)
        return CodeTask(self.id, prompt, given[self.entry_point], ast.unparse(tree), ast.unparse(tests))

    @property
    def question(self) -> str:
        """What a model is asked."""
        return (
            f"Write a Python function `{self.entry_point}`, whole, in one ```python block."
            f" It is run with tests.\n\n{self.prompt.strip()}\n"
        )


def load_code_tasks(path: Path) -> list[CodeTask]:
    """Read all tasks of a file.

    Raises:
        ConfigError: the file cannot be read, holds no task, or a line is none; the error names the line.
    """
    return read_items(path, _task)


def code_in(answer: str) -> str:
    """Return the last block of code in an answer, or all of it where there is none."""
    blocks: list[str] = _BLOCK.findall(answer)
    return blocks[-1] if blocks else answer


def passes(sandbox: Sandbox, code: str, task: CodeTask) -> bool:
    """Whether code passes a task's tests, run in the sandbox."""
    payload = json.dumps({"code": code, "tests": task.tests}).encode("utf-8", "surrogatepass")
    result = sandbox.run(_TARGET, payload, LIMITS)
    return result.status is RunStatus.RETURNED and result.outputs == (b"passed",)


def _task(fields: dict[str, Any], key: str, where: str) -> CodeTask:
    for name in ("prompt", "entry_point", "canonical_solution"):
        if not isinstance(fields.get(name), str):
            raise ConfigError(f"{name!r} must be a string", where=where)
    entry, solution = fields["entry_point"], fields["canonical_solution"]
    if not _defines(solution, entry):
        solution = fields["prompt"] + solution
    if not _defines(solution, entry):
        raise ConfigError(f"no solution that defines {entry!r}", where=where)
    tests = fields.get("tests")
    if isinstance(fields.get("test"), str):
        text = f"{fields['test']}\n\ncheck({entry})\n"
    elif isinstance(tests, list) and tests and all(isinstance(one, str) for one in tests):
        text = "\n".join(tests)
    else:
        raise ConfigError("'test' must be a string, or 'tests' a list of strings", where=where)
    if not _parses(text):
        raise ConfigError("the tests are not valid Python", where=where)
    return CodeTask(key, fields["prompt"], entry, solution, text)


def _defines(text: str, name: str) -> bool:
    return _parses(text) and any(
        isinstance(node, ast.FunctionDef) and node.name == name for node in _parsed(text).body
    )


def _parses(text: str) -> bool:
    try:
        _parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like are the task's business
        return ast.parse(text)
