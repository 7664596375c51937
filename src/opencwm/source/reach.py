"""Which lines of a file matter to a run that starts in one function.

The one idea: follow names. A function is reached when its name is mentioned by what is reached; a method when
its class is reached and an attribute of its name is mentioned; a module-level statement when it binds or
changes a name that is mentioned. It errs on the side of showing too much: nothing is executed, no type is
inferred, and code that looks names up at run time (``eval``, ``getattr`` with a computed name) makes
everything it might mean visible. Type annotations of functions do not count as mentions, since they do not
change a run.
"""

from __future__ import annotations

import ast
import collections
import dataclasses
from collections.abc import Collection, Iterable, Iterator

from opencwm.core.errors import ConfigError
from opencwm.core.syntax import syntax_tree
from opencwm.source.scopes import bound_names

_FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef
_PLAIN_DECORATORS = frozenset(
    {
        "property",
        "staticmethod",
        "classmethod",
        "cached_property",
        "cache",
        "lru_cache",
        "wraps",
        "total_ordering",
    }
    | {
        "abstractmethod",
        "overload",
        "override",
        "final",
        "contextmanager",
        "dataclass",
        "setter",
        "getter",
        "deleter",
    }
)
_PLAIN_BASES = frozenset(
    {"object", "ABC", "Protocol", "Generic", "NamedTuple", "TypedDict", "Enum", "IntEnum", "StrEnum"}
)
_BY_STRING = frozenset({"getattr", "setattr", "hasattr", "delattr", "methodcaller", "attrgetter"})
_ANY_NAME = frozenset({"globals", "eval", "exec"})
_EVERYTHING = "*"


@dataclasses.dataclass(frozen=True, slots=True)
class VisibleUnit:
    """A function, a method, a class without its methods, or a module-level statement.

    Attributes:
        name: qualified name; empty for a statement.
        lines: 1-based physical lines, ascending, without docstrings, blank lines and comment-only lines.
    """

    name: str
    lines: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Visible:
    """What of a file is to be shown.

    Attributes:
        units: what can be reached, nearest first: the entry, what it mentions, what that mentions.
        left_out: qualified names of functions, methods and classes that cannot be reached, in file order. A
            class that is left out stands for its methods.
    """

    units: tuple[VisibleUnit, ...]
    left_out: tuple[str, ...]

    @property
    def lines(self) -> tuple[int, ...]:
        """All lines, ascending."""
        return tuple(sorted({line for unit in self.units for line in unit.lines}))


