"""Prices in whole cents."""

from decimal import ROUND_HALF_UP, Decimal


def parse_price(text: str) -> int:
    """Read a price such as ``'12.50'`` or ``'$3'`` in cents."""
    amount = Decimal(text.strip().lstrip("$"))
    if amount < 0:
        raise ValueError(f"a price cannot be negative: {text}")
    return int((amount * 100).to_integral_value(ROUND_HALF_UP))


def format_price(cents: int) -> str:
    """Write cents as ``'12.50'``."""
    whole, rest = divmod(abs(cents), 100)
    sign = "-" if cents < 0 else ""
    return f"{sign}{whole}.{rest:02d}"


def discounted(cents: int, percent: int) -> int:
    """Take a percentage off, in favour of the buyer."""
    if not 0 <= percent <= 100:
        raise ValueError("a discount is between 0 and 100 percent")
    return cents - -(-cents * percent // 100)
