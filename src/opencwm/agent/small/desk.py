"""The tools on a small task without a box of its own: files are texts, programs run in a :class:`Runner`.

It answers as :class:`~opencwm.agent.tools.Toolbox` does, to the letter, for what is done with small tasks: to
look at a file, to run the examples, ``edit``, ``undo`` and ``submit``. Other commands of ``bash`` are unknown
here. A rollout takes milliseconds, so a model can practise; what it can do is told by rollouts in boxes.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import posixpath
import re
from collections.abc import Mapping
from typing import Final

from opencwm.agent.box import WORKDIR, RunResult, RunStatus
from opencwm.agent.calls import Call
from opencwm.agent.edits import ToolError, apply_block, block, lines_of, numbered
from opencwm.agent.episode import Limits
from opencwm.agent.small.examples_file import RUN, TESTS, passes
from opencwm.agent.small.runner import Runner
from opencwm.agent.tools import (
    NOTHING_TO_SUBMIT,
    NOTHING_TO_UNDO,
    UNDONE,
    Outcome,
    edit_text,
    shortened,
    submission_text,
    told,
)

TOOLS: Final = ("bash", "edit", "submit", "undo")
_UNKNOWN: Final = 127


class Desk:
    """A :class:`~opencwm.agent.loop.Tools` over the files of one small task.

    Args:
        files: by name.
        runner: runs programs; entered.
        limits: see :class:`~opencwm.agent.episode.Limits`.
    """

    names = TOOLS

    def __init__(self, files: Mapping[str, str], runner: Runner, limits: Limits) -> None:
        self._begun = dict(files)
        self._files = dict(files)
        self._runner = runner
        self._limits = limits
        self._kept: list[dict[str, str]] = []
        self._submitted: dict[str, str] | None = None

    def use(self, call: Call) -> Outcome:
        """Do what a call asks for.

        Raises:
            SandboxError: the runner failed.
        """
        tools = {"bash": self._bash, "edit": self._edit, "submit": self._submit, "undo": self._undo}
        try:
            outcome = tools[call.name](call)
        except ToolError as problem:
            outcome = Outcome(text=str(problem), is_problem=True)
        return dataclasses.replace(outcome, text=shortened(outcome.text, self._limits.output_chars))

    def patch(self) -> str:
        """Return all changes so far, as git writes them."""
        return "".join(
            git_patch(name, self._begun[name], text)
            for name, text in sorted(self._files.items())
            if text != self._begun[name]
        )

    def is_solved(self) -> bool:
        """Whether the examples pass with what was submitted last and the tests as they were.

        Raises:
            SandboxError: the runner failed.
        """
        if self._submitted is None or self._submitted[TESTS] != self._begun[TESTS]:
            return False
        ran = self._runner.run(self._submitted, TESTS)
        return ran.exit_code == 0 and passes(ran.output)

    def _bash(self, call: Call) -> Outcome:
        command = call.arguments["command"].strip()
        if command == RUN:
            ran = self._runner.run(self._files, TESTS)
            output, code = ran.output, ran.exit_code
        elif command.startswith("cat ") and command.split()[-1] in self._files:
            lines = self._files[command.split()[-1]].removesuffix("\n").split("\n")
            output, code = numbered(lines, 1, len(lines)) if " -n " in command else "\n".join(lines), 0
        else:
            output, code = f"bash: line 1: {command.split()[0]}: command not found", _UNKNOWN
        status = RunStatus.TIMEOUT if code is None else RunStatus.EXITED
        result = RunResult(status=status, exit_code=code, output=output, num_output_bytes=0, wall_s=0.0)
        return Outcome(text=told(result, self._limits.timeout_s), exit_code=code)

    def _edit(self, call: Call) -> Outcome:
        path = call.arguments["path"]
        name = posixpath.relpath(posixpath.normpath(posixpath.join(WORKDIR, path.strip())), WORKDIR)
        if name not in self._files:
            raise ToolError(f"there is no file {path} (the session is in {WORKDIR})")
        wanted = block(lines_of(call.arguments["search"]), lines_of(call.arguments["replacement"]))
        edited = apply_block(self._files[name], wanted, path)
        self._kept.append(dict(self._files))
        self._files[name] = edited.text
        return Outcome(text=edit_text(path, edited, self._limits.context_lines))

    def _undo(self, _: Call) -> Outcome:
        if not self._kept:
            raise ToolError(NOTHING_TO_UNDO)
        self._files = self._kept.pop()
        return Outcome(text=UNDONE, restored=True)

    def _submit(self, call: Call) -> Outcome:
        if name := call.arguments["result"]:
            raise ToolError(f"there is no file {name} (the session is in {WORKDIR})")
        if not (patch := self.patch()):
            raise ToolError(NOTHING_TO_SUBMIT)
        self._submitted = dict(self._files)
        return Outcome(text=submission_text(patch), submitted=patch)


def git_patch(path: str, old: str, new: str) -> str:
    """Write the change of a file as ``git diff`` does, index line and headings of hunks included."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    lines = [
        f"diff --git a/{path} b/{path}\n",
        f"index {_blob(old)}..{_blob(new)} 100644\n",
        *difflib.unified_diff(before, after, f"a/{path}", f"b/{path}"),
    ]
    return "".join(
        _with_heading(line, before) if line.startswith("@@ ")
        else line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in lines
    )  # fmt: skip


def _blob(text: str) -> str:
    data = text.encode("utf-8", "replace")
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()[:7]


def _with_heading(line: str, before: list[str]) -> str:
    """Add the last line above a hunk that begins at the margin, as git does for Python."""
    start = re.match(r"@@ -(\d+)", line)
    above = before[: int(start[1]) - 1] if start else []
    found = next((text for text in reversed(above) if re.match(r"[A-Za-z_$]", text)), "")
    return f"{line.rstrip()} {found.rstrip()[:80].rstrip()}\n" if found else line
