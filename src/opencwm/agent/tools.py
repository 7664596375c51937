"""The tools at work in a box: what each call does, and what the model is told came of it.

Whatever a model asks for, the answer is text: a call that cannot be done is answered with what to do instead.
Only a box that itself failed raises.
"""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opencwm.agent.box import Box, RunResult, RunStatus
from opencwm.agent.calls import Call
from opencwm.agent.changes import Changes
from opencwm.agent.edits import (
    CONTEXT_LINES,
    Edited,
    ToolError,
    apply_block,
    block,
    lines_of,
    surroundings,
)
from opencwm.agent.shell import Shell
from opencwm.core.errors import SandboxError

PUBLISHED: Final = ("bash", "edit", "create", "submit")
"""The tools that facebook/cwm was trained with."""
UNDONE: Final = "The files are again as they were before your last edit or create."
NOTHING_TO_UNDO: Final = "no edit or create stands that could be taken back"
NOTHING_TO_SUBMIT: Final = "nothing was changed in the repository, so there is nothing to submit"
_EXISTS, _NO_PARENT = 10, 11
_CREATABLE: Final = f'[ -e "$1" -o -L "$1" ] && exit {_EXISTS}; [ -d "$2" ] || exit {_NO_PARENT}'


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a call.

    Attributes:
        text: what the model is told, shortened.
        is_problem: whether it could not be done as asked; a command that fails is none.
        exit_code: of a command that ended by itself.
        submitted: the patch that was handed in.
        restored: whether the files were brought back to how they were before an edit.
        forecast: what a planner said of it beforehand, JSON-able; see :mod:`opencwm.agent.planning.planner`.
    """

    text: str
    is_problem: bool = False
    exit_code: int | None = None
    submitted: str | None = None
    restored: bool = False
    forecast: Mapping[str, Any] | None = None


class Toolbox:
    """The tools over one box.

    Args:
        box: started.
        names: of the tools that are offered.
        timeout_s: seconds a command of ``bash`` may take.
        output_chars: most characters of an answer.
        context_lines: shown above and below an edit.
    """

    def __init__(
        self,
        box: Box,
        names: Sequence[str] = PUBLISHED,
        *,
        timeout_s: float = 120.0,
        output_chars: int = 16_000,
        context_lines: int = CONTEXT_LINES,
    ) -> None:
        self.names = tuple(names)
        self._box = box
        self._shell = Shell(box)
        self._changes = Changes(box)
        self._timeout_s = timeout_s
        self._output_chars = output_chars
        self._context_lines = context_lines
        self._snapshots: list[str] = []
        self._keeps_snapshots = "undo" in self.names

    def use(self, call: Call) -> Outcome:
        """Do what a call asks for.

        Raises:
            SandboxError: the box failed.
        """
        tools = {
            "bash": self._bash,
            "edit": self._edit,
            "create": self._create,
            "submit": self._submit,
            "undo": self._undo,
        }
        try:
            outcome = tools[call.name](call)
        except ToolError as problem:
            outcome = Outcome(text=str(problem), is_problem=True)
        except OSError as error:
            outcome = Outcome(text=f"that cannot be done: {error.strerror or error}", is_problem=True)
        return dataclasses.replace(outcome, text=shortened(outcome.text, self._output_chars))

    def patch(self) -> str | None:
        """Return all changes of the repository so far; None when it is no repository any more."""
        return self._changes.patch()

    def _bash(self, call: Call) -> Outcome:
        result = self._shell.run(call.arguments["command"], timeout_s=self._timeout_s)
        return Outcome(text=told(result, self._timeout_s), exit_code=result.exit_code)

    def _edit(self, call: Call) -> Outcome:
        path = self._path(call)
        text = self._read(path, call.arguments["path"])
        wanted = block(lines_of(call.arguments["search"]), lines_of(call.arguments["replacement"]))
        edited = apply_block(text, wanted, call.arguments["path"])
        self._keep()
        self._write(path, edited.text)
        return Outcome(text=edit_text(call.arguments["path"], edited, self._context_lines))

    def _create(self, call: Call) -> Outcome:
        path, name = self._path(call), call.arguments["path"]
        result = self._box.run(
            ["bash", "--noprofile", "--norc", "-c", _CREATABLE, "bash", path, posixpath.dirname(path)]
        )
        if result.exit_code == _EXISTS:
            raise ToolError(f"{name} exists already; change it with edit")
        if result.exit_code == _NO_PARENT:
            raise ToolError(f"the folder of {name} does not exist; make it with bash first")
        self._keep()
        self._write(path, call.arguments["content"])
        num_lines = len(lines_of(call.arguments["content"]))
        return Outcome(text=f"{name} was made, with {num_lines} line{'' if num_lines == 1 else 's'}.")

    def _submit(self, call: Call) -> Outcome:
        name = call.arguments["result"]
        patch = self._read(self._path(call, "result"), name) if name else self.patch()
        if patch is None:
            raise ToolError(
                f"{self._box.spec.workdir} is no git repository any more, so nothing can be taken"
            )
        if not patch.strip():
            raise ToolError(f"{name} is empty, so there is nothing to submit" if name else NOTHING_TO_SUBMIT)
        if name and "diff --git " not in patch:
            raise ToolError(f"{name} holds no patch as `git diff` writes it: write one, then submit its path")
        return Outcome(text=submission_text(patch), submitted=patch)

    def _undo(self, _: Call) -> Outcome:
        if not self._snapshots:
            raise ToolError(NOTHING_TO_UNDO)
        self._box.restore(self._snapshots.pop())
        return Outcome(text=UNDONE, restored=True)

    def _keep(self) -> None:
        """Keep the files as they are before a change, as long as the box can hold more."""
        if self._keeps_snapshots:
            try:
                self._snapshots.append(self._box.snapshot())
            except SandboxError:
                self._snapshots.clear()
                self._keeps_snapshots = False

    def _path(self, call: Call, argument: str = "path") -> str:
        path = call.arguments[argument].strip()
        if "\0" in path or len(path) > 4_096:
            raise ToolError("that is no path of a file")
        return posixpath.normpath(posixpath.join(self._shell.cwd, path))

    def _read(self, path: str, name: str) -> str:
        try:
            data = self._box.read_file(path)
        except FileNotFoundError:
            raise ToolError(f"there is no file {name} (the session is in {self._shell.cwd})") from None
        except IsADirectoryError:
            raise ToolError(f"{name} is a folder") from None
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise ToolError(f"{name} is not UTF-8 text; change it with bash") from None

    def _write(self, path: str, text: str) -> None:
        self._box.write_file(path, text.encode("utf-8", "replace"))


def shortened(text: str, most: int) -> str:
    """Return a text whose middle is left out when it is longer than ``most`` characters, and that says so."""
    if len(text) <= most:
        return text
    half = most // 2
    left_out = text[half : len(text) - half]
    note = (
        f"[{len(left_out)} characters ({left_out.count(chr(10))} lines) are left out here: write long output"
        " to a file and look at parts of it]"
    )
    return f"{text[:half]}\n{note}\n{text[len(text) - half :]}"


def edit_text(path: str, edited: Edited, context_lines: int) -> str:
    """Return what a model is told of an edit."""
    shown = surroundings(edited, context_lines)
    return f"{path} was changed at line {edited.lineno}. The lines around the change are now:\n{shown}"


def submission_text(patch: str) -> str:
    """Return what a model is told of a submission."""
    return (
        f"This patch is submitted:\n\n<submission>\n{patch.rstrip()}\n</submission>\n\nIf it solves"
        " the task, end with a summary and no further call. Otherwise go on and submit again."
    )


def told(result: RunResult, timeout_s: float) -> str:
    """Return what a model is told of a command."""
    said = result.output.rstrip("\n")
    if result.status is RunStatus.TIMEOUT:
        note = (
            f"[not done within {timeout_s:g} s: everything it had started was ended; the session goes on as"
            " it was before this command]"
        )
    elif result.status is RunStatus.DISK_FULL:
        note = "[ended: it wrote more than may be written; remove what is not needed]"
    elif result.exit_code:
        note = f"[exit status {result.exit_code}]"
    else:
        note = "" if said else "[no output]"
    return "\n".join(filter(None, (said, note)))
