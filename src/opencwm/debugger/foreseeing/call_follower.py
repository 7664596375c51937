"""Follow the calls of a rewritten line without running them; see :mod:`.workings`.

A call of a function of the program is entered, or has been and is worth what it returned; a method of a
built-in container changes it in a way that is worked out; anything else may change what it is given.
"""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from opencwm.debugger.foreseeing.arguments import CallSite
from opencwm.debugger.foreseeing.comprehension_follower import consumed
from opencwm.debugger.foreseeing.expectations import (
    COUNTER,
    Entered,
    EnteringError,
    Iterating,
    Made,
    Memory,
    Outcome,
    UnforeseenError,
    attributes_of,
)
from opencwm.debugger.foreseeing.field_classes import TUPLE_METHODS
from opencwm.debugger.foreseeing.hooks import holders, is_super, plain_name, unhooked
from opencwm.debugger.foreseeing.inside import changed_inside
from opencwm.debugger.foreseeing.iterator_follower import PUTTING, looked_up
from opencwm.debugger.foreseeing.known import BUILT_IN, Known
from opencwm.debugger.foreseeing.methods import is_reading, method_of
from opencwm.debugger.foreseeing.mutations import (
    CHANGING_FUNCTIONS,
    MOVING_METHODS,
    after_function,
    after_method,
)
from opencwm.debugger.foreseeing.pure_operations import MODULES
from opencwm.debugger.foreseeing.rendered import (
    READING_METHODS,
    is_atom,
    is_built_in,
    is_iterator,
)
from opencwm.debugger.foreseeing.shown import own_class
from opencwm.debugger.foreseeing.special_follower import SpecialFollower
from opencwm.debugger.foreseeing.streams import Generated
from opencwm.debugger.foreseeing.touching import Changing, pieces

_CHANGING: Final = frozenset({"next", "setattr", "delattr", "exec", "eval"})
_MAPPING: Final = frozenset({"map", "filter"})


