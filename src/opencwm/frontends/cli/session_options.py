"""From the options that ``debug`` and ``web`` share to how a program is looked at, and by which model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opencwm.core.errors import ConfigError
from opencwm.debugger.working import Working
from opencwm.frontends.cli.options import Detail

if TYPE_CHECKING:
    from opencwm.frontends.models import Models
    from opencwm.frontends.sessions import SessionConfig


def session_config(
    *,
    real: bool,
    compare: bool,
    model: str | None,
    unconstrained: bool,
    detail: Detail,
    working: Working,
    search: int,
    max_steps: int,
    timeout: float,
) -> SessionConfig:
    """Return what the options say; each is named as on the command line.

    Raises:
        ConfigError: two of them contradict each other.
    """
    from opencwm.frontends.sessions import Mode, SessionConfig

    if real and compare:
        raise ConfigError(
            "--real and --compare exclude each other", hint="--compare shows the real run as well"
        )
    if real and model is not None:
        raise ConfigError("--real and --model exclude each other", hint="a real run asks no model")
    return SessionConfig(
        mode=Mode.REAL if real else Mode.COMPARE if compare else Mode.PREDICTED,
        model=model,
        constrained=not unconstrained,
        expressions=detail is Detail.EXPR,
        working=working,
        search=search,
        max_steps=max_steps,
        timeout_s=timeout,
    )


def models_for(config: SessionConfig) -> Models:
    """Return models, of which the one that a session will need is being loaded while other work is done."""
    from opencwm.frontends.models import Models
    from opencwm.frontends.sessions import Mode

    models = Models()
    if config.mode is not Mode.REAL:
        models.begin(config.model)
    return models
