"""Draw mutants of a program: which operator, where, and how, by weight and chance.

Nothing is run here. Whether a mutant behaves differently is told by ``recording``.
"""

from __future__ import annotations

import ast
import dataclasses
import random
import warnings
from collections.abc import Collection, Iterator

from opencwm.corpus.mutants.changes import Change, changed_text
from opencwm.corpus.mutants.config import MutationConfig
from opencwm.corpus.mutants.operators import OPERATORS, Operator
from opencwm.corpus.mutants.source_file import SourceFile
from opencwm.traces import Program


@dataclasses.dataclass(frozen=True, slots=True)
class Mutant:
    """A changed source; every call of the original can be made on it.

    Attributes:
        source: the whole text, with as many lines as the original's, each where it was.
        operator: name of the change in ``OPERATORS``.
        lineno: 1-based first line of what was changed.
    """

    source: str
    operator: str
    lineno: int


def mutate(
    program: Program,
    rng: random.Random,
    config: MutationConfig | None = None,
    *,
    lines: Collection[int] | None = None,
) -> Iterator[Mutant]:
    """Yield different mutants of a program's source until there are no more; take as many as wanted.

    Every one compiles and has another syntax tree than the original. Only what the entry can reach is
    changed. An operator that has no place left is not drawn any more, so that all are yielded in the end.

    Args:
        program: what is changed; its call stays.
        rng: the only source of randomness.
        config: the weights of the operators.
        lines: 1-based lines that were run: inside functions only statements on them are changed. All that can
            be reached when None.

    Raises:
        ConfigError: the program does not parse, or has no such entry.
    """
    config = config or MutationConfig()
    file = SourceFile(program, lines)
    drawn = {
        name: _draw_changes(file, operator, rng)
        for name, operator in OPERATORS.items()
        if config.weight(name) > 0.0 and any(kind in file.nodes for kind in operator.nodes)
    }
    seen = {file.text}
    while drawn:
        names = list(drawn)
        name = rng.choices(names, [config.weight(item) for item in names])[0]
        change = next(drawn[name], None)
        if change is None:
            del drawn[name]
            continue
        text = changed_text(file, change)
        if text is not None and text not in seen and _compiles(text):
            seen.add(text)
            yield Mutant(text, name, change.node.lineno)


def _draw_changes(file: SourceFile, operator: Operator, rng: random.Random) -> Iterator[Change]:
    """Yield an operator's changes in random order, first one of each node."""
    nodes: list[ast.AST] = [node for kind in operator.nodes for node in file.nodes.get(kind, ())]
    rng.shuffle(nodes)
    rest: list[Change] = []
    for node in nodes:
        changes = list(operator.changes(file, node))
        if changes:
            first = changes.pop(rng.randrange(len(changes)))
            rest += changes
            yield first
    rng.shuffle(rest)
    yield from rest


def _compiles(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<mutant>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
