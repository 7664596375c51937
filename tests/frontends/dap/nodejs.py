"""node and npm for tests: installed packages live beside their lock file and are renewed when it changes."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL_S = 240


def found_node() -> str:
    """Return the path of node.

    Without node and npm the test is skipped; where OPENCWM_REQUIRE_NODE is set, as in CI, it fails.
    """
    node = shutil.which("node")
    if node is not None and shutil.which("npm") is not None:
        return node
    if os.environ.get("OPENCWM_REQUIRE_NODE"):
        pytest.fail("node and npm are needed here, and not installed")
    pytest.skip("NODE IS MISSING: the debug adapter is not tested with real clients (apt install nodejs npm)")


def installed(folder: Path) -> str:
    """Install what a folder's ``package-lock.json`` says and return the path of node."""
    node = found_node()
    npm = shutil.which("npm") or ""
    lock, done = folder / "package-lock.json", folder / "node_modules" / ".installed"
    with (folder / ".installing").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # several workers of a test run
        if not done.exists() or done.read_bytes() != lock.read_bytes():
            command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=INSTALL_S)
            done.write_bytes(lock.read_bytes())
    return node
