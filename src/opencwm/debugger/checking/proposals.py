"""Inputs worth trying: calls of a function that may show what is wrong with it.

They come from four places, in this order: calls that stand in the file, ordinary values, values at the edges
(:mod:`opencwm.debugger.usage`), and the model, asked which call raises an error that the function's text
makes possible (:mod:`opencwm.debugger.inverse`). Changed copies of what stands in the file come last.
"""

from __future__ import annotations

import ast
import dataclasses
import doctest
import enum
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence

from opencwm.core.errors import CodecError
from opencwm.corpus.harvest.inputs import mutated_calls
from opencwm.debugger.invented import arguments_of, fits
from opencwm.debugger.inverse import predict_calls
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.usage import FunctionNode, Use, edges, typical, uses_of
from opencwm.debugger.world_model import WorldModel
from opencwm.traces import Outcome, OutcomeKind, Program


class InputSource(enum.StrEnum):
    """Where a proposed input comes from."""

    FILE = "file"  # it stands in the file, in a doctest or elsewhere
    ORDINARY = "ordinary"
    EDGE = "edge"
    MODEL = "model"  # the model proposes it for an error
    CHANGED = "changed"  # from one in the file


@dataclasses.dataclass(frozen=True, slots=True)
class ProposedInput:
    """A call to try.

    Attributes:
        call: a Python expression, ``name(...)``.
        source: where it comes from.
    """

    call: str
    source: InputSource


def propose_inputs(
    source: str, name: str, *, num_inputs: int, world: WorldModel | None = None, seed: int = 0
) -> list[ProposedInput]:
    """Return distinct calls of a function at the top of a program, the most promising first.

    Args:
        source: the program.
        name: of the function.
        num_inputs: most calls.
        world: whose model is asked; without one it is left out.
        seed: of what is drawn.

    Raises:
        EngineError: the engine broke.
    """
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, FunctionNode)}
    function = functions[name]
    uses = uses_of(function, functions)
    seen = seen_calls(source, name)
    found: dict[str, InputSource] = dict.fromkeys(seen[: max(1, num_inputs // 3)], InputSource.FILE)
    for arguments, kind in _tried(uses):
        found.setdefault(_call(function, arguments), kind)
    share = max(1, num_inputs // 4) if world is not None else 0
    kept = dict(list(found.items())[: num_inputs - share])
    if world is not None:
        for call in _from_model(world, source, function, uses, share, seed):
            kept.setdefault(call, InputSource.MODEL)
    rest = [*found.items(), *((call, InputSource.CHANGED) for call in _changed(seen, seed))]
    for call, kind in rest:
        kept.setdefault(call, kind)
    return [ProposedInput(call, kind) for call, kind in list(kept.items())[:num_inputs]]


def seen_calls(source: str, name: str) -> list[str]:
    """Return the calls of a function with literals that stand in a file, doctests included."""
    tree = ast.parse(source)
    trees: list[ast.AST] = [tree]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            trees += _doctests(ast.get_docstring(node) or "")
    found: dict[str, None] = {}
    for part in trees:
        for node in ast.walk(part):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
            if is_call and isinstance(node, ast.Call) and _is_literal(node):
                found[ast.unparse(node)] = None
    return list(found)


def _doctests(docstring: str) -> Iterator[ast.AST]:
    if ">>>" not in docstring:
        return
    try:
        for example in doctest.DocTestParser().get_examples(docstring):
            yield ast.parse(example.source)
    except (ValueError, SyntaxError):
        return


def _is_literal(call: ast.Call) -> bool:
    parts = [*call.args, *(keyword.value for keyword in call.keywords)]
    try:
        for part in parts:
            ast.literal_eval(part)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return all(keyword.arg is not None for keyword in call.keywords)


def _tried(uses: Mapping[str, Use]) -> Iterator[tuple[dict[str, str], InputSource]]:
    """Yield arguments: ordinary ones, then one at an edge at a time, then all at their first edges."""
    ordinary = {name: repr(typical(use)) for name, use in uses.items()}
    yield ordinary, InputSource.ORDINARY
    tried = {name: [repr(value) for value in edges(use)] for name, use in uses.items()}
    for turn in range(max(map(len, tried.values()), default=0)):
        for name, texts in tried.items():
            if turn < len(texts):
                yield {**ordinary, name: texts[turn]}, InputSource.EDGE
        if turn == 0 and len(tried) > 1:
            yield {name: texts[0] for name, texts in tried.items()}, InputSource.EDGE


def _call(function: FunctionNode, arguments: Mapping[str, str]) -> str:
    keyword_only = {item.arg for item in function.args.kwonlyargs}
    parts = [f"{name}={text}" if name in keyword_only else text for name, text in arguments.items()]
    return f"{function.name}({', '.join(parts)})"


def _from_model(
    world: WorldModel,
    source: str,
    function: FunctionNode,
    uses: Mapping[str, Use],
    num_calls: int,
    seed: int,
) -> Iterator[str]:
    """Yield calls that the model proposes for errors, of arguments that the function seems made for."""
    if not uses or not isinstance(world, NativeWorldModel):
        return
    program = Program.from_call(source, f"{function.name}()")
    num_found = 0
    try:
        view = world.view(program)
        for error in possible_errors(function):
            wanted = Outcome(OutcomeKind.RAISED, error)
            engine = world.engine.fork()
            for found in predict_calls(
                world.codec, engine, view, function.name, wanted, num_draws=2, seed=seed
            ):
                arguments = arguments_of(found.call, function)
                if arguments is None or not all(
                    fits(arguments.get(name, ""), use) for name, use in uses.items()
                ):
                    continue
                yield _call(function, {name: arguments[name] for name in uses})
                num_found += 1
                if num_found >= num_calls:
                    return
    except CodecError:  # too long to be shown
        return


def possible_errors(function: FunctionNode) -> list[str]:
    """Return the exceptions that the text of a function makes likeliest, as runs render them."""
    found: dict[str, None] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(
            node.op, ast.Div | ast.FloorDiv | ast.Mod
        ):
            found["ZeroDivisionError('division by zero')"] = None
        elif isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            is_key = isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
            found["KeyError('a')" if is_key else "IndexError('list index out of range')"] = None
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("int", "float")
        ):
            found["ValueError(\"invalid literal for int() with base 10: 'x'\")"] = None
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max")
        ):
            found["ValueError('min() arg is an empty sequence')"] = None
    return list(found)


def _changed(calls: Sequence[str], seed: int) -> Iterable[str]:
    return mutated_calls(calls, random.Random(seed), max_attempts=50) if calls else ()  # noqa: S311 - seeded
