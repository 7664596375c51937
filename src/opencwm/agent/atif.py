"""Attempts in Harbor's Agent Trajectory Interchange Format, version 1.8.

What the format has no field for stands under ``extra``: of a step, what the repository was like after it,
what was wrong with it, and what it went back to; of the whole, the reward and what it is for. The schema
that tests hold every trajectory against is ``atif-v1.8.schema.json`` beside this file, written from the
models of Harbor.

Source: https://harborframework.com/docs/trajectory-format, RFC 0001; harbor 0.25 (Apache-2.0).
"""

from __future__ import annotations

import json
from typing import Any, Final

from opencwm.agent.calls import Call, functions
from opencwm.agent.conversation import FunctionCall, Reply
from opencwm.agent.episode import Episode, Turn
from opencwm.core.version import __version__

VERSION: Final = "ATIF-v1.8"
AGENT: Final = "opencwm"


def trajectory(
    episode: Episode, *, identity: str, model: str, tools: tuple[str, ...], extra: dict[str, Any]
) -> dict[str, Any]:
    """Return an attempt as the format has it.

    Args:
        episode: what happened.
        identity: names the attempt among all of its run.
        model: the policy's name.
        tools: names of those on offer.
        extra: what else to say of the whole, JSON-able.
    """
    steps: list[dict[str, Any]] = [
        {"source": "system" if utterance.role == "system" else "user", "message": utterance.text}
        for utterance in episode.opening
    ]
    for turn in episode.turns:
        steps.append(_agent_step(turn))
        steps += [
            {"source": "user", "message": answer.text} for answer in turn.answers if answer.role == "user"
        ]
    steps = [{"step_id": number, **step} for number, step in enumerate(steps, 1)]
    return {
        "schema_version": VERSION,
        "session_id": identity,
        "trajectory_id": identity,
        "agent": {
            "name": AGENT,
            "version": __version__,
            "model_name": model,
            "tool_definitions": functions(tools),
        },
        "steps": steps,
        "final_metrics": _final_metrics(episode, len(steps)),
        "extra": extra,
    }


def _agent_step(turn: Turn) -> dict[str, Any]:
    step: dict[str, Any] = {"timestamp": turn.started_at, "source": "agent", "message": turn.text}
    if turn.thought is not None:
        step["reasoning_content"] = turn.thought
    calls = _calls(turn)
    if calls:
        step["tool_calls"] = calls
        answers = [answer for answer in turn.answers if answer.role == "tool"]
        step["observation"] = {
            "results": [
                {"source_call_id": call["tool_call_id"], "content": answer.text}
                for call, answer in zip(calls, answers, strict=True)
            ]
        }
    metrics = _metrics(turn.reply)
    if metrics:
        step["metrics"] = metrics
        step["llm_call_count"] = 1
    return {**step, "extra": _extra(turn)}


def _calls(turn: Turn) -> list[dict[str, Any]]:
    if turn.reply.calls:  # also those that were not understood
        return [
            _call(made.name, made.call_id, turn.call.arguments if turn.call else _raw(made))
            for made in turn.reply.calls
        ]
    call: Call | None = turn.call
    return [] if call is None else [_call(call.name, f"call-{turn.number}", call.arguments)]


def _call(name: str, call_id: str, arguments: Any) -> dict[str, Any]:
    return {"tool_call_id": call_id, "function_name": name, "arguments": dict(arguments)}


def _raw(made: FunctionCall) -> dict[str, Any]:
    """Return arguments that were not understood, as far as they are an object."""
    try:
        given = json.loads(made.arguments)
    except (ValueError, RecursionError):
        given = None
    return given if isinstance(given, dict) else {"not_understood": made.arguments}


def _metrics(reply: Reply) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    if reply.num_prompt_tokens is not None:
        metrics["prompt_tokens"] = reply.num_prompt_tokens
    if reply.num_tokens is not None:
        metrics["completion_tokens"] = reply.num_tokens
    if reply.tokens is not None:
        metrics["completion_token_ids"] = list(reply.tokens.ids)
        if reply.tokens.logarithms:
            metrics["logprobs"] = list(reply.tokens.logarithms)
    return metrics


def _extra(turn: Turn) -> dict[str, Any]:
    extra: dict[str, Any] = {
        "turn": turn.number,
        "seconds_asking": round(turn.seconds_asking, 3),
        "seconds_acting": round(turn.seconds_acting, 3),
    }
    if turn.patch is not None:
        extra["patch"] = turn.patch
    for name in ("problem", "exit_code", "backtracked_to", "forecast"):
        value = getattr(turn, name)
        if value is not None and value != "":
            extra[name] = value
    return extra | ({"restored": True} if turn.restored else {})


def _final_metrics(episode: Episode, num_steps: int) -> dict[str, Any]:
    replies = [turn.reply for turn in episode.turns]
    totals: dict[str, Any] = {"total_steps": num_steps}
    for key, name in (
        ("total_prompt_tokens", "num_prompt_tokens"),
        ("total_completion_tokens", "num_tokens"),
    ):
        counts = [getattr(reply, name) for reply in replies]
        if replies and all(count is not None for count in counts):
            totals[key] = sum(counts)
    return totals
