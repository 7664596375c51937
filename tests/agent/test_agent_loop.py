"""The loop with policies that do as they please, over tools that only say what they were asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from opencwm.agent.calls import Call
from opencwm.agent.conversation import FunctionCall, Occasion, Reply, Utterance
from opencwm.agent.episode import Episode, Limits, Stop
from opencwm.agent.loop import num_tokens, run_agent
from opencwm.agent.scripted import NOTHING_MORE, Play, ScriptedPolicy, fixed, read_script
from opencwm.agent.tools import Outcome, shortened
from opencwm.core.errors import ConfigError, EngineError

from .rollout_tasks import ALL_TOOLS, call

OPENING = (Utterance(role="system", text="rules"), Utterance(role="user", text="task"))
OCCASION = Occasion(task="t", rollout=0, seed=1, tools=ALL_TOOLS)


class Echo:
    """Tools whose repository is what was created last."""

    names = ALL_TOOLS

    def __init__(self) -> None:
        self.now = ""

    def use(self, call: Call) -> Outcome:
        if call.name == "create":
            self.now = call.arguments["content"]
        return Outcome(text=f"did {call.name}", submitted=self.now or "p" if call.name == "submit" else None)

    def patch(self) -> str | None:
        return self.now


def played(*turns: str | Reply, **limits: float) -> Episode:
    speaker = ScriptedPolicy(fixed(*turns)).begin(OCCASION)
    return run_agent(speaker, Echo(), OPENING, Limits(**limits))  # type: ignore[arg-type]


def test_a_submission_and_a_last_word_end_it() -> None:
    episode = played("<think>\nhm\n</think>\nLook.\n" + call("bash", "ls"), call("submit"), "## Summary")
    assert episode.stop is Stop.FINISHED
    assert episode.submitted == "p"
    first = episode.turns[0]
    assert (first.thought, first.text) == ("hm", "Look.")
    assert first.call == Call("bash", {"command": "ls"})
    answer = first.answers[0]
    assert (answer.role, answer.tool) == ("tool", "bash")
    assert answer.text.startswith("<output>\ndid bash\n</output>\n\n<budget>\n* Remaining turns: 127\n")
    assert episode.turns[-1].answers == ()


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("I am lost.", "makes no call"),
        (call("bash", "a") + "\n" + call("bash", "b"), "2 calls in one turn"),
        ("<tool: bash>\nls", "does not end with a line </tool>"),
        (call("python", "1"), "there is no tool 'python'"),
        (call("edit", "a.py"), "one block of this form"),
        ("<think>\nand on and on", "does not end with </think>"),
        (call("bash", "x" * 300_000), "more than 262144 are not taken"),
    ],
)
def test_turns_that_break_the_rules_are_told_and_end_it_in_the_end(said: str, problem: str) -> None:
    episode = played(*[said] * 9, malformed=3, tokens=10**7)
    assert episode.stop is Stop.MALFORMED
    assert len(episode.turns) == 3
    assert problem in episode.turns[0].problem
    told = episode.turns[0].answers[0]
    assert told.role == "user"
    assert problem in told.text
    assert "Make exactly one call" in told.text


def test_who_never_submits_runs_into_the_limit_on_turns() -> None:
    episode = played(*[call("bash", f"echo {n}") for n in range(9)], turns=4)
    assert (episode.stop, episode.submitted, len(episode.turns)) == (Stop.TURNS, None, 4)


def test_the_same_again_and_again_is_a_loop() -> None:
    episode = played(*[call("bash", "ls")] * 20, repeats=6)
    assert (episode.stop, len(episode.turns)) == (Stop.LOOP, 6)


def test_a_submission_counts_also_when_a_limit_ends_it() -> None:
    episode = played(call("submit"), call("bash", "ls"), call("bash", "pwd"), turns=2)
    assert (episode.stop, episode.submitted) == (Stop.TURNS, "p")


def test_the_context_is_counted_by_the_policy_or_estimated() -> None:
    assert played(*[call("bash", "x" * 3_000)] * 9, tokens=2_500).stop is Stop.CONTEXT
    counted = Reply(text=call("bash", "ls"), num_prompt_tokens=90, num_tokens=20)
    assert len(played(*[counted] * 9, tokens=105).turns) == 1
    assert num_tokens([*OPENING, Utterance(role="assistant", text="", reply=counted)]) == 110


def test_time_that_is_up_ends_it() -> None:
    assert played(call("bash", "ls"), wall_s=1e-9).stop is Stop.TIME


def test_going_back_to_an_earlier_state_is_recorded() -> None:
    episode = played(call("create", "a\none"), call("create", "a\ntwo"), call("create", "a\none"), turns=3)
    assert [turn.backtracked_to for turn in episode.turns] == [None, None, 1]
    assert [turn.patch for turn in episode.turns] == ["one\n", "two\n", "one\n"]


def test_function_calls_are_answered_by_their_ids() -> None:
    one = Reply(text="", calls=(FunctionCall("bash", '{"command": "ls"}', "a"),))
    two = Reply(text="", calls=(*one.calls, FunctionCall("bash", "{}", "b")))
    bad = Reply(text="", calls=(FunctionCall("bash", "{", "c"),))
    episode = played(one, two, bad, turns=3)
    assert [[(a.role, a.call_id) for a in turn.answers] for turn in episode.turns] == [
        [("tool", "a")],
        [("tool", "a"), ("tool", "b")],
        [("tool", "c")],
    ]
    assert [bool(turn.problem) for turn in episode.turns] == [False, True, True]


def test_a_reply_that_was_cut_is_told_so() -> None:
    assert "limit on its length" in played(Reply(text="so", is_cut=True), turns=1).turns[0].problem


def test_an_error_of_the_policy_is_the_runs_to_record() -> None:
    def breaks(_: str, __: Occasion) -> Play:
        yield call("bash", "ls")
        raise EngineError("down")

    seen: list[int] = []
    with pytest.raises(EngineError, match="down"):
        run_agent(
            ScriptedPolicy(breaks).begin(OCCASION),
            Echo(),
            OPENING,
            Limits(),
            lambda turn: seen.append(turn.number),
        )
    assert seen == [1]


def test_long_output_loses_its_middle_and_says_so() -> None:
    text = shortened("a" * 5_000 + "\n" + "b" * 5_000, 1_000)
    assert text.startswith("a" * 500)
    assert text.endswith("b" * 500)
    assert "9001 characters (1 lines) are left out here" in text
    assert shortened("short", 1_000) == "short"


def test_limits_below_their_least_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"limits.turns: must be larger"):
        Limits(turns=0)


SCRIPT = """\
%%% # for whatever is asked
%%% task special* rollout 1 2
%%% turn
<tool: bash>
ls
</tool>
%%% turn
Second.
%%% task *
%%% turn
Other.
"""


@pytest.mark.parametrize(
    ("task", "rollout", "turns"),
    [
        ("special/one", 1, ["<tool: bash>\nls\n</tool>", "Second.", NOTHING_MORE]),
        ("special/one", 0, ["Other.", NOTHING_MORE]),
        ("t", 1, ["Other.", NOTHING_MORE]),
    ],
)
def test_scripts_say_their_turns(
    task: str, rollout: int, turns: list[str], script: Callable[[str], ScriptedPolicy]
) -> None:
    policy = script(SCRIPT)
    speak = policy.begin(Occasion(task=task, rollout=rollout, seed=0, tools=ALL_TOOLS))
    assert [speak(OPENING).text for _ in turns] == turns


@pytest.mark.parametrize("text", ["", "hello", "%%% turns\n", "%%% task\n", "%%% task * twice\n%%% turn\nx"])
def test_what_is_no_script_is_refused(text: str, script: Callable[[str], ScriptedPolicy]) -> None:
    with pytest.raises(ConfigError):
        script(text)


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], ScriptedPolicy]:
    def read(text: str) -> ScriptedPolicy:
        path = tmp_path / "s.txt"
        path.write_text(text)
        return read_script(path)

    return read
