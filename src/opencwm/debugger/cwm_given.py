"""Steps of the ``cwm`` format that need no model: the user's call entered as written, and a state given.

Whatever is given is written as the format writes it, encoded once, and never asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opencwm.codec.cwm import CwmCodec
from opencwm.codec.cwm_special import ACTION_SEP
from opencwm.codec.cwm_step import CwmStep
from opencwm.codec.cwm_text import entry_lineno, locals_json, source_lines
from opencwm.debugger.supplied import supplied_call
from opencwm.source.cfg import ControlFlow
from opencwm.traces import Binding, Program, StepKind


class GivenSteps:
    """What is certain of the first steps of a run.

    Args:
        program: what is predicted.
        control_flow: of it.
    """

    def __init__(self, program: Program, control_flow: ControlFlow) -> None:
        self._sources = source_lines(program)
        self._steps: list[tuple[StepKind, int, tuple[Binding, ...]]] = []
        lineno = program.wrapper_lineno
        if lineno is None or "\n" in (program.call or ""):
            return
        self._steps = [(StepKind.CALL, lineno, ()), (StepKind.LINE, lineno + 1, ())]
        supplied = supplied_call(program)
        if supplied is None:
            return
        for graph in control_flow.at(supplied.lineno):
            if set(graph.params) == supplied.arguments.keys():
                values = tuple((name, supplied.arguments[name]) for name in graph.params)
                self._steps.append((StepKind.CALL, supplied.lineno, values))

    def ids(self, codec: CwmCodec, num_steps: int) -> tuple[tuple[int, ...], frozenset[str]] | None:
        """Return the ids of the next step and the names in it that were given; None when it is not certain.

        Args:
            codec: whose ids.
            num_steps: how many steps there are, all of them certain.
        """
        if num_steps >= len(self._steps):
            return None
        kind, lineno, values = self._steps[num_steps]
        ids = step_ids(codec, kind, values, self._sources[lineno - 1])
        return ids, frozenset(name for name, _ in values)


def entry_ids(
    codec: CwmCodec, program: Program, state: Mapping[str, str], order: Sequence[str]
) -> tuple[int, ...]:
    """Return the CALL of the entry with ``state`` as its locals, in canonical ``order``."""
    values = tuple((name, state[name]) for name in order if name in state)
    return step_ids(codec, StepKind.CALL, values, source_lines(program)[entry_lineno(program) - 1])


def changed_ids(
    codec: CwmCodec, step: CwmStep, changes: Mapping[str, str], order: Sequence[str]
) -> tuple[int, ...]:
    """Return the ids of a CALL or LINE step in which locals are set; all but its locals stays as sampled.

    Args:
        codec: of the step's ids.
        step: what is changed.
        changes: name to rendered value.
        order: of the locals, canonical.
    """
    action = step.ids.index(codec.tokenizer.special_id(ACTION_SEP))
    values = {**dict(step.bindings), **changes}
    place = {name: number for number, name in enumerate(order)}
    if changes.keys() - dict(step.bindings).keys():
        values = dict(sorted(values.items(), key=lambda item: place.get(item[0], len(place))))
    return (step.ids[0], *codec.tokenizer.encode(locals_json(values)), *step.ids[action:])


def step_ids(codec: CwmCodec, kind: StepKind, values: Sequence[Binding], source: str) -> tuple[int, ...]:
    """Return the ids of a CALL or LINE step.

    Raises:
        CodecError: a value cannot be written.
    """
    tokenizer = codec.tokenizer
    return (
        *codec.kind_ids(kind),
        *tokenizer.encode(locals_json(tuple(values))),
        tokenizer.special_id(ACTION_SEP),
        *tokenizer.encode(source),
        codec.frame_sep_id,
    )
