"""Twins of tasks, each checked by running it: what claims to be equivalent must come to the same.

Kinds:

- ``same``: only written anew by :func:`ast.unparse`, without comments: a measure for the other kinds.
- ``renamed``: functions, parameters and variables have made-up names.
- ``reordered``: functions, and assignments that do not depend on each other, stand in another order.
- ``rewritten``: loops, comparisons and branches say the same in other words.
- ``mutated``: another program with another answer, found by running it: alike in looks only.

A twin that does not come to what it should is dropped. Nothing runs outside of what the caller confines it
with.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from opencwm.core.errors import ConfigError
from opencwm.core.seeds import derive_rng
from opencwm.corpus.mutants import mutate
from opencwm.evals.cruxeval_items import Item
from opencwm.evals.grading import is_right
from opencwm.evals.twins.code_tasks import CodeTask
from opencwm.evals.twins.names import Renaming, all_names, new_names, own_names
from opencwm.evals.twins.rewrites import REWRITES
from opencwm.traces import Outcome, Program, StepFlags, Trace, observed_outcome

SAME: Final = "same"
RENAMED: Final = "renamed"
MUTATED: Final = "mutated"
KINDS: Final = (SAME, RENAMED, *REWRITES, MUTATED)
CODE_KINDS: Final = (RENAMED,)
"""Of tasks to write code for: their text is prose, of which only names can be told apart."""

_MUTANTS_TRIED: Final = 40


Task = TypeVar("Task", Item, CodeTask)


@dataclasses.dataclass(frozen=True, slots=True)
class Twin(Generic[Task]):
    """A task in another dress."""

    kind: str
    task: Task


@dataclasses.dataclass(frozen=True, slots=True)
class Family(Generic[Task]):
    """A task that holds when it is run, and its twins, some of a kind.

    Attributes:
        task: as it was given.
        twins: of it.
    """

    task: Task
    twins: tuple[Twin[Task], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TwinsConfig:
    """Which twins are made.

    Attributes:
        kinds: of :data:`KINDS`.
        per_kind: most of a kind for one task; ``same`` is one.
        seed: of all draws.

    Raises:
        ConfigError: no kind, an unknown one, or a number below 1.
    """

    kinds: tuple[str, ...] = KINDS
    per_kind: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds or self.per_kind < 1:
            what = f"no twins called {unknown[0]!r}" if unknown else "nothing is to be made"
            raise ConfigError(what, where="eval twins", hint=f"kinds are {', '.join(KINDS)}")


def output_family(item: Item, config: TwinsConfig, record: Callable[[Program], Trace]) -> Family[Item] | None:
    """Return an item with its twins; None when its own output is not what its program comes to.

    Args:
        item: of output prediction; its output is found by a run when it has none.
        config: which twins.
        record: runs and records a program; use one that confines it.
    """
    truth = _outcome(record(item.program))
    if truth is None or (item.output is not None and not is_right(truth, item.output)):
        return None
    item = dataclasses.replace(item, output=item.output or truth.value)
    twins = [
        Twin(kind, dataclasses.replace(made, id=f"{item.id}~{kind}{number}"))
        for kind in config.kinds
        for number, made in enumerate(
            itertools.islice(
                _twins_of(item, truth, kind, config, record), 1 if kind == SAME else config.per_kind
            )
        )
    ]
    return Family(item, tuple(twins))


def _twins_of(
    item: Item, truth: Outcome, kind: str, config: TwinsConfig, record: Callable[[Program], Trace]
) -> Iterator[Item]:
    """Yield twins of a kind that hold when they are run."""
    if kind == MUTATED:
        yield from _mutants(item, truth, config, record)
        return
    seen = {item.program.source}
    for number in range(config.per_kind):
        program = _changed(item.program, kind, config.seed, number)
        if program is not None and program.source not in seen:
            seen.add(program.source)
            if _outcome(record(program)) == truth:
                yield Item(item.id, program, item.output)


def _changed(program: Program, kind: str, seed: int, number: int) -> Program | None:
    """Return a program in another dress; None where nothing of the kind can be done."""
    tree, call = _parsed(program.source), _parsed(program.call or "")
    rng = derive_rng("eval twins", seed, program.id, kind, number)
    if kind == RENAMED:
        names = own_names(tree)
        if not names:
            return None
        given = new_names(names, all_names(tree) | all_names(call), rng)
        Renaming(given).visit(tree)
        Renaming(given).visit(call)
    elif kind in REWRITES and not REWRITES[kind](tree, rng):
        return None
    source = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    return Program.from_call(source, ast.unparse(call), filename=program.filename)


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like are the task's business
        return ast.parse(text)


def _mutants(
    item: Item, truth: Outcome, config: TwinsConfig, record: Callable[[Program], Trace]
) -> Iterator[Item]:
    """Yield mutants that come to something else, with what they come to."""
    rng = derive_rng("eval twins", config.seed, item.program.id, MUTATED)
    for mutant in itertools.islice(mutate(item.program, rng), _MUTANTS_TRIED):
        program = Program.from_call(mutant.source, item.program.call or "", filename=item.program.filename)
        found = _outcome(record(program))
        if found is not None and found.kind is truth.kind and found.value != truth.value:
            yield Item(item.id, program, found.value)


def _outcome(trace: Trace) -> Outcome | None:
    """Return what a run came to; None where it did not end, or was not recorded in full."""
    outcome = observed_outcome(trace)
    return None if outcome is None or trace.steps[-1].flags & StepFlags.TRUNCATED else outcome


def code_family(
    task: CodeTask, config: TwinsConfig, passes: Callable[[str, CodeTask], bool]
) -> Family[CodeTask] | None:
    """Return a task with its twins; None when its own solution does not pass its tests.

    Args:
        task: to write code for.
        config: which twins; kinds that are not of :data:`CODE_KINDS` are not made.
        passes: runs code with the tests of a task; use one that confines it.
    """
    if not passes(task.solution, task):
        return None
    twins = []
    for kind in (kind for kind in config.kinds if kind in CODE_KINDS):
        for number in range(config.per_kind):
            rng = derive_rng("eval twins", config.seed, task.id, kind, number)
            twin = task.renamed(rng)
            if twin is not None and passes(twin.solution, twin):
                twins.append(Twin(kind, dataclasses.replace(twin, id=f"{task.id}~{kind}{number}")))
    return Family(task, tuple(twins))
