"""Places a user can name: lines that run, and functions."""

from __future__ import annotations

import difflib

from opencwm.core.errors import ConfigError
from opencwm.debugger.activations import is_named
from opencwm.source.cfg import CodeGraph, ControlFlow


def check_line(control_flow: ControlFlow, lineno: int) -> None:
    """Check that a session can stop before a line.

    Raises:
        ConfigError: no function has code on it; the hint names the next line that has.
    """
    lines = {line for graph in control_flow for line in graph.lines}
    if lineno not in lines:
        later = min((line for line in lines if line > lineno), default=None)
        hint = f"the next line that runs in a function is {later}" if later else ""
        raise ConfigError(f"no function has code on line {lineno}", hint=hint)


def functions_named(control_flow: ControlFlow, name: str) -> list[CodeGraph]:
    """Return the functions of this qualified name, or with a qualified name that ends so.

    Raises:
        ConfigError: there is none; the hint names those that are near.
    """
    found = [graph for graph in control_flow if is_named(graph.qualname, name)]
    if not found:
        near = difflib.get_close_matches(name, [graph.qualname for graph in control_flow])
        raise ConfigError(f"no function {name!r}", hint=f"near: {', '.join(near)}" if near else "")
    return found
