"""Follow several statements that stand on one line, see :mod:`.one_line`."""

from __future__ import annotations

import abc
import ast
from collections.abc import Sequence

from opencwm.debugger.foreseeing.attribute_follower import AttributeFollower
from opencwm.debugger.foreseeing.expectations import Iterating, UnforeseenError
from opencwm.debugger.foreseeing.one_line import JUMPS
from opencwm.debugger.foreseeing.with_blocks import RETURNS


class OneLineFollower(AttributeFollower):
    """Follows statements one after the other.

    Attributes:
        last: the one that was followed last.
    """

    last: ast.stmt | ast.expr | ast.match_case | None = None

    @abc.abstractmethod
    def _statement(self, node: ast.stmt) -> None:
        """Follow a statement."""

    def _in_turn(self, body: Sequence[ast.stmt]) -> None:
        """Follow statements, each with what those before it have done.

        Raises:
            UnforeseenError: that is not known.
        """
        for number, node in enumerate(body):
            self._statement(node)
            if self.outcome.raised is not None or isinstance(node, JUMPS):
                return
            if number + 1 < len(body):
                self._take_for_granted(node)

    def _take_for_granted(self, node: ast.stmt) -> None:
        """Have names read as a statement has left them."""
        values = self.outcome.values
        bound = [
            part.id
            for part in ast.walk(node)
            if isinstance(part, ast.Name)
            and not isinstance(part.ctx, ast.Load)
            and part.id not in self._inner
        ]
        if not self.outcome.is_told or not values.keys() >= set(bound):
            raise UnforeseenError
        for name, text in list(values.items()):
            if isinstance(text, Iterating) or (isinstance(self._memory.made.get(name), Iterating)):
                raise UnforeseenError
            if text != self._state.get(name) or name in bound:
                self._memory.made.pop(name, None)
                self._memory.methods.pop(name, None)
                self._reads_now(name, text)

    def _short_if(self, node: ast.If) -> None:
        """Follow an ``if`` whose body stands on its line."""
        known = self._known.short_ifs.get(node.lineno)
        holds = self._truth_of(self._value(node.test))
        if known is None or holds is None:  # what is behind it may run or not
            self.outcome.is_told = False
            self.outcome.values.clear()
            self._objects_change()
            return
        leads_to = known.after if holds else known.otherwise
        if holds:
            self._in_turn(node.body)
        last = node.body[-1]
        if holds and isinstance(last, JUMPS):
            is_elsewhere = known.is_bare and not isinstance(last, ast.Continue | ast.Raise)
            self.outcome.truth = False if is_elsewhere and known.otherwise else None
            return
        self.outcome.truth = None if holds else True
        if leads_to is not None and self.outcome.is_told:
            self.outcome.leads_to = frozenset({leads_to})
        if leads_to == RETURNS:
            self.outcome.returned = "None"
