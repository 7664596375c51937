"""SEARCH/REPLACE blocks and calls of tools, as text and as functions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencwm.agent.calls import (
    MAX_CALL_CHARS,
    TOOLS,
    Call,
    content_of,
    described,
    functions,
    parse_arguments,
    parse_content,
)
from opencwm.agent.edits import Block, ToolError, apply_block, lines_of, parse_block, surroundings, text_of
from opencwm.codec.cwm_chat import ToolCall, call_text, parse_turn

NAMES = tuple(TOOLS)
SOURCE = "def f(x):\n    return x + 1\n\n\ndef g(x):\n    return x + 1\n"
line = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=12).filter(
    lambda text: text.rstrip() not in ("<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE")
)
texts = st.lists(line, max_size=6).map(text_of)


def test_lines_that_stand_once_are_replaced_and_shown_with_numbers() -> None:
    block = parse_block(
        "<<<<<<< SEARCH\ndef f(x):\n    return x + 1\n=======\ndef f(x):\n    return x\n>>>>>>> REPLACE"
    )
    edited = apply_block(SOURCE, block, "a.py")
    assert edited.text == SOURCE.replace("x + 1", "x", 1)
    assert (edited.lineno, edited.num_lines) == (1, 2)
    assert surroundings(edited).splitlines()[1] == "     2\t    return x"


def test_several_matches_are_told_with_their_lines() -> None:
    with pytest.raises(ToolError, match=r"stand 2 times in a.py, at lines 2, 6"):
        apply_block(SOURCE, Block(("    return x + 1",), ("    return x",)), "a.py")


def test_no_match_shows_the_closest_lines() -> None:
    with pytest.raises(
        ToolError, match=r"(?s)     5\tdef g\(x\):\n     6\t    return x \+ 1\nCopy whole lines"
    ):
        apply_block(SOURCE, Block(("def g(y):", "    return x + 1"), ()), "a.py")
    with pytest.raises(ToolError, match=r"(?s)     1\tdef f\(x\):\n     2\t    return.*only in white space"):
        apply_block(SOURCE, Block(("def f(x):", "  return x + 1"), ()), "a.py")
    with pytest.raises(ToolError, match="No line comes close"):
        apply_block(SOURCE, Block(("import antigravity, this, that",), ()), "a.py")


def test_whole_lines_are_meant_not_parts_of_them() -> None:
    with pytest.raises(ToolError, match="do not stand"):
        apply_block("value = 1\n", Block(("value",), ("x",)), "a.py")


def test_line_ends_and_the_missing_last_one_are_kept() -> None:
    assert apply_block("a\r\nb\r\n", Block(("b",), ("c", "d")), "x").text == "a\r\nc\r\nd\r\n"
    assert apply_block("a\nb", Block(("b",), ()), "x").text == "a"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "one block"),
        ("x = 1", "one block"),
        ("<<<<<<< SEARCH\na\n>>>>>>> REPLACE", "must stand between"),
        ("<<<<<<< SEARCH\n\n=======\na\n>>>>>>> REPLACE", "are empty"),
        ("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n" * 2, "2 SEARCH/REPLACE blocks"),
        ("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\nand more", "nothing else"),
    ],
)
def test_what_is_no_block_is_told(text: str, problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        parse_block(text)


@given(st.lists(line, min_size=1, max_size=8, unique=True), st.data())
def test_a_change_and_its_reverse_leave_the_file(lines: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(lines) - 1))
    search = tuple(lines[start : data.draw(st.integers(start + 1, len(lines)))])
    put = ("a line that is nowhere else, surely",)
    if not any(text.strip() for text in search):
        return
    there = apply_block(text_of(lines), Block(search, put), "x")
    assert apply_block(there.text, Block(put, search), "x").text == text_of(lines)


@given(
    st.one_of(
        st.builds(lambda text: Call("bash", {"command": text}), st.text(min_size=1).filter(str.strip)),
        st.builds(
            lambda search, put: Call("edit", {"path": "a b.py", "search": search, "replacement": put}),
            texts.filter(str.strip),
            texts,
        ),
        st.builds(
            lambda text: Call("create", {"path": "a.py", "content": text}), texts.filter(lambda t: t != "\n")
        ),
        st.just(Call("undo", {})),
        st.just(Call("submit", {"result": "fix.patch"})),
    )
)
def test_calls_are_read_as_they_are_written(call: Call) -> None:
    assert parse_content(call.name, content_of(call), NAMES) == call
    assert parse_arguments(call.name, json.dumps(dict(call.arguments)), "", NAMES) == call


def test_a_call_survives_the_turn_of_a_model() -> None:
    content = "a.py\n<<<<<<< SEARCH\n    x\n=======\n\n>>>>>>> REPLACE"
    turn = parse_turn("I see.\n" + call_text(ToolCall("edit", content)))
    assert turn.call is not None
    assert parse_content(turn.call.name, turn.call.content, NAMES).arguments["replacement"] == "\n"


@given(st.sampled_from(NAMES), st.text())
def test_whatever_is_written_is_a_call_or_a_problem(name: str, text: str) -> None:
    for is_function in (False, True):
        try:
            read = (
                parse_arguments(name, text, "1", NAMES) if is_function else parse_content(name, text, NAMES)
            )
            assert read.name == name
        except ToolError as problem:
            assert str(problem)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("python", "{}", "there is no tool 'python'; there are: bash, edit"),
        ("bash", "not json", "one JSON object of strings"),
        ("bash", '{"command": 3}', "one JSON object of strings"),
        ("bash", '{"cmd": "ls"}', "takes these arguments and no others: command"),
        ("bash", '{"command": " "}', "needs a command"),
        ("bash", json.dumps({"command": "x" * MAX_CALL_CHARS}), "more than 262144 are not taken"),
        ("create", '{"path": "", "content": ""}', "needs a path"),
    ],
)
def test_wrong_function_calls_are_told(name: str, arguments: str, problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        parse_arguments(name, arguments, "1", NAMES)


def test_every_tool_is_described_both_ways() -> None:
    text = described(NAMES)
    for function in functions(NAMES):
        assert f"<tool: {function['function']['name']}>\n" in text
        assert function["function"]["parameters"]["required"] == list(
            TOOLS[function["function"]["name"]].arguments
        )
    assert lines_of("a\n") == lines_of("a") == ["a"]
