"""The table of the standard library: its functions give what CPython gives, as the recorder writes it."""

from __future__ import annotations

import datetime
import importlib
import operator
import sys
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_foresight import _recorded, _Witness
from test_pure_values import _answer, rendered

from opencwm.codec.native_writer import written_evaluations
from opencwm.debugger.foreseeing.expressions import (
    Builtins,
    ExpressionError,
    Undecided,
    evaluate,
    known_value,
)
from opencwm.debugger.foreseeing.pure_library import FAMILY, TABLE
from opencwm.debugger.foreseeing.pure_operations import CONSTANTS, MODULES
from opencwm.debugger.foreseeing.pure_values import text_of
from opencwm.tracer import TraceLimits, record
from opencwm.traces import Program


def every(names: Iterable[str], given: list[str]) -> dict[str, list[str]]:
    """Return the same arguments for several functions."""
    return dict.fromkeys(names, given)


SAMPLES: dict[str, dict[str, list[str]]] = {
    "base64": {
        **every(
            (name for name in TABLE["base64"].split() if name.endswith("encode")),
            ["b'ab c'", "b''"],
        ),
        **every(("b64decode", "standard_b64decode", "urlsafe_b64decode"), ["b'YWI='", "'YWI'"]),
        "a85decode": ["b'@:E^'"],
        "b85decode": ["b'VPaz'", "b'~'"],
        "b16decode": ["b'6162'", "'6A'"],
        "b32decode": ["b'MFRA===='"],
        "b32hexdecode": ["b'C5H0===='"],
    },
    "binascii": {
        **every(("b2a_base64", "b2a_hex", "crc32", "hexlify"), ["b'ab'"]),
        **every(("a2b_hex", "unhexlify"), ["'6162'", "b'616'"]),
        "a2b_base64": ["b'YWI='"],
        "crc_hqx": ["b'a', 3"],
    },
    "calendar": {"isleap": ["1900"], "leapdays": ["1999, 2005"]},
    "codecs": {
        **every(
            (n for n in TABLE["codecs"].split() if n.endswith("_decode")), ["b'ab'", "b'a\\xe4', 'replace'"]
        ),
        **every(
            (n for n in TABLE["codecs"].split() if n.endswith("_encode")), ["'ab'", "'a\\u20ac', 'strict'"]
        ),
    },
    "colorsys": every(TABLE["colorsys"].split(), ["0, .5, .5", "0, 0, 0"]),
    "encodings": {"normalize_encoding": ["'UTF-8'"]},
    "fnmatch": {
        "filter": ["['a.py', 'b.c'], '*.py'"],
        **every(("fnmatch", "fnmatchcase"), ["'abc', 'a[!c]*'", "'abc', '?'", "'A', 'a'"]),
        "translate": ["'*.t?t'"],
    },
    "heapq": {name: ["2, [3, 1, 2]", "0, (1,)"] for name in TABLE["heapq"].split()},
    "html": {"escape": ["'<a&\"'", "'\"', False"], "unescape": ["'&lt;&eacute;&#65;'"]},
    "keyword": {name: ["'if'", "'match'"] for name in TABLE["keyword"].split()},
    "os": {"fspath": ["'a'", "b'a'", "[]"]},
    "posixpath": {
        **{name: ["'/a/b.c'", "''", "b'a/'"] for name in TABLE["posixpath"].split()},
        "commonpath": ["['/a/b', '/a/c']", "['/a', 'b']"],
        "commonprefix": ["['abc', 'abd']"],
        "join": ["'a', '/b', 'c'", "'a', b'b'"],
    },
    "shlex": {"join": ["['a b', 'c']"], "quote": ["'a b'", "''"], "split": ["'a \"b c\"'", "'\"'"]},
    "statistics": {
        **{name: ["[1, 2, 2, 5]", "[]", "[.5, 1.25]"] for name in TABLE["statistics"].split()},
        "quantiles": ["[1, 2, 3], n=2"],
    },
    "string": {"capwords": ["'ab cD'", "'a-b', '-'"]},
    "struct": {
        "calcsize": ["'<IhQ'", "'>3s'"],
        "pack": ["'<Ih', 3, -1", "'>d', .5", "'<B', 999"],
        "unpack": ["'<Ih', b'abcdef'", "'!H', b'a'"],
        "unpack_from": ["'<H', b'abcdef', 2"],
    },
    "textwrap": {
        "dedent": ["'  a\\n   b'"],
        "fill": ["'aa bb cc', 5"],
        "indent": ["'a\\nb', '> '"],
        "shorten": ["'aa bb cc', 8", "'aa bb cc', width=8, placeholder='.'"],
        "wrap": ["'aa bb cc', 5"],
    },
    "typing": {"cast": ["str, 'a'", "int, [1]"]},
    "unicodedata": {
        **{name: ["'a'", "'½'", "'ab'"] for name in TABLE["unicodedata"].split()},
        **every(("decimal", "digit"), ["'5'", "'a', 7", "'a'"]),
        "lookup": ["'BULLET'", "'NOTHING'"],
        "is_normalized": ["'NFC', 'é'"],
        "normalize": ["'NFKD', 'Malmö ½'", "'NFX', ''"],
    },
    "urllib.parse": {
        **{name: ["'a b/é%'", "'/', '%'"] for name in TABLE["urllib.parse"].split()},
        "quote_from_bytes": ["b'a b'"],
        "parse_qs": ["'a=1&a=2&b='"],
        "parse_qsl": ["'a=1&b=', True"],
        **every(("unquote", "unquote_plus"), ["'a+%20b%C3'", "'a'"]),
        "unquote_to_bytes": ["'%41'", "b'%4'"],
        "urlencode": ["{'a': 1, 'b': 'c d'}", "[('a', [1, 2])], True"],
        "urljoin": ["'http://a/b/c', '../d'"],
    },
    "zlib": {"adler32": ["b'ab'"], "crc32": ["b'ab'", "b'a', 5"]},
}
"""Arguments for every function of the table."""


