"""Values as text: Python's ``repr`` within bounds, cut and marked beyond them, and no user code run for it.

The rules, so that equal states give equal text in every run and on every supported Python:

- Atoms, the built-in containers and the common types of ``collections`` read exactly as ``repr`` writes them,
  but sets are sorted and ``OrderedDict`` reads as since Python 3.12. A recursive reference is ``...`` in the
  brackets of its type.
- A cut is a bare ``...`` (outside quotes): ``[1, 2, ...]``, ``'abc'...``, ``[...]`` for a container nested
  too deep. An integer with more digits than allowed reads ``<int of N bits>...``. :attr:`Renderer.cut` tells
  that something was cut. A set that is cut shows the first elements in its own order, sorted.
- An object of a class written in Python reads ``ClassName(attribute=value, ...)``, see
  :mod:`opencwm.tracer.layouts`. A subclass of a built-in type that defines its own ``__repr__`` reads
  ``ClassName(<the built-in's text>)``. The generated reprs of dataclasses and named tuples are reproduced.
- Everything else is ``<type name>``, never an address or a path.

Every function and type used is bound when this module is imported, so a program that patches ``builtins``
does not reach it.
"""

from __future__ import annotations

import collections
import itertools
import marshal
import types
from collections.abc import Callable, Iterable
from typing import Any

from opencwm.source.code_facts import canonical_qualname
from opencwm.tracer.layouts import Form, Layout, layout_of, module_name, module_prefix, name_of, qualname_of
from opencwm.tracer.limits import TraceLimits

_repr, _len, _type, _sorted, _id, _str, _map, _set = repr, len, type, sorted, id, str, map, set
_issubclass, _iter, _max, _min, _all, _dict, _list, _sum, _range = (
    issubclass,
    iter,
    max,
    min,
    all,
    dict,
    list,
    sum,
    range,
)
_islice, _flattened, _dumps = itertools.islice, itertools.chain.from_iterable, marshal.dumps
_dict_items = dict.items
_args_of: Callable[[object], Any] = BaseException.__dict__["args"].__get__
_default_factory: Callable[[object], Any] = collections.defaultdict.__dict__["default_factory"].__get__
_maxlen: Callable[[object], Any] = collections.deque.__dict__["maxlen"].__get__


def _ids(*kinds: type) -> frozenset[int]:
    """Return the ids of types: to look a type itself up would call the ``__hash__`` of its metaclass."""
    return frozenset(map(id, kinds))


SCALARS = _ids(int, float, complex, bool, type(None), type(Ellipsis), type(NotImplemented))
"""Ids of the immutable types whose repr is short, integers apart."""
TINY = SCALARS - _ids(int)
"""Ids of the immutable types whose repr is always short."""
ATOMS = SCALARS | _ids(str, bytes)
"""Ids of the immutable types without references: the same object is the same value for ever."""
_MOST_KNOWN = 4096
SMALL_INT = 10**18
"""Integers below it in size have a repr shorter than any bound."""
_STR, _TUPLE, _BYTES = _id(str), _id(tuple), _id(bytes)
_SLICEABLE = _ids(list, tuple, dict)
_FLAT = SCALARS | _SLICEABLE | _ids(str)
PLAIN_CONTAINERS = _SLICEABLE | _ids(
    set, frozenset
)  # what ``marshal`` writes exactly and without running code
_NUMBERS = _ids(int, float, bool)
_COMPARABLE = _ids(int, bool, str, bytes)
_BRACKETS = {_id(list): "[]", _TUPLE: "()", _id(dict): "{}", _id(set): "{}"}

Known = tuple[type, bytes, str, bool]
"""Type and fingerprint of a value, its text, and whether that was cut."""


