"""Messages of log points: text with ``{expression}`` in it, filled in from rendered values.

``{{`` and ``}}`` are braces. An expression is what :mod:`opencwm.debugger.foreseeing.expressions` knows.
Nothing is run. What is not known says so in its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from opencwm.core.errors import ConfigError
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided, evaluate, parsed

MAX_CHARS = 2_000
"""Of a message before it is filled in."""


@dataclasses.dataclass(frozen=True, slots=True)
class LogMessage:
    """A message with expressions.

    Attributes:
        template: as it was written.
        parts: literal texts at even places, expressions at odd ones.
    """

    template: str
    parts: tuple[str, ...]

    @classmethod
    def parse(cls, template: str) -> LogMessage:
        """Read a message.

        Raises:
            ConfigError: it is too long, or a brace opens no expression.
        """
        if len(template) > MAX_CHARS:
            raise ConfigError(f"a log message has at most {MAX_CHARS} characters, not {len(template)}")
        parts = [""]
        index = 0
        while index < len(template):
            pair = template[index : index + 2]
            if pair in ("{{", "}}"):
                parts[-1] += pair[0]
                index += 2
            elif template[index] == "{":
                end = _expression_end(template, index + 1)
                parts += [template[index + 1 : end].strip(), ""]
                index = end + 1
            else:
                parts[-1] += template[index]
                index += 1
        return cls(template, tuple(parts))

    def fill(self, texts: Mapping[str, str]) -> str:
        """Return the message over the rendered values of variables."""
        return "".join(_filled(part, texts) if place % 2 else part for place, part in enumerate(self.parts))

    def __str__(self) -> str:
        return self.template


def shown(expression: str, texts: Mapping[str, str]) -> str:
    """Return the text of an expression's value: of a variable as it is shown, whatever it is.

    Raises:
        Undecided: it depends on what is not known.
        ExpressionError: it is not valid, not allowed, or raises.
    """
    name = expression.strip()
    return texts[name] if name in texts else evaluate(name, texts).text


def _filled(expression: str, texts: Mapping[str, str]) -> str:
    try:
        return shown(expression, texts)
    except Undecided as error:
        return f"<not known: {error}>"
    except ExpressionError as error:
        return f"<{error}>"


def _expression_end(template: str, start: int) -> int:
    """Return the place of the first brace that closes an expression which begins at ``start``."""
    end = template.find("}", start)
    while end >= 0:
        try:
            parsed(template[start:end].strip())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            end = template.find("}", end + 1)
        else:
            return end
    raise ConfigError(
        f"no expression follows the brace: {template[start - 1 :][:60]!r}",
        hint="write {{ for a brace that is meant as one",
    )
