"""A patch applied to a version, by git in an empty folder of its own; nothing of it is run."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from opencwm.agent.planning.versions import Version
from opencwm.core.errors import ConfigError

_TOUCHED: Final = re.compile(r"(?m)^(?:---|\+\+\+) (?:[ab]/)?([^\t\n]+)")


def patched(version: Version, patch: str, *, where: str = "patch") -> Version:
    """Return a version with a patch applied, as ``git diff`` writes it.

    Only Python files count; what else it changes is passed over. An empty one changes nothing.

    Raises:
        ConfigError: it does not apply.
    """
    if not patch.strip():
        return version
    touched = {path for path in _TOUCHED.findall(patch) if path != "/dev/null"}
    with tempfile.TemporaryDirectory(prefix="opencwm-patch-") as name:
        folder = Path(name)
        for path in touched & version.texts.keys():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(version.texts[path], encoding="utf-8")
        done = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", "--include=*.py", "-"],  # noqa: S607 - of this machine
            cwd=folder,
            input=patch.encode("utf-8", "surrogateescape"),
            capture_output=True,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(folder.parent)},
            check=False,
        )
        if done.returncode:
            told = done.stderr.decode(errors="replace").strip().splitlines()
            raise ConfigError(f"does not apply: {told[0] if told else 'git apply failed'}", where=where)
        after = Version.of_folder(folder).texts
    kept = {path: text for path, text in version.texts.items() if path not in touched}
    return Version({**kept, **after})
