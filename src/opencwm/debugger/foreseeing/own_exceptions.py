"""Exceptions that a program defines: how they are made, what they are in words, which attributes they keep.

An exception reads as its class and its arguments, ``TooFar(3, 'km')``, whatever other attributes it has. They
are known for as long as it is, where they are set once, by the ``__init__`` that makes it.
"""

from __future__ import annotations

import ast
import builtins
import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.expressions import Undecided, literal
from opencwm.debugger.foreseeing.object_shapes import bound_in
from opencwm.debugger.foreseeing.plain_exceptions import OF_PYTHON, made
from opencwm.debugger.foreseeing.pure_values import text_of
from opencwm.debugger.foreseeing.shown import marked_tree, text_at

_HOOKS: Final = frozenset(
    """__dict__ __new__ __init_subclass__ __getattribute__ __getattr__ __setattr__ __set__ __set_name__
    __get__""".split()  # noqa: SIM905 - it reads better
)
"""What gives a program a say in how exceptions are made, or in their attributes."""
_WORDING: Final = frozenset({"__str__", "__repr__", "__format__"})


@dataclasses.dataclass(frozen=True, slots=True)
class OwnExceptions:
    """The exceptions of a program, and those of Python that it uses as they are.

    Attributes:
        names: all of them that read as they are made.
        plain: those among them that are made without entering anything.
        lines: of those of the program, by name, they and those of it that they derive from.
        bases: those of Python that those of the program derive from in the end.
        hidden: those of which it is not known what they give for ``args``.
        worded: those that may have a say in what they are in words.
        keyed: those that are put in words as ``KeyError`` is.
        kept: names of attributes that are set once, when an exception is made.
    """

    names: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()
    lines: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    bases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    worded: frozenset[str] = frozenset()
    keyed: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tree: ast.Module, texts: Mapping[str, str]) -> OwnExceptions:
        """Read a program; ``texts`` say how names of its module read that are bound once."""
        known = frozenset(name for name in OF_PYTHON if texts.get(name) == f"<class '{name}'>")
        if any(not _HOOKS.isdisjoint(_words(node)) for node in nodes_of(tree)):
            return cls(known, known, hidden=known)
        lines: dict[str, Sequence[str]] = {}
        bases: dict[str, str] = {}
        plain, hidden, worded, keyed = set(known), set[str](), set[str](), {"KeyError"}
        for node in tree.body:
            base = _base_of(node)
            if not isinstance(node, ast.ClassDef) or base not in known | lines.keys():
                continue
            if texts.get(node.name) != f"<class 'program.{node.name}'>":
                continue
            own = bound_in(node)
            lines[node.name] = (node.name, *lines.get(base, ()))
            plain |= {node.name} if base in plain and "__init__" not in own else set()
            bases[node.name] = bases.get(base, base)
            hidden |= {node.name} if base in hidden or "args" in own else set()
            worded |= {node.name} if base in worded or not _WORDING.isdisjoint(own) else set()
            keyed |= {node.name} if base in keyed else set()
        names = known | lines.keys()
        if any(_is_stored(node, "args") for node in nodes_of(tree)):
            hidden |= names
        return cls(
            names,
            frozenset(plain),
            lines,
            bases,
            frozenset(hidden),
            frozenset(worded),
            frozenset(keyed),
            frozenset(_kept(tree, lines)),
        )

    def made(self, name: str, args: Sequence[str | None]) -> str | None:
        """Return how an exception reads that was just made; None where that is not known."""
        if None in args or name not in self.names:
            return None
        return made(f"{name}({', '.join(text for text in args if text is not None)})", self.names)

    def line_of(self, text: str) -> Sequence[str]:
        """Return the class of an exception, as it reads, and those of the program that it derives from."""
        return self.lines.get(text.partition("(")[0], ()) if text.endswith(")") else ()

    def words(self, text: str) -> str | None:
        """Return what ``str`` makes of an exception, as it reads; None of anything else."""
        args = self._args(text)
        if args is None or text.partition("(")[0] in self.worded:
            return None
        try:
            if len(args) == 1:
                return repr(args[0]) if text.partition("(")[0] in self.keyed else str(args[0])
            return str(tuple(args)) if args else ""
        except Undecided:
            return None

    def is_of(self, text: str, name: str) -> bool | None:
        """Return whether an exception of the program, as it reads, is of a class; None where not known."""
        line = self.line_of(text)
        if not line or name in line:
            return True if line else None
        kind, base = getattr(builtins, name, None), getattr(builtins, self.bases[line[0]])
        if name in self.lines:
            return False
        return issubclass(base, kind) if isinstance(kind, type) else None

    def answer(self, text: str) -> str | None:
        """Return the value of an expression that asks what an exception was made of; None of any other."""
        found = marked_tree(text) if "(" in text else None
        if found is None:
            return None
        node, marked, places = found
        if isinstance(node, ast.Attribute) and node.attr == "args":
            args = self._args(text_at(node.value, marked, places))
            return None if args is None else text_of(tuple(args))
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or len(node.args) != 1:
            return None
        argument = text_at(node.args[0], marked, places)
        if node.keywords or node.func.id not in ("str", "repr"):
            return None
        words = self.words(argument)
        return None if words is None else repr(words if node.func.id == "str" else argument)

    def _args(self, text: str) -> list[Any] | None:
        """Return what an exception was made of, as it reads; None for anything else, or if it is cut."""
        if text.partition("(")[0] not in self.names - self.hidden or made(text, self.names) != text:
            return None
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)  # noqa: S101 - an exception that reads as it is made
        return [literal(ast.unparse(item)) for item in call.args]


