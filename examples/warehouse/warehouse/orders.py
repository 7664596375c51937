"""Orders: what they cost, and whether they can be filled."""

from warehouse.money import discounted, format_price
from warehouse.stock import OutOfStock


def total(lines, prices, percent=0):
    """Add up an order's lines of name and amount."""
    result = 0
    for name, amount in lines:
        if amount < 1:
            continue
        result += prices[name] * amount
    if percent:
        result = discounted(result, percent)
    return result


def fill(lines, stock):
    """Take all that can be had; return what is missing."""
    missing = {}
    for name, amount in lines:
        try:
            stock.take(name, amount)
        except OutOfStock:
            there = stock.amount(name)
            if there:
                stock.take(name, there)
            missing[name] = missing.get(name, 0) + amount - there
    return missing


def receipt(lines, prices):
    """Write a receipt, a line for each good and the total."""
    width = max((len(name) for name, _ in lines), default=0)
    rows = [f"{name:<{width}} {amount:>3} {format_price(prices[name] * amount):>8}" for name, amount in lines]
    rows.append(f"{'':<{width}} {'':>3} {format_price(total(lines, prices)):>8}")
    return "\n".join(rows)
