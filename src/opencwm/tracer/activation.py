"""One activation while it is recorded: what was last seen of its locals, and its trace function.

The trace function is the frame's own (``f_trace``), so nothing is kept under ``id(frame)``, which the
interpreter reuses. A local has changed when its text has. What makes that cheap is that most texts need not
be made: an atom that is the same object has the same text, and so has a built-in container, or the attributes
of an object, of which ``marshal.dumps`` gives the same bytes. Whatever else there is is rendered again,
within bounds. Only atoms are held on to, so no object of the program is kept alive.

Events that are no step: those of folded comprehensions (see :mod:`opencwm.source.code_facts`); the
StopIteration that ends a ``for`` loop, a ``yield from`` or an ``await``, which no handler sees; the
GeneratorExit of closing a generator that has no handler for it.
"""

from __future__ import annotations

import marshal
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

from opencwm.source.code_facts import NO_LINE, RETURN_OPS
from opencwm.source.compiler_differences import LOOP_BITS, LoopPlace
from opencwm.tracer import bytecode
from opencwm.tracer.bytecode import RecordedCode
from opencwm.tracer.evaluator import Evaluator, Scratch
from opencwm.tracer.rendering import ATOMS, PLAIN_CONTAINERS, SMALL_INT, TINY, Known
from opencwm.traces.trace import Binding, StepFlags, StepKind

if TYPE_CHECKING:
    from opencwm.tracer.recorder import RawStep, Recorder

_CALL, _LINE, _RETURN, _EXCEPTION = StepKind.CALL, StepKind.LINE, StepKind.RETURN, StepKind.EXCEPTION
_YIELD, _RESUME, _UNWIND, _TRUNCATED = (
    int(flag) for flag in (StepFlags.YIELD, StepFlags.RESUME, StepFlags.UNWIND, StepFlags.TRUNCATED)
)
_NO_LINE, _RETURN_OPS = NO_LINE, RETURN_OPS
_LOOP_BITS = LOOP_BITS
_BACK, _TEST, _BODY = int(LoopPlace.BACK), int(LoopPlace.TEST), int(LoopPlace.BODY)
_YIELD_OPS, _EXHAUST_OPS = bytecode.YIELD_OPS, bytecode.EXHAUST_OPS
_YIELD_VALUE = bytecode.YIELD_VALUE
_DELAY_RESUMED = sys.version_info >= (3, 13)
"""Since 3.13 the event that resumes a generator does not tell whether an exception is thrown into it."""
_NOBODY: frozenset[str] = frozenset()
# Bound here, so that a program that changes ``builtins`` does not change its recorder.
_type, _id, _repr, _len, _issubclass, _tuple, _sorted = type, id, repr, len, issubclass, tuple, sorted
_int, _str, _dict = int, str, dict
_StopIteration, _StopAsyncIteration, _GeneratorExit = StopIteration, StopAsyncIteration, GeneratorExit
_MemoryError, _ValueError, _Exception, _dumps = MemoryError, ValueError, Exception, marshal.dumps


class _Missing:
    """The value of a local that has none."""


class _Unheld:
    """Stands for a value that is not held, because the same object may have another text by now."""


