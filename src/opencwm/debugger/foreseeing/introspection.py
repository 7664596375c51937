"""What a program is told when it asks about an object: its class, whether it is of a class, what it has.

``type``, ``isinstance``, ``callable``, ``hasattr``, ``getattr``, ``.__class__`` and ``.__name__``, of values
that read as literals, of functions and classes, and of objects whose class and attributes are known from how
they read. Abstract classes of the standard library decide by the methods that a class has, or what is
registered; programs that register classes are left out.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.abstract_classes import BY_METHODS
from opencwm.debugger.foreseeing.attributes import Attributes
from opencwm.debugger.foreseeing.disguises import Disguises
from opencwm.debugger.foreseeing.entering import Entries
from opencwm.debugger.foreseeing.expressions import Undecided, known_value
from opencwm.debugger.foreseeing.field_classes import FieldClasses
from opencwm.debugger.foreseeing.library_objects import ACQUIRED, LOCAL
from opencwm.debugger.foreseeing.own_exceptions import OwnExceptions
from opencwm.debugger.foreseeing.pure_values import Shown, kind_of, text_of
from opencwm.debugger.foreseeing.shown import marked_tree, text_at
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer

_PLACES: Final = 2
_CALLED: Final = ("<function ", "<class '", "<built-in function ", "<bound method ", "<built-in method ")


class Introspection:
    """Answers of one program.

    Args:
        attributes: what its classes say of attributes.
        entries: its functions that calls are sure to enter.
        constants: how names of its module read that stand for the same always.
        exceptions: those that it defines.
        made_of_fields: its named tuples.
        opaque: types of Python by how their objects read, those that read as nothing else.
        abstract: abstract classes that its names stand for; none where it registers classes.
        disguises: which values may be objects of its classes.
    """

    def __init__(
        self,
        attributes: Attributes,
        entries: Entries | None,
        constants: Mapping[str, str],
        abstract: Mapping[str, Any],
        disguises: Disguises,
        exceptions: OwnExceptions,
        made_of_fields: FieldClasses,
        opaque: Mapping[str, type],
    ) -> None:
        self._opaque = opaque
        self._attributes = attributes
        self._entries = entries
        self._constants = constants
        self._abstract = abstract
        self._disguises = disguises
        self._exceptions = exceptions
        self._made_of_fields = made_of_fields
        self._ways: Mapping[str, Callable[[Sequence[ast.expr], list[str]], str | None]] = {
            "type": self._type,
            "isinstance": self._isinstance,
            "issubclass": self._issubclass,
            "callable": self._callable,
            "hasattr": self._hasattr,
            "getattr": self._getattr,
        }

    def answer(self, text: str) -> str | None:
        """Return the value of an expression that asks about an object; None for any other."""
        if text in ACQUIRED:
            return "True"
        if not any(word in text for word in (*self._ways, "__class__", "__name__", "<re.Match")):
            return None
        found = marked_tree(text)
        if found is None:
            return None
        node, marked, places = found
        if text.startswith("<re.Match object; ") and isinstance(node, ast.Call | ast.Subscript):
            return _of_match(node, places)
        if isinstance(node, ast.Attribute):
            holder = text_at(node.value, marked, places)
            return self._name(holder) if node.attr == "__name__" else self._class(holder, node.attr)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
            return None
        name = node.func.id
        if name not in self._ways or self._constants.get(name) not in (
            f"<built-in function {name}>",
            f"<class '{name}'>",
        ):
            return None
        return self._ways[name](node.args, [text_at(item, marked, places) for item in node.args])

    def _class(self, text: str, attribute: str) -> str | None:
        return self._class_of(text) if attribute == "__class__" else None

    def _name(self, text: str) -> str | None:
        if self._entries is None or self._entries.is_stored("__name__"):
            return None
        value = self._value(text)
        if isinstance(value, type):
            return repr(value.__name__)
        function = _FUNCTION.fullmatch(text)
        if function is not None and not self._entries.is_renaming:
            return repr(function[1])
        raised = self._exception(text.removeprefix("<class '").removesuffix("'>") + "(")
        if raised is not None and text == f"<class '{raised.__name__}'>":
            return repr(raised.__name__)
        name = text.removeprefix("<class '").removeprefix("program.").removesuffix("'>")
        is_known = text in (f"<class 'program.{name}'>", f"<class '{name}'>")
        return repr(name) if is_known and self._constants.get(name) == text else None

    def _class_of(self, text: str) -> str | None:
        """Return how the class of a value reads; None where it is not known."""
        row = self._made_of_fields.tuple_of(text)
        own = ([row] if row else self._exceptions.line_of(text)) or self._own(text)
        if own:
            name = f"<class 'program.{own[0]}'>"
            return name if self._constants.get(own[0]) == name else None
        raised = self._exception(text)
        if raised is not None:
            return f"<class '{raised.__name__}'>"
        if text in self._opaque:
            return Renderer(DEFAULT_LIMITS).render(self._opaque[text])
        value = self._value(text)
        if isinstance(value, Shown | type) or self._disguises.may_be(kind_of(value)):
            return None
        return text_of(kind_of(value))

    def _exception(self, text: str) -> type[BaseException] | None:
        """Return the class of an exception of Python, as it reads; None for anything else."""
        kind = getattr(builtins, text.partition("(")[0], None)
        if not isinstance(kind, type) or not issubclass(kind, BaseException) or "(" not in text:
            return None
        return kind if self._constants.get(kind.__name__) == f"<class '{kind.__name__}'>" else None

    def _value(self, text: str) -> Any:
        """Return the value of a literal or of a class of Python; a :class:`Shown` for any other."""
        try:
            return Shown(text) if text.partition("(")[0] in self._disguises.names else known_value(text)
        except Undecided:
            return Shown(text)

    def _own(self, text: str) -> Sequence[str]:
        """Return the class of an object of the program, and those it inherits from; none for any other."""
        return self._entries.classes_of(text) if self._entries is not None else ()

    def _type(self, nodes: Sequence[ast.expr], texts: list[str]) -> str | None:
        return self._class_of(texts[0]) if len(nodes) == 1 and not isinstance(nodes[0], ast.Starred) else None

    def _isinstance(self, nodes: Sequence[ast.expr], texts: list[str]) -> str | None:
        if len(nodes) != _PLACES:
            return None
        told = self._constants.get(texts[0], texts[0])
        answers = [self.is_of(told, kind) for kind in _kinds(nodes[1], texts[1])]
        known = [answer for answer in answers if answer is not None]
        return repr(any(known)) if True in known or len(known) == len(answers) else None

    def _issubclass(self, nodes: Sequence[ast.expr], texts: list[str]) -> str | None:
        """Answer for classes of Python alone."""
        value = self._python(texts[0])
        if len(nodes) != _PLACES or value is None:
            return None
        kinds = [self._python(kind) for kind in _kinds(nodes[1], texts[1])]
        return None if None in kinds else repr(issubclass(value, tuple(kinds)))

    def _python(self, name: str) -> Any:
        """Return the class of Python that a name, or a text, stands for; None for anything else."""
        found = self._value(name) if name.startswith("<") else getattr(builtins, name, None)
        is_it = name.startswith("<") or self._constants.get(name) == f"<class '{name}'>"
        return found if isinstance(found, type) and is_it else None

    def is_of(self, text: str, name: str) -> bool | None:
        """Return whether a value is of a class, by the name it is called by; None where that is not known."""
        name = name if name in self._abstract else self._abstract_name(name)
        if self._exceptions.line_of(text):
            is_class = self._constants.get(name) in (f"<class '{name}'>", f"<class 'program.{name}'>")
            return self._exceptions.is_of(text, name) if is_class else None
        row = self._made_of_fields.tuple_of(text)
        if row or text in self._opaque:
            return self._is_row(row, name) if row else self._is_opaque(self._opaque[text], name)
        own, value = self._own(text), self._value(text)
        is_literal = not own and not isinstance(value, Shown)
        if self._constants.get(name, name) == _OF_FUNCTIONS:
            is_other = own or is_literal or text.startswith(("<class ", "<built-in function "))
            return _is_function(text) if _is_function(text) or is_other else None
        if name in self._abstract:
            kind = self._abstract[name]
            if own:
                return self._has_methods(own, kind)
            if text.startswith(_CALLED):
                return kind is collections.abc.Callable
            found = isinstance(value, kind)
            return found if is_literal and (found or not self._disguises.may_be(kind_of(value))) else None
        if name in own:
            return True
        of_python = self._python(name)
        if of_python is not None:
            if own:
                return of_python is object
            raised = self._exception(text)
            if raised is not None:
                return issubclass(raised, of_python)
            if _is_function(text):
                return of_python is object
            if text.startswith("<class "):
                return of_python in (object, type)
            return isinstance(value, of_python) if is_literal else None
        is_bare = name in self._attributes.bare and self._constants.get(name) == f"<class 'program.{name}'>"
        is_literal = is_literal and not self._disguises.may_be(kind_of(value))
        return False if is_bare and (own or is_literal or _is_function(text)) else None

    def _is_row(self, row: str, name: str) -> bool | None:
        """Return whether a named tuple, by its class, is of a class."""
        if name in self._abstract:
            return issubclass(tuple, self._abstract[name])
        of_python = getattr(builtins, name, None)
        if isinstance(of_python, type) and self._constants.get(name) == f"<class '{name}'>":
            return issubclass(tuple, of_python)
        return row == name if self._constants.get(name) == f"<class 'program.{name}'>" else None

    def _abstract_name(self, name: str) -> str:
        """Return how a class of the library reads that has a name; the name for any other."""
        text = self._constants.get(name, "")
        return text if text in self._abstract else name

    def _is_opaque(self, kind: type, name: str) -> bool | None:
        """Return whether an object that shows its type alone is of a class."""
        other = self._abstract.get(name) or self._python(name)
        return None if other is None else issubclass(kind, other)

    def _has_methods(self, own: Sequence[str], kind: Any) -> bool | None:
        if kind not in BY_METHODS:
            return False
        if self._entries is None:
            return None
        found = [self._entries.binds(own, method) for method in sorted(BY_METHODS[kind])]
        return None if None in found else all(found)

    def _callable(self, nodes: Sequence[ast.expr], texts: list[str]) -> str | None:
        if len(nodes) != 1:
            return None
        own = self._own(texts[0])
        if own and self._entries is not None:
            found = self._entries.binds(own, "__call__")
            return None if found is None else repr(found)
        return "True" if texts[0].startswith(_CALLED) else None

    def _hasattr(self, nodes: Sequence[ast.expr], texts: list[str]) -> str | None:
        name = _string(nodes, 1)
        if len(nodes) != _PLACES or name is None:
            return None
        value = self._value(texts[0])
        row = self._made_of_fields.tuple_of(texts[0])
        if row and self._entries is not None:
            has_it = hasattr(tuple, name) or self._made_of_fields.read(texts[0], name) is not None
            return "True" if has_it or self._entries.binds([row], name) else None
        if texts[0] in self._opaque:
            return repr(_has(self._opaque[texts[0]], name))
        if not self._own(texts[0]):
            if isinstance(value, Shown | type) or self._disguises.may_be(kind_of(value)):
                return None
            return repr(_has(kind_of(value), name))
        if self._attributes.read(texts[0], name) is not None:
            return "True"
        return "False" if self._lacks(texts[0], name) else None

    def _getattr(self, nodes: Sequence[ast.expr], texts: list[str]) -> str | None:
        name = _string(nodes, 1)
        if name is not None and texts[0] == LOCAL and len(nodes) == _PLACES + 1:
            is_set = self._entries is None or self._entries.is_stored(name) or not self._attributes.is_plain
            return None if is_set or name.startswith("__") else texts[2]
        if name is not None and texts[0] in self._opaque and len(nodes) == _PLACES + 1:
            return None if _has(self._opaque[texts[0]], name) else texts[2]
        if name is None or not self._own(texts[0]):
            return None
        found = self._attributes.read(texts[0], name)
        if found is None and len(nodes) == _PLACES + 1 and self._lacks(texts[0], name):
            return texts[2]
        return found

    def _lacks(self, text: str, name: str) -> bool:
        """Whether an object of the program has no attribute of a name, and its classes have none either."""
        own = self._own(text)
        if self._entries is None or not self._attributes.tells_all(text) or hasattr(object, name):
            return False
        return name not in self._attributes.set_on_classes and all(
            self._entries.binds(own, word) is False for word in (name, "__getattr__")
        )


def _is_function(text: str) -> bool:
    return text.startswith("<function ")


def _has(kind: type, name: str) -> bool:
    """Whether an object that is of a type of Python has an attribute of a name."""
    return any(name in vars(base) for base in kind.__mro__)


_OF_FUNCTIONS: Final = "<class 'function'>"
_FUNCTION: Final = re.compile(r"<function (?:.*\.)?([\w]+|<lambda>)>")
_MATCH: Final = re.compile(r"<re\.Match object; span=\((\d+), (\d+)\), match=(.*)>", re.DOTALL)


def _of_match(node: ast.Call | ast.Subscript, places: Sequence[str]) -> str | None:
    """Return what a match says of the whole of it; of its groups its text does not tell."""
    match = _MATCH.fullmatch(places[0]) if places else None
    name, holder = "group", node.func if isinstance(node, ast.Call) else node.value
    asked: list[ast.expr] = [node]
    if isinstance(node, ast.Subscript):
        asked = [node.slice]
    elif isinstance(holder, ast.Attribute) and not node.keywords:
        name, holder, asked = holder.attr, holder.value, node.args
    if match is None or not isinstance(holder, ast.Name) or len(asked) > 1:
        return None
    if any(not isinstance(item, ast.Constant) or type(item.value) is not int or item.value for item in asked):
        return None
    start, end, whole = match.groups()
    told = {"start": start, "end": end, "span": f"({start}, {end})", "group": _whole(whole)}
    return told.get(name)


def _whole(text: str) -> str | None:
    """Return a string that a match shows; None where it was cut."""
    try:
        return text if isinstance(ast.literal_eval(text), str | bytes) else None
    except (SyntaxError, ValueError):
        return None


def _kinds(node: ast.expr, text: str) -> list[str]:
    """Return the names, or texts, of the classes that one is, or that stand in a tuple."""
    found = marked_tree(text) if isinstance(node, ast.Tuple) else None
    if found is None or not isinstance(found[0], ast.Tuple):
        return [text]
    return [text_at(item, *found[1:]) for item in found[0].elts]


def _string(nodes: Sequence[ast.expr], place: int) -> str | None:
    """Return the string that an argument is; None for another one."""
    node = nodes[place] if place < len(nodes) else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
