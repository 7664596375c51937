"""A model behind a server that speaks OpenAI's completions API with token ids.

Two uses. :class:`HttpGenerator` writes whole stretches of ids and works with any server that takes and gives
ids, vLLM first. :class:`HttpEngine` gives the logits of the whole vocabulary, which constrained prediction
needs; a server must offer that, as ``opencwm serve`` does. :func:`open_http` asks which of them a server is
for.

Ids are never made of text: a server that answers with text alone is refused. Each question carries the whole
prompt, which grows from question to question, so that the server's prefix cache applies; nothing is kept
there that could be lost. What was predicted before a question that failed is untouched.

Source: vLLM's documentation, "OpenAI-Compatible Server" (``return_token_ids``, ``stop_token_ids``,
``include_stop_str_in_output``, ``skip_special_tokens``, ``return_tokens_as_token_ids``); docs/serving.md.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import EngineError
from opencwm.model.engine import Logits
from opencwm.model.generation import Generation
from opencwm.model.http_client import HttpConfig, HttpConnection
from opencwm.model.sampling import SamplingConfig

CWM_VOCAB_SIZE = 128_256
"""Token ids of facebook/cwm, taken for servers that do not say how many there are."""

CWM_MAX_TOKENS = 131_072
"""Context of facebook/cwm, likewise."""

_ID_PREFIX = "token_id:"
_SMALLEST = -1e30


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoteModel:
    """What a server says of a model.

    Attributes:
        name: by which it is asked for.
        vocab_size: number of token ids.
        max_tokens: most ids of prompt and answer together.
        codec: name of the codec of its ids; ``cwm`` where the server does not say.
        vocabulary_sha256: of the native vocabulary; empty where there is none.
        revision: of the weights; empty where the server does not say.
        has_logits: whether the server gives the logits of the whole vocabulary.
    """

    name: str
    vocab_size: int
    max_tokens: int
    codec: str
    vocabulary_sha256: str
    revision: str
    has_logits: bool


def find_model(connection: HttpConnection, name: str | None = None) -> RemoteModel:
    """Ask a server which models it has, and return one.

    Args:
        connection: to the server.
        name: of the model; None for the only one.

    Raises:
        EngineError: there is no such model, or none or several where none was named; a server that answers
            otherwise than the API says.
    """
    reply = connection.get("models", attempts=2)
    data = reply.get("data") if isinstance(reply, dict) else None
    if not isinstance(data, list) or not all(
        isinstance(one, dict) and isinstance(one.get("id"), str) for one in data
    ):
        raise _broken(connection, "the list of models is not one")
    found = [one for one in data if name is None or one["id"] == name]
    if len(found) != 1:
        names = ", ".join(one["id"] for one in data[:20]) or "none"
        wanted = f"has no model {name!r}" if name is not None else "has not exactly one model"
        raise EngineError(f"the server {wanted}", where=connection.url, hint=f"it has: {names}")
    return _remote(connection, found[0])


def _remote(connection: HttpConnection, card: Mapping[str, Any]) -> RemoteModel:
    about = card.get("opencwm", {})
    if not isinstance(about, dict):
        raise _broken(connection, "the model's field 'opencwm' is no object")
    vocab_size = about.get("vocab_size", CWM_VOCAB_SIZE)
    max_tokens = card.get("max_model_len") or CWM_MAX_TOKENS
    if not _is_count(vocab_size) or not _is_count(max_tokens):
        raise _broken(connection, "the sizes of the model are no numbers")
    return RemoteModel(
        name=card["id"],
        vocab_size=vocab_size,
        max_tokens=max_tokens,
        codec=str(about.get("codec", "cwm")),
        vocabulary_sha256=str(about.get("vocabulary_sha256", "")),
        revision=str(about.get("revision", "")),
        has_logits=about.get("full_logits") is True,
    )


class HttpGenerator:
    """A :class:`opencwm.model.generation.Generator` at a server. Thread-safe.

    Args:
        connection: to the server; closed by whoever made it.
        remote: the model.
    """

    def __init__(self, connection: HttpConnection, remote: RemoteModel) -> None:
        self.connection = connection
        self.remote = remote

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        config: HttpConfig | None = None,
    ) -> HttpGenerator:
        """Connect to a server.

        Args:
            url: of the API, for example ``http://127.0.0.1:8000/v1``.
            model: its name; None for the only one.
            api_key: the server's token; by default that of the config.
            config: how the server is asked.

        Raises:
            ConfigError: no such kind of address, or the extra ``http`` is not installed.
            EngineError: the server cannot be reached or has no such model.
        """
        return cls(*_connected(url, model, api_key, config))

    @property
    def vocab_size(self) -> int:
        """Number of token ids, V."""
        return self.remote.vocab_size

    @property
    def max_tokens(self) -> int:
        """Most ids of prompt and what is written together."""
        return self.remote.max_tokens

    def generate(
        self, prompt: Sequence[int], *, stops: Collection[int], max_tokens: int, sampling: SamplingConfig
    ) -> Generation:
        """Write ids after ``prompt``; see :meth:`opencwm.model.generation.Generator.generate`."""
        if not 0 < len(prompt) < self.max_tokens:
            raise EngineError(
                f"a prompt of {len(prompt)} ids does not fit", where=f"context {self.max_tokens}"
            )
        bound = min(max_tokens, self.max_tokens - len(prompt))
        if bound < 1:
            return Generation((), (), stopped=False)
        reply = self.connection.post(
            "completions",
            {
                "model": self.remote.name,
                "prompt": list(prompt),
                "max_tokens": bound,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "seed": sampling.seed,
                "stop_token_ids": sorted(stops),
                "ignore_eos": True,
                "include_stop_str_in_output": True,
                "skip_special_tokens": False,
                "return_token_ids": True,
                "return_tokens_as_token_ids": True,
                "logprobs": 1,
            },
        )
        return self._read(_only_choice(self.connection, reply), frozenset(stops), bound)

    def fork(self) -> HttpGenerator:
        """Return what goes on from another sequence: itself, for it holds none."""
        return self

    def _read(self, choice: Mapping[str, Any], stops: frozenset[int], bound: int) -> Generation:
        """Read a choice, trusting nothing of it."""
        ids = self._ids(choice)
        logarithms = self._logarithms(choice)
        reason = choice.get("stop_reason")
        if _is_id(reason) and reason in stops and len(logarithms) == len(ids) + 1:
            ids = [*ids, reason]  # a server that does not count the stop id among what it wrote
        if len(logarithms) != len(ids):
            problem = f"{len(ids)} ids came with {len(logarithms)} probabilities"
            raise _broken(self.connection, problem)
        if not all(0 <= token < self.vocab_size for token in ids):
            problem = f"an id is outside 0..{self.vocab_size - 1}"
            raise _broken(self.connection, problem, hint="is it the right model?")
        if len(ids) > bound:
            raise _broken(self.connection, f"{len(ids)} ids came, at most {bound} were asked for")
        end = next((place + 1 for place, token in enumerate(ids) if token in stops), None)
        if end is None and len(ids) < bound and choice.get("finish_reason") not in ("stop", "length"):
            raise _broken(self.connection, f"it ended early: {str(choice.get('finish_reason'))[:60]}")
        return Generation(tuple(ids[:end]), tuple(logarithms[:end]), stopped=end is not None)

    def _ids(self, choice: Mapping[str, Any]) -> list[int]:
        ids = choice.get("token_ids")
        if ids is None:  # servers older than return_token_ids name tokens by their ids
            logprobs = choice.get("logprobs")
            names = logprobs.get("tokens") if isinstance(logprobs, dict) else None
            ids = [_named_id(name) for name in names] if isinstance(names, list) and names else None
            if ids is None or None in ids:
                raise EngineError(
                    "the server answers with text, not with token ids",
                    where=self.connection.url,
                    hint="it must know return_token_ids, as vLLM 0.10.2 and opencwm serve do",
                )
        if not isinstance(ids, list) or not all(_is_id(token) for token in ids):
            raise _broken(self.connection, "the ids of the answer are none")
        return ids

    def _logarithms(self, choice: Mapping[str, Any]) -> list[float]:
        logprobs = choice.get("logprobs")
        values = logprobs.get("token_logprobs") if isinstance(logprobs, dict) else None
        if not isinstance(values, list) or not all(
            type(value) in (int, float) and not math.isnan(value) and value <= 1e-3 for value in values
        ):
            raise _broken(self.connection, "the answer lacks the probabilities of its ids")
        return [min(0.0, max(float(value), _SMALLEST)) for value in values]


class HttpEngine:
    """A :class:`opencwm.model.engine.ScoringEngine` at a server that gives logits. Forks may be used at once.

    It holds ids alone: the server is asked with all of them each time, and keeps what it computed for those
    it saw before. Of the logits nothing is lost on the way.

    Args:
        connection: to the server; closed by whoever made it.
        remote: the model.

    Raises:
        EngineError: the server gives no logits of the whole vocabulary.
    """

    def __init__(self, connection: HttpConnection, remote: RemoteModel) -> None:
        if not remote.has_logits:
            raise EngineError(
                "the server does not give the logits of the whole vocabulary",
                where=connection.url,
                hint="native models are served by opencwm serve",
            )
        self.connection = connection
        self.remote = remote
        self._ids: list[int] = []
        self._num_passes = 0

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        config: HttpConfig | None = None,
    ) -> HttpEngine:
        """Connect to a server; see :meth:`HttpGenerator.connect`.

        Raises:
            ConfigError: no such kind of address, or the extra ``http`` is not installed.
            EngineError: the server cannot be reached, has no such model, or gives no logits.
        """
        connection, remote = _connected(url, model, api_key, config)
        try:
            return cls(connection, remote)
        except EngineError:
            connection.close()
            raise

    @property
    def vocab_size(self) -> int:
        """Number of token ids, V."""
        return self.remote.vocab_size

    @property
    def max_tokens(self) -> int:
        """Most ids the sequence may hold."""
        return self.remote.max_tokens

    @property
    def ids(self) -> Sequence[int]:
        """The ids held now; not to be changed."""
        return self._ids

    @property
    def num_passes(self) -> int:
        """Questions asked, from 0 in a fork."""
        return self._num_passes

    def append(self, ids: Sequence[int]) -> Logits:
        """Add ``ids``; return the logits after the last, (V,); see :class:`opencwm.model.engine.Engine`."""
        logits: Logits = self._ask(ids, 1)[0]
        return logits

    def append_all(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Add ``ids``; return the logits after each, (T, V)."""
        return self._ask(ids, len(ids))

    def truncate(self, length: int) -> None:
        """Keep the first ``length`` ids; asks nothing."""
        if not 0 <= length <= len(self._ids):
            raise EngineError(f"cannot keep {length} of {len(self._ids)} ids")
        del self._ids[length:]

    def fork(self) -> HttpEngine:
        """Return an independent engine that holds the same ids, over the same connection."""
        other = HttpEngine(self.connection, self.remote)
        other._ids = list(self._ids)
        return other

    def _ask(self, ids: Sequence[int], num_rows: int) -> NDArray[np.float32]:
        """Add ids and return the logits after the last so many of them; on an error nothing is added."""
        if not len(ids):
            raise EngineError("append needs at least one id")
        if min(ids) < 0 or max(ids) >= self.vocab_size:
            raise EngineError(f"an id is outside 0..{self.vocab_size - 1}")
        prompt = [*self._ids, *map(int, ids)]
        if len(prompt) > self.max_tokens:
            problem = f"{len(prompt)} tokens exceed the model's {self.max_tokens}"
            raise EngineError(problem, hint="use a shorter program")
        wanted = {"logits_from": len(prompt) - num_rows, "read_from": len(self._ids)}
        reply = self.connection.post(
            "completions",
            {"model": self.remote.name, "prompt": prompt, "max_tokens": 0, "opencwm": wanted},
        )
        logits_TV = self._logits(_only_choice(self.connection, reply), num_rows)
        self._ids = prompt
        self._num_passes += 1
        return logits_TV

    def _logits(self, choice: Mapping[str, Any], num_rows: int) -> NDArray[np.float32]:
        given = choice.get("opencwm")
        if not isinstance(given, dict) or not isinstance(given.get("logits"), str):
            raise _broken(self.connection, "the answer holds no logits")
        shape = [num_rows, self.vocab_size]
        if given.get("dtype") != "float32" or given.get("shape") != shape:
            raise _broken(self.connection, f"the logits are not float32 of shape {shape}")
        try:
            data = base64.b64decode(given["logits"], validate=True)
        except (binascii.Error, ValueError):
            raise _broken(self.connection, "the logits are not base64") from None
        if len(data) != 4 * num_rows * self.vocab_size:
            raise _broken(self.connection, "the logits were cut off")
        logits_TV = np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)
        if not np.isfinite(logits_TV).all():
            raise _broken(self.connection, "the logits are not all numbers")
        return logits_TV


