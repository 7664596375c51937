"""A policy that is no model: it runs the tests, changes one token where they point, and runs them again.

It acts through the same tools as a model and sees only what they answer, so its rollouts are demonstrations:
look, try, take back, submit. It finds bugs of one token (an operator, a comparison, a constant, ``and`` for
``or``), and says so when it gives up. Where a task names a program that runs its examples, as small tasks do
(:mod:`opencwm.agent.small`), it runs that instead of pytest.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import keyword
import re
import tokenize
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Final

from opencwm.agent.conversation import Occasion, Reply
from opencwm.agent.edits import DIVIDER, REPLACE, SEARCH
from opencwm.agent.scripted import Play, ScriptedPolicy
from opencwm.core.seeds import derive_rng

MAX_ATTEMPTS: Final = 16
_TESTS: Final = (
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q -x --tb=short -p no:cacheprovider 2>&1 | tail -n 60"
)
_FILES: Final = "git ls-files '*.py' | grep -v -E '(^|/)(tests?/|test_|conftest)' | head -n 40"
_INSTEAD: Final = MappingProxyType(
    {
        "<": ("<=", ">", ">="),
        "<=": ("<", ">", ">="),
        ">": (">=", "<", "<="),
        ">=": (">", "<", "<="),
        "=": ("+=",),
        "==": ("!=",),
        "!=": ("==",),
        "and": ("or",),
        "or": ("and",),
        "True": ("False",),
        "False": ("True",),
        "is": ("is not",),
        "in": ("not in",),
        "not": ("",),
        "+": ("-", "*"),
        "-": ("+", "*"),
        "*": ("+", "/", "//"),
        "/": ("*", "//"),
        "//": ("/", "*", "%"),
        "%": ("//", "*"),
        "+=": ("-=",),
        "-=": ("+=",),
        "*=": ("+=", "/="),
        "&": ("|",),
        "|": ("&",),
    }
)
"""What may have stood where a token stands."""


@dataclasses.dataclass(frozen=True, slots=True)
class Repair:
    """One changed line.

    Attributes:
        lineno: from 1.
        line: what stands there instead.
        is_operator: whether an operator or a word was changed, which is likelier than a constant.
    """

    lineno: int
    line: str
    is_operator: bool


def searcher() -> ScriptedPolicy:
    """Return the policy."""
    return ScriptedPolicy(_search, name="searcher")


def repairs(source: str) -> Iterator[Repair]:
    """Yield the changes of one token that leave a program that compiles."""
    lines = source.split("\n")
    for spot in _spots(source):
        (row, start), (end_row, end) = spot.start, spot.end
        if row != end_row:
            continue
        for instead in _instead(spot.string):
            line = lines[row - 1]
            rest = line[end:] if instead else line[end:].lstrip()
            changed = f"{line[:start]}{instead}{rest}"
            if _compiles("\n".join([*lines[: row - 1], changed, *lines[row:]])):
                yield Repair(row, changed, not (spot.string == "=" or spot.string.isdecimal()))


def _spots(source: str) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.generate_tokens(io.StringIO(source).readline)
    except (tokenize.TokenError, SyntaxError):
        return


def _instead(text: str) -> Sequence[str]:
    if text.isdecimal() and len(text) < 10:
        return (str(int(text) + 1), str(int(text) - 1)) if int(text) else ("1",)
    return _INSTEAD.get(text, ())


def _compiles(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _search(instruction: str, occasion: Occasion) -> Play:
    named = re.search(r"`(python3? [\w./-]+\.py)`", instruction)
    tests = named[1] if named else _TESTS
    said = output_of((yield tool_call("bash", tests)))
    if not fails(said):
        yield Reply(text="The tests pass as they are; there is nothing to go by.", is_last=True)
        return
    files = re.findall(r"`([\w./-]+\.py)`", instruction) if named else []
    if not files:
        files = output_of((yield tool_call("bash", _FILES))).splitlines()
    sources: dict[str, str] = {}
    for path in by_mention(files, said)[:4]:
        sources[path] = output_of((yield tool_call("bash", f"cat {path}" if named else f"cat -- '{path}'")))
    takes_back = "undo" in occasion.tools
    ranked = ranked_repairs(sources, said, occasion.seed)
    for path, repair in ranked[:MAX_ATTEMPTS]:
        answer = yield edit_call(path, sources[path], repair)
        if " was changed at line " not in answer:
            continue
        if not fails(output_of((yield tool_call("bash", tests)))):
            yield tool_call("submit", "")
            yield f"Line {repair.lineno} of {path} was wrong; the tests pass now."
            return
        yield tool_call("undo", "") if takes_back else edit_call(path, sources[path], repair, is_undone=True)
    yield Reply(text="No change of one token makes the tests pass.", is_last=True)


def tool_call(name: str, content: str) -> str:
    """Write a turn that calls a tool."""
    return f"<tool: {name}>\n{content}\n</tool>"


def edit_call(path: str, source: str, repair: Repair, *, is_undone: bool = False) -> str:
    """Return the call that makes a repair of a file's text, or takes it back."""
    there, put = _edit(source, repair)
    if is_undone:
        there, put = put, there
    return tool_call("edit", f"{path}\n{SEARCH}\n{there}\n{DIVIDER}\n{put}\n{REPLACE}")


