"""Executions as JSON, for programs that drive the debugger.

Keys are only ever added. Probabilities are null for what was not the model's decision.
"""

from __future__ import annotations

from typing import Any

from opencwm.debugger.compare import compare
from opencwm.debugger.execution import Execution, StepView, Value


def execution_json(execution: Execution, *, max_steps: int) -> dict[str, Any]:
    """Return an execution, read to its end or for ``max_steps`` steps, as one JSON object."""
    steps = []
    for index in range(max_steps):
        view = execution.get(index)
        if view is None:
            break
        steps.append(step_json(execution, index, view))
    program = execution.program
    return {
        "kind": "execution",
        "file": program.filename,
        "entry": program.entry,
        "call": program.call,
        "status": execution.status or f"stopped after {max_steps} steps",
        "is_ended": execution.ended(),
        "steps": steps,
    }


def comparison_json(predicted: Execution, real: Execution, *, max_steps: int) -> dict[str, Any]:
    """Return both executions and how their steps pair up as one JSON object."""
    comparison = compare(predicted, real, max_steps=max_steps)
    return {
        "kind": "comparison",
        "num_rows": len(comparison.rows),
        "num_agreeing": sum(row.agrees for row in comparison.rows),
        "first_divergence": comparison.first_divergence,
        "rows": [
            {
                "predicted": row.predicted_index,
                "real": row.real_index,
                "agrees": row.agrees,
                "difference": row.describe(),
            }
            for row in comparison.rows
        ],
        "predicted": execution_json(predicted, max_steps=max_steps),
        "real": execution_json(real, max_steps=max_steps),
    }


def step_json(execution: Execution, index: int, view: StepView) -> dict[str, Any]:
    """Return one step as JSON."""
    step = view.step
    codes = execution.codes
    return {
        "index": index,
        "kind": str(step.kind),
        "flags": [
            flag.name.lower() for flag in type(step.flags) if flag and flag in step.flags and flag.name
        ],
        "function": codes[step.code].qualname if 0 <= step.code < len(codes) else None,
        "line": step.lineno,
        "depth": step.depth,
        "origin": str(view.origin),
        "control_probability": view.control_probability,
        "changes": {name: _value(value) for name, value in view.changes.items()},
        "deleted": list(step.deleted),
        "value": _value(view.value) if view.value is not None else None,
        "evaluations": [{"text": item.text, "value": item.value} for item in step.evaluations],
        "malformed": view.malformed,
        "objection": view.objection,
    }


def _value(value: Value) -> dict[str, Any]:
    return {"text": value.text, "origin": str(value.origin), "probability": value.probability}
