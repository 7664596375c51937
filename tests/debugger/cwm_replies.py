"""Generators that play back: what really happened, or replies that were written by hand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from opencwm.codec.cwm import CwmCodec
from opencwm.codec.cwm_special import ACTION_SEP, ARG_SEP, FRAME_SEP, KIND_TOKENS, SPECIAL_IDS
from opencwm.codec.testing import tiny_tokenizer
from opencwm.debugger.cwm_execution import CwmConfig, CwmExecution
from opencwm.model.generation import Generation
from opencwm.model.sampling import SamplingConfig
from opencwm.traces import Program, StepKind, Trace

CODEC = CwmCodec(tiny_tokenizer())
LOGARITHM = -0.01
"""Of every id that is played back."""


def ids_of(text: str) -> list[int]:
    """Ids of text in which the names of special tokens stand for the tokens."""
    ids: list[int] = []
    while text:
        cuts = [(text.find(name), name) for name in SPECIAL_IDS if name in text]
        position, name = min(cuts, default=(len(text), ""))
        ids += CODEC.tokenizer.encode(text[:position])
        ids += [CODEC.tokenizer.special_id(name)] if name else []
        text = text[position + len(name) :]
    return ids


def step(kind: StepKind, source: str, rest: str = "{}") -> str:
    """A step as text: ``rest`` is its locals, or what it returns or raises, both as JSON."""
    if kind in (StepKind.CALL, StepKind.LINE):
        return f"{KIND_TOKENS[kind]}{rest}{ACTION_SEP}{source}\n{FRAME_SEP}"
    return f"{KIND_TOKENS[kind]}{ACTION_SEP}{source}\n{ARG_SEP}{rest}{FRAME_SEP}"


class Playback:
    """A generator that answers each prompt with what ``reply`` gives, cut at the first stop id.

    Attributes:
        prompts: what it was given, forks included.
        samplings: how it was to pick.
    """

    def __init__(self, reply: Callable[[tuple[int, ...]], Sequence[int]], max_tokens: int = 100_000) -> None:
        self._reply = reply
        self.max_tokens = max_tokens
        self.vocab_size = tiny_tokenizer().vocab_size
        self.prompts: list[tuple[int, ...]] = []
        self.samplings: list[SamplingConfig] = []

    def generate(
        self, prompt: Sequence[int], *, stops: Collection[int], max_tokens: int, sampling: SamplingConfig
    ) -> Generation:
        self.prompts.append(tuple(prompt))
        self.samplings.append(sampling)
        room = min(max_tokens, self.max_tokens - len(prompt))
        written: list[int] = []
        for id_ in self._reply(tuple(prompt)):
            if len(written) == room:
                break
            written.append(id_)
            if id_ in stops:
                return Generation(tuple(written), (LOGARITHM,) * len(written), stopped=True)
        return Generation(tuple(written), (LOGARITHM,) * len(written), stopped=False)

    def fork(self) -> Playback:
        return self


def oracle(trace: Trace, codec: CwmCodec = CODEC) -> Playback:
    """Goes on from any beginning of a recorded run as it really went on."""
    ids = tuple(codec.encode(trace).ids)

    def reply(prompt: tuple[int, ...]) -> Sequence[int]:
        assert ids[: len(prompt)] == prompt, "what the model is shown is what it wrote, id by id"
        return ids[len(prompt) :]

    return Playback(reply)


def saying(*replies: str) -> Playback:
    """Gives one reply after the other, and then nothing but the end."""
    left = list(replies)

    def reply(_: tuple[int, ...]) -> Sequence[int]:
        return ids_of(left.pop(0) if left else "<|end_of_text|>")

    return Playback(reply)


def followed(program: Program, *replies: str, constrained: bool = False) -> CwmExecution:
    """An execution of hand-written replies."""
    return CwmExecution(program, CODEC, saying(*replies), CwmConfig(constrained=constrained))
