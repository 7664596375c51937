"""Steps read from a model's ids: well formed, malformed, or well formed and found in the program.

The one idea: model output is data. Whatever the ids are, reading them gives one of these records and never an
exception; every record keeps the ids it was sampled as, so that nothing is ever tokenized a second time.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from opencwm.traces import Binding, CodeInfo, StepKind


@dataclasses.dataclass(frozen=True, slots=True)
class CwmStep:
    """A well-formed step, as written and without context.

    Attributes:
        kind: what happened.
        source: the source line as predicted, with its newline if one was predicted.
        bindings: what LOCALS says, in order, ``".."`` for what is carried over; empty at returns and
        exceptions.
        value: the text returned or raised; None at calls and lines.
        ids: the sampled ids, kind token and ``<|frame_sep|>`` included.
    """

    kind: StepKind
    source: str
    bindings: tuple[Binding, ...]
    value: str | None
    ids: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class MalformedStep:
    """Ids that are no step of the program; they are shown, counted, and never fed back to the model.

    Attributes:
        ids: the sampled ids.
        reason: one clause, for a user.
    """

    ids: tuple[int, ...]
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class LocatedStep:
    """A well-formed step and what its place in program and trace adds to it.

    Attributes:
        step: what was written.
        lineno: 1-based line of ``Program.text``.
        candidates: every line with that text, ascending; more than one where the text alone does not tell the
        line.
        depth: number of activations below this one; 0 is the entry.
        locals: the activation's locals as last written, carried values filled in; at returns and exceptions
            those of the activation's previous call or line step.
        unresolved: names written as carried over although the activation had no such value; their text is
            ``".."``.
        code: the function of the activation; None where it is none of the program.
    """

    step: CwmStep
    lineno: int
    candidates: tuple[int, ...]
    depth: int
    locals: tuple[Binding, ...]
    unresolved: tuple[str, ...] = ()
    code: CodeInfo | None = None

    @property
    def kind(self) -> StepKind:
        """What happened."""
        return self.step.kind

    @property
    def value(self) -> str | None:
        """The text returned or raised; None at calls and lines."""
        return self.step.value


@dataclasses.dataclass(frozen=True, slots=True)
class DecodedTrace:
    """A sequence of ids, read.

    Attributes:
        steps: in order; malformed ones stand where they occurred and have no effect on the others.
        is_finished: whether an end token came, that is whether the trace left its entry.
    """

    steps: tuple[LocatedStep | MalformedStep, ...]
    is_finished: bool


class MalformationError(ValueError):
    """Why ids are not a step, in its text; it becomes a MalformedStep and never leaves the codec."""


def parse_locals(text: str) -> tuple[Binding, ...]:
    """Read the LOCALS part of a step.

    Raises:
        MalformationError: it is not a flat JSON object of strings with distinct names.
    """
    pairs = _parse_json(text, "locals")
    if not isinstance(pairs, _Pairs):
        raise MalformationError("locals are not a JSON object")
    for name, value in pairs:
        if not isinstance(value, str):
            raise MalformationError(f"the value of local {name!r} is not a JSON string")
    if len({name for name, _ in pairs}) != len(pairs):
        raise MalformationError("a local is written twice")
    return tuple(pairs)


def parse_value(text: str) -> str:
    """Read the VALUE part of a step.

    Raises:
        MalformationError: it is not a JSON string.
    """
    value = _parse_json(text, "value")
    if not isinstance(value, str):
        raise MalformationError("value is not a JSON string")
    return value


def check_source(text: str) -> str:
    """Return ``text`` if it is one source line.

    Raises:
        MalformationError: it spans several lines.
    """
    if "\n" in text.removesuffix("\n"):
        raise MalformationError("source is more than one line")
    return text


class _Pairs(list[tuple[str, Any]]):
    """The items of a JSON object in order; repeated names are kept."""


def _parse_json(text: str, part: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise MalformationError(
            f"{part} is not JSON" if part == "value" else f"{part} are not JSON"
        ) from None
