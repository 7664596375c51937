"""Cutting functions out of a package on disk: what is kept, and that it runs alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_package

from opencwm.corpus.harvest.cut import Cutter
from opencwm.corpus.harvest.modules import CutError, Package


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    place = tiny_package.lay_out(tmp_path_factory.mktemp("packages"))
    return Package([place / "site"], ["tinypack"])


def _run(source: str, call: str) -> Any:
    scope: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, "<cut>", "exec", dont_inherit=True), scope)
    return eval(call, scope)  # noqa: S307 - running what was cut is the test


@pytest.mark.parametrize(
    ("module", "qualname", "needs", "call", "result"),
    [
        ("words", "shout", {}, "shout('ab', 2)", "AB!!"),
        ("words", "vowels", {}, "vowels('banana')", 3),
        ("words", "pairs", {}, "list(pairs([1]))", [(1, 2)]),
        ("words", "third", {}, "third(9)", 3),
        ("numbers", "apply", {"shout": "tinypack.words"}, "apply(shout, 'x')", "X!"),
        ("boxes", "Box.total", {}, "Box([1, 2]).total()", 6),
        ("boxes", "Box.far", {"BigBox": "tinypack.boxes"}, "BigBox().far()", 10),
        ("boxes", "fill", {"Box": "tinypack.boxes"}, "fill(Box(), 'ab')", 2),
        ("boxes", "Point.moved", {}, "Point(1, y=2).moved(1).y", 3),
        ("numbers", "double", {"Decimal": "decimal", "re": ""}, "double(Decimal('1.5'))", 3),
    ],
)
def test_what_is_cut_runs_alone(
    package: Package, module: str, qualname: str, needs: dict[str, str], call: str, result: object
) -> None:
    source = Cutter(package).cut(f"tinypack.{module}", qualname, needs, [call])
    assert "tinypack" not in source
    assert _run(source, call) == result


def test_only_what_is_needed_is_kept(package: Package) -> None:
    source = Cutter(package).cut("tinypack.words", "shout", {})
    assert source == "def shout(text, times=1):\n    result = text.upper()\n    return result + '!' * times\n"
    source = Cutter(package).cut("tinypack.boxes", "Box.total", {})
    assert "def add" not in source
    assert "def far" not in source
    assert "def unused" not in source


def test_methods_that_no_run_entered_can_be_left_out(package: Package) -> None:
    entered = {"Box.__init__", "Box.total", "double"}
    source = Cutter(package).cut("tinypack.boxes", "Box.total", {}, entered=entered)
    assert "__len__" not in source
    assert _run(source, "Box([2]).total()") == 4


def test_decorators_of_the_package_can_be_left_out(package: Package) -> None:
    assert "checked" in Cutter(package).cut("tinypack.words", "third", {})
    assert "checked" not in Cutter(package, keep_decorators=False).cut("tinypack.words", "third", {})
    assert "@dataclass" in Cutter(package, keep_decorators=False).cut("tinypack.boxes", "Point.moved", {})


@pytest.mark.parametrize(
    ("module", "qualname", "needs", "why"),
    [
        ("words", "where", {}, "looks at its module"),
        ("words", "absent", {}, "definition not found"),
        ("absent", "shout", {}, "no source"),
        ("words", "shout", {"Absent": "tinypack.boxes"}, "class or function not found"),
        ("words", "vowels", {"re": "tinypack.words"}, "class or function not found"),
        ("words", "vowels", {"vowels": "operator"}, "two things of one name"),
    ],
)
def test_what_cannot_be_cut_has_a_reason(
    package: Package, module: str, qualname: str, needs: dict[str, str], why: str
) -> None:
    with pytest.raises(CutError, match=f"^{why}$"):
        Cutter(package).cut(f"tinypack.{module}", qualname, needs)


def test_a_long_program_is_refused(package: Package) -> None:
    with pytest.raises(CutError, match=r"^long program$"):
        Cutter(package).cut("tinypack.words", "vowels", {}, max_lines=5)


def _package(folder: Path, **modules: str) -> Package:
    (folder / "pack").mkdir()
    for name, text in {"__init__": "", **modules}.items():
        (folder / "pack" / f"{name}.py").write_text(text, encoding="utf-8")
    return Package([folder], ["pack"])


def test_names_that_lead_through_several_modules(tmp_path: Path) -> None:
    package = _package(
        tmp_path,
        __init__="from .a import *\nfrom . import b as other",
        a="from .b import *",
        b="def inner(x):\n    return x + 1\n",
        c="import pack as p\nfrom pack import other\n\n"
        "def outer(inner):\n    return p.inner(inner) + other.inner(inner)\n",
    )
    source = Cutter(package).cut("pack.c", "outer", {})
    assert _run(source, "outer(1)") == 4


def test_a_module_imported_from_its_own_package(tmp_path: Path) -> None:
    package = _package(
        tmp_path,
        __init__="from . import b\nfrom pack import c\n",
        b="def inner(x):\n    return x + 1\n",
        c="from pack import b\n\ndef outer(x):\n    return b.inner(x)\n",
    )
    assert _run(Cutter(package).cut("pack.c", "outer", {}), "outer(1)") == 2


def test_what_only_describes_is_left_out(tmp_path: Path) -> None:
    package = _package(
        tmp_path,
        c="text = 'long'\n\nclass C:\n    'doc'\n    x: int\n    def f(self) -> int:\n        'doc'\n"
        "        return 1\n\nC.__doc__ = text\n",
    )
    source = Cutter(package).cut("pack.c", "C.f", {})
    assert source == "class C:\n\n    def f(self):\n        return 1\n"


def test_two_things_of_one_name_get_two_names(tmp_path: Path) -> None:
    package = _package(
        tmp_path,
        a="from datetime import datetime\n_unset = 1\n\nclass Node:\n    def value(self):\n"
        "        return _unset, datetime(2020, 1, 1).year\n",
        b="import datetime\nfrom .a import Node as Other\n_unset = 2\n\nclass Node(Other):\n"
        "    def value(self):\n        return super().value(), _unset, datetime.date(2021, 1, 1).year\n",
        c="from . import b\n\ndef count():\n    global _unset\n    _unset += 1\n    return _unset\n\n"
        "_unset = 5\n\ndef outer(node):\n    return node.value(), b.Node().value(), count()\n",
    )
    source = Cutter(package).cut("pack.c", "outer", {"Node": "pack.a"}, ["outer(Node())"])
    first = (1, 2020)
    assert _run(source, "outer(Node())") == (first, (first, 2, 2021), 6)


def test_a_local_that_hides_the_name_of_another_module(tmp_path: Path) -> None:
    package = _package(
        tmp_path,
        b="def item(x):\n    return x + 1\n",
        c="from .b import item as _item\nfrom . import b\n\ndef outer(item):\n"
        "    return _item(item) + b.item(item)\n",
    )
    source = Cutter(package).cut("pack.c", "outer", {}, ["outer(1)"])
    assert "item(x)" in source
    assert _run(source, "outer(1)") == 4


def test_imports_inside_functions_and_aliases(tmp_path: Path) -> None:
    package = _package(
        tmp_path,
        b="from os.path import join as glue\n\ndef inner(x):\n    return glue('a', x)\n",
        c="def outer(x):\n    from .b import inner as again\n    import json\n"
        "    return json.dumps(again(x))\n",
    )
    source = Cutter(package).cut("pack.c", "outer", {})
    assert _run(source, "outer('b')") == '"a/b"'


def test_what_needs_another_package_is_refused(tmp_path: Path) -> None:
    package = _package(tmp_path, c="import numpy as np\n\ndef f(x):\n    return np.sum(x)\n")
    with pytest.raises(CutError, match=r"^imports another package$"):
        Cutter(package).cut("pack.c", "f", {})


def test_a_module_used_as_a_value_is_refused(tmp_path: Path) -> None:
    package = _package(tmp_path, b="x = 1", c="from . import b\n\ndef f():\n    return vars(b)\n")
    with pytest.raises(CutError, match=r"^uses a module as a value$"):
        Cutter(package).cut("pack.c", "f", {})


def test_a_source_in_another_encoding_is_read_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_bytes(b"# coding: latin-1\ndef f():\n    return '\xe9'\n")
    (tmp_path / "wrong.py").write_bytes(b"def f():\n    return '\xe9'\n")
    cutter = Cutter(Package([tmp_path], ["old", "wrong"]))
    assert _run(cutter.cut("old", "f", {}), "f()") == "\xe9"
    with pytest.raises(CutError, match=r"^no source$"):
        cutter.cut("wrong", "f", {})


def test_branches_for_other_versions_of_python_are_decided(tmp_path: Path) -> None:
    package = _package(
        tmp_path,
        c="import sys\nif sys.version_info >= (3,):\n    def g():\n        return 3\n"
        "else:\n    def g():\n        return 2\n\ndef f():\n    return g()\n",
    )
    source = Cutter(package).cut("pack.c", "f", {})
    assert "sys" not in source
    assert _run(source, "f()") == 3


def test_functions_that_no_run_entered_can_be_left_out(tmp_path: Path) -> None:
    package = _package(
        tmp_path,
        c="import functools\n\ndef _key():\n    return 2\n\n_TABLE = {_key(): 3}\n\n"
        "def marked(f):\n    @functools.wraps(f)\n    def inner(x):\n        return f(x)\n"
        "    return inner\n\ndef rare(x):\n    return rarer(x)\n\ndef rarer(x):\n    return x\n\n"
        "def common(x):\n    return _TABLE[x]\n\n"
        "@marked\ndef outer(x):\n    return rare(x) if x < 0 else common(x)\n",
    )
    source = Cutter(package).cut("pack.c", "outer", {}, entered={"outer", "common", "marked.<locals>.inner"})
    assert "def rare" not in source
    assert _run(source, "outer(2)") == 3
