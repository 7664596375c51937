"""Replies in the form of OpenAI's completions API, and what they have in common with those to chats."""

from __future__ import annotations

import abc
import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opencwm.codec.cwm_stream import TextReader
from opencwm.frontends.serve.order import Drawn, Order
from opencwm.frontends.serve.served_model import ServedModel
from opencwm.model.sampling import log_probabilities
from opencwm.model.scheduler import Finish, Request, Token, Update, likeliest


class Replies(abc.ABC):
    """Writes the replies to one request.

    Args:
        order: what was asked.
        requests: what the scheduler was told to do for it.
        served: who answers.
        head: what identifies the reply.
    """

    def __init__(
        self, order: Drawn, requests: Sequence[Request], served: ServedModel, head: dict[str, Any]
    ) -> None:
        self._drawn = order
        self._requests = requests
        self._served = served
        self._head = {**head, "model": served.name}

    @abc.abstractmethod
    def whole(self, updates: Sequence[Update]) -> dict[str, Any]:
        """Return the reply that tells all choices."""

    @abc.abstractmethod
    def parts(self, index: int, update: Update) -> Iterator[dict[str, Any]]:
        """Yield parts of a stream: news of one choice."""

    def last(self, updates: Sequence[Update]) -> dict[str, Any]:
        """Return the part of a stream that tells the usage; ``updates`` hold all of what was written."""
        return {**self._head, "choices": [], "usage": self.usage(updates)}

    def usage(self, updates: Sequence[Update]) -> dict[str, Any]:
        """Return how many ids were read and written."""
        each = self._drawn.num_choices
        num_read = sum(len(request.prompt) for request in self._requests[::each])
        num_written = sum(len(update.tokens) for update in updates)
        return {
            "prompt_tokens": num_read,
            "completion_tokens": num_written,
            "total_tokens": num_read + num_written,
            "prompt_tokens_details": {"cached_tokens": sum(update.num_reused for update in updates[::each])},
        }

    def shown(self, tokens: Sequence[Token], request: Request) -> Sequence[Token]:
        """Leave out a stop id that is not wanted in the text."""
        is_hidden = not self._drawn.include_stop_str_in_output and tokens and tokens[-1].id in request.stops
        return tokens[:-1] if is_hidden else tokens

    def name(self, token: int) -> str:
        """Return what a token is called among probabilities."""
        wants_ids = self._drawn.return_tokens_as_token_ids
        return f"token_id:{token}" if wants_ids else self._served.names.text([token])


class Writer(Replies):
    """Replies to a request for completions.

    Args:
        order: what was asked.
        requests: what the scheduler was told to do for it.
        served: who answers.
        number: identifies the reply.
        created_s: seconds since the epoch.
    """

    def __init__(
        self, order: Order, requests: Sequence[Request], served: ServedModel, number: str, created_s: int
    ) -> None:
        head = {"id": f"cmpl-{number}", "object": "text_completion", "created": created_s}
        super().__init__(order, requests, served, head)
        self._order = order
        self._lengths = [0] * len(requests)  # characters told so far, of each choice
        self._texts = [TextReader(served.names.text) for _ in requests]
        self._is_begun = [False] * len(requests)

    def whole(self, updates: Sequence[Update]) -> dict[str, Any]:
        """Return the reply that tells all choices."""
        choices = [self.choice(index, update) for index, update in enumerate(updates)]
        return {**self._head, "choices": choices, "usage": self.usage(updates)}

    def parts(self, index: int, update: Update) -> Iterator[dict[str, Any]]:
        """Yield the part of a stream that tells news of one choice."""
        yield {**self._head, "choices": [self.choice(index, update)]}

    def choice(self, index: int, update: Update) -> dict[str, Any]:
        """Return what is new of a choice; its prompt, where it is wanted, comes first and once."""
        order, request = self._order, self._requests[index]
        is_first, self._is_begun[index] = not self._is_begun[index], True
        tokens = list(update.tokens)
        if order.echo and is_first:
            tokens = [*self._prompt_tokens(request, update.logits), *tokens]
        made: dict[str, Any] = {
            "index": index,
            "text": self._text(index, self.shown(tokens, request), is_last=update.is_last),
            "finish_reason": reason(update.finish),
            "stop_reason": update.tokens[-1].id if update.finish == "stop" else None,
            "logprobs": None if order.logprobs is None else self._logprobs(index, tokens),
        }
        self._lengths[index] += len(made["text"])
        if order.return_token_ids:
            made["token_ids"] = [token.id for token in update.tokens]
            if is_first:
                made["prompt_token_ids"] = list(request.prompt)
        if order.opencwm is not None and update.logits is not None:
            made["opencwm"] = packed(update.logits)
        return made

    def _text(self, index: int, tokens: Sequence[Token], *, is_last: bool) -> str:
        reader = self._texts[index]
        text = reader.add([token.id for token in tokens])
        return text + reader.end() if is_last else text

    def _prompt_tokens(self, request: Request, logits: NDArray[np.float32] | None) -> list[Token]:
        """Return the prompt as if it had been written; nothing gives its first id a probability."""
        if logits is None:
            return [Token(token, 0.0) for token in request.prompt]
        tokens = [Token(request.prompt[0], float("nan"))]
        for token, logits_V in zip(request.prompt[1:], logits, strict=False):
            logarithms_V = log_probabilities(logits_V)
            top = likeliest(logarithms_V, request.num_top or 0)
            tokens.append(Token(token, float(logarithms_V[token]), top))
        return tokens

    def _logprobs(self, index: int, tokens: Sequence[Token]) -> dict[str, Any]:
        offsets, at = [], self._lengths[index]
        for token in tokens:
            offsets.append(at)
            at += len(self._served.names.text([token.id]))
        return {
            "tokens": [self.name(token.id) for token in tokens],
            "token_logprobs": [finite(token.logarithm) for token in tokens],
            "top_logprobs": [
                None if token.logarithm != token.logarithm else self._top(token) for token in tokens
            ],
            "text_offset": offsets,
        }

    def _top(self, token: Token) -> dict[str, float | None]:
        """Return the likeliest ids by name; the written one is always among them, as OpenAI has it."""
        found = dict(token.top) | {token.id: token.logarithm}
        return {self.name(other): finite(logarithm) for other, logarithm in found.items()}


def packed(logits_KV: NDArray[np.float32]) -> dict[str, Any]:
    """Return logits as JSON: base64 of little-endian float32, row by row."""
    data = base64.b64encode(np.ascontiguousarray(logits_KV, "<f4").tobytes()).decode("ascii")
    return {"logits": data, "shape": list(logits_KV.shape), "dtype": "float32"}


def event(data: dict[str, Any]) -> str:
    """Return a server-sent event."""
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n"


def reason(finish: Finish | None) -> str | None:
    """Return why a choice is over, in OpenAI's words."""
    return None if finish is None else "stop" if finish == "stop" else "length"


def finite(logarithm: float) -> float | None:
    """Return a number that JSON knows; what has none is not told."""
    return max(logarithm, -9999.0) if logarithm == logarithm else None