def open_http(
    url: str, *, model: str | None = None, api_key: str | None = None, config: HttpConfig | None = None
) -> HttpEngine | HttpGenerator:
    """Connect to a server, and return what its model is good for.

    An engine where the server gives the logits of the whole vocabulary, as it does for native models; else a
    generator. What ``remote.codec`` says is the codec of its ids.

    Raises:
        ConfigError: no such kind of address, or the extra ``http`` is not installed.
        EngineError: the server cannot be reached or has no such model.
    """
    connection, remote = _connected(url, model, api_key, config)
    return HttpEngine(connection, remote) if remote.has_logits else HttpGenerator(connection, remote)


def _connected(
    url: str, model: str | None, api_key: str | None, config: HttpConfig | None
) -> tuple[HttpConnection, RemoteModel]:
    config = config or HttpConfig()
    connection = HttpConnection(
        url, config if api_key is None else dataclasses.replace(config, api_key=api_key)
    )
    try:
        return connection, find_model(connection, model)
    except BaseException:
        connection.close()
        raise


def _only_choice(connection: HttpConnection, reply: Any) -> Mapping[str, Any]:
    choices = reply.get("choices") if isinstance(reply, dict) else None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        raise _broken(connection, "the answer holds not one choice")
    choice: Mapping[str, Any] = choices[0]
    return choice


def _broken(connection: HttpConnection, problem: str, *, hint: str = "") -> EngineError:
    return EngineError(f"the server's answer makes no sense: {problem}", where=connection.url, hint=hint)


def _named_id(name: object) -> int | None:
    number = name.removeprefix(_ID_PREFIX) if isinstance(name, str) and name.startswith(_ID_PREFIX) else ""
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else None


def _is_id(value: object) -> bool:
    return type(value) is int


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 2**31
