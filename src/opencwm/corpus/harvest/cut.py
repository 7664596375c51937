"""Cut a function out of its package: the function, the definitions and imports it needs, nothing else.

The one idea is that of :mod:`opencwm.source.reach`, across modules: follow names from the function until
nothing new is found. A class is reduced to the methods whose names are mentioned, the special methods that
the syntax of what is kept can call, and what makes its objects. Names imported from other modules of the
package are replaced by the definitions they lead to. What looks names up at run time may break; that the
result runs, and gives what was seen, is checked by :mod:`opencwm.corpus.harvest.check`.
"""

from __future__ import annotations

import ast
import dataclasses
import dis
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import CodeType
from typing import Final

from opencwm.corpus.harvest.modules import (
    CutError,
    Definition,
    FunctionNode,
    Module,
    ModuleTarget,
    Outside,
    Package,
)
from opencwm.corpus.harvest.strip import is_typed_class, stripped
from opencwm.corpus.harvest.values import HELPER, HELPER_MODULE

MAX_LINES: Final = 120
_MAX_STATEMENTS: Final = 150
_GLOBAL_OPS: Final = frozenset(
    {"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS", "LOAD_FROM_DICT_OR_DEREF"}
)
_RUN_TIME_NAMES: Final = frozenset({"globals", "__import__", "__file__", "__loader__", "__spec__"})
_MAKING: Final = frozenset(
    {"__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__", "__slots__",
     "__call__", "__getattr__", "__setattr__", "__getattribute__", "__missing__", "__hash__", "__eq__", "__get__",
     "__set__", "__bool__", "__len__", "__iter__", "__next__", "__index__", "__prepare__", "__instancecheck__",
     "__match_args__", "__delattr__"}
)
_BINARY: Final = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.LShift: "lshift", ast.RShift: "rshift", ast.BitAnd: "and", ast.BitOr: "or",
    ast.BitXor: "xor", ast.MatMult: "matmul",
}
_UNARY: Final = {ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert"}
_COMPARED: Final = {
    ast.Lt: ("lt", "gt"), ast.LtE: ("le", "ge"), ast.Gt: ("gt", "lt"), ast.GtE: ("ge", "le"), ast.NotEq: ("ne",),
    ast.In: ("contains",), ast.NotIn: ("contains",),
}
_CALLED: Final = {
    "str": ("str", "repr"), "repr": ("repr",), "print": ("str", "repr"), "format": ("format", "str"),
    "int": ("int", "trunc"), "float": ("float",), "complex": ("complex",), "abs": ("abs",), "round": ("round",),
    "divmod": ("divmod", "rdivmod"), "reversed": ("reversed",), "sorted": ("lt",), "min": ("lt",), "max": ("gt", "lt"),
    "sum": ("add", "radd"), "pow": ("pow",), "bytes": ("bytes",), "dir": ("dir",), "copy": ("copy", "reduce_ex"),
    "deepcopy": ("deepcopy", "reduce_ex"), "heappush": ("lt",), "heappop": ("lt",), "hex": ("index",),
    "join": ("str",), "floor": ("floor",), "ceil": ("ceil",), "trunc": ("trunc",), "sort": ("lt",),
}


@dataclasses.dataclass(frozen=True, slots=True)
class _Mentions:
    """What a piece of code mentions."""

    globals: frozenset[str]
    bound: frozenset[str]
    attributes: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class _Unit:
    """A statement, or a member of a class, as it will be written."""

    node: ast.stmt
    mentions: _Mentions
    targets: Mapping[str, Definition | ModuleTarget | Outside]


class Cutter:
    """Cuts functions out of one package; units are prepared once.

    Args:
        package: the sources.
        keep_decorators: leave out those decorators of functions that are not of Python itself when False.
    """

    def __init__(self, package: Package, *, keep_decorators: bool = True) -> None:
        self._package = package
        self._keep_decorators = keep_decorators
        self._units: dict[int, _Unit | CutError] = {}
        self._kept: list[ast.stmt] = []  # so that no id is used twice

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
            mentioned = {name for call in calls for name in _attributes(ast.parse(call, mode="eval"))}
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise CutError("call is no expression") from None
        return _Cut(self, self._package, found, qualname, needs, mentioned, entered, max_lines).source()

    def unit(self, node: ast.stmt, module: Module) -> _Unit:
        """Prepare a statement of a module.

        Raises:
            CutError: a name it uses leads nowhere.
        """
        made = self._units.get(id(node))
        if made is None:
            self._kept.append(node)
            try:
                made = self._prepare(node, module)
            except CutError as error:
                made = error
            self._units[id(node)] = made
        if isinstance(made, CutError):
            raise CutError(str(made))
        return made

    def strip(self, node: ast.stmt, module: Module) -> tuple[ast.stmt, dict[str, tuple[str, str]]]:
        """Return a statement without what does not matter; see :func:`opencwm.corpus.harvest.strip.stripped`."""
        return stripped(node, module.package, self._package.owns, keep_decorators=self._keep_decorators)

    def _prepare(self, node: ast.stmt, module: Module) -> _Unit:
        bare, local_imports = self.strip(node, module)
        mentions = _mentions(bare)
        targets: dict[str, Definition | ModuleTarget | Outside] = {}
        for name in mentions.globals:
            if name in _RUN_TIME_NAMES:
                raise CutError("looks at its module")
            if name in local_imports:
                target = self._package.follow(*local_imports[name], alias=name)
            else:
                target = self._package.resolve(module, name)
            if target is not None:
                targets[name] = target
        return _renamed(_Unit(bare, mentions, targets), self._package)


class _Cut:
    """One function being cut out."""

    def __init__(
        self,
        cutter: Cutter,
        package: Package,
        module: Module,
        qualname: str,
        needs: Mapping[str, str],
        mentioned: set[str],
        entered: Collection[str] | None,
        max_lines: int,
    ) -> None:
        self._cutter = cutter
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
        self._members: dict[int, list[_Unit]] = {}
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
                self._mention(self._cutter.unit(statement, module))
        self._modules.setdefault(module.name)

    def _mention(self, unit: _Unit) -> None:
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
        head = self._head(node, module)
        if id(node) not in self._members:
            self._members[id(node)] = []
            self._mention(head)
        members = self._members[id(node)]
        known = {id(unit.node) for unit in members}
        mentioned_inside = set(head.mentions.globals).union(*(unit.mentions.globals for unit in members))
        declares = is_typed_class(node) or bool(node.keywords) or _is_enum(node)
        for member in node.body:
            if not self._is_wanted(member, node, mentioned_inside, declares=declares):
                continue
            unit = self._member(member, node, module)
            if id(unit.node) not in known:
                members.append(unit)
                self._mention(unit)

    def _head(self, node: ast.ClassDef, module: Module) -> _Unit:
        key = self._cutter._units.get(-id(node))
        if isinstance(key, _Unit):
            return key
        bare = ast.ClassDef(node.name, node.bases, node.keywords, [ast.Pass()], node.decorator_list)
        if hasattr(node, "type_params"):
            bare.type_params = []
        ast.copy_location(bare, node)
        unit = self._cutter._prepare(ast.fix_missing_locations(bare), module)
        self._cutter._units[-id(node)] = unit
        return unit

    def _member(self, member: ast.stmt, node: ast.ClassDef, module: Module) -> _Unit:
        inner = {name for other in node.body for name in _bound_in_class(other)}
        known = self._cutter._units.get(id(member))
        if isinstance(known, _Unit):
            return known
        if isinstance(known, CutError):
            raise CutError(str(known))
        self._cutter._kept.append(member)
        bare, local_imports = self._cutter.strip(_in_class(member, node), module)
        assert isinstance(bare, ast.ClassDef)
        try:
            mentions = _mentions(bare)
            own = _class_level_names(bare) & inner
            targets: dict[str, Definition | ModuleTarget | Outside] = {}
            for name in mentions.globals - own:
                if name in _RUN_TIME_NAMES:
                    raise CutError("looks at its module")
                target = (
                    self._package.follow(*local_imports[name], alias=name)
                    if name in local_imports
                    else self._package.resolve(module, name)
                )
                if target is not None:
                    targets[name] = target
            unit = _renamed(_Unit(bare, mentions, targets), self._package)
        except CutError as error:
            self._cutter._units[id(member)] = error
            raise
        unit = dataclasses.replace(unit, node=unit.node.body[0])  # type: ignore[attr-defined]
        self._cutter._units[id(member)] = unit
        return unit

    def _is_wanted(
        self, member: ast.stmt, node: ast.ClassDef, mentioned_inside: set[str], *, declares: bool
    ) -> bool:
        if isinstance(member, ast.Delete) or (
            isinstance(member, ast.Expr) and isinstance(member.value, ast.Constant)
        ):
            return False
        names = _bound_in_class(member)
        if isinstance(member, FunctionNode):
            if self._entered is not None and f"{node.name}.{member.name}" not in self._entered:
                return member.name in mentioned_inside
            return any(name in _MAKING or name in self._attributes or name in mentioned_inside for name in names)
        if declares or not names:
            return not isinstance(member, ast.Pass)
        return any(name in self._attributes or name in mentioned_inside or name in _MAKING for name in names)

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
                body.append(self._cutter.unit(statement, module).node)
        imports = sorted({target.statement() for target in self._outside.values()})
        text = "\n\n".join(ast.unparse(ast.fix_missing_locations(statement)) for statement in body)
        text += "".join(f"\n\n{alias} = {name}" for alias, name in sorted(self._aliases.items()))
        text = f"{self._helper}\n{text}" if self._helper else text
        return "".join(f"{line}\n" for line in imports) + ("\n" if imports else "") + text + "\n"

    def _written_class(self, node: ast.ClassDef, module: Module) -> ast.ClassDef:
        head = self._head(node, module).node
        assert isinstance(head, ast.ClassDef)
        order = {id(self._cutter._units[id(member)].node): place  # type: ignore[union-attr]
                 for place, member in enumerate(node.body) if isinstance(self._cutter._units.get(id(member)), _Unit)}
        members = sorted((unit.node for unit in self._members[id(node)]), key=lambda made: order[id(made)])
        made = ast.ClassDef(head.name, head.bases, head.keywords, members or [ast.Pass()], head.decorator_list)
        if hasattr(head, "type_params"):
            made.type_params = []
        return made

    def _module_order(self) -> dict[str, int]:
        """Number modules so that those that others import come first."""
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


def _in_class(member: ast.stmt, node: ast.ClassDef) -> ast.ClassDef:
    """Put one member into a class of the same kind, so that it is compiled as what it is."""
    made = ast.ClassDef(node.name, node.bases if is_typed_class(node) else [], [], [member],
                        node.decorator_list if is_typed_class(node) else [])
    if hasattr(node, "type_params"):
        made.type_params = []
    return ast.fix_missing_locations(ast.copy_location(made, node))


def _is_enum(node: ast.ClassDef) -> bool:
    return any("Enum" in ast.unparse(base) or "Flag" in ast.unparse(base) for base in node.bases)


def _bound_in_class(member: ast.stmt) -> set[str]:
    if isinstance(member, FunctionNode | ast.ClassDef):
        return {member.name}
    if isinstance(member, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = member.targets if isinstance(member, ast.Assign) else [member.target]
        return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    return set()


def _class_level_names(node: ast.ClassDef) -> set[str]:
    """Return the names looked up in the class itself, not in its functions."""
    code = _compiled(node)
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return {str(i.argval) for made in inner for i in dis.get_instructions(made) if i.opname == "LOAD_NAME"}


# -- what code mentions ----------------------------------------------------------------------------


def _compiled(node: ast.stmt) -> CodeType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(ast.Module([node], []), "<cut>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, TypeError) as error:
        raise CutError("cannot be compiled alone") from error


def _mentions(node: ast.stmt) -> _Mentions:
    names: set[str] = set()
    bound: set[str] = set()
    waiting = [_compiled(node)]
    while waiting:
        code = waiting.pop()
        names |= {str(i.argval) for i in dis.get_instructions(code) if i.opname in _GLOBAL_OPS}
        bound.update(code.co_varnames, code.co_cellvars)
        waiting.extend(const for const in code.co_consts if isinstance(const, CodeType))
    names -= {"__module__", "__qualname__", "__classcell__", "__annotations__", "__static_attributes__", "__firstlineno__"}
    return _Mentions(frozenset(names), frozenset(bound), frozenset(_attributes(node)))


def _attributes(node: ast.AST) -> Iterator[str]:
    """Yield names of attributes, and of the special methods that syntax calls."""
    for child in ast.walk(node):
        if isinstance(child, ast.Attribute):
            yield child.attr
            yield from (f"__{name}__" for name in _CALLED.get(child.attr, ()))
        elif isinstance(child, ast.Constant):
            if isinstance(child.value, str) and child.value.isidentifier() and len(child.value) < 40:
                yield child.value
            elif isinstance(child.value, str) and "%" in child.value:
                yield from ("__str__", "__repr__")
        else:
            yield from (f"__{name}__" for name in _special(child))


def _special(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.BinOp):
        name = _BINARY[type(node.op)]
        return (name, f"r{name}")
    if isinstance(node, ast.AugAssign):
        name = _BINARY[type(node.op)]
        return (name, f"i{name}", f"r{name}")
    if isinstance(node, ast.UnaryOp):
        return (_UNARY[type(node.op)],) if type(node.op) in _UNARY else ()
    if isinstance(node, ast.Compare):
        return tuple(name for op in node.ops for name in _COMPARED.get(type(op), ()))
    if isinstance(node, ast.Subscript):
        kinds = {ast.Load: "getitem", ast.Store: "setitem", ast.Del: "delitem"}
        return (kinds[type(node.ctx)],) if not isinstance(node.ctx, ast.Load) else ("getitem",)
    if isinstance(node, ast.JoinedStr):
        return ("format", "str", "repr")
    if isinstance(node, ast.With | ast.AsyncWith):
        return ("enter", "exit")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _CALLED.get(node.func.id, ())
    if isinstance(node, ast.For | ast.comprehension | ast.Starred):
        return ("getitem",)
    return ()


# -- names of other modules ------------------------------------------------------------------------


def _renamed(unit: _Unit, package: Package) -> _Unit:
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
    targets = {name: target for name, target in unit.targets.items() if name not in modules and name not in renames}
    for name in renames:
        target = unit.targets[name]
        assert isinstance(target, Definition)
        targets[target.name] = target
    return _Unit(ast.fix_missing_locations(node), unit.mentions, {**targets, **renamer.found})


class _Renamer(ast.NodeTransformer):
    def __init__(
        self, renames: Mapping[str, str], modules: Mapping[str, str], mentions: _Mentions, package: Package
    ) -> None:
        self._renames = renames
        self._modules = modules
        self._mentions = mentions
        self._package = package
        self.found: dict[str, Definition | ModuleTarget | Outside] = {}

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
