"""What the arguments of a call are, from the values that stand in it: binding by syntax, nothing is run."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from opencwm.core.syntax import nodes_of
from opencwm.debugger.foreseeing.object_shapes import bound_in, is_decorated, last_name
from opencwm.debugger.foreseeing.own_exceptions import OwnExceptions
from opencwm.debugger.foreseeing.qualified_names import FunctionNode, QualifiedNames, is_wraps
from opencwm.debugger.foreseeing.shown import is_cut

MAX_ARGUMENT_CHARS = 200
"""Longer arguments are left to the model, which has seen how the tracer cuts them."""

_DEFAULTS = frozenset({"__defaults__", "__kwdefaults__"})
"""Attributes by which a function gets other defaults."""
_OF_BUILT_IN = frozenset("'\"[({-0123456789")
"""What the rendered values of built-in types begin with."""


@dataclasses.dataclass(frozen=True, slots=True)
class CallSite:
    """A call that is about to be made; None stands for a value that is not known.

    Attributes:
        name: of the function, or of the method.
        is_method: whether the function is looked up in an object.
        receiver: rendered value of that object.
        args: rendered positional arguments.
        keywords: rendered arguments by name.
        is_property: whether it is no call as it is written, but an attribute.
        is_inherited: whether the method is looked up in ``super()``.
        local: how the function reads where it is called by the name of a local, None where it is not.
        first: first line of the function's definition, where that is known already.
        free: how those of its free variables read that are known.
    """

    name: str
    is_method: bool
    receiver: str | None
    args: tuple[str | None, ...]
    keywords: Mapping[str, str | None]
    is_property: bool = False
    is_inherited: bool = False
    local: str | None = None
    first: int = 0
    free: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def is_special(self) -> bool:
        """Whether it calls a method that Python calls by itself as well."""
        return self.is_method and self.name.startswith("__") and self.name != "__init__"


class Functions:
    """The functions of one program, by the first line of their definitions.

    Args:
        tree: of the program.
        constants: how names of its module read that stand for the same always, and attributes as they are
            written; defaults may be among them.
        lines: of classes, they and those that they inherit from in Python's order, where that is known.
        exceptions: those that it defines.
    """

    def __init__(
        self,
        tree: ast.Module,
        constants: Mapping[str, str] | None = None,
        lines: Mapping[str, Sequence[str]] | None = None,
        exceptions: OwnExceptions | None = None,
    ) -> None:
        self.exceptions = exceptions or OwnExceptions()
        self._constants = constants or {}
        self._found: dict[int, tuple[FunctionNode, str]] = {}
        self._keeps_defaults = not any(getattr(node, "attr", "") in _DEFAULTS for node in nodes_of(tree))
        self._plain = _plain_classes(tree)
        self._initialized = frozenset(_initialized(tree))
        self._classes = {
            node.name for node in tree.body if isinstance(node, ast.ClassDef) and not is_decorated(node)
        }
        self._metaclasses = _metaclasses(tree)
        self._makers = _makers(tree, lines or {})
        self._qualnames = QualifiedNames(tree)
        for first, node, owner in self._qualnames.functions:
            self._found[first] = node, owner

    def arguments(self, first: int, calls: Iterable[CallSite], number: int) -> dict[str, str]:
        """Return the rendered parameters of a function that is entered, as far as they are known.

        Args:
            first: first line of the function's definition.
            calls: those of the line that runs, in order, whatever they call.
            number: how often the line has entered the function before.
        """
        definition, owner = self._found.get(first, (None, ""))
        if definition is None:
            return {}
        before = [(call, self._receiver(definition, owner, call)) for call in calls]
        matching = [(call, receiver) for call, receiver in before if receiver is not None]
        if len(matching) <= number:
            return {}
        if any(call.is_property and call.receiver is None for call, _ in matching[: number + 1]):
            return {}  # it may be no property, and enter nothing
        call, receiver = matching[number]
        try:
            bound = signature(definition.args).bind(*receiver, *call.args, **call.keywords)
        except TypeError:
            return {}
        given = set(bound.arguments)
        found = rendered_arguments(bound, self._constants)
        texts = {
            **call.free,
            **{name: text for name, text in found.items() if name in given or self._keeps_defaults},
        }
        if owner in self._classes:
            texts["__class__"] = f"<class 'program.{owner}'>"
        return texts

    @property
    def is_renaming(self) -> bool:
        """Whether functions may come to read otherwise than they are written."""
        return self._qualnames.is_renaming

    def is_call_of(self, first: int, call: CallSite) -> bool:
        """Whether a function, by its first line, is what a call enters."""
        definition, owner = self._found.get(first, (None, ""))
        is_other = bool(call.first) and call.first != first
        return not is_other and definition is not None and self._receiver(definition, owner, call) is not None

    def owner(self, first: int) -> str:
        """Return the class in whose body a function stands, empty for none."""
        return self._found[first][1] if first in self._found else ""

    def globals_in(self, first: int) -> frozenset[str]:
        """Return the names that a function, or one within it, declares to be of the module."""
        definition, _ = self._found.get(first, (None, ""))
        if definition is None:
            return frozenset()
        found = (node.names for node in ast.walk(definition) if isinstance(node, ast.Global))
        return frozenset(name for names in found for name in names)

    def caught_in(self, first: int) -> frozenset[str]:
        """Return the names that ``except`` clauses of a function give to exceptions, and take from them."""
        definition, _ = self._found.get(first, (None, ""))
        parts = ast.walk(definition) if definition is not None else ()
        return frozenset(part.name for part in parts if isinstance(part, ast.ExceptHandler) and part.name)

    def num_tries(self, first: int) -> int:
        """Return how many ``try`` statements a function has."""
        definition, _ = self._found.get(first, (None, ""))
        parts = ast.walk(definition) if definition is not None else ()
        return sum(isinstance(part, ast.Try | ast.TryStar) for part in parts)

    def is_reached(self, first: int, name: str) -> bool:
        """Whether a function within another one, by the first line of that, may use a local of it."""
        definition, _ = self._found.get(first, (None, ""))
        parts = ast.walk(definition) if definition is not None else ()
        inner = [
            part for part in parts if isinstance(part, FunctionNode | ast.Lambda) and part is not definition
        ]
        return any(
            isinstance(part, ast.Name) and part.id == name for node in inner for part in ast.walk(node)
        )

    def is_initializer(self, first: int) -> bool:
        """Whether a function is an ``__init__`` whose object is called ``self``."""
        definition = self.definition(first)
        names = [item.arg for item in definition.args.args[:1]] if definition is not None else []
        return definition is not None and definition.name == "__init__" and names == ["self"]

    @property
    def has_generators(self) -> bool:
        """Whether one of them makes generators."""
        return any(map(self.is_generator, self._found))

    def is_generator(self, first: int) -> bool:
        """Whether a function is one that makes generators."""
        return first in self._found and self._qualnames.is_generator(self._found[first][0])

    def text(self, first: int, kind: str = "function") -> str | None:
        """Return how a function reads, or with ``generator object`` what it makes; None where not certain."""
        name = self._qualnames.name(first)
        return None if name is None else f"<{kind} {name}>"

    def inner_text(self, first: int, name: str) -> str | None:
        """Return how a function reads that is defined by name in another; None where that is not certain."""
        outer = self._qualnames.name(first)
        if outer is None or name in self.globals_in(first):
            return None
        return f"<function {outer}.<locals>.{name}>"

    def reading(self, text: str) -> int:
        """Return the first line of the one function that reads so, 0 for none."""
        return self._qualnames.first(text.removeprefix("<function ")[:-1]) if text[:10] == "<function " else 0

    def definition(self, first: int) -> ast.FunctionDef | None:
        """Return the definition of a function, or one like it for a lambda; None for a coroutine."""
        found, _ = self._found.get(first, (None, ""))
        return found if isinstance(found, ast.FunctionDef) else None

    def is_plain(self, first: int) -> bool:
        """Whether a call of a function enters it at once: no generator, no coroutine."""
        definition, _ = self._found.get(first, (None, ""))
        if not isinstance(definition, ast.FunctionDef):
            return False
        return not self._qualnames.is_generator(definition)

    def after(self, first: int, state: Mapping[str, str], lines: Collection[int]) -> dict[str, str]:
        """Return the rendered parameters of a function that returns now, where they are what it was given.

        Args:
            first: first line of its definition.
            state: rendered values of its locals.
            lines: those that it has come to.
        """
        definition, _ = self._found.get(first, (None, ""))
        if not isinstance(definition, ast.FunctionDef) or not self.is_plain(first):
            return {}
        arguments = definition.args
        rebound = _rebound(definition, lines)
        names = [item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        return {name: state[name] for name in names if name in state and name not in rebound}

    def is_reading(
        self, first: int, given: Mapping[str, str], left: Mapping[str, str], lines: Collection[int]
    ) -> bool:
        """Whether all parameters of a function read in the end as they did, and are what it was given.

        Args:
            first: first line of its definition.
            given: rendered values of its locals when it was entered, or went on.
            left: those when it returned, or handed out something.
            lines: those that it has come to.
        """
        definition = self.definition(first)
        if definition is None or definition.args.vararg or definition.args.kwarg:
            return False
        names = signature(definition.args).parameters.keys()
        is_same = all(name in given and given[name] == left.get(name) for name in names)
        return (
            is_same and names.isdisjoint(_rebound(definition, lines)) and not any(map(is_cut, given.values()))
        )

    def bound_on(self, first: int, lineno: int) -> set[str]:
        """Return the names that a line of a function, or of one within it, binds."""
        definition, _ = self._found.get(first, (None, ""))
        parts = ast.walk(definition) if definition is not None else ()
        return {name for part in parts if isinstance(part, ast.stmt) for name in _bound_by(part, (lineno,))}

    def given(self, first: int, call: CallSite, node: ast.Call) -> dict[str, ast.expr]:
        """Return by parameter the expressions that a call, of a function by its first line, gives it."""
        definition, owner = self._found.get(first, (None, ""))
        receiver = self._receiver(definition, owner, call) if definition is not None else None
        if definition is None or receiver is None:
            return {}
        is_bound = call.is_method and receiver == (call.receiver,) and isinstance(node.func, ast.Attribute)
        first_given = node.func.value if is_bound and isinstance(node.func, ast.Attribute) else None
        before = [first_given] * len(receiver)
        keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None}
        try:
            bound = signature(definition.args).bind(*before, *node.args, **keywords)
        except TypeError:
            return {}
        return {name: value for name, value in bound.arguments.items() if isinstance(value, ast.expr)}

    def bound(self, first: int, call: CallSite) -> dict[str, str | None] | None:
        """Return by parameter how what a call gives to a function reads, a new object that it makes apart.

        None where that is not known.
        """
        definition, owner = self._found.get(first, (None, ""))
        receiver = self._receiver(definition, owner, call) if definition is not None else None
        if definition is None or receiver is None:
            return None
        is_making = bool(receiver) and not call.is_method
        try:
            found = signature(definition.args).bind(*receiver, *call.args, **call.keywords).arguments
        except TypeError:
            return None
        kept = list(found.items())[is_making:]
        texts: dict[str, str | None] = {}
        for name, value in kept:
            several = (
                value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else None
            )
            texts |= (
                {name: value} if several is None else {f"{name} {n}": item for n, item in enumerate(several)}
            )
        return texts

    def value(self, first: int, returned: str | None, state: Mapping[str, str]) -> str | None:
        """Return the value of the call that entered a function, which returns now; None if not known.

        Args:
            first: first line of its definition.
            returned: what it returns.
            state: rendered values of its locals.
        """
        definition, _ = self._found.get(first, (None, ""))
        if definition is None or isinstance(definition, ast.AsyncFunctionDef):
            return None
        if definition.name != "__init__":
            return returned
        return state.get(definition.args.args[0].arg) if definition.args.args else None

    def _receiver(
        self, definition: FunctionNode, owner: str, call: CallSite
    ) -> tuple[str | None, ...] | None:
        """Return what stands before the arguments that are written; None for the call of something else."""
        decorators = {ast.unparse(item) for item in definition.decorator_list if not is_wraps(item)}
        if not call.first and not decorators <= (
            {"property"} if call.is_property else {"staticmethod", "classmethod"}
        ):
            return None
        if owner and definition.name == "__init__" and not call.is_method:
            if self._makers.get(call.name) not in (None, owner):
                return None  # another one hands it on
            if call.name in self._plain and owner in self._plain[call.name]:
                return (f"{call.name}()",)
            if owner in self.exceptions.lines.get(call.name, ()):
                return (self.exceptions.made(call.name, call.args),)
            return (None,) if owner in (call.name, self._makers.get(call.name)) else None
        if owner and definition.name == "__new__" and not call.is_method:
            is_made = owner == call.name and owner in self._classes and owner not in self._metaclasses
            is_made = is_made and owner not in self._initialized  # that is entered afterwards
            return (f"<class 'program.{owner}'>",) if is_made else None
        if definition.name != call.name or bool(owner) is not call.is_method:
            return None
        if call.receiver is not None and call.receiver[0] in _OF_BUILT_IN:
            return None
        if not owner or "staticmethod" in decorators:
            return ()
        is_class = call.receiver is not None and call.receiver.startswith("<class ")
        if is_class and call.receiver is not None and not call.receiver.startswith("<class 'program."):
            return None
        if owner in self._metaclasses:
            return (call.receiver,)
        if "classmethod" in decorators:
            return (call.receiver if is_class else None,)
        return () if is_class else (call.receiver,)


def _metaclasses(tree: ast.AST) -> frozenset[str]:
    """Return the classes whose objects are classes."""
    found = {"type", "ABCMeta", "EnumMeta", "EnumType"}
    classes = [node for node in nodes_of(tree) if isinstance(node, ast.ClassDef)]
    for node in classes:  # in the order of a file, bases come first
        bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        if not bases.isdisjoint(found):
            found.add(node.name)
    return frozenset(found)


def _rebound(definition: ast.FunctionDef, lines: Collection[int]) -> set[str]:
    """Return the names that a function, or one within it, may have bound anew on the lines it has come to."""
    found: set[str] = set()
    for node in ast.walk(definition):
        if isinstance(node, ast.stmt):
            found |= _bound_by(node, lines)
        if isinstance(node, ast.Nonlocal | ast.Global):
            found.update(node.names)
        elif isinstance(node, ast.ExceptHandler | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name or "")
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.MatchAs | ast.MatchStar):
            found.add(node.name or "")
        elif isinstance(node, ast.MatchMapping):
            found.add(node.rest or "")
    return found - {definition.name}


def _bound_by(statement: ast.stmt, lines: Collection[int]) -> set[str]:
    """Return the names that a statement binds itself, not those in it, if it stands on one of some lines."""
    heads = [node for node in ast.iter_child_nodes(statement) if not isinstance(node, ast.stmt)]
    parts = [part for head in heads for part in ast.walk(head)]
    last = max([statement.lineno, *(getattr(part, "end_lineno", None) or 0 for part in parts)])
    if not any(statement.lineno <= line <= last for line in lines):
        return set()
    found = {part.id for part in parts if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)}
    found |= {getattr(part, "name", None) or "" for part in (statement, *parts)}
    return found | {
        (part.asname or part.name).partition(".")[0] for part in parts if isinstance(part, ast.alias)
    }


def _plain_classes(tree: ast.Module) -> dict[str, frozenset[str]]:
    """Return the classes at the top, undecorated, that inherit from each other only, each with its bases.

    A new object of one reads as its name, without attributes.
    """
    found: dict[str, frozenset[str]] = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or node.keywords or is_decorated(node):
            continue
        bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id != "object"]
        members = {item.name for item in node.body if isinstance(item, FunctionNode)}
        is_plain = len(bases) == sum(ast.unparse(base) != "object" for base in node.bases)
        if is_plain and all(base in found for base in bases) and "__new__" not in members:
            found[node.name] = frozenset({node.name}).union(*(found[base] for base in bases))
    return found


def _initialized(tree: ast.Module) -> Iterator[str]:
    """Yield the classes that have an ``__init__``, or get one from another class of the program."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for name in classes:
        reached, pending = set[str](), [name]
        while pending:
            owner = pending.pop()
            if owner in classes and owner not in reached:
                reached.add(owner)
                pending += map(last_name, classes[owner].bases)
        if any("__init__" in bound_in(classes[owner]) for owner in reached):
            yield name


