"""Where a step is, in the client's words: a file or a text of the session, and a line.

The one idea: what is shown is the text that was launched. While the file on disk still holds it, that is a
path; a snippet, a file that has changed since, and the wrapper around a call are texts that the client
asks the session for.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from opencwm.core.errors import ConfigError
from opencwm.frontends.dap.arguments import Initialize, SourceRef
from opencwm.frontends.dap.messages import Body, RequestError
from opencwm.frontends.dap.snippets import SNIPPET_NAME
from opencwm.frontends.programs import read_source
from opencwm.traces import Program


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How a client counts lines and columns and writes paths."""

    client: Initialize

    def line_out(self, lineno: int) -> int:
        """Return a 1-based line as the client counts."""
        return lineno if self.client.lines_start_at1 else lineno - 1

    def line_in(self, line: int) -> int:
        """Return a line of the client's as a 1-based one."""
        return line if self.client.lines_start_at1 else line + 1

    def column_in(self, column: int) -> int:
        """Return a column of the client's as a 0-based one."""
        return column - 1 if self.client.columns_start_at1 else column

    @property
    def first_column(self) -> int:
        """The first column of a line as the client counts."""
        return 1 if self.client.columns_start_at1 else 0

    def path_out(self, path: Path) -> str:
        """Return a path as the client writes them."""
        return path.as_uri() if self.client.path_format == "uri" else str(path)

    def path_in(self, text: str) -> Path:
        """Return a client's path.

        Raises:
            RequestError: it is none.
        """
        if "\0" in text:
            raise RequestError("a path with a null character", where="path")
        if text.startswith("file://"):
            text = unquote(urlsplit(text).path)
        return Path(os.path.abspath(text))  # noqa: PTH100 - resolve() would follow links and rename the file


class Places:
    """The sources of one launched program.

    Args:
        program: what was launched.
        path: of its file; None for a snippet.
        dialect: of the client.
        references: numbers for texts that clients ask for; each is used once, as clients keep what they got.
    """

    def __init__(
        self, program: Program, path: Path | None, dialect: Dialect, references: itertools.count[int]
    ) -> None:
        self._program = program
        self._dialect = dialect
        self.path = path
        self._own_reference = next(references)
        self._wrapper_reference = next(references)
        self.is_changed = False

    def check(self) -> bool:
        """Look whether the file still holds what was launched; return whether it has just ceased to."""
        if self.path is None or self.is_changed:
            return False
        try:
            is_same = read_source(self.path) == self._program.source
        except ConfigError:
            is_same = False
        self.is_changed = not is_same
        return self.is_changed

    def is_wrapper(self, lineno: int) -> bool:
        """Whether a line belongs to the wrapper around the call, which is in no file."""
        first = self._program.wrapper_lineno
        return first is not None and lineno >= first

    def place(self, lineno: int) -> Body:
        """Return ``source``, ``line`` and ``column`` of a line."""
        source, line = self._own_source(), lineno
        if self.is_wrapper(lineno):
            source = {
                "name": "call",
                "sourceReference": self._wrapper_reference,
                "presentationHint": "deemphasize",
                "origin": "made from the call that was launched",
            }
            line = lineno - (self._program.wrapper_lineno or 0) + 1
        return {
            "source": source,
            "line": self._dialect.line_out(line),
            "column": self._dialect.first_column,
        }

    def _own_source(self) -> Body:
        if self.path is None:
            return {"name": SNIPPET_NAME, "sourceReference": self._own_reference}
        found: Body = {"name": self.path.name, "path": self._dialect.path_out(self.path)}
        if self.is_changed:
            found |= {"sourceReference": self._own_reference, "origin": "as it was when launched"}
        return found

    def owns(self, source: SourceRef) -> bool:
        """Whether a client's source is the launched file or snippet."""
        if source.source_reference:
            return source.source_reference == self._own_reference
        if not source.path:
            return self.path is None and source.name == SNIPPET_NAME
        return self.path is not None and is_same_file(self.path, self._dialect.path_in(source.path))

    def text(self, source: SourceRef, reference: int) -> str:
        """Return the text of a source.

        Raises:
            RequestError: it is none of this session.
        """
        reference = reference or source.source_reference
        start = self._program.wrapper_lineno
        if reference == self._wrapper_reference and start is not None:
            return "".join(f"{line}\n" for line in self._program.lines[start - 1 :])
        if reference == self._own_reference or (not reference and self.owns(source)):
            return self._program.source
        raise RequestError("no such source in this session", where="sourceReference")


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths are one file, links followed."""
    return one == other or os.path.realpath(one) == os.path.realpath(other)
