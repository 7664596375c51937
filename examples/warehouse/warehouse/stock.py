"""What is in stock."""

from collections import Counter


class OutOfStock(Exception):
    """There is less than was asked for."""


class Stock:
    """Amounts of goods by name."""

    def __init__(self, amounts=None):
        self._amounts = Counter(amounts or {})

    def add(self, name, amount=1):
        """Put goods in."""
        if amount <= 0:
            raise ValueError("an amount is positive")
        self._amounts[name] += amount
        return self._amounts[name]

    def take(self, name, amount=1):
        """Take goods out."""
        left = self._amounts[name] - amount
        if left < 0:
            raise OutOfStock(name)
        if left == 0:
            del self._amounts[name]
        else:
            self._amounts[name] = left
        return left

    def amount(self, name):
        """Tell how many there are."""
        return self._amounts.get(name, 0)

    def scarce(self, limit=3):
        """List goods of which there are fewer than ``limit``, scarcest first."""
        found = [(count, name) for name, count in self._amounts.items() if count < limit]
        return [name for count, name in sorted(found)]
