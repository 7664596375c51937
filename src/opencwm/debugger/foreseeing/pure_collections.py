"""``collections``: counters, deques and dictionaries of other kinds; and ``bisect`` and ``bytearray``."""

from __future__ import annotations

import bisect
import collections
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.pure_families import Family, named, words
from opencwm.debugger.foreseeing.pure_limits import UnsupportedError, check_count, size_of

_LOOKUPS: Final = words("copy get items keys values")
_DICT_CHANGES: Final = words("clear pop popitem setdefault update")
_COUNTING: Final = words("update subtract setdefault")


def _check(target: Any, name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    if name == "elements":
        counts = target.values()
        if not all(isinstance(count, int) for count in counts):
            raise UnsupportedError("counts that are no integers are not supported here")
        check_count(sum(count for count in counts if count > 0))
    is_counter = isinstance(target, collections.Counter)
    if is_counter and name in _COUNTING and type(target) is not collections.Counter:
        raise UnsupportedError("the order of a counter is not known")
    if target is None and name == "bytearray" and args and isinstance(args[0], int):
        check_count(args[0])
    if target is None and name in ("Counter", "OrderedDict", "deque", "defaultdict"):
        _check_made(name, args, keywords)
    if name == "__missing__" or keywords.get("key") is not None:
        raise UnsupportedError(f"{name} is not supported here")


def _check_made(name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    if name == "defaultdict" and args and not (args[0] is None or isinstance(args[0], type)):
        raise UnsupportedError("defaultdict with a function of the program is not supported here")
    for arg in args:
        if not isinstance(arg, type):
            check_count(size_of(arg))
    check_count(len(keywords))


FAMILY: Final = Family(
    functions={
        "collections": {
            "Counter": collections.Counter,
            "OrderedDict": collections.OrderedDict,
            "defaultdict": collections.defaultdict,
            "deque": collections.deque,
        },
        "bisect": named([bisect.bisect, bisect.bisect_left, bisect.bisect_right]),
        "builtins": {"bytearray": bytearray},
    },
    methods={
        collections.Counter: _LOOKUPS | {"elements", "most_common", "total"},
        collections.OrderedDict: _LOOKUPS,
        collections.defaultdict: _LOOKUPS,
        collections.deque: words("copy count index"),
        bytearray: words("copy count decode endswith find hex index join startswith"),
    },
    changing={
        collections.Counter: words("clear pop setdefault subtract update"),
        collections.OrderedDict: _DICT_CHANGES | {"move_to_end"},
        collections.defaultdict: _DICT_CHANGES,
        collections.deque: words(
            "append appendleft clear extend extendleft insert pop popleft remove reverse rotate"
        ),
        bytearray: words("append clear extend insert pop remove reverse"),
    },
    attributes={collections.deque: frozenset({"maxlen"})},
    check=_check,
)
"""Containers of ``collections``."""
