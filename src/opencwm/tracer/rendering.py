"""Values as text: Python's ``repr`` within bounds, cut and marked beyond them, and no user code run on the way.

The rules, so that equal states give equal text in every run and on every supported Python:

- Atoms, the built-in containers and the common types of ``collections`` read exactly as ``repr`` writes them. Exceptions to
  that: sets are sorted; ``OrderedDict`` reads as since Python 3.12; a recursive reference is ``...`` in the brackets of its
  type.
- A cut is a bare ``...`` (outside quotes): ``[1, 2, ...]``, ``'abc'...``, ``[...]`` for a container nested too deep. An integer with
  more digits than allowed reads ``<int of N bits>...``. :attr:`Renderer.cut` tells that something was cut.
- An object of a class written in Python reads ``ClassName(attribute=value, ...)``, read from its ``__dict__`` and slots without
  running a descriptor, ``__getattr__`` or ``__repr__`` of it. A subclass of a built-in type that defines its own ``__repr__`` reads
  ``ClassName(<the built-in's text>)``. Generated reprs of dataclasses and named tuples are reproduced.
- Everything else is ``<type name>``, never an address or a path.

Every function and type used is bound when this module is imported, so a program that patches ``builtins`` does not reach it.
"""

from __future__ import annotations

import builtins
import collections
import dataclasses
import enum
import itertools
import marshal
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from opencwm.tracer.bytecode import canonical_qualname
from opencwm.tracer.limits import TraceLimits

_repr, _len, _type, _sorted, _id, _str, _map, _set, _sum = repr, len, type, sorted, id, str, map, set, sum
_issubclass, _iter = issubclass, iter
_islice, _dumps = itertools.islice, marshal.dumps

SCALARS: frozenset[type] = frozenset(
    {int, float, complex, bool, type(None), type(Ellipsis), type(NotImplemented)}
)
"""Immutable types whose repr is short, integers apart."""
TINY: frozenset[type] = SCALARS - {int}
"""Immutable types whose repr is always short."""
ATOMS: frozenset[type] = SCALARS | {str, bytes}
"""Immutable types without references: the same object is the same value for ever."""
PLAIN_CONTAINERS: frozenset[type] = frozenset({list, tuple, dict, set, frozenset})
"""Types that ``marshal`` writes exactly and without running code."""
_SLICEABLE: frozenset[type] = frozenset({list, tuple, dict})

SMALL_INT = 10**18
"""Integers below it in size have a repr shorter than any bound."""
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_mro_of = type.__dict__["__mro__"].__get__
_dict_of = type.__dict__["__dict__"].__get__
_name_of = type.__dict__["__name__"].__get__
_qualname_of = type.__dict__["__qualname__"].__get__
_flags_of = type.__dict__["__flags__"].__get__
_module_of = type.__dict__["__module__"].__get__
_args_of = BaseException.__dict__["args"].__get__
_dict_items, _dict_get = dict.items, dict.get


@dataclasses.dataclass
class _SampleDataclass:
    field: int


_SampleTuple = collections.namedtuple("_SampleTuple", "field")
_DATACLASS_REPR = _SampleDataclass.__repr__.__code__
_NAMEDTUPLE_REPR = _SampleTuple.__repr__.__code__

# Types of the standard library whose repr is exact, short and runs no code of the program; looked up by name so that
# this module need not import theirs.
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


