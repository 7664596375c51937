"""What is known of a program before it runs."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.arguments import Functions
from opencwm.debugger.foreseeing.attributes import Attributes
from opencwm.debugger.foreseeing.decorated import Decorated
from opencwm.debugger.foreseeing.disguises import Disguises
from opencwm.debugger.foreseeing.entering import Entries
from opencwm.debugger.foreseeing.enumerations import Enumerations
from opencwm.debugger.foreseeing.expectations import Expected, Iterating, RaisingError
from opencwm.debugger.foreseeing.expressions import (
    Builtins,
    ExpressionError,
    Result,
    Undecided,
    evaluate,
    known_value,
    literal,
    parsed,
)
from opencwm.debugger.foreseeing.field_classes import FieldClasses
from opencwm.debugger.foreseeing.introspection import Introspection
from opencwm.debugger.foreseeing.one_line import ShortIf
from opencwm.debugger.foreseeing.own_exceptions import OwnExceptions
from opencwm.debugger.foreseeing.plain_exceptions import made
from opencwm.debugger.foreseeing.pure_values import is_told, text_of
from opencwm.debugger.foreseeing.readings import length_of, read_off
from opencwm.debugger.foreseeing.rendered import UnreadableError, is_atom, items_of, truth_of
from opencwm.debugger.foreseeing.shown import holds_shown, own_class, with_places
from opencwm.debugger.foreseeing.tables import Table
from opencwm.debugger.foreseeing.value_classes import ValueClasses
from opencwm.debugger.foreseeing.with_blocks import WithBlock
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer
from opencwm.tracer.sites import Site

BUILT_IN: Final = ("<built-in function ", *(f"<class '{name}'>" for name in vars(builtins)))
"""What rendered built-in functions and classes begin with."""
_IN_WORDS: Final = frozenset(
    {"str", "repr", "ascii", "format", "%", "f'", 'f"', "hash", "isinstance", "type"}
)
"""What stands in operations that tell how a value says it reads, or which class it is of."""
_OF_CLASS: Final = re.compile(r"(\w+|<class 'program\.\w+'>)\.(\w+)")
MAX_VALUE: Final = 1_000
"""Most characters of a value that is worked out; the tracer cuts longer ones."""


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What is known of a program before it runs.

    Attributes:
        sites: of its rewritten syntax tree.
        constants: rendered values of functions and classes, by name.
        functions: its own functions.
        shared: names that a function of the program may rebind for another one.
        attributes: what its classes say of setting attributes.
        disguises: which values may be such objects, whether or not they behave so.
        apart: its functions that reach no object of a caller but what they are given, with their first lines.
        is_isolated: nothing that can change is held by the module, by its classes, or by defaults.
        entries: its functions that calls are sure to enter; None: no call is.
        builtins: the functions of Python that its names stand for.
        exceptions: those that it defines, and those of Python that it uses.
        has_truths: classes of it may say whether their objects are true.
        has_hashes: classes of it may say how their objects are hashed and compared.
        introspection: what it is told when it asks about objects.
        made_of_fields: its dataclasses and named tuples.
        enumerations: its enumerations.
        blocks: its ``with`` statements, by line.
        has_finalizers: functions of it may run because an object is dropped, or at any time.
        names_matching: it may say which attributes patterns by position mean, or what is a sequence.
        tables: its dictionaries of functions, see :mod:`.tables`.
        decorated: its functions that decorators of it have made another one of.
        short_ifs: its conditions with what they decide on the same line, by line.
        prints_plainly: what it prints goes nowhere else than to what Python has for that.
        closed: first lines of its functions that have no free variables.
        buffers: classes of files in memory, by what calls them, see :mod:`.buffers`.
        value_classes: those of its classes that derive from built-in types of values.
        aliases: how names read that stand for a function of it that is defined by another name.
    """

    sites: Sequence[Site]
    constants: Mapping[str, str]
    functions: Functions
    shared: frozenset[str] = frozenset()
    attributes: Attributes = dataclasses.field(default_factory=Attributes)
    apart: Mapping[str, int] = dataclasses.field(default_factory=dict)
    is_isolated: bool = False
    disguises: Disguises = dataclasses.field(default_factory=lambda: Disguises(frozenset(), are_odd=False))
    entries: Entries | None = None
    builtins: Builtins = dataclasses.field(default_factory=lambda: Builtins({}))
    exceptions: OwnExceptions = dataclasses.field(default_factory=OwnExceptions)
    has_truths: bool = True
    has_hashes: bool = True
    introspection: Introspection | None = None
    made_of_fields: FieldClasses = dataclasses.field(default_factory=FieldClasses)
    has_finalizers: bool = True
    blocks: Mapping[int, WithBlock] = dataclasses.field(default_factory=dict)
    enumerations: Enumerations = dataclasses.field(default_factory=Enumerations)
    closed: frozenset[int] = frozenset()
    buffers: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    names_matching: bool = True
    short_ifs: Mapping[int, ShortIf] = dataclasses.field(default_factory=dict)
    prints_plainly: bool = False
    decorated: Decorated = dataclasses.field(default_factory=Decorated)
    tables: Mapping[str, Table] = dataclasses.field(default_factory=dict)
    value_classes: ValueClasses = dataclasses.field(default_factory=ValueClasses)
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def plain_functions(self) -> frozenset[str]:
        """How functions of Python read that only work something out, and ``None``."""
        return frozenset({"None", *(self.constants.get(name, "None") for name in self.builtins.functions)})

    def calculated(self, expected: Expected) -> str | None:
        """Return the value of a pure operation on literals; None for any other, and for one that raises."""
        exception = made(expected.text, self.exceptions.plain) if expected.text is not None else None
        if exception is not None:
            return exception
        found = self._worked_out(expected)
        if isinstance(found, Exception):
            return expected.at_end if isinstance(found, IndexError) else None
        if found is not None and expected.target is not None:
            unpacked = _unpacked(found.value, expected.target)
            return text_of(unpacked) if unpacked is not None and is_told(unpacked) else None
        return None if found is None else found.text

    def iterated(self, text: str | None) -> Sequence[Any]:
        """Return what iterating over a rendered value gives, or over an iterator that was made on the line.

        Raises:
            UnreadableError: that is not known.
        """
        if self.disguises.may_change(text):
            raise UnreadableError
        if not isinstance(text, Iterating):
            shown = self.enumerations.items(text or "") or self.made_of_fields.items(text or "")
            return [known_value(item) for item in shown] if shown else items_of(text)
        found = (
            self._worked_out(Expected(text, formula=(f"list({text.source})", {}))) if text.source else None
        )
        if not isinstance(found, Result) or "list" not in self.builtins.functions:
            raise UnreadableError
        items: list[Any] = found.value
        return items

    def is_of(self, text: str, name: str) -> bool | None:
        """Return whether a value is of a class, by its name; None where that is not known."""
        return None if self.introspection is None else self.introspection.is_of(text, name)

    def is_bare(self, text: str) -> bool:
        """Whether no pattern of a constant, sequence or mapping matches an object of the program."""
        if self.names_matching or self.has_hashes or self.disguises.may_be_any or self.entries is None:
            return False
        return text.partition("(")[0] not in self.made_of_fields.tuples and bool(
            self.entries.classes_of(text)
        )

    def attribute(self, text: str, name: str) -> str | None:
        """Return how an attribute of an object of the program reads; None where that is not known."""
        found = self.made_of_fields.read(text, name)
        return self.attributes.read(text, name) if found is None else found

    def fields(self, name: str) -> Sequence[str] | None:
        """Return the attributes that patterns by position of a class mean; None where that is not known."""
        fields = None if self.names_matching else self.made_of_fields.fields.get(name)
        return None if fields is None else list(fields)

    def truth(self, text: str | None) -> bool | None:
        """Return the truth of a rendered value, an object of the program too; None if not known."""
        found = None if self.disguises.may_change(text) else truth_of(text)
        if found is None and text and self.entries is not None and not self.has_truths:
            return True if self.entries.classes_of(text) else None
        return found

    def is_hashed_plainly(self, text: str | None) -> bool:
        """Whether hashing a rendered value, and comparing it to others, runs nothing of the program."""
        if not self.has_hashes or (text and is_atom(text)):
            return True
        try:
            return text is not None and not holds_shown(known_value(text))
        except Undecided:
            return False

    def raised(self, expected: Expected) -> str | None:
        """Return the exception, as it reads, that a pure operation on literals raises; None for any other."""
        found = self._worked_out(expected)
        if not isinstance(found, Exception) or expected.at_end is not None:
            return None
        if isinstance(found, AttributeError) and self.disguises.may_hide(expected.text):
            return None
        return Renderer(DEFAULT_LIMITS).render(found)

    def folded(self, node: ast.expr) -> str | None:
        """Return the value of an operation on constants, which nothing reports; None for any other.

        Raises:
            RaisingError: it raises.
        """
        if any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(node)):
            return None
        try:
            found = evaluate(ast.unparse(node), {}, builtins=self.builtins)
        except ExpressionError as error:
            raise RaisingError(Renderer(DEFAULT_LIMITS).render(error.raised)) from None
        except Undecided:
            return None
        return found.text if is_told(found.value) else None

    def set_of(self, texts: Sequence[str]) -> str | None:
        """Return how a set of values reads; None where they are not known."""
        if self.disguises.may_change(*texts):
            return None
        try:
            values = {literal(text) for text in texts}
        except (Undecided, TypeError):
            return None
        return text_of(values) if is_told(values) else None

    def _worked_out(self, expected: Expected) -> Result | Exception | None:
        """Return what a pure operation on literals comes to; None for any other."""
        if expected.text is None or expected.is_old:
            return None
        text, texts = expected.formula or (expected.text, {})
        is_hidden = self._is_hidden(expected.text, text, *texts.values())
        has_rounds = False
        try:
            tree = parsed(with_places(text)[0])
            nodes = list(ast.walk(tree))
            if any(isinstance(node, ast.Constant) and node.value is Ellipsis for node in nodes):
                return None  # a value that was cut
            names = {node.id for node in nodes if isinstance(node, ast.Name)}
            has_rounds = any(isinstance(node, ast.comprehension) for node in nodes)
            found = self._told(expected) if is_hidden else self._read(expected) or self._told(expected)
            if is_hidden and found is None:
                return None
            own = {name: shown for name in names - texts.keys() if (shown := self._read_as(name))}
            found = found or evaluate(text, {**own, **texts}, builtins=self.builtins, with_objects=True)
        except ExpressionError as error:
            return None if has_rounds else error.raised
        except (SyntaxError, ValueError, RecursionError, MemoryError, Undecided):
            return None
        return found if is_told(found.value) and len(found.text) <= MAX_VALUE else None

    def _is_hidden(self, *texts: str) -> bool:
        """Whether an operation may be on objects of the program that read as values, and give another one."""
        if self.disguises.may_change(*texts):
            return True
        is_telling = any(word in text for word in _IN_WORDS for text in texts)
        return is_telling and self.disguises.may_hide(*texts)

    def _read_as(self, name: str) -> str:
        """Return what a name of the module that stands in an evaluation reads as; empty if not known."""
        text = self.constants.get(name, "")
        if text.startswith("<function ") and self.functions.is_renaming:
            return ""
        is_shown = text.startswith(("<function ", "<class '")) and name not in self.builtins.functions
        return text if is_shown else ""

    def _read(self, expected: Expected) -> Result | None:
        """Return an attribute as an object of the program shows it."""
        text = read_off(expected, self.attributes, self.made_of_fields) if expected.at_end is None else None
        of_class = _OF_CLASS.fullmatch(expected.text or "") if text is None else None
        if of_class is not None:
            kind = own_class(self.constants.get(of_class[1], of_class[1]))
            text = self.attributes.read_of_class(kind, of_class[2], expected.owner)
        if text is None and self.constants.get("len") == "<built-in function len>" and not expected.formula:
            text = length_of(expected)
        return None if text is None else Result(known_value(text), text, frozenset())

    def _told(self, expected: Expected) -> Result | None:
        """Return what a program is told that asks about an object, or makes one of fields."""
        text = None
        if expected.text is not None and expected.formula is None:
            text = self.introspection.answer(expected.text) if self.introspection is not None else None
            text = text or self.made_of_fields.made(expected.text) or self.enumerations.answer(expected.text)
            if not text and not self.disguises.may_change(expected.text):
                text = self.enumerations.operated(expected.text, self.builtins)
            text = text or self.exceptions.answer(expected.text)
            text = text or self.made_of_fields.answer(expected.text, self.builtins)
        return None if text is None else Result(known_value(text), text, frozenset())


