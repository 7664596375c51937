"""Live values as Python expressions that build an equal value, without running any code of the package.

Where the tracer's rendering is for reading, this one is for running: what cannot be written as an expression
over literals, the standard library's plain types and the package's own classes is refused. An object of a
class of the package is written as the call that made it, when that call was seen.

Source: the Python Language Reference, "Expressions"; data model of each type in the Python Library Reference.
"""

from __future__ import annotations

import array
import ast
import builtins
import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import io
import ipaddress
import keyword
import linecache
import math
import operator
import pathlib
import re
import sys
import types
import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final

MAX_ELEMENTS: Final = 40
MAX_NESTING: Final = 6
MAX_INT_BITS: Final = 512

HELPER_MODULE: Final = "<helper>"
HELPERS: Final = {
    "object_with": """def object_with(kind, /, **attributes):
    made = object.__new__(kind)
    made.__dict__.update(attributes)
    return made
""",
    "object_with_slots": """def object_with_slots(kind, /, **attributes):
    made = object.__new__(kind)
    any(map(object.__setattr__, [made] * len(attributes), attributes, attributes.values()))
    return made
""",
    "object_from": """def object_from(kind, value, /, **attributes):
    made = type(value).__new__(kind, value)
    if type(value) in (list, dict, set):
        type(value).__init__(made, value)
    made.__dict__.update(attributes)
    return made
""",
}
"""By name, what makes objects of which only class, built-in part and attributes are known: programs that
need one of them have it at their top."""

Needs = dict[str, str]
"""Names that an expression uses, builtins apart, and the module each is from; empty for a module itself."""


class UnrenderableError(Exception):
    """A value that no expression is known for; its text says which kind of value."""


@dataclasses.dataclass(frozen=True, slots=True)
class Expression:
    """An expression and the names it needs."""

    text: str
    needs: Needs


Recall = Callable[[object], "Expression | None"]
"""Returns the call that made an object, when it was seen."""

_SIMPLE: Final = (bool, type(None), type(Ellipsis), type(NotImplemented))
_DATES: Final = (datetime.date, datetime.time, datetime.datetime, datetime.timedelta, datetime.timezone)
_DATE_NAMES: Final = re.compile(r"datetime\.(date|timedelta|timezone|datetime|time)\b")
_BASES: Final = (str, int, float, list, dict, tuple, set, frozenset, bytes)
_BUILTIN_CALLABLES: Final = {id(value): name for name, value in vars(builtins).items() if callable(value)}
_OPERATORS: Final = {id(value): name for name, value in vars(operator).items() if callable(value)}
_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
_ListIterator: type = type(iter([]))
_TupleIterator: type = type(iter(()))
_VIEWS: Final = tuple(map(type, ({}.keys(), {}.values(), {}.items())))
_WRITTEN_AS_TEXT: Final = (
    ipaddress.IPv4Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Address,
    ipaddress.IPv6Network,
    pathlib.PosixPath,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
    uuid.UUID,
)
_PLAIN_MODULES: Final = frozenset(
    {"collections", "decimal", "fractions", "datetime", "math", "string", "functools"}
)


