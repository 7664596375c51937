"""Variables of a module that its functions bind anew: ``global found`` and ``found = compile(...)``.

What such a variable stands for is known when the program starts and changes only at assignments that are
steps of the run. So it is followed: after the line of an assignment it is what was assigned, as long as that
is known and cannot change, and nothing is known of it until the next one otherwise.

Left out: names that are bound in any other way, programs that run functions of theirs while they are
imported, and those that may reach the variables of a module by other means than their names.
"""

from __future__ import annotations

import ast
import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.bindings import bindings, names_by_string
from opencwm.debugger.foreseeing.expectations import Memory
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided, evaluate, literal
from opencwm.debugger.foreseeing.module_names import ModuleNames
from opencwm.debugger.foreseeing.object_shapes import last_name
from opencwm.debugger.foreseeing.pure_values import is_fixed
from opencwm.debugger.foreseeing.qualified_names import FunctionNode, QualifiedNames
from opencwm.debugger.foreseeing.rendered import MAX_CHARS, is_atom

_REACHING: Final = frozenset(
    """__builtins__ __del__ __dict__ __globals__ __import__ __main__ _thread asyncio atexit concurrent ctypes
    delattr enum f_globals gc import_module importlib inspect locals modules multiprocessing runpy setprofile
    settrace signal threading weakref""".split()  # noqa: SIM905 - it reads better
)
"""What reaches variables of a module otherwise than by their names, or runs functions unseen."""
_AT_IMPORT: Final = frozenset(
    {"__class_getitem__", "__init_subclass__", "__mro_entries__", "__prepare__", "__set_name__"}
)
_DECORATORS: Final = frozenset(
    """abstractmethod cache cached_property classmethod contextmanager dataclass final lru_cache override
    overload property runtime_checkable setter getter deleter singledispatch staticmethod total_ordering
    unique wraps""".split()  # noqa: SIM905 - it reads better
)
_METACLASSES: Final = frozenset({"ABCMeta", "EnumMeta"})