def program(module: str) -> str:
    """Return a program that calls every function of a module, and goes on after what they raise."""
    lines = [f"import {module} as called", "def f():"]
    for name in FAMILY.functions[module]:
        for args in SAMPLES[module][name]:
            lines += [
                "    try:",
                f"        x = called.{name}({args})",
                "    except Exception:",
                "        x = 0",
            ]
    return "\n".join([*lines, "    return x", ""])


@pytest.mark.parametrize("module", sorted(TABLE))
def test_every_function_of_the_table_gives_what_is_recorded(module: str) -> None:
    assert SAMPLES[module].keys() == set(TABLE[module].split())
    trace = record(Program.from_call(program(module), "f()"), TraceLimits(expressions=True))
    counts = _Witness(trace, calculates=True).run().counts
    written = [item.text for step in trace.steps for item in written_evaluations(step)]
    assert counts["calculated"] == len(written) - 1  # all but the call of f
    assert [
        name for name in FAMILY.functions[module] if not any(f".{name}(" in text for text in written)
    ] == []


TEXTS = st.text("aB1 é<&%/.*-=\n\t'\"\\½", max_size=9)
NUMBERS = st.integers(-3, 300) | st.integers(-(2**70), 2**70) | st.floats(width=16) | st.booleans()
SIMPLE = TEXTS | st.binary(max_size=5) | NUMBERS | st.none()
GIVEN = (
    SIMPLE
    | st.lists(TEXTS, max_size=3)
    | st.lists(NUMBERS, max_size=4)
    | st.lists(st.tuples(TEXTS, SIMPLE), max_size=2)
    | st.dictionaries(TEXTS, SIMPLE, max_size=2)
    | st.sampled_from(["<H", ">2sI", "@I", "NFC", "*a", "<class 'int'>"])
)
FUNCTIONS = sorted((module, name) for module, functions in MODULES.items() for name in functions)
BUILTINS = Builtins(modules={name: name for name in MODULES})
FOLLOWED = {"builtins", "re", "itertools", "collections", "json", "functools"}
"""Modules with tests of their own, and one that is imported by nobody."""


@settings(deadline=None, max_examples=600)
@given(
    st.sampled_from([pair for pair in FUNCTIONS if pair[0] not in FOLLOWED]),
    st.lists(GIVEN, min_size=1, max_size=3),
)
def test_whatever_functions_are_given_it_is_what_python_says(
    function: tuple[str, str], args: list[Any]
) -> None:
    module, name = function
    real = getattr(importlib.import_module(module), name)
    expression = f"{module}.{name}({', '.join(map(rendered, args))})"
    modules = {"urllib": "urllib"} if module.startswith("urllib") else {}
    builtins = Builtins(modules={**BUILTINS.modules, **modules}, submodules={module: module})

    def worked_out() -> str:
        return evaluate(expression, {}, builtins=builtins, with_objects=True).text

    answer = _answer(worked_out)
    assert answer is None or answer == _answer(lambda: rendered(real(*args)))  # else it may take for ever


def asked(expression: str) -> str:
    builtins = Builtins(
        modules={**BUILTINS.modules, "urllib": "urllib"}, submodules={"urllib.parse": "urllib.parse"}
    )
    return evaluate(expression, {}, builtins=builtins, with_objects=True).text


