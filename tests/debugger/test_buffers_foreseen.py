"""What is foreseen of files that are held in memory, against recorded runs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_foresight import _recorded, _Witness

_FUNCTIONS = """\
import functools
import io
from io import BytesIO, StringIO

def one(f):
    data = f.read(1)
    if len(data) == 1:
        return data
    raise ValueError('nothing left')

def two(f):
    a = one(f)
    return a, one(f), f.tell()

def held(f, box):
    box.append(f)
    return f.read(1)

def same(f):
    return f

def caught(f):
    try:
        return two(f)
    except ValueError:
        return f.tell()

def late(f):
    try:
        return f.read(1)
    finally:
        f.seek(0)
        x = f.tell()

def other(f):
    f.read(1)
    f = BytesIO(b'other')
    return f.read(2)

def alias(f):
    g = f
    return g.read(1), f.read(1)

def again(f, n):
    return [f.readline()] + again(f, n - 1) if n > 0 else []

def lines(f):
    n = 0
    for line in f:
        n += len(line)
        if n > 3:
            break
    return n, f.tell()

def each(f):
    for line in f:
        yield line, f.tell()

def reader(f):
    def read():
        return f.read(1)
    return read() + f.read(1), read

def later(f):
    g = (f.read(1) for _ in 'ab')
    return f.read(1), next(g), f.read(1), g

def both(f, g):
    return f.tell(), g.write(f.read(2)), g.tell()

def any_of(*fs, **named):
    return [f.read(1) for f in (*fs, *named.values())]

class Holder:
    def __init__(self, f):
        self.start = f.tell()

class Keeper:
    def __init__(self, f):
        self.f = f

    def take(self):
        return self.f.read(1)

    def __eq__(self, f):
        return f.read(1) == self.f

    def __getitem__(self, f):
        return f.read(1)

