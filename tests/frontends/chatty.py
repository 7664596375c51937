"""A model that converses as it is told to, behind a server."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from opencwm.codec.bpe import train_bpe
from opencwm.codec.cwm_names import CwmNames
from opencwm.codec.cwm_special import END_HEADER, END_OF_TURN
from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer
from opencwm.frontends.serve.names import ChatFormat
from opencwm.frontends.serve.served_model import ServedModel
from opencwm.model.bank import EngineBank
from opencwm.model.engine import Logits
from opencwm.model.testing import ScriptedEngine

BACKEND = train_bpe(["def double(x):\n    return x + x\n\n\nI think, so it is what it was.\n"], 400)
TOKENIZER = HuggingFaceTokenizer(BACKEND)
END = TOKENIZER.special_id(END_OF_TURN)
HEADER = TOKENIZER.special_id(END_HEADER)
ASSISTANT = TOKENIZER.encode("assistant")
NAME = "chatty"


def chatty(replies: Sequence[str], *, opening: str = "") -> ServedModel:
    """Return a model that says one of several things in its turns: the first in its first, and so on.

    ``opening``: what its turns are opened with, after the header.
    """
    written = [[*TOKENIZER.encode(reply), END] for reply in replies]
    before = TOKENIZER.encode(f"\n\n{opening}")

    def logits(ids: Sequence[int]) -> Logits:
        turns = [
            place
            for place, token in enumerate(ids)
            if token == HEADER and list(ids[place - len(ASSISTANT) : place]) == ASSISTANT
        ]
        said = list(ids[turns[-1] + 1 + len(before) :]) if turns else []
        found = np.zeros(TOKENIZER.vocab_size, np.float32)
        reply = written[min(len(turns), len(written)) - 1]
        found[reply[len(said)] if len(said) < len(reply) else END] = 20.0
        return found

    engine = ScriptedEngine(TOKENIZER.vocab_size, logits, max_tokens=30_000)
    names = CwmNames(TOKENIZER)
    return ServedModel(
        name=NAME,
        bank=EngineBank(engine, 2),
        names=names,
        chat=ChatFormat(TOKENIZER),
        ends=names.ends,
        about={"codec": "cwm", "full_logits": False},
    )
