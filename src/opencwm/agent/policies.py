"""Policies by what the command line calls them.

http://HOST:PORT/v1     an OpenAI-compatible chat endpoint
script:FILE             fixed turns (see :func:`opencwm.agent.scripted.read_script`)
model:FOLDER            a small model that acts, as `opencwm practice` writes it
searcher                tries small repairs where the failing tests point, and runs the tests
package.module:NAME     a function of one's own that takes the spec and returns a policy
"""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

from opencwm.agent.chat_policy import ChatConfig
from opencwm.agent.conversation import Policy
from opencwm.agent.planning.planner_config import PlannerConfig
from opencwm.core.config import from_dict, to_dict
from opencwm.core.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """Says which policy, in words that a worker elsewhere understands.

    Attributes:
        spec: see the module.
        chat: how an endpoint is asked.
        planner: forecasts what runs tests, before it is run; None for no planner.
    """

    spec: str
    chat: ChatConfig = dataclasses.field(default_factory=ChatConfig)
    planner: PlannerConfig | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return to_dict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PolicySpec:
        """Return what :meth:`to_json` described."""
        return from_dict(cls, data)


def make_policy(spec: PolicySpec) -> Policy:
    """Make a policy.

    Raises:
        ConfigError: the spec names none, or what it names is missing.
    """
    kind, _, rest = spec.spec.partition(":")
    if kind in ("http", "https"):
        from opencwm.agent.chat_policy import ChatPolicy

        return ChatPolicy(spec.spec, spec.chat)
    if kind == "model":
        from opencwm.agent.small.actor import open_actor

        return open_actor(Path(rest), temperature=spec.chat.temperature or 0.0)
    if kind == "script":
        from opencwm.agent.scripted import read_script

        return read_script(Path(rest))
    if spec.spec == "searcher" and spec.planner is not None:
        from opencwm.agent.planning.planned_searcher import planned_searcher
        from opencwm.agent.planning.planner import forecaster_of

        planner = spec.planner
        return planned_searcher(
            forecaster_of(planner),
            skip_below=planner.skip_below,
            max_seconds=planner.max_ranking_seconds,
        )
    if spec.spec == "searcher":
        from opencwm.agent.searcher import searcher

        return searcher()
    if rest and "/" not in spec.spec:
        return _made_by(kind, rest, spec)
    raise ConfigError(
        f"no policy {spec.spec!r}",
        where="--policy",
        hint="http://HOST:PORT/v1, model:FOLDER, script:FILE, searcher, or package.module:NAME",
    )


def _made_by(module: str, name: str, spec: PolicySpec) -> Policy:
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"cannot be imported: {error}", where=f"--policy {spec.spec}") from None
    policy: Policy = make(spec)
    return policy
