"""``operator.itemgetter``: functions that give items of what they are called with."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.pure_families import Family
from opencwm.debugger.foreseeing.pure_limits import Undecided, UnsupportedError
from opencwm.debugger.foreseeing.pure_values import Shown, kind_of

GETTER: Final = "<itemgetter object>"
"""How one reads, whatever it gives."""
_KEYS: Final = (int, str, bytes, float, type(None))
_HOLDERS: Final = (list, tuple, str, bytes, range, dict)
"""Types of which an item is read without anything else being done."""


class Getter(Shown):
    """A function that gives some items.

    Args:
        keys: of those.
    """

    __slots__ = ("_get",)

    def __init__(self, keys: Sequence[Any]) -> None:
        super().__init__(GETTER)
        self._get = operator.itemgetter(*keys)

    def __call__(self, *args: Any) -> Any:
        """Return the items of a value.

        Raises:
            Undecided: it is none of Python's own.
        """
        if any(kind_of(value) not in _HOLDERS for value in args):
            raise Undecided("items of an object are not known")
        return self._get(*args)


def _check(target: Any, name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    del target
    if keywords or not all(isinstance(key, _KEYS) for key in args):
        raise UnsupportedError(f"{name} of this is not supported here")


FAMILY: Final = Family(functions={"operator": {"itemgetter": operator.itemgetter}}, check=_check)
"""Functions that give items."""
