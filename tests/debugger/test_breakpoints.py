"""Breakpoints of each kind on recorded runs, and the texts they are set with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from debugged import endless, real
from hypothesis import given, settings
from hypothesis import strategies as st

from opencwm.core.errors import ConfigError
from opencwm.debugger.breakpoints import ExceptionMode
from opencwm.debugger.execution import RealExecution
from opencwm.debugger.hit_condition import HitCondition
from opencwm.debugger.log_message import MAX_CHARS, LogMessage
from opencwm.debugger.session import Session
from opencwm.debugger.stops import StopKind
from opencwm.tracer import record
from opencwm.traces import Program

NESTED = """\
class Shape:
    def area(self):
        return 0


class Square(Shape):
    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side ** 2


class TooLarge(ValueError):
    pass


def check(n):
    if n > 3:
        raise TooLarge(n)
    return n


def total(sides):
    found = 0
    for side in sides:
        try:
            found += check(side)
        except ValueError:
            del side
    return found + Square(2).area()


def fails():
    return {}['key']
"""


def session(call: str = "total([1, 9, 2])") -> Session:
    return Session(RealExecution(record(Program.from_call(NESTED, call, filename="nested.py"))))


def reasons(made: Session) -> list[str]:
    found = []
    while not (stop := made.continue_()).is_end:
        found.append(stop.reason)
    return found


def test_a_function_is_named_by_all_or_the_last_parts_of_its_name() -> None:
    for name, expected in [("area", 1), ("Square.area", 1), ("Shape.area", 0), ("check", 3)]:
        made = session()
        made.breakpoints.add_function(name)
        assert len(reasons(made)) == expected
    made = session()
    made.breakpoints.add_function("area")
    stop = made.continue_()
    assert (stop.kind, stop.reason) == (
        StopKind.FUNCTION_BREAKPOINT,
        "function breakpoint 1, Square.area called",
    )
    assert made.stack[-1].function == "Square.area"


def test_a_generator_that_goes_on_is_not_called_again() -> None:
    made = Session(real("generator"))
    made.breakpoints.add_function("gen")
    assert len(reasons(made)) == 1


def test_conditions_see_the_arguments_of_a_call() -> None:
    made = session()
    made.breakpoints.add_function("check", "n > 3")
    made.continue_()
    assert made.locals["n"].text == "9"


def test_exceptions_stop_where_they_are_raised_not_where_they_pass() -> None:
    made = Session(real("raises"))
    made.breakpoints.add_exception()
    assert reasons(made) == ["exception breakpoint 1, KeyError('b') raised"]
    made.restart()
    stop = made.continue_()
    assert (stop.kind, made.stack[-1].function) == (StopKind.EXCEPTION, "inner")


@pytest.mark.parametrize(
    ("types", "call", "expected"),
    [
        ((), "total([9])", 1),
        (("TooLarge",), "total([9])", 1),
        (("ValueError",), "total([9])", 1),
        (("Exception",), "total([9])", 1),
        (("KeyError", "TypeError"), "total([9])", 0),
        (("LookupError",), "fails()", 1),
        (("ValueError",), "fails()", 0),
        (("no.such.Error",), "fails()", 0),
    ],
)
def test_types_of_exceptions_are_those_of_the_file_and_of_python(
    types: tuple[str, ...], call: str, expected: int
) -> None:
    made = session(call)
    made.breakpoints.add_exception("raised", types)
    assert len(reasons(made)) == expected


def test_what_is_odd_about_a_program_is_no_warning_of_ours() -> None:
    made = Session(RealExecution(record(Program.from_call("def f():\n    return '\\d'[9]\n", "f()"))))
    made.breakpoints.add_exception("raised", ("LookupError",))
    assert len(reasons(made)) == 1


def test_uncaught_exceptions_stop_where_nothing_holds_them_any_more() -> None:
    made = session()
    made.breakpoints.add_exception(ExceptionMode.UNCAUGHT)
    assert reasons(made) == []
    made = session("fails()")
    made.breakpoints.add_exception("uncaught")
    assert reasons(made) == ["exception breakpoint 1, KeyError('key') is not caught"]
    assert made.continue_back().kind is StopKind.EXCEPTION
    assert made.stack[-1].function == "fails"


def test_data_stops_after_the_change_and_going_back_at_its_line() -> None:
    made = session()
    made.breakpoints.add_data("found", "total")
    assert reasons(made) == [
        "data breakpoint 1, found changed to 0 by line 25",
        "data breakpoint 1, found changed from 0 to 1 by line 28",
        "data breakpoint 1, found changed from 1 to 3 by line 28",
    ]
    lines = []
    while made.continue_back().kind is StopKind.DATA_BREAKPOINT:
        lines.append((made.step.lineno, made.last_stop.reason))
    assert lines == [
        (28, "data breakpoint 1, found changed from 1 to 3 by line 28"),
        (28, "data breakpoint 1, found changed from 0 to 1 by line 28"),
        (25, "data breakpoint 1, found changed to 0 by line 25"),
    ]


ACCOUNT = """\
class Account:
    def __init__(self, owner):
        self.owner = owner
        self.total = 0
        self.log = []

    def put(self, amount):
        self.log.append(amount)
        self.total += amount
        if amount > 5:
            del self.total


