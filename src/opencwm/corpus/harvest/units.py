"""Statements and members of classes as they will stand in a cut program, and what their names lead to.

A unit is stripped of what does not matter, its names are resolved, and names imported from other modules of
the package are replaced by the names they have there. Units are made once for each package.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from opencwm.corpus.harvest.mentions import Mentions, class_level_names, mentions_of
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
from opencwm.corpus.harvest.strip import is_typed_class, stripped

_RUN_TIME_NAMES: Final = frozenset({"globals", "__import__", "__file__", "__loader__", "__spec__"})


@dataclasses.dataclass(frozen=True, slots=True)
class Unit:
    """A statement, the head of a class, or a member of one, as it will be written.

    Attributes:
        node: shared by all programs it is part of; not to be changed.
        mentions: what it mentions.
        targets: what its global names lead to, builtins left out.
        at_once: those of the targets that running it needs, not only calling a function of it.
    """

    node: ast.stmt
    mentions: Mentions
    targets: Mapping[str, Target]
    at_once: frozenset[Target]


class Units:
    """Makes the units of one package.

    Args:
        package: the sources.
        keep_decorators: leave out those decorators of functions that are not of Python itself when False.
    """

    def __init__(self, package: Package, *, keep_decorators: bool) -> None:
        self._package = package
        self._keep_decorators = keep_decorators
        self._made: dict[tuple[str, int], Unit | str] = {}

    def statement(self, node: ast.stmt, module: Module) -> Unit:
        """Return the unit of a statement at the top level of a module.

        Raises:
            CutError: a name it uses leads nowhere.
        """
        return self._once(("statement", id(node)), lambda: self._unit(node, module, frozenset()))

    def head(self, node: ast.ClassDef, module: Module) -> Unit:
        """Return the unit of a class without its members.

        Raises:
            CutError: a name it uses leads nowhere.
        """
        return self._once(("head", id(node)), lambda: self._unit(class_with(node, []), module, frozenset()))

    def member(self, member: ast.stmt, node: ast.ClassDef, module: Module) -> Unit:
        """Return the unit of a member of the class ``node``.

        Raises:
            CutError: a name it uses leads nowhere.
        """
        return self._once(("member", id(member)), lambda: self._member(member, node, module))

    def _once(self, key: tuple[str, int], make: Callable[[], Unit]) -> Unit:
        """Make a unit the first time; nodes live as long as their module, so no id is used twice."""
        made = self._made.get(key)
        if made is None:
            try:
                made = make()
            except CutError as error:
                made = str(error)
            self._made[key] = made
        if isinstance(made, str):
            raise CutError(made)
        return made

    def _member(self, member: ast.stmt, node: ast.ClassDef, module: Module) -> Unit:
        inner = {name for other in node.body for name in bound_in_class(other)}
        typed = is_typed_class(node)
        inside = class_with(node, [member], bases=typed, decorators=typed)  # compiled as what it is
        unit = self._unit(inside, module, frozenset(class_level_names(inside) & inner))
        assert isinstance(unit.node, ast.ClassDef)  # noqa: S101 - as it was made
        return dataclasses.replace(unit, node=unit.node.body[0])

    def _unit(self, node: ast.stmt, module: Module, own: frozenset[str]) -> Unit:
        """Strip a statement, resolve its names, those of the class around it apart, and rename."""
        owns = self._package.owns
        bare, local_imports = stripped(node, module.package, owns, keep_decorators=self._keep_decorators)
        mentions = mentions_of(bare)
        targets: dict[str, Target] = {}
        for name in mentions.globals - own:
            if name in _RUN_TIME_NAMES:
                raise CutError("looks at its module")
            if name in local_imports:
                target = self._package.follow(*local_imports[name], alias=name)
            else:
                target = self._package.resolve(module, name)
            if target is not None:
                targets[name] = target
        at_once = frozenset(target for name, target in targets.items() if name in mentions.at_once)
        return _renamed(Unit(bare, mentions, targets, at_once), self._package)


def class_with(
    node: ast.ClassDef, body: list[ast.stmt], *, bases: bool = True, decorators: bool = True
) -> ast.ClassDef:
    """Return a class like ``node`` with another body."""
    made = copy.copy(node)
    made.bases = node.bases if bases else []
    made.keywords = node.keywords if bases else []
    made.body = body or [ast.Pass()]
    made.decorator_list = node.decorator_list if decorators else []
    if "type_params" in node._fields:  # Python 3.12
        setattr(made, "type_params", [])  # noqa: B010 - unknown to older versions
    return ast.fix_missing_locations(made)


def bound_in_class(member: ast.stmt) -> set[str]:
    """Return the names that a member of a class binds in it."""
    if isinstance(member, FunctionNode | ast.ClassDef):
        return {member.name}
    if isinstance(member, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = member.targets if isinstance(member, ast.Assign) else [member.target]
        return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    return set()


# -- names of other modules ------------------------------------------------------------------------


def _renamed(unit: Unit, package: Package) -> Unit:
    """Replace names imported from other modules of the package by the names they have there.

    A name that would then be hidden by a local stays as it is, with its target under it.
    """
    modules: dict[str, str] = {}
    renames: dict[str, str] = {}
    for name, target in unit.targets.items():
        if isinstance(target, ModuleTarget):
            modules[name] = target.module
        elif (
            isinstance(target, Definition)
            and target.name != name
            and unit.mentions.bound.isdisjoint((name, target.name))
            and unit.targets.get(target.name, target) == target
        ):
            renames[name] = target.name
    if not renames and not modules:
        return unit
    kept = {name: target for name, target in unit.targets.items() if name not in modules}
    renamer = _ModuleNames(modules, unit.mentions, package, kept)
    node = GlobalRenamer(renames).visit(renamer.visit(unit.node))
    found = {renames.get(name, name): target for name, target in renamer.found.items()}
    is_module_at_once = not unit.mentions.at_once.isdisjoint(modules)
    at_once = frozenset(found.values()) if is_module_at_once else unit.at_once
    return Unit(ast.fix_missing_locations(node), unit.mentions, found, at_once)


class GlobalRenamer(ast.NodeTransformer):
    """Gives global names of a piece of code, in place, other names; no local may have an old or a new one."""

    def __init__(self, renames: Mapping[str, str]) -> None:
        self._renames = renames

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Rename where a name is used or bound."""
        node.id = self._renames.get(node.id, node.id)
        return node

    def visit_Global(self, node: ast.Global) -> ast.AST:
        """Rename in a declaration."""
        node.names = [self._renames.get(name, name) for name in node.names]
        return node


