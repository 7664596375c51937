"""What engine processes of the tests do: they import this module by its name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


class Tool:
    """Something that every process opens for itself."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.pid = os.getpid()


def open_tool() -> Tool:
    return Tool("there")


def use(number: int, tool: Tool) -> tuple[int, str, bool]:
    time.sleep(0.02)
    return number * number, tool.place, tool.pid == os.getpid()


def die_once(number: int, mark: Path) -> int:
    """End the process at the first attempt of case 2."""
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def wait(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(60)


class HomelessError(Exception):
    """Cannot be built again from what it is pickled as."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} {other}")


def fail(error: str) -> None:
    print("what jobs print is in nobody's way")
    if error == "homeless":
        raise HomelessError("no", "home")
    raise KeyError(error)
