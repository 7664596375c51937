"""Programs whose state trees are golden files: what can be placed wrongly in a tree."""

PROGRAMS: dict[str, tuple[str, str]] = {
    "caught_exceptions": (
        """\
def check(n):
    if n % 2:
        raise ValueError(n)
    return n


def f(numbers):
    good = []
    for n in numbers:
        try:
            good.append(check(n))
        except ValueError as error:
            good.append(str(error))
        finally:
            last = n
    return good
""",
        "f([2, 3])",
    ),
    "unwinding": (
        """\
def inner(table, key):
    return table[key]


def middle(table, key):
    try:
        return inner(table, key)
    finally:
        key = None


def f(table):
    try:
        return middle(table, 'b')
    except KeyError:
        return 'none'
""",
        "f({'a': 1})",
    ),
    "uncaught": (
        """\
def f(a, b):
    return a / b
""",
        "f(1, 0)",
    ),
    "swallowed_by_a_builtin": (
        """\
class Box:
    @property
    def size(self):
        raise AttributeError('size')

    def weight(self):
        return 3


def f():
    box = Box()
    return hasattr(box, 'size'), box.weight()
""",
        "f()",
    ),
    "generators": (
        """\
def numbers(n):
    got = yield n
    try:
        yield got
    finally:
        n = 0


def f():
    first = numbers(1)
    pair = next(first), first.send(5)
    first.close()
    total = 0
    for x in numbers(3):
        total += x or 1
    return pair, total
""",
        "f()",
    ),
    "delegating_generators": (
        """\
def leaf():
    yield 'a'
    return 'done'


def tree():
    end = yield from leaf()
    yield end


def f():
    return list(tree())
""",
        "f()",
    ),
    "coroutines": (
        """\
class Later:
    def __await__(self):
        value = yield 'waiting'
        return value


async def work():
    return await Later()


def f():
    task = work()
    seen = task.send(None)
    try:
        task.send(7)
    except StopIteration as stop:
        return seen, stop.value
""",
        "f()",
    ),
    "recursion": (
        """\
def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)
""",
        "fib(3)",
    ),
    "nested_calls_on_one_line": (
        """\
def add(a, b):
    return double(a) + double(b)


def double(n):
    return 2 * n
""",
        "add(1, 2)",
    ),
    "calls_as_arguments": (
        """\
def add(a, b):
    return a + b


def double(n):
    return 2 * n


def f(n):
    return add(double(n), add(double(1), n))
""",
        "f(3)",
    ),
    "decorators": (
        """\
def twice(function):
    def wrapper(*args):
        return function(*args), function(*args)

    return wrapper


def f(n):
    @twice
    def g(x):
        return x + n

    return g(1)
""",
        "f(2)",
    ),
    "context_managers": (
        """\
class Quiet:
    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        return True


def f(d):
    with Quiet() as q:
        d['x']
    return len(d)
""",
        "f({})",
    ),
    "comprehensions_and_callbacks": (
        """\
def key(word):
    return -len(word)


def f(words):
    short = [w for w in words if key(w) > -3]
    return sorted(words, key=key), short, list(map(lambda w: w * 2, short))
""",
        "f(['a', 'long'])",
    ),
    "module_of_several_functions": (
        """\
def area(w, h):
    size = w * h
    return size

def volume(w, h, d):
    size = w * h
    return size * d

def f(w):
    a = area(w, 2)
    v = volume(w, 2, 3)
    return a + v
""",
        "f(4)",
    ),
}
