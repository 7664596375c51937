"""A small shop: several functions, loops, dictionaries, and orders that fail."""


class OutOfStock(Exception):
    """There is less of an item than was ordered."""


def parse_order(text):
    """Turn "apple:3,pear:1" into [("apple", 3), ("pear", 1)]."""
    order = []
    for part in text.split(","):
        name, amount = part.split(":")
        order.append((name.strip(), int(amount)))
    return order


def take(stock, name, amount):
    left = stock[name] - amount
    if left < 0:
        raise OutOfStock(name)
    stock[name] = left
    return amount


def fulfil(stock, text):
    taken = 0
    failed = []
    for name, amount in parse_order(text):
        try:
            taken += take(stock, name, amount)
        except OutOfStock:
            failed.append(name)
        except KeyError as error:
            failed.append(f"no {error.args[0]}")
    return taken, failed


def main():
    stock = {"apple": 5, "pear": 2}
    taken, failed = fulfil(stock, "apple:3,pear:4,plum:1")
    return f"{taken} taken, {len(failed)} failed, {sum(stock.values())} left"


if __name__ == "__main__":
    print(main())
