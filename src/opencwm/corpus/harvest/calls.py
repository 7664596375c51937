"""A call that was seen, as the expression that makes it again, and whether a run of it gave the same."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from opencwm.corpus.harvest.modules import CutError, FunctionNode
from opencwm.corpus.harvest.observe import written_arguments
from opencwm.traces import Status, StepKind, Trace

_PROPERTIES: Final = ("property", "cached_property", "functools.cached_property")


@dataclasses.dataclass(frozen=True, slots=True)
class SeenCall:
    """One call of a function during the package's tests.

    Attributes:
        call: expression.
        needs: the names it uses and where they come from.
        ended: ``returned``, ``raised`` or ``yielded``.
        value: rendered value returned, or first one yielded; name of the exception; None when it was cut.
    """

    call: str
    needs: Mapping[str, str]
    ended: str
    value: str | None


def seen_call(record: Mapping[str, Any], node: FunctionNode) -> SeenCall:
    """Make the expression of a recorded call of the function ``node``.

    Raises:
        CutError: it cannot be called by name.
    """
    qualname = str(record["function"][1])
    call = dict(record)
    outer, _, name = qualname.rpartition(".")
    if not outer:
        text = f"{qualname}({written_arguments(call)})"
    elif name == "__init__":
        if record["cls"] is None:
            raise CutError("object of another package")
        text = f"{record['cls']}({written_arguments(call)})"
    else:
        text = _method_call(call, outer, name, node)
    if _is_generator(node):
        text = f"list({text})"
    value = record["raised"] if record["ended"] == "raised" else (record["values"] or [None])[0]
    return SeenCall(text, record["needs"], record["ended"], value)


def _method_call(call: dict[str, Any], outer: str, name: str, node: FunctionNode) -> str:
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    if "staticmethod" in decorators:
        return f"{outer}.{name}({written_arguments(call)})"
    if not call["args"] or call["args"][0][1] is None:
        raise CutError("method without an object")
    receiver = call["args"][0][1]
    call["args"] = call["args"][1:]
    if any(text in _PROPERTIES for text in decorators):
        return f"{receiver}.{name}"
    if any(text.endswith((".setter", ".deleter")) for text in decorators):
        raise CutError("property setter")
    if name.startswith("__") and not name.endswith("__"):
        name = f"_{outer.rpartition('.')[2].lstrip('_')}{name}"
    if receiver[0].isdigit() or receiver[0] == "-":
        receiver = f"({receiver})"
    return f"{receiver}.{name}({written_arguments(call)})"


def _is_generator(node: FunctionNode) -> bool:
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        child = waiting.pop()
        if isinstance(child, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(child, FunctionNode | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(child))
    return False


def same_result(seen: SeenCall, trace: Trace) -> bool:
    """Whether a run of the cut program ended as the call did in the package's tests."""
    if seen.ended == "raised":
        return trace.status is Status.RAISED and _raised_name(trace) == seen.value
    if trace.status is not Status.RETURNED or trace.result is None or seen.value is None:
        return False
    if seen.ended == "yielded":
        return trace.result.startswith("[" + seen.value) or (trace.result == "[]" and seen.value == "None")
    if seen.call.endswith(")") and seen.value == "None" and _is_construction(seen.call, trace):
        return True
    return trace.result == seen.value


def _is_construction(call: str, trace: Trace) -> bool:
    """Whether a call makes an object: its ``__init__`` returns None, the call an object."""
    return any(info.qualname.endswith(".__init__") for info in trace.codes) and not call.startswith("list(")


def _raised_name(trace: Trace) -> str:
    for step in reversed(trace.steps):
        if step.kind is StepKind.EXCEPTION and step.value is not None:
            return step.value.partition("(")[0].strip().rpartition(".")[2]
    return ""
