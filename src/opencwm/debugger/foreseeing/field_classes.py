"""Classes whose objects are made of fields by code that Python writes: dataclasses and named tuples.

What such a class is called with tells how the object reads, ``P(1, y=2)`` reads ``P(x=1, y=2)``, and how an
object reads tells its fields, as long as the program has no say in either.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from opencwm.debugger.foreseeing.attributes import reads_the_same_inside
from opencwm.debugger.foreseeing.expressions import (
    Builtins,
    ExpressionError,
    Undecided,
    evaluate,
    known_value,
)
from opencwm.debugger.foreseeing.object_shapes import bound_in, is_only_dataclass, last_name
from opencwm.debugger.foreseeing.pure_values import is_fixed
from opencwm.debugger.foreseeing.rendered import MAX_CHARS
from opencwm.debugger.foreseeing.shown import is_cut, marked_tree, text_at

_READING: Final = frozenset({"__getattribute__", "__getattr__", "__repr__"})
"""What gives a class a say in how its objects read."""
_MAKING: Final = frozenset({"__init__", "__new__", "__post_init__", "__setattr__", "__init_subclass__"})
"""What gives a class a say in how its objects are made."""
_WORDING: Final = frozenset({"__str__", "__repr__", "__format__"})
_OF_ROWS: Final = frozenset(
    """__iter__ __getitem__ __len__ __reversed__ __contains__ __class_getitem__ _make _replace _asdict _fields
    count index""".split()  # noqa: SIM905 - it reads better
)
"""What gives a named tuple a say in what its items are."""
_COMPARING: Final = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})
_OPTIONS: Final = frozenset({"frozen", "eq", "order", "unsafe_hash", "slots"})
"""Of dataclasses: those that leave alone how objects are made, and how they read."""
_FACTORIES: Final[Mapping[str, str]] = {"dict": "{}", "list": "[]", "set": "set()", "tuple": "()"}
_NO_FIELDS: Final = ("ClassVar", "InitVar", "KW_ONLY")
_NOTHING: Final = Builtins({})
_SYMBOLS: Final = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.NotIn: "not in",
}
_OF_ITEMS: Final = frozenset({"len", "list", "tuple", "sum", "max", "min", "sorted", "bool"})
"""Functions that ask a tuple for its items."""

TUPLE_METHODS: Final = frozenset({"_replace", "_asdict"})
"""Those of every named tuple that are worked out."""

Fields = dict[str, "str | None"]
"""Names of fields, in order, with how their defaults read; None for none."""


@dataclasses.dataclass(frozen=True, slots=True)
class FieldClasses:
    """The dataclasses and named tuples of a program.

    Attributes:
        fields: by class.
        tuples: named tuples among them.
        plain: those whose objects are made of fields alone.
        bare: named tuples that have no methods of their own.
        worded: those whose objects are put in words as they read.
        bracketed: named tuples that say themselves how they are put in words; they read ``P((1, 2))``.
        rows: named tuples whose items are those of tuples.
        compared: those of them that are compared as tuples are.
    """

    fields: Mapping[str, Fields] = dataclasses.field(default_factory=dict)
    tuples: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()
    bare: frozenset[str] = frozenset()
    worded: frozenset[str] = frozenset()
    bracketed: frozenset[str] = frozenset()
    rows: frozenset[str] = frozenset()
    compared: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tree: ast.Module, constants: Mapping[str, str]) -> FieldClasses:
        """Read a program; ``constants`` say how names of its module read that stand for the same always."""
        fields: dict[str, Fields] = {}
        tuples: set[str] = set()
        plain: set[str] = set()
        bare: set[str] = set()
        worded: set[str] = set()
        bracketed: set[str] = set()
        rows: set[str] = set()
        compared: set[str] = set()
        for node in tree.body:
            name = made_by_call(node) or getattr(node, "name", "")
            if constants.get(name) != f"<class 'program.{name}'>":
                continue
            if isinstance(node, ast.Assign):
                found, own = _of_call(node.value), set[str]()
            elif isinstance(node, ast.ClassDef):
                found = _of_dataclass(node, fields, tuples) if node.decorator_list else _of_tuple(node)
                own = bound_in(node)
            if found is None or any(field.startswith("_") for field in found):
                continue
            fields[name] = found
            if not getattr(node, "decorator_list", ()):
                tuples.add(name)
                bare |= {name} if own <= found.keys() | {""} else set()
                bracketed |= {name} if "__repr__" in own else set()
                rows |= {name} if _OF_ROWS.isdisjoint(own) else set()
                compared |= {name} if _OF_ROWS.isdisjoint(own) and _COMPARING.isdisjoint(own) else set()
            if _MAKING.isdisjoint(own):
                plain.add(name)
            if _WORDING.isdisjoint(own) and _own_bases(node) <= worded:
                worded.add(name)
        return cls(
            fields,
            frozenset(tuples),
            frozenset(plain),
            frozenset(bare),
            frozenset(worded),
            frozenset(bracketed),
            frozenset(rows),
            frozenset(compared),
        )

    def is_worded(self, text: str) -> bool:
        """Whether an object of such a class, as it reads, is put in words as that."""
        found = marked_tree(text) if text.partition("(")[0] in self.worded and not is_cut(text) else None
        if found is None:
            return False
        node, marked, places = found
        if not isinstance(node, ast.Call):
            return False
        return not node.args and all(
            self._reads_as_repr(text_at(item.value, marked, places)) for item in node.keywords
        )

    def _reads_as_repr(self, text: str) -> bool:
        """Whether a value reads as ``repr`` has it."""
        try:
            return repr(ast.literal_eval(text)) == text
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            return self.is_worded(text)

    def made(self, text: str) -> str | None:
        """Return how an object reads that a call makes; None where that is not known."""
        name = text.partition("(")[0]
        if name not in self.plain | self.rows:
            return None
        found = marked_tree(text)
        if found is None:
            return None
        node, marked, places = found
        if not isinstance(node, ast.Call) or any(isinstance(item, ast.Starred) for item in node.args):
            return None
        args = [text_at(item, marked, places) for item in node.args]
        keywords = {item.arg or "": text_at(item.value, marked, places) for item in node.keywords}
        if not all(map(_is_value, (*args, *keywords.values()))):
            return None
        if isinstance(node.func, ast.Attribute):
            own = self._parts(text_at(node.func.value, marked, places)) if name in self.rows else None
            return None if own is None or args else self._of_method(name, node.func.attr, own, keywords)
        if not isinstance(node.func, ast.Name) or name not in self.plain:
            return None
        return self.constructed(name, args, keywords)

    def constructed(self, name: str, args: Sequence[str], keywords: Mapping[str, str]) -> str | None:
        """Return how an object of a class reads that is made of values; None where that is not known."""
        fields = self.fields[name]
        try:
            bound = _signature(fields).bind(*args, **keywords)
        except (TypeError, ValueError):
            return None
        given = {field: bound.arguments.get(field, default) for field, default in fields.items()}
        return self._of_fields(name, given)

    def answer(self, text: str, builtins: Builtins) -> str | None:
        """Return the value of an expression that asks a named tuple as a tuple; None for any other.

        Args:
            text: the expression.
            builtins: the functions of Python that its names stand for.
        """
        if not any(f"{name}(" in text for name in self.rows):
            return None
        found = marked_tree(text)
        if found is None:
            return None
        node, marked, places = found

        def row(part: ast.expr, kinds: frozenset[str]) -> str:
            shown = text_at(part, marked, places)
            return self._row(shown) if shown.partition("(")[0] in kinds else shown

        changed = ""
        if isinstance(node, ast.Subscript):
            changed = f"{row(node.value, self.rows)}[{text_at(node.slice, marked, places)}]"
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            sides = row(node.left, self.compared), row(node.comparators[0], self.compared)
            changed = f" {_SYMBOLS.get(type(node.ops[0]), 'in')} ".join(sides)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
            is_asking = node.func.id in _OF_ITEMS and not node.keywords
            changed = f"{node.func.id}({row(node.args[0], self.rows)})" if is_asking else ""
        try:
            return (
                evaluate(changed, {}, builtins=builtins, with_objects=True).text
                if changed and changed != text
                else None
            )
        except (ExpressionError, Undecided):
            return None

    def _row(self, text: str) -> str:
        """Return how a tuple of the fields of a named tuple reads; anything else as it is."""
        parts = self._parts(text)
        return text if parts is None else _bracketed(list(parts.values()))

    def read(self, text: str, name: str) -> str | None:
        """Return how a field reads of a named tuple; None for any other object."""
        parts = self._parts(text)
        if parts is None:
            return None
        return _bracketed(list(map(repr, parts))) if name == "_fields" else parts.get(name)

    def tuple_of(self, text: str) -> str:
        """Return the class of a named tuple, as it reads; empty for any other object."""
        return "" if self._parts(text) is None else text.partition("(")[0]

    def items(self, text: str) -> list[str]:
        """Return the items of a named tuple that has no say in them; none for any other object."""
        parts = self._parts(text) if text.partition("(")[0] in self.rows else None
        return [] if parts is None else list(parts.values())

    def _parts(self, text: str) -> dict[str, str] | None:
        """Return the fields of a named tuple; None for any other object."""
        kind = text.partition("(")[0]
        found = marked_tree(text) if kind in self.tuples else None
        if found is None:
            return None
        node, marked, places = found
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return None
        parts = {item.arg or "": text_at(item.value, marked, places) for item in node.keywords}
        if kind in self.bracketed and len(node.args) == 1 and isinstance(node.args[0], ast.Tuple):
            values = [text_at(item, marked, places) for item in node.args[0].elts]
            parts = dict(zip(self.fields[kind], values, strict=False))
        return (
            parts if list(parts) == list(self.fields[kind]) and self._written(kind, parts) == text else None
        )

    def _written(self, name: str, parts: Mapping[str, str | None]) -> str:
        """Return how an object reads by its fields."""
        if name in self.bracketed:
            return f"{name}({_bracketed([str(value) for value in parts.values()])})"
        return f"{name}({', '.join(f'{field}={value}' for field, value in parts.items())})"

    def _of_fields(self, name: str, given: Mapping[str, str | None]) -> str | None:
        """Return how an object reads that is made of fields; None where one of them is not known."""
        if not all(
            value is not None and reads_the_same_inside(value, f"{name}(") for value in given.values()
        ):
            return None
        made = self._written(name, given)
        return made if len(made) <= MAX_CHARS else None

    def _of_method(
        self, name: str, method: str, own: Mapping[str, str], keywords: Mapping[str, str]
    ) -> str | None:
        """Return what a method gives that every named tuple has; None for any other method."""
        if method == "_replace" and keywords.keys() <= own.keys():
            return self._of_fields(name, {**own, **keywords})
        if method == "_asdict" and not keywords:
            return f"{{{', '.join(f'{field!r}: {value}' for field, value in own.items())}}}"
        return None


def _bracketed(values: Sequence[str]) -> str:
    """Return how a tuple reads by its items."""
    return f"({values[0]},)" if len(values) == 1 else f"({', '.join(values)})"


def _own_bases(node: ast.stmt) -> set[str]:
    """Return the bases of a dataclass that have a say in what its objects are in words."""
    bases = node.bases if isinstance(node, ast.ClassDef) and node.decorator_list else []
    return set(map(last_name, bases)) - {"object", "ABC"}


def made_by_call(node: ast.stmt) -> str:
    """Return the name of a named tuple that ``P = namedtuple('P', ...)`` makes, empty for anything else."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call) or len(node.targets) != 1:
        return ""
    target, call = node.targets[0], node.value
    name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    is_one = isinstance(target, ast.Name) and target.id == name and last_name(call.func) == "namedtuple"
    return str(name) if is_one and _of_call(call) is not None else ""


