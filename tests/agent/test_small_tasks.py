"""Small tasks: made in numbers, sound when graded, and the desk that stands for a box."""

from __future__ import annotations

from pathlib import Path

import pytest

from opencwm.agent.box import open_box
from opencwm.agent.calls import parse_content
from opencwm.agent.conversation import Occasion
from opencwm.agent.edits import DIVIDER, REPLACE, SEARCH
from opencwm.agent.episode import Stop
from opencwm.agent.grading import why_invalid
from opencwm.agent.loop import run_agent
from opencwm.agent.searcher import searcher
from opencwm.agent.small.desk import TOOLS, Desk
from opencwm.agent.small.examples_file import RUN, SHOW, SOLUTION, TESTS, examples_text, passes
from opencwm.agent.small.functions import SmallFunction, functions_of
from opencwm.agent.small.lessons import LIMITS, demonstrate, read_lessons
from opencwm.agent.small.make import SmallConfig, draw_small_tasks, make_small_tasks
from opencwm.agent.small.phrases import tokenizer
from opencwm.agent.small.runner import Runner
from opencwm.agent.task import read_task
from opencwm.agent.tools import Toolbox
from opencwm.core.errors import ConfigError, TaskError, TraceFormatError

from .rollout_tasks import write_task
from .small_lessons import SOURCE, TASK, one_lesson


def edit(search: str, replacement: str) -> str:
    return f"{SOLUTION}\n{SEARCH}\n{search}\n{DIVIDER}\n{replacement}\n{REPLACE}"


def test_generated_functions_make_tasks_and_a_seed_fixes_them(tmp_path: Path) -> None:
    config = SmallConfig(num_tasks=2, seed=5, per_function=1)
    drawn = list(draw_small_tasks([], config))
    assert len({task.name for task in drawn}) == 2
    for task in drawn:
        assert 0 < len(task.failing) < len(task.examples)
        changed = task.source.split("\n")[task.lineno - 1], task.broken.split("\n")[task.lineno - 1]
        assert changed[0] != changed[1]
    assert make_small_tasks([], tmp_path, config) == [task.name for task in drawn]
    assert [lesson.line for lesson in read_lessons(tmp_path)] == [
        task.source.split("\n")[task.lineno - 1] for task in sorted(drawn, key=lambda task: task.name)
    ]


def test_a_small_task_is_sound_when_graded_in_boxes(tmp_path: Path) -> None:
    lesson = one_lesson(tmp_path)
    assert why_invalid(read_task(lesson.task.directory)) == ""


def test_the_desk_answers_as_a_box_does(tmp_path: Path) -> None:
    lesson = one_lesson(tmp_path)
    calls = [
        ("bash", SHOW),
        ("bash", RUN),
        ("undo", ""),
        ("submit", ""),
        ("edit", edit("    if z < 3:", "    if z < 4:")),
        ("edit", edit("    y = x - 1", "    y = x +")),
        ("bash", RUN),
        ("undo", ""),
        ("edit", edit("    y = x - 1", "    y = x + 1")),
        ("bash", RUN),
        ("submit", ""),
    ]
    with Runner() as runner, open_box(lesson.task.box_spec()) as box:
        desk = Desk(lesson.files, runner, LIMITS)
        box_tools = Toolbox(
            box, TOOLS, timeout_s=2.0, output_chars=LIMITS.output_chars, context_lines=LIMITS.context_lines
        )
        for name, content in calls:
            call = parse_content(name, content, TOOLS)
            assert desk.use(call) == box_tools.use(call), content
            assert desk.patch() == box_tools.patch()
        assert desk.is_solved()


def test_programs_are_run_apart_and_ended_in_time() -> None:
    text = examples_text([("f()", "1")])
    with Runner(timeout_s=0.5) as runner:
        right = runner.run({SOLUTION: "def f():\n    return 1\n", TESTS: text}, TESTS)
        broken = runner.run({SOLUTION: "def f(:\n", TESTS: text}, TESTS)
        endless = runner.run({SOLUTION: "while True: pass\n", TESTS: text}, TESTS)
        ends = runner.run({SOLUTION: "import os\nos._exit(7)\n", TESTS: text}, TESTS)
        loud = runner.run({"a.py": "print('x' * 9000)"}, "a.py")
    assert (right.output, right.exit_code) == ("1 of 1 examples pass", 0)
    assert broken.output.startswith("f() gives SyntaxError in line 1 and not 1")
    assert endless.exit_code is None
    assert (ends.output, ends.exit_code) == ("", 7)
    assert len(loud.output) < 5_000
    assert passes(right.output)
    assert not passes(broken.output)


def test_a_demonstration_goes_back_and_is_not_taught_what_it_took_back(tmp_path: Path) -> None:
    lesson, words = one_lesson(tmp_path), tokenizer()
    with Runner() as runner:
        found = [demonstrate(lesson, words, runner, seed) for seed in range(12)]
        cut = demonstrate(lesson, words, runner, 0, is_whole=False)
    detours = 0
    for written in found:
        assert written is not None
        said = words.decode([token for token, keeps in zip(written.ids, written.mask, strict=True) if keeps])
        assert said.count("<tool: edit>") == 1
        assert "    y = x + 1\n" in said
        assert said.endswith("Done.<|eot_id|>")
        detours += said.count("<tool: undo>")
    assert detours
    assert cut is not None
    assert words.decode(cut.ids).endswith(f"{REPLACE}\n</tool><|eot_id|>")


def test_the_searcher_runs_the_examples_and_says_when_it_gives_up(tmp_path: Path) -> None:
    lesson = one_lesson(tmp_path)
    hopeless = {**lesson.files, TESTS: examples_text([("low(0)", "'no'")])}
    occasion = Occasion(task="t", rollout=0, seed=1, tools=TOOLS)
    with Runner() as runner:
        desk = Desk(lesson.files, runner, LIMITS)
        episode = run_agent(searcher().begin(occasion), desk, lesson.opening, LIMITS)
        assert (episode.stop, desk.is_solved()) == (Stop.FINISHED, True)
        desk = Desk(hopeless, runner, LIMITS)
        limits = LIMITS.__class__(turns=99, context_lines=1)
        episode = run_agent(searcher().begin(occasion), desk, lesson.opening, limits)
    assert (episode.stop, episode.submitted) == (Stop.GAVE_UP, None)


def test_what_makes_no_small_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="num_tasks"):
        SmallConfig(num_tasks=0)
    (tmp_path / "a.parquet").write_bytes(b"no")
    with pytest.raises(TraceFormatError, match="no trace file"):
        next(functions_of([tmp_path / "a.parquet"], 0))
    write_task(tmp_path)
    with pytest.raises(TaskError, match="no small task"):
        read_lessons(tmp_path)


def test_generated_functions_are_small_and_have_calls() -> None:
    found = next(functions_of([], 3))
    assert isinstance(found, SmallFunction)
    assert found.calls
    assert TASK.broken != SOURCE
