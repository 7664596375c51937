"""Times of day in minutes since midnight."""

DAY = 24 * 60


def parse(text: str) -> int:
    """Read ``'7:05'`` or ``'18:30'``."""
    hours, _, minutes = text.partition(":")
    if not (hours.isdigit() and minutes.isdigit() and len(minutes) == 2):
        raise ValueError(f"not a time: {text}")
    result = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or result >= DAY:
        raise ValueError(f"no such time: {text}")
    return result


def show(minutes: int) -> str:
    """Write minutes as ``'7:05'``; what is past midnight begins anew."""
    hours, rest = divmod(minutes % DAY, 60)
    return f"{hours}:{rest:02d}"


def between(start: int, end: int) -> int:
    """Return the minutes from one time to the next other one."""
    return (end - start) % DAY


def parts(minutes: int) -> str:
    """Write a duration as ``'1 h 5 min'``."""
    if minutes < 0:
        raise ValueError("a duration is not negative")
    hours, rest = minutes // 60, minutes % 60
    words = []
    if hours:
        words.append(f"{hours} h")
    if rest or not hours:
        words.append(f"{rest} min")
    return " ".join(words)
