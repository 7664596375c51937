"""Numbers in words and letters."""

ROMAN = ((10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))
VALUES = {"I": 1, "V": 5, "X": 10}
UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def to_roman(number: int) -> str:
    """Write a number from 1 to 39 in Roman numerals."""
    if not 0 < number < 40:
        raise ValueError(f"out of range: {number}")
    text = ""
    for value, letters in ROMAN:
        while number >= value:
            text += letters
            number -= value
    return text


def from_roman(text: str) -> int:
    """Read Roman numerals."""
    total = 0
    last = 0
    for letter in reversed(text.upper()):
        value = VALUES[letter]
        if value < last:
            total -= value
        else:
            total += value
            last = value
    return total


def spelled(number: int) -> str:
    """Spell the digits of a number."""
    sign = "minus " if number < 0 else ""
    return sign + " ".join(UNITS[int(digit)] for digit in str(abs(number)))


def ordinal(number: int) -> str:
    """Write ``1st``, ``2nd``, ``11th``."""
    last = number % 10
    if number % 100 in (11, 12, 13) or last not in (1, 2, 3):
        return f"{number}th"
    return f"{number}{['st', 'nd', 'rd'][last - 1]}"