class Renderer:
    """Renders values within the bounds of ``limits``.

    Attributes:
        cut: the last :meth:`render` dropped something.
        plain: the last value was made of atoms (bytes apart) and built-in containers only and nothing was cut, so that
            equal ``marshal.dumps`` means equal text.
    """

    def __init__(self, limits: TraceLimits) -> None:
        self.max_chars = limits.max_value_chars
        self.max_elements = limits.max_elements
        self.max_nesting = limits.max_nesting
        self.user_repr = limits.user_repr
        self.cut = False
        self.plain = True
        self._open: list[int] = []

    def render(self, value: object) -> str:
        """Return the text of ``value``."""
        self.cut = False
        self.plain = True
        kind = _type(value)
        self._open.clear()
        if kind in _SLICEABLE:
            size = _len(value)  # type: ignore[arg-type]
            if size <= self.max_elements:
                return self._flat(value) or self._checked(value)
            window = self._window(value, kind)
            text = self._flat(window) or self._checked(window)
            closer = text[-1]
            if not text.endswith("..." + closer):
                text = f"{text[:-1].removesuffix(',')}, ...{closer}"
            self.cut = True
            return text
        if kind not in ATOMS and kind not in PLAIN_CONTAINERS:
            self.plain = False
        return self._checked(value)

    def fingerprint(self, value: Any, kind: type) -> bytes | None:
        """Return bytes that are equal only if the text is, provided it was :attr:`plain`; None when there are none."""
        if kind not in PLAIN_CONTAINERS:
            return None
        try:
            if _len(value) <= self.max_elements:
                return _dumps(value, 2)
            return None if kind not in _SLICEABLE else _dumps(self._window(value, kind), 2) + b"+"
        except ValueError:  # something else inside
            return None

    def _window(self, value: Any, kind: type) -> Any:
        """Return the first elements of a list, tuple or dict."""
        if kind is dict:
            return dict(_islice(_dict_items(value), self.max_elements))
        return value[: self.max_elements]

    def _checked(self, value: object) -> str:
        """Render step by step; the text can be encoded, whatever names the program made up."""
        try:
            text = self._text(value, self.max_chars)
        except RuntimeError:  # another thread of the program changes the container
            self.cut = True
            self.plain = False
            text = f"<{_name_of(_type(value))} object>..."
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()

    def _flat(self, value: Any) -> str | None:
        """Return the repr of a list, tuple or dict of atoms, cut if it must be, or None when it is something else."""
        parts = (value, value.values()) if _type(value) is dict else (value,)
        num_chars = 0
        for part in parts:
            kinds = _set(_map(_type, part))
            if not kinds <= _CHEAP:
                return None
            if _str in kinds:
                num_chars += _sum([_len(item) for item in part if _type(item) is _str])
        if num_chars > self.max_chars:
            return None
        try:
            text = _repr(value)
        except ValueError:  # an integer over the interpreter's limit of digits
            return None
        return text if _len(text) <= self.max_chars else None

    def _text(self, value: Any, budget: int) -> str:
        kind = _type(value)
        if kind is int:
            if -SMALL_INT < value < SMALL_INT:
                return _repr(value)
            return self._integer(value, budget)
        if kind is _str:
            return self._characters(value, budget, _repr)
        if kind in SCALARS:
            return _repr(value)
        if kind in PLAIN_CONTAINERS:
            return self._nested(value, kind, budget, _BUILTIN[kind])
        self.plain = False
        if kind is bytes:
            return self._characters(value, budget, _repr)
        method = _BUILTIN.get(kind)
        if method is not None:
            return self._nested(value, kind, budget, method)
        return self._other(value, kind, budget)

    def _nested(
        self, value: Any, kind: type, budget: int, method: Callable[[Renderer, Any, type, int], str]
    ) -> str:
        """Call ``method``, guarded against recursion and excessive nesting."""
        opener, closer = _BRACKETS.get(kind) or (f"{_name_of(kind)}(", ")")
        if _id(value) in self._open:
            self.plain = False
            return f"{opener}...{closer}"
        if _len(self._open) >= self.max_nesting:
            self.cut = True
            self.plain = False
            return f"{opener}...{closer}"
        self._open.append(_id(value))
        try:
            return method(self, value, kind, budget)
        finally:
            self._open.pop()

    def _integer(self, value: int, budget: int) -> str:
        bits = int.bit_length(value)
        if bits <= budget * 4:
            try:
                text = int.__repr__(value)
            except ValueError:  # over the interpreter's own limit of digits
                text = None
            if text is not None and _len(text) <= budget:
                return text
        self.cut = True
        self.plain = False
        sign = "-" if value < 0 else ""
        return f"<{sign}int of {bits} bits>..."

    def _characters(self, value: Any, budget: int, to_text: Callable[[Any], str]) -> str:
        if _len(value) <= budget:
            text = to_text(value)
            if _len(text) <= budget:
                return text
        self.cut = True
        self.plain = False
        keep = max(budget - 2, 1)
        text = to_text(value[:keep])
        while _len(text) > budget and keep > 1:
            keep = max(min(keep * budget // _len(text), keep - 1), 1)
            text = to_text(value[:keep])
        return text + "..."

    def _joined(self, items: Iterable[object], size: int, opener: str, closer: str, budget: int) -> str:
        """Render ``items`` between brackets; ``size`` is how many there are."""
        parts = []
        left = budget - _len(opener) - _len(closer)
        for item in _islice(_iter(items), self.max_elements):
            if left <= 0:
                break
            part = self._text(item, left)
            parts.append(part)
            left -= _len(part) + 2
        if _len(parts) < size:
            parts.append(self._mark())
        return opener + ", ".join(parts) + closer

    def _pairs(
        self, items: Iterable[tuple[Any, Any]], size: int, opener: str, closer: str, budget: int
    ) -> str:
        """Render ``key: value`` pairs between brackets."""
        parts = []
        left = budget - _len(opener) - _len(closer)
        for key, item in _islice(_iter(items), self.max_elements):
            if left <= 0:
                break
            text = self._text(key, left)
            part = f"{text}: {self._text(item, max(left - _len(text) - 2, 1))}"
            parts.append(part)
            left -= _len(part) + 2
        if _len(parts) < size:
            parts.append(self._mark())
        return opener + ", ".join(parts) + closer

    def _named(self, name: str, items: Iterable[tuple[str, Any]], budget: int) -> str:
        """Render ``Name(key=value, ...)``."""
        parts: list[str] = []
        left = budget - _len(name) - 2
        for index, (key, item) in enumerate(items):
            if left <= 0 or index >= self.max_elements:
                parts.append(self._mark())
                break
            part = f"{key}={self._text(item, max(left - _len(key) - 1, 1))}"
            parts.append(part)
            left -= _len(part) + 2
        return f"{name}({', '.join(parts)})"

    def _mark(self) -> str:
        self.cut = True
        self.plain = False
        return "..."

    # Built-in containers and the types of ``collections``. Each takes the type it reads the value through.

    def _list(self, value: Any, kind: type, budget: int) -> str:
        size = list.__len__(value)
        return self._joined(list.__iter__(value), size, "[", "]", budget)

    def _tuple(self, value: Any, kind: type, budget: int) -> str:
        size = tuple.__len__(value)
        closer = ",)" if size == 1 else ")"
        return self._joined(tuple.__iter__(value), size, "(", closer, budget)

    def _dict(self, value: Any, kind: type, budget: int) -> str:
        return self._pairs(_dict_items(value), dict.__len__(value), "{", "}", budget)

    def _any_set(self, value: Any, kind: type, budget: int) -> str:
        base = set if _issubclass(kind, set) else frozenset
        size = base.__len__(value)
        name = _name_of(kind)
        if not size:
            return f"{name}()"
        opener, closer = ("{", "}") if kind is set else (f"{name}({{", "})")
        items = list(_islice(base.__iter__(value), self.max_elements))
        ordered = _ordered(items)
        if ordered is not None:
            return self._joined(ordered, size, opener, closer, budget)
        texts = _sorted([self._text(item, budget) for item in items])
        parts = []
        left = budget - _len(opener) - _len(closer)
        for text in texts:
            if left <= 0:
                break
            parts.append(text)
            left -= _len(text) + 2
        if _len(parts) < size:
            parts.append(self._mark())
        return opener + ", ".join(parts) + closer

    def _deque(self, value: Any, kind: type, budget: int) -> str:
        size = collections.deque.__len__(value)
        maxlen = collections.deque.maxlen.__get__(value)  # type: ignore[attr-defined]
        closer = "])" if maxlen is None else f"], maxlen={maxlen})"
        return self._joined(_deque_iter(value), size, f"{_name_of(kind)}([", closer, budget)

    def _counter(self, value: Any, kind: type, budget: int) -> str:
        size = dict.__len__(value)
        if not size:
            return f"{_name_of(kind)}()"
        items: Iterable[tuple[Any, Any]] = _dict_items(value)
        if size <= self.max_elements and {_type(count) for count in dict.values(value)} <= _ORDERED_COUNTS:
            items = _sorted(items, key=_second, reverse=True)
        return self._pairs(items, size, f"{_name_of(kind)}({{", "})", budget)

    def _defaultdict(self, value: Any, kind: type, budget: int) -> str:
        factory = self._text(_default_factory(value), budget)
        return self._pairs(
            _dict_items(value), dict.__len__(value), f"{_name_of(kind)}({factory}, {{", "})", budget
        )

    def _ordereddict(self, value: Any, kind: type, budget: int) -> str:
        size = dict.__len__(value)
        if not size:
            return f"{_name_of(kind)}()"
        return self._pairs(collections.OrderedDict.items(value), size, f"{_name_of(kind)}({{", "})", budget)

    def _bytearray(self, value: Any, kind: type, budget: int) -> str:
        head = bytes(memoryview(value)[: budget + 1])
        return f"{_name_of(kind)}({self._characters(head, budget, _repr)})"

    def _keys(self, value: Any, kind: type, budget: int) -> str:
        return self._joined(kind.__iter__(value), kind.__len__(value), f"{_name_of(kind)}([", "])", budget)  # type: ignore[attr-defined]

    def _slice(self, value: Any, kind: type, budget: int) -> str:
        return self._joined((value.start, value.stop, value.step), 3, "slice(", ")", budget)

    # Everything else.

    def _other(self, value: Any, kind: type, budget: int) -> str:
        if _issubclass(kind, type):
            return f"<class '{_module_text(value)}{_qualname_of(value)}'>"
        simple = _SIMPLE.get(kind)
        if simple is not None:
            return simple(value)
        if kind is types.MethodType:
            owner = self._text(value.__self__, budget)
            return f"<bound method {_function_name(value.__func__)} of {owner}>"
        if self.user_repr and _flags_of(kind) & _HEAP_TYPE and _overrides_repr(kind):
            return self._users_own(value, kind, budget)
        key = (_str(_module_of(kind)), _str(_qualname_of(kind)))
        if key in _TRUSTED and _is_genuine(kind, key):
            return self._characters(_repr(value), budget, _str)
        return self._nested(value, kind, budget, Renderer._object)

    def _users_own(self, value: Any, kind: type, budget: int) -> str:
        try:
            text = _repr(value)
        except Exception as error:
            return f"<{_name_of(kind)}: repr raised {_name_of(_type(error))}>"
        return self._characters(_str(text), budget, _str)

    def _object(self, value: Any, kind: type, budget: int) -> str:
        name = _name_of(kind)
        if _issubclass(kind, BaseException):
            args = _args_of(value)
            if _type(args) is not tuple:
                return f"{name}(...)"
            return self._joined(tuple.__iter__(args), _len(args), f"{name}(", ")", budget)
        if _issubclass(kind, enum.Enum):
            return self._enum(value, name, budget)
        for base in _mro_of(kind):
            method = _BUILTIN.get(base) or _ATOM_METHODS.get(base)
            if method is not None:
                return self._subclass(value, kind, base, method, budget)
        attributes = list(_islice(_attributes(value, kind), self.max_elements + 1))
        if _is_dataclass(kind):
            shown = _generated_fields(kind)
            if shown is not None:
                known = dict(attributes)
                attributes = [(field, known[field]) for field in shown if field in known]
                name = _qualname_of(kind)
        elif (not attributes and not _flags_of(kind) & _HEAP_TYPE) or (not attributes and _module_of(kind) in _STDLIB):
            return f"<{name} object>"
        return self._named(name, attributes, budget)

    def _subclass(self, value: Any, kind: type, base: type, method: Callable[..., str], budget: int) -> str:
        name = _name_of(kind)
        own = _overrides_repr(kind)
        if own is not None and getattr(own, "__code__", None) is _NAMEDTUPLE_REPR:
            fields = _lookup(kind, "_fields")
            if _type(fields) is tuple and all(_type(field) is str for field in fields):
                return self._named(name, zip(fields, tuple.__iter__(value), strict=False), budget)
        reading = base if base in PLAIN_CONTAINERS and base not in (set, frozenset) else kind
        text = method(self, value, reading, budget)
        named = base not in PLAIN_CONTAINERS and base not in _ATOM_METHODS
        if own is None or named or base in (set, frozenset):
            return text
        return f"{name}({text})"

    def _enum(self, value: Any, name: str, budget: int) -> str:
        known = dict(_attributes(value, _type(value)))
        member = known.get("_name_")
        inner = self._text(known.get("_value_"), budget)
        return f"<{name}.{member}: {inner}>" if _type(member) is str else f"<{name}: {inner}>"

    def _str_subclass(self, value: Any, kind: type, budget: int) -> str:
        return self._characters(str.__getitem__(value, slice(0, budget + 1)), budget, str.__repr__)

    def _bytes_subclass(self, value: Any, kind: type, budget: int) -> str:
        return self._characters(bytes.__getitem__(value, slice(0, budget + 1)), budget, bytes.__repr__)

    def _int_subclass(self, value: Any, kind: type, budget: int) -> str:
        return self._integer(int.__add__(value, 0), budget)

    def _float_subclass(self, value: Any, kind: type, budget: int) -> str:
        return float.__repr__(value)

    def _complex_subclass(self, value: Any, kind: type, budget: int) -> str:
        return complex.__repr__(value)


_Method = Callable[[Renderer, Any, type, int], str]
_CHEAP = SCALARS | {str}
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    dict: ("{", "}"),
    set: ("{", "}"),
}
_BUILTIN: dict[type, _Method] = {
    list: Renderer._list,
    tuple: Renderer._tuple,
    dict: Renderer._dict,
    set: Renderer._any_set,
    frozenset: Renderer._any_set,
    collections.deque: Renderer._deque,
    collections.Counter: Renderer._counter,
    collections.defaultdict: Renderer._defaultdict,
    collections.OrderedDict: Renderer._ordereddict,
    bytearray: Renderer._bytearray,
    type({}.keys()): Renderer._keys,
    type({}.values()): Renderer._keys,
    type({}.items()): Renderer._keys,
    slice: Renderer._slice,
}
_ATOM_METHODS: dict[type, _Method] = {
    str: Renderer._str_subclass,
    bytes: Renderer._bytes_subclass,
    int: Renderer._int_subclass,
    float: Renderer._float_subclass,
    complex: Renderer._complex_subclass,
}
_ORDERED_COUNTS = frozenset({int, float, bool})
_STDLIB = frozenset(sys.stdlib_module_names)
_deque_iter = collections.deque.__iter__
_default_factory = collections.defaultdict.__dict__["default_factory"].__get__


def _second(pair: tuple[Any, Any]) -> Any:
    return pair[1]


def _function_name(value: Any) -> str:
    name = getattr(value, "__qualname__", None) if _type(value) in _SIMPLE else None
    return canonical_qualname(name) if isinstance(name, str) else "?"


def _builtin_function(value: Any) -> str:
    owner = value.__self__
    if owner is None or _type(owner) is types.ModuleType:
        return f"<built-in function {value.__name__}>"
    return f"<built-in method {value.__name__} of {_name_of(_type(owner))} object>"


def _module(value: Any) -> str:
    name = types.ModuleType.__getattribute__(value, "__name__") if "__name__" in _module_dict(value) else "?"
    return f"<module '{name}'>"


_module_dict = types.ModuleType.__dict__["__dict__"].__get__

_SIMPLE: dict[type, Callable[[Any], str]] = {
    types.FunctionType: lambda value: f"<function {canonical_qualname(value.__qualname__)}>",
    types.BuiltinFunctionType: _builtin_function,
    types.ModuleType: _module,
    types.GeneratorType: lambda value: f"<generator object {canonical_qualname(value.__qualname__)}>",
    types.CoroutineType: lambda value: f"<coroutine object {canonical_qualname(value.__qualname__)}>",
    types.AsyncGeneratorType: lambda value: f"<async_generator object {canonical_qualname(value.__qualname__)}>",
    types.CodeType: lambda value: f"<code object {value.co_name}>",
}


def _module_text(value: type) -> str:
    module = _dict_get(dict(_dict_of(value)), "__module__", "builtins")
    return "" if module == "builtins" or _type(module) is not str else f"{module}."


def _overrides_repr(kind: type) -> object:
    """Return the ``__repr__`` that a Python class in the MRO of ``kind`` defines, or None."""
    for base in _mro_of(kind):
        if not _flags_of(base) & _HEAP_TYPE:
            return None
        own = _dict_of(base).get("__repr__")
        if own is not None:
            return own if _type(own) is types.FunctionType else None
    return None


def _lookup(kind: type, name: str) -> object:
    for base in _mro_of(kind):
        attributes = _dict_of(base)
        if name in attributes:
            return attributes[name]
    return None


def _is_genuine(kind: type, key: tuple[str, str]) -> bool:
    module = sys.modules.get(key[0]) or builtins
    return _type(module) is types.ModuleType and _module_dict(module).get(key[1]) is kind


def _is_dataclass(kind: type) -> bool:
    return _type(_lookup(kind, "__dataclass_fields__")) is dict


def _generated_fields(kind: type) -> list[str] | None:
    """Return the fields the generated ``__repr__`` of a dataclass shows, or None when it has its own."""
    own = _overrides_repr(kind)
    if getattr(own, "__code__", None) is not _DATACLASS_REPR:
        return None
    fields = _lookup(kind, "__dataclass_fields__")
    marker = dataclasses._FIELD  # type: ignore[attr-defined]
    return [name for name, field in fields.items() if field._field_type is marker and field.repr]  # type: ignore[attr-defined]


def _attributes(value: object, kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the instance attributes of ``value``: slots, base classes first, then its ``__dict__``; no user code is run."""
    instance_dict = None
    for base in reversed(_mro_of(kind)):
        attributes = _dict_of(base)
        descriptor = attributes.get("__dict__")
        if _type(descriptor) is types.GetSetDescriptorType and instance_dict is None and base is not type:
            found = descriptor.__get__(value)
            instance_dict = found if _issubclass(_type(found), dict) else None
        if "__slots__" in attributes:
            for name, slot in list(attributes.items()):
                if _type(slot) is types.MemberDescriptorType:
                    try:
                        yield name, slot.__get__(value)
                    except AttributeError:  # not set
                        continue
    if instance_dict is not None:
        for name, item in _dict_items(instance_dict):
            if _type(name) is str:
                yield name, item


def _ordered(items: list[Any]) -> list[Any] | None:
    """Return ``items`` sorted when they have a natural order that runs no user code, otherwise None."""
    kinds = {_type(item) for item in items}
    if kinds <= _ORDERED_COUNTS:
        if any(item != item for item in items):  # nan
            return None
        return _sorted(items)
    if kinds in _SORTABLE or (kinds == {tuple} and all(_is_comparable(item) for item in items)):
        try:
            return _sorted(items)
        except TypeError:
            return None
    return None


_SORTABLE: tuple[set[type], ...] = ({str}, {bytes})


def _is_comparable(item: Any) -> bool:
    return all(
        _type(part) in (int, bool, str, bytes) or (_type(part) is tuple and _is_comparable(part))
        for part in item
    )