def _makers(tree: ast.Module, lines: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return by class the one whose ``__init__`` it inherits, where all in between are undecorated."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found: dict[str, str] = {}
    for name in classes:
        for owner in lines.get(name) or _single_line(name, classes):
            node = classes.get(owner)
            if node is None:
                break
            if any(isinstance(item, FunctionNode) and item.name == "__init__" for item in node.body):
                found[name] = owner
                break
            if is_decorated(node):
                break
    return found


def _single_line(name: str, classes: Mapping[str, ast.ClassDef]) -> list[str]:
    """Return a class and those that it inherits from, up to one with more than one base."""
    found: list[str] = []
    while name in classes and name not in found:
        found.append(name)
        bases = classes[name].bases
        name = ast.unparse(bases[0]) if len(bases) == 1 else ""
    return found


def signature(arguments: ast.arguments) -> inspect.Signature:
    """Return the signature of a definition; its defaults are syntax trees."""
    kind = inspect.Parameter
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[Any] = [kind.empty] * (len(positional) - len(arguments.defaults)) + list(
        arguments.defaults
    )
    found = [
        kind(
            item.arg,
            kind.POSITIONAL_ONLY if item in arguments.posonlyargs else kind.POSITIONAL_OR_KEYWORD,
            default=default,
        )
        for item, default in zip(positional, defaults, strict=True)
    ]
    if arguments.vararg:
        found.append(kind(arguments.vararg.arg, kind.VAR_POSITIONAL))
    found += [
        kind(item.arg, kind.KEYWORD_ONLY, default=kind.empty if default is None else default)
        for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        found.append(kind(arguments.kwarg.arg, kind.VAR_KEYWORD))
    return inspect.Signature(found)


def rendered_arguments(
    bound: inspect.BoundArguments,
    constants: Mapping[str, str] | None = None,
    *,
    is_first: bool = False,
) -> dict[str, str]:
    """Return the rendered parameters of a call, defaults included, as far as they are known.

    Args:
        bound: what is given; an argument is its rendered value, its syntax tree, or None when not known.
        constants: rendered values of names and attributes that defaults may be.
        is_first: nothing has run before, so that lists and dictionaries that are defaults are as they were.
    """
    given = set(bound.arguments)
    bound.apply_defaults()
    known = constants or {}
    texts = {
        name: known.get(ast.unparse(value))
        if isinstance(value, ast.Name | ast.Attribute)
        else _rendered(value)
        for name, value in bound.arguments.items()
        if is_first or name in given or not isinstance(value, ast.List | ast.Dict)
    }
    return {name: text for name, text in texts.items() if text and len(text) <= MAX_ARGUMENT_CHARS}


def _rendered(value: object) -> str | None:
    """Return the text of a bound argument: one given, a default, or those that ``*`` or ``**`` collect."""
    if isinstance(value, ast.expr):
        try:
            return repr(_literal(value))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return None
    if isinstance(value, tuple):
        texts = [_rendered(item) for item in value]
        known = [text for text in texts if text is not None]
        if len(known) < len(texts):
            return None
        return f"({known[0]},)" if len(known) == 1 else f"({', '.join(known)})"
    if isinstance(value, dict):
        pairs = {name: _rendered(item) for name, item in value.items()}
        if None in pairs.values():
            return None
        return f"{{{', '.join(f'{name!r}: {text}' for name, text in pairs.items())}}}"
    return value if isinstance(value, str) else None


def _literal(node: ast.expr) -> object:
    """Return the value of a literal.

    Raises:
        ValueError: it is none, or a set, whose elements the tracer orders.
    """
    if any(isinstance(item, ast.Set) for item in ast.walk(node)):
        raise ValueError("the tracer orders the elements of sets")
    return ast.literal_eval(node)
