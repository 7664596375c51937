"""The fixed texts of an attempt at a small task, each of which is one id to a small model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from opencwm.agent.box import WORKDIR
from opencwm.agent.edits import DIVIDER, REPLACE, SEARCH, Edited
from opencwm.agent.prompts import correction, task_prompt, tool_answer
from opencwm.agent.small.examples_file import RUN, SHOW, SOLUTION, TESTS
from opencwm.agent.small.make import INSTRUCTION
from opencwm.agent.tools import NOTHING_TO_SUBMIT, NOTHING_TO_UNDO, UNDONE, edit_text, submission_text
from opencwm.codec.native_chat import CODEC, PHRASES_NAME, NativeChatTokenizer
from opencwm.codec.vocabulary import Vocabulary
from opencwm.core.errors import EngineError
from opencwm.model.folder import ModelFolder

SYSTEM_PROMPT: Final = "Repair the file."
"""The system prompt of small models, which know their tools already."""
DONE: Final = "Done."
BECOMES: Final = " becomes "
"""Stands in a plan, between what is wrong in a line and what it is to be."""
VOCABULARY_NAME: Final = "native_vocabulary.json"
_HOLE: Final = "\0"


def phrases() -> list[str]:
    """Return them, in an order that never changes."""
    texts = [
        "system", "user", "assistant", "tool: bash", "tool: edit", "tool: submit", "tool: undo",
        SYSTEM_PROMPT, DONE, "\n\n", RUN, SHOW, SOLUTION, TESTS,
        "<tool: bash>\n", "<tool: edit>\n", "<tool: submit>\n", "<tool: undo>\n", "\n</tool>",
        f"{SOLUTION}\n{SEARCH}\n", f"\n{DIVIDER}\n", f"\n{REPLACE}",
        f"\n\n{task_prompt(INSTRUCTION, WORKDIR)}",
        " gives ", " and not ", " examples pass", " of ", " in line ", "[exit status 1]", "[no output]",
        UNDONE, NOTHING_TO_SUBMIT, NOTHING_TO_UNDO,
        *_parts(tool_answer(_HOLE, turns_left=0, tokens_left=0), r"\0|\b0\b"),
        *_parts(edit_text(SOLUTION, Edited("", 0, 0), 1), r"\b0\b"),
        *_parts(submission_text(_HOLE), r"\0"),
        *_parts(correction(_HOLE, has_submitted=True), r"\0"),
        f"diff --git a/{SOLUTION} b/{SOLUTION}\nindex ", " 100644\n",
        f"--- a/{SOLUTION}\n+++ b/{SOLUTION}\n@@ -", " @@",
        f"nothing was replaced: the lines to search for do not stand in {SOLUTION}.",
        " No line comes close; look at the file again before you edit it.",
        " The closest lines are:\n", "Copy whole lines exactly as they stand in the file.",
        BECOMES,
    ]  # fmt: skip
    answer = next(text for text in texts if text.startswith("<output>"))
    texts[texts.index(answer)] = f"\n\n{answer}"  # as it stands after a header
    return list(dict.fromkeys(texts))


def _parts(text: str, holes: str) -> list[str]:
    """Return what lies between the holes of a text."""
    return [part for part in re.split(holes, text) if len(part) > 1]


def tokenizer() -> NativeChatTokenizer:
    """Return the tokenizer that a model is taught with."""
    return NativeChatTokenizer(Vocabulary.default(), phrases())


def tokenizer_of(folder: ModelFolder) -> NativeChatTokenizer:
    """Return the tokenizer of a model that was taught.

    Raises:
        EngineError: it is no such model.
        CodecError: its files are broken.
    """
    if folder.meta.codec != CODEC:
        raise EngineError(
            f"is a model of the {folder.meta.codec} codec and cannot act",
            where=str(folder.path),
            hint="docs/agent.md says how a model is taught to",
        )
    vocabulary, listed = (folder.codec_file(name) for name in (VOCABULARY_NAME, PHRASES_NAME))
    return NativeChatTokenizer.from_json(_text(vocabulary), _text(listed), where=str(listed))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