class Activation:
    """Records one activation of a code object of the program.

    The attributes are its own business; :meth:`trace` is what the interpreter calls.
    """

    __slots__ = (
        "by_line",
        "code",
        "depth",
        "facts",
        "held",
        "held_back",
        "index",
        "line",
        "looping",
        "marks",
        "num_calls",
        "raised_at",
        "raw_line",
        "recorder",
        "silent",
        "texts",
    )

    def __init__(self, recorder: Recorder, code: RecordedCode) -> None:
        self.recorder = recorder
        self.code = code
        self.facts = facts = code.facts
        self.held: list[Any] = [_Missing] * _len(code.names)
        self.texts: list[str | None] = [None] * _len(code.names)
        self.marks: list[Known | None] = [None] * _len(code.names)  # what the texts came from
        self.index = recorder.index_of(code)
        self.line = self.raw_line = code.info.firstlineno
        self.by_line = not facts.line_rules  # every line event is a step
        self.depth = 0
        self.num_calls = 0
        self.raised_at = (-1, -1)  # offset of the last exception step, and how many steps there were after it
        self.held_back: RawStep | None = None  # the step of being resumed
        self.silent = False  # being closed without a handler
        self.looping = 0  # number of the loop that jumped back to the test that is running

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Take one event; the trace function of the frame."""
        try:
            if event == "line":
                number = frame.f_lineno or self.line
                if self.by_line or (number := self._admitted_line(frame, number)) != _NO_LINE:
                    self.line = number
                    self._add(
                        _LINE, self._values(frame) if self.facts.is_class_body else frame.f_locals, None, 0
                    )
            elif event == "call":
                self._called(frame)
            elif event == "return":
                self._returned(frame, arg)
            elif event == "exception":
                self._raised(frame, arg[1])
            elif event == "opcode":
                offset = frame.f_lasti
                number = self.facts.late_lines.get(offset, self.line)
                if self._enters_body(offset):
                    number = frame.f_lineno or self.line
                elif number == self.line:
                    return self.trace
                if self.held_back is not None:
                    self._release()
                self.line = number
                self._add(_LINE, self._values(frame), None, 0)
        except _MemoryError:
            self.recorder.out_of_memory = self.recorder.finished = True
            raise
        except _Exception as error:
            self.recorder.failure = error
            self.recorder.finished = True
            raise
        return self.trace

    def _add(
        self, kind: StepKind, values: Any, text: str | None, flags: int, hidden: frozenset[str] = _NOBODY
    ) -> None:
        """Compare the locals with what was last seen of them and record the step."""
        held = self.held
        get = values.get
        changed: tuple[Binding, ...] = ()
        deleted: tuple[str, ...] = ()
        num_chars = 0
        new: str | None
        for i, name in self.code.names:
            value = get(name, _Missing)
            if value is held[i] or (hidden and name in hidden):
                continue
            value_type = _type(value)
            if (
                (value_type is _int and -SMALL_INT < value < SMALL_INT)
                or _id(value_type) in TINY
                or (value_type is _str and _len(value) <= self.recorder.short)
            ):
                held[i] = value
                new = _repr(value)
            elif value is _Missing:
                held[i] = _Missing
                self.texts[i] = None
                deleted += (name,)
                continue
            else:
                new = self._render(i, value, value_type)
                if new is None:
                    continue
                if self.recorder.renderer.cut:
                    flags |= _TRUNCATED
            if new != self.texts[i]:
                self.texts[i] = new
                changed += ((name, new),)
                num_chars += _len(new) + _len(name)
        recorder = self.recorder
        if num_chars:
            recorder.count(num_chars)
        if _len(recorder.steps) >= recorder.most_steps:
            recorder.end_at_limit()
        evaluations = recorder.take_pending() if recorder.pending else ()
        recorder.steps.append(
            (kind, self.index, self.line, self.depth, changed, deleted, text, flags, evaluations)
        )

    def _render(self, i: int, value: Any, value_type: type) -> str | None:
        """Return the text of a value that is not a short atom, or None when it is the same as before."""
        renderer = self.recorder.renderer
        if _id(value_type) in ATOMS:
            self.held[i] = value
            text = renderer.render(value)
            return None if text == self.texts[i] else text
        self.held[i] = _Unheld
        place = _id(value)
        known = renderer.known.get(place)  # of this object, or one that was at its place
        key = None
        if known is not None and known[0] is value_type:
            try:
                is_small = _id(value_type) in PLAIN_CONTAINERS and _len(value) <= renderer.max_elements
                key = _dumps(value, 2) if is_small else renderer.fingerprint(value, value_type)
            except _ValueError:  # something else inside
                key = None
            if key is not None:
                mark = self.marks[i]
                if mark is not None and mark[0] is value_type and mark[1] == key:
                    known = mark  # the local may have been something else since
                if known[1] == key:
                    self.marks[i] = known
                    renderer.cut = known[3]
                    return None if known[2] == self.texts[i] else known[2]
        text = renderer.render(value, vetted=key is not None)
        self.marks[i] = None
        if renderer.plain:
            key = key or renderer.fingerprint(value, value_type)
            if key is not None:
                self.marks[i] = renderer.remember(place, value_type, key, text)
        return None if text == self.texts[i] else text

    def _admitted_line(self, frame: FrameType, number: int) -> int:
        """Return the line a line event reports, or NO_LINE when it is no step."""
        if self.silent:
            return _NO_LINE
        if self.held_back is not None:
            self._release()
        rules = self.facts.line_rules
        if not rules:
            self.by_line = True
            return number
        offset = frame.f_lasti
        previous, self.raw_line = self.raw_line, number
        rule = rules.get(offset, number)
        if rule == self.line and (previous != number or offset in rules):
            return _NO_LINE
        if self.looping and rule != _NO_LINE and self.facts.loop_places.get(offset, 0) & _BODY:
            self.looping = 0
        return rule

    def _enters_body(self, offset: int) -> bool:
        """Tell whether a loop jumped back and its test was true, with no line event that says so."""
        place = self.facts.loop_places.get(offset, 0)
        loop, before = place >> _LOOP_BITS, self.looping
        self.looping = loop if place & _BACK or (place & _TEST and loop == before) else 0
        return bool(place & _BODY and before and loop == before)

    def _values(self, frame: FrameType) -> Any:
        """Return the locals; those of a class body may be any mapping its metaclass made up."""
        found = frame.f_locals
        return {} if self.facts.is_class_body and _type(found) is not _dict else found

    def _hidden(self, frame: FrameType) -> frozenset[str]:
        """Return the locals whose value belongs to a comprehension at this moment."""
        if self.facts.shadowed and self.facts.line_rules.get(frame.f_lasti):
            return self.facts.shadowed
        return _NOBODY

    def _called(self, frame: FrameType) -> None:
        recorder = self.recorder
        self.depth = recorder.depth
        self.num_calls += 1
        if self.num_calls == 1:
            if self.facts.late_lines or self.facts.loop_places:
                frame.f_trace = self.trace  # without it, later Pythons do not heed the next line
                frame.f_trace_opcodes = True
            self._add(_CALL, self._values(frame), None, 0)
            recorder.depth = self.depth + 1
            return
        hidden = self._hidden(frame)
        kept = self._forget(hidden)
        self._add(_CALL, self._values(frame), None, _RESUME, hidden)
        recorder.depth = self.depth + 1
        step = recorder.steps.pop()
        if kept:
            order = self.facts.local_names.index
            step = (
                *step[:4],
                _tuple(_sorted((*step[4], *kept), key=lambda binding: order(binding[0]))),
                *step[5:],
            )
        if _DELAY_RESUMED or self.code.ops[frame.f_lasti >> 1] == _YIELD_VALUE:
            self.held_back = recorder.held_back = (
                step  # until it is known whether the generator is being closed
            )
            self.by_line = False
        else:
            recorder.steps.append(step)

    def _forget(self, hidden: frozenset[str]) -> list[Binding]:
        """Let the next comparison report every local; return what is known of the hidden ones."""
        kept = []
        for i, name in self.code.names:
            text = self.texts[i]
            if name not in hidden:
                self.held[i] = _Missing
                self.texts[i] = self.marks[i] = None
            elif text is not None:
                kept.append((name, text))
        return kept

    def _release(self) -> None:
        """Record the step that was held back, unless that is done."""
        recorder = self.recorder
        if recorder.held_back is not None:
            recorder.steps.append(recorder.held_back)
        self.held_back = recorder.held_back = None

    def _raised(self, frame: FrameType, error: BaseException) -> None:
        recorder, facts = self.recorder, self.facts
        offset = frame.f_lasti
        kind = _type(error)
        if self.held_back is not None:
            closing = recorder.held_back is not None and _issubclass(kind, _GeneratorExit)
            if closing and bytecode.closes_silently(facts.code, offset):
                recorder.pending[:0] = self.held_back[-1]
                self.held_back = recorder.held_back = None
                recorder.depth = self.depth
                self.silent = True
                return
            self._release()
        if bytecode.op_at(self.code.ops, offset) in _EXHAUST_OPS and (
            _issubclass(kind, _StopIteration)
            or (_issubclass(kind, _StopAsyncIteration) and bytecode.ends_loop(facts.code, offset))
        ):
            return
        text = recorder.renderer.render(error)
        recorder.count(_len(text))
        cut = _TRUNCATED if recorder.renderer.cut else 0
        self._add(_EXCEPTION, self._values(frame), text, cut, self._hidden(frame))
        self.raised_at = (offset, _len(recorder.steps))

    def _returned(self, frame: FrameType, value: Any) -> None:
        if self.silent:
            self.silent = False
            return
        if self.held_back is not None:
            self._release()
        recorder = self.recorder
        offset = frame.f_lasti
        op = self.code.ops[offset >> 1]
        text = None
        flags = _UNWIND
        if op in _RETURN_OPS or (
            op in _YIELD_OPS and (value is not None or self.raised_at != (offset, _len(recorder.steps)))
        ):
            flags = 0 if op in _RETURN_OPS else _YIELD
            text = recorder.renderer.render(value)
            recorder.count(_len(text))
            if recorder.renderer.cut:
                flags |= _TRUNCATED
        self._add(_RETURN, self._values(frame), text, flags, self._hidden(frame))
        recorder.depth = self.depth
        if self.depth == 0 and self.facts.code is recorder.entry and not flags & _YIELD:
            recorder.finished = True


class DetailedActivation(Activation):
    """An activation whose sub-expressions are recorded as well: it has a :class:`Scratch` of its own.

    Nothing is recorded while the trace function runs: rendering may call the program's ``__repr__``.
    """

    __slots__ = ("evaluator", "outer", "scratch")

    def __init__(self, recorder: Recorder, code: RecordedCode, evaluator: Evaluator) -> None:
        super().__init__(recorder, code)
        self.evaluator = evaluator
        self.scratch = Scratch()
        self.outer: Scratch | None = None  # of the activation that called or resumed this one

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Take one event; the trace function of the frame."""
        recorder, evaluator = self.recorder, self.evaluator
        scratch, evaluator.scratch = evaluator.scratch, None
        num_steps = _len(recorder.steps)
        super().trace(frame, event, arg)
        if event == "call":
            self.outer = scratch
            evaluator.scratch = self.scratch
        elif event == "return":
            evaluator.scratch = self.outer
        else:
            evaluator.scratch = scratch
            steps = recorder.steps
            if event == "exception" and _len(steps) > num_steps and steps[-1][0] is _EXCEPTION:
                self.scratch.waiting.clear()  # the expression is left in the middle
        return self.trace
