"""Items of CodeSense's Python tasks, read strictly from JSONL: outputs, statements and blocks.

One JSON object a line, with ``idx``. Its fields say what is asked:

- output: ``code`` with a function, ``input``, ``output``;
- statement: ``Statement Type``, ``Source Code``, ``Selected Statement``, ``Variable Values Before
  Statement``, ``Value After Statement Execution``. The statement becomes a function of the variables it
  reads, behind the source, and that is run: it gives what is assigned, the value of an expression or, of a
  ``Branch``, Yes or No;
- block: ``Block_Size``, ``Source Code`` with a function, ``Selected Statement``, ``Function Input``, and the
  value again: the one that the statement on the line after the first ``Block_Size`` ones assigns or returns
  when it is first run.

Other keys are ignored. Variables and inputs are objects, or texts of Python dicts, name -> value, each a JSON
value or the text of a Python literal; inputs may also be the arguments of the call as text. What cannot
be made a call of one function, or holds a value that is no literal, is left out and counted.

Right is what has the same text as the gold, apart from case, outer quotes and white space.

Not covered: loops and conditions, whose questions are prose; quantised values; C and Java; pointers.

Names of fields, the rule of ``Block_Size`` and the scores were taken from the loaders, prompts and metrics of
the authors' repository; how values are written in them is not said there. Source: Roy et al., "CodeSense: a
real-world benchmark and dataset for code semantic reasoning", arXiv 2506.00750. No item comes with this
package.
"""

from __future__ import annotations

import ast
import textwrap
import warnings
from pathlib import Path
from typing import Any

from opencwm.core.errors import ConfigError
from opencwm.evals.cruxeval_items import Item, program_of, read_items
from opencwm.evals.probes import Probe, Probes
from opencwm.evals.questions import Text
from opencwm.evals.runs import NO_LITERAL, literal
from opencwm.traces import Program

VALUE = "Value After Statement Execution"
VARIABLES = "Variable Values Before Statement"
STATEMENT = "Selected Statement"
SOURCE = "Source Code"
_KEYS = ("idx",)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class LeftOutError(Exception):
    """Why a well-formed item is not asked."""


def load_items(path: Path) -> Probes:
    """Read all items of a file.

    Raises:
        ConfigError: the file cannot be read, holds no item, or a line is none; the error names the line.
    """
    found = Probes()

    def add(fields: dict[str, Any], key: str, where: str) -> None:
        try:
            found.items.append(item_of(fields, key, where))
        except LeftOutError as reason:
            found.left_out[str(reason)] += 1

    read_items(path, add, _KEYS)
    return found


def load_outputs(path: Path) -> list[Item]:
    """Read the items that ask for an output, for the opposite question: a call that gives it.

    Raises:
        ConfigError: as :func:`load_items`, or the file holds no such item.
    """
    probes = load_items(path).items
    items = [Item(probe.id, probe.program, probe.golds[0]) for probe in probes if _is_output(probe)]
    if not items:
        raise ConfigError("no item asks for an output", where=str(path))
    return items


def _is_output(probe: Probe) -> bool:
    return probe.questions[0].kind == "output"


