"""Runs in a box: reads a job a line, forks a child that runs it, writes what it printed.

See ``opencwm.agent.small.runner``. Nothing of OpenCWM is there to be imported.
"""

import contextlib
import io
import json
import os
import pathlib
import resource
import runpy
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from typing import Any

MOST = 4000


def run(job: dict[str, Any], folder: str) -> int:
    """Run the program, in a child, and return its exit status."""
    for name, text in job["files"].items():
        pathlib.Path(folder, name).write_text(text, encoding="utf-8")
    os.chdir(folder)
    sys.path[:0] = [folder]
    sys.argv = [job["program"]]
    try:
        runpy.run_path(job["program"], run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def child(job: dict[str, Any], folder: str, write_end: int) -> None:
    """Become the program; does not return."""
    code = 1
    try:
        os.setsid()
        os.dup2(write_end, 1)
        os.dup2(write_end, 2)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), line_buffering=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), line_buffering=True)
        code = run(job, folder)
        sys.stdout.flush()
    finally:
        os._exit(code)


def read(descriptor: int, deadline: float) -> tuple[str, bool]:
    """Return what comes until the end, and whether that came in time."""
    data = b""
    while True:
        left = deadline - time.monotonic()
        ready = select.select([descriptor], [], [], max(left, 0.0))[0] if left > 0 else []
        if not ready:
            return data.decode("utf-8", "replace"), False
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return data.decode("utf-8", "replace"), True
        data = (data + chunk)[-16 * MOST :]


def serve(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job."""
    folder = tempfile.mkdtemp()
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        child(job, folder, write_end)
    os.close(write_end)
    output, in_time = read(read_end, time.monotonic() + job["timeout_s"])
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(read_end)
    shutil.rmtree(folder, ignore_errors=True)
    code: int | None = None
    if in_time:
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    if len(output) > MOST:
        output = output[: MOST // 2] + "\n[...]\n" + output[-MOST // 2 :]
    return {"output": output.replace(folder, "/testbed").rstrip("\n"), "exit_code": code}


def main() -> None:
    """Serve until the input ends."""
    sys.dont_write_bytecode = True
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for line in sys.stdin:
        answers.write(json.dumps(serve(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
