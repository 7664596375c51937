"""How a program's code objects appear in a trace: names, lines and order of locals, found without running it.

Its one purpose is that every supported Python gives the same trace. The differences it evens out:

- Python 3.11 runs a list, set or dict comprehension as a function of its own, later ones run it inside the
  surrounding function (PEP 709). The canonical trace is that of neither: nothing that happens inside a
  comprehension is a step, its iteration variables are no locals, and a comprehension is at most one line
  event, on its first line, when its outermost iterable has been evaluated on another line.
- A local that only comprehensions capture is a cell in 3.11 and a plain local later. Canonical is the order
  of 3.12.
- Python 3.14 compiles some loops and dictionaries otherwise (:mod:`opencwm.source.compiler_differences`).
- Closing a generator that is suspended outside of any ``try`` runs nothing since 3.13. So such a close is no
  step at all.

Not covered: code the program compiles itself (``exec``, ``eval``) is not the program's and not recorded.
"""

from __future__ import annotations

import dataclasses
import dis
import sys
from collections.abc import Iterator
from types import CodeType

from opencwm.source.compiler_differences import (
    TELLTALES,
    LoopPlace,
    inlined_call_jumps,
    key_loads,
    loop_places,
    missed_lines,
)
from opencwm.source.comprehensions import Comprehension, Range, SourceScopes

COMPREHENSION_NAMES = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>"})
FOLDED_NAMES = COMPREHENSION_NAMES | {"<genexpr>"}
"""Code objects whose activations are folded into their caller's."""

NO_LINE = -1
"""Line rule of an instruction that is never a line step."""

_OPTIMIZED = 1  # co_flags
RETURN_OPS = frozenset(op for name, op in dis.opmap.items() if name in ("RETURN_VALUE", "RETURN_CONST"))

