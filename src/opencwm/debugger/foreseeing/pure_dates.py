"""``datetime``: days, times and points in time without a zone, the spans between them; and ``slice``.

Nothing of the clock, of time zones, or of the locale.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.pure_families import Family, words
from opencwm.debugger.foreseeing.pure_limits import OF_DAYS, UnsupportedError, check_spec
from opencwm.debugger.foreseeing.pure_values import DAYS

_NUMBERS: Final = re.compile(r"[^%]*(?:%Y[^%]*)(?:%[mdHMS][^%]*)*")
"""Formats that are read: the year, and then other numbers."""
_DAY: Final = "year month day"
_TIME: Final = "hour minute second microsecond fold tzinfo"
_OF_DAYS: Final = "isoformat isoweekday replace strftime toordinal weekday"


def _check(target: Any, name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    del target
    if "tzinfo" in keywords or any(isinstance(arg, datetime.tzinfo) for arg in args):
        raise UnsupportedError("time zones are not supported here")
    if name in ("strftime", "strptime"):
        written = args[-1] if args else None
        pattern = OF_DAYS if name == "strftime" else _NUMBERS
        if not isinstance(written, str) or not written.isascii() or pattern.fullmatch(written) is None:
            raise UnsupportedError("such a format of days is not supported here")
        check_spec(written)


FAMILY: Final = Family(
    functions={"datetime": {kind.__name__: kind for kind in DAYS}},
    methods={
        datetime.date: words(_OF_DAYS),
        datetime.datetime: words(f"{_OF_DAYS} date time"),
        datetime.time: words("isoformat replace strftime"),
        datetime.timedelta: words("total_seconds"),
        slice: words("indices"),
    },
    class_methods={
        datetime.date: words("fromisoformat fromordinal fromisocalendar"),
        datetime.datetime: words("fromisoformat fromordinal fromisocalendar strptime"),
        datetime.time: words("fromisoformat"),
    },
    attributes={
        datetime.date: words(_DAY),
        datetime.datetime: words(f"{_DAY} {_TIME}"),
        datetime.time: words(_TIME),
        datetime.timedelta: words("days seconds microseconds"),
        slice: words("start stop step"),
    },
    check=_check,
)
"""Days and slices."""
