"""Which of the times that a breakpoint is reached stop: ``5``, ``>= 3``, ``% 2``.

A number alone is that one time, ``%`` every so many times, as in debugpy and VS Code. The Debug Adapter
Protocol leaves the meaning to the debugger (``hitCondition``).
"""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Callable

from opencwm.core.errors import ConfigError

_FORM = re.compile(r"\s*(==|>=|<=|>|<|%)?\s*([0-9]{1,9})\s*", re.ASCII)
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "%": lambda hit, number: hit % number == 0,
}


@dataclasses.dataclass(frozen=True, slots=True)
class HitCondition:
    """A condition on how often a breakpoint was reached.

    Attributes:
        comparison: ``==``, ``>=``, ``<=``, ``>``, ``<`` or ``%``.
        number: what the count is compared with; at least 1 after ``%``.
    """

    comparison: str
    number: int

    @classmethod
    def parse(cls, text: str) -> HitCondition:
        """Read ``5``, ``== 5``, ``>= 3``, ``<= 3``, ``> 3``, ``< 3`` or ``% 2``.

        Raises:
            ConfigError: it is none of these.
        """
        found = _FORM.fullmatch(text)
        if found is None or (found[1] == "%" and not int(found[2])):
            raise ConfigError(f"not a hit condition: {text!r}", hint="for example: 5, >= 3, % 2")
        return cls(found[1] or "==", int(found[2]))

    def holds(self, hit: int) -> bool:
        """Whether hit number ``hit``, counted from 1, is meant."""
        return _COMPARISONS[self.comparison](hit, self.number)

    def __str__(self) -> str:
        return f"{self.comparison} {self.number}"
