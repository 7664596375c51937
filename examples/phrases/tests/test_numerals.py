import pytest
from phrases.numerals import from_roman, ordinal, spelled, to_roman


@pytest.mark.parametrize(("number", "text"), [(1, "I"), (4, "IV"), (19, "XIX"), (38, "XXXVIII")])
def test_roman(number, text):
    assert to_roman(number) == text


def test_roman_has_an_end():
    with pytest.raises(ValueError, match="out of range"):
        to_roman(40)
    with pytest.raises(ValueError, match="out of range"):
        to_roman(0)


@pytest.mark.parametrize(("text", "number"), [("xiv", 14), ("IX", 9), ("VII", 7)])
def test_roman_is_read(text, number):
    assert from_roman(text) == number


def test_unknown_letters_are_an_error():
    with pytest.raises(KeyError):
        from_roman("IQ")


def test_digits_are_spelled():
    assert spelled(105) == "one zero five"
    assert spelled(-7) == "minus seven"


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd"), (112, "112th")],
)
def test_ordinals(number, text):
    assert ordinal(number) == text
