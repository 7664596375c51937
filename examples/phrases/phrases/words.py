"""Words and how they are set in lines."""

SMALL = ("a", "an", "and", "of", "or", "the")


def title(text: str) -> str:
    """Write words large, small ones only at the start."""
    words = []
    for index, word in enumerate(text.lower().split()):
        if index > 0 and word in SMALL:
            words.append(word)
        else:
            words.append(word[0].upper() + word[1:])
    return " ".join(words)


def slug(text: str, limit: int = 20) -> str:
    """Write a text so that it can stand in an address."""
    kept = ""
    for letter in text.lower():
        if letter.isalnum():
            kept += letter
        elif kept and not kept.endswith("-"):
            kept += "-"
    return kept[:limit].strip("-")


def wrap(text: str, width: int) -> list[str]:
    """Break a text into lines of at most ``width`` characters; longer words get lines of their own."""
    if width < 1:
        raise ValueError("a line has room for one letter at least")
    lines: list[str] = []
    line = ""
    for word in text.split():
        if not line:
            line = word
        elif len(line) + 1 + len(word) <= width:
            line = f"{line} {word}"
        else:
            lines.append(line)
            line = word
    if line:
        lines.append(line)
    return lines


def counts(text: str, least: int = 1) -> dict[str, int]:
    """Count words, the most frequent first, ties by the alphabet."""
    found: dict[str, int] = {}
    for word in text.lower().split():
        bare = word.strip(".,;:!?")
        if bare:
            found[bare] = found.get(bare, 0) + 1
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return {word: count for word, count in ordered if count >= least}