def _of_call(base: ast.expr) -> Fields | None:
    """Return the fields of the class that a call of ``namedtuple`` makes; None for any other expression."""
    if not isinstance(base, ast.Call) or last_name(base.func) != "namedtuple" or base.keywords:
        return None
    try:
        _, names = map(ast.literal_eval, base.args)
    except ValueError:
        return None
    return dict.fromkeys(names.replace(",", " ").split() if isinstance(names, str) else list(names))


def _is_value(text: str) -> bool:
    """Whether a text is that of a value, not the source of one: ``lambda x: x``, ``dict``."""
    try:
        known_value(text)
    except Undecided:
        return False
    return True


def _signature(fields: Fields) -> inspect.Signature:
    kind = inspect.Parameter
    return inspect.Signature(
        [
            kind(name, kind.POSITIONAL_OR_KEYWORD, default=kind.empty if default is None else default)
            for name, default in fields.items()
        ]
    )


def _of_tuple(node: ast.ClassDef) -> Fields | None:
    """Return the fields of a named tuple; None for any other class."""
    if node.keywords or len(node.bases) != 1 or not (_READING - {"__repr__"}).isdisjoint(bound_in(node)):
        return None
    base = node.bases[0]
    if last_name(base) == "NamedTuple":
        return _declared(node)
    found = _of_call(base)
    return None if found is None or bound_in(node).intersection(found) else found


