"""Traces of mutants, each with the step at which it leaves the trace of its original.

Two runs are compared step by step in what a step shows: kind, line, depth, changed and deleted locals, value
and flags. Mutants keep the line numbers of their original, so steps before the change stay equal.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from opencwm.core.errors import ConfigError
from opencwm.core.seeds import derive_rng
from opencwm.corpus.mutants.config import MutationConfig
from opencwm.corpus.mutants.drawing import Mutant, mutate
from opencwm.corpus.structure import group_of
from opencwm.traces import Mutation, Program, Status, Step, Trace

Recorder = Callable[[Program], Trace]
"""Runs a program and returns its trace."""

COMPARABLE: Final = (Status.RETURNED, Status.RAISED, Status.STEP_LIMIT)
"""Ends of a run that are the same each time it is run. A run cut at the step limit shows that the mutant
goes on for long, perhaps for ever; who wants runs that ended by themselves leaves it out."""
ATTEMPTS_PER_MUTANT = 3


def first_divergence(original: Sequence[Step], mutant: Sequence[Step]) -> int | None:
    """Return the index of the first step in which two runs differ, None when there is none.

    Where one run only goes on longer, it is the length of the shorter. Evaluated sub-expressions are not
    compared: their columns move with the text.
    """
    for index, (one, other) in enumerate(zip(original, mutant, strict=False)):
        if _shown(one) != _shown(other):
            return index
    return None if len(original) == len(mutant) else min(len(original), len(mutant))


def _shown(step: Step) -> tuple[object, ...]:
    return step.kind, step.lineno, step.depth, step.changed, step.deleted, step.value, step.flags


def behaves_the_same(original: Trace, mutant: Trace) -> bool:
    """Whether nothing that was recorded tells two runs apart: their steps, their ends, what they printed."""
    return (
        original.status is mutant.status
        and original.stdout == mutant.stdout
        and first_divergence(original.steps, mutant.steps) is None
    )


def reproduced(originals: Sequence[Trace], recorder: Recorder) -> list[Trace]:
    """Return those of ``originals`` that the recorder gives again when it runs their programs.

    For traces from elsewhere: one that depends on chance or on time, or was recorded with other bounds or by
    another Python, would differ from its mutants for no reason of theirs.
    """
    return [trace for trace in originals if behaves_the_same(trace, recorder(trace.program))]


def mutant_traces(
    originals: Sequence[Trace], rng: random.Random, config: MutationConfig | None, recorder: Recorder
) -> Iterator[Trace]:
    """Yield the runs of mutants of one function, mutant by mutant, on the inputs of its originals.

    Lines that no input ran are left alone. A mutant that runs out of time or memory on one input, or ends
    its process, is left out with all its runs, and another one is tried.

    Args:
        originals: runs of one source with different calls; those that did not end comparably do not count.
        rng: the only source of randomness.
        config: how many mutants, and of what kind.
        recorder: runs the programs. Mutants of code that is not ours must run in a sandbox.

    Raises:
        ConfigError: the originals are of more than one source, or it does not parse.
    """
    originals = [trace for trace in originals if trace.status in COMPARABLE and trace.steps]
    if not originals:
        return
    program = originals[0].program
    if any(trace.program.source != program.source for trace in originals):
        raise ConfigError("traces of more than one source are not of one function", where=program.filename)
    config = config or MutationConfig()
    lines = {step.lineno for trace in originals for step in trace.steps}
    group = group_of(program)
    missing = config.max_mutants
    attempts = itertools.islice(mutate(program, rng, config, lines=lines), ATTEMPTS_PER_MUTANT * missing)
    while missing and (mutant := next(attempts, None)) is not None:
        if runs := _record(mutant, group, originals, recorder):
            yield from runs
            missing -= 1


@dataclasses.dataclass(kw_only=True)
class MutationTally:
    """What :func:`mutate_traces` met so far.

    Attributes:
        num_functions: sources with at least one trace.
        num_originals: traces of them.
        num_not_reproduced: of these, how many the recorder did not give again.
    """

    num_functions: int = 0
    num_originals: int = 0
    num_not_reproduced: int = 0


def mutate_traces(
    traces: Iterable[Trace],
    seed: int,
    config: MutationConfig | None,
    recorder: Recorder,
    tally: MutationTally | None = None,
) -> Iterator[Trace]:
    """Yield the runs of mutants of all programs in ``traces``, see :func:`mutant_traces`.

    Traces of one source must follow each other, as harvesting writes them; those of mutants are passed by.
    The mutants of a source depend on the seed and on its own traces only. Originals that the recorder does
    not give again are left out, see :func:`reproduced`.

    Args:
        traces: runs of original programs.
        seed: the same seed gives the same mutants.
        config: how many mutants of each source, and of what kind.
        recorder: runs the programs.
        tally: counted into, as far as the iterator was taken.

    Raises:
        ConfigError: a program does not parse.
    """
    tally = tally or MutationTally()
    programs = (trace for trace in traces if trace.mutation is None)
    for source, runs in itertools.groupby(programs, lambda trace: trace.program.source):
        originals = list(runs)
        again = reproduced(originals, recorder)
        tally.num_functions += 1
        tally.num_originals += len(originals)
        tally.num_not_reproduced += len(originals) - len(again)
        yield from mutant_traces(again, derive_rng("mutants", seed, source), config, recorder)


def _record(mutant: Mutant, group: str, originals: Sequence[Trace], recorder: Recorder) -> list[Trace]:
    """Run a mutant on every input; return nothing when one of the runs cannot be compared."""
    runs = []
    for original in originals:
        program = dataclasses.replace(original.program, source=mutant.source, group=group)
        run = recorder(program)
        if run.status not in COMPARABLE or not run.steps:
            return []
        runs.append(run)
    is_equivalent = all(map(behaves_the_same, originals, runs))
    return [
        dataclasses.replace(
            run,
            mutation=Mutation(
                original=original.program.id,
                operator=mutant.operator,
                first_divergence=first_divergence(original.steps, run.steps),
                is_equivalent=is_equivalent,
            ),
        )
        for original, run in zip(originals, runs, strict=True)
    ]
