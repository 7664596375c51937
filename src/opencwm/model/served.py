"""Models behind an address: nothing of HTTP is imported for a model on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opencwm.model.http_engine import HttpEngine, HttpGenerator

KEY_VARIABLE: Final = "OPENCWM_API_KEY"
"""Holds the key that a server wants, if it wants one: what is on a command line, others can read."""


def connect(url: str, *, model: str | None) -> HttpEngine | HttpGenerator:
    """Connect to a server: an engine for models of ours, else what goes on from token ids.

    Args:
        url: of its API, ``http://HOST:PORT/v1``.
        model: by which name it is asked for; None for the only one.

    Raises:
        ConfigError: no such kind of address, or the extra ``http`` is not installed.
        EngineError: the server cannot be reached or has no such model.
    """
    from opencwm.model.http_engine import open_http

    return open_http(url, model=model, api_key=os.environ.get(KEY_VARIABLE) or None)
