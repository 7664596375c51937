"""Which function of a program a call is sure to enter, because the program says what is called.

Functions at the top of a file, methods and properties of classes that inherit from each other only, and their
constructors: undecorated, no generators, no coroutines. Whatever may be anything else is nothing here.
"""

from __future__ import annotations

import ast
import collections
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.arguments import CallSite, Functions, signature
from opencwm.debugger.foreseeing.attributes import Attributes
from opencwm.debugger.foreseeing.enumerations import Enumerations
from opencwm.debugger.foreseeing.isolation import bound_at_top
from opencwm.debugger.foreseeing.object_shapes import Shape, is_decorated, last_name
from opencwm.debugger.foreseeing.shown import is_cut, own_class

_OBJECT: Final = re.compile(r"(\w+)\(.*\)", re.DOTALL)
_WAYS: Final = frozenset({"staticmethod", "classmethod"})


class Entries:
    """The functions of one program that calls are sure to enter.

    Args:
        tree: of the program.
        functions: of it.
        attributes: what its classes say of attributes.
        enumerations: its enumerations.
        tuples: names of its named tuples.
    """

    def __init__(
        self,
        tree: ast.Module,
        functions: Functions,
        attributes: Attributes,
        enumerations: Enumerations | None = None,
        tuples: frozenset[str] = frozenset(),
    ) -> None:
        self._enumerations = enumerations or Enumerations()
        self._functions = functions
        self._attributes = attributes
        once = {name for name, number in collections.Counter(bound_at_top(tree)).items() if number == 1}
        self._top = {
            node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in once
        }
        self._classes = {
            node.name: node
            for node in tree.body
            if isinstance(node, ast.ClassDef) and node.name in attributes.bare & once and attributes.is_plain
        }
        self._others = {
            node.name: node
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            and attributes.is_plain
            and (node.name in functions.exceptions.lines or node.name in tuples)
        }
        self._stored = {
            node.attr
            for node in nodes_of(tree)
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
        }

    @property
    def is_renaming(self) -> bool:
        """Whether functions may come to be called otherwise than they are written."""
        return self._functions.is_renaming

    def entered(
        self, call: CallSite, constants: Mapping[str, str], running: int, *, makes_generator: bool = False
    ) -> int:
        """Return the first line of the function that a call enters for certain, 0 for none.

        Args:
            call: of anything.
            constants: how names of the module read.
            running: first line of the function that makes the call.
            makes_generator: whether it is a function that makes a generator, and is entered later.
        """
        if call.first:
            return call.first
        if call.is_inherited:
            return 0 if makes_generator else self.inherited(call, running)
        if call.is_method:
            return self.method(call, makes_generator=makes_generator)
        if call.local is not None:
            return self.local(call, call.local, makes_generator=makes_generator)
        return self.function(call, constants, makes_generator=makes_generator)

    def function(self, call: CallSite, constants: Mapping[str, str], *, makes_generator: bool = False) -> int:
        """Return the first line of the function that a call of a name enters for certain, 0 for none.

        Args:
            call: of a name that is no local.
            constants: how names of the module read.
            makes_generator: whether it is a function that makes a generator, and is entered later.
        """
        text = constants.get(call.name, "")
        if text == f"<function {call.name}>":
            return self._plain(self._top.get(call.name), call, bound=0, makes_generator=makes_generator)
        made = own_class(text)
        if made in self._others and not self._functions.exceptions.lines.get(made):
            has_a_say = any(next(_bound(self._others[made], name), None) for name in ("__init__", "__call__"))
            return 0 if has_a_say else self._plain(self._member(made, "__new__"), call, bound=1)
        if not made or (made not in self._others and not self._is_made_plainly(made)):
            return 0
        return self._plain(self._member(made, "__init__"), call, bound=1)

    def made(self, call: CallSite, constants: Mapping[str, str]) -> str | None:
        """Return how an object reads that a call makes, of a class without ``__init__``; None for others."""
        if call.is_method or call.local is not None or call.args or call.keywords:
            return None
        made = own_class(constants.get(call.name, ""))
        line = self._line_of(made) if made and self._is_made_plainly(made) else ()
        has_a_say = any(next(_bound(self._classes[owner], "__init__"), None) for owner in line)
        return f"{made}()" if line and not has_a_say else None

    def bare(self, text: str) -> str | None:
        """Return how an object reads that ``object.__new__`` makes of a class; None where that is not known.

        Args:
            text: the class, as it reads.
        """
        name = own_class(text)
        line = self._line_of(name) if name else ()
        nodes = [self._classes[owner] for owner in line]
        may_be_abstract = any(node.keywords or "ABC" in map(last_name, node.bases) for node in nodes)
        is_shown = self._attributes.shapes.get(name, Shape()) is not None
        return f"{name}()" if line and is_shown and not may_be_abstract else None

    def local(self, call: CallSite, text: str, *, makes_generator: bool = False) -> int:
        """Return the first line of the function that the call of a local enters for certain, 0 for none."""
        definition = self._functions.definition(self._functions.reading(text))
        if definition is None or definition.name != call.name or definition.decorator_list:
            return 0
        return self._plain(definition, call, bound=0, makes_generator=makes_generator)

    def method(self, call: CallSite, *, makes_generator: bool = False) -> int:
        """Return the first line of the method that a call on an object, or a class, enters for certain."""
        text = call.receiver or ""
        of_class, of_object = own_class(text), _OBJECT.fullmatch(text)
        kind = of_class or (of_object[1] if of_object else "")
        if self._enumerations.kind_of(text):
            member = self._of_object(text, call.name)
        elif not kind or is_cut(text) or (of_object and self._attributes.read(text, call.name)):
            return 0
        else:
            member = self._member(kind, call.name)
        if isinstance(member, ast.FunctionDef) and call.is_property is not _is_property(member):
            return 0
        if member is None or (call.is_property and of_class):
            return 0
        is_static = "staticmethod" in _decorators(member)
        is_given = not is_static and (not of_class or "classmethod" in _decorators(member))
        return self._plain(member, call, bound=int(is_given), makes_generator=makes_generator)

    def is_last(self, owner: str, text: str, name: str) -> bool:
        """Whether no class of the program has a method of a name behind one of those of an exception."""
        line = self._functions.exceptions.line_of(text)
        behind = line[line.index(owner) + 1 :] if owner in line else []
        return owner in line and not any(next(_bound(self._node(other), name), None) for other in behind)

    def is_property(self, text: str | None, name: str) -> bool:
        """Whether an attribute of an object, as it reads, is a property of its class."""
        member = self._of_object(text or "", name)
        return member is not None and _is_property(member)

    def getting(self, text: str | None, name: str) -> CallSite:
        """Return the call that it is to read a property of an object, as it reads."""
        call = CallSite(name, True, text, (), {}, is_property=True)
        first = self.method(call)
        definition = self._functions.definition(first)
        if definition is None or definition.name == name:
            return call
        return CallSite(definition.name, True, text, (), {}, first=first)  # the getter has its own name

    def setter(self, text: str, name: str) -> int | None:
        """Return the first line of the setter of a property that an object has, as it reads.

        0 where it is not known which function that is, None where the property has none.
        """
        made = _OBJECT.fullmatch(text)
        line = self._line_of(made[1]) if made is not None else ()
        bound = next((found for owner in line if (found := list(_bound(self._classes[owner], name)))), [])
        functions = [item for item in bound if isinstance(item, ast.FunctionDef)]
        setters = [item for item in functions if _decorators(item) == {f"{name}.setter"}]
        if len(setters) > 1 or is_cut(text) or not bound or len(functions) < len(bound):
            return 0
        if not setters:
            return None
        first = min([setters[0].lineno, *(item.lineno for item in setters[0].decorator_list)])
        return first if self._functions.is_plain(first) else 0

    def _of_object(self, text: str, name: str) -> ast.FunctionDef | None:
        """Return the method of a name that an object has, as it reads, from its class."""
        kind = self._enumerations.kind_of(text)
        if kind:
            bound = list(_bound(self._enumerations.classes[kind], name))
            return _one_of(bound) if bound and name not in self._stored else None
        made = _OBJECT.fullmatch(text)
        return self._member(made[1], name) if made is not None else None

    def classes_of(self, text: str) -> Sequence[str]:
        """Return the class of an object, as it reads, and those that it inherits from; none if not known."""
        made = _OBJECT.fullmatch(text)
        return () if made is None else self._line_of(made[1])

    def line_of(self, text: str) -> Sequence[str]:
        """Return the same of an exception, a named tuple and a member too, without those of Python."""
        member = self._enumerations.plain_kind_of(text)
        if member:
            return (member,)
        made = _OBJECT.fullmatch(text)
        return (self._line_of_other(made[1]) if made is not None else ()) or self.classes_of(text)

    def is_stored(self, name: str) -> bool:
        """Whether the program sets an attribute of a name anywhere."""
        return name in self._stored

    def binds(self, line: Sequence[str], name: str) -> bool | None:
        """Return whether one of some classes has a method of a name; None where it may be anything else."""
        if name in self._stored:
            return None
        for owner in line:
            bound = list(_bound(self._node(owner), name))
            if bound:
                is_method = len(bound) == 1 and isinstance(bound[0], ast.FunctionDef)
                return True if is_method and not getattr(bound[0], "decorator_list", ()) else None
        return False

    def inherited(self, call: CallSite, first: int) -> int:
        """Return the first line of the method that ``super().name(...)`` enters, called in a method.

        Args:
            call: of the inherited method.
            first: first line of the method that runs.
        """
        owner = self._functions.owner(first)
        line = self.line_of(call.receiver or "")
        if owner not in line or not set(line) <= self._classes.keys() | self._others.keys():
            return 0
        member = self._first_of(line[line.index(owner) + 1 :], call.name)
        return self._plain(member, call, bound=1)

    def _is_made_plainly(self, name: str) -> bool:
        """Whether an object of a class is made by its ``__init__`` alone, if it has one."""
        line = self._line_of(name)
        members = [
            item for owner in line for item in self._classes[owner].body if isinstance(item, ast.FunctionDef)
        ]
        abstract = [item for item in members if any("abstract" in text for text in _decorators(item))]
        return (
            not any(is_decorated(self._classes[owner]) for owner in line)
            and all(item.name != "__new__" for item in members)
            and all(self._member(name, item.name) is not item for item in abstract)
        )

    def _line_of(self, name: str) -> Sequence[str]:
        """Return a class and those it inherits from, in Python's order; empty where that is not known."""
        line = self._attributes.lines.get(name, ())
        are_known = all(owner in self._classes and _derives_plainly(self._classes[owner]) for owner in line)
        return line if are_known else ()

    def _member(self, name: str, member: str) -> ast.FunctionDef | None:
        """Return the method that a class has or inherits; None where that is not certain, or it has none."""
        return self._first_of(self._line_of_other(name) or self._line_of(name), member)

    def _line_of_other(self, name: str) -> Sequence[str]:
        """Return an exception and those that it derives from, or a named tuple."""
        if name not in self._others:
            return ()
        return self._functions.exceptions.lines.get(name, (name,))

    def _node(self, name: str) -> ast.ClassDef:
        found = self._classes.get(name) or self._others.get(name)
        return self._enumerations.classes[name] if found is None else found

    def _first_of(self, line: Sequence[str], member: str) -> ast.FunctionDef | None:
        """Return the method of the first of some classes that has one; None where that is not certain."""
        for owner in line:
            bound = list(_bound(self._node(owner), member))
            if bound:
                found = _one_of(bound)
                is_kept = found is not None and _is_property(found)  # objects do not get one of their own
                stored = self._attributes.set_on_classes if is_kept else self._stored
                return found if member not in stored else None
        return None

    def _plain(
        self,
        definition: ast.FunctionDef | None,
        call: CallSite,
        *,
        bound: int,
        makes_generator: bool = False,
    ) -> int:
        """Return the first line of a definition if the call enters it at once with arguments that fit."""
        if definition is None:
            return 0
        first = min([definition.lineno, *(item.lineno for item in definition.decorator_list)])
        decorators = _decorators(definition)
        if not decorators <= ({"property"} if call.is_property else _WAYS):
            return 0
        if decorators and not self._functions.owner(first):
            return 0
        is_as_asked = self._functions.is_generator if makes_generator else self._functions.is_plain
        if not is_as_asked(first):
            return 0
        try:
            signature(definition.args).bind(*[None] * bound, *call.args, **call.keywords)
        except TypeError:
            return 0
        return first


