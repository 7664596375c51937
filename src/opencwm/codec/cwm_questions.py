"""Questions in words about programs: what a call comes to, and which call comes to a result.

Models of the ``cwm`` kind can be asked without a trace: they reason in words, or answer at once. The answer
is one line that can be found. The wording is ours; the published one is not known.
"""

from __future__ import annotations

from typing import Final

from opencwm.codec.cwm_chat import REASONING_PROMPT, Message
from opencwm.traces import Program

MARK: Final = "RESULT:"
"""What the line of an answer begins with."""
_DECORATION: Final = " \t*`"
_FORM: Final = f"End your answer with one line: {MARK} and then {{what}}, nothing else on it."


def output_question(program: Program, *, reasons: bool) -> list[Message]:
    """Ask what the call of a program returns or raises.

    Args:
        program: with a call.
        reasons: whether the system prompt for reasoning stands before.
    """
    what = "the returned value as repr() writes it, or the exception, for example ValueError('x')"
    return _asked(program, f"What does `{program.call}` return?", what, reasons=reasons)


def input_question(program: Program, name: str, result: str, *, reasons: bool) -> list[Message]:
    """Ask for a call of a function that comes to a result.

    Args:
        program: defines the function; its own call is not shown.
        name: of the function.
        result: rendered.
        reasons: as for :func:`output_question`.
    """
    what = f"the call, for example {name}(1)"
    return _asked(program, f"Which call of `{name}` comes to `{result}`?", what, reasons=reasons)


def _asked(program: Program, question: str, what: str, *, reasons: bool) -> list[Message]:
    fence = "```"
    while fence in program.source:
        fence += "`"
    source = program.source if program.source.endswith("\n") else f"{program.source}\n"
    text = f"{fence}python\n{source}{fence}\n\n{question}\n{_FORM.format(what=what)}"
    system = [Message("system", REASONING_PROMPT)] if reasons else []
    return [*system, Message("user", text)]


def result_of(text: str) -> str | None:
    """Return what stands on the last line of an answer that begins with :data:`MARK`; None without one."""
    for line in reversed(text.splitlines()):
        bare = line.strip(_DECORATION)
        if bare.startswith(MARK):
            return bare.removeprefix(MARK).strip(_DECORATION) or None
    return None
