"""Turn what a user points at, a file and a call, into a ``Program``, or say what is wrong with it.

The idea: everything that can be known without running anything is checked here, so that every frontend
refuses the same input with the same line. It does not decide whether a program will run: missing imports and
the like are none of its business.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import tokenize
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opencwm.core.errors import ConfigError
from opencwm.core.syntax import nodes_of, syntax_tree
from opencwm.traces import Program
from opencwm.traces.program import ENTRY_NAME

if TYPE_CHECKING:
    from opencwm.debugger.assumed import AssumedProgram

Function = ast.FunctionDef | ast.AsyncFunctionDef


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
    tree = _parse(source, filename)
    if not tree.body:
        raise ConfigError(
            "holds no code", where=filename, hint="name a file that defines the function to call"
        )
    if call is not None:
        _check_call(call, tree, filename)
        return Program.from_call(source, call, filename=filename)
    entry = entry or _default_entry(tree, filename)
    _check_entry(entry, tree, filename, may_lack_arguments=may_lack_arguments)
    return Program(source, entry, filename=filename)


def _parse(source: str, filename: str) -> ast.Module:
    try:
        return syntax_tree(source)
    except SyntaxError as error:
        where = f"{filename}:{error.lineno}" if error.lineno else filename
        raise ConfigError(f"not valid Python: {error.msg}", where=where, hint="mend that line") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"not valid Python: {error}", where=filename) from None


def _check_call(call: str, tree: ast.Module, filename: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expression = ast.parse(call.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        problem = getattr(error, "msg", None) or error
        raise ConfigError(
            f"not a Python expression: {call!r}: {problem}",
            where="--call",
            hint="write it as in the program: f('a', 3)",
        ) from None
    roots = [
        name for node in ast.walk(expression) if isinstance(node, ast.Call) and (name := _root(node.func))
    ]
    if not any(isinstance(node, ast.Call) for node in ast.walk(expression)):
        raise ConfigError(
            f"{call!r} calls no function", where="--call", hint=_functions_hint(tree, filename, call)
        )
    bound = _bound_names(tree)
    if bound is None:
        return
    for name in roots:
        if name not in bound and not hasattr(builtins, name) and name not in _own_names(expression):
            raise ConfigError(
                f"{filename} defines no {name!r}", where="--call", hint=_functions_hint(tree, filename, name)
            )


def _check_entry(entry: str, tree: ast.Module, filename: str, *, may_lack_arguments: bool) -> None:
    functions = dict(_functions(tree))
    if entry not in functions:
        bound = _bound_names(tree)
        if bound is None or entry.partition(".")[0] in bound:
            return  # imported, assigned or in a class: only a run can tell
        raise ConfigError(
            f"{filename} defines no {entry!r}", where="--entry", hint=_functions_hint(tree, filename, entry)
        )
    arguments = functions[entry].args
    required = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    required = required[: len(required) - len(arguments.defaults)]
    required += [a.arg for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is None]
    if required and not may_lack_arguments:
        raise ConfigError(
            f"{entry!r} needs arguments: {', '.join(required)}",
            where="--entry",
            hint=f'use --call "{entry}(...)"',
        )


def _default_entry(tree: ast.Module, filename: str) -> str:
    if any(name == ENTRY_NAME for name, _ in _functions(tree)):
        return ENTRY_NAME
    raise ConfigError("nothing says where to start", where=filename, hint=_functions_hint(tree, filename, ""))


def _functions(tree: ast.Module) -> Iterable[tuple[str, Function]]:
    for node in _statements(tree.body):
        if isinstance(node, Function):
            yield node.name, node


def _functions_hint(tree: ast.Module, filename: str, name: str) -> str:
    names = [name for name, _ in _functions(tree)]
    if not names:
        return f"{filename} defines no function"
    close = difflib.get_close_matches(name, names, n=1) if name else []
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    return f'use --call "{names[0]}(...)"; functions there: {shown}'


def _statements(body: Sequence[ast.stmt]) -> Iterable[ast.stmt]:
    """Yield the statements of the module's own scope: those in its blocks, not in functions and classes."""
    for node in body:
        yield node
        if isinstance(node, Function | ast.ClassDef):
            continue
        for field in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(node, field, []))
        for inner in (*getattr(node, "handlers", []), *getattr(node, "cases", [])):
            yield from _statements(inner.body)


def _bound_names(tree: ast.Module) -> frozenset[str] | None:
    """Names the module's own statements bind; None when a star import hides some."""
    found: set[str] = set()
    for node in _statements(tree.body):
        if isinstance(node, Function | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if alias.name == "*":
                    return None
                found.add((alias.asname or alias.name).split(".")[0])
        else:
            found |= _own_names(node)
    for inner in nodes_of(tree):
        if isinstance(inner, ast.Global):
            found.update(inner.names)
    return frozenset(found)


def _own_names(tree: ast.AST) -> set[str]:
    """Names that ``tree`` binds somewhere in it, lambda arguments included."""
    found = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return found | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
