"""Put a model where a run stands: as much of the past as fits, and a state where it does not.

The cost is that of the steps that are written, not of the whole run, apart from one cheap replay.
"""

from __future__ import annotations

from collections.abc import Sequence

from opencwm.codec.native import NativeCodec, StepDecoder
from opencwm.codec.view import SourceView
from opencwm.source.cfg import ControlFlow
from opencwm.traces import Activation, CodeInfo, Step, StepKind, apply_step


def contextualise(
    codec: NativeCodec,
    view: SourceView,
    control_flow: ControlFlow,
    steps: Sequence[Step],
    codes: Sequence[CodeInfo],
    *,
    max_tokens: int,
    expressions: bool = False,
) -> tuple[list[int], StepDecoder]:
    """Return the ids that put a model where a run stands after ``steps``, and a decoder in the same place.

    All steps are written when they fit into ``max_tokens``; otherwise the run is shown from the state at a
    later LINE step, the earliest from which the rest fits (the last LINE step when none does). Steps on lines
    that are not shown are not written either. With ``expressions`` they are written with expression detail.
    """
    known = tuple(codes)
    running, stack = _replay(steps, known)
    if steps and steps[-1].kind is StepKind.RETURN:
        stack.pop()
    decoder = StepDecoder(codec.vocabulary, view, control_flow, stack, codes)
    prompt = codec.encode_prompt(view, expressions=expressions)
    written: list[list[int]] = []  # the last steps, last first
    num_tokens = len(prompt)
    for index in range(len(steps) - 1, -1, -1):
        places = {steps[index].lineno, known[steps[index].code].firstlineno}
        if not places <= view.label_of.keys() and any(step.kind is StepKind.LINE for step in steps):
            break
        ids = codec.encode_step(steps[index], view, running[index], expressions=expressions)
        num_tokens += len(ids)
        if num_tokens > max_tokens and any(step.kind is StepKind.LINE for step in steps):
            break
        written.append(ids)
    else:
        return [*prompt, *_joined(written)], decoder
    earliest = len(steps) - len(written)  # its ids and those after it fit beside the prompt
    lines = [i for i in range(max(earliest - 1, 0), len(steps)) if steps[i].kind is StepKind.LINE]
    if not lines:  # not one LINE step within reach: write from the last there is
        lines = [max(i for i, step in enumerate(steps) if step.kind is StepKind.LINE)]
        written = [
            codec.encode_step(steps[i], view, running[i], expressions=expressions)
            for i in range(len(steps) - 1, lines[0], -1)
        ]
    for position, stack in _stacks_at(steps, known, lines):
        is_shown = all({item.lineno, known[item.code].firstlineno} <= view.label_of.keys() for item in stack)
        if position != lines[-1] and not is_shown:
            continue
        tail = written[: len(steps) - 1 - position]
        context = codec.encode_prompt(view, stack, known, expressions=expressions)
        if len(context) + sum(map(len, tail)) <= max_tokens or position == lines[-1]:
            return [*context, *_joined(tail)], decoder
    raise AssertionError("the last candidate is always taken")


def _replay(steps: Sequence[Step], codes: tuple[CodeInfo, ...]) -> tuple[list[int], list[Activation]]:
    """Return the line running in each step's activation before it, and the stack after all of them."""
    stack: list[Activation] = []
    running = []
    for step in steps:
        running.append(stack[step.depth].lineno if step.depth < len(stack) else step.lineno)
        apply_step(stack, step, codes)
    return running, stack


def _stacks_at(
    steps: Sequence[Step], codes: tuple[CodeInfo, ...], positions: Sequence[int]
) -> list[tuple[int, list[Activation]]]:
    wanted = set(positions)
    found = []
    stack: list[Activation] = []
    for index, step in enumerate(steps):
        apply_step(stack, step, codes)
        if index in wanted:
            found.append((index, [Activation(a.code, a.lineno, dict(a.locals)) for a in stack]))
    return found


def _joined(reversed_steps: Sequence[Sequence[int]]) -> list[int]:
    return [token for ids in reversed(reversed_steps) for token in ids]
