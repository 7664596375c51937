r"""The ``nd`` format of debugger trajectories as text: the exact characters, before any tokenizer.

The one idea: a trajectory is states and the actions between them. What the format decides of a state is
decided here; walks through runs are written by :mod:`opencwm.codec.nd_walk`, and :mod:`opencwm.codec.nd` only
joins ids. Line breaks for reading only::

    <|begin_of_text|><|trace_context_start|>CODE
    <|frame_sep|><|call_sep|><|src_sep|>SRC<|arg_sep|>LOCALS
    <|action_sep|><|step_into|>
    <|frame_sep|><|line_sep|><|arg_sep|>LOCALS<|src_sep|>SRC
    <|action_sep|><|breakpoint|>SRC
    <|frame_sep|><|return_sep|><|src_sep|>SRC<|arg_sep|>"VALUE"
    <|action_sep|><|step_over|>
    <|frame_sep|><|exit_normal|><|trace_end|><|end_of_text|>

Backward, the walk starts at the step the run ended with, lines are written ``<|inv_line_sep|><|src_sep|>SRC
<|arg_sep|>LOCALS``, and the last state is ``<|inv_exit_entry|>``.

Not published, and decided so:

- *SRC, LOCALS and VALUE* are those of ``cwm``: the physical line with indentation and line end,
  ``json.dumps`` of an object of strings, ``json.dumps`` of the text of a value. CODE carries no mark; the
  first step tells the entry.
- *Collapsing.* The entry ``"..": ".."`` stands where the first of the unchanged locals would. Unchanged is
  what the last written locals of the same activation say; when a local has vanished since, all are written,
  so that a listing without the entry is complete and one with it is exact.
- *All locals* are written after a call, a return or a breakpoint, which is published, and wherever else the
  step written before is of another activation: after an exception has left one. So ``".."`` never reaches
  past the steps next to it, and a reader needs no stack.
- *Exceptions* are written like returns, with ``<|exception_sep|>``, forward and backward. The return event of
  an activation that an exception leaves is not written; the exception is then the end of its level.
- *Backward*, the doubled line of a call (``inv_line_call``) is written with ``<|inv_line_sep|>`` as the line
  itself is; what follows tells them apart.
- *Breakpoints* stop at a step of any kind whose SRC is the same, on whatever line it stands.

Source: "Towards a Neural Debugger for Python", arXiv 2603.09951.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from opencwm.codec.cwm_special import (
    ACTION_SEP,
    ARG_SEP,
    BEGIN_OF_TEXT,
    END_OF_TEXT,
    FRAME_SEP,
    TRACE_CONTEXT_START,
)
from opencwm.codec.cwm_text import CARRIED, value_json
from opencwm.codec.nd_special import INVERSE_STEP_TOKENS, SRC_SEP, STEP_TOKENS, TRACE_END
from opencwm.traces import Binding, StepKind

KINDS: Final = {
    token: kind for tokens in (STEP_TOKENS, INVERSE_STEP_TOKENS) for kind, token in tokens.items()
}
"""What the token that a step starts with says."""


@dataclasses.dataclass(frozen=True, slots=True)
class NdStep:
    """One step as the format writes it.

    Attributes:
        token: what it starts with; tells kind and direction.
        source: the physical line with indentation and line end.
        bindings: what LOCALS says, in order, the entry that stands for unchanged ones included; empty at
            returns and exceptions.
        value: what was returned or raised; None at calls and lines.
    """

    token: str
    source: str
    bindings: tuple[Binding, ...] = ()
    value: str | None = None

    @property
    def kind(self) -> StepKind:
        """What happened."""
        return KINDS[self.token]


@dataclasses.dataclass(frozen=True, slots=True)
class NdExit:
    """The state past the last step, by its token: an exit state, or ``<|inv_exit_entry|>`` backward."""

    token: str


@dataclasses.dataclass(frozen=True, slots=True)
class NdAction:
    """What was told: the action's token, and the line of a breakpoint."""

    token: str
    source: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Trajectory:
    """A walk as the format writes it.

    Attributes:
        code: the program's text that is shown.
        states: what was seen, in order; the last is an exit.
        actions: what was told after each state but the last.
        indices: position of each step in ``Trace.steps``.
        is_inverse: whether the walk goes backward.
    """

    code: str
    states: tuple[NdStep | NdExit, ...]
    actions: tuple[NdAction, ...]
    indices: tuple[int, ...]
    is_inverse: bool


def trajectory_text(written: Trajectory) -> str:
    """Return a trajectory as the exact characters of the format."""
    actions = [action_text(action) for action in written.actions]
    states = [f"{FRAME_SEP}{state_text(state)}" for state in written.states]
    walk = "".join(state + action for state, action in zip(states, [*actions, ""], strict=True))
    return f"{BEGIN_OF_TEXT}{TRACE_CONTEXT_START}{written.code}{walk}{END_OF_TEXT}"


def state_text(state: NdStep | NdExit) -> str:
    """Return one state from its first token to before the next action; an exit with ``<|trace_end|>``."""
    if isinstance(state, NdExit):
        return f"{state.token}{TRACE_END}"
    source, rest = f"{SRC_SEP}{state.source}", f"{ARG_SEP}{argument_json(state)}"
    parts = (rest, source) if writes_locals_first(state.token) else (source, rest)
    return f"{state.token}{''.join(parts)}"


def action_text(action: NdAction) -> str:
    """Return an action with its ``<|action_sep|>``."""
    return f"{ACTION_SEP}{action.token}{action.source or ''}"


def writes_locals_first(token: str) -> bool:
    """Whether a step that starts with ``token`` writes LOCALS before SRC; only lines going forward do."""
    return token == STEP_TOKENS[StepKind.LINE]


def argument_json(step: NdStep) -> str:
    """Return what follows ``<|arg_sep|>``: the LOCALS of a call or line, the VALUE of other steps."""
    if step.kind in (StepKind.CALL, StepKind.LINE):
        return json.dumps(dict(step.bindings))
    return value_json(step.value)


def collapsed(now: Mapping[str, str], before: Mapping[str, str] | None) -> tuple[Binding, ...]:
    """Return what LOCALS says of ``now`` to a reader who knows ``before``, or nothing."""
    if before is None or any(name not in now for name in before):
        return tuple(now.items())
    bindings: dict[str, str] = {}
    for name, text in now.items():
        if before.get(name) == text:
            bindings[CARRIED] = CARRIED
        else:
            bindings[name] = text
    return tuple(bindings.items())


def resolved(states: Sequence[NdStep | NdExit]) -> Iterator[dict[str, str] | None]:
    """Yield the locals that each state tells, carried ones filled in; None where it tells none.

    Where an entry stands for unchanged locals and there are none to carry, it stays: the text is not one
    that a walk gives.
    """
    known: dict[str, str] | None = None
    for state in states:
        if isinstance(state, NdExit) or state.kind is StepKind.RETURN:
            known = None
            yield None
        elif state.kind is StepKind.EXCEPTION:
            yield None
        else:
            told = dict(state.bindings)
            if CARRIED in told and known is not None:
                del told[CARRIED]
                told = {**known, **told}
            known = None if state.kind is StepKind.CALL else told
            yield told
