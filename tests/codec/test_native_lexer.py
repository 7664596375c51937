import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencwm.codec.lexer import pieces


def cut(text: str) -> list[str]:
    return [piece.text for piece in pieces(text)]


@given(st.text(max_size=60))
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(cut(text)) == text


@given(st.text(alphabet="frbu'\"\\{}ab1 :,()", max_size=40))
def test_pieces_join_to_the_text_around_quotes_and_braces(text: str) -> None:
    assert "".join(cut(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for i in range(3):", ["for ", "i", " in ", "range", "(", "3", ")", ":"]),
        ("x = 120", ["x", " = ", "1", "2", "0"]),
        ("formats = 1", ["formats", " = ", "1"]),
        ("arr2 = y", ["arr", "2", " = ", "y"]),
        ("'a\\'b, c'", ["'", "a", "\\", "'", "b", ",", " ", "c", "'"]),
        ("[1, -2]", ["[", "1", ", ", "-", "2", "]"]),
        (
            "f'{count + 1:>3} is'",
            ["f", "'", "{", "count", " + ", "1", ":", ">", "3", "}", " ", "i", "s", "'"],
        ),
        ("f'{{x}}'", ["f", "'", "{", "{", "x", "}", "}", "'"]),
        ("r'\\d'", ["r", "'", "\\", "d", "'"]),
        ("'open", ["'", "o", "p", "e", "n"]),
    ],
)
def test_cuts(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@given(st.lists(st.one_of(st.integers(), st.text(max_size=8), st.booleans(), st.none()), max_size=4))
def test_an_element_is_cut_the_same_inside_a_list_and_alone(values: list[object]) -> None:
    whole = cut(repr(values))
    for value in values:
        alone = cut(repr(value))
        assert any(whole[i : i + len(alone)] == alone for i in range(len(whole)))
