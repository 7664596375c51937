"""What assumptions make of a program: other text, a call with their arguments, and where each value stands.

The one idea: an assumption is put into the program's text, where the expression stands that it is about. So a
model reads it, a real run in the sandbox obeys it, and nobody has to believe anything about a stub. Lines
keep their numbers. A value that a variable gets from an assumption is labelled as supplied.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Final

from opencwm.core.errors import ConfigError
from opencwm.core.syntax import nodes_of
from opencwm.debugger.assumptions import Assumption, AssumptionKind, parse_assumption
from opencwm.debugger.foreseeing.expressions import literal
from opencwm.debugger.matching import Matcher, aliases_of
from opencwm.debugger.rewriting import Rewriter, own_statements
from opencwm.tracer.limits import DEFAULT_LIMITS
from opencwm.tracer.rendering import Renderer
from opencwm.traces import Program, Step, StepKind

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass(frozen=True, slots=True)
class Assumed:
    """Which values of an execution come from assumptions.

    Attributes:
        values: line that gives a variable an assumed value -> variable -> the rendered value.
        returned: line that returns an assumed value as it is -> the rendered value.
        raised: line that does nothing but raise an assumed exception -> the rendered exception.
        invented: argument that nobody gave -> the model's probability of it.
    """

    values: Mapping[int, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    returned: Mapping[int, str] = dataclasses.field(default_factory=dict)
    raised: Mapping[int, str] = dataclasses.field(default_factory=dict)
    invented: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def supplies(self, running: int, step: Step) -> tuple[frozenset[str], bool]:
        """Return which of a step's changed variables have assumed values, and whether its value is one.

        Args:
            running: the line that ran before the step, in its activation.
            step: what followed.
        """
        values = self.values.get(running, {})
        names = frozenset(name for name, text in step.changed if values.get(name) == text)
        given = self.returned if step.kind is StepKind.RETURN else self.raised
        return names, step.value is not None and given.get(running) == step.value


NOTHING_ASSUMED: Final = Assumed()


@dataclasses.dataclass(frozen=True, slots=True)
class AssumedProgram:
    """A program with its assumptions in place.

    Attributes:
        program: what is executed, really or in prediction.
        assumed: where assumed values are.
        missing: parameters of the entry that must be given and are not; it has no call then.
        given: arguments for it that assumptions give, as source text by parameter.
        notes: what was assumed, in words, one line each.
    """

    program: Program
    assumed: Assumed = NOTHING_ASSUMED
    missing: tuple[str, ...] = ()
    given: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()


def assume(program: Program, assumptions: Iterable[str]) -> AssumedProgram:
    """Put assumptions into a program.

    A name is first a parameter of the function that the program enters, then a variable of the module, then a
    local variable of that function.

    Args:
        program: with a call, or with an entry that may need arguments.
        assumptions: as :mod:`opencwm.debugger.assumptions` describes them.

    Raises:
        ConfigError: one is not valid, or says something about what is not in the program.
    """
    parsed = [parse_assumption(text) for text in assumptions]
    placing = _Placing(program)
    for item in parsed:
        placing.place(item)
    return placing.result(tuple(item.describe() for item in parsed))


class _Placing:
    """Puts assumptions into one program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._rewriter = Rewriter(program.source)
        tree = self._rewriter.tree
        self._matcher = Matcher(aliases_of(tree))
        self._call = _call_of(program)
        name = program.entry if self._call is None else _called(self._call)
        functions = [node for node in tree.body if isinstance(node, _Function) and node.name == name]
        self._function = functions[-1] if functions else None
        self._targets: set[str] = set()
        self._given: dict[str, str] = {}
        self._values: dict[int, dict[str, str]] = {}
        self._returned: dict[int, str] = {}
        self._raised: dict[int, str] = {}
        self._renamed: dict[str, str] = {}

    def place(self, item: Assumption) -> None:
        """Put one assumption where it belongs."""
        if item.target in self._targets:
            raise ConfigError(f"{item.target} is assumed twice", where=f"assumption {item.text!r}")
        self._targets.add(item.target)
        if item.name is None:
            self._place_pattern(item)
        elif self._parameter(item.name) is not None:
            self._give(item.name, item)
        elif not (self._place_global(item.name, item) or self._place_local(item.name, item)):
            where = self._function.name if self._function else "the program"
            raise ConfigError(
                f"nothing there is called {item.name!r}",
                where=f"assumption {item.text!r}",
                hint=f"name a parameter or a variable of {where}, or a variable of the module",
            )

    def result(self, notes: tuple[str, ...]) -> AssumedProgram:
        self._drop_imports()
        assumed = Assumed(self._values, self._returned, self._raised)
        source = self._rewriter.text() if notes else self._program.source
        program = dataclasses.replace(self._program, source=source)
        if self._call is not None and self._given:
            added = [f"{name}={text}" for name, text in self._given.items()]
            call = ast.unparse(self._call)
            separator = ", " if self._call.args or self._call.keywords else ""
            text = f"{call[:-1]}{separator}{', '.join(added)})"
            program = dataclasses.replace(program, call=text)
        missing = self._missing()
        if self._call is None and self._given and not missing and self._function is not None:
            program = with_arguments(program, self._given)
        return AssumedProgram(program, assumed, missing, dict(self._given), notes)

    # Arguments

    def _parameter(self, name: str) -> ast.arg | None:
        if self._function is None:
            return None
        arguments = self._function.args
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        return next((item for item in every if item.arg == name), None)

    def _give(self, name: str, item: Assumption) -> None:
        where = f"assumption {item.text!r}"
        if self._call is not None and self._function is not None:
            positional = [a.arg for a in (*self._function.args.posonlyargs, *self._function.args.args)]
            given = {*positional[: len(self._call.args)], *(word.arg for word in self._call.keywords)}
            if name in given or any(isinstance(part, ast.Starred) for part in self._call.args):
                raise ConfigError(f"the call gives {name} already", where=where, hint="leave it out of one")
            if name in {a.arg for a in self._function.args.posonlyargs}:
                raise ConfigError(
                    f"{name} is given by position only", where=where, hint="write it in the call"
                )
        self._given[name] = item.value

    def _missing(self) -> tuple[str, ...]:
        if self._call is not None or self._function is None:
            return ()
        return tuple(name for name in required_parameters(self._function) if name not in self._given)

    # Names

    def _place_global(self, name: str, item: Assumption) -> bool:
        statements = list(own_statements(self._rewriter.tree.body))
        if any(isinstance(node, _Function | ast.ClassDef) and node.name == name for node in statements):
            raise ConfigError(
                f"{name} is defined as a function or class",
                where=f"assumption {item.text!r}",
                hint=f"assume what it gives: {name}(...) -> VALUE",
            )
        found = self._assignments(statements, name)
        for node, value in found:
            self._rewriter.put(value, item.value)
            self._note(node, name, item)
        for node in statements:
            bound = [a for a in getattr(node, "names", ()) if isinstance(a, ast.alias) and _bound(a) == name]
            if isinstance(node, ast.Import | ast.ImportFrom) and bound:
                self._renamed[name] = item.value
                found.append((node, ast.Constant(None)))
        if found:
            return True
        is_global = not self._is_local(name) and any(
            isinstance(node, ast.Name) and node.id == name for node in ast.walk(self._rewriter.tree)
        )
        if is_global:
            self._rewriter.append(f"{name} = {item.value}")
        return is_global

    def _is_local(self, name: str) -> bool:
        if self._function is None:
            return False
        return bool(self._assignments(list(own_statements(self._function.body)), name))

    def _place_local(self, name: str, item: Assumption) -> bool:
        if self._function is None:
            return False
        found = self._assignments(list(own_statements(self._function.body)), name)
        for node, value in found:
            self._rewriter.put(value, item.value)
            self._note(node, name, item)
        return bool(found)

    def _assignments(self, statements: list[ast.stmt], name: str) -> list[tuple[ast.stmt, ast.expr]]:
        """Return the statements that do nothing but give a variable a value, with their values."""
        return [
            (node, node.value)
            for node in statements
            if _assigned(node) == name
            and isinstance(node, ast.Assign | ast.AnnAssign)
            and node.value is not None
            and not self._rewriter.is_replaced(node.value)
        ]

    # Calls and attributes

    def _place_pattern(self, item: Assumption) -> None:
        pattern = item.pattern
        found = self._rewriter.find(lambda node: self._matcher.matches(pattern, node))
        if not found:
            kind = "calls" if isinstance(pattern, ast.Call) else "attributes"
            seen = self._matcher.seen(self._rewriter.tree, type(pattern))
            raise ConfigError(
                f"the program holds no {item.target}",
                where=f"assumption {item.text!r}",
                hint=f"its {kind}: {', '.join(seen[:8])}" if seen else f"it holds no {kind} to replace",
            )
        for node in found:
            self._replace(node, item)

    def _replace(self, node: ast.expr, item: Assumption) -> None:
        if item.kind is AssumptionKind.RAISES:
            statement = self._rewriter.statement_that_always_evaluates(node)
            if statement is not None:
                self._rewriter.put_statement(statement, f"raise {item.value}")
                is_called = item.value.endswith(")")
                self._raised[statement.lineno] = item.value if is_called else f"{item.value}()"
            else:
                self._rewriter.put(node, f"(_ for _ in ()).throw({item.value})")
            return
        text = item.value
        if item.kind is AssumptionKind.FILE:
            text = f"__import__('io').StringIO({item.value})"
        kept = self._kept_arguments(node)
        if kept:
            text = f"({', '.join(kept)}, {text})[-1]"
        self._rewriter.put(node, text)
        parent = self._rewriter.parents.get(node)
        if isinstance(parent, ast.Await):
            parent = self._rewriter.parents.get(parent)
        if item.kind is not AssumptionKind.VALUE or kept:
            return
        if isinstance(parent, ast.Return):
            self._returned[parent.lineno] = rendered(item.value)
        elif isinstance(parent, ast.stmt) and (name := _assigned(parent)):
            self._note(parent, name, item)

    def _kept_arguments(self, node: ast.expr) -> list[str]:
        """Return the arguments of a call that do something of their own: they are evaluated all the same."""
        if not isinstance(node, ast.Call):
            return []
        defined = {
            item.name for item in ast.walk(self._rewriter.tree) if isinstance(item, _Function | ast.ClassDef)
        }
        parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        return [ast.unparse(part) for part in parts if _acts(part, defined)]

    def _note(self, node: ast.stmt, name: str, item: Assumption) -> None:
        self._values.setdefault(node.lineno, {})[name] = rendered(item.value)

    # Imports

    def _drop_imports(self) -> None:
        """Leave out what was imported for nothing but what is assumed now."""
        rewriter = self._rewriter
        if not rewriter.replaced and not self._renamed:
            return
        used = {
            node.id for node in nodes_of(rewriter.tree) if self._is_kept(node) and isinstance(node, ast.Name)
        }
        gone = {
            item.id for node in rewriter.replaced for item in ast.walk(node) if isinstance(item, ast.Name)
        }
        for node in nodes_of(rewriter.tree):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            names = {_bound(alias) for alias in node.names}
            values = {name: text for name, text in self._renamed.items() if name in names}
            dropped = names & ((gone - used) | values.keys())
            if not dropped:
                continue
            kept = [alias for alias in node.names if _bound(alias) not in dropped]
            lines = [f"{name} = {text}" for name, text in values.items()]
            if kept:
                lines.insert(0, ast.unparse(_with_names(node, kept)))
            rewriter.put_statement(node, "; ".join(lines) or "pass")

    def _is_kept(self, node: ast.AST) -> bool:
        return not self._rewriter.is_replaced(node)


