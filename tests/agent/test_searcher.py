"""The searcher, played against answers that are made up."""

from __future__ import annotations

from opencwm.agent.conversation import Occasion, Utterance
from opencwm.agent.searcher import repairs, searcher

SOURCE = "def low(x):\n    return x < 3\n\n\ndef take(x):\n    return x + 1"
FAILS = "> assert take(3) == 2\nE assert 4 == 2\ntests/test_a.py:3: AssertionError\n1 failed, 2 passed"


def test_repairs_change_one_token_and_compile() -> None:
    found = {(repair.lineno, repair.line.strip()) for repair in repairs(SOURCE)}
    assert {(2, "return x <= 3"), (2, "return x < 4"), (6, "return x - 1")} <= found
    assert list(repairs("def (")) == []


def test_it_changes_what_the_failure_names_and_submits_when_tests_pass() -> None:
    speak = searcher().begin(
        Occasion(task="t", rollout=0, seed=1, tools=("bash", "edit", "create", "submit", "undo"))
    )
    now, said, answer = SOURCE, [], "the task"
    for _ in range(40):
        turn = speak([Utterance(role="user", text=answer)]).text
        said.append(turn.split("\n", 1)[0])
        if "pytest" in turn:
            answer = "3 passed" if "x - 1" in now else FAILS
        elif "git ls-files" in turn:
            answer = "a.py"
        elif "cat --" in turn:
            answer = SOURCE
        elif turn.startswith("<tool: edit>"):
            now, answer = turn.partition("=======\n")[2], "a.py was changed at line 6."
        elif turn.startswith("<tool: undo>"):
            now, answer = SOURCE, "taken back"
        answer = f"<output>\n{answer}\n</output>"
        if turn.startswith("Line 6"):
            break
    assert said[-2] == "<tool: submit>"
    assert said[-1].startswith("Line 6 of a.py was wrong")
    assert said.count("<tool: edit>") == said.count("<tool: undo>") + 1
