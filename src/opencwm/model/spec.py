"""What ``--model`` may say: which model, where it runs, and how.

    PATH                  a folder of our own format, or a Hugging Face folder
    OWNER/NAME            a model of the Hugging Face hub, for example facebook/cwm
    http://HOST:PORT/v1   a server that speaks OpenAI's API
    ...,KEY=VALUE         any of these with options, for example facebook/cwm,quantize=int8

The one idea: one string says it all, so that every command, a launch configuration of an editor and the
Python API take the same. Nothing is opened here.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from opencwm.core.errors import ConfigError
from opencwm.model.folder import META_NAME, ONNX_NAME
from opencwm.model.sampling import SamplingConfig

_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_OPTION: Final = re.compile(r"\s*([a-z_]+)\s*=(.*)", re.DOTALL)


class Place(enum.StrEnum):
    """Where a model is found."""

    PACKAGE = "package"
    FOLDER = "folder"  # of our own format
    HUGGING_FACE = "hugging_face"
    HUB = "hub"
    SERVER = "server"


class Format(enum.StrEnum):
    """What a model writes."""

    CWM = "cwm"
    NATIVE = "native"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How a model is opened and asked; the keys of a spec.

    Attributes:
        dtype: of weights in this process: auto, bfloat16, float16, float32.
        quantize: them to int8 or int4; None for as they are stored.
        device: auto, cpu, cuda, cuda:1 and so on.
        context: most ids of a sequence; None for what the model can.
        tokenizer: folder or hub name of the tokenizer of a model on a server; None for that of the model.
        name: of the model on a server that has several; None for its first.
        temperature: above 0, ids are drawn.
        top_p: smallest probability mass that is drawn from; the published demo's number.
        seed: of the draws.
    """

    dtype: str = "auto"
    quantize: str | None = None
    device: str = "auto"
    context: int | None = None
    tokenizer: str | None = None
    name: str | None = None
    temperature: float = 0.0
    top_p: float = 0.95
    seed: int = 0

    @property
    def sampling(self) -> SamplingConfig:
        """How ids are picked: greedily, unless there is a temperature."""
        if self.temperature <= 0:
            return SamplingConfig(seed=self.seed)
        return SamplingConfig(temperature=self.temperature, top_p=self.top_p, seed=self.seed)


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """A model that is wanted.

    Attributes:
        place: where it is.
        target: path, hub name or address; empty for the model in the package.
        options: how it is opened and asked.
    """

    place: Place
    target: str = ""
    options: ModelOptions = dataclasses.field(default_factory=ModelOptions)


def parse_spec(text: str | Path | None) -> ModelSpec:
    """Read a spec; whether what it names is there is found out when it is opened.

    Raises:
        ConfigError: it is empty, or an option is unknown or has no such value.
    """
    if text is None:
        return ModelSpec(Place.PACKAGE)
    if "\0" in str(text):
        raise ConfigError("holds a NUL character", where="--model")
    if isinstance(text, Path) or (text.strip() and Path(text).is_dir()):  # a path may hold a comma
        return ModelSpec(_place(str(text)), str(text))
    target, *parts = _split(text)
    if not target:
        raise ConfigError("names no model", where="--model", hint="a folder, facebook/cwm, or http://HOST/v1")
    return ModelSpec(_place(target), target, _options(parts))


def _place(target: str) -> Place:
    if target.startswith(("http://", "https://")):
        return Place.SERVER
    path = Path(target)
    if path.is_dir():
        is_ours = (path / META_NAME).exists() or (path / ONNX_NAME).exists()
        is_foreign = not is_ours and (path / "config.json").exists()
        return Place.HUGGING_FACE if is_foreign else Place.FOLDER
    is_name = _HUB_NAME.fullmatch(target) and not path.exists()
    return Place.HUB if is_name else Place.FOLDER


def _split(text: str) -> list[str]:
    """Return the target and the options; a comma before what is no option belongs to what is before it."""
    parts = text.split(",")
    first = len(parts)
    while first > 1 and _OPTION.fullmatch(parts[first - 1]):
        first -= 1
    return [",".join(parts[:first]).strip(), *parts[first:]]


def _options(parts: list[str]) -> ModelOptions:
    found: dict[str, Any] = {}
    for part in parts:
        match = _OPTION.fullmatch(part)
        key, value = (match[1], match[2].strip()) if match else (part, "")
        if key not in _READERS:
            raise ConfigError(
                f"no option {key!r}", where="--model", hint=f"one of: {', '.join(sorted(_READERS))}"
            )
        if key in found:
            raise ConfigError(f"{key} is given twice", where="--model")
        try:
            found[key] = _READERS[key](value)
        except ValueError:
            raise ConfigError(f"{key}={value} makes no sense", where="--model", hint=_HINTS[key]) from None
    return ModelOptions(**found)


def _text(value: str) -> str:
    if not value:
        raise ValueError
    return value


def _one_of(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in words:
            raise ValueError
        return value

    return read


def _at_least_one(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError
    return number


def _between(lowest: float, highest: float) -> Callable[[str], float]:
    def read(value: str) -> float:
        number = float(value)
        if not lowest <= number <= highest:
            raise ValueError
        return number

    return read


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "dtype": _one_of("auto", "bfloat16", "float16", "float32"),
    "quantize": _one_of("int8", "int4"),
    "device": _text,
    "context": _at_least_one,
    "tokenizer": _text,
    "name": _text,
    "temperature": _between(0.0, 10.0),
    "top_p": _between(1e-6, 1.0),
    "seed": int,
}
_HINTS: Final[Mapping[str, str]] = {
    "dtype": "auto, bfloat16, float16 or float32",
    "quantize": "int8 or int4",
    "device": "auto, cpu, cuda or cuda:1",
    "context": "a number of tokens",
    "tokenizer": "a folder or OWNER/NAME",
    "name": "as the server lists it",
    "temperature": "0 to 10; 0 always takes the likeliest",
    "top_p": "above 0, at most 1",
    "seed": "a whole number",
}
