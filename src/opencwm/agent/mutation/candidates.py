"""Which changes of a repository to try, in an order that a seed fixes.

Only lines that a passing test runs are changed, and no test. Operators are drawn by weight; each gives its
places in random order. Nothing is run here.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import random
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from opencwm.agent.mutation.baseline import Baseline
from opencwm.agent.mutation.structure import STRUCTURE, apply
from opencwm.corpus.mutants.changes import Change, changed_text, is_same_tree
from opencwm.corpus.mutants.operators import OPERATORS, Operator
from opencwm.corpus.mutants.source_file import FunctionDef, SourceFile
from opencwm.traces import Program

_TABLE: Final[dict[str, Operator]] = {**OPERATORS, **STRUCTURE}
_TEST_FOLDERS: Final = frozenset({"test", "tests", "testing"})
_MAX_CHARS: Final = 400_000


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One change of one file.

    Attributes:
        path: the file, below the repository.
        original: its text.
        text: its text after the change.
        operator: name of the change.
        lines: 1-based lines of the original that are changed.
        function: qualified name of the function around it; empty at the level of the module.
    """

    path: str
    original: str
    text: str
    operator: str
    lines: tuple[int, ...]
    function: str

    @property
    def key(self) -> str:
        """What tells it from every other change of this repository."""
        return hashlib.sha256(f"{self.path}\0{self.text}".encode(errors="surrogatepass")).hexdigest()[:16]


class _RepositoryFile(SourceFile):
    """A file of a repository: what may be touched is what tests run."""

    def __init__(self, text: str, covered: frozenset[int]) -> None:
        self._covered = covered
        super().__init__(Program(text, "<module>"), covered)

    def may_be_touched(self, statement: ast.stmt, function: FunctionDef | None) -> bool:  # noqa: ARG002
        last = statement.end_lineno or statement.lineno
        body = getattr(statement, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
            last = (
                body[0].lineno
                if isinstance(statement, FunctionDef)
                else max(statement.lineno, body[0].lineno - 1)
            )
        return any(line in self._covered for line in range(statement.lineno, last + 1))


def is_test_file(path: str) -> bool:
    """Whether a path names a test or what tests stand on."""
    pure = PurePosixPath(path)
    return (
        any(part in _TEST_FOLDERS for part in pure.parts[:-1])
        or pure.name.startswith("test_")
        or pure.name.endswith("_test.py")
        or pure.name == "conftest.py"
    )


def draw_candidates(repository: Path, baseline: Baseline, seed: int) -> Iterator[Candidate]:
    """Yield different changes until there are no more; the same ones in the same order for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, nothing secret
    files = _files(repository, baseline.covered())
    drawn = {
        name: _draw(files, name, operator, random.Random(rng.random()))  # noqa: S311
        for name, operator in sorted(_TABLE.items())
    }
    seen = set()
    while drawn:
        names = list(drawn)
        name = rng.choices(names, [_TABLE[item].weight for item in names])[0]
        candidate = next(drawn[name], None)
        if candidate is None:
            del drawn[name]
        elif candidate.key not in seen:
            seen.add(candidate.key)
            yield candidate


def all_changes(path: str, text: str, lines: Collection[int]) -> Iterator[Candidate]:
    """Yield every change of one place on some lines of a file that keeps its lines, operator by operator.

    A file that cannot be read as Python has none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = _RepositoryFile(text, frozenset(lines))
    except (SyntaxError, ValueError, RecursionError):
        return
    for name, operator in OPERATORS.items():
        for kind in operator.nodes:
            for node in file.nodes.get(kind, ()):
                for change in operator.changes(file, node):
                    if candidate := _candidate(file, path, name, change):
                        yield candidate


def _files(repository: Path, covered: Mapping[str, frozenset[int]]) -> dict[str, _RepositoryFile]:
    found = {}
    for path in sorted(covered):
        if is_test_file(path) or not path.endswith(".py") or path.startswith(".."):
            continue
        try:
            text = (repository / path).read_bytes().decode()
            if "\r" in text or "\f" in text or text.startswith("\ufeff") or len(text) > _MAX_CHARS:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found[path] = _RepositoryFile(text, covered[path])
        except (OSError, UnicodeDecodeError, SyntaxError, ValueError, RecursionError):
            continue  # a template, a file that tests make
    return found


def _draw(
    files: Mapping[str, _RepositoryFile], name: str, operator: Operator, rng: random.Random
) -> Iterator[Candidate]:
    places = [
        (path, node)
        for path, file in files.items()
        for kind in operator.nodes
        for node in file.nodes.get(kind, ())
    ]
    rng.shuffle(places)
    rest: list[tuple[str, Change]] = []
    for path, node in places:
        changes = list(operator.changes(files[path], node))
        if changes:
            first = changes.pop(rng.randrange(len(changes)))
            rest += [(path, change) for change in changes]
            if candidate := _candidate(files[path], path, name, first):
                yield candidate
    rng.shuffle(rest)
    for path, change in rest:
        if candidate := _candidate(files[path], path, name, change):
            yield candidate


def _candidate(file: _RepositoryFile, path: str, name: str, change: Change) -> Candidate | None:
    text = apply(file.text, change) if name in STRUCTURE else changed_text(file, change)
    if text is None or text == file.text:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
            compile(text, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if is_same_tree(tree, file.tree):
        return None
    node = change.node
    first = min([node.lineno, *(file.text.count("\n", 0, edit.start) + 1 for edit in change.edits)])
    last = max(file.text.count("\n", 0, edit.end) + 1 for edit in change.edits)
    lines = tuple(range(first, last + 1))
    return Candidate(path, file.text, text, name, lines, _function_name(file.tree, node.lineno))


def _function_name(tree: ast.Module, lineno: int) -> str:
    found: list[str] = []
    body: list[ast.stmt] = tree.body
    while True:
        around = next(
            (
                item
                for item in body
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                and item.lineno <= lineno <= (item.end_lineno or item.lineno)
            ),
            None,
        )
        if around is None:
            return ".".join(found)
        found.append(around.name)
        body = around.body
