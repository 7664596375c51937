from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from opencwm.core.errors import ConfigError
from opencwm.frontends.programs import load_program, read_source

SOURCE = """\
import math as m
LIMIT = 3

def f(a, b=2):
    return a

def main():
    return f(1)

class C:
    def go(self):
        return 1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(SOURCE)
    return path


def error_of(path: Path, **start: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_program(path, **start)
    return caught.value


@pytest.mark.parametrize(
    "call",
    [
        "f(1)",
        "f(a=1)",
        "C().go()",
        "m.sqrt(4)",
        "len([f(1)])",
        "max([1], key=lambda x: f(x))",
        "[f(i) for i in (1, 2)]",
        " f(1) ",
    ],
)
def test_a_call_of_something_known_is_accepted(path: Path, call: str) -> None:
    program = load_program(path, call=call)
    assert program.call == call.strip()
    assert program.filename == str(path)
    assert program.entry == "main_", "the file has a main of its own"


@pytest.mark.parametrize(
    ("call", "problem"),
    [("g(1)", "'g'"), ("ff(1)", "'ff'"), ("go()", "'go'"), ("a.b.c(1)", "'a'"), ("f(g())", "'g'")],
)
def test_a_call_of_something_unknown_is_refused(path: Path, call: str, problem: str) -> None:
    error = error_of(path, call=call)
    assert error.where == "--call"
    assert problem in error.what
    assert error.hint


def test_the_nearest_function_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.py"
    path.write_text("def count_letters(text):\n    return 0\n")
    assert error_of(path, call="count_leters('a')").hint == "did you mean 'count_letters'?"


@pytest.mark.parametrize("call", ["f(", "f(1) f(2)", "x = 1", "", "return f(1)", "f(1);f(2)", "\0"])
def test_a_call_that_is_no_expression_is_refused(path: Path, call: str) -> None:
    assert "not a Python expression" in error_of(path, call=call).what


def test_an_expression_without_a_call_is_refused(path: Path) -> None:
    assert "calls no function" in error_of(path, call="LIMIT + 1").what


def test_the_entry_is_main_when_nothing_else_is_said(path: Path) -> None:
    assert load_program(path).entry == "main"
    assert load_program(path, entry="main").call is None


@pytest.mark.parametrize(("entry", "problem"), [("nope", "defines no 'nope'"), ("f", "needs arguments: a")])
def test_a_bad_entry_is_refused(path: Path, entry: str, problem: str) -> None:
    assert problem in error_of(path, entry=entry).what


def test_a_star_import_leaves_the_question_to_the_run(tmp_path: Path) -> None:
    path = tmp_path / "p.py"
    path.write_text("from somewhere import *\n")
    assert load_program(path, call="anything(1)").entry == "main"
    assert load_program(path, entry="anything").entry == "anything"


@pytest.mark.parametrize(
    "body",
    [
        "if True:\n    def f(): pass\n",
        "try:\n    pass\nexcept E:\n    def f(): pass\n",
        "match 1:\n    case 1:\n        f = print\n",
    ],
)
def test_names_bound_inside_module_level_blocks_count(tmp_path: Path, body: str) -> None:
    path = tmp_path / "p.py"
    path.write_text(body)
    assert load_program(path, call="f()").call == "f()"


def test_names_of_an_inner_scope_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "p.py"
    path.write_text("def f():\n    def inner(): pass\n")
    assert "'inner'" in error_of(path, call="inner()").what


def test_both_ways_to_start_exclude_each_other(path: Path) -> None:
    assert "exclude each other" in error_of(path, call="f(1)", entry="main").what


def test_without_a_way_to_start_the_functions_are_named(tmp_path: Path) -> None:
    path = tmp_path / "p.py"
    path.write_text("def alpha(x): return x\ndef beta(x): return x\n")
    assert error_of(path).hint == 'use --call "alpha(...)"; functions there: alpha, beta'


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("name = 'ü'\n".encode(), "name = 'ü'\n"),
        (codecs.BOM_UTF8 + "name = 'ü'\n".encode(), "name = 'ü'\n"),
        (
            "# -*- coding: latin-1 -*-\nname = 'ü'\n".encode("latin-1"),
            "# -*- coding: latin-1 -*-\nname = 'ü'\n",
        ),
        (
            "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nname = '€'\n".encode("cp1252"),
            "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nname = '€'\n",
        ),
        (b"a = 1\r\nb = 2\rc = 3\n", "a = 1\nb = 2\nc = 3\n"),
    ],
)
def test_a_file_is_decoded_as_python_does(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "p.py"
    path.write_bytes(data)
    assert read_source(path) == text


@pytest.mark.parametrize(
    "data",
    [
        "name = 'ü'\n".encode("latin-1"),
        b"a = 1\n" * 2000 + "name = 'ü'\n".encode("latin-1"),
        b"# coding: klingon\n",
        codecs.BOM_UTF8 + b"# coding: latin-1\n",
        "a = 1\n".encode("utf-16"),
    ],
)
def test_a_file_that_cannot_be_decoded_is_refused_with_the_mend(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "p.py"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="cannot be decoded") as caught:
        read_source(path)
    assert caught.value.where == str(path)
    assert "coding" in caught.value.hint


def test_a_warning_in_the_program_is_not_ours_to_print(tmp_path: Path) -> None:
    path = tmp_path / "p.py"
    path.write_text("def f():\n    return '\\d' is 3\n")
    assert load_program(path, call="f()").call == "f()"


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("f()", "f() does not fit f(a, b=2): missing a required argument: 'a'"),
        ("f(1, 2, 3)", "f(1, 2, 3) does not fit f(a, b=2): too many positional arguments"),
        ("len([f(c=1)])", "f(c=1) does not fit f(a, b=2): "),
        ("f(x)", "defines no 'x'"),
        ("await f(1)", "'await' outside function"),
        ("coroutine()", "'coroutine' is async: calling it makes a coroutine and runs nothing"),
        ("values(3)", "'values' is a generator: calling it runs nothing until its values are asked for"),
    ],
)
def test_a_call_that_cannot_do_what_is_meant_is_refused(path: Path, call: str, problem: str) -> None:
    path.write_text(f"{SOURCE}\nasync def coroutine(): ...\ndef values(n):\n    yield n\n")
    error = error_of(path, call=call)
    assert error.where == "--call"
    assert problem in error.what


@pytest.mark.parametrize(
    "call",
    [
        "f(*[])",
        "f(**{})",
        "twice()",
        "wrapped()",
        "max([1], key=lambda f: f())",
        "list(values(3))",
        "nested(3)",
        "[x for x in (f(1), f(2)) if f(x)]",
        "print(values(3))",
    ],
)
def test_a_call_of_which_only_a_run_can_tell_is_accepted(path: Path, call: str) -> None:
    path.write_text(
        f"{SOURCE}\ndef twice(a): ...\ndef twice(): ...\n@m.wraps\ndef wrapped(a): ...\n"
        "def values(n):\n    yield n\ndef nested(n):\n    def inner():\n        yield n\n    return inner()\n"
    )
    assert load_program(path, call=call).call == call


@pytest.mark.parametrize("entry", ["coroutine", "values"])
def test_an_entry_that_runs_nothing_is_refused(path: Path, entry: str) -> None:
    path.write_text(f"import asyncio\n{SOURCE}\nasync def coroutine(): ...\ndef values(n):\n    yield n\n")
    error = error_of(path, entry=entry)
    assert error.where == "--entry"
    assert error.hint in {'use --call "asyncio.run(coroutine())"', 'use --call "list(values(n))"'}
