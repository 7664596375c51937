"""Compile a program so that it reports its sub-expressions, and does all else as before.

The one idea: a hook receives a value that the program has computed itself, notes its text and returns the
very same object. ``f(x) + 1`` becomes ``result(1, result(0, f(operand(0, x))) + 1)``: every operation stays in
the function, at the position and in the order it had, so names, closures, frames, positions in tracebacks,
``super()``, ``await`` and ``yield`` are what they were. The texts of operands wait on a stack that belongs to
the activation, until the operation's own hook takes them.

The hooks are constants of the code objects, not names: a marker string stands in the syntax tree, and the
compiled code gets the hook in its place. So nothing appears in ``locals()``, ``globals()`` or a class's
namespace.

What is compiled to jumps (``and``, ``or``, ``not``, chained comparisons and conditional expressions where
only their truth is asked for) is not wrapped, because a value that is tested twice has its ``__bool__``
called twice. Its operands report, and the outcome follows from them where that runs no code of the program.

Not instrumented: annotations, patterns, ``except`` clauses, targets, operators that lie on several lines
(their parts on one line are), and a program nested so deeply that the compiler would refuse it.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType
from typing import Any, TypeVar

from opencwm.tracer.sites import MARKERS, Push, Site, SiteKind

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitXor: "^", ast.BitAnd: "&", ast.MatMult: "@",
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], str] = {ast.UAdd: "+", ast.USub: "-", ast.Invert: "~", ast.Not: "not "}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CONVERSIONS = {-1: "", 97: "!a", 114: "!r", 115: "!s"}
_BUILTINS = frozenset(dir(builtins))
_NUMBER = "-0123456789"
_MARKER_OF = {name: marker for marker, name in MARKERS.items()}
_Node = TypeVar("_Node", ast.expr, ast.stmt)
MAX_DEPTH = 60
"""Expressions nested deeper are left as they are."""


@dataclasses.dataclass(frozen=True, slots=True)
class Instrumented:
    """An instrumented program.

    Attributes:
        code: of the module, with markers in the place of hooks: see :func:`with_hooks`.
        sites: the expressions that report.
    """

    code: CodeType
    sites: list[Site]


def instrument(text: str, filename: str) -> Instrumented | None:
    """Compile a program that compiles; None when it is nested too deeply to be instrumented."""
    try:
        tree = ast.parse(text, filename)
        instrumenter = _Instrumenter(text, tree)
        instrumenter.statements(tree.body)
        code = compile(tree, filename, "exec", dont_inherit=True)
    except (RecursionError, MemoryError):
        return None
    return Instrumented(code, instrumenter.sites)


def with_hooks(code: CodeType, hooks: Mapping[str, Callable[..., Any]]) -> CodeType:
    """Return ``code`` with the hooks, by name, in the places of their markers."""

    def replaced(constant: Any) -> Any:
        if type(constant) is str:
            return hooks[MARKERS[constant]] if constant in MARKERS else constant
        return with_hooks(constant, hooks) if isinstance(constant, CodeType) else constant

    return code.replace(co_consts=tuple(map(replaced, code.co_consts)))


class _Names:
    """How names are bound anywhere in the program.

    Attributes:
        constant: names that stand for one function, class or module, so that they read as themselves.
        shared: declared ``global`` or ``nonlocal``, or bound by an assignment expression, somewhere.
    """

    def __init__(self, tree: ast.AST) -> None:
        defined: set[str] = set()
        bound: set[str] = set()
        self.shared: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                if not isinstance(node.ctx, ast.Load):
                    bound.add(node.id)
            elif isinstance(node, ast.arg):
                bound.add(node.arg)
            elif isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
                defined.add(node.name)
            elif isinstance(node, ast.alias):
                defined.add((node.asname or node.name).split(".")[0])
            elif isinstance(node, ast.NamedExpr):
                self.shared.add(node.target.id)
            elif isinstance(node, ast.Global | ast.Nonlocal):
                self.shared.update(node.names)
            elif isinstance(node, ast.ExceptHandler | ast.MatchStar | ast.MatchAs) and node.name:
                bound.add(node.name)
            elif isinstance(node, ast.MatchMapping) and node.rest:
                bound.add(node.rest)
        self.constant = (_BUILTINS | defined) - bound


class _Instrumenter:
    """Rewrites a syntax tree in place and collects its sites."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        self.sites: list[Site] = []
        self._names = _Names(tree)
        self._lines = text.split("\n")
        self._is_ascii = text.isascii()
        self._in_function = False
        self._depth = 0
        self._text_place: tuple[int, int, int, int] | None = None  # of the f-string around
        self._values: dict[type, Callable[[Any, Push | None], ast.expr]] = {
            ast.BinOp: self._binary,
            ast.UnaryOp: self._unary,
            ast.BoolOp: self._boolean,
            ast.Compare: self._compare,
            ast.Call: self._call,
            ast.Subscript: self._subscript,
            ast.Attribute: self._attribute,
            ast.JoinedStr: self._joined,
            ast.Await: self._await,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.DictComp: self._comprehension,
        }

    # -- statements

    def statements(self, body: list[ast.stmt]) -> None:
        """Rewrite a block."""
        for node in body:
            self._statement(node)

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, _FUNCTIONS):
            self._function(node)
        elif isinstance(node, ast.ClassDef):
            self._class(node)
        elif isinstance(node, ast.For):
            self._for(node)
        elif isinstance(node, ast.Expr):
            first, original = len(self.sites), node.value
            node.value = self.value(original)
            if isinstance(original, ast.Call | ast.Await) and node.value is not original:
                self.sites[first].drops_none = True
        elif isinstance(node, ast.Assign):
            node.targets = [self._target(target) for target in node.targets]
            node.value = self.value(node.value)
        elif isinstance(node, ast.AugAssign):
            self._augmented(node)
        elif isinstance(node, ast.AnnAssign):
            node.target = self._target(node.target)  # type: ignore[assignment]
            if node.value is not None:
                node.value = self.value(node.value)
        elif isinstance(node, ast.Delete):
            node.targets = [self._target(target) for target in node.targets]
        elif isinstance(node, ast.AsyncFor):
            node.target, node.iter = self._target(node.target), self.value(node.iter)
            self.statements(node.body)
            self.statements(node.orelse)
        elif isinstance(node, ast.Match):
            node.subject = self.value(node.subject)
            for case in node.cases:
                if case.guard is not None:
                    case.guard = self.test(case.guard)
                self.statements(case.body)
        elif type(node).__name__ != "TypeAlias":
            self._other_statement(node)

    def _other_statement(self, node: ast.stmt) -> None:
        """Rewrite a statement of which every field is a value, a test or a block."""
        for field, found in ast.iter_fields(node):
            if isinstance(found, ast.expr):
                setattr(node, field, self.test(found) if field == "test" else self.value(found))
            elif isinstance(found, list):
                for child in found:
                    if isinstance(child, ast.stmt):
                        self._statement(child)
                    elif isinstance(child, ast.ExceptHandler):
                        self.statements(child.body)
                    elif isinstance(child, ast.withitem):
                        child.context_expr = self.value(child.context_expr)
                        if child.optional_vars is not None:
                            child.optional_vars = self._target(child.optional_vars)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        node.decorator_list = [self.value(item) for item in node.decorator_list]
        self._defaults(node.args)
        outer, self._in_function = self._in_function, True
        self.statements(node.body)
        self._in_function = outer

    def _defaults(self, arguments: ast.arguments) -> None:
        arguments.defaults = [self.value(item) for item in arguments.defaults]
        arguments.kw_defaults = [
            None if item is None else self.value(item) for item in arguments.kw_defaults
        ]

    def _class(self, node: ast.ClassDef) -> None:
        node.decorator_list = [self.value(item) for item in node.decorator_list]
        node.bases = [self.value(item) for item in node.bases]
        for keyword in node.keywords:
            keyword.value = self.value(keyword.value)
        outer, self._in_function = self._in_function, False
        self.statements(node.body)
        self._in_function = outer

    def _augmented(self, node: ast.AugAssign) -> None:
        """Let ``x += y`` report ``x + y``: the hook is given ``x`` once more, which has a value by then."""
        target = node.target
        node.target = self._target(target)  # type: ignore[assignment]
        node.value = self.value(node.value)
        if (
            isinstance(target, ast.Name)
            and self._in_function
            and target.id not in self._names.shared
            and node.lineno == node.end_lineno
        ):
            site = self._site(node)
            self.sites[site].operators = (_BINARY[type(node.op)],)
            again = ast.copy_location(ast.Name(target.id, ast.Load()), node.value)
            node.value = self._hook("augmented", node.value, site, again)

    def _for(self, node: ast.For) -> None:
        is_reported = (
            self._in_function
            and node.target.lineno == node.iter.end_lineno
            and self._is_plain_target(node.target)
        )
        first = len(self.sites)
        is_call = isinstance(node.iter, ast.Call)
        target, iterable = node.target, node.iter
        node.target = self._target(target)
        node.iter = self.value(iterable)
        if is_reported:
            index = len(self.sites)
            site = Site(self._place(target)[:2] + self._place(iterable)[2:], kind=SiteKind.LOOP)
            if is_call and index > first:
                site.iterable = first
            self.sites.append(site)
            node.iter = self._hook("loop", node.iter, index)
        self.statements(node.body)
        self.statements(node.orelse)
        if is_reported:
            node.body.insert(0, self._note("item", target, index, _loaded(target)))
            node.orelse.insert(0, self._note("exhausted", iterable, index))

    def _is_plain_target(self, target: ast.expr) -> bool:
        """Tell whether ``target`` binds local names only, which can be read right after."""
        if isinstance(target, ast.Name):
            return target.id not in self._names.shared
        if isinstance(target, ast.Tuple | ast.List):
            return bool(target.elts) and all(map(self._is_plain_target, target.elts))
        return False

    def _target(self, node: ast.expr) -> ast.expr:
        """Rewrite what is evaluated for the sake of a target."""
        if isinstance(node, ast.Attribute | ast.Starred):
            node.value = self.value(node.value) if isinstance(node, ast.Attribute) else self._target(node.value)
        elif isinstance(node, ast.Subscript):
            node.value = self.value(node.value)
            node.slice = self._index(node.slice)
        elif isinstance(node, ast.Tuple | ast.List):
            node.elts = [self._target(item) for item in node.elts]
        return node

    def _index(self, node: ast.expr) -> ast.expr:
        """Rewrite the subscript of a target."""
        if isinstance(node, ast.Slice):
            for field in ("lower", "upper", "step"):
                part = getattr(node, field)
                if part is not None:
                    setattr(node, field, self.value(part))
            return node
        if isinstance(node, ast.Tuple):
            node.elts = [self._index(item) for item in node.elts]
            return node
        return self.value(node)

    # -- expressions where their value is wanted

    def value(self, node: ast.expr, push: Push | None = None) -> ast.expr:
        """Rewrite an expression whose value is used as it is, and whose text is wanted by ``push``."""
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                return node if push is None else self._operand(node, push)
            rewrite = self._values.get(type(node))
            if rewrite is not None and node.lineno == node.end_lineno and not _is_constant(node):
                return rewrite(node, push)
            self._children(node)
        finally:
            self._depth -= 1
        return node if push is None else self._operand(node, push)

    def _children(self, node: ast.expr) -> None:
        """Rewrite the parts of an expression that does not report itself."""
        if isinstance(node, ast.Lambda):
            self._defaults(node.args)
            outer, self._in_function = self._in_function, True
            node.body = self.value(node.body)
            self._in_function = outer
        elif isinstance(node, ast.IfExp):
            node.test, node.body = self.test(node.test), self.value(node.body)
            node.orelse = self.value(node.orelse)
        elif isinstance(node, ast.BoolOp):
            node.values = [self.test(item) for item in node.values[:-1]] + [self.value(node.values[-1])]
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            self._generators(node)
        elif isinstance(node, ast.Call) and _is_super(node):
            return
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node.func.value = self.value(node.func.value)
            self._all_children(node, skip="func")
        elif isinstance(node, ast.Subscript):
            node.value, node.slice = self.value(node.value), self._index(node.slice)
        elif isinstance(node, ast.JoinedStr):
            with self._within_text(node):
                self._all_children(node)
        elif isinstance(node, ast.FormattedValue):
            node.value = self.value(node.value)
            if node.format_spec is not None:
                self._children(node.format_spec)
        elif not isinstance(node, ast.Constant | ast.Name):
            self._all_children(node)

    def _all_children(self, node: ast.AST, skip: str = "") -> None:
        for field, found in ast.iter_fields(node):
            if field == skip:
                continue
            if isinstance(found, ast.expr):
                setattr(node, field, self.value(found))
            elif isinstance(found, list):
                for index, child in enumerate(found):
                    if isinstance(child, ast.expr):
                        found[index] = self.value(child)
                    elif isinstance(child, ast.keyword):
                        child.value = self.value(child.value)

    def _generators(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        """Rewrite a comprehension, its outermost iterable apart where that is done already."""
        for index, generator in enumerate(node.generators):
            if index or isinstance(node, ast.GeneratorExp) or node.lineno != node.end_lineno:
                generator.iter = self.value(generator.iter)
            generator.target = self._target(generator.target)
            generator.ifs = [self.test(item) for item in generator.ifs]
        if isinstance(node, ast.DictComp):
            node.key, node.value = self.value(node.key), self.value(node.value)
        else:
            node.elt = self.value(node.elt)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp, push: Push | None) -> ast.expr:
        if self._text_place is not None:  # Python 3.11 does not know columns inside of f-strings
            node.generators[0].iter = self.value(node.generators[0].iter)
            self._generators(node)
            return node if push is None else self._operand(node, push)
        index = self._site(node, push)
        site = self.sites[index]
        start, end = self._place(node)[1::2]
        iterable = node.generators[0].iter
        before, after = self._place(iterable)[1::2]
        line = self._lines[node.lineno - 1]
        site.literal(line[start:before])
        node.generators[0].iter = self._part(iterable, index)
        site.literal(line[after:end])
        self._generators(node)
        return self._hook("result", node, index)

    def _binary(self, node: ast.BinOp, push: Push | None) -> ast.expr:
        index = self._site(node, push)
        is_power = isinstance(node.op, ast.Pow)
        node.left = self._part(node.left, index, tight="-" if is_power else "")
        self.sites[index].literal(f" {_BINARY[type(node.op)]} ")
        node.right = self._part(node.right, index)
        return self._hook("result", node, index)

    def _unary(self, node: ast.UnaryOp, push: Push | None) -> ast.expr:
        index = self._site(node, push)
        self.sites[index].literal(_UNARY[type(node.op)])
        node.operand = self._part(node.operand, index, tight="" if isinstance(node.op, ast.Not) else "-")
        return self._hook("result", node, index)

    def _boolean(self, node: ast.BoolOp, push: Push | None) -> ast.expr:
        if any(isinstance(item, ast.Constant) for item in node.values[:-1]):
            self._children(node)
            return node if push is None else self._operand(node, push)
        index = self._site(node, push)
        site = self.sites[index]
        site.kind = SiteKind.AND if isinstance(node.op, ast.And) else SiteKind.OR
        site.joins_values = True
        site.num_operands = len(node.values)
        for number, item in enumerate(node.values):
            wanted = (index, number)
            is_tested = number < len(node.values) - 1 and _is_jump(item)
            node.values[number] = self.test(item, wanted) if is_tested else self.value(item, wanted)
        return self._hook("result", node, index)

    def _compare(self, node: ast.Compare, push: Push | None) -> ast.expr:
        if len(node.ops) > 1:
            self._chain(node, None)
            return node if push is None else self._operand(node, push)
        index = self._site(node, push)
        node.left = self._part(node.left, index)
        self.sites[index].literal(f" {_COMPARE[type(node.ops[0])]} ")
        node.comparators[0] = self._part(node.comparators[0], index)
        return self._hook("result", node, index)

    def _chain(self, node: ast.Compare, push: Push | None) -> None:
        """Rewrite the operands of a chained comparison so that each link is reported."""
        index = self._site(node, push)
        site = self.sites[index]
        site.kind = SiteKind.CHAIN
        site.operators = tuple(_COMPARE[type(op)] for op in node.ops)
        site.num_operands = len(node.ops) + 1
        node.left = self._hook("link", self.value(node.left), index, number=0)
        for number, item in enumerate(node.comparators):
            node.comparators[number] = self._hook("link", self.value(item), index, number=number + 1)

    def _call(self, node: ast.Call, push: Push | None) -> ast.expr:
        if _is_super(node):
            return node if push is None else self._operand(node, push)
        index = self._site(node, push)
        site = self.sites[index]
        if isinstance(node.func, ast.Attribute):
            node.func.value = self._part(node.func.value, index, tight=_NUMBER)
            site.literal(f".{node.func.attr}")
        elif isinstance(node.func, ast.Name):
            site.literal(node.func.id)
        else:
            node.func = self._part(node.func, index)
        site.literal("(")
        is_alone = len(node.args) == 1 and not node.keywords
        for number, item in enumerate(node.args):
            site.literal(", " if number else "")
            if isinstance(item, ast.Starred):
                site.literal("*")
                item.value = self._part(item.value, index)
            elif is_alone and isinstance(item, ast.GeneratorExp):
                site.literal(self._source(item, "(...)")[1:-1])
                self._children(item)
            else:
                node.args[number] = self._part(item, index)
        for number, keyword in enumerate(node.keywords):
            site.literal(", " if number or node.args else "")
            site.literal("**" if keyword.arg is None else f"{keyword.arg}=")
            keyword.value = self._part(keyword.value, index)
        site.literal(")")
        return self._hook("result", node, index)

    def _subscript(self, node: ast.Subscript, push: Push | None) -> ast.expr:
        index = self._site(node, push)
        node.value = self._part(node.value, index, tight=_NUMBER)
        self.sites[index].literal("[")
        node.slice = self._slice(node.slice, index)
        self.sites[index].literal("]")
        return self._hook("result", node, index)

    def _slice(self, node: ast.expr, index: int) -> ast.expr:
        site = self.sites[index]
        if isinstance(node, ast.Slice):
            if node.lower is not None:
                node.lower = self._part(node.lower, index)
            site.literal(":")
            if node.upper is not None:
                node.upper = self._part(node.upper, index)
            if node.step is not None:
                site.literal(":")
                node.step = self._part(node.step, index)
            return node
        if isinstance(node, ast.Tuple) and any(isinstance(item, ast.Slice) for item in node.elts):
            for number, item in enumerate(node.elts):
                site.literal(", " if number else "")
                node.elts[number] = self._slice(item, index)
            return node
        return self._part(node, index)

    def _attribute(self, node: ast.Attribute, push: Push | None) -> ast.expr:
        index = self._site(node, push)
        site = self.sites[index]
        site.is_lookup = True
        node.value = self._part(node.value, index, tight=_NUMBER)
        site.literal(f".{node.attr}")
        return self._hook("result", node, index)

    def _await(self, node: ast.Await, push: Push | None) -> ast.expr:
        index = self._site(node, push)
        self.sites[index].literal("await ")
        node.value = self._part(node.value, index)
        return self._hook("result", node, index)

    def _joined(self, node: ast.JoinedStr, push: Push | None) -> ast.expr:
        index = self._site(node, push)
        site = self.sites[index]
        site.literal("f'")
        with self._within_text(node):
            self._format(node, index)
        site.literal("'")
        return self._hook("result", node, index)

    def _format(self, node: ast.JoinedStr, index: int) -> None:
        site = self.sites[index]
        for item in node.values:
            if isinstance(item, ast.Constant):
                site.literal(repr(item.value)[1:-1].replace("{", "{{").replace("}", "}}"))
            elif isinstance(item, ast.FormattedValue):
                site.literal("{")
                item.value = self._part(item.value, index)
                site.literal(_CONVERSIONS.get(item.conversion, ""))
                if isinstance(item.format_spec, ast.JoinedStr):
                    site.literal(":")
                    self._format(item.format_spec, index)
                site.literal("}")

    # -- expressions where only their truth is wanted

    def test(self, node: ast.expr, push: Push | None = None) -> ast.expr:
        """Rewrite an expression that is only tested for truth; the outcome is reported to ``push``."""
        if node.lineno != node.end_lineno or self._depth > MAX_DEPTH:
            if not _is_jump(node):
                return self.value(node)
            self._untouched(node)
            return node
        self._depth += 1
        try:
            if isinstance(node, ast.BoolOp):
                return self._boolean_test(node, push)
            if isinstance(node, ast.UnaryOp) and _is_jump(node):
                index = self._site(node, push)
                self.sites[index].kind = SiteKind.NOT
                self.sites[index].num_operands = 1
                node.operand = self.test(node.operand, (index, 0))
                return node
            if isinstance(node, ast.IfExp):
                node.test = self.test(node.test)
                node.body, node.orelse = self.test(node.body, push), self.test(node.orelse, push)
                return node
            if isinstance(node, ast.Compare) and len(node.ops) > 1:
                self._chain(node, push)
                return node
        finally:
            self._depth -= 1
        if push is None:
            return self.value(node)
        if isinstance(node, ast.Constant):
            return node
        return self._hook("decision", self.value(node), push[0], number=push[1])

    def _boolean_test(self, node: ast.BoolOp, push: Push | None) -> ast.expr:
        if any(isinstance(item, ast.Constant) for item in node.values):
            node.values = [self.test(item) for item in node.values]
            return node
        index = self._site(node, push)
        site = self.sites[index]
        site.kind = SiteKind.AND if isinstance(node.op, ast.And) else SiteKind.OR
        site.num_operands = len(node.values)
        for number, item in enumerate(node.values):
            node.values[number] = self.test(item, (index, number))
        return node

    def _untouched(self, node: ast.expr) -> None:
        """Rewrite the operands of something compiled to jumps that does not report itself."""
        if isinstance(node, ast.BoolOp):
            node.values = [self.test(item) for item in node.values]
        elif isinstance(node, ast.UnaryOp):
            node.operand = self.test(node.operand)
        elif isinstance(node, ast.IfExp):
            node.test, node.body, node.orelse = map(self.test, (node.test, node.body, node.orelse))
        elif isinstance(node, ast.Compare):
            node.left = self.value(node.left)
            node.comparators = [self.value(item) for item in node.comparators]

    # -- parts

    def _part(self, node: ast.expr, index: int, tight: str = "") -> ast.expr:
        """Rewrite an operand of a site: written into the template, or reported when it is evaluated."""
        site = self.sites[index]
        text = self._constant_text(node)
        if text is not None:
            site.literal(f"({text})" if tight and text[0] in tight else text)
            if not isinstance(node, ast.Constant | ast.Name):
                self._children(node)
            return node
        return self.value(node, (index, site.slot(tight)))

    def _constant_text(self, node: ast.expr) -> str | None:
        """Return the text of an operand that is the same whenever it is evaluated, or None."""
        if isinstance(node, ast.Constant):
            return repr(node.value)
        if isinstance(node, ast.Name):
            return node.id if node.id in self._names.constant else None
        if isinstance(node, ast.Tuple | ast.List):
            texts = self._constant_texts(node.elts)
            if texts is None:
                return None
            if isinstance(node, ast.List):
                return f"[{', '.join(texts)}]"
            return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"
        if isinstance(node, ast.UnaryOp) and _is_constant(node):
            return _UNARY[type(node.op)] + (self._constant_text(node.operand) or "")
        if isinstance(node, ast.Lambda):
            return self._source(node, "lambda ...")
        if isinstance(node, ast.Call) and _is_super(node):
            return "super()"
        return None

    def _constant_texts(self, nodes: Sequence[ast.expr]) -> list[str] | None:
        texts = []
        for node in nodes:
            text = self._constant_text(node)
            if text is None or isinstance(node, ast.Lambda):
                return None
            texts.append(text)
        return texts

    def _source(self, node: ast.expr, otherwise: str) -> str:
        """Return the text of an expression on one line."""
        if node.lineno != node.end_lineno or self._text_place is not None:
            return otherwise
        _, start, _, end = self._place(node)
        return self._lines[node.lineno - 1][start:end]

    def _site(self, node: ast.expr | ast.stmt, push: Push | None = None) -> int:
        self.sites.append(Site(self._place(node), push))
        return len(self.sites) - 1

    @contextlib.contextmanager
    def _within_text(self, node: ast.JoinedStr) -> Iterator[None]:
        """Have everything inside an f-string stand where that stands."""
        outer = self._text_place
        if outer is None:
            self._text_place = self._place(node)
        yield
        self._text_place = outer

    def _place(self, node: ast.expr | ast.stmt) -> tuple[int, int, int, int]:
        if self._text_place is not None:
            return self._text_place
        start, end = node.col_offset, node.end_col_offset or 0
        end_lineno = node.end_lineno or node.lineno
        if not self._is_ascii:
            start = _num_characters(self._lines[node.lineno - 1], start)
            end = _num_characters(self._lines[end_lineno - 1], end)
        return node.lineno, start, end_lineno, end

    def _operand(self, node: ast.expr, push: Push) -> ast.expr:
        return self._hook("operand", node, push[0], number=push[1])

    def _hook(
        self, name: str, node: ast.expr, index: int, extra: ast.expr | None = None, *, number: int | None = None
    ) -> ast.expr:
        """Return the call of a hook with a site, perhaps the number of an operand, and a value."""
        arguments = [node] if extra is None else [node, extra]
        return _hook_call(name, node, index, number, arguments)

    def _note(self, name: str, at: ast.expr, index: int, *arguments: ast.expr) -> ast.stmt:
        call = _hook_call(name, at, index, None, list(arguments))
        return _at(ast.Expr(call), at)


