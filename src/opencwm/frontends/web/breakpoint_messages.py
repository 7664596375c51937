"""What the page may post about breakpoints, and what that does to those of a session."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from opencwm.core.errors import ConfigError
from opencwm.debugger.breakpoint_list import Breakpoints
from opencwm.debugger.breakpoints import (
    Breakpoint,
    DataBreakpoint,
    ExceptionBreakpoint,
    FunctionBreakpoint,
    LineBreakpoint,
)
from opencwm.debugger.hit_condition import HitCondition
from opencwm.debugger.log_message import LogMessage
from opencwm.frontends.web.messages import check_text


def _check_options(message: NewBreakpoint | ChangeBreakpoint) -> None:
    for name in ("condition", "hit_condition", "log_message"):
        check_text(name, getattr(message, name))


def _text(text: str | None) -> str | None:
    return (text or "").strip() or None


@dataclasses.dataclass(frozen=True, kw_only=True)
class NewBreakpoint:
    """A breakpoint to add: one of ``line``, ``called``, ``variable`` and ``exceptions``.

    Attributes:
        line: before which to stop.
        called: function at whose calls to stop.
        variable: of which each change stops.
        function: in which the variable is.
        exceptions: which exceptions stop.
        types: names of exception types, of which it has to be one; empty for any.
        condition: over the locals there.
        hit_condition: which hits stop, for example ``>= 3``.
        log_message: text with ``{expression}`` in it, to log instead of stopping.
    """

    line: int | None = None
    called: str | None = None
    variable: str | None = None
    function: str = ""
    exceptions: Literal["raised", "uncaught"] | None = None
    types: tuple[str, ...] = ()
    condition: str | None = None
    hit_condition: str | None = None
    log_message: str | None = None

    def __post_init__(self) -> None:
        _check_options(self)
        if sum(item is not None for item in (self.line, self.called, self.variable, self.exceptions)) != 1:
            raise ConfigError("one of line, called, variable and exceptions is wanted", where="breakpoint")

    def add_to(self, breakpoints: Breakpoints) -> Breakpoint:
        """Add it.

        Raises:
            ConfigError: it makes no sense there.
        """
        options: dict[str, Any] = {
            "condition": _text(self.condition),
            "hit_condition": _text(self.hit_condition),
            "log_message": _text(self.log_message),
        }
        if self.line is not None:
            return breakpoints.add_line(self.line, **options)
        if self.called is not None:
            return breakpoints.add_function(self.called, **options)
        if self.variable is not None:
            return breakpoints.add_data(self.variable, self.function, **options)
        return breakpoints.add_exception(self.exceptions or "raised", self.types, **options)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChangeBreakpoint:
    """What to change of a breakpoint; what is left out stays. An empty text removes what it would say."""

    is_enabled: bool | None = None
    condition: str | None = None
    hit_condition: str | None = None
    log_message: str | None = None

    def __post_init__(self) -> None:
        _check_options(self)

    def apply(self, item: Breakpoint) -> None:
        """Change a breakpoint, all of it or nothing.

        Raises:
            ConfigError: one of the texts makes no sense.
        """
        hits, log = _text(self.hit_condition), _text(self.log_message)
        parsed_hits = None if hits is None else HitCondition.parse(hits)
        parsed_log = None if log is None else LogMessage.parse(log)
        if self.condition is not None:
            item.set_condition(_text(self.condition))
        if self.hit_condition is not None:
            item.hit_condition = parsed_hits
        if self.log_message is not None:
            item.log_message = parsed_log
        if self.is_enabled is not None:
            item.is_enabled = self.is_enabled


def specification(item: Breakpoint) -> NewBreakpoint:
    """Return what makes a breakpoint like this one.

    Raises:
        TypeError: of a kind that the page cannot make.
    """
    options: dict[str, Any] = {
        "condition": item.condition,
        "hit_condition": None if item.hit_condition is None else str(item.hit_condition),
        "log_message": None if item.log_message is None else str(item.log_message),
    }
    match item:
        case LineBreakpoint():
            return NewBreakpoint(line=item.lineno, **options)
        case FunctionBreakpoint():
            return NewBreakpoint(called=item.name, **options)
        case DataBreakpoint():
            return NewBreakpoint(variable=item.variable, function=item.function, **options)
        case ExceptionBreakpoint():
            return NewBreakpoint(exceptions=item.mode.value, types=item.types, **options)
    raise TypeError(f"no kind of breakpoint of the page: {item!r}")