class Renderer:
    """Renders values within the bounds of ``limits``.

    Attributes:
        cut: the last :meth:`render` dropped something.
        plain: an equal :meth:`fingerprint` means an equal text of the last value.
        known: texts by the ``id`` of a value. The id is only where to look: what is found holds for any value
            of that type and fingerprint.
    """

    def __init__(self, limits: TraceLimits) -> None:
        self.max_chars = limits.max_value_chars
        self.max_elements = limits.max_elements
        self.max_nesting = limits.max_nesting
        self.user_repr = limits.user_repr
        self.cut = False
        self.plain = True
        self.known: dict[int, Known] = {}
        self._open: list[int] = []  # ids of the containers being rendered
        self._vetted = False
        self._layouts: dict[int, Layout] = {}

    def render(self, value: object, *, vetted: bool = False) -> str:
        """Return the text of ``value``, faster when it is ``vetted``: it has a fingerprint."""
        self._vetted = vetted
        self.cut = False
        self.plain = True
        self._open.clear()
        kind = _type(value)
        try:
            if _id(kind) in _SLICEABLE:
                text = self._sliceable(value, kind, self.max_chars)
            else:
                text = self._text(value, self.max_chars)
        except RuntimeError:  # another thread of the program changes the container
            self.cut = True
            self.plain = False
            text = f"<{name_of(_type(value))} object>..."
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()

    def fingerprint(self, value: Any, kind: type) -> bytes | None:
        """Return bytes that are equal only if the text is, provided that was :attr:`plain`, or None."""
        try:
            if _id(kind) in PLAIN_CONTAINERS:
                if _len(value) <= self.max_elements:
                    return _dumps(value, 2)
                return _dumps(self._window(value, kind), 2) + b"+" if _id(kind) in _SLICEABLE else None
            layout = self._layouts.get(_id(kind))
            if layout is None or layout.form is not Form.OBJECT or layout.slots or layout.get_dict is None:
                return None
            attributes = layout.get_dict(value)
            return _dumps(attributes, 2) if _type(attributes) is _dict else None
        except ValueError:  # something else inside
            return None

    def remember(self, place: int, kind: type, key: bytes, text: str) -> Known:
        """Keep and return the last text for values of this type and fingerprint."""
        if _len(self.known) >= _MOST_KNOWN:
            self.known.clear()
        known = self.known[place] = (kind, key, text, self.cut)
        return known

    def _text(self, value: Any, budget: int) -> str:
        kind = _type(value)
        place = _id(kind)
        if place in TINY:
            return _repr(value)
        if kind is int:
            return _repr(value) if -SMALL_INT < value < SMALL_INT else self._integer(value, budget)
        if kind is _str:
            return self._characters(value, budget, _repr)
        if place in _SLICEABLE:
            return self._sliceable(value, kind, budget)
        if place in _BUILTIN:
            if place not in PLAIN_CONTAINERS:
                self.plain = False
            return self._guarded(value, kind, budget, _BUILTIN[place])
        if place in _SIMPLE:
            self.plain = False
            return _SIMPLE[place](value)
        return self._instance(value, kind, budget)

    # Atoms

    def _integer(self, value: int, budget: int) -> str:
        bits = int.bit_length(value)
        if bits <= budget * 4:
            try:
                text = int.__repr__(value)
            except ValueError:  # over the interpreter's own limit of digits
                text = None
            if text is not None and _len(text) <= budget:
                return text
        self._note_cut()
        return f"<{'-' if value < 0 else ''}int of {bits} bits>..."

    def _characters(self, value: Any, budget: int, to_text: Callable[[Any], str]) -> str:
        if _len(value) <= budget:
            text = to_text(value)
            if _len(text) <= budget:
                return text
        self._note_cut()
        keep = _max(budget - 2, 1)
        text = to_text(value[:keep])
        while _len(text) > budget and keep > 1:
            keep = _max(_min(keep * budget // _len(text), keep - 1), 1)
            text = to_text(value[:keep])
        return text + "..."

    # Containers

    def _sliceable(self, value: Any, kind: type, budget: int) -> str:
        """Render a list, tuple or dict: by its own repr when that is safe and within bounds."""
        size = _len(value)
        window = value if size <= self.max_elements else self._window(value, kind)
        if 0 <= self._measure(window, self.max_nesting - _len(self._open)) <= budget:
            try:
                text = _repr(window)
            except ValueError:  # an integer over the interpreter's limit of digits
                text = ""
            if text and _len(text) <= budget:
                if window is value:
                    return text
                self.cut = True
                if self._open:
                    self.plain = False
                return f"{text[:-1].removesuffix(',')}, ...{text[-1]}"
        return self._guarded(value, kind, budget, _BUILTIN[_id(kind)])

    def _window(self, value: Any, kind: type) -> Any:
        """Return the first elements of a list, tuple or dict."""
        if kind is _dict:
            return _dict(_islice(_dict_items(value), self.max_elements))
        return value[: self.max_elements]

    def _measure(self, value: Any, nesting: int) -> int:
        """Return a lower bound of the length of the repr, or -1 when something stands against taking it."""
        is_short_row = _type(value) is not _dict and _len(value) <= self.max_elements and nesting > 0
        if is_short_row and self._kinds(value) <= SCALARS:
            return 2 + _len(value)
        num_chars = 0
        level = [value]
        for _ in _range(nesting):
            parts: list[Any] = []
            for container in level:
                size = _len(container)
                if size > self.max_elements:
                    return -1
                num_chars += 2 + size
                parts.append(container)
                if _type(container) is _dict:
                    parts.append(container.values())
            kinds = self._kinds(_flattened(parts))
            if num_chars > self.max_chars or not kinds <= _FLAT:
                return -1
            if _STR in kinds:
                num_chars += _sum([_len(item) for item in _flattened(parts) if _type(item) is _str])
            if kinds.isdisjoint(_SLICEABLE):
                return num_chars
            level = [item for item in _flattened(parts) if _id(_type(item)) in _SLICEABLE]
        return -1

    def _kinds(self, items: Iterable[object]) -> set[int]:
        """Return the ids of the types of ``items``."""
        if self._vetted:
            return _set(_map(_id, _set(_map(_type, items))))
        return _set(_map(_id, _map(_type, items)))

    def _guarded(self, value: Any, kind: type, budget: int, method: Callable[..., str]) -> str:
        """Call ``method(self, value, kind, budget)`` unless ``value`` is open already or nested too deep."""
        is_open = _id(value) in self._open
        if is_open or _len(self._open) >= self.max_nesting:
            if not is_open:
                self.cut = True
            self.plain = False
            brackets = _BRACKETS.get(_id(kind))
            return f"{brackets[0]}...{brackets[1]}" if brackets else f"{name_of(kind)}(...)"
        self._open.append(_id(value))
        try:
            return method(self, value, kind, budget)
        finally:
            self._open.pop()

    def _joined(self, items: Iterable[object], size: int, opener: str, closer: str, budget: int) -> str:
        """Render ``items`` between brackets; ``size`` is how many there are."""
        parts: list[str] = []
        left = budget - _len(opener) - _len(closer)
        for item in _islice(_iter(items), self.max_elements):
            if left <= 0:
                break
            parts.append(self._text(item, left))
            left -= _len(parts[-1]) + 2
        return self._closed(parts, size, opener, closer)

    def _pairs(
        self, items: Iterable[tuple[Any, Any]], size: int, opener: str, closer: str, budget: int
    ) -> str:
        """Render ``key: value`` pairs between brackets."""
        parts: list[str] = []
        left = budget - _len(opener) - _len(closer)
        for key, item in _islice(_iter(items), self.max_elements):
            if left <= 0:
                break
            text = self._text(key, left)
            parts.append(f"{text}: {self._text(item, _max(left - _len(text) - 2, 1))}")
            left -= _len(parts[-1]) + 2
        return self._closed(parts, size, opener, closer)

    def _named(self, name: str, items: Iterable[tuple[str, Any]], budget: int) -> str:
        """Render ``Name(key=value, ...)``."""
        parts: list[str] = []
        left = budget - _len(name) - 2
        size = 0
        for key, item in items:
            size += 1
            if left <= 0 or size > self.max_elements:
                break
            parts.append(f"{key}={self._text(item, _max(left - _len(key) - 1, 1))}")
            left -= _len(parts[-1]) + 2
        return self._closed(parts, size, f"{name}(", ")")

    def _closed(self, parts: list[str], size: int, opener: str, closer: str) -> str:
        if _len(parts) < size:
            self._note_cut()
            parts.append("...")
            closer = ")" if closer == ",)" else closer
        return f"{opener}{', '.join(parts)}{closer}"

    def _note_cut(self) -> None:
        self.cut = True
        self.plain = False

    def _render_list(self, value: Any, _kind: type, budget: int) -> str:
        return self._joined(list.__iter__(value), list.__len__(value), "[", "]", budget)

    def _render_tuple(self, value: Any, _kind: type, budget: int) -> str:
        size = tuple.__len__(value)
        return self._joined(tuple.__iter__(value), size, "(", ",)" if size == 1 else ")", budget)

    def _render_dict(self, value: Any, _kind: type, budget: int) -> str:
        return self._pairs(_dict_items(value), dict.__len__(value), "{", "}", budget)

    def _render_set(self, value: Any, kind: type, budget: int) -> str:
        base = set if _issubclass(kind, set) else frozenset
        size = base.__len__(value)
        if not size:
            return f"{name_of(kind)}()"
        opener, closer = ("{", "}") if kind is set else (f"{name_of(kind)}({{", "})")
        items = _list(_islice(base.__iter__(value), self.max_elements))
        ordered = _ordered(items)
        if ordered is not None:
            return self._joined(ordered, size, opener, closer, budget)
        left = budget - _len(opener) - _len(closer)
        parts: list[str] = []
        for text in _sorted([self._text(item, budget) for item in items]):
            if left <= 0:
                break
            parts.append(text)
            left -= _len(text) + 2
        return self._closed(parts, size, opener, closer)

    def _render_deque(self, value: Any, kind: type, budget: int) -> str:
        maxlen = _maxlen(value)
        closer = "])" if maxlen is None else f"], maxlen={maxlen})"
        size = collections.deque.__len__(value)
        return self._joined(collections.deque.__iter__(value), size, f"{name_of(kind)}([", closer, budget)

    def _render_counter(self, value: Any, kind: type, budget: int) -> str:
        size = dict.__len__(value)
        if not size:
            return f"{name_of(kind)}()"
        items: Iterable[tuple[Any, Any]] = _dict_items(value)
        if size <= self.max_elements and _set(_map(_id, _map(_type, dict.values(value)))) <= _NUMBERS:
            items = _sorted(items, key=_second, reverse=True)
        return self._pairs(items, size, f"{name_of(kind)}({{", "})", budget)

    def _render_defaultdict(self, value: Any, kind: type, budget: int) -> str:
        opener = f"{name_of(kind)}({self._text(_default_factory(value), budget)}, {{"
        return self._pairs(_dict_items(value), dict.__len__(value), opener, "})", budget)

    def _render_ordereddict(self, value: Any, kind: type, budget: int) -> str:
        size = dict.__len__(value)
        if not size:
            return f"{name_of(kind)}()"
        return self._pairs(collections.OrderedDict.items(value), size, f"{name_of(kind)}({{", "})", budget)

    def _render_bytearray(self, value: Any, kind: type, budget: int) -> str:
        with memoryview(value) as view:
            head = bytes(view[: budget + 1])
        return f"{name_of(kind)}({self._characters(head, budget, _repr)})"

    def _render_view(self, value: Any, kind: type, budget: int) -> str:
        return self._joined(value, _len(value), f"{name_of(kind)}([", "])", budget)

    def _render_slice(self, value: Any, _kind: type, budget: int) -> str:
        return self._joined((value.start, value.stop, value.step), 3, "slice(", ")", budget)

    def _render_method(self, value: Any, _kind: type, budget: int) -> str:
        function = value.__func__
        name = canonical_qualname(function.__qualname__) if _id(_type(function)) in _SIMPLE else "?"
        return f"<bound method {name} of {self._text(value.__self__, budget)}>"

    def _render_bytes(self, value: Any, _kind: type, budget: int) -> str:
        return self._characters(bytes.__getitem__(value, slice(0, budget + 1)), budget, bytes.__repr__)

    def _render_str(self, value: Any, _kind: type, budget: int) -> str:
        return self._characters(str.__getitem__(value, slice(0, budget + 1)), budget, str.__repr__)

    def _render_int(self, value: Any, _kind: type, budget: int) -> str:
        return self._integer(int.__add__(value, 0), budget)

    def _render_float(self, value: Any, _kind: type, _budget: int) -> str:
        return float.__repr__(value)

    def _render_complex(self, value: Any, _kind: type, _budget: int) -> str:
        return complex.__repr__(value)

    # Instances of all other types

    def plain_layout(
        self, kind: type
    ) -> tuple[str, str, tuple[str, ...] | None, Callable[[object], Any] | None] | None:
        """Return how instances of ``kind`` are read, where the accelerator can do it by itself.

        Returns:
            The letter of the form: ``a`` for the attributes in their ``__dict__``, ``e`` for the arguments of
            an exception, ``o`` for nothing but the type; what they are called; the attributes shown (None:
            all); what reads their dictionary. None for all other types.
        """
        layout = self.layout(kind)
        if layout is None:
            return None
        if layout.form is Form.OBJECT and not layout.slots and layout.get_dict is not None:
            return "a", layout.name, layout.fields, layout.get_dict
        letter = {Form.EXCEPTION: "e", Form.OPAQUE: "o"}.get(layout.form)
        return None if letter is None else (letter, layout.name, None, None)

    def layout(self, kind: type) -> Layout | None:
        """Return how instances of ``kind`` are read, None for types that are built in."""
        return None if _id(kind) in _BUILTIN or _id(kind) in _SIMPLE else self._layout(kind)

    def _layout(self, kind: type) -> Layout:
        layout = self._layouts.get(_id(kind))
        if layout is None:
            layout = layout_of(kind, _BUILTIN_BASES, user_repr=self.user_repr)
            self._layouts[_id(kind)] = layout
        return layout

    def _instance(self, value: Any, kind: type, budget: int) -> str:
        layout = self._layout(kind)
        form = layout.form
        if form is not Form.OBJECT or self._open:
            self.plain = False
        if form is Form.OBJECT:
            return self._guarded(value, kind, budget, Renderer._object)
        if form is Form.CLASS:
            return f"<class '{module_prefix(value)}{canonical_qualname(qualname_of(value))}'>"
        if form is Form.OPAQUE:
            return f"<{layout.name} object>"
        if form is Form.TRUSTED:
            return self._characters(_repr(value), budget, _str)
        if form is Form.USER_REPR:
            return self._users_own(value, layout, budget)
        return self._guarded(value, kind, budget, _FORMS[form])

    def _object(self, value: Any, kind: type, budget: int) -> str:
        layout = self._layouts[_id(kind)]
        if layout.fields is None:
            return self._named(layout.name, layout.attributes(value), budget)
        known = _dict(layout.attributes(value))
        shown = [(field, known[field]) for field in layout.fields if field in known]
        return self._named(layout.name, shown, budget)

    def _users_own(self, value: Any, layout: Layout, budget: int) -> str:
        try:
            text = _str(_repr(value))
        except Exception as error:  # whatever the program's code raises
            return f"<{layout.name}: repr raised {name_of(_type(error))}>"
        return self._characters(text, budget, _str)

    def _exception(self, value: Any, kind: type, budget: int) -> str:
        args = _args_of(value)
        return self._joined(args, _len(args), f"{name_of(kind)}(", ")", budget)

    def _enum(self, value: Any, kind: type, budget: int) -> str:
        known = _dict(self._layouts[_id(kind)].attributes(value))
        member = known.get("_name_")
        inner = self._text(known.get("_value_"), budget)
        return (
            f"<{name_of(kind)}.{member}: {inner}>" if _type(member) is _str else f"<{name_of(kind)}: {inner}>"
        )

    def _named_tuple(self, value: Any, kind: type, budget: int) -> str:
        fields = self._layouts[_id(kind)].fields or ()
        return self._named(name_of(kind), zip(fields, tuple.__iter__(value), strict=False), budget)

    def _subclass(self, value: Any, kind: type, budget: int) -> str:
        layout = self._layouts[_id(kind)]
        text = _BUILTIN_BASES[_id(layout.base)](self, value, kind, budget)
        is_named = _id(layout.base) not in _UNNAMED
        return f"{layout.name}({text})" if layout.own_repr and not is_named else text


_Method = Callable[[Renderer, Any, type, int], str]
_METHODS: dict[type, _Method] = {
    list: Renderer._render_list,
    tuple: Renderer._render_tuple,
    dict: Renderer._render_dict,
    set: Renderer._render_set,
    frozenset: Renderer._render_set,
    collections.deque: Renderer._render_deque,
    collections.Counter: Renderer._render_counter,
    collections.defaultdict: Renderer._render_defaultdict,
    collections.OrderedDict: Renderer._render_ordereddict,
    bytes: Renderer._render_bytes,
    bytearray: Renderer._render_bytearray,
    type({}.keys()): Renderer._render_view,
    type({}.values()): Renderer._render_view,
    type({}.items()): Renderer._render_view,
    slice: Renderer._render_slice,
    types.MethodType: Renderer._render_method,
}
_UNNAMED_METHODS: dict[type, _Method] = {
    list: Renderer._render_list,
    tuple: Renderer._render_tuple,
    dict: Renderer._render_dict,
    str: Renderer._render_str,
    bytes: Renderer._render_bytes,
    int: Renderer._render_int,
    float: Renderer._render_float,
    complex: Renderer._render_complex,
}
_BUILTIN = {_id(kind): method for kind, method in _METHODS.items()}
_UNNAMED = {_id(kind): method for kind, method in _UNNAMED_METHODS.items()}
_BUILTIN_BASES = _BUILTIN | _UNNAMED
_FORMS: dict[Form, _Method] = {
    Form.EXCEPTION: Renderer._exception,
    Form.ENUM: Renderer._enum,
    Form.NAMEDTUPLE: Renderer._named_tuple,
    Form.SUBCLASS: Renderer._subclass,
}


def _builtin_function(value: Any) -> str:
    owner = value.__self__
    if owner is None or _type(owner) is types.ModuleType:
        return f"<built-in function {value.__name__}>"
    return f"<built-in method {value.__name__} of {name_of(_type(owner))} object>"


_SIMPLE_METHODS: dict[type, Callable[[Any], str]] = {
    types.FunctionType: lambda value: f"<function {canonical_qualname(value.__qualname__)}>",
    types.BuiltinFunctionType: _builtin_function,
    types.ModuleType: lambda value: f"<module '{module_name(value)}'>",
    types.GeneratorType: lambda value: f"<generator object {canonical_qualname(value.__qualname__)}>",
    types.CoroutineType: lambda value: f"<coroutine object {canonical_qualname(value.__qualname__)}>",
    types.AsyncGeneratorType: lambda value: (
        f"<async_generator object {canonical_qualname(value.__qualname__)}>"
    ),
    types.CodeType: lambda value: f"<code object {value.co_name}>",
}
_SIMPLE = {_id(kind): method for kind, method in _SIMPLE_METHODS.items()}


def _second(pair: tuple[Any, Any]) -> Any:
    return pair[1]


def _ordered(items: list[Any]) -> list[Any] | None:
    """Return ``items`` sorted when they have a natural order that runs no user code, otherwise None."""
    kinds = _set(_map(_id, _map(_type, items)))
    is_total = kinds <= _NUMBERS and _all(item == item for item in items)  # no nan
    if (
        is_total
        or kinds in ({_STR}, {_BYTES})
        or (kinds == {_TUPLE} and _all(_is_comparable(item) for item in items))
    ):
        try:
            return _sorted(items)
        except TypeError:  # tuples of different make
            return None
    return None


def _is_comparable(item: Any) -> bool:
    return _all(
        _id(_type(part)) in _COMPARABLE or (_type(part) is tuple and _is_comparable(part)) for part in item
    )