def output_of(answer: str) -> str:
    """Return what a command printed, of a tool's answer."""
    found = re.search(r"<output>\n(.*)\n</output>", answer, re.DOTALL)
    return found[1] if found else answer


def fails(output: str) -> bool:
    """Whether the output tells of a failure: for pytest, anything but tests that passed."""
    if re.search(r"^\d+ of \d+ examples pass$", output, re.MULTILINE):
        return "[exit status" in output
    return (
        re.search(r"\b\d+ passed", output) is None or re.search(r"\b\d+ (failed|error)", output) is not None
    )


def by_mention(files: Sequence[str], output: str) -> list[str]:
    """Order files by how often the output names them or what they define; unnamed ones last."""
    return sorted(files, key=lambda path: (-output.count(path), path))


def ranked_repairs(sources: dict[str, str], output: str, seed: int) -> list[tuple[str, Repair]]:
    """Order all repairs: lines the output points at, then functions it names, then the rest, by chance."""
    rng = derive_rng(seed, "searcher")
    told = "\n".join(line for line in output.splitlines() if line[:1] in (">", "E") or " gives " in line)
    words = set(re.findall(r"[A-Za-z_]\w*", told)) - set(keyword.kwlist)
    scored = []
    for path, source in sources.items():
        pointed = {int(number) for number in re.findall(rf"(?:{re.escape(path)}:| in line )(\d+)", output)}
        named = _lines_of_named(source, words)
        for repair in repairs(source):
            score = 4 * (repair.lineno in pointed) + 2 * (repair.lineno in named) + repair.is_operator
            scored.append((-score, rng.random(), path, repair))
    return [(path, repair) for _, _, path, repair in sorted(scored, key=lambda item: item[:2])]


def _lines_of_named(source: str, words: set[str]) -> set[int]:
    """Return the lines of functions that are named."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in words:
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def _edit(source: str, repair: Repair) -> tuple[str, str]:
    """Return lines around a repair that stand there once, as they are and as they are to be."""
    lines = source.split("\n")
    first = last = repair.lineno - 1
    while _count(lines, lines[first : last + 1]) > 1 and (first > 0 or last < len(lines) - 1):
        first, last = max(first - 1, 0), min(last + 1, len(lines) - 1)
    there = lines[first : last + 1]
    put = list(there)
    put[repair.lineno - 1 - first] = repair.line
    return "\n".join(there), "\n".join(put)


def _count(lines: Sequence[str], wanted: Sequence[str]) -> int:
    size = len(wanted)
    return sum(lines[start : start + size] == wanted for start in range(len(lines) - size + 1))
