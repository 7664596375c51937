"""What the free variables of inner functions hold, while a run goes on.

The one idea: where a function has been entered once only, there is one of each of its variables, and every
function within it means that one. Only values that cannot change in place are told: who else holds a list is
not looked into.
"""

from __future__ import annotations

import symtable
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from opencwm.debugger.foreseeing.rendered import is_atom
from opencwm.debugger.foreseeing.shown import is_cut
from opencwm.debugger.foreseeing.touching import pieces


class Closures:
    """The variables of one run that inner functions share with those around them.

    Args:
        owners: by first line of an inner function, its free variables, with the first lines of the functions
            they belong to; see :func:`free_variables`.
        kept: by first line of an inner function those that nothing but it changes, as they read at first.
    """

    def __init__(
        self,
        owners: Mapping[int, Mapping[str, int]],
        kept: Mapping[int, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        self._owners = owners
        self._kept = {first: dict(names) for first, names in kept.items()}
        self._held = {first for names in owners.values() for first in names.values()}
        self._entered: dict[int, int] = {}
        self._values: dict[tuple[int, str], str] = {}

    def enters(self, first: int) -> None:
        """Take note that a function is entered anew."""
        self._entered[first] = self._entered.get(first, 0) + 1

    def reads(self, first: int, state: Mapping[str, str]) -> None:
        """Take note of how the locals of a function read now that it has made a step."""
        for name in self._kept.get(first, {}):
            text = state.get(name, "")
            is_alone = bool(text) and (is_atom(text) or pieces(text) == frozenset({text}))
            self._kept[first][name] = text if is_alone else ""
        names = dict(self._owners.get(first, {}))
        if first in self._held:
            own = {name for of in self._owners.values() for name, owner in of.items() if owner == first}
            names |= dict.fromkeys(own, first)
        for name, owner in names.items():
            text = state.get(name, "")
            if text and not is_cut(text) and (is_atom(text) or text.startswith("<function ")):
                self._values[owner, name] = text
            else:
                self._values.pop((owner, name), None)

    def kept(self, first: int) -> dict[str, str]:
        """Return how the free variables read now that nothing but a function changes."""
        return {name: text for name, text in self._kept.get(first, {}).items() if text}

    def free(self, first: int) -> dict[str, str]:
        """Return how the free variables of a function read that is entered now, as far as that is known."""
        return {
            name: self._values[owner, name]
            for name, owner in self._owners.get(first, {}).items()
            if self._entered.get(owner) == 1 and (owner, name) in self._values
        }


def free_variables(text: str) -> dict[int, dict[str, int]]:
    """Return by first line of each inner function its free variables, with the functions they belong to.

    Functions that share their first line with another one are left out, and decorated ones.
    """
    try:
        top = symtable.symtable(text, "<program>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[int, dict[str, int]] = {}
    lines: list[int] = []
    for table, around in _functions(top, ()):
        lines.append(table.get_lineno())
        names: dict[str, int] = {}
        for name in table.get_frees():
            owner = next((outer for outer in reversed(around) if name in outer.get_locals()), None)
            if owner is not None and owner.lookup(name).is_local() and not owner.lookup(name).is_free():
                names[name] = owner.get_lineno()
        if names:
            found[table.get_lineno()] = names
    once = {line for line in lines if lines.count(line) == 1}
    return {
        first: {name: owner for name, owner in names.items() if owner in once}
        for first, names in found.items()
        if first in once
    }


def closed_functions(text: str) -> frozenset[int]:
    """Return the first lines of functions without free variables; of one line all have to be such."""
    try:
        top = symtable.symtable(text, "<program>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    tables = [table for table, _ in _functions(top, ())]
    open_lines = {table.get_lineno() for table in tables if table.get_frees()}
    return frozenset(table.get_lineno() for table in tables) - open_lines


def _functions(
    table: symtable.SymbolTable, around: tuple[symtable.Function, ...]
) -> Iterator[tuple[symtable.Function, tuple[symtable.Function, ...]]]:
    """Yield the functions within a scope, each with those around it."""
    for child in table.get_children():
        if isinstance(child, symtable.Function):
            yield child, around
            yield from _functions(child, (*around, child))
        else:
            yield from _functions(child, around)
