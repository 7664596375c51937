"""Which recorded runs are worth keeping: neither too long nor too dull. Pure functions of a trace."""

from __future__ import annotations

from opencwm.core.errors import CodecError
from opencwm.corpus.generator.traced import is_idle
from opencwm.corpus.recipe import FilterConfig
from opencwm.traces import Status, StepFlags, Trace


def reason_to_drop(trace: Trace, config: FilterConfig, *, is_generated: bool = False) -> str:
    """Return why a run is left out, in two or three words; empty when it is kept.

    Args:
        trace: the run.
        config: the bounds.
        is_generated: programs of our generator passed its own test of interest and are not asked again
            whether anything happens: short ones that only move their arguments are wanted.
    """
    if trace.status not in (Status.RETURNED, Status.RAISED):
        return f"status {trace.status.value}"
    if len(trace.program.lines) > config.max_lines:
        return "too many lines"
    if len(trace.steps) > config.max_steps:
        return "too many steps"
    if len(trace.steps) < config.min_steps:
        return "too few steps"
    if values := _reason_in_values(trace, config):
        return values
    if not config.idle and not is_generated and is_idle(trace):
        return "nothing happens"
    if config.max_tokens and not _fits(trace, config.max_tokens):
        return "too many tokens"
    return ""


def _reason_in_values(trace: Trace, config: FilterConfig) -> str:
    for step in trace.steps:
        if step.flags & StepFlags.TRUNCATED and not config.cut_values:
            return "value cut"
        if step.value is not None and len(step.value) > config.max_value_chars:
            return "long value"
        if any(len(value) > config.max_value_chars for _, value in step.changed):
            return "long value"
    return ""


def _fits(trace: Trace, max_tokens: int) -> bool:
    from opencwm.corpus.formats import num_native_tokens

    try:
        return num_native_tokens(trace) <= max_tokens
    except CodecError:
        return False
