"""How instances of a type are read without running any code of the program.

Everything goes through the descriptors that the interpreter itself put into ``type``, ``BaseException`` and
the class, found in the MRO's own dictionaries, so that no metaclass, property, ``__getattr__``, ``__class__``
or ``__repr__`` of the program runs.
"""

from __future__ import annotations

import builtins
import collections
import dataclasses
import enum
import sys
import types
from collections.abc import Callable, Container, Iterator
from typing import Any

_type, _issubclass, _dict, _str, _tuple, _list, _all = type, issubclass, dict, str, tuple, list, all
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, or by a library that behaves as if
mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
dict_of: Callable[[type], dict[str, Any]] = type.__dict__["__dict__"].__get__
name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
qualname_of: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_builtin_module_of: Callable[[type], str] = type.__dict__["__module__"].__get__
_flags_of: Callable[[type], int] = type.__dict__["__flags__"].__get__
_module_dict_of: Callable[[object], dict[str, Any]] = type.__getattribute__(types.ModuleType, "__dict__")[
    "__dict__"
].__get__
_STDLIB = frozenset(sys.stdlib_module_names)


@dataclasses.dataclass
class _SampleDataclass:
    field: int


_SampleTuple = collections.namedtuple("_SampleTuple", "field")
_DATACLASS_REPR = _SampleDataclass.__repr__.__code__
_NAMEDTUPLE_REPR = _SampleTuple.__repr__.__code__
_PLAIN_FIELD = dataclasses.fields(_SampleDataclass)[0]._field_type  # type: ignore[attr-defined]

_TRUSTED = frozenset(
    {
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("re", "Match"),
        ("re", "Pattern"),
        ("uuid", "UUID"),
        ("pathlib", "PosixPath"),
        ("pathlib", "PurePosixPath"),
        ("builtins", "range"),
    }
)
"""Types of the standard library whose repr is exact, short and runs no code of the program.

By name, so that they need not be imported.
"""


class Form(enum.Enum):
    """The ways an instance can be read."""

    OBJECT = "attributes"
    OPAQUE = "nothing but its type"
    TRUSTED = "its own repr"
    USER_REPR = "the program's repr"
    CLASS = "a class"
    EXCEPTION = "args"
    ENUM = "member"
    NAMEDTUPLE = "fields of a tuple"
    SUBCLASS = "what the built-in base holds"


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """What is known of a type.

    Attributes:
        kind: the type; holding it keeps its ``id`` from being reused.
        form: how its instances are read.
        name: what its instances are called.
        base: the built-in type a SUBCLASS is read through.
        own_repr: the class, or a base of it, is written in Python and defines ``__repr__``.
        fields: names shown of a dataclass or named tuple with the generated repr, otherwise None.
        get_dict: reads the instance's ``__dict__``, if it has one.
        slots: names and readers of its slots, base classes first.
    """

    kind: type
    form: Form
    name: str
    base: type = object
    own_repr: bool = False
    fields: tuple[str, ...] | None = None
    get_dict: Callable[[object], Any] | None = None
    slots: tuple[tuple[str, Callable[[object], Any]], ...] = ()

    def attributes(self, value: object) -> Iterator[tuple[str, Any]]:
        """Yield the attributes of an instance: slots that are set, then ``__dict__``."""
        for name, get in self.slots:
            try:
                yield name, get(value)
            except AttributeError:
                continue
        if self.get_dict is not None:
            found = self.get_dict(value)
            if _issubclass(_type(found), _dict):
                yield from ((name, item) for name, item in _dict.items(found) if _type(name) is _str)


