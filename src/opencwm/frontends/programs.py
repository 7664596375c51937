"""Turn what a user points at, a file and a call, into a ``Program``, or say what is wrong with it.

The idea: everything that can be known without running anything is checked here, so that every frontend
refuses the same input with the same line. It does not decide whether a program will run: missing imports and
the like are none of its business.
"""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opencwm.core.errors import ConfigError
from opencwm.core.syntax import syntax_tree
from opencwm.frontends.calls import bound_names, check_call, check_runs, functions, functions_hint
from opencwm.traces import Program
from opencwm.traces.program import ENTRY_NAME

if TYPE_CHECKING:
    from opencwm.debugger.assumed import AssumedProgram


def read_source(path: Path) -> str:
    """Return the text of a Python file, decoded as Python would: PEP 263 cookie, byte order mark, else UTF-8.

    Line ends become single newlines.

    Raises:
        ConfigError: no such file, no regular file, or bytes that are not in the declared encoding.
    """
    where = str(path)
    if path.is_dir():
        raise ConfigError("is a directory", where=where, hint="name a Python file in it")
    if path.exists() and not path.is_file():
        raise ConfigError("is not a regular file", where=where, hint="save the program to a file first")
    try:
        with tokenize.open(path) as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", where=where) from None
    except (
        SyntaxError
    ) as error:  # an unknown or contradictory coding cookie, or bytes near the top that are not UTF-8
        raise ConfigError(f"cannot be decoded: {error.msg}", where=where, hint=_ENCODING_HINT) from None
    except UnicodeDecodeError as error:
        problem = f"cannot be decoded as {error.encoding}: byte 0x{error.object[error.start]:02x}"
        raise ConfigError(problem, where=where, hint=_ENCODING_HINT) from None


_ENCODING_HINT = "save it as UTF-8, or declare its encoding in the first line: # -*- coding: latin-1 -*-"


def load_program(path: Path, *, call: str | None = None, entry: str | None = None) -> Program:
    """Read ``path`` and make it a program that starts with ``call`` or in the function ``entry``.

    With neither, it starts in ``main`` when the file has one that can be called without arguments.

    Raises:
        ConfigError: the file cannot be read, is empty or does not parse; both ways to start are given, or
            none; the call calls nothing that the file defines, imports or gets from Python; the entry is no
            function of the file or needs arguments.
    """
    return program_of_source(read_source(path), str(path), call=call, entry=entry)


def load_assumed(
    path: Path, *, call: str | None = None, entry: str | None = None, assumptions: Sequence[str] = ()
) -> AssumedProgram:
    """Read ``path``, make it a program, and put assumptions into it.

    The entry may need arguments; those that no assumption gives are :attr:`AssumedProgram.missing`.

    Raises:
        ConfigError: as for :func:`load_program`, or an assumption does not fit the program.
    """
    return assumed_of_source(read_source(path), str(path), call=call, entry=entry, assumptions=assumptions)


def assumed_of_source(
    source: str,
    filename: str,
    *,
    call: str | None = None,
    entry: str | None = None,
    assumptions: Sequence[str] = (),
) -> AssumedProgram:
    """Make source text a program with assumptions in it; see :func:`load_assumed`.

    Raises:
        ConfigError: as for :func:`load_assumed`.
    """
    from opencwm.debugger.assumed import assume

    program = program_of_source(source, filename, call=call, entry=entry, may_lack_arguments=True)
    return assume(program, assumptions)


def program_of_source(
    source: str,
    filename: str,
    *,
    call: str | None = None,
    entry: str | None = None,
    may_lack_arguments: bool = False,
) -> Program:
    """Make source text a program; see :func:`load_program`.

    Args:
        source: the text.
        filename: how a user recognises it.
        call: what starts it.
        entry: where it starts.
        may_lack_arguments: whether the entry may need arguments.

    Raises:
        ConfigError: as for :func:`load_program`.
    """
    if call is not None and entry is not None:
        raise ConfigError("--call and --entry exclude each other", hint="give the one that starts the run")
    tree = parsed(source, filename)
    if call is not None:
        check_call(call, tree, filename)
        return Program.from_call(source, call, filename=filename)
    entry = entry or _default_entry(tree, filename)
    _check_function(entry, tree, filename, where="--entry")
    if not may_lack_arguments:
        _check_no_arguments(entry, tree)
    return Program(source, entry, filename=filename)


def program_for_calls(source: str, filename: str, function: str, *, where: str) -> Program:
    """Make source text a program whose call is one of ``function``, without arguments for now.

    Args:
        source: the text.
        filename: how a user recognises it.
        function: the name of the function.
        where: how a user recognises what names the function.

    Raises:
        ConfigError: the text does not parse, or defines no such function.
    """
    _check_function(function, parsed(source, filename), filename, where=where)
    return Program.from_call(source, f"{function}()", filename=filename)


def parsed(source: str, filename: str) -> ast.Module:
    """Return the syntax tree of a file's text.

    Raises:
        ConfigError: it is not valid Python, or holds no code.
    """
    try:
        tree = syntax_tree(source)
    except SyntaxError as error:
        where = f"{filename}:{error.lineno}" if error.lineno else filename
        raise ConfigError(f"not valid Python: {error.msg}", where=where, hint="mend that line") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"not valid Python: {error}", where=filename) from None
    if not tree.body:
        hint = "name a file that defines the function to call"
        raise ConfigError("holds no code", where=filename, hint=hint)
    return tree


def _check_function(name: str, tree: ast.Module, filename: str, *, where: str) -> None:
    bound = bound_names(tree)
    if bound is not None and name.partition(".")[0] not in bound:  # else only a run can tell
        hint = functions_hint(tree, filename, name)
        raise ConfigError(f"{filename} defines no {name!r}", where=where, hint=hint)
    definition = dict(functions(tree)).get(name)
    if definition is not None:
        check_runs(name, tree, where=where, call=f"{name}({ast.unparse(definition.args)})")


def _check_no_arguments(entry: str, tree: ast.Module) -> None:
    definition = dict(functions(tree)).get(entry)
    if definition is None:
        return
    arguments = definition.args
    required = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    required = required[: len(required) - len(arguments.defaults)]
    required += [a.arg for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is None]
    if required:
        raise ConfigError(
            f"{entry!r} needs arguments: {', '.join(required)}",
            where="--entry",
            hint=f'use --call "{entry}(...)"',
        )


def _default_entry(tree: ast.Module, filename: str) -> str:
    if any(name == ENTRY_NAME for name, _ in functions(tree)):
        return ENTRY_NAME
    hint = functions_hint(tree, filename, "", for_call=True)
    raise ConfigError("nothing says where to start", where=filename, hint=hint)
