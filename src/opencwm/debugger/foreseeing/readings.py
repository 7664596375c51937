"""What is read off the text of an object: an item of a list, an attribute, how many items it has.

Nothing is computed.
"""

from __future__ import annotations

import ast

from opencwm.debugger.foreseeing.attributes import Attributes
from opencwm.debugger.foreseeing.expectations import Expected
from opencwm.debugger.foreseeing.expressions import Undecided, known_value, literal
from opencwm.debugger.foreseeing.field_classes import FieldClasses
from opencwm.debugger.foreseeing.pure_values import is_told, text_of
from opencwm.debugger.foreseeing.rendered import UnreadableError, items_of
from opencwm.debugger.foreseeing.shown import is_cut, marked_tree, text_at, with_places


def read_off(expected: Expected, attributes: Attributes, made_of_fields: FieldClasses) -> str | None:
    """Return what an evaluation gives that reads one item or attribute; None for any other.

    Args:
        expected: the evaluation.
        attributes: what the program says of those.
        made_of_fields: its named tuples.
    """
    text = expected.text or ""
    if expected.is_old:
        return None
    try:
        marked, places = with_places(text)
        node = ast.parse(marked, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(node, ast.Attribute | ast.Subscript):
        return None
    holder = text_at(node.value, marked, places)
    if isinstance(node, ast.Attribute):
        return attributes.read(holder, node.attr, expected.owner) or made_of_fields.read(holder, node.attr)
    return _item(node, holder, expected.at_end)


def length_of(expected: Expected) -> str | None:
    """Return what ``len(...)`` gives of a display, whatever is in it; None for any other evaluation."""
    found = None if expected.is_old else marked_tree(expected.text or "")
    node = found[0] if found is not None and not is_cut(expected.text or "") else None
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        return None
    (shown,) = node.args
    if not isinstance(node.func, ast.Name) or node.func.id != "len":
        return None
    if isinstance(shown, ast.Dict):
        return str(len(shown.keys))
    return str(len(shown.elts)) if isinstance(shown, ast.List | ast.Tuple | ast.Set) else None


def _item(node: ast.Subscript, holder: str, at_end: str | None) -> str | None:
    """Return the item of a literal; of ``list(...)``, as loops are written, that of what it goes through."""
    inner = node.value
    is_loop = isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "list"
    try:
        key = literal(ast.unparse(node.slice))
        if is_loop:
            holder = holder.removeprefix("list(")[:-1]
            container = items_of(holder)
        else:
            container = known_value(holder)
        if not is_told(known_value(holder)) or not is_told(key):
            return None
        item = container[key]
    except IndexError:
        return at_end
    except (Undecided, UnreadableError, TypeError, KeyError, ValueError):
        return None
    return text_of(item) if is_told(item) else None