def _unpacked(value: Any, target: ast.Tuple | ast.List) -> tuple[Any, ...] | None:
    """Return the values that the parts of a target get; None where it does not fit them one to one."""
    if not isinstance(value, str | bytes | list | tuple) or len(value) != len(target.elts):
        return None
    parts: list[Any] = []
    for item, part in zip(value, target.elts, strict=True):
        if isinstance(part, ast.Tuple | ast.List):
            item = _unpacked(item, part)
            if item is None:
                return None
        elif not isinstance(part, ast.Name):
            return None
        parts.append(item)
    return tuple(parts)


def has_truths(tree: ast.AST) -> bool:
    """Whether a program may say itself whether its objects are true."""
    return mentions(tree, frozenset({"__bool__", "__len__", "__getattr__", "type"}))


def has_finalizers(tree: ast.AST) -> bool:
    """Whether functions of a program may run without an operation that asks for them."""
    return mentions(tree, frozenset({"__del__", "weakref", "atexit", "signal", "settrace", "setprofile"}))


def has_hashes(tree: ast.Module) -> bool:
    """Whether a program may say itself how its objects are hashed, or whether they are equal."""
    return mentions(tree, frozenset({"__hash__", "__eq__", "setattr", "type"}))


def mentions(tree: ast.AST, words: frozenset[str]) -> bool:
    """Whether one of some names stands in a program."""
    return any(
        getattr(node, field, None) in words for node in nodes_of(tree) for field in ("id", "attr", "name")
    )
