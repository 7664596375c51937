"""Classes that derive from built-in types of values, and functions that are given values of exactly those.

Objects of ``class Word(str)`` read as the string that they are, ``Word('a')`` as well where the class says
itself how they read. So nothing tells them from strings but how they were made: a parameter that every call
in a program gives a display or a constant holds no such object.
"""

from __future__ import annotations

import ast
import collections
import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.bindings import bindings, names_by_string
from opencwm.debugger.foreseeing.disguises import VALUES
from opencwm.debugger.foreseeing.object_shapes import bound_in, linearized
from opencwm.debugger.foreseeing.shown import is_cut

_TYPES: Final = {f"<class '{kind.__name__}'>": kind.__name__ for kind in VALUES}
_ROOTS: Final = frozenset({*_TYPES, "<class 'object'>"}) | {
    f"<class 'numbers.{name}'>" for name in ("Number", "Complex", "Real", "Rational", "Integral")
}
"""What they derive from beside each other."""
_UNSURE: Final = frozenset({"__repr__", "__class__", "_fields", "__bases__"})
"""What a program does not set if its classes are to be known."""
_HIDING: Final = frozenset({"__slots__", "__dict__", "__getattribute__"})
_SETTING: Final = frozenset({"__setattr__", "__delattr__", "delattr", "__getattr__", "__setstate__"})
_DISPLAYS: Final = (*(ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.JoinedStr),)


@dataclasses.dataclass(frozen=True, slots=True)
class ValueClasses:
    """Those of one program.

    Attributes:
        lines: of each class that derives from a built-in type, that and those of the program that it inherits
            from, in Python's order.
        kinds: the built-in type that they derive from, by name.
        named: classes whose objects say how they read.
        making: classes that have a ``__new__`` of their own.
        dictionaries: those whose objects have a ``__dict__`` of their own.
        are_worded: a class of the program may say how its objects are put in words.
        exact: parameters that hold values of exactly built-in types, by first line of their function.
        methods: first lines of the methods that they have, by class and name.
        are_kept: attributes are given through ``__dict__`` to what is new alone.
        changing: those that may be set, or that their classes have a say in.
        fresh: of lines, by first line of their function, what is known to be new on them.
    """

    lines: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    kinds: Mapping[str, str] = dataclasses.field(default_factory=dict)
    named: frozenset[str] = frozenset()
    making: frozenset[str] = frozenset()
    dictionaries: frozenset[str] = frozenset()
    are_worded: bool = True
    exact: Mapping[int, frozenset[str]] = dataclasses.field(default_factory=dict)
    methods: Mapping[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    are_kept: bool = False
    changing: frozenset[str] = frozenset()
    fresh: Mapping[tuple[int, int], Fresh] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, tree: ast.Module, constants: Mapping[str, str]) -> ValueClasses:
        """Read a program; ``constants`` say how names of its module read that stand for the same always."""
        nodes = nodes_of(tree)
        stored = {
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
        }
        is_reaching = any(isinstance(node, ast.Name) and node.id == "locals" for node in nodes)
        if names_by_string(tree) or is_reaching or not stored.isdisjoint(_UNSURE):
            return cls()
        known = dict(_plainly_derived(tree, constants))
        own = {name: bound_in(node) for name, (node, _) in known.items()}
        bases = {name: [base for base in found if base in known] for name, (_, found) in known.items()}
        lines: dict[str, Sequence[str]] = {}
        kinds: dict[str, str] = {}
        for name, (_, found) in known.items():
            with contextlib.suppress(ValueError):
                line = linearized(name, bases)
                inherited = {kinds.get(base) or _TYPES.get(constants.get(base, "")) for base in found} - {
                    None
                }
                speaking = [item for item in line if "__repr__" in own[item]]
                is_one_line = all(len(known[item][1]) == 1 for item in line)
                if len(inherited) == 1 and (is_one_line or speaking in ([], [name])):
                    kinds[name], lines[name] = str(*inherited), line

        def having(*names: str) -> frozenset[str]:
            return frozenset(
                name for name, line in lines.items() if any(own[item].intersection(names) for item in line)
            )

        exact = dict(_exact(tree)) if kinds else {}
        fresh = dict(_fresh(tree, exact))
        return cls(
            lines,
            kinds,
            having("__repr__"),
            frozenset(name for name in own if "__new__" in own[name]),
            frozenset(lines) - having(*_HIDING),
            any("__str__" in own_names for own_names in map(bound_in, _classes(tree))) or "__str__" in stored,
            exact,
            {
                (name, item): _method(item, line, known)
                for name, line in lines.items()
                for owner in line
                for item in own[owner] - {""}
            },
            _are_kept(nodes, fresh),
            frozenset(stored.union(*(bound_in(node) for node in _classes(tree)))),
            fresh,
        )

    def class_of(self, text: str) -> str:
        """Return the class of an object that says how it reads; empty for any other value."""
        name = text.partition("(")[0]
        return name if name in self.named and text.endswith(")") and not is_cut(text) else ""

    def keeps(self, name: str, attribute: str) -> bool:
        """Whether an attribute that an object of a class was given when it was new stays the same."""
        return name in self.dictionaries and self.are_kept and attribute not in self.changing

    def read(self, name: str, text: str) -> str:
        """Return how an object of a class reads that is a value which reads so."""
        return f"{name}({text})" if name in self.named else text


