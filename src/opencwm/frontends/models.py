"""Models as the frontends use them: loaded once, when first needed or ahead of that, for all threads.

The one idea: who wants a model says what :meth:`opencwm.debugger.world_model.WorldModel.load` takes, and
waits no longer than loading has still to take. What could not be loaded is tried again when asked for again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencwm.debugger.world_model import WorldModel


class Models:
    """Models by what names them.

    Args:
        loaded: models that are there already.
    """

    def __init__(self, loaded: Mapping[str | Path | None, WorldModel] | None = None) -> None:
        self._lock = threading.Lock()
        self._futures: dict[str | Path | None, Future[WorldModel]] = {}
        for name, world in (loaded or {}).items():
            self._futures[name] = Future()
            self._futures[name].set_result(world)

    def get(self, name: str | Path | None = None) -> WorldModel:
        """Return a model, loaded now unless that was begun before; None names the one in the package.

        Raises:
            EngineError: it cannot be loaded.
        """
        future, is_new = self._future(name)
        if is_new:
            self._load(name, future)
        return future.result()

    def begin(self, name: str | Path | None = None) -> None:
        """Begin to load a model on another thread, unless that was done; :meth:`get` raises what goes wrong.

        The process does not end before that thread has.
        """
        import opencwm.debugger.world_model  # noqa: F401 - here: two threads that import numpy may meet halfway

        future, is_new = self._future(name)
        if is_new:
            threading.Thread(target=self._load, args=(name, future), name="opencwm-model").start()

    def _future(self, name: str | Path | None) -> tuple[Future[WorldModel], bool]:
        with self._lock:
            known = self._futures.get(name)
            if known is not None and not (known.done() and known.exception() is not None):
                return known, False
            made: Future[WorldModel] = Future()
            self._futures[name] = made
            return made, True

    @staticmethod
    def _load(name: str | Path | None, future: Future[WorldModel]) -> None:
        try:
            from opencwm.debugger.world_model import WorldModel

            future.set_result(WorldModel.load(name))
        except BaseException as error:  # raised where it is waited for
            future.set_exception(error)
