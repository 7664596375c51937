"""The prompt's words beyond pdb's: transcripts as users see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from debugged import endless, real, traced
from engines import CODEC, random_engine

from opencwm.debugger.cancellation import Cancellation
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.prompt import Prompt
from opencwm.debugger.session import Session
from opencwm.debugger.testing import ScriptedExecution, predicted_from
from opencwm.model.folder import ModelFolder


def transcript(session: Session, commands: str) -> str:
    lines: list[str] = []
    Prompt(session, lines.append).run_commands(commands)
    return "\n".join(lines) + "\n"


def answers(session: Session, *commands: str) -> list[str]:
    """Return the first line that each command writes."""
    found = []
    for command in commands:
        lines: list[str] = []
        Prompt(session, lines.append).execute(command)
        found.append(lines[0] if lines else "")
    return found


def test_the_state_before_needs_a_model_and_values_that_are_known() -> None:
    session = Session(real("count"))
    assert answers(session, "before") == ["*** there is no model here to ask"]
    world = NativeWorldModel(ModelFolder.__new__(ModelFolder), CODEC, random_engine(1))

    def asked(command: str) -> list[str]:
        lines: list[str] = []
        Prompt(session, lines.append, model=lambda: world).execute(command)
        return lines

    assert "no line ran before in this function" in asked("before")[0]
    session.run_to(5)
    for wrong in ("before n", "before n = ", "before **n", "before n = 1)(", "before n = 1; x"):
        assert asked(wrong) == ["*** usage: before [NAME = VALUE, ...]"]
    assert asked("before n = nothing")[0].startswith("*** n has no known value")
    session.step_into()
    assert session.locals["n"].text == "1"
    assert asked("before") == ["n = 0  (worked out; is predicted to lead here)"]
    assert all("predicted to lead here)" in line for line in asked("before n = n + 4") if "=" in line)


def test_transcript_of_watching_catching_and_logging_both_ways() -> None:
    assert (
        transcript(
            Session(real("count")),
            "watch n in count, n > 0; catch ArithmeticError; log 5, {c} is the one; hits 1 >= 2; b; c; why;"
            "rewind; c; c; c",
        )
        == """\
(cwm) watch n in count, n > 0
Data breakpoint 1 at change of n in count
(cwm) catch ArithmeticError
Exception breakpoint 2 at ArithmeticError raised
(cwm) log 5, {c} is the one
Log point 3 at count.py:5
(cwm) hits 1 >= 2
Breakpoint 1 stops at hits >= 2
(cwm) b
  1 keep      yes at change of n in count, only if n > 0, at hits >= 2
  2 keep      yes at ArithmeticError raised
  3 keep      yes at count.py:5, logs {c} is the one
(cwm) c
[log 3, step 11, line 5] 'r' is the one
[log 3, step 14, line 5] 'r' is the one
[data breakpoint 1, n changed from 1 to 2 by line 5, hit 2]
> count.py(3)count()
-> for c in word:
    n = 2
(cwm) why
step 15: data breakpoint 1, n changed from 1 to 2 by line 5, hit 2
(cwm) rewind
[log 3, step 14, line 5] 'r' is the one
[data breakpoint 1, n changed from 1 to 2 by line 5, hit 2]
> count.py(5)count()
-> n += 1
(cwm) c
[data breakpoint 1, n changed from 1 to 2 by line 5, hit 2]
> count.py(3)count()
-> for c in word:
    n = 2
(cwm) c
[exception breakpoint 2, ZeroDivisionError('division by zero') raised]
ZeroDivisionError('division by zero')
> count.py(12)f()
-> return 10 / (k - 2)
(cwm) c
--End-- the program returned 'none'
"""
    )


def test_transcript_of_going_elsewhere() -> None:
    assert (
        transcript(
            Session(real("count")), "goto 4 2; occ 4; who n; seek 2; trail 1 3; goto 4; u; refr; goto 4 9"
        )
        == """\
(cwm) goto 4 2
> count.py(4)count()
-> if c == letter:
    c = 'r'
(cwm) occ 4
step 8, step 10, step 13
(cwm) who n
> count.py(2)count()
-> n = 0
(cwm) seek 2
--Call--
> count.py(9)f()
-> def f(word):
    word = 'brr'
(cwm) trail 1 3
     1  line        16          main
>    2  call         9            f  word
     3  line        10            f
(cwm) goto 4
> count.py(4)count()
-> if c == letter:
    c = 'b'
(cwm) u
> count.py(11)f()
-> k = count(word, 'r')
(cwm) refr
--Call--
> count.py(9)f()
-> def f(word):
    word = 'brr'
(cwm) goto 4 9
*** line 4 is about to run 3 times as far as is known
"""
    )


def test_transcript_of_timelines() -> None:
    assert (
        transcript(
            Session(predicted_from(traced("count"))),
            "goto 4; set n = 7; tl; s; history n; timeline 1; p n; drop 2; tl",
        )
        == """\
(cwm) goto 4
> count.py(4)count()
-> if c == letter:
    c = 'b'  (predicted 90%)
(cwm) set n = 7
> count.py(4)count()
-> if c == letter:
    n = 7  (supplied)
    c = 'b'  (predicted 90%)
