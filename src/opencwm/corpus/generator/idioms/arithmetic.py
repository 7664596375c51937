"""Idioms on numbers."""

from __future__ import annotations

from opencwm.corpus.generator.templates import Idiom

NUMBER_IDIOMS = (
    Idiom(
        "a:nat<=60 b:nat<=60",
        "int",
        "t:temp|t|r|rest",
        """
def $F($a, $b):
    <<while $b:
        $a, $b = $b, $a % $b
    return $a||while $b != 0:
        $t = $a % $b
        $a = $b
        $b = $t
    return <<$a||abs($a)>>||if $b == 0:
        return $a
    return $F($b, $a % $b)||while $a and $b:
        if $a > $b:
            $a %= $b
        else:
            $b %= $a
    return $a <<+||or>> $b>>
""",
        cost=16,
    ),
    Idiom(
        "a:nat<=24 b:nat<=24",
        "int",
        "x:int y:int",
        """
def $G($x, $y):
    <<return $x if not $y else $G($y, $x % $y)||while $y > 0:
        $x, $y = $y, $x % $y
    return $x>>


def $F($a, $b):
    <<if $a == 0 or $b == 0:
        return 0
    ||>>return $a * $b // max(1, $G($a, $b))
""",
        cost=25,
    ),
    Idiom(
        "n:nat<=9",
        "int",
        "a:a|prev|x|first b:b|cur|y|second i:index memo:dict|memo|cache|seen",
        """
def $F($n):
    <<if $n <<< 2||in (0, 1)>>:
        return $n
    return $F($n - 1) + $F($n - 2)||$a, $b = 0, 1
    for $i in range($n):
        $a, $b = $b, $a + $b
    return $a||$a, $b = <<0, 1||1, 1||2, 1||1, 3>>
    while $n > 0:
        $a, $b = $b, $a + <<$b||2 * $b||$b % 7>>
        $n -= 1
    return $b||$a = [<<0, 1||1, 1||1, 2>>]
    for $i in range(2, $n + 1):
        $a.append($a[$i - 1] + $a[<<$i - 2||-2||0>>])
    return $a[-1]>>
""",
        cost=35,
        size=0.4,
    ),
    Idiom(
        "n:nat<=15 memo:counts=None",
        "int",
        "r:int",
        """
def $F($n, $memo=None):
    if $memo is None:
        $memo = {}
    if $n in $memo:
        return $memo[$n]
    if $n <<< 2||< 3>>:
        return <<$n||1>>
    $r = $F($n - 1, $memo) <<+||+||-||+ 2 *>> $F($n - 2, $memo)
    $memo[$n] = $r
    return $r
""",
        cost=80,
        size=0.6,
    ),
    Idiom(
        "n:nat<=9",
        "int",
        "r:int i:index",
        """
def $F($n):
    <<if $n <<== 0||< 2||<= 1>>:
        return 1
    return $n * $F($n - 1)||if $n <= 1:
        return <<1||$n>>
    return $n * $F($n - 2)||$r = 1
    for $i in range(<<1||2>>, $n + 1):
        $r *= $i
    return $r||$r = 1
    while $n > 1:
        $r *= $n
        $n -= <<1||1||2>>
    return $r||return sum($i <<* $i||** 3||* ($i + 1) // 2>> for $i in range($n<<||+ 1>>))>>
""",
        cost=25,
    ),
    Idiom(
        "n:nat<=9999",
        "int",
        "total:int d:d|digit|r i:index s:str",
        """
def $F($n):
    <<$total = 0
    while $n > 0:
        <<$d = $n % 10
        $total += $d << ||* $d||if $d % 2 else 0>>
        $n //= 10||$n, $d = divmod($n, 10)
        $total = $total * 10 + $d||$total += 1
        $n = $n // ~2:10~>>
    return $total||return sum(int($d)<< ||** 2>> for $d in str($n))||if $n < 10:
        return $n
    return <<$n % 10 + $F($n // 10)||$F(sum(int($d) for $d in str($n)))||$n % 10 * $F($n // 10)>>||\
$s = str($n)
    $total = 0
    for $i, $d in enumerate($s):
        $total += int($d) * <<($i + 1)||(-1) ** $i||(2 if $i % 2 else 1)>>
    return $total||return int(str($n)[::-1])||$total = 0
    while $n:
        $n &= $n - 1
        $total += 1
    return $total>>
""",
        cost=20,
    ),
    Idiom(
        "n:nat<=50",
        "bool",
        "d:d|i|k|p",
        """
def $F($n):
    if $n < 2:
        return False
    <<for $d in range(2, <<$n||int($n ** 0.5) + 1||$n // 2 + 1>>):
        if $n % $d == 0:
            return False
    return True||$d = 2
    while $d * $d <= $n:
        if $n % $d == 0:
            return False
        $d += 1
    return True||return all($n % $d for $d in range(2, $n))||\
return not any($n % $d == 0 for $d in range(2, int($n ** 0.5) + 1))>>
""",
        cost=25,
    ),
    Idiom(
        "n:nat<=20",
        "ints",
        "sieve:sieve|flags|is_prime i:index j:j|k|m|multiple out:ints d:d|p|f|factor",
        """
def $F($n):
    <<$sieve = [True] * ($n + 1)
    for $i in range(2, $n + 1):
        if $sieve[$i]:
            for $j in range($i * <<2||$i>>, $n + 1, $i):
                $sieve[$j] = False
    return [$i for $i in range(2, $n + 1) if $sieve[$i]]||$out = []
    $d = 2
    while $n > 1:
        while $n % $d == 0:
            $out.append($d)
            $n //= $d
        $d += 1
    return $out||return [$d for $d in range(1, $n + 1) if $n % $d == 0]||$out = []
    for $d in range(1, $n + 1):
        if $n % $d == 0:
            $out.append(<<$d||$n // $d||($d, $n // $d)[0]>>)
    return $out||return [$d for $d in range(~0:3~, $n) if ?bool d:nat?]>>
""",
        cost=60,
        size=0.45,
    ),
    Idiom(
        "n:nat+<=20",
        "int",
        "steps:steps|count|n_steps|rounds seen:ints",
        """
def $F($n):
    $steps = 0
    <<$n = max($n, 1)
    while $n != 1 and $steps < ~6:15~:
        <<if $n % 2 == 0:
            $n //= 2
        else:
            $n = 3 * $n + 1||$n = $n // 2 if $n % 2 == 0 else 3 * $n + 1>>
        $steps += 1||while $n > ~1:4~:
        $n = $n // ~2:3~<< || if $n % 2 else $n - 1>>
        $steps += 1||for $steps in range(~3:8~):
        if $n >= ~40:90~:
            break
        $n += ?int n:nat steps:nat?>>
    return <<$steps||$steps||$n||$steps + $n>>
""",
        cost=40,
    ),
    Idiom(
        "n:nat<=200 base:nat=2",
        "str",
        "out:str digits:str r:int",
        """
def $F($n, $base=2):
    if $n == 0:
        return '0'
    $out = ''
    $base = max(2, min($base, 10))
    <<while $n > 0:
        $out = str($n % $base) + $out
        $n //= $base||while $n:
        $n, $r = divmod($n, $base)
        $out <<= str($r) + $out||+= str($r)>>>>
    return $out
""",
        cost=25,
    ),
    Idiom(
        "b:int<=5 e:nat<=6",
        "int",
        "r:int half:half|part|h",
        """
def $F($b, $e):
    <<if $e == 0:
        return 1
    return $b * $F($b, $e - 1)||if $e == 0:
        return 1
    $half = $F($b, $e // 2)
    <<if $e % 2 == 0:
        return $half * $half
    return $half * $half * $b||return $half * $half * ($b if $e % 2 else 1)>>||$r = 1
    while $e > 0:
        if $e % 2 == 1:
            $r *= $b
        $b *= $b
        $e //= 2
    return $r||$r = 1
    for _ in range($e):
        $r = $r * $b<< ||% ~10:99~>>
    return $r>>
""",
        cost=25,
    ),
    Idiom(
        "n:nat<=15",
        "strs",
        "out:strs i:index label:str",
        """
def $F($n):
    $out = []
    for $i in range(1, $n + 1):
        <<if $i % ~a=2:4~ == 0 and $i % ~b=3:5~ == 0:
            $out.append(%word%)
        elif $i % ~a~ == 0:
            $out.append(%word%)
        elif $i % ~b~ == 0:
            $out.append(%key%)
        else:
            $out.append(str($i))||$label = ''
        if $i % ~2:3~ == 0:
            $label += %key%
        if $i % ~4:5~ == 0:
            $label += %key%
        $out.append($label or <<str($i)||'-'||f'{$i:02d}'>>)>>
    return <<$out||$out||$out[::-1]>>
""",
        cost=50,
        size=0.4,
    ),
    Idiom(
        "score:int<=100",
        "str",
        "grade:str limits:limits|bounds|table low:low|limit|bound letter:letter|grade|name",
        """
def $F($score):
    <<if $score >= ~80:95~:
        return %key%
    elif $score >= ~50:79~:
        return %key%
    <<elif $score >= ~20:49~:
        return %word%
    ||>>return %word%||if ~0:5~ <= $score < ~12:20~:
        $grade = %word%
    elif $score < ~30:50~ <<and $score % 2 == 0||or $score == 99>>:
        $grade = %word%
    else:
        $grade = %key%
    return $grade << ||+ str($score)||* 2>>||$limits = [(~70:90~, %key%), (~40:69~, %key%), (0, %word%)]
    for $low, $letter in $limits:
        if $score >= $low:
            return $letter
    return %word%||return %word% if $score > ~10:60~ else %word% if $score > ~-5:9~ else %key%>>
""",
        cost=8,
        size=0.25,
    ),
    Idiom(
        "a:int<=20 b:int<=20 c:int<=20",
        "int",
        "t:int",
        """
def $F($a, $b, $c):
    <<if $a > $b:
        $a, $b = $b, $a
    if $b > $c:
        $b, $c = $c, $b
    if $a > $b:
        $a, $b = $b, $a
    return <<$b||$c - $a||$a * 100 + $b * 10 + $c>>||$t = $a
    if $b < $t:
        $t = $b
    if $c < $t:
        $t = $c
    return $t||if $a + $b > $c and $a + $c > $b and $b + $c > $a:
        return $a + $b + $c
    return <<0||-1>>||if ?bool a b?:
        return ?int a b c?
    elif ?bool b c?:
        return ?int a c?
    return ?int b c?>>
""",
        cost=9,
        size=0.25,
    ),
    Idiom(
        "n:nat<=5",
        "grid",
        "rows:grid row:row|line|cur i:index j:j|k|col prev:prev|above|last",
        """
def $F($n):
    $rows = []
    for $i in range($n):
        <<$row = [1]
        if $rows:
            $prev = $rows[-1]
            for $j in range(len($prev) - 1):
                $row.append($prev[$j] + $prev[$j + 1])
            $row.append(1)
        $rows.append($row)||$row = []
        for $j in range(<<$n||$i + 1||~2:3~>>):
            $row.append(?int i:nat j:nat?)
        $rows.append($row)||$rows.append([?int i:nat j:nat? for $j in range(~2:4~)])>>
    return $rows
""",
        cost=60,
        size=0.45,
    ),
    Idiom(
        "n:nat<=7",
        "int",
        "ways:ints i:index a:int b:int",
        """
def $F($n):
    <<$ways = [1] * ($n + 1)
    for $i in range(2, $n + 1):
        $ways[$i] = $ways[$i - 1] + $ways[$i - 2] << ||+ ($ways[$i - 3] if $i > 2 else 0)>>
    return $ways[$n]||if $n <= 1:
        return 1
    return $F($n - 1) + $F($n - <<2||2||3>>)||$ways = {0: 1}
    for $i in range(1, $n + 1):
        $ways[$i] = sum($ways.get($i - $a, 0) for $a in (1, ~2:4~))
    return $ways[$n]>>
""",
        cost=35,
        size=0.4,
    ),
    Idiom(
        "celsius:float n:int=2",
        "float",
        "r:float",
        """
def $F($celsius, $n=~1:2~):
    $r = $celsius * <<9 / 5||1.8||2.5||0.5>> <<+||->> <<32||~1:40~||0.5>>
    <<if $r < ~0:60~:
        $r = -$r||if $r > ~10:90~:
        $r /= 2||>>
    return round($r, $n)
""",
        cost=7,
        size=0.2,
    ),
    Idiom(
        "year:nat<=2030",
        "bool",
        "",
        """
def $F($year):
    <<return $year % 4 == 0 and ($year % 100 != 0 or $year % 400 == 0)||if $year % 400 == 0:
        return True
    if $year % 100 == 0:
        return False
    return $year % 4 == 0||if $year % 4:
        return False
    elif $year % 100:
        return True
    return not $year % 400>>
""",
        cost=7,
        size=0.2,
    ),
    Idiom(
        "n:nat<=30 k:nat<=9",
        "int",
        "people:people|circle|ring i:i|pos|index r:int",
        """
def $F($n, $k):
    <<$r = 0
    for $i in range(2, min($n, ~6:9~) + 1):
        $r = ($r + $k) % $i
    return $r||$people = list(range(1, min($n, ~5:8~) + 1))
    $i = 0
    while len($people) > 1:
        $i = ($i + $k) % len($people)
        $people.pop($i)
    return $people[0] if $people else -1||$r = 0
    while $n > $k > 0:
        $n -= $k
        $r += 1
    return $r<< ||+ $n>>>>
""",
        cost=40,
        size=0.35,
    ),
)
