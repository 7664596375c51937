"""Spans of time: a start and an end, which is not part of it."""

from dataclasses import dataclass

from timetable import clock


@dataclass(frozen=True)
class Span:
    """From a start to before an end."""

    start: int
    end: int

    def length(self):
        """Return how long it is."""
        return self.end - self.start

    def meets(self, other):
        """Tell whether two spans have a moment in common."""
        return self.start < other.end and other.start < self.end

    def label(self):
        """Write it as ``'7:00-8:30'``."""
        return f"{clock.show(self.start)}-{clock.show(self.end)}"


def merged(spans):
    """Join pairs of start and end that overlap or touch."""
    result = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            last = result[-1]
            result[-1] = (last[0], max(last[1], end))
        else:
            result.append((start, end))
    return result


def gaps(spans, start, end):
    """Return what is free between a start and an end."""
    free = []
    at = start
    for first, last in merged(spans):
        if first > at:
            free.append((at, min(first, end)))
        at = max(at, last)
        if at >= end:
            break
    if at < end:
        free.append((at, end))
    return free


def first_fit(spans, length, start=0, end=clock.DAY):
    """Return when there is room for so long, None when there is none."""
    for first, last in gaps(spans, start, end):
        if last - first >= length:
            return first
    return None
