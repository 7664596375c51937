"""A test and the code that it reaches as one program, cut out of a version of a repository.

The cutting is that of :mod:`opencwm.corpus.harvest.cut`. Constants of modules that can change, but that
nothing changes, are written into the functions that read them, where a model can see them. Each line of the
program knows the file and line it is from.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from opencwm.agent.planning.cases import ENTRY, Case, tree_with
from opencwm.agent.planning.plain import MESSAGE, CannotSayError
from opencwm.agent.planning.versions import Version, VersionPackage
from opencwm.core.errors import OpenCWMError
from opencwm.corpus.harvest.cut import Cutter
from opencwm.corpus.harvest.modules import CutError
from opencwm.source.unparsing import unparsed
from opencwm.traces import Program

MAX_LINES: Final = 128
"""Most lines of a program: as many as a model is shown."""
MAX_CONSTANT_CHARS: Final = 200
_DISPLAYS = ast.List | ast.Dict | ast.Set
_READING_METHODS: Final = frozenset({"get", "items", "keys", "values", "index", "count", "copy"})
_READING_FUNCTIONS: Final = frozenset(
    {"len", "sorted", "min", "max", "sum", "any", "all", "enumerate", "zip", "reversed", "list", "tuple"}
    | {"set", "dict", "range", "iter", "map", "filter", "isinstance", "str", "repr"}
)
_FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass(frozen=True)
class Slice:
    """A test as a program.

    Attributes:
        program: whose entry is the test.
        places: for each line of it the file and 1-based line it is from; an empty file for what is nowhere.
        failing: lines at which it is settled that the test fails.
        messages: lines at which an expected exception was caught -> what its message must contain.
    """

    program: Program
    places: tuple[tuple[str, int], ...]
    failing: frozenset[int]
    messages: Mapping[int, str]

    def place(self, lineno: int) -> tuple[str, int]:
        """Return file and line that a 1-based line of the program is from."""
        return self.places[lineno - 1] if 0 < lineno <= len(self.places) else ("", 0)


def slice_of(version: Version, case: Case) -> Slice:
    """Cut a test out of a version.

    Raises:
        CannotSayError: why it cannot be done, in a few words.
    """
    name = version.module_of(case.path)
    package = VersionPackage(version, case.path, {name: tree_with(version, case)})
    try:
        made = Cutter(package, keep_decorators=True).cut_out(name, ENTRY, {}, max_lines=MAX_LINES)
    except CutError as error:
        raise CannotSayError(str(error)) from None
    except (RecursionError, OpenCWMError) as error:
        raise CannotSayError(f"cannot be cut out: {error}") from None
    text, lines = _with_constants(made.text)
    places = tuple(
        (package.paths.get(module, ""), lineno)
        for module, lineno in (made.places[line - 1] if line else ("", 0) for line in lines)
    )
    if len(lines) > MAX_LINES:
        raise CannotSayError("long program")
    program = Program(text, ENTRY, filename=PurePosixPath(case.path).name)
    return Slice(program, places, *_marks(ast.parse(text)))


def _marks(tree: ast.Module) -> tuple[frozenset[int], dict[int, str]]:
    """Return the lines of the entry that settle a failure, and those with an expected message."""
    entry = next(node for node in tree.body if isinstance(node, _FunctionNode) and node.name == ENTRY)
    failing: set[int] = set()
    messages: dict[int, str] = {}
    for node in ast.walk(entry):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(raised, ast.Name) and raised.id == "AssertionError":
                failing.add(node.lineno)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id == MESSAGE:
                messages[node.lineno] = str(node.value.value)
    return frozenset(failing), messages


# -- constants -------------------------------------------------------------------------------------


def _with_constants(text: str) -> tuple[str, list[int]]:
    """Write lists, dictionaries and sets of a module that nothing changes into the functions that read them.

    Returns:
        The text, and for each line of it the line it is from, 0 for what is new.
    """
    tree = ast.parse(text)
    constants = _unchanged(tree)
    if not constants:
        return text, list(range(1, text.count("\n") + 1))
    for node in _functions(tree):
        bound = {part.id for part in ast.walk(node) if _is_store(part)} | {  # type: ignore[attr-defined]
            argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)
        }
        read = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} - bound
        node.body[:0] = [
            _placed(copy.deepcopy(statement), node.body[0])
            for name, statement in constants.items()
            if name in read
        ]
    body = [node for node in tree.body if node not in constants.values()]
    return _joined(body)


def _joined(body: Sequence[ast.stmt]) -> tuple[str, list[int]]:
    pieces = [unparsed(node) for node in body]
    text, lines = "", list[int]()
    for number, (piece, found) in enumerate(pieces):
        is_import = isinstance(body[number], ast.Import | ast.ImportFrom)
        gap = bool(number) and not (is_import and isinstance(body[number - 1], ast.Import | ast.ImportFrom))
        text += f"\n{piece}\n" if gap else f"{piece}\n"
        lines += [0] * gap + found
    return text, lines


def _placed(statement: ast.stmt, at: ast.stmt) -> ast.stmt:
    for part in ast.walk(statement):
        if isinstance(part, ast.stmt | ast.expr):
            part.lineno = part.end_lineno = at.lineno
    return statement


def _is_store(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)


def _functions(tree: ast.Module) -> Iterator[_FunctionNode]:
    """Yield functions at the top and methods of classes there; those within them see their locals."""
    for node in tree.body:
        if isinstance(node, _FunctionNode):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (item for item in node.body if isinstance(item, _FunctionNode))


def _unchanged(tree: ast.Module) -> dict[str, ast.stmt]:
    """Return the constants that may be written anywhere: bound once to a literal, and only ever read.

    An argument counts as read in the entry, whose calls get a copy that nothing else sees; elsewhere it may
    be changed by what is called.
    """
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            text = ast.unparse(node.value)
            if isinstance(node.value, _DISPLAYS) and len(text) <= MAX_CONSTANT_CHARS and _is_literal(text):
                found[node.targets[0].id] = node
    functions = list(_functions(tree))
    inside = {id(part): function for function in functions for part in ast.walk(function)}
    parents = {id(child): parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    for part in ast.walk(tree):
        names = (
            part.names if isinstance(part, ast.Global) else [part.id] if isinstance(part, ast.Name) else []
        )
        for name in names:
            if name in found and not _only_reads(part, found[name], inside, parents):
                del found[name]
    return found


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _only_reads(
    node: ast.AST,
    statement: ast.stmt,
    inside: Mapping[int, _FunctionNode],
    parents: Mapping[int, ast.AST],
) -> bool:
    """Whether a mention of a constant leaves it as it is."""
    parent = parents[id(node)]
    if parent is statement:
        return True
    function = inside.get(id(node))
    if function is None or not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return False
    if isinstance(parent, ast.Attribute):
        return isinstance(parent.ctx, ast.Load) and parent.attr in _READING_METHODS
    if isinstance(parent, ast.Subscript):
        return isinstance(parent.ctx, ast.Load) and parent.value is node
    if isinstance(parent, ast.Call):
        is_reading = isinstance(parent.func, ast.Name) and parent.func.id in _READING_FUNCTIONS
        return is_reading or function.name == ENTRY
    return isinstance(
        parent, ast.For | ast.comprehension | ast.Compare | ast.BinOp | ast.BoolOp | ast.UnaryOp
    )
