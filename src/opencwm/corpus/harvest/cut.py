"""Cut a function out of its package: the function, the definitions and imports it needs, nothing else.

The one idea is that of :mod:`opencwm.source.reach`, across modules: follow names from the function until
nothing new is found. A class is reduced to the methods whose names are mentioned, the special methods that
the syntax of what is kept can call, and what makes its objects. What looks names up at run time may break;
that the result runs, and gives what was seen, is checked by :mod:`opencwm.corpus.harvest.check`.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from opencwm.corpus.harvest.mentions import attributes_in
from opencwm.corpus.harvest.modules import CutError, Definition, FunctionNode, Module, Outside, Package
from opencwm.corpus.harvest.strip import is_typed_class
from opencwm.corpus.harvest.units import Unit, Units, bound_in_class, class_with
from opencwm.corpus.harvest.values import HELPER, HELPER_MODULE

MAX_LINES: Final = 120
_MAX_STATEMENTS: Final = 150
_MAKING: Final = frozenset(
    {
        "__init__",
        "__new__",
        "__post_init__",
        "__init_subclass__",
        "__set_name__",
        "__slots__",
        "__call__",
        "__getattr__",
        "__setattr__",
        "__getattribute__",
        "__missing__",
        "__hash__",
        "__eq__",
        "__get__",
        "__set__",
        "__bool__",
        "__len__",
        "__iter__",
        "__next__",
        "__index__",
        "__prepare__",
        "__instancecheck__",
        "__match_args__",
        "__delattr__",
    }
)
"""Members of a class that are kept whatever is mentioned: they make objects, or are called unseen."""


class Cutter:
    """Cuts functions out of one package; units are prepared once.

    Args:
        package: the sources.
        keep_decorators: leave out those decorators of functions that are not of Python itself when False.
    """

    def __init__(self, package: Package, *, keep_decorators: bool = True) -> None:
        self._package = package
        self._units = Units(package, keep_decorators=keep_decorators)

    def cut(
        self,
        module: str,
        qualname: str,
        needs: Mapping[str, str],
        calls: Iterable[str] = (),
        *,
        entered: Collection[str] | None = None,
        max_lines: int = MAX_LINES,
    ) -> str:
        """Return source that defines the function and what the call needs besides.

        Args:
            module: dotted name of the function's module.
            qualname: ``function`` or ``Class.method``.
            needs: further names and where they come from; see :data:`opencwm.corpus.harvest.values.Needs`.
            calls: expressions that the source has to serve.
            entered: qualified names of the only methods that are kept; None keeps all that may be called.
            max_lines: longest source.

        Raises:
            CutError: why it cannot be done.
        """
        found = self._package.module(module)
        if found is None:
            raise CutError("no source")
        if found.definition(qualname) is None:
            raise CutError("definition not found")
        try:
            mentioned = {name for call in calls for name in attributes_in(ast.parse(call, mode="eval"))}
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise CutError("call is no expression") from None
        return _Cut(
            self._units, self._package, found, qualname, needs, mentioned, entered, max_lines
        ).source()


class _Cut:
    """One function being cut out."""

    def __init__(
        self,
        units: Units,
        package: Package,
        module: Module,
        qualname: str,
        needs: Mapping[str, str],
        mentioned: set[str],
        entered: Collection[str] | None,
        max_lines: int,
    ) -> None:
        self._units = units
        self._package = package
        self._entered = entered
        self._max_lines = max_lines
        self._helper = ""
        self._owners: dict[str, str] = {}
        self._outside: dict[str, Outside] = {}
        self._aliases: dict[str, str] = {}
        self._waiting: list[Definition] = []
        self._reached: dict[tuple[str, int], ast.stmt] = {}
        self._attributes: set[str] = mentioned.union(qualname.split(".")[1:])
        self._modules: dict[str, None] = {}
        self._members: dict[int, dict[int, Unit]] = {}
        self._entry = Definition(module.name, qualname.partition(".")[0])
        self._reach(self._entry)
        for name, where in needs.items():
            self._need(name, where)

    def _need(self, name: str, where: str) -> None:
        if where == HELPER_MODULE:
            self._owners[name] = where
            self._helper = HELPER
            return
        if where and self._package.owns(where):
            inner = self._package.module(where)
            target = self._package.resolve(inner, name) if inner is not None else None
            if not isinstance(target, Definition) or target.name != name:
                raise CutError("class or function not found")
            self._reach(target)
        else:
            self._take(Outside(where or name, name if where else "", name))

    def _reach(self, target: Definition) -> None:
        owner = self._owners.setdefault(target.name, target.module)
        if owner != target.module or target.name in self._outside:
            raise CutError("two things of one name")
        self._waiting.append(target)

    def _take(self, target: Outside) -> None:
        known = self._outside.setdefault(target.alias, target)
        if known != target or target.alias in self._owners:
            raise CutError("two things of one name")

    def source(self) -> str:
        """Follow names to the end and write what was found."""
        while True:
            while self._waiting:
                self._follow(self._waiting.pop())
            before = len(self._attributes), len(self._reached), sum(map(len, self._members.values()))
            for (name, _), statement in list(self._reached.items()):
                if isinstance(statement, ast.ClassDef):
                    self._class(statement, self._module(name))
            after = len(self._attributes), len(self._reached), sum(map(len, self._members.values()))
            if before == after and not self._waiting:
                break
        text = self._written()
        if text.count("\n") > self._max_lines:
            raise CutError("long program")
        return text

    def _module(self, name: str) -> Module:
        module = self._package.module(name)
        if module is None:
            raise CutError("no source")
        return module

    def _follow(self, target: Definition) -> None:
        module = self._module(target.module)
        for index in module.binders.get(target.name, ()):
            if (module.name, index) in self._reached:
                continue
            statement = module.statements[index]
            self._reached[module.name, index] = statement
            if len(self._reached) > _MAX_STATEMENTS:
                raise CutError("long program")
            if not isinstance(statement, ast.ClassDef):
                self._mention(self._units.statement(statement, module))
        self._modules.setdefault(module.name)

    def _mention(self, unit: Unit) -> None:
        self._attributes |= unit.mentions.attributes
        for name, target in unit.targets.items():
            if isinstance(target, Definition):
                self._reach(target)
                if name != target.name and self._aliases.setdefault(name, target.name) != target.name:
                    raise CutError("two things of one name")
            elif isinstance(target, Outside):
                self._take(target)

    # -- classes -----------------------------------------------------------------------------------

    def _class(self, node: ast.ClassDef, module: Module) -> None:
        """Bring a class up to what is mentioned by now."""
        head = self._units.head(node, module)
        if id(node) not in self._members:
            self._members[id(node)] = {}
            self._mention(head)
        members = self._members[id(node)]
        inside = set(head.mentions.globals).union(*(unit.mentions.globals for unit in members.values()))
        declares = is_typed_class(node) or bool(node.keywords) or _is_enum(node)
        for place, member in enumerate(node.body):
            if place not in members and self._is_wanted(member, node, inside, declares=declares):
                members[place] = unit = self._units.member(member, node, module)
                self._mention(unit)

    def _is_wanted(self, member: ast.stmt, node: ast.ClassDef, inside: set[str], *, declares: bool) -> bool:
        if isinstance(member, ast.Delete) or (
            isinstance(member, ast.Expr) and isinstance(member.value, ast.Constant)
        ):
            return False
        names = bound_in_class(member)
        if isinstance(member, FunctionNode):
            if self._entered is not None and f"{node.name}.{member.name}" not in self._entered:
                return member.name in inside
            return any(name in _MAKING or name in self._attributes or name in inside for name in names)
        if declares or not names:
            return not isinstance(member, ast.Pass)
        return any(name in self._attributes or name in inside or name in _MAKING for name in names)

    # -- writing -----------------------------------------------------------------------------------

    def _written(self) -> str:
        order = self._module_order()
        keys = sorted(self._reached, key=lambda key: (order[key[0]], key[1]))
        body: list[ast.stmt] = []
        for name, index in keys:
            statement = self._reached[name, index]
            module = self._module(name)
            if isinstance(statement, ast.ClassDef):
                body.append(self._written_class(statement, module))
            else:
                body.append(self._units.statement(statement, module).node)
        imports = sorted({target.statement() for target in self._outside.values()})
        text = "\n\n".join(ast.unparse(ast.fix_missing_locations(statement)) for statement in body)
        text += "".join(f"\n\n{alias} = {name}" for alias, name in sorted(self._aliases.items()))
        text = f"{self._helper}\n{text}" if self._helper else text
        return "".join(f"{line}\n" for line in imports) + ("\n" if imports else "") + text + "\n"

    def _written_class(self, node: ast.ClassDef, module: Module) -> ast.ClassDef:
        head = self._units.head(node, module).node
        assert isinstance(head, ast.ClassDef)  # noqa: S101 - the unit of a class
        members = [unit.node for _, unit in sorted(self._members[id(node)].items())]
        return class_with(head, [member for member in members if not isinstance(member, ast.Pass)])

    def _module_order(self) -> dict[str, int]:
        """Give modules numbers, those that others import first."""
        order: dict[str, int] = {}
        visiting: set[str] = set()

        def visit(name: str) -> None:
            if name in order or name in visiting:
                return
            visiting.add(name)
            module = self._module(name)
            for source, what in module.imports.values():
                for candidate in (f"{source}.{what}", source):
                    if candidate in self._modules:
                        visit(candidate)
            order[name] = len(order)

        for name in sorted(self._modules):
            visit(name)
        return order


def _is_enum(node: ast.ClassDef) -> bool:
    return any("Enum" in ast.unparse(base) or "Flag" in ast.unparse(base) for base in node.bases)
