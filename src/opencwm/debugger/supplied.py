"""What a user's call says about its first step: which function is entered, and with which arguments.

``f('a', 3)`` leaves nothing to predict there when ``f`` is a plain function of the file and the arguments
are literals. Nothing is executed: arguments are bound to parameters by their syntax.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping

from opencwm.debugger.arguments import rendered_arguments, signature
from opencwm.traces import Program


@dataclasses.dataclass(frozen=True, slots=True)
class SuppliedCall:
    """The function a program's call enters.

    Attributes:
        lineno: of its definition.
        arguments: rendered values by parameter, where they are literals.
    """

    lineno: int
    arguments: Mapping[str, str]


def supplied_call(program: Program) -> SuppliedCall | None:
    """Return what is certain about the program's call, or None when it has to be predicted.

    Certain is the call of an undecorated function that the file defines once, at its top level, with
    arguments that fit its parameters and call nothing themselves.
    """
    if program.call is None:
        return None
    call = ast.parse(program.call, mode="eval").body
    definition = _definition(program, call)
    if definition is None or not isinstance(call, ast.Call):
        return None
    parts = [*call.args, *(keyword.value for keyword in call.keywords)]
    if any(keyword.arg is None for keyword in call.keywords) or not all(map(_calls_nothing, parts)):
        return None
    try:
        bound = signature(definition.args).bind(
            *call.args, **{keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        )
    except TypeError:  # it will raise
        return None
    return SuppliedCall(definition.lineno, rendered_arguments(bound))


def _definition(program: Program, call: ast.expr) -> ast.FunctionDef | None:
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return None
    name = call.func.id
    body = ast.parse(program.text).body
    binding = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == name]
    others = {
        item.id
        for node in body
        for item in ([] if isinstance(node, ast.FunctionDef) else ast.walk(node))
        if isinstance(item, ast.Name) and not isinstance(item.ctx, ast.Load)
    }
    is_plain = len(binding) == 1 and not binding[0].decorator_list and name not in others
    if not is_plain or any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(binding[0])):
        return None
    return binding[0]


def _calls_nothing(node: ast.expr) -> bool:
    callers = ast.Call | ast.Await | ast.Starred | ast.Yield | ast.YieldFrom | ast.NamedExpr
    return not any(isinstance(item, callers) for item in ast.walk(node))
