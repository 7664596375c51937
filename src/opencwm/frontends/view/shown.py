"""Trajectories as the page shows them: what is in a file, read with care, as short JSON of texts.

Any version 1 of the Agent Trajectory Interchange Format is read, whoever wrote it; fields of other types than
they should have are passed over. What is too long to look at is cut, and that is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from opencwm.core.errors import TraceFormatError

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_STEPS: Final = 2_000
MAX_CHARS: Final = 60_000
"""Of one text on the page."""
_ANSWER: Final = re.compile(r"<output>\n(.*)\n</output>\n\n<budget>\n(.*)\n</budget>", re.DOTALL)

Json = dict[str, Any]


def find(path: Path) -> list[Path]:
    """Return the trajectory files at a path: itself, or those below a folder.

    Raises:
        TraceFormatError: there are none.
    """
    if path.is_file():
        return [path]
    found = sorted(path.glob("rollouts/*/*.trajectory.json")) or sorted(path.glob("**/trajectory.json"))
    found = found or sorted(path.glob("*.json"))
    if not found:
        what = "no trajectories there" if path.is_dir() else "there is no such file"
        raise TraceFormatError(what, where=str(path))
    return found


def read(path: Path) -> Json:
    """Return one trajectory as the page shows it.

    Raises:
        TraceFormatError: the file cannot be read or holds none.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise TraceFormatError(f"larger than {MAX_FILE_BYTES >> 20} MiB", where=str(path))
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise TraceFormatError(error.strerror or str(error), where=str(path)) from None
    except (ValueError, RecursionError):
        raise TraceFormatError("not JSON", where=str(path)) from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if not isinstance(version, str) or not version.startswith("ATIF-v1."):
        raise TraceFormatError("not a trajectory (ATIF, version 1)", where=str(path))
    return shown(data)


def shown(data: Mapping[str, Any]) -> Json:
    """Return a trajectory as the page shows it; see :func:`read`."""
    extra, agent, metrics = (_object(data.get(name)) for name in ("extra", "agent", "final_metrics"))
    steps = [step for step in _list(data.get("steps")) if isinstance(step, dict)]
    return {
        **summary(data),
        "reason": _cut(_text(extra.get("reason"))),
        "stop": _text(extra.get("stop")),
        "agent": " ".join(filter(None, (_text(agent.get("name")), _text(agent.get("version"))))),
        "model": _text(agent.get("model_name")),
        "tokens": _number(metrics.get("total_completion_tokens")),
        "tests": {
            _text(name): _text(outcome) for name, outcome in list(_object(extra.get("tests")).items())[:500]
        },
        "submitted": diff(_text(extra.get("submitted"))),
        "steps": [_step(step, number) for number, step in enumerate(steps[:MAX_STEPS], 1)],
        "num_left_out": max(len(steps) - MAX_STEPS, 0),
    }


def summary(data: Mapping[str, Any]) -> Json:
    """Return what a list of trajectories says of one."""
    extra = _object(data.get("extra"))
    steps = _list(data.get("steps"))
    return {
        "title": _text(data.get("trajectory_id")) or _text(data.get("session_id")) or "trajectory",
        "reward": _number(extra.get("reward")),
        "status": _text(extra.get("status")),
        "num_turns": sum(isinstance(step, dict) and step.get("source") == "agent" for step in steps),
    }


def diff(patch: str) -> list[Json]:
    """Return a patch by files: name, and lines as they are."""
    files: list[Json] = []
    for line in _cut(patch).splitlines():
        if line.startswith("diff --git "):
            files.append({"name": line.rpartition(" b/")[2], "lines": []})
        elif files:
            files[-1]["lines"].append(line)
    return files


def _step(step: Mapping[str, Any], number: int) -> Json:
    extra, metrics = _object(step.get("extra")), _object(step.get("metrics"))
    patch = extra.get("patch")
    return {
        "number": number,
        "source": _text(step.get("source")),
        "text": _cut(_message(step.get("message"))),
        "thought": _cut(_text(step.get("reasoning_content"))),
        "calls": list(_calls(step)),
        "problem": _cut(_text(extra.get("problem"))),
        "exit_code": _number(extra.get("exit_code")),
        "turn": _number(extra.get("turn")),
        "backtracked_to": _number(extra.get("backtracked_to")),
        "restored": extra.get("restored") is True,
        "seconds": _number(extra.get("seconds_acting")),
        "tokens": _number(metrics.get("completion_tokens")),
        "patch": diff(patch) if isinstance(patch, str) else None,
        "time": _text(step.get("timestamp")),
    }


def _calls(step: Mapping[str, Any]) -> Iterable[Json]:
    results = [
        result
        for result in _list(_object(step.get("observation")).get("results"))
        if isinstance(result, dict)
    ]
    for call in _list(step.get("tool_calls"))[:50]:
        if not isinstance(call, dict):
            continue
        answers = [
            _message(r.get("content")) for r in results if r.get("source_call_id") == call.get("tool_call_id")
        ]
        answer, budget = _answer("\n".join(answers))
        name, arguments = _text(call.get("function_name")), _object(call.get("arguments"))
        yield {
            "name": name,
            "arguments": [
                [str(key), _cut(value if isinstance(value, str) else json.dumps(value))]
                for key, value in arguments.items()
            ],
            "change": _change(name, arguments),
            "answer": _cut(answer),
            "budget": budget,
        }
    for result in results:
        if result.get("source_call_id") is None:
            answer, budget = _answer(_message(result.get("content")))
            yield {"name": "", "arguments": [], "change": [], "answer": _cut(answer), "budget": budget}


def _answer(text: str) -> tuple[str, str]:
    found = _ANSWER.fullmatch(text)
    return (found[1], found[2].replace("* ", "").replace("\n", ", ")) if found else (text, "")


def _change(name: str, arguments: Mapping[str, Any]) -> list[str]:
    """Return the lines that an edit or a new file takes away and puts there."""
    if name == "edit" and "search" in arguments:
        old, new = _text(arguments["search"]), _text(arguments.get("replacement"))
        lines = [f"-{line}" for line in old.splitlines()] + [f"+{line}" for line in new.splitlines()]
    elif name == "create":
        lines = [f"+{line}" for line in _text(arguments.get("content")).splitlines()]
    else:
        return []
    return _cut("\n".join(lines)).split("\n")


def _message(value: object) -> str:
    if isinstance(value, str):
        return value
    parts = [part for part in _list(value) if isinstance(part, dict)]
    return "\n".join(
        _text(part.get("text"))
        or f"[{_text(part.get('type'))}: {_text(_object(part.get('source')).get('path'))}]"
        for part in parts
    )


def _cut(text: str) -> str:
    if len(text) <= MAX_CHARS:
        return text
    half = MAX_CHARS // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters are not shown]\n{text[-half:]}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
