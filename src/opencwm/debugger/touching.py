"""Which locals a line leaves as they are, told from how objects read before it runs.

The one idea: an object shows what is in it. So two locals that share something that can change have a piece
of text in common, and a line that changes one object leaves every local alone in whose text that object's
does not occur. Errs on the side of touching: equal texts may be equal objects, and an object that does not
show what is in it may hold anything.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from opencwm.debugger.expressions import Undecided, known_value
from opencwm.debugger.pure_values import text_of
from opencwm.debugger.rendered import is_atom
from opencwm.debugger.shown import is_cut, is_object, object_text, with_places

_CLOSED: Final = re.compile(r"<(?:class '[^']*'|function [\w.]+|built-in function \w+|module '[^']*')>")
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


class Changing:
    """Collects what a line changes.

    Args:
        state: rendered values of the locals before it runs.
    """

    def __init__(self, state: Mapping[str, str]) -> None:
        self._state = state
        self._pieces: set[str] | None = set()
        self._has_begun = False

    def anything(self) -> None:
        """Note that any object may change."""
        self._pieces = None

    @property
    def is_anything(self) -> bool:
        """Whether any object may change."""
        return self._pieces is None

    def one(self, name: str, text: str | None) -> None:
        """Note that an object changes, reading as ``text``, which was come by through the local ``name``.

        Empty: through none; and None: it is not known how it reads.
        """
        if self._has_begun or text is None or pieces(text) is None or text not in self._state.get(name, text):
            self.all_in([(name, text)])
        else:
            self._add({text})

    def all_in(self, values: Iterable[tuple[str, str | None]]) -> None:
        """Note that whatever some objects hold may change; each with the local it was come by through."""
        found: set[str] = set()
        for name, text in values:
            before = self._state.get(name)
            known = before if before is not None else None if self._has_begun else text
            inside = None if known is None or text is None else pieces(known)
            if inside is None:
                self.anything()
                return
            found |= inside
        self._add(found)

    def _add(self, found: Collection[str]) -> None:
        self._has_begun = True
        if self._pieces is not None:
            self._pieces.update(found)

    def untouched(self, bound: Collection[str]) -> frozenset[str]:
        """Return the locals that stay as they are; ``bound`` are those that may get another value."""
        found = self._pieces
        return frozenset(
            name for name, text in self._state.items() if name not in bound and not _may_hold(text, found)
        )


def _may_hold(text: str, changing: Collection[str] | None) -> bool:
    """Whether a value reads otherwise once objects have changed; None stands for any."""
    if is_atom(text):
        return False
    if changing is None:
        return not _reads_the_same_for_ever(text)
    return is_cut(text) or any(piece in text for piece in changing)


_UNCHANGING: Final = re.compile(
    r"<(?:class '[^']*'|(?:function|generator object) [\w.<>]+|built-in function \w+|module '[^']*'"
    r"|\w+ object|re\.Match object; .*)>",
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
        inside = frozenset(whole for whole in state.values() if _shows_items(whole, kind, items))
        if not inside:
            return {}, True
    shared = {
        name: frozenset(piece for piece in inside if piece in whole)
        for name, whole in state.items()
        if not is_atom(whole)
    }
    return {name: found for name, found in shared.items() if found}, False


def _shows_items(whole: str, kind: str, items: str) -> bool:
    """Whether a rendered value is a dictionary with the items, or the values, that a loop goes through."""
    if "{" not in whole or whole[-1] not in "})":
        return False
    try:
        value = known_value(whole)
        if not isinstance(value, dict):
            return False
        found = list(value.items() if kind == "dict_items" else value.values())
        return text_of(found) == items.removeprefix(f"list({kind}(").removesuffix("))")
    except (Undecided, ValueError):
        return False
