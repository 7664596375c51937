"""``json``: texts to values and back, without what calls functions of the program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.pure_families import Family, named
from opencwm.debugger.foreseeing.pure_limits import Undecided, UnsupportedError, check_count, size_of
from opencwm.debugger.foreseeing.shown import holds_shown

_KEYWORDS: Final = frozenset({"sort_keys", "indent", "separators", "ensure_ascii", "allow_nan", "skipkeys"})
_MOST_CHARS: Final = 10_000


def _check(target: Any, name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    del target
    if len(args) != 1 or not keywords.keys() <= (_KEYWORDS if name == "dumps" else frozenset()):
        raise UnsupportedError(f"json.{name} is not supported with these arguments")
    if holds_shown(args):
        raise Undecided("what an object reads as in JSON is not known")
    indent = keywords.get("indent")
    check_count(size_of(args[0]) * (1 + (indent if isinstance(indent, int) else size_of(indent or ""))))
    if name == "loads" and (not isinstance(args[0], str) or len(args[0]) > _MOST_CHARS):
        raise UnsupportedError("only texts of moderate length are read")


FAMILY: Final = Family(functions={"json": named([json.dumps, json.loads])}, check=_check)
"""``dumps`` and ``loads``."""