_LOOP_OPS = frozenset(
    op for name, op in dis.opmap.items() if name in ("FOR_ITER", "END_FOR", "POP_ITER", "GET_ITER")
)
_LOAD_AND_CLEAR = dis.opmap.get("LOAD_FAST_AND_CLEAR")
_LOAD_CONST = dis.opmap["LOAD_CONST"]
_CLEANUP_THROW = dis.opmap.get("CLEANUP_THROW")
_COPY, _TO_BOOL = dis.opmap["COPY"], dis.opmap.get("TO_BOOL")
_CONDITIONAL_JUMPS = frozenset(
    op for name, op in dis.opmap.items() if name.startswith(("POP_JUMP_", "JUMP_IF_")) and "NONE" not in name
)
_AFTER_JUMP = frozenset(op for name, op in dis.opmap.items() if name in ("POP_TOP", "NOT_TAKEN"))
"""What a conditional jump leaves behind, which is part of the jump itself in Python 3.11."""
_EXTENDED_ARG = dis.opmap["EXTENDED_ARG"]
_REPEATS_LINES = sys.version_info[:2] == (3, 12)
_CALLS = frozenset(
    {"CALL", "CALL_FUNCTION_EX", "BINARY_SUBSCR", "BINARY_OP", "COMPARE_OP", "LOAD_ATTR", "CONTAINS_OP"}
)
_STORE_NAME = dis.opmap["STORE_NAME"]
_CACHE = dis.opmap.get("CACHE", 0)
_IMPLICIT_CLASS_NAMES = frozenset(
    {
        "__module__",
        "__qualname__",
        "__firstlineno__",
        "__static_attributes__",
        "__classcell__",
        "__classdictcell__",
        "__type_params__",
        "__annotate__",
        "__annotate_func__",
        "__conditional_annotations__",
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class CodeFacts:
    """A code object of the program and how it appears in a trace.

    Attributes:
        code: the code object; holding it keeps its ``id`` from being reused.
        qualname: ``co_qualname`` as since Python 3.12.
        local_names: its locals in canonical order.
        line_rules: by instruction offset, the line to report instead, and only if it is a new one, or
            :data:`NO_LINE`; empty for most code objects.
        late_lines: by instruction offset, the line of an instruction that has no line event but is a
            step if its line is a new one; empty for most code objects.
        loop_places: by instruction offset, a :class:`LoopPlace` in a ``while`` whose test is jumped back to;
            empty for most code objects.
        shadowed: locals that an inlined comprehension uses for its iteration while it runs.
        is_class_body: its locals are a class namespace.
    """

    code: CodeType
    qualname: str
    local_names: tuple[str, ...]
    line_rules: dict[int, int]
    late_lines: dict[int, int]
    loop_places: dict[int, int]
    shadowed: frozenset[str]
    is_class_body: bool


def recorded_codes(module: CodeType) -> list[CodeType]:
    """Return the code objects inside ``module`` whose activations are steps, outer before inner ones.

    They are those of functions, lambdas and class bodies: comprehensions and scopes of annotations are left
    out, what stands in them is not.
    """
    return [code for code in _nested_codes(module) if _is_recorded(code)]


def source_scopes(codes: list[CodeType], text: str) -> SourceScopes:
    """Return what :func:`facts_of` has to know of the text; it is parsed only if these codes need it."""
    is_needed = any(map(_has_comprehensions, codes)) or any(part in text for part in ("with", *TELLTALES))
    return SourceScopes(text, needed=is_needed)


def _nested_codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested_codes(constant)


def _is_recorded(code: CodeType) -> bool:
    name = code.co_name
    return not (name in FOLDED_NAMES or name.startswith("<generic parameters") or name == "__annotate__")


def facts_of(code: CodeType, scopes: SourceScopes) -> CodeFacts:
    """Return the facts of a code object of the text that ``scopes`` was made from: :func:`source_scopes`."""
    is_class_body = not code.co_flags & _OPTIMIZED
    ops = code.co_code[::2]
    rules: dict[int, int] = {}
    hidden: frozenset[str] = frozenset()
    shadowed: frozenset[str] = frozenset()
    comprehensions: list[Comprehension] = []
    ranges = _ranges(code)
    if _has_comprehensions(code):
        if _LOAD_AND_CLEAR is None:
            rules, comprehensions = _rules_called(code, ranges, scopes)
        else:
            rules, comprehensions, iterating = _rules_inlined(code, ranges, scopes)
            real = frozenset().union(*(item.scope.bound for item in comprehensions), code.co_freevars)
            shadowed = frozenset(iterating & real)
            hidden = frozenset(iterating - real)
    for start, end in scopes.with_headers:
        if code.co_firstlineno < start[0]:
            inside = (i for i, place in enumerate(ranges) if start <= place[:2] and place[2:] <= end)
            rules.update((index * 2, start[0]) for index in inside)
    silent, late = _silent_offsets(code, ops, ranges)
    late |= missed_lines(ops, ranges)
    late = {offset: line for offset, line in late.items() if offset not in rules}
    if _REPEATS_LINES:
        for offset, line in _repeated_lines(code, ranges).items():
            rules.setdefault(offset, line)
    loops = loop_places(code, ranges, scopes.whiles)
    silent |= inlined_call_jumps(ops, ranges) | key_loads(ops, ranges, scopes.keys)
    silent |= {offset for offset, place in loops.items() if place & LoopPlace.BACK}
    rules.update(dict.fromkeys(silent, NO_LINE))
    names = _class_names(code) if is_class_body else _local_names(code, comprehensions)
    local_names = tuple(name for name in names if name not in hidden)
    return CodeFacts(
        code, canonical_qualname(code.co_qualname), local_names, rules, late, loops, shadowed, is_class_body
    )


def _silent_offsets(code: CodeType, ops: bytes, ranges: list[Range]) -> tuple[set[int], dict[int, int]]:
    """Return the instructions that get a line of their own in some Pythons only, and the lines lost by that.

    These are the tests and jumps of a condition over several lines, the return of a lambda over several
    lines, and what cleans up after an exception was thrown into a ``yield from``. What follows such a jump on
    the same line has no line event of its own; that is found in Python 3.11 only.
    """
    is_lambda = code.co_name == "<lambda>"
    silent: set[int] = set()
    late: dict[int, int] = {}
    line = jump_line = 0
    for index, op in enumerate(ops):
        if op in (_CACHE, _EXTENDED_ARG):
            continue
        number = ranges[index][0]
        if op in _CONDITIONAL_JUMPS or (op in (_COPY, _TO_BOOL) and _tests_next(ops, index + 1)):
            if number != line:
                silent.add(index * 2)
                jump_line = number
                while ops[index - 1] == _EXTENDED_ARG:  # the event is at the first part of the instruction
                    index -= 1
                    silent.add(index * 2)
            continue
        if jump_line and op in _AFTER_JUMP:
            continue
        if jump_line and number == jump_line:
            late[index * 2] = number
        jump_line = 0
        line = number
        if op == _CLEANUP_THROW or (is_lambda and op in RETURN_OPS):
            silent.add(index * 2)
    return silent, late


def _repeated_lines(code: CodeType, ranges: list[Range]) -> dict[int, int]:
    """Return the instructions that get a second event of their line after a call, and that line.

    Python 3.12 reports where the branches of an expression meet again when the branch before it ends with a
    call of a Python function: ``f(a or g(b))``.
    """
    forward: set[int] = set()
    backward: set[int] = set()
    after_call: set[int] = set()
    called = -1
    for instruction in dis.get_instructions(code):
        if "JUMP" in instruction.opname or instruction.opname in ("FOR_ITER", "SEND"):
            (backward if "BACKWARD" in instruction.opname else forward).add(instruction.argval)
        index = instruction.offset // 2
        if called >= 0 and ranges[called][0] == ranges[index][0]:
            after_call.add(instruction.offset)
        called = index if instruction.opname in _CALLS else -1
    return {offset: ranges[offset // 2][0] for offset in (forward & after_call) - backward}


def _tests_next(ops: bytes, index: int) -> bool:
    """Tell whether a conditional jump follows, perhaps after a conversion to bool."""
    while index < len(ops) and ops[index] in (_CACHE, _EXTENDED_ARG, _TO_BOOL):
        index += 1
    return index < len(ops) and ops[index] in _CONDITIONAL_JUMPS


def canonical_qualname(name: str) -> str:
    """Return a qualified name as since Python 3.12, where comprehensions are no functions."""
    if "comp>" not in name:
        return name
    for comprehension in COMPREHENSION_NAMES:
        name = name.replace(f"{comprehension}.<locals>.", "").replace(f"{comprehension}.", "")
    return name


def _has_comprehensions(code: CodeType) -> bool:
    if _LOAD_AND_CLEAR is not None:
        return _LOAD_AND_CLEAR in code.co_code[::2]
    return any(
        isinstance(constant, CodeType) and constant.co_name in COMPREHENSION_NAMES
        for constant in code.co_consts
    )


def _rules_inlined(
    code: CodeType, ranges: list[Range], scopes: SourceScopes
) -> tuple[dict[int, int], list[Comprehension], set[str]]:
    """Return line rules, comprehensions and iteration variables where comprehensions are inlined (3.12+)."""
    ops = code.co_code[::2]
    iterating = set()
    found: dict[Range, Comprehension] = {}
    targets: dict[int, int] = {}
    for instruction in dis.get_instructions(code):
        if instruction.opname == "JUMP_BACKWARD":
            targets[instruction.offset // 2] = instruction.argval // 2
        if instruction.opcode == _LOAD_AND_CLEAR:
            iterating.add(str(instruction.argval))
            comprehension = scopes.comprehensions.get(ranges[instruction.offset // 2])
            if comprehension is not None:
                found[comprehension.range] = comprehension
    rules: dict[int, int] = {}
    outermost_first = sorted(
        found.values(), key=lambda item: (item.range[:2], (-item.range[2], -item.range[3]))
    )
    op = _EXTENDED_ARG
    for index, position in reversed(list(enumerate(ranges))):
        op = op if ops[index] == _EXTENDED_ARG else ops[index]  # what it extends
        end = ranges[targets.get(index, index)]
        for comprehension in outermost_first:
            if _contains(comprehension.range, position, end) and (
                not _contains(comprehension.iterable, position)
                or (op in _LOOP_OPS and _is_value_of(comprehension.iterable, position))
            ):
                rules[index * 2] = comprehension.range[0]
                break
    return rules, list(found.values()), iterating


def _rules_called(
    code: CodeType, ranges: list[Range], scopes: SourceScopes
) -> tuple[dict[int, int], list[Comprehension]]:
    """Return line rules and comprehensions where a comprehension is a function made and called (3.11).

    Making it stands before the outermost iterable, on the line of the bracket; later Pythons have nothing
    there.
    """
    ops = code.co_code[::2]
    args = code.co_code[1::2]
    found: dict[Range, Comprehension] = {}
    makes = set()
    extended = 0
    for index, op in enumerate(ops):
        if op == _EXTENDED_ARG:
            extended = (extended | args[index]) << 8
            continue
        if op == _LOAD_CONST:
            constant = code.co_consts[extended | args[index]]
            comprehension = scopes.comprehensions.get(ranges[index])
            if (
                isinstance(constant, CodeType)
                and constant.co_name in COMPREHENSION_NAMES
                and comprehension is not None
            ):
                found[comprehension.range] = comprehension
                makes.add(index)
        extended = 0
    rules = {index * 2: position[0] for index, position in enumerate(ranges) if position in found}
    line_after: dict[int, int] = {}
    for make in sorted(makes, reverse=True):
        first = last = make
        while first > 0 and ranges[first - 1] == ranges[make]:  # the captured variables
            first -= 1
        while last + 1 < len(ranges) and ranges[last + 1] == ranges[make]:
            last += 1
        line = line_after.get(last + 1, ranges[min(last + 1, len(ranges) - 1)][0])
        line_after[first] = line
        for index in range(first, last + 1):
            if ranges[index][0] == line:
                del rules[index * 2]
            else:
                rules[index * 2] = NO_LINE
    return rules, list(found.values())


def _local_names(code: CodeType, comprehensions: list[Comprehension]) -> list[str]:
    """Return the locals of a function in the order of Python 3.12: varnames, cellvars, freevars.

    Where there are comprehensions, the code object alone does not tell which cells are the function's own.
    """
    names, cells = list(code.co_varnames), list(code.co_cellvars)
    if comprehensions:
        scope = comprehensions[0].scope
        num_parameters = (
            code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
        )
        captured = {name for name in cells if name in scope.captured or name == "__class__"}
        order = {name: index for index, name in enumerate(scope.order)}
        plain = dict.fromkeys(name for name in (*names[num_parameters:], *cells) if name not in captured)
        names[num_parameters:] = sorted(plain, key=lambda name: order.get(name, len(order)))
        cells = sorted(captured)
    return list(dict.fromkeys((*names, *cells, *code.co_freevars)))


def _class_names(code: CodeType) -> list[str]:
    """Return the names a class body binds, in order of first binding."""
    stored = [
        str(instruction.argval)
        for instruction in dis.get_instructions(code)
        if instruction.opcode == _STORE_NAME
    ]
    free = [name for name in code.co_freevars if not name.startswith("__class")]
    return [name for name in dict.fromkeys((*stored, *free)) if name not in _IMPLICIT_CLASS_NAMES]


def _ranges(code: CodeType) -> list[Range]:
    """Return where every instruction stands; -1 for what is unknown."""
    return [
        (line, column, end_line, end_column)
        if line is not None and column is not None and end_line is not None and end_column is not None
        else (
            -1 if line is None else line,
            -1 if column is None else column,
            -1 if end_line is None else end_line,
            -1 if end_column is None else end_column,
        )
        for line, end_line, column, end_column in code.co_positions()
    ]


def _is_value_of(expression: Range, position: Range) -> bool:
    """Tell whether something done to an expression's value stands there: with hooks, where it begins."""
    return position in (expression, (*expression[:2], *expression[:2]))


def _contains(outer: Range, *inner: Range) -> bool:
    return all(outer[:2] <= one[:2] and one[2:] <= outer[2:] and one[0] >= 0 for one in inner)
