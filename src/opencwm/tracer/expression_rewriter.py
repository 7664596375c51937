"""Rewrite the expressions of a syntax tree so that they report themselves; see :mod:`.instrument`.

An expression is asked for as a value or only for its truth. A value may be wanted as an operand of the
expression around it: then its text is pushed there, by its own hook or by the hook ``operand``.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from opencwm.tracer.bound_names import BoundNames
from opencwm.tracer.sites import MARKERS, Push, Site, SiteKind

BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitXor: "^", ast.BitAnd: "&", ast.MatMult: "@",
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], str] = {ast.UAdd: "+", ast.USub: "-", ast.Invert: "~", ast.Not: "not "}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_CONVERSIONS = {-1: "", 97: "!a", 114: "!r", 115: "!s"}
_NUMBER = "-0123456789"
_MARKER_OF = {name: marker for marker, name in MARKERS.items()}
MAX_DEPTH = 60
"""Expressions nested deeper are left as they are."""


class ExpressionRewriter:
    """Rewrites expressions in place and collects their sites.

    Attributes:
        sites: the sites so far.
        names: how the program binds its names.
        in_function: plain names that are bound here are locals.
    """

    def __init__(self, text: str, tree: ast.Module) -> None:
        self.sites: list[Site] = []
        self.names = BoundNames(tree)
        self._lines = text.split("\n")
        self._is_ascii = text.isascii()
        self.in_function = False
        self._depth = 0
        self._is_over_lines = False  # in a test that lies on several lines
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

    # -- expressions where their value is wanted

    def value(self, node: ast.expr, push: Push | None = None) -> ast.expr:
        """Rewrite an expression whose value is used as it is, and whose text is wanted by ``push``."""
        kind = type(node)
        if kind is ast.Name or kind is ast.Constant:
            return node if push is None else self._operand(node, push)
        self._depth += 1
        outer, self._is_over_lines = self._is_over_lines, False
        try:
            if self._depth > MAX_DEPTH:
                return node if push is None else self._operand(node, push)
            rewrite = self._values.get(kind)
            if rewrite is not None and node.lineno == node.end_lineno and not is_constant(node):
                return rewrite(node, push)
            self._children(node)
        finally:
            self._depth -= 1
            self._is_over_lines = outer
        return node if push is None else self._operand(node, push)

    def _children(self, node: ast.expr) -> None:
        """Rewrite the parts of an expression that does not report itself."""
        if isinstance(node, ast.Lambda):
            self.defaults(node.args)
            outer, self.in_function = self.in_function, True
            node.body = self.value(node.body)
            self.in_function = outer
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
        for field in node._fields:
            found = getattr(node, field)
            if field == skip:
                continue
            if isinstance(found, ast.expr):
                setattr(node, field, self.value(found))
            elif type(found) is list:
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
            generator.target = self.target(generator.target)
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
        index = self.site(node, push)
        site = self.sites[index]
        start, end = self.place(node)[1::2]
        iterable = node.generators[0].iter
        before, after = self.place(iterable)[1::2]
        line = self._lines[node.lineno - 1]
        site.literal(line[start:before])
        node.generators[0].iter = self._part(iterable, index)
        site.literal(line[after:end])
        self._generators(node)
        return self.hook("result", node, index)

    def _binary(self, node: ast.BinOp, push: Push | None) -> ast.expr:
        index = self.site(node, push)
        is_power = isinstance(node.op, ast.Pow)
        node.left = self._part(node.left, index, tight="-" if is_power else "")
        self.sites[index].literal(f" {BINARY[type(node.op)]} ")
        node.right = self._part(node.right, index)
        return self.hook("result", node, index)

    def _unary(self, node: ast.UnaryOp, push: Push | None) -> ast.expr:
        index = self.site(node, push)
        self.sites[index].literal(_UNARY[type(node.op)])
        node.operand = self._part(node.operand, index, tight="" if isinstance(node.op, ast.Not) else "-")
        return self.hook("result", node, index)

    def _boolean(self, node: ast.BoolOp, push: Push | None) -> ast.expr:
        if any(isinstance(item, ast.Constant) for item in node.values[:-1]):
            self._children(node)
            return node if push is None else self._operand(node, push)
        index = self.site(node, push)
        site = self.sites[index]
        site.kind = SiteKind.AND if isinstance(node.op, ast.And) else SiteKind.OR
        site.joins_values = True
        site.num_operands = len(node.values)
        for number, item in enumerate(node.values):
            wanted = (index, number)
            is_tested = number < len(node.values) - 1 and _is_jump(item)
            node.values[number] = self.test(item, wanted) if is_tested else self.value(item, wanted)
        return self.hook("result", node, index)

    def _compare(self, node: ast.Compare, push: Push | None) -> ast.expr:
        if len(node.ops) > 1:
            self._chain(node, None)
            return node if push is None else self._operand(node, push)
        index = self.site(node, push)
        node.left = self._part(node.left, index)
        self.sites[index].literal(f" {_COMPARE[type(node.ops[0])]} ")
        node.comparators[0] = self._part(node.comparators[0], index)
        return self.hook("result", node, index)

    def _chain(self, node: ast.Compare, push: Push | None) -> None:
        """Rewrite the operands of a chained comparison so that each link is reported."""
        index = self.site(node, push)
        site = self.sites[index]
        site.kind = SiteKind.CHAIN
        site.operators = tuple(_COMPARE[type(op)] for op in node.ops)
        site.num_operands = len(node.ops) + 1
        node.left = self.hook("link", self.value(node.left), index, number=0)
        for number, item in enumerate(node.comparators):
            node.comparators[number] = self.hook("link", self.value(item), index, number=number + 1)

    def _call(self, node: ast.Call, push: Push | None) -> ast.expr:
        if _is_super(node):
            return node if push is None else self._operand(node, push)
        index = self.site(node, push)
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
        return self.hook("result", node, index)

    def _subscript(self, node: ast.Subscript, push: Push | None) -> ast.expr:
        index = self.site(node, push)
        node.value = self._part(node.value, index, tight=_NUMBER)
        self.sites[index].literal("[")
        node.slice = self._slice(node.slice, index)
        self.sites[index].literal("]")
        return self.hook("result", node, index)

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
        index = self.site(node, push)
        site = self.sites[index]
        site.is_lookup = True
        node.value = self._part(node.value, index, tight=_NUMBER)
        site.literal(f".{node.attr}")
        return self.hook("result", node, index)

    def _await(self, node: ast.Await, push: Push | None) -> ast.expr:
        index = self.site(node, push)
        self.sites[index].literal("await ")
        node.value = self._part(node.value, index)
        return self.hook("result", node, index)

    def _joined(self, node: ast.JoinedStr, push: Push | None) -> ast.expr:
        index = self.site(node, push)
        site = self.sites[index]
        site.literal("f'")
        with self._within_text(node):
            self._format(node, index)
        site.literal("'")
        return self.hook("result", node, index)

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
            return self._test_over_lines(node)
        self._depth += 1
        try:
            if isinstance(node, ast.BoolOp):
                return self._boolean_test(node, push)
            if isinstance(node, ast.UnaryOp) and _is_jump(node):
                index = self.site(node, push)
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
            return self._leaf_over_lines(node) if self._is_over_lines else self.value(node)
        if isinstance(node, ast.Constant):
            return node
        return self.hook("decision", self.value(node), push[0], number=push[1])

    def _boolean_test(self, node: ast.BoolOp, push: Push | None) -> ast.expr:
        if any(isinstance(item, ast.Constant) for item in node.values):
            node.values = [self.test(item) for item in node.values]
            return node
        index = self.site(node, push)
        site = self.sites[index]
        site.kind = SiteKind.AND if isinstance(node.op, ast.And) else SiteKind.OR
        site.num_operands = len(node.values)
        for number, item in enumerate(node.values):
            node.values[number] = self.test(item, (index, number))
        return node

    def _test_over_lines(self, node: ast.expr) -> ast.expr:
        """Rewrite the operands of a test that lies on several lines."""
        if not _is_jump(node):
            return self.value(node)
        outer, self._is_over_lines = self._is_over_lines, True
        if isinstance(node, ast.BoolOp):
            node.values = [self.test(item) for item in node.values]
        elif isinstance(node, ast.UnaryOp):
            node.operand = self.test(node.operand)
        elif isinstance(node, ast.IfExp):
            node.test, node.body, node.orelse = map(self.test, (node.test, node.body, node.orelse))
        elif isinstance(node, ast.Compare):
            node.left = self.value(node.left)
            node.comparators = [self.value(item) for item in node.comparators]
        self._is_over_lines = outer
        return node

    def _leaf_over_lines(self, node: ast.expr) -> ast.expr:
        """Rewrite an operand, on one line, of a test that lies on several.

        The jump that tests a comparison stands on the comparison's line, that of any other expression, a call
        of a hook for example, on the first line of the test.
        """
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            node.operand = self.test(node.operand)
        elif isinstance(node, ast.Compare):
            self._chain(node, None)
        else:
            return self.value(node)
        return node

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
            return node.id if node.id in self.names.constant else None
        if isinstance(node, ast.Tuple | ast.List):
            texts = self._constant_texts(node.elts)
            if texts is None:
                return None
            if isinstance(node, ast.List):
                return f"[{', '.join(texts)}]"
            return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"
        if isinstance(node, ast.UnaryOp) and is_constant(node):
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
        _, start, _, end = self.place(node)
        return self._lines[node.lineno - 1][start:end]

    def site(self, node: ast.expr | ast.stmt, push: Push | None = None) -> int:
        """Make a site for a node; return its index."""
        self.sites.append(Site(self.place(node), push))
        return len(self.sites) - 1

    @contextlib.contextmanager
    def _within_text(self, node: ast.JoinedStr) -> Iterator[None]:
        """Have everything inside an f-string stand where that stands."""
        outer = self._text_place
        if outer is None:
            self._text_place = self.place(node)
        yield
        self._text_place = outer

    def place(self, node: ast.expr | ast.stmt) -> tuple[int, int, int, int]:
        """Return where a node stands, columns in characters."""
        if self._text_place is not None:
            return self._text_place
        start, end = node.col_offset, node.end_col_offset or 0
        end_lineno = node.end_lineno or node.lineno
        if not self._is_ascii:
            start = _num_characters(self._lines[node.lineno - 1], start)
            end = _num_characters(self._lines[end_lineno - 1], end)
        return node.lineno, start, end_lineno, end

    def _operand(self, node: ast.expr, push: Push) -> ast.expr:
        return self.hook("operand", node, push[0], number=push[1])

    def hook(
        self,
        name: str,
        node: ast.expr,
        index: int,
        extra: ast.expr | None = None,
        *,
        number: int | None = None,
    ) -> ast.expr:
        """Return the call of a hook with a site, perhaps the number of an operand, and a value."""
        arguments = [node] if extra is None else [node, extra]
        return hook_call(name, node, index, number, arguments)

    def target(self, node: ast.expr) -> ast.expr:
        """Rewrite what is evaluated for the sake of a target."""
        if isinstance(node, ast.Attribute | ast.Starred):
            node.value = (
                self.value(node.value) if isinstance(node, ast.Attribute) else self.target(node.value)
            )
        elif isinstance(node, ast.Subscript):
            node.value = self.value(node.value)
            node.slice = self._index(node.slice)
        elif isinstance(node, ast.Tuple | ast.List):
            node.elts = [self.target(item) for item in node.elts]
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

    def defaults(self, arguments: ast.arguments) -> None:
        """Rewrite the default values of parameters."""
        arguments.defaults = [self.value(item) for item in arguments.defaults]
        arguments.kw_defaults = [None if item is None else self.value(item) for item in arguments.kw_defaults]


def hook_call(name: str, at: ast.expr, index: int, number: int | None, arguments: list[ast.expr]) -> ast.expr:
    """Return the call of a hook, on the line of ``at`` and without any extent."""
    before: list[ast.expr] = [_placed(ast.Constant(index), at)]
    if number is not None:
        before.append(_placed(ast.Constant(number), at))
    return _placed(ast.Call(_placed(ast.Constant(_MARKER_OF[name]), at), before + arguments, []), at)


def _placed(node: ast.expr, at: ast.expr) -> ast.expr:
    node.lineno = node.end_lineno = at.lineno
    node.col_offset = node.end_col_offset = at.col_offset
    return node


def is_constant(node: ast.expr) -> bool:
    """Tell whether the compiler makes one constant of an expression, or could."""
    if isinstance(node, ast.UnaryOp):
        return is_constant(node.operand)
    if isinstance(node, ast.BinOp):
        return is_constant(node.left) and is_constant(node.right)
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
