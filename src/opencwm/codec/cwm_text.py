"""The published ``cwm`` trace format as text: the exact characters, before any tokenizer.

The one idea: a trace is a list of written steps, and a written step is plain text between special tokens.
Everything that the format decides (which line carries the mark, what a step's locals say, which steps are
written) is decided here; the token level in :mod:`opencwm.codec.cwm` only joins ids.

Rules the publication leaves open, and what is done here:

- *Carry-over.* A local is written ``".."`` when its text equals the one **last written** for the same
  activation, that is at its previous call or line step. Return and exception steps write no locals, so they
  do not count: a reader of the text alone always knows what ``".."`` stands for. It goes on over the steps of
  callees and of recursive activations of the same function. A call step writes everything, also one that
  resumes a generator.
- *Unwinding.* The return event of an activation that an exception leaves is not written: the exception steps
  tell. With ``unwind_returns=True`` it is written as a return of ``None``, which is what ``sys.settrace``
  reports.
- *Values.* A text is what the tracer rendered. It is written with :func:`json.dumps` as it is by default: one
  line, ASCII, ``", "`` and ``": "`` between items; characters past ASCII are escaped, lone surrogates as
  well.

A value whose own text is ``..`` cannot be told from the carry-over mark; no Python literal reads so.

Source: facebookresearch/cwm, PROMPTING_GUIDE.md.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import json
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from typing import Final

from opencwm.codec.cwm_special import (
    ACTION_SEP,
    ARG_SEP,
    BEGIN_OF_TEXT,
    END_OF_TEXT,
    FRAME_SEP,
    KIND_TOKENS,
    TRACE_CONTEXT_START,
)
from opencwm.core.errors import CodecError
from opencwm.traces import Binding, Program, Status, StepFlags, StepKind, Trace, replay

MARK: Final = "  # << START_OF_TRACE"
"""What the line of the entry's ``def`` ends with in the context; never part of a step's source."""

CARRIED: Final = ".."
"""Written in place of a local's text when it is the one last written for the same activation."""


@dataclasses.dataclass(frozen=True, slots=True)
class WrittenStep:
    """One step as the format writes it.

    Attributes:
        kind: what happened.
        lineno: 1-based line of ``Program.text``.
        source: that physical line with indentation and trailing newline.
        bindings: locals in order, with :data:`CARRIED` for what did not change; empty at returns and
        exceptions.
        value: what was returned or raised; None at calls and lines.
        index: the step's position in ``Trace.steps``.
    """

    kind: StepKind
    lineno: int
    source: str
    bindings: tuple[Binding, ...]
    value: str | None
    index: int


def context_text(program: Program) -> str:
    """Return the program's text with :data:`MARK` at the end of the entry's ``def`` line.

    A line that ends with the mark already is left alone, so that a context may be given as a program.

    Raises:
        CodecError: the program has no function of the entry's name, or does not parse.
    """
    lines = list(program.lines)
    index = mark_lineno(program) - 1
    if not lines[index].endswith(MARK):
        lines[index] += MARK
    return "".join(f"{line}\n" for line in lines)


def prompt_text(program: Program) -> str:
    """Return everything up to and with the first ``<|frame_sep|>``; what follows is for the model to predict.

    Raises:
        CodecError: the program has no function of the entry's name, or does not parse.
    """
    return f"{BEGIN_OF_TEXT}{TRACE_CONTEXT_START}{context_text(program)}{FRAME_SEP}"


def locals_json(bindings: tuple[Binding, ...] | Mapping[str, str]) -> str:
    """Return the LOCALS part of a call or line step: a flat JSON object of strings, in the order given."""
    return json.dumps(dict(bindings))


def value_json(value: str | None) -> str:
    """Return the VALUE part of a return or exception step; None (unwound) is written as ``None``."""
    return json.dumps("None" if value is None else value)


def step_text(
    kind: StepKind, source: str, bindings: tuple[Binding, ...] = (), value: str | None = None
) -> str:
    """Return one step from its kind token to its ``<|frame_sep|>``.

    Args:
        kind: chooses the token and the shape.
        source: the physical line with its newline.
        bindings: what LOCALS says, :data:`CARRIED` included; only of calls and lines.
        value: rendered value of a return or exception; None (an unwound activation) is written as ``None``.
    """
    if kind in (StepKind.CALL, StepKind.LINE):
        return f"{KIND_TOKENS[kind]}{locals_json(bindings)}{ACTION_SEP}{source}{FRAME_SEP}"
    return f"{KIND_TOKENS[kind]}{ACTION_SEP}{source}{ARG_SEP}{value_json(value)}{FRAME_SEP}"


