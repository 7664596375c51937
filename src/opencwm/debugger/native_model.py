"""World models of our own ``native`` format: its codec and an engine joined.

Only they can be asked for all that there is: sub-expressions, jumps, what a result came from.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from opencwm.codec.native import NativeCodec
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import CodecError, ConfigError, EngineError
from opencwm.debugger.assumed import NOTHING_ASSUMED, Assumed
from opencwm.debugger.predicted import PredictedExecution
from opencwm.debugger.selection import source_view
from opencwm.debugger.step_search import SearchConfig
from opencwm.debugger.working import Working
from opencwm.debugger.world_model import WorldModel
from opencwm.model.engine import ScoringEngine
from opencwm.model.folder import ONNX_NAME, ModelFolder
from opencwm.model.sampling import SamplingConfig
from opencwm.model.speculation import SpeculativeEngine
from opencwm.model.together import Together, Worker, one_by_one
from opencwm.traces import Program

if TYPE_CHECKING:
    from opencwm.model.http_engine import HttpEngine, HttpGenerator, RemoteModel


@dataclasses.dataclass(frozen=True)
class NativeWorldModel(WorldModel):
    """A model of our own format, ready to predict.

    Attributes:
        folder: where it came from and what it says about itself; None for a model on a server.
        codec: of its vocabulary.
        engine: holds no ids; every use works on a fork of it.
        together: what runs the passes of all forks; None where it can only be done one by one.
        remote: what the server says of its model; None for a model at hand.
    """

    folder: ModelFolder | None
    codec: NativeCodec
    engine: ScoringEngine
    together: Together | None = None
    remote: RemoteModel | None = None

    @staticmethod
    def load(
        spec: str | Path | None = None, *, num_threads: int = 1, speculative: bool = True
    ) -> NativeWorldModel:
        """Open a model of our own format; see :meth:`WorldModel.load`.

        Raises:
            ConfigError: it is of another format, or the spec makes no sense.
            EngineError: there is no such model.
        """
        return native(WorldModel.load(spec, num_threads=num_threads, speculative=speculative), "this")

    @classmethod
    def of_folder(
        cls, folder: ModelFolder, *, num_threads: int = 1, speculative: bool = True
    ) -> NativeWorldModel:
        """Open the weights of a model folder.

        Args:
            folder: of our own format.
            num_threads: of the engine.
            speculative: whether ids that probably follow are run along, which takes fewer forward passes
                and changes logits by no more than rounding; see :mod:`opencwm.model.speculation`.

        Raises:
            EngineError: one of another codec or vocabulary, or broken weights.
        """
        codec = _open_codec(folder)
        weights = folder.engine(num_threads=num_threads)
        engine = SpeculativeEngine(weights) if speculative else weights
        _check_size(engine, codec, str(folder.path))
        return cls(folder, codec, engine, weights.together)

    @classmethod
    def of_server(
        cls, found: HttpEngine | HttpGenerator, url: str, *, speculative: bool = True
    ) -> NativeWorldModel:
        """Use a model at a server, see :mod:`opencwm.model.served`.

        Args:
            found: how it is asked.
            url: where it is.
            speculative: see :meth:`of_folder`.

        Raises:
            EngineError: the server gives no logits, or its model has another vocabulary.
        """
        from opencwm.model.http_engine import HttpEngine

        codec = NativeCodec()
        if found.remote.vocabulary_sha256 != codec.vocabulary.digest():
            hint = "use the same version of OpenCWM on both sides"
            raise EngineError("the server's vocabulary is another than the one here", where=url, hint=hint)
        engine = HttpEngine(found.connection, found.remote)
        return cls(None, codec, SpeculativeEngine(engine) if speculative else engine, remote=found.remote)

    @property
    def name(self) -> str:
        """Name for reports: of the folder, which is ``default`` for the one in the package."""
        return self.folder.path.name if self.folder is not None else self.remote.name if self.remote else ""

    @property
    def revision(self) -> str:
        """SHA-256 of the weights, the first 16 hexadecimal digits; what a server says of its own."""
        if self.folder is None:
            return self.remote.revision if self.remote is not None else ""
        return hashlib.sha256((self.folder.path / ONNX_NAME).read_bytes()).hexdigest()[:16]

    @property
    def format(self) -> str:
        """The format it speaks."""
        return self.codec.name

    def try_out(self) -> str:
        """Have it predict one token; return what it is, in words.

        Raises:
            EngineError: it does not answer.
        """
        self.engine.fork().append([1])
        size = ""
        if self.folder is not None:
            size_bytes = sum(file.stat().st_size for file in self.folder.path.iterdir() if file.is_file())
            size = f"{size_bytes / 2**20:.1f} MiB, "
        return f"{size}context {self.engine.max_tokens} tokens, codec {self.codec.name}, answers"

    def worker(self, at_once: int) -> Worker:
        """Return what does ``at_once`` jobs together, whose forward passes are run in one call.

        Each may use executions and engines of this model that no other job uses, and comes to what it would
        come to alone. With 1, jobs are done one by one.
        """
        return (
            one_by_one
            if at_once <= 1 or self.together is None
            else functools.partial(self.together.work, at_once=at_once)
        )

    def view(self, program: Program) -> SourceView:
        """Return what the model is shown of a program; see :func:`opencwm.debugger.selection.source_view`.

        Raises:
            CodecError: the entry, or what it calls first, does not fit.
            ConfigError: the program does not compile or has no such entry.
        """
        return source_view(program, self.codec, max_tokens=self.engine.max_tokens)

    def execution(
        self,
        program: Program,
        *,
        constrained: bool = True,
        sampling: SamplingConfig | None = None,
        expressions: bool = False,
        working: Working = Working.FOLLOWED,
        search: SearchConfig | None = None,
        assumed: Assumed = NOTHING_ASSUMED,
    ) -> PredictedExecution:
        """Return the predicted execution of a program; nothing is predicted before it is looked at.

        Args:
            program: what to predict. It is compiled, never run.
            constrained: whether kinds, lines and names are limited to what the program allows.
            sampling: how tokens are picked; greedy by default.
            expressions: have the model work out sub-expressions first; it must have learned to.
            working: who works them out.
            search: whether unsure steps are attempted again.
            assumed: which values assumptions give; see :func:`opencwm.debugger.assumed.assume`.

        Raises:
            CodecError: not even a line of it fits.
            ConfigError: the program does not compile or has no such entry.
        """
        return PredictedExecution(
            program,
            self.codec,
            self.engine.fork(),
            constrained=constrained,
            sampling=sampling,
            expressions=expressions,
            working=working,
            search=search,
            assumed=assumed,
        )


def native(world: WorldModel, what: str) -> NativeWorldModel:
    """Return a model as one of our own format.

    Args:
        world: any model.
        what: needs one, at the beginning of a sentence.

    Raises:
        ConfigError: it is of another format.
    """
    if isinstance(world, NativeWorldModel):
        return world
    raise ConfigError(
        f"{what} needs a model of the native format, and {world.name} speaks {world.format}",
        hint="the one in the package is: leave --model out",
    )


def _check_size(engine: ScoringEngine, codec: NativeCodec, where: str) -> None:
    if engine.vocab_size < len(codec.vocabulary):
        problem = f"the weights have {engine.vocab_size} token ids, the vocabulary {len(codec.vocabulary)}"
        raise EngineError(problem, where=where, hint="export the model again")


def _open_codec(folder: ModelFolder) -> NativeCodec:
    if folder.meta.codec != NativeCodec.name:
        raise EngineError(
            f"the model speaks {folder.meta.codec!r}, this needs {NativeCodec.name!r}", where=str(folder.path)
        )
    if not folder.meta.codec_files:
        return NativeCodec()
    path = folder.codec_file(folder.meta.codec_files[0])
    try:
        return NativeCodec(Vocabulary.from_json(path.read_text(encoding="utf-8"), where=str(path)))
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"cannot be read: {error}", where=str(path)) from None
    except CodecError as error:
        raise EngineError(error.what, where=error.where, hint="export the model again") from None
