"""Which locals a line leaves as they are, told from how objects read before it runs.

The one idea: an object shows what is in it. So two locals that share something that can change have a piece
of text in common, and a line that changes one object leaves every local alone in whose text that object's
does not occur. Errs on the side of touching: equal texts may be equal objects, and an object that does not
show what is in it may hold anything.
"""

from __future__ import annotations

import ast
import collections
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from opencwm.debugger.foreseeing.enumerations import MEMBER
from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.pure_values import READERS, text_of
from opencwm.debugger.foreseeing.rendered import is_atom
from opencwm.debugger.foreseeing.shown import is_cut, is_object, object_text, with_places

_CLOSED: Final = re.compile(
    r"<(?:class '[^']*'|function [\w.]+|built-in function \w+|module '[^']*'"
    rf"|(?:method_descriptor|object) object|re\.Match object; .*)>|{MEMBER}",
    re.DOTALL,
)
"""Things that hold no object of a run."""


def pieces(text: str) -> frozenset[str] | None:
    """Return the texts of everything in a rendered value that can change, itself too if it can.

    None where the value does not show what is in it.
    """
    if is_atom(text):
        return frozenset()
    marked, places = with_places(text)
    if is_cut(text) or not all(map(_CLOSED.fullmatch, places)):
        return None
    try:
        tree = ast.parse(marked, mode="eval").body
        return frozenset(_pieces(tree, marked, places))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _pieces(tree: ast.expr, marked: str, places: list[str]) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Dict | ast.Set | ast.Call):
            yield object_text(node, marked, places)
        elif isinstance(node, ast.Name) and not (
            is_object(node) or node.id in ("nan", "inf") or _names_a_call(tree, node)
        ):
            raise ValueError(f"{node.id} is no part of a rendered value")


