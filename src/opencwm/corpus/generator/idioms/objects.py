"""Idioms of small classes."""

from __future__ import annotations

from opencwm.corpus.generator.templates import Idiom

OBJECT_IDIOMS = (
    Idiom(
        "xs:ints<=6",
        "any",
        "C:class total:total|value|count|amount|size log:items|history|log|entries m:method "
        "x:loopint obj:c|obj|acc|it n:int",
        """
class $C:
    <<limit = ~20:60~

    ||>>def __init__(self<<||, $n=0>>):
        self.$total = <<0||~1:9~>>
        self.$log = []

    def $m(self, $x):
        <<if ?bool x?:
            return <<False||self||None>>
        ||>>self.$total += <<$x||abs($x)||$x * 2>>
        <<self.$log.append($x)
        ||>>return <<self.$total||True||len(self.$log)>>


def $F($xs):
    $obj = $C()
    for $x in $xs:
        $obj.$m($x)
    return <<$obj.$total||$obj.$total, $obj.$log||$obj.$log||len($obj.$log)>>
""",
        cost=60,
        size=0.55,
    ),
    Idiom(
        "xs:strs<=5",
        "any",
        "C:class data:items|data|stack|queue m:method take:take|pop|get|remove|serve x:loopstr "
        "obj:s|q|obj|box out:strs",
        """
class $C:
    def __init__(self<<||, items=()>>):
        self.$data = []

    def $m(self, $x):
        self.$data.<<append($x)||insert(0, $x)>>
        <<return self||return len(self.$data)||>>

    def $take(self):
        <<if not self.$data:
            return <<None||''||'empty'>>
        ||>>return self.$data.pop(<<||0>>)
    <<
    def __len__(self):
        return len(self.$data)
    ||
    @property
    def size(self):
        return len(self.$data)
    ||>>

def $F($xs):
    $obj = $C()
    for $x in $xs:
        $obj.$m($x)
    $out = []
    while $obj.$data<< and len($out) < ~2:4~||>>:
        $out.append($obj.$take())
    return <<$out||''.join($out)||$out, $obj.$data>>
""",
        cost=80,
        size=0.6,
    ),
    Idiom(
        "a:pair b:pair",
        "any",
        "C:class x:x|row|width|left y:y|col|height|top p:p|first|one|this q:q|second|other|that "
        "o:other|o|rhs",
        """
class $C:
    def __init__(self, $x, $y<<||=~0:9~>>):
        self.$x = $x
        self.$y = $y

    <<def __add__(self, $o):
        return $C(self.$x + $o.$x, self.$y + $o.$y)||def __eq__(self, $o):
        return self.$x == $o.$x and self.$y == $o.$y||def area(self):
        return abs(self.$x * self.$y)||def shift(self, $o):
        self.$x += $o.$x
        self.$y -= $o.$y>>

    def as_tuple(self):
        return <<(self.$x, self.$y)||self.$x, self.$y||(self.$y, self.$x)>>


def $F($a, $b):
    $p = $C($a[0], $a[1])
    $q = $C(*$b)
    <<$p.$x += $q.$y||$q.$x, $p.$x = $p.$x, $q.$x||if $p.$x > $q.$x:
        $p, $q = $q, $p>>
    return <<$p.as_tuple()||$p.as_tuple() + $q.as_tuple()||$p.$x - $q.$x||[$p.$y, $q.$y]>>
""",
        cost=25,
        size=0.5,
    ),
    Idiom(
        "name:str<=8 n:nat<=20",
        "any",
        "B:class C:class value:level|score|value|age x:x|thing|obj out:strs",
        """
class $B:
    kind = %key%

    def __init__(self, $name):
        self.$name = $name

    def describe(self):
        return <<self.$name||f'{self.kind}:{self.$name}'||self.kind + self.$name>>


class $C($B):
    <<kind = %word%

    ||>>def __init__(self, $name, $value):
        super().__init__($name<<||.upper()||[::-1]>>)
        self.$value = $value
    <<
    def describe(self):
        return super().describe() + <<str(self.$value)||'!'||'-' * 2>>
    ||>>

def $F($name, $n=~1:9~):
    $x = $C($name, $n)
    <<||$x.$value += ~1:9~
    >>
    return <<$x.describe()||$x.describe(), $x.$value||[$B($name).describe(), $x.describe()]||\
f'{$x.describe()}/{$x.$value}'||isinstance($x, $B)>>
""",
        cost=25,
        size=0.6,
    ),
    Idiom(
        "xs:ints<=5",
        "any",
        "C:class value:value|data|item next:next|link|rest head:head|first|top x:loopint "
        "node:node|cur|n out:ints",
        """
class $C:
    def __init__(self, $value, $next=None):
        self.$value = $value
        self.$next = $next


def $F($xs):
    $head = None
    for $x in <<$xs||reversed($xs)||$xs[:3]>>:
        $head = $C($x, $head)
    $node = $head
    $out = <<[]||[]||[0]>>
    while $node is not None:
        $out.append($node.$value)
        $node = $node.$next
    return <<$out||sum($out)||$out[-1:]>>
""",
        cost=60,
        size=0.65,
    ),
    Idiom(
        "balance:int<=60 changes:ints<=5",
        "any",
        "C:class E:error m:put|deposit|add|gain take:take|withdraw|spend|use obj:acc|a|box|wallet "
        "x:loopint e:e|err|exc",
        """
class $E(<<ValueError||Exception||RuntimeError>>):
    pass


class $C:
    def __init__(self, $balance=0):
        self.$balance = $balance

    def $m(self, $x):
        self.$balance += $x

    def $take(self, $x):
        if $x > self.$balance:
            raise $E(<<f'need {$x}'||%word%||$x>>)
        self.$balance -= $x


def $F($balance, $changes):
    $obj = $C($balance)
    <<for $x in $changes:
        try:
            if $x < 0:
                $obj.$take(-$x)
            else:
                $obj.$m($x)
        except $E<< as $e||>>:
            <<break||continue||$obj.$balance = 0||pass>>
    return $obj.$balance||for $x in $changes:
        if $x >= 0:
            $obj.$m($x)
        elif $obj.$balance >= -$x:
            $obj.$take(-$x)
    return $obj.$balance>>
""",
        cost=80,
        size=0.6,
    ),
)
