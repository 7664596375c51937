"""What is foreseen of objects of the program's classes: all that their classes settle, and no more."""

from __future__ import annotations

import pytest
from test_foresight import _recorded, _Witness

INITIALIZERS = """\
class Base:
    def __init__(self, n):
        self.n = n
        if n < 0:
            return n

class Derived(Base):
    def __init__(self, n):
        super().__init__(n)
        self.worth = super().__init__(n), Base.__init__(self, n)

class Odd:
    def __init__(self, n):
        self.n = n
        return n

def f(n):
    derived = Derived(n)
    again = derived.__init__(n), Base.__init__(derived, 1)
    try:
        Derived(-1)
        Odd(n)
    except TypeError as error:
        again += (str(error),)
    return derived, again
"""

OBJECT_PROGRAMS = [(INITIALIZERS, "f(2)"), (INITIALIZERS, "f(-2)")]


@pytest.mark.parametrize("calculates", [False, True])
@pytest.mark.parametrize(("source", "call"), OBJECT_PROGRAMS)
def test_what_is_foreseen_of_objects_comes_true(source: str, call: str, calculates: bool) -> None:
    _Witness(_recorded(source, call), calculates=calculates).run()
