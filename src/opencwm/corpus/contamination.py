"""Keep test sets out of a corpus: what of a program also stands in an item of a test set.

Three criteria, the strongest first: *exact*, the same text (whole, or one function of it) but for blank lines
and spaces at line ends; *ast*, the same structure (:mod:`opencwm.corpus.structure`) of the whole or of one
function; *ngram*, 13 tokens in a row the same, names and literals included, comments left out. Items are
files and lines that the user names; nothing is fetched, and no text of an item is kept in the corpus.

A function of fewer than 13 tokens can only fall by the first two. What only says the same in other words
does not fall.

Source of the 13: Brown et al., "Language Models are Few-Shot Learners", arXiv 2005.14165, appendix C.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opencwm.core.errors import ConfigError
from opencwm.corpus.minhash import piece_hashes
from opencwm.corpus.structure import digest, functions_of, parse_quietly, tree_tokens

CRITERIA: Final = ("exact", "ast", "ngram")
NGRAM_TOKENS: Final = 13
CODE_FIELDS: Final = ("code", "canonical_solution", "solution", "solutions", "source", "program", "text")
"""Fields of a JSONL line that hold code; ``prompt`` is put before a solution."""
_SOLUTIONS: Final = frozenset({"canonical_solution", "solution", "solutions"})
_ID_FIELDS: Final = ("task_id", "id", "question_id", "name")
_MAX_FUNCTIONS: Final = 200

_TOKEN: Final = re.compile(
    r"""
    (?P<comment>\#[^\n]*)
    | [rbuRBUfF]{0,2}(?:
        '{3}(?:[^\\]|\\.)*?'{3} | "{3}(?:[^\\]|\\.)*?"{3} | '(?:[^'\\\n]|\\.)*' | "(?:[^"\\\n]|\\.)*"
    )
    | [^\W\d]\w*
    | \d[\w.]*
    | [-+*/%@&|^<>=!:]=|\*\*|//|<<|>>|->
    | \S
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclasses.dataclass(frozen=True, slots=True)
class TestSet:
    """A file or folder of items, as it was when the build began.

    Attributes:
        name: the last part of its path.
        path: where it lies; no part of a corpus' identity.
        sha256: of its contents.
        num_items: how many it has.
    """

    __test__ = False  # nothing for pytest

    name: str
    path: Path
    sha256: str
    num_items: int


class Hit(NamedTuple):
    """A program that is too close to an item.

    Attributes:
        test_set: number of the test set.
        criterion: one of :data:`CRITERIA`.
        item: name of the item within its test set.
    """

    test_set: int
    criterion: str
    item: str


def find_test_set(path: Path) -> TestSet:
    """Return the test set at ``path``, its contents hashed.

    Raises:
        ConfigError: there is nothing there, or a folder without ``.py`` files; or see :func:`read_items`.
    """
    files = _files(path)
    if not files:
        raise ConfigError("holds no .py files", where=str(path), hint="name a JSONL file or a folder of .py")
    whole = hashlib.sha256()
    for file in files:
        whole.update(file.relative_to(path).as_posix().encode() if path.is_dir() else b"")
        with file.open("rb") as opened:
            whole.update(hashlib.file_digest(opened, "sha256").digest())
    return TestSet(path.name, path, whole.hexdigest(), sum(1 for _ in read_items(path)))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*.py") if file.is_file())
    if not path.exists():
        raise ConfigError("no such file", where=str(path), hint="name a JSONL file or a folder of .py")
    return [path]


