"""What a request asks for: the body of a POST, read strictly, as the scheduler takes it.

Fields are those of OpenAI's APIs and of vLLM's extensions to them that make sense for ids. A field that is
not known is refused, so that a wish is never silently ignored; one that asks for what is not done
(``suffix``, penalties, ``stop`` texts that are no special tokens) likewise. What completions and chats have
in common is here; chats are in :mod:`.chat_order`.

Source: OpenAI's API reference, "Completions"; vLLM's documentation, "OpenAI-Compatible Server".
"""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from opencwm.core.config import from_dict
from opencwm.core.errors import ConfigError
from opencwm.frontends.serve.served_model import ServedModel
from opencwm.model.sampling import SamplingConfig
from opencwm.model.scheduler import Request

MAX_CHOICES = 64
"""Most sequences of one request: prompts times ``n``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """What a stream tells besides ids."""

    include_usage: bool = False
    continuous_usage_stats: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Extension:
    """The field ``opencwm``.

    Attributes:
        logits_from: give the logits of the whole vocabulary after each id of the prompt from this index on.
        read_from: read the ids of the prompt from this index on in one pass, as an engine at hand would.
    """

    logits_from: int
    read_from: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawn:
    """What requests for completions and for chats have in common; see docs/serving.md for what is added."""

    prompt_field: ClassVar[str] = "prompt"

    model: str | None = None
    max_tokens: int | None = None
    n: int | None = 1
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    seed: int | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    stop: Any = None
    presence_penalty: float | None = 0.0
    frequency_penalty: float | None = 0.0
    logit_bias: Any = None
    user: str | None = None
    stop_token_ids: tuple[int, ...] | None = None
    include_stop_str_in_output: bool = False
    ignore_eos: bool = False
    skip_special_tokens: bool = True
    return_token_ids: bool | None = False
    return_tokens_as_token_ids: bool | None = False

    def __post_init__(self) -> None:
        for name in self.unwanted():
            raise ConfigError("is not supported", where=name)
        for name, is_right in self.ranges().items():
            if not is_right:
                raise ConfigError("is out of range", where=name)

    def unwanted(self) -> Iterator[str]:
        """Yield the fields that ask for what is not done."""
        for name in ("presence_penalty", "frequency_penalty", "logit_bias"):
            if getattr(self, name):
                yield name

    def ranges(self) -> Mapping[str, bool]:
        """Return which fields are in range."""
        return {
            "max_tokens": self.max_tokens is None or self.max_tokens >= 0,
            "n": self.n is None or 1 <= self.n <= MAX_CHOICES,
            "temperature": 0 <= (self.temperature or 0) <= 100,
            "top_p": self.top_p is None or 0 < self.top_p <= 1,
            "seed": self.seed is None or self.seed >= 0,
            "stream_options": self.stream_options is None or bool(self.stream),
        }

    @property
    def num_choices(self) -> int:
        """How many sequences are wanted of each prompt."""
        return self.n or 1

    @property
    def num_top(self) -> int | None:
        """How many of the likeliest ids are told at each written one; None for no probabilities."""
        return None

    def requests(self, served: ServedModel) -> list[Request]:
        """Return what the scheduler is to do: each prompt, ``n`` times.

        Raises:
            ConfigError: a prompt is none, or too long; too many sequences; no such id.
        """
        raise NotImplementedError

    def each(self, prompts: Sequence[Sequence[int]], served: ServedModel) -> list[Request]:
        """Return a request for every sequence that is wanted.

        Raises:
            ConfigError: see :meth:`requests`.
        """
        if len(prompts) * self.num_choices > MAX_CHOICES:
            raise ConfigError(f"more than {MAX_CHOICES} sequences in one request", where=self.prompt_field)
        seed = self.seed if self.seed is not None else secrets.randbits(32)
        stops = self._stops(served)
        return [
            self._request(tuple(prompt), seed + number, stops, served)
            for number, prompt in enumerate(prompt for prompt in prompts for _ in range(self.num_choices))
        ]

    def _request(
        self, prompt: tuple[int, ...], seed: int, stops: frozenset[int], served: ServedModel
    ) -> Request:
        max_tokens = self.max_tokens if self.max_tokens is not None else served.max_tokens - len(prompt)
        room = served.max_tokens - (max_tokens > 0)
        if not 0 < len(prompt) <= room:
            problem = f"{len(prompt)} ids; 1 to {room} fit this model's context of {served.max_tokens}"
            raise ConfigError(problem, where=self.prompt_field)
        if not all(0 <= token < served.vocab_size for token in prompt):
            raise ConfigError(f"an id is outside 0..{served.vocab_size - 1}", where=self.prompt_field)
        sampling = SamplingConfig(temperature=self.temperature or 0.0, top_p=self.top_p or 1.0, seed=seed)
        return Request(
            prompt=prompt,
            max_tokens=max_tokens,
            stops=stops,
            sampling=sampling,
            num_top=None if self.num_top is None else min(self.num_top, served.vocab_size),
            is_streamed=bool(self.stream),
        )

    def _stops(self, served: ServedModel) -> frozenset[int]:
        """Return the ids that end what is written; texts are understood where they name a special token."""
        ends = frozenset() if self.ignore_eos else served.ends
        texts = [self.stop] if isinstance(self.stop, str) else (self.stop or [])
        named = [served.names.special_id(text) if isinstance(text, str) else None for text in _listed(texts)]
        if None in named:
            hint = "name special tokens, or end it with stop_token_ids"
            raise ConfigError("only special tokens end what is written", where="stop", hint=hint)
        return frozenset(self.stop_token_ids or ()) | ends | {token for token in named if token is not None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order(Drawn):
    """The body of a request for completions; see OpenAI's API reference."""

    prompt: Any
    max_tokens: int | None = 16
    best_of: int | None = None
    logprobs: int | None = None
    echo: bool | None = False
    suffix: str | None = None
    opencwm: Extension | None = None

    def unwanted(self) -> Iterator[str]:
        """Yield the fields that ask for what is not done."""
        yield from super().unwanted()
        if self.suffix:
            yield "suffix"

    def ranges(self) -> Mapping[str, bool]:
        """Return which fields are in range."""
        return {
            **super().ranges(),
            "best_of": self.best_of in (None, self.n or 1),
            "logprobs": self.logprobs is None or self.logprobs >= 0,
        }

    @property
    def num_top(self) -> int | None:
        """How many of the likeliest ids are told at each written one; None for no probabilities."""
        return self.logprobs

    def requests(self, served: ServedModel) -> list[Request]:
        """Return what the scheduler is to do; see :meth:`Drawn.requests`."""
        prompts = self._prompts(served)
        if self.opencwm is not None and (self.stream or self.echo or self.num_choices > 1):
            raise ConfigError("logits are given neither in streams nor with echo or n", where="opencwm")
        if self.stream and self.echo and self.logprobs is not None:
            raise ConfigError("the probabilities of a prompt are not given in streams", where="echo")
        return [self._with_logits(request) for request in self.each(prompts, served)]

    def _with_logits(self, request: Request) -> Request:
        if self.opencwm is None:
            is_scored = bool(self.echo) and self.logprobs is not None
            return dataclasses.replace(request, logits_from=0) if is_scored else request
        logits_from, read_from = self.opencwm.logits_from, self.opencwm.read_from
        if not 0 <= (read_from or 0) <= logits_from < len(request.prompt):
            problem = f"read_from {read_from} and logits_from {logits_from} are no such indices"
            raise ConfigError(problem, where="opencwm")
        return dataclasses.replace(request, logits_from=logits_from, read_from=read_from)

    def _prompts(self, served: ServedModel) -> list[tuple[int, ...]]:
        given = self.prompt
        is_one = not isinstance(given, list) or not given or all(type(token) is int for token in given)
        return [self._ids(one, served) for one in ([given] if is_one else given)]

    @staticmethod
    def _ids(one: Any, served: ServedModel) -> tuple[int, ...]:
        if isinstance(one, str):
            return served.encode(one)
        if not isinstance(one, list) or not all(type(token) is int for token in one):
            raise ConfigError("a list of token ids is wanted, or a list of such lists", where="prompt")
        return tuple(one)


Body = TypeVar("Body", bound=Drawn)


def read_order(kind: type[Body], body: bytes) -> Body:
    """Read a body.

    Raises:
        ConfigError: it is no JSON object, or not a request that can be done; ``where`` names the field.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise ConfigError("the body is not valid JSON") from None
    if not isinstance(data, dict):
        raise ConfigError("the body is not a JSON object")
    try:
        return from_dict(kind, data, where="")
    except ConfigError as error:
        where = error.where.removeprefix(": ").partition("[")[0]
        raise ConfigError(error.what, where=where, hint=error.hint) from None


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [None]
