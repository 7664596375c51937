import pytest
from phrases.words import counts, slug, title, wrap


@pytest.mark.parametrize(
    ("text", "expected"), [("the end of it", "The End of It"), ("a book", "A Book"), ("", "")]
)
def test_titles(text, expected):
    assert title(text) == expected


def test_slugs():
    assert slug("Hi, you!") == "hi-you"
    assert slug(" -a b- ") == "a-b"


def test_slugs_are_cut():
    assert slug("one two", limit=4) == "one"


def test_lines_are_filled():
    assert wrap("to be or not", 5) == ["to be", "or", "not"]
    assert wrap("", 3) == []


def test_long_words_have_lines_of_their_own():
    assert wrap("a monument b", 4) == ["a", "monument", "b"]


def test_no_room_is_refused():
    with pytest.raises(ValueError, match="one letter"):
        wrap("a", 0)


def test_words_are_counted():
    assert counts("b a, b") == {"b": 2, "a": 1}
    assert counts("x y x", least=2) == {"x": 2}


def test_ties_go_by_the_alphabet():
    assert list(counts("d c")) == ["c", "d"]
