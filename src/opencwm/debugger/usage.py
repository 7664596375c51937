"""What the parameters of a function probably hold, read from how it uses them, and values like that.

Nothing is run and nothing is certain: an annotation or a default decides, otherwise the first use that tells.
Values are what a tester would try first: typical ones, and those at the edges.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_METHODS: Final = {
    **dict.fromkeys(
        _words(
            "split splitlines strip lstrip rstrip lower upper title capitalize startswith endswith replace"
            " isdigit isalpha isalnum isspace join encode format find partition rpartition zfill swapcase"
        ),
        "str",
    ),
    **dict.fromkeys(_words("append extend insert sort reverse"), "list"),
    **dict.fromkeys(_words("items keys values get setdefault update"), "dict"),
    **dict.fromkeys(_words("add discard union intersection difference issubset"), "set"),
}
_OF_A_SEQUENCE: Final = frozenset(
    {"len", "sum", "sorted", "min", "max", "enumerate", "reversed", "list", "zip"}
)
_NAMES: Final = {
    "List": "list", "Sequence": "list", "Iterable": "list", "Collection": "list", "Tuple": "tuple",
    "Set": "set", "FrozenSet": "set", "frozenset": "set", "Dict": "dict", "Mapping": "dict",
    "MutableMapping": "dict",
}  # fmt: skip
_KINDS: Final = frozenset({"int", "float", "str", "bool", "bytes", "list", "tuple", "set", "dict"})
_STRINGS: Final = _words(
    "text word name string line key char character letter path url message title sentence token label s"
)
_LISTS: Final = _words("items values numbers nums xs elements data rows scores")
_MAPPINGS: Final = _words("mapping table prices stock counts config settings inventory d")
_MAX_DEPTH: Final = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """What a parameter probably holds.

    Attributes:
        kind: name of a built-in type; empty when nothing tells.
        element: what its elements, or the values of a dictionary, hold; None when nothing tells.
        fields: keys that the function looks up in a dictionary, and what their values hold.
        constants: numbers and strings that it is compared with.
        may_be_none: whether None is among what it is made for.
        is_parsed: whether a string is turned into a number.
    """

    kind: str = ""
    element: Use | None = None
    fields: tuple[tuple[str, Use], ...] = ()
    constants: tuple[int | str, ...] = ()
    may_be_none: bool = False
    is_parsed: bool = False


def uses_of(function: FunctionNode, functions: Mapping[str, FunctionNode] | None = None) -> dict[str, Use]:
    """Return what each parameter probably holds, starred ones left out.

    Args:
        function: the definition.
        functions: others of the program by name, which it may hand its parameters to.
    """
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: dict[str, ast.expr | None] = {
        item.arg: default
        for item, default in zip(reversed(positional), reversed(arguments.defaults), strict=False)
    }
    defaults.update(
        (item.arg, default) for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    )
    found = {}
    for item in (*positional, *arguments.kwonlyargs):
        used = _used(item.arg, function.body, functions or {}, 0)
        declared = _declared(item.annotation) or _of_value(defaults.get(item.arg))
        found[item.arg] = used if declared is None else _merged(declared, used)
    return found


def typical(use: Use) -> Any:
    """Return an ordinary value."""
    return next(_values(use, 0))


def edges(use: Use) -> list[Any]:
    """Return values at the edges of what is ordinary, the likeliest to fail first."""
    values = _edges(use)
    return [*values, None] if use.may_be_none else values


def _edges(use: Use) -> list[Any]:
    texts = [item for item in use.constants if isinstance(item, str)]
    match use.kind:
        case "int" | "":
            return [0, -1, *_around(use), 1, 7, 12]
        case "float":
            return [0.0, -1.5, 1.0]
        case "str":
            return ["", *(["12", "x", "3.5"] if use.is_parsed else []), *texts, " ", "a", "Ab, c"]
        case "bool":
            return [False, True]
        case "bytes":
            return [b"", b"a"]
        case "dict":
            return [{}, *_poorer(use)]
        case "set":
            return [set()]
    return _sequences(use)


def _around(use: Use) -> Iterator[int]:
    for item in use.constants:
        if isinstance(item, int):
            yield from (item, item + 1, item - 1)


def _poorer(use: Use) -> Iterator[Any]:
    full = typical(use)
    for key in full:
        yield {name: value for name, value in full.items() if name != key}
    for key, held in use.fields or tuple((key, use.element or Use("int")) for key in full):
        yield {**full, key: edges(held)[0]}


def _sequences(use: Use) -> list[Any]:
    element = use.element or Use("int")
    some = list(_several(element, 5))
    edge = edges(element)[:2]
    made = [
        [],
        some[:1],
        [some[0], some[0]],
        sorted(some, key=repr),
        [*some[:1], *edge],
        list(reversed(some)),
    ]
    return [tuple(items) for items in made] if use.kind == "tuple" else made


def _several(use: Use, count: int) -> Iterator[Any]:
    values = _values(use, 0)
    return (next(values) for _ in range(count))


def _values(use: Use, depth: int) -> Iterator[Any]:
    """Yield ordinary values without end, one unlike the other as far as that is possible."""
    place = 0
    while True:
        yield _value(use, place, depth)
        place += 1


def _value(use: Use, place: int, depth: int) -> Any:
    kind = use.kind or "int"
    if kind == "int":
        return (3, 1, 4, 2, 5, 9)[place % 6]
    if kind == "float":
        return (1.5, 0.5, 4.0, 2.25)[place % 4]
    if kind == "bool":
        return place % 2 == 0
    if kind in ("str", "bytes"):
        words = ("12", "7", "30") if use.is_parsed else ("pear", "apple", "fig", "plum")
        return words[place % len(words)] if kind == "str" else words[place % len(words)].encode()
    element = use.element or Use("int")
    count = 3 if depth < _MAX_DEPTH else 0
    if kind == "dict":
        fields = use.fields or tuple((key, element) for key in ("a", "b", "c")[:count])
        return {key: _value(held, place + index, depth + 1) for index, (key, held) in enumerate(fields)}
    values = [_value(element, place + index, depth + 1) for index in range(count)]
    if kind == "set":
        return set(values) if element.kind not in ("list", "dict", "set") else set()
    return tuple(values) if kind == "tuple" else values


def _merged(declared: Use, used: Use) -> Use:
    if not declared.kind:
        return dataclasses.replace(used, may_be_none=declared.may_be_none or used.may_be_none)
    same = declared.kind == used.kind
    return dataclasses.replace(
        declared,
        element=declared.element or (used.element if same else None),
        fields=used.fields if same else (),
        constants=used.constants,
        may_be_none=declared.may_be_none,
        is_parsed=used.is_parsed,
    )


def _of_value(node: ast.expr | None) -> Use | None:
    if node is None:
        return None
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    if value is None:
        return Use(may_be_none=True)
    name = type(value).__name__
    return Use(name) if name in _KINDS else None


def _declared(node: ast.expr | None, depth: int = 0) -> Use | None:
    """Return what an annotation says; None when there is none, or it is not understood."""
    if node is None or depth > _MAX_DEPTH:
        return None
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return _declared(ast.parse(node.value, mode="eval").body, depth + 1)
        except (SyntaxError, ValueError):
            return None
    if isinstance(node, ast.Constant) and node.value is None:
        return Use(may_be_none=True)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _either([_declared(node.left, depth + 1), _declared(node.right, depth + 1)])
    base = node.value if isinstance(node, ast.Subscript) else node
    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
    kind = _NAMES.get(name, name)
    parts: Sequence[ast.expr] = ()
    if isinstance(node, ast.Subscript):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if kind in ("Optional", "Union"):
        read = [_declared(part, depth + 1) for part in parts]
        return _either([*read, Use(may_be_none=True)] if kind == "Optional" else read)
    if kind not in _KINDS:
        return None
    return Use(kind, _declared(parts[-1 if kind == "dict" else 0], depth + 1) if parts else None)


def _either(uses: Sequence[Use | None]) -> Use | None:
    known = [use for use in uses if use is not None]
    first = next((use for use in known if use.kind), None)
    if first is None:
        return None
    return dataclasses.replace(first, may_be_none=any(use.may_be_none for use in known))


def _used(name: str, body: Sequence[ast.AST], functions: Mapping[str, FunctionNode], depth: int) -> Use:
    """Return what a variable probably holds, from how statements use it."""
    watcher = _Watcher(name, functions, depth)
    for statement in body:
        for node in ast.walk(statement):
            watcher.see(node)
    return watcher.result(body)


class _Watcher:
    """Collects what the uses of one variable tell."""

    def __init__(self, name: str, functions: Mapping[str, FunctionNode], depth: int) -> None:
        self._name = name
        self._functions = functions
        self._depth = depth
        self._kinds: dict[str, int] = {}
        self._lookups: dict[str, str] = {}  # key to the text of the lookup
        self._constants: dict[int | str, None] = {}
        self._elements: list[str] = []
        self._may_be_none = self._is_parsed = False
        self._passed: Use | None = None

    def _is_it(self, node: ast.AST | None) -> bool:
        if isinstance(node, ast.Name):
            return node.id == self._name
        return isinstance(node, ast.Subscript) and ast.unparse(node) == self._name

    def _vote(self, kind: str, weight: int = 1) -> None:
        self._kinds[kind] = self._kinds.get(kind, 0) + weight

    def see(self, node: ast.AST) -> None:
        """Take note of one node."""
        if isinstance(node, ast.Attribute) and self._is_it(node.value) and node.attr in _METHODS:
            self._vote(_METHODS[node.attr], 3)
        elif isinstance(node, ast.Subscript) and self._is_it(node.value):
            self._see_lookup(node)
        elif isinstance(node, ast.For | ast.comprehension) and self._is_it(node.iter):
            self._vote("list")
            if isinstance(node.target, ast.Name):
                self._elements.append(node.target.id)
        elif isinstance(node, ast.BinOp | ast.AugAssign):
            self._see_operation(node)
        elif isinstance(node, ast.Compare):
            self._see_comparison(node)
        elif isinstance(node, ast.Call):
            self._see_call(node)

    def _see_lookup(self, node: ast.Subscript) -> None:
        key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            self._lookups[key.value] = ast.unparse(node)
            self._vote("dict", 3)
        elif isinstance(key, ast.Name) and _hinted(key.id).kind == "str":
            self._vote("dict", 2)
        elif isinstance(key, ast.Slice):
            self._vote("list", 2)
        else:
            self._elements.append(ast.unparse(node))
            self._vote("list", 2 if isinstance(key, ast.Constant | ast.UnaryOp) else 1)

    def _see_operation(self, node: ast.BinOp | ast.AugAssign) -> None:
        sides = [node.target, node.value] if isinstance(node, ast.AugAssign) else [node.left, node.right]
        if not any(self._is_it(side) for side in sides):
            return
        others = [side for side in sides if not self._is_it(side)]
        is_text = any(
            isinstance(side, ast.JoinedStr)
            or (isinstance(side, ast.Constant) and isinstance(side.value, str))
            for side in others
        )
        if is_text:
            self._vote("str", 2 if isinstance(node.op, ast.Add) else 0)
        elif any(isinstance(side, ast.List | ast.ListComp) for side in others):
            self._vote("list", 2)
        else:
            self._vote("int", 1 if isinstance(node.op, ast.Add | ast.Mult) else 2)

    def _see_comparison(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        if not any(self._is_it(side) for side in sides):
            return
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            if self._is_it(node.comparators[0]):
                self._vote("list")
            elif isinstance(node.comparators[0], ast.Constant):
                self._vote("str")
            return
        for side in sides:
            value = side.value if isinstance(side, ast.Constant) else ...
            if value is None:
                self._may_be_none = True
            elif isinstance(value, int | str) and not isinstance(value, bool):
                self._constants[value] = None
                self._vote(type(value).__name__, 2)
            elif (
                value is ...
                and not self._is_it(side)
                and isinstance(node.ops[0], ast.Lt | ast.Gt | ast.LtE | ast.GtE)
            ):
                self._vote("int")

    def _see_call(self, node: ast.Call) -> None:
        if not isinstance(node.func, ast.Name):
            return
        called = node.func.id
        for place, argument in enumerate(node.args):
            if not self._is_it(argument):
                continue
            if called == "range":
                self._vote("int", 3)
            elif called in ("int", "float"):
                self._vote("str", 2)
                self._is_parsed = True
            elif called in _OF_A_SEQUENCE:
                self._vote("list")
            elif called in self._functions and self._depth < _MAX_DEPTH:
                self._see_handed_on(self._functions[called], place)

    def _see_handed_on(self, function: FunctionNode, place: int) -> None:
        parameters = [*function.args.posonlyargs, *function.args.args]
        if place < len(parameters):
            used = _used(parameters[place].arg, function.body, self._functions, self._depth + 1)
            declared = _declared(parameters[place].annotation)
            self._passed = self._passed or (used if declared is None else _merged(declared, used))

    def result(self, body: Sequence[ast.AST]) -> Use:
        """Return what all of it comes to."""
        kind = max(self._kinds, key=lambda item: self._kinds[item], default="")
        if not kind and self._passed is not None:
            return self._passed
        hint = _hinted(self._name)
        if hint.kind and (not kind or (kind == "list" and self._kinds[kind] == 1)):
            kind = hint.kind
        element, fields = None, []
        if self._depth < _MAX_DEPTH and kind in ("list", "tuple", "dict"):
            for text in self._elements[:1]:
                element = _used(text, body, self._functions, self._depth + 1)
            for key, text in self._lookups.items():
                fields.append((key, _used(text, body, self._functions, self._depth + 1)))
        if element is None or not element.kind:
            element = hint.element if hint.kind == kind else None
        return Use(kind, element, tuple(fields), tuple(self._constants), self._may_be_none, self._is_parsed)


def _hinted(name: str) -> Use:
    """Return what a variable of this name mostly holds."""
    if name in _STRINGS:
        return Use("str")
    if name in _MAPPINGS:
        return Use("dict", Use("int"))
    if name.removesuffix("s") in _STRINGS and name.endswith("s") and len(name) > 2:
        return Use("list", Use("str"))
    return Use("list", Use("int")) if name in _LISTS else Use()
