"""Arguments that nobody gave: the model proposes them, and they are labelled as predicted.

The model is asked which call of the function comes to some ordinary result (:mod:`.inverse`). Of its answers
the first is taken whose arguments are literals of the types that the function seems made for; an argument for
which there is none is an ordinary value of that type, and counts as supplied: no model said it.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from opencwm.core.errors import CodecError, ConfigError
from opencwm.debugger.assumed import AssumedProgram, with_arguments
from opencwm.debugger.foreseeing.arguments import signature
from opencwm.debugger.inverse import predict_calls
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.usage import FunctionNode, Use, typical, uses_of
from opencwm.debugger.world_model import WorldModel
from opencwm.traces import Outcome, OutcomeKind, Program

_RESULTS: Final = ("True", "3", "'a'", "[1, 2]")
"""What the calls that are asked for return."""


def with_invented_arguments(world: WorldModel, assumed: AssumedProgram, *, seed: int = 0) -> AssumedProgram:
    """Return the program with a call that gives every argument that is missing; as it is when none is.

    Args:
        world: its model is asked.
        assumed: what :func:`opencwm.debugger.assumed.assume` made.
        seed: other arguments for another seed.

    Raises:
        ConfigError: the entry is no function at the top of the file.
        EngineError: the engine broke.
    """
    if not assumed.missing:
        return assumed
    program = assumed.program
    if not isinstance(world, NativeWorldModel) and not assumed.given:  # it says itself what it is called with
        note = f"{', '.join(assumed.missing)}: what the model says that {program.entry} is called with"
        return dataclasses.replace(assumed, missing=(), notes=(*assumed.notes, note))
    functions = functions_of(program.source)
    function = functions.get(program.entry)
    if function is None:
        raise ConfigError(f"there is no function {program.entry!r}", where=program.filename)
    invented = invent(world, program, function, functions, seed=seed)
    arguments, probabilities, notes = dict(assumed.given), {}, []
    for name in assumed.missing:
        text, probability = invented[name]
        arguments[name] = text
        if probability is None:
            notes.append(f"{name} is {text} (made up)")
        else:
            probabilities[name] = probability
            notes.append(f"{name} is {text} (invented by the model)")
    return dataclasses.replace(
        assumed,
        program=with_arguments(program, arguments),
        assumed=dataclasses.replace(assumed.assumed, invented=probabilities),
        missing=(),
        notes=(*assumed.notes, *notes),
    )


def invent(
    world: WorldModel,
    program: Program,
    function: FunctionNode,
    functions: Mapping[str, FunctionNode],
    *,
    seed: int = 0,
) -> dict[str, tuple[str, float | None]]:
    """Return an argument for each parameter, as source text, with the model's probability of its call.

    The probability is None where it is an ordinary value that the model did not propose.
    """
    uses = uses_of(function, functions)
    found: dict[str, tuple[str, float | None]] = {}
    for arguments, probability in proposed_arguments(world, program, function, seed=seed):
        for name, text in arguments.items():
            if name not in found and name in uses and fits(text, uses[name]):
                found[name] = repr(ast.literal_eval(text)), probability
        if found.keys() >= uses.keys():
            break
    return {name: found.get(name, (repr(typical(use)), None)) for name, use in uses.items()}


def proposed_arguments(
    world: WorldModel, program: Program, function: FunctionNode, *, seed: int = 0
) -> Iterator[tuple[dict[str, str], float]]:
    """Yield the arguments of calls that the model proposes, by parameter, and how probable each call is.

    A model of a format without inverse questions proposes none.
    """
    if not isinstance(world, NativeWorldModel):
        return
    asked = Program.from_call(program.source, f"{function.name}()", filename=program.filename)
    try:
        view = world.view(asked)
        for result in _RESULTS:
            wanted = Outcome(OutcomeKind.RETURNED, result)
            calls = predict_calls(
                world.codec,
                world.engine.fork(),
                view,
                function.name,
                wanted,
                num_draws=1 + bool(seed),
                seed=seed,
            )
            for call in list(calls)[-1:]:
                arguments = arguments_of(call.call, function)
                if arguments is not None:
                    yield arguments, call.probability
    except CodecError:  # too long to be shown
        return


def arguments_of(call: str, function: FunctionNode) -> dict[str, str] | None:
    """Return the source text of a call's arguments by parameter; None when they do not fit the function."""
    node = ast.parse(call, mode="eval").body
    if not isinstance(node, ast.Call) or any(isinstance(item, ast.Starred) for item in node.args):
        return None
    keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None}
    try:
        bound = signature(function.args).bind(*node.args, **keywords)
    except TypeError:
        return None
    return {
        name: ast.unparse(value) for name, value in bound.arguments.items() if isinstance(value, ast.expr)
    }


def fits(text: str, use: Use) -> bool:
    """Whether source text is a literal of the type that a parameter is made for; an atom if none is known."""
    try:
        return _is_like(ast.literal_eval(text), use)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False


def _is_like(value: Any, use: Use) -> bool:
    name = type(value).__name__
    if not use.kind:
        return name in ("int", "float", "str", "bool")
    if name != use.kind or (name == "dict" and not dict(use.fields).keys() <= value.keys()):
        return False
    if name not in ("list", "tuple", "dict") or use.element is None:
        return True
    return all(_is_like(item, use.element) for item in (value.values() if name == "dict" else value))


def functions_of(source: str) -> dict[str, FunctionNode]:
    """Return the functions at the top of a program, by name."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, FunctionNode)}
