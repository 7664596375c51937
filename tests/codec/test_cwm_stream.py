"""Parts of a turn while it is written are the turn that is read from the whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from opencwm.codec.cwm_chat import parse_said, parse_turn
from opencwm.codec.cwm_stream import TextReader, TurnReader
from opencwm.codec.testing import tiny_tokenizer

PIECES = st.sampled_from(
    ["<think>", "</think>", "<thi", "</", "</think", ">", " ", "\n", "a", "<tool: b>", "é🐍"]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted(place % (len(text) + 1) for place in places)
    return [text[begin:end] for begin, end in zip([0, *ends], [*ends, len(text)], strict=True)]


@given(TEXTS, st.lists(st.integers(0, 60), max_size=8), st.booleans())
def test_a_turn_in_parts_is_the_turn(text: str, places: list[int], was_thinking: bool) -> None:
    whole = parse_turn(text, was_thinking=was_thinking)
    reader = TurnReader(was_thinking=was_thinking)
    parts = [reader.add(piece) for piece in cut(text, places)] + [reader.end()]
    thought, said = "".join(part.thought for part in parts), "".join(part.said for part in parts)
    assert thought == (whole.thought or "")
    read = parse_said(said)  # a call is cut out of what is said, which a stream leaves in
    assert (read.text, read.call, read.problem) == (whole.text, whole.call, whole.problem) or (
        whole.problem.startswith("the reasoning does not end") and said == ""
    )


def test_thoughts_and_text_come_as_they_are_written_but_no_part_of_a_mark() -> None:
    reader = TurnReader(was_thinking=True)
    told = [reader.add(text) for text in ("\n one ", "two </th", "inks> </thi", "nk>", "\n\nfour", " five")]
    assert [part.thought for part in told] == ["one", " two", " </thinks>", "", "", ""]
    assert [part.said for part in told] == ["", "", "", "", "four", " five"]


@given(st.text(max_size=30), st.lists(st.integers(1, 4), min_size=1, max_size=10))
def test_characters_are_told_whole(text: str, sizes: list[int]) -> None:
    tokenizer = tiny_tokenizer()
    ids, reader = tokenizer.encode(text), TextReader(tokenizer.decode)
    parts: list[str] = []
    while ids:
        size = sizes[len(parts) % len(sizes)]
        parts.append(reader.add(ids[:size]))
        del ids[:size]
    assert "".join([*parts, reader.end()]) == text
    assert not any("\ufffd" in part for part in parts if "\ufffd" not in text)


@given(st.lists(st.integers(0, 255), max_size=24))
def test_bytes_that_are_no_text_are_told_as_at_once(data: list[int]) -> None:
    def text(ids: list[int]) -> str:
        return bytes(ids).decode("utf-8", "replace")

    reader = TextReader(text)  # type: ignore[arg-type]
    assert "".join([*(reader.add([byte]) for byte in data), reader.end()]) == text(data)