(cwm) tl
   1  as it began
>  2  n = 7 set at step 8, line 4, was 0
(cwm) s
> count.py(3)count()
-> for c in word:
(cwm) history n
step    7  line    2  n = 0  (predicted 90%)    n = 0
step    8  set by hand  n = 7  (supplied)
(cwm) timeline 1
[timeline 1: as it began]
> count.py(4)count()
-> if c == letter:
    c = 'b'  (predicted 90%)
(cwm) p n
0  (carried, predicted 90%)
(cwm) drop 2
Dropped timeline 2
(cwm) tl
>  1  as it began
"""
    )


def test_an_answer_of_the_model_says_that_it_is_one() -> None:
    execution = predicted_from(traced("count"))
    session = Session(execution)
    session.run_to(4)
    execution.answers = lambda _program, _state: predicted_from(traced("recursion"), probability=0.999)
    (said,) = answers(session, "ask count(word, c)")
    assert said.startswith("8  (predicted ")
    assert said.endswith("%, by the model)")
    execution.answers = lambda _program, _state: predicted_from(traced("raises"))
    assert answers(session, "ask count(word, c)")[0].startswith("raises KeyError('b')  (predicted ")
    execution.answers = lambda _program, _state: predicted_from(traced("count"), malformed_at=3)
    assert answers(session, "ask count(word, c)") == [
        "*** not known: the model's step was malformed: no line follows"
    ]
    assert answers(session, "ask n + 1", "ask 1 + 1", "ask", "ask 1 / n") == [
        "1  (from predicted values, the least sure 90%)",
        "2",
        "*** usage: ask EXPRESSION",
        "*** ZeroDivisionError: division by zero",
    ]
    never = Session(execution, max_steps=5)
    never.goto(8)
    never.goto(8)
    execution.answers = lambda _program, _state: endless()
    assert answers(never, "ask count(word, c)") == [
        "*** not known: the model did not come to an end within 5 steps"
    ]


def test_the_divergence_is_gone_to() -> None:
    session = Session(predicted_from(traced("count"), wrong={12: {"n": "5"}}), real=real("count"))
    lines: list[str] = []
    Prompt(session, lines.append).execute("div")
    assert lines == ["> count.py(3)count()", "-> for c in word:", "    n = 5  (predicted 90%, really 1)"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("watch", "*** usage: watch NAME [in FUNCTION][, CONDITION]"),
        ("watch a b", "*** 'a b' is neither a variable nor a part of one"),
        ("watch n,", "*** a condition follows the comma"),
        ("watch n", "Data breakpoint 1 at change of n"),
        ("catch", "Exception breakpoint 1 at any exception raised"),
        (
            "catch uncaught KeyError ValueError",
            "Exception breakpoint 1 at KeyError or ValueError uncaught",
        ),
        ("log 5", "*** usage: log [FILE:]LINE | FUNCTION, MESSAGE"),
        ("log count, {word}", "Log point 1 at function count"),
        ("log count.py:5, {word", "*** no expression follows the brace: '{word'"),
        ("tbreak count", "Temporary function breakpoint 1 at function count"),
        ("hits 1", "*** no breakpoint numbered 1"),
        ("hits", "*** usage: hits NUMBER [WHICH]"),
        ("seek", "*** usage: seek STEP"),
        ("seek -1", "*** no step -1"),
        ("goto", "*** usage: g(oto) LINE [COUNT]"),
        ("goto 4 0", "*** times are counted from 1"),
        ("who", "*** usage: who NAME"),
        ("who n", "*** n has not changed in this function before"),
        ("occ 7", "*** no function has code on line 7"),
        ("div", "*** there is no real run to compare with"),
        ("timeline 3", "*** no timeline numbered 3 (there are: 1)"),
        ("drop 1", "*** the current timeline cannot be dropped"),
        ("ask count(word, 'r')", "*** not known: a recorded run holds only what happened"),
        ("why", "step 4: line 11"),
    ],
)
def test_answers_to_single_commands(command: str, answer: str) -> None:
    session = Session(real("count"))
    session.run_to(11)
    assert answers(session, command)[0].startswith(answer)


def test_a_move_and_a_question_may_be_watched() -> None:
    entered: list[str] = []

    @contextmanager
    def watching(session: Session) -> Iterator[None]:
        cancellation = Cancellation()
        cancellation.cancel()
        entered.append("watched")
        with session.watched(cancellation):
            yield

    execution = predicted_from(traced("count"))
    execution.answers = lambda program, _: ScriptedExecution(program, (), ())
    lines: list[str] = []
    prompt = Prompt(Session(execution), lines.append, watching=watching)
    prompt.execute("c")
    assert lines[0] == "[cancelled after 0 steps]"
    assert not prompt.execute("ask f(f)")
    assert lines[-1] == "*** cancelled after 0 steps"
    prompt.execute("p 1")
    assert len(entered) == 2


def test_an_empty_line_repeats_a_move_and_no_setting() -> None:
    session = Session(real("count"))
    prompt = Prompt(session, lambda _: None)
    for command in ("watch n", "log 5, x", "catch"):
        prompt.execute(command)
        prompt.execute("")
    assert len(session.breakpoints) == 3
