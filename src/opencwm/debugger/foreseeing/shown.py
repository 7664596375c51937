"""Values of which only the text is known, among others: an object in a list, a class in a tuple.

The one idea: a list of objects can be counted, indexed, sliced, put together and gone through without knowing
what is in it. An object stands there as a :class:`Shown`, which reads as its text and refuses everything that
would look into it: then the outcome is undecided.
"""

from __future__ import annotations

import ast
import collections
import contextlib
import functools
import operator
import re
from collections.abc import Iterator
from typing import Any, Final

from opencwm.debugger.foreseeing.pure_values import (
    MAX_NESTING,
    READERS,
    Iterated,
    Shown,
    read_angles,
    read_call,
    text_of,
    unordered,
)

_ANGLES: Final = re.compile(r"<[a-zA-Z_][^<>]*(?:<[a-z]+>[^<>]*)*>")
"""How functions, classes, modules and objects of other modules read."""
_PLACE: Final = "_shown_"
_FLAGS: Final = re.compile(r"re\.(?:{0})(?: \| re\.(?:{0}))*".format("|".join(re.RegexFlag.__members__)))
"""How the flags of a pattern read within it."""
_OWN_CLASS: Final = re.compile(r"<class 'program\.(\w+)'>")


def shown_literal(text: str) -> Any:
    """Return the value of a rendered text in which objects may stand, as :class:`.Shown`.

    Raises:
        ValueError: it was cut, or is not a rendered value; SyntaxError and others as :func:`ast.parse`.
    """
    marked, places = with_places(text)
    return read(ast.parse(marked, mode="eval").body, marked, places)


def with_places(text: str) -> tuple[str, list[str]]:
    """Return ``text`` with names in the places of what stands in angle brackets, and what stood there."""
    places: list[str] = []
    parts = []
    for piece, is_string in _pieces(text):
        if is_string:
            parts.append(piece)
            continue
        start = 0
        for match in _ANGLES.finditer(piece):
            parts += [piece[start : match.start()], f"{_PLACE}{len(places)}"]
            places.append(match[0])
            start = match.end()
        parts.append(piece[start:])
    return "".join(parts), places


def marked_tree(text: str) -> tuple[ast.expr, str, list[str]] | None:
    """Return a rendered value, or an evaluation, as an expression, with what :func:`with_places` returns.

    None where it is no expression.
    """
    marked, places = with_places(text)
    try:
        return ast.parse(marked, mode="eval").body, marked, places
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_STRING: Final = re.compile(r"""b?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", re.DOTALL)


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the string literals of a text and what is between them; a quote in angle brackets opens none."""
    start = position = 0
    while position < len(text):
        if text[position] == "<" and (angles := _ANGLES.match(text, position)):
            position = angles.end()
        elif text[position] in "'\"" and (string := _STRING.match(text, position)):
            yield text[start:position], False
            yield string[0], True
            start = position = string.end()
        else:
            position += 1
    yield text[start:], False


def is_cut(text: str) -> bool:
    """Whether only a part of a value is shown: a cut stands outside of quotes."""
    return "..." in text and any("..." in piece for piece, is_string in _pieces(text) if not is_string)


def is_object(node: ast.expr) -> bool:
    """Whether a part of a rendered value is an object as the tracer writes it, or a place of one."""
    if isinstance(node, ast.Name):
        return node.id.startswith(_PLACE)
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    while isinstance(function, ast.Attribute):
        function = function.value
    return isinstance(function, ast.Name) and not function.id.startswith(_PLACE)


def object_text(node: ast.expr, marked: str, places: list[str]) -> str:
    """Return how an object reads of which :func:`is_object` holds.

    Raises:
        ValueError: it was cut, or is nested so deep that it is cut somewhere else.
    """
    text = text_at(node, marked, places)
    if is_cut(text) or nesting(text) > MAX_NESTING:
        raise ValueError("only a part of it is shown")
    return text


def text_at(node: ast.expr, marked: str, places: list[str]) -> str:
    """Return the text of a part of a value, with what stood in the places of names again."""
    return restored(ast.get_source_segment(marked, node) or "", places)


def restored(marked: str, places: list[str]) -> str:
    """Return a text with what stood in the places of names again."""
    return re.sub(rf"{_PLACE}(\d+)", lambda match: places[int(match[1])], marked)


def nesting(text: str) -> int:
    """Return how deep the brackets of a text are nested, those within strings apart."""
    depth = deepest = 0
    for character in "".join(piece for piece, is_string in _pieces(text) if not is_string):
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def read(node: ast.expr, marked: str, places: list[str]) -> Any:
    """Return the value that a part of a rendered text stands for; objects in it are :class:`.Shown`.

    Raises:
        ValueError: it was cut, or is not a rendered value.
    """
    if isinstance(node, ast.List):
        return [read(item, marked, places) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple([read(item, marked, places) for item in node.elts])
    if isinstance(node, ast.Set):
        return unordered({read(item, marked, places) for item in node.elts})
    if isinstance(node, ast.Dict):
        keys = [read(key, marked, places) for key in node.keys if key is not None]
        return dict(zip(keys, (read(value, marked, places) for value in node.values), strict=True))
    if is_object(node):
        return _read_object(node, marked, places)
    if isinstance(node, ast.Constant) and node.value is Ellipsis:
        raise ValueError("only a part of it is shown")
    if isinstance(node, ast.Name) and node.id in ("nan", "inf"):
        return float(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Name) and node.operand.id == "inf":
        return float("-inf")
    if isinstance(node, ast.Attribute | ast.BinOp) and (found := _FLAGS.fullmatch(ast.unparse(node))):
        flags = [re.RegexFlag[name.removeprefix("re.")] for name in found[0].split(" | ")]
        return functools.reduce(operator.or_, flags)
    return ast.literal_eval(node)


def _read_object(node: ast.expr, marked: str, places: list[str]) -> Any:
    text = object_text(node, marked, places)
    if isinstance(node, ast.Name):
        return read_angles(text)
    assert isinstance(node, ast.Call)  # noqa: S101 - an object
    name = ast.unparse(node.func)
    if name in READERS:
        args = [read(item, marked, places) for item in node.args]
        keywords = {item.arg: read(item.value, marked, places) for item in node.keywords if item.arg}
        with contextlib.suppress(ValueError):
            made = read_call(name, args, keywords)
            if text_of(made) == text:
                return made
    return Shown(text)


def holds_objects(value: object) -> bool:
    """Whether :func:`holds_shown` does, an iterator or view apart of which all items are known."""
    if isinstance(value, list):
        return any(map(holds_objects, value))
    return holds_shown(value.items if isinstance(value, Iterated) else value)


def holds_shown(value: object) -> bool:
    """Whether a value is, or a container has in it, one that is only known as text."""
    if isinstance(value, list | tuple | collections.deque):
        return any(map(holds_shown, value))
    if isinstance(value, dict):
        return any(map(holds_shown, dict.values(value)))
    return isinstance(value, Shown)


def own_class(text: str) -> str:
    """Return the name of the class of the program that a value is, as it reads; empty for any other value."""
    found = _OWN_CLASS.fullmatch(text)
    return found[1] if found is not None else ""