def visible_lines(text: str, entry: str) -> Visible:
    """Find the lines that a run of ``entry`` can reach in a file.

    Args:
        text: the whole file; a program's wrapper belongs to it.
        entry: qualified name of the function the run starts in, such as ``f`` or ``Class.method``.

    Raises:
        ConfigError: the text does not parse, or has no such entry.
    """
    try:
        tree = syntax_tree(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise ConfigError(
            f"not valid Python: {getattr(error, 'msg', None) or error}", where=f"line {line}" if line else ""
        ) from None
    units = list(_units(tree))
    closure = _Closure(units)
    if not closure.enter(entry):
        raise ConfigError(
            f"there is no function {entry!r}",
            hint="name one of: " + ", ".join(_known(units)[:8]) if _known(units) else "the file defines none",
        )
    closure.run()
    kept = [*closure.reached, *_stand_ins(units, closure.reached)]
    shown = set(kept)
    left_out = dict.fromkeys(unit.qualname for unit in units if unit.qualname and unit not in shown)
    physical = text.split("\n")
    return Visible(
        tuple(VisibleUnit(unit.qualname, tuple(_without_comments(physical, unit))) for unit in kept),
        tuple(name for name in left_out if name.rpartition(".")[0] not in left_out),
    )


def _stand_ins(units: list[_Unit], reached: Collection[_Unit]) -> set[_Unit]:
    """Return a method of each reached class that had no body otherwise: what is shown is valid Python."""
    found: dict[_Unit, _Unit] = {}
    for unit in units:
        if unit.owner is not None and unit.owner in reached and not unit.owner.has_body:
            found.setdefault(unit.owner, unit)
    served = {unit.owner for unit in reached}
    return {unit for owner, unit in found.items() if owner not in served}


def _known(units: list[_Unit]) -> list[str]:
    return [unit.qualname for unit in units if unit.qualname and "." not in unit.qualname]


@dataclasses.dataclass(eq=False)
class _Unit:
    """What is shown or left out whole: a function, a method, a class without its methods, a statement.

    ``binds`` are the module-level names it gives a value, ``touches`` those whose objects it may change.
    """

    nodes: list[ast.AST]
    binds: frozenset[str]
    touches: frozenset[str] = frozenset()
    qualname: str = ""
    owner: _Unit | None = None
    bases: frozenset[str] = frozenset()
    always: bool = False
    header: range = range(0)
    has_body: bool = True

    @property
    def name(self) -> str:
        return self.qualname.rpartition(".")[2]


def _units(tree: ast.Module) -> Iterator[_Unit]:
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from _class_units(node, is_open=_is_open(node, classes, set()))
        elif isinstance(node, _FunctionDef):
            yield _Unit([node], frozenset({node.name}), _decorator_roots(node), node.name)
        elif isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = {(item.asname or item.name).split(".")[0] for item in node.names}
            yield _Unit([node], frozenset(names), always="*" in names)
        elif not _is_docstring(node):
            if _is_main_guard(node):  # a run that starts in the entry imports the file
                continue
            binds, touches = frozenset(bound_names([node])), frozenset(_touched(node))
            yield _Unit([node], binds, touches)


def _class_units(node: ast.ClassDef, *, is_open: bool) -> Iterator[_Unit]:
    methods = [item for item in node.body if isinstance(item, _FunctionDef | ast.ClassDef)]
    rest = [item for item in node.body if item not in methods and not _is_docstring(item)] or node.body[:1]
    rest = [item for item in rest if item not in methods]
    parts = [*node.decorator_list, *node.bases, *node.keywords, *rest]
    roots = frozenset(_root(base) for base in node.bases) - {""}
    unit = _Unit(parts, frozenset({node.name}), _decorator_roots(node), node.name, bases=roots)
    unit.has_body = bool(rest)
    unit.header = range(node.lineno, max(node.lineno + 1, _extent(node.body[0])[0]))
    yield unit
    local_names = {item.id for part in rest for item in ast.walk(part) if isinstance(item, ast.Name)}
    for item in methods:
        plain = all(_last(decorator) in _PLAIN_DECORATORS for decorator in item.decorator_list)
        special = item.name.startswith("__") and item.name.endswith("__")
        always = special or is_open or not plain or item.name in local_names
        yield _Unit([item], frozenset(), qualname=f"{node.name}.{item.name}", owner=unit, always=always)


def _is_open(node: ast.ClassDef, classes: dict[str, ast.ClassDef], seen: set[str]) -> bool:
    """Whether code outside of the file may call methods by name: a metaclass or a foreign base class may."""
    if node.keywords:
        return True
    for base in node.bases:
        known = classes.get(base.id) if isinstance(base, ast.Name) else None
        if known is None and not _is_plain_base(base):
            return True
        if known is not None and known.name not in seen and _is_open(known, classes, seen | {node.name}):
            return True
    return False


class _Closure:
    """The fixed point: reached units, and the names and attributes they mention."""

    def __init__(self, units: list[_Unit]) -> None:
        self.units = units
        self.reached: dict[_Unit, None] = {}  # in order of discovery
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self._pending: collections.deque[_Unit] = collections.deque()
        self._functions = {unit.name: unit for unit in units if unit.qualname and unit.owner is None}
        self._variables = {name for unit in units if not unit.qualname for name in unit.binds}
        self._binding: dict[str, list[_Unit]] = {}
        for unit in units:
            for name in unit.binds:
                self._binding.setdefault(name, []).append(unit)
        self._mentions: dict[_Unit, tuple[set[str], set[str]]] = {}

    def enter(self, entry: str) -> bool:
        """Reach the entry; say whether there is one."""
        head, _, rest = entry.partition(".")
        found = [unit for unit in self.units if head in unit.binds and not _is_import(unit)]
        if rest and not rest.startswith("<"):
            method = rest.partition(".")[0]
            inner = [unit for unit in self.units if unit.owner in found and unit.name == method]
            if not inner:
                return False
            found += inner
        for unit in found:
            self._reach(unit)
        return bool(found)

    def run(self) -> None:
        while self._pending or self._reach_more():
            if not self._pending:
                continue
            names, attributes = self._mentioned(self._pending.popleft())
            for name in sorted(names - self.names):  # the common case; _reach_more finds the rest
                for unit in self._binding.get(name, ()):
                    self._reach(unit)
            self.names |= names
            self.attributes |= attributes

    def _reach(self, unit: _Unit) -> None:
        if unit not in self.reached:
            self.reached[unit] = None
            self._pending.append(unit)
            self.names |= unit.binds

    def _reach_more(self) -> bool:
        """Reach every unit the mentioned names ask for; say whether there was one."""
        special = {unit.name for unit in self.reached if unit.owner is not None}
        wants_subclasses = "__subclasses__" in self.attributes or "__init_subclass__" in special
        wanted = [unit for unit in self.units if unit not in self.reached and self._is_wanted(unit)]
        if wants_subclasses:
            wanted += [unit for unit in self.units if unit not in self.reached and unit.bases & self.names]
        for unit in wanted:
            self._reach(unit)
        return bool(wanted)

    def _is_wanted(self, unit: _Unit) -> bool:
        if not _ANY_NAME.isdisjoint(self.names):
            return True
        if unit.owner is not None:
            return unit.owner in self.reached and (
                unit.always or unit.name in self.attributes or _EVERYTHING in self.attributes
            )
        if unit.always or not self.names.isdisjoint(unit.binds):
            return True
        return any(self._changes(name) for name in unit.touches)

    def _changes(self, name: str) -> bool:
        """Whether a statement at module level that works on ``name`` may change what is reached."""
        if name in self.names:
            return True
        function = self._functions.get(name)
        return function is not None and bool(self._mentioned(function)[0] & self._variables & self.names)

    def _mentioned(self, unit: _Unit) -> tuple[set[str], set[str]]:
        if unit not in self._mentions:
            self._mentions[unit] = _mentions(unit.nodes)
        return self._mentions[unit]


def _mentions(nodes: Iterable[ast.AST]) -> tuple[set[str], set[str]]:
    """Return the global names and the attributes that ``nodes`` mention; annotations do not count."""
    names: set[str] = set()
    attributes: set[str] = set()
    strings: set[str] = set()
    local: set[str] = set()
    for node in nodes:
        if isinstance(node, _FunctionDef):
            local |= bound_names([node.args, *node.body])
        for item in _walk(node):
            if isinstance(item, ast.Name):
                names.add(item.id)
            elif isinstance(item, ast.Attribute):
                attributes.add(item.attr)
            elif isinstance(item, ast.Constant) and isinstance(item.value, str):
                strings.add(item.value)
            elif isinstance(item, ast.MatchClass):
                attributes.update(item.kwd_attrs)
            elif isinstance(item, ast.Global):
                names.update(item.names)
                local.difference_update(item.names)
            elif (
                isinstance(item, ast.Call)
                and _last(item.func) in _BY_STRING
                and not _names_are_constant(item)
            ):
                attributes.add(_EVERYTHING)
    if not _BY_STRING.isdisjoint(names | attributes):
        attributes |= strings
    return names - local, attributes


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and what it evaluates, in no order; annotations of functions are passed by."""
    pending = [node]
    while pending:
        item = pending.pop()
        yield item
        if isinstance(item, ast.arg):
            continue
        for field in item._fields:
            value = getattr(item, field, None)
            if field in ("returns", "type_params") or (
                field == "annotation" and not isinstance(item, ast.AnnAssign)
            ):
                continue
            if isinstance(value, ast.AST):
                pending.append(value)
            elif isinstance(value, list):
                pending += [part for part in value if isinstance(part, ast.AST)]


def _names_are_constant(call: ast.Call) -> bool:
    names = call.args if _last(call.func) in ("methodcaller", "attrgetter") else call.args[1:2]
    return all(isinstance(name, ast.Constant) for name in names)


def _touched(statement: ast.AST) -> Iterator[str]:
    """Yield names whose objects a module-level statement may change: stored into, called, or called on."""
    for item in ast.walk(statement):
        if isinstance(item, ast.Subscript | ast.Attribute) and not isinstance(item.ctx, ast.Load):
            yield _root(item)
        elif isinstance(item, ast.Call):
            yield _root(item.func)


def _decorator_roots(node: _FunctionDef | ast.ClassDef) -> frozenset[str]:
    """Return what a definition's decorators start with, except plain ones: they may register it."""
    return frozenset(_root(item) for item in node.decorator_list if _last(item) not in _PLAIN_DECORATORS) - {
        ""
    }


def _root(node: ast.AST) -> str:
    """Return ``a`` for ``a.b[c](d).e``; empty when it starts with no name."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return ""
    return node.id


def _last(node: ast.AST) -> str:
    """Return ``c`` for ``a.b.c(d)``."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_plain_base(base: ast.AST) -> bool:
    name = _last(base.value if isinstance(base, ast.Subscript) else base)
    return name in _PLAIN_BASES or name.endswith(("Error", "Exception", "Warning"))


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_main_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(item, ast.Name) and item.id == "__name__" for item in ast.walk(node.test)
    )