def item_of(fields: dict[str, Any], key: str, where: str) -> Probe:
    """Return the item that a line holds.

    Raises:
        ConfigError: it holds none.
        LeftOutError: it is one that is not asked.
    """
    language = fields.get("Programming Language", "Python")
    if not isinstance(language, str) or language.lower() != "python":
        raise ConfigError(f"only Python is covered, not {language!r}", where=where)
    texts: tuple[str, ...]
    if "Statement Type" in fields:
        make, texts = _statement, ("Statement Type", SOURCE, STATEMENT)
    elif "Block_Size" in fields:
        make, texts = _block, (SOURCE, STATEMENT)
    elif "code" in fields:
        make, texts = _output, ("code",)
    else:
        hint = "questions in prose, as of loops and conditions, are not covered"
        raise ConfigError("neither output, statement nor block", where=where, hint=hint)
    for name in texts:
        if not isinstance(fields.get(name), str):
            raise ConfigError(f"{name!r} must be a string", where=where)
    gold = fields.get("output" if make is _output else VALUE)
    if gold is None:
        raise ConfigError(f"{'output' if make is _output else VALUE!r} is missing", where=where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program, question = make(fields, key, where)
    text = gold if isinstance(gold, str) else str(gold)
    return Probe(id=key, group=key, program=program, questions=(question,), golds=(text,))


def _output(fields: dict[str, Any], key: str, where: str) -> tuple[Program, Text]:
    program = _called(textwrap.dedent(fields["code"]), fields.get("input"), key, f"{where}: 'input'")
    return program, Text("output")


def _called(code: str, given: Any, key: str, where: str) -> Program:
    """Return the program that calls the function of a code with an input."""
    names = _names(given)
    if names is None and not isinstance(given, str):
        raise ConfigError("must be an object or a string", where=where)
    function = _function(_parsed(code), names or {})
    if names is not None and set(names) <= set(_parameters(function)):
        arguments = _arguments(names)
    elif isinstance(given, str):
        arguments = given.strip()
    else:
        raise LeftOutError("an input that names no parameter")
    return _program(code, f"{function.name}({arguments})", key)


def _statement(fields: dict[str, Any], key: str, where: str) -> tuple[Program, Text]:
    before = _names(fields.get(VARIABLES))
    if before is None:
        raise ConfigError(f"{VARIABLES!r} must be an object", where=where)
    code = textwrap.dedent(fields[SOURCE])
    _parsed(code)
    is_branch = fields["Statement Type"] == "Branch"
    body, node = _body(fields[STATEMENT], is_branch=is_branch)
    read = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    given = {name: value for name, value in before.items() if name in read}
    name = "statement"
    while name in code:
        name += "_"
    code = f"{code.rstrip()}\n\n\ndef {name}({', '.join(given)}):\n{textwrap.indent(body, '    ')}\n"
    question = Text("branch" if is_branch else "statement", is_branch=is_branch)
    return _program(code, f"{name}({_arguments(given)})", key), question


def _body(statement: str, *, is_branch: bool) -> tuple[str, ast.AST]:
    """Return the body of a function that gives what a statement comes to, and the statement."""
    text = statement.strip()
    if is_branch:
        text = text.removeprefix("el") if text.startswith("elif") else text
        node = _single(f"{text} pass" if text.endswith(":") else text)
        if not isinstance(node, ast.If | ast.While):
            raise LeftOutError("a branch on no condition")
        return f"if {ast.unparse(node.test)}:\n    return True\nreturn False", node
    node = _single(text)
    if isinstance(node, ast.Return):
        return text, node
    if isinstance(node, ast.Expr):
        return f"return {ast.unparse(node)}", node
    return f"{text}\nreturn {_target(node)}", node


def _single(text: str) -> ast.stmt:
    try:
        (node,) = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise LeftOutError("a statement that is not one whole one") from None
    return node


def _target(node: ast.stmt) -> str:
    """Return what a statement assigns to."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    is_assignment = isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
    if not is_assignment or targets[0] is None or getattr(node, "value", None) is None:
        raise LeftOutError("a statement that assigns and returns nothing")
    return ast.unparse(targets[0])


def _block(fields: dict[str, Any], key: str, where: str) -> tuple[Program, Text]:
    size, code = fields["Block_Size"], textwrap.dedent(fields[SOURCE])
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ConfigError("'Block_Size' must be a number of lines", where=where)
    program = _called(code, fields.get("Function Input"), key, f"{where}: 'Function Input'")
    lines = [line.strip() for line in code.split("\n")]
    statement = fields[STATEMENT].strip()
    if size >= len(lines) or lines[size] != statement:
        raise LeftOutError("a block whose statement is not on its line")
    node = _single(statement)
    return program, Text("block", size + 1, "" if isinstance(node, ast.Return) else _target(node))


def _parsed(code: str) -> ast.Module:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise LeftOutError("source that is not Python on its own") from None


def _program(code: str, call: str, key: str) -> Program:
    try:
        return program_of(code, lambda: call, key, "")
    except ConfigError:
        raise LeftOutError("an input that is no call") from None


def _function(module: ast.Module, given: dict[str, Any]) -> _Function:
    """Return the function to call: the only one, or the only one that has the parameters."""
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    if len(functions) > 1:
        functions = [node for node in functions if given and set(given) <= set(_parameters(node))]
    if len(functions) != 1:
        raise LeftOutError("source without one function to call")
    return functions[0]


def _parameters(function: _Function) -> list[str]:
    arguments = function.args
    return [one.arg for one in (*arguments.args, *arguments.kwonlyargs)]


def _names(value: Any) -> dict[str, Any] | None:
    """Return an object, or the text of a Python dict with names for keys; None for other things."""
    found = literal(value) if isinstance(value, str) else value
    if isinstance(found, dict) and all(isinstance(name, str) and name.isidentifier() for name in found):
        return found
    return None


def _arguments(given: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in given.items())


def _value(value: Any) -> str:
    if not isinstance(value, str):
        return repr(value)
    if literal(value) is NO_LITERAL:
        raise LeftOutError("a value that is no literal")
    return value.strip()
