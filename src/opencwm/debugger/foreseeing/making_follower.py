"""Follow what makes objects without their ``__init__``, and what sets attributes by ``object.__setattr__``.

``object.__new__(C)`` reads ``C()``. ``object.__setattr__(x, 'a', 1)`` sets an attribute without asking the
class of ``x``; ``any(map(object.__setattr__, [x] * n, names, values))`` sets one after the other.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Final

from opencwm.debugger.foreseeing.arguments import CallSite
from opencwm.debugger.foreseeing.buffer_follower import BufferFollower
from opencwm.debugger.foreseeing.disguises import VALUES
from opencwm.debugger.foreseeing.expectations import Expected, Iterating, Made, UnforeseenError
from opencwm.debugger.foreseeing.expressions import Undecided, known_value, literal
from opencwm.debugger.foreseeing.hooks import plain_name, unhooked
from opencwm.debugger.foreseeing.iterator_follower import looked_up
from opencwm.debugger.foreseeing.pure_values import is_told, kind_of, text_of
from opencwm.debugger.foreseeing.rendered import UnreadableError, is_atom
from opencwm.debugger.foreseeing.shown import is_cut, marked_tree, own_class, text_at

_OBJECT: Final = "<class 'object'>"
_SETTER: Final = Made(looked_up(object.__setattr__))
"""How ``object.__setattr__`` reads; its text is that of others too."""
_PLACES: Final = 3


class MakingFollower(BufferFollower):
    """Follows what makes objects, and sets their attributes, past the methods of their classes."""

    _at_once: ast.expr | None = None
    """The function of a call of ``map`` that is asked for all its items as soon as it has been made."""
    _setting: tuple[str, str, str] | None = None
    """The local whose attributes it sets, how that reads before, and after."""

    def _attribute(self, node: ast.Attribute) -> str | None:
        text = super()._attribute(node)
        if text is None and node.attr == "__dict__":
            return self._new_dictionary(node)
        is_setter = text is None and node.attr == "__setattr__" and self._is_object(node.value)
        return _SETTER if is_setter else text

    def _is_entered_by(self, call: CallSite, first: int) -> bool:
        """See above; an object that says how it reads tells its class, and with that its methods."""
        classes, name = self._known.value_classes, ""
        if call.is_method and not call.is_inherited and not call.is_property:
            name = classes.class_of(call.receiver or "")
        if name and self._known.functions.is_plain(first):
            return classes.methods.get((name, call.name)) == first
        return super()._is_entered_by(call, first)

    def _given_attributes(self, node: ast.Attribute, text: str | None) -> str | None:
        """Follow ``x.__dict__.update(...)`` of what is new; return ``None`` as it reads if it is known."""
        classes, holder = self._known.value_classes, unhooked(node.value)
        if not isinstance(holder, ast.Attribute) or holder.attr != "__dict__" or not classes.are_kept:
            return None
        if self._new_dictionary(holder) is None or text is None or is_cut(text):
            return None
        name, whole = plain_name(holder.value), marked_tree(text)
        if whole is None or not isinstance(whole[0], ast.Dict) or name not in self._state:
            return None
        kind = own_class(self._state[classes.fresh[self._memory.first, self._memory.lineno].kind])
        pairs = zip(whole[0].keys, whole[0].values, strict=True)
        attributes = {
            str(ast.literal_eval(key)): text_at(value, *whole[1:])
            for key, value in pairs
            if isinstance(key, ast.Constant)
        }
        kept = {
            key: value for key, value in attributes.items() if is_atom(value) and classes.keeps(kind, key)
        }
        self._reads_now(name, Made(self._state[name], attributes=kept))
        return "None"

    def _new_dictionary(self, node: ast.Attribute) -> str | None:
        """Return ``{}`` for the attributes of an object that has none yet; None where that is not known."""
        classes, memory = self._known.value_classes, self._memory
        fresh = classes.fresh.get((memory.first, memory.lineno))
        if fresh is None or plain_name(node.value) != fresh.name or not self._calculates:
            return None
        kind, name = self._state.get(fresh.kind, ""), own_class(self._state.get(fresh.kind, ""))
        is_it = self._known.constants.get(name) == kind and name in classes.dictionaries
        return "{}" if is_it and _kind(self._state.get(fresh.value)) == classes.kinds[name] else None

    def _is_object(self, node: ast.expr) -> bool:
        """Whether an expression is the name of the class ``object``."""
        return self._python(node) is object

    def _call(self, node: ast.Call) -> str | None:
        inner = unhooked(node.args[0]) if len(node.args) == 1 and not node.keywords else None
        if isinstance(inner, ast.Call) and self._calculates and self._sets_attributes(node, inner):
            self._at_once = inner.func
        return super()._call(node)

    def _sets_attributes(self, node: ast.Call, inner: ast.Call) -> bool:
        """Whether a call is ``any(map(object.__setattr__, [x] * n, names, values))`` of a local."""
        functions = [part.func for part in (node, inner)]
        if not all(isinstance(part, ast.Name) for part in functions) or len(inner.args) != _PLACES + 1:
            return False
        setter = unhooked(inner.args[0])
        return (
            isinstance(setter, ast.Attribute)
            and setter.attr == "__setattr__"
            and [self._python(part) for part in functions] == [any, map]
            and self._is_object(setter.value)
            and bool(_repeated(inner.args[1]))
        )

    def _newly_made(
        self,
        node: ast.Call,
        receiver: str | None,
        args: Sequence[str | None],
        named: Mapping[str, str | None],
    ) -> str | None:
        """Follow what makes objects, and sets their attributes; return what it gives, None for any other."""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if node.func is self._at_once:
            self._setting = self._set_by_map(node, args)
            return None if self._setting is None else "<map object>"
        setting, inner = self._setting, unhooked(node.args[0]) if len(node.args) == 1 else None
        if setting is not None and isinstance(inner, ast.Call) and inner.func is self._at_once:
            self._at_once = self._setting = None
            if self._noted(ast.Name(setting[0], ast.Load()), setting[1], ("None", setting[2])) is None:
                raise UnforeseenError
            return "False"
        if receiver == _OBJECT and name == "__setattr__" and len(args) == _PLACES and not named:
            return self._set_forced(node.args[0], args[0], args[1], args[2])
        if receiver == _OBJECT and name == "__new__" and len(args) == 1 and not named:
            return self._bare(args[0] or "")
        if self._known.value_classes.kinds and not named:
            found = None
            if isinstance(node.func, ast.Name) and len(args) == 1 and self._is_exact(node.args[0]):
                kind = _kind(args[0]) if self._python(node.func) is type else ""
                found = f"<class '{kind}'>" if kind else None
            elif name == "__new__" and args:
                found = self._of_value(node, receiver, args)
            elif name == "__init__" and len(args) == 2:
                found = self._filled_with(node, receiver, args)
            elif isinstance(node.func, ast.Attribute) and name == "update" and len(args) == 1:
                found = self._given_attributes(node.func, args[0])
            if found is not None:
                return found
        return super()._newly_made(node, receiver, args, named)

    def _is_exact(self, node: ast.expr) -> bool:
        """Whether an expression is a parameter that holds a value of exactly a built-in type."""
        return plain_name(node) in self._known.value_classes.exact.get(self._memory.first, ())

    def _of_value(self, node: ast.Call, receiver: str | None, args: Sequence[str | None]) -> str | None:
        """Follow ``str.__new__(C, ...)``, or that of ``super()``; return how what it makes reads."""
        classes, name = self._known.value_classes, own_class(args[0] or "")
        if self._known.constants.get(name) != args[0] or name not in classes.kinds or None in args:
            return None
        kind = classes.kinds[name]
        if receiver != f"<class '{kind}'>" and not self._is_of_super(node, classes.lines[name]):
            return None
        given = [text for text in args[1:] if text is not None]
        if kind in ("list", "dict"):
            return classes.read(name, "[]" if kind == "list" else "{}")
        made = self._known.calculated(Expected(f"{kind}({', '.join(given)})"))
        if made is None and len(given) == 1 and _kind(given[0]) == kind:
            is_as_given = self._is_exact(node.args[1]) or (kind == "str" and not classes.are_worded)
            made = given[0] if is_as_given else None
        return None if made is None else classes.read(name, made)

    def _is_of_super(self, node: ast.Call, line: Sequence[str]) -> bool:
        """Whether a call of ``super().__new__(cls, ...)`` in a class of a line is that of a built-in type."""
        owner, classes = self._owner, self._known.value_classes
        definition = self._known.functions.definition(self._memory.first)
        if definition is None or not definition.args.args or definition.args.args[0].arg != "cls":
            return False
        is_own = isinstance(node.func, ast.Attribute) and self._is_inherited(node.func.value, "cls")
        behind = line[line.index(owner) + 1 :] if owner in line else ()
        is_last = owner in line and not any(item in classes.making for item in behind)
        return is_own and is_last and plain_name(node.args[0]) == "cls"

    def _filled_with(self, node: ast.Call, receiver: str | None, args: Sequence[str | None]) -> str | None:
        """Follow ``list.__init__(x, value)`` of a new local; return ``None`` as it reads."""
        classes, memory, (made, value) = self._known.value_classes, self._memory, args
        fresh = classes.fresh.get((memory.first, memory.lineno))
        if fresh is None or plain_name(node.args[0]) != fresh.name or made is None or value is None:
            return None
        name = made.partition("(")[0] if made.partition("(")[0] in classes.named else ""
        kind = _kind(made[len(name) + 1 : -1] if name else made)
        is_empty = kind == "list" or made.endswith(("{}", "{})"))
        if kind not in ("list", "dict") or receiver != f"<class '{kind}'>" or not is_empty or is_cut(value):
            return None
        if not self._is_exact(node.args[1]) or _kind(value) != kind:
            return None
        return self._noted(node.args[0], made, ("None", classes.read(name, value)))

    def _bare(self, text: str) -> str | None:
        """Return how an object of a class reads that has no attributes yet; None where it is not known."""
        entries, constants = self._known.entries, self._known.constants
        is_it = constants.get(own_class(text)) == text and self._known.disguises.kinds is not None
        return entries.bare(text) if entries is not None and is_it else None

    def _set_forced(
        self, node: ast.expr, holder: str | None, name: str | None, value: str | None
    ) -> str | None:
        """Follow the setting of an attribute of what an expression is; return ``None`` as it reads."""
        try:
            attribute = literal(name or "")
        except Undecided:
            return None
        if holder is None or not isinstance(attribute, str):
            return None
        changed = self._known.attributes.after_store(holder, attribute, value, is_forced=True)
        return None if changed is None else self._noted(node, holder, ("None", changed))

    def _set_by_map(self, node: ast.Call, args: Sequence[str | None]) -> tuple[str, str, str] | None:
        """Return the local whose attributes ``map`` sets, as it reads before and after; None if not known."""
        name = _repeated(node.args[1])
        holder = self._current(self._state.get(name), self._born.get(name, 0))
        pairs = self._pairs(node, args)
        if holder is None or pairs is None:
            return None
        changed: str | None = holder
        for attribute, value in pairs:
            if not isinstance(attribute, str) or holder in value:
                return None
            changed = self._known.attributes.after_store(changed, attribute, value, is_forced=True)
        return None if changed is None else (name, holder, changed)

    def _pairs(self, node: ast.Call, args: Sequence[str | None]) -> list[tuple[object, str]] | None:
        """Return names and values of the attributes that ``map`` sets; None where they are not known."""
        if self._known.disguises.may_change(*args[1:]) or isinstance(args[1], Iterating):
            return None
        try:
            number = len(self._known.iterated(args[1]))
            whole = _of_one_dictionary(node.args[2], node.args[3], args[2])
            if whole is not None:
                return [(literal(name), value) for name, value in whole][:number]
            names, values = (list(self._known.iterated(text)) for text in args[2:])
        except (UnreadableError, Undecided):
            return None
        if any(isinstance(text, Iterating) for text in args[2:]) or not all(map(is_told, values)):
            return None
        return [(name, text_of(value)) for name, value in zip(names, values, strict=False)][:number]


def _kind(text: str | None) -> str:
    """Return the built-in type that a value reads as, by name; empty where it does not read as one."""
    try:
        kind = kind_of(known_value(text)) if text is not None else object
    except Undecided:
        return ""
    return kind.__name__ if kind in VALUES else ""


def _of_one_dictionary(keys: ast.expr, values: ast.expr, text: str | None) -> list[tuple[str, str]] | None:
    """Return keys and values, as they read, of ``d`` and ``d.values()``; None for other expressions."""
    values = unhooked(values)
    if not isinstance(values, ast.Call) or values.args or values.keywords:
        return None
    method = values.func
    if not isinstance(method, ast.Attribute) or method.attr != "values":
        return None
    found = marked_tree(text) if text is not None and not is_cut(text) else None
    if found is None or not isinstance(found[0], ast.Dict) or not plain_name(keys):
        return None
    if plain_name(keys) != plain_name(method.value) or None in found[0].keys:
        return None
    parts = zip(found[0].keys, found[0].values, strict=True)
    return [(text_at(key, *found[1:]), text_at(value, *found[1:])) for key, value in parts if key is not None]


def _repeated(node: ast.expr) -> str:
    """Return the name that stands in ``[x] * n``; empty for any other expression."""
    node = unhooked(node)
    items = unhooked(node.left) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) else None
    return plain_name(items.elts[0]) if isinstance(items, ast.List) and len(items.elts) == 1 else ""
