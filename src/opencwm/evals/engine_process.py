"""A process that does cases of an evaluation: pickles in, pickles out.

Started by :class:`opencwm.evals.engine_workers.LocalEngine`; ends with it. The first message says where
modules are found and what the process opens for itself; each further one is a case.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from typing import BinaryIO

from opencwm.evals.engine_workers import Bench


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more."""

    def reply(message: object) -> None:
        pickle.dump(message, replies)
        replies.flush()

    path, openers = pickle.load(requests)  # noqa: S301 - from the process that started this one
    bench = Bench(openers, path)
    reply(None)
    while True:
        try:
            job = pickle.load(requests)  # noqa: S301 - likewise
        except EOFError:
            return
        reply(bench.do(job))


def main() -> None:
    """Serve standard input and output; what anything prints goes to standard error."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
