"""What is expected of a line that is being followed, and what is known of it afterwards."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from opencwm.debugger.foreseeing.rendered import is_atom

if TYPE_CHECKING:
    from opencwm.debugger.foreseeing.buffers import Buffer
    from opencwm.debugger.foreseeing.streams import Stream

STOP: Final = "StopIteration"
"""Stands for the item of a loop that has no further one."""


class UnforeseenError(Exception):
    """What comes next on the line is not known."""


class EnteringError(UnforeseenError):
    """A function of the program is entered next, for certain.

    Attributes:
        first: first line of its definition.
    """

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first


class ResumingError(UnforeseenError):
    """A generator of the program is asked for its next item, for certain.

    Attributes:
        suspended: its activation.
        is_at_once: nothing has run since it handed out the one before.
    """

    def __init__(self, suspended: Memory, *, is_at_once: bool) -> None:
        super().__init__()
        self.suspended = suspended
        self.is_at_once = is_at_once

    def kept(self, shared: frozenset[str]) -> dict[str, str]:
        """Return the locals that read as at the last item; ``shared`` ones may be bound elsewhere."""
        left = self.suspended.left
        if self.is_at_once:
            return dict(left)
        return {name: text for name, text in left.items() if name not in shared and is_atom(text)}


class RaisingError(UnforeseenError):
    """An operation raises that nothing reports.

    Attributes:
        value: the exception, as it reads.
    """

    def __init__(self, value: str) -> None:
        super().__init__()
        self.value = value


class YieldingError(UnforeseenError):
    """The generator hands out a value next, for certain.

    Attributes:
        value: how it reads; None where that is not known.
    """

    def __init__(self, value: str | None) -> None:
        super().__init__()
        self.value = value


class Made(str):
    """The text of a value that does not tell what it is, with an expression that does.

    Attributes:
        source: that expression, empty where it is not known.
        first: first line of the definition of a function, 0 for what is none.
        free: how those of its free variables read that stay the same.
        attributes: how those of an exception read that stay the same.
    """

    __slots__ = ("attributes", "first", "free", "source")
    source: str
    first: int
    free: Mapping[str, str]
    attributes: Mapping[str, str]

    def __new__(
        cls,
        text: str,
        source: str = "",
        first: int = 0,
        free: Mapping[str, str] = MappingProxyType({}),
        attributes: Mapping[str, str] = MappingProxyType({}),
    ) -> Made:
        """Return the text, with what belongs to it."""
        made = super().__new__(cls, text)
        made.source, made.first, made.free, made.attributes = source, first, free, attributes
        return made


def attributes_of(text: str | None) -> Mapping[str, str]:
    """Return the attributes that a value is known to have beside what it reads as."""
    return text.attributes if isinstance(text, Made) else {}


COUNTER: Final = "Counter({"
"""What the text of a counter begins with, which does not tell in which order its keys came."""


class Iterating(Made):
    """The text of an iterator.

    Attributes:
        source: an expression for what it goes through, empty where that is not known.
        stream: what it gives item by item, where that is to be followed; None where its source says it all.
        is_spent: it has been asked for all that its source says.
        is_apart: nothing else reaches it, nor anything that can change of what it goes through.
        is_over_another: it asks another iterator of the line for its items.
        is_held: a local holds it.
        handed: what it gave item by item when it was handed to a function, where that can be told there.
    """

    __slots__ = ("handed", "is_apart", "is_held", "is_over_another", "is_spent", "stream")
    stream: Stream | None
    is_spent: bool
    is_apart: bool
    is_over_another: bool
    is_held: bool
    handed: Stream | None

    def __new__(
        cls, text: str, source: str = "", stream: Stream | None = None, *, is_apart: bool = False
    ) -> Iterating:
        """Return the text, with what belongs to it."""
        made = super().__new__(cls, text, source)
        assert isinstance(made, Iterating)  # noqa: S101 - as it was made
        made.stream, made.is_spent = stream, False
        made.is_apart, made.is_over_another = is_apart, False
        made.is_held, made.handed = False, None
        return made


class Several(Made):
    """The text of a tuple of iterators.

    Attributes:
        parts: those, to be told apart once it is unpacked.
    """

    __slots__ = ("parts",)
    parts: tuple[Iterating, ...]

    def __new__(cls, parts: tuple[Iterating, ...]) -> Several:
        """Return the text, with what belongs to it."""
        made = super().__new__(cls, f"({', '.join(parts)}{',' * (len(parts) == 1)})")
        assert isinstance(made, Several)  # noqa: S101 - as it was made
        made.parts = parts
        return made


@dataclasses.dataclass(frozen=True, slots=True)
class Expected:
    """The evaluation that comes next.

    Attributes:
        text: how it reads; None when an operand is not known.
        pattern: what its text matches then.
        value: its value, where that is certain: of ``and``, ``or``, ``not``, and a call that has returned.
        is_certain: it is written unless it raises, for it is short whatever its value.
        at_end: its value where there is no such item.
        formula: where its text is no expression, one with names in it, and the rendered values of those.
        target: what the item of a loop is unpacked to; it then reads as a tuple, whatever it is.
        owner: class in whose body the line stands, empty for none.
        is_old: it says what a loop goes through as that was when the loop began; it has changed since.
    """

    text: str | None
    pattern: re.Pattern[str] | None = None
    value: str | None = None
    is_certain: bool = False
    at_end: str | None = None
    formula: tuple[str, Mapping[str, str]] | None = None
    target: ast.Tuple | ast.List | None = None
    owner: str = ""
    is_old: bool = False

    def matches(self, text: str) -> bool:
        """Whether an evaluation that reads so can be this one."""
        if self.text is not None:
            return text == self.text
        return self.pattern is not None and self.pattern.fullmatch(text) is not None


Ask = Callable[[Expected], "tuple[str, str] | None"]
"""Given what is expected, returns text and value of the evaluation that is written next, perhaps another.

