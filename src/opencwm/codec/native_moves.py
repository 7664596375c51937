"""Debug actions in the ``native`` format: a document that jumps, and what a jump ends at.

The one idea: stepping into is what the format writes anyway; every other action is a ``JUMP`` that stands
where a step would start, and what follows is the step it ends at, as if nothing lay between::

    BEGIN TRACE (line indent text)* START (step | JUMP action landing)* [END]

    action:   BODY     over: the next step of this activation, or of its caller after a return
              RETURN   out: the return of this activation, or of its caller after a return
              line     run to this line, at any depth; the label alone
              END      to the end of the run
    landing:  effects line text          a step of the activation that was running; ``effects`` is all that
              effects [AT line] ending   changed since its last written step
              STATE (FRAME line locals line text)*    a line of another activation: all that are live now
              (RETURN | RAISE) value     the run ended, before the line or because it was asked to

The action is told, so it carries no loss; the landing does. Which activation a landing is in follows from the
action, except for a line: it is in the running activation unless a ``STATE`` says otherwise. So what is live
is always known in full, and steps may follow a landing as they follow any step. ``AT`` compares with the last
line that was *written*. Moves and their ends are those of :mod:`opencwm.traces.trajectory`.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence

from opencwm.codec.native import NativeCodec
from opencwm.codec.native_decoder import BadStepError, MalformedStep, Reader, StepDecoder, called, step_end
from opencwm.codec.native_writer import OUTCOMES, EncodedDocument, TokenClass, Writer
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Control, is_line, is_text, line_label, line_token
from opencwm.core.errors import CodecError
from opencwm.source.cfg import ControlFlow
from opencwm.traces import (
    Action,
    Activation,
    Binding,
    CodeInfo,
    Move,
    Outcome,
    Status,
    Step,
    StepFlags,
    StepKind,
    Trace,
    apply_step,
)

_ACTION_IDS = {
    Action.STEP_OVER: Control.BODY,
    Action.STEP_RETURN: Control.RETURN,
    Action.CONTINUE: Control.END,
}
_ACTIONS = {token: action for action, token in _ACTION_IDS.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class Landing:
    """A jump that was read.

    Attributes:
        action: what was told; never ``STEP_INTO``.
        goal: line of a breakpoint; None for other actions.
        target: the step it ended at, whose ``changed`` is what the landing wrote; or how the run ended.
    """

    action: Action
    goal: int | None
    target: Step | Outcome


def action_ids(action: Action, view: SourceView, goal: int | None = None) -> list[int]:
    """Return the ids that tell an action; none to step into, which is what a model does anyway.

    Args:
        action: what is told.
        view: labels the goal.
        goal: line of a breakpoint.

    Raises:
        CodecError: a breakpoint without a goal that is shown.
    """
    if action is Action.STEP_INTO:
        return []
    if action is not Action.BREAKPOINT:
        return [Control.JUMP, _ACTION_IDS[action]]
    if goal is None or goal not in view.label_of:
        raise CodecError(f"line {goal} is not shown", where=view.program.filename)
    return [Control.JUMP, line_token(view.label_of[goal])]


def encode_moves(
    codec: NativeCodec,
    trace: Trace,
    view: SourceView,
    moves: Sequence[Move],
    *,
    max_tokens: int | None = None,
) -> EncodedDocument:
    """Encode the first step of a run and the walk that goes on from it, as far as it fits.

    Args:
        codec: gives the vocabulary.
        trace: of a run with at least one step.
        view: what is shown of the program.
        moves: a walk over ``trace.steps``; its breakpoints stop at LINE steps.
        max_tokens: the document ends before the first step or landing that does not fit whole.

    Raises:
        CodecError: a step or a goal stands on a line that is not shown.
    """
    walk = _Walk(codec, trace, view)
    writer = walk.writer
    writer.put((Control.BEGIN, Control.TRACE, *view.prompt_ids(codec.vocabulary)), TokenClass.PROMPT)
    writer.put((Control.START,), TokenClass.PROMPT)
    num_prompt = len(writer.ids)
    step_ends: list[int] = []
    has_ended = trace.status in (Status.RETURNED, Status.RAISED)
    for move in (Move(Action.STEP_INTO, 0), *moves):
        mark = len(writer.ids)
        if move.target is None and not has_ended:
            break  # where it would end was not recorded
        is_written = walk.write(move)
        if max_tokens is not None and len(writer.ids) >= max_tokens:
            del writer.ids[mark:], writer.classes[mark:]
            break
        if is_written:
            step_ends.append(len(writer.ids))
        if move.target is None:
            writer.put((Control.END,), TokenClass.CONTROL)
            break
    return EncodedDocument(writer.ids, writer.classes, step_ends, num_prompt, 0)


class _Walk:
    """Writes one move after another.

    Every live activation was written as it is now: what ran since the last written step has returned, or is
    the activation the move ends in. So only that one has to be compared with what was written.
    """

    def __init__(self, codec: NativeCodec, trace: Trace, view: SourceView) -> None:
        self.writer = Writer(view, codec.vocabulary)
        self._trace = trace
        self._view = view
        self._stack: list[Activation] = []
        self._position = -1

    def write(self, move: Move) -> bool:
        """Write a move; False when nothing is to be written, because the run is over with its last step."""
        writer = self.writer
        if move.target is None:
            if move.action not in (Action.BREAKPOINT, Action.CONTINUE):
                return False
            writer.put(action_ids(move.action, self._view, move.goal), TokenClass.PROMPT)
            writer.outcome(self._trace)
            return True
        writer.put(action_ids(move.action, self._view, move.goal), TokenClass.PROMPT)
        if self._position >= 0 and self._trace.steps[self._position].kind is StepKind.RETURN:
            self._stack.pop()
        written = copy.deepcopy(self._stack[-1]) if self._stack else None
        is_same, flags = self._advance(move.target, len(self._stack))
        step, now = self._trace.steps[move.target], self._stack[-1].locals
        if move.action is Action.STEP_INTO:
            writer.step(step, written.lineno if written is not None else step.lineno)
        elif is_same and written is not None:
            changed = tuple(item for item in now.items() if written.locals.get(item[0]) != item[1])
            deleted = tuple(name for name in written.locals if name not in now)
            landing = dataclasses.replace(step, changed=changed, deleted=deleted, flags=step.flags | flags)
            writer.step(landing, written.lineno)
        elif move.action is Action.BREAKPOINT:
            writer.state(self._stack, self._trace.codes)
        else:
            raise CodecError(
                f"step {move.target} is of another activation", where=self._view.program.filename
            )
        return True

    def _advance(self, target: int, num_live: int) -> tuple[bool, StepFlags]:
        """Replay up to ``target``.

        Return whether it is a step of the activation that is on top of ``num_live`` ones now, and whether a
        value of that activation was cut on the way.
        """
        is_same, flags = True, StepFlags.NONE
        for step in self._trace.steps[self._position + 1 : target + 1]:
            apply_step(self._stack, step, self._trace.codes)
            if step.depth == num_live - 1:
                is_same &= step.kind is not StepKind.CALL
                flags |= step.flags & StepFlags.TRUNCATED
            elif step.depth < num_live - 1:
                is_same = False
        self._position = target
        return is_same and self._trace.steps[target].depth == num_live - 1, flags


def move_end(ids: Sequence[int], start: int) -> int:
    """Return the offset after the step or jump that starts at ``start``; always greater than ``start``."""
    if ids[start] != Control.JUMP:
        return step_end(ids, start)
    position = start + 2
    if position >= len(ids):
        return len(ids)
    if ids[position] != Control.STATE:
        return step_end(ids, position)
    position += 1
    while position < len(ids) and ids[position] == Control.FRAME:
        position += 2  # and the line of its ``def``
        while position < len(ids) and not is_line(ids[position]) and ids[position] != Control.END:
            position += 1
        position += 1
        while position < len(ids) and is_text(ids[position]):
            position += 1
    return min(position, len(ids))


class MoveDecoder(StepDecoder):
    """Turn the ids of one step or jump after another into records, keeping the stack of activations."""

    def push_move(self, ids: Sequence[int]) -> Step | Landing | MalformedStep:
        """Decode one step or jump and apply it; a malformed one leaves the stack as it was."""
        ids = tuple(ids)
        if not ids or ids[0] != Control.JUMP:
            return self.push(ids)
        try:
            action, goal = self._action(ids[1:2])
            target = self._target(ids[2:], action, goal)
        except BadStepError as error:
            return MalformedStep(ids, str(error))
        return Landing(action, goal, target)

    def _action(self, ids: Sequence[int]) -> tuple[Action, int | None]:
        if not ids:
            raise BadStepError("the jump breaks off")
        token = ids[0]
        if is_line(token):
            goal = self._view.line_at(line_label(token))
            if goal is not None:
                return Action.BREAKPOINT, goal
        elif token in _ACTIONS:
            return _ACTIONS[Control(token)], None
        raise BadStepError(f"{self._vocabulary.token_name(token)} is no action")

    def _target(self, ids: tuple[int, ...], action: Action, goal: int | None) -> Step | Outcome:
        if action is Action.CONTINUE or (goal is not None and ids[:1] and ids[0] in _ENDINGS):
            return self._ending(ids)
        if goal is not None and ids[:1] == (Control.STATE,):
            return self._state(ids, goal)
        kept = copy.deepcopy(self.stack)
        step = self.push(ids)
        if isinstance(step, MalformedStep):
            raise BadStepError(step.reason)
        problem = ""
        if step.kind is StepKind.CALL:
            problem = "a jump ends at no call"
        elif action is Action.STEP_RETURN and step.kind is not StepKind.RETURN:
            problem = "out ends at a return"
        elif goal is not None and (step.kind, step.lineno) != (StepKind.LINE, goal):
            problem = f"it does not end at line {goal}"
        if problem:
            self.stack = kept
            raise BadStepError(problem)
        return step

    def _ending(self, ids: tuple[int, ...]) -> Outcome:
        reader = Reader(ids, self._vocabulary, self._view)
        token = reader.take()
        if token not in _ENDINGS:
            raise BadStepError("a run ends with RETURN or RAISE")
        value = reader.text()
        reader.finish()
        self.stack = []
        return Outcome(_ENDINGS[Control(token)], value)

    def _state(self, ids: tuple[int, ...], goal: int) -> Step:
        reader = Reader(ids, self._vocabulary, self._view)
        reader.expect(Control.STATE)
        stack: list[Activation] = []
        codes = list(self.codes)
        while reader.accept(Control.FRAME):
            firstlineno = reader.line(echo=False)
            changed, deleted = reader.bindings()
            if deleted:
                raise BadStepError("a state deletes nothing")
            code = self._code_at(firstlineno, changed, codes)
            stack.append(Activation(code, reader.line(), dict(changed)))
        reader.finish()
        if not stack or stack[-1].lineno != goal:
            raise BadStepError(f"it does not end at line {goal}")
        self.stack, self.codes = stack, codes
        top = stack[-1]
        return Step(StepKind.LINE, top.code, goal, len(stack) - 1, tuple(top.locals.items()))

    def _code_at(self, lineno: int, bound: Sequence[Binding], codes: list[CodeInfo]) -> int:
        graph = called(self._control_flow, lineno, [name for name, _ in bound], resumes=False)
        if graph is None:
            raise BadStepError(f"no function starts at line {lineno}")
        code = CodeInfo(graph.qualname, graph.firstlineno, graph.local_names)
        if code not in codes:
            codes.append(code)
        return codes.index(code)


_ENDINGS = {ending: kind for kind, ending in OUTCOMES.items()}


def decode_moves(
    codec: NativeCodec, document: Sequence[int], view: SourceView, control_flow: ControlFlow
) -> Iterator[tuple[Step | Landing | MalformedStep, list[Activation]]]:
    """Yield what a document that starts at the entry says, and the stack after each.

    Stops at ``END``, or after a malformed step. The stack is reused: copy what is to be kept.
    """
    decoder = MoveDecoder(codec.vocabulary, view, control_flow)
    position = next((i + 1 for i, token in enumerate(document) if token == Control.START), len(document))
    while position < len(document) and document[position] != Control.END:
        end = move_end(document, position)
        record = decoder.push_move(document[position:end])
        yield record, decoder.stack
        if isinstance(record, MalformedStep):
            return
        position = end
