"""Follow what makes iterators, and what asks them for their items; see :mod:`.streams`.

An iterator is followed item by item where a function of the program is called for each, where it goes through
a generator or another such iterator, or where it does not end. All others are worked out at once, from the
expression that makes them.
"""

from __future__ import annotations

import abc
import ast
import builtins
import collections
import dataclasses
import itertools
import math
import types
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.arguments import CallSite, signature
from opencwm.debugger.foreseeing.expectations import (
    STOP,
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
from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.holding_follower import HoldingFollower
from opencwm.debugger.foreseeing.hooks import arguments, hook_name, plain_name
from opencwm.debugger.foreseeing.pure_operations import (
    FUNCTIONS,
    LOOKING,
    METHODS,
    MODULES,
    call_function,
    call_unbound,
)
from opencwm.debugger.foreseeing.pure_values import is_told, text_of
from opencwm.debugger.foreseeing.qualified_names import is_wraps
from opencwm.debugger.foreseeing.rendered import MAX_ITEMS, UnreadableError, is_atom, is_iterator, items_of
from opencwm.debugger.foreseeing.shown import holds_shown
from opencwm.debugger.foreseeing.streams import (
    Accumulated,
    Branch,
    Called,
    Chained,
    Compressed,
    Counted,
    Enumerated,
    Filtered,
    Generated,
    Item,
    Mapped,
    Rounds,
    Sliced,
    Stream,
    Trunk,
    While,
    Zipped,
)
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer

_WHOLE: Final = (
    *(list, tuple, set, frozenset, sorted, sum, min, max, dict, collections.Counter, collections.deque),
    *(collections.OrderedDict, math.prod, math.fsum),
)
"""Functions that ask the iterator they are given first for all its items."""
PUTTING: Final = frozenset({"extend", "update", "join", "union", "difference", "intersection"})
"""Methods that do."""
_OF_PYTHON: Final = (
    *(
        "int",
        "float",
        "str",
        "bool",
        "list",
        "tuple",
        "set",
        "dict",
        "len",
        "sum",
        "max",
        "min",
        "sorted",
        "any",
        "all",
    ),
    *("abs", "ord", "chr", "repr", "round", "divmod", "bin", "hex", "oct"),
)
"""Functions of Python that no others are called like."""
_DECIDED: Final = {any: True, all: False}
_ENDLESS: Final = (itertools.count, itertools.cycle, itertools.repeat)
_CALLING: Final = (
    map,
    filter,
    itertools.starmap,
    itertools.filterfalse,
    itertools.takewhile,
    itertools.dropwhile,
)
_THROUGH: Final = (
    *(zip, enumerate, iter, itertools.islice, itertools.chain, itertools.accumulate, itertools.compress),
)


def looked_up(function: Any) -> str:
    """Return how a function of Python reads that is looked up in a class or module."""
    return Renderer(DEFAULT_LIMITS).render(function)


class IteratorFollower(HoldingFollower):
    """What is known of iterators that are made on the line, or kept in a local."""

    outcome: Outcome
    is_unsure = False
    """Something that is not followed may have entered a function on the line."""
    starting: CallSite | None = None
    """The call that made the generator that is entered next."""
    _memory: Memory
    _entered: list[Entered]

    @abc.abstractmethod
    def _made(self, call: CallSite, node: ast.Call) -> str | None:
        """Note a call; return its value when it entered a function that has returned."""

    @abc.abstractmethod
    def _program_runs(self) -> None:
        """Note that functions of the program may have run, which have changed what is noted already."""

    @abc.abstractmethod
    def _objects_change(self) -> None:
        """Note that any object may have changed."""

    # -- what an iterator asks of who follows the line

    @property
    def moment(self) -> int:
        """How many changes there have been on the line."""
        return self._changing.moment

    @property
    def epoch(self) -> tuple[object, int]:
        """The line, and the moment at which it began or went on."""
        return self, self._changing.began

    @property
    def locals_now(self) -> Mapping[str, str]:
        """How the locals read."""
        return self._state

    def has_changed(self, text: str, since: int) -> bool:
        """Whether what read so at a moment may read otherwise now."""
        return self._changing.is_changed(text, since)

    def is_true(self, item: Item) -> bool:
        """Return the truth of an item."""
        truth = self._known.truth(item[0])
        if truth is None:
            raise UnforeseenError
        return truth

    def applied(self, function: Called, args: Sequence[Item]) -> Item:
        """Follow the call of a function."""
        texts = [self._current(*item) for item in args]
        texts = [str(text) if isinstance(text, Iterating) else text for text in texts]  # others may hold it
        if function.python is not None:
            return self._worked_out(function.python, texts), self.moment
        call = self._call_of(function.text, function.first, texts, {})
        if call is None:
            raise UnforeseenError
        value = self._made(call, ast.Call(ast.Name(call.name, ast.Load()), [], []))
        return value, self.moment

    def _call_of(
        self, text: str, first: int, args: Sequence[str | None], named: Mapping[str, str | None]
    ) -> CallSite | None:
        """Return the call of a function of the program, by its first line, if it is sure to be entered."""
        functions = self._known.functions
        definition = functions.definition(first)
        if definition is None or not functions.is_plain(first):
            return None
        if not all(map(is_wraps, definition.decorator_list)) and not isinstance(text, Made):
            return None
        if functions.owner(first):
            return None
        try:
            signature(definition.args).bind(*args, **named)
        except TypeError:
            return None
        free = text.free if isinstance(text, Made) else {}
        local = str(text)
        return CallSite(definition.name, False, None, tuple(args), named, local=local, first=first, free=free)

    def _first_of(self, text: str | None) -> int:
        """Return the first line of the function of the program that reads so, 0 where it is not certain."""
        if isinstance(text, Made) and text.first:
            return text.first
        return self._known.functions.reading(text or "")

    def _worked_out(self, function: Any, texts: Sequence[str | None]) -> str:
        """Return what a function of Python gives.

        Raises:
            UnforeseenError: that is not known, or it raises.
        """
        disguises = self._known.disguises
        if None in texts or disguises.may_change(*texts):
            raise UnforeseenError
        if function in LOOKING and disguises.may_hide(*texts):
            raise UnforeseenError
        try:
            values = [known_value(text or "") for text in texts]
            if isinstance(function, types.MethodDescriptorType):
                return text_of(call_unbound(function, *values))
            is_blind = function in LOOKING and holds_shown(values)
            text = None if is_blind else text_of(call_function(function, values, {}))
        except Exception:  # undecided, or the program will raise it
            raise UnforeseenError from None
        if text is None:
            raise UnforeseenError
        return text

    def summed(self, left: Item, right: Item) -> Item:
        """Return ``left + right``."""
        texts = self._current(*left), self._current(*right)
        value = None if None in texts else self._known.calculated(Expected(f"({texts[0]}) + ({texts[1]})"))
        return value, self.moment

    def joined(self, items: Sequence[Item]) -> Item:
        """Return the tuple of some items."""
        texts = [self._current(*item) for item in items]
        known = [text for text in texts if text is not None]
        if len(known) < len(texts):
            return None, self.moment
        text = f"({known[0]},)" if len(known) == 1 else f"({', '.join(known)})"
        return text, self.moment

    def spread(self, item: Item) -> Sequence[Item]:
        """Return the items of an item."""
        try:
            values = items_of(self._current(*item))
        except UnreadableError:
            raise UnforeseenError from None
        return [(text_of(value) if is_told(value) else None, self.moment) for value in values]

    def resumed(self, stream: Generated) -> str | None:
        """Return what a generator of the program hands out next, None at its end."""
        if not self._entered:
            if self.outcome.is_told and not stream.left:
                self.starting = self._starting(stream)
                raise EnteringError(stream.first)
            if self.outcome.is_told and stream.suspended is not None:
                is_at_once = stream.left == (self, self.moment, len(self.calls))
                raise ResumingError(stream.suspended, is_at_once=is_at_once)
            raise UnforeseenError
        entered = self._entered.pop(0)
        is_it = entered.continued is stream.suspended and (stream.suspended is not None or not self.is_unsure)
        if entered.first != stream.first or not is_it or entered.item is None:
            raise UnforeseenError
        if self._known.is_isolated and stream.is_closed and stream.is_fixed(entered):
            self._program_runs()
        else:
            self._objects_change()
        stream.handed_out.append(entered.item)
        stream.suspended, stream.returned = entered.suspended, entered.value
        stream.left = self, self.moment, len(self.calls)
        return None if entered.item == STOP else entered.item

    def _starting(self, stream: Generated) -> CallSite:
        """Return the call that made a generator, with its arguments as they are when it is entered."""
        (epoch, moment), call = stream.made_at, stream.call

        def now(text: str | None) -> str | None:
            if epoch == self.epoch:
                return self._current(text, moment)
            return text if isinstance(text, Made) or (text is not None and is_atom(text)) else None

        args, keywords = tuple(map(now, call.args)), {name: now(text) for name, text in call.keywords.items()}
        return dataclasses.replace(call, receiver=now(call.receiver), args=args, keywords=keywords)

    # -- which function is meant

    def _python(self, node: ast.expr) -> Any:
        """Return the function or class of Python that an expression is for certain; None for any other."""
        while hook_name(node) in ("operand", "result"):
            node = arguments(node)[-1]
        if isinstance(node, ast.Name):
            found = self._known.builtins.functions.get(node.id)
            text = self._known.constants.get(node.id, "")
            if node.id in self._state:
                is_it = found is not None and self._state[node.id] == looked_up(found)
                text = self._state[node.id] if is_it else ""
            if found is None and text in (f"<built-in function {node.id}>", f"<class '{node.id}'>"):
                found = getattr(builtins, node.id, None)
            return found if text else None
        if not isinstance(node, ast.Attribute):
            return None
        name = plain_name(node.value)
        module = self._known.builtins.modules.get(name, "")
        if module and self._state.get(name, f"<module '{module}'>") == f"<module '{module}'>":
            return MODULES.get(module, {}).get(node.attr)
        kind = self._python(node.value)
        is_method = isinstance(kind, type) and node.attr in METHODS.get(kind, ())
        found = getattr(kind, node.attr, None) if is_method else None
        return found if isinstance(found, types.MethodDescriptorType) else None

    def _python_source(self, name: str) -> str:
        """Return an expression for the function of Python that a local is, empty for anything else."""
        text, made = self._state.get(name, ""), self._memory.made.get(name)
        if made is not None and made == text and made.source and name not in self._known.shared:
            return made.source
        if name in self._memory.methods:
            return self._method_of_local(name)
        called = next(
            (part for part in _OF_PYTHON if text in (f"<built-in function {part}>", f"<class '{part}'>")), ""
        )
        return called if called in self._known.builtins.functions else ""

    def _method_of_local(self, name: str) -> str:
        """Return an expression for the method of another local that a local is, empty if not known."""
        owner, method = self._memory.methods[name]
        text = self._state.get(owner, "")
        is_plain = owner not in self._known.shared and owner not in self._inner and not is_iterator(text)
        is_current = bool(text) and self._current(text, self._born.get(owner, 0)) is not None
        is_it = self._state.get(name, "").startswith(
            (f"<built-in method {method} of ", "<method-wrapper object>")
        )
        return f"{text}.{method}" if is_plain and is_current and is_it else ""

    def _from_table(self, node: ast.expr, key: str | None) -> Made | None:
        """Return the function that a table of the module holds for a key; None for anything else."""
        name = plain_name(node)
        if name in self._state or name not in self._known.tables or key is None or not is_atom(key):
            return None
        try:
            return self._known.tables[name].get(known_value(key))
        except (Undecided, TypeError):
            return None

    def _called_by(self, node: ast.expr, text: str | None) -> Called | None:
        """Return the function that an iterator is given to call; None where it is not known."""
        python = self._python(node)
        is_pure = isinstance(python, types.MethodDescriptorType) or any(
            python is known for table in (FUNCTIONS, *MODULES.values()) for known in table.values()
        )
        if text is None or (python is not None and not is_pure):
            return None
        first = self._first_of(text)
        return Called(text, python, first) if is_pure or first else None

    # -- what makes iterators

    def _consumed(self, function: ast.expr, node: ast.GeneratorExp) -> str | None:
        """Follow a call whose one argument is a generator expression."""
        python = self._python(function)
        if python is next:
            item = Rounds(node.generators, [node.elt], self._gone_through(node.generators[0].iter)).pull(self)
            if item is None:
                raise UnforeseenError  # StopIteration
            return item[0]
        if python not in _WHOLE or python in FUNCTIONS.values():
            return super()._consumed(function, node)
        items = self._together("[%s]", self._comprehension(node.generators, [node.elt]))
        self._consumption = None if items is None else f"{ast.unparse(function)}({items})"
        return None

    def _generatorexp(self, node: ast.GeneratorExp) -> str | None:
        before = dict(self.loose)
        outermost = self._gone_through(node.generators[0].iter)
        text = None if self._inner else self._known.functions.inner_text(self._memory.first, "<genexpr>")
        if text is None:
            raise UnforeseenError
        name = text.removeprefix("<function ")
        stream = Rounds(node.generators, [node.elt], outermost)
        return self._over(before, Iterating(f"<generator object {name}", stream=stream))

    def _iterator(
        self, function: Any, node: ast.Call, args: Sequence[str | None], named: Mapping[str, str | None]
    ) -> Iterating | None:
        """Return the iterator that a function of Python makes, if it has to be followed item by item."""
        if (
            function is iter
            and len(args) == 1
            and isinstance(args[0], Iterating)
            and args[0].stream is not None
        ):
            return args[0]  # an iterator is its own
        is_followed = any(isinstance(arg, Iterating) and arg.stream is not None for arg in args)
        called: Called | None = None
        through = list(args)
        if function in _CALLING and len(args) > 1:
            called, through = self._called_by(node.args[0], args[0]), list(args[1:])
            is_filter_of_truth = function is filter and args[0] == "None"
            if called is None and not is_filter_of_truth:
                return None
            is_followed = is_followed or (called is not None and called.python not in FUNCTIONS.values())
        elif function is itertools.accumulate and len(args) > 1:
            called, through = self._called_by(node.args[1], args[1]), list(args[:1])
            if called is None:
                return None
            is_followed = is_followed or called.python is None
        elif function not in (*_THROUGH, *_ENDLESS):
            return None
        if not is_followed and function not in _ENDLESS:
            return None
        before = dict(self.loose)
        stream = self._stream_by(function, called, through, named)
        if stream is None:
            return None
        return self._over(before, Iterating(f"<{function.__name__} object>", stream=stream))

    def _teed(self, args: Sequence[str | None], named: Mapping[str, str | None]) -> Several | None:
        """Return the iterators of ``itertools.tee``."""
        number = args[1] if len(args) == 2 else "2"
        if named or not args or number is None or not number.isdigit() or int(number) > MAX_ITEMS:
            return None
        before = dict(self.loose)
        trunk = Trunk(self._stream(args[0]))
        self._over(before, Iterating("<_tee object>"))
        parts = [Iterating("<_tee object>", stream=Branch(trunk)) for _ in range(int(number))]
        return Several(tuple(parts))

    def _over(self, before: Mapping[str, Iterating], iterator: Iterating) -> Iterating:
        """Note that an iterator asks those of locals for items that have become a part of it."""
        for name in before.keys() - self.loose.keys():
            self.loose[name] = iterator
            iterator.is_over_another = True
        return iterator

    def _stream_by(
        self,
        function: Any,
        called: Called | None,
        args: Sequence[str | None],
        named: Mapping[str, str | None],
    ) -> Stream | None:
        if function in _ENDLESS:
            return self._endless(function, args) if not named else None
        if function is enumerate:
            start = named.get("start", "0") if len(args) == 1 else args[1]
            is_known = start is not None and start.isdigit() and named.keys() <= {"start"}
            return Enumerated(self._stream(args[0]), int(start or 0)) if is_known else None
        if function is zip and named in ({"strict": "True"}, {"strict": "False"}):
            return Zipped([self._stream(text) for text in args], is_strict=named["strict"] == "True")
        if named or not args:
            return None
        if function is itertools.islice:
            return self._sliced(args)
        parts = [self._stream(text) for text in args]
        if function in (map, itertools.starmap) and called is not None:
            return Mapped(called, parts, is_spread=function is itertools.starmap)
        if function is zip:
            return Zipped(parts)
        if function is itertools.chain:
            return Chained(parts)
        if function is itertools.compress:
            return Compressed(*parts) if len(parts) == 2 else None
        if len(parts) != 1:
            return None
        if function is itertools.accumulate:
            return Accumulated(parts[0], called)
        if function in (filter, itertools.filterfalse):
            return Filtered(called, parts[0], keeps=function is filter)
        return None if called is None else While(called, parts[0], takes=function is itertools.takewhile)

    def _endless(self, function: Any, args: Sequence[str | None]) -> Stream | None:
        if function is itertools.count and len(args) <= 2:
            start = args[0] if args else "0"
            return Counted((start, 0), (args[1] if len(args) > 1 else "1", 0))
        if function is itertools.repeat and len(args) == 1:
            return Counted((args[0], self.moment), None)
        return None

    def _sliced(self, args: Sequence[str | None]) -> Stream | None:
        places = [text for text in args[1:] if text is not None and (text.isdigit() or text == "None")]
        if len(places) != len(args) - 1 or not 1 <= len(places) <= 3:
            return None
        numbers = [None if text == "None" else int(text) for text in places]
        start, stop, step = (0, numbers[0], 1) if len(numbers) == 1 else (*numbers, 1)[:3]
        return None if step == 0 else Sliced(self._stream(args[0]), start or 0, stop, step or 1)

    # -- what asks iterators for their items

    def _exhaust(self, iterator: Iterating, until: bool | None = None) -> bool:
        """Follow an iterator that is asked for all its items, or those up to one as true as ``until``.

        They are what it is known to go through from now on. Returns whether there was such a one.
        """
        self._uses(iterator)
        stream, found, is_cut = iterator.stream, list[Item](), False
        while stream is not None and (item := stream.pull(self)) is not None:
            found.append(item)
            if len(found) > MAX_ITEMS:
                raise UnforeseenError
            if until is not None and self.is_true(item) is until:
                is_cut = True
                break
        texts = [self._current(*item) for item in found]
        known = [text for text in texts if text is not None]
        iterator.source = f"[{', '.join(known)}]" if len(known) == len(texts) else ""
        iterator.stream, iterator.is_spent = None, True
        return is_cut

    def _asked(self, function: Any, args: Sequence[str | None]) -> str | None:
        """Follow a function of Python that asks an iterator for items; return its value if known."""
        if function is next and args and isinstance(args[0], Iterating):
            item = self._fixed(args[0]).pull(self)
            if item is None and len(args) == 1:
                raise UnforeseenError  # StopIteration
            return args[1] if item is None else item[0]
        iterators = [arg for arg in args[:1] if isinstance(arg, Iterating) and arg.stream is not None]
        for iterator in iterators:
            if function in _DECIDED:
                is_cut = self._exhaust(iterator, _DECIDED[function])
                return repr(_DECIDED[function] if is_cut else not _DECIDED[function])
            if function in _WHOLE:
                self._exhaust(iterator)
        return None

    def _is_among(self, text: str | None, iterator: Iterating) -> bool:
        """Follow ``text in iterator``, which asks it for items up to the first that is equal."""
        stream = self._fixed(iterator)
        while (item := stream.pull(self)) is not None:
            is_fixed = text is not None and item[0] is not None and is_atom(text) and is_atom(item[0])
            is_equal = self._known.calculated(Expected(f"{text} == {item[0]}")) if is_fixed else None
            if is_equal is None:
                raise UnforeseenError
            if is_equal == "True":
                return True
        return False

    def _fixed(self, iterator: Iterating) -> Stream:
        """Return what an iterator gives item by item, one too that is known at once."""
        stream = iterator.stream = self._stream(iterator)
        return stream

    def _listed(self, text: str | None) -> str | None:
        """Return a list of its items for an iterator of which they are known; any other as it is."""
        if not isinstance(text, Iterating) or text.stream is not None or not text.source:
            return text
        try:
            values = self._known.iterated(text)
        except UnreadableError:
            return text
        return text_of(list(values)) if all(map(is_told, values)) else text

    def _reduced(self, args: Sequence[str | None], node: ast.Call) -> str | None:
        """Follow ``functools.reduce`` by a function of the program; None for any other."""
        called = self._called_by(node.args[0], args[0]) if 2 <= len(args) <= 3 else None
        if called is None or called.python is not None:
            return None
        stream = self._stream(args[1])
        total = (args[2], self.moment) if len(args) == 3 else stream.pull(self)
        number = 0
        while total is not None and (item := stream.pull(self)) is not None:
            number += 1
            if number > MAX_ITEMS:
                raise UnforeseenError
            total = self.applied(called, [total, item])
        return None if total is None else self._current(*total)
