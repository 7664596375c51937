r"""Policies that are no models: for tests, demonstrations, and searches that a model may learn from.

A *play* is a generator function that yields what is said and is sent what came of it::

    def play(instruction: str) -> Play:
        seen = yield "<tool: bash>\npytest -q\n</tool>"
        ...
        yield "Done."

A script is a text file of fixed turns; see :func:`read_script`.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Final

from opencwm.agent.conversation import Occasion, Reply, Speaker, Utterance
from opencwm.core.errors import ConfigError

Play = Generator[str | Reply, str, None]
"""Yields turns, is sent what was answered."""
MARK: Final = "%%%"
NOTHING_MORE: Final = "I have nothing more to say."


class ScriptedPolicy:
    """Acts out plays.

    Args:
        play: begins one, given the task as the user tells it.
        name: in records.
        calls_functions: see :class:`~opencwm.agent.conversation.Policy`.
    """

    prompt = None

    def __init__(
        self, play: Callable[[str, Occasion], Play], *, name: str = "scripted", calls_functions: bool = False
    ) -> None:
        self._play = play
        self.name = name
        self.calls_functions = calls_functions

    def begin(self, occasion: Occasion) -> Speaker:
        """Begin a play, which goes on with the conversation; when it is over, so is the attempt."""
        play: Play | None = None

        def speak(conversation: Sequence[Utterance]) -> Reply:
            nonlocal play
            try:
                if play is None:
                    play = self._play(conversation[-1].text, occasion)
                    said = next(play)
                else:
                    said = play.send(conversation[-1].text)
            except StopIteration:
                said = Reply(text=NOTHING_MORE, is_last=True)
            return said if isinstance(said, Reply) else Reply(text=said)

        return speak


def fixed(*turns: str | Reply) -> Callable[[str, Occasion], Play]:
    """Return a play that says these turns whatever comes of them."""

    def play(_: str, __: Occasion) -> Play:
        for turn in turns:  # noqa: UP028 - what is sent here cannot be sent on to a tuple
            yield turn

    return play


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """The turns for some tasks and attempts."""

    pattern: str
    rollouts: frozenset[int] | None
    turns: tuple[str, ...]


def read_script(path: Path) -> ScriptedPolicy:
    """Read a file of turns.

    A line ``%%% turn`` begins a turn. A line ``%%% task PATTERN`` says which tasks the turns after it are for
    (``*`` and ``?`` as in file names), ``%%% task PATTERN rollout 0 2`` for which attempts too; the first
    that fits is taken. Turns before any such line are for every task. ``%%% #`` begins a remark.

    Raises:
        ConfigError: the file cannot be read, or a line with the mark says something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text", where=str(path)) from None
    parts = _parts(text, str(path))
    if not any(part.turns for part in parts):
        raise ConfigError("the script has no turns", where=str(path), hint=f"a turn begins with {MARK} turn")

    def play(_: str, occasion: Occasion) -> Play:
        for part in parts:
            is_meant = part.rollouts is None or occasion.rollout in part.rollouts
            if is_meant and fnmatch.fnmatchcase(occasion.task, part.pattern) and part.turns:
                for turn in part.turns:  # noqa: UP028 - likewise
                    yield turn
                return

    return ScriptedPolicy(play, name=f"script:{path.name}")


def _parts(text: str, where: str) -> list[_Part]:
    parts = [_Part("*", None, ())]
    turn: list[str] | None = None

    def close() -> None:
        if turn is not None:
            parts[-1] = dataclasses.replace(parts[-1], turns=(*parts[-1].turns, "\n".join(turn).strip("\n")))

    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0] != MARK:
            if turn is not None:
                turn.append(line)
            elif line.strip():
                raise ConfigError(
                    f"text outside of a turn, which begins with {MARK} turn", where=f"{where}:{number}"
                )
        elif words[1:] == ["turn"]:
            close()
            turn = []
        elif words[1:2] == ["task"] and len(words) > 2:
            close()
            turn = None
            parts.append(_Part(words[2], _rollouts(words[3:], f"{where}:{number}"), ()))
        elif words[1:2] != ["#"]:
            raise ConfigError(
                f"{MARK} turn, {MARK} task PATTERN or {MARK} # is meant", where=f"{where}:{number}"
            )
    close()
    return parts


def _rollouts(words: Sequence[str], where: str) -> frozenset[int] | None:
    if not words:
        return None
    if words[0] != "rollout" or len(words) == 1 or not all(word.isdecimal() for word in words[1:]):
        raise ConfigError("after the pattern comes nothing, or rollout and numbers", where=where)
    return frozenset(map(int, words[1:]))