def main():
    account = Account('a')
    account.put(3)
    account.put(9)
    rates = {'a': 1, 'b': 2}
    rates['b'] = 3
    rates['a'] = 4
    return account.owner
"""


def account() -> Session:
    return Session(RealExecution(record(Program(ACCOUNT, "main", filename="account.py"))))


def test_data_may_be_an_attribute_or_an_item() -> None:
    made = account()
    made.breakpoints.add_data("self.total", "put")
    assert [text.partition(", ")[2] for text in reasons(made)] == [
        "self.total passed as 0",
        "self.total changed from 0 to 3 by line 9",
        "self.total passed as 3",
        "self.total changed from 3 to 12 by line 9",
        "self.total deleted by line 11",
    ]
    assert made.continue_back().kind is StopKind.DATA_BREAKPOINT
    assert made.step.lineno == 11
    assert made.continue_back().reason.endswith("self.total changed from 3 to 12 by line 9")
    assert made.step.lineno == 9
    made = account()
    made.breakpoints.add_data("rates['b']")
    assert [text.partition(", ")[2] for text in reasons(made)] == [
        "rates['b'] changed to 2 by line 18",
        "rates['b'] changed from 2 to 3 by line 19",
    ]
    assert [str(change.value and change.value.text) for change in made.history("rates['a']")] == ["1", "4"]


def test_a_part_that_is_not_shown_is_not_known_to_change() -> None:
    source = "def f():\n    xs = {i: i for i in range(2000)}\n    xs[1999] = 0\n    xs[0] = 5\n    return 1\n"
    made = Session(RealExecution(record(Program(source, "f"))))
    made.breakpoints.add_data("xs[1999]")
    assert reasons(made) == []


@pytest.mark.parametrize("name", ["self.", "self total", "f()", "self[x]", "", "1", "self.total, x"])
def test_what_is_no_part_of_a_variable_is_refused(name: str) -> None:
    made = account()
    with pytest.raises(ConfigError, match="neither a variable nor a part"):
        made.breakpoints.add_data(name)
    with pytest.raises(ConfigError, match="other is no local variable of put"):
        made.breakpoints.add_data("other.total", "put")


def test_data_is_that_of_one_function_or_of_all() -> None:
    made = session()
    made.breakpoints.add_data("n", "check")
    assert reasons(made) == [f"data breakpoint 1, n passed as {n}" for n in (1, 9, 2)]
    made = session()
    made.breakpoints.add_data("side")
    assert [text.partition(", ")[2] for text in reasons(made)] == [
        "side changed to 1 by line 26",
        "side changed from 1 to 9 by line 26",
        "side deleted by line 30",
        "side changed to 2 by line 26",
        "side passed as 2",
    ]


def test_hits_are_counted_from_the_first_step_whichever_way_one_goes() -> None:
    made = Session(real("count"))
    item = made.breakpoints.add_line(4, hit_condition="2")
    stop = made.continue_()
    assert (made.locals["c"].text, stop.reason) == ("'r'", "breakpoint 1, line 4, hit 2")
    assert made.continue_().is_end
    assert made.continue_back() == stop
    assert item.num_hits == 2
    made.restart()
    assert made.continue_() == stop
    item.hit_condition = HitCondition.parse("% 3")
    assert made.continue_().reason == "breakpoint 1, line 4, hit 3"


def test_all_that_stop_at_a_step_are_told_and_the_temporary_ones_go() -> None:
    made = Session(real("count"))
    made.breakpoints.add_line(4, is_temporary=True)
    made.breakpoints.add_line(4, "c == 'b'")
    stop = made.continue_()
    assert stop.breakpoints == (1, 2)
    assert stop.reason == "breakpoint 1, line 4; breakpoint 2, line 4"
    assert [item.number for item in made.breakpoints] == [2]
    assert made.continue_().is_end


def test_what_is_disabled_neither_stops_nor_logs() -> None:
    made = Session(real("count"))
    for item in (made.breakpoints.add_line(4), made.breakpoints.add_line(4, log_message="here")):
        item.is_enabled = False
    stop = made.continue_()
    assert stop.is_end
    assert not stop.logs


def test_log_messages_are_filled_in_and_never_stop() -> None:
    made = Session(real("count"))
    made.breakpoints.add_line(4, log_message="c={c} n={n + 1} {{}} {nope}")
    stop = made.continue_()
    assert stop.is_end
    texts = [entry.text for entry in stop.logs]
    assert texts[0] == "c='b' n=1 {} <not known: nope is no local variable here>"
    assert [(entry.breakpoint, entry.lineno) for entry in stop.logs] == [(1, 4)] * 3
    assert made.continue_().logs == ()
    back = made.continue_back()
    assert [entry.text for entry in back.logs] == texts[::-1]
    assert made.step_into().logs == ()
    while made.step.lineno != 4:
        stop = made.step_into()
    assert [entry.text for entry in stop.logs] == texts[:1]


def test_an_object_is_logged_as_it_is_shown() -> None:
    made = session()
    made.breakpoints.add_function("area", log_message="{self} {self.side}")
    (entry,) = made.continue_().logs
    assert entry.text.startswith("Square(side=2) ")


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("3", [3]),
        ("== 3", [3]),
        (">= 3", [3, 4, 5]),
        ("> 3", [4, 5]),
        ("<=2", [1, 2]),
        (" < 2 ", [1]),
        ("%2", [2, 4]),
    ],
)
def test_hit_conditions(text: str, hits: list[int]) -> None:
    condition = HitCondition.parse(text)
    assert [hit for hit in range(1, 6) if condition.holds(hit)] == hits
    assert HitCondition.parse(str(condition)) == condition


@settings(deadline=None)
@given(st.text(max_size=12))
def test_a_hit_condition_is_one_or_a_clear_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(HitCondition.parse(text).holds(1), bool)


@settings(deadline=None)
@given(
    st.text(alphabet="ab {}'\"[]():+1", max_size=30),
    st.dictionaries(st.sampled_from("ab"), st.text(max_size=5)),
)
def test_any_message_is_filled_or_refused(template: str, texts: dict[str, str]) -> None:
    try:
        message = LogMessage.parse(template)
    except ConfigError:
        assert "{" in template
    else:
        assert isinstance(message.fill(texts), str)
        if "{" not in template and "}" not in template:
            assert message.fill(texts) == template


@pytest.mark.parametrize(
    ("template", "filled"),
    [("{ {1: 2}[1] }", "2"), ("{'}'}", "'}'"), ("a}b", "a}b"), ("{{{a}}}", "{7}"), ("{1 / 0}", None)],
)
def test_braces_in_messages(template: str, filled: str | None) -> None:
    text = LogMessage.parse(template).fill({"a": "7"})
    assert text == (filled or "<ZeroDivisionError: division by zero>")


def test_what_makes_no_sense_is_refused_and_leaves_nothing_behind() -> None:
    made = session()
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: made.breakpoints.add_line(4), "no function has code on line 4"),
        (lambda: made.breakpoints.add_line(3, hit_condition="often"), "not a hit condition"),
        (lambda: made.breakpoints.add_line(3, hit_condition="% 0"), "not a hit condition"),
        (lambda: made.breakpoints.add_line(3, log_message="{1 +}"), "no expression follows"),
        (lambda: made.breakpoints.add_line(3, log_message="x" * (MAX_CHARS + 1)), "at most"),
        (lambda: made.breakpoints.add_function("chekc"), "no function 'chekc'"),
        (lambda: made.breakpoints.add_exception("sometimes"), "no exception mode"),
        (lambda: made.breakpoints.add_exception("raised", ("1",)), "not the name"),
        (lambda: made.breakpoints.add_data("nope"), "no local variable of any function"),
        (lambda: made.breakpoints.add_data("side", "check"), "no local variable of check"),
        (lambda: made.breakpoints.add_data("side", "nope"), "no function 'nope'"),
        (lambda: made.breakpoints.add_line(3, "1 +"), "not an expression"),
        (lambda: made.breakpoints.remove(1), "no breakpoint numbered 1"),
    ]
    for add, message in cases:
        with pytest.raises(ConfigError, match=message):
            add()
    assert len(made.breakpoints) == 0
    assert made.breakpoints.add_line(3).number == 1


def test_a_near_name_is_offered() -> None:
    with pytest.raises(ConfigError) as caught:
        session().breakpoints.add_function("chekc")
    assert "check" in caught.value.hint


def test_looking_for_hits_never_predicts_further_than_the_move() -> None:
    execution = endless()
    made = Session(execution, max_steps=50)
    made.breakpoints.add_data("n", hit_condition=">= 3")
    assert made.continue_().reason == "data breakpoint 1, n changed from 1 to 2 by line 4, hit 3"
    assert execution.num_made == made.position + 1
