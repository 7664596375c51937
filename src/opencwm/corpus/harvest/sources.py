"""``SOURCES.toml``: the packages to harvest, by name and version, and under which licence."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Final

from opencwm.core.config import load_config
from opencwm.core.errors import ConfigError

LICENCES: Final = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "HPND",
        "ISC",
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "WTFPL",
        "ZPL-2.1",
        "Zlib",
    }
)
"""SPDX identifiers of permissive licences, the only ones that are harvested."""

_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION: Final = re.compile(r"[A-Za-z0-9.!+_-]+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """One package, or one part of the standard library.

    Attributes:
        name: distribution on the package index; for the standard library any word.
        version: exact; empty for the standard library, whose version is that of the Python that runs.
        licence: SPDX expression over :data:`LICENCES`.
        modules: top-level modules whose functions are wanted; empty for all of the distribution.
        tests: paths inside the source distribution, or test modules of the standard library; empty for all.
        needs: further distributions that the tests import, ``NAME==VERSION``.
        seconds: how long its tests may run, and its doctests.
        standard_library: whether this is a part of the standard library.
    """

    name: str
    licence: str
    version: str = ""
    modules: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    seconds: float = 60.0
    standard_library: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"not a name of a distribution: {self.name!r}", where="package.name")
        where = f"package {self.name}"
        if self.standard_library == bool(self.version):
            raise ConfigError(
                "a version is needed, and only of packages", where=where, hint='version = "1.2.3"'
            )
        if self.version and not _VERSION.fullmatch(self.version):
            raise ConfigError(f"not a version: {self.version!r}", where=where)
        for word in re.split(r"\s+(?:AND|OR)\s+", self.licence):
            if word not in LICENCES:
                known = ", ".join(sorted(LICENCES))
                raise ConfigError(f"licence {word!r} is not permissive", where=where, hint=f"one of {known}")
        if self.standard_library and not (self.modules and self.tests):
            raise ConfigError("modules and tests must be named", where=where)
        for need in self.needs:
            name, equals, version = need.partition("==")
            if not equals or not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
                raise ConfigError(f"not of the form NAME==VERSION: {need!r}", where=f"{where}: needs")
        if not self.seconds > 0:
            raise ConfigError("must be positive", where=f"{where}: seconds")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sources:
    """What a harvest is made from, in order.

    Attributes:
        package: the entries; earlier ones win when two hold the same function.
    """

    package: tuple[Source, ...]

    def __post_init__(self) -> None:
        names = [source.name for source in self.package]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"{name!r} is named twice", where="package")


def load_sources(path: Path, only: tuple[str, ...] = ()) -> Sources:
    """Read a file of sources; with ``only``, those of these names.

    Raises:
        ConfigError: the file is not as it should be, or has no package of a name in ``only``.
    """
    sources = load_config(Sources, path)
    if not only:
        return sources
    known = {source.name: source for source in sources.package}
    for name in only:
        if name not in known:
            raise ConfigError(f"no package {name!r}", where=str(path))
    return Sources(package=tuple(known[name] for name in only))
