"""The table of operators: name, how often it is drawn, which nodes it works on, what it does to them."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Final

from opencwm.corpus.mutants import expressions, names, statements, values
from opencwm.corpus.mutants.changes import Change
from opencwm.corpus.mutants.source_file import SourceFile


@dataclasses.dataclass(frozen=True, slots=True)
class Operator:
    """One way to change programs.

    Attributes:
        weight: how often it is drawn, compared with the others that a program has places for.
        nodes: types of the nodes it works on.
        changes: yields what can be done to one of them.
    """

    weight: float
    nodes: tuple[type[ast.AST], ...]
    changes: Callable[[SourceFile, Any], Iterator[Change]]


_DROPPABLE: Final = (
    ast.Assign,
    ast.AugAssign,
    ast.Expr,
    ast.Return,
    ast.Break,
    ast.Continue,
    ast.Raise,
    ast.Delete,
    ast.Assert,
    ast.If,
)

OPERATORS: Final[dict[str, Operator]] = {
    "swap-arithmetic": Operator(3.0, (ast.BinOp, ast.AugAssign), expressions.swap_arithmetic),
    "swap-operands": Operator(1.5, (ast.BinOp,), expressions.swap_operands),
    "boundary": Operator(4.0, (ast.Compare,), expressions.boundary),
    "swap-comparison": Operator(3.0, (ast.Compare,), expressions.swap_comparison),
    "swap-boolean": Operator(2.0, (ast.BoolOp,), expressions.swap_boolean),
    "drop-operand": Operator(1.0, (ast.BoolOp,), expressions.drop_operand),
    "negate-condition": Operator(
        2.0, (ast.If, ast.While, ast.IfExp, ast.Assert, ast.comprehension), expressions.negate_condition
    ),
    "drop-negation": Operator(1.0, (ast.UnaryOp,), expressions.drop_negation),
    "swap-branches": Operator(1.0, (ast.IfExp,), expressions.swap_branches),
    "drop-filter": Operator(1.0, (ast.comprehension,), expressions.drop_filter),
    "swap-elements": Operator(1.0, (ast.Tuple, ast.List), expressions.swap_elements),
    "swap-arguments": Operator(1.5, (ast.Call,), expressions.swap_arguments),
    "drop-argument": Operator(1.0, (ast.Call,), expressions.drop_argument),
    "unwrap-call": Operator(1.0, (ast.Call,), expressions.unwrap_call),
    "change-number": Operator(3.0, (ast.Constant,), values.change_number),
    "flip-boolean": Operator(1.0, (ast.Constant,), values.flip_boolean),
    "change-text": Operator(2.0, (ast.Constant,), values.change_text),
    "shift-slice": Operator(3.0, (ast.Slice,), values.shift_slice),
    "shift-index": Operator(2.0, (ast.Subscript,), values.shift_index),
    "shift-range": Operator(2.0, (ast.Call,), values.shift_range),
    "replace-name": Operator(1.5, (ast.Name,), names.replace_name),
    "swap-names": Operator(1.0, (ast.Name,), names.swap_names),
    "swap-method": Operator(4.0, (ast.Call,), names.swap_method),
    "swap-function": Operator(2.0, (ast.Call,), names.swap_function),
    "swap-exception": Operator(1.0, (ast.ExceptHandler,), names.swap_exception),
    "drop-statement": Operator(
        2.0,
        _DROPPABLE,
        statements.drop_statement,
    ),
    "swap-statements": Operator(
        1.0, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr), statements.swap_statements
    ),
    "swap-jump": Operator(1.0, (ast.Break, ast.Continue), statements.swap_jump),
    "assign-only": Operator(1.0, (ast.AugAssign,), statements.assign_only),
    "return-none": Operator(0.5, (ast.Return,), statements.return_none),
}
"""Every operator by its name, which is what ``Mutation.operator`` says."""
