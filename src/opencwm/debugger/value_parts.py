"""The insides of a rendered value: what its text contains, one level at a time.

The one idea: a rendering is cut at its own commas, with regard to quotes and brackets, so that a list is its
elements' texts and an object its attributes', whatever is cut short or unknown in them. Nothing is evaluated,
and a level is looked at only when somebody asks for it.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Final

CUT: Final = "..."
"""Stands in a rendering for what was left out."""

_OPENING: Final = {"(": ")", "[": "]", "{": "}", "<": ">"}
_CONSTRUCTOR: Final = re.compile(r"([^\W\d][\w.]*)\(")
_KEYWORD: Final = re.compile(r"([^\W\d]\w*)=(?!=)")
_NUMBER: Final = re.compile(r"-?\d")
_WRAPPERS: Final = frozenset(
    {"deque", "Counter", "OrderedDict", "defaultdict", "frozenset", "mappingproxy", "bytearray"}
    | {"dict_keys", "dict_values", "dict_items", "ChainMap", "UserDict", "UserList"}
)
"""Types that read as a call with a container, whose items are their own."""


@dataclasses.dataclass(frozen=True, slots=True)
class Child:
    """A part of a value.

    Attributes:
        name: how a user knows it: an index, a key, an attribute.
        text: its rendering.
        access: what to write behind the whole to reach it, ``[0]`` or ``.name``; empty when nothing does.
        start: where its text lies in the text of the whole; -1 for what stands for a part left out.
        is_indexed: whether it is one of a sequence.
    """

    name: str
    text: str
    access: str
    start: int
    is_indexed: bool


_LEFT_OUT: Final = Child(CUT, "the rest is not shown", "", -1, False)


def type_name(text: str) -> str:
    """Name the type of a rendered value; empty where its text does not tell."""
    if not text:
        return ""
    if text[0] in "'\"":
        return "str"
    if text[0] == "b" and text[1:2] in ("'", '"'):
        return "bytes"
    if text[0] == "[":
        return "list"
    if text[0] == "(":
        return "complex" if text.endswith("j)") else "tuple"
    if text[0] == "{":
        return "dict" if text == "{}" or _is_mapping(text, 1) else "set"
    if text in ("True", "False"):
        return "bool"
    if text == "None":
        return "NoneType"
    if text.startswith("<int of "):
        return "int"
    if text[0] == "<":
        return text[1:].split(">")[0].split(" object")[0]
    if constructor := _CONSTRUCTOR.match(text):
        return constructor[1]
    return _number_type(text)


def _number_type(text: str) -> str:
    if text in ("nan", "inf", "-inf"):
        return "float"
    if not _NUMBER.match(text):
        return ""
    if text.endswith("j"):
        return "complex"
    return "int" if text.lstrip("-").isdigit() else "float"


def children(text: str) -> list[Child]:
    """Return the parts of a value one level down; none for a value without parts."""
    if (constructor := _CONSTRUCTOR.match(text)) and text[-1:] == ")":
        return _arguments(text, constructor[1], constructor.end() - 1)
    if text[:1] in ("[", "(", "{") and text[-1:] == _OPENING[text[0]] and type_name(text) != "complex":
        return list(_items(text, 0, len(text)))
    return []


def _arguments(text: str, name: str, start: int) -> list[Child]:
    """Return the parts of ``Name(...)``: attributes, and the items of what it wraps."""
    found: list[Child] = []
    for index, (first, last) in enumerate(_split(text, start + 1, len(text) - 1)):
        part = text[first:last]
        keyword = _KEYWORD.match(part)
        if keyword:
            begin = first + keyword.end()
            found.append(Child(keyword[1], text[begin:last], f".{keyword[1]}", begin, False))
        elif part == CUT:
            found.append(_LEFT_OUT)
        elif name in _WRAPPERS and part[:1] in ("[", "{", "(") and part[-1:] == _OPENING[part[0]]:
            found += _items(text, first, last)
        elif name not in _WRAPPERS:
            found.append(Child(str(index), part, "", first, True))
    return found


def _items(text: str, start: int, end: int) -> Iterator[Child]:
    """Yield the parts of a bracketed text that lies from ``start`` to ``end``."""
    is_sequence = text[start] in "[("
    is_mapping = not is_sequence and _is_mapping(text, start + 1)
    for index, (first, last) in enumerate(_split(text, start + 1, end - 1)):
        part = text[first:last]
        colon = _colon(text, first, last) if is_mapping else -1
        if part == CUT:
            yield _LEFT_OUT
        elif colon >= 0:
            key = text[first:colon]
            value = colon + 1 + (text[colon + 1 : colon + 2] == " ")
            yield Child(key, text[value:last], f"[{key}]", value, False)
        else:
            yield Child(str(index), part, f"[{index}]" if is_sequence else "", first, True)


def _is_mapping(text: str, start: int) -> bool:
    first = next(_split(text, start, len(text) - 1), None)
    return first is not None and _colon(text, *first) >= 0


def _colon(text: str, start: int, end: int) -> int:
    return next((index for index, depth in _plain(text, start, end) if depth == 0 and text[index] == ":"), -1)


def _split(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches between the commas of ``text[start:end]`` that are in no bracket or string."""
    first = start
    for index, depth in _plain(text, start, end):
        if depth == 0 and text[index] == ",":
            yield _trimmed(text, first, index)
            first = index + 1
    last = _trimmed(text, first, end)
    if last[0] < last[1]:
        yield last


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] == " ":
        start += 1
    return start, end


def _plain(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield each position outside strings, with the number of brackets around it."""
    depth = 0
    index = start
    while index < end:
        character = text[index]
        if character in "'\"":
            index = _string_end(text, index, end)
            continue
        if character in ")]}>":
            depth = max(0, depth - 1)
        yield index, depth
        if character in _OPENING:
            depth += 1
        index += 1


def _string_end(text: str, start: int, end: int) -> int:
    quote = text[start]
    index = start + 1
    while index < end and text[index] != quote:
        index += 2 if text[index] == "\\" else 1
    return index + 1


def replaced(text: str, path: tuple[str, ...], value: str) -> str | None:
    """Return ``text`` with the part that ``path`` names replaced by ``value``; None when there is none.

    Args:
        text: rendering of the whole.
        path: names of children, outermost first.
        value: rendering of the new part.
    """
    if not path:
        return value
    child = next((item for item in children(text) if item.name == path[0] and item.start >= 0), None)
    if child is None:
        return None
    inner = replaced(child.text, path[1:], value)
    if inner is None:
        return None
    return text[: child.start] + inner + text[child.start + len(child.text) :]


def reached(expression: str, texts: Mapping[str, str]) -> str | None:
    """Return the rendering that ``name``, ``name.attribute`` or ``name[key]`` leads to; None for all else.

    It finds parts of values that are no literals: attributes of objects, elements beside one that was cut.

    Args:
        expression: what was written.
        texts: variable -> rendering.
    """
    try:
        node = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return _reached(node, texts)


def _reached(node: ast.expr, texts: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return texts.get(node.id)
    if isinstance(node, ast.Attribute):
        access = f".{node.attr}"
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        access = f"[{node.slice.value!r}]"
    else:
        return None
    whole = _reached(node.value, texts)
    if whole is None:
        return None
    return next((child.text for child in children(whole) if child.access == access), None)
