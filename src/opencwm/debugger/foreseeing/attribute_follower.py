"""Follow the setting of attributes on a rewritten line; see :mod:`.workings`.

An attribute is put into what its object shows, or the setter of a property is entered, or it is refused.
"""

from __future__ import annotations

import ast

from opencwm.debugger.foreseeing.arguments import CallSite
from opencwm.debugger.foreseeing.expectations import Expected, Made, RaisingError, attributes_of
from opencwm.debugger.foreseeing.hooks import plain_name
from opencwm.debugger.foreseeing.keeping_follower import KeepingFollower
from opencwm.debugger.foreseeing.object_shapes import mangled
from opencwm.debugger.foreseeing.rendered import is_atom


class AttributeFollower(KeepingFollower):
    """Follows what sets attributes."""

    _gotten: str | None = None
    """What the property gave that an augmented assignment reads."""

    def _set_attribute(
        self,
        target: ast.Attribute,
        holder: str | None,
        value: str | None,
        source: ast.expr | None = None,
        symbol: str = "",
    ) -> None:
        """Note ``holder.name = value``, the value of an expression, or ``holder.name += value`` for a symbol.

        Raises:
            RaisingError: it is refused.
            UnforeseenError: a setter is entered, or it is not known what is.
        """
        entries, attributes = self._known.entries, self._known.attributes
        refused = attributes.refuses(holder, target.attr) if entries is not None else None
        if refused is not None:
            raise RaisingError(refused)
        if entries is not None and holder is not None and entries.is_property(holder, target.attr):
            self._call_setter(target, holder, None if symbol else value, source)
            return
        self._stores_in(target, holder)
        changed = None
        if self._calculates or not symbol:
            changed = attributes.after_store(holder, target.attr, value, symbol, owner=self._owner)
        self._put(target, holder, self._keeping(target, changed, holder, None if symbol else value))

    def _keeping(
        self, target: ast.Attribute, changed: str | None, holder: str | None, value: str | None
    ) -> str | None:
        """Return an object that an attribute was put into, with that attribute if it stays the same."""
        exceptions = self._known.exceptions
        is_kept = target.attr in exceptions.kept and plain_name(target.value) == "self"
        if changed is None or not is_kept or not exceptions.line_of(changed):
            return changed
        own = {target.attr: value} if value is not None and is_atom(value) else {}
        return Made(changed, attributes={**attributes_of(holder), **own})

    def _call_setter(
        self, target: ast.Attribute, holder: str, value: str | None, source: ast.expr | None
    ) -> None:
        """Follow the assignment to a property."""
        entries = self._known.entries
        first = entries.setter(holder, target.attr) if entries is not None else 0
        if first is None:
            kind = holder.partition("(")[0]
            error = AttributeError(f"property {target.attr!r} of {kind!r} object has no setter")
            raise RaisingError(repr(error))
        returned = None
        if first:
            call = CallSite(target.attr, True, holder, (value,), {}, first=first)
            returned = self._made(call, ast.Call(target, [source or ast.Constant(None)], []))
        if returned is None:
            self.outcome.is_told = False
            self._objects_change()

    def _hook_fetched(self, site: int, node: ast.expr, name: ast.Constant) -> str | None:
        """Follow the reading of an attribute that is set then; nothing reports that of a property."""
        text, self._gotten = self._value(node), None
        entries = self._known.entries
        if entries is not None and entries.is_property(text, str(name.value)):
            self._gotten = self._got(ast.Attribute(node, str(name.value), ast.Load()), text)
        elif text is not None and text.startswith(("<class ", "<module ")):  # nothing reports those
            self.outcome.is_told = False
        else:
            self._read(site, text, "." + str(name.value))
        return text

    def _hook_combined(self, site: int, node: ast.expr) -> str | None:
        """Follow the operation of an augmented assignment; nothing reports one on what a property gives."""
        if self._gotten is None:
            return super()._hook_combined(site, node)
        left, self._gotten = self._gotten, None
        self._right = right = self._value(node)
        (symbol,) = self._sites[site].operators
        value = None
        if right is not None and is_atom(left) and is_atom(right) and self._calculates:
            value = self._known.calculated(Expected(f"{left} {symbol} {right}"))
        if value is None:
            self.outcome.is_told = False
        return value

    def _stores_in(self, target: ast.Subscript | ast.Attribute, holder: str | None) -> None:
        """Note that an item or attribute of an object is set, which may have a say in it."""
        is_plain_object = holder is not None and (
            holder[0] in "[{"
            if isinstance(target, ast.Subscript)
            else self._known.attributes.shows(holder, mangled(target.attr, self._owner))
        )
        if is_plain_object and not self._known.disguises.may_change(holder):
            self._changing.one(holder, self._changing.moment)
        else:
            self._changing.anything()

    def _set_item(
        self, target: ast.Subscript, holder: str, key: str | None, value: str | None, source: ast.expr
    ) -> bool:
        """Follow ``holder[key] = value`` of an object of the program; return whether it is one."""
        entries = self._known.entries
        if entries is None or not entries.line_of(holder):
            return False
        call = CallSite("__setitem__", True, holder, (key, value), {})
        returned = None
        if self._known.functions.is_plain(entries.method(call)):
            node = ast.Attribute(target.value, "__setitem__", ast.Load())
            returned = self._made(call, ast.Call(node, [target.slice, source], []))
        if returned is None:
            self.outcome.is_told = False
            self._objects_change()
        return True

    def _put(self, target: ast.Attribute, holder: str | None, changed: str | None) -> None:
        """Note what the object has become of which an attribute was set."""
        found = (
            self._replaced(target.value, holder, changed)
            if holder is not None and changed is not None
            else None
        )
        self._changed(*(found or ("", None)))

    def _changed(self, name: str, text: str | None) -> None:
        """Note what the object of a name has become; None: not known."""
        if text is None or not name:
            self.outcome.is_told = False
            self._objects_change()
        else:
            self.outcome.values[name] = text
