"""A bash session in a box: its folder, variables and functions last from one command to the next.

Each command gets a bash of its own, which takes up where the last one ended: what it leaves is written down
when it exits and read when the next begins. So a command that runs too long, is killed or ends the shell does
no harm to the session, and a snapshot of the box holds the session too. What does not last: processes in the
background, redirections by ``exec``, ``set -e`` and the like, and traps.
"""

from __future__ import annotations

from typing import Final

from opencwm.agent.box import Box, RunResult

FOLDER: Final = "/tmp/.opencwm-shell"  # noqa: S108 - in a box, which is the agent's own
_SCRIPT: Final = r"""
shopt -s expand_aliases
__opencwm_leave() {
  local status=$?
  { shopt -p; alias -p; declare -f; printf 'cd -- %q\n' "$PWD"; } > FOLDER/later 2>/dev/null
  { declare -p; cat FOLDER/later; } > FOLDER/next 2>/dev/null && mv -f FOLDER/next FOLDER/state
  printf %s "$PWD" > FOLDER/cwd
  exit $status
}
trap __opencwm_leave EXIT
[ -f FOLDER/state ] && . FOLDER/state 2>/dev/null
eval "$(<FOLDER/command)"
""".replace("FOLDER", FOLDER)


class Shell:
    """The session.

    Args:
        box: where it runs; started.
    """

    def __init__(self, box: Box) -> None:
        self._box = box

    def run(self, command: str, *, timeout_s: float) -> RunResult:
        """Run a command in the session; its processes have ended afterwards.

        Raises:
            SandboxError: the box failed.
            OSError: the box is full, so not even the command can be written down.
        """
        self._box.write_file(f"{FOLDER}/command", command.encode("utf-8", "replace"))
        return self._box.run(["bash", "--noprofile", "--norc", "-c", _SCRIPT, "bash"], timeout_s=timeout_s)

    @property
    def cwd(self) -> str:
        """Folder of the session, absolute in the box."""
        try:
            return self._box.read_file(f"{FOLDER}/cwd").decode("utf-8", "surrogateescape")
        except OSError:
            return self._box.spec.workdir
