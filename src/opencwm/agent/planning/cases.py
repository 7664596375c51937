"""The tests of a file as pytest names them, each as a function without parameters in plain Python.

What pytest arranges around a test is written into it: the values of ``parametrize``, fixtures of the same
file as calls, ``setUp`` as its first statements. Nothing is imported or run, so a test that needs more than
that is listed with the reason.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from opencwm.agent.planning.plain import CannotSayError, plain_body
from opencwm.agent.planning.versions import Version
from opencwm.corpus.harvest.modules import imported_names

ENTRY: Final = "run_test"
"""What the function is called."""
_FIXTURE: Final = "fixture_"
_OWN: Final = "own_"
_BEFORE: Final = ("setUp", "setup_method")
_TOO_MUCH: Final = frozenset(
    {"setUpClass", "setup_class", "asyncSetUp", "setUpModule", "setup_module", "setup_function"}
)
_HARMLESS_MARKS: Final = frozenset({"slow", "unit", "fast"})
_Row = tuple[str, dict[str, ast.expr]]  # id and values of one set of parameters
_FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass(frozen=True)
class Case:
    """One test.

    Attributes:
        name: as pytest names it, ``tests/test_a.py::TestB::test_c[1-x]``.
        path: its file.
        lineno: 1-based line of its function.
        node: the function.
        owner: the class it stands in.
        values: parameter -> expression that ``parametrize`` gives it.
        problem: why it cannot be predicted; empty otherwise.
    """

    name: str
    path: str
    lineno: int
    node: _FunctionNode
    owner: ast.ClassDef | None = None
    values: Mapping[str, ast.expr] = dataclasses.field(default_factory=dict)
    problem: str = ""


def cases_of(version: Version, path: str) -> list[Case]:
    """Return the tests of a file, in order; none when it is no valid Python."""
    tree = version.tree(path)
    if tree is None:
        return []
    return list(_cases(tree, path, _imports(tree)))


def files_with_tests(version: Version) -> list[str]:
    """Return the files that pytest collects tests from, by name."""
    names = {path: PurePosixPath(path).name for path in version.texts}
    return [path for path, name in names.items() if name.startswith("test_") or name.endswith("_test.py")]


def tree_with(version: Version, case: Case) -> ast.Module:
    """Return the file of a test with the function :data:`ENTRY` in it, which does what the test does.

    Raises:
        CannotSayError: why it cannot be written.
    """
    if case.problem:
        raise CannotSayError(case.problem)
    tree = version.tree(case.path)
    if tree is None:
        raise CannotSayError("not valid Python")
    names = _imports(tree)
    fixtures = _fixtures(tree)
    if _has_automatic(version, case.path):
        raise CannotSayError("an automatic fixture")
    made = _Writer(case, names, fixtures)
    entry = made.entry()
    needed = [made.fixture(name) for name in made.wanted]
    inside = {id(node) for node in fixtures.values()}
    rest = [node for node in tree.body if id(node) not in inside]
    return ast.Module([*rest, *needed, entry], [])


# -- which tests there are -------------------------------------------------------------------------


def _cases(tree: ast.Module, path: str, names: Mapping[str, str]) -> Iterator[Case]:
    for node in tree.body:
        if isinstance(node, _FunctionNode) and node.name.startswith("test"):
            yield from _multiplied(Case(f"{path}::{node.name}", path, node.lineno, node), names, [])
        elif isinstance(node, ast.ClassDef) and _holds_tests(node):
            for item in node.body:
                if isinstance(item, _FunctionNode) and item.name.startswith("test"):
                    name = f"{path}::{node.name}::{item.name}"
                    case = Case(name, path, item.lineno, item, owner=node)
                    yield from _multiplied(case, names, node.decorator_list)


def _holds_tests(node: ast.ClassDef) -> bool:
    return node.name.startswith("Test") or any("TestCase" in ast.unparse(base) for base in node.bases)


def _multiplied(case: Case, names: Mapping[str, str], around: Sequence[ast.expr]) -> Iterator[Case]:
    """Yield a test as often as ``parametrize`` says."""
    sets: list[list[_Row]] = []
    problem = "a coroutine" if isinstance(case.node, ast.AsyncFunctionDef) else ""
    for decorator in reversed([*around, *case.node.decorator_list]):
        try:
            found = _parameters(decorator, names)
        except CannotSayError as error:
            problem = problem or str(error)
            continue
        if found is not None:
            sets.append(found)
    if problem:
        yield dataclasses.replace(case, problem=problem)
        return
    for chosen in itertools.product(*sets):
        values = {name: value for _, part in chosen for name, value in part.items()}
        suffix = f"[{'-'.join(text for text, _ in chosen)}]" if chosen else ""
        yield dataclasses.replace(case, name=case.name + suffix, values=values)


def _parameters(
    decorator: ast.expr, names: Mapping[str, str]
) -> list[tuple[str, dict[str, ast.expr]]] | None:
    """Return the sets of values that a decorator gives, with the id of each; None when it gives none.

    Raises:
        CannotSayError: it does something else, or its values do not stand there.
    """
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    meaning = _meaning(called, names)
    if meaning.startswith("pytest.mark.") and meaning.rpartition(".")[2] in _HARMLESS_MARKS:
        return None
    if meaning != "pytest.mark.parametrize" or not isinstance(decorator, ast.Call):
        raise CannotSayError(f"decorated with {ast.unparse(called)}")
    if len(decorator.args) != 2 or any(word.arg != "ids" for word in decorator.keywords):
        raise CannotSayError("parametrize with other arguments")
    arguments = _argument_names(decorator.args[0])
    rows = decorator.args[1]
    if not isinstance(rows, ast.List | ast.Tuple):
        raise CannotSayError("values of parametrize that do not stand there")
    ids = [_literal(word.value) for word in decorator.keywords]
    found = []
    for number, row in enumerate(rows.elts):
        values = [row] if len(arguments) == 1 else getattr(row, "elts", None)
        if values is None or len(values) != len(arguments):
            raise CannotSayError("values of parametrize that do not stand there")
        text = "-".join(_id_of(value, name, number) for name, value in zip(arguments, values, strict=True))
        if ids and isinstance(ids[0], list | tuple) and number < len(ids[0]):
            text = str(ids[0][number])
        found.append((text, dict(zip(arguments, values, strict=True))))
    return _told_apart(found)


def _argument_names(node: ast.expr) -> list[str]:
    found = _literal(node)
    names = found.split(",") if isinstance(found, str) else found
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise CannotSayError("parametrize with other arguments")
    return [name.strip() for name in names]


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _id_of(node: ast.expr, name: str, number: int) -> str:
    """Return how pytest names one value."""
    value = _literal(node)
    if isinstance(value, str):
        return value.encode("unicode_escape").decode("ascii")
    is_none = isinstance(node, ast.Constant) and node.value is None
    if isinstance(value, bool | int | float | complex) or is_none:
        return str(value)
    if isinstance(node, ast.Name) and value is None:
        return node.id if node.id[:1].isupper() else f"{name}{number}"
    return f"{name}{number}"


def _told_apart(found: list[_Row]) -> list[_Row]:
    """Give equal ids numbers, as pytest does."""
    texts = [text for text, _ in found]
    counts: dict[str, int] = {}
    made = []
    for text, values in found:
        if texts.count(text) > 1:
            number = counts.get(text, 0)
            counts[text] = number + 1
            text = f"{text}{number}"
        made.append((text, values))
    return made


# -- writing one -----------------------------------------------------------------------------------


class _Writer:
    """Writes one test as a function; notes the fixtures that it needs."""

    def __init__(self, case: Case, names: Mapping[str, str], fixtures: Mapping[str, _FunctionNode]) -> None:
        self._case = case
        self._names = names
        self._fixtures = fixtures
        self.wanted: dict[str, None] = {}

    def entry(self) -> ast.FunctionDef:
        """Return the function."""
        case = self._case
        node = copy.deepcopy(case.node)
        own: dict[str, str] = {}
        body: list[ast.stmt] = []
        parameters = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args]]
        if node.args.vararg or node.args.kwarg or node.args.kwonlyargs or node.args.defaults:
            raise CannotSayError("parameters of other kinds")
        if case.owner is not None and not any(
            _meaning(decorator, {}) == "staticmethod" for decorator in node.decorator_list
        ):
            if not parameters:
                raise CannotSayError("parameters of other kinds")
            own[parameters.pop(0)] = _OWN
            body += self._before(case.owner)
        for name in parameters:
            body.append(_assignment(name, self._given(name), node))
        body += plain_body(_without_text(node.body), self._names, own)
        return _function(ENTRY, body, node)

    def fixture(self, name: str) -> ast.FunctionDef:
        """Return a fixture as a function without parameters."""
        node = copy.deepcopy(self._fixtures[name])
        if isinstance(node, ast.AsyncFunctionDef):
            raise CannotSayError("a coroutine")
        body: list[ast.stmt] = [
            _assignment(argument.arg, self._fixture_call(argument.arg), node) for argument in node.args.args
        ]
        for statement in _without_text(node.body):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield):
                value = statement.value.value or ast.Constant(None)
                body.append(ast.copy_location(ast.Return(value), statement))
                break
            if any(isinstance(part, ast.Yield) for part in ast.walk(statement)):
                raise CannotSayError(f"the fixture {name} yields within a block")
            body += plain_body([statement], self._names)
        return _function(f"{_FIXTURE}{name}", body, node)

    def _given(self, name: str) -> ast.expr:
        if name in self._case.values:
            return copy.deepcopy(self._case.values[name])
        return self._fixture_call(name)

    def _fixture_call(self, name: str) -> ast.expr:
        fixture = self._fixtures.get(name)
        if fixture is None:
            raise CannotSayError(f"the fixture {name}")
        if _has_settings(fixture):
            raise CannotSayError(f"the fixture {name} has settings")
        self.wanted.setdefault(name)
        for argument in fixture.args.args:
            if argument.arg == name:
                raise CannotSayError(f"the fixture {name} hides another")
            self._fixture_call(argument.arg)
        return ast.Call(ast.Name(f"{_FIXTURE}{name}", ast.Load()), [], [])

    def _before(self, owner: ast.ClassDef) -> list[ast.stmt]:
        """Return what is done before each test of a class: its own values, then ``setUp``."""
        bases = [ast.unparse(base).rpartition(".")[2] for base in owner.bases]
        if any(base not in ("TestCase", "object") for base in bases):
            raise CannotSayError("a test class that inherits")
        found: list[ast.stmt] = []
        for item in owner.body:
            if isinstance(item, _FunctionNode):
                if item.name in _TOO_MUCH:
                    raise CannotSayError(item.name)
                if any(_is_fixture(decorator) for decorator in item.decorator_list):
                    raise CannotSayError("a fixture of its class")
            elif isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
                made = copy.deepcopy(item)
                made.targets = [ast.Name(f"{_OWN}{item.targets[0].id}", ast.Store())]
                found.append(made)
        for item in owner.body:
            if isinstance(item, ast.FunctionDef) and item.name in _BEFORE and item.args.args:
                before = copy.deepcopy(item)
                own = {before.args.args[0].arg: _OWN}
                statements = [node for node in _without_text(before.body) if not _calls_super(node)]
                found += plain_body(statements, self._names, own)
        return found


def _without_text(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    return [
        node for node in body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]


def _calls_super(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith("super()")


def _assignment(name: str, value: ast.expr, node: ast.stmt) -> ast.stmt:
    made = ast.Assign([ast.Name(name, ast.Store())], value)
    for part in ast.walk(made):
        if isinstance(part, ast.stmt | ast.expr):
            ast.copy_location(part, node)
    return made


def _function(name: str, body: list[ast.stmt], node: ast.stmt) -> ast.FunctionDef:
    arguments = ast.arguments([], [], None, [], [], None, [])
    made = ast.FunctionDef(name, arguments, body or [ast.Pass()], [], None, None)
    return ast.fix_missing_locations(ast.copy_location(made, node))


# -- fixtures --------------------------------------------------------------------------------------


def _fixtures(tree: ast.Module) -> dict[str, _FunctionNode]:
    """Return the fixtures at the top of a file."""
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, _FunctionNode) and any(map(_is_fixture, node.decorator_list))
    }


def _has_automatic(version: Version, path: str) -> bool:
    """Whether pytest does more around the tests of a file than they ask for."""
    folder = PurePosixPath(path).parent
    places = [path, *(str(place / "conftest.py") for place in (folder, *folder.parents))]
    trees = [tree for tree in map(version.tree, places) if tree is not None]
    return any(_is_automatic(node) for tree in trees for node in _fixtures(tree).values())


def _is_fixture(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(called).rpartition(".")[2] == "fixture"


def _has_settings(node: _FunctionNode) -> bool:
    calls = [part for part in node.decorator_list if isinstance(part, ast.Call)]
    return any(word.arg != "scope" for call in calls for word in call.keywords) or bool(
        node.args.defaults or node.args.kwonlyargs
    )


def _is_automatic(node: _FunctionNode) -> bool:
    return any("autouse=True" in ast.unparse(part) for part in node.decorator_list)


# -- names -----------------------------------------------------------------------------------------


def _imports(tree: ast.Module) -> dict[str, str]:
    """Return what the names mean that a file imports at its top, with dots."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name, (module, what) in imported_names(node, "").items():
                found[name] = f"{module}.{what}" if what else module
    return found


def _meaning(node: ast.expr, names: Mapping[str, str]) -> str:
    text = ast.unparse(node)
    first, dot, rest = text.partition(".")
    return f"{names.get(first, first)}{dot}{rest}"
