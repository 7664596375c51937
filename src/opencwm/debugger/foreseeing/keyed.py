"""``sorted``, ``min`` and ``max`` by keys that are known: what the calls of a key function were worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.expressions import known_value
from opencwm.debugger.foreseeing.pure_values import is_told, text_of

KEYED: Final = frozenset({"sorted", "min", "max"})
"""Built-in functions that call a key function once for each item, in order."""


def chosen(
    name: str, items: Sequence[Any], keys: Sequence[str], named: Mapping[str, str | None]
) -> str | None:
    """Return what a function of :data:`KEYED` gives; None where that is not certain.

    Args:
        name: of the function.
        items: what it goes through.
        keys: rendered values of the key function for each of them.
        named: rendered arguments by name.
    """
    reverse = named.get("reverse", "False")
    if len(keys) != len(items) or not items or reverse not in ("True", "False"):
        return None
    try:
        values = [known_value(key) for key in keys]
        if not all(map(is_told, values)):
            return None
        places = range(len(items))
        if name == "sorted":
            order = sorted(places, key=values.__getitem__, reverse=reverse == "True")
            return text_of([items[place] for place in order])
        choose = min if name == "min" else max
        return text_of(items[choose(places, key=values.__getitem__)])
    except Exception:  # undecided, or the program will raise it
        return None
