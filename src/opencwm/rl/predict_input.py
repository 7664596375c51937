"""``predict-input``: which call of this function comes to that? The answer is run, in the sandbox.

Many calls may be right. What is run is untrusted, and it is looked at first: only a call of the function that
was asked about, whose arguments are made of literals, of what the program defines and of plain builtins. So a
policy cannot earn by swapping the function for another one.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from opencwm.codec.cwm_chat import Message
from opencwm.codec.cwm_questions import MARK, input_question, result_of
from opencwm.codec.native import NativeCodec
from opencwm.codec.native_decoder import MalformedStep
from opencwm.codec.native_input import called_name, decode_input, input_prompt
from opencwm.codec.vocabulary import Control
from opencwm.core.errors import ConfigError
from opencwm.evals.inputs import comes_to
from opencwm.rl.environment import Reward
from opencwm.rl.trace_question import TraceEnvironment, TraceQuestion
from opencwm.sandbox import Sandbox, record
from opencwm.traces import Program, Trace, observed_outcome
from opencwm.traces.program import names_in

MAX_CALL_CHARS: Final = 4096
"""A longer call earns 0 and is not run."""

_PLAIN: Final = frozenset(
    [
        "bool",
        "bytearray",
        "bytes",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "range",
        "reversed",
        "set",
        "slice",
        "sorted",
        "str",
        "tuple",
    ]
)
_REFUSED: Final = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)


class PredictInput(TraceEnvironment):
    """Ask for a call that comes to a result; 1 when running it does, else 0.

    Args:
        codec: of the policy that speaks ids.
        max_tokens: of its context.
        run: runs and records a program; by default a sandbox of this environment's own, started when the
            first answer is graded.
    """

    name: ClassVar[str] = "predict-input"
    stops: ClassVar[frozenset[int]] = frozenset({int(Control.END)})

    def __init__(
        self,
        codec: NativeCodec | None = None,
        *,
        max_tokens: int = 2048,
        run: Callable[[Program], Trace] | None = None,
    ) -> None:
        super().__init__(codec, max_tokens=max_tokens)
        self._given_run = run
        self._sandbox: Sandbox | None = None

    def close(self) -> None:
        """End the sandbox."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def messages(self, question: TraceQuestion) -> list[Message]:
        """Return the question in words."""
        program = question.trace.program
        return input_question(program, called_name(program), question.outcome.value, reasons=False)

    def grade(self, question: TraceQuestion, answer: str) -> Reward:
        """Return 1 when the call on the line that begins with ``RESULT:`` comes to the result.

        Raises:
            SandboxError: the sandbox failed.
        """
        call = result_of(answer)
        if call is None:
            return Reward(0, f"no line that begins with {MARK}")
        return self._grade_call(question, call)

    def gold(self, question: TraceQuestion) -> str:
        """Return the recorded call as an answer in words."""
        return f"{MARK} {question.trace.program.call}"

    def prompt_ids(self, question: TraceQuestion) -> list[int]:
        """Return the INPUT task.

        Raises:
            CodecError: nothing of the program fits, or its call is none of a function by name.
        """
        name = called_name(question.trace.program)
        return input_prompt(self.codec, self.view(question), name, question.outcome)

    def grade_ids(self, question: TraceQuestion, ids: Sequence[int]) -> Reward:
        """Return 1 when the call that ``ids`` complete comes to the result.

        Raises:
            SandboxError: the sandbox failed.
        """
        if not ids or ids[-1] != Control.END:
            return Reward(0, "the answer has no end")
        call = decode_input(self.codec, called_name(question.trace.program), ids)
        if isinstance(call, MalformedStep):
            return Reward(0, f"malformed: {call.reason}")
        return self._grade_call(question, call)

    def gold_ids(self, question: TraceQuestion) -> list[int]:
        """Return the rest of the recorded call as ids."""
        program = question.trace.program
        encode = self.codec.vocabulary.encode_text
        return [*encode(program.call or "")[len(encode(called_name(program))) :], int(Control.END)]

    def _grade_call(self, question: TraceQuestion, call: str) -> Reward:
        program = question.trace.program
        if problem := objection(program, call):
            return Reward(0, problem)
        try:
            made = Program.from_call(program.source, call, filename=program.filename)
        except ConfigError as error:
            return Reward(0, f"malformed: {error.what}"[:200])
        ran = self._run(made)
        if comes_to(ran, question.outcome):
            return Reward(1, details={"call": call})
        found = observed_outcome(ran)
        reason = f"the run ended with {ran.status.value}" if found is None else "it comes to something else"
        return Reward(0, reason, {"call": call, "found": None if found is None else found.value})

    def _run(self, program: Program) -> Trace:
        if self._given_run is not None:
            return self._given_run(program)
        if self._sandbox is None:
            self._sandbox = Sandbox()
        return record(program, sandbox=self._sandbox)


def objection(program: Program, call: str) -> str:
    """Return why a call is not run as an answer; empty when it may be.

    Args:
        program: whose own call is the one that was recorded.
        call: what was answered.
    """
    if len(call) > MAX_CALL_CHARS:
        return f"a call of more than {MAX_CALL_CHARS} characters"
    node, own = _parsed(call), _parsed(program.call or "")
    if not isinstance(node, ast.Call) or not isinstance(own, ast.Call):
        return "malformed: not a call"
    if type(node.func) is not type(own.func) or _last_name(node.func) != _last_name(own.func):
        return f"not a call of {_last_name(own.func)}"
    known = _PLAIN | names_in(program.source, program.filename)
    bound = {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)}
    bound |= {
        inner.id
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    }
    for inner in ast.walk(node):
        if isinstance(inner, _REFUSED):
            return "more than a call of plain arguments"
        if isinstance(inner, ast.Attribute) and inner.attr.startswith("_"):
            return f"the private name {inner.attr}"
        if isinstance(inner, ast.Name) and inner.id not in known | bound:
            return f"the unknown name {inner.id}"
    return ""


def _parsed(text: str) -> ast.expr | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _last_name(func: ast.expr) -> str:
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""