@dataclasses.dataclass(frozen=True, slots=True)
class Fresh:
    """A local that has been made by the ``__new__`` of a built-in type, and nothing done with since.

    Attributes:
        name: of it.
        kind: the parameter that is its class.
        value: the parameter of whose type the ``__new__`` was.
    """

    name: str
    kind: str
    value: str


def _method(name: str, line: Sequence[str], known: Mapping[str, tuple[ast.ClassDef, Sequence[str]]]) -> int:
    """Return the first line of the method that a class has or inherits; 0 where that is not certain."""
    for owner in line:
        node = known[owner][0]
        if name in bound_in(node):
            found = [item for item in node.body if getattr(item, "name", "") == name]
            is_one = len(found) == 1 and isinstance(found[0], ast.FunctionDef) and not found[0].decorator_list
            stored = any(
                isinstance(item, ast.Name) and item.id == name and not isinstance(item.ctx, ast.Load)
                for part in node.body
                for item in ast.walk(part)
            )
            return found[0].lineno if is_one and not stored else 0
    return 0


def _are_kept(nodes: Sequence[ast.AST], fresh: Mapping[tuple[int, int], Fresh]) -> bool:
    """Whether a program gives attributes through ``__dict__`` to objects that are new alone."""
    names = {getattr(node, field, None) for node in nodes for field in ("id", "attr", "name", "value")}
    lines = {line for _, line in fresh}
    updates = [
        node.value for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    given = {
        id(call.func.value)
        for call in updates
        if isinstance(call.func, ast.Attribute) and call.func.attr == "update" and call.lineno in lines
    }
    read = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr == "__dict__"]
    return bool(read) and names.isdisjoint(_SETTING) and all(id(node) in given for node in read)


def _classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    return (node for node in nodes_of(tree) if isinstance(node, ast.ClassDef))


def _plainly_derived(
    tree: ast.Module, constants: Mapping[str, str]
) -> Iterator[tuple[str, tuple[ast.ClassDef, Sequence[str]]]]:
    """Yield the classes that derive from each other and from types of values alone, with their bases."""
    known: set[str] = set()
    for node in tree.body:
        if (
            not isinstance(node, ast.ClassDef)
            or node.decorator_list
            or node.keywords
            or _says_otherwise(node)
        ):
            continue
        if constants.get(node.name) != f"<class 'program.{node.name}'>":
            continue
        bases = [base.id if isinstance(base, ast.Name) else "" for base in node.bases]
        if all(base in known or constants.get(base) in _ROOTS for base in bases):
            known.add(node.name)
            yield node.name, (node, bases)


def _says_otherwise(node: ast.ClassDef) -> bool:
    """Whether it is not known from a class how its objects read."""
    binding = [part for part in node.body if getattr(part, "name", "") == "__repr__"]
    is_method = (
        len(binding) == 1 and isinstance(binding[0], ast.FunctionDef) and not binding[0].decorator_list
    )
    names = bound_in(node)
    stored = {
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)
    }
    return "_fields" in names or "__repr__" in stored or ("__repr__" in names and not is_method)


