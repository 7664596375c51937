"""The other Pythons of this machine, for tests that compare what they do; skipped where one is absent."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
"""Those that are supported."""


@functools.cache
def interpreter(version: str) -> str | None:
    """Find a Python of that version that really starts.

    Looked for in the paths that the environment variable OPENCWM_PYTHONS lists, separated as PATH is, then on
    the path and among pyenv's.
    """
    named = os.environ.get("OPENCWM_PYTHONS", "").split(os.pathsep)
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    in_pyenv = map(str, sorted(root.glob(f"{version}.*/bin/python")))
    found = [*named, shutil.which(f"python{version}"), *in_pyenv]
    for candidate in filter(None, found):
        answer = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.stdout.strip() == version:
            return candidate
    return None
