"""facebook/cwm's chat format for prime-rl: turns as ids, and what was sampled stays as it was sampled.

``renderers`` knows no template of these models, and its renderer for unknown templates writes a conversation
anew for each turn, which makes a training sample of every turn. This one goes on from the sampled ids, so an
episode is one sample. The ids are those of ``opencwm.codec.cwm_chat``.

    [orchestrator.renderer]
    name = "custom"
    import_path = "opencwm_env.renderer.CwmRenderer"
    thinks = true
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from renderers.base import ParsedResponse, RenderedTokens, reject_assistant_in_extension, trim_to_turn_close
from renderers.configs import BaseRendererConfig

from opencwm.codec.cwm_chat import THINK, Message, encode_chat, written_text
from opencwm.codec.cwm_special import END_OF_TURN, STOP_TOKENS
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer


class CwmRendererConfig(BaseRendererConfig):
    """How turns are opened."""

    _template_fields = frozenset({"thinks"})

    thinks: bool | None = None
    """True opens the assistant's turn with ``<think>``, False opens and closes it, None leaves it open."""


class CwmRenderer:
    """See the module.

    Args:
        tokenizer: of the model, a fast one of transformers.
        config: see :class:`CwmRendererConfig`.
    """

    config_class: ClassVar[type[CwmRendererConfig]] = CwmRendererConfig
    is_prefix_stable = True

    def __init__(self, tokenizer: Any, config: CwmRendererConfig | None = None) -> None:
        self.config = config or CwmRendererConfig()
        self._tokenizer = HuggingFaceTokenizer(tokenizer.backend_tokenizer)
        self._stops = [self._tokenizer.special_id(name) for name in STOP_TOKENS]
        self._end = self._tokenizer.special_id(END_OF_TURN)

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Any] | None = None,
        add_generation_prompt: bool = False,
    ) -> RenderedTokens:
        """Return a conversation as ids, each with the number of its message."""
        _refuse(tools)
        begin = encode_chat(self._tokenizer, [])[:1]
        pieces = [(begin, -1), *((self._said(said), number) for number, said in enumerate(messages))]
        if add_generation_prompt:
            pieces.append((self._opening(), -1))
        return self._rendered(pieces, messages)

    def render_ids(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Any] | None = None,
        add_generation_prompt: bool = False,
    ) -> list[int]:
        """Return a conversation as ids."""
        made = self.render(messages, tools=tools, add_generation_prompt=add_generation_prompt)
        return list(made.token_ids)

    def parse_response(
        self,
        token_ids: Sequence[int],
        *,
        tools: Sequence[Any] | None = None,  # noqa: ARG002 - calls are text to us
        prompt_ids: Sequence[int] | None = None,  # noqa: ARG002 - the configuration says how it was opened
    ) -> ParsedResponse:
        """Return what was said, with its reasoning, which stays part of the conversation."""
        said = list(itertools.takewhile(lambda token: token not in self._stops, token_ids))
        opened = f"{THINK}\n" if self.config.thinks else ""
        return ParsedResponse(content=opened + written_text(self._tokenizer, said))

    def get_stop_token_ids(self) -> list[int]:
        """Return the ids that end a turn."""
        return list(self._stops)

    def bridge_to_next_turn(
        self,
        previous_prompt_ids: list[int],
        previous_completion_ids: list[int],
        new_messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Any] | None = None,
    ) -> RenderedTokens | None:
        """Return the ids so far, unchanged, with new messages and the next turn's opening."""
        _refuse(tools)
        if not previous_prompt_ids or not new_messages or reject_assistant_in_extension(list(new_messages)):
            return None
        held = trim_to_turn_close(
            previous_prompt_ids, previous_completion_ids, set(self._stops), synthesize_close=self._end
        )
        added = [(self._said(said), number) for number, said in enumerate(new_messages)]
        return self._rendered([(held or [], -1), *added, (self._opening(), -1)], new_messages)

    def _said(self, said: Mapping[str, Any]) -> list[int]:
        """Return one message, its header and its end.

        Raises:
            CodecError: a role that this conversation does not have.
        """
        return encode_chat(self._tokenizer, [Message(said["role"], _text(said))])[1 : -len(self._open())]

    def _opening(self) -> list[int]:
        return self._open(self.config.thinks)

    def _open(self, thinks: bool | None = None) -> list[int]:
        return encode_chat(self._tokenizer, [], thinks=thinks)[1:]

    def _rendered(
        self, pieces: Sequence[tuple[Sequence[int], int]], messages: Sequence[Mapping[str, Any]]
    ) -> RenderedTokens:
        """Put pieces together; the second of each is the number of its message, -1 for none."""
        ids, numbers, sampled, content = list[int](), list[int](), list[bool](), list[bool]()
        for piece, number in pieces:
            role = messages[number]["role"] if number >= 0 else ""
            first = self._num_scaffold(piece, role) if role else len(piece)
            last = len(piece) - (role != "assistant")  # who writes a turn also ends it
            inside = [first <= place < last for place in range(len(piece))]
            ids += piece
            numbers += [number] * len(piece)
            content += inside
            sampled += [here and role == "assistant" for here in inside]
        return RenderedTokens(
            token_ids=ids,
            message_indices=numbers,
            sampled_mask=sampled,
            is_content=content,
            message_roles=[said["role"] for said in messages],
            message_tool_names=[None] * len(messages),
        )

    def _num_scaffold(self, piece: Sequence[int], role: str) -> int:
        """Return how many ids of a message are its header."""
        num, blank = 2 + len(self._tokenizer.encode(role)), self._tokenizer.encode("\n\n")
        return num + len(blank) if list(piece[num : num + len(blank)]) == list(blank) else num


def _text(said: Mapping[str, Any]) -> str:
    content = said.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _refuse(tools: Sequence[Any] | None) -> None:
    if tools:
        raise ValueError('facebook/cwm calls tools in its text: leave env.agent.harness.calls at "text"')