"""

_LINES = st.sampled_from(
    [
        *("a = f.read(1)", "a = f.read()", "a = f.readline(2)", "a = f.readlines()", "a = f.tell()"),
        *("f.seek(0)", "a = f.seek(1)", "f.seek(0, 2)", "f.seek(9)", "f.seek(-1)", "f.truncate(2)"),
        *("a = f.write(x)", "f.write(y)", "f.writelines([x, x])", "f.writelines(x for _ in 'ab')"),
        *(
            "a = f.getvalue()",
            "f.close()",
            "a = f.closed",
            "f.flush()",
            "a = f.read('a')",
            "a = f.write(1.5)",
        ),
        *("a = one(f)", "a = two(f)", "a = caught(f)", "a = late(f)", "a = other(f)", "a = again(f, 2)"),
        *("a = alias(f)", "a = lines(f)", "a = reader(f)", "a = later(f)", "a = same(f).read(1)"),
        *("g = same(f)", "a = held(f, box)", "a = held(g, box)", "a = box[0].read(1) if box else 0"),
        *("g = f", "f = g", "f, g = g, f", "a = g.read(1)", "a = one(g)", "g = make(y)", "a = both(f, g)"),
        *(
            "a = both(f, f)",
            "a = both(g, f)",
            "a = f.write(f.read(1))",
            "a = f.write(one(f))",
            "a = f.read, 1",
        ),
        *("read = f.read", "a = read(1)", "a = [f, f.read(1)]", "box.append(f)", "a = any_of(f)"),
        *("a = any_of(a=f)", "a = any_of(f, g)", "a = one(*[f])", "a = one(**{'f': f})", "a = Holder(f)"),
        *("a = Keeper(f)", "k = Keeper(g)", "a = k.take()", "a = k == f", "a = k[f]", "k.f = f"),
        *("a = list(map(one, [f]))", "a = [one(i) for i in (f, g)]", "a = [f.read(1) for _ in 'ab']"),
        *("a = list(f)", "a = next(f)", "a = next(f, 0)", "a = x in f", "a = sorted(g)", "a = list(each(f))"),
        *("e = each(f)", "e = each(make(y))", "a = next(e, 0)", "e = enumerate(f)", "e = zip(f, g)", "e = f"),
        *("e = (l for l in f)", "e = iter(f)", "a = list(zip(f, f))", "p = functools.partial(one, f)"),
        *("a = p()", "for a in f:\n        b = f.tell()", "for a in f:\n        b = one(f)\n        break"),
        *("for a in f:\n        try:\n            b = one(f)\n        except OSError:\n            break",),
        *("for a in f:\n        async def never(): await f", "for a in e:\n        b = a"),
        *("try:\n        a = two(f)\n    except ValueError:\n        a = f.tell()",),
        *("try:\n        a = two(f), 1 / 0\n    except ArithmeticError:\n        a = f.tell()",),
        *("with f:\n        a = f.read(1)", "with make(y) as g:\n        a = g.read(1)"),
        *("a = f is None", "a = f is g", "a = f == g", "a = 1 if f else 0", "a = not f", "a = f or g"),
        *("a = hasattr(f, 'read'), hasattr(f, 'name')", "a = isinstance(f, BytesIO)", "f.name = 'x'"),
        *(
            "a = getattr(f, 'read')(1)",
            "a = getattr(f, 'encoding', 0)",
            "g = getattr(f, 'mode', f)",
            "a = (h := f), h.read(1)",
        ),
        *("a = (lambda h: h.read(1))(f)", "a = late(same(f))", "a = one(box[0] if box else f)"),
        *("a = {f: 1}", "a, b = f", "a, *b = f", "a = str(type(f))", "a = io.BytesIO(f.getvalue()[:1] * 0)"),
        *("f = io.BytesIO(b'new\\nfile')", "f = StringIO('new\\nfile')", "g = io.StringIO(newline='')"),
        *("del g; g = make(y)", "if f is not None: g = f", "f = f if f else g", "a = f.getbuffer()"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["BytesIO", "StringIO"]),
    st.sampled_from(["", "ab", "a\nbc\n\nd", "\n", "p\r\nq\rr"]),
    st.lists(_LINES, min_size=1, max_size=8),
)
def test_files_in_memory_are_told_as_they_are_or_not_at_all(kind: str, text: str, lines: list[str]) -> None:
    prefix = "b" if kind == "BytesIO" else ""
    start = f"make, x, y, box = {kind}, {prefix}'x\\n', {prefix}{text!r}, []"
    first = ["e, k, p, read = iter(()), Keeper(make(y)), list, list", f"f, g = {kind}(y), make(x)"]
    twice = f"f, g = {kind}(y), {kind}(x)" if len(text) % 2 else f"f = {kind}(y)"
    body = "".join(f"    {line}\n" for line in [start, *first, twice, *lines, "return f.tell(), f.read()"])
    _Witness(_recorded(f"{_FUNCTIONS}def f_():\n{body}", "f_()"), calculates=True).run()


def _settled(body: str, before: str = _FUNCTIONS) -> list[str]:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    witness = _Witness(_recorded(f"{before}def f_(*given):\n{lines}", "f_()"), calculates=True).run()
    return [text for text in witness.settled if "IO().read(" in text or "IO().tell(" in text]


@pytest.mark.parametrize(
    ("body", "least"),
    [
        ("f = BytesIO(b'abc')\nreturn f.read(1), f.tell(), f.read(1)", 3),
        ("f = io.StringIO('abc')\nf.write('xy')\nreturn f.read(1), f.tell()", 2),
        ("return two(BytesIO(b'abc'))", 3),
        ("f = BytesIO(b'abc')\na = two(f)\nreturn one(f)", 4),
        ("f = BytesIO(b'abc')\na = caught(f), two(f)", 5),
        ("f = BytesIO(b'abc')\ng = BytesIO()\na = both(f, g)\nreturn f.tell(), g.tell()", 5),
        ("f = StringIO('a\\nb')\nfor line in f:\n    n = f.tell()\nreturn f.tell()", 3),
        ("f = StringIO('a\\nb')\na = again(f, 2)\nreturn f.tell()", 1),
        ("f = StringIO('a\\nb')\na = f.write(f.read(1))\nreturn f.read(1)", 2),
        ("return StringIO('abc').read(2)", 1),
        ("f = BytesIO(b'a')\nif f is None or not hasattr(f, 'tell'):\n    return 0\nreturn f.tell()", 1),
        ("f = StringIO()\nif isinstance(f, BytesIO) or getattr(f, 'mode', ''):\n    return\nf.tell()", 1),
        ("return Holder(StringIO('abc'))", 1),
        ("return list(each(StringIO('a\\nb')))", 2),
    ],
)
def test_what_a_file_in_memory_gives_is_known_as_long_as_one_local_has_it(body: str, least: int) -> None:
    assert len(_settled(body)) == least


@pytest.mark.parametrize(
    "body",
    [
        "f = BytesIO(b'abc')\ng = f\ng.read(1)\nreturn f.tell()",
        "f = g = BytesIO(b'abc')\ng.seek(1)\nreturn f.tell()",
        "global h_\nf = h_ = BytesIO(b'abc')\nh_.seek(1)\nreturn f.tell()",
        "f = g = BytesIO(b'abc')\na = (lambda: g.seek(1))()\nreturn f.tell()",
        "f = BytesIO(b'abc')\nbox = [f]\nbox[0].seek(1)\nreturn f.tell()",
        "f = BytesIO(b'abc')\na = getattr(f, 'seek', 0)(1)\nreturn f.tell()",
        "f = BytesIO(b'abc')\na = getattr([], 'x', f).seek(1)\nreturn f.tell()",
        "f = BytesIO(b'abc')\ng = getattr(f, 'x', f)\ng.seek(1)\nreturn f.tell()",
        "f = BytesIO(b'abc')\nk = Keeper(f)\nk.f.seek(1)\nreturn f.tell()",
        "f = BytesIO(b'abc')\na = same(f).seek(1)\nreturn f.tell()",
        "f = BytesIO(b'abc')\ng = same(f)\ng.seek(1)\nreturn f.tell()",
        "f = BytesIO(b'abc')\nread = f.read\nread(1)\nreturn f.tell()",
        "f = BytesIO(b'abc')\na = (lambda: f.seek(1))()\nreturn f.tell()",
        "f = BytesIO(b'abc')\ng = (f.seek(1) for _ in 'a')\na = list(g)\nreturn f.tell()",
        "f = BytesIO(b'abc')\np = functools.partial(f.seek, 1)\np()\nreturn f.tell()",
        "f = BytesIO(b'abc')\nlist(map(f.seek, [1, 2]))\nreturn f.tell()",
        "f = BytesIO(b'abc')\ntry:\n    a = f.seek(1), 1 / 0\nexcept ArithmeticError:\n    return f.tell()",
        "f = BytesIO(b'abc')\ntry:\n    f.seek(-1)\nexcept ValueError:\n    return f.tell()",
        "f = BytesIO(b'abc')\nmemory = f.getbuffer()\nmemory[0] = 1\nreturn f.tell()",
        "f = StringIO('a\\r\\nb', newline=None)\nreturn f.tell()",
        "BytesIO = StringIO\nf = BytesIO('abc')\nreturn f.tell()",
    ],
)
def test_nothing_is_said_of_a_file_in_memory_that_something_else_may_have(body: str) -> None:
    assert _settled(body) == []


@pytest.mark.parametrize(
    "before",
    [
        "from io import BytesIO\nclass BytesIO(BytesIO):\n    pass\n",
        "from io import BytesIO, StringIO as BytesIO\n",
        "import io\nfrom io import BytesIO\nio.BytesIO = io.BytesIO\n",
        "from io import BytesIO\ndef look():\n    return locals()\n",
    ],
)
def test_nothing_is_said_of_what_may_be_no_file_in_memory(before: str) -> None:
    body = "try:\n    f = BytesIO(b'abc')\n    return f.tell()\nexcept Exception:\n    pass"
    assert [text for text in _settled(body, before) if not text.startswith("look")] == []
