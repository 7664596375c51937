"""Idioms on lists, tuples, dictionaries and sets."""

from __future__ import annotations

from opencwm.corpus.generator.templates import Idiom

COLLECTION_IDIOMS = (
    Idiom(
        "xs:ints",
        "ints",
        "out:ints total:int x:loopint i:index",
        """
def $F($xs):
    $out = []
    <<$total = <<0||1||~2:9~>>
    for $x in $xs:
        $total <<+=||+=||-=>> $x
        $out.append($total)
    return $out||$total = <<None||-1>>
    for $x in $xs:
        if $total is None or $x > $total:
            $total = $x
        $out.append($total)
    return $out||for $i in range(len($xs)):
        $out.append(sum($xs[:$i + 1]))
    return $out||for $i in range(1, len($xs)):
        $out.append($xs[$i] - $xs[$i - 1])
    return $out||for $i in range(len($xs)):
        if $i == 0 or $xs[$i] <<>||!=||>=>> $xs[$i - 1]:
            $out.append(<<$xs[$i]||$i>>)
    return $out>>
""",
        cost=35,
    ),
    Idiom(
        "xs:ints~ascending target:int<=40",
        "int",
        "lo:lo|low|left|start hi:hi|high|right|end mid:mid|middle|m|center",
        """
def $F($xs, $target):
    <<$lo, $hi = 0, len($xs) - 1
    while $lo <= $hi:
        $mid = ($lo + $hi) // 2
        if $xs[$mid] == $target:
            return $mid
        <<if $xs[$mid] < $target:
            $lo = $mid + 1
        else:
            $hi = $mid - 1||elif $xs[$mid] > $target:
            $hi = $mid - 1
        else:
            $lo = $mid + 1>>
    return <<-1||-1||$lo>>||$lo, $hi = 0, len($xs)
    while $lo < $hi:
        $mid = <<$lo + ($hi - $lo) // 2||($lo + $hi) // 2>>
        if $xs[$mid] < $target:
            $lo = $mid + 1
        else:
            $hi = $mid
    return $lo>>
""",
        cost=25,
    ),
    Idiom(
        "xs:ints<=6",
        "ints",
        "n:n|size|length i:index j:index best:best|m|pos|smallest swapped:swapped|changed|moved "
        "key:key|cur|item",
        """
def $F($xs):
    <<||$xs = <<list($xs)||$xs[:]||$xs.copy()>>>>
    $n = len($xs)
    <<for $i in range($n):
        for $j in range(<<0, $n - 1 - $i||$n - 1||$n - $i - 1>>):
            if $xs[$j] <<>||>||<>> $xs[$j + 1]:
                $xs[$j], $xs[$j + 1] = $xs[$j + 1], $xs[$j]||for $i in range($n):
        $best = $i
        for $j in range($i + 1, $n):
            if $xs[$j] < $xs[$best]:
                $best = $j
        $xs[$i], $xs[$best] = $xs[$best], $xs[$i]||for $i in range(1, $n):
        $key = $xs[$i]
        $j = $i - 1
        while $j >= 0 and $xs[$j] > $key:
            $xs[$j + 1] = $xs[$j]
            $j -= 1
        $xs[$j + 1] = $key||$swapped = True
    while $swapped:
        $swapped = False
        for $i in range($n - 1):
            if $xs[$i] > $xs[$i + 1]:
                $xs[$i], $xs[$i + 1] = $xs[$i + 1], $xs[$i]
                $swapped = True>>
    return $xs
""",
        cost=80,
        size=0.5,
    ),
    Idiom(
        "xs:ints<=7",
        "ints",
        "pivot:pivot|p|head small:ints large:ints x:loopint",
        """
def $F($xs):
    if len($xs) <= 1:
        return $xs
    $pivot = $xs[<<0||-1||len($xs) // 2>>]
    <<$small = [$x for $x in $xs if $x < $pivot]
    $large = [$x for $x in $xs if $x > $pivot]
    return $F($small) + [$pivot] * $xs.count($pivot) + $F($large)||$small, $large = [], []
    for $x in $xs:
        if $x < $pivot:
            $small.append($x)
        elif $x > $pivot:
            $large.append($x)
    return $F($small) + [$pivot] + $F($large)>>
""",
        cost=60,
        size=0.5,
    ),
    Idiom(
        "a:ints~ascending b:ints~ascending",
        "ints",
        "out:ints i:index j:index",
        """
def $F($a, $b):
    $out = []
    <<$i = $j = 0
    while $i < len($a) and $j < len($b):
        if $a[$i] <<<=||<>> $b[$j]:
            $out.append($a[$i])
            $i += 1
        else:
            $out.append($b[$j])
            $j += 1
    <<$out.extend($a[$i:])
    $out.extend($b[$j:])||$out += $a[$i:] + $b[$j:]>>
    return $out||while $a and $b:
        if $a[0] < $b[0]:
            $out.append($a.pop(0))
        else:
            $out.append($b.pop(0))
    return $out + $a + $b||for $i in $a:
        if $i <<in||not in>> $b <<and||or>> $i not in $out:
            $out.append($i)
    return $out>>
""",
        cost=45,
    ),
    Idiom(
        "grid:grid~grid",
        "grid",
        "row:row|r|line out:grid i:index j:j|k|c|col x:x|v|cell|n",
        """
def $F($grid):
    <<return [[$row[$i] for $row in $grid] for $i in range(len($grid[0]))]||\
return [list($row) for $row in zip(*$grid)]||$out = []
    for $j in range(len($grid[0])):
        $row = []
        for $i in range(len($grid)):
            $row.append($grid[$i][$j])
        $out.append($row)
    return $out||return [$row[::-1] for $row in $grid]||$out = [<<$row[:]||list($row)>> for $row in $grid]
    for $i in range(len($out)):
        for $j in range(len($out[$i])):
            if ?bool i:nat j:nat?:
                $out[$i][$j] = <<0||-1||$i * $j||-$out[$i][$j]||$out[$i][$j] + 1>>
    return $out||return [[?int x i:nat? for $x in $row] for $i, $row in enumerate($grid)]>>
""",
        cost=45,
        size=0.4,
    ),
    Idiom(
        "grid:grid~square",
        "int",
        "total:int i:index j:j|k|c|col row:row|r|line x:x|v|cell|n best:int",
        """
def $F($grid):
    $total = 0
    <<for $i in range(len($grid)):
        $total += $grid[$i][<<$i||-$i - 1||len($grid) - 1 - $i||0||-1>>]
    return $total||for $row in $grid:
        for $x in $row:
            if ?bool x?:
                $total += $x
    return $total||for $i, $row in enumerate($grid):
        $total += <<sum||max||min||len>>($row) <<||* ($i + 1)||- $i>>
    return $total||$total = $grid[0][0]
    for $row in $grid:
        $total = <<max||min>>($total, <<max||min>>($row))
    return $total||return <<sum||max||min>>(<<sum||max||min||len>>($row) for $row in $grid)||\
return $grid[0][0] * $grid[1][1] - $grid[0][1] * $grid[1][0]>>
""",
        cost=30,
        size=0.35,
    ),
    Idiom(
        "xs:any~nested",
        "ints",
        "out:ints x:loopint y:loopint",
        """
def $F($xs):
    $out = []
    for $x in $xs:
        if isinstance($x, list):
            <<$out.extend($F($x))||$out += $F($x)||for $y in $F($x):
                $out.append($y)>>
        else:
            $out.append($x)
    return $out
""",
        cost=50,
        size=0.5,
    ),
    Idiom(
        "xs:any~nested",
        "int",
        "total:int x:loopint",
        """
def $F($xs):
    <<$total = 0
    for $x in $xs:
        $total += $F($x) if isinstance($x, list) else <<$x||1>>
    return $total||if not isinstance($xs, list):
        return <<0||$xs>>
    return <<1 + max(($F($x) for $x in $xs), default=0)||1 + sum($F($x) for $x in $xs)>>>>
""",
        cost=45,
        size=0.5,
    ),
    Idiom(
        "xs:ints",
        "ints",
        "seen:seen|known|visited|found out:ints x:loopint",
        """
def $F($xs):
    <<$seen = set()
    $out = []
    for $x in $xs:
        if $x <<in $seen:
            continue
        ||not in $seen:
            $out.append($x)
        >>$seen.add($x)
        <<||$out.append($x)>>
    return $out||$out = []
    for $x in $xs:
        if $x not in $out:
            $out.append($x)
    return $out||return <<list(dict.fromkeys($xs))||sorted(set($xs))>>||$out = []
    for $x in $xs:
        if $xs.count($x) <<== 1||> 1||% 2 == 1>>:
            $out.append($x)
    return $out>>
""",
        cost=30,
    ),
    Idiom(
        "xs:ints target:int<=20",
        "any",
        "i:index j:index seen:dict|seen|index|where x:loopint need:need|rest|other|diff",
        """
def $F($xs, $target):
    <<for $i in range(len($xs)):
        for $j in range($i + 1, len($xs)):
            if $xs[$i] + $xs[$j] <<==||>||<>> $target:
                return <<$i, $j||[$i, $j]||($xs[$i], $xs[$j])>>
    return <<None||[]||-1, -1>>||$seen = {}
    for $i, $x in enumerate($xs):
        $need = $target - $x
        if $need in $seen:
            return $seen[$need], $i
        $seen[$x] = $i
    return <<None||()||$seen>>||for $i, $x in enumerate($xs):
        if $x <<==||>=||<=>> $target:
            return <<$i||$i, $x>>
    else:
        return <<-1||None>>||return [$i for $i, $x in enumerate($xs) if $x <<==||<||!=>> $target]>>
""",
        cost=35,
    ),
    Idiom(
        "xs:ints n:nat<=4",
        "ints",
        "k:int i:index out:ints",
        """
def $F($xs, $n):
    <<if not $xs:
        return $xs
    $k = $n % len($xs)
    return <<$xs[$k:] + $xs[:$k]||$xs[-$k:] + $xs[:-$k]>>||for $i in range($n):
        if $xs:
            <<$xs.append($xs.pop(0))||$xs.insert(0, $xs.pop())>>
    return $xs||$out = []
    for $i in range(len($xs)):
        $out.append($xs[($i + $n) % len($xs)])
    return $out||return $xs[$n:]<< ||[::-1]>> + $xs[:$n]||$out = $xs * 2
    return $out[$n:$n + len($xs)]>>
""",
        cost=20,
    ),
    Idiom(
        "xs:ints+ k:nat<=3",
        "int",
        "best:int cur:int i:index x:loopint",
        """
def $F($xs, $k):
    $k = max(1, $k)
    <<$best = $cur = sum($xs[:$k])
    for $i in range($k, len($xs)):
        $cur += $xs[$i] - $xs[$i - $k]
        $best = max($best, $cur)
    return $best||$best = $cur = $xs[0]
    for $x in $xs[1:]:
        $cur = max($x, $cur + $x)
        <<$best = max($best, $cur)||if $cur > $best:
            $best = $cur>>
    return $best||$best = $cur = <<0||1>>
    for $i in range(1, len($xs)):
        if $xs[$i] <<>||>=||==||!=>> $xs[$i - 1]:
            $cur += 1
        else:
            $cur = <<0||1>>
        $best = max($best, $cur)
    return $best||return max(sum($xs[$i:$i + $k]) for $i in range(len($xs)))||return sorted($xs<<||\
, reverse=True>>)[min($k, len($xs)) - 1]||$best = $xs[0]
    for $x in $xs:
        if ?bool x k:nat?:
            $best = $x
    return $best>>
""",
        cost=35,
    ),
    Idiom(
        "xs:ints n:nat<=4",
        "grid",
        "out:grid part:ints x:loopint i:index",
        """
def $F($xs, $n):
    $n = max($n, 1)
    <<return [$xs[$i:$i + $n] for $i in range(0, len($xs), $n)]||$out, $part = [], []
    for $x in $xs:
        $part.append($x)
        if len($part) == $n:
            $out.append($part)
            $part = []
    <<if $part:
        $out.append($part)
    ||>>return $out||$out = [[] for _ in range($n)]
    for $i, $x in enumerate($xs):
        $out[$i % $n].append($x)
    return $out||return [[$x for $x in $xs if $x % $n == $i] for $i in range($n)]>>
""",
        cost=35,
    ),
    Idiom(
        "words:strs",
        "groups",
        "out:groups w:loopstr key:key|k|first|kind",
        """
def $F($words):
    $out = {}
    for $w in $words:
        <<if not $w:
            continue
        ||>>$key = <<$w[:1]||$w[:1].lower()||$w[-1:]||'long' if len($w) > ~3:6~ else 'short'||\
''.join(sorted($w))||str(len($w))>>
        <<$out.setdefault($key, []).append($w)||if $key not in $out:
            $out[$key] = []
        $out[$key].append($w)||if $key in $out:
            $out[$key].append($w)
        else:
            $out[$key] = [$w]||$out[$key] = $out.get($key, []) + [$w]>>
    return $out
""",
        cost=30,
    ),
    Idiom(
        "d:counts",
        "any",
        "out:dict|out|result|res k:k|key|name v:v|value|n",
        """
def $F($d):
    <<return {$v: $k for $k, $v in $d.items()}||$out = {}
    for $k, $v in $d.items():
        <<$out[$v] = $k||$out.setdefault($v, []).append($k)||if ?bool k:str v?:
            $out[$k] = ?int v?||$out[$k.upper()] = ?int v k:str?>>
    return $out||return sorted($d.items(), key=lambda kv: <<kv[1]||-kv[1]||(-kv[1], kv[0])||len(kv[0])>>)||\
return sorted($d, key=$d.get<<||, reverse=True>>)||return {$k: $d[$k] for $k in sorted($d)}||\
return [$k for $k, $v in $d.items() if ?bool v k:str?]||return <<max||min||\
sum>>($d.values()) if $d else 0||$out = []
    for $k in $d:
        $out.append(f'{$k}<<=||: ||-||#>>{$d[$k]}')
    return <<$out||', '.join($out)||$out[::-1]>>>>
""",
        cost=25,
    ),
    Idiom(
        "a:counts b:counts",
        "counts",
        "out:dict|out|merged|result|total k:k|key|name v:v|value|n",
        """
def $F($a, $b):
    <<$out = <<dict($a)||$a.copy()||{**$a}>>
    for $k, $v in $b.items():
        <<$out[$k] = $out.get($k, 0) + $v||if $k in $out:
            $out[$k] <<+=||-=||*=>> $v
        else:
            $out[$k] = $v||$out[$k] = max($out.get($k, ~0:5~), $v)>>
    return $out||return {**$a, **$b}||return $a | $b||$out = {}
    for $k in <<$a||sorted($a)||sorted(set($a) | set($b))>>:
        if $k <<in||not in>> $b:
            $out[$k] = <<$a.get($k, 0)||$b.get($k, -1)||$a.get($k, 0) - $b.get($k, 0)>>
    return $out||$a.update($b)
    return $a||for $k in list($b):
        if $k in $a:
            del $a[$k]
    return $a>>
""",
        cost=25,
    ),
    Idiom(
        "stock:counts item:str<=8 n:nat<=9",
        "any",
        "have:int",
        """
def $F($stock, $item, $n=~1:3~):
    <<if $item not in $stock:
        <<return <<None||False||'no ' + $item>>||$stock[$item] = 0>>
    ||>>$have = $stock.get($item, ~0:9~)
    if $have < $n:
        return <<False||f'only {$have} left'||$have - $n>>
    $stock[$item] = $have - $n
    <<if $stock[$item] == 0:
        del $stock[$item]
    ||>>return <<$stock||True||$stock[$item] if $item in $stock else 0||sum($stock.values())>>
""",
        cost=9,
        size=0.25,
    ),
    Idiom(
        "pairs:pairs",
        "any",
        "out:dict|out|totals|by_name|acc name:name|k|key|who n:n|v|amount|score best:best|top|winner",
        """
def $F($pairs):
    <<$out = {}
    for $name, $n in $pairs:
        <<$out[$name] = $out.get($name, 0) + $n||$out[$name] = $n||if $n > $out.get($name, ~0:5~):
            $out[$name] = $n>>
    return <<$out||$out||sorted($out.items())>>||$pairs.sort(key=lambda p: <<p[1]||(p[1], p[0])||-p[1]||\
len(p[0])>>)
    return <<$pairs||[$name for $name, _ in $pairs]||$pairs[:2]>>||$best = None
    for $name, $n in $pairs:
        if $best is None or $n > $best[1]:
            $best = ($name, $n)
    return $best||return [(<<$name.upper()||$name[::-1]||\
$name>>, ?int n?) for $name, $n in $pairs if ?bool n name:str?]||return <<max||\
min>>($pairs, key=lambda p: p[1])[0]||return dict($pairs)||return list(zip(*$pairs))>>
""",
        cost=25,
    ),
    Idiom(
        "xs:ints",
        "any",
        "evens:ints odds:ints x:loopint a:int b:int",
        """
def $F($xs):
    <<$evens, $odds = [], []
    for $x in $xs:
        if ?bool x?:
            $evens.append($x)
        else:
            $odds.append(<<$x||?int x?>>)
    return <<$evens, $odds||$evens + $odds||{'yes': $evens, 'no': $odds}||len($evens) - len($odds)||\
[$evens, $odds]>>||$a = $b = 0
    for $x in $xs:
        if ?bool x?:
            $a += <<$x||1>>
        else:
            $b += <<1||$x||abs($x)>>
    return <<$a, $b||$a - $b||($b, $a)||$a * $b>>||($a, *$evens) = $xs or [0]
    return $a, $evens||return min($xs, default=0), max($xs, default=0), sum($xs)>>
""",
        cost=30,
    ),
    Idiom(
        "a:intset b:intset",
        "any",
        "both:set|both|shared|common x:loopint out:ints",
        """
def $F($a, $b):
    <<$both = <<$a & $b||$a - $b||$a ^ $b||$a.intersection($b)||$a.union($b)||$a.difference($b)||\
$a.symmetric_difference($b)>>
    return <<$both||sorted($both)||len($both)||sum($both)||(len($a | $b), len($both))>>||$out = []
    for $x in sorted($a):
        if $x <<in||not in>> $b:
            $out.append($x)
    return $out||return <<$a <= $b||$a.isdisjoint($b)||$a.issubset($b)||$a | $b == $a>>||$a = set($a)
    for $x in <<$b||sorted($b)>>:
        if $x in $a:
            $a.<<remove||discard>>($x)
        else:
            $a.add(<<$x||-$x||$x + 1>>)
    return $a>>
""",
        cost=20,
    ),
    Idiom(
        "items:strs",
        "any",
        "i:index item:loopstr longest:best|longest|top|pick out:strs",
        """
def $F($items):
    <<$longest = ''
    for $item in $items:
        if len($item) <<>||>=>> len($longest):
            $longest = $item
    return <<$longest||$longest, len($longest)>>||return [f'{$i}<<.||:||\
)>> {$item}' for $i, $item in enumerate($items<<||, 1>>)]||$out = []
    for $i, $item in enumerate($items):
        if ?bool item:str i:nat?:
            $out.append(?str item:str i:nat?)
    return $out||return list(filter(<<lambda w: len(w) > ~2:4~||str.isalpha||str.islower||\
None>>, $items))||return ' '.join(map(str.<<upper||title||strip||capitalize>>, $items))||\
return {$item: len($item) for $item in $items}||return sorted($items, key=<<len||str.lower||\
lambda w: w[-1:]||lambda w: (len(w), w)>>)||while $items and <<len($items[-1]) > ~2:4~||\
$items[-1].islower()>>:
        $items.pop()
    return $items>>
""",
        cost=20,
    ),
    Idiom(
        "graph:any~graph",
        "any",
        "seen:seen|visited|order|done todo:todo|queue|stack|frontier node:node|cur|n|at "
        "other:nxt|neighbor|m|child depth:dict|dist|depth",
        """
def $F($graph):
    <<$seen, $todo = [], [<<min($graph)||next(iter($graph))||max($graph)>>]
    while $todo:
        $node = $todo.pop(<<0||||-1>>)
        if $node in $seen:
            continue
        $seen.append($node)
        <<$todo.extend($graph[$node])||for $other in $graph[$node]:
            if $other not in $seen:
                $todo.append($other)>>
    return $seen||return {$node: len($graph[$node]) for $node in $graph}||\
$depth = {$node: 0 for $node in $graph}
    for $node, $todo in $graph.items():
        for $other in $todo:
            $depth[$other] += 1
    return <<$depth||[$node for $node in $depth if $depth[$node] == 0]>>>>
""",
        cost=50,
        size=0.5,
    ),
    Idiom(
        "xs:ints",
        "ints",
        "source:it|stream|rest|reader out:ints x:loopint y:loopint",
        """
def $F($xs):
    $source = iter($xs)
    $out = []
    <<for $x in $source:
        $out.append($x << +||-||*>> next($source, <<0||1||~2:9~>>))||$y = next($source, 0)
    for $x in $source:
        <<if ?bool x y?:
            $out.append($y)
        ||$out.append(?int x y?)
        >>$y = $x||while True:
        $x = next($source, None)
        if $x is None<< or $x > ~20:60~||>>:
            break
        $out.append($x)||for $x, $y in zip($source, $source):
        $out.append(?int x y?)>>
    return $out
""",
        cost=30,
    ),
)
