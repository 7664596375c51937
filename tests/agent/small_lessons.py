"""A small task by hand, that tests share."""

from __future__ import annotations

from pathlib import Path

from opencwm.agent.small.lessons import Lesson, read_lessons
from opencwm.agent.small.make import SmallTask, write_small_task

SOURCE = """\
def low(x):
    y = x + 1
    if y < 3:
        return y
    return 3
"""
TASK = SmallTask(
    source=SOURCE,
    broken=SOURCE.replace("x + 1", "x - 1"),
    examples=(("low(0)", "1"), ("low(1)", "2"), ("low(9)", "3")),
    failing=(0, 1),
    operator="swap-arithmetic",
    group="low",
    licence="",
)


def one_lesson(folder: Path) -> Lesson:
    """Write the task and read it back."""
    write_small_task(TASK, 0, folder)
    (lesson,) = read_lessons(folder)
    return lesson
