"""Which events may follow which in a program: the line-level control-flow graph of its code objects.

The one idea: between two LINE events CPython runs a stretch of instructions, so the legal next lines of a
line are the lines at which such a stretch can end. Everything is a superset of what can happen: an event that
is not in the graph is impossible, one that is in it may still be. Only ``compile()`` is needed: a program
that cannot be imported or run can be analysed. It does not evaluate conditions and does not know which
function a call calls.

Comprehension activations are folded into their function, as in a :class:`opencwm.traces.Trace`: lines inside
a comprehension are no lines of the function.

Source: ``maybe_call_line_trace`` in Python/ceval.c (3.11), Python/instrumentation.c and
Python/legacy_tracing.c (3.12+).
"""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import CodeType

from opencwm.core.errors import ConfigError
from opencwm.core.syntax import syntax_tree
from opencwm.source.bytecode import Instruction, entry_place, instructions
from opencwm.source.callees import Callees
from opencwm.source.code_facts import (
    NO_LINE,
    CodeFacts,
    canonical_qualname,
    facts_of,
    recorded_codes,
    source_scopes,
)
from opencwm.source.compiler_differences import LoopPlace
from opencwm.source.scopes import HiddenCalls, hidden_calls


@dataclasses.dataclass(frozen=True, slots=True)
class Continuation:
    """What may happen next in an activation after one of its events, steps of its callees aside.

    Attributes:
        lines: lines whose LINE event may come next.
        can_return: the activation may return without another event.
        can_yield: it may suspend without another event.
        can_unwind: it may end by an exception that needs no EXCEPTION event of its own: the one just
            reported, or one that a handler or ``finally`` passes on.
        can_raise: an EXCEPTION event may come next.
        can_call: a function of the program may be called (a CALL event one level deeper).
        can_mutate: an object may be changed in place: something else than moving values happens.
        stores: local variables that may be bound on the way to what comes next.
        deletes: local variables that may be unbound on the way.
        binds: by line of a LINE event that may come next (:data:`LEAVING` for a RETURN or yield), the
            variables that are bound on every way there.
    """

    lines: frozenset[int] = frozenset()
    can_return: bool = False
    can_yield: bool = False
    can_unwind: bool = False
    can_raise: bool = False
    can_call: bool = False
    can_mutate: bool = False
    stores: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    binds: Mapping[int, frozenset[str]] = dataclasses.field(default_factory=dict)

    def __or__(self, other: Continuation) -> Continuation:
        """Return what either allows."""
        return Continuation(
            self.lines | other.lines,
            self.can_return or other.can_return,
            self.can_yield or other.can_yield,
            self.can_unwind or other.can_unwind,
            self.can_raise or other.can_raise,
            self.can_call or other.can_call,
            self.can_mutate or other.can_mutate,
            self.stores | other.stores,
            self.deletes | other.deletes,
            {
                line: self.binds.get(line, names) & other.binds.get(line, names)
                for line, names in {**self.binds, **other.binds}.items()
            },
        )


LEAVING = 0
"""Stands for a RETURN or a yield where a line number is expected."""
NOTHING = Continuation()


