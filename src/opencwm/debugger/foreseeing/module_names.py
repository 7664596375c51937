"""What the names of a module stand for, where that is the same whenever a function of it runs.

Functions and classes, built-in or defined once, undecorated, at the top; functions of a few modules that are
imported there; and names that are bound once, to a value that cannot change and that can be worked out.
"""

from __future__ import annotations

import ast
import builtins
import collections
import dataclasses
import importlib
import re
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.abstract_classes import ABSTRACT
from opencwm.debugger.foreseeing.bindings import bindings, names_by_string
from opencwm.debugger.foreseeing.expectations import Made
from opencwm.debugger.foreseeing.expressions import Builtins, ExpressionError, Undecided, evaluate
from opencwm.debugger.foreseeing.field_classes import made_by_call
from opencwm.debugger.foreseeing.imported_names import Imports
from opencwm.debugger.foreseeing.inlined import Returning
from opencwm.debugger.foreseeing.library_classes import BY_TEXT, WITH_CLASSES
from opencwm.debugger.foreseeing.library_objects import library_objects
from opencwm.debugger.foreseeing.module_aliases import Aliases
from opencwm.debugger.foreseeing.mutations import CHANGING_FUNCTIONS
from opencwm.debugger.foreseeing.object_shapes import is_decorated, is_only_dataclass
from opencwm.debugger.foreseeing.pure_operations import CONSTANTS, FUNCTIONS, METHODS, MODULES
from opencwm.debugger.foreseeing.pure_values import as_in_python, is_fixed, kind_of, text_of
from opencwm.debugger.foreseeing.qualified_names import FunctionNode, QualifiedNames
from opencwm.debugger.foreseeing.read_only import read_only
from opencwm.debugger.foreseeing.single_objects import single_objects
from opencwm.debugger.foreseeing.tables import Table, table
from opencwm.tracer.bound_names import BoundNames
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer

_STANDARD: Final = frozenset(
    {"collections", "collections.abc", "datetime", "decimal", "enum", "fractions", "functools", "io"}
    | {"itertools", "numbers", "operator", "string", "types"}
)
"""Modules whose classes and functions, once imported, are told by name."""
_SPECIAL: Final = {"inf": float("inf"), "nan": float("nan")}
_SHOWN_OF_PATTERNS: Final = 200
"""Characters of a pattern, as it is written, that Python shows of it."""
MAX_CHARS: Final = 4_000
"""Longer constants are left to the model."""


