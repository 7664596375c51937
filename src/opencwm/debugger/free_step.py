"""One step written without rules: whatever the model picks, until the step ends or is none."""

from __future__ import annotations

import math
from collections.abc import Callable

from opencwm.codec.vocabulary import Control, is_line, is_text
from opencwm.debugger.sampler import Sampler
from opencwm.debugger.token_writer import MAX_VALUE_TOKENS, MalformedError, TokenWriter


class FreeStep:
    """A step as the model writes it.

    Args:
        sampler: picks ids.
        writer: keeps those of the step.
        echo: appends the text of a line that was picked.

    Attributes:
        control_probability: of what was picked besides the value; it holds while the step is written too.
        value_probability: of the value; None before there is one.
    """

    def __init__(self, sampler: Sampler, writer: TokenWriter, echo: Callable[[int], None]) -> None:
        self._sampler, self._writer, self._echo = sampler, writer, echo
        self.control_probability = 1.0
        self.value_probability: float | None = None

    def write(self) -> None:
        """Write the step.

        Raises:
            MalformedError: it does not end, or names no line that is shown.
        """
        is_call, at_start = False, True
        for _ in range(4 * MAX_VALUE_TOKENS):
            token = self._next()
            is_call = is_call or (at_start and token in (Control.CALL, Control.RESUME))
            at_start = at_start and (token in (Control.EVAL, Control.IS) or is_text(token))
            if is_line(token):
                if len(self._writer.ids) > 1 and self._writer.ids[-2] == Control.AT:
                    continue
                self._echo(token)
                if not is_call:
                    return
            elif token in (Control.BODY, Control.UNWIND, Control.END):
                return
            elif token in (Control.RETURN, Control.YIELD, Control.RAISE):
                self._value()
                return
        raise MalformedError("the step does not end")

    def _next(self) -> int:
        if self._writer.ahead is not None:
            token, probability = self._writer.ahead
            self._writer.ahead = None
        else:
            token, distribution = self._sampler.choose(None)
            probability = float(distribution[token])
        self._writer.ids.append(token)
        self.control_probability *= probability
        return token

    def _value(self) -> None:
        logarithm = 0.0
        for _ in range(MAX_VALUE_TOKENS):
            token, distribution = self._sampler.choose(None)
            probability = float(distribution[token])
            if not is_text(token):
                self._writer.ahead = (token, probability)
                self.value_probability = math.exp(logarithm)
                return
            self._writer.ids.append(token)
            logarithm += math.log(max(probability, 1e-300))
        raise MalformedError(f"a value of more than {MAX_VALUE_TOKENS} tokens")