@dataclasses.dataclass(frozen=True, slots=True)
class CodeGraph:
    """The control flow of one function, lambda or class body, between LINE events.

    Attributes:
        qualname: ``co_qualname``.
        firstlineno: ``co_firstlineno``: 1-based line of its ``def``, or of its first decorator; its CALL
            steps are there.
        local_names: names a step of it may bind, in canonical order: varnames, cellvars, freevars. Without
            names of folded comprehensions.
        params: the parameters among them.
        lines: lines with a LINE event, ascending.
        after_call: what may follow the CALL.
        after_line: what may follow a LINE event, by line. After a suspended activation resumes, and after a
            called function returns, it is again that of the current line.
        after_exception: what may follow an EXCEPTION event, by the line it happened in.
        after_resume: what may follow a CALL flagged RESUME, when the line it was suspended in is not known.
        is_generator: whether calls suspend: a generator, coroutine or asynchronous generator.
        shared: names that other functions may bind as well: captured by closures, or captured from outside.
    """

    qualname: str
    firstlineno: int
    local_names: tuple[str, ...]
    params: tuple[str, ...]
    lines: tuple[int, ...]
    after_call: Continuation
    after_line: Mapping[int, Continuation]
    after_exception: Mapping[int, Continuation]
    after_resume: Continuation = NOTHING
    is_generator: bool = False
    shared: frozenset[str] = frozenset()

    @property
    def entry_lines(self) -> frozenset[int]:
        """Lines whose LINE event may come first after the CALL."""
        return self.after_call.lines

    @property
    def successors(self) -> dict[int, frozenset[int]]:
        """Line -> lines that may come next without an EXCEPTION event between."""
        return {line: self.after_line[line].lines for line in self.lines}

    @property
    def handlers(self) -> dict[int, frozenset[int]]:
        """Line -> lines that may come next after an EXCEPTION event in it."""
        return {line: self.after_exception.get(line, NOTHING).lines for line in self.lines}

    @property
    def unwinds(self) -> frozenset[int]:
        """Lines in which an EXCEPTION may end the activation at once."""
        return self._where("can_unwind", self.after_exception)

    @property
    def can_return(self) -> frozenset[int]:
        """Lines a RETURN may directly follow."""
        return self._where("can_return", self.after_line)

    @property
    def can_yield(self) -> frozenset[int]:
        """Lines a RETURN flagged YIELD may directly follow."""
        return self._where("can_yield", self.after_line)

    @property
    def may_call(self) -> frozenset[int]:
        """Lines in which a function of the program may be called."""
        return self._where("can_call", self.after_line)

    @property
    def may_raise(self) -> frozenset[int]:
        """Lines in which an EXCEPTION event may happen."""
        return self._where("can_raise", self.after_line)

    def _where(self, what: str, after: Mapping[int, Continuation]) -> frozenset[int]:
        return frozenset(line for line, continuation in after.items() if getattr(continuation, what))

    def _merged(self, other: CodeGraph) -> CodeGraph:
        """Return the graph of code objects that a trace cannot tell apart: lambdas on one line."""
        return CodeGraph(
            self.qualname,
            self.firstlineno,
            tuple(dict.fromkeys(self.local_names + other.local_names)),
            tuple(dict.fromkeys(self.params + other.params)),
            tuple(sorted({*self.lines, *other.lines})),
            self.after_call | other.after_call,
            _union(self.after_line, other.after_line),
            _union(self.after_exception, other.after_exception),
            self.after_resume | other.after_resume,
            self.is_generator or other.is_generator,
            self.shared | other.shared,
        )


def _union(one: Mapping[int, Continuation], two: Mapping[int, Continuation]) -> dict[int, Continuation]:
    return {line: one.get(line, NOTHING) | two.get(line, NOTHING) for line in {**one, **two}}