class CallFollower(SpecialFollower):
    """Follows calls.

    Attributes:
        outcome: what is known of what the line does.
        changed_names: locals whose objects the line has changed, and it is known how.
        calls: those that were come by, in order.
        to_come: those of them that have entered no function yet.

    Args:
        known: of the program.
        memory: of the activation.
        calculates: whether lists and dictionaries that the line changes are worked out.
    """

    def __init__(self, known: Known, memory: Memory, *, calculates: bool) -> None:
        self.outcome = Outcome(is_told=True)
        self._known = known
        self._calculates = calculates
        self._memory = memory
        self._owner = known.functions.owner(memory.first)  # class in whose body the line stands
        self._before: Mapping[str, str] = memory.state  # the locals when the line began, or went on
        self._state = dict(memory.state)
        self._born = {}  # by name, the moment at which its text was current, 0 for when the line began
        self._operating: int | None = None  # the moment at which the last operation had all its operands
        self._has_entered = False  # a function of the program may have run since the line began
        self.changed_names: set[str] = set()
        self.calls: list[CallSite] = []
        self.to_come: list[CallSite] = []
        self.loose: dict[str, Iterating] = {}
        self.loose_before: list[Iterating] = []
        self._loose_since = {}
        self._entered = list(memory.entered)
        self._changing = Changing(memory.state, is_renaming=known.functions.is_renaming)
        self.outcome.is_pure = all(entered.is_apart for entered in memory.entered)

    def _name(self, node: ast.Name) -> str | None:
        text = self._state.get(node.id, self._known.constants.get(node.id)) or None
        if text is None and node.id not in self._state and node.id not in self._inner:
            text = self._memory.variables.get(node.id)
        made = self._memory.made.get(node.id) if node.id not in self._inner else None
        if made is not None and made.startswith(COUNTER) and self._has_entered:
            made = None  # a function may have put its keys in another order
        if made is not None and made == text and node.id not in self._known.shared:
            return self._kept_iterator(node.id, made) if isinstance(made, Iterating) else made
        if node.id in self._known.decorated.functions and node.id not in self._state:
            return self._known.decorated.functions[node.id]
        if text is None:  # perhaps unbound
            self.outcome.is_told = False
        if node.id in self._state and node.id not in self.changed_names and self._has_entered:
            text = None if node.id in self._known.shared else text
        return self._current(text, self._born.get(node.id, 0)) if node.id in self._state else text

    def _call(self, node: ast.Call) -> str | None:
        generator = consumed(node)
        is_putting = isinstance(node.func, ast.Attribute) and node.func.attr in PUTTING - {"join"}
        if generator is not None and not is_putting:
            return self._consumed(node.func, generator)
        self._consumption = None
        function, receiver, changing = self._bound_method(node.func), None, None
        called: str | None = None
        if not isinstance(function, ast.Attribute):
            called = self._value(function)
        elif is_super(unhooked(function.value)):
            self._value(function.value)
            is_own = self._is_inherited(function.value)
            receiver = (self._state.get("self") or None) if is_own else None
        else:
            receiver = self._value(function.value)
            is_followed = self._calculates or function.attr in MOVING_METHODS
            changing = None if not is_followed or self._known.disguises.may_change(receiver) else receiver
        owner, fields = holders(function.value) if isinstance(function, ast.Attribute) else ("", [])
        began = self._changing.moment
        node, values, named_values, is_plain = self._given(node)
        args = tuple([self._current(text, since) for text, since in values])
        texts = [self._current(text, since) for text, since in named_values]
        keywords = dict(zip([keyword.arg for keyword in node.keywords], texts, strict=True))
        self._operating = self._changing.moment
        named = {name: text for name, text in keywords.items() if name is not None}
        if is_plain:
            found = self._with_iterators(node, function, args, named)
            found = found or self._substituted(function, receiver, args, named)
            if found is None and self._calculates:
                found = self._newly_made(node, receiver, args, named)
                found = found or self._initialized(node, receiver, args, named)
            if found is not None:
                return found
        self._hands_on([*args, *texts])
        if self._changing.moment != began:
            receiver = self._again(owner if not fields else "", receiver, began)
            changing = None if changing is None or fields or not owner else receiver
        if changing is not None and isinstance(function, ast.Attribute) and is_plain:
            result = self._after_method(node, function, changing, args, named)
            if result is not None:
                return result or None
        if self._calculates and args and not node.keywords:
            result = self._after_function(node, receiver, args)
            if result is not None:
                return result
        given = (*args, *keywords.values())
        is_harmless = self._is_pure_call(function, receiver, args, called) or self._is_apart_call(node, given)
        is_harmless = is_harmless and not any(_may_run_anything(text) for text in args if text is not None)
        num_entered, result = len(self._entered), None
        if is_plain:
            result = self._called_with(node, function, receiver, args, named, called)
        makes_generator = isinstance(result, Iterating) and isinstance(result.stream, Generated)
        if not (is_harmless or makes_generator) and len(self._entered) == num_entered:
            self._handed_on(node, receiver, given)
        return result

    def _with_iterators(
        self,
        node: ast.Call,
        function: ast.expr,
        args: Sequence[str | None],
        named: Mapping[str, str | None],
    ) -> str | None:
        """Follow what a call makes an iterator of, or asks one for; return its value where that is known."""
        python = self._python(function)
        if python is None:
            if isinstance(function, ast.Attribute) and function.attr in PUTTING:
                for arg in args:
                    if isinstance(arg, Iterating) and arg.stream is not None:
                        self._exhaust(arg)
            return None
        if python is itertools.tee:
            return self._teed(args, named)
        iterator = self._iterator(python, node, args, named)
        if iterator is not None:
            return iterator
        if python is functools.reduce and not named:
            return self._reduced(args, node)
        return self._asked(python, args)

    def _called_with(
        self,
        node: ast.Call,
        function: ast.expr,
        receiver: str | None,
        args: tuple[str | None, ...],
        named: Mapping[str, str | None],
        called: str | None,
    ) -> str | None:
        """Return the value of a call by its arguments, where it is of the program or calls one of it."""
        if isinstance(function, ast.Attribute):
            held = self._known.attributes.read(receiver or "", function.attr, self._owner)
            call_of_held = self._call_of(held, self._first_of(held), args, named) if held else None
            if call_of_held is not None:
                return self._made(call_of_held, node)
            is_inherited = self._is_inherited(function.value)
            call = CallSite(function.attr, True, receiver, args, named, is_inherited=is_inherited)
            return self._made(call, node)
        if not isinstance(function, ast.Name):
            found = None if called is None else self._call_of(called, self._first_of(called), args, named)
            return None if found is None else self._made(found, node)
        if len(args) == 1 and not named and self._known.constants.get(function.id, "").startswith(BUILT_IN):
            value = self._in_words(function.id, args[0])
            if value is not None:
                return value
        if self._known.constants.get(function.id) == "<class 'super'>":
            return "<super object>"
        if function.id == "print" and function.id not in self._state:
            return self._printed(args, named)
        keyed = self._keyed(function.id, args, named)
        if keyed is not None:
            return keyed
        local = self._state.get(function.id, self._known.aliases.get(function.id))
        made = called if isinstance(called, Made) else None
        if made is not None and made.first:
            known = self._call_of(made, made.first, args, named)
            return None if known is None else self._made(known, node)
        called_object = self._of_object(node, function, local, args, named)
        if called_object is not None:
            return called_object or None
        kind = own_class(local or "")
        if kind and self._known.constants.get(kind) == local:
            return self._made(CallSite(kind, False, None, args, named), node)  # as by its own name
        name = self._called(function.id, local)
        return self._made(CallSite(name, False, None, args, named, local=local), node)

    def _of_object(
        self,
        node: ast.Call,
        function: ast.Name,
        text: str | None,
        args: tuple[str | None, ...],
        named: Mapping[str, str | None],
    ) -> str | None:
        """Follow the call of a local that is an object of the program; None where it is none, see above."""
        entries = self._known.entries
        if entries is None or not text or not entries.line_of(text):
            return None
        call = CallSite("__call__", True, text, args, named)
        if not self._known.functions.is_plain(entries.method(call)):
            return ""
        method = ast.Attribute(function, "__call__", ast.Load())
        return self._made(call, ast.Call(method, node.args, node.keywords)) or ""

    def _again(self, name: str, text: str | None, since: int) -> str | None:
        """Return how an object reads now that was come by before its arguments, perhaps as a local."""
        now = self._current(text, since)
        is_local = now is None and name in self._state
        return self._name(ast.Name(name, ast.Load())) if is_local else now

    def _called(self, name: str, text: str | None) -> str:
        """Return what a function, as it reads, is called in its definition that is called by another name."""
        functions = self._known.functions
        definition = functions.definition(functions.reading(text or ""))
        return name if definition is None else definition.name

    def _handed_on(self, node: ast.Call, receiver: str | None, texts: Sequence[str | None]) -> None:
        """Note what a call may change: whatever it is given holds, if what is called holds nothing itself."""
        function = node.func
        if isinstance(function, ast.Attribute):
            called = receiver
        else:
            called = self._value(function) if isinstance(function, ast.Name) else None
        if not self._known.is_isolated:
            self._objects_change()
            return
        nodes = [*node.args, *(keyword.value for keyword in node.keywords)]
        moment = self._changing.moment
        new = {text for item, text in zip(nodes, texts, strict=True) if text and self._is_new(item, text)}
        self._changing.all_in([(text, moment) for text in (called, *texts)], new)
        self._program_runs()

    def _bound_method(self, node: ast.expr) -> ast.expr:
        """Return the attribute that a local bound to a method of another one's list stands for."""
        if isinstance(node, ast.Name) and node.id in self._memory.methods:
            owner, method = self._memory.methods[node.id]
            if self._method_of_local(node.id):
                return ast.Attribute(ast.Name(owner, ast.Load()), method, ast.Load())
        return node

    def _method_source(self, name: str) -> str:
        """Return an expression for the method that a local is of what another one is, empty for none."""
        bound = self._bound_method(ast.Name(name, ast.Load()))
        if not isinstance(bound, ast.Attribute) or not isinstance(bound.value, ast.Name):
            return ""
        owner = bound.value.id
        is_known = owner in self._state and owner not in self._known.shared and not self._has_entered
        text = self._current(self._state[owner], self._born.get(owner, 0)) if is_known else None
        return "" if text is None or isinstance(text, Made) else f"({text}).{bound.attr}"

    def _after_function(self, node: ast.Call, receiver: str | None, args: Sequence[str | None]) -> str | None:
        """Take note of what a function of ``heapq`` does to its list; return what it gives, if known."""
        function = node.func
        if isinstance(function, ast.Attribute):
            name = function.attr if self._known.builtins.read(receiver or "") == "heapq" else ""
        else:
            text = self._known.constants.get(plain_name(function), "")
            name = text.removeprefix("<built-in function ").removesuffix(">")
        changed = after_function(name, args)
        if changed is None or args[0] is None or self._known.disguises.may_change(*args):
            return None
        return self._noted(node.args[0], args[0], changed)

    def _after_method(
        self,
        node: ast.Call,
        function: ast.Attribute,
        receiver: str,
        args: Sequence[str | None],
        named: Mapping[str, str | None],
    ) -> str | None:
        """Take note of what a method does to its object.

        Returns what it gives, empty where that is left to the model; None when nothing of it is known.
        """
        if function.attr == "sort" and receiver[0] == "[" and not args and "key" in named:
            return self._sorted_in_place(node, function, receiver, named)
        texts = list(map(self._listed, args)) if function.attr in PUTTING else args
        if self._known.disguises.may_change(*texts, *named.values()):
            return None
        changed = after_method(receiver, function.attr, texts, named)
        given = None if changed is None else self._noted(function.value, receiver, changed)
        return given if given is None or self._calculates or given == "None" else ""

    def _noted(self, node: ast.expr, before: str, changed: tuple[str, str]) -> str | None:
        """Note that an object reads otherwise now; return what it gave for that, None if not known."""
        found = self._replaced(node, before, changed[1])
        if found is None or found[0] not in self._state:
            return None
        self.outcome.is_pure = False
        apart = self._apart_from(found[0], changed[1])
        self._changing.one(before, self._changing.moment)
        self._born.update(dict.fromkeys(apart, self._changing.moment))
        self._reads_now(*found)
        return changed[0]

    def _apart_from(self, name: str, changed: str) -> set[str]:
        """Return the other locals known to have changed that do not hold the object of one.

        Told from how they all read when the line began; nothing but atoms has been put into them since.
        """
        texts = {other: self._state.get(other, "") for other in self.changed_names - {name}}
        if any(pieces(text) != frozenset({text}) for text in (changed, *texts.values())):
            return set()
        before = self._before
        return {other for other in texts if before.get(other, "") != before.get(name, "") and texts[other]}

    def _reads_now(self, name: str, text: str) -> None:
        """Note how a local reads since its object has changed."""
        self._settle()
        self.outcome.values[name] = self._state[name] = text
        self._born[name] = self._changing.moment
        self.changed_names.add(name)

    def _replaced(self, node: ast.expr, old: str, new: str) -> tuple[str, str] | None:
        """Return the local through which an object was come by, and its text when the object reads as new.

        None where it cannot be told apart from another object.
        """
        name, fields = holders(node)
        if not name or name in self._inner:
            return None
        if not fields:
            return name, new
        whole = self._name(ast.Name(name))
        if whole is None:
            return None
        text = changed_inside(whole, fields, old, new, self._known.attributes, self._owner)
        return None if text is None else (name, text)

    def _is_pure_call(
        self, function: ast.expr, receiver: str | None, args: Sequence[str | None], called: str | None
    ) -> bool:
        """Whether a call changes nothing that a local can show, functions of the program apart."""
        if isinstance(called, Made) and called.source and not isinstance(called, Iterating):
            return is_reading(called, args, self._known.disguises)
        if isinstance(function, ast.Attribute):
            if receiver is None:
                return False
            if function.attr in TUPLE_METHODS and self._known.made_of_fields.items(receiver):
                return True
            if receiver.startswith("<module '"):
                return function.attr in MODULES.get(self._known.builtins.read(receiver), ())
            is_fixed = is_atom(receiver) or receiver.startswith("<re.Match object; ")
            return is_fixed or (function.attr in READING_METHODS and is_built_in(receiver))
        if not isinstance(function, ast.Name) or function.id in _CHANGING:
            return False
        if function.id in _MAPPING and (args[0] if args else None) not in self._known.plain_functions:
            return False
        text = self._known.constants.get(function.id, "")
        if function.id not in self._state and (
            function.id in self._known.builtins.functions or function.id in self._known.made_of_fields.plain
        ):
            return True
        return text.startswith(BUILT_IN) and text not in CHANGING_FUNCTIONS

    def _is_apart_call(self, node: ast.Call, given: Sequence[str | None]) -> bool:
        """Whether a call enters a function of the program that reaches no object, since it is given none."""
        if not isinstance(node.func, ast.Name) or node.func.id in self._state:
            return False
        return node.func.id in self._known.apart and all(text is not None and is_atom(text) for text in given)

    def _objects_change(self) -> None:
        """Note that any object may have changed, those too of which it was known how they are."""
        self._changing.anything()
        self._program_runs()

    def _program_runs(self) -> None:
        """Note that functions of the program may have run, which have changed what is noted already."""
        self.outcome.is_pure, self._has_entered = False, True
        self._settle(is_running=True)

    def _settle(self, *, is_running: bool = False) -> None:
        """Forget how locals read that may have changed since they were told to read otherwise."""
        for name in list(self.changed_names):
            is_rebound = is_running and name in self._known.shared
            if is_rebound or self._current(self._state.get(name), self._born.get(name, 0)) is None:
                self.outcome.values.pop(name, None)
                self.changed_names.remove(name)

    def _made(self, call: CallSite, node: ast.Call) -> str | None:
        """Note a call; return its value when it entered a function that has returned."""
        entries = self._known.entries
        made = None if entries is None else entries.made(call, self._known.constants)
        if made is not None:
            return made
        self.calls.append(call)
        self.to_come.append(call)
        for number, entered in enumerate(self._entered):
            if self._is_entered_by(call, entered.first):
                if any(not other.is_apart for other in self._entered[:number]):
                    self._objects_change()
                self._take_over(entered, call, node)
                del self._entered[: number + 1]
                self.to_come.pop()
                is_initializer = call.is_method and call.name == "__init__"  # no object is made by it
                return (entered.returned if is_initializer else entered.value) or None
        first = self._entering(call)
        if first and any(entered.first == first for entered in self._entered):
            raise UnforeseenError  # it was, and not by a call that is known to have done it
        if first:
            raise EnteringError(first)
        first = self._entering(call, makes_generator=True)
        text = self._known.functions.text(first, "generator object") if first else None
        if text is None:
            return None
        stream = Generated(first, call, self, is_closed=first in self._known.closed)
        return Iterating(text, stream=stream)

    def _is_entered_by(self, call: CallSite, first: int) -> bool:
        """Whether a function that was entered was so by a call of its name.

        Python calls special methods itself: while ``super().__repr__()`` runs, for example, those of items.
        """
        functions = self._known.functions
        if not functions.is_plain(first) or not functions.is_call_of(first, call):
            return False
        return not call.is_special or self._certain(call) == first

    def _entering(self, call: CallSite, *, makes_generator: bool = False) -> int:
        """Return the first line of the function that a call now enters for certain, 0 for none.

        With ``makes_generator`` that of one that is entered only when its generator is asked for an item.
        """
        return self._certain(call, makes_generator=makes_generator) if self.outcome.is_told else 0

    def _certain(self, call: CallSite, *, makes_generator: bool = False) -> int:
        entries = self._known.entries
        if entries is None:
            return 0
        constants = self._known.constants
        return entries.entered(call, constants, self._memory.first, makes_generator=makes_generator)

    def _take_over(self, entered: Entered, call: CallSite, node: ast.Call) -> None:
        """Read the objects that a function was given as they are since it has returned.

        Only those of locals: a variable of a comprehension is none, and reads as no local of its name does.
        """
        given = self._known.functions.given(entered.first, call, node)
        texts = self._known.functions.bound(entered.first, call) or {}
        before = dict(self._state)
        within = self._within(entered, call, given)
        if not entered.is_apart:
            self._changes_by(entered, call, given)
        for name, whole in within.items():
            self._reads_now(name, whole)
        for name, kept in entered.kept.items():
            self._reads_now(name, kept)
        for parameter, item in given.items():
            name, text = plain_name(item), entered.after.get(parameter)
            is_local = name not in self._inner and before.get(name, "") == texts.get(parameter)
            if text is not None and is_local and name not in self._known.shared:
                self._reads_now(name, text)

    def _within(self, entered: Entered, call: CallSite, given: Mapping[str, ast.expr]) -> dict[str, str]:
        """Return how locals read of which a function was given a part, by a path of attributes or items.

        Only where a function reaches no more than it is given, and nothing else in the local may be in that.
        """
        texts = self._known.functions.bound(entered.first, call)
        if entered.is_apart or texts is None or not self._known.is_isolated or call.local is not None:
            return {}
        paths = {parameter: holders(node) for parameter, node in given.items()}
        found: dict[str, str] = {}
        for parameter, (name, fields) in paths.items():
            old, new = texts.get(parameter), entered.after.get(parameter)
            is_alone = sum(other == name for other, _ in paths.values()) == 1
            if not fields or not is_alone or old is None or new is None or old == new:
                continue
            whole = self._state.get(name, "")
            reached = [pieces(text) if text is not None else None for text in texts.values()]
            rest = whole.replace(old, "", 1)
            if name in self._known.shared or None in reached or whole.count(old) != 1:
                continue
            if any(piece in rest for inside in reached for piece in inside or ()):
                continue
            replaced = self._replaced(given[parameter], old, new)
            if replaced is not None and self._state.get(name) == self._before.get(name):
                found[name] = replaced[1]
        return found

    def _changes_by(self, entered: Entered, call: CallSite, given: Mapping[str, ast.expr]) -> None:
        """Note what a function may have changed: what it was given and does not read as it did before."""
        texts = self._known.functions.bound(entered.first, call)
        called = "" if call.local is None else call.local
        is_closed = not called or entered.first in self._known.closed or pieces(called) is not None
        if texts is None or not self._known.is_isolated or not is_closed:
            self._objects_change()
            return
        moment = self._changing.moment
        changed = {
            name: text for name, text in texts.items() if text is None or text != entered.after.get(name)
        }
        new = {
            text
            for name, text in changed.items()
            if text and name in given and self._is_new(given[name], text)
        }
        self._changing.all_in([(text, moment) for text in changed.values()], new)
        self._program_runs()

    def _attribute(self, node: ast.Attribute) -> str | None:
        text = self._value(node.value)
        if node.attr in attributes_of(text):
            return attributes_of(text)[node.attr]
        python = self._python(node)
        if python is not None:
            return Made(looked_up(python), f"{plain_name(node.value)}.{node.attr}")
        is_plain = text is not None and self._known.disguises.spare(text)
        method = method_of(text, node.attr) if text is not None and is_plain else None
        if method is not None:
            return method
        if text is None and node.attr in self._known.attributes.managed:  # perhaps a property
            if self._entered:
                raise UnforeseenError
            self.calls.append(CallSite(node.attr, True, None, (), {}, is_property=True))
        return self._got(node, text)

    def _got(self, node: ast.Attribute, text: str | None) -> str | None:
        """Follow the reading of a property of an object; return None for any other attribute."""
        if self._known.entries is None or not self._known.entries.is_property(text, node.attr):
            return None
        num_entered = len(self._entered)
        call = self._known.entries.getting(text, node.attr)
        result = self._made(call, ast.Call(node, [], []))
        if len(self._entered) == num_entered:
            self._objects_change()
        return result


def _may_run_anything(text: str) -> bool:
    """Whether to ask a value for its items may run code: an iterator that is not made of values alone."""
    if isinstance(text, Iterating):
        is_plain = text.is_spent or (text.stream is None and bool(text.source) and "<" not in text.source)
        return not is_plain
    return not isinstance(text, Made) and is_iterator(text)
