"""``predict-output``: what does this call return or raise? The recorded run knows.

In ids it is the OUTPUT task, a direct outcome without steps; in words, the question that
``codec.cwm_questions`` asks. An answer is right when it ends as the run did, with an equal value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from opencwm.codec.cwm_chat import Message
from opencwm.codec.cwm_questions import MARK, output_question, result_of
from opencwm.codec.native_writer import OUTCOMES
from opencwm.codec.vocabulary import Control, is_text
from opencwm.evals.grading import is_same_exception
from opencwm.evals.values import is_same_value
from opencwm.rl.environment import MAX_ANSWER_CHARS, Reward
from opencwm.rl.trace_question import TraceEnvironment, TraceQuestion
from opencwm.traces import OutcomeKind

_KINDS = {int(token): kind for kind, token in OUTCOMES.items()}


class PredictOutput(TraceEnvironment):
    """Ask what a call comes to; 1 for the right outcome, else 0."""

    name: ClassVar[str] = "predict-output"
    stops: ClassVar[frozenset[int]] = frozenset({int(Control.END)})
    has_one_answer: ClassVar[bool] = True

    def messages(self, question: TraceQuestion) -> list[Message]:
        """Return the question in words."""
        return output_question(question.trace.program, reasons=False)

    def grade(self, question: TraceQuestion, answer: str) -> Reward:
        """Return 1 for the right outcome on the line that begins with ``RESULT:``."""
        if len(answer) > MAX_ANSWER_CHARS:
            return Reward(0, f"an answer of more than {MAX_ANSWER_CHARS} characters")
        result = result_of(answer)
        if result is None:
            return Reward(0, f"no line that begins with {MARK}")
        wanted = question.outcome
        if len(result) > _most_chars(wanted.value):
            return Reward(0, "another outcome")
        is_same = is_same_exception if wanted.kind is OutcomeKind.RAISED else is_same_value
        return Reward(1) if is_same(result, wanted.value) else Reward(0, "another outcome")

    def gold(self, question: TraceQuestion) -> str:
        """Return the recorded outcome as an answer in words."""
        return f"{MARK} {question.outcome.value}"

    def prompt_ids(self, question: TraceQuestion) -> list[int]:
        """Return the OUTPUT task.

        Raises:
            CodecError: nothing of the program fits.
        """
        return self.codec.encode_prompt(self.view(question), task=Control.OUTPUT)

    def grade_ids(self, question: TraceQuestion, ids: Sequence[int]) -> Reward:
        """Return 1 for RETURN or RAISE and the right value, and END."""
        if not ids or ids[-1] != Control.END:
            return Reward(0, "the answer has no end")
        kind, value = _KINDS.get(ids[0]), ids[1:-1]
        if kind is None or not value or not all(is_text(token) for token in value):
            return Reward(0, "malformed: not an outcome")
        wanted = question.outcome
        if kind is not wanted.kind:
            return Reward(0, "another ending")
        text = self.codec.vocabulary.decode_text(value)
        is_same = len(text) <= _most_chars(wanted.value) and is_same_value(text, wanted.value)
        return Reward(1) if is_same else Reward(0, "another value")

    def gold_ids(self, question: TraceQuestion) -> list[int]:
        """Return the recorded outcome as ids."""
        wanted = question.outcome
        text = self.codec.vocabulary.encode_text(wanted.value)
        return [int(OUTCOMES[wanted.kind]), *text, int(Control.END)]


def _most_chars(wanted: str) -> int:
    """Return how long an equal value may be, however it is written; a longer one is not read."""
    return 4 * len(wanted) + 256
