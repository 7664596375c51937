"""A world model: a codec and what writes its ids joined, ready to predict programs.

Codecs never see engines and engines never see codecs; here the two meet. There are two kinds, one for each
format a program can be stepped in: :mod:`.native_model` and :mod:`.cwm_model`. One model serves any number of
executions.
"""

from __future__ import annotations

import abc
from pathlib import Path
from typing import TYPE_CHECKING

from opencwm.core.errors import EngineError
from opencwm.debugger.assumed import NOTHING_ASSUMED, Assumed
from opencwm.debugger.execution import Predicted
from opencwm.debugger.working import Working
from opencwm.model.sampling import SamplingConfig
from opencwm.model.spec import Format, ModelSpec, Place, parse_spec
from opencwm.traces import Program

if TYPE_CHECKING:
    from opencwm.debugger.step_search import SearchConfig
    from opencwm.model.together import Worker


class WorldModel(abc.ABC):
    """A model ready to predict."""

    @staticmethod
    def load(spec: str | Path | None = None, *, num_threads: int = 1, speculative: bool = True) -> WorldModel:
        """Open a model.

        Args:
            spec: which, as :mod:`opencwm.model.spec` says; None for the model in the package.
            num_threads: of an engine of our own; torch has its own setting.
            speculative: see :meth:`opencwm.debugger.native_model.NativeWorldModel.of_folder`.

        Raises:
            ConfigError: the spec makes no sense.
            EngineError: there is no such model, or it is none that programs can be stepped with.
        """
        wanted = parse_spec(spec)
        if wanted.place in (Place.PACKAGE, Place.FOLDER):
            return _of_folder(wanted, num_threads=num_threads, speculative=speculative)
        from opencwm.debugger.cwm_model import CwmWorldModel

        if wanted.place is Place.SERVER:
            return _of_server(wanted, speculative=speculative)
        return CwmWorldModel.of_hugging_face(wanted)

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Name for reports."""

    @property
    @abc.abstractmethod
    def revision(self) -> str:
        """What tells these weights from others of the name; empty where nothing does."""

    @property
    @abc.abstractmethod
    def format(self) -> str:
        """The format it speaks, ``native`` or ``cwm``."""

    @abc.abstractmethod
    def try_out(self) -> str:
        """Have it predict one token; return what it is, in words.

        Raises:
            EngineError: it does not answer.
        """

    @abc.abstractmethod
    def worker(self, at_once: int) -> Worker:
        """Return what does ``at_once`` jobs together, if it can.

        Each may use executions and engines of this model that no other job uses, and comes to what it would
        come to alone. With 1, jobs are done one by one.
        """

    @abc.abstractmethod
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
    ) -> Predicted:
        """Return the predicted execution of a program; nothing is predicted before it is looked at.

        Args:
            program: what to predict. It is compiled, never run.
            constrained: whether kinds, lines and names are limited to what the program allows.
            sampling: how tokens are picked; by default as the model was opened to, which is greedily.
            expressions: have the model work out sub-expressions first, where its format has them.
            working: who works them out.
            search: whether unsure steps are attempted again.
            assumed: which values assumptions give; see :func:`opencwm.debugger.assumed.assume`.

        Raises:
            CodecError: the entry, or what it calls first, does not fit.
            ConfigError: the program does not compile or has no such entry.
        """


def _of_server(wanted: ModelSpec, *, speculative: bool) -> WorldModel:
    from opencwm.debugger.cwm_model import CwmWorldModel
    from opencwm.debugger.native_model import NativeWorldModel
    from opencwm.model.http_engine import HttpGenerator
    from opencwm.model.served import connect

    found = connect(wanted.target, model=wanted.options.name)
    try:
        if found.remote.codec == Format.NATIVE:
            return NativeWorldModel.of_server(found, wanted.target, speculative=speculative)
        return CwmWorldModel.of_server(wanted, HttpGenerator(found.connection, found.remote))
    except EngineError:
        found.connection.close()
        raise


def _of_folder(wanted: ModelSpec, *, num_threads: int, speculative: bool) -> WorldModel:
    from opencwm.debugger.native_model import NativeWorldModel
    from opencwm.model.folder import default_model_path, load_folder

    if wanted.place is Place.PACKAGE and not default_model_path().is_dir():
        raise EngineError(
            "this copy of OpenCWM holds no model",
            where=str(default_model_path()),
            hint="name one with --model PATH",
        )
    folder = load_folder(default_model_path() if wanted.place is Place.PACKAGE else Path(wanted.target))
    if folder.meta.codec == Format.CWM:
        from opencwm.debugger.cwm_model import CwmWorldModel  # brings much along that others do not need

        return CwmWorldModel.of_folder(folder, wanted.options, num_threads=num_threads)
    return NativeWorldModel.of_folder(folder, num_threads=num_threads, speculative=speculative)
