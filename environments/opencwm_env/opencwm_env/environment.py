"""The environment: one seat, played in the process that is asked, for what runs code has its own sandbox."""

from __future__ import annotations

import verifiers.v1 as vf


class OpenCWMEnvConfig(vf.EnvConfig):
    """One ``agent``; no container is rented for it."""

    agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())


class OpenCWMEnv(vf.Env[OpenCWMEnvConfig]):
    """See the module."""

    async def run(self, task: vf.Task, agents: vf.Agents) -> None:
        """Play one episode."""
        await agents.agent.run(task)
