"""Ask a model what an expression would be: calls of the program's functions, with the variables of a step.

The one idea: the question is a program of its own, the source and one more function that returns the
expression; its parameters are the variables, given as they are at the step, and the model predicts how it
goes on. Nothing is executed, and nothing of the session changes. State that is no variable of the activation,
such as globals changed on the way, is not part of the question.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import math
from collections.abc import Mapping

from opencwm.core.errors import CodecError, ConfigError
from opencwm.debugger.cancellation import CancelledError, Watch
from opencwm.debugger.execution import Execution, Value
from opencwm.debugger.foreseeing.expressions import ExpressionError, Undecided, evaluate, parsed
from opencwm.traces import Program, StepKind
from opencwm.traces.program import names_in

_NAME = "ask"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What an expression is.

    Attributes:
        text: its rendered value, or the rendered exception it raises.
        is_predicted: whether a model was asked; otherwise it is shown or computed, and as sure as the values
            it comes from.
        probability: of everything the model decided for it; of the least sure of the variables when none was
            asked; None when these are not predicted.
        names: the variables it comes from.
        has_raised: whether ``text`` is an exception; only an asked model says so.
        execution: how the model came to it, to be stepped through; None when none was asked.
    """

    text: str
    is_predicted: bool
    probability: float | None
    names: frozenset[str]
    has_raised: bool = False
    execution: Execution | None = None


def computed(expression: str, shown: Mapping[str, Value]) -> Answer:
    """Return the value of a variable or of a pure expression over variables; no model is asked.

    Raises:
        Undecided: it depends on what is not known.
        ExpressionError: it is not valid, not allowed, or raises.
    """
    name = expression.strip()
    if name in shown:
        return Answer(shown[name].text, False, shown[name].probability, frozenset({name}))
    result = evaluate(expression, {name: value.text for name, value in shown.items()})
    known = [shown[name].probability for name in result.names]
    sure = [probability for probability in known if probability is not None]
    return Answer(result.text, False, min(sure, default=None), result.names)


def predicted(
    execution: Execution, expression: str, shown: Mapping[str, Value], watch: Watch, max_steps: int
) -> Answer:
    """Ask the model behind an execution what an expression would be.

    Args:
        execution: whose program the expression is about; it stays as it is.
        expression: one Python expression.
        shown: the variables of an activation.
        watch: who is told and who may cancel.
        max_steps: most steps to predict for the answer.

    Raises:
        Undecided: there is no model behind the execution, it came to no end, the question does not fit its
            context, or depends on what cannot be asked about.
        ExpressionError: it is no expression, or suspends.
        CancelledError: it was cancelled.
        EngineError: the engine broke.
    """
    program, names = question(execution.program, expression, shown)
    try:
        answering = execution.beginning(program, {name: shown[name].text for name in names})
    except (ConfigError, CodecError) as error:
        raise Undecided(str(error)) from None
    probabilities: list[float] = []
    returned: str | None = None
    raised: str | None = None
    for index in range(max_steps):
        if watch.is_cancelled:
            raise CancelledError(f"cancelled after {index} steps")
        view = answering.get(index)
        if view is None:
            break
        if view.malformed is not None:
            raise Undecided(f"the model's step was malformed: {view.malformed}")
        watch.advance(index + 1)
        probabilities.append(1.0 if view.probability is None else view.probability)
        returned = view.step.value if view.step.kind is StepKind.RETURN else None
        if view.step.kind is StepKind.EXCEPTION:
            raised = view.step.value
    if not answering.ended():
        raise Undecided(f"the model did not come to an end within {max_steps} steps")
    text = raised if returned is None else returned
    if text is None:
        raise Undecided(answering.status)
    return Answer(text, True, math.prod(probabilities), frozenset(names), returned is None, answering)


def question(program: Program, expression: str, shown: Mapping[str, Value]) -> tuple[Program, list[str]]:
    """Return the program that answers a question, and the variables its entry takes, in order.

    Raises:
        Undecided: the expression names what is neither a variable nor in the file, or a function made on the
            way.
        ExpressionError: it is no expression, or suspends.
    """
    try:
        tree = parsed(expression.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"SyntaxError: {getattr(error, 'msg', None) or error}") from None
    if any(map(_suspends, ast.walk(tree))):
        raise ExpressionError("an expression that suspends cannot be asked about")
    loaded, bound = _names(tree)
    known = names_in(program.source, program.filename)
    for name in sorted(loaded - bound - shown.keys()):
        if name not in known and not hasattr(builtins, name):
            raise Undecided(f"{name} is no variable here and not in the program")
    names = [name for name in shown if name in loaded]
    for name in names:
        text = shown[name].text
        if name == "__class__" or (text.startswith("<") and "<locals>" in text):
            raise Undecided(f"{name} was made while the program ran, and cannot be asked about")
    entry = _NAME
    while entry in known or entry in loaded:
        entry += "_"
    source = program.source if not program.source or program.source.endswith("\n") else f"{program.source}\n"
    source += f"def {entry}({', '.join(names)}):\n    return {ast.unparse(tree)}\n"
    return Program(source, entry, filename=program.filename), names


def _suspends(node: ast.AST) -> bool:
    if isinstance(node, ast.comprehension):
        return bool(node.is_async)
    return isinstance(node, ast.Await | ast.Yield | ast.YieldFrom)


def _names(tree: ast.AST) -> tuple[set[str], set[str]]:
    """Return the names that an expression reads, and those it binds itself."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return {node.id for node in names if isinstance(node.ctx, ast.Load)}, bound
