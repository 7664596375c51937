"""Models that act: their folders, and policies over them."""

from __future__ import annotations

import queue
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from opencwm.agent.small.phrases import SYSTEM_PROMPT, VOCABULARY_NAME, tokenizer, tokenizer_of
from opencwm.agent.token_policy import TokenPolicy
from opencwm.codec.native_chat import CODEC, PHRASES_NAME
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import EngineError
from opencwm.model.folder import ModelFolder, ModelMeta, export_folder, load_folder
from opencwm.model.generation import EngineGenerator, Generation
from opencwm.model.sampling import SamplingConfig
from opencwm.model.scheduler import Request, Scheduler, Update

MAX_REPLY_TOKENS: Final = 256
_CARD: Final = """\
# A small model that acts

Taught to repair one line of a small Python file through the tools `bash`, `edit`, `undo` and `submit`; see
docs/agent.md of OpenCWM. `opencwm rollout TASKS --policy model:FOLDER` lets it act.
"""


def export_actor(
    weights_folder: Path, out: Path, *, training: Mapping[str, Any], precision: str = "int8"
) -> ModelFolder:
    """Write the folder of a model that acts, with its fp32 weights beside the graph.

    Args:
        weights_folder: ``model/`` of a training run.
        out: the folder.
        training: what it was taught with.
        precision: of the graph.

    Raises:
        EngineError: the weights are missing, or have another vocabulary.
    """
    words = tokenizer()
    with tempfile.TemporaryDirectory() as scratch:
        sources = [Path(scratch) / VOCABULARY_NAME, Path(scratch) / PHRASES_NAME]
        sources[0].write_text(Vocabulary.default().to_json(), encoding="utf-8")
        sources[1].write_text(words.phrases_json(), encoding="utf-8")
        names = tuple(source.name for source in sources)
        meta = ModelMeta(codec=CODEC, codec_files=names, scores={}, training=training, weights=precision)
        folder = export_folder(
            weights_folder, out, meta=meta, card=_CARD, codec_sources=sources, with_safetensors=True
        )
    if folder.config.vocab_size != len(words):
        raise EngineError(
            f"has {folder.config.vocab_size} ids, and acting takes {len(words)}", where=str(weights_folder)
        )
    return folder


def open_actor(path: Path, *, temperature: float = 0.0, max_tokens: int = MAX_REPLY_TOKENS) -> TokenPolicy:
    """Return a policy over a model folder; each conversation has an engine of its own.

    Args:
        path: of the folder.
        temperature: 0 takes the likeliest id.
        max_tokens: of one reply.

    Raises:
        EngineError: it is no folder of a model that acts.
        CodecError: its files are broken.
    """
    folder = load_folder(path)
    words = tokenizer_of(folder)
    engine = folder.engine()
    return TokenPolicy(
        lambda: EngineGenerator(engine.fork()),
        words,
        name=f"model:{path.resolve().name}",
        temperature=temperature,
        top_p=1.0,
        max_tokens=min(max_tokens, MAX_REPLY_TOKENS),
        prompt=SYSTEM_PROMPT,
    )


class SharedGenerator:
    """A :class:`~opencwm.model.generation.Generator` over a scheduler that many threads use at once.

    Args:
        scheduler: runs the passes.
        vocab_size: of the model.
        max_tokens: of a sequence.
    """

    def __init__(self, scheduler: Scheduler, *, vocab_size: int, max_tokens: int) -> None:
        self._scheduler = scheduler
        self._vocab_size, self._max_tokens = vocab_size, max_tokens

    @property
    def vocab_size(self) -> int:
        """Number of token ids, V."""
        return self._vocab_size

    @property
    def max_tokens(self) -> int:
        """Most ids of prompt and what is written together."""
        return self._max_tokens

    def generate(
        self, prompt: Sequence[int], *, stops: Collection[int], max_tokens: int, sampling: SamplingConfig
    ) -> Generation:
        """Write ids after ``prompt``; see :meth:`opencwm.model.generation.Generator.generate`."""
        news: queue.SimpleQueue[Update] = queue.SimpleQueue()
        request = Request(
            prompt=tuple(prompt),
            max_tokens=max_tokens,
            stops=frozenset(stops),
            sampling=sampling,
            num_top=0,
        )
        self._scheduler.submit([request], [news.put])
        update = news.get()
        if update.error is not None:
            raise update.error
        ids = tuple(token.id for token in update.tokens)
        return Generation(
            ids, tuple(token.logarithm for token in update.tokens), stopped=update.finish == "stop"
        )

    def fork(self) -> SharedGenerator:
        """Return itself."""
        return self
