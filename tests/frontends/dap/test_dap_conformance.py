"""The server against Microsoft's own client, over stdio and TCP; the scenarios are in ``node/``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from .nodejs import installed

NODE = Path(__file__).parent / "node"
SERVER = "import sys\nfrom opencwm.frontends.cli import main\nsys.exit(main(['dap', *sys.argv[1:]]))\n"


def test_microsofts_client_is_served(tmp_path: Path) -> None:
    node = installed(NODE)
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    given = {"python": sys.executable, "script": str(script), "folder": str(tmp_path)}
    outcome = subprocess.run(
        [node, "--test", "--test-reporter=spec", "conformance.test.js"],
        cwd=NODE,
        env={**os.environ, "OPENCWM_TEST": json.dumps(given)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "skipped 0" in outcome.stdout
