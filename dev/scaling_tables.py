"""Write the tables of docs/scaling.md: behind each ``<!-- dry run: ARGUMENTS -->`` the command's output.

python dev/scaling_tables.py
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

from opencwm.frontends.cli import main

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "scaling.md"
_MARK = re.compile(r"<!-- dry run: (?P<arguments>.*?) -->\n(?:\n```\n.*?```\n)?", re.DOTALL)


def with_tables(text: str) -> str:
    """Return the page with the output of every command it names, run anew."""
    return _MARK.sub(lambda found: f"{found[0].splitlines()[0]}\n\n{_block(found['arguments'])}", text)


def _block(arguments: str) -> str:
    command = f"opencwm train {arguments} --dry-run"
    recipe, *options = shlex.split(arguments)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        main(["train", str(ROOT / recipe), *options, "--dry-run"])
    return f"```\n$ {command}\n{out.getvalue()}```\n"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
