"""Programs in the spirit of those the ``nd`` format was published for: a function called with arguments."""

ND_PROGRAMS: dict[str, tuple[str, str]] = {
    "nd_function": (
        """\
def f(text, mark):
    parts = []
    for word in text.split(mark):
        if word not in parts:
            parts.append(word)
    return mark.join(parts)
""",
        "f('a-ü-a', '-')",
    ),
    "nd_nested_calls": (
        """\
def square(n):
    return n * n


def norm(x, y):
    total = square(x) + square(y)
    return total ** 0.5


def f(points):
    best = None
    for x, y in points:
        size = norm(x, y)
        if best is None or size > best:
            best = size
    return best
""",
        "f([(3, 4), (1, 0)])",
    ),
    "nd_exception": (
        """\
def take(stock, name):
    if name not in stock:
        raise KeyError(name)
    stock[name] -= 1
    return stock[name]


def f(stock, wanted):
    missing = []
    for name in wanted:
        try:
            left = take(stock, name)
        except KeyError as error:
            missing.append(error.args[0])
    del name
    return missing, take(stock, 'c')
""",
        "f({'a': 1}, ['a', 'b'])",
    ),
}