Place = tuple[int, int]
"""The first line of a function, and a line of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class ModuleVariables:
    """The variables of one module that are followed.

    Attributes:
        initial: how they read when the module has run.
        binders: those that the statements on a line bind.
    """

    initial: Mapping[str, str] = dataclasses.field(default_factory=dict)
    binders: Mapping[Place, frozenset[str]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, tree: ast.Module, names: ModuleNames) -> ModuleVariables:
        """Read a module; ``names`` are those of it that stand for the same always."""
        declared = {name for node in nodes_of(tree) if isinstance(node, ast.Global) for name in node.names}
        if not declared or names_by_string(tree) or _is_reached(tree) or _runs_functions(tree, names):
            return cls()
        counts = collections.Counter(bindings(tree, declared=False))
        initial = {name: text for name, text in _at_top(tree, names) if name in declared}
        binders: dict[Place, set[str]] = {}
        for first, node, _ in QualifiedNames(tree).functions:
            for statement, bound in _bound_in(node, initial):
                counts[bound] -= 1
                for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1):
                    binders.setdefault((first, line), set()).add(bound)
        plain = {name: text for name, text in initial.items() if counts[name] == 1}
        found = {place: frozenset(bound & plain.keys()) for place, bound in binders.items()}
        return cls(plain, {place: bound for place, bound in found.items() if bound})


def kept(text: str | None) -> str | None:
    """Return how a value reads that a variable has been given, if it can never read otherwise."""
    if text is None or len(text) > MAX_CHARS or "..." in text:
        return None
    if is_atom(text):
        return str(text)
    try:
        return str(text) if text[0] == "(" and is_fixed(literal(text)) else None
    except Undecided:
        return None


def _at_top(tree: ast.Module, names: ModuleNames) -> Iterator[tuple[str, str]]:
    """Yield the names that statements of a module bind to what can be worked out, with how that reads."""
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        if not isinstance(target, ast.Name) or (isinstance(node, ast.Assign) and len(node.targets) > 1):
            continue
        try:
            found = evaluate(ast.unparse(node.value), names.texts, builtins=names.builtins)
        except (ExpressionError, Undecided):
            continue
        text = kept(found.text)
        if text is not None:
            yield target.id, text


def _bound_in(function: FunctionNode, names: Mapping[str, str]) -> Iterator[tuple[ast.Assign, str]]:
    """Yield the assignments by which a function, none within it, binds variables that it declares."""
    inside = list(_inside(function))
    if isinstance(function, ast.AsyncFunctionDef):
        return
    declared = {name for node in inside if isinstance(node, ast.Global) for name in node.names}
    for node in inside:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Name) and target.id in declared & names.keys():
                assert isinstance(node, ast.Assign)  # noqa: S101 - it has targets
                yield node, target.id


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is in a function, without functions and classes within it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, FunctionNode | ast.Lambda | ast.ClassDef):
            yield child
            yield from _inside(child)


def _is_reached(tree: ast.Module) -> bool:
    """Whether variables of a module may be bound otherwise than by their names, or unseen."""
    return any(
        not _REACHING.isdisjoint(_words(node))
        or (isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names))
        for node in nodes_of(tree)
    )


def _words(node: ast.AST) -> Iterator[str]:
    """Yield the names that stand in a node, of modules the first one."""
    for field in ("id", "attr", "name", "module"):
        yield str(getattr(node, field, "")).partition(".")[0]


def _runs_functions(tree: ast.Module, names: ModuleNames) -> bool:
    """Whether functions of a program may run while its module does."""
    if not _AT_IMPORT.isdisjoint(getattr(node, "name", "") for node in nodes_of(tree)):
        return True
    own = {node.name for node in nodes_of(tree) if isinstance(node, FunctionNode | ast.ClassDef)}
    foreign = (names.texts.keys() | set(_imported_at_top(tree))) - own
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, FunctionNode | ast.ClassDef):
            if not all(map(_is_plain_decorator, node.decorator_list)):
                return True
            waiting += node.decorator_list
        if isinstance(node, FunctionNode | ast.Lambda):
            waiting += [item for item in (*node.args.defaults, *node.args.kw_defaults) if item is not None]
            continue
        if isinstance(node, ast.ClassDef) and any(
            item.arg == "metaclass" and last_name(item.value) not in _METACLASSES for item in node.keywords
        ):
            return True
        if isinstance(node, ast.Call) and not _is_foreign_call(node, foreign, own):
            return True
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            continue
        waiting += ast.iter_child_nodes(node)
    return False


def _imported_at_top(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)


def _is_plain_decorator(node: ast.expr) -> bool:
    return last_name(node.func if isinstance(node, ast.Call) else node) in _DECORATORS


def _is_foreign_call(node: ast.Call, foreign: set[str], own: set[str]) -> bool:
    """Whether what is called is of the library, and is given no function of the program."""
    root: ast.AST = node.func
    while isinstance(root, ast.Attribute | ast.Call | ast.Subscript):
        root = root.func if isinstance(root, ast.Call) else root.value
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    is_own = any(
        isinstance(part, ast.Lambda) or (isinstance(part, ast.Name) and part.id in own)
        for item in given
        for part in ast.walk(item)
    )
    is_foreign = isinstance(root, ast.Constant) or (isinstance(root, ast.Name) and root.id in foreign)
    return is_foreign and not is_own


class FollowedVariables:
    """How the variables of a module read at one point of a run.

    Args:
        variables: of the module.
    """

    def __init__(self, variables: ModuleVariables) -> None:
        self._binders = variables.binders
        self._now = dict(variables.initial)

    def binds(self, memory: Memory) -> bool:
        """Whether the line that an activation is at binds some of them."""
        return (memory.first, memory.lineno) in self._binders

    def begin(self, memory: Memory) -> None:
        """Take note that an activation comes to a line."""
        memory.variables = dict(self._now)

    def bind(self, memory: Memory, stored: Mapping[str, str], others: Iterable[Memory]) -> None:
        """Take note of what the line has bound that an activation is at.

        Args:
            memory: of the activation.
            stored: what is known of it, by name.
            others: activations on their lines since before that.
        """
        for name in self._binders.get((memory.first, memory.lineno), ()):
            text = kept(stored.get(name))
            self._now.pop(name, None)
            self._now |= {} if text is None else {name: text}
            for other in others:
                other.variables = {key: shown for key, shown in other.variables.items() if key != name}

    def lose(self) -> None:
        """Take note that anything may have been bound."""
        self._now.clear()