class _ModuleNames(ast.NodeTransformer):
    """Replaces what is reached through a module, ``module.name``, by a name of its own.

    Attributes:
        found: what the global names of the code lead to, the new ones included.
    """

    def __init__(
        self, modules: Mapping[str, str], mentions: Mentions, package: Package, found: Mapping[str, Target]
    ) -> None:
        self._modules = modules
        self._mentions = mentions
        self._package = package
        self.found = dict(found)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self._modules and node.id not in self._mentions.bound:
            raise CutError("uses a module as a value")
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        path = _dotted(node)
        if path is None or path[0] not in self._modules:
            return self.generic_visit(node)
        if path[0] in self._mentions.bound:
            raise CutError("two things of one name")
        module, rest = self._modules[path[0]], path[1:]
        while rest:
            if self._package.module(module) is None:
                raise CutError("unresolved name")
            target = self._package.follow(module, rest[0], alias=rest[0])
            if isinstance(target, ModuleTarget):
                module, rest = target.module, rest[1:]
                continue
            if target is None:
                raise CutError("unresolved name")
            name = self._name_for(target, module)
            made: ast.expr = ast.Name(name, ast.Load() if rest[1:] else node.ctx)
            for position, attribute in enumerate(rest[1:], 1):
                made = ast.Attribute(made, attribute, node.ctx if position == len(rest) - 1 else ast.Load())
            return made
        raise CutError("uses a module as a value")

    def _name_for(self, target: Definition | Outside, module: str) -> str:
        wanted = target.name if isinstance(target, Definition) else target.alias
        for name in (wanted, f"{module.rpartition('.')[2]}_{wanted}"):
            if name not in self._mentions.bound and self.found.setdefault(name, target) == target:
                return name
        raise CutError("two things of one name")


def _dotted(node: ast.expr) -> list[str] | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return [node.id, *reversed(parts)]
