"""Have a generator write one step of the ``cwm`` format after another.

The one idea: the sequence is the prompt and the ids of the steps so far, exactly as they were sampled; a step
is what is written until ``<|frame_sep|>``. What the caller has decided is put in front and costs nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Final

from opencwm.codec.cwm import CwmCodec
from opencwm.model.generation import Generation, Generator
from opencwm.model.sampling import SamplingConfig

MAX_STEP_TOKENS: Final = 2048
"""Most ids of one step; the published demo's number. Source: facebookresearch/cwm, demos/cwmdbg.py."""

DEMO_TEMPERATURE: Final = 0.6
DEMO_TOP_P: Final = 0.95
"""How the published demo samples. Source: as above."""


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """What was written for one step.

    Attributes:
        ids: of the step, what was given in front included; empty where the trace ended instead.
        logarithms: of the probability of each id, 0 for those that were given.
        num_sampled: ids that the model decided.
        is_end: whether the model ended the trace here.
        problem: why there is no whole step, in words; empty where there is one.
        is_full: whether it is the context that cut it off.
    """

    ids: tuple[int, ...]
    logarithms: tuple[float, ...]
    num_sampled: int
    is_end: bool = False
    problem: str = ""
    is_full: bool = False


class StepWriter:
    """Writes the steps of one sequence.

    Args:
        codec: of the generator's vocabulary.
        generator: owned by the writer from now on.
        sampling: how ids are picked; its seed is mixed with the length of the sequence.
    """

    def __init__(self, codec: CwmCodec, generator: Generator, sampling: SamplingConfig) -> None:
        self.codec = codec
        self.generator = generator
        self.sampling = sampling
        self._stops = codec.stop_ids | {codec.frame_sep_id}

    def write(self, sequence: Sequence[int], given: Sequence[int] = (), attempt: int = 0) -> Written:
        """Write a step after ``sequence``.

        Args:
            sequence: prompt and steps so far.
            given: the ids that the step begins with.
            attempt: 0 for the first; later ones are drawn.

        Raises:
            EngineError: the engine broke.
        """
        prompt = [*sequence, *given]
        if len(prompt) >= self.generator.max_tokens:
            return Written(tuple(given), (0.0,) * len(given), 0, problem=self._full, is_full=True)
        found = self.generator.generate(
            prompt,
            stops=self._stops,
            max_tokens=MAX_STEP_TOKENS,
            sampling=self._sampling(len(sequence), attempt),
        )
        return self._told(found, tuple(given), len(prompt))

    def _told(self, found: Generation, given: tuple[int, ...], length: int) -> Written:
        ids, logarithms, problem = found.ids, found.logarithms, ""
        is_end = bool(ids) and ids[-1] in self.codec.stop_ids
        if is_end:
            ids, logarithms = ids[:-1], logarithms[:-1]
        whole = (*given, *ids)
        is_full = not found.stopped and length + len(ids) >= self.generator.max_tokens
        if is_full:
            problem = self._full
        elif not found.stopped:
            problem = f"the step has no end within {len(ids)} ids"
        elif is_end and whole:
            problem = "the trace ends within a step"
        return Written(
            whole,
            (*(0.0 for _ in given), *logarithms),
            len(found.ids),
            is_end=is_end,
            problem=problem,
            is_full=is_full,
        )

    @property
    def _full(self) -> str:
        return f"the model's context of {self.generator.max_tokens} ids is full"

    def _sampling(self, length: int, attempt: int) -> SamplingConfig:
        seed = int.from_bytes(
            hashlib.sha256(f"{self.sampling.seed} {length} {attempt}".encode()).digest()[:4], "big"
        )
        if attempt and self.sampling.temperature <= 0:
            return SamplingConfig(temperature=DEMO_TEMPERATURE, top_p=DEMO_TOP_P, seed=seed)
        return dataclasses.replace(self.sampling, seed=seed)
