"""What an agent has changed in its repository, as a patch; its own index and commits are left as they are."""

from __future__ import annotations

from typing import Final

from opencwm.agent.box import Box, RunStatus
from opencwm.core.errors import SandboxError

_INDEX: Final = "/tmp/.opencwm-index"  # noqa: S108 - in a box, which is the agent's own
_PATCH: Final = "/tmp/.opencwm-patch"  # noqa: S108
_NOT_BY_PRODUCTS: Final = " ".join(
    f"':(exclude,glob)**/{name}'" for name in ("__pycache__/**", "*.pyc", ".pytest_cache/**")
)
"""What running leaves behind, and no one means to submit."""
_SCRIPT: Final = (
    f"cp -f .git/index {_INDEX} 2>/dev/null; export GIT_INDEX_FILE={_INDEX};"
    f" git -c core.safecrlf=false add -A -- . {_NOT_BY_PRODUCTS} >/dev/null 2>&1 &&"
    f' git diff --cached --binary --no-color --no-ext-diff --no-textconv "$1" > {_PATCH}'
)
_TIMEOUT_S: Final = 60.0


class Changes:
    """Tells what was changed since it was made.

    Args:
        box: started; its workdir is a git repository with a commit.

    Raises:
        SandboxError: the workdir is no such repository.
    """

    def __init__(self, box: Box) -> None:
        self._box = box
        self._base = self._run(["git", "rev-parse", "--verify", "HEAD"]).strip()

    def patch(self) -> str | None:
        """Return all changes as ``git diff`` writes them, new files included, without bytecode and caches.

        None when git fails: the agent may have done anything to the repository, also removed it.
        """
        try:
            self._run(["bash", "--noprofile", "--norc", "-c", _SCRIPT, "bash", self._base])
            return self._box.read_file(_PATCH).decode("utf-8", "replace")
        except (SandboxError, OSError):
            return None

    def _run(self, command: list[str]) -> str:
        result = self._box.run(command, timeout_s=_TIMEOUT_S, cwd=self._box.spec.workdir)
        if result.status is not RunStatus.EXITED or not result.is_success:
            raise SandboxError("git does not work in the box", where=result.output.strip()[:200])
        return result.output
