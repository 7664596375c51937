"""What is foreseen of the next step of a run: see :mod:`.workings`.

Follows a run step by step and remembers of each activation which line runs, what it has evaluated so far, and
where its loops stand, so that a line that was left for a call is taken up again where it was.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import NoReturn

from opencwm.codec.native_writer import written_evaluations
from opencwm.debugger.foreseeing.arguments import CallSite
from opencwm.debugger.foreseeing.buffers import TEXTS, Buffer, buffers_in, is_used_later
from opencwm.debugger.foreseeing.closures import Closures
from opencwm.debugger.foreseeing.decorated import changes_at_once
from opencwm.debugger.foreseeing.expectations import (
    STOP,
    Ask,
    Entered,
    EnteringError,
    Expected,
    Iterating,
    Made,
    Memory,
    Outcome,
    ResumingError,
    Several,
    UnforeseenError,
)
from opencwm.debugger.foreseeing.hooks import plain_name, raises_again
from opencwm.debugger.foreseeing.module_variables import FollowedVariables
from opencwm.debugger.foreseeing.rendered import is_atom, is_iterator
from opencwm.debugger.foreseeing.shown import is_cut
from opencwm.debugger.foreseeing.workings import Workings
from opencwm.traces import Activation, CodeInfo, Step, StepFlags, StepKind, apply_step


class Foresight:
    """Follows one run.

    Args:
        workings: of the program.
        calculates: whether lists and dictionaries that a line changes are worked out.
    """

    def __init__(self, workings: Workings, *, calculates: bool = False) -> None:
        self.workings = workings
        self.calculates = calculates
        self._memories: list[Memory] = []
        self._suspended: dict[int, list[Memory]] = {}  # by code
        self._leaving: str | None = None  # the exception that the last step left a function with
        self._closures = Closures(workings.free, workings.known.decorated.kept)
        self._variables = FollowedVariables(workings.variables)

    def restart(self, steps: Sequence[Step], codes: Sequence[CodeInfo]) -> None:
        """Stand where a run stands after ``steps``."""
        self._memories, self._suspended, self._leaving = [], {}, None
        self._closures = Closures(self.workings.free, self.workings.known.decorated.kept)
        self._variables = FollowedVariables(self.workings.variables)
        stack: list[Activation] = []
        for step in steps:
            apply_step(stack, step, tuple(codes))
            if step.kind is StepKind.RETURN:
                stack.pop()
            self.push(step, stack, codes)

    def push(self, step: Step, stack: Sequence[Activation], codes: Sequence[CodeInfo]) -> None:
        """Take note of a step; ``stack`` holds the activations alive after it, their ``codes`` apart."""
        written = [(evaluation.text, evaluation.value) for evaluation in written_evaluations(step)]
        running = len(stack) - (step.kind is StepKind.CALL) + (step.kind is StepKind.RETURN)
        del self._memories[running:]
        while len(self._memories) < running:
            self._memories.append(Memory())
            self._variables.lose()
        if self._memories:
            self._memories[-1].written += written
        if step.kind is StepKind.CALL:
            entered = self._entered(step, codes)
            if not step.flags & StepFlags.RESUME:
                entered.made = self._handed(entered.first, dict(step.changed))
            if self._memories:
                is_apart = self._is_apart(entered.first, step)
                self._memories[-1].entered.append(
                    Entered(
                        entered.first,
                        is_apart=is_apart,
                        given=dict(step.changed),
                        continued=entered if step.flags & StepFlags.RESUME else None,
                    )
                )
            self._memories.append(entered)
            if not step.flags & StepFlags.RESUME:
                self._closures.enters(entered.first)
        elif step.kind is StepKind.LINE:
            self._proceed(self._memories[-1], step.lineno)
        elif step.kind is StepKind.EXCEPTION:
            thrown = self._thrown(step.value)
            self._bind({})
            self._memories[-1].throws(thrown)
        elif step.kind is StepKind.RETURN:
            self._leave(step)
        if step.kind is not StepKind.RETURN:
            self._leaving = None
        if stack:
            self._memories[-1].see(stack[-1].locals, is_new_line=step.kind is StepKind.LINE)
            if step.kind is not StepKind.RETURN:
                self._closures.reads(self._memories[-1].first, stack[-1].locals)

    def _leave(self, step: Step) -> None:
        """Take note that the innermost activation is left, or waits to be asked for its next item."""
        if self._variables.binds(self._memories[-1]) and not step.flags & StepFlags.YIELD:
            self._bind({} if step.flags & StepFlags.UNWIND else self._stored())
        memory = self._memories.pop()
        self._leaving = self._left_with(memory, step)
        state = memory.resumed if memory.num_yields > 0 else memory.state
        left = {**state, **dict(step.changed)}
        self._closures.reads(memory.first, left)
        self._returned(memory, step, left)
        if step.flags & StepFlags.YIELD:
            memory.left = left
            memory.num_yields += memory.num_yields >= 0
            self._suspended.setdefault(step.code, []).append(memory)

    def _left_with(self, memory: Memory, step: Step) -> str | None:
        """Return the exception that leaves a function, None for none, and where there may be others in it."""
        is_one = self.workings.known.functions.num_tries(memory.first) <= 1
        return memory.raised if step.flags & StepFlags.UNWIND and is_one else None

    def _thrown(self, value: str | None) -> str | None:
        """Return an exception that is raised now, with what is known of it beside how it reads."""
        memory, raised = self._memories[-1], self._leaving
        if not self.workings.known.exceptions.line_of(value or ""):
            return value
        node = self.workings.statement(memory)
        if raised is None and not raises_again(node):
            raised = self._outcome(memory).raised
        return raised if raised == value else value

    def _outcome(self, memory: Memory) -> Outcome:
        """Return what is known of what the line that runs in an activation has done."""
        with contextlib.suppress(UnforeseenError):
            return self.workings.follower(memory.copy(), _nothing_more, calculates=self.calculates).run()
        return Outcome()

    def _initialized(self, memory: Memory, text: str | None) -> str | None:
        """Return what an ``__init__`` leaves behind, an exception with the attributes that it keeps."""
        if not self.workings.known.exceptions.line_of(text or ""):
            return text
        made = self._outcome(memory).values.get("self", memory.made.get("self"))
        return made if made == text else text

    def _kept_value(self, memory: Memory, text: str | None) -> str | None:
        """Return what a function returns, an object with the attributes that it keeps."""
        returned = self._outcome(memory).returned
        is_kept = isinstance(returned, Made) and bool(returned.attributes)
        return returned if is_kept and returned == text else text

    def _returned(self, memory: Memory, step: Step, left: Mapping[str, str]) -> None:
        """Tell the caller of a function what its call is worth."""
        entered = self._memories[-1].entered if self._memories else []
        if entered and entered[-1].first == memory.first and not step.flags & StepFlags.UNWIND:
            functions = self.workings.known.functions
            is_left = not step.flags & StepFlags.YIELD
            entered[-1].is_clean = is_left and not any(
                is_iterator(text) or is_cut(text) for text in left.values()
            )
            if functions.is_generator(memory.first):
                is_yield = bool(step.flags & StepFlags.YIELD)
                entered[-1].item = step.value if is_yield else STOP
                entered[-1].value = None if is_yield or step.flags & StepFlags.TRUNCATED else step.value
                entered[-1].suspended = memory if is_yield else None
                entered[-1].is_reading = functions.is_reading(
                    memory.first, entered[-1].given, left, memory.lines
                )
        if not self._memories or step.flags & (StepFlags.YIELD | StepFlags.UNWIND | StepFlags.TRUNCATED):
            return
        entered = self._memories[-1].entered
        if (
            entered
            and entered[-1].first == memory.first
            and self.workings.known.functions.is_plain(memory.first)
        ):
            state = {**memory.state, **dict(step.changed)}
            functions = self.workings.known.functions
            entered[-1].value = functions.value(memory.first, step.value, state)
            if self.workings.known.value_classes.are_kept:
                entered[-1].value = self._kept_value(memory, entered[-1].value)
            entered[-1].returned = step.value
            entered[-1].buffers = self._buffers_left(memory)
            entered[-1].after = functions.after(memory.first, state, memory.lines)
            if functions.is_initializer(memory.first):
                entered[-1].value = self._initialized(memory, entered[-1].value)
                entered[-1].after = {**entered[-1].after, "self": entered[-1].value or ""}
            entered[-1].kept = self._closures.kept(self._memories[-1].first)

    def _is_apart(self, first: int, step: Step) -> bool:
        """Whether the function that a CALL enters can change no object that there was before."""
        is_fixed = all(is_atom(value) for _, value in step.changed)
        return is_fixed and not step.flags & StepFlags.RESUME and first in self.workings.known.apart.values()

    def _entered(self, step: Step, codes: Sequence[CodeInfo]) -> Memory:
        first = codes[step.code].firstlineno if 0 <= step.code < len(codes) else 0
        if not step.flags & StepFlags.RESUME:
            return Memory(first)
        asked = self._asked()
        suspended = self._suspended.get(step.code, [])
        if asked is not None:
            memory = asked.suspended
            memory.is_at_once = memory.is_at_once and asked.is_at_once
        else:
            there = [other for other in suspended if other.lineno == step.lineno]
            memory = there[0] if len(there) == 1 else Memory(first, num_yields=-1)
            memory.is_at_once = False
        self._suspended[step.code] = [other for other in suspended if other is not memory]
        memory.lineno, memory.is_asked = step.lineno, asked is not None
        return memory

    def _asked(self) -> ResumingError | None:
        """Return the generator that the line is sure to ask for an item; None for none."""
        try:
            if self._memories:
                self.workings.follower(self._memories[-1].copy(), _nothing_more).run()
        except ResumingError as resuming:
            return resuming
        except UnforeseenError:
            pass
        return None

    def _bind(self, stored: Mapping[str, str]) -> None:
        """Take note of what the line that has run binds variables of the module to."""
        suspended = (memory for memories in self._suspended.values() for memory in memories)
        self._variables.bind(self._memories[-1], stored, [*self._memories, *suspended])

    def _stored(self) -> Mapping[str, str]:
        """Return what the line that has run binds variables of the module to, where that is known."""
        memory = self._memories[-1].copy()
        try:
            return self.workings.follower(memory, _nothing_more, calculates=self.calculates).run().stored
        except UnforeseenError:
            return {}

    def _proceed(self, memory: Memory, lineno: int) -> None:
        """Go to the next line, once the one that ran has brought its loops up to date."""
        if memory.lineno:
            self._settle(memory)
        else:
            memory.methods.clear()
            memory.subject = None
            if memory.raised is not None:  # not before the first line
                memory.forget()
        memory.before, memory.lineno, memory.written, memory.entered = memory.lineno, lineno, [], []
        self._variables.begin(memory)
        memory.lines.add(lineno)
        memory.num_yields, memory.is_steady, memory.is_at_once = 0, True, True

    def _settle(self, memory: Memory) -> None:
        """Take note of what the line that has run leaves behind for those to come."""
        if self.workings.begins_block(memory) and memory.passing is None:
            memory.jump, memory.subject = "?", None
            return
        node, follower, outcome = self.workings.statement(memory), None, Outcome()
        is_thrown, ran = memory.passing is not None, self.workings.alone(memory)
        try:
            follower = self.workings.follower(memory, _nothing_more, calculates=self.calculates)
            outcome = follower.run()
            follower.keep(outcome)
            ran = follower.last
        except UnforeseenError:
            memory.forget()
            memory.subject = None
            if not self.workings.binds_plainly(memory):
                memory.methods.clear()
            memory.passing = "" if is_thrown else memory.passing
        if self._variables.binds(memory):
            self._bind(outcome.stored)
        if follower is not None and follower.is_leaving:
            return
        caught = self.workings.caught(memory)
        for name, text in caught.values.items() if caught is not None else ():
            if isinstance(text, Made):
                memory.made[name] = text
        if raises_again(node):  # nothing reports which exception that is
            memory.raised = None
        if node is not None:
            memory.passing = None
        memory.jump = type(ran).__name__ if isinstance(ran, ast.Return | ast.Break | ast.Continue) else ""
        memory.jump = memory.jump if ran is not None else "?"
        if isinstance(ran, ast.Return):
            name = plain_name(ran.value) if ran.value is not None else ""
            memory.waiting = name if name in memory.state else "", outcome.returned

    def follow(self, ask: Ask) -> Outcome:
        """Follow what is left of the line that runs, asking for the value of each sub-expression in turn.

        Raises:
            UnforeseenError: it is not known what comes next.
        """
        if not self._memories:
            raise UnforeseenError
        caught = self.workings.caught(self._memories[-1])
        if caught is not None:
            return caught
        if self.workings.begins_block(self._memories[-1]):
            return Outcome(is_told=True, is_pure=True, enters_nothing=True, resumes_nothing=True)
        outcome = self.workings.follower(self._memories[-1].copy(), ask, calculates=self.calculates).run()
        outcome.resumes_nothing |= outcome.enters_nothing and not any(self._suspended.values())
        return outcome

    def arguments(self, first: int, written: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Return the rendered parameters, as far as they are known, of a function that is entered now.

        Args:
            first: first line of the function.
            written: evaluations since the last step, text and value.
        """
        calls, _, starting = self._calls(written)
        calls = [call for call in calls if self._may_enter(call, first)]
        number = sum(entered.first == first for entered in self._entered_now())
        if starting is not None:
            calls, number = [starting], 0
        functions = self.workings.known.functions
        free = self._closures.free(first)
        for memory in self._memories:  # the lines that run may have bound some anew
            bound = functions.bound_on(memory.first, memory.lineno) if free else set()
            free = {name: text for name, text in free.items() if name not in bound}
        free |= self._kept(first)
        return free | functions.arguments(first, calls, number)

    def _handed(self, first: int, shown: Mapping[str, str]) -> dict[str, Made]:
        """Return the parameters of a function that is entered whose text does not tell what they are."""
        exceptions = self.workings.known.exceptions
        are_more = any(text.startswith("<") or exceptions.line_of(text) for text in shown.values())
        are_more = are_more or self.workings.known.value_classes.are_kept
        given = self.arguments(first, ()) if are_more else {}
        found = {
            name: text for name, text in given.items() if isinstance(text, Made) and shown.get(name) == text
        }
        kept = {name: self._for_function(first, name, text) for name, text in found.items()}
        found = {name: text for name, text in kept.items() if text is not None}
        return found | self._buffers_handed(first, shown)

    def _buffers_handed(self, first: int, shown: Mapping[str, str]) -> dict[str, Made]:
        """Return the parameters of a function that are files in memory, which it has as long as it runs."""
        names = [name for name, text in shown.items() if text in TEXTS]
        call = self._entering(first) if names else None
        functions = self.workings.known.functions
        if call is None:
            return {}
        given = functions.arguments(first, [call], 0)
        found: dict[str, Made] = {}
        for name in names:
            text = given.get(name)
            if not isinstance(text, Iterating) or not isinstance(text.handed, Buffer):
                continue
            is_alone = functions.is_plain(first) or not text.is_held
            if is_alone and text == shown[name] and not is_used_later(functions.definition(first), name):
                found[name] = Iterating(text, stream=text.handed)
        return found

    def _entering(self, first: int) -> CallSite | None:
        """Return the call by which the line is sure to enter a function next; None where it is not."""
        if not self._memories:
            return None
        try:
            follower = self.workings.follower(
                self._memories[-1].copy(), _nothing_more, calculates=self.calculates
            )
        except UnforeseenError:
            return None
        try:
            follower.run()
        except EnteringError as entering:
            if entering.first == first:
                return follower.starting or follower.calls[-1]
        except UnforeseenError:
            pass
        return None

    def _buffers_left(self, memory: Memory) -> list[Buffer]:
        """Return the files in memory that a function has alone when it returns now."""
        if not buffers_in(memory.made):
            return []
        memory = memory.copy()
        try:
            follower = self.workings.follower(memory, _nothing_more, calculates=self.calculates)
            follower.keep(follower.run())
        except UnforeseenError:
            return []
        return buffers_in(memory.made)

    def _for_function(self, first: int, name: str, text: Made) -> Made | None:
        """Return what a parameter is that a function has alone as long as it runs; None where it may not."""
        if not isinstance(text, Iterating):
            return None if isinstance(text, Several) else text
        if isinstance(text.stream, Buffer):
            return None  # see below
        functions = self.workings.known.functions
        if functions.is_reached(first, name):
            return None
        if text.stream is None:
            return text if text.is_apart else None
        is_alone = functions.is_plain(first) or not (text.is_held or text.is_over_another)
        return Iterating(text, stream=text.handed) if is_alone and text.handed is not None else None

    def _kept(self, first: int) -> dict[str, str]:
        """Return the free variables that nothing but a function changes, and no line does now."""
        found = self._closures.kept(first)
        for memory in self._memories if found else ():
            if memory.first == first:
                bound = self.workings.known.functions.bound_on(first, memory.lineno)
                node = self.workings.lines.get((first, memory.lineno))
                found = {
                    name: text
                    for name, text in found.items()
                    if name not in bound and node is not None and not changes_at_once(node, name)
                }
        return found

    def next_callees(self, firsts: Collection[int], written: Sequence[tuple[str, str]]) -> list[int]:
        """Return which of some functions, by their first lines, the line may enter next.

        Those that stand there to be called later are left out; others, such as special methods, are not.
        """
        _, calls, _ = self._calls(written)
        functions = self.workings.known.functions
        places = {
            first: next(
                (
                    n
                    for n, call in enumerate(calls)
                    if not call.is_special and functions.is_call_of(first, call)
                ),
                None,
            )
            for first in firsts
        }
        entered_at_once = [
            place for first, place in places.items() if place is not None and functions.is_plain(first)
        ]
        soonest = min(entered_at_once, default=None)
        return [
            first
            for first, place in places.items()
            if place is None or soonest is None or place <= soonest or not functions.is_plain(first)
        ]

    def _may_enter(self, call: CallSite, first: int) -> bool:
        """Whether a method call may enter a function: not another method of that name for certain."""
        known = self.workings.known
        entries = known.entries
        if call.first:
            return call.first == first
        if call.is_special:
            running = self._memories[-1].first if self._memories else 0
            return entries is not None and entries.entered(call, known.constants, running) == first
        if not call.is_method or call.is_inherited or entries is None:
            return True
        return entries.method(call) in (0, first)

    def _entered_now(self) -> list[Entered]:
        return self._memories[-1].entered if self._memories else []

    def _calls(
        self, written: Sequence[tuple[str, str]]
    ) -> tuple[list[CallSite], list[CallSite], CallSite | None]:
        """Return the calls of the line that runs, in order, as far as they are known; and those to come.

        With them the one that has made the generator that is entered next, None where none is.
        """
        if not self._memories:
            return [], [], None
        memory = self._memories[-1].copy()
        memory.written += written
        with contextlib.suppress(UnforeseenError):
            follower = self.workings.follower(memory, _not_known, calculates=self.calculates)
            with contextlib.suppress(UnforeseenError):
                follower.run()
            return follower.calls, follower.to_come, follower.starting
        return [], [], None

    @property
    def returns_none(self) -> bool:
        """Whether the line that runs, if it returns, returns None."""
        return bool(self._memories) and self.workings.returns_none(self._memories[-1])

    @property
    def branch(self) -> int:
        """The line that follows when the condition or loop on the line that runs holds, 0 if not known."""
        return self.workings.branch(self._memories[-1]) if self._memories else 0


def _not_known(_: Expected) -> None:
    return None


def _nothing_more(_: Expected) -> NoReturn:
    raise UnforeseenError
