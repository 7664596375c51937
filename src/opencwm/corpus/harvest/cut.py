"""Cut a function out of its package: the function, the definitions and imports it needs, nothing else.

The one idea is that of :mod:`opencwm.source.reach`, across modules: follow names from the function until
nothing new is found. A class is reduced to the methods whose names are mentioned, the special methods that
the syntax of what is kept can call, and what makes its objects. What looks names up at run time may break;
that the result runs, and gives what was seen, is checked by :mod:`opencwm.corpus.harvest.check`.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from opencwm.corpus.harvest.mentions import attributes_in
from opencwm.corpus.harvest.modules import (
    CutError,
    Definition,
    FunctionNode,
    Module,
    ModuleTarget,
    Outside,
    Package,
    Target,
)
from opencwm.corpus.harvest.strip import is_typed_class
from opencwm.corpus.harvest.units import GlobalRenamer, Unit, Units, bound_in_class, class_with
from opencwm.corpus.harvest.values import HELPER_MODULE, HELPERS
from opencwm.source.unparsing import unparsed

MAX_LINES: Final = 200
_MAX_STATEMENTS: Final = 600
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


@dataclasses.dataclass(frozen=True, slots=True)
class CutSource:
    """Source that was cut out of a package.

    Attributes:
        text: the source.
        places: for each line of it the module and 1-based line it is from; of what is in no module, line 0.
    """

    text: str
    places: tuple[tuple[str, int], ...]


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
            entered: qualified names of the only functions that are kept, besides those that are needed to
                load the source; None keeps all that may be called.
            max_lines: longest source.

        Raises:
            CutError: why it cannot be done.
        """
        return self.cut_out(module, qualname, needs, calls, entered=entered, max_lines=max_lines).text

    def cut_out(
        self,
        module: str,
        qualname: str,
        needs: Mapping[str, str],
        calls: Iterable[str] = (),
        *,
        entered: Collection[str] | None = None,
        max_lines: int = MAX_LINES,
    ) -> CutSource:
        """Return what :meth:`cut` does, and where its lines are from.

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


class Names:
    """What the things of one program are called: by their own names, the later of two by a longer one.

    Attributes:
        taken: all names that mean something, and what they mean.
    """

    def __init__(self) -> None:
        self._names: dict[Definition | Outside, str] = {}
        self.taken: dict[str, Definition | Outside] = {}

    def __contains__(self, target: object) -> bool:
        return target in self._names

    def of(self, target: Target) -> str:
        """Return the name of a thing, which is given one when it has none.

        Raises:
            CutError: it is a module of the package, which has none.
        """
        if isinstance(target, ModuleTarget):
            raise CutError("uses a module as a value")
        wanted = target.name if isinstance(target, Definition) else target.alias
        thing = target if isinstance(target, Definition) else dataclasses.replace(target, alias="")
        if thing not in self._names:
            made = self._free(wanted, thing.module)
            self._names[thing] = made
            self.taken[made] = thing
        return self._names[thing]

    def _free(self, wanted: str, module: str) -> str:
        if wanted not in self.taken:
            return wanted
        longer = longer_name(wanted, module)
        number = 1
        while (made := f"{longer}_{number}" if number > 1 else longer) in self.taken:
            number += 1
        return made

    def imports(self) -> list[str]:
        """Return the imports of what is from outside, sorted."""
        return sorted(
            dataclasses.replace(thing, alias=name).statement()
            for thing, name in self._names.items()
            if isinstance(thing, Outside) and thing.module != HELPER_MODULE
        )


def longer_name(name: str, module: str) -> str:
    """Return what a thing of a module is called when another one has its name."""
    return f"{module.rpartition('.')[2]}_{name.strip('_')}"


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
        self._helpers: dict[str, str] = {}
        self._names = Names()
        self._aliases: dict[str, str] = {}
        self._waiting: list[tuple[Definition, bool]] = []
        self._loaded: set[Definition] = set()
        self._reached: dict[tuple[str, int], ast.stmt] = {}
        self._attributes: set[str] = mentioned.union(qualname.split(".")[1:])
        self._modules: dict[str, None] = {}
        self._members: dict[int, dict[int, Unit]] = {}
        self._entry = Definition(module.name, qualname.partition(".")[0])
        self._reach(self._entry, loads=False)
        for name, where in needs.items():
            self._need(name, where)

    def _need(self, name: str, where: str) -> None:
        """Reach what a call mentions; calls are not rewritten, so it has to have this very name."""
        if where == HELPER_MODULE:
            target: Target | None = Outside(HELPER_MODULE, name, name)
            self._helpers[name] = HELPERS[name]
        elif where and self._package.owns(where):
            inner = self._package.module(where)
            target = self._package.resolve(inner, name) if inner is not None else None
            if not isinstance(target, Definition) or target.name != name:
                raise CutError("class or function not found")
            self._waiting.append((target, False))
        else:
            target = Outside(where or name, name if where else "", name)
        if target is None or self._names.of(target) != name:
            raise CutError("two things of one name")

    def _reach(self, target: Definition, *, loads: bool) -> None:
        """Put a definition on the list.

        Args:
            target: the definition.
            loads: whether it is used when the source is loaded, not only when the function runs.
        """
        self._names.of(target)
        self._waiting.append((target, loads))

    def source(self) -> CutSource:
        """Follow names to the end and write what was found."""
        while True:
            while self._waiting:
                self._follow(*self._waiting.pop())
            before = len(self._attributes), len(self._reached), sum(map(len, self._members.values()))
            for (name, _), statement in list(self._reached.items()):
                if isinstance(statement, ast.ClassDef):
                    self._class(statement, self._module(name))
            after = len(self._attributes), len(self._reached), sum(map(len, self._members.values()))
            if before == after and not self._waiting:
                break
        made = self._written()
        if len(made.places) > self._max_lines:
            raise CutError("long program")
        return made

    def _module(self, name: str) -> Module:
        module = self._package.module(name)
        if module is None:
            raise CutError("no source")
        return module

    def _follow(self, target: Definition, loads: bool) -> None:
        module = self._module(target.module)
        is_known = target in self._loaded
        if loads:
            self._loaded.add(target)
        for index in module.binders.get(target.name, ()):
            if (module.name, index) in self._reached and (is_known or not loads):
                continue
            statement = module.statements[index]
            self._reached[module.name, index] = statement
            if len(self._reached) > _MAX_STATEMENTS:
                raise CutError("long program")
            if not isinstance(statement, ast.ClassDef):
                self._mention(self._units.statement(statement, module), loads=loads)
        self._modules.setdefault(module.name)

    def _mention(self, unit: Unit, *, loads: bool) -> None:
        self._attributes |= unit.mentions.attributes
        for target in unit.targets.values():
            if not isinstance(target, Definition):
                self._names.of(target)
            elif (is_loaded := loads or target in unit.at_once) or self._is_entered(target):
                self._reach(target, loads=is_loaded)

    def _is_entered(self, target: Definition) -> bool:
        """Whether a definition is wanted that is used, if at all, when the function runs."""
        if self._entered is None or target in self._names:
            return True
        if target.name in self._entered or longer_name(target.name, target.module) in self._entered:
            return True
        module = self._module(target.module)
        statements = [module.statements[index] for index in module.binders.get(target.name, ())]
        return not all(isinstance(statement, FunctionNode) for statement in statements)

    # -- classes -----------------------------------------------------------------------------------

    def _class(self, node: ast.ClassDef, module: Module) -> None:
        """Bring a class up to what is mentioned by now."""
        head = self._units.head(node, module)
        if id(node) not in self._members:
            self._members[id(node)] = {}
            self._mention(head, loads=False)
        members = self._members[id(node)]
        inside = set(head.mentions.globals).union(*(unit.mentions.globals for unit in members.values()))
        declares = is_typed_class(node) or bool(node.keywords) or _is_enum(node)
        for place, member in enumerate(node.body):
            if place not in members and self._is_wanted(member, node, inside, declares=declares):
                members[place] = unit = self._units.member(member, node, module)
                self._mention(unit, loads=False)

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

    def _written(self) -> CutSource:
        order = self._module_order()
        keys = sorted(self._reached, key=lambda key: (order[key[0]], key[1]))
        body: list[tuple[str, ast.stmt]] = []
        for name, index in keys:
            statement = self._reached[name, index]
            module = self._module(name)
            bound = {
                made: self._names.of(Definition(name, made))
                for made, indices in module.binders.items()
                if index in indices and Definition(name, made) in self._names
            }
            if isinstance(statement, ast.ClassDef):
                body.append((name, self._written_class(statement, module, bound)))
            else:
                body.append((name, self._named(self._units.statement(statement, module), bound)))
        imports = self._names.imports()
        pieces = [("", source, [0] * (source.count("\n") + 1)) for _, source in sorted(self._helpers.items())]
        pieces += [(name, *unparsed(statement)) for name, statement in body]
        pieces += [("", f"{alias} = {name}", [0]) for alias, name in sorted(self._aliases.items())]
        text = "".join(f"{line}\n" for line in imports) + ("\n" if imports else "")
        places = [("", 0)] * text.count("\n")
        for number, (name, piece, lines) in enumerate(pieces):
            text += f"\n{piece}\n" if number else f"{piece}\n"
            places += [("", 0)] * bool(number) + [(name, line) for line in lines]
        return CutSource(text, tuple(places))

    def _named(self, unit: Unit, bound: Mapping[str, str]) -> ast.stmt:
        """Return the statement of a unit with the names that things have in this program.

        Args:
            unit: of a package.
            bound: names that it binds, and what they are called here.
        """
        renames = {}
        if not isinstance(unit.node, FunctionNode | ast.ClassDef):
            renames = {name: made for name, made in bound.items() if name != made}
            if any(
                unit.targets.get(name) not in (None, self._names.taken[renames[name]]) for name in renames
            ):
                raise CutError("two things of one name")
        for name, target in unit.targets.items():
            made = self._names.of(target)
            if made == name:
                continue
            if unit.mentions.bound.isdisjoint((name, made)):
                renames[name] = made
            elif name in self._names.taken or self._aliases.setdefault(name, made) != made:
                raise CutError("two things of one name")
        if not renames and all(name == made for name, made in bound.items()):
            return unit.node
        if not unit.mentions.bound.isdisjoint((*renames, *renames.values())):
            raise CutError("two things of one name")
        node: ast.stmt = GlobalRenamer(renames).visit(copy.deepcopy(unit.node))
        if isinstance(node, FunctionNode | ast.ClassDef) and node.name in bound:
            node.name = bound[node.name]
        return node

    def _written_class(self, node: ast.ClassDef, module: Module, bound: Mapping[str, str]) -> ast.ClassDef:
        head = self._named(self._units.head(node, module), bound)
        assert isinstance(head, ast.ClassDef)  # noqa: S101 - the unit of a class
        members = [self._named(unit, {}) for _, unit in sorted(self._members[id(node)].items())]
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