def with_arguments(program: Program, arguments: Mapping[str, str]) -> Program:
    """Return a program that starts with the call of its entry, a function at the top of the file.

    Args:
        program: without a call.
        arguments: source text by parameter; those that are not given have defaults.
    """
    functions = [
        node
        for node in ast.parse(program.source).body
        if isinstance(node, _Function) and node.name == program.entry
    ]
    positional_only = [item.arg for item in functions[-1].args.posonlyargs] if functions else []
    leading = [item.arg for item in functions[-1].args.args] if functions else []
    parts = [arguments[name] for name in positional_only if name in arguments]
    is_leading = len(parts) == len(positional_only)
    for name in leading:
        if is_leading and name in arguments:
            parts.append(arguments[name])
        else:
            is_leading = False
            parts += [f"{name}={arguments[name]}"] if name in arguments else []
    rest = {name: text for name, text in arguments.items() if name not in {*positional_only, *leading}}
    parts += [f"{name}={text}" for name, text in rest.items()]
    call = f"{program.entry}({', '.join(parts)})"
    made = Program.from_call(program.source, call, filename=program.filename)
    return dataclasses.replace(program, entry=made.entry, call=made.call)


def required_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the parameters that a call of a function must give."""
    arguments = function.args
    positional = [item.arg for item in (*arguments.posonlyargs, *arguments.args)]
    required = positional[: len(positional) - len(arguments.defaults)]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return required + [item.arg for item, default in pairs if default is None]


def rendered(text: str) -> str:
    """Return the text of a literal as a run's record shows its value."""
    return Renderer(DEFAULT_LIMITS).render(literal(text))


def _call_of(program: Program) -> ast.Call | None:
    if program.call is None:
        return None
    node = ast.parse(program.call, mode="eval").body
    return node if isinstance(node, ast.Call) else None


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _assigned(node: ast.stmt) -> str:
    """Return the one name that an assignment gives a value; empty for any other statement."""
    target = None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    return target.id if isinstance(target, ast.Name) else ""


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _with_names(node: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> ast.stmt:
    if isinstance(node, ast.Import):
        return ast.Import(names)
    return ast.ImportFrom(node.module, names, node.level)


def _acts(node: ast.expr, defined: set[str]) -> bool:
    for item in ast.walk(node):
        if isinstance(item, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
            return True
        if isinstance(item, ast.Call):
            name = item.func.attr if isinstance(item.func, ast.Attribute) else getattr(item.func, "id", "")
            if name in defined:
                return True
    return False