class ControlFlow:
    """The code graphs of a source text.

    Args:
        text: Python source.
        filename: named in errors.

    Raises:
        ConfigError: the text does not compile.
    """

    def __init__(self, text: str, filename: str = "<program>") -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = syntax_tree(text)
                module = compile(tree, filename, "exec", dont_inherit=True)
                codes = recorded_codes(module)
                self._scopes = source_scopes(codes, text)
                self.callees = Callees(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            line = getattr(error, "lineno", None)
            where = f"{filename}:{line}" if line else filename
            raise ConfigError(
                f"not valid Python: {getattr(error, 'msg', None) or error}", where=where
            ) from None
        self._hidden_calls = hidden_calls(tree)
        self._codes: dict[tuple[str, int], list[CodeType]] = {}
        for code in codes:
            key = canonical_qualname(code.co_qualname), code.co_firstlineno
            self._codes.setdefault(key, []).append(code)
        self._at: dict[int, list[tuple[str, int]]] = {}
        for key in self._codes:
            self._at.setdefault(key[1], []).append(key)
        self._graphs: dict[tuple[str, int], CodeGraph] = {}

    def __iter__(self) -> Iterator[CodeGraph]:
        """Yield every graph, in source order of definition."""
        return (self._graph(key) for key in self._codes)

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def has_hidden_calls(self) -> bool:
        """Whether operations that do not look like calls may call a function of the program.

        Operators, attribute access, ``for`` and so on can, once the program defines special methods,
        properties or generators, or uses lazy iterators.
        """
        return self._hidden_calls.by_protocol

    def get(self, qualname: str, firstlineno: int) -> CodeGraph | None:
        """Return the graph of the code object with this ``co_qualname`` and ``co_firstlineno``, or None."""
        key = (qualname, firstlineno)
        return self._graph(key) if key in self._codes else None

    def at(self, lineno: int) -> tuple[CodeGraph, ...]:
        """Return the graphs whose ``firstlineno`` is ``lineno``; a line may hold several functions."""
        return tuple(map(self._graph, self._at.get(lineno, ())))

    @cached_property
    def call_lines(self) -> frozenset[int]:
        """The ``firstlineno`` of every graph: the lines a CALL step may have."""
        return frozenset(self._at)

    def named(self, qualname: str) -> tuple[CodeGraph, ...]:
        """Return the graphs with this ``co_qualname``, in source order; a function may be defined again."""
        return tuple(self._graph(key) for key in self._codes if key[0] == qualname)

    def _graph(self, key: tuple[str, int]) -> CodeGraph:
        if key not in self._graphs:
            first, *rest = (self._build(code) for code in self._codes[key])
            for other in rest:
                first = first._merged(other)
            self._graphs[key] = first
        return self._graphs[key]

    def _build(self, code: CodeType) -> CodeGraph:
        facts = facts_of(code, self._scopes)
        items = _without_iteration(instructions(code), facts)
        flow = _Flow(items, facts, code.co_firstlineno, _call_kinds(self._hidden_calls))
        after_line, after_exception = flow.by_line()
        after_resume = NOTHING
        for continuation in (*after_line.values(), *after_exception.values()):
            if continuation.can_yield:
                after_resume |= continuation
        num_params = code.co_argcount + code.co_kwonlyargcount
        num_params += bool(code.co_flags & _VARARGS) + bool(code.co_flags & _VARKEYWORDS)
        return CodeGraph(
            facts.qualname,
            code.co_firstlineno,
            facts.local_names,
            code.co_varnames[:num_params],
            tuple(sorted(after_line)),
            flow.start.continuation,
            after_line,
            after_exception,
            after_resume,
            bool(code.co_flags & _SUSPENDS),
            frozenset(code.co_cellvars + code.co_freevars),
        )


def _without_iteration(items: list[Instruction], facts: CodeFacts) -> list[Instruction]:
    """Take out what inlined comprehensions store in their iteration variables, which are no locals."""
    if facts.code.co_flags & _OPTIMIZED == 0 or not facts.line_rules:
        return items
    names = frozenset(facts.local_names)
    found = []
    for item in items:
        real = names - facts.shadowed if item.offset in facts.line_rules else names
        stores = tuple(name for name in item.stores if name in real)
        found.append(item if stores == item.stores else dataclasses.replace(item, stores=stores))
    return found


def _call_kinds(hidden: HiddenCalls) -> frozenset[str]:
    """Return the kinds of instructions that may call a function of this program."""
    if hidden.by_finalizer:
        return frozenset({"yes", "hidden", "no"})
    return frozenset({"yes", "hidden"} if hidden.by_protocol else {"yes"})


_OPTIMIZED, _VARARGS, _VARKEYWORDS = 0x01, 0x04, 0x08  # co_flags
_SUSPENDS = 0x20 | 0x80 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR


@dataclasses.dataclass
class _Stretch:
    """Everything CPython can do from some places on before the next LINE event."""

    continuation: Continuation = NOTHING
    inside: set[int] = dataclasses.field(default_factory=set)
    events: set[_Event] = dataclasses.field(default_factory=set)


_Event = tuple[int, int]
"""A LINE event: the place of the instruction that is about to run, and the line that is reported."""
_Edge = tuple[int | None, int]
"""From one place to another; from None when nothing is reported on entering."""


class _Flow:
    """The stretches of instructions between the events of one code object."""

    def __init__(
        self, items: list[Instruction], facts: CodeFacts, firstlineno: int, call_kinds: frozenset[str]
    ) -> None:
        self.items = items
        self.rules = facts.line_rules
        self.late_lines = facts.late_lines
        self.bodies = {offset for offset, place in facts.loop_places.items() if place & LoopPlace.BODY}
        self.call_kinds = call_kinds
        # Python 3.12 may report a line again when a call returns to a place that jumps lead to as well.
        jumps = {target for place, item in enumerate(items) for target in item.next if target != place + 1}
        self.joins = jumps if sys.version_info[:2] == (3, 12) else set()
        self.start = self._stretch([(None, entry_place(items))], firstlineno)

    def by_line(self) -> tuple[dict[int, Continuation], dict[int, Continuation]]:
        """Return what may follow LINE events and what may follow EXCEPTION events, both by line."""
        after_line: dict[int, Continuation] = {}
        after_exception: dict[int, Continuation] = {}
        pending = set(self.start.events)
        seen: set[_Event] = set()
        while pending:
            event = pending.pop()
            seen.add(event)
            place, line = event
            normal = self._stretch([(None, place)], line)
            after_line[line] = after_line.get(line, NOTHING) | normal.continuation
            pending |= normal.events
            if normal.continuation.can_raise:
                raised = self._after_raise(normal.inside, line)
                after_exception[line] = after_exception.get(line, NOTHING) | raised.continuation
                pending |= raised.events
            pending -= seen
        return after_line, after_exception

    def _after_raise(self, inside: Iterable[int], line: int) -> _Stretch:
        """Follow an EXCEPTION event at any of these places, or at one reached without a LINE event."""
        raising: set[int] = set()
        edges: list[_Edge] = []
        unwinds = False
        while new := {place for place in inside if self.items[place].can_raise} - raising:
            raising |= new
            for place in new:
                item = self.items[place]
                unwinds |= item.handler is None
                targets = () if item.handler is None else (item.handler,)
                edges += [(place, target) for target in targets + (item.next if item.can_stop else ())]
            inside = self._stretch(edges, line).inside
        stretch = self._stretch(edges, line)
        if unwinds:
            stretch.continuation |= Continuation(can_unwind=True)
        return stretch

    def _stretch(self, edges: list[_Edge], line: int) -> _Stretch:
        """Follow ``edges`` and everything after them up to LINE events, after one that reported ``line``."""
        found = _Stretch()
        ways: list[tuple[int, int, int | None]] = []
        pending = list(edges)
        while pending:
            source, place = pending.pop()
            reported, is_silent = (None, True) if source is None else self._entering(source, place, line)
            late = self.late_lines.get(self.items[place].offset, line)
            if reported is None and source is not None and late != line:
                reported, is_silent = late, False
            if reported is None and source is not None and self.items[place].offset in self.bodies:
                reported = self.items[place].line
            if reported is not None:
                found.events.add((place, reported))
                ways.append((-1 if source is None else source, place, reported))
            if is_silent and source is not None:
                ways.append((source, place, None))
            if is_silent and place not in found.inside:
                found.inside.add(place)
                item = self.items[place]
                pending += [(place, target) for target in item.next]
                if item.reraises and item.handler is not None:
                    pending.append((place, item.handler))
        items = [self.items[place] for place in found.inside]
        found.continuation = Continuation(
            frozenset(reported for _, reported in found.events),
            can_return=any(item.returns for item in items),
            can_yield=any(item.yields for item in items),
            can_unwind=any(item.reraises and item.handler is None for item in items),
            can_raise=any(item.can_raise for item in items),
            can_call=any(item.calls in self.call_kinds for item in items),
            can_mutate=any(item.calls != "no" for item in items),
            stores=frozenset(name for item in items for name in item.stores),
            deletes=frozenset(name for item in items for name in item.deletes),
            binds=self._binds(edges, found, ways),
        )
        return found

    def _binds(
        self, edges: list[_Edge], found: _Stretch, ways: list[tuple[int, int, int | None]]
    ) -> dict[int, frozenset[str]]:
        """Return what is bound on every way to what may come next, by line: a fixed point from above.

        Args:
            edges: where the stretch begins.
            found: the places in it.
            ways: (from, to, line reported or None) of every step of control in it.
        """
        everything = frozenset(name for place in found.inside for name in self.items[place].stores)
        before = dict.fromkeys(found.inside, everything)
        before.update({place: frozenset() for _, place in edges if place in before})
        is_stable = False
        while not is_stable:
            is_stable = True
            for source, target, reported in ways:
                if reported is None and source in before and target in before:
                    bound = before[target] & self._after(before, source)
                    if bound != before[target]:
                        before[target], is_stable = bound, False
        binds: dict[int, frozenset[str]] = {}
        for source, _, reported in ways:
            if reported is not None:
                bound = self._after(before, source) if source in before else frozenset[str]()
                binds[reported] = binds.get(reported, bound) & bound
        for place in found.inside:
            if self.items[place].returns or self.items[place].yields:
                binds[LEAVING] = binds.get(LEAVING, before[place]) & before[place]
        return binds

    def _after(self, before: Mapping[int, frozenset[str]], place: int) -> frozenset[str]:
        item = self.items[place]
        return before[place].union(item.stores).difference(item.deletes)

    def _entering(self, source: int, target: int, line: int) -> tuple[int | None, bool]:
        """Return the line that going to ``target`` may report, or None, and whether it may report nothing.

        Args:
            source: where control comes from.
            target: where it goes.
            line: the line that was reported last.
        """
        before, after = self.items[source], self.items[target]
        if target in self.joins and before.calls == "yes" and after.line == before.line == line:
            return line, True
        jumps_back = target in before.backward and not (
            before.opname == "JUMP_BACKWARD" and self.rules.get(before.offset) == NO_LINE
        )
        if not after.starts_line or not (after.line != before.line or jumps_back):
            return None, True
        if not self.rules:
            return after.line, False
        rule = self.rules.get(after.offset, after.line)
        if rule == NO_LINE:
            return None, True
        if rule != line:
            return rule, False
        if after.offset in self.rules:
            return None, True
        is_same = after.line == before.line
        return (rule, before.line is None) if is_same or before.line is None else (None, True)
