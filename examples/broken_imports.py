"""Cannot be imported: it needs a module that is not there. It can still be stepped in prediction."""

import warehouse_client

PRICES = warehouse_client.load_prices("prices.csv")


def discount(amount):
    if amount >= 10:
        return 20
    if amount >= 5:
        return 10
    return 0


def total(price, amount):
    full = price * amount
    return full - full * discount(amount) // 100


def cheapest(prices):
    best = None
    for name, price in prices.items():
        if best is None or price < prices[best]:
            best = name
    return best