def layout_of(kind: type, builtin_bases: Container[int], *, user_repr: bool) -> Layout:
    """Return how instances of ``kind`` are read; ``builtin_bases``: ids of types the caller renders."""
    name = name_of(kind)
    is_heap = bool(_flags_of(kind) & _HEAP_TYPE)
    if _issubclass(kind, type):
        return Layout(kind, Form.CLASS, name)
    own = _own_repr(kind)
    if user_repr and is_heap and own is not None and _is_function(own):
        return Layout(kind, Form.USER_REPR, name)
    if (_module_of(kind), qualname_of(kind)) in _TRUSTED and _is_genuine(kind):
        return Layout(kind, Form.TRUSTED, name)
    get_dict, slots = _storage(kind)
    if _issubclass(kind, BaseException):
        return Layout(kind, Form.EXCEPTION, name)
    if _issubclass(kind, enum.Enum):
        return Layout(kind, Form.ENUM, name, get_dict=get_dict, slots=slots)
    for base in mro_of(kind):
        if id(base) in builtin_bases:
            fields = _tuple_fields(kind, own)
            form = Form.SUBCLASS if fields is None else Form.NAMEDTUPLE
            return Layout(kind, form, name, base, _is_function(own), fields)
    fields = _shown_fields(kind, own)
    if fields is not None:
        name = qualname_of(kind)
    elif kind is types.SimpleNamespace:
        name = "namespace"
    elif not get_dict and not slots and (not is_heap or _module_of(kind) in _STDLIB):
        return Layout(kind, Form.OPAQUE, name)
    return Layout(kind, Form.OBJECT, name, fields=fields, get_dict=get_dict, slots=slots)


def module_prefix(kind: type) -> str:
    """Return the module of a class with a dot, nothing for built-in classes."""
    module = _module_of(kind)
    return "" if module in ("", "builtins") else f"{module}."


def module_name(module: object) -> str:
    """Return the name of a module object."""
    name: Any = _module_dict_of(module).get("__name__")
    return _str(name) if _type(name) is _str else "?"


def _storage(
    kind: type,
) -> tuple[Callable[[object], Any] | None, tuple[tuple[str, Callable[[object], Any]], ...]]:
    """Return the readers of the instance's ``__dict__`` and slots."""
    get_dict: Callable[[object], Any] | None = None
    slots: list[tuple[str, Callable[[object], Any]]] = []
    for base in reversed(mro_of(kind)):
        attributes = dict_of(base)
        descriptor: Any = attributes.get("__dict__")
        if get_dict is None and _type(descriptor) in (types.GetSetDescriptorType, types.MemberDescriptorType):
            get_dict = descriptor.__get__
        if "__slots__" in attributes:
            members = _list(attributes.items())
            slots += [
                (name, slot.__get__) for name, slot in members if _type(slot) is types.MemberDescriptorType
            ]
    return get_dict, _tuple(slots)


def _own_repr(kind: type) -> object:
    """Return the ``__repr__`` that a class written in Python defines for ``kind``, or None."""
    for base in mro_of(kind):
        if not _flags_of(base) & _HEAP_TYPE:
            return None
        own = dict_of(base).get("__repr__")
        if own is not None:
            return own
    return None


def _is_function(own: object) -> bool:
    return _type(own) is types.FunctionType


def _code_of(own: Any) -> types.CodeType | None:
    return own.__code__ if _is_function(own) else None


def _lookup(kind: type, name: str) -> Any:
    for base in mro_of(kind):
        attributes = dict_of(base)
        if name in attributes:
            return attributes[name]
    return None


def _module_of(kind: type) -> str:
    """Return where a class says it is from; a class statement leaves that in the class's own dictionary."""
    found: Any = dict_of(kind).get("__module__") if _flags_of(kind) & _HEAP_TYPE else _builtin_module_of(kind)
    return _str(found) if _type(found) is _str else ""


def _tuple_fields(kind: type, own: object) -> tuple[str, ...] | None:
    fields = _lookup(kind, "_fields")
    if (
        _code_of(own) is _NAMEDTUPLE_REPR
        and _type(fields) is _tuple
        and _all(_type(field) is _str for field in fields)
    ):
        return fields  # type: ignore[no-any-return]
    return None


def _shown_fields(kind: type, own: object) -> tuple[str, ...] | None:
    """Return the fields that the generated repr of a dataclass shows, or None when it has another."""
    fields = _lookup(kind, "__dataclass_fields__")
    if _code_of(own) is not _DATACLASS_REPR or _type(fields) is not _dict:
        return None
    return _tuple(
        name
        for name, field in fields.items()
        if _type(field) is dataclasses.Field and field._field_type is _PLAIN_FIELD and field.repr
    )


def _is_genuine(kind: type) -> bool:
    module = sys.modules.get(_module_of(kind), builtins)
    return _type(module) is types.ModuleType and _module_dict_of(module).get(qualname_of(kind)) is kind
