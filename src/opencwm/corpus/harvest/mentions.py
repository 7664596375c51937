"""What a piece of code mentions: global names, names it binds, attributes, and the methods syntax calls.

Names come from the compiled code, which knows the scopes; attributes and syntax from the tree. It errs on the
side of mentioning too much: no type is inferred.
"""

from __future__ import annotations

import ast
import dataclasses
import dis
import inspect
import warnings
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Final

from opencwm.corpus.harvest.modules import CutError

_GLOBAL_OPS: Final = frozenset(
    {
        "LOAD_GLOBAL",
        "LOAD_NAME",
        "STORE_GLOBAL",
        "DELETE_GLOBAL",
        "LOAD_FROM_DICT_OR_GLOBALS",
        "LOAD_FROM_DICT_OR_DEREF",
    }
)
_IMPLICIT: Final = frozenset(
    {
        "__module__",
        "__qualname__",
        "__classcell__",
        "__annotations__",
        "__static_attributes__",
        "__firstlineno__",
    }
)
_COMPREHENSIONS: Final = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_BINARY: Final = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.MatMult: "matmul",
}
_UNARY: Final = {ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert"}
_COMPARED: Final = {
    ast.Lt: ("lt", "gt"),
    ast.LtE: ("le", "ge"),
    ast.Gt: ("gt", "lt"),
    ast.GtE: ("ge", "le"),
    ast.NotEq: ("ne",),
    ast.In: ("contains",),
    ast.NotIn: ("contains",),
}
_CALLED: Final = {
    "str": ("str", "repr"),
    "repr": ("repr",),
    "print": ("str", "repr"),
    "format": ("format", "str"),
    "int": ("int", "trunc"),
    "float": ("float",),
    "complex": ("complex",),
    "abs": ("abs",),
    "round": ("round",),
    "divmod": ("divmod", "rdivmod"),
    "reversed": ("reversed",),
    "sorted": ("lt",),
    "min": ("lt",),
    "max": ("gt", "lt"),
    "sum": ("add", "radd"),
    "pow": ("pow",),
    "bytes": ("bytes",),
    "dir": ("dir",),
    "copy": ("copy", "reduce_ex"),
    "deepcopy": ("deepcopy", "reduce_ex"),
    "heappush": ("lt",),
    "heappop": ("lt",),
    "hex": ("index",),
    "join": ("str",),
    "floor": ("floor",),
    "ceil": ("ceil",),
    "trunc": ("trunc",),
    "sort": ("lt",),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Mentions:
    """What a piece of code mentions.

    Attributes:
        globals: names looked up outside it.
        at_once: those of them that are looked up when it runs itself, not when a function of it is called.
        bound: names that its functions bind.
        attributes: names of attributes, of special methods that its syntax calls, and strings that could be
            such names.
    """

    globals: frozenset[str]
    at_once: frozenset[str]
    bound: frozenset[str]
    attributes: frozenset[str]


def mentions_of(node: ast.stmt) -> Mentions:
    """Return what a statement mentions.

    Raises:
        CutError: it cannot be compiled alone.
    """
    names: set[str] = set()
    at_once: set[str] = set()
    bound: set[str] = set()
    waiting = [(_compiled(node), True)]
    while waiting:
        code, runs = waiting.pop()
        found = {str(i.argval) for i in dis.get_instructions(code) if i.opname in _GLOBAL_OPS}
        names |= found
        if runs:
            at_once |= found
        bound.update(code.co_varnames, code.co_cellvars)
        for const in code.co_consts:
            if isinstance(const, CodeType):
                is_called_later = (
                    const.co_flags & inspect.CO_OPTIMIZED and const.co_name not in _COMPREHENSIONS
                )
                waiting.append((const, runs and not is_called_later))
    return Mentions(
        frozenset(names - _IMPLICIT),
        frozenset(at_once - _IMPLICIT),
        frozenset(bound),
        frozenset(attributes_in(node)),
    )


def attributes_in(node: ast.AST) -> Iterator[str]:
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


def class_level_names(node: ast.ClassDef) -> set[str]:
    """Return the names looked up in the class itself, not in its functions."""
    code = _compiled(node)
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return {str(i.argval) for made in inner for i in dis.get_instructions(made) if i.opname == "LOAD_NAME"}


def _compiled(node: ast.stmt) -> CodeType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(ast.Module([node], []), "<cut>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, TypeError) as error:
        raise CutError("cannot be compiled alone") from error
