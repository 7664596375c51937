"""Served models over scripted and tiny engines, and what asks them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from opencwm.frontends.serve.served_model import ServedModel
from opencwm.frontends.serve.serving import ServeConfig, Served
from opencwm.model.bank import EngineBank
from opencwm.model.engine import Logits
from opencwm.model.testing import ScriptedEngine

TOKEN = "the-token"  # noqa: S105 - of tests
VOCAB_SIZE = 12
STOP = 9


class Numbers:
    """Names of ids that are their numbers; text is not read."""

    def text(self, ids: Sequence[int]) -> str:
        """Return the numbers, each in brackets."""
        return "".join(f"[{token}]" for token in ids)

    def encode(self, text: str) -> Sequence[int]:
        """Return an id for each character."""
        return [ord(character) - ord("a") for character in text]

    def special_id(self, name: str) -> int | None:
        """Return the id in brackets."""
        return int(name[1:-1]) if name in {f"[{token}]" for token in range(VOCAB_SIZE)} else None


def counting(ids: Sequence[int]) -> Logits:
    """Return logits after which the next id is the last one and one more, up to the stop id; then 0."""
    logits = np.arange(VOCAB_SIZE, dtype=np.float32) / 10
    logits[(ids[-1] + 1) % (STOP + 1)] = 8.0
    return logits.astype(np.float32)


def counting_model(*, rows: int = 4, max_tokens: int = 64, pause_s: float = 0.0) -> ServedModel:
    """Return a model that counts, a pause before each id."""

    def logits(ids: Sequence[int]) -> Logits:
        time.sleep(pause_s)
        return counting(ids)

    engine = ScriptedEngine(VOCAB_SIZE, logits, max_tokens=max_tokens)
    return ServedModel(name="counting", bank=EngineBank(engine, rows), names=Numbers())


@contextlib.contextmanager
def serving(make: Callable[[], ServedModel], config: ServeConfig | None = None) -> Iterator[Served]:
    """Serve a model on a free port while the block runs."""
    server = Served(make, config or ServeConfig(token=TOKEN, patience_s=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()