def _one_of(bound: Sequence[ast.AST]) -> ast.FunctionDef | None:
    """Return the method that the body of a class binds, or the getter of a property that has a setter too."""
    first, *rest = bound
    if not isinstance(first, ast.FunctionDef):
        return None
    ways = ({f"{first.name}.setter"}, {f"{first.name}.deleter"})
    are_setters = all(isinstance(item, ast.FunctionDef) and _decorators(item) in ways for item in rest)
    return first if not rest or (_decorators(first) == {"property"} and are_setters) else None


def _derives_plainly(node: ast.ClassDef) -> bool:
    return all(ast.unparse(base).partition("[")[0].rpartition(".")[2] != "Protocol" for base in node.bases)


def _is_property(definition: ast.FunctionDef) -> bool:
    return "property" in _decorators(definition)


def _decorators(definition: ast.FunctionDef) -> set[str]:
    return {ast.unparse(item) for item in definition.decorator_list}


def _bound(node: ast.ClassDef, name: str) -> Iterator[ast.AST]:
    """Yield what binds a name in the body of a class."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if statement.name == name:
                yield statement
            continue
        for inner in ast.walk(statement):
            names: tuple[str | None, ...] = ()
            if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
                names = (inner.id,)
            elif isinstance(inner, ast.FunctionDef):
                names = (inner.name,)
            elif isinstance(inner, ast.alias):
                names = (inner.name, inner.asname)
            if name in names:
                yield inner
