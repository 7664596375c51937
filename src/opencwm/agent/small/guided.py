"""A policy whose replies follow a grammar: only calls that can be carried out are let through.

The idea: a reply is one of the fixed calls, or a plan and the edit that it describes. Of a plan the model
chooses the line, the pieces that are wrong (which must stand in that line) and what comes instead; what can
only go on one way is written without asking it, so that a reply costs a few choices. The file is what the
conversation has shown: its listing, with the edits that stand.

The logarithms that are recorded are the model's own, of its whole vocabulary, 0.0 for an id that it did not
choose. What is learned from is a choice among the ids that were let through, which are recorded too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opencwm.agent.calls import parse_content
from opencwm.agent.conversation import Occasion, Reply, Speaker, Tokens, Utterance
from opencwm.agent.edits import ToolError, apply_block, block, lines_of
from opencwm.agent.searcher import Repair, edit_call
from opencwm.agent.small.examples_file import RUN, SHOW, SOLUTION
from opencwm.agent.small.phrases import BECOMES, DONE, SYSTEM_PROMPT
from opencwm.agent.token_policy import message_of
from opencwm.agent.tools import UNDONE
from opencwm.codec.cwm_chat import encode_chat, parse_turn
from opencwm.codec.cwm_special import END_OF_TURN
from opencwm.codec.lexer import pieces
from opencwm.codec.native_chat import NativeChatTokenizer
from opencwm.codec.vocabulary import BYTE_BASE
from opencwm.core.seeds import derive_seed
from opencwm.model.engine import Engine
from opencwm.model.sampling import SamplingConfig, log_probabilities, pick

MAX_REPLY_TOKENS: Final = 512
"""A reply is begun only with room for so many ids."""
FULL: Final = "The context is full."
MAX_WRONG_PIECES: Final = 4
"""Most pieces of a line that a plan calls wrong."""
MAX_RIGHT_TOKENS: Final = 16
"""Most ids of what comes instead."""
_NUMBERED: Final = re.compile(r" {0,5}\d+\t(.*)")
_FIXED: Final = (
    f"<tool: bash>\n{SHOW}\n</tool>",
    f"<tool: bash>\n{RUN}\n</tool>",
    "<tool: undo>\n\n</tool>",
    "<tool: submit>\n\n</tool>",
    DONE,
)


class GuidedPolicy:
    """See the module.

    Args:
        engine: is changed; what it holds in common with the next conversation is not computed again.
        tokenizer: of the model.
        name: in records.
        temperature: 0 takes the likeliest of what is let through.
    """

    calls_functions = False
    prompt = SYSTEM_PROMPT

    def __init__(
        self,
        engine: Engine,
        tokenizer: NativeChatTokenizer,
        *,
        name: str = "model",
        temperature: float = 0.0,
    ) -> None:
        self.name = name
        self._engine = engine
        self._tokenizer = tokenizer
        self._temperature = temperature

    def begin(self, occasion: Occasion) -> Speaker:
        """Begin a conversation."""
        writer = Writer(self._engine, self._tokenizer, self._temperature)
        num_said = 0

        def speak(conversation: Sequence[Utterance]) -> Reply:
            nonlocal num_said
            new = [message_of(one) for one in conversation[num_said:] if one.role != "assistant"]
            opened = encode_chat(self._tokenizer, new)
            writer.tell(opened[1:] if num_said else opened)
            if not writer.has_room:
                return Reply(text=FULL, is_last=True)
            seed = derive_seed(occasion.seed, num_said) % 2**63
            tokens = writer.reply(shown(conversation), tried(conversation), seed)
            num_said = len(conversation)
            return Reply(
                text=self._tokenizer.decode(tokens.ids[:-1]),
                tokens=tokens,
                num_prompt_tokens=len(tokens.prompt_ids),
                num_tokens=len(tokens.ids),
            )

        return speak


def tried(conversation: Sequence[Utterance]) -> frozenset[str]:
    """Return the beginnings of the plans that were made already, which are not let through again."""
    said = (one.text.split("\n", 1)[0] for one in conversation if one.role == "assistant")
    return frozenset(line.partition(BECOMES)[0] for line in said if BECOMES in line)


def shown(conversation: Sequence[Utterance]) -> str | None:
    """Return the text of the file as a conversation has shown it; None when it has not."""
    kept: list[str] = []
    text: str | None = None
    before = ""
    for utterance in conversation:
        if utterance.role == "assistant":
            before = utterance.text
            continue
        if utterance.role != "tool":
            continue
        if utterance.tool == "bash" and f"\n{SHOW}\n" in before:
            found = _listed(utterance.text)
            text = found or text
        elif utterance.tool == "edit" and text is not None and " was changed at line " in utterance.text:
            kept.append(text)
            text = _edited(text, before)
        elif utterance.tool == "undo" and UNDONE in utterance.text and kept:
            text = kept.pop()
    return text


def _listed(answer: str) -> str:
    lines = answer.split("\n")
    found = [match[1] for line in lines if (match := _NUMBERED.fullmatch(line))]
    return "".join(f"{line}\n" for line in found)


def _edited(text: str, reply: str) -> str:
    call = parse_turn(reply).call
    if call is None:
        return text
    try:
        made = parse_content(call.name, call.content, ("edit",)).arguments
        return apply_block(
            text, block(lines_of(made["search"]), lines_of(made["replacement"])), SOLUTION
        ).text
    except ToolError:
        return text


class Writer:
    """Writes replies after a conversation that is kept as ids.

    Args:
        engine: holds the conversation, or another one.
        tokenizer: of the model.
        temperature: see :class:`GuidedPolicy`.
    """

    def __init__(self, engine: Engine, tokenizer: NativeChatTokenizer, temperature: float) -> None:
        self._engine, self._tokenizer, self._temperature = engine, tokenizer, temperature
        self._all: list[int] = []
        self._num_computed: int | None = None
        self._end = tokenizer.special_id(END_OF_TURN)
        self._newline = tokenizer.encode("x\ny")[1]
        self._plain = frozenset(range(BYTE_BASE, tokenizer.num_plain)) - {self._newline}
        self._plain_or_end = self._plain | {self._newline}

    @property
    def has_room(self) -> bool:
        """Whether a reply still fits the engine's context."""
        return len(self._all) + MAX_REPLY_TOKENS <= self._engine.max_tokens

    def tell(self, ids: Iterable[int]) -> None:
        """Add what others said."""
        self._all += ids

    def reply(self, source: str | None, done: frozenset[str], seed: int) -> Tokens:
        """Write a reply.

        Args:
            source: text of the file; None when it was not shown.
            done: beginnings of plans that are not to be made again.
            seed: of what is drawn.

        Raises:
            EngineError: the engine broke.
        """
        prompt = tuple(self._all)
        self._ids: list[int] = []
        self._logarithms: list[float] = []
        self._allowed: list[frozenset[int] | None] = []
        self._rng = np.random.default_rng(seed)
        starts = [
            (ids, plan)
            for ids, plan in _starts(self._tokenizer, source or "")
            if plan is None or _beginning(plan) not in done
        ]
        chosen = self._walk([ids for ids, _ in starts])
        plan = next(mark for ids, mark in starts if ids == chosen)
        if plan is not None:
            right = self._free(plan[1])
            self._walk(_calls(self._tokenizer, self._end, source or "", plan, right))
        return Tokens(prompt, tuple(self._ids), tuple(self._logarithms), tuple(self._allowed))

    def _logits(self) -> NDArray[np.float32]:
        """Return the logits after all that was said, computing what is new."""
        if self._num_computed is None:
            held = self._engine.ids
            pairs = zip(held, self._all[:-1], strict=False)
            common = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(held), len(self._all) - 1))
            self._engine.truncate(common)
            self._num_computed = common
        logits_V = self._engine.append(self._all[self._num_computed :])
        self._num_computed = len(self._all)
        return logits_V

    def _choose(self, allowed: frozenset[int]) -> int:
        """Let the model choose one of several ids."""
        logarithms_V = log_probabilities(self._logits())
        among = sorted(allowed)
        weights = np.zeros_like(logarithms_V)
        weights[among] = np.exp(logarithms_V[among] - logarithms_V[among].max())
        sampling = SamplingConfig(temperature=self._temperature)
        chosen = pick(weights / weights.sum(), sampling, self._rng)
        self._put(chosen, float(logarithms_V[chosen]), allowed)
        return chosen

    def _put(self, token: int, logarithm: float = 0.0, allowed: frozenset[int] | None = None) -> None:
        self._all.append(token)
        self._ids.append(token)
        self._logarithms.append(logarithm)
        self._allowed.append(allowed)

    def _walk(self, ways: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        """Write one of several sequences, none of which is the beginning of another."""
        position, left = 0, list(dict.fromkeys(ways))
        while any(position < len(way) for way in left):
            nexts = frozenset(way[position] for way in left)
            if len(nexts) == 1:
                (token,) = nexts
                self._put(token)
            else:
                token = self._choose(nexts)
            left = [way for way in left if way[position] == token]
            position += 1
        return left[0]

    def _free(self, wrong: str) -> str:
        """Write what comes instead of the wrong pieces, and the end of the line; return it."""
        ids: list[int] = []
        while len(ids) < MAX_RIGHT_TOKENS:
            text = self._tokenizer.decode(ids)
            token = self._choose(self._plain if text == wrong else self._plain_or_end)
            if token == self._newline:
                return text
            ids.append(token)
        self._put(self._newline)
        return self._tokenizer.decode(ids)


Plan = tuple[int, str]
"""The number of a line, and the pieces of it that are wrong."""


def _beginning(plan: Plan) -> str:
    """Return a plan as it is written, up to what comes instead."""
    return f"{plan[0]:6}\t{plan[1]}"


@functools.lru_cache(maxsize=256)
def _starts(tokenizer: NativeChatTokenizer, source: str) -> tuple[tuple[tuple[int, ...], Plan | None], ...]:
    """Return every way to begin a reply, with the plan that it begins, if it does."""
    end = tokenizer.special_id(END_OF_TURN)
    found: dict[tuple[int, ...], Plan | None] = {(*tokenizer.encode(text), end): None for text in _FIXED}
    for number, line in enumerate(source.split("\n"), 1):
        parts = [piece.text for piece in pieces(line.strip())]
        for first in range(len(parts)):
            for last in range(first + 1, min(first + MAX_WRONG_PIECES, len(parts)) + 1):
                wrong = "".join(parts[first:last])
                ids = (*tokenizer.encode(_beginning((number, wrong))), *tokenizer.encode(BECOMES))
                found.setdefault(ids, (number, wrong))
    return tuple(found.items())


def _calls(
    tokenizer: NativeChatTokenizer, end: int, source: str, plan: Plan, right: str
) -> list[tuple[int, ...]]:
    """Return the calls that a plan may mean: one for each place where the wrong pieces stand in the line."""
    number, wrong = plan
    line = source.split("\n")[number - 1]
    indent = len(line) - len(line.lstrip())
    places = [
        match.start() for match in re.finditer(f"(?={re.escape(wrong)})", line) if match.start() >= indent
    ]
    lines = [f"{line[:place]}{right}{line[place + len(wrong) :]}" for place in places]
    calls = [edit_call(SOLUTION, source, Repair(number, changed, is_operator=True)) for changed in lines]
    return [(*tokenizer.encode(call), end) for call in dict.fromkeys(calls)]
