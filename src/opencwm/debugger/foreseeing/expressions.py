"""Evaluate Python expressions over values that are only known as text, without running anything.

The one idea: a value's text that is a literal stands for its value; an allow-list of pure operations works on
those, within bounds; whatever depends on anything else is *undecided*, which is an answer and not an error.
There is no ``eval``.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import dataclasses
import re
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from opencwm.debugger.foreseeing.library_classes import MEMBERS, class_of
from opencwm.debugger.foreseeing.pure_getters import Getter
from opencwm.debugger.foreseeing.pure_limits import (
    ExpressionError,
    Undecided,
    UnsupportedError,
    check_size,
    check_spec,
    size_of,
    sized,
)
from opencwm.debugger.foreseeing.pure_operations import (
    ATTRIBUTES,
    BINARY,
    COMPARISONS,
    CONSTANTS,
    FUNCTIONS,
    LOOKING,
    METHODS,
    MODULES,
    UNARY,
    call_function,
    call_method,
    call_unbound,
    is_key,
)
from opencwm.debugger.foreseeing.pure_values import (
    READERS,
    Iterated,
    LookedIntoError,
    Shown,
    kind_of,
    text_of,
    unordered,
)
from opencwm.debugger.foreseeing.shown import (
    holds_objects,
    holds_shown,
    is_object,
    read,
    restored,
    shown_literal,
    with_places,
)

__all__ = [
    "Builtins",
    "ExpressionError",
    "Result",
    "Undecided",
    "UnsupportedError",
    "evaluate",
    "known_value",
    "literal",
    "parsed",
]

MAX_OPERATIONS = 20_000


@dataclasses.dataclass(frozen=True, slots=True)
class Builtins:
    """What names mean that are no variables.

    Attributes:
        functions: those that may be called, by name.
        modules: of :data:`.pure_operations.MODULES`, by the names they are imported as.
        lasting: texts of objects that never read otherwise.
        single: those of them as which nothing else reads.
        values: other attributes of modules that are imported by name.
        submodules: modules that are attributes of others, ``os.path``; None where modules may be changed.
    """

    functions: Mapping[str, Any] = dataclasses.field(default_factory=lambda: FUNCTIONS)
    modules: Mapping[str, str] = dataclasses.field(default_factory=dict)
    lasting: frozenset[str] = frozenset()
    single: frozenset[str] = frozenset()
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    submodules: Mapping[str, str] | None = None

    def module(self, node: ast.expr) -> str:
        """Return the module that an expression is, empty when it is none."""
        if isinstance(node, ast.Attribute):
            return self.submodule(self.module(node.value), node.attr)
        return self.modules.get(node.id, "") if isinstance(node, ast.Name) else ""

    def submodule(self, module: str, name: str) -> str:
        """Return the module that is an attribute of another one, empty when none is."""
        return (self.submodules or {}).get(f"{module}.{name}", "")

    def read(self, text: str) -> str:
        """Return the module that reads so, empty when none does that is known to be as in the library."""
        match = _MODULE.fullmatch(text)
        return match[1] if match is not None and self.submodules is not None else ""


_MODULE: Final = re.compile(r"<module '([\w.]+)'>")
_ALL = Builtins()


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What an expression evaluated to.

    Attributes:
        value: the Python value, made of literals.
        text: its ``repr``.
        names: the variables it was computed from.
    """

    value: Any
    text: str
    names: frozenset[str]


def evaluate(
    expression: str, texts: Mapping[str, str], *, builtins: Builtins = _ALL, with_objects: bool = False
) -> Result:
    """Evaluate ``expression``.

    Args:
        expression: one Python expression of literals, variables, operators, subscripts, comparisons,
            comprehensions, pure built-in functions and pure methods of built-in types.
        texts: variable -> its rendered value.
        builtins: functions that may be called.
        with_objects: whether rendered objects may stand where an operation has no need to look into them.

    Raises:
        Undecided: a variable is unknown, or its text is no literal (an object, a value that was cut).
        ExpressionError: not valid, not allowed, too large, or the operation raises.
    """
    marked, places = with_places(expression.strip()) if with_objects else (expression.strip(), [])
    try:
        tree = parsed(marked)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"SyntaxError: {getattr(error, 'msg', None) or error}") from None
    objects = _Objects(marked, places, tree.body) if with_objects else None
    evaluation = _Evaluation(texts, builtins, objects)
    try:
        value = evaluation.visit(tree.body, {})
        if isinstance(value, Iterated) and not with_objects:
            value = value.items
        text = repr(value) if callable(value) and not isinstance(value, type | Shown) else text_of(value)
    except (Undecided, ExpressionError):
        raise
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply") from None
    except Exception as error:  # what the operation raises is the answer
        if evaluation.has_objects and not isinstance(error, IndexError):
            raise Undecided("an object may behave in a way of its own") from None
        raise ExpressionError(f"{type(error).__name__}: {error}", error) from None
    if callable(value) and not isinstance(value, type | Shown):
        raise ExpressionError(f"{expression.strip()} is a function")
    return Result(value, text, frozenset(evaluation.used))