@pytest.mark.parametrize(
    "expression",
    [
        "struct.calcsize('I')",
        "struct.pack('@I', 3)",
        "struct.pack('=I', 3)",
        "struct.calcsize('<99999999x')",
        "struct.pack('<9999999999x')",
        "textwrap.fill('a\\t' * 900, tabsize=10 ** 9)",
        "textwrap.indent('\\n' * 1900, 'a' * 1900)",
        "textwrap.wrap('a' * 100000)",
        "urllib.parse.quote('a' * 10 ** 6)",
        "urllib.parse.quote('a', encoding='rot13')",
        "urllib.parse.unquote('a', 'rot13')",
        "heapq.nlargest(2, [1, 2], key=abs)",
        "heapq.nsmallest(2, {'a', 'b'})",
        "statistics.mean([10 ** 9999, 1])",
        "statistics.mean({1, 2, 3})",
        "fnmatch.filter(['a' * 1900] * 199, '*a*b' * 400)",
        "base64.a85encode(b'a' * 99999)",
        "binascii.hexlify(b'a' * 99999)",
        "math.comb(10 ** 6, 5 * 10 ** 5)",
        "math.factorial(10 ** 9)",
        "math.perm(10 ** 9)",
        "operator.lshift(1, 10 ** 9)",
        "operator.pow(9, 9 ** 9)",
        "operator.mul('a', 10 ** 9)",
        "shlex.split(None)",
        "hash('a')",
        "hash((1, 'a'))",
        "hash(None)",
        "hash(float('nan'))",
        "hash(str)",
        "datetime.date(2020, 1, 2).strftime('%s')",
        "datetime.date(2020, 1, 2).strftime('%99999999d')",
        "datetime.datetime(2020, 1, 2).strftime('%Z')",
        "datetime.datetime(2020, 1, 2).timestamp()",
        "datetime.datetime(2020, 1, 2).astimezone()",
        "datetime.datetime.strptime('Jan', '%b')",
        "datetime.datetime.now()",
        "datetime.date.today()",
        "format(datetime.date(2020, 1, 2), '%s')",
        "'{:%s}'.format(datetime.date(2020, 1, 2))",
        "f'{datetime.date(2020, 1, 2):%s}'",
        "posixpath.exists('a')",
        "posixpath.abspath('a')",
        "posixpath.expanduser('~')",
        "posixpath.join(3)",
        "str(html.escape)",
        "'%s' % html.escape",
        "list(map(html.escape, ['<']))",
        "sorted([1], key=html.escape)",
    ],
)
def test_what_depends_on_more_or_takes_long_is_not_said(expression: str) -> None:
    start = time.process_time()
    with pytest.raises((ExpressionError, Undecided)) as raised:
        asked(expression)
    assert getattr(raised.value, "raised", None) is None
    assert time.process_time() - start < 1


DAYS = st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1))
MOMENTS = st.datetimes(*map(datetime.datetime.fromisoformat, ("1900-01-01", "2100-01-01")))
SPANS = st.timedeltas(datetime.timedelta(days=-9999), datetime.timedelta(days=9999))
OF_DAYS = [
    *("{0} - {1}", "{0} + {2}", "{0} - {2}", "{0} < {1}", "{0} == {1}", "{0}.year", "{0}.day", "{2} * 2"),
    *("{0}.isoformat()", "{0}.weekday()", "{0}.toordinal()", "{0}.replace(day=3)", "str({0})", "{2} / 3"),
    *("{0}.strftime('%Y-%m-%d %j')", "f'{{{0}:%d.%m.%y}}'", "{2}.days", "{2}.seconds", "abs({2})", "-{2}"),
    *(
        "{2}.total_seconds()",
        "{2} // {2}",
        "bool({2})",
        "not {2}",
        "str({2})",
        "sorted([{0}, {1}])",
        "{2} > {2}",
    ),
    *("max([{0}, {1}])", "[{0}, {2}]", "{{{0}: 1}}", "{0} in [{1}]", "({0} - {1}).days", "{0} is None"),
    *(
        "isinstance({0}, datetime.date)",
        "{0}.hour",
        "{0}.date()",
        "{0} + 1",
        "f'{{{0}!r:>30}}'",
        "'%s' % {0}",
    ),
]


@settings(deadline=None, max_examples=300)
@given(DAYS | MOMENTS, DAYS | MOMENTS, SPANS, st.sampled_from(OF_DAYS))
def test_days_are_worked_out_as_python_does(one: Any, other: Any, span: Any, form: str) -> None:
    expression = form.format(*map(rendered, (one, other, span)))
    expected = _answer(lambda: rendered(eval(expression, {"datetime": datetime})))  # noqa: S307 - the reference
    assert _answer(lambda: asked(expression)) in (expected, None)
    for value in (one, other, span, slice(one, None), [span]):
        assert text_of(known_value(rendered(value))) == text_of(value) == rendered(value)


def test_what_the_library_holds_reads_as_the_recorder_writes_it() -> None:
    for module, names in CONSTANTS.items():
        for name, value in names.items():
            if value is not sys.float_info:  # only what it holds is told
                assert text_of(value) == rendered(value), (module, name)
    found = "os.sep, os.curdir, math.tau, string.digits, os.extsep"
    source = f"import os, math, string\ndef f():\n    return {found}\n"
    assert _Witness(_recorded(source, "f()"), calculates=True).run().counts["calculated"] >= 5
    assert operator.add is MODULES["operator"]["add"]
