"""One table of what a debugger can be told, in Python's, pdb's and the Debug Adapter Protocol's words.

Source: https://docs.python.org/3/library/pdb.html and https://microsoft.github.io/debug-adapter-protocol/specification.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Verb:
    """One action.

    Attributes:
        method: name of the method of :class:`opencwm.debugger.session.Session`.
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
    Verb("continue_back", "rc", ("rcontinue",), "reverseContinue"),
    Verb("run_to", "goto", ("g",), "goto"),
    Verb("until", "until", ("unt",)),
    Verb("restart", "restart", ("run",), "restart"),
    Verb("set_variable", "set", (), "setVariable"),
    Verb("evaluate", "p", ("print",), "evaluate"),
    Verb("evaluate", "pp"),
    Verb("stack", "where", ("w", "bt"), "stackTrace"),
    Verb("frame_up", "up", ("u",)),
    Verb("frame_down", "down", ("d",)),
    Verb("locals", "locals", ("v",), "variables"),
    Verb("arguments", "args", ("a",)),
    Verb("history", "history", ("hist",)),
    Verb("source", "list", ("l",), "source"),
    Verb("source", "longlist", ("ll",)),
    Verb("add_breakpoint", "break", ("b",), "setBreakpoints"),
    Verb("add_breakpoint", "tbreak"),
    Verb("remove_breakpoint", "clear", ("cl",)),
    Verb("enable_breakpoint", "enable"),
    Verb("disable_breakpoint", "disable"),
    Verb("condition_breakpoint", "condition"),
    Verb("ignore_breakpoint", "ignore"),
    Verb("confidence", "conf"),
    Verb("quit", "quit", ("q", "exit"), "disconnect"),
    Verb("help", "help", ("h", "?")),
)


def by_command(word: str) -> Verb | None:
    """Return the verb of a command or of one of its aliases."""
    return next((verb for verb in VERBS if word == verb.command or word in verb.aliases), None)


def by_dap(request: str) -> Verb | None:
    """Return the verb of a DAP request."""
    return next((verb for verb in VERBS if verb.dap == request), None)
