"""The folder of a run of rollouts: what is done is what has a record there.

    config.json                         what the run was asked for
    rollouts/TASK/NNN.record.json       one attempt: reward, reason, patch, tokens (written last)
    rollouts/TASK/NNN.trajectory.json   the same attempt, step by step, as ATIF
    rollouts.jsonl                      all records, one a line        \
    preds.json                          patches, as SWE-bench takes them > written from the records at the end
    summary.json                        the report                     /

Every file is written whole or not at all, so a run that was killed goes on where it was, with nothing lost
and nothing twice; a record of an error counts as not done.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from opencwm.agent.rollout import ERROR, Rollout
from opencwm.core.errors import ConfigError
from opencwm.core.files import write_atomic

_FREE: Final = frozenset({"workers", "num_rollouts", "schema_version"})
"""Settings that may change when a run goes on."""


class RunFolder:
    """See the module.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def owned(self, settings: Mapping[str, Any]) -> Iterator[None]:
        """Hold the folder for one run; the settings must be those that attempts there were made with.

        Raises:
            ConfigError: another run writes there, or it was begun with other settings.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConfigError("another run is writing here", where=str(self.path)) from None
            self._agree(settings)
            yield
        finally:
            os.close(descriptor)

    def write(self, rollout: Rollout) -> None:
        """Write one attempt."""
        name = self._stem(rollout.record["task"], rollout.record["rollout"])
        write_atomic(name.with_suffix(".trajectory.json"), _json(rollout.trajectory))
        self.write_record(rollout.record)

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write the record of an attempt that has no trajectory."""
        write_atomic(self._stem(record["task"], record["rollout"]).with_suffix(".record.json"), _json(record))

    def is_done(self, task: str, number: int) -> bool:
        """Whether an attempt was made and graded."""
        record = self._read(self._stem(task, number).with_suffix(".record.json"))
        return record is not None and record.get("status") != ERROR

    def records(self) -> list[dict[str, Any]]:
        """Return all records, by task and number; files that hold none are passed over."""
        paths = sorted((self.path / "rollouts").glob("*/*.record.json"))
        found = [record for record in map(self._read, paths) if record is not None]
        return sorted(found, key=lambda record: (record["task"], record["rollout"]))

    def trajectories(self) -> list[Path]:
        """Return the files of all trajectories, by task and number."""
        return sorted((self.path / "rollouts").glob("*/*.trajectory.json"))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write what is made of all records."""
        records = self.records()
        lines = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
        write_atomic(self.path / "rollouts.jsonl", lines)
        write_atomic(self.path / "preds.json", _json(predictions(records)))
        write_atomic(self.path / "summary.json", _json(summary))

    def _agree(self, settings: Mapping[str, Any]) -> None:
        path = self.path / "config.json"
        there = (self._read(path) if self.records() else None) or {}
        here = json.loads(json.dumps(settings))
        for name in sorted(there.keys() & here.keys() - _FREE):
            if there[name] != here[name]:
                what, now, before = _first_difference(name, here[name], there[name])
                raise ConfigError(
                    f"{what} is {json.dumps(now)}, but the run there was begun with {json.dumps(before)}",
                    where=str(self.path),
                    hint="name another folder",
                )
        write_atomic(path, _json(settings))

    def _stem(self, task: str, number: int) -> Path:
        folder = re.sub(r"[^A-Za-z0-9._-]", "_", task.replace("/", "__")).lstrip(".") or "_"
        return self.path / "rollouts" / folder / f"{number:03}.x"

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            data = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        return data if isinstance(data, dict) and ("task" in data or path.name == "config.json") else None


def _first_difference(name: str, now: Any, before: Any) -> tuple[str, Any, Any]:
    """Return the first setting within a setting that differs, as ``a.b``, and both its values."""
    if isinstance(now, dict) and isinstance(before, dict) and now.keys() == before.keys():
        key = next(key for key in now if now[key] != before[key])
        return _first_difference(f"{name}.{key}", now[key], before[key])
    return name, now, before


def predictions(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the first graded attempt of each task as SWE-bench's harness takes predictions.

    A task without a submission has an empty patch; one with errors only is left out.

    Source: https://www.swebench.com/SWE-bench/guides/evaluation/
    """
    first: dict[str, Mapping[str, Any]] = {}
    for record in records:
        if record["status"] != ERROR:
            first.setdefault(record["task"], record)
    return [
        {
            "instance_id": task.rpartition("/")[2],
            "model_name_or_path": record["policy"],
            "model_patch": record["patch"] or "",
        }
        for task, record in first.items()
    ]


def _json(data: Any) -> str:
    return json.dumps(data, indent=1) + "\n"
