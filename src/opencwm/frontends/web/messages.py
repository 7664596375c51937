"""What the page may post: frozen dataclasses, filled strictly by :mod:`opencwm.core.config`."""

from __future__ import annotations

import dataclasses
from typing import Literal

from opencwm.core.errors import ConfigError

MAX_TEXT = 4_000
"""Most characters of an expression or a call."""
MAX_STEPS_AT_ONCE = 256
MAX_ASSUMPTIONS = 50

MoveName = Literal[
    "step_into",
    "step_over",
    "step_out",
    "continue_",
    "step_back",
    "back_over",
    "back_out",
    "continue_back",
    "restart",
    "run_to",
]


def check_text(name: str, text: str | None) -> None:
    """Check that a text is not too long.

    Raises:
        ConfigError: it is.
    """
    if text is not None and len(text) > MAX_TEXT:
        raise ConfigError(f"more than {MAX_TEXT} characters", where=name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where a window is.

    Attributes:
        timeline: its number.
        position: index of a step that is known.
        is_ended: whether it is past the last step.
    """

    timeline: int
    position: int
    is_ended: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Move(Place):
    """A move.

    Attributes:
        move: name of the method of :class:`opencwm.debugger.session.Session`.
        known: how many steps of the timeline the window has.
        line: for ``run_to``.
    """

    move: MoveName
    known: int = 0
    line: int | None = None

    def __post_init__(self) -> None:
        if (self.line is None) is (self.move == "run_to"):
            raise ConfigError("a line goes with 'run_to', and only with it", where="line")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetVariable(Place):
    """A variable to set, to a pure expression."""

    name: str
    value: str

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_text("value", self.value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Steer(Place):
    """What kind of step is to come next."""

    kind: Literal["call", "line", "return", "exception"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluate(Place):
    """An expression to evaluate.

    Attributes:
        expression: one Python expression.
        level: of the activation, -1 for the innermost.
        ask: whether the model may be asked for what cannot be computed.
    """

    expression: str
    level: int = -1
    ask: bool = False

    def __post_init__(self) -> None:
        check_text("expression", self.expression)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restart:
    """Begin again.

    Attributes:
        call: another call; empty for none, so that the entry starts the program; null for the one there was.
        assumptions: others; null for those there were.
    """

    call: str | None = None
    assumptions: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_text("call", self.call)
        if len(self.assumptions or ()) > MAX_ASSUMPTIONS:
            raise ConfigError(f"more than {MAX_ASSUMPTIONS}", where="assumptions")
        for text in self.assumptions or ():
            check_text("assumptions", text)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nothing:
    """No content."""
