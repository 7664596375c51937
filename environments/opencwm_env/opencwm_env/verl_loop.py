"""The environments as an agent loop of verl, and their questions as the Parquet files that verl reads.

    python -m opencwm_env.verl_loop fix-bug TASKS train.parquet

An episode that comes to nothing for a reason that is not the policy's raises: verl leaves it out.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopMetrics, AgentLoopOutput

from opencwm.codec.cwm_tokenizer import HuggingFaceTokenizer
from opencwm.rl.wire import make_environment, question_to_json, read_questions
from opencwm_env.threads import THREADS
from opencwm_env.token_play import PlayConfig, play

LOOP = "opencwm"
"""Name of the loop, in ``agent.yaml`` and in the files."""


class OpenCWMAgentLoop(AgentLoopBase):
    """Plays a row in token ids.

    Args:
        settings: those of :class:`~opencwm_env.token_play.PlayConfig`, from ``agent.yaml``.
        given: what verl gives every loop.
    """

    def __init__(self, *args: Any, settings: dict[str, Any] | None = None, **given: Any) -> None:
        super().__init__(*args, **given)
        size = self.rollout_config.prompt_length + self.rollout_config.response_length
        self._play = PlayConfig(max_tokens=size, **(settings or {}))

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> AgentLoopOutput:
        """Play one episode."""
        loop, request = asyncio.get_running_loop(), uuid4().hex
        tokenizer = HuggingFaceTokenizer(self.tokenizer.backend_tokenizer)

        def generate(prompt: Sequence[int], max_tokens: int) -> tuple[Sequence[int], Sequence[float]]:
            asked = self.server_manager.generate(
                request_id=request,
                prompt_ids=list(prompt),
                sampling_params={**sampling_params, "max_tokens": max_tokens},
            )
            said = asyncio.run_coroutine_threadsafe(asked, loop).result()
            return said.token_ids, said.log_probs or ()

        number = int(request[:12], 16)
        question = json.loads(row["question"])
        played = await loop.run_in_executor(
            THREADS, play, row["environment"], question, generate, tokenizer, self._play, number
        )
        segment, first = played.segment, played.num_prompt
        if first > self.rollout_config.prompt_length:
            raise ValueError(f"a prompt of {first} tokens is longer than rollout.prompt_length")
        last = first + self.rollout_config.response_length
        return AgentLoopOutput(
            prompt_ids=segment.ids[:first],
            response_ids=segment.ids[first:last],
            response_mask=segment.loss_mask[first:last],
            response_logprobs=segment.logarithms[first:last] if segment.logarithms else None,
            reward_score=played.reward.value,
            num_turns=2 * played.num_turns,
            metrics=AgentLoopMetrics(),
            extra_fields={"reason": played.reward.reason},
        )


def write_rows(name: str, path: Path, out: Path) -> int:
    """Write the questions of an environment as rows for verl; return how many.

    Raises:
        OpenCWMError: see :func:`opencwm.rl.wire.read_questions`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with make_environment(name) as environment:
        rows = [
            {
                "data_source": name,
                "agent_name": LOOP,
                "environment": name,
                "question": json.dumps(question_to_json(question)),
                "prompt": [
                    {"role": said.role, "content": said.content} for said in environment.messages(question)
                ],
                "reward_model": {"style": "rule", "ground_truth": ""},
                "extra_info": {"index": number},
            }
            for number, question in enumerate(read_questions(name, path))
        ]
    pq.write_table(pa.Table.from_pylist(rows), out)
    return len(rows)


if __name__ == "__main__":
    environment_name, questions, parquet = sys.argv[1:]
    print(write_rows(environment_name, Path(questions), Path(parquet)), "rows", file=sys.stderr)
