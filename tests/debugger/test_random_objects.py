"""What is foreseen of objects in random programs comes true."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from test_foresight import _recorded, _Witness

_CLASSES = """\
class Level:
    top = 9

    def __init__(self, n, items):
        self.n = n
        self.items = items

    @property
    def half(self):
        return self.n / 2

    @half.setter
    def half(self, value):
        if value > 20:
            raise Far(value, self.n)
        self.n = value * 2
        self.items.append(value)

    def __getitem__(self, i):
        return self.items[i]

    def __setitem__(self, i, value):
        self.items[i] = value

    def __len__(self):
        return len(self.items)

    def __eq__(self, other):
        return self.n == other.n

    def __lt__(self, other):
        return self.n < other.n

    def __contains__(self, item):
        return item in self.items

    def __call__(self, x):
        self.items.append(x)
        return self

    def __str__(self):
        return f'L{self.n}'

class Far(ValueError):
    def __init__(self, n, limit=3):
        super().__init__(f'{n} of {limit}')
        self.limit = limit

    def over(self, n):
        return self.limit + n

class Span(NamedTuple):
    a: int
    b: object = 0

    @property
    def size(self):
        return self.b - self.a

    def __contains__(self, item):
        return self.a <= item < self.b

class Wide(namedtuple('Wide', 'a b')):
    def __new__(cls, a, b=None):
        return super().__new__(cls, a, a + 1 if b is None else b)

    def __repr__(self):
        return f'W{self.a}'
"""
_VALUES = st.sampled_from(
    [
        *("x", "1", "'a'", "[]", "y.n", "z.items", "x.items", "y[0]", "y[x.n]", "len(y)", "y('z')", "str(y)"),
        *(
            "f'{z}'",
            "y.top",
            "z == y",
            "z < y",
            "z != y",
            "y > z",
            "3 in y",
            "s.size",
            "s.a",
            "s[1]",
            "2 in s",
        ),
        *(
            "w",
            "w.b",
            "w[0]",
            "repr(w)",
            "str(w)",
            "s._replace(a=1)",
            "list(s)",
            "sorted(w)",
            "hash((1, 2.5))",
        ),
        *("error.limit", "error.args", "str(error)", "f'{error!r}'", "error.over(2)", "Far(1)", "bool(y)"),
        *("Far(2, limit=y.n)", "Wide(x)", "Wide(1, 2)", "Span(1)", "Level(1, [2])", "isinstance(error, Far)"),
        *(
            "isinstance(s, tuple)",
            "type(error).__name__",
            "y.half + 1",
            "s == w",
            "s < (1, 9)",
            "w == (1, 2)",
        ),
    ]
)
_TARGETS = st.sampled_from(
    [
        *(
            "v",
            "y.half",
            "z.half",
            "y.n",
            "z.items",
            "y[0]",
            "z[-1]",
            "y.top",
            "z.late",
            "v, u",
            "error.late",
        ),
        *("error.limit", "y.items[0]"),
    ]
)


@st.composite
def _statements(draw: st.DrawFn) -> str:
    value, target = draw(_VALUES), draw(_TARGETS)
    shapes = (
        *(
            f"{target} = {value}",
            f"v = {value}",
            f"u = v = {value}",
            f"{target.partition(chr(44))[0]} += 1",
            f"v = [{value}]; u = v",
        ),
        *(f"if {value}: {target} = 3", f"if not {value}: v = 1; u = {value}", f"print({value}); v = {value}"),
        *(f"raise Far({value}, 1)", "raise error", f"if {value}: return {value}", f"assert {value}, v"),
        *(
            f"v = {value}, {draw(_VALUES)}",
            f'v = f"{{v}}{{{value}!r}}"',
            "z = y",
            "v = u; u = 1; v += u",
            "raise",
        ),
        *(f"for v in {value}: pass", "del z[0]", f"v = y({value})({value})"),
    )
    return draw(st.sampled_from(shapes))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(_statements(), st.booleans()), min_size=1, max_size=7), st.booleans())
def test_what_is_foreseen_of_objects_in_random_programs_comes_true(
    statements: list[tuple[str, bool]], calculates: bool
) -> None:
    lines = "".join(
        f"        try:\n            {text}\n        except Exception as error:\n            v = str(error)\n"
        if is_tried
        else f"        {text}\n"
        for text, is_tried in statements
    )
    source = f"""from collections import namedtuple
from typing import NamedTuple

{_CLASSES}
def f(x):
    y, z = Level(x, [1, 'b']), Level(2, [])
    s, w, v, u = Span(1, 4), Wide(x), 0, None
    try:
        z.half = 50
    except Far as error:
{lines}
    return y, z, s, w, v, u

def g(x):
    try:
        return f(x)
    except Exception as error:
        return str(error), error.args
"""
    _Witness(_recorded(source, "g(0)"), calculates=calculates).run()
