"""Files that are held in memory, ``io.BytesIO`` and ``io.StringIO``: what is in them, and how far they are.

They read as their class alone. What a method does is worked out by Python's own: a file is made anew from
what it held and where it stood, the method is called, and what it holds then is taken down. Going through it
gives its lines, so it is followed as other iterators are, :mod:`.streams`.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.expectations import Iterating, Made, UnforeseenError
from opencwm.debugger.foreseeing.expressions import Builtins, Undecided, literal
from opencwm.debugger.foreseeing.pure_values import text_of
from opencwm.debugger.foreseeing.qualified_names import FunctionNode
from opencwm.debugger.foreseeing.streams import Following, Item, Stream

METHODS: Final = frozenset(
    {"close", "flush", "getvalue", "isatty", "read", "read1", "readable", "readline", "readlines", "seek"}
    | {"seekable", "tell", "truncate", "writable", "write", "writelines"}
)
"""Those that do nothing but what the file shows."""
_KINDS: Final[Mapping[str, type[io.BytesIO] | type[io.StringIO]]] = {
    "<class '_io.BytesIO'>": io.BytesIO,
    "<class '_io.StringIO'>": io.StringIO,
}
TEXTS: Final = frozenset(f"{kind.__name__}()" for kind in _KINDS.values())
"""How they read."""
ABOUT: Final = frozenset({"getattr", "hasattr", "isinstance"})
"""Functions that ask about them, and keep nothing of them but what they give."""
_CLASSES: Final[Mapping[str, type]] = {
    **_KINDS,
    **{f"<class '{kind.__name__}'>": kind for kind in (bool, bytes, dict, float, int, list, str, tuple)},
}
_REACHING: Final = frozenset(
    {"locals", "_getframe", "settrace", "setprofile", "currentframe", "tb_frame", "gi_frame", "f_back"}
)
"""Names through which a program may come by the locals of a function."""
_MOST: Final = 10_000
"""Characters that a file may hold, and places it may stand at."""
_LARGEST: Final = 10**6
_GIVEN: Final = (str, bytes, bytearray, int, bool, type(None))


def makers_of(
    tree: ast.Module, texts: Mapping[str, str], builtins: Builtins
) -> dict[str, type[io.BytesIO] | type[io.StringIO]]:
    """Return what makes such files in a program, as it is written; nothing where more may reach them.

    Args:
        tree: of the program.
        texts: how names of its module read that stand for the same always.
        builtins: the functions of Python among them.
    """
    if builtins.submodules is None:
        return {}
    words = (word for node in nodes_of(tree) for word in (getattr(node, "id", ""), getattr(node, "attr", "")))
    if not _REACHING.isdisjoint(words):
        return {}
    found = {name: _KINDS[text] for name, text in texts.items() if text in _KINDS}
    for name, text in texts.items():
        if text == "<module 'io'>":
            found |= {f"{name}.{kind.__name__}": kind for kind in _KINDS.values()}
    return found


def is_used_later(definition: ast.AST | None, name: str) -> bool:
    """Whether what stands in a function, but may run at another time, may use a local of it."""
    if definition is None:
        return True
    inner: list[ast.AST] = []
    for part in ast.walk(definition):
        if isinstance(part, FunctionNode | ast.Lambda | ast.ClassDef) and part is not definition:
            inner.append(part)
        elif isinstance(part, ast.GeneratorExp):  # only what its first loop goes through is asked for at once
            first, *others = part.generators
            inner += [part.elt, first.target, *first.ifs, *others]
    return any(isinstance(part, ast.Name) and part.id == name for node in inner for part in ast.walk(node))


class Buffer(Stream):
    """A file that is held in memory.

    Attributes:
        origin: the same for all copies of what is one file in the program.

    Args:
        kind: its class.
        args: what that is given.

    Raises:
        UnforeseenError: that raises, or holds too much.
    """

    def __init__(self, kind: type[io.BytesIO] | type[io.StringIO], args: Sequence[Any]) -> None:
        self.origin = object()
        self._kind = kind
        self._value: str | bytes = b""
        self._place, self._is_closed = 0, False
        if len(args) > 1 or not all(isinstance(item, _GIVEN) for item in args):
            raise UnforeseenError
        try:
            self._take_down(kind(*args))
        except (TypeError, ValueError):
            raise UnforeseenError from None

    @property
    def text(self) -> str:
        """How it reads."""
        return f"{self._kind.__name__}()"

    def pull(self, by: Following) -> Item | None:
        """Return its next line."""
        line = self.call("readline", ())
        return (text_of(line), by.moment) if line else None

    def call(self, name: str, args: Sequence[Any]) -> Any:
        """Return what a method gives.

        Raises:
            UnforeseenError: it raises, or that is not known; nothing is known of the file from then on.
        """
        if self.is_lost:
            raise UnforeseenError
        are_known = all(map(_is_known, args))
        if name not in METHODS or not are_known or not hasattr(self._kind, name) or self._is_closed:
            self.lose()
            raise UnforeseenError
        made: Any = self._kind(self._value)  # type: ignore[arg-type]
        made.seek(self._place)
        try:
            found = getattr(made, name)(*args)
            if name == "close":
                self._is_closed = True
            else:
                self._take_down(made)
        except (TypeError, ValueError, OSError, UnforeseenError):
            self.lose()
            raise UnforeseenError from None
        return found

    def answer(self, name: str, texts: Sequence[str | None]) -> str | None:
        """Return what a function gives that is asked about it; None where that is not known.

        Args:
            name: of the function, one of :data:`ABOUT`.
            texts: what it is given besides, as it reads.
        """
        if name == "isinstance":
            kind = _CLASSES.get(texts[0] or "") if len(texts) == 1 else None
            return None if kind is None else repr(issubclass(self._kind, kind))
        try:
            word = literal(texts[0] or "") if texts else None
        except Undecided:
            return None
        if not isinstance(word, str) or len(texts) != (1 if name == "hasattr" else 2):
            return None
        has_it = hasattr(self._kind(), word)
        return repr(has_it) if name == "hasattr" else None if has_it else texts[1]

    def goes_on_as(self, other: Buffer) -> None:
        """Take over how far a copy has come, which nothing but one function had."""
        self._value, self._place, self._is_closed = other._value, other._place, other._is_closed
        self.is_lost = False

    def _take_down(self, made: Any) -> None:
        self._value, self._place = made.getvalue(), made.tell()
        if len(self._value) > _MOST or self._place > _MOST:
            raise UnforeseenError


def buffer_in(text: str | None) -> Buffer | None:
    """Return the file that a value is of which nothing is unknown; None for anything else."""
    stream = text.stream if isinstance(text, Iterating) else None
    return stream if isinstance(stream, Buffer) and not stream.is_lost else None


def buffers_in(made: Mapping[str, Made]) -> list[Buffer]:
    """Return the files that locals are of which nothing is unknown."""
    return [found for text in made.values() if (found := buffer_in(text)) is not None]


def _is_known(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(item, str | bytes) for item in value)
    return isinstance(value, _GIVEN) and not (isinstance(value, int) and abs(value) > _LARGEST)
