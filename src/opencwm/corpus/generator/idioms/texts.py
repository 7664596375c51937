"""Idioms on strings."""

from __future__ import annotations

from opencwm.corpus.generator.templates import Idiom

TEXT_IDIOMS = (
    Idiom(
        "s:str<=14~palindrome",
        "bool",
        "a:left|i|lo|start|first b:right|j|hi|end|last clean:str c:loopchar",
        """
def $F($s):
    <<||$s = $s.lower()||$s = $s.replace(' ', '')||$s = ''.join($c for $c in $s if $c.isalnum())>>
    <<return $s == $s[::-1]||$clean = ''
    for $c in $s:
        $clean = $c + $clean
    return $clean == $s||for $a in range(len($s) // 2):
        if $s[$a] != $s[<<-$a - 1||len($s) - 1 - $a||-($a + 1)>>]:
            return False
    return True||$a, $b = 0, len($s) - 1
    while $a < $b:
        if $s[$a] != $s[$b]:
            return False
        $a += 1
        $b -= 1
    return True||if len($s) <= 1:
        return True
    <<if $s[0] != $s[-1]:
        return False
    return $F($s[1:-1])||return $s[0] == $s[-1] and $F($s[1:-1])>>||return list($s) == list(reversed($s))>>
""",
    ),
    Idiom(
        "s:str<=14 n:int<=30",
        "str",
        "out:str c:loopchar base:base|start|offset|first code:code|num|pos|shifted",
        """
def $F($s, $n<<||=~1:13~>>):
    $out = <<''||[]>>
    for $c in $s:
        if <<$c.isalpha()||$c.islower()||'a' <= $c <= 'z'||$c.isupper()>>:
            $base = ord(<<'a'||'a'||'A' if $c.isupper() else 'a'>>)
            $code = (ord($c) - $base <<+||->> $n) % 26
            <<$out += chr($base + $code)||$c = chr($code + $base)
            $out += $c>>
        else:
            $out += <<$c||$c||%char%>>
    return <<$out||''.join($out)>>
""",
        cost=45,
    ),
    Idiom(
        "s:str<=14",
        "int",
        "vowels:set|vowels|wanted|letters c:loopchar n:count|n|total|num i:index",
        """
def $F($s):
    $vowels = <<'aeiou'||'aeiouAEIOU'||'xyz'||'0123456789'||['a', 'e', 'i', 'o', 'u']||'bcdfg'||\
('a', 'b', 'c')>>
    $n = 0
    for $c in <<$s||$s.lower()||$s[::-1]>>:
        if $c <<in||in||not in>> $vowels:
            $n += <<1||1||1||2||?int c:char n:nat?>>
        <<||||else:
            $n -= 1||elif $c.isdigit():
            $n += int($c)>>
    return $n
""",
    ),
    Idiom(
        "s:str+<=14~runs",
        "str",
        "out:strs prev:prev|last|current|cur n:count|n|run|times c:loopchar i:index j:j|k|end|stop",
        """
def $F($s):
    <<if not $s:
        return ''||>>
    $out = []
    <<$prev = $s[0]
    $n = 1
    for $c in $s[1:]:
        if $c == $prev:
            $n += 1
        else:
            $out += [<<$prev + str($n)||f'{$prev}{$n}'||str($n) + $prev||$prev * min($n, 2)>>]
            $prev, $n = $c, 1
    $out += [$prev + str($n)]||$i = 0
    while $i < len($s):
        $j = $i
        while $j < len($s) and $s[$j] == $s[$i]:
            $j += 1
        $out += [<<$s[$i] + str($j - $i)||f'{$j - $i}{$s[$i]}'||$s[$i] * min(~2:3~, $j - $i)>>]
        $i = $j>>
    return ''.join($out)
""",
        cost=50,
    ),
    Idiom(
        "s:str+<=12~coded",
        "str",
        "out:str c:loopchar num:num|digits|count i:index last:last|letter|prev|sym",
        """
def $F($s):
    $out = ''
    <<$i = 0
    while $i + 1 < len($s):
        if $s[$i + 1].isdigit():
            $out += $s[$i] * int($s[$i + 1])
        $i += 2||$last = ''
    for $c in $s:
        if $c.isdigit():
            $out += $last * <<int($c)||(int($c) - 1)>>
        else:
            $last = $c
            <<||$out += $c>>>>
    return $out
""",
    ),
    Idiom(
        "s:str~sentence",
        "str",
        "words:strs w:loopstr out:strs i:index",
        """
def $F($s):
    $words = $s.split(<<||' '>>)
    <<$words.reverse()
    return ' '.join($words)||return ' '.join($words[::-1])||return ' '.join($w[::-1] for $w in $words)||\
$out = []
    for $w in $words:
        <<$out.append($w.capitalize())||$out.append($w[0].upper() + $w[1:])||if ?bool w:str?:
            $out.append(?str w:str?)
        else:
            $out.append($w)||if $w not in $out:
            $out.append($w)>>
    return <<' '||' '||'-'||''||'_'>>.join($out)||for $i in range(<<len($words)||0, len($words), 2||\
1, len($words)>>):
        $words[$i] = <<$words[$i].title()||$words[$i].upper()||$words[$i][::-1]||$words[$i][:~1:3~]>>
    return ' '.join($words)||return max($words, key=len)||return ''.join($w[0] for $w in $words)<<||\
.upper()>>>>
""",
    ),
    Idiom(
        "s:str~sentence",
        "counts",
        "counts:counts w:loopstr",
        """
def $F($s):
    $counts = {}
    for $w in $s<<.split()||||.lower()||.replace(' ', '')||.lower().split()>>:
        <<$counts[$w] = $counts.get($w, 0) + 1||if $w in $counts:
            $counts[$w] += 1
        else:
            $counts[$w] = 1||if $w not in $counts:
            $counts[$w] = 0
        $counts[$w] += 1||$counts.setdefault($w, 0)
        $counts[$w] += <<1||len($w)||2>>||try:
            $counts[$w] += 1
        except KeyError:
            $counts[$w] = 1>>
    return <<$counts||$counts||{$w: n for $w, n in $counts.items() if n > 1}||dict(sorted($counts.items()))>>
""",
        cost=40,
    ),
    Idiom(
        "s:str+<=12",
        "str",
        "counts:counts c:loopchar best:best|top|winner|result",
        """
def $F($s):
    <<$counts = {$c: $s.count($c) for $c in $s}||$counts = {}
    for $c in $s:
        $counts[$c] = $counts.get($c, 0) + 1>>
    <<return max($counts, key=$counts.get)||return max($counts, key=lambda k: ($counts[k], k))||$best = None
    for $c in $counts:
        if $best is None or $counts[$c] > $counts[$best]:
            $best = $c
    return $best||return min($counts.items(), key=lambda kv: (kv[1], kv[0]))[0]>>
""",
        cost=45,
    ),
    Idiom(
        "s:str<=14~brackets",
        "bool",
        "stack:stack|st|opened|pending pairs:pairs|match|closing|table c:loopchar "
        "depth:depth|level|balance|n",
        """
def $F($s):
    <<$stack = []
    $pairs = {')': '(', ']': '[', '}': '{'}
    for $c in $s:
        if $c in <<'([{'||$pairs.values()>>:
            $stack.append($c)
        elif $c in <<')]}'||$pairs>>:
            if not $stack or $stack<<.pop()||.pop(-1)>> != $pairs[$c]:
                return False
    return <<not $stack||len($stack) == 0||$stack == []>>||$depth = 0
    for $c in $s:
        if $c == '(':
            $depth += 1
        elif $c == ')':
            $depth -= 1
            <<if $depth < 0:
                return False||>>
    return $depth == 0>>
""",
        cost=40,
    ),
    Idiom(
        "s:str<=14~brackets",
        "int",
        "c:loopchar depth:depth|level|open_count best:best|deepest|max_depth",
        """
def $F($s):
    $depth = $best = 0
    for $c in $s:
        if $c <<in '([{'||== '('||in '(['>>:
            $depth += 1
            <<$best = max($best, $depth)||if $depth > $best:
                $best = $depth>>
        elif $c <<in ')]}'||== ')'||in ')]'>>:
            $depth -= 1
    return $best
""",
    ),
    Idiom(
        "s:str~spaced",
        "str",
        "parts:strs p:loopstr out:str c:loopchar i:index",
        """
def $F($s):
    <<$parts = $s.replace('-', ' ').replace('_', ' ').split()
    return <<$parts[0] + ''.join($p.title() for $p in $parts[1:])||\
''.join($p.capitalize() for $p in $parts)||'_'.join($parts)||'-'.join(reversed($parts))>>||$out = ''
    for $i, $c in enumerate($s):
        if $c.isupper() <<and $i > 0||or $c == ' '||or $c == '-'>>:
            $out += <<'_'||'-'||' '>>
        $out += <<$c.lower()||$c||$c.upper() if $i == 0 else $c>>
    return $out>>
""",
        cost=35,
    ),
    Idiom(
        "a:str<=10 b:str<=10",
        "int",
        "x:loopchar y:loopchar n:count|n|diff|same i:index",
        """
def $F($a, $b):
    $n = 0
    <<for $x, $y in zip($a, $b):
        if $x <<!=||==>> $y:
            $n += 1||for $i in range(min(len($a), len($b))):
        if $a[$i] <<!=||==||<>> $b[$i]:
            $n += <<1||$i||$i + 1>>
        <<||||else:
            break>>||for $x in $a:
        if $x in $b:
            $n += 1>>
    return $n <<||+ abs(len($a) - len($b))>>
""",
    ),
    Idiom(
        "words:strs+<=5",
        "str",
        "prefix:prefix|common|start w:loopstr i:index out:str",
        """
def $F($words):
    <<if not $words:
        return ''
    $prefix = $words[0]
    for $w in $words[1:]:
        while not $w.startswith($prefix):
            $prefix = $prefix[:-1]
    return $prefix||$out = ''
    for $w in $words:
        $out += $w[<<0||-1||:1||:2||-1:>>] if $w else <<'?'||''||'-'>>
    return $out<<||.upper()||[::-1]>>||$prefix = $words[0]
    for $i, $w in enumerate($words):
        if len($w) <<>||<||>=>> len($prefix):
            $prefix = $w
    return $prefix>>
""",
        cost=30,
    ),
    Idiom(
        "a:str<=8 b:str<=8",
        "bool",
        "letters:strs c:loopchar counts:counts",
        """
def $F($a, $b):
    <<return sorted($a) == sorted($b)||if len($a) != len($b):
        return False
    $counts = {}
    for $c in $a:
        $counts[$c] = $counts.get($c, 0) + 1
    for $c in $b:
        if $counts.get($c, 0) == 0:
            return False
        $counts[$c] -= 1
    return True||$letters = list($a)
    for $c in $b:
        if $c not in $letters:
            return False
        $letters.remove($c)
    return not $letters||return $a <<in $b + $b and len($a) == len($b)||in $b or $b in $a>>>>
""",
        cost=35,
    ),
    Idiom(
        "a:str<=8 b:str<=8",
        "str",
        "out:str i:index x:loopchar y:loopchar",
        """
def $F($a, $b):
    $out = ''
    <<for $x, $y in zip($a, $b):
        $out += <<$x + $y||$y + $x||max($x, $y)||min($x, $y)>>
    return $out + $a[len($b):] + $b[len($a):]||for $i in range(max(len($a), len($b))):
        if $i < len($a):
            $out += $a[$i]
        if $i < len($b):
            $out += $b[$i]
    return $out||for $x in $a:
        if $x <<in||not in>> $b:
            $out += $x
    return $out <<||+ '-' + $b||or $b>>>>
""",
        cost=35,
    ),
    Idiom(
        "s:str~numeric",
        "int",
        "sign:sign|factor n:n|value|number|total c:loopchar digits:str",
        """
def $F($s):
    $sign, $n = 1, 0
    <<$s = $s.strip()||>>
    if $s.startswith('-'):
        $sign = -1
        $s = $s[1:]
    for $c in $s:
        if not $c.isdigit():
            <<break||continue||return 0||return -1>>
        $n = $n * 10 + <<int($c)||ord($c) - ord('0')||'0123456789'.find($c)>>
    return $sign * $n
""",
        cost=30,
    ),
    Idiom(
        "s:str~fields",
        "any",
        "result:dict|data|options|params|out part:part|item|field|chunk key:key|k|name value:value|v|val",
        """
def $F($s):
    $result = {}
    for $part in $s.<<split(';')||split('&')||split(',')||replace('&', ';').split(';')||\
replace(',', ';').split(';')>>:
        <<if '=' not in $part:
            continue
        ||>>$key, <<_, ||sep, >>$value = $part.partition('=')
        $result[$key<<||.strip()||.upper()>>] = <<$value||int($value) if $value.isdigit() else $value||\
len($value)>>
    return $result
""",
        cost=25,
    ),
    Idiom(
        "s:str<=14 n:nat<=12",
        "str",
        "pad:pad|fill|space|gap half:half|left|lead",
        """
def $F($s, $n<<||=~8:12~>>):
    if len($s) >= $n:
        return <<$s||$s[:$n]||$s[:$n - 2] + '..'>>
    $pad = <<%char%||' '||'*'>> * ($n - len($s))
    <<return $s + $pad||return $pad + $s||$half = len($pad) // 2
    return $pad[:$half] + $s + $pad[$half:]||return f'[{$pad}{$s}]'||return f'{$s:<~12:14~}|'>>
""",
        cost=8,
        size=0.25,
    ),
    Idiom(
        "s:str<=12 n:nat<=6",
        "strs",
        "out:strs i:index",
        """
def $F($s, $n):
    $n = max(1, $n)
    <<return [$s[$i:$i + $n] for $i in range(0, len($s), $n)]||$out = []
    for $i in range(0, len($s), $n):
        $out.append($s[$i:$i + $n])
    return $out||$out = []
    while $s:
        $out.append($s[:$n])
        $s = $s[$n:]
    return $out||return [$s[$i:$i + $n] for $i in range(len($s) - $n + 1)]>>
""",
    ),
    Idiom(
        "s:str<=10",
        "str",
        "out:str i:index c:loopchar",
        """
def $F($s):
    <<if $s == '':
        return ''
    return <<$F($s[1:]) + $s[0]||$s[-1] + $F($s[:-1])||?str s:str?[:2] + $F($s[1:])>>||if len($s) < 2:
        return $s
    if $s[0] == $s[1]:
        return $F($s[1:])
    return $s[0] + $F($s[1:])||$out = ''
    for $i in range(len($s)):
        if $i % ~k=2:3~ == ~0:1~:
            $out += $s[$i].upper()
        else:
            $out += <<$s[$i].lower()||$s[$i]||%char%>>
    return $out||$out = ''
    for $c in $s:
        if $c not in $out:
            $out += $c
        <<||else:
            $out = $out.replace($c, '')>>
    return $out>>
""",
        cost=40,
    ),
    Idiom(
        "s:str<=9~binary",
        "int",
        "n:n|value|total|result c:loopchar i:index",
        """
def $F($s):
    $n = 0
    <<for $c in $s:
        $n = $n * 2 + <<ord($c) % 2||($c == '1')>>||for $i, $c in enumerate(reversed($s)):
        if $c == '1':
            $n += 2 ** $i||for $c in $s:
        $n *= 2
        if $c == '1':
            $n |= 1>>
    return $n
""",
        cost=25,
    ),
)
