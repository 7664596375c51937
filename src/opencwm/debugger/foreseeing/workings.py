"""What a line is going to evaluate: its sub-expressions with the values of their operands filled in.

The tracer rewrites a program so that its sub-expressions report themselves, :mod:`opencwm.tracer.instrument`.
Here the rewritten syntax tree is followed without being run: names read as the rendered values that the
state has for them, and the value of each sub-expression is whatever a caller says. So the text of each
evaluation is known before its value is, and a model is asked for values only.

Nothing is computed: which operand of ``and`` ends it, and how many rounds a comprehension makes, is read off
the values. Where a value is not known, or a construct not followed, the rest of the line is unforeseen.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from opencwm.core.syntax import syntax_tree
from opencwm.debugger.exceptions import catches
from opencwm.debugger.foreseeing.arguments import Functions
from opencwm.debugger.foreseeing.attributes import Attributes
from opencwm.debugger.foreseeing.bindings import names_by_string
from opencwm.debugger.foreseeing.buffers import makers_of
from opencwm.debugger.foreseeing.called_properties import with_properties
from opencwm.debugger.foreseeing.closures import closed_functions, free_variables
from opencwm.debugger.foreseeing.decorated import Decorated
from opencwm.debugger.foreseeing.disguises import Disguises
from opencwm.debugger.foreseeing.entering import Entries
from opencwm.debugger.foreseeing.enumerations import Enumerations
from opencwm.debugger.foreseeing.expectations import Ask, Memory, Outcome, UnforeseenError
from opencwm.debugger.foreseeing.field_classes import FieldClasses
from opencwm.debugger.foreseeing.hooks import is_note
from opencwm.debugger.foreseeing.introspection import Introspection
from opencwm.debugger.foreseeing.isolation import functions_apart, shares
from opencwm.debugger.foreseeing.known import Known, has_finalizers, has_hashes, has_truths, mentions
from opencwm.debugger.foreseeing.line_follower import Followed, LineFollower
from opencwm.debugger.foreseeing.module_names import ModuleNames
from opencwm.debugger.foreseeing.module_variables import ModuleVariables
from opencwm.debugger.foreseeing.one_line import Together, is_short, on_one_line, short_ifs
from opencwm.debugger.foreseeing.opaque_types import opaque_types
from opencwm.debugger.foreseeing.own_exceptions import OwnExceptions
from opencwm.debugger.foreseeing.qualified_names import FunctionNode
from opencwm.debugger.foreseeing.value_classes import ValueClasses
from opencwm.debugger.foreseeing.with_blocks import with_blocks
from opencwm.tracer.bound_names import BoundNames
from opencwm.tracer.instrument import rewritten
from opencwm.tracer.sites import Site


@dataclasses.dataclass(frozen=True, slots=True)
class Workings:
    """The rewritten lines of one program.

    Attributes:
        known: of the program.
        lines: by first line of a function and line, the one statement, or body of a lambda, standing there.
        returning: lines, with the first line of their function, at which it may return something: those of
            ``return``, of lambdas, and those that what was to be returned may be waiting for, of ``with`` and
            ``finally``.
        handlers: by first line of a function and line, the ``except`` clause there, its body on other lines.
        handed_on: lines of those, after which another clause is asked when they do not catch.
        text: of the program.
        free: the free variables of its inner functions, see :func:`.closures.free_variables`.
        variables: those of its module that functions bind anew.
    """

    known: Known
    lines: Mapping[tuple[int, int], Followed]
    returning: frozenset[tuple[int, int]] = frozenset()
    handlers: Mapping[tuple[int, int], ast.ExceptHandler] = dataclasses.field(default_factory=dict)
    handed_on: frozenset[tuple[int, int]] = frozenset()
    text: str = ""
    free: Mapping[int, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    variables: ModuleVariables = dataclasses.field(default_factory=ModuleVariables)

    @classmethod
    @functools.lru_cache(maxsize=8)
    def of(cls, text: str, filename: str = "<program>") -> Workings:
        """Rewrite a program; of one that cannot be rewritten nothing is foreseen.

        Kept for the forks of an execution, which are many and of the same text.
        """
        try:
            tree, sites = rewritten(text, filename)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return cls(Known((), {}, Functions(ast.Module([], []))), {})
        owned = list(_owned(tree))
        source = syntax_tree(text)
        bound = BoundNames(tree)
        names = ModuleNames.of(source, bound)
        return cls(
            _known(text, source, names, sites or (), frozenset(bound.shared)),
            _lines(owned) if sites is not None else {},
            frozenset(_returning(owned)),
            dict(_handlers(owned)),
            frozenset(_handed_on(owned)),
            text,
            free_variables(text),
            ModuleVariables.of(source, names),
        )

    def follower(self, memory: Memory, ask: Ask, *, calculates: bool = False) -> LineFollower:
        """Return what follows the line that runs in an activation.

        Raises:
            UnforeseenError: nothing does.
        """
        node = self.statement(memory)
        if node is None:
            raise UnforeseenError
        return LineFollower(node, self.known, memory, ask, calculates=calculates)

    def statement(self, memory: Memory) -> Followed | None:
        """Return the one statement, or body of a lambda, on the line that runs in an activation."""
        return self.lines.get((memory.first, memory.lineno))

    def alone(self, memory: Memory) -> Followed | None:
        """Return the same where no other statement stands on the line."""
        node = self.statement(memory)
        is_several = isinstance(node, Together) or (isinstance(node, ast.If) and is_short(node))
        return None if is_several else node

    def binds_plainly(self, memory: Memory) -> bool:
        """Whether it is known which names the line that runs in an activation binds."""
        return self.begins_block(memory) or (memory.first, memory.lineno) in self.lines

    def begins_block(self, memory: Memory) -> bool:
        """Whether an activation is at a line that only says ``try``."""
        lines = self.text.split("\n")
        return 0 < memory.lineno <= len(lines) and lines[memory.lineno - 1].strip() == "try:"

    def caught(self, memory: Memory) -> Outcome | None:
        """Return what the ``except`` clause does that an activation is at; None where that is not known."""
        handler = self.handlers.get((memory.first, memory.lineno))
        if handler is None or memory.raised is None:
            return None
        truth = catches(handler, memory.raised, self.text)
        if truth is None:
            return None
        values = {handler.name: memory.raised} if truth and handler.name else {}
        is_told = truth or (memory.first, memory.lineno) in self.handed_on
        return Outcome(values, truth=truth, is_told=is_told, is_pure=is_told)

    def returns_none(self, memory: Memory) -> bool:
        """Whether an activation that returns from the line it is at returns None."""
        return bool(self.lines) and memory.lineno > 0 and (memory.first, memory.lineno) not in self.returning

    def branch(self, memory: Memory) -> int:
        """Return the line a condition or loop goes on with when it holds, 0 where that is not known.

        Of a condition that decides about its own line that with which it goes on when it does not.
        """
        key = memory.first, memory.lineno
        node = self.lines.get(key, self.handlers.get(key))
        if not isinstance(node, ast.If | ast.While | ast.For | ast.ExceptHandler | ast.match_case):
            return 0
        if isinstance(node, ast.If) and is_short(node):  # goes on beyond it when it does not hold
            short = self.known.short_ifs.get(node.lineno)
            return 0 if short is None else short.otherwise or 0
        body = node.body[1:] if is_note(node.body[0]) else node.body
        return body[0].lineno if body[0].lineno > memory.lineno else 0


_Owned = tuple[int, ast.stmt | ast.expr]


def _lines(owned: Sequence[_Owned]) -> dict[tuple[int, int], Followed]:
    """Return what stands on each line that can be followed, by first line of its function and line."""
    found: dict[tuple[int, int], list[ast.stmt | ast.expr]] = {}
    reraising = set(_reraising(owned))
    for first, node in owned:
        found.setdefault((first, node.lineno), []).append(node)
    lines: dict[tuple[int, int], Followed] = {}
    for key, nodes in found.items():
        if not reraising.isdisjoint(nodes):
            continue
        several = on_one_line(nodes) if len(nodes) > 1 else None
        if several is not None:
            lines[key] = several
        elif len(nodes) == 1 and _is_on_one_line(nodes[0]):
            lines[key] = nodes[0]
    for first, node in owned:
        for case in node.cases if isinstance(node, ast.Match) else ():
            if (first, case.pattern.lineno) not in found and _is_case_on_one_line(case):
                lines[first, case.pattern.lineno] = case
    return lines


def _known(
    text: str, source: ast.Module, names: ModuleNames, sites: Sequence[Site], shared: frozenset[str]
) -> Known:
    """Return what is known of a program before it runs.

    Args:
        text: of the program.
        source: its syntax tree.
        names: those of its module that stand for the same always.
        sites: what of it reports; none of one that cannot be rewritten.
        shared: names that a function of it may rebind for another one.
    """
    is_by_name = not names_by_string(source)
    attributes = Attributes.of(source, names.texts, names.builtins)
    exceptions = OwnExceptions.of(source, names.texts)
    functions = Functions(source, {**names.texts, **names.defaults}, attributes.lines, exceptions)
    enumerations = Enumerations.of(source, names.texts)
    made_of_fields = FieldClasses.of(source, names.texts)
    disguises = Disguises.of(source)
    decorated = Decorated.of(source) if is_by_name else Decorated()
    plain = names.fixed | decorated.plain
    entries = None
    if is_by_name:
        tree = with_properties(source, names.texts)
        entries = Entries(tree, functions, attributes, enumerations, made_of_fields.tuples)
    introspection = Introspection(
        attributes,
        entries,
        names.texts,
        names.abstract,
        disguises,
        exceptions,
        made_of_fields,
        opaque_types(source),
    )
    return Known(
        sites,
        names.texts,
        functions,
        shared,
        attributes,
        disguises=disguises,
        apart=functions_apart(source, plain),
        is_isolated=not shares(source, plain),
        entries=entries,
        builtins=names.builtins,
        exceptions=exceptions,
        has_truths=has_truths(source),
        has_hashes=has_hashes(source),
        introspection=introspection,
        made_of_fields=made_of_fields,
        has_finalizers=has_finalizers(source),
        blocks=with_blocks(source),
        enumerations=enumerations,
        closed=closed_functions(text),
        buffers=makers_of(source, names.texts, names.builtins) if is_by_name else {},
        names_matching=_names_matching(source),
        short_ifs=short_ifs(source),
        prints_plainly=_prints_plainly(source, names.texts),
        decorated=decorated,
        tables=names.tables,
        value_classes=ValueClasses.of(source, names.texts),
        aliases=names.aliases,
    )


def _prints_plainly(source: ast.Module, texts: Mapping[str, str]) -> bool:
    is_of_python = texts.get("print") == "<built-in function print>"
    return is_of_python and not mentions(source, frozenset({"stdout", "redirect_stdout"}))


def _owned(tree: ast.Module) -> Iterator[_Owned]:
    """Yield statements and bodies of lambdas with the first line of the function they belong to."""
    waiting: list[tuple[int, ast.AST]] = [(0, tree)]
    while waiting:
        first, node = waiting.pop()
        for child in ast.iter_child_nodes(node):
            owner = first
            if isinstance(node, FunctionNode) and child in node.body:
                owner = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            elif isinstance(node, ast.Lambda) and child is node.body:
                owner = node.lineno
                yield owner, child
            if isinstance(child, ast.stmt) and not is_note(child):
                yield owner, child
            waiting.append((owner, child))


def _handlers(owned: Iterable[_Owned]) -> Iterator[tuple[tuple[int, int], ast.ExceptHandler]]:
    """Yield ``except`` clauses with the first line of their function and their own line."""
    for first, node in owned:
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                if handler.body[-1].lineno > handler.lineno:
                    yield (first, handler.lineno), handler


def _handed_on(owned: Iterable[_Owned]) -> Iterator[tuple[int, int]]:
    """Yield ``except`` clauses that another one follows, with the first line of their function."""
    for first, node in owned:
        if isinstance(node, ast.Try):
            yield from ((first, handler.lineno) for handler in node.handlers[:-1])


def _returning(owned: Iterable[_Owned]) -> Iterator[tuple[int, int]]:
    for first, node in owned:
        parts: list[ast.AST] = []
        if isinstance(node, ast.Return | ast.expr):
            parts = [node]
        elif isinstance(node, ast.With | ast.AsyncWith):
            yield from ((first, line) for line in range(node.lineno, node.body[0].lineno + 1))
        elif isinstance(node, ast.Try | ast.TryStar):
            parts = list(node.finalbody)
        for part in parts:
            lineno, end = getattr(part, "lineno", 0), getattr(part, "end_lineno", None) or 0
            yield from ((first, line) for line in range(lineno, end + 1))


def _reraising(owned: Iterable[_Owned]) -> Iterator[ast.stmt]:
    """Yield the statements at the end of a ``finally`` that may not have run when their line is come to.

    An exception that goes on behind it does so with the line of the last one.
    """
    for _, node in owned:
        body = node.finalbody if isinstance(node, ast.Try | ast.TryStar) else []
        parts = [part for statement in body for part in ast.walk(statement) if isinstance(part, ast.stmt)]
        yield from (part for part in parts if len(parts) > 1 and part.end_lineno == body[-1].end_lineno)


def _is_on_one_line(node: ast.stmt | ast.expr) -> bool:
    """Whether what a line of this node runs stands on that line alone."""
    if isinstance(node, ast.For):
        return node.iter.end_lineno == node.lineno
    if isinstance(node, ast.Match):
        return node.subject.end_lineno == node.lineno
    if isinstance(node, ast.If | ast.While):
        return node.test.end_lineno == node.lineno
    if isinstance(node, ast.FunctionDef):
        return _is_defined_on_one_line(node)
    if isinstance(node, ast.With):
        return node.items[-1].context_expr.end_lineno == node.lineno
    return node.end_lineno == node.lineno


def _names_matching(source: ast.Module) -> bool:
    """Whether a program may say which attributes patterns by position mean, or what is a sequence."""
    return mentions(source, frozenset({"__match_args__", "register"})) or any(
        isinstance(node, ast.keyword) and node.arg in ("match_args", "kw_only") for node in ast.walk(source)
    )


def _is_case_on_one_line(case: ast.match_case) -> bool:
    """Whether the pattern and the guard of a ``case`` stand on one line, and its body on others."""
    first, last = case.pattern.lineno, case.body[0].lineno
    ends = [case.pattern.end_lineno, first if case.guard is None else case.guard.end_lineno]
    return ends == [first, first] and last > first


def _is_defined_on_one_line(node: ast.FunctionDef) -> bool:
    """Whether what the definition of a function runs stands on its first line: nothing but defaults."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [item for item in (arguments.vararg, arguments.kwarg) if item is not None]
    annotations = [node.returns, *(item.annotation for item in every)]
    defaults = [*arguments.defaults, *arguments.kw_defaults]
    return (
        not node.decorator_list
        and all(item is None or isinstance(item, ast.Name | ast.Constant) for item in annotations)
        and all(item is None or item.end_lineno == node.lineno for item in (*annotations, *defaults))
    )
