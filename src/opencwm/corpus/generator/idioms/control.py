"""Idioms of control flow: exceptions, recursion, closures, generators, simulations."""

from __future__ import annotations

from opencwm.corpus.generator.templates import Idiom

CONTROL_IDIOMS = (
    Idiom(
        "items:strs~mixed",
        "any",
        "total:int bad:bad|errors|skipped|failed item:loopstr n:int",
        """
def $F($items):
    $total, $bad = 0, []
    for $item in $items:
        try:
            $n = int($item)
        except ValueError:
            $bad += <<[$item]||[len($item)]>>
            <<continue||$n = ~0:5~||$n = len($item)>>
        <<$total += $n||if $n > ~10:60~:
            break
        $total += $n>>
    return $total, $bad
""",
        cost=40,
    ),
    Idiom(
        "items:strs~mixed",
        "int",
        "total:int item:loopstr",
        """
def $F($items):
    $total = 0
    for $item in $items:
        try:
            $total += int($item)
        except ValueError:
            $total -= <<1||len($item)||~2:9~>>
        else:
            $total += ~1:3~
        <<finally:
            $total += 1||>>
    return $total
""",
        cost=40,
    ),
    Idiom(
        "a:int<=20 b:int<=4",
        "any",
        "e:e|err|exc|error r:int",
        """
def $F($a, $b):
    <<try:
        $r = $a <<//||%||/>> $b
    except ZeroDivisionError<< as $e||>>:
        <<return None||return -1||$r = 0||return 'zero'>>
    <<else:
        $r += 1
    ||>>return $r||if $b == 0:
        <<return 0||raise ZeroDivisionError('no ' + str($a))||raise ValueError(f'bad divisor {$b}')>>
    return $a <<//||%||/>> $b||try:
        return $a <<//||%>> $b
    except ZeroDivisionError as $e:
        return <<str($e)||type($e).__name__||repr($e)>>
    finally:
        $a += 1>>
""",
        cost=8,
        size=0.2,
    ),
    Idiom(
        "n:int<=20 limit:int<=12",
        "any",
        "e:e|err|exc|error x:int E:error",
        """
<<class $E(Exception):
    pass


def $G($x):
    if ?bool x?:
        raise $E(<<f'bad {$x}'||%word%||$x>>)
    return ?int x?


def $F($n, $limit):
    <<try:
        return $G($n) + $G($limit)
    except $E as $e:
        return <<str($e)||$e.args[0]||f'error: {$e}'>>||$n = $G($n)
    return $n - $limit||try:
        $n = $G($n)
    except ($E, ValueError):
        $n = $limit
    finally:
        $limit += 1
    return $n, $limit>>||def $G($x):
    if $x <<>||<||==>> ~3:9~:
        raise <<ValueError||KeyError||RuntimeError||IndexError>>(<<f'bad {$x}'||%word%||$x>>)
    return $x <<+||*||->> ~2:9~


def $F($n, $limit):
    try:
        $n = $G($n)
        $n = $G($n)
    except (ValueError, <<KeyError||RuntimeError>>) as $e:
        return <<str($e)||$limit||type($e).__name__>>
    except <<IndexError||Exception>>:
        <<$n = $limit||return 'other'||pass>>
    return $n>>
""",
        cost=15,
        size=0.35,
    ),
    Idiom(
        "n:int<=12",
        "int",
        "x:int step:int fns:fns|ops|steps|pipeline f:f|fn|op",
        """
<<def $G($step):
    def $H($x):
        return ?int x step?
    return $H


def $F($n):
    <<return $G(~1:9~)($n)||$x = $G(~1:9~)
    return $x($n) + $x(~2:9~)||$fns = [$G(~1:4~), $G(~5:9~)]
    for $f in $fns:
        $n = $f($n)
    return $n>>||def $F($n):
    $fns = [lambda $x: ?int x?, lambda $x: ?int x?<<||, abs>>]
    for $f in $fns:
        $n = $f($n)
    return $n||def $G($f, $x):
    return $f(<<$f($x)||$x||$x + 1>>)


def $F($n):
    return $G(lambda $x: ?int x?, $n)||def $F($n):
    $step = 0

    def $G($x):
        nonlocal $step
        $step += <<1||$x>>
        return $x * ~2:5~

    $n = $G($n) + $G(~1:9~)
    return $n + $step>>
""",
        cost=20,
        size=0.4,
    ),
    Idiom(
        "n:int<=12 op:str~word",
        "any",
        "ops:ops|actions|table|handlers x:int",
        """
def $F($n, $op=%a=word%):
    $ops = {%a%: lambda $x: ?int x?, %word%: lambda $x: ?int x?, %key%: abs}
    <<if $op not in $ops:
        return <<None||$n||'unknown ' + $op>>
    return $ops[$op]($n)||return $ops.get($op, str)($n)||return [$ops[$op]($n) for $op in sorted($ops)]>>
""",
        cost=9,
        size=0.3,
    ),
    Idiom(
        "n:nat<=6",
        "ints",
        "i:index x:loopint out:ints a:int b:int",
        """
<<def $G($n):
    for $i in range($n):
        <<||if $i % 2 == ~0:1~:
            >>yield ?int i:nat?


def $F($n):
    <<return list($G($n))||return [$x for $x in $G($n) if $x % 2 == 0]||$out = []
    for $x in $G($n):
        $out.append($x)
        <<||if $x > ~4:20~:
            break>>
    return $out||return sorted($G($n), reverse=True)>>||def $G():
    $a, $b = <<0, 1||1, 2||1, 1>>
    while True:
        yield $a
        $a, $b = $b, $a + $b


def $F($n):
    $out = []
    for $x in $G():
        if len($out) >= $n:
            break
        $out.append($x)
    return $out||def $G($n):
    while $n > 0:
        yield $n
        $n -= ~1:2~


def $F($n):
    $out = $G($n)
    return [next($out, -1), *$out]>>
""",
        cost=60,
        size=0.5,
    ),
    Idiom(
        "moves:str<=8~commands",
        "any",
        "x:x|col|row y:y|level|depth m:m|move|c|step path:path|trail|seen|visited "
        "steps:dict|deltas|dirs|steps",
        """
def $F($moves):
    $x<<, $y = ~0:3~, ~0:3~|| = $y = 0>>
    <<for $m in $moves:
        if $m == 'U':
            $y += 1
        elif $m == 'D':
            $y -= 1
        elif $m == 'L':
            $x -= 1
        <<elif $m == 'R'||else>>:
            $x += 1
    return <<$x, $y||($x, $y)||abs($x) + abs($y)||[$x, $y]||$x == 0 and $y == 0>>||\
$steps = {'U': (0, 1), 'D': (0, -1), 'L': (-1, 0), 'R': (1, 0)}
    $path = [($x, $y)]
    for $m in $moves:
        $x += $steps[$m][0]
        $y += $steps[$m][1]
        <<$path.append(($x, $y))||if ($x, $y) not in $path:
            $path.append(($x, $y))>>
    return <<$path||len($path)||$path[-1]>>>>
""",
        cost=45,
    ),
    Idiom(
        "tokens:any~tokens",
        "any",
        "stack:stack|st|values|pile t:t|token|tok a:int b:int",
        """
def $F($tokens):
    $stack = []
    for $t in $tokens:
        if $t in <<'+-*'||('+', '-', '*')||['+', '-', '*']>>:
            <<$b = $stack.pop()
            $a = $stack.pop()||$b, $a = $stack.pop(), $stack.pop()>>
            if $t == '+':
                $stack.append($a + $b)
            elif $t == '-':
                $stack.append($a - $b)
            else:
                $stack.append($a * $b)
        else:
            $stack.append(int($t))
    return <<$stack[0]||$stack[-1]||$stack||$stack.pop()>>
""",
        cost=50,
        size=0.4,
    ),
    Idiom(
        "actions:any~actions value:int<=30",
        "any",
        "name:name|action|op|cmd n:n|amount|arg|v log:log|history|events|trail",
        """
def $F($actions, $value=~0:20~):
    $log = []
    for $name, $n in $actions:
        if $name == 'add':
            $value += $n
        elif $name == 'remove':
            <<if $n > $value:
                $log.append(<<'short'||$n||f'need {$n}'>>)
                continue
            ||>>$value -= $n
        elif $name == 'double':
            $value *= 2
        else:
            <<continue||break||$log.append($name)||pass>>
        $log.append(<<$value||f'{$name} {$n}'||($name, $value)>>)
    return <<$value, $log||$value||$log>>
""",
        cost=40,
    ),
    Idiom(
        "s:str<=3",
        "strs",
        "out:strs i:index c:loopchar rest:rest|tail|p|sub",
        """
def $F($s):
    <<if len($s) <= 1:
        return [$s]
    $out = []
    for $i, $c in enumerate($s):
        for $rest in $F($s[:$i] + $s[$i + 1:]):
            $out.append($c + $rest)
    return $out||if not $s:
        return ['']
    $rest = $F($s[1:])
    return $rest + [$s[0] + $c for $c in $rest]||$out = ['']
    for $c in $s:
        $out += [$rest + $c for $rest in $out]
    return $out||return [$c + $rest for $c in $s for $rest in $s]>>
""",
        cost=80,
        size=0.6,
    ),
    Idiom(
        "n:nat<=3 a:str~word b:str~word",
        "strs",
        "c:str",
        """
def $F($n, $a=%a=key%, $b=%key%, $c=%key%):
    if $n <= 0:
        return []
    return $F($n - 1, $a, $c, $b) + [$a + '<<->||-||:>>' + $b] + <<$F($n - 1, $c, $b, $a)||\
$F($n - 2, $b, $a, $c)>>
""",
        cost=70,
        size=0.6,
    ),
    Idiom(
        "m:nat<=2 n:nat<=3",
        "int",
        "",
        """
def $F($m, $n):
    if $m <= 0:
        return $n + ~1:3~
    if $n <= 0:
        return $F($m - 1, ~1:2~)
    return <<$F($m - 1, $n) + $F($m, $n - 1)||$F($m - 1, $n - 1) + $n||\
max($F($m - 1, $n), $F($m, $n - 1)) + 1>>
""",
        cost=80,
        size=0.6,
    ),
    Idiom(
        "n:nat<=8",
        "bool",
        "",
        """
def $G($n):
    if $n == 0:
        return <<True||False>>
    return $H($n - 1)


def $H($n):
    <<if $n == 0:
        return <<False||True>>
    return $G($n - 1)||return $n > 0 and $G($n - 1)>>


def $F($n):
    return <<$G($n)||not $H($n)||$G($n) or $n > ~2:6~>>
""",
        cost=40,
        size=0.5,
    ),
    Idiom(
        "n:nat<=6",
        "any",
        "nexts:dict|nexts|table|rules state2:state|light|mode|now out:list|seen|log i:index",
        """
def $F($n=~2:6~):
    $nexts = {'red': 'green', 'green': <<'yellow'||'yellow'||'red'>>, 'yellow': 'red'}
    $state2 = '<<red||green||yellow>>'
    $out = []
    <<for $i in range($n):
        $out.append($state2<<||[0]>>)
        $state2 = $nexts[$state2]||while $n > 0 and len($out) < ~3:6~:
        $state2 = $nexts[$state2]
        $out.append($state2.upper())
        $n -= 1>>
    return <<$out||$state2||','.join($out)||$out, $state2>>
""",
        cost=30,
    ),
    Idiom(
        "items:ints",
        "any",
        "args:args|values|nums opts:opts|kwargs|options x:loopint sep:sep|glue|mark scale:scale|k|factor",
        """
<<def $G(*$args, $scale=~1:3~):
    return sum($args) * $scale


def $F($items):
    return <<$G(*$items)||$G(*$items, $scale=~2:5~)||$G(1, 2, *$items[:2])>>||def $G($x, *, $sep='<<-||,||\
/>>'):
    return $sep.join(str(n) for n in $x)


def $F($items):
    return <<$G($items)||$G($items, $sep=' ')||$G($x=$items)||$G($items[::-1], $sep='')>>>>
""",
        cost=20,
        size=0.4,
    ),
    Idiom(
        "n:nat<=5",
        "any",
        "count:LIMIT|COUNT|TOTAL|CALLS|STATE x:int",
        """
$count = ~0:9~


def $G($x):
    global $count
    $count += $x
    return $count


def $F($n):
    <<for $x in range($n):
        $G($x)
    return $count||$G($n)
    return $G(~1:5~) - $n||return [$G($x) for $x in range(1, $n)]>>
""",
        cost=40,
        size=0.45,
    ),
    Idiom(
        "command:str~word n:int<=20",
        "any",
        "v:any other:any",
        """
def $F($command, $n=~1:9~):
    match $command:
        case %word%:
            return <<$n||$n + ~1:9~||'first'>>
        case %key%:
            return <<-$n||$n * 2||'second'>>
        case _ if $n > ~2:9~:
            return <<$command||$command.upper()||len($command)>>
    <<return None||return $n||return 'none'>>
""",
        cost=6,
        size=0.3,
    ),
    Idiom(
        "items:ints",
        "strs",
        "opts:opts|kwargs|options|settings x:loopint",
        """
def $G($x, **$opts):
    <<if $opts.get('upper'):
        return str($x).upper()
    ||for key in $opts:
        $x = f'{$x}{key}'
    ||>>return f"{$x}{$opts.get('end', '!')}"


def $F($items):
    return [$G($x<<||, end='?'||, **{'end': ';'}||, upper=True>>) for $x in $items]
""",
        cost=40,
        size=0.4,
    ),
)
