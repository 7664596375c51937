"""Inverse questions: which call of a function gives this result, and which state came before this one.

Both are answered by the model (:mod:`opencwm.debugger.inverse`), which guesses; a state is also worked out
backward where that is plain. No answer is believed: each is checked by predicting forward from it, and says
what came of that. Only a run, which the caller may make, tells whether it is true.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from opencwm.core.errors import CodecError, ConfigError
from opencwm.debugger.foreseeing.expressions import Undecided, literal
from opencwm.debugger.invented import arguments_of
from opencwm.debugger.inverse import PredictedCall, predict_calls
from opencwm.debugger.native_model import native
from opencwm.debugger.rewriting import own_statements
from opencwm.debugger.session import Session
from opencwm.debugger.working import Working
from opencwm.debugger.world_model import WorldModel
from opencwm.traces import Outcome, OutcomeKind, Program, StepKind, leaves_entry, outcome_of_steps
from opencwm.traces.program import names_in

MAX_STEPS: Final = 100
"""Most steps that are predicted to check a state."""

_MAX_DERIVED: Final = 24


@dataclasses.dataclass(frozen=True, slots=True)
class EarlierState:
    """A state that may have come before.

    Attributes:
        locals: source text of the value of each variable that matters.
        probability: that the model writes this state, in (0, 1]; None for one that was worked out backward.
        agrees: whether the prediction of what follows is the state that was asked about.
        forward_probability: of that prediction.
        program: makes the step from this state; running it tells whether it is so.
    """

    locals: Mapping[str, str]
    probability: float | None
    agrees: bool
    forward_probability: float
    program: Program


@dataclasses.dataclass(frozen=True, slots=True)
class StateQuestion:
    """Which state, before some lines ran, gives a state after them.

    Attributes:
        program: defines a function that runs the lines and returns what is asked about.
        name: of that function.
        parameters: variables that the lines read, or that are asked about.
        fixed: source text of those whose value before is certain.
        wanted: what the function is to return.
    """

    program: Program
    name: str
    parameters: tuple[str, ...]
    fixed: Mapping[str, str]
    wanted: Outcome

    def made(self, arguments: Mapping[str, str]) -> Program:
        """Return the program that starts in a state."""
        call = f"{self.name}({', '.join(arguments[name] for name in self.parameters)})"
        return Program.from_call(self.program.source, call, filename=self.program.filename)


def inputs_for(
    world: WorldModel,
    program: Program,
    name: str,
    wanted: Outcome,
    *,
    num_draws: int = 5,
    seed: int = 0,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[PredictedCall]:
    """Yield distinct calls of a function that may come to a result, the model's best guess first.

    Args:
        world: whose model is asked.
        program: defines the function; its call is not shown to the model.
        name: of the function.
        wanted: what the call is to return or to raise.
        num_draws: most calls.
        seed: of all but the first.
        is_cancelled: asked before each token; once true, there are no more calls.

    Raises:
        CodecError: the function does not fit the model.
        ConfigError: the model's format has no inverse questions.
        EngineError: the engine broke.
    """
    model = native(world, "an inverse question")
    asked = Program.from_call(program.source, f"{name}()", filename=program.filename)
    yield from predict_calls(
        model.codec,
        model.engine.fork(),
        model.view(asked),
        name,
        wanted,
        num_draws=num_draws,
        seed=seed,
        is_cancelled=is_cancelled,
    )


def states_before(
    world: WorldModel,
    program: Program,
    lineno: int,
    after: Mapping[str, str],
    *,
    end_lineno: int | None = None,
    known: Mapping[str, str] | None = None,
    num_draws: int = 5,
    seed: int = 0,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> list[EarlierState]:
    """Return states from which lines of a function may lead to a state; those that are predicted to, first.

    Args:
        world: whose model is asked.
        program: holds the lines.
        lineno: 1-based, of the first statement.
        after: rendered value of each variable that is asked about, after the lines ran.
        end_lineno: of the last statement; by default the first is the only one.
        known: values of variables before the lines ran, where those are known.
        num_draws: most states that the model proposes.
        seed: of all but its first.
        is_cancelled: asked before each token that proposes one, and each step that checks one; what is left
            then is left out.

    Raises:
        ConfigError: no whole statements stand there, or a value is no literal.
        EngineError: the engine broke.
    """
    question = state_question(program, lineno, after, end_lineno=end_lineno, known=known or {})
    found: dict[tuple[str, ...], float | None] = {}
    for arguments in _derived(question):
        found.setdefault(tuple(arguments[name] for name in question.parameters), None)
    for arguments, probability in _guessed(world, question, num_draws, seed, is_cancelled):
        found.setdefault(tuple(arguments[name] for name in question.parameters), probability)
    states = []
    for texts, guessed in found.items():
        arguments = dict(zip(question.parameters, texts, strict=True))
        agrees, forward = _followed(world, question, arguments, is_cancelled)
        if is_cancelled():
            break
        if agrees or guessed is not None:
            made = question.made(arguments)
            states.append(EarlierState(arguments, guessed, agrees, forward, made))
    return sorted(
        states, key=lambda state: (not state.agrees, state.probability is None, -(state.probability or 0))
    )


def states_before_here(
    world: WorldModel,
    session: Session,
    changes: Mapping[str, str] | None = None,
    *,
    num_draws: int = 5,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> list[EarlierState]:
    """Return states, before the line that ran last in the current activation, that lead to the state here.

    Args:
        world: whose model is asked.
        session: stands before a line, or where its function returns.
        changes: what variables are to be instead of what they are here; the others may then be anything.
        num_draws: most states that the model proposes.
        is_cancelled: see :func:`states_before`.

    Raises:
        ConfigError: no line ran yet in this activation, or a value is no literal.
    """
    lineno = _line_before(session)
    after = dict(changes or {})
    if not after:  # what the line does not mention was as it is
        statements = _statements_at(session.program, lineno, lineno)
        names = {node.id for item in statements for node in ast.walk(item) if isinstance(node, ast.Name)}
        after = {name: value.text for name, value in session.locals.items() if name in names}
    return states_before(
        world, session.program, lineno, after, num_draws=num_draws, is_cancelled=is_cancelled
    )


def _line_before(session: Session) -> int:
    depth = session.step.depth
    for index in range(session.position - 1, -1, -1):
        view = session.execution.get(index)
        if view is None or view.step.depth < depth:
            break
        if view.step.depth == depth and view.step.kind is StepKind.LINE:
            return view.step.lineno
        if view.step.depth == depth and view.step.kind is StepKind.CALL:
            break
    raise ConfigError("no line ran before in this function", hint="its arguments come from the caller")


def state_question(
    program: Program,
    lineno: int,
    after: Mapping[str, str],
    *,
    end_lineno: int | None = None,
    known: Mapping[str, str] | None = None,
) -> StateQuestion:
    """Return the question that :func:`states_before` asks.

    Raises:
        ConfigError: as for :func:`states_before`.
    """
    known = dict(known or {})
    statements = _statements_at(program, lineno, end_lineno or lineno)
    if not after:
        raise ConfigError("no variable to ask about", hint="give its value after the line: x = 5")
    for name, text in (*after.items(), *known.items()):
        try:
            literal(text)
        except Undecided as error:
            raise ConfigError(f"{name} has no value that can be written down: {error}") from None
    read, stored = _names(statements, program)
    parameters = tuple(dict.fromkeys([*read, *(name for name in after if name not in stored)]))
    fixed = {name: known[name] for name in parameters if name in known}
    for name in parameters:
        if name in after and name not in stored and not _may_change(name, after[name], statements):
            fixed.setdefault(name, after[name])
    called = "state_before"
    while called in names_in(program.source):
        called += "_"
    body = [ast.unparse(statement) for statement in statements]
    names = list(after)
    lines = [f"def {called}({', '.join(parameters)}):"]
    lines += [f"    {line}" for text in body for line in text.split("\n")]
    lines.append(f"    return {', '.join(names)}")
    source = program.source.rstrip("\n") + "\n\n\n" + "\n".join(lines) + "\n"
    value = after[names[0]] if len(names) == 1 else f"({', '.join(after.values())})"
    asked = Program(source, called, filename=program.filename)
    return StateQuestion(asked, called, parameters, fixed, Outcome(OutcomeKind.RETURNED, value))


def _statements_at(program: Program, lineno: int, end_lineno: int) -> list[ast.stmt]:
    tree = ast.parse(program.source)
    leaving = ast.Return | ast.Break | ast.Continue | ast.Yield | ast.YieldFrom | ast.Await
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        statements = list(own_statements(function.body))
        inside = [node for node in statements if lineno <= node.lineno and _end(node) <= end_lineno]
        outer = [
            node for node in inside if not any(node is not other and _holds(other, node) for other in inside)
        ]
        if not outer or outer[0].lineno != lineno:
            continue
        if any(isinstance(item, leaving) for node in outer for item in ast.walk(node)):
            raise ConfigError(
                f"line {lineno} leaves its function or loop",
                hint="ask about lines that only change variables",
            )
        return outer
    raise ConfigError(
        f"no whole statement of a function stands on line {lineno}",
        where=program.filename,
        hint="a statement of several lines is asked about from its first line to its last",
    )


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _holds(outer: ast.stmt, inner: ast.stmt) -> bool:
    return any(item is inner for item in ast.walk(outer))


def _names(statements: Sequence[ast.stmt], program: Program) -> tuple[list[str], set[str]]:
    """Return the variables that statements read before they bind them, as far as that is plain, and bind."""
    module = {name for node in ast.parse(program.source).body for name in _bound_at_top(node)}
    read: dict[str, None] = {}
    stored: set[str] = set()
    for statement in statements:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        own = {name for node in ast.walk(statement) for name in _items_of_loop(node)}
        augmented = {id(node.target) for node in ast.walk(statement) if isinstance(node, ast.AugAssign)}
        for node in names:
            is_read = isinstance(node.ctx, ast.Load) or id(node) in augmented
            if is_read and node.id not in stored | module | own and not hasattr(builtins, node.id):
                read[node.id] = None
        stored |= {node.id for node in names if not isinstance(node.ctx, ast.Load)} - own
    return list(read), stored


def _items_of_loop(node: ast.AST) -> Iterator[str]:
    """Yield the names that a loop or a comprehension binds before anything in it reads them."""
    if isinstance(node, ast.For | ast.comprehension):
        yield from (item.id for item in ast.walk(node.target) if isinstance(item, ast.Name))


def _bound_at_top(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        yield from (
            item.id
            for item in ast.walk(node)
            if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)
        )


def _may_change(name: str, text: str, statements: Sequence[ast.stmt]) -> bool:
    """Whether statements that do not bind a variable may change the object it holds."""
    is_container = text.startswith(("[", "{")) or text == "set()"
    mentioned = any(
        isinstance(node, ast.Name) and node.id == name for item in statements for node in ast.walk(item)
    )
    return is_container and mentioned


def _guessed(
    world: WorldModel,
    question: StateQuestion,
    num_draws: int,
    seed: int,
    is_cancelled: Callable[[], bool],
) -> Iterator[tuple[dict[str, str], float]]:
    (function,) = (
        node
        for node in ast.parse(question.program.source).body
        if isinstance(node, ast.FunctionDef) and node.name == question.name
    )
    if not set(question.parameters) - question.fixed.keys():
        return
    try:
        calls = inputs_for(
            world,
            question.program,
            question.name,
            question.wanted,
            num_draws=num_draws,
            seed=seed,
            is_cancelled=is_cancelled,
        )
        for call in calls:
            arguments = arguments_of(call.call, function)
            if arguments is None or set(arguments) != set(question.parameters):
                continue
            if all(_is_literal(text) for text in arguments.values()):
                yield {**arguments, **question.fixed}, call.probability
    except CodecError:  # too long to be shown
        return


def _is_literal(text: str) -> bool:
    try:
        literal(text)
    except Undecided:
        return False
    return True


def _followed(
    world: WorldModel,
    question: StateQuestion,
    arguments: Mapping[str, str],
    is_cancelled: Callable[[], bool],
) -> tuple[bool, float]:
    """Predict what follows a state; return whether that is what was asked about, and how probable it is."""
    try:
        execution = world.execution(question.made(arguments), expressions=True, working=Working.CALCULATED)
    except (CodecError, ConfigError):
        return False, 1.0
    views = []
    for index in range(MAX_STEPS):
        view = None if is_cancelled() else execution.get(index)
        if view is None or view.malformed is not None:
            break
        views.append(view)
        if leaves_entry(view.step):
            break
    outcome = outcome_of_steps([view.step for view in views])
    probability = math.prod(1.0 if view.probability is None else view.probability for view in views)
    return outcome is not None and _is_same(outcome, question.wanted), probability


def _is_same(found: Outcome, wanted: Outcome) -> bool:
    if found.kind is not wanted.kind:
        return False
    try:
        one, other = literal(found.value), literal(wanted.value)
    except Undecided:
        return found.value == wanted.value
    return type(one) is type(other) and bool(one == other)


def _derived(question: StateQuestion) -> Iterator[dict[str, str]]:
    """Yield states that a plain reversal of what the lines say suggests; most are wrong."""
    free = [name for name in question.parameters if name not in question.fixed]
    if not free:
        yield dict(question.fixed)
        return
    if len(free) > 1:
        return  # the model may know
    value = literal(question.wanted.value)
    (function,) = (
        node
        for node in ast.parse(question.program.source).body
        if isinstance(node, ast.FunctionDef) and node.name == question.name
    )
    constants: list[Any] = [
        node.value for node in ast.walk(function) if isinstance(node, ast.Constant) and node.value is not None
    ]
    constants += [literal(text) for text in question.fixed.values()]
    constants += _module_constants(question.program)
    results = list(value) if isinstance(value, tuple) and question.wanted.value.startswith("(") else [value]
    for count, candidate in enumerate(_reversals(results, constants)):
        if count >= _MAX_DERIVED:
            return
        yield {**question.fixed, free[0]: repr(candidate)}


def _module_constants(program: Program) -> list[Any]:
    values = [node.value for node in ast.parse(program.source).body if isinstance(node, ast.Assign)]
    return [node.value for node in values if isinstance(node, ast.Constant)]


def _reversals(results: Sequence[Any], constants: Sequence[Any]) -> Iterator[Any]:
    numbers = [item for item in constants if isinstance(item, int | float) and not isinstance(item, bool)]
    texts = [item for item in constants if isinstance(item, str) and item]
    for result in results:
        yield result
        if isinstance(result, int | float) and not isinstance(result, bool):
            for number in numbers:
                yield from (result - number, result + number, number - result, result * number)
                if number and result % number == 0:
                    yield result // number
            yield -result
        elif isinstance(result, str):
            for text in texts:
                yield from (result.removesuffix(text), result.removeprefix(text))
            yield from (result[::-1], result.lower(), result.upper(), result[:-1], result[1:])
        elif isinstance(result, list):
            yield from (result[:-1], result[1:], result[::-1], sorted(result, key=repr))
