"""The ``opencwm`` command: parse, call one library function, print.

stdout carries data, stderr carries talk. What the user did wrong is one line and exit status 2;
``--traceback`` shows the rest. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (default: ``sys.argv[1:]``) and return the exit status.

    0: done. 2: the input, the model or the command line is wrong, see stderr. 130: interrupted.
    """
    from opencwm.frontends.cli import app

    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a value with a lone surrogate must not end the run
    try:
        return app.invoke(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read us has seen enough
        return 0
    finally:
        _drop_unwritten()


def _drop_unwritten() -> None:
    """Drop what stdout cannot take, which Python would try to write again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
