"""What a check found, as JSON; keys are only ever added."""

from __future__ import annotations

from typing import Any

from opencwm.debugger.checking.check import CheckedFunction, Finding


def checked_json(checked: CheckedFunction, *, max_other_calls: int | None = None) -> dict[str, Any]:
    """Return what came of one function.

    Args:
        checked: what was found.
        max_other_calls: most further inputs that are listed for a finding; None for all.
    """
    return {
        "function": checked.name,
        "inputs": [{"call": item.call, "source": str(item.source)} for item in checked.inputs],
        "findings": [finding_json(finding, max_other_calls=max_other_calls) for finding in checked.findings],
        "problem": checked.problem,
    }


def finding_json(finding: Finding, *, max_other_calls: int | None = None) -> dict[str, Any]:
    """Return one finding; ``verdict`` is null where there was no real run."""
    return {
        "function": finding.function,
        "kind": str(finding.kind),
        "line": finding.lineno,
        "call": finding.call,
        "what": finding.what,
        "confidence": finding.confidence,
        "num_steps": finding.num_steps,
        "is_raised": finding.is_raised,
        "num_other_calls": len(finding.other_calls),
        "other_calls": list(finding.other_calls[:max_other_calls]),
        "verdict": None if finding.verdict is None else str(finding.verdict),
        "really": finding.really,
    }
