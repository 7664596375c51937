"""World models that speak the published ``cwm`` format: facebook/cwm, its kin, and whatever serves them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opencwm.codec.cwm import CwmCodec
from opencwm.codec.cwm_chat import Message, Turn, encode_chat, parse_turn
from opencwm.codec.cwm_names import THOUGHT_MARKS, CwmNames
from opencwm.codec.cwm_stream import TextReader, TurnPart, TurnReader
from opencwm.codec.cwm_tokenizer import TOKENIZER_FILE, HuggingFaceTokenizer
from opencwm.core.errors import CodecError, EngineError
from opencwm.debugger.assumed import NOTHING_ASSUMED, Assumed
from opencwm.debugger.cwm_execution import NUM_ATTEMPTS, CwmConfig, CwmExecution
from opencwm.debugger.step_search import SearchConfig
from opencwm.debugger.working import Working
from opencwm.debugger.world_model import WorldModel
from opencwm.model.folder import ModelFolder
from opencwm.model.generation import EngineGenerator, Generation, Generator
from opencwm.model.hub import TOKENIZER_FILES, fetch, local_folder, open_engine, revision_of
from opencwm.model.sampling import SamplingConfig
from opencwm.model.spec import Format, ModelOptions, ModelSpec, Place, parse_spec
from opencwm.model.together import Worker, one_by_one
from opencwm.traces import Program

if TYPE_CHECKING:
    from opencwm.model.http_engine import HttpGenerator

MAX_REPLY_TOKENS: Final = 16_384
"""Most ids of a turn in which a model reasons."""
PIECE_TOKENS: Final = 16
"""Ids that are written before somebody who listens is told."""


class CwmWorldModel(WorldModel):
    """A model of the ``cwm`` format, ready to predict.

    Args:
        name: for reports.
        codec: of the generator's vocabulary.
        generator: every use works on a fork of it.
        sampling: how ids are picked where nothing else is said.
        revision: what tells these weights from others of the name.

    Raises:
        EngineError: the tokenizer has ids that the model lacks.
    """

    def __init__(
        self,
        name: str,
        codec: CwmCodec,
        generator: Generator,
        *,
        sampling: SamplingConfig | None = None,
        revision: str = "",
    ) -> None:
        size = getattr(codec.tokenizer, "vocab_size", 0)
        if size > generator.vocab_size:
            raise EngineError(
                f"the tokenizer has {size} ids, the model {generator.vocab_size}",
                where=name,
                hint="name the tokenizer of this very model",
            )
        self._name, self._revision = name, revision
        self.codec = codec
        self.generator = generator
        self.sampling = sampling or SamplingConfig()

    @classmethod
    def of_hugging_face(cls, wanted: ModelSpec) -> CwmWorldModel:
        """Open a Hugging Face folder, or a model of the hub, in this process.

        Raises:
            EngineError: it is not there, is of another kind, cannot be opened, or torch is not installed.
        """
        folder = local_folder(wanted)
        codec = _codec(folder, wanted.target)  # before the weights: they take minutes
        engine = open_engine(folder, wanted)
        return cls(
            wanted.target if wanted.place is Place.HUB else folder.name,
            codec,
            EngineGenerator(engine),
            sampling=wanted.options.sampling,
            revision=revision_of(folder),
        )

    @classmethod
    def of_folder(cls, folder: ModelFolder, options: ModelOptions, *, num_threads: int = 1) -> CwmWorldModel:
        """Open a folder of our own whose codec is ``cwm``; its tokenizer is ``tokenizer.json``.

        Raises:
            EngineError: broken weights, or no such tokenizer.
        """
        codec = _codec(folder.codec_file(TOKENIZER_FILE), str(folder.path))
        generator = EngineGenerator(folder.engine(num_threads=num_threads))
        revision = revision_of(folder.path)
        return cls(folder.path.name, codec, generator, sampling=options.sampling, revision=revision)

    @classmethod
    def of_server(cls, wanted: ModelSpec, generator: HttpGenerator) -> CwmWorldModel:
        """Use a model at an address, for example of vLLM. Ids go there and come back; text never does.

        Raises:
            EngineError: its tokenizer is not known.
        """
        options, remote = wanted.options, generator.remote
        source = options.tokenizer or remote.name
        codec = _codec(_tokenizer(source, wanted.target), source)
        return cls(remote.name, codec, generator, sampling=options.sampling, revision=remote.revision)

    @property
    def name(self) -> str:
        """Name for reports: of the folder, of the hub, or as the server says."""
        return self._name

    @property
    def revision(self) -> str:
        """Digest of the sizes and names of the weights' files; of a server, what it says."""
        return self._revision

    @property
    def format(self) -> str:
        """The format it speaks."""
        return Format.CWM.value

    def try_out(self) -> str:
        """Have it predict one token; return what it is, in words.

        Raises:
            EngineError: it does not answer.
        """
        prompt = self.codec.encode_prompt(Program("def main():\n    pass\n", "main"))
        self.generator.fork().generate(prompt, stops=(), max_tokens=1, sampling=SamplingConfig())
        return f"context {self.generator.max_tokens} tokens, codec {self.format}, answers"

    def reply(
        self,
        messages: Sequence[Message],
        *,
        thinks: bool | None = True,
        max_tokens: int = MAX_REPLY_TOKENS,
        sampling: SamplingConfig | None = None,
        listener: Callable[[TurnPart], None] | None = None,
    ) -> Turn:
        """Have the model take the next turn of a conversation.

        Args:
            messages: so far; :mod:`opencwm.codec.cwm_questions` asks about programs.
            thinks: see :func:`opencwm.codec.cwm_chat.encode_chat`.
            max_tokens: most ids of the turn.
            sampling: how ids are picked; by default as the model was opened to.
            listener: told the turn while it is written, some ids at a time. Draws are others with one.

        Raises:
            CodecError: the tokenizer has no tokens for turns, or a text cannot be written.
            EngineError: the conversation does not fit the model's context, or the engine broke.
        """
        prompt = encode_chat(self.codec.tokenizer, messages, thinks=thinks)
        names = CwmNames(self.codec.tokenizer, THOUGHT_MARKS)
        reader, texts = TurnReader(was_thinking=bool(thinks)), TextReader(names.text)
        ids: list[int] = []
        is_ended = False
        for part in self._written(prompt, max_tokens, sampling or self.sampling, listener is None):
            said = part.ids[:-1] if part.stopped else part.ids
            ids += said
            is_ended = part.stopped
            if listener is not None:
                listener(reader.add(texts.add(said)))
        if listener is not None:
            listener(reader.add(texts.end()))
            listener(reader.end())
        turn = parse_turn(names.text(ids), was_thinking=bool(thinks))
        if is_ended or turn.problem:
            return turn
        return dataclasses.replace(turn, call=None, problem=f"the turn has no end within {len(ids)} ids")

    def _written(
        self, prompt: Sequence[int], max_tokens: int, sampling: SamplingConfig, at_once: bool
    ) -> Iterator[Generation]:
        """Write a turn, as one piece or in several; each goes on after the ids before it."""
        generator, ids = self.generator.fork(), list(prompt)
        left = min(max_tokens, max(1, generator.max_tokens - len(prompt)))
        while left > 0:
            size = left if at_once else min(PIECE_TOKENS, left)
            drawn = dataclasses.replace(sampling, seed=sampling.seed + len(ids) - len(prompt))
            part = generator.generate(ids, stops=self.codec.stop_ids, max_tokens=size, sampling=drawn)
            yield part
            if part.stopped or len(part.ids) < size:
                return
            ids += part.ids
            left -= size

    def worker(self, at_once: int) -> Worker:  # noqa: ARG002 - the base's
        """Return what does jobs one after the other."""
        return one_by_one

    def execution(
        self,
        program: Program,
        *,
        constrained: bool = True,
        sampling: SamplingConfig | None = None,
        expressions: bool = False,  # noqa: ARG002 - the format has none, which the execution's notice says
        working: Working = Working.FOLLOWED,  # noqa: ARG002 - likewise
        search: SearchConfig | None = None,
        assumed: Assumed = NOTHING_ASSUMED,
    ) -> CwmExecution:
        """Return the predicted execution of a program; see :meth:`WorldModel.execution`.

        ``constrained``: a step that is none, or that the program does not allow, is drawn anew, as often as
        ``search`` says; if it gets no better it is shown and marked.

        Raises:
            CodecError: the program does not fit the model's context.
            ConfigError: it does not compile or has no such entry.
        """
        config = CwmConfig(
            constrained=constrained,
            num_attempts=search.samples if search is not None and search.samples else NUM_ATTEMPTS,
            sampling=sampling or self.sampling,
            assumed=assumed,
        )
        return CwmExecution(program, self.codec, self.generator.fork(), config)


def _tokenizer(source: str, address: str) -> Path:
    """Return the folder or file of a tokenizer."""
    if Path(source).exists():
        return Path(source)
    if parse_spec(source).place is Place.HUB:
        return fetch(source, TOKENIZER_FILES)
    raise EngineError(
        f"the tokenizer of {source!r} is not known",
        where=address,
        hint="add ,tokenizer=PATH or ,tokenizer=facebook/cwm",
    )


def _codec(path: Path, where: str) -> CwmCodec:
    try:
        return CwmCodec(HuggingFaceTokenizer.from_pretrained_folder(path))
    except CodecError as error:
        raise EngineError(
            f"its tokenizer does not fit: {error.what}",
            where=where,
            hint="programs are stepped with models of the cwm format, such as facebook/cwm",
        ) from None