def trace_text(trace: Trace, *, unwind_returns: bool = False) -> str:
    """Return prompt, steps and, if the run left its entry, ``<|end_of_text|>``.

    Raises:
        CodecError: the entry has no ``def`` in the program, or a step's line is not in the program.
    """
    steps = (
        step_text(step.kind, step.source, step.bindings, step.value)
        for step in written_steps(trace, unwind_returns=unwind_returns)
    )
    end = END_OF_TEXT if left_entry(trace) else ""
    return f"{prompt_text(trace.program)}{''.join(steps)}{end}"


def left_entry(trace: Trace) -> bool:
    """Whether the run went on until its entry was left, so that the trace ends with ``<|end_of_text|>``."""
    return bool(trace.steps) and trace.status in (Status.RETURNED, Status.RAISED)


def written_steps(trace: Trace, *, unwind_returns: bool = False) -> Iterator[WrittenStep]:
    """Yield the steps as the format writes them; the rules are those of the module's docstring.

    Raises:
        CodecError: the entry has no ``def`` in the program, or a step's line is not in the program.
    """
    sources = source_lines(trace.program)
    last_written: list[dict[str, str]] = []  # one per live activation, outermost first
    for index, (step, stack) in enumerate(replay(trace)):
        if not 1 <= step.lineno <= len(sources):
            where = f"{trace.program.filename}: step {index}"
            raise CodecError(f"line {step.lineno} is not in the program of {len(sources)} lines", where=where)
        is_call = step.kind is StepKind.CALL
        del last_written[step.depth + (0 if is_call else 1) :]
        last_written.extend({} for _ in range(len(stack) - len(last_written)))
        source = sources[step.lineno - 1]
        if step.kind in (StepKind.RETURN, StepKind.EXCEPTION):
            if unwind_returns or StepFlags.UNWIND not in step.flags:
                yield WrittenStep(step.kind, step.lineno, source, (), step.value, index)
            continue
        now = dict(stack[-1].locals)
        before = last_written[-1]
        bindings = tuple((name, CARRIED if before.get(name) == text else text) for name, text in now.items())
        last_written[-1] = now
        yield WrittenStep(step.kind, step.lineno, source, bindings, None, index)


def source_lines(program: Program) -> list[str]:
    """Return the SOURCE of each physical line: with indentation and newline, without the entry's mark.

    Raises:
        CodecError: the program has no function of the entry's name, or does not parse.
    """
    lines = [f"{line}\n" for line in program.lines]
    index = mark_lineno(program) - 1
    lines[index] = f"{lines[index][:-1].removesuffix(MARK)}\n"
    return lines


def mark_lineno(program: Program) -> int:
    """Return the 1-based line that carries the mark.

    That is the line with the entry's ``def``, below any decorators. A ``def`` line that a comment would
    break, because a backslash or an open string continues it, passes the mark on to the next line that can
    take it.

    Raises:
        CodecError: the program has no function of the entry's name, or does not parse.
    """
    lineno = entry_lineno(program)
    return lineno if program.call is not None else _first_line_open_to_comment(program.text, lineno)


def entry_lineno(program: Program) -> int:
    """Return the 1-based line of the entry's ``def``.

    Of several definitions of one name it is the last, which is the one in force after the module ran.

    Raises:
        CodecError: the program has no function of the entry's name, or does not parse.
    """
    if program.wrapper_lineno is not None:
        return program.wrapper_lineno
    linenos = [lineno for qualname, lineno in _definitions(program) if qualname == program.entry]
    if not linenos:
        hint = "name a function of the file, for example by its qualified name Class.method"
        raise CodecError(f"no function named {program.entry!r}", where=program.filename, hint=hint)
    return linenos[-1]


def _definitions(program: Program) -> list[tuple[str, int]]:
    """Return (qualified name, line of ``def``) of every function, in source order."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" and the like are the program's business
            tree = ast.parse(program.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f"{program.filename}:{line}" if line else program.filename
        raise CodecError(f"not valid Python: {getattr(error, 'msg', None) or error}", where=where) from None
    found: list[tuple[str, int]] = []
    pending: list[tuple[ast.AST, str]] = [(tree, "")]
    while pending:
        node, prefix = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append((f"{prefix}{node.name}", node.lineno))
            prefix = f"{prefix}{node.name}.<locals>."
        elif isinstance(node, ast.ClassDef):
            prefix = f"{prefix}{node.name}."
        pending.extend(
            (child, prefix) for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)
        )
    return sorted(found, key=lambda item: item[1])


def _first_line_open_to_comment(text: str, lineno: int) -> int:
    """Return the first line from ``lineno`` on after which a comment may stand."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if token.type in (tokenize.NEWLINE, tokenize.NL) and token.start[0] >= lineno:
                    return token.start[0]
    except (tokenize.TokenError, SyntaxError):
        pass  # the parser took what the tokenizer module does not: keep the def line
    return lineno
