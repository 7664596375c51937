"""The special tokens of the published ``cwm`` format, as data.

Ids are those of facebook/cwm (128,000 ranks of the Llama 3 byte-pair vocabulary, then 256 reserved ids). A
tokenizer of another vocabulary gives the same names other ids: the codec asks the tokenizer and uses this
table only as the published truth. Nothing here encodes or decodes.

Source: facebookresearch/cwm, PROMPTING_GUIDE.md and cwm/text/tokenizers.py.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from opencwm.traces import StepKind

VOCAB_SIZE: Final = 128_256
"""Size of the published vocabulary: 128,000 ranks and 256 reserved ids."""

BEGIN_OF_TEXT: Final = "<|begin_of_text|>"
END_OF_TEXT: Final = "<|end_of_text|>"
PAD: Final = "<|pad|>"
START_HEADER: Final = "<|start_header_id|>"
END_HEADER: Final = "<|end_header_id|>"
END_OF_MESSAGE: Final = "<|eom_id|>"
END_OF_TURN: Final = "<|eot_id|>"
FRAME_SEP: Final = "<|frame_sep|>"
ACTION_SEP: Final = "<|action_sep|>"
RETURN_SEP: Final = "<|return_sep|>"
CALL_SEP: Final = "<|call_sep|>"
LINE_SEP: Final = "<|line_sep|>"
EXCEPTION_SEP: Final = "<|exception_sep|>"
ARG_SEP: Final = "<|arg_sep|>"
TRACE_CONTEXT_START: Final = "<|trace_context_start|>"
THINKING_START: Final = "<|reasoning_thinking_start|>"
THINKING_END: Final = "<|reasoning_thinking_end|>"

SPECIAL_IDS: Final = MappingProxyType(
    {
        BEGIN_OF_TEXT: 128_000,  # a sequence starts
        END_OF_TEXT: 128_001,  # the trace left the scope of its entry
        PAD: 128_004,
        START_HEADER: 128_006,
        END_HEADER: 128_007,
        END_OF_MESSAGE: 128_008,  # the tokenizer's source; the prompting guide prints this id for end of turn
        END_OF_TURN: 128_009,
        FRAME_SEP: 128_100,  # the trace starts; every step ends
        ACTION_SEP: 128_101,  # the source line follows
        RETURN_SEP: 128_102,
        CALL_SEP: 128_103,
        LINE_SEP: 128_104,
        EXCEPTION_SEP: 128_105,
        ARG_SEP: 128_106,  # the returned or raised value follows
        TRACE_CONTEXT_START: 128_107,  # the source context follows
        THINKING_START: 128_120,
        THINKING_END: 128_121,
    }
)
"""Token text to published id."""

STOP_TOKENS: Final = (END_OF_TEXT, END_OF_MESSAGE, END_OF_TURN)
"""Generation ends at any of these."""

KIND_TOKENS: Final = MappingProxyType(
    {
        StepKind.CALL: CALL_SEP,
        StepKind.LINE: LINE_SEP,
        StepKind.RETURN: RETURN_SEP,
        StepKind.EXCEPTION: EXCEPTION_SEP,
    }
)
"""The token a step of each kind starts with."""

TRACE_TOKENS: Final = (
    BEGIN_OF_TEXT,
    END_OF_TEXT,
    FRAME_SEP,
    ACTION_SEP,
    RETURN_SEP,
    CALL_SEP,
    LINE_SEP,
    EXCEPTION_SEP,
    ARG_SEP,
    TRACE_CONTEXT_START,
)
"""What a tokenizer must have to write and read traces; the rest of the table belongs to chat."""