def _exact(tree: ast.Module) -> Iterator[tuple[int, frozenset[str]]]:
    """Yield the parameters that every call in a program gives a display or a constant."""
    nodes, counts = nodes_of(tree), collections.Counter(bindings(tree))
    calls: dict[str, list[ast.Call]] = {}
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            calls.setdefault(node.func.id, []).append(node)
    mentions = collections.Counter(node.id for node in nodes if isinstance(node, ast.Name))
    elsewhere = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.decorator_list or node.name in elsewhere:
            continue
        own = calls.get(node.name, [])
        if counts[node.name] != 1 or not own or mentions[node.name] != len(own):
            continue
        rebound = collections.Counter(bindings(node))
        given = [frozenset(_displays(node.args, call)) for call in own]
        found = {name for name in frozenset.intersection(*given) if rebound[name] == 1}
        if found:
            yield node.lineno, frozenset(found)


def _displays(parameters: ast.arguments, call: ast.Call) -> Iterator[str]:
    """Yield the parameters that a call gives a display or a constant."""
    if any(isinstance(item, ast.Starred) for item in call.args) or any(
        item.arg is None for item in call.keywords
    ):
        return
    names = [item.arg for item in (*parameters.posonlyargs, *parameters.args)]
    pairs = list(zip(names, call.args, strict=False))
    by_name = {item.arg for item in (*parameters.args, *parameters.kwonlyargs)}
    pairs += [(item.arg, item.value) for item in call.keywords if item.arg in by_name]
    for name, value in pairs:
        inner = value.operand if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub) else value
        if isinstance(value, _DISPLAYS) or isinstance(inner, ast.Constant):
            yield name


def _fresh(tree: ast.Module, exact: Mapping[int, frozenset[str]]) -> Iterator[tuple[tuple[int, int], Fresh]]:
    """Yield the lines on which what has been made before is as new, up to one that reads its ``__dict__``."""
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.lineno not in exact:
            continue
        made: Fresh | None = None
        rebound = collections.Counter(bindings(node))
        for statement in node.body:
            found = _made(statement, exact[node.lineno])
            if found is not None and rebound[found.name] == rebound[found.kind] == 1:
                made = found
            elif made is not None:
                number = _num_mentions(statement, made)
                if number == 0 or (number == 1 and _num_dictionaries(statement, made) == 1):
                    lines = range(statement.lineno, (statement.end_lineno or 0) + 1)
                    yield from (((node.lineno, line), made) for line in lines)
                made = None if number else made


def _made(node: ast.stmt, exact: frozenset[str]) -> Fresh | None:
    """Return what ``x = type(value).__new__(kind, ...)`` makes; None for any other statement."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call) or len(node.targets) != 1:
        return None
    target, function, args = node.targets[0], node.value.func, node.value.args
    if not isinstance(target, ast.Name) or not isinstance(function, ast.Attribute) or not args:
        return None
    value = _type_of(function.value)
    if function.attr != "__new__" or value not in exact or not isinstance(args[0], ast.Name):
        return None
    return Fresh(target.id, args[0].id, value)


def _type_of(node: ast.expr) -> str:
    """Return the name in ``type(name)``; empty for any other expression."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "type" or len(node.args) != 1:
        return ""
    return node.args[0].id if isinstance(node.args[0], ast.Name) else ""


def _num_mentions(node: ast.stmt, made: Fresh) -> int:
    """Return how often a statement mentions what is new, but to hand it to ``type(value).__init__``."""
    parts = list(ast.walk(node))
    number = sum(isinstance(part, ast.Name) and part.id == made.name for part in parts)
    for part in parts:
        function = part.func if isinstance(part, ast.Call) else None
        if isinstance(function, ast.Attribute) and function.attr == "__init__":
            assert isinstance(part, ast.Call)  # noqa: S101 - it has a function
            is_first = bool(part.args) and ast.unparse(part.args[0]) == made.name
            number -= is_first and _type_of(function.value) == made.value
    return number


def _num_dictionaries(node: ast.stmt, made: Fresh) -> int:
    """Return how often a statement on one line reads the ``__dict__`` of what is new."""
    if not isinstance(node, ast.Expr | ast.Assign | ast.Return) or node.lineno != node.end_lineno:
        return 0
    return sum(
        isinstance(part, ast.Attribute) and ast.unparse(part) == f"{made.name}.__dict__"
        for part in ast.walk(node)
    )
