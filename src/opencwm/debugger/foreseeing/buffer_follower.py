"""Follow what is done with files that are held in memory: see :mod:`.buffers`.

Such a file is known as long as one local alone has it. A function that is given it as an argument has it
while it runs; whatever else gets hold of it (a second name, a container, an attribute) makes it unknown for
good.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from opencwm.debugger.foreseeing.arguments import CallSite
from opencwm.debugger.foreseeing.buffers import ABOUT, METHODS, Buffer, buffer_in
from opencwm.debugger.foreseeing.call_follower import CallFollower
from opencwm.debugger.foreseeing.expectations import Entered, Iterating, Made, UnforeseenError
from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.hooks import plain_name, unhooked
from opencwm.debugger.foreseeing.pure_values import is_told, text_of


class BufferFollower(CallFollower):
    """What is known of files that are held in memory."""

    def _call(self, node: ast.Call) -> str | None:
        if self._makes_buffer(node.func):
            return self._made_buffer(node)
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in METHODS:
            inner = unhooked(function.value)
            is_new = isinstance(inner, ast.Call) and self._makes_buffer(inner.func)
            if is_new or self._is_buffer(plain_name(function.value)):
                return self._method_of_buffer(node, function)
        is_asking = isinstance(function, ast.Name) and bool(node.args) and self._asks(function.id)
        if is_asking and self._is_buffer(plain_name(node.args[0])):
            return self._asked_about(node, plain_name(function))
        return super()._call(node)

    def _asks(self, name: str) -> bool:
        """Whether a name stands for a function of Python that looks at an object and keeps nothing of it."""
        return (
            name in ABOUT
            and name not in self._state
            and self._known.constants.get(name) == f"<built-in function {name}>"
        )

    def _asked_about(self, node: ast.Call, name: str) -> str | None:
        """Follow a call that asks about such a file; return what it gives, None if that is not known."""
        node, values, named, is_plain = self._given(node)
        text, *texts = [self._current(*item) for item in values]
        buffer = buffer_in(text)
        found: str | None = None
        if is_plain and not named and buffer is not None and not self._known.disguises.may_change(*texts):
            found = buffer.answer(name, texts)
        if found is not None and isinstance(text, Iterating):
            self._uses(text)
            return found
        self._hands_on([text, *texts])
        self._handed_on(node, None, [text, *texts, *(item for item, _ in named)])
        return None

    def _makes_buffer(self, function: ast.expr) -> bool:
        """Whether a call makes such a file for certain."""
        written = _path(function)
        root = written.partition(".")[0]
        return (
            self._calculates
            and written in self._known.buffers
            and root not in self._state
            and root not in self._inner
            and root not in self._known.shared
        )

    def _is_buffer(self, name: str) -> bool:
        made = self._memory.made.get(name)
        is_current = made is not None and made == self._state.get(name) and name not in self.loose
        return (
            is_current
            and buffer_in(made) is not None
            and name not in self._inner
            and name not in self._known.shared
        )

    def _made_buffer(self, node: ast.Call) -> str | None:
        kind = self._known.buffers[_path(node.func)]
        self._value(node.func.value if isinstance(node.func, ast.Attribute) else node.func)
        args, is_known = self._given_to(node, None)
        if not is_known:
            return None
        try:
            buffer = Buffer(kind, args)
        except UnforeseenError:
            return None
        return Iterating(buffer.text, stream=buffer)

    def _method_of_buffer(self, node: ast.Call, function: ast.Attribute) -> str | None:
        receiver = self._value(function.value)
        buffer = buffer_in(receiver)
        if isinstance(receiver, Iterating):
            self._uses(receiver)  # nothing holds the method beyond its call
        args, is_known = self._given_to(node, receiver)
        found: Any = None
        if buffer is None or not is_known:
            if isinstance(receiver, Iterating) and receiver.stream is not None:
                receiver.stream.lose()
            return None
        try:
            found = buffer.call(function.attr, args)
        except UnforeseenError:
            return None
        return text_of(found) if is_told(found) else None

    def _given_to(self, node: ast.Call, receiver: str | None) -> tuple[list[Any], bool]:
        """Follow the arguments of a call; return them, and whether they are all known and in their places."""
        node, values, named, is_plain = self._given(node)
        args = [self._current(*item) for item in values]
        keywords = [self._current(*item) for item in named]
        self._operating = self._changing.moment
        self._hands_on([*args, *keywords])
        with contextlib.suppress(Undecided):
            if is_plain and not named and not self._known.disguises.may_change(*args):
                return [_known_value(text) for text in args], True
        self._handed_on(node, receiver, [*args, *keywords])
        return [], False

    def _kept_iterator(self, name: str, made: Iterating) -> str:
        """Return the iterator that a local is; a file that the line holds already may be had by anything."""
        if isinstance(made.stream, Buffer) and name in self.loose:
            made.stream.lose()
        return super()._kept_iterator(name, made)

    def _are_apart(self, given: Sequence[Iterating]) -> bool:
        """Whether none of several iterators is a part of another: all are files, each another one."""
        buffers = [buffer for text in given if (buffer := buffer_in(text)) is not None]
        return len(buffers) == len(given) == len({id(buffer) for buffer in buffers})

    def _take_over(self, entered: Entered, call: CallSite, node: ast.Call) -> None:
        """Know how far a function has come with the files that it was given."""
        super()._take_over(entered, call, node)
        given: Mapping[str, str | None] = self._known.functions.bound(entered.first, call) or {}
        for text in given.values():
            buffer = text.stream if isinstance(text, Iterating) else None
            for left in entered.buffers:
                if isinstance(buffer, Buffer) and buffer.origin is left.origin:
                    assert isinstance(text, Iterating)  # noqa: S101 - it has a stream
                    buffer.goes_on_as(left)
                    self._uses(text)


def _path(node: ast.expr) -> str:
    """Return a name, or an attribute of one, as it is written; empty for any other expression."""
    if isinstance(node, ast.Attribute):
        name = plain_name(node.value)
        return f"{name}.{node.attr}" if name else ""
    return node.id if isinstance(node, ast.Name) else ""


def _known_value(text: str | None) -> Any:
    if text is None or isinstance(text, Made):
        raise Undecided("not known")
    return known_value(text)