None when that is not known."""


@dataclasses.dataclass(slots=True)
class Outcome:
    """What the values on a line say about what it does.

    Attributes:
        values: what names are bound to by it.
        returned: what it returns, None when it does not or that is not known.
        truth: of the condition that decides which line is next, or whether a loop has a further item.
        raised: what it raises for certain, as it reads; None when that is not known.
        is_told: every value was told, so that nothing on the line can raise and nothing more be evaluated.
        is_pure: it changes no object that there was before.
        untouched: locals that stay as they are, whatever else it changes.
        is_yield: a generator hands out a value next, for certain: :attr:`returned`.
        enters_nothing: no further function of the program is entered before the line ends.
        resumes_nothing: nor does a generator of it go on.
        stored: what variables of the module are bound to by it.
        leads_to: lines one of which is the next of the activation, or what stands for leaving it, see
            :mod:`.with_blocks`; None where that is not known.
    """

    values: dict[str, str] = dataclasses.field(default_factory=dict)
    returned: str | None = None
    truth: bool | None = None
    raised: str | None = None
    is_told: bool = False
    is_pure: bool = False
    untouched: frozenset[str] = frozenset()
    is_yield: bool = False
    enters_nothing: bool = False
    resumes_nothing: bool = False
    stored: dict[str, str] = dataclasses.field(default_factory=dict)
    leads_to: frozenset[int] | None = None


@dataclasses.dataclass(slots=True)
class Loop:
    """A ``for`` loop that is under way.

    Attributes:
        text: how what it iterates over reads in evaluations; None where there are none.
        number: how many items it has had.
        source: an expression for what it iterates over, where that is not the text.
        holders: locals that may hold what it iterates over, with those parts of their text.
        is_old: one of them has changed since.
        members: how its items read, of an enumeration, none of anything else.
        stream: the iterator that it goes through, where its items are to be followed.
    """

    text: str | None
    number: int = 0
    source: str = ""
    holders: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    is_old: bool = False
    members: Sequence[str] = ()
    stream: Stream | None = None


@dataclasses.dataclass(slots=True)
class Entered:
    """A function that was entered while a line ran.

    Attributes:
        first: first line of its definition.
        value: of the call, once it has returned; None before, and where that is not known.
        returned: what it has returned, which is not what a call that makes an object is worth.
        kept: how free variables of the caller read since, that nothing but it changes.
        after: what it was called with, as it reads since it has returned, by parameter.
        is_apart: it can change no object that there was before, see :mod:`.isolation`.
        item: what it handed out, of a generator, :data:`STOP` at its end; None where that is not known.
        suspended: the activation of a generator that has handed out something.
        is_reading: a generator has left everything as it is that it was given.
        given: how its locals read when it was entered, or went on.
        continued: the activation of a generator that went on; None for one that was entered.
        buffers: files in memory that it had alone when it returned, see :mod:`.buffers`.
        is_clean: it has returned, and no generator can have been dropped with its locals, which closes it.
    """

    first: int
    value: str | None = None
    returned: str | None = None
    after: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kept: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_apart: bool = False
    item: str | None = None
    suspended: Memory | None = None
    is_reading: bool = False
    given: Mapping[str, str] = dataclasses.field(default_factory=dict)
    continued: Memory | None = None
    is_clean: bool = False
    buffers: Sequence[Buffer] = ()

    @property
    def drops_nothing(self) -> bool:
        """Whether no generator was dropped when it was left."""
        return self.is_clean or self.suspended is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Manager:
    """What a ``with`` statement that is under way has to leave.

    Attributes:
        first: first line of its ``__exit__``, 0 where that is not known.
        name: of a local that is it, empty for none.
        text: how it reads, where nothing else holds it; None where that is not known.
    """

    first: int
    name: str
    text: str | None


@dataclasses.dataclass(slots=True)
class Memory:
    """What has to be remembered of an activation from line to line.

    Attributes:
        first: first line of its function.
        lineno: the line that runs, 0 for none.
        before: the line that ran before it, 0 for none.
        state: rendered values of the locals.
        loops: those under way when the line began, by site.
        written: evaluations since the line began, text and value.
        entered: functions entered from it since then, in order.
        raised: the exception that was raised in it last, as it reads.
        methods: locals that are a method of what another local is, with the names of both.
        subject: what the ``match`` that it is in goes by, as it reads; None where that is not known.
        made: locals whose text does not tell what they are, with what they are.
        lines: those it has come to.
        num_yields: how often it has handed out a value since the line began; -1 where that is not known.
        resumed: rendered values of the locals when it went on after that; ``state`` is from before.
        is_steady: the locals have read the same whenever it went on since the line began.
        is_at_once: nothing had run then since it had handed out the value before.
        left: rendered values of the locals when it handed out the last value.
        is_asked: it went on because it was asked for its next item, not to be closed or sent something.
        raised_on: the line on which an exception was raised last.
        passing: the exception that is on its way out, as it reads; None for none, empty if there may be one.
        managers: those of ``with`` statements under way, by line.
        jump: the statement because of which blocks are being left, ``Return`` for example; empty for none.
        waiting: what is to be returned then: the local that it is, empty for none, and how it read.
        variables: how variables of the module read that are not bound anew since the line began.
    """

    first: int = 0
    lineno: int = 0
    before: int = 0
    state: Mapping[str, str] = dataclasses.field(default_factory=dict)
    loops: dict[int, Loop] = dataclasses.field(default_factory=dict)
    written: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    entered: list[Entered] = dataclasses.field(default_factory=list)
    raised: str | None = None
    methods: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    subject: str | None = None
    made: dict[str, Made] = dataclasses.field(default_factory=dict)
    lines: set[int] = dataclasses.field(default_factory=set)
    num_yields: int = 0
    resumed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_steady: bool = True
    is_at_once: bool = True
    left: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_asked: bool = False
    raised_on: int = 0
    passing: str | None = None
    managers: dict[int, list[Manager]] = dataclasses.field(default_factory=dict)
    jump: str = ""
    waiting: tuple[str, str | None] = "", None
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def see(self, state: Mapping[str, str], *, is_new_line: bool) -> None:
        """Take note of how the locals read now."""
        if is_new_line or self.num_yields <= 0:
            self.state = dict(state)
        else:
            before = self.resumed if self.num_yields > 1 else self.state
            self.is_steady = self.is_steady and before == state
            self.resumed = dict(state)

    def forget(self) -> None:
        """Note that nothing is known any more of what locals are, nor of loops over them."""
        for text in self.made.values():
            if isinstance(text, Iterating) and text.stream is not None:
                text.stream.lose()
        self.made.clear()
        for loop in self.loops.values():
            if loop.stream is not None:
                loop.stream.disturb()

    def throws(self, value: str | None) -> None:
        """Take note of an exception that is raised on the line that runs."""
        self.raised_on = self.lineno or self.raised_on
        self.lineno, self.raised, self.passing = 0, value, value

    def copy(self) -> Memory:
        """Return an independent copy."""
        streams: dict[int, Stream] = {}
        loops = {
            site: dataclasses.replace(loop, stream=loop.stream and loop.stream.copy(streams))
            for site, loop in self.loops.items()
        }
        made = {name: _copied(text, streams) for name, text in self.made.items()}
        return dataclasses.replace(
            self,
            loops=loops,
            written=list(self.written),
            methods=dict(self.methods),
            managers=dict(self.managers),
            made=made,
        )


def _copied(text: Made, streams: dict[int, Stream]) -> Made:
    if not isinstance(text, Iterating):
        return text
    stream = text.stream and text.stream.copy(streams)
    return Iterating(text, text.source, stream, is_apart=text.is_apart)
