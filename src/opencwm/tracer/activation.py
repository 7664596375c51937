"""The trace function of one activation: a closure that holds what was last seen of its locals.

It is the frame's own local trace function, so nothing is kept under ``id(frame)``, which the interpreter reuses. A local has
changed when its text has; what makes that cheap is that most texts need not be made: an atom that is the same object has the same
text, and so has a built-in container, or the attributes of an object, of which ``marshal.dumps`` gives the same bytes. Whatever
else there is is rendered again, within bounds. Only atoms are held on to, so no object of the program is kept alive.

Events that are no step: those of folded comprehensions (see :mod:`opencwm.tracer.bytecode`); the StopIteration that ends a
``for`` loop, a ``yield from`` or an ``await``, which no handler sees; the GeneratorExit of closing a generator that has no
handler for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

from opencwm.tracer import bytecode
from opencwm.tracer.bytecode import CodeFacts
from opencwm.tracer.rendering import ATOMS, SMALL_INT, TINY
from opencwm.traces.trace import Binding, StepFlags, StepKind

if TYPE_CHECKING:
    from opencwm.tracer.recorder import Recorder

LocalTrace = Callable[[FrameType, str, Any], Any]
Changes = tuple[tuple[Binding, ...], tuple[str, ...], int]
"""Changed bindings, deleted names, flags."""
Differ = Callable[[Mapping[str, Any], frozenset[str]], Changes]

_CALL, _LINE, _RETURN, _EXCEPTION = StepKind.CALL, StepKind.LINE, StepKind.RETURN, StepKind.EXCEPTION
_YIELD, _RESUME, _UNWIND, _TRUNCATED = (
    int(flag) for flag in (StepFlags.YIELD, StepFlags.RESUME, StepFlags.UNWIND, StepFlags.TRUNCATED)
)
_NO_LINE = bytecode.NO_LINE
_RETURN_OPS, _YIELD_OPS, _EXHAUST_OPS = bytecode.RETURN_OPS, bytecode.YIELD_OPS, bytecode.EXHAUST_OPS
_YIELD_VALUE = bytecode.YIELD_VALUE
_DELAY_RESUMED = sys.version_info >= (3, 13)
"""Since 3.13 the event that resumes a generator does not tell whether an exception is thrown into it."""
_NOTHING: tuple[()] = ()
_UNCHANGED: Changes = ((), (), 0)
_NOBODY: frozenset[str] = frozenset()
# Bound here, so that a program that changes ``builtins`` does not change its recorder.
_type, _id, _repr, _len, _issubclass, _zip, _range = type, id, repr, len, issubclass, zip, range
_int, _str, _dict, _StopIteration, _GeneratorExit = int, str, dict, StopIteration, GeneratorExit
_StopAsyncIteration, _MemoryError, _Exception = StopAsyncIteration, MemoryError, Exception


def activation_trace(recorder: Recorder, facts: CodeFacts) -> LocalTrace:  # noqa: C901 - one closure is what makes it fast
    """Return the local trace function of a new activation of ``facts.code``."""
    differ, forget = _differ(recorder, facts)
    steps = recorder.steps
    add = steps.append
    index = recorder.index_of(facts)
    rules = facts.line_rules
    render = recorder.renderer.render
    renderer = recorder.renderer
    depth = 0
    line = raw_line = facts.call_line
    num_calls = 0
    raised_at = -1  # offset of the exception step, when no line step followed it
    held_back: Any = None  # the step of being resumed
    silent = False  # being closed without a handler

    def local(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal line, raw_line, raised_at
        if recorder.finished:
            return None
        try:
            if event != "line":
                if event == "call":
                    called(frame)
                elif event == "return":
                    returned(frame, arg)
                elif event == "exception":
                    raised(frame, arg[1])
                return local
            if silent:
                return local
            number = frame.f_lineno or line
            if rules:
                previous, raw_line = raw_line, number
                rule = rules.get(frame.f_lasti, number)
                if rule == _NO_LINE or (rule == line and (previous != number or frame.f_lasti in rules)):
                    return local
                number = rule
            if held_back:
                release()
            line = number
            raised_at = -1
            changed, deleted, flags = differ(locals_of(frame), _NOBODY)
            if _len(steps) >= recorder.most_steps:
                recorder.end_at_limit()
            add((_LINE, index, number, depth, changed, deleted, None, flags))
        except _MemoryError:
            recorder.out_of_memory = recorder.finished = True
            raise
        except _Exception as error:
            recorder.failure = error
            recorder.finished = True
            raise
        return local

    def locals_of(frame: FrameType) -> Any:
        found = frame.f_locals
        if facts.is_class_body and _type(found) is not _dict:  # what a metaclass's __prepare__ gave
            return {}
        return found

    def hidden_at(frame: FrameType) -> frozenset[str]:
        """Return the locals whose value belongs to a comprehension at this moment."""
        if facts.shadowed and rules.get(frame.f_lasti):
            return facts.shadowed
        return _NOBODY

    def called(frame: FrameType) -> None:
        nonlocal num_calls, raised_at, depth, held_back
        num_calls += 1
        raised_at = -1
        depth = recorder.depth
        hidden = hidden_at(frame)
        kept = forget(hidden)
        changed, _, flags = differ(locals_of(frame), hidden)
        if kept:
            order = facts.info.local_names.index
            changed = (*sorted((*changed, *kept), key=lambda binding: order(binding[0])),)
        if _len(steps) >= recorder.most_steps:
            recorder.end_at_limit()
        recorder.depth = depth + 1
        step = (_CALL, index, line, depth, changed, _NOTHING, None, flags | (_RESUME if num_calls > 1 else 0))
        if num_calls > 1 and (_DELAY_RESUMED or facts.ops[frame.f_lasti >> 1] == _YIELD_VALUE):
            held_back = recorder.held_back = step  # until it is known whether the generator is being closed
        else:
            add(step)

    def release() -> None:
        """Record the step that was held back, unless that is done."""
        nonlocal held_back
        if recorder.held_back is not None:
            add(recorder.held_back)
        held_back = recorder.held_back = None

    def raised(frame: FrameType, error: BaseException) -> None:
        nonlocal raised_at, held_back, silent
        offset = frame.f_lasti
        if held_back:
            if recorder.held_back and _issubclass(_type(error), _GeneratorExit) and bytecode.closes_silently(facts.code, offset):
                held_back = recorder.held_back = None
                recorder.depth = depth
                silent = True
                return
            release()
        if bytecode.op_at(facts.ops, offset) in _EXHAUST_OPS and (
            _issubclass(_type(error), _StopIteration)
            or (_issubclass(_type(error), _StopAsyncIteration) and bytecode.ends_loop(facts.code, offset))
        ):
            return
        raised_at = offset
        text = render(error)
        cut = _TRUNCATED if renderer.cut else 0
        changed, deleted, flags = differ(locals_of(frame), hidden_at(frame))
        if _len(steps) >= recorder.most_steps:
            recorder.end_at_limit()
        recorder.count_bytes(_len(text))
        add((_EXCEPTION, index, line, depth, changed, deleted, text, flags | cut))

    def returned(frame: FrameType, value: Any) -> None:
        nonlocal silent
        if silent:
            silent = False
            return
        if held_back:
            release()
        offset = frame.f_lasti
        op = facts.ops[offset >> 1]
        text = None
        cut = 0
        if op in _RETURN_OPS or (op in _YIELD_OPS and (value is not None or raised_at != offset)):
            text = render(value)
            cut = (_TRUNCATED if renderer.cut else 0) | (0 if op in _RETURN_OPS else _YIELD)
            recorder.count_bytes(_len(text))
        else:
            cut = _UNWIND
        changed, deleted, flags = differ(locals_of(frame), hidden_at(frame))
        if _len(steps) >= recorder.most_steps:
            recorder.end_at_limit()
        add((_RETURN, index, line, depth, changed, deleted, text, flags | cut))
        recorder.depth = depth
        if depth == 0 and facts.code is recorder.entry:
            recorder.finished = True

    return local


def _differ(  # noqa: C901 - the recorder's inner loop, kept in one piece
    recorder: Recorder, facts: CodeFacts
) -> tuple[Differ, Callable[[frozenset[str]], list[Binding]]]:
    """Return the function that compares the locals with those it saw last, and the one that makes it forget them."""
    renderer = recorder.renderer
    render, fingerprint = renderer.render, renderer.fingerprint
    short = renderer.max_chars // 12
    names = facts.info.local_names
    positions = _range(_len(names))
    missing, unheld = object(), object()
    held: list[Any] = [missing] * _len(names)
    texts: list[str | None] = [None] * _len(names)
    keys: list[bytes | None] = [None] * _len(names)
    ids = [0] * _len(names)

    def differ(values: Mapping[str, Any], hidden: frozenset[str]) -> Changes:
        get = values.get
        changed: list[Binding] = []
        deleted: list[str] = []
        flags = 0
        for i, name, last in _zip(positions, names, held):
            value = get(name, missing)
            if value is last or (hidden and name in hidden):
                continue
            kind = _type(value)
            if kind in ATOMS:
                held[i] = value
                if (
                    (kind is _int and -SMALL_INT < value < SMALL_INT)
                    or (kind is _str and _len(value) <= short)
                    or kind in TINY
                ):
                    text = _repr(value)
                else:
                    text = render(value)
                    if renderer.cut:
                        flags = _TRUNCATED
            elif value is missing:
                held[i] = missing
                texts[i] = None
                deleted.append(name)
                continue
            else:
                held[i] = unheld
                key = None
                if keys[i] is not None and ids[i] == _id(value):
                    key = fingerprint(value, kind)
                    if key == keys[i]:
                        continue
                text = render(value)
                keys[i] = (key or fingerprint(value, kind)) if renderer.plain else None
                ids[i] = _id(value)
                if renderer.cut and text != texts[i]:
                    flags = _TRUNCATED
            if text != texts[i]:
                texts[i] = text
                changed.append((name, text))
        if not changed and not deleted:
            return _UNCHANGED
        num_bytes = 0
        for name, text in changed:
            num_bytes += _len(name) + _len(text)
        recorder.count_bytes(num_bytes)
        return (*changed,), (*deleted,), flags

    def forget(hidden: frozenset[str]) -> list[Binding]:
        """Let the next comparison report every local; return what is known of the hidden ones."""
        kept = []
        for i, name in enumerate(names):
            text = texts[i]
            if name not in hidden:
                held[i] = missing
                texts[i] = keys[i] = None
            elif text is not None:
                kept.append((name, text))
        return kept

    return differ, forget
