"""``opencwm ask``: one turn of a conversation with a model of the ``cwm`` format."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from opencwm.core.errors import ConfigError
from opencwm.frontends.cli.options import Call, Json, Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opencwm.codec.cwm_chat import Message, Turn
    from opencwm.codec.cwm_stream import TurnPart

_NO_CHAT = "knows no conversations; name a model of the cwm format with --model, such as facebook/cwm"


def ask(
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="What the user says [default: from stdin].", show_default=False),
    ] = None,
    model: Model = None,
    think: Annotated[
        bool,
        typer.Option(
            "--think/--no-think",
            help="Have it reason first: the system prompt for reasoning, and its turn opened with <think>; or"
            " opened and closed, without that prompt.",
        ),
    ] = True,
    thoughts: Annotated[
        bool, typer.Option("--thoughts/--no-thoughts", help="Show the reasoning, on stderr.")
    ] = True,
    system: Annotated[
        str, typer.Option("--system", metavar="TEXT", help="System prompt, below that for reasoning.")
    ] = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Ask about this program: what --call returns."),
    ] = None,
    call: Call = None,
    messages: Annotated[
        Path | None,
        typer.Option(
            "--messages",
            metavar="FILE",
            help="The conversation so far: a JSON list of OpenAI's messages, of tools too.",
        ),
    ] = None,
    max_tokens: Annotated[
        int,
        typer.Option(
            "--max-tokens", metavar="N", help="Most tokens of the answer, reasoning included.", min=1
        ),
    ] = 16_384,
    as_json: Json = False,
) -> None:
    """Ask a model in words: a question, a program, an agent's next turn.

    With reasoning or without. What it says goes to stdout while it is written, its thoughts to stderr. A call
    of a tool stands in what it says as the model wrote it; --json has it read, and says what is wrong with
    it.
    """
    from opencwm.debugger.cwm_model import CwmWorldModel
    from opencwm.debugger.world_model import WorldModel
    from opencwm.frontends.cli.output import notice, print_json

    said = _conversation(text, system, file, call, messages, thinks=think)
    world = WorldModel.load(model)
    if not isinstance(world, CwmWorldModel):
        raise ConfigError(_NO_CHAT, where=world.name)
    printer = None if as_json else _Printer(shows_thoughts=thoughts)
    turn = world.reply(
        said, thinks=think, max_tokens=max_tokens, listener=printer.tell if printer is not None else None
    )
    if printer is None:
        print_json(_told(turn))
        return
    printer.end()
    if turn.problem:
        notice(turn.problem)


def _conversation(
    text: str | None, system: str, file: Path | None, call: str | None, messages: Path | None, *, thinks: bool
) -> Sequence[Message]:
    """Return the turns so far."""
    from opencwm.codec.cwm_chat import REASONING_PROMPT, Message
    from opencwm.codec.cwm_questions import output_question
    from opencwm.frontends.programs import program_of_source, read_source

    if sum(given is not None for given in (text, file, messages)) > 1 or (file is None) != (call is None):
        raise ConfigError("give TEXT, or --messages, or --file with --call")
    prompt = "\n\n".join(filter(None, [REASONING_PROMPT if thinks else "", system]))
    before = [Message("system", prompt)] if prompt else []
    if messages is not None:
        read = _read(messages)
        own = [message.content for message in read[:1] if message.role == "system"]
        joined = "\n\n".join(filter(None, [prompt, *own]))
        return [*([Message("system", joined)] if joined else []), *read[len(own) :]]
    if file is not None:
        program = program_of_source(read_source(file), str(file), call=call)
        return [*before, *output_question(program, reasons=False)]
    if text is None:
        text = sys.stdin.read()
    if not text.strip():
        raise ConfigError("nothing is asked", hint="give TEXT, or write it to stdin")
    return [*before, Message("user", text)]


def _read(path: Path) -> Sequence[Message]:
    from opencwm.frontends.chat_messages import read_messages

    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"is not JSON: {error}", where=str(path)) from None
    try:
        return read_messages(given)
    except ConfigError as error:
        raise ConfigError(error.what, where=str(path), hint=error.hint) from None


class _Printer:
    """Writes a turn while it comes: text to stdout, thoughts to stderr."""

    def __init__(self, *, shows_thoughts: bool) -> None:
        self._shows_thoughts = shows_thoughts
        self._is_thinking = False

    def tell(self, part: TurnPart) -> None:
        if part.thought and self._shows_thoughts:
            self._is_thinking = True
            _write(part.thought, sys.stderr)
        if part.said:
            self._end_thought()
            _write(part.said, sys.stdout)

    def end(self) -> None:
        self._end_thought()
        _write("\n", sys.stdout)

    def _end_thought(self) -> None:
        if self._is_thinking:
            _write("\n\n", sys.stderr)
        self._is_thinking = False


def _write(text: str, stream: IO[str]) -> None:
    """Write to a stream at once; to a terminal, without what could steer it."""
    from opencwm.frontends.cli.output import visible

    shown = "\n".join(map(visible, text.split("\n"))) if stream.isatty() else text
    stream.write(shown)
    stream.flush()


def _told(turn: Turn) -> dict[str, object]:
    call = {"name": turn.call.name, "content": turn.call.content} if turn.call is not None else None
    return {"thought": turn.thought, "text": turn.text, "call": call, "problem": turn.problem}
