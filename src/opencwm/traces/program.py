"""A program: Python source, the function a run starts in, and the call that starts it."""

from __future__ import annotations

import ast
import dataclasses
import warnings
from functools import cached_property, lru_cache

from opencwm.core.errors import ConfigError
from opencwm.core.syntax import nodes_of, syntax_tree

ENTRY_NAME = "main"


@dataclasses.dataclass(frozen=True)
class Program:
    r"""Source text and how it is entered. Nothing is executed here.

    With a ``call`` such as ``"f('a', 3)"`` the text that runs is the source followed by a wrapper,
    ``def main():\n    return f('a', 3)``, and the trace starts when the wrapper is called. Without one it
    starts at the first activation of ``entry``, which is called without arguments.

    Attributes:
        source: the user's file or snippet.
        entry: qualified name of the function the trace starts in; the wrapper's name when there is a
            ``call``.
        call: one Python expression on one line, or None.
        filename: what the code object is named after; also how a user recognises the program.
        origin: where the program came from: ``generated``, or a package URL (purl) whose subpath is the
            qualified name, ``pkg:pypi/NAME@VERSION#MODULE:QUALNAME``.
        licence: SPDX expression of the source; empty when unknown.
        group: programs of one non-empty group never lie in two splits: a function with all its inputs and
            mutants. Empty: the group is the structure of the source.
    """

    source: str
    entry: str
    call: str | None = None
    filename: str = "<program>"
    origin: str = ""
    licence: str = ""
    group: str = ""

    @classmethod
    def from_call(
        cls,
        source: str,
        call: str,
        *,
        filename: str = "<program>",
        origin: str = "",
        licence: str = "",
        group: str = "",
    ) -> Program:
        """Wrap ``call``; the wrapper is ``main`` unless the source already uses that name.

        Raises:
            ConfigError: ``call`` is not one Python expression, or ``source`` does not parse.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expression = ast.parse(call.strip(), mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise ConfigError(f"not a Python expression: {call!r}", where="--call", hint=str(error)) from None
        if "\n" in call.strip():
            call = ast.unparse(expression)
        entry = ENTRY_NAME
        names = names_in(source, filename)
        while entry in names:
            entry += "_"
        return cls(
            source, entry, call.strip(), filename=filename, origin=origin, licence=licence, group=group
        )

    @cached_property
    def text(self) -> str:
        r"""The text that is compiled: the source with ``\n`` line ends, and the wrapper when there is one."""
        source = self.source.replace("\r\n", "\n").replace("\r", "\n")  # as the compiler reads them
        if source and not source.endswith("\n"):
            source += "\n"
        if self.call is None:
            return source
        return f"{source}def {self.entry}():\n    return {self.call}\n"

    @cached_property
    def lines(self) -> list[str]:
        """Physical lines of :attr:`text` without line ends; line ``n`` (1-based) is ``lines[n - 1]``."""
        return self.text.split("\n")[:-1] if self.text else []

    @property
    def wrapper_lineno(self) -> int | None:
        """The 1-based line of the wrapper's ``def`` in :attr:`text`; None without a call."""
        return None if self.call is None else len(self.lines) - 1 - self.call.count("\n")

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of entry and text: equal programs have equal ids."""
        import hashlib  # maps a library of cryptography, which would burden every process of the sandbox

        return hashlib.sha256(f"{self.entry}\0{self.text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


@lru_cache(maxsize=16)
def names_in(source: str, filename: str = "<program>") -> frozenset[str]:
    """Every identifier the source mentions.

    Raises:
        ConfigError: the source does not parse.
    """
    try:
        tree = syntax_tree(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f"{filename}:{line}" if line else filename
        raise ConfigError(f"not valid Python: {getattr(error, 'msg', None) or error}", where=where) from None
    found = set()
    for node in nodes_of(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
    return frozenset(found)
