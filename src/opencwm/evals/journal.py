"""Results that survive a killed evaluation: one JSON line per case, appended and fsynced.

The first line says what was evaluated and how. Opening the same folder again goes on where the last run
stopped; opening it for another model, other data or other settings is an error, because mixing them would
give a number of nothing.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypeVar

from opencwm.core.errors import ConfigError
from opencwm.model.together import Worker, one_by_one

SCHEMA_VERSION = 1
FILE_NAME = "results.jsonl"
_KIND = "opencwm eval results"

Record = dict[str, Any]
"""What is kept of one case: a JSON object."""

Progress = Callable[[int, int], object]
"""Called with the number of cases done and the number there are, first before anything is done."""

Case = TypeVar("Case")


class Journal:
    """The results so far of one evaluation, in ``folder/results.jsonl`` or, without a folder, only in memory.

    Args:
        folder: where the file is or will be; created when missing.
        settings: everything the results depend on, as JSON.

    Attributes:
        settings: as they come back from JSON.
        records: key of a case -> its record, in the order they were added.

    Raises:
        ConfigError: the folder holds results of other settings, is no folder of results, or is in use.

    """

    def __init__(self, folder: Path | None, settings: Mapping[str, Any]) -> None:
        self.records: dict[str, Record] = {}
        self.settings: Record = json.loads(json.dumps(settings))
        self._file: BinaryIO | None = None
        if folder is None:
            return
        self.path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b")
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", where=str(folder)) from None
        try:
            self._lock(self._file)
            self._load(self._file)
        except BaseException:
            self._file.close()
            raise

    def append(self, key: str, record: Record) -> None:
        """Add the record of a case; it is on disk when this returns.

        Raises:
            ValueError: the key has a record already.

        """
        if key in self.records:
            raise ValueError(f"{key!r} has a result already")
        self._write({"key": key, "record": record})
        self.records[key] = json.loads(json.dumps(record))

    def complete(
        self,
        cases: Mapping[str, Case],
        evaluate: Callable[[Case], Record],
        progress: Progress | None,
        worker: Worker = one_by_one,
    ) -> list[Record]:
        """Evaluate the cases that have no record yet; return the records of all, in the order of the cases.

        Args:
            cases: by key.
            evaluate: returns the record of one.
            progress: told before the first and after every case.
            worker: does the cases, one after the other or several together.
        """
        if progress is not None:
            progress(len(self.records), len(cases))
        missing = {key: case for key, case in cases.items() if key not in self.records}
        keys = list(missing)
        for number, record in worker(functools.partial(evaluate, case) for case in missing.values()):
            self.append(keys[number], record)
            if progress is not None:
                progress(len(self.records), len(cases))
        return [self.records[key] for key in cases]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, line: Record) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def _lock(self, file: BinaryIO) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError("another evaluation is writing here", where=str(self.path)) from None

    def _load(self, file: BinaryIO) -> None:
        file.seek(0)
        data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):  # the last run was killed while it wrote this line
            file.truncate(len(whole))
        lines = whole.split(b"\n")[:-1]
        if not lines:
            self._write({"kind": _KIND, "schema_version": SCHEMA_VERSION, "settings": self.settings})
            return
        self._check_header(self._parse(lines[0], 1))
        for number, line in enumerate(lines[1:], 2):
            entry = self._parse(line, number)
            if not isinstance(entry.get("key"), str) or not isinstance(entry.get("record"), dict):
                raise ConfigError("not a result", where=f"{self.path}:{number}")
            self.records[entry["key"]] = entry["record"]

    def _parse(self, line: bytes, number: int) -> Record:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            hint = "delete the file to start over"
            raise ConfigError("not a line of evaluation results", where=f"{self.path}:{number}", hint=hint)
        return entry

    def _check_header(self, header: Record) -> None:
        if header.get("kind") != _KIND:
            raise ConfigError(
                "not a file of evaluation results", where=str(self.path), hint="name another folder"
            )
        if header.get("schema_version") != SCHEMA_VERSION:
            version = header.get("schema_version")
            raise ConfigError(
                f"results of schema version {version!r}, expected {SCHEMA_VERSION}", where=str(self.path)
            )
        there = header.get("settings")
        there = there if isinstance(there, dict) else {}
        for name in sorted(there.keys() | self.settings.keys()):
            if there.get(name) != self.settings.get(name):
                old, new = (json.dumps(values.get(name)) for values in (there, self.settings))
                raise ConfigError(
                    f"{name} is {new}, but the results there were made with {old}",
                    where=str(self.path),
                    hint="name another folder, or delete this one to start over",
                )
