"""One table of what a debugger can be told, in Python's, pdb's and the Debug Adapter Protocol's words.

Source: https://docs.python.org/3/library/pdb.html and https://microsoft.github.io/debug-adapter-protocol/specification.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Verb:
    """One action.

    Attributes:
        method: what a :class:`opencwm.debugger.session.Session` does it with, its path of attributes; empty
            when it is the prompt's own.
        command: name of the command of :class:`opencwm.debugger.prompt.Prompt`; empty when it has none.
        aliases: its shorter and other forms; pdb's where pdb has the command.
        dap: the DAP request; empty when the protocol has none.
    """

    method: str
    command: str = ""
    aliases: tuple[str, ...] = ()
    dap: str = ""


VERBS: tuple[Verb, ...] = (
    Verb("step_into", "step", ("s",), "stepIn"),
    Verb("step_over", "next", ("n",), "next"),
    Verb("step_out", "return", ("r",), "stepOut"),
    Verb("step_back", "rs", ("back", "rev", "sb")),
    Verb("back_over", "rn", ("rnext",), "stepBack"),
    Verb("back_out", "rr", ("rreturn",)),
    Verb("continue_", "continue", ("c", "cont"), "continue"),
    Verb("continue_back", "rc", ("rcontinue", "rewind"), "reverseContinue"),
    Verb("run_to", "goto", ("g",)),
    Verb("until", "until", ("unt",)),
    Verb("goto", "seek", (), "goto"),
    Verb("back_to_change", "who"),
    Verb("restart_frame", "refr", ("reframe",), "restartFrame"),
    Verb("restart", "restart", ("run",), "restart"),
    Verb("goto_divergence", "divergence", ("div",)),
    Verb("set_variable", "set", (), "setVariable"),
    Verb("steer", "steer"),
    Verb("timelines", "timelines", ("tl",)),
    Verb("select_timeline", "timeline"),
    Verb("drop_timeline", "drop"),
    Verb("last_stop", "why", (), "exceptionInfo"),
    Verb("evaluate", "p", ("print",)),
    Verb("evaluate", "pp"),
    Verb("stack", "where", ("w", "bt"), "stackTrace"),
    Verb("", "up", ("u",)),
    Verb("", "down", ("d",)),
    Verb("locals", "locals", ("v",), "variables"),
    Verb("", "args", ("a",)),
    Verb("history", "history", ("hist",)),
    Verb("records", "trail"),
    Verb("occurrences", "occurrences", ("occ",), "gotoTargets"),
    Verb("", "list", ("l",), "source"),
    Verb("", "longlist", ("ll",)),
    Verb("", "confidence", ("conf",)),
    Verb("ask", "ask", (), "evaluate"),
    Verb("", "before"),
    Verb("breakpoints.add_line", "break", ("b",), "setBreakpoints"),
    Verb("breakpoints.add_line", "tbreak"),
    Verb("breakpoints.add_line", "log"),
    Verb("breakpoints.add_function", "", (), "setFunctionBreakpoints"),
    Verb("breakpoints.add_data", "watch", (), "setDataBreakpoints"),
    Verb("breakpoints.add_exception", "catch", (), "setExceptionBreakpoints"),
    Verb("breakpoints.remove", "clear", ("cl",)),
    Verb("", "enable"),
    Verb("", "disable"),
    Verb("", "condition"),
    Verb("", "hits"),
    Verb("", "ignore"),
    Verb("", "quit", ("q", "exit"), "disconnect"),
    Verb("", "help", ("h", "?")),
)


def by_command(word: str) -> Verb | None:
    """Return the verb of a command or of one of its aliases."""
    return next((verb for verb in VERBS if word and word in (verb.command, *verb.aliases)), None)


def by_dap(request: str) -> Verb | None:
    """Return the verb of a DAP request."""
    return next((verb for verb in VERBS if request and verb.dap == request), None)
