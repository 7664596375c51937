"""The prompt: transcripts as users see them, and the same lines as pdb."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path

import pytest
from debugged import CALLS, endless, real, traced

from opencwm.debugger.display import percent
from opencwm.debugger.prompt import Prompt, split_commands
from opencwm.debugger.session import Session
from opencwm.debugger.testing import predicted_from
from opencwm.debugger.verbs import VERBS, by_command, by_dap


def transcript(session: Session, commands: str, *, prompt: Prompt | None = None) -> str:
    lines: list[str] = []
    if prompt is None:
        prompt = Prompt(session, lines.append)
    prompt.show()
    prompt.run_commands(commands)
    return "\n".join(lines) + "\n"


def test_transcript_of_stepping_a_recorded_run() -> None:
    assert (
        transcript(Session(real("count")), "s;s;;n;n;w;u;a;d;n;r;c;c")
        == """\
--Call--
> count.py(15)main()
-> def main():
(cwm) s
> count.py(16)main()
-> return f('brr')
(cwm) s
--Call--
> count.py(9)f()
-> def f(word):
    word = 'brr'
(cwm) n
> count.py(10)f()
-> try:
(cwm) n
> count.py(11)f()
-> k = count(word, 'r')
(cwm) w
  count.py(16)main()
-> return f('brr')
> count.py(11)f()
-> k = count(word, 'r')
(cwm) u
> count.py(16)main()
-> return f('brr')
(cwm) a
(cwm) d
> count.py(11)f()
-> k = count(word, 'r')
(cwm) n
> count.py(12)f()
-> return 10 / (k - 2)
    k = 2
(cwm) r
--Return--
> count.py(14)f()->'none'
-> return 'none'
    e deleted
(cwm) c
--End-- the program returned 'none'
(cwm) c
*** the end: the program returned 'none'; 'back' and 'restart' go back
"""
    )


def test_transcript_of_breakpoints() -> None:
    commands = (
        "b 5, n == 1; b count; b; c; p n; p n + k; ignore 1 1; condition 2 c == 'r'; restart; c; disable 2;"
        "cl 1; b; c; cl; b; b 7; b x; tbreak 3"
    )
    assert (
        transcript(Session(real("count")), commands)
        == """\
--Call--
> count.py(15)main()
-> def main():
(cwm) b 5, n == 1
Breakpoint 1 at count.py:5
(cwm) b count
Function breakpoint 2 at function count
(cwm) b
  1 keep      yes at count.py:5, only if n == 1
  2 keep      yes at function count
(cwm) c
[function breakpoint 2, count called]
--Call--
> count.py(1)count()
-> def count(word, letter):
    word = 'brr'
    letter = 'r'
(cwm) p n
*** not known: n is no local variable here
(cwm) p n + k
*** not known: n is no local variable here
(cwm) ignore 1 1
Breakpoint 1 lets pass 1 times
(cwm) condition 2 c == 'r'
Breakpoint 2 stops if c == 'r'
(cwm) restart
--Call--
> count.py(15)main()
-> def main():
(cwm) c
[function breakpoint 2, count called, its condition cannot be decided: c is no local variable here]
--Call--
> count.py(1)count()
-> def count(word, letter):
    word = 'brr'
    letter = 'r'
(cwm) disable 2
Disabled breakpoint 2
(cwm) cl 1
Removed breakpoint 1 at count.py:5
(cwm) b
  2 keep      no  at function count, only if c == 'r', last at hit 1
(cwm) c
--End-- the program returned 'none'
(cwm) cl
All breakpoints removed.
(cwm) b
No breakpoints.
(cwm) b 7
*** no function has code on line 7 (the next line that runs in a function is 10)
(cwm) b x
*** no function 'x'
(cwm) tbreak 3
Temporary breakpoint 3 at count.py:3
"""
    )


def test_transcript_of_a_prediction_beside_the_real_run() -> None:
    trace = traced("count")
    lines: list[str] = []
    predicted = predicted_from(trace, probability=0.974, wrong={7: {"n": "9"}})
    prompt = Prompt(Session(predicted, real=real("count")), lines.append)
    prompt.run_commands("g 3;s;v;conf;p n * 2;set n = 0;v;s;history n")
    assert (
        "\n".join(lines) + "\n"
        == """\
(cwm) g 3
> count.py(3)count()
-> for c in word:
    n = 9  (predicted 97%, really 0)