def _base_of(node: ast.stmt) -> str:
    """Return the one base of a class that is made plainly, empty for any other statement."""
    if not isinstance(node, ast.ClassDef) or node.decorator_list or node.keywords or len(node.bases) != 1:
        return ""
    return node.bases[0].id if isinstance(node.bases[0], ast.Name) else ""


def _words(node: ast.AST) -> tuple[Any, ...]:
    return tuple(getattr(node, field, None) for field in ("id", "attr", "name"))


def _is_stored(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name and not isinstance(node.ctx, ast.Load)


def _kept(tree: ast.Module, lines: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the names of attributes that each object gets once at most, from an ``__init__`` on ``self``."""
    nodes = [node for node in nodes_of(tree) if isinstance(node, ast.Attribute)]
    times = collections.Counter(node.attr for node in nodes if not isinstance(node.ctx, ast.Load))
    setting: dict[str, list[str]] = {}
    num_calls = 0
    for kind in tree.body:
        for node in kind.body if isinstance(kind, ast.ClassDef) else ():
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                for name in _set_at_once(node):
                    setting.setdefault(name, []).append(getattr(kind, "name", ""))
                num_calls += sum(map(_calls_inherited, ast.walk(node))) == 1
    if num_calls < sum(node.attr == "__init__" for node in nodes):
        return  # an object may be made anew
    for name, owners in setting.items():
        is_once = all(sum(owner in line for owner in owners) <= 1 for line in lines.values())
        if is_once and len(set(owners)) == len(owners) == times[name]:
            yield name


def _set_at_once(node: ast.FunctionDef) -> Iterator[str]:
    """Yield the attributes that the statements of an ``__init__`` set on ``self``, none of them in a loop."""
    for statement in node.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) and statement.value else targets
        for target in targets:
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                yield target.attr


def _calls_inherited(node: ast.AST) -> bool:
    """Whether a node is ``super().__init__``, or the same of a class by its name."""
    if not isinstance(node, ast.Attribute) or node.attr != "__init__":
        return False
    holder = node.value
    if isinstance(holder, ast.Call):
        return isinstance(holder.func, ast.Name) and holder.func.id == "super"
    return isinstance(holder, ast.Name) and holder.id[:1].isupper()