@dataclasses.dataclass(frozen=True, slots=True)
class ModuleNames:
    """What the names of one module stand for.

    Attributes:
        texts: how they read, by name.
        builtins: the functions of Python among them.
        fixed: names that the module binds to what never changes.
        tables: dictionaries of functions that nothing changes, by name.
        aliases: how names read that stand for a function of it that is defined by another name.
        defaults: methods of compiled patterns that are defaults of parameters, as they are written.
        abstract: abstract classes of the standard library by name, and others by how they read; none where
            classes are registered.
    """

    texts: Mapping[str, str]
    builtins: Builtins
    fixed: frozenset[str] = frozenset()
    abstract: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tables: Mapping[str, Table] = dataclasses.field(default_factory=dict)
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    defaults: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, tree: ast.Module, bound: BoundNames) -> ModuleNames:
        """Read a module."""
        counts = collections.Counter(bindings(tree))
        imports = Imports.of(tree)
        texts = {
            name: text
            for name, text in _built_in(bound)
            if name not in imports.doubtful | imports.certain.keys()
        }
        functions: dict[str, Any] = {name: FUNCTIONS[name] for name in FUNCTIONS.keys() & texts.keys()}
        modules: dict[str, str] = {}
        values: dict[str, Any] = {}
        for node in tree.body:
            if isinstance(node, FunctionNode | ast.ClassDef):
                functions.pop(node.name, None)
                texts.pop(node.name, None)
                is_class = isinstance(node, ast.ClassDef)
                is_plain = not node.decorator_list or (
                    isinstance(node, ast.ClassDef) and (is_only_dataclass(node) or not is_decorated(node))
                )
                if node.name in bound.constant and is_plain and node.name not in imports.doubtful:
                    texts[node.name] = (
                        f"<class 'program.{node.name}'>" if is_class else f"<function {node.name}>"
                    )
        for name, (module, what) in imports.certain.items():
            is_hiding = name in imports.doubtful and hasattr(builtins, name)
            if name not in bound.constant or is_hiding or not imports.is_trusted:
                continue
            text = imported_text(module, what) if what else ""
            if module_read := imports.module(name):
                text = f"<module '{module_read}'>"
                is_known = (
                    module_read in MODULES
                    or module_read in CONSTANTS
                    or module_read in WITH_CLASSES
                    or module_read in imports.packages
                )
                modules |= {name: module_read} if is_known else {}
            elif what in MODULES.get(module, ()):
                functions[name] = MODULES[module][what]
            elif what in CONSTANTS.get(module, ()):
                values[name] = CONSTANTS[module][what]
                text = text_of(values[name])
            texts |= {name: text} if text and name in imports.top else {}
        aliases = Aliases.of(tree) if imports.is_trusted else Aliases()
        texts |= {name: _text_of_python(python) for name, python in aliases.python.items()}
        functions |= {name: FUNCTIONS[known] for name, known in aliases.python.items() if known in FUNCTIONS}
        if imports.certain.keys().isdisjoint(_SPECIAL) and not any(
            isinstance(node, ast.Name) and node.id in _SPECIAL for node in nodes_of(tree)
        ):
            values |= _SPECIAL  # then only rendered numbers read so
        trusted = imports.submodules if imports.is_trusted else None
        found = Builtins(functions, modules, values=values, submodules=trusted)
        by_name = QualifiedNames(tree)
        fixed, methods, tables, patterns = _values(
            tree, counts, found, texts, lambda text: by_name.first(text[len("<function ") : -1])
        )
        is_named = not names_by_string(tree)
        objects, single = single_objects(tree, texts, counts) if is_named else ({}, frozenset())
        fixed |= objects
        texts |= fixed | (library_objects(tree, counts) if is_named else {})
        own = {name: f"<function {function}>" for name, function in aliases.functions.items()}
        texts |= own
        found = dataclasses.replace(
            found,
            functions={**functions, **methods},
            values={**values, **patterns},
            lasting=frozenset(objects.values()),
            single=single,
        )
        abstract = dict(_abstract(tree, bound, imports))
        defaults = dict(_defaults(tree, texts, found)) if is_named else {}
        return cls(texts, found, frozenset({*fixed, *own}), abstract, tables, own, defaults)


def _abstract(tree: ast.Module, bound: BoundNames, imports: Imports) -> Iterator[tuple[str, Any]]:
    """Yield abstract classes by the names they are imported by, and classes by how they read."""
    if any(isinstance(node, ast.Attribute) and node.attr == "register" for node in nodes_of(tree)):
        return
    if not imports.is_trusted:
        return
    yield from BY_TEXT.items()
    for name, what in imports.certain.items():
        if what in ABSTRACT and name in bound.constant:
            yield name, ABSTRACT[what]


def imported_text(module: str, name: str) -> str | None:
    """Return how a class or function reads that is imported from the standard library, if that is known."""
    if module == "heapq":
        text = f"<built-in function {name}>"
        return text if text in CHANGING_FUNCTIONS else None
    if module not in _STANDARD and name not in MODULES.get(module, ()):
        return None
    value = getattr(importlib.import_module(module), name, None)
    is_told = isinstance(value, type | types.FunctionType | types.BuiltinFunctionType)
    return Renderer(DEFAULT_LIMITS).render(value) if is_told else None


def _built_in(bound: BoundNames) -> Iterator[tuple[str, str]]:
    for name, value in vars(builtins).items():
        if name in bound.constant and isinstance(value, type | types.BuiltinFunctionType):
            yield name, _text_of_python(name)


def _text_of_python(name: str) -> str:
    """Return how a function or class of Python reads."""
    value = getattr(builtins, name)
    if isinstance(value, type):
        return f"<class '{value.__name__}'>"  # ``IOError`` is another name of ``OSError``
    return f"<built-in function {name}>"