class SourceRenderer:
    """Writes values as source.

    Args:
        is_ours: whether a module of this name belongs to the package that is harvested.
        recall: returns the call that made an object of the package.
        max_chars: longest expression.
    """

    def __init__(self, is_ours: Callable[[str], bool], recall: Recall, max_chars: int = 400) -> None:
        self._is_ours = is_ours
        self._recall = recall
        self._max_chars = max_chars
        self._needs: Needs = {}
        self._open: set[int] = set()

    def render(self, value: object) -> Expression:
        """Return an expression that builds an equal value.

        Raises:
            UnrenderableError: none is known, or it is too long.
        """
        self._needs, self._open = {}, set()
        text = self._text(value)
        if len(text) > self._max_chars:
            raise UnrenderableError("long")
        return Expression(text, self._needs)

    def _text(self, value: object) -> str:
        kind = type(value)
        if kind in _SIMPLE:
            return repr(value)
        writer = _WRITERS.get(kind)
        if writer is None:
            return self._other(value)
        if id(value) in self._open or len(self._open) > MAX_NESTING:
            raise UnrenderableError("nested")
        self._open.add(id(value))
        text = writer(self, value)
        self._open.discard(id(value))
        return text

    def _join(self, values: Iterable[object]) -> str:
        parts: list[str] = []
        size = 0
        for value in values:
            if len(parts) >= MAX_ELEMENTS or size > self._max_chars:
                raise UnrenderableError("long")
            parts.append(self._text(value))
            size += len(parts[-1]) + 2
        return ", ".join(parts)

    # -- built-in types ----------------------------------------------------------------------------

    def _int(self, value: int) -> str:
        if value.bit_length() > MAX_INT_BITS:
            raise UnrenderableError("long")
        return repr(value)

    def _float(self, value: float) -> str:
        return repr(value) if math.isfinite(value) else f"float('{value}')"

    def _complex(self, value: complex) -> str:
        return f"complex({self._float(value.real)}, {self._float(value.imag)})"

    def _str(self, value: str) -> str:
        if len(value) > self._max_chars:
            raise UnrenderableError("long")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UnrenderableError("surrogates") from None
        return repr(value)

    def _bytes(self, value: bytes | bytearray) -> str:
        if len(value) > self._max_chars:
            raise UnrenderableError("long")
        return repr(value)

    def _list(self, value: list[Any]) -> str:
        return f"[{self._join(value)}]"

    def _tuple(self, value: tuple[Any, ...]) -> str:
        return f"({self._join(value)},)" if len(value) == 1 else f"({self._join(value)})"

    def _pairs(self, value: dict[Any, Any]) -> str:
        parts: list[str] = []
        size = 0
        for key, item in value.items():
            if len(parts) >= MAX_ELEMENTS or size > self._max_chars:
                raise UnrenderableError("long")
            parts.append(f"{self._text(key)}: {self._text(item)}")
            size += len(parts[-1]) + 2
        return "{" + ", ".join(parts) + "}"

    def _set(self, value: set[Any] | frozenset[Any]) -> str:
        if len(value) > MAX_ELEMENTS:
            raise UnrenderableError("long")
        parts = sorted(map(self._text, value))
        text = "{" + ", ".join(parts) + "}" if parts else ""
        if isinstance(value, frozenset):
            return f"frozenset({text})"
        return text or "set()"

    def _range(self, value: range) -> str:
        return repr(value)

    def _slice(self, value: slice) -> str:
        return f"slice({self._join((value.start, value.stop, value.step))})"

    # -- the standard library's plain types --------------------------------------------------------

    def _named(self, name: str, module: str) -> str:
        if self._needs.setdefault(name, module) != module:
            raise UnrenderableError("two things of one name")
        return name

    def _decimal(self, value: decimal.Decimal) -> str:
        return f"{self._named('Decimal', 'decimal')}({str(value)!r})"

    def _fraction(self, value: fractions.Fraction) -> str:
        return f"{self._named('Fraction', 'fractions')}({self._join((value.numerator, value.denominator))})"

    def _deque(self, value: collections.deque[Any]) -> str:
        bound = "" if value.maxlen is None else f", {value.maxlen}"
        return f"{self._named('deque', 'collections')}([{self._join(value)}]{bound})"

    def _counter(self, value: collections.Counter[Any]) -> str:
        return f"{self._named('Counter', 'collections')}({self._pairs(value)})"

    def _ordered(self, value: collections.OrderedDict[Any, Any]) -> str:
        return f"{self._named('OrderedDict', 'collections')}({self._pairs(value)})"

    def _defaulting(self, value: collections.defaultdict[Any, Any]) -> str:
        factory = self._text(value.default_factory)
        return f"{self._named('defaultdict', 'collections')}({factory}, {self._pairs(value)})"

    def _date(self, value: object) -> str:
        text = repr(value)
        for name in set(_DATE_NAMES.findall(text)):
            self._named(name, "datetime")
        text = _DATE_NAMES.sub(r"\1", text)
        if isinstance(value, datetime.datetime | datetime.time) and not isinstance(
            value.tzinfo, datetime.timezone | None
        ):
            raise UnrenderableError("time zone")
        return text

    def _pattern(self, value: re.Pattern[Any]) -> str:
        self._named("re", "")
        flags = value.flags & ~(re.UNICODE if isinstance(value.pattern, str) else 0)
        return f"re.compile({self._text(value.pattern)}{f', {int(flags)}' if flags else ''})"

    def _string_io(self, value: io.StringIO) -> str:
        if value.closed or value.tell():
            raise UnrenderableError("open stream")
        return f"{self._named('StringIO', 'io')}({self._text(value.getvalue())})"

    def _bytes_io(self, value: io.BytesIO) -> str:
        if value.closed or value.tell():
            raise UnrenderableError("open stream")
        return f"{self._named('BytesIO', 'io')}({self._text(value.getvalue())})"

    def _match(self, value: re.Match[Any]) -> str:
        pattern, string = self._pattern(value.re), self._text(value.string)
        for start in sorted({value.pos, value.start()}):
            for method in ("match", "search", "fullmatch"):
                bounds: tuple[int, ...] = (start, value.endpos)
                again = getattr(value.re, method)(value.string, *bounds)
                if again is not None and again.regs == value.regs:
                    if value.endpos == len(value.string):
                        bounds = (start,) if start else ()
                    return f"{pattern}.{method}({', '.join([string, *map(str, bounds)])})"
        raise UnrenderableError("match")

    def _view(self, value: Any) -> str:
        return f"{self._text(dict(value.mapping))}.{type(value).__name__.removeprefix('dict_')}()"

    def _iterator(self, value: Any) -> str:
        remaining = list(copy.copy(value))
        return f"iter({self._text(remaining if isinstance(value, _ListIterator) else tuple(remaining))})"

    def _by_text(self, value: object) -> str:
        kind = type(value)
        return f"{self._named(kind.__name__, kind.__module__.partition('._')[0])}({str(value)!r})"

    def _namespace(self, value: types.SimpleNamespace) -> str:
        state = ", ".join(f"{name}={self._text(item)}" for name, item in vars(value).items())
        return f"{self._named('SimpleNamespace', 'types')}({state})"

    def _array(self, value: array.array[Any]) -> str:
        return f"{self._named('array', 'array')}({value.typecode!r}, {self._text(value.tolist())})"

    def _proxy(self, value: types.MappingProxyType[Any, Any]) -> str:
        return f"{self._named('MappingProxyType', 'types')}({self._text(dict(value))})"

    def _partial(self, value: functools.partial[Any]) -> str:
        self._named("partial", "functools")
        keywords = "".join(f", {name}={self._text(item)}" for name, item in value.keywords.items())
        positional = "".join(f", {self._text(item)}" for item in value.args)
        return f"partial({self._text(value.func)}{positional}{keywords})"

    # -- functions and classes ---------------------------------------------------------------------

    def _function(self, value: types.FunctionType) -> str:
        is_named = value.__qualname__.isidentifier() and not _is_in_doctest(value)
        if is_named and self._is_ours(value.__module__ or ""):
            return self._named(value.__qualname__, value.__module__)
        return f"({_as_lambda(value)})"

    def _builtin(self, value: object) -> str:
        if (name := _BUILTIN_CALLABLES.get(id(value))) is not None:
            return name
        if (name := _OPERATORS.get(id(value))) is not None:
            return self._named(name, "operator")
        owner = getattr(value, "__self__", None)
        if isinstance(owner, types.ModuleType) and owner.__name__ in _PLAIN_MODULES:
            return self._named(value.__name__, owner.__name__)  # type: ignore[attr-defined]
        raise UnrenderableError("built-in function")

    def _descriptor(self, value: types.MethodDescriptorType) -> str:
        if (owner := _BUILTIN_CALLABLES.get(id(value.__objclass__))) is None:
            raise UnrenderableError("built-in method")
        return f"{owner}.{value.__name__}"

    def _class(self, value: type) -> str:
        if (name := _BUILTIN_CALLABLES.get(id(value))) is not None:
            return name
        module, qualname = type.__dict__["__module__"].__get__(value), value.__qualname__
        if not isinstance(module, str) or "<" in qualname:
            raise UnrenderableError("local class")
        outer = qualname.partition(".")[0]
        if any(
            isinstance(item, types.FunctionType) and _is_in_doctest(item) for item in vars(value).values()
        ):
            raise UnrenderableError("local class")
        if self._is_ours(module) or module in _PLAIN_MODULES or _is_standard(value):
            self._named(outer, module)
            return qualname
        raise UnrenderableError("class of another package")

    # -- objects -----------------------------------------------------------------------------------

    def _other(self, value: object) -> str:
        kind = type(value)
        if id(value) in self._open or len(self._open) > MAX_NESTING:
            raise UnrenderableError("nested")
        self._open.add(id(value))
        try:
            return self._object(value, kind)
        finally:
            self._open.discard(id(value))

    def _object(self, value: object, kind: type) -> str:
        if type.__instancecheck__(type, value):
            return self._class(value)  # type: ignore[arg-type]
        if kind.__module__ == "builtins" and issubclass(kind, BaseException):
            return f"{kind.__name__}({self._join(value.args)})"  # type: ignore[attr-defined]
        if (seen := self._recall(value)) is not None:
            for name, module in seen.needs.items():
                self._named(name, module)
            return seen.text
        is_ours = self._is_ours(kind.__module__ or "")
        if not is_ours and not (_is_standard(kind) and issubclass(kind, enum.Enum | tuple)):
            raise UnrenderableError("object of another package")
        name = self._class(kind)
        if issubclass(kind, enum.Enum):
            member = vars(value).get("_name_")
            if not isinstance(member, str):
                raise UnrenderableError("flags")
            return f"{name}.{member}"
        if issubclass(kind, tuple) and isinstance(fields := getattr(kind, "_fields", None), tuple) and fields:
            return f"{name}({self._join(tuple.__iter__(value))})"  # type: ignore[arg-type]
        if not is_ours:
            raise UnrenderableError("object of another package")
        if isinstance(fields := kind.__dict__.get("__dataclass_fields__"), dict):
            return self._dataclass(value, name, fields)
        return self._by_base(value, kind, name)

    def _dataclass(self, value: object, name: str, fields: dict[str, Any]) -> str:
        parts = [
            f"{field.name}={self._text(object.__getattribute__(value, field.name))}"
            for field in fields.values()
            if field.init and field._field_type is dataclasses._FIELD  # type: ignore[attr-defined]
        ]
        return f"{name}({', '.join(parts)})"

    def _by_base(self, value: object, kind: type, name: str) -> str:
        """Write an object from its built-in part, or from its attributes."""
        makers = [base for base in kind.__mro__ if "__init__" in vars(base) or "__new__" in vars(base)]
        builtin = [base for base in kind.__mro__[:-1] if not _is_made_in_python(base)]
        state = object.__getattribute__(value, "__dict__") if kind.__dictoffset__ else {}
        if type(state) is not dict or builtin[1:] or (builtin and builtin[0] not in _BASES):
            raise UnrenderableError("object whose making was not seen")
        if builtin:
            content = self._text(_built_in_part(value, builtin[0]))
            if makers[0] is builtin[0] and not state:
                return f"{name}({content})"
            return self._helped("object_from", [name, content], state)
        slots = {
            attribute: item.__get__(value)
            for base in reversed(kind.__mro__)
            for attribute, item in vars(base).items()
            if type(item) is types.MemberDescriptorType and _is_set(item, value)
        }
        if slots:
            return self._helped("object_with_slots", [name], {**slots, **state})
        if not state and makers[0] is object:
            return f"{name}()"
        return self._helped("object_with", [name], state)

    def _helped(self, helper: str, parts: list[str], state: dict[str, Any]) -> str:
        for attribute, item in state.items():
            if not attribute.isidentifier() or keyword.iskeyword(attribute):
                raise UnrenderableError("object with odd attributes")
            parts.append(f"{attribute}={self._text(item)}")
        return f"{self._named(helper, HELPER_MODULE)}({', '.join(parts)})"


