"""A recorded run as the ``cwm`` format tells it: what the best of models of the format can be compared with.

The format writes locals before a line runs and at calls; what a line changed that then returned, yielded or
raised is first seen at the next line of its activation, if there is one.
"""

from __future__ import annotations

import dataclasses

from opencwm.traces import Step, StepKind, Trace


def told_by_format(trace: Trace) -> Trace:
    """Return a run whose returns and exceptions change nothing; the next line's step has their changes."""
    told: list[Step] = []
    waiting: dict[int, dict[str, str | None]] = {}  # by depth; None for a name that was deleted
    for step in trace.steps:
        if step.kind in (StepKind.RETURN, StepKind.EXCEPTION):
            held = waiting.setdefault(step.depth, {})
            held.update(dict(step.changed))
            held.update(dict.fromkeys(step.deleted))
            told.append(dataclasses.replace(step, changed=(), deleted=(), evaluations=()))
            continue
        is_call = step.kind is StepKind.CALL
        for depth in [depth for depth in waiting if depth >= step.depth + (not is_call)]:
            del waiting[depth]
        held = {} if is_call else waiting.pop(step.depth, {})
        held = {**held, **dict(step.changed), **dict.fromkeys(step.deleted)}
        order = trace.codes[step.code].local_names
        told.append(
            dataclasses.replace(
                step,
                changed=tuple((name, text) for name in order if (text := held.get(name)) is not None),
                deleted=tuple(name for name in order if name in held and held[name] is None),
                evaluations=(),
            )
        )
    return dataclasses.replace(trace, steps=tuple(told))
