"""What a value reads as once an object somewhere inside of it has changed.

An object is come by through attributes and items. That it is the one that changes is certain if the way to it
is shown, and nothing else inside reads as it does: equal texts may be one object, or two.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from opencwm.debugger.foreseeing.attributes import Attributes, reads_the_same_inside
from opencwm.debugger.foreseeing.rendered import MAX_CHARS, is_atom
from opencwm.debugger.foreseeing.shown import is_cut, marked_tree, restored, text_at

_PLACE = "\0"


def changed_inside(
    whole: str, fields: Sequence[str | None], old: str, new: str, attributes: Attributes, owner: str = ""
) -> str | None:
    """Return a value after an object in it has changed; None where that is not certain.

    Args:
        whole: the value before.
        fields: the way to the object: attributes by name, items as None.
        old: the object before.
        new: the object after.
        attributes: what the program says of those.
        owner: class in whose body the way is written, empty for none.
    """
    if is_cut(whole) or old not in _at(whole, fields, attributes, owner):
        return None
    found = marked_tree(whole)
    if found is None or not reads_the_same_inside(new, whole):
        return None
    tree, marked, places = found
    alike = [
        node for node in ast.walk(tree) if isinstance(node, ast.expr) and text_at(node, marked, places) == old
    ]
    if len(alike) != 1 or alike[0].end_col_offset is None or alike[0].lineno != alike[0].end_lineno != 1:
        return None
    encoded = marked.encode()
    before, after = encoded[: alike[0].col_offset].decode(), encoded[alike[0].end_col_offset :].decode()
    changed = restored(f"{before}{_PLACE}{after}", places).replace(_PLACE, new)
    return changed if len(changed) <= MAX_CHARS else None


def _at(whole: str, fields: Sequence[str | None], attributes: Attributes, owner: str) -> set[str]:
    """Return how everything that can change reads at the ends of a way; nothing where some is not shown."""
    texts = {whole}
    for field in fields:
        parts = [_items(text) if field is None else [attributes.read(text, field, owner)] for text in texts]
        texts = {text for found in parts for text in found if text is not None and not is_atom(text)}
        if any(None in found for found in parts):
            return set()
    return texts


def _items(text: str) -> list[str | None]:
    """Return the items of a list, a tuple or a dictionary; None in it for any other value."""
    found = marked_tree(text)
    if found is None:
        return [None]
    tree, marked, places = found
    items = tree.elts if isinstance(tree, ast.List | ast.Tuple) else None
    items = tree.values if isinstance(tree, ast.Dict) else items
    return [None] if items is None else [text_at(item, marked, places) for item in items]