def _hook_call(
    name: str, at: ast.expr, index: int, number: int | None, arguments: list[ast.expr]
) -> ast.expr:
    before = [_at(ast.Constant(index), at)]
    if number is not None:
        before.append(_at(ast.Constant(number), at))
    function = _at(ast.Constant(_MARKER_OF[name]), at)
    return _at(ast.Call(function, [*before, *arguments], []), at)


def _at(node: _Node, place: ast.expr) -> _Node:
    """Put a new node on the line of ``place``, without any extent."""
    node.lineno = node.end_lineno = place.lineno
    node.col_offset = node.end_col_offset = place.col_offset
    return node


def _loaded(target: ast.expr) -> ast.expr:
    """Return an expression that reads what a target of plain names was given."""
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(target.id, ast.Load()), target)
    assert isinstance(target, ast.Tuple | ast.List)
    kind = type(target)
    return ast.copy_location(kind([_loaded(item) for item in target.elts], ast.Load()), target)


def _is_constant(node: ast.expr) -> bool:
    """Tell whether the compiler makes one constant of an expression, or could."""
    if isinstance(node, ast.UnaryOp):
        return _is_constant(node.operand)
    if isinstance(node, ast.BinOp):
        return _is_constant(node.left) and _is_constant(node.right)
    return isinstance(node, ast.Constant)


def _is_jump(node: ast.expr) -> bool:
    """Tell whether an expression is compiled to jumps where only its truth is wanted."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _is_jump(node.operand)
    return isinstance(node, ast.BoolOp | ast.IfExp) or (isinstance(node, ast.Compare) and len(node.ops) > 1)


def _is_super(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args and not node.keywords


def _num_characters(line: str, num_bytes: int) -> int:
    return len(line.encode()[:num_bytes].decode("utf-8", "replace"))
