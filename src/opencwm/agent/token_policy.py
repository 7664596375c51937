"""A policy over token ids: an engine here, or a server that takes ids, in the turns of the ``cwm`` kind.

The conversation is kept as ids: what was sampled stays as it was, and what is new is written after it. So the
ids of a rollout are one sequence, which can be trained on as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opencwm.agent.conversation import Occasion, Reply, Speaker, Tokens, Utterance
from opencwm.codec.cwm_chat import Message, encode_chat, tool_result, written_text
from opencwm.codec.cwm_special import END_OF_TURN, STOP_TOKENS
from opencwm.codec.cwm_tokenizer import Tokenizer
from opencwm.core.errors import EngineError
from opencwm.core.seeds import derive_seed
from opencwm.model.generation import Generator
from opencwm.model.sampling import SamplingConfig


class TokenPolicy:
    """See the module.

    Args:
        make_generator: begins a sequence; called once for each conversation.
        tokenizer: with the special tokens of chat.
        name: in records.
        temperature: 0 takes the likeliest.
        top_p: see :class:`~opencwm.model.sampling.SamplingConfig`.
        max_tokens: of one reply.
        thinks: see :func:`~opencwm.codec.cwm_chat.encode_chat`.
        prompt: the system prompt that the model was taught with.
    """

    calls_functions = False

    def __init__(
        self,
        make_generator: Callable[[], Generator],
        tokenizer: Tokenizer,
        *,
        name: str = "engine",
        temperature: float = 0.6,
        top_p: float = 0.95,
        max_tokens: int = 4_096,
        thinks: bool | None = None,
        prompt: str | None = None,
    ) -> None:
        self.name = name
        self.prompt = prompt
        self._make_generator = make_generator
        self._tokenizer = tokenizer
        self._temperature, self._top_p = temperature, top_p
        self._max_tokens = max_tokens
        self._thinks = thinks
        self._stops = [tokenizer.special_id(token) for token in STOP_TOKENS]

    def begin(self, occasion: Occasion) -> Speaker:
        """Begin a conversation."""
        generator = self._make_generator()
        ids: list[int] = []
        num_said = 0

        def speak(conversation: Sequence[Utterance]) -> Reply:
            nonlocal num_said
            new = [
                message_of(utterance)
                for utterance in conversation[num_said:]
                if utterance.role != "assistant"
            ]
            written = encode_chat(self._tokenizer, new, thinks=self._thinks)
            ids.extend(written if not ids else written[1:])  # it begins once
            prompt = tuple(ids)
            reply = self._reply(generator, prompt, derive_seed(occasion.seed, num_said))
            ids.extend(reply.tokens.ids if reply.tokens else ())
            if reply.is_cut:
                ids.append(self._tokenizer.special_id(END_OF_TURN))
            num_said = len(conversation)
            return reply

        return speak

    def _reply(self, generator: Generator, prompt: tuple[int, ...], seed: int) -> Reply:
        room = generator.max_tokens - len(prompt)
        if room < 1:
            raise EngineError(f"a conversation of {len(prompt)} tokens does not fit", where=self.name)
        sampling = SamplingConfig(temperature=self._temperature, top_p=self._top_p, seed=seed % 2**63)
        written = generator.generate(
            prompt, stops=self._stops, max_tokens=min(self._max_tokens, room), sampling=sampling
        )
        said = written.ids[:-1] if written.stopped else written.ids
        return Reply(
            text=written_text(self._tokenizer, said),
            was_thinking=self._thinks is True,
            tokens=Tokens(prompt, written.ids, written.logarithms),
            num_prompt_tokens=len(prompt),
            num_tokens=len(written.ids),
            is_cut=not written.stopped,
        )


def message_of(utterance: Utterance) -> Message:
    """Return an utterance that is no reply as a message of the chat."""
    if utterance.role == "tool":
        return tool_result(utterance.tool, utterance.text)
    return Message(utterance.role, utterance.text)
