"""Small tasks and policies that the tests of the agent share."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from opencwm.agent.box import BoxSpec, open_box
from opencwm.agent.calls import parse_content
from opencwm.agent.tools import Outcome, Toolbox

CALC = """\
def add(a, b):
    return a - b


def twice(x):
    return 2 * x
"""
FIXED_LINE = "    return a + b"
FIX = f"calc.py\n<<<<<<< SEARCH\n    return a - b\n=======\n{FIXED_LINE}\n>>>>>>> REPLACE"
TEST_SCRIPT = """\
#!/bin/bash
cd /testbed
if python3 -c 'import calc; assert calc.add(2, 3) == 5 and calc.twice(4) == 8'
then echo 1; else echo 0; fi > /logs/verifier/reward.txt
"""
_FILES = '[metadata.opencwm]\nfiles = "environment/repo"\n'
ALL_TOOLS = ("bash", "edit", "create", "submit", "undo")


def write_task(folder: Path, name: str = "calc", *, test_script: str = TEST_SCRIPT) -> Path:
    """Write a task whose ``add`` subtracts, without pytest, for speed."""
    directory = folder / name
    for path, text in {
        "task.toml": f'version = "1.0"\n[task]\nname = "tests/{name}"\n{_FILES}',
        "instruction.md": "add(2, 3) is -1; mend it.\n",
        "environment/repo/calc.py": CALC,
        "tests/test.sh": test_script,
    }.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    return directory


@contextlib.contextmanager
def toolbox(folder: Path, names: tuple[str, ...] = ALL_TOOLS, **settings: int) -> Iterator[Toolbox]:
    """Yield tools over a box with ``calc.py`` in a repository."""
    (folder / "calc.py").write_text(CALC)
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    for command in (("init", "-q"), ("add", "-A"), (*identity, "commit", "-q", "-m", "one")):
        subprocess.run(["git", *command], cwd=folder, check=True)  # noqa: S607 - the git of this machine
    with open_box(BoxSpec(files=folder)) as box:
        yield Toolbox(box, names, **settings)


def use(tools: Toolbox, name: str, content: str = "") -> Outcome:
    """Make a call as a model writes it."""
    return tools.use(parse_content(name, content, tools.names))


def call(name: str, content: str = "") -> str:
    """Write a turn that makes a call."""
    return f"<tool: {name}>\n{content}\n</tool>"


SOLVES = (call("edit", FIX), call("submit"), "## Summary\nIt adds.")
