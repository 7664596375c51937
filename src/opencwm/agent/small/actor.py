"""Models that act: their folders, and policies over them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from opencwm.agent.small.guided import GuidedPolicy
from opencwm.agent.small.phrases import VOCABULARY_NAME, tokenizer, tokenizer_of
from opencwm.codec.native_chat import CODEC, PHRASES_NAME
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import EngineError
from opencwm.model.folder import ModelFolder, ModelMeta, export_folder, load_folder

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


def open_actor(path: Path, *, temperature: float = 0.0) -> GuidedPolicy:
    """Return a policy over a model folder.

    Args:
        path: of the folder.
        temperature: 0 takes the likeliest id.

    Raises:
        EngineError: it is no folder of a model that acts.
        CodecError: its files are broken.
    """
    folder = load_folder(path)
    words = tokenizer_of(folder)
    return GuidedPolicy(folder.engine(), words, name=f"model:{path.resolve().name}", temperature=temperature)
