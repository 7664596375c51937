"""What a model is told besides what its tools answer: the rules, the task, its budget, its mistakes.

The roles, the marks of calls, ``<output>`` and ``<budget>`` are those of the agents that facebook/cwm was
trained as; the sentences are ours. Who needs the published sentences passes them as the system prompt.

Source: facebookresearch/cwm, PROMPTING_GUIDE.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from opencwm.agent.calls import described
from opencwm.codec.cwm_chat import REASONING_PROMPT

_RULES = """\
You work in a Linux machine of your own, without a network unless the task says otherwise. A command may \
take {timeout_s:g} seconds. You have {turns} turns and a context of {tokens} tokens.

{tools}

Rules:
* Make exactly one call in each turn until you have submitted.
* After a submission that you are sure of, end with a summary and no call."""

_TOOLS_IN_TEXT = "You have access to the following tools:\n\n{tools}"
_TOOLS_AS_FUNCTIONS = "Call the functions that are offered."

_TASK = """\
Solve this task by changing the repository, then submit your changes:

<task>
{instruction}
</task>

The repository is {workdir}, and your session starts there. Look at the code, reproduce the problem, change \
what is wrong, and run the tests before you submit."""


def system_prompt(
    tools: Sequence[str],
    *,
    turns: int,
    tokens: int,
    timeout_s: float,
    calls_functions: bool = False,
    reasons: bool = False,
) -> str:
    """Return the system prompt.

    Args:
        tools: names of those on offer.
        turns: how many there may be.
        tokens: of the context.
        timeout_s: of a command.
        calls_functions: whether tools are called as functions, and not in text.
        reasons: begin with the published prompt that switches reasoning on.
    """
    told = _TOOLS_AS_FUNCTIONS if calls_functions else _TOOLS_IN_TEXT.format(tools=described(tools))
    rules = _RULES.format(timeout_s=timeout_s, turns=turns, tokens=tokens, tools=told)
    return f"{REASONING_PROMPT}\n\n{rules}" if reasons else rules


def task_prompt(instruction: str, workdir: str) -> str:
    """Return the first message of the user."""
    return _TASK.format(instruction=instruction.strip(), workdir=workdir)


def tool_answer(text: str, *, turns_left: int, tokens_left: int) -> str:
    """Return what a tool answered, with what is left."""
    budget = f"* Remaining turns: {turns_left}\n* Remaining tokens: {max(tokens_left, 0)}"
    return f"<output>\n{text}\n</output>\n\n<budget>\n{budget}\n</budget>"


def correction(problem: str, *, has_submitted: bool) -> str:
    """Return what a model is told whose turn did not follow the rules."""
    end = " If you are done, end with a summary and no call." if has_submitted else ""
    return f"That turn was not understood: {problem}. Make exactly one call of a tool.{end}"
