"""What a user's call says about its first step: which function is entered, and with which arguments.

``f('a', 3)`` leaves nothing to predict there when ``f`` is a plain function of the file and the arguments
are literals. Nothing is executed: arguments are bound to parameters by their syntax.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping

from opencwm.core.syntax import syntax_tree
from opencwm.debugger.foreseeing.arguments import rendered_arguments, signature
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
    constants = _module_constants(program)

    def known(node: ast.expr) -> ast.expr:
        return constants.get(node.id, node) if isinstance(node, ast.Name) else node

    try:
        bound = signature(definition.args).bind(
            *map(known, call.args),
            **{keyword.arg: known(keyword.value) for keyword in call.keywords if keyword.arg},
        )
    except TypeError:  # it will raise
        return None
    return SuppliedCall(definition.lineno, rendered_arguments(bound, is_first=True))


def _definition(program: Program, call: ast.expr) -> ast.FunctionDef | None:
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return None
    name = call.func.id
    body = syntax_tree(program.text).body
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


def _module_constants(program: Program) -> dict[str, ast.expr]:
    """Return the variables of the module that hold a literal when the call is made: nothing else runs before.

    Empty where the module does more than define, import and assign literals.
    """
    found: dict[str, ast.expr] = {}
    for node in syntax_tree(program.text).body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
        elif not isinstance(node, _HARMLESS) and not _is_for_scripts(node):
            return {}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                found.pop(alias.asname or alias.name.partition(".")[0], None)
    return found if all(map(_calls_nothing, found.values())) else {}


_HARMLESS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Pass


def _is_for_scripts(node: ast.stmt) -> bool:
    """Whether it is a docstring, or what runs only when the file is started as a script."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) and not node.orelse


def _calls_nothing(node: ast.expr) -> bool:
    callers = ast.Call | ast.Await | ast.Starred | ast.Yield | ast.YieldFrom | ast.NamedExpr
    return not any(isinstance(item, callers) for item in ast.walk(node))
