"""Follow what generators of the program hand out: ``yield`` and ``yield from``.

A line that hands out something is left, and gone on with from its beginning: what it has evaluated by then is
written, and what it has handed out counted.
"""

from __future__ import annotations

import ast

from opencwm.debugger.foreseeing.expectations import Memory, UnforeseenError, YieldingError
from opencwm.debugger.foreseeing.hooks import is_call_of_names
from opencwm.debugger.foreseeing.known import Known
from opencwm.debugger.foreseeing.making_follower import MakingFollower
from opencwm.debugger.foreseeing.streams import Generated


class YieldFollower(MakingFollower):
    """Follows what is handed out.

    Attributes:
        holds_all: of what it hands out, the line has come by no value that it does not hold any more.
    """

    def __init__(self, known: Known, memory: Memory, *, calculates: bool) -> None:
        super().__init__(known, memory, calculates=calculates)
        self._num_yields = memory.num_yields
        self.holds_all = False

    def _yield(self, node: ast.Yield) -> str | None:
        """Follow what is handed out; what a generator is sent when it is asked to go on is not known."""
        value = "None" if node.value is None else self._value(node.value)
        if self._num_yields == 0:
            raise YieldingError(value)
        if self._num_yields != 1:
            raise UnforeseenError
        self._num_yields = 0
        self._take_up()
        return "None" if self._memory.is_asked else None

    def _yieldfrom(self, node: ast.YieldFrom) -> str | None:
        """Follow what hands out all items of something else, as often as it has handed out one."""
        if self._num_yields > 1 and not self._memory.is_steady:
            raise UnforeseenError  # the rounds before had other values
        text = self._value(node.value)
        stream = self._only_here(node.value, text) or self._stream(text)
        while (item := stream.pull(self)) is not None:
            if self._num_yields == 0:
                self.holds_all = (
                    isinstance(stream, Generated) and len(self.calls) == 1 and is_call_of_names(node.value)
                )
                raise YieldingError(self._current(*item))
            self._num_yields -= 1
            self._take_up()
        return stream.returned if isinstance(stream, Generated) else "None"

    def _take_up(self) -> None:
        """Take up the line after it has handed out a value."""
        self._before, self._state = self._memory.resumed, dict(self._memory.resumed)
        self._changing.resume(self._before, is_at_once=self._memory.is_at_once)
        self._born = dict.fromkeys(self._state, self._changing.moment)
        self._has_entered, self.outcome.is_pure = False, True
        self.changed_names.clear()
        self.outcome.values.clear()
        self.outcome.is_told = self.outcome.is_told and self._memory.is_asked  # it may have been closed