def parsed(text: str) -> ast.Expression:
    """Return the syntax tree of an expression, without warnings of what is odd about it.

    Raises:
        SyntaxError: it is none; ValueError, RecursionError, MemoryError: as :func:`ast.parse`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval")


def literal(text: str) -> Any:
    """Return the value a rendered text stands for.

    Raises:
        Undecided: it is no literal, or it was cut.
    """
    special = {
        "set()": unordered(set()),
        "frozenset()": unordered(frozenset()),
        "nan": float("nan"),
        "inf": float("inf"),
        "-inf": float("-inf"),
    }
    if text in special:
        return special[text]
    try:
        tree = parsed(text)
        if any(isinstance(node, ast.Constant) and node.value is Ellipsis for node in ast.walk(tree)):
            raise Undecided(f"its value is shown only in part: {_short(text)}")
        value = ast.literal_eval(tree)
        if isinstance(value, complex) and "-" in text:
            raise Undecided("the sign of a complex number is not known")
        return unordered(value) if "{" in text or "set(" in text else value
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise Undecided(f"its value {_short(text)} is no literal") from None


def known_value(text: str) -> Any:
    """Return the value a rendered text stands for; objects in it are :class:`.shown.Shown`.

    Raises:
        Undecided: it was cut, or is not a rendered value.
    """
    with contextlib.suppress(Undecided):
        return literal(text)
    try:
        return shown_literal(text)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise Undecided(f"its value {_short(text)} is not known") from None


_ALWAYS_THE_SAME: Final = re.compile(r"<class '[\w.]+'>|<function [\w.<>]+>|<\w+ object>")
"""How objects read of which the text never changes."""
_BUILT_IN: Final = "|".join(name for name, value in vars(builtins).items() if isinstance(value, type))
_CLASS: Final = re.compile(rf"<class '(?:program\.\w+|{_BUILT_IN})'>")
"""How classes read that a program defines at its top, each once where expressions name them, or Python."""


def _are_same(left: Any, right: Any, builtins: Builtins) -> bool:
    """Return whether two values are one object.

    One of which the text never changes is no other that reads otherwise.

    Raises:
        Undecided: that is not known.
    """
    if isinstance(left, type) and isinstance(right, type):
        return left is right
    texts = text_of(left), text_of(right)
    if not builtins.single.isdisjoint(texts) or (
        not builtins.lasting.isdisjoint(texts) and texts[0] != texts[1]
    ):
        return texts[0] == texts[1]
    if any(map(_ALWAYS_THE_SAME.fullmatch, texts)) and (texts[0] != texts[1] or _CLASS.fullmatch(texts[0])):
        return texts[0] == texts[1]
    raise Undecided("identity of objects is not known")


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


_Names = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class _Objects:
    """The rendered objects in the text of an expression, see :mod:`.shown`."""

    marked: str
    places: list[str]
    root: ast.expr

    def find(self, node: ast.expr, builtins: Builtins) -> Any:
        """Return the object that a part of the expression is, None when it is none.

        Raises:
            Undecided: only a part of it is shown.
        """
        if node is self.root or not is_object(node):
            return None
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        is_called = name in builtins.functions or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and bool(builtins.module(node.func.value))
        )
        if is_called and name not in READERS:
            return None
        try:
            found = read(node, self.marked, self.places)
        except ValueError as error:
            raise Undecided(str(error)) from None
        return None if is_called and isinstance(found, Shown) else found


class _Evaluation:
    """One evaluation: the variables it may read, and what it has used of its allowance."""

    def __init__(self, texts: Mapping[str, str], builtins: Builtins, objects: _Objects | None) -> None:
        self.texts = texts
        self.builtins = builtins
        self.objects = objects
        self.used: set[str] = set()
        self.operations = 0
        self.has_objects = False

    def visit(self, node: ast.expr, bound: _Names) -> Any:
        """Evaluate ``node``; ``bound`` holds the variables of comprehensions around it."""
        self.operations += 1
        if self.operations > MAX_OPERATIONS:
            raise ExpressionError("the expression takes too long")
        found = None if self.objects is None or bound else self.objects.find(node, self.builtins)
        if found is not None:
            self.has_objects = self.has_objects or holds_shown(found)
            return sized(found)
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise UnsupportedError(f"{ast.unparse(node)} is not supported here")
        value = sized(method(node, bound))
        self.operations += size_of(value) // 16
        self.has_objects = self.has_objects or (self.objects is not None and isinstance(value, Iterated))
        return unordered(value) if type(value) in (set, frozenset) else value

    def _constant(self, node: ast.Constant, _: _Names) -> Any:
        return node.value

    def _name(self, node: ast.Name, bound: _Names) -> Any:
        if node.id in bound:
            return bound[node.id]
        if node.id in self.texts:
            self.used.add(node.id)
            try:
                value = (literal if self.objects is None else known_value)(self.texts[node.id])
            except Undecided as error:
                raise Undecided(f"{node.id}: {error}") from None
            self.has_objects = self.has_objects or holds_shown(value)
            return value
        if node.id in self.builtins.functions:
            function = self.builtins.functions[node.id]
            return Shown(f"<function {node.id}>") if isinstance(function, types.FunctionType) else function
        if node.id in self.builtins.values:
            return self.builtins.values[node.id]
        raise Undecided(f"{node.id} is no local variable here")

    def _tuple(self, node: ast.Tuple, bound: _Names) -> Any:
        return tuple(self._elements(node.elts, bound))

    def _list(self, node: ast.List, bound: _Names) -> Any:
        return list(self._elements(node.elts, bound))

    def _set(self, node: ast.Set, bound: _Names) -> Any:
        return set(self._elements(node.elts, bound))

    def _elements(self, nodes: Iterable[ast.expr], bound: _Names) -> Iterator[Any]:
        for node in nodes:
            if isinstance(node, ast.Starred):
                yield from self.visit(node.value, bound)
            else:
                yield self.visit(node, bound)

    def _dict(self, node: ast.Dict, bound: _Names) -> Any:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                found.update(self.visit(value, bound))
            else:
                found[self.visit(key, bound)] = self.visit(value, bound)
        return found

    def _unaryop(self, node: ast.UnaryOp, bound: _Names) -> Any:
        value = self.visit(node.operand, bound)
        if isinstance(value, complex):  # the text of one says less than its two signs
            raise Undecided("the sign of a complex number is not known")
        return UNARY[type(node.op)](value)

    def _binop(self, node: ast.BinOp, bound: _Names) -> Any:
        left, right = self.visit(node.left, bound), self.visit(node.right, bound)
        if type(node.op) not in BINARY:
            raise UnsupportedError(f"{ast.unparse(node)} is not supported here")
        if isinstance(node.op, ast.Mod) and isinstance(left, str) and holds_shown(right):
            raise LookedIntoError("an object would be formatted")
        check_size(node.op, left, right)
        return BINARY[type(node.op)](left, right)

    def _boolop(self, node: ast.BoolOp, bound: _Names) -> Any:
        wanted = isinstance(node.op, ast.Or)
        value: Any = None
        for part in node.values:
            value = self.visit(part, bound)
            if bool(value) is wanted:
                break
        return value

    def _compare(self, node: ast.Compare, bound: _Names) -> Any:
        left = self.visit(node.left, bound)
        result: Any = True
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.visit(right_node, bound)
            identity = isinstance(op, ast.Is | ast.IsNot)
            if identity and not any(side is None or isinstance(side, bool) for side in (left, right)):
                result = _are_same(left, right, self.builtins) is isinstance(op, ast.Is)
            else:
                result = COMPARISONS[type(op)](left, right)
            if not result:
                break
            left = right
        return result

    def _ifexp(self, node: ast.IfExp, bound: _Names) -> Any:
        return self.visit(node.body if self.visit(node.test, bound) else node.orelse, bound)

    def _subscript(self, node: ast.Subscript, bound: _Names) -> Any:
        return self.visit(node.value, bound)[self.visit(node.slice, bound)]

    def _slice(self, node: ast.Slice, bound: _Names) -> Any:
        parts = [
            None if part is None else self.visit(part, bound) for part in (node.lower, node.upper, node.step)
        ]
        return slice(*parts)

    def _call(self, node: ast.Call, bound: _Names) -> Any:
        args = list(self._elements(node.args, bound))
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.visit(keyword.value, bound)
            more = value if keyword.arg is None else {keyword.arg: value}
            if (
                not isinstance(more, dict)
                or not all(type(name) is str for name in more)
                or keywords.keys() & more
            ):
                raise UnsupportedError("such arguments by name are not supported here")
            keywords |= more
        key = keywords.get("key")
        if key is not None and (not is_key(key) or holds_objects(args)):
            raise UnsupportedError("key= is supported here for a few built-in functions only")
        if isinstance(node.func, ast.Attribute):
            module = self._module(node.func.value)
            if module:
                if node.func.attr not in MODULES.get(module, ()):
                    raise UnsupportedError(f"{module}.{node.func.attr} is not supported here")
                return call_function(MODULES[module][node.func.attr], args, keywords)
            if node.func.attr == "format" and holds_shown([*args, *keywords.values()]):
                raise LookedIntoError("an object would be formatted")
            target, name = self.visit(node.func.value, bound), node.func.attr
            if isinstance(target, type) and name in METHODS.get(target, ()) and args and not keywords:
                return call_unbound(vars(target)[name], *args)
            return call_method(target, name, args, keywords)
        function = self._function(node.func, bound) or self.visit(node.func, bound)
        if isinstance(function, Getter) and not keywords:
            return function(*args)
        if not any(function is known for known in (*FUNCTIONS.values(), *self.builtins.functions.values())):
            raise UnsupportedError(f"{ast.unparse(node.func)} cannot be called here")
        if function in LOOKING and holds_shown(args):
            raise LookedIntoError(f"{ast.unparse(node.func)} would look into an object")
        return call_function(function, args, keywords)

    def _function(self, node: ast.expr, bound: _Names) -> Any:
        """Return the function that a name is called as; None for anything else."""
        if not isinstance(node, ast.Name) or node.id in self.texts or node.id in bound:
            return None
        return self.builtins.functions.get(node.id)

    def _module(self, node: ast.expr) -> str:
        """Return the module that an expression is, by its name or as it reads; empty when it is none."""
        if isinstance(node, ast.Attribute):
            return self.builtins.submodule(self._module(node.value), node.attr)
        if self.objects is not None and is_object(node) and isinstance(node, ast.Name):
            return self.builtins.read(restored(node.id, self.objects.places))
        return self.builtins.module(node)

    def _attribute(self, node: ast.Attribute, bound: _Names) -> Any:
        module = self._module(node.value)
        if submodule := self.builtins.submodule(module, node.attr):
            return Shown(f"<module '{submodule}'>")
        if module in CONSTANTS and node.attr in CONSTANTS[module]:
            return CONSTANTS[module][node.attr]
        if isinstance(MODULES.get(module, {}).get(node.attr), types.BuiltinFunctionType):
            return MODULES[module][node.attr]
        if module and (kind := class_of(module, node.attr)) is not None:
            return kind
        if not module:
            value = self.visit(node.value, bound)
            if isinstance(value, Shown) and (value.text, node.attr) in MEMBERS:
                return Shown(MEMBERS[value.text, node.attr])
            if node.attr in ATTRIBUTES.get(kind_of(value), ()):
                return getattr(value, node.attr)
            if isinstance(value, type) and node.attr in METHODS.get(value, ()):
                return vars(value)[node.attr]
        raise Undecided(f"attributes such as {ast.unparse(node)} are not known")

    def _joinedstr(self, node: ast.JoinedStr, bound: _Names) -> Any:
        return "".join(str(self.visit(part, bound)) for part in node.values)

    def _formattedvalue(self, node: ast.FormattedValue, bound: _Names) -> Any:
        value = self.visit(node.value, bound)
        if holds_shown(value):
            raise LookedIntoError("an object would be formatted")
        conversions: dict[int, Callable[[Any], str]] = {ord("r"): repr, ord("s"): str, ord("a"): ascii}
        convert = conversions.get(node.conversion)
        spec = "" if node.format_spec is None else str(self.visit(node.format_spec, bound))
        check_spec(spec)
        return format(convert(value) if convert else value, spec)

    def _listcomp(self, node: ast.ListComp, bound: _Names) -> Any:
        return [self.visit(node.elt, inner) for inner in self._loops(node.generators, bound)]

    def _setcomp(self, node: ast.SetComp, bound: _Names) -> Any:
        return {self.visit(node.elt, inner) for inner in self._loops(node.generators, bound)}

    def _generatorexp(self, node: ast.GeneratorExp, bound: _Names) -> Any:
        return [self.visit(node.elt, inner) for inner in self._loops(node.generators, bound)]

    def _dictcomp(self, node: ast.DictComp, bound: _Names) -> Any:
        loops = self._loops(node.generators, bound)
        return {self.visit(node.key, inner): self.visit(node.value, inner) for inner in loops}

    def _loops(self, generators: list[ast.comprehension], bound: _Names) -> Iterator[_Names]:
        if not generators:
            yield bound
            return
        first, *rest = generators
        for item in self.visit(first.iter, bound):
            inner = {**bound, **_unpacked(first.target, item)}
            if all(self.visit(test, inner) for test in first.ifs):
                yield from self._loops(rest, inner)


def _unpacked(target: ast.expr, value: Any) -> dict[str, Any]:
    if isinstance(target, ast.Name):
        return {target.id: value}
    if isinstance(target, ast.Tuple | ast.List) and not any(
        isinstance(item, ast.Starred) for item in target.elts
    ):
        found: dict[str, Any] = {}
        for item, part in zip(target.elts, value, strict=True):
            found |= _unpacked(item, part)
        return found
    raise UnsupportedError(f"the loop target {ast.unparse(target)} is not supported here")