def _is_made_in_python(kind: type) -> bool:
    """Whether ``object.__new__`` makes an object of this class, its bases apart."""
    maker = vars(kind).get("__new__")
    return bool(kind.__flags__ & _HEAP_TYPE) and (maker is None or isinstance(maker, staticmethod))


def _is_set(slot: types.MemberDescriptorType, value: object) -> bool:
    try:
        slot.__get__(value)
    except AttributeError:
        return False
    return True


def _built_in_part(value: Any, base: Any) -> object:
    """Return a copy, of the built-in type itself, of an object of a subclass.

    Raises:
        UnrenderableError: the subclass makes it something else.
    """
    plain = base.copy(value) if base in (list, dict, set) else base(value)
    if type(plain) is not base:
        raise UnrenderableError("object of a subclass of a built-in type")
    return plain


def _is_standard(kind: type) -> bool:
    """Whether a class is the one of its name in a public module of the standard library."""
    module = type.__dict__["__module__"].__get__(kind)
    if not isinstance(module, str) or module.partition(".")[0] not in sys.stdlib_module_names:
        return False
    is_public = not any(part.startswith("_") for part in module.split("."))
    return is_public and vars(sys.modules.get(module, builtins)).get(kind.__qualname__) is kind


def _is_in_doctest(function: types.FunctionType) -> bool:
    """Whether a function was made by an example of a doctest, which runs under its module's name."""
    return function.__code__.co_filename.startswith("<doctest")


