"""Bounds of a recording: how many steps, how many bytes, how much of a value."""

from __future__ import annotations

import dataclasses

from opencwm.core.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class TraceLimits:
    """What a recording may cost. A value beyond a bound is cut and marked, a run beyond one is ended.

    Attributes:
        max_steps: most steps of a trace, at least 1.
        max_bytes: most characters of names and values in a trace, at least 1.
        max_value_chars: most characters of one rendered value, at least 16 (brackets that close a cut value
            and its ``...`` marks come on top).
        max_elements: most elements, entries or attributes rendered of one container or object, at least 1.
        max_nesting: deepest container rendered inside a value, 1 to 50; deeper ones become ``[...]``.
        user_repr: call the ``__repr__`` of the program's own classes. It is the program's code: it can have
            side effects, hang or lie. Off, objects read ``ClassName(attribute=value, ...)``.
        max_stdout_chars: most characters of standard output that are kept; the rest is dropped.
        expressions: record sub-expressions as well: :attr:`opencwm.traces.Step.evaluations`.
        max_evaluation_chars: a sub-expression whose text and value have more characters is left out, at
            least 16. All of a run together are bounded by ``max_bytes`` as well; then no further ones are
            recorded, and the run goes on.
        max_evaluations: most sub-expressions of one step; further ones are left out.
    """

    max_steps: int = 100_000
    max_bytes: int = 64 * 2**20
    max_value_chars: int = 2_000
    max_elements: int = 200
    max_nesting: int = 12
    user_repr: bool = False
    max_stdout_chars: int = 10_000
    expressions: bool = False
    max_evaluation_chars: int = 200
    max_evaluations: int = 200

    def __post_init__(self) -> None:
        least = {"max_steps": 1, "max_bytes": 1, "max_value_chars": 16, "max_elements": 1, "max_nesting": 1}
        least |= {"max_stdout_chars": 0, "max_evaluation_chars": 16, "max_evaluations": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ConfigError(
                    f"{name} must be at least {low}, not {getattr(self, name)}", where="TraceLimits"
                )
        if self.max_nesting > 50:
            raise ConfigError(f"max_nesting must be at most 50, not {self.max_nesting}", where="TraceLimits")


DEFAULT_LIMITS = TraceLimits()
