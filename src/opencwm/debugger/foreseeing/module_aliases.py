"""Names of a module that stand for another one of it, or for a function of Python.

``pydash_is_string = is_string``, ``text_type = str``; and ``try: advance = next``, whose ``except NameError``
never runs, since Python has that name. What a name stands for when another one gets it is told from the
statements before.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import types
from collections.abc import Collection, Mapping

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.bindings import bindings, names_by_string
from opencwm.debugger.foreseeing.qualified_names import FunctionNode


@dataclasses.dataclass(frozen=True, slots=True)
class Aliases:
    """The names of one module that stand for something else that has a name, and are bound only once.

    Attributes:
        functions: for a function that is defined at its top, by name.
        python: for a function or class of Python, by name.
    """

    functions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    python: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, tree: ast.Module) -> Aliases:
        """Read a module."""
        imports = [node for node in nodes_of(tree) if isinstance(node, ast.ImportFrom)]
        is_open = any(node.names[0].name == "*" for node in imports)
        if is_open or names_by_string(tree):
            return cls()
        declared = {name for node in nodes_of(tree) if isinstance(node, ast.Global) for name in node.names}
        reading = _Reading(declared)
        for statement in tree.body:
            reading.follow(statement)
        bound = list(bindings(tree))
        for name in reading.never:
            bound.remove(name)
        once = {name for name in reading.assigned if bound.count(name) == 1 and name not in declared}
        found = {name: meant for name in once if (meant := reading.found[name]) is not None}
        functions = {
            name: text
            for name, (kind, text) in found.items()
            if kind == "function" and reading.found.get(text) == (kind, text) and text not in declared
        }
        python = {
            name: text
            for name, (kind, text) in found.items()
            if kind == "python" and (name == text or not hasattr(builtins, name))
        }
        return cls(functions, python)


class _Reading:
    """What the names of a module stand for, statement by statement.

    Attributes:
        found: those, None for what is not known.
        assigned: names that were bound by an assignment of another name.
        never: names bound by clauses that never run, as often as they are.

    Args:
        declared: names that functions may bind there.
    """

    def __init__(self, declared: Collection[str]) -> None:
        self._declared = declared
        self.found: dict[str, tuple[str, str] | None] = {}
        self.assigned: set[str] = set()
        self.never: list[str] = []

    def follow(self, statement: ast.stmt) -> None:
        """Follow a statement at the top of the module."""
        if isinstance(statement, FunctionNode | ast.ClassDef):
            is_plain = isinstance(statement, ast.FunctionDef) and not statement.decorator_list
            is_first = statement.name not in self.found
            self.found[statement.name] = ("function", statement.name) if is_plain and is_first else None
        elif self._is_naming(statement):
            assert isinstance(statement, ast.Assign)  # noqa: S101 - just found out
            self._name(statement)
        elif isinstance(statement, ast.Try) and self._never_fails(statement):
            for inner in statement.body:
                assert isinstance(inner, ast.Assign)  # noqa: S101 - just found out
                self._name(inner)
            self.never += [name for handler in statement.handlers for name in bindings(handler)]
        else:
            self.found.update(dict.fromkeys(bindings(statement)))

    def _is_naming(self, statement: ast.stmt) -> bool:
        """Whether a statement gives more names to what a name is known to stand for."""
        return (
            isinstance(statement, ast.Assign)
            and all(isinstance(target, ast.Name) for target in statement.targets)
            and isinstance(statement.value, ast.Name)
            and self._meant(statement.value.id) is not None
        )

    def _never_fails(self, statement: ast.Try) -> bool:
        """Whether a ``try`` only names what has a name, so that what else it has does not run."""
        is_bare = not statement.orelse and not statement.finalbody
        return is_bare and all(map(self._is_naming, statement.body))

    def _name(self, statement: ast.Assign) -> None:
        assert isinstance(statement.value, ast.Name)  # noqa: S101 - as it was found
        meant = self._meant(statement.value.id)
        for target in statement.targets:
            assert isinstance(target, ast.Name)  # noqa: S101 - as it was found
            self.found[target.id] = meant
            self.assigned.add(target.id)

    def _meant(self, name: str) -> tuple[str, str] | None:
        """Return what a name stands for at this place, None where that is not known."""
        if name in self.found:
            return self.found[name]
        kind = type | types.BuiltinFunctionType
        is_python = isinstance(vars(builtins).get(name), kind) and name not in self._declared
        return ("python", name) if is_python else None
