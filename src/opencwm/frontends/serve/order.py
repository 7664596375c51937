"""A request for a completion: the body of a POST, read strictly, as the scheduler takes it.

Fields are those of OpenAI's completions API and of vLLM's extensions to it that make sense for ids. A field
that is not known is refused, so that a wish is never silently ignored; one that asks for what is not done
(``suffix``, penalties, ``stop`` texts) likewise.

Source: OpenAI's API reference, "Completions"; vLLM's documentation, "OpenAI-Compatible Server".
"""

from __future__ import annotations

import dataclasses
import json
import secrets
from typing import Any

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
class Order:
    """The body of a request; see OpenAI's API reference, and docs/serving.md for what is added."""

    prompt: Any
    model: str | None = None
    max_tokens: int | None = 16
    n: int | None = 1
    best_of: int | None = None
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    seed: int | None = None
    logprobs: int | None = None
    echo: bool | None = False
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    stop: Any = None
    suffix: str | None = None
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
    opencwm: Extension | None = None

    def __post_init__(self) -> None:
        for name, is_unwanted in (
            ("suffix", bool(self.suffix)),
            ("presence_penalty", bool(self.presence_penalty)),
            ("frequency_penalty", bool(self.frequency_penalty)),
            ("logit_bias", bool(self.logit_bias)),
            ("stop", bool(self.stop)),
        ):
            if is_unwanted:
                hint = "end it with stop_token_ids" if name == "stop" else ""
                raise ConfigError("is not supported", where=name, hint=hint)
        for name, is_right in (
            ("max_tokens", self.max_tokens is None or self.max_tokens >= 0),
            ("n", self.n is None or 1 <= self.n <= MAX_CHOICES),
            ("best_of", self.best_of in (None, self.n or 1)),
            ("temperature", 0 <= (self.temperature or 0) <= 100),
            ("top_p", self.top_p is None or 0 < self.top_p <= 1),
            ("logprobs", self.logprobs is None or self.logprobs >= 0),
            ("seed", self.seed is None or self.seed >= 0),
            ("stream_options", self.stream_options is None or bool(self.stream)),
        ):
            if not is_right:
                raise ConfigError("is out of range", where=name)

    @classmethod
    def read(cls, body: bytes) -> Order:
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
            return from_dict(cls, data, where="")
        except ConfigError as error:
            where = error.where.removeprefix(": ").partition("[")[0]
            raise ConfigError(error.what, where=where, hint=error.hint) from None

    @property
    def num_choices(self) -> int:
        """How many sequences are wanted of each prompt."""
        return self.n or 1

    def requests(self, served: ServedModel) -> list[Request]:
        """Return what the scheduler is to do: each prompt, ``n`` times.

        Raises:
            ConfigError: a prompt is none, or too long; too many sequences; no such id.
        """
        prompts = self._prompts(served)
        if len(prompts) * self.num_choices > MAX_CHOICES:
            raise ConfigError(f"more than {MAX_CHOICES} sequences in one request", where="prompt")
        if self.opencwm is not None and (self.stream or self.echo or self.num_choices > 1):
            raise ConfigError("logits are given neither in streams nor with echo or n", where="opencwm")
        if self.stream and self.echo and self.logprobs is not None:
            raise ConfigError("the probabilities of a prompt are not given in streams", where="echo")
        seed = self.seed if self.seed is not None else secrets.randbits(32)
        return [
            self._request(prompt, seed + number, served)
            for number, prompt in enumerate(prompt for prompt in prompts for _ in range(self.num_choices))
        ]

    def _request(self, prompt: tuple[int, ...], seed: int, served: ServedModel) -> Request:
        max_tokens = self.max_tokens if self.max_tokens is not None else served.max_tokens - len(prompt)
        room = served.max_tokens - (max_tokens > 0)
        if not 0 < len(prompt) <= room:
            problem = f"{len(prompt)} ids; 1 to {room} fit this model's context of {served.max_tokens}"
            raise ConfigError(problem, where="prompt")
        if not all(0 <= token < served.vocab_size for token in prompt):
            raise ConfigError(f"an id is outside 0..{served.vocab_size - 1}", where="prompt")
        logits_from, read_from = (0 if self.echo and self.logprobs is not None else None), None
        if self.opencwm is not None:
            logits_from, read_from = self.opencwm.logits_from, self.opencwm.read_from
            if not 0 <= (read_from or 0) <= logits_from < len(prompt):
                problem = f"read_from {read_from} and logits_from {logits_from} are no such indices"
                raise ConfigError(problem, where="opencwm")
        sampling = SamplingConfig(temperature=self.temperature or 0.0, top_p=self.top_p or 1.0, seed=seed)
        return Request(
            prompt=prompt,
            max_tokens=max_tokens,
            stops=frozenset(self.stop_token_ids or ()) | (frozenset() if self.ignore_eos else served.ends),
            sampling=sampling,
            num_top=None if self.logprobs is None else min(self.logprobs, served.vocab_size),
            logits_from=logits_from,
            read_from=read_from,
            is_streamed=bool(self.stream),
        )

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
