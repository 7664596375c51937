"""A world model: a codec and an engine joined, ready to predict programs.

Codecs never see engines and engines never see codecs; here the two meet. One model serves any number of
executions: each works on a fork of its engine.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from opencwm.codec.native import NativeCodec
from opencwm.codec.view import SourceView
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import CodecError, EngineError
from opencwm.debugger.assumed import NOTHING_ASSUMED, Assumed
from opencwm.debugger.predicted import PredictedExecution, source_view
from opencwm.debugger.step_search import SearchConfig
from opencwm.debugger.working import Working
from opencwm.model.engine import ScoringEngine
from opencwm.model.folder import ONNX_NAME, ModelFolder, default_model_path, load_folder
from opencwm.model.sampling import SamplingConfig
from opencwm.model.speculation import SpeculativeEngine
from opencwm.model.together import Together, Worker, one_by_one
from opencwm.traces import Program

if TYPE_CHECKING:
    from opencwm.model.http_engine import RemoteModel


@dataclasses.dataclass(frozen=True)
class WorldModel:
    """A model ready to predict.

    Attributes:
        folder: where it came from and what it says about itself; None for a model at a server.
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

    @classmethod
    def load(
        cls, path: Path | str | None = None, *, num_threads: int = 1, speculative: bool = True
    ) -> WorldModel:
        """Open the model folder at ``path``, the model at a server, or the model in the package.

        Args:
            path: of the folder, or the address of an API: ``http://host:8000/v1``.
            num_threads: of the engine.
            speculative: whether ids that probably follow are run along, which takes fewer forward passes
                and changes logits by no more than rounding; see :mod:`opencwm.model.speculation`.

        Raises:
            EngineError: no model folder, one of another schema version, codec or vocabulary, or broken
                weights.
        """
        url = _url(path)
        if url is not None:
            return _at_server(url, speculative=speculative)
        folder = _find(None if path is None else Path(path))
        codec = _open_codec(folder)
        weights = folder.engine(num_threads=num_threads)
        engine = SpeculativeEngine(weights) if speculative else weights
        if engine.vocab_size < len(codec.vocabulary):
            problem = (
                f"the weights have {engine.vocab_size} token ids, the vocabulary {len(codec.vocabulary)}"
            )
            raise EngineError(problem, where=str(folder.path), hint="export the model again")
        return cls(folder, codec, engine, weights.together)

    @property
    def name(self) -> str:
        """Name for reports: of the folder, which is ``default`` for the one in the package."""
        return self.folder.path.name if self.folder is not None else self.remote.name if self.remote else ""

    @property
    def revision(self) -> str:
        """SHA-256 of the weights, the first 16 hexadecimal digits."""
        if self.folder is None:
            return self.remote.revision if self.remote is not None else ""
        return hashlib.sha256((self.folder.path / ONNX_NAME).read_bytes()).hexdigest()[:16]

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
        """Return what the model is shown of a program; see :func:`opencwm.debugger.predicted.source_view`.

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
            CodecError: the entry, or what it calls first, does not fit.
            ConfigError: the program does not compile or has no such entry.
        """
        return PredictedExecution(
            program,
            self.codec,
            self.engine.fork(),
            view=self.view(program),
            constrained=constrained,
            sampling=sampling,
            expressions=expressions,
            working=working,
            search=search,
            assumed=assumed,
        )


def _url(path: Path | str | None) -> str | None:
    """Return the address that a path is, also one whose slashes were taken for those of a path."""
    found = re.match("(https?):/{1,2}(.+)", str(path or ""), re.DOTALL)
    return None if found is None else f"{found[1]}://{found[2]}"


def _at_server(url: str, *, speculative: bool) -> WorldModel:
    """Connect to a native model at a server."""
    from opencwm.model.http_engine import HttpEngine, open_http  # brings asyncio along

    found = open_http(url)
    try:
        codec = _native_codec(found.remote, url)
        engine = HttpEngine(found.connection, found.remote)
    except EngineError:
        found.connection.close()
        raise
    return WorldModel(None, codec, SpeculativeEngine(engine) if speculative else engine, remote=found.remote)


def _native_codec(remote: RemoteModel, url: str) -> NativeCodec:
    """Return the codec here, if it is that of a model elsewhere."""
    if remote.codec != NativeCodec.name:
        raise EngineError(f"the model speaks {remote.codec!r}, this needs {NativeCodec.name!r}", where=url)
    codec = NativeCodec()
    if remote.vocabulary_sha256 != codec.vocabulary.digest():
        hint = "use the same version of OpenCWM on both sides"
        raise EngineError("the server's vocabulary is another than the one here", where=url, hint=hint)
    return codec


def _find(path: Path | None) -> ModelFolder:
    if path is not None:
        return load_folder(path)
    if not default_model_path().is_dir():
        raise EngineError(
            "this copy of OpenCWM holds no model",
            where=str(default_model_path()),
            hint="name one with --model PATH",
        )
    return load_folder(default_model_path())


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