def _values(
    tree: ast.Module,
    counts: Mapping[str, int],
    known: Builtins,
    texts_before: Mapping[str, str],
    first_of: Callable[[str], int],
) -> tuple[dict[str, str], dict[str, Any], dict[str, Table], dict[str, re.Pattern[Any]]]:
    """Return how the names read that are bound once, at the top, to what cannot change.

    With them those that are methods of it, tables of functions, and patterns of which the text is cut.
    """
    if names_by_string(tree):
        return {}, {}, {}, {}
    unchanged = frozenset(read_only(tree, known.functions.keys()))
    texts: dict[str, str] = {}
    methods: dict[str, Any] = {}
    tables: dict[str, Table] = {}
    patterns: dict[str, re.Pattern[Any]] = {}
    sets: dict[str, ast.expr] = {}
    returning = Returning(tree, texts_before)
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [target.id for target in targets if isinstance(target, ast.Name) and counts[target.id] == 1]
        if value is None or not names:
            continue
        if made_by_call(node) and _is_namedtuple(value, texts_before):
            texts[names[0]] = f"<class 'program.{names[0]}'>"
            continue
        if isinstance(value, ast.Name) and texts_before.get(value.id, "").startswith("<"):
            texts |= dict.fromkeys(names, texts_before[value.id])
            continue
        made = table(value, texts_before, known, first_of) if names[0] in unchanged else None
        if made is not None and len(targets) == 1 and len(made[0]) <= MAX_CHARS:
            texts[names[0]], tables[names[0]] = made
            continue
        method = _method_of_constant(value, texts, known)
        if method is not None:
            texts |= dict.fromkeys(names, Renderer(DEFAULT_LIMITS).render(method))
            methods |= dict.fromkeys(names, method)
            continue
        whole = _with_sets(returning.inlined(value), sets)
        try:
            found = evaluate(ast.unparse(whole), texts, builtins=known, with_objects=True)
        except (ExpressionError, Undecided):
            continue
        if kind_of(found.value) is frozenset:
            sets |= dict.fromkeys(names, whole)
        if isinstance(found.value, re.Pattern) and len(repr(found.value.pattern)) > _SHOWN_OF_PATTERNS:
            texts |= {name: Made(found.text, name) for name in names}
            patterns |= dict.fromkeys(names, found.value)
            continue
        is_alone = len(targets) == 1 and names[0] in unchanged and _holds_what_is_fixed(found.value)
        if len(found.text) <= MAX_CHARS and (is_fixed(found.value) or is_alone):
            texts |= dict.fromkeys(names, found.text)
    return texts, methods, tables, patterns


def _with_sets(node: ast.expr, sets: Mapping[str, ast.expr]) -> ast.expr:
    """Return an expression with those in the places of names that make the sets that they stand for.

    How a set was made says in which order its items come; how it reads does not.
    """
    if isinstance(node, ast.Call) and not node.keywords:
        args = [sets.get(item.id, item) if isinstance(item, ast.Name) else item for item in node.args]
        return ast.Call(node.func, args, [])
    return node


def _method_of_constant(node: ast.expr | None, texts: Mapping[str, str], known: Builtins) -> Any:
    """Return the method of a compiled pattern that an expression is; None for any other."""
    if not isinstance(node, ast.Attribute) or node.attr not in METHODS[re.Pattern]:
        return None
    try:
        found = evaluate(ast.unparse(node.value), texts, builtins=known, with_objects=True).value
    except (ExpressionError, Undecided):
        return None
    return getattr(found, node.attr) if isinstance(found, re.Pattern) else None


def _defaults(tree: ast.Module, texts: Mapping[str, str], known: Builtins) -> Iterator[tuple[str, Made]]:
    """Yield the defaults of parameters that are methods of compiled patterns, with what they are."""
    for node in nodes_of(tree):
        parts = (*node.defaults, *node.kw_defaults) if isinstance(node, ast.arguments) else ()
        for part in parts:
            method = _method_of_constant(part, texts, known)
            if part is not None and method is not None:
                source = f"{text_of(method.__self__)}.{method.__name__}"
                yield ast.unparse(part), Made(Renderer(DEFAULT_LIMITS).render(method), source)


def _is_namedtuple(value: ast.expr, texts: Mapping[str, str]) -> bool:
    """Whether what is called is ``collections.namedtuple``."""
    function = value.func if isinstance(value, ast.Call) else value
    if isinstance(function, ast.Attribute):
        return texts.get(ast.unparse(function.value)) == "<module 'collections'>"
    return texts.get(ast.unparse(function)) == "<function namedtuple>"


def _holds_what_is_fixed(value: object) -> bool:
    """Whether a value is a container of Python's own whose items cannot change."""
    if kind_of(value) is dict:
        assert isinstance(value, dict)  # noqa: S101 - just found out
        return all(map(is_fixed, value.values()))
    if kind_of(value) not in (list, set):
        return False
    return all(map(is_fixed, as_in_python(value)))