def _names_a_call(tree: ast.expr, name: ast.Name) -> bool:
    """Whether a name is what an object reads as having been made by."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            while isinstance(function, ast.Attribute):
                function = function.value
            if function is name:
                return True
    return False


_FIXED_READERS: Final = frozenset({"Decimal", "Fraction", "frozenset", "range", "re.compile"})


def is_unchanging(source: str, functions: Collection[str]) -> bool:
    """Whether an expression for what an iterator goes through has nothing in it that can change.

    Args:
        source: the expression, with the values of its operands filled in.
        functions: names that stand for functions of Python.
    """
    marked, places = with_places(source)
    if places or is_cut(source):
        return False
    try:
        tree = ast.parse(marked, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_is_unchanging(node, functions) for node in ast.walk(tree))


def _is_unchanging(node: ast.AST, functions: Collection[str]) -> bool:
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        root = name.partition(".")[0]
        return name in _FIXED_READERS or (name not in READERS and root in functions)
    return isinstance(
        node,
        ast.Tuple
        | ast.Constant
        | ast.UnaryOp
        | ast.unaryop
        | ast.Name
        | ast.Attribute
        | ast.keyword
        | ast.expr_context,
    )


class Changing:
    """Collects what a line changes, one change after the other.

    A text that was current at some moment is current still if it shows nothing that has changed since.

    Attributes:
        began: the moment at which the line began, or went on after it was left.

    Args:
        state: rendered values of the locals before the line runs.
        is_renaming: functions may come to be called otherwise.
    """

    def __init__(self, state: Mapping[str, str], *, is_renaming: bool) -> None:
        self._state = state
        self._is_renaming = is_renaming
        self._changes: list[frozenset[str] | None] = []
        self.began = 0

    @property
    def moment(self) -> int:
        """How many changes there have been."""
        return len(self._changes)

    def anything(self) -> None:
        """Note that any object may change."""
        self._changes.append(None)

    def resume(self, state: Mapping[str, str], *, is_at_once: bool) -> None:
        """Note that the line was left, and goes on: anything may have happened if not at once."""
        if not is_at_once:
            self.anything()
        self._state, self.began = state, self.moment

    def one(self, text: str | None, since: int) -> None:
        """Note that an object changes, which read as ``text`` at a moment; None: not known how."""
        if text is None or pieces(text) is None or self.is_changed(text, since):
            self.anything()
        else:
            self._add({text})

    def all_in(self, texts: Iterable[tuple[str | None, int]], new: Collection[str] = ()) -> None:
        """Note that whatever some objects hold may change; each as it read at a moment.

        Args:
            texts: of the objects.
            new: those of them that nothing else holds, though other things may hold what is in them.
        """
        found: set[str] = set()
        for text, since in texts:
            inside = None if text is None or self.is_changed(text, since) else pieces(text)
            if text is None or inside is None:
                self.anything()
                return
            found |= inside - {text} if text in new else inside
        self._add(found)

    def _add(self, found: Collection[str]) -> None:
        if found:
            self._changes.append(frozenset(found))

    def is_changed(self, text: str, since: int, until: int | None = None) -> bool:
        """Whether what read so at the moment ``since`` may read otherwise now, or at the moment ``until``."""
        changes = self._changes[since:until]
        if not changes or is_atom(text):
            return False
        if _NAMED.fullmatch(text):
            return self._is_renaming
        if None not in changes:
            return any(found and _may_hold(text, found) for found in changes)
        return self._is_renaming or not _reads_the_same_for_ever(text)

    def untouched(self, bound: Collection[str]) -> frozenset[str]:
        """Return the locals that stay as they are; ``bound`` are those that may get another value."""
        return frozenset(
            name
            for name, text in self._state.items()
            if name not in bound and not self.is_changed(text, self.began)
        )


FOREVER: Final = sys.maxsize
"""The moment at which a value is current that cannot change."""
_NAMED: Final = re.compile(r"<(?:function|class|module|built-in function) [^ ]+>")
"""Things that read as they are called."""


def _may_hold(text: str, changing: Collection[str]) -> bool:
    """Whether a value reads otherwise once objects have changed."""
    if is_atom(text):
        return False
    return is_cut(text) or any(piece in text for piece in changing)


_UNCHANGING: Final = re.compile(
    r"<(?:class '[^']*'|(?:function|generator object) [\w.<>]+|built-in function \w+|module '[^']*'"
    rf"|\w+ object|re\.Match object; .*)>|{MEMBER}",
    re.DOTALL,
)
"""Things that read the same whatever becomes of them."""


def _reads_the_same_for_ever(text: str) -> bool:
    marked, places = with_places(text)
    if is_cut(text) or not all(map(_UNCHANGING.fullmatch, places)):
        return False
    try:
        nodes = list(ast.walk(ast.parse(marked, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not any(isinstance(node, ast.List | ast.Dict | ast.Set | ast.Call) for node in nodes)


def held_by(text: str | None, state: Mapping[str, str]) -> tuple[dict[str, frozenset[str]], bool]:
    """Return which locals may hold what a loop goes through, and whether it may change unseen.

    Args:
        text: how it reads, in ``list(...)`` where it has no subscripts; None where that is not known.
        state: rendered values of the locals.

    Returns:
        By name, those pieces of the text that the local shows as well.
    """
    if text is None or is_atom(text):
        return {}, False
    inner = text.removeprefix("list(").removesuffix(")") if text.startswith("list(") else text
    inside = pieces(inner)
    if inside is None:
        return {}, True
    kind = inner.partition("(")[0]
    if kind in ("dict_items", "dict_values"):
        items = f"list({inner})"
        shown = (piece for whole in state.values() for piece in (pieces(whole) or {whole}))
        inside = frozenset(piece for piece in shown if _shows_items(piece, kind, items))
        if not inside:
            return {}, True
    shared = {
        name: frozenset(piece for piece in inside if piece in whole)
        for name, whole in state.items()
        if not is_atom(whole)
    }
    return {name: found for name, found in shared.items() if found}, False


def are_matches(source: str) -> bool:
    """Whether an expression makes a list of the matches of a pattern in a text that is written out."""
    try:
        node = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    inner = node.args[0] if isinstance(node, ast.Call) and len(node.args) == 1 else None
    if not isinstance(inner, ast.Call) or not isinstance(inner.func, ast.Attribute) or not inner.args:
        return False
    return (
        ast.unparse(node.func) == "list"  # type: ignore[attr-defined]
        and inner.func.attr == "finditer"
        and isinstance(inner.func.value, ast.Name)
        and all(isinstance(item, ast.Name | ast.Constant) for item in inner.args)
    )


def _shows_items(whole: str, kind: str, items: str) -> bool:
    """Whether a rendered value is a dictionary with the items, or the values, that a loop goes through."""
    if "{" not in whole or whole[-1] not in "})":
        return False
    try:
        value = known_value(whole)
        if not isinstance(value, dict):
            return False
        given = items.removeprefix(f"list({kind}(").removesuffix("))")
        found = list(dict.items(value) if kind == "dict_items" else dict.values(value))
        if isinstance(value, collections.Counter):  # its text does not tell their order
            return sorted(map(text_of, found)) == sorted(map(text_of, known_value(given)))
        return text_of(found) == given
    except (Undecided, ValueError):
        return False
