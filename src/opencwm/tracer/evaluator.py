"""Takes the values an instrumented program reports and makes the records of its sub-expressions.

See :mod:`opencwm.tracer.instrument` for what calls the hooks and when. A hook returns the value it is given.
It renders that value at once and keeps the text only, so it neither shows a later state nor keeps an object
alive; of immutable atoms alone it keeps the value, to say how a chained comparison goes on. It runs no code
of the program.

The texts of operands wait on the stack of their activation. Each is marked with its site and number: a site
that does not find exactly its own operands on top reports nothing, so that an expression that an exception
left in the middle cannot be mixed up with another.
"""

from __future__ import annotations

import _thread  # not threading: what it registers for forks burdens every run of the sandbox
import collections
import dataclasses
import itertools
import marshal
import operator
import types
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any

from opencwm.tracer.limits import TraceLimits
from opencwm.tracer.plain_reads import HOLDERS, MISSING, attribute_of, item_of
from opencwm.tracer.rendering import ATOMS, PLAIN_CONTAINERS, SCALARS, SMALL_INT, TINY, Renderer
from opencwm.tracer.sites import HOOK_NAMES, Push, Site, SiteKind
from opencwm.traces.trace import Evaluation

RawEvaluation = tuple[int, str, str]
"""Site, text and value."""

_type, _id, _len, _repr, _iter, _get_ident = type, id, len, repr, iter, _thread.get_ident
_bool, _str, _int, _list, _range, _tuple = bool, str, int, list, range, tuple
_dumps, _ValueError = marshal.dumps, ValueError
_LOOKED_UP = frozenset(
    id(kind)
    for kind in (
        type(lambda: 0),
        type(len),
        type("".join),
        type(_thread.allocate_lock().acquire),
        types.MethodType,
        type(str.join),
        type(int.__add__),
        type((1).__add__),
    )
)
_INDEXED = frozenset(map(id, (str, bytes, list, tuple, range)))
_ITERABLE = PLAIN_CONTAINERS | frozenset(map(id, (type({}.keys()), type({}.values()), type({}.items()))))
_NUMBERS = frozenset(map(id, (int, float, bool)))
_TRUTHFUL = SCALARS | ATOMS | PLAIN_CONTAINERS | frozenset({id(range)})
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge, "is": operator.is_, "is not": operator.is_not,
    "in": lambda item, container: item in container, "not in": lambda item, container: item not in container,
}  # fmt: skip
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "|": operator.or_, "^": operator.xor, "&": operator.and_,
    "<<": operator.lshift, ">>": operator.rshift, "**": operator.pow,
}  # fmt: skip
_MOST_DOUBLINGS = 64
_MOST_KNOWN = 4096
_TOO_LONG = None
"""Stands for the text of an operand that is longer than a record may be."""

_Waiting = tuple[int, int, "str | None", Any]
"""Site, operand number, text, and the value of an atom."""


class _NoAtom:
    """The value of an operand that is not held."""


class Scratch:
    """What one activation has in hand.

    Attributes:
        waiting: operands of operations that are not done.
        loops: by site, the text of what a loop iterates over, or None, and how many items it has had.
        last: site and text of the last result.
    """

    __slots__ = ("last", "loops", "waiting")

    def __init__(self) -> None:
        self.waiting: list[_Waiting] = []
        self.loops: dict[int, tuple[str | None, int]] = {}
        self.last: tuple[int, str] = (-1, "")


