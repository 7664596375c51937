"""Functions of the standard library that make a value of nothing but what they are given, one table for all.

Not in it: what looks at files, time, the machine, the locale or random numbers, what calls functions of the
program, and what other builds of the same Python may give otherwise, such as compressed bytes.
"""

from __future__ import annotations

import decimal
import fractions
import importlib
import math
import os
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from opencwm.debugger.foreseeing.pure_families import Family
from opencwm.debugger.foreseeing.pure_limits import UnsupportedError, check_count
from opencwm.debugger.foreseeing.pure_values import Iterated

_MOST_CHARS: Final = 2_000
_MOST_ITEMS: Final = 200
_LARGEST: Final = 1_000
"""Integers that may be a width, a count or a number of columns."""
_NUMBERS: Final = frozenset({"statistics", "calendar", "colorsys", "heapq", "zlib", "binascii"})
"""Modules whose functions take larger integers as well."""
_MOST_BITS: Final = 256

TABLE: Final[Mapping[str, str]] = {
    "base64": """a85decode a85encode b16decode b16encode b32decode b32encode b32hexdecode b32hexencode
        b64decode b64encode b85decode b85encode standard_b64decode standard_b64encode urlsafe_b64decode
        urlsafe_b64encode""",
    "binascii": "a2b_base64 a2b_hex b2a_base64 b2a_hex crc32 crc_hqx hexlify unhexlify",
    "calendar": "isleap leapdays",
    "codecs": "ascii_decode ascii_encode latin_1_decode latin_1_encode utf_8_decode utf_8_encode",
    "colorsys": "hls_to_rgb hsv_to_rgb rgb_to_hls rgb_to_hsv rgb_to_yiq yiq_to_rgb",
    "encodings": "normalize_encoding",
    "fnmatch": "filter fnmatch fnmatchcase translate",
    "heapq": "nlargest nsmallest",
    "html": "escape unescape",
    "keyword": "iskeyword issoftkeyword",
    "os": "fspath",
    "posixpath": """basename commonpath commonprefix dirname isabs join normcase normpath split splitdrive
        splitext splitroot""",
    "shlex": "join quote split",
    "statistics": """fmean geometric_mean harmonic_mean mean median median_grouped median_high median_low mode
        multimode pstdev pvariance quantiles stdev variance""",
    "string": "capwords",
    "struct": "calcsize pack unpack unpack_from",
    "textwrap": "dedent fill indent shorten wrap",
    "typing": "cast",
    "unicodedata": """bidirectional category combining decimal decomposition digit east_asian_width
        is_normalized lookup mirrored name normalize numeric""",
    "urllib.parse": """parse_qs parse_qsl quote quote_from_bytes quote_plus unquote unquote_plus
        unquote_to_bytes urlencode urljoin""",
    "zlib": "adler32 crc32",
}
"""Functions by module, as far as the running version has them."""
_OS: Final = ("altsep", "curdir", "devnull", "extsep", "linesep", "name", "pardir", "pathsep", "sep")
_SEEKING: Final = ("SEEK_CUR", "SEEK_END", "SEEK_SET")
_PATHS: Final = ("altsep", "curdir", "defpath", "devnull", "extsep", "pardir", "pathsep", "sep")


def _functions(module: str) -> dict[str, Any]:
    loaded = importlib.import_module(module)
    return {name: getattr(loaded, name) for name in TABLE[module].split() if hasattr(loaded, name)}


def _is_small(value: Any, *, most_bits: int) -> bool:
    """Whether a value is made of texts and numbers of moderate size alone."""
    if isinstance(value, Iterated):
        return _is_small(value.items, most_bits=most_bits)
    if isinstance(value, str | bytes | bytearray):
        return len(value) <= _MOST_CHARS
    if isinstance(value, int):
        return value.bit_length() <= most_bits if most_bits else abs(value) <= _LARGEST
    if isinstance(value, dict):
        return _is_small([*dict.keys(value), *dict.values(value)], most_bits=most_bits)
    if isinstance(value, list | tuple):
        return len(value) <= _MOST_ITEMS and all(_is_small(item, most_bits=most_bits) for item in value)
    return value is None or isinstance(value, float | decimal.Decimal | fractions.Fraction)


def _size(value: Any) -> int:
    if isinstance(value, list | tuple):
        return 1 + sum(map(_size, value))
    return len(value) if isinstance(value, str | bytes | bytearray | dict) else 1


def _check(target: Any, name: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    del target
    if name == "cast":
        return
    given = [*args, *keywords.values()]
    most_bits = _MOST_BITS if name in _WITH_NUMBERS else 0
    if not all(_is_small(value, most_bits=most_bits) for value in given):
        raise UnsupportedError(f"{name} of this is not supported here")
    check_count(math.prod(sorted(map(_size, given))[-2:]))  # a text between items, a pattern on a text
    if name in _CHECKS:
        _CHECKS[name](args, keywords)


_WITH_NUMBERS: Final = frozenset(
    {name for module in _NUMBERS for name in TABLE[module].split()} | {"pack", "mode", "multimode"}
)


def _check_layout(args: Sequence[Any], _: Mapping[str, Any]) -> None:
    """Refuse layouts of bytes that depend on the machine, and huge ones."""
    layout = args[0] if args else ""
    layout = layout.decode("latin-1") if isinstance(layout, bytes) else layout
    if not isinstance(layout, str) or layout[:1] not in ("<", ">", "!"):
        raise UnsupportedError("a layout of this machine")
    check_count(100 * sum(int(count) for count in re.findall(r"\d+", layout)))


def _check_path(args: Sequence[Any], _: Mapping[str, Any]) -> None:
    """Refuse what is no path as such."""
    if any(not isinstance(part, str | bytes | list | tuple) for part in args):
        raise UnsupportedError("an object that may be a path")


def _check_encoding(args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    """Refuse encodings that may load code: they stand third."""
    if not {"encoding", "errors"}.isdisjoint(keywords) or len(args) > 2:
        raise UnsupportedError("encodings are not supported here")


def _check_decoding(args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    """Refuse encodings where they stand second."""
    _check_encoding(args if len(args) < 2 else (*args, None), keywords)


_CHECKS: Final[Mapping[str, Callable[[Sequence[Any], Mapping[str, Any]], None]]] = {
    **dict.fromkeys(TABLE["struct"].split(), _check_layout),
    **dict.fromkeys((*TABLE["posixpath"].split(), "fspath"), _check_path),
    **dict.fromkeys(TABLE["urllib.parse"].split(), _check_encoding),
    **dict.fromkeys(("unquote", "unquote_plus"), _check_decoding),
}
"""What else is asked before a function is called, by its name."""

FAMILY: Final = Family(
    functions={module: _functions(module) for module in TABLE},
    constants={
        "posixpath": {name: getattr(posixpath, name) for name in _PATHS},
        "os": {name: getattr(os, name) for name in (*_OS, *_SEEKING)},
        "io": {name: getattr(os, name) for name in _SEEKING},
    },
    check=_check,
)
"""Texts, paths, bytes and numbers."""
