"""Replies in the form of OpenAI's chat completions API.

Reasoning goes to ``reasoning_content``, as vLLM has it. In a stream thoughts and text come as they are
written; where tools were offered, what is said comes whole at the end, for only then is it known whether it
calls one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from opencwm.codec.cwm_chat import Turn, parse_said
from opencwm.codec.cwm_stream import TextReader, TurnPart, TurnReader
from opencwm.frontends.serve.chat_order import ChatOrder
from opencwm.frontends.serve.replies import Replies, finite, reason
from opencwm.frontends.serve.served_model import ServedModel
from opencwm.model.scheduler import Request, Token, Update


class ChatWriter(Replies):
    """Replies to a request for a chat.

    Args:
        order: what was asked.
        requests: what the scheduler was told to do for it.
        served: who answers; it knows conversations.
        number: identifies the reply.
        created_s: seconds since the epoch.
    """

    def __init__(
        self, order: ChatOrder, requests: Sequence[Request], served: ServedModel, number: str, created_s: int
    ) -> None:
        kind = "chat.completion.chunk" if order.stream else "chat.completion"
        head = {"id": f"chatcmpl-{number}", "object": kind, "created": created_s}
        super().__init__(order, requests, served, head)
        self._order = order
        self._number = number
        names = served.chat.names if served.chat is not None else served.names
        self._texts = [TextReader(names.text) for _ in requests]
        self._turns = [TurnReader(was_thinking=bool(order.thinks)) for _ in requests]
        self._said = [""] * len(requests)  # and not told, for it may call a tool
        self._is_begun = [False] * len(requests)

    def whole(self, updates: Sequence[Update]) -> dict[str, Any]:
        """Return the reply that tells all choices."""
        choices = [
            self._choice(index, update, "message", self._news(index, update))
            for index, update in enumerate(updates)
        ]
        reply = {**self._head, "choices": choices, "usage": self.usage(updates)}
        return reply | self._prompt_ids()

    def parts(self, index: int, update: Update) -> Iterator[dict[str, Any]]:
        """Yield parts of a stream: news of one choice, if there are any to tell."""
        is_first = not self._is_begun[index]
        self._is_begun[index] = True
        news = self._news(index, update)
        if is_first:
            news = {"role": "assistant", "content": "", **news}
        choice = self._choice(index, update, "delta", news)
        if news or update.is_last or choice["logprobs"] is not None or "token_ids" in choice:
            yield {**self._head, "choices": [choice], **(self._prompt_ids() if is_first else {})}

    def _choice(
        self, index: int, update: Update, key: Literal["message", "delta"], news: dict[str, Any]
    ) -> dict[str, Any]:
        called = "tool_calls" in news and update.finish == "stop"
        if key == "message":
            news = {"role": "assistant", "content": None if called else "", **news}
        elif called:  # calls in a stream are numbered
            news["tool_calls"] = [{"index": n, **call} for n, call in enumerate(news["tool_calls"])]
        choice: dict[str, Any] = {
            "index": index,
            key: news,
            "finish_reason": "tool_calls" if called else reason(update.finish),
            "stop_reason": update.tokens[-1].id if update.finish == "stop" else None,
            "logprobs": {"content": [self._told(token) for token in update.tokens]}
            if self._order.logprobs
            else None,
        }
        if self._order.return_token_ids:
            choice["token_ids"] = [token.id for token in update.tokens]
        return choice

    def _prompt_ids(self) -> dict[str, Any]:
        return {"prompt_token_ids": list(self._requests[0].prompt)} if self._order.return_token_ids else {}

    def _news(self, index: int, update: Update) -> dict[str, Any]:
        """Return what is new of a turn."""
        shown = self.shown(update.tokens, self._requests[index])
        text = self._texts[index].add([token.id for token in shown])
        if update.is_last:
            text += self._texts[index].end()
        parts = [self._turns[index].add(text), *([self._turns[index].end()] if update.is_last else [])]
        thought, said = "".join(part.thought for part in parts), "".join(part.said for part in parts)
        if not self._order.offers_tools:
            return _told_part(TurnPart(thought, said))
        self._said[index] += said
        if not update.is_last:
            return _told_part(TurnPart(thought))
        turn = parse_said(self._said[index])
        news = _told_part(TurnPart(thought, self._said[index] if turn.call is None else turn.text))
        if turn.call is not None and update.finish == "stop":
            news["tool_calls"] = [self._call(turn, index)]
        return news

    def _call(self, turn: Turn, index: int) -> dict[str, Any]:
        called = {"name": turn.call.name, "arguments": turn.call.content.strip()} if turn.call else {}
        return {"id": f"call_{self._number}_{index}", "type": "function", "function": called}

    def _told(self, token: Token) -> dict[str, Any]:
        """Return a written id with its probability and the likeliest ones in its place."""
        return {
            **self._named(token.id, token.logarithm),
            "top_logprobs": [self._named(other, logarithm) for other, logarithm in token.top],
        }

    def _named(self, token: int, logarithm: float) -> dict[str, Any]:
        name = self.name(token)
        return {"token": name, "logprob": finite(logarithm), "bytes": list(name.encode())}


def _told_part(part: TurnPart) -> dict[str, Any]:
    told = {"reasoning_content": part.thought, "content": part.said}
    return {name: text for name, text in told.items() if text}