class Evaluator:
    """The hooks of one run.

    Attributes:
        scratch: of the activation that runs; None while nothing is to be recorded.
        pending: what was evaluated since the last step.
        codes: the code objects of the hooks, which the recorder has to ignore.
    """

    def __init__(self, sites: list[Site], limits: TraceLimits) -> None:
        self.scratch: Scratch | None = None
        self.pending: list[RawEvaluation] = []
        self.sites = sites
        self._max_chars = limits.max_evaluation_chars
        self._max_pending = limits.max_evaluations
        self._chars_left = limits.max_bytes
        self._renderer = Renderer(
            dataclasses.replace(limits, max_value_chars=max(self._max_chars, 16), user_repr=False)
        )
        self._known: dict[bytes, str | None] = {}  # texts of plain containers by what marshal makes of them
        self._thread = _get_ident()

    def hooks(self) -> dict[str, Callable[..., Any]]:
        """Return the hooks by name."""
        return {name: getattr(self, name) for name in HOOK_NAMES}

    @property
    def codes(self) -> tuple[CodeType, ...]:
        """The code objects of the hooks."""
        return tuple(getattr(Evaluator, name).__code__ for name in HOOK_NAMES)

    def as_records(self, steps: Sequence[Sequence[RawEvaluation]]) -> list[tuple[Evaluation, ...]]:
        """Return the raw evaluations of each step as records."""
        flat = [raw for step in steps for raw in step]
        if not flat:
            return [()] * _len(steps)
        sites, texts, values = zip(*flat, strict=True)
        places = zip(*[self.sites[site].place for site in sites], strict=True)
        # The same as Evaluation(*fields) for each, at less than half the time, as for the steps themselves.
        records = _list(map(object.__new__, itertools.repeat(Evaluation, _len(flat))))
        for field, column in zip(dataclasses.fields(Evaluation), (texts, values, *places), strict=True):
            collections.deque(map(getattr(Evaluation, field.name).__set__, records, column), maxlen=0)
        remaining = _iter(records)
        return [_tuple(itertools.islice(remaining, _len(step))) if step else () for step in steps]

    # -- hooks

    def operand(self, site: int, number: int, value: Any) -> Any:
        """Note an operand that is no operation itself."""
        scratch = self.scratch
        if scratch is not None and _get_ident() == self._thread:
            scratch.waiting.append((site, number, self._text(value), _NoAtom))
        return value

    def result(self, site: int, value: Any) -> Any:
        """Note the result of an operation whose operands wait."""
        scratch = self.scratch
        if scratch is None or _get_ident() != self._thread:
            return value
        about = self.sites[site]
        text = _repr(value) if _id(_type(value)) in TINY else self._text(value)
        if about.kind is SiteKind.PLAIN:
            source = self._filled(scratch, site, about)
        else:
            source = self._joined(scratch, site, about)
        if source is not None:
            scratch.last = (site, source)
            is_dropped = (about.drops_none and value is None) or (
                about.is_lookup and _id(_type(value)) in _LOOKED_UP
            )
            if not is_dropped:
                self._record(site, source, text)
        if about.push is not None:
            scratch.waiting.append((*about.push, text, _NoAtom))
        return value

    def decision(self, site: int, number: int, value: Any) -> Any:
        """Note an operand of ``and``, ``or`` or ``not`` that decides which way a jump goes."""
        scratch = self.scratch
        if scratch is not None and _get_ident() == self._thread:
            truth = _bool(value) if _id(_type(value)) in _TRUTHFUL else None
            self._decide(scratch, (site, number), self._text(value), truth)
        return value

    def link(self, site: int, number: int, value: Any) -> Any:
        """Note an operand of a chained comparison, and the link that it completes."""
        scratch = self.scratch
        if scratch is None or _get_ident() != self._thread:
            return value
        waiting = scratch.waiting
        text = self._text(value)
        held = value if _id(_type(value)) in ATOMS else _NoAtom
        if number == 0:
            waiting.append((site, 0, text, held))
            return value
        left = waiting.pop() if waiting and waiting[-1][:2] == (site, number - 1) else None
        about = self.sites[site]
        outcome = None
        if left is not None and left[3] is not _NoAtom and held is not _NoAtom:
            outcome = _computed(_COMPARISONS[about.operators[number - 1]], left[3], held)
            if outcome is not None and left[2] is not None and text is not None:
                self._record(site, f"{left[2]} {about.operators[number - 1]} {text}", _repr(outcome))
        if number < about.num_operands - 1 and outcome is not False:
            waiting.append((site, number, text, held))
        elif outcome is not None and about.push is not None:
            self._decide(scratch, about.push, _repr(outcome), outcome)
        return value

    def augmented(self, site: int, value: Any, current: Any) -> Any:
        """Note ``current op value`` before it is computed, when that runs no code of the program."""
        if self.scratch is None or _get_ident() != self._thread:
            return value
        symbol = self.sites[site].operators[0]
        kinds = _id(_type(current)), _id(_type(value))
        compute = _ARITHMETIC.get(symbol)
        if compute is None or not _is_cheap(symbol, current, value, kinds):
            return value
        outcome = _computed(compute, current, value)
        left, right = self._text(current), self._text(value)
        if outcome is not None and left is not None and right is not None:
            self._record(site, f"{left} {symbol} {right}", self._text(outcome))
        return value

    def holder(self, site: int, value: Any) -> Any:
        """Hold a list or dictionary until it is known which item of it is read."""
        scratch = self.scratch
        if scratch is not None and _get_ident() == self._thread:
            held = value if _id(_type(value)) in HOLDERS else _NoAtom
            scratch.waiting.append((site, 0, None, held))
        return value

    def loaded(self, site: int, key: Any, *container: Any) -> Any:
        """Note the item that an augmented assignment reads, of a container given or held."""
        scratch = self.scratch
        if scratch is None or _get_ident() != self._thread:
            return key
        if not container:
            waiting = scratch.waiting
            if not waiting or waiting[-1][:2] != (site, 0):
                return key
            container = (waiting.pop()[3],)
        current = item_of(container[0], key)
        if current is not MISSING:
            holder, index = self._text(container[0]), self._text(key)
            if holder is not None and index is not None:
                self._read(scratch, site, f"{holder}[{index}]", current)
        return key

    def fetched(self, site: int, value: Any, name: str) -> Any:
        """Note the attribute that an augmented assignment reads."""
        scratch = self.scratch
        if scratch is None or _get_ident() != self._thread:
            return value
        layout = self._renderer.layout(_type(value))
        current = MISSING if layout is None else attribute_of(value, name, layout)
        if current is not MISSING and (holder := self._text(value)) is not None:
            self._read(scratch, site, f"{holder}.{name}", current)
        return value

    def _read(self, scratch: Scratch, site: int, source: str, current: Any) -> None:
        """Record what was read, and have it wait for the operation."""
        text = self._text(current)
        self._record(site, source, text)
        push = self.sites[site].push
        if push is not None and _id(_type(current)) in ATOMS:
            scratch.waiting.append((*push, text, current))

    def combined(self, site: int, value: Any) -> Any:
        """Note ``current op value`` before it is computed, for an item or attribute that was read."""
        scratch = self.scratch
        if scratch is None or _get_ident() != self._thread:
            return value
        waiting = scratch.waiting
        if waiting and waiting[-1][:2] == (site, 0):
            self.augmented(site, value, waiting.pop()[3])
        return value

    def loop(self, site: int, value: Any) -> Any:
        """Note what a ``for`` loop is going to iterate over."""
        scratch = self.scratch
        if scratch is None or _get_ident() != self._thread:
            return value
        kind = _id(_type(value))
        text: str | None = None
        if kind in _INDEXED:
            text = self._text(value)
        elif kind in _ITERABLE:
            text = self._text(value)
            text = None if text is None else f"list({text})"
        elif scratch.last[0] == self.sites[site].iterable >= 0:
            text = f"list({scratch.last[1]})"
        scratch.loops[site] = (text, 0)
        return value

    def item(self, site: int, value: Any) -> None:
        """Note the next item of a loop."""
        scratch = self.scratch
        if scratch is None or _get_ident() != self._thread:
            return
        text, number = scratch.loops.get(site, (None, 0))
        if text is not None:
            scratch.loops[site] = (text, number + 1)
            self._record(site, f"{text}[{number}]", self._text(value))

    def exhausted(self, site: int) -> None:
        """Note that a loop has no further item."""
        scratch = self.scratch
        if scratch is None or _get_ident() != self._thread:
            return
        text, number = scratch.loops.pop(site, (None, 0))
        if text is not None:
            self._record(site, f"{text}[{number}]", "StopIteration")

    # -- their parts

    def _text(self, value: Any) -> str | None:
        """Return the text of a value, or None when it is too long."""
        kind = _type(value)
        if (kind is _int and -SMALL_INT < value < SMALL_INT) or _id(kind) in TINY:
            return _repr(value)
        if kind is _str and _len(value) <= self._max_chars:
            text: str | None = _repr(value)
            if text is not None and text.isascii():
                return text if _len(text) <= self._max_chars else _TOO_LONG
        elif _id(kind) in PLAIN_CONTAINERS and _len(value) <= self._max_chars:
            try:
                key = _dumps(value, 2)
            except _ValueError:  # something else inside
                return self._rendered(value)
            known = self._known
            text = known.get(key, "")
            if text == "":
                text = self._rendered(value)
                if self._renderer.plain or text is _TOO_LONG:
                    if _len(known) >= _MOST_KNOWN:
                        known.clear()
                    known[key] = text
            return text
        return self._rendered(value)

    def _rendered(self, value: Any) -> str | None:
        text = self._renderer.render(value)
        return _TOO_LONG if self._renderer.cut or _len(text) > self._max_chars else text

    def _record(self, site: int, text: str, value: str | None) -> None:
        if value is None:
            return
        size = _len(text) + _len(value)
        if size > self._max_chars or _len(self.pending) >= self._max_pending or size > self._chars_left:
            return
        self._chars_left -= size
        self.pending.append((site, text, value))

    def _filled(self, scratch: Scratch, site: int, about: Site) -> str | None:
        """Take the operands of a site and return its text, None when one is missing or too long."""
        count = about.num_operands
        if not count:
            return about.template % ()
        waiting = scratch.waiting
        taken = waiting[-count:]
        if _len(taken) < count or taken[0][:2] != (site, 0) or taken[-1][0] != site:
            return None
        del waiting[-count:]
        texts = [text for _, _, text, _ in taken if text is not None]
        if _len(texts) < count:
            return None
        for number, first in about.tight:
            if texts[number][0] in first:
                texts[number] = f"({texts[number]})"
        return about.template % _tuple(texts)

    def _joined(self, scratch: Scratch, site: int, about: Site) -> str | None:
        """Take the operands of ``and`` or ``or`` that were evaluated, and return its text."""
        waiting = scratch.waiting
        texts: list[str] = []
        expected = -1
        is_known = True
        word = " and " if about.kind is SiteKind.AND else " or "
        if waiting and waiting[-1][1] < about.num_operands - 1:
            texts.append("...")  # not evaluated
        while waiting and waiting[-1][0] == site:
            _, number, text, _ = waiting[-1]
            if expected >= 0 and number != expected:
                break
            waiting.pop()
            if text is None:
                is_known = False
            else:
                texts.append(text)
            expected = number - 1
            if number == 0:
                break
        if expected != -1 or not texts or not is_known:
            return None
        texts.reverse()
        return word.join(texts)

    def _decide(self, scratch: Scratch, push: Push, text: str | None, truth: bool | None) -> None:
        """Note an operand of something compiled to jumps; report what is decided by it.

        ``truth`` is None where only the program's own code could tell.
        """
        while True:
            site, number = push
            about = self.sites[site]
            scratch.waiting.append((site, number, text, _NoAtom))
            if about.joins_values:
                return
            if about.kind is SiteKind.NOT:
                scratch.waiting.pop()
                if truth is None:
                    return
                truth = not truth
                source = None if text is None else f"not {text}"
                text = _repr(truth)
            else:
                is_last = number == about.num_operands - 1
                if not is_last and (truth is None or truth is (about.kind is SiteKind.AND)):
                    return
                source = self._joined(scratch, site, about)
            if source is not None:
                self._record(site, source, text)
            if about.push is None:
                return
            push = about.push


def _computed(compute: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Return what an operation on atoms gives, or None when it raises."""
    try:
        return compute(left, right)
    except Exception:  # the program will raise it itself
        return None


def _is_cheap(symbol: str, left: Any, right: Any, kinds: tuple[int, int]) -> bool:
    """Tell whether an operation runs no code of the program and gives something small."""
    if kinds[0] in _NUMBERS and kinds[1] in _NUMBERS:
        if symbol in ("<<", "**") and not -_MOST_DOUBLINGS <= right <= _MOST_DOUBLINGS:
            return False
        return _bool(-SMALL_INT < left < SMALL_INT and -SMALL_INT < right < SMALL_INT)
    if symbol == "+" and kinds[0] == kinds[1] and _type(left) in (_str, _list, _tuple):
        return _len(left) + _len(right) <= 1000
    return symbol == "*" and _type(left) is _str and _type(right) is _int and _len(left) * right <= 1000