def _as_lambda(function: types.FunctionType) -> str:
    """Return the source of a lambda, or of a function of one ``return``, that uses builtins only.

    Raises:
        UnrenderableError: it is more than that, or its source is not to be had.
    """
    code = function.__code__
    if code.co_freevars or function.__defaults__ or function.__kwdefaults__:
        raise UnrenderableError("closure")
    candidates = []
    for node in _functions_at(code.co_filename, code.co_firstlineno):
        if isinstance(node, ast.Lambda):
            candidates.append(node)
        elif isinstance(node, ast.FunctionDef) and len(node.body) == 1 and not node.decorator_list:
            (statement,) = node.body
            if isinstance(statement, ast.Return) and statement.value is not None:
                bare = ast.Lambda(_bare_arguments(node.args), statement.value)
                candidates.append(ast.fix_missing_locations(bare))
    for candidate in candidates:
        text = ast.unparse(candidate)
        made = compile(text, "<lambda>", "eval").co_consts[0]
        if isinstance(made, types.CodeType) and _same_code(made, code):
            if any(not hasattr(builtins, name) for name in _global_names(made)):
                raise UnrenderableError("function that uses others")
            return text
    raise UnrenderableError("function defined elsewhere")


def _bare_arguments(arguments: ast.arguments) -> ast.arguments:
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return arguments


