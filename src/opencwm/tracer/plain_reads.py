"""What an item or an attribute is, read without running any code of the program.

For augmented assignments: ``counts[key] += 1`` reads the item itself, so a hook that wants to report it has
to find it once more, where nothing can tell the difference.
"""

from __future__ import annotations

import collections
import types
from collections.abc import Callable
from typing import Any, Final

from opencwm.tracer.layouts import Form, Layout, dict_of, mro_of
from opencwm.tracer.rendering import ATOMS

MISSING: Final = object()
"""Stands for what cannot be read in this way."""

_type, _id, _len, _dict, _list, _int, _object = type, id, len, dict, list, int, object
_get_item, _list_item = dict.__getitem__, list.__getitem__
_DICTS: Final = frozenset(
    map(id, (dict, collections.OrderedDict, collections.defaultdict, collections.Counter))
)
HOLDERS: Final = _DICTS | {id(list)}
"""Ids of the types whose items are read."""
_COUNTER, _DEFAULT = collections.Counter, collections.defaultdict
_default_factory: Callable[[object], Any] = collections.defaultdict.__dict__["default_factory"].__get__
_FACTORIES: Final = frozenset(map(id, (int, float, str)))
_KEYS: Final = ATOMS | frozenset(map(id, (tuple, frozenset)))
_Slot = types.MemberDescriptorType


def item_of(container: Any, key: Any) -> Any:
    """Return ``container[key]`` of a list or dictionary, exactly of such a type; otherwise :data:`MISSING`.

    So it is for an item that is not there, unless a ``Counter`` or ``defaultdict`` says what it would be.
    """
    kind = _type(container)
    if kind is _list:
        if _type(key) is _int and -_len(container) <= key < _len(container):
            return _list_item(container, key)
        return MISSING
    if _id(kind) not in _DICTS or _id(_type(key)) not in ATOMS:
        return MISSING
    if not _KEYS.issuperset(map(_id, map(_type, container))):
        return MISSING  # one of another type may have a say in what equals it
    if _dict.__contains__(container, key):
        return _get_item(container, key)
    if kind is _COUNTER:
        return 0
    if kind is _DEFAULT and _id(_default_factory(container)) in _FACTORIES:
        return _default_factory(container)()
    return MISSING


def attribute_of(value: Any, name: str, layout: Layout) -> Any:
    """Return an attribute that is stored in an object or, an atom, in its class; otherwise :data:`MISSING`.

    Args:
        value: an object.
        name: of its attribute.
        layout: of the object's type.
    """
    if layout.form is not Form.OBJECT:
        return MISSING
    found = MISSING
    for base in mro_of(layout.kind):
        own = dict_of(base)
        if base is not _object and "__getattribute__" in own:
            return MISSING
        if found is MISSING and name in own:
            found = own[name]
    if _type(found) is _Slot:
        return dict(layout.attributes(value)).get(name, MISSING)
    if found is not MISSING and _id(_type(found)) not in ATOMS:
        return MISSING  # perhaps a property
    for attribute, held in layout.attributes(value):
        if attribute == name:
            return held
    return found