(cwm) s
> count.py(4)count()
-> if c == letter:
    c = 'b'  (predicted 97%, verified)
    *** n: predicted 9, really 0
(cwm) v
word = 'brr'  (carried, predicted 97%)
letter = 'r'  (carried, predicted 97%)
n = 9  (carried, predicted 97%)
c = 'b'  (predicted 97%)
(cwm) conf
this line follows: 97%
c: 97%
least sure up to here: step 5, 92%
(cwm) p n * 2
18  (from predicted values, the least sure 97%)
(cwm) set n = 0
> count.py(4)count()
-> if c == letter:
    n = 0  (supplied)
    c = 'b'  (predicted 97%)
(cwm) v
word = 'brr'  (carried, predicted 97%)
letter = 'r'  (carried, predicted 97%)
n = 0  (supplied)
c = 'b'  (predicted 97%)
(cwm) s
> count.py(3)count()
-> for c in word:
(cwm) history n
step    7  line    2  n = 9  (predicted 97%)    n = 0
step    8  set by hand  n = 0  (supplied)
"""
    )


def test_transcript_of_exceptions_and_going_back() -> None:
    assert (
        transcript(Session(real("raises")), "g 2;s;s;s;s;c;back;rr;rn;rc")
        == """\
--Call--
> raises.py(8)main()
-> def main():
(cwm) g 2
> raises.py(2)inner()
-> return d[k]
(cwm) s
KeyError('b')
> raises.py(2)inner()
-> return d[k]
(cwm) s
--Unwind--
> raises.py(2)inner()
-> return d[k]
(cwm) s
KeyError('b')
> raises.py(7)outer()
-> return inner(d, k)
(cwm) s
--Unwind--
> raises.py(7)outer()
-> return inner(d, k)
(cwm) c
--End-- the program raised KeyError('b')
(cwm) back
--Unwind--
> raises.py(9)main()
-> return outer('b')
(cwm) rr
--Call--
> raises.py(8)main()
-> def main():
(cwm) rn
[the first step]
--Call--
> raises.py(8)main()
-> def main():
(cwm) rc
[the first step]
--Call--
> raises.py(8)main()
-> def main():
"""
    )


def test_transcript_of_generators() -> None:
    shown = transcript(Session(real("generator")), "b 3;c;s;s;s;s")
    assert "--Yield--\n> generator.py(3)gen()->0\n-> yield i * 2\n" in shown
    assert "--Resume--" in shown


def test_transcript_of_listings() -> None:
    assert (
        transcript(Session(real("count")), "b 5;g 4;l;l;l;l 1,3;l 9;ll")
        == """\
--Call--
> count.py(15)main()
-> def main():
(cwm) b 5
Breakpoint 1 at count.py:5
(cwm) g 4
> count.py(4)count()
-> if c == letter:
    c = 'b'
(cwm) l
   1     def count(word, letter):
   2         n = 0
   3         for c in word:
   4 ->          if c == letter:
   5 B               n += 1
   6         return n
   7
   8
   9     def f(word):
  10         try:
  11             k = count(word, 'r')
(cwm) l
  12             return 10 / (k - 2)
  13         except ZeroDivisionError as e:
  14             return 'none'
  15     def main():
  16         return f('brr')
(cwm) l
*** end of file
(cwm) l 1,3
   1     def count(word, letter):
   2         n = 0
   3         for c in word:
(cwm) l 9
   4 ->          if c == letter:
   5 B               n += 1
   6         return n
   7
   8
   9     def f(word):
  10         try:
  11             k = count(word, 'r')
  12             return 10 / (k - 2)
  13         except ZeroDivisionError as e:
  14             return 'none'
(cwm) ll
   1     def count(word, letter):
   2         n = 0
   3         for c in word:
   4 ->          if c == letter:
   5 B               n += 1
   6         return n
