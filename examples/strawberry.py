"""Count a letter: a loop, a branch, and functions that call each other."""


def count_letters(text, letter):
    count = 0
    for character in text:
        if character == letter:
            count += 1
    return count


def format_answer(text, letter, count):
    if count == 1:
        return f"{text} has one {letter}"
    return f"{text} has {count} {letter}s"


def f(text, letter):
    count = count_letters(text, letter)
    return format_answer(text, letter, count)


if __name__ == "__main__":
    print(f("strawberry", "r"))