def _of_dataclass(node: ast.ClassDef, known: Mapping[str, Fields], tuples: set[str]) -> Fields | None:
    decorator = node.decorator_list[0]
    options = decorator.keywords if isinstance(decorator, ast.Call) else []
    hooks = (_READING | _MAKING) & bound_in(node)
    if (
        node.keywords
        or hooks
        or not is_only_dataclass(node)
        or not _OPTIONS.issuperset(option.arg or "" for option in options)
    ):
        return None
    fields: Fields = {}
    for base in map(last_name, node.bases):
        if base in tuples or (base not in known and base not in ("object", "ABC")) or len(node.bases) > 1:
            return None
        fields |= known.get(base, {})
    own = _declared(node)
    return None if own is None else fields | own


def _declared(node: ast.ClassDef) -> Fields | None:
    """Return the fields that the body of a class declares; None where they are not known."""
    found: Fields = {}
    for part in node.body:
        if not isinstance(part, ast.AnnAssign):
            continue
        if not isinstance(part.target, ast.Name) or any(
            word in ast.unparse(part.annotation) for word in _NO_FIELDS
        ):
            return None
        default = None if part.value is None else _default(part.value)
        if part.value is not None and default is None:
            return None
        found[part.target.id] = default
    bound = [part for part in node.body if not isinstance(part, ast.AnnAssign)]
    return None if any(name in found for part in bound for name in _names(part)) else found


def _names(node: ast.stmt) -> Iterator[str]:
    yield getattr(node, "name", "")
    yield from (part.id for part in ast.walk(node) if isinstance(part, ast.Name) and not _is_load(part))


def _is_load(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _default(node: ast.expr) -> str | None:
    """Return how the default of a field reads; None where that is not known."""
    if isinstance(node, ast.Call) and last_name(node.func) == "field":
        options: Sequence[ast.keyword] = node.keywords
        if node.args or len(options) != 1:
            return None
        if options[0].arg == "default_factory" and isinstance(options[0].value, ast.Name):
            return _FACTORIES.get(options[0].value.id)
        return _default(options[0].value) if options[0].arg == "default" else None
    try:
        found = evaluate(ast.unparse(node), {}, builtins=_NOTHING)
    except (ExpressionError, Undecided):
        return None
    return found.text if is_fixed(found.value) else None
