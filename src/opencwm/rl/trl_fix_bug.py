"""``fix-bug`` as TRL's trainers take environments: one object a rollout, whose public methods are the tools.

The idea: the tools are those of the agents, over a box that lives from one ``reset`` to the reward; what TRL
calls them with is data, and what is wrong with it is told to the model. TRL turns what a tool raises into
text for the model, so a box that fails is remembered, and the reward raises: nothing is learned from it.

Source: TRL 1.16, ``GRPOTrainer``, argument ``environment_factory``.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence

from opencwm.agent.box import open_box
from opencwm.agent.calls import MAX_CALL_CHARS, Call
from opencwm.agent.tools import Toolbox
from opencwm.core.errors import ConfigError, OpenCWMError, SandboxError
from opencwm.rl.environment import Reward
from opencwm.rl.fix_bug import Bug, FixBug


class BugAtWork:
    """One rollout of a bug; see :func:`fix_bug_factory`.

    Args:
        environment: grades, and has the limits of commands and answers.
        by_key: the bugs.
    """

    def __init__(self, environment: FixBug, by_key: Mapping[str, Bug]) -> None:
        self._environment, self._by_key = environment, by_key
        self._bug: Bug | None = None
        self._toolbox: Toolbox | None = None
        self._open = contextlib.ExitStack()
        self._submitted: str | None = None
        self._failure: OpenCWMError | None = None
        self._reward: Reward | None = None

    def reset(self, key: str = "", **_: object) -> None:
        """Begin with the bug of a row, in a box of its own; the row's prompt already tells of it.

        Raises:
            ConfigError: there is no such bug.
            SandboxError: the box cannot be started.
        """
        self._open.close()
        if key not in self._by_key:
            raise ConfigError(f"no question {key!r}", where="the data set")
        self._bug, self._submitted, self._failure, self._reward = self._by_key[key], None, None, None
        rollout = self._environment.config.rollout
        box = self._open.enter_context(open_box(self._bug.task.box_spec(rollout.kind)))
        self._toolbox = Toolbox(
            box, timeout_s=rollout.limits.timeout_s, output_chars=rollout.limits.output_chars
        )

    def bash(self, command: str) -> str:
        """
        Run commands in a bash session whose folder, variables and functions last.

        Args:
            command: The command(s) to run.

        Returns:
            What they wrote, and their exit status.
        """  # noqa: D212 - TRL makes the tool's schema of this form
        return self._use("bash", command=command)

    def edit(self, path: str, search: str, replacement: str) -> str:
        """
        Replace lines of a file. The lines to search for must stand in the file exactly once.

        Args:
            path: The file to change.
            search: Whole lines as they stand in the file.
            replacement: The lines to put there; empty to delete them.

        Returns:
            The numbered lines around the change.
        """  # noqa: D212 - likewise
        return self._use("edit", path=path, search=search, replacement=replacement)

    def create(self, path: str, content: str) -> str:
        """
        Make a new file. It must not exist yet; its folder must.

        Args:
            path: The file to make.
            content: What is in it.

        Returns:
            Whether it was made.
        """  # noqa: D212 - likewise
        return self._use("create", path=path, content=content)

    def submit(self, result: str) -> str:
        """
        Submit a solution. It may be submitted again; the last one counts.

        Args:
            result: Path of a patch file as git diff writes it, or empty for all changes of the repository.

        Returns:
            The patch that is submitted.
        """  # noqa: D212 - likewise
        return self._use("submit", result=result)

    def get_reward(self) -> float:
        """Return what the last submission earned, 0 when there is none; the box ends.

        Raises:
            OpenCWMError: the box, or grading, failed.
        """
        self._open.close()
        self._toolbox = None
        if self._failure is not None:
            raise self._failure
        if self._reward is None and self._bug is not None and self._submitted is not None:
            self._reward = self._environment.grade(self._bug, self._submitted)
        return 0.0 if self._reward is None else self._reward.value

    def _use(self, name: str, **arguments: object) -> str:
        texts = {key: value for key, value in arguments.items() if isinstance(value, str)}
        if len(texts) < len(arguments):
            return f"the arguments of {name} must be strings"
        if sum(map(len, texts.values())) > MAX_CALL_CHARS:
            return f"more than {MAX_CALL_CHARS} characters are not taken in one call; do it in parts"
        if self._toolbox is None:
            return "the session is over"
        try:
            outcome = self._toolbox.use(Call(name, texts))
        except SandboxError as error:
            self._failure = error
            return "the machine failed"
        if outcome.submitted is not None:
            self._submitted = outcome.submitted
        return outcome.text


def fix_bug_factory(environment: FixBug, bugs: Sequence[Bug]) -> Callable[[], BugAtWork]:
    """Return what ``environment_factory`` of TRL's trainers wants; the data set is ``trl_environment.rows``.

    Tools are called as functions, so the rows' system prompt should not tell of the text form: give
    ``RolloutConfig`` a ``prompt``.
    """
    return functools.partial(BugAtWork, environment, {bug.key: bug for bug in bugs})