def _is_import(unit: _Unit) -> bool:
    return isinstance(unit.nodes[0], ast.Import | ast.ImportFrom) if unit.nodes else False


def _extent(node: ast.AST) -> tuple[int, int]:
    """Return the first line, decorators included, and the last line of a node."""
    start, end = getattr(node, "lineno", 1), getattr(node, "end_lineno", 0)
    if isinstance(node, _FunctionDef | ast.ClassDef):
        start = min([start, *(item.lineno for item in node.decorator_list)])
    return start, end


def _without_comments(physical: list[str], unit: _Unit) -> list[int]:
    """Return the lines of ``unit`` that hold code."""
    kept = set(unit.header)
    for node in unit.nodes:
        start, end = _extent(node)
        kept.update(range(start, end + 1))
        for item in _statements(node):
            if isinstance(item, _FunctionDef | ast.ClassDef) and len(item.body) > 1:
                kept.difference_update(_docstring_lines(item, physical))
    empty = {line for line in kept if not _holds_code(physical, line)}
    return sorted(kept - (empty - _inside_strings(unit.nodes)) if empty else kept)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement and those in its blocks, in no order."""
    pending = [node]
    while pending:
        item = pending.pop()
        yield item
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            found = getattr(item, block, None)
            if type(found) is list:
                pending += found


def _inside_strings(nodes: Iterable[ast.AST]) -> set[int]:
    """Return the lines on which a string goes on that began before."""
    return {
        line
        for node in nodes
        for item in ast.walk(node)
        if isinstance(item, ast.Constant | ast.JoinedStr)
        for line in range(item.lineno + 1, (item.end_lineno or item.lineno) + 1)
    }


def _holds_code(physical: list[str], line: int) -> bool:
    code = physical[line - 1].strip() if line <= len(physical) else ""
    return bool(code) and not code.startswith("#")


def _docstring_lines(node: _FunctionDef | ast.ClassDef, physical: list[str]) -> range:
    """Return the lines of the docstring of a definition; none when they hold other code too."""
    first, second = node.body[:2]
    is_alone = not physical[first.lineno - 1][: first.col_offset].strip() and second.lineno > (
        first.end_lineno or 0
    )
    if not _is_docstring(first) or not is_alone:
        return range(0)
    return range(first.lineno, (first.end_lineno or first.lineno) + 1)
