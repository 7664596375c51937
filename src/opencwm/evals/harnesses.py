"""Public benchmarks through the harnesses that maintain them: which, how each is started, what it leaves.

Nothing is measured here and no item is read: a harness fetches its own items when the user starts it. A
:class:`Benchmark` says which command lines ask which questions; what they leave is read by
:mod:`opencwm.evals.harness_results`. Why these harnesses: docs/benchmarks.md.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from opencwm.codec.cwm_chat import REASONING_PROMPT
from opencwm.core.errors import ConfigError
from opencwm.evals.chat import END_THINK, THINKING, Sampling

LM_EVAL: Final = "lm-evaluation-harness"
LIGHTEVAL: Final = "lighteval"
HARBOR: Final = "harbor"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Harness:
    """A program that runs benchmarks.

    Attributes:
        name: as it is known.
        executable: what is started.
        install: what makes it available, in an environment of its own or in this one.
    """

    name: str
    executable: str
    install: str


HARNESSES: Final = {
    LM_EVAL: Harness(name=LM_EVAL, executable="lm_eval", install="pip install 'lm_eval[api,math]>=0.4.13'"),
    LIGHTEVAL: Harness(
        name=LIGHTEVAL,
        executable="lighteval",
        install="pip install 'lighteval[litellm]==0.13.0' 'litellm==1.80.0' 'huggingface_hub<1' 'xxhash<4'",
    ),
    HARBOR: Harness(name=HARBOR, executable="harbor", install="uv tool install 'harbor>=0.26'"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A public benchmark.

    Attributes:
        name: of the command.
        title: as it is known.
        harness: of :data:`HARNESSES`.
        task: what the harness calls it.
        metric: of an item, in what the harness leaves.
    """

    name: str
    title: str
    harness: str
    task: str
    metric: str


BENCHMARKS: Final = {
    one.name: one
    for one in (
        Benchmark(
            name="livecodebench-code",
            title="LiveCodeBench, code generation, release v6",
            harness=LIGHTEVAL,
            task="lcb:codegeneration_release_v6",
            metric="codegen_pass@1:16",
        ),
        Benchmark(
            name="math500",
            title="MATH-500",
            harness=LM_EVAL,
            task="minerva_math500",
            metric="math_verify",
        ),
        Benchmark(name="aime24", title="AIME 2024", harness=LM_EVAL, task="aime24", metric="exact_match"),
        Benchmark(name="aime25", title="AIME 2025", harness=LM_EVAL, task="aime25", metric="exact_match"),
        Benchmark(
            name="swebench-verified",
            title="SWE-bench Verified",
            harness=HARBOR,
            task="swe-bench/swe-bench-verified",
            metric="reward",
        ),
        Benchmark(
            name="terminal-bench",
            title="Terminal-Bench 2",
            harness=HARBOR,
            task="terminal-bench/terminal-bench-2",
            metric="reward",
        ),
    )
}
"""By the names of ``opencwm bench``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be run.

    Attributes:
        url: of the API.
        model: as the server names it.
        folder: what the harness leaves goes there; an absolute path.
        sampling: of answers.
        limit: only the first so many items; None for all.
        attempts: answers to each item.
        concurrency: questions at once.
        agent: of Harbor.
        task: what the harness calls it, instead of the benchmark's own: for items of your own.
        extra: arguments for the harness, behind all others.
    """

    url: str
    model: str
    folder: Path
    sampling: Sampling = dataclasses.field(default_factory=Sampling)
    limit: int | None = None
    attempts: int = 1
    concurrency: int = 8
    agent: str = "terminus-2"
    task: str = ""
    extra: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launch:
    """What starts a harness.

    Attributes:
        commands: command lines, run one after the other; the first word is the executable's name.
        files: path -> text, written before.
        folder: where the commands are run; None where it does not matter.
    """

    commands: tuple[tuple[str, ...], ...]
    files: Mapping[Path, str] = dataclasses.field(default_factory=dict)
    folder: Path | None = None


def launch(benchmark: Benchmark, order: Order) -> Launch:
    """Return what runs a benchmark; nothing is started."""
    return _LAUNCHES[benchmark.harness](benchmark, order)


def find_executable(benchmark: Benchmark, path: Path | None = None) -> Path:
    """Return the harness' executable: the one named, one beside this Python, or one on the PATH.

    Raises:
        ConfigError: there is none.
    """
    harness = HARNESSES[benchmark.harness]
    beside = Path(sys.executable).parent / harness.executable
    found = shutil.which(str(path or (beside if beside.is_file() else harness.executable)))
    if found is None:
        where = str(path) if path is not None else benchmark.name
        raise ConfigError(
            f"{harness.name} is not installed",
            where=where,
            hint=f"{harness.install}, or name it with --harness",
        )
    return Path(found).absolute()


