"""``predict-trace``: what happens, step by step, when this call runs? The recorded run knows.

In ids it is the TRACE task from the start of the run, without expression detail; in words, one JSON object an
event. An answer earns the share of its leading steps that are right: what follows a wrong step is not looked
at, because it goes on from a state that never was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from opencwm.codec.cwm_chat import Message
from opencwm.codec.native_decoder import MalformedStep
from opencwm.codec.vocabulary import Control
from opencwm.rl.environment import MAX_ANSWER_CHARS, Reward
from opencwm.rl.trace_question import TraceEnvironment, TraceQuestion
from opencwm.source.cfg import ControlFlow
from opencwm.traces import Program, Step

TRACE_MARK: Final = "TRACE:"
"""The line of an answer in words after which its events stand."""

_FORM: Final = f"""What happens when CALL runs inside ENTRY, the last function?
End your answer with one line {TRACE_MARK} and below it one JSON object a line, for each event in order:
{{"event": "call", "line": N, "changed": {{"NAME": "VALUE"}}}} when a function is entered, with its arguments;
{{"event": "line", "line": N, "changed": {{...}}, "deleted": ["NAME"]}} before line N runs, with the variables
of its function that changed or vanished since the event before in it;
{{"event": "return", "line": N, "value": "VALUE", "changed": {{...}}}} when a function is left;
{{"event": "exception", "line": N, "value": "EXCEPTION"}} when one is raised or passes through, followed by a
return without a value for a function that it leaves.
Values are written as repr() writes them, empty members may be left out, lines are counted from 1."""


class PredictTrace(TraceEnvironment):
    """Ask for all steps of a run; the reward is the share of leading steps that are right."""

    name: ClassVar[str] = "predict-trace"
    stops: ClassVar[frozenset[int]] = frozenset({int(Control.END)})
    has_one_answer: ClassVar[bool] = True

    def messages(self, question: TraceQuestion) -> list[Message]:
        """Return the question in words; the program is shown with its wrapper."""
        program = question.trace.program
        text = program.text
        fence = "```"
        while fence in text:
            fence += "`"
        asked = _FORM.replace("CALL", f"`{program.call}`", 1).replace("ENTRY", f"`{program.entry}`", 1)
        return [Message("user", f"{fence}python\n{text}{fence}\n\n{asked}")]

    def grade(self, question: TraceQuestion, answer: str) -> Reward:
        """Return the share of leading events that are right."""
        if len(answer) > MAX_ANSWER_CHARS:
            return Reward(0, f"an answer of more than {MAX_ANSWER_CHARS} characters")
        head, mark, body = answer.rpartition(TRACE_MARK)
        if not mark or head[-1:] not in ("", "\n"):
            return Reward(0, f"no line {TRACE_MARK}")
        wanted = [_event(step) for step in question.trace.steps]
        found: list[dict[str, Any] | None] = [
            _read_event(line) for line in body.splitlines() if line.strip(" `")
        ]
        return _share([event if event is None else _whole(event) for event in found], wanted, is_ended=True)

    def gold(self, question: TraceQuestion) -> str:
        """Return the recorded events as an answer in words."""
        events = (_event(step) for step in question.trace.steps)
        return "\n".join([TRACE_MARK, *(json.dumps(event) for event in events)])

    def prompt_ids(self, question: TraceQuestion) -> list[int]:
        """Return the TRACE task at the start of the run.

        Raises:
            CodecError: nothing of the program fits.
        """
        return self.codec.encode_prompt(self.view(question))

    def grade_ids(self, question: TraceQuestion, ids: Sequence[int]) -> Reward:
        """Return the share of leading steps that are right; END belongs to the last one."""
        program = question.trace.program
        document = [*self.prompt_ids(question), *ids]
        decoded = self.codec.decode(document, self.view(question), _control_flow(program))
        found = [None if isinstance(step, MalformedStep) else _event(step) for step in decoded.steps]
        wanted = [_event(step) for step in question.trace.steps]
        return _share(found, wanted, is_ended=decoded.is_complete)

    def gold_ids(self, question: TraceQuestion) -> list[int]:
        """Return the recorded steps as ids."""
        document = self.codec.encode(question.trace, self.view(question))
        return document.ids[document.num_prompt :]


def _control_flow(program: Program) -> ControlFlow:
    return ControlFlow(program.text, program.filename)


def _event(step: Step) -> dict[str, Any]:
    """Return what is asked of a step, whole: two steps are the same when these are."""
    return {
        "event": step.kind.value,
        "line": step.lineno,
        "changed": dict(step.changed),
        "deleted": sorted(step.deleted),
        "value": step.value,
    }


def _whole(event: dict[str, Any]) -> dict[str, Any]:
    """Return an answered event with the members that were left out."""
    deleted = event.get("deleted") or []
    is_list = isinstance(deleted, list) and all(isinstance(name, str) for name in deleted)
    return {
        "event": event.get("event"),
        "line": event.get("line"),
        "changed": event.get("changed") or {},
        "deleted": sorted(deleted) if is_list else None,
        "value": event.get("value"),
    }


def _read_event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _share(
    found: Sequence[dict[str, Any] | None], wanted: Sequence[dict[str, Any]], *, is_ended: bool
) -> Reward:
    right = 0
    while right < min(len(found), len(wanted)) and found[right] == wanted[right]:
        right += 1
    details = {"num_right": right, "num_steps": len(wanted)}
    if right == len(wanted) == len(found) and is_ended:
        return Reward(1, details=details)
    if right < len(found) and found[right] is None:
        reason = f"step {right + 1} is malformed"
    elif right < min(len(found), len(wanted)):
        reason = f"step {right + 1} is another"
    else:
        reason = "it breaks off" if right < len(wanted) else "it goes on after the end"
    return Reward(min(right, len(wanted) - 1) / len(wanted), reason, details)
