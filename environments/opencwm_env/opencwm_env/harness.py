"""The harness: plays a question in this process, against the endpoint that verifiers intercepts.

A question of ``predict-*`` is one turn. ``fix-bug`` is the agent's loop of ``opencwm.agent``, with its tools
in a box. What went wrong between the policy and its server, or with the box, is the trace's error.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import verifiers.v1 as vf
from pydantic import Field

from opencwm.agent.chat_policy import ChatConfig, ChatPolicy
from opencwm.agent.conversation import Occasion, Reply, Speaker, Utterance
from opencwm.agent.episode import Limits, Turn
from opencwm.agent.rollout import RolloutConfig, run_episode
from opencwm.agent.tools import PUBLISHED
from opencwm.core.errors import EngineError
from opencwm.model.http_client import HttpConfig
from opencwm.rl.fix_bug import Bug, FixBug
from opencwm.rl.wire import question_from_json
from opencwm_env.taskset import INFO
from opencwm_env.threads import THREADS


class OpenCWMHarnessConfig(vf.HarnessConfig):
    """How ``fix-bug`` is played; the defaults are the published limits."""

    turns: int = Field(128, ge=1)
    tokens: int = Field(131_072, ge=1)
    """Of the context."""
    wall_s: float = Field(2_400.0, gt=0)
    timeout_s: float = Field(120.0, gt=0)
    """Of a command."""
    output_chars: int = Field(16_000, ge=200)
    """Of a tool's answer."""
    max_tokens: int = Field(16_384, ge=1)
    """Of a reply, where the run's sampling does not say."""
    tools: list[str] = Field(default_factory=lambda: list(PUBLISHED))
    calls: Literal["text", "functions"] = "text"
    """``text`` is the published ``<tool: NAME>`` form."""
    reasons: bool = False
    """Begin the system prompt with the published one for reasoning."""
    prompt: Path | None = None
    """File of a system prompt instead of ours."""
    box: str = "auto"
    """Kind of box."""


class OpenCWMHarness(vf.Harness[OpenCWMHarnessConfig]):
    """See the module."""

    APPENDS_SYSTEM_PROMPT = True
    EXECUTES_CODE = False  # in boxes of ours, not in the runtime
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,  # noqa: ARG002 - nothing runs there
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],  # noqa: ARG002 - no such tools
        data: vf.TaskData,
    ) -> vf.ProgramResult:
        """Play one episode; leave in the trace what was submitted, also when a limit ends it."""
        play = self._fix_bug if data.environment == FixBug.name else self._answer
        is_over = threading.Event()
        policy = _Stoppable(endpoint, secret, ctx.model, self.config, is_over)
        try:
            await asyncio.get_running_loop().run_in_executor(THREADS, play, policy, trace, data)
        finally:  # the deadline of the episode ends this wait, but not the thread
            is_over.set()
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")

    def _answer(self, policy: _Stoppable, trace: vf.Trace, data: vf.TaskData) -> None:
        said = [Utterance(role="user", text=data.prompt_text)]
        if data.system_prompt is not None:
            said.insert(0, Utterance(role="system", text=data.system_prompt))
        policy.begin(Occasion(task=data.id or "", rollout=0, seed=_number(trace), tools=()))(said)

    def _fix_bug(self, policy: _Stoppable, trace: vf.Trace, data: vf.TaskData) -> None:
        told = trace.info.setdefault(INFO, {})
        told |= {"submitted": None, "stop": None}

        def watch(turn: Turn) -> None:
            if turn.submitted is not None:
                told["submitted"] = turn.submitted

        bug = question_from_json(FixBug.name, data.question)
        if not isinstance(bug, Bug):
            raise TypeError(f"no bug: {bug}")
        episode = run_episode(bug.task, policy, _number(trace), self._rollout(data), watch)
        told["stop"] = str(episode.stop)
        told["problems"] = [turn.problem for turn in episode.turns if turn.problem]

    def _rollout(self, data: vf.TaskData) -> RolloutConfig:
        config = self.config
        limits = Limits(
            turns=config.turns,
            tokens=config.tokens,
            wall_s=config.wall_s,
            timeout_s=config.timeout_s,
            output_chars=config.output_chars,
        )
        prompt = data.system_prompt or (config.prompt.read_text() if config.prompt else None)
        return RolloutConfig(
            limits=limits, tools=tuple(config.tools), kind=config.box, prompt=prompt, reasons=config.reasons
        )


class _Stoppable(ChatPolicy):
    """Asks the endpoint until the episode is over.

    Args:
        endpoint: of the rollout.
        secret: of the rollout.
        model: under test.
        config: of the harness.
        is_over: set when nobody waits for the episode any more.
    """

    def __init__(
        self, endpoint: str, secret: str, model: str, config: OpenCWMHarnessConfig, is_over: threading.Event
    ) -> None:
        chat = ChatConfig(
            model=model, max_tokens=config.max_tokens, calls_functions=config.calls == "functions"
        )
        # whoever intercepts asks the model again; a second question from here would be a second turn
        super().__init__(endpoint, chat, HttpConfig(api_key=secret, attempts=1, timeout_s=7_200.0))
        self._is_over = is_over

    def begin(self, occasion: Occasion) -> Speaker:
        """Begin a conversation."""
        speak = super().begin(occasion)

        def speak_on(conversation: Sequence[Utterance]) -> Reply:
            if self._is_over.is_set():
                raise EngineError("the episode is over")
            return speak(conversation)

        return speak_on


def _number(trace: Any) -> int:
    """Return what tells attempts apart: with the same seed, all of a group would be the same."""
    return int(trace.id[:12], 16)