def read_items(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (name, texts of code) of every item of a test set, in order.

    Raises:
        ConfigError: a line is no JSON object, or has none of the fields of :data:`CODE_FIELDS`.
    """
    if path.is_dir() or path.suffix == ".py":
        for file in _files(path):
            name = file.relative_to(path).as_posix() if path.is_dir() else path.name
            yield name, [file.read_text(encoding="utf-8", errors="replace")]
        return
    with path.open(encoding="utf-8", errors="replace") as opened:
        for number, line in enumerate(opened, 1):
            if line.strip():
                yield _read_line(line, f"{path}:{number}", number)


def _read_line(line: str, where: str, number: int) -> tuple[str, list[str]]:
    try:
        item: Any = json.loads(line)
    except (ValueError, RecursionError):
        item = None
    if not isinstance(item, dict):
        raise ConfigError("is no JSON object", where=where, hint="a test set has one object a line")
    texts = list(_texts(item))
    if not texts:
        raise ConfigError("has no code", where=where, hint=f"one of the fields {', '.join(CODE_FIELDS)}")
    name = next((str(item[field]) for field in _ID_FIELDS if field in item), str(number))
    return name, texts


def _texts(item: dict[str, Any]) -> Iterator[str]:
    prompt = item.get("prompt")
    for field in CODE_FIELDS:
        value = item.get(field)
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and text.strip():
                yield text
                if field in _SOLUTIONS and isinstance(prompt, str):
                    yield prompt + text


def _exact_key(text: str) -> int:
    lines = (line.rstrip() for line in textwrap.dedent(text).splitlines())
    return digest([line for line in lines if line])


def _keys(text: str, tree: ast.Module | None) -> tuple[set[int], set[int]]:
    """Return the keys of the whole and of each function: of the text, and of the structure."""
    exact, structure = {_exact_key(text)}, set()
    if tree is not None and tree.body:
        structure.add(digest(tree_tokens(tree)))
        lines = text.splitlines(keepends=True)
        for function, _ in zip(functions_of(tree), range(_MAX_FUNCTIONS), strict=False):
            exact.add(_exact_key("".join(lines[function.lineno - 1 : function.end_lineno])))
            structure.add(digest(tree_tokens(function)))
    return exact, structure


def _ngrams(text: str) -> NDArray[np.uint64]:
    """Return the hashes of all runs of 13 tokens; none of a shorter text."""
    tokens = [match[0] for match in _TOKEN.finditer(text) if match["comment"] is None]
    return piece_hashes(tokens, NGRAM_TOKENS) if len(tokens) >= NGRAM_TOKENS else np.zeros(0, np.uint64)


class ContaminationIndex:
    """What is compared with: the keys and 13-token pieces of all items of all test sets.

    In memory: about 100 bytes an item and function, 16 bytes a piece.

    Args:
        test_sets: in the order in which hits are numbered.
        shared_ngrams: how many pieces make a hit.

    Raises:
        ConfigError: see :func:`read_items`.
    """

    def __init__(self, test_sets: Sequence[TestSet], shared_ngrams: int = 1) -> None:
        self._shared_ngrams = shared_ngrams
        self._items: list[tuple[int, str]] = []
        self._exact: list[dict[int, int]] = []
        self._structures: list[dict[int, int]] = []
        self._pieces: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
        for number, test_set in enumerate(test_sets):
            self._add(number, test_set)

    def _add(self, number: int, test_set: TestSet) -> None:
        exact: dict[int, int] = {}
        structures: dict[int, int] = {}
        pieces, owners = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        for name, texts in read_items(test_set.path):
            item = len(self._items)
            self._items.append((number, name))
            for text in texts:
                text_keys, tree_keys = _keys(text, parse_quietly(text))
                for key in text_keys:
                    exact.setdefault(key, item)
                for key in tree_keys:
                    structures.setdefault(key, item)
                found = _ngrams(text)
                pieces.append(found)
                owners.append(np.full(len(found), item))
        unique, first = np.unique(np.concatenate(pieces), return_index=True)
        self._exact.append(exact)
        self._structures.append(structures)
        self._pieces.append((unique, np.concatenate(owners)[first]))

    def hits(self, text: str) -> list[Hit]:
        """Return what ``text`` shares with the test sets: at most one hit each, by the first criterion."""
        if not self._exact:
            return []
        text_keys, tree_keys = _keys(text, parse_quietly(text))
        pieces = _ngrams(text)
        found = []
        for number in range(len(self._exact)):
            hit = (
                self._by_key(self._exact[number], text_keys, "exact")
                or self._by_key(self._structures[number], tree_keys, "ast")
                or self._by_pieces(number, pieces)
            )
            if hit is not None:
                found.append(hit)
        return found

    def _by_key(self, index: dict[int, int], keys: set[int], criterion: str) -> Hit | None:
        items = [index[key] for key in keys if key in index]
        return self._hit(min(items), criterion) if items else None

    def _by_pieces(self, number: int, pieces: NDArray[np.uint64]) -> Hit | None:
        known, owners = self._pieces[number]
        if not len(known) or not len(pieces):
            return None
        places = np.minimum(np.searchsorted(known, pieces), len(known) - 1)
        shared = owners[places[known[places] == pieces]]
        return self._hit(int(shared.min()), "ngram") if len(shared) >= self._shared_ngrams else None

    def _hit(self, item: int, criterion: str) -> Hit:
        test_set, name = self._items[item]
        return Hit(test_set, criterion, name)