def _same_code(one: types.CodeType, other: types.CodeType) -> bool:
    return (one.co_code, one.co_names, one.co_varnames) == (other.co_code, other.co_names, other.co_varnames)


def _global_names(code: types.CodeType) -> set[str]:
    import dis

    return {str(i.argval) for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}


@functools.lru_cache(maxsize=64)
def _tree(filename: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(filename)))  # doctest makes its examples known there
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def _functions_at(filename: str, line: int) -> list[ast.AST]:
    tree = _tree(filename)
    if tree is None:
        return []
    kinds = ast.Lambda | ast.FunctionDef
    return [node for node in ast.walk(tree) if isinstance(node, kinds) and node.lineno == line]


_WRITERS: Final[dict[type, Callable[[SourceRenderer, Any], str]]] = {
    int: SourceRenderer._int,
    float: SourceRenderer._float,
    complex: SourceRenderer._complex,
    str: SourceRenderer._str,
    bytes: SourceRenderer._bytes,
    bytearray: SourceRenderer._bytes,
    list: SourceRenderer._list,
    tuple: SourceRenderer._tuple,
    dict: SourceRenderer._pairs,
    set: SourceRenderer._set,
    frozenset: SourceRenderer._set,
    range: SourceRenderer._range,
    slice: SourceRenderer._slice,
    decimal.Decimal: SourceRenderer._decimal,
    fractions.Fraction: SourceRenderer._fraction,
    collections.deque: SourceRenderer._deque,
    collections.Counter: SourceRenderer._counter,
    collections.OrderedDict: SourceRenderer._ordered,
    collections.defaultdict: SourceRenderer._defaulting,
    **dict.fromkeys(_DATES, SourceRenderer._date),
    re.Pattern: SourceRenderer._pattern,
    io.StringIO: SourceRenderer._string_io,
    io.BytesIO: SourceRenderer._bytes_io,
    re.Match: SourceRenderer._match,
    **dict.fromkeys(_VIEWS, SourceRenderer._view),
    _ListIterator: SourceRenderer._iterator,
    _TupleIterator: SourceRenderer._iterator,
    **dict.fromkeys(_WRITTEN_AS_TEXT, SourceRenderer._by_text),
    types.SimpleNamespace: SourceRenderer._namespace,
    types.MappingProxyType: SourceRenderer._proxy,
    array.array: SourceRenderer._array,
    functools.partial: SourceRenderer._partial,
    types.FunctionType: SourceRenderer._function,
    types.BuiltinFunctionType: SourceRenderer._builtin,
    types.MethodDescriptorType: SourceRenderer._descriptor,
    type: SourceRenderer._class,
}
