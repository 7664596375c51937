"""Things to do, and in which order."""


class Cycle(Exception):
    """Things wait for each other."""


class Agenda:
    """Things to do, the most urgent first, in the order they came."""

    def __init__(self, limit=3):
        self.limit = limit
        self._items = []
        self.done = []

    def add(self, name, urgency=1):
        """Put something on the list."""
        if len(self._items) >= self.limit:
            raise OverflowError("the agenda is full")
        place = 0
        while place < len(self._items) and self._items[place][0] >= urgency:
            place += 1
        self._items.insert(place, (urgency, name))
        return place

    def next(self):
        """Take the next thing; None when there is nothing to do."""
        if not self._items:
            return None
        _, name = self._items.pop(0)
        self.done.append(name)
        return name

    def waiting(self):
        """List what is to be done."""
        return [name for _, name in self._items]


def ordered(needs):
    """Order names so that each stands after those it needs, by the alphabet where there is a choice."""
    left = {name: set(others) for name, others in needs.items()}
    result = []
    while left:
        ready = sorted(name for name, others in left.items() if not others)
        if not ready:
            raise Cycle(", ".join(sorted(left)))
        first = ready[0]
        result.append(first)
        del left[first]
        for others in left.values():
            others.discard(first)
    return result


def finish_times(durations, needs):
    """Return when each thing is finished at the earliest."""
    finished = {}
    for name in ordered(needs):
        begin = 0
        for other in needs[name]:
            begin = max(begin, finished[other])
        finished[name] = begin + durations[name]
    return finished


def rounds(names, size):
    """Split names into rounds of a size, the last one may be smaller."""
    if size <= 0:
        raise ValueError("a round has at least one")
    return [names[start : start + size] for start in range(0, len(names), size)]
