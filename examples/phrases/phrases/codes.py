"""Codes that hide or shorten a text."""


class CodeError(ValueError):
    """A text that no code gives."""


def shift(text: str, places: int) -> str:
    """Move letters along the alphabet."""
    moved = []
    for letter in text:
        if "a" <= letter <= "z":
            moved.append(chr((ord(letter) - ord("a") + places) % 26 + ord("a")))
        elif "A" <= letter <= "Z":
            moved.append(chr((ord(letter) - ord("A") + places) % 26 + ord("A")))
        else:
            moved.append(letter)
    return "".join(moved)


def pack(text: str) -> str:
    """Write repeated letters as a count and the letter."""
    packed = ""
    start = 0
    while start < len(text):
        end = start
        while end < len(text) and text[end] == text[start]:
            end += 1
        length = end - start
        packed += text[start] if length == 1 else f"{length}{text[start]}"
        start = end
    return packed


def unpack(packed: str) -> str:
    """Read what :func:`pack` wrote."""
    text = ""
    number = ""
    for letter in packed:
        if letter.isdigit():
            number += letter
            continue
        text += letter * int(number or "1")
        number = ""
    if number:
        raise CodeError(f"ends in a count: {number}")
    return text


def checksum(digits: str) -> int:
    """Add up digits, every second one from the right doubled."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        if place % 2 == 1:
            value *= 2
            if value > 9:
                value -= 9
        total += value
    return total % 10
