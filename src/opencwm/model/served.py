"""Models behind an address: the one place that knows which class speaks to servers.

Loaded when it is needed: nothing of HTTP is imported for a model on this machine.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Final, Protocol, cast

from opencwm.core.errors import EngineError
from opencwm.model.engine import ScoringEngine
from opencwm.model.generation import Generator

KEY_VARIABLE: Final = "OPENCWM_API_KEY"
"""Holds the key that a server wants, if it wants one: what is on a command line, others can read."""
_MODULE: Final = "opencwm.model.http_engine"


class RemoteModel(Protocol):
    """What a server says of a model."""

    @property
    def name(self) -> str:
        """By which it is asked for."""
        ...

    @property
    def codec(self) -> str:
        """Of its ids: ``native``, or ``cwm``, which it is where the server does not say."""
        ...

    @property
    def revision(self) -> str:
        """Of the weights; empty where the server does not say."""
        ...


class RemoteGenerator(Generator, Protocol):
    """What goes on from token ids at a server."""

    @property
    def remote(self) -> RemoteModel:
        """The model it asks."""
        ...


def connect_generator(url: str, *, model: str | None) -> RemoteGenerator:
    """Return what goes on from token ids at a server, for example vLLM with facebook/cwm.

    Raises:
        EngineError: the server cannot be reached or does not do what is needed.
    """
    return cast(RemoteGenerator, _client("HttpGenerator").connect(url, model=model, api_key=_key()))


def connect_engine(url: str, *, model: str | None) -> ScoringEngine:
    """Return an engine at a server of our own models (``opencwm serve``).

    Raises:
        EngineError: as :func:`connect_generator`.
    """
    return cast(ScoringEngine, _client("HttpEngine").connect(url, model=model, api_key=_key()))


def _client(name: str) -> Any:
    try:
        return getattr(importlib.import_module(_MODULE), name)
    except ImportError as error:
        missing = error.name or ""
        if missing == _MODULE:
            raise EngineError("this copy of OpenCWM speaks to no servers") from None
        raise EngineError(
            f"a model at an address needs {missing}, which is not installed",
            hint="pip install 'opencwm[http]'",
        ) from None


def _key() -> str | None:
    return os.environ.get(KEY_VARIABLE) or None
