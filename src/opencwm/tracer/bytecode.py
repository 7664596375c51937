"""What the tracer must know about a code object, found once and without running it."""

from __future__ import annotations

import dataclasses
import dis
from collections.abc import Iterator
from types import CodeType

from opencwm.traces.trace import CodeInfo

FOLDED_NAMES = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
RETURN_OPS = frozenset(op for name, op in dis.opmap.items() if name.startswith("RETURN_") and name != "RETURN_GENERATOR")
YIELD_OPS = frozenset(op for name, op in dis.opmap.items() if name in ("YIELD_VALUE", "RESUME"))


@dataclasses.dataclass(frozen=True, slots=True)
class CodeFacts:
    """A code object of the program and what was found out about it.

    Attributes:
        info: how a trace describes it.
        ops: opcode by instruction offset // 2.
    """

    code: CodeType
    info: CodeInfo
    ops: bytes


def facts_of(code: CodeType) -> CodeFacts:
    """Return the facts of one code object."""
    names = dict.fromkeys((*code.co_varnames, *code.co_cellvars, *code.co_freevars))
    info = CodeInfo(code.co_qualname, code.co_firstlineno, tuple(names))
    return CodeFacts(code, info, code.co_code[::2])


def nested_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield every code object inside ``code``, not itself."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from nested_codes(constant)
