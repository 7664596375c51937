"""Objects after an attribute was set: what is said of them is what CPython and the tracer say."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opencwm.debugger.foreseeing.attributes import Attributes
from opencwm.debugger.foreseeing.module_names import ModuleNames
from opencwm.debugger.foreseeing.object_shapes import linearized
from opencwm.debugger.foreseeing.rendered import MAX_CHARS
from opencwm.tracer import record
from opencwm.tracer.bound_names import BoundNames
from opencwm.traces import Program

NODE = "class Node:\n    def __init__(self):\n        self.value = 1\n"
NAMES = st.sampled_from(["value", "left", "_count", "next_one"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text("ab'\"(,=)", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("k", max_size=1), inner, max_size=2),
    max_leaves=5,
)


def rules(source: str) -> Attributes:
    return Attributes.of(ast.parse(source))


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=6))
def test_it_is_what_really_comes_of_it(stores: list[tuple[str, object]]) -> None:
    lines = "".join(f"    node.{name} = {value!r}\n" for name, value in stores)
    source = f"class Node:\n    pass\ndef main():\n    node = Node()\n{lines}    return node\n"
    trace = record(Program(source, "main"))
    attributes, text = rules(source), "Node()"
    for name, value in stores:
        after = attributes.after_store(text, name, repr(value))
        if after is None:  # long, or with an ellipsis
            assert len(text) + len(repr(value)) > MAX_CHARS - 40 or "..." in text + repr(value)
            return
        text = after
    assert trace.result == text


@pytest.mark.parametrize(
    "changed",
    [
        "class Node:\n    __slots__ = ('value', *names)\n",
        "class Node:\n    __slots__ = ('value',)\n",
        "@dataclass\nclass Node:\n    value: int\n    left: int = field(repr=False)\n",
        "class Node:\n    def __setattr__(self, name, value): pass\n",
        "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass Node:\n    value: int = 1\n",
        "class Node:\n    @property\n    def left(self): return 1\n",
        "class Node:\n    left = property(lambda self: 1)\n",
        "class Node(Base):\n    pass\n",
        "class Node(metaclass=Kind):\n    pass\n",
        "class Other:\n    pass\n",
        "def f(node):\n    node.__dict__['left'] = 1\nclass Node:\n    pass\n",
    ],
)
def test_a_class_that_may_have_a_say_is_left_alone(changed: str) -> None:
    assert rules(changed).after_store("Node(value=1)", "left", "2") is None


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        (None, "left", "2"),
        ("Node(value=1)", "left", None),
        ("Node(value=1)", "__left", "2"),
        ("Node(value=[1, ...])", "left", "2"),
        ("Node(value=1)", "left", "Node(value=2, left=Node(value=1))"),
        ("Node(value=1)", "left", "Pair(a=Node(value=1))"),
        ("Node(value=1)", "left", "[[[[[[[1]]]]]]]"),
        ("Node(1)", "left", "2"),
        ("Node(**{'a': 1})", "left", "2"),
        ("Node( value=1)", "left", "2"),
        ("[Node()]", "left", "2"),
        ("Node(value='" + "x" * MAX_CHARS + "')", "left", "2"),
    ],
)
def test_what_is_not_certain_is_not_said(text: str | None, name: str, value: str | None) -> None:
    assert rules(NODE).after_store(text, name, value) is None


@pytest.mark.parametrize(
    "harmless",
    [
        "class Node(Base):\n    pass\nclass Base:\n    pass\n",
        "import abc\nclass Node(abc.ABC):\n    pass\n",
        "from abc import ABCMeta\nclass Node(metaclass=ABCMeta):\n    pass\n",
        "import dataclasses\n@dataclasses.dataclass(order=True)\nclass Node:\n    value: int = 1\n",
        "class Node:\n    pass\nclass Other(Unknown):\n    def __setattr__(self, *_): pass\n",
    ],
)
def test_a_class_that_has_no_say_is_not(harmless: str) -> None:
    assert rules(harmless).after_store("Node(value=1)", "value", "2") == "Node(value=2)"


def test_slots_decide_the_order_of_attributes() -> None:
    attributes = rules("class Node:\n    __slots__ = ('left', 'value')\n")
    assert attributes.after_store("Node(value=1)", "left", "2") == "Node(left=2, value=1)"
    assert attributes.after_store("Node(value=1)", "value", "2") == "Node(value=2)"


def test_an_object_within_an_object() -> None:
    attributes = rules(NODE + "class Pair:\n    pass\n")
    assert attributes.after_store("Pair(a=1)", "b", "Node(value=1)") == "Pair(a=1, b=Node(value=1))"
    assert attributes.after_store("Pair(a=1)", "b", "[Node(value=1)]") == "Pair(a=1, b=[Node(value=1)])"
    for value in ("Other()", "{1, 2}", "Pair(a=2)", "[Pair()]"):
        assert attributes.after_store("Pair(a=1)", "b", value) == f"Pair(a=1, b={value})"
    for value in ("Pair(a=1)", "[Pair(a=1)]", "[" * 7 + "Node()" + "]" * 7):
        assert attributes.after_store("Pair(a=1)", "b", value) is None


def test_attributes_keep_their_place() -> None:
    attributes = rules(NODE)
    assert (
        attributes.after_store("Node(value=1, left='a, b')", "value", "[2]") == "Node(value=[2], left='a, b')"
    )
    assert attributes.after_store("Node(value=1)", "left", "None") == "Node(value=1, left=None)"
    assert attributes.after_store("Node()", "left", "None") == "Node(left=None)"
    assert Attributes().after_store("Node()", "left", "None") is None


@given(st.text(max_size=30), st.text(max_size=5), st.text(max_size=10))
def test_any_text_is_an_object_or_nothing(text: str, name: str, value: str) -> None:
    rules(NODE).after_store(text, name, value)


_FIELD = "value: list = dataclasses.field(default_factory=list)"
_BASE = "import dataclasses\n@dataclasses.dataclass\nclass Base:\n    left: int = 0\n"
SHAPES = [
    "class Base:\n    __slots__ = ('value', '_count')\nclass Node(Base):\n    __slots__ = 'left', '__own'\n",
    "class Base:\n    pass\nclass Node(Base):\n    __slots__ = 'left', 'value'\n",
    "import typing\nclass Node(typing.Generic[typing.TypeVar('T')]):\n    __slots__ = 'left', '__dict__'\n",
    "import dataclasses\n@dataclasses.dataclass\nclass Node:\n    left: int = 0\n    value: int = 1\n",
    f"{_BASE}@dataclasses.dataclass\nclass Node(Base):\n    {_FIELD}\n",
    "class Node(ValueError):\n    pass\n",
]
STORED = {
    **{text: text for text in ("7", "'x'", "frozenset({1})", "{1, 2}", "(1, [2])", "[{3}]")},
    "len": "<built-in function len>",
    "f": "<function f>",
    "int": "<class 'int'>",
}


@given(st.sampled_from(SHAPES), st.lists(st.tuples(NAMES, st.sampled_from(sorted(STORED))), max_size=5))
def test_slots_fields_and_exceptions_show_what_python_says(
    source: str, stores: list[tuple[str, str]]
) -> None:
    lines = "".join(
        f"    try: node.{name} = {value}\n    except AttributeError: failed.append(0)\n"
        for name, value in stores
    )
    head = f"{source}def f(): pass\ndef main():\n    failed = []\n    node = Node()\n"
    trace = record(Program(f"{head}{lines}    return failed, node\n", "main"))
    shown = [text for step in trace.steps for name, text in step.changed if name == "node"]
    text, num_failed = shown[0], 0
    for name, value in stores:
        after = rules(source).after_store(text, name, STORED[value])
        num_failed += after is None
        text = after or text
    assert trace.result == f"({[0] * num_failed}, {text})"


@given(st.lists(st.lists(st.integers(0, 4), max_size=3, unique=True), min_size=1, max_size=6))
def test_classes_are_looked_up_in_the_order_of_python(bases: list[list[int]]) -> None:
    made: dict[str, type] = {}
    names: dict[str, list[str]] = {}
    for number, wanted in enumerate(bases):
        name = f"C{number}"
        own = [f"C{base}" for base in wanted if f"C{base}" in made]
        try:
            made[name] = type(name, tuple(made[base] for base in own), {})
        except TypeError:
            with pytest.raises(ValueError, match="no common order"):
                linearized(name, {**names, name: own})
            continue
        names[name] = own
        assert linearized(name, names) == tuple(kind.__name__ for kind in made[name].__mro__[:-1])


@pytest.mark.parametrize("base", ["collections.Counter", "Counter", "Other[Counter]"])
def test_a_class_named_as_its_base_is_not_known(base: str) -> None:
    attributes = Attributes.of(ast.parse(f"class Counter({base}):\n    pass\n"))
    assert "Counter" not in attributes.bare


def test_types_that_a_class_binds_are_read_unless_they_may_be_others() -> None:
    source = "class C:\n    kind = dict\n    other = list\n    made = dict()\ndef list(): pass\n"
    tree = ast.parse(source)
    names = ModuleNames.of(tree, BoundNames(tree))
    attributes = Attributes.of(tree, names.texts, names.builtins)
    assert attributes.read("C()", "kind") == "<class 'dict'>"
    assert attributes.read("C()", "other") is None
    assert attributes.read("C()", "made") is None


@pytest.mark.parametrize(
    ("rest", "read"),
    [
        ("", "3"),
        ("C.x = 4", None),
        ("def f(c):\n    c.x = 4", "3"),
        ("def f(c):\n    c.x = 4\nf(C)", None),
        ("def f(c):\n    D.x = 4\nD = C", None),
        ("def f(c):\n    type(c).x = 4", None),
        ("def f(c):\n    c.__class__.x = 4", None),
        ("def f(c):\n    m.C.x = 4", None),
        ("def f(c):\n    c.x = 4\nf(m.C)", None),
        ("def f(c):\n    c.x = 4\nf(C().__class__)", None),
        ("def f(c):\n    c.x = 4\nf(type(C()))", None),
        ("def f(c):\n    c.x = 4\n@f\nclass D(C):\n    pass", None),
        ("def f(c):\n    c.x = 4\nclass D(C):\n    @classmethod\n    def g(cls):\n        f(cls)", None),
        ("class D(C):\n    @classmethod\n    def g(cls):\n        cls.x = 4", None),
        ("class D(C):\n    g = classmethod(lambda c: h(c))\ndef h(c):\n    c.x = 4", None),
        ("class D(C):\n    def g(self):\n        super().x = 4", None),
        ("class D(C):\n    def g(self):\n        __class__.x = 4", None),
        ("class E(type):\n    def g(c):\n        c.x = 4", None),
        ("def f(c):\n    if isinstance(c, C) and type(c) is C:\n        c.x = 4", "3"),
        ("def f(c: C) -> C:\n    c.x = C(C.x).x\n    print(type(c).__name__)", "3"),
        ("class D(C):\n    def g(self):\n        self.x = 4", "3"),
        ("class D(C):\n    @classmethod\n    def g(self):\n        self.x = 4", None),
        ("del C.x", None),
        ("setattr(C, 'x', 4)", None),
        ("vars(C)", None),
        ("class C:\n    x = 4", None),
    ],
)
def test_what_a_class_binds_is_read_unless_it_may_be_set(rest: str, read: str | None) -> None:
    attributes = Attributes.of(ast.parse(f"class C:\n    x = 3\n    y = []\n{rest}\n"))
    assert attributes.read("C(z=1)", "x") == read
    assert attributes.read("C(x=5)", "x") == ("5" if attributes.is_plain else None)
    assert attributes.read("C(z=1)", "y") is None
