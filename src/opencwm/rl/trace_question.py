"""The question behind all three environments of recorded runs: a run, of which something is asked."""

from __future__ import annotations

import dataclasses
import warnings
from functools import cached_property

from opencwm.codec.native import NativeCodec
from opencwm.codec.view import SourceView
from opencwm.core.errors import CodecError, ConfigError
from opencwm.debugger.selection import source_view
from opencwm.rl.environment import NativeEnvironment, Question
from opencwm.traces import Outcome, StepFlags, Trace, observed_outcome


@dataclasses.dataclass(frozen=True)
class TraceQuestion(Question):
    """A recorded run of a call; :func:`is_askable` must hold of the trace.

    Attributes:
        trace: what really happened.
    """

    trace: Trace

    @property
    def key(self) -> str:
        """The id of the program."""
        return self.trace.program.id

    @cached_property
    def outcome(self) -> Outcome:
        """What the run came to.

        Raises:
            ConfigError: it did not come to its end.
        """
        outcome = observed_outcome(self.trace)
        if outcome is None:
            raise ConfigError("the run did not come to its end", where=self.trace.program.filename)
        return outcome


def is_askable(trace: Trace) -> bool:
    """Whether a run answers questions: a call that came to its end, recorded in full."""
    is_cut = any(step.flags & StepFlags.TRUNCATED for step in trace.steps)
    return trace.program.call is not None and observed_outcome(trace) is not None and not is_cut


class TraceEnvironment(NativeEnvironment[TraceQuestion]):
    """What the environments of recorded runs share.

    Args:
        codec: of the policy that speaks ids.
        max_tokens: of its context; prompts are fitted into it.
    """

    def __init__(self, codec: NativeCodec | None = None, *, max_tokens: int = 2048) -> None:
        self.codec = codec or NativeCodec()
        self.max_tokens = max_tokens

    def view(self, question: TraceQuestion) -> SourceView:
        """Return what is shown of a program.

        Raises:
            CodecError: nothing of it fits.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an invalid escape is the program's business
                return source_view(question.trace.program, self.codec, max_tokens=self.max_tokens)
        except ConfigError as error:  # a recorded program that this Python does not compile
            raise CodecError(error.what, where=error.where, hint=error.hint) from None
