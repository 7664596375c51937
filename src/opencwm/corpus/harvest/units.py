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
    """

    node: ast.stmt
    mentions: Mentions
    targets: Mapping[str, Target]


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
        return _renamed(Unit(bare, mentions, targets), self._package)


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
    """Replace names imported from other modules of the package by the names they have there."""
    renames: dict[str, str] = {}
    modules: dict[str, str] = {}
    for name, target in unit.targets.items():
        if isinstance(target, ModuleTarget):
            modules[name] = target.module
        elif isinstance(target, Definition) and target.name != name:
            renames[name] = target.name
    if not renames and not modules:
        return unit
    renamer = _Renamer(renames, modules, unit.mentions, package)
    node = renamer.visit(unit.node)
    targets = {
        name: target for name, target in unit.targets.items() if name not in modules and name not in renames
    }
    for name in renames:
        target = unit.targets[name]
        assert isinstance(target, Definition)  # noqa: S101 - only those are renamed
        targets[target.name] = target
    return Unit(ast.fix_missing_locations(node), unit.mentions, {**targets, **renamer.found})


class _Renamer(ast.NodeTransformer):
    def __init__(
        self, renames: Mapping[str, str], modules: Mapping[str, str], mentions: Mentions, package: Package
    ) -> None:
        self._renames = renames
        self._modules = modules
        self._mentions = mentions
        self._package = package
        self.found: dict[str, Target] = {}

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self._modules and node.id not in self._mentions.bound:
            raise CutError("uses a module as a value")
        if node.id in self._renames:
            if node.id in self._mentions.bound or self._renames[node.id] in self._mentions.bound:
                raise CutError("two things of one name")
            node.id = self._renames[node.id]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        path = _dotted(node)
        if path is None or path[0] not in self._modules:
            return self.generic_visit(node)
        if path[0] in self._mentions.bound:
            raise CutError("two things of one name")
        module, rest = self._modules[path[0]], path[1:]
        while rest:
            inner = self._package.module(module)
            if inner is None:
                raise CutError("unresolved name")
            target = self._package.follow(module, rest[0], alias=rest[0])
            if isinstance(target, ModuleTarget):
                module, rest = target.module, rest[1:]
                continue
            if target is None:
                raise CutError("unresolved name")
            name = target.name if isinstance(target, Definition) else target.alias
            if name in self._mentions.bound and isinstance(target, Definition):
                name = f"{module.rpartition('.')[2]}_{name}"
            if name in self._mentions.bound or self.found.setdefault(name, target) != target:
                raise CutError("two things of one name")
            made: ast.expr = ast.Name(name, ast.Load() if rest[1:] else node.ctx)
            for position, attribute in enumerate(rest[1:], 1):
                made = ast.Attribute(made, attribute, node.ctx if position == len(rest) - 1 else ast.Load())
            return made
        raise CutError("uses a module as a value")


def _dotted(node: ast.expr) -> list[str] | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return [node.id, *reversed(parts)]