"""
    )


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("foo", "*** unknown command: 'foo'; 'help' lists the commands"),
        ("foo.bar()", "*** unknown command: 'foo.bar()'; 'help' lists the commands"),
        ("x = 1", "*** unknown command: 'x'; 'help' lists the commands"),
        ("word", "'brr'"),
        ("word.upper()", "'BRR'"),
        ("!word + 'x'", "'brrx'"),
        ("word = 1", "*** to set a variable: set word = 1"),
        ("p", "*** usage: p EXPRESSION"),
        ("!", "*** usage: p EXPRESSION"),
        ("pp", "*** usage: pp EXPRESSION"),
        ("pp 'a  (b'", "'a  (b'"),
        ("s 3", "*** usage: s(tep)"),
        ("rewind all", "*** usage: rc, rewind"),
        ("l 17", "*** the file has 16 lines"),
        ("p word", "'brr'"),
        ("p 1 / 0", "*** ZeroDivisionError: division by zero"),
        ("p open('x')", "*** not known: open is no local variable here"),
        ("pp {'a': 1}", "{'a': 1}"),
        ("set word", "*** usage: set NAME = VALUE"),
        ("set word = 1", "*** cannot set word in a recorded run: what would have followed"),
        ("goto x", "*** a number is wanted, not 'x'"),
        ("enable", "*** usage: enable NUMBER..."),
        ("enable 4", "*** no breakpoint numbered 4"),
        ("ignore", "*** usage: ignore NUMBER [COUNT]"),
        ("break 5,", "*** a condition follows the comma"),
        ("break 5, n ==", "*** not an expression: 'n ==' (invalid syntax)"),
        ("condition 1 x", "*** no breakpoint numbered 1"),
        ("history 1", "*** usage: history NAME"),
        ("history nope", "*** nope has not changed in this function"),
        ("d", "*** newest frame"),
        ("u 9", "> count.py(16)main()"),
        ("conf", "observed, not predicted"),
        ("help nope", "*** no command 'nope'"),
        ("help b", "b(reak) [[FILE:]LINE | FUNCTION][, CONDITION]: stop at a line or at calls; alone:"),
        ("b count.py:4", "Breakpoint 1 at count.py:4"),
        ("tbreak", "*** usage: tbreak [FILE:]LINE | FUNCTION[, CONDITION]"),
    ],
)  # fmt: skip
def test_answers_to_single_commands(command: str, answer: str) -> None:
    lines: list[str] = []
    session = Session(real("count"))
    session.run_to(10)
    assert not Prompt(session, lines.append).execute(command)
    assert lines[0].startswith(answer)


def test_an_empty_line_repeats_and_quit_quits() -> None:
    lines: list[str] = []
    session = Session(real("count"))
    prompt = Prompt(session, lines.append)
    assert not prompt.execute("")
    prompt.execute("s")
    prompt.execute("")
    assert session.position == 2
    prompt.execute("restart")
    prompt.execute("")
    assert session.position == 0
    assert prompt.execute("q")
    assert Prompt(session, lines.append).run_commands("s; quit; s")
    assert session.position == 1


def test_run_reads_until_there_is_no_more() -> None:
    answers = iter(["s", "s", None])
    asked: list[str] = []
    lines: list[str] = []

    def read(prefix: str) -> str | None:
        asked.append(prefix)
        return next(answers)

    session = Session(real("count"))
    Prompt(session, lines.append).run(read)
    assert session.position == 2
    assert asked == ["(cwm) "] * 3


def test_an_endless_prediction_gives_the_prompt_back() -> None:
    assert transcript(Session(endless(), max_steps=50), "c").endswith(
        "[stopped after 50 steps, not there yet]\n> endless.py(4)main()\n-> n += 1\n"
    )


def test_the_end_of_a_prediction_is_compared_with_the_real_end() -> None:
    trace = traced("count")
    lines: list[str] = []
    predicted = predicted_from(trace, status="the program returned 'many'")
    prompt = Prompt(Session(predicted, real=real("count")), lines.append)
    prompt.run_commands("c")
    assert lines[1:] == [
        "--End-- the program returned 'many'",
        "    *** the real run: the program returned 'none'",
    ]
    lines.clear()
    prompt = Prompt(Session(predicted_from(trace, malformed_at=6), real=real("count")), lines.append)
    prompt.run_commands("c")
    assert lines[1:] == [
        "--End-- the model's step was malformed: no line follows",
        "    *** the real run goes on to line 2",
    ]


def test_help_lists_every_command_once_in_groups() -> None:
    lines: list[str] = []
    Prompt(Session(real("count")), lines.append).execute("help")
    commands = [line for line in lines if line.startswith("  ")]
    assert len(commands) == len({verb.command for verb in VERBS if verb.command})
    assert all(": " in line and "\\n" not in line and len(line) <= 100 for line in commands)
    assert [line for line in lines[:-1] if not line.startswith("  ")] == [
        "Move:",
        "Look:",
        "Ask the model:",
        "Say where to stop:",
        "Other:",
    ]


def test_the_table_of_verbs_names_things_that_exist() -> None:
    session = Session(real("count"))
    for verb in VERBS:
        assert not verb.method or attrgetter(verb.method)(session) is not None
        assert verb.method or verb.command
        if verb.command:
            assert (getattr(Prompt, f"do_{verb.command}").__doc__ or "").startswith("``")
    requests = [verb.dap for verb in VERBS if verb.dap]
    assert len(requests) == len(set(requests))
    words = [word for verb in VERBS for word in (verb.command, *verb.aliases) if word]
    assert len(words) == len(set(words))
    for word, method in [
        ("s", "step_into"),
        ("n", "step_over"),
        ("r", "step_out"),
        ("c", "continue_"),
        ("rev", "step_back"),
    ]:
        found = by_command(word)
        assert found is not None
        assert found.method == method
    stepped = by_dap("stepIn")
    assert stepped is not None
    assert stepped.method == "step_into"
    assert by_command("nope") is None
    assert by_dap("nope") is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("s;s; p n ;c", ["s", "s", "p n", "c"]),
        ('p \'a;b\';;p "x;\\";"', ["p 'a;b'", 'p "x;\\";"']),
        ("p [1;2];n", ["p [1;2]", "n"]),
        ("s\nn\n", ["s", "n"]),
        ("", []),
        (") ; s", [")", "s"]),
    ],
)
def test_commands_are_split_outside_of_quotes(text: str, parts: list[str]) -> None:
    assert split_commands(text) == parts


@pytest.mark.parametrize(
    ("probability", "text"),
    [(1.0, "100%"), (0.9996, ">99.9%"), (0.9949, "99.4%"), (0.979, "97%"), (0.005, "<1%"), (0.01, "1%")],
)
def test_a_probability_never_looks_surer_than_it_is(probability: float, text: str) -> None:
    assert percent(probability) == text


PDB_STOP = re.compile(r"> \S*program\.py\((\d+)\)(\w+|<module>)\(\)")
OUR_STOP = re.compile(r"^> .*?\((\d+)\)([\w.<>]+)\(\)", re.MULTILINE)


def pdb_stops(source: str, commands: Sequence[str], folder: Path) -> list[tuple[int, str]]:
    """Return the (line, function) that pdb shows after each command, from the call of main on."""
    path = folder / "program.py"
    path.write_text(f"{source}main()\n", encoding="utf-8")
    script = "\n".join(["b main", "c", "cl 1", *commands, "q"]) + "\n"
    answer = subprocess.run(
        [sys.executable, "-m", "pdb", str(path)],
        input=script,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    shown = answer.stdout.partition("Deleted breakpoint")[2]
    return [(int(line), name) for line, name in PDB_STOP.findall(shown)]


@pytest.mark.parametrize("name", ["count", "recursion", "raises"])
@pytest.mark.parametrize(
    "commands",
    ["s " * 14, "s s s n n n", "s s s s n n r n", "s s s s s s unt n r", "n", "s s r n", "s s n n n n n n"],
)
def test_forward_moves_visit_the_same_lines_as_pdb(name: str, commands: str, tmp_path: Path) -> None:
    execution = real(name)
    words = commands.split()
    expected = pdb_stops(execution.program.text, words, tmp_path)
    lines: list[str] = []
    session = Session(execution)
    session.step_into()  # pdb's breakpoint stops at the first line of main
    prompt = Prompt(session, lines.append)
    found = []
    for word in words:
        lines.clear()
        prompt.execute(word)
        found += [(int(line), function) for line, function in OUR_STOP.findall("\n".join(lines))]
        if session.is_ended:
            break
    while expected and expected[-1][1] not in {"main", "count", "f", "fact", "both", "inner", "outer"}:
        expected.pop()  # pdb goes on in the module
    assert found == expected[: len(found)]
    assert len(found) >= min(len(expected), len(words)) - 1
    assert found


def test_every_program_ends_by_continue() -> None:
    for name in CALLS:
        lines: list[str] = []
        Prompt(Session(real(name)), lines.append).run_commands("c")
        assert lines[-1].startswith("--End-- the program ")