def _lm_eval(benchmark: Benchmark, order: Order) -> Launch:
    """Run each attempt by itself: the harness draws one answer an item."""
    drawn = order.sampling
    how: dict[str, Any] = {
        "do_sample": drawn.temperature > 0,
        "temperature": drawn.temperature,
        "top_p": drawn.top_p,
        "max_gen_toks": drawn.max_tokens,
        "until": ["<|eot_id|>"],  # the tasks' own, such as "Problem:", would cut reasoning short
        **({"chat_template_kwargs": THINKING} if drawn.thinking else {}),
    }
    served = {
        "model": order.model,
        "base_url": f"{order.url.rstrip('/')}/chat/completions",
        "num_concurrent": order.concurrency,
        "max_retries": 5,
        "timeout": 3600,
        "tokenized_requests": False,
        **({"think_end_token": END_THINK} if drawn.thinking else {}),
    }
    commands = [
        (
            HARNESSES[LM_EVAL].executable,
            "run",
            *("--model", "local-chat-completions"),
            *("--model_args", json.dumps({**served, "seed": attempt})),  # goes to the server
            *("--tasks", order.task or benchmark.task),
            *("--num_fewshot", "0"),
            "--apply_chat_template",
            *(("--system_instruction", REASONING_PROMPT) if drawn.thinking else ()),
            *("--gen_kwargs", json.dumps(how)),
            *(("--limit", str(order.limit)) if order.limit else ()),
            *("--seed", str(attempt)),
            "--log_samples",
            *("--output_path", str(order.folder / f"attempt-{attempt}")),
            *order.extra,
        )
        for attempt in range(order.attempts)
    ]
    return Launch(commands=tuple(commands))


def _lighteval(benchmark: Benchmark, order: Order) -> Launch:
    """Describe the model in files, which may hold commas; run each attempt by itself: it draws one answer.

    The harness and its client keep answers, the client in the working directory, whatever the server's
    address. Both are sent to the folder of the results, so that no answer of another run counts; a seed of
    its own keeps the attempts apart.
    """
    files: dict[Path, str] = {}
    commands: list[tuple[str, ...]] = []
    for attempt in range(order.attempts):
        path = order.folder / f"model-{attempt}.yaml"
        files[path] = json.dumps(_for_litellm(order, attempt), indent=2) + "\n"  # JSON is YAML
        commands.append(
            (
                HARNESSES[LIGHTEVAL].executable,
                *("endpoint", "litellm", str(path), order.task or benchmark.task),
                *("--output-dir", str(order.folder / f"attempt-{attempt}"), "--save-details"),
                "--remove-reasoning-tags",
                *(("--max-samples", str(order.limit)) if order.limit else ()),
                *(str(Path(word).absolute()) if Path(word).exists() else word for word in order.extra),
            )
        )
    return Launch(commands=tuple(commands), files=files, folder=order.folder)


def _for_litellm(order: Order, seed: int) -> dict[str, Any]:
    drawn = order.sampling
    return {
        "model_parameters": {
            "model_name": f"openai/{order.model}",
            "base_url": order.url,
            "concurrent_requests": order.concurrency,
            "timeout": 3600,
            "cache_dir": str(order.folder / "cache"),
            **({"system_prompt": REASONING_PROMPT} if drawn.thinking else {}),
            "generation_parameters": {
                "temperature": drawn.temperature,
                "top_p": drawn.top_p,
                "max_new_tokens": drawn.max_tokens,
                "seed": seed,
            },
        }
    }


def _harbor(benchmark: Benchmark, order: Order) -> Launch:
    """Have an agent of Harbor work at its tasks in containers; the agent itself runs outside of them."""
    drawn = order.sampling
    call: dict[str, Any] = {"top_p": drawn.top_p, "max_tokens": drawn.max_tokens}
    if drawn.thinking:
        call["extra_body"] = {"chat_template_kwargs": THINKING}
    kwargs = {
        "api_base": order.url,
        "temperature": drawn.temperature,
        "llm_call_kwargs": json.dumps(call),
        "model_info": json.dumps({"max_input_tokens": 131_072, "max_output_tokens": drawn.max_tokens}),
    }
    task = order.task or benchmark.task
    command = (
        HARNESSES[HARBOR].executable,
        "run",
        *(("-p", task) if Path(task).is_dir() else ("-d", task)),
        *("-a", order.agent),
        *("-m", f"openai/{order.model}"),
        *(part for name, value in kwargs.items() for part in ("--ak", f"{name}={value}")),
        *("-k", str(order.attempts)),
        *("--n-concurrent", str(order.concurrency)),
        *(("--n-tasks", str(order.limit)) if order.limit else ()),
        *("--jobs-dir", str(order.folder), "--job-name", "job", "--yes"),
        *order.extra,
    )
    return Launch(commands=(command,))


_LAUNCHES: Final[Mapping[str, Callable[[Benchmark, Order], Launch]]] = {
    LM_EVAL: _lm_eval,
    LIGHTEVAL: _lighteval,
    HARBOR: _harbor,
}
