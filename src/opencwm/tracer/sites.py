"""What is known of an instrumented expression before it runs: where it stands, and how its record reads.

Made by :mod:`opencwm.tracer.instrument`, read by :mod:`opencwm.tracer.evaluator`. Both know a site by its
index.
"""

from __future__ import annotations

import dataclasses
import enum

Push = tuple[int, int]
"""A site and which of its operands, both counted from 0: where the text of a value is wanted."""

HOOK_NAMES = (
    *("operand", "result", "decision", "link", "loop", "item", "exhausted"),
    *("augmented", "holder", "loaded", "fetched", "combined"),
)
"""The hooks an instrumented program calls, methods of :class:`opencwm.tracer.evaluator.Evaluator`."""

MARKERS = {f"\0opencwm {name}": name for name in HOOK_NAMES}
"""The constants of the compiled syntax tree in whose place the hooks are put."""


class SiteKind(enum.IntEnum):
    """How the operands of a site make its record."""

    PLAIN = 0  # all are evaluated, the result arrives at the hook ``result``
    AND = 1
    OR = 2
    NOT = 3  # of something that is compiled to jumps
    CHAIN = 4
    LOOP = 5


@dataclasses.dataclass(slots=True)
class Site:
    """One expression.

    Attributes:
        place: first line, first column, last line, end column; columns in characters from 0.
        push: where the text of its result is wanted, or None.
        kind: see :class:`SiteKind`.
        template: ``%``-format of the record's text, one ``%s`` for each operand.
        num_operands: how many operands are not written into the template.
        tight: operands that need brackets when they begin with one of these characters.
        drops_none: a result of None is not worth a record.
        is_lookup: a result that is a function or method is not worth a record.
        joins_values: the BoolOp is an ordinary value, its result arrives at the hook ``result``.
        operators: of a CHAIN or an augmented assignment, as they are written.
        iterable: for a LOOP the site of the call that makes what is iterated over, or -1.
    """

    place: tuple[int, int, int, int]
    push: Push | None = None
    kind: SiteKind = SiteKind.PLAIN
    template: str = ""
    num_operands: int = 0
    tight: tuple[tuple[int, str], ...] = ()
    drops_none: bool = False
    is_lookup: bool = False
    joins_values: bool = False
    operators: tuple[str, ...] = ()
    iterable: int = -1

    def literal(self, text: str) -> None:
        """Add text to the template."""
        self.template += text.replace("%", "%%")

    def slot(self, tight: str = "") -> int:
        """Add an operand to the template; return its number."""
        index = self.num_operands
        self.num_operands += 1
        self.template += "%s"
        if tight:
            self.tight += ((index, tight),)
        return index
