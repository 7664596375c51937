"""The special tokens that the ``nd`` format adds to those of ``cwm``, as data.

The texts of the tokens are published, their ids are not. The ids here are our choice: the end of the 256
reserved ids of the ``cwm`` vocabulary, none of which ``cwm`` uses. A tokenizer that has tokens of these names
gives them its own ids. The other tokens of the format, ``<|frame_sep|>``, ``<|call_sep|>`` and so on, are
those of :mod:`opencwm.codec.cwm_special`.

Source: "Towards a Neural Debugger for Python", arXiv 2603.09951.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from opencwm.codec.cwm_special import (
    CALL_SEP,
    EXCEPTION_SEP,
    LINE_SEP,
    RETURN_SEP,
    TRACE_TOKENS,
)
from opencwm.traces import Action, ExitState, StepKind

SRC_SEP: Final = "<|src_sep|>"
TRACE_END: Final = "<|trace_end|>"
INV_RETURN_SEP: Final = "<|inv_return_sep|>"
INV_LINE_SEP: Final = "<|inv_line_sep|>"
INV_CALL_SEP: Final = "<|inv_call_sep|>"
INV_EXIT_ENTRY: Final = "<|inv_exit_entry|>"

ACTION_TOKENS: Final = MappingProxyType({action: f"<|{action.value}|>" for action in Action})
"""The token of each action, forward."""

INVERSE_ACTION_TOKENS: Final = MappingProxyType(
    {
        Action.STEP_INTO: "<|inv_step_into|>",
        Action.STEP_OVER: "<|inv_step_over|>",
        Action.STEP_RETURN: "<|inv_step_call|>",  # the end of a level, seen backward, is its call
    }
)
"""The token of each action, backward; there are no breakpoints."""

EXIT_TOKENS: Final = MappingProxyType({state: f"<|{state.value}|>" for state in ExitState})
"""The token of each exit state."""

STEP_TOKENS: Final = MappingProxyType(
    {
        StepKind.CALL: CALL_SEP,
        StepKind.LINE: LINE_SEP,
        StepKind.RETURN: RETURN_SEP,
        StepKind.EXCEPTION: EXCEPTION_SEP,
    }
)
"""The token a step of each kind starts with, forward."""

INVERSE_STEP_TOKENS: Final = MappingProxyType(
    {
        StepKind.CALL: INV_CALL_SEP,
        StepKind.LINE: INV_LINE_SEP,
        StepKind.RETURN: INV_RETURN_SEP,
        StepKind.EXCEPTION: EXCEPTION_SEP,  # no inverse token is published
    }
)
"""The token a step of each kind starts with, backward."""

_FIRST_ID: Final = 128_200

ND_IDS: Final = MappingProxyType(
    {
        name: _FIRST_ID + offset
        for offset, name in enumerate(
            (
                SRC_SEP,
                *ACTION_TOKENS.values(),
                *EXIT_TOKENS.values(),
                TRACE_END,
                INV_RETURN_SEP,
                INV_LINE_SEP,
                INV_CALL_SEP,
                INV_EXIT_ENTRY,
                *INVERSE_ACTION_TOKENS.values(),
            )
        )
    }
)
"""Token text to the id we chose for it, 128,200 to 128,216."""

ND_TOKENS: Final = (*TRACE_TOKENS, *ND_IDS)
"""What a tokenizer must have to write and read trajectories."""
