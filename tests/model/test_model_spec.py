from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from opencwm.core.errors import ConfigError, EngineError
from opencwm.model import http_engine, hub, served
from opencwm.model.sampling import SamplingConfig
from opencwm.model.spec import ModelOptions, ModelSpec, Place, parse_spec


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_where_a_model_is(elsewhere: Path) -> None:
    assert parse_spec(None) == ModelSpec(Place.PACKAGE)
    assert parse_spec("facebook/cwm") == ModelSpec(Place.HUB, "facebook/cwm")
    assert parse_spec("http://localhost:8000/v1") == ModelSpec(Place.SERVER, "http://localhost:8000/v1")
    assert parse_spec("https://a.b/v1").place is Place.SERVER
    for text in ("./facebook/cwm", "/nowhere/at/all", "name", "~/model", "a/b/c", "../x"):
        assert parse_spec(text).place is Place.FOLDER
    own, foreign = elsewhere / "facebook" / "cwm", elsewhere / "hf,x=1"
    own.mkdir(parents=True)
    foreign.mkdir()
    assert parse_spec("facebook/cwm").place is Place.FOLDER  # what is here comes first
    (foreign / "config.json").write_text("{}")
    assert parse_spec("hf,x=1") == ModelSpec(Place.HUGGING_FACE, "hf,x=1")
    assert parse_spec(foreign).place is Place.HUGGING_FACE
    (foreign / "opencwm.json").write_text("{}")
    assert parse_spec(foreign).place is Place.FOLDER


def test_options_stand_after_commas() -> None:
    spec = parse_spec("facebook/cwm,quantize=int8, device = cuda:1,context=4096,temperature=0.6,seed=-3")
    assert spec.target == "facebook/cwm"
    assert spec.options == ModelOptions(
        quantize="int8", device="cuda:1", context=4096, temperature=0.6, seed=-3
    )
    assert spec.options.sampling == SamplingConfig(temperature=0.6, top_p=0.95, seed=-3)
    assert parse_spec("a/b").options.sampling == SamplingConfig()
    assert parse_spec("http://x/v1?a=1,b,name=m").options.name == "m"
    assert parse_spec("http://x/v1?a=1,b,name=m").target == "http://x/v1?a=1,b"
    assert parse_spec("a/b,tokenizer=/x=y/z").options.tokenizer == "/x=y/z"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "names no model"),
        (",dtype=auto", "names no model"),
        ("a/b,colour=red", "no option 'colour'"),
        ("a/b,dtype=float8", "dtype=float8 makes no sense"),
        ("a/b,quantize=int3", "makes no sense"),
        ("a/b,context=0", "makes no sense"),
        ("a/b,context=many", "makes no sense"),
        ("a/b,temperature=-1", "makes no sense"),
        ("a/b,temperature=nan", "makes no sense"),
        ("a/b,top_p=0", "makes no sense"),
        ("a/b,name=", "makes no sense"),
        ("a/b,seed=1,seed=2", "seed is given twice"),
        ("a\0b", "NUL"),
    ],
)
def test_what_makes_no_sense_is_said(text: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        parse_spec(text)
    assert "\n" not in str(caught.value)


class _Library(types.ModuleType):
    """A hub that holds what is in its cache, and what is online."""

    def __init__(self, cached: Path | None, online: Path | Exception) -> None:
        super().__init__("huggingface_hub")
        self.cached, self.online = cached, online
        self.asked: list[bool] = []

    def snapshot_download(self, _: str, *, allow_patterns: list[str], local_files_only: bool = False) -> str:
        assert not any(pattern.endswith((".bin", ".py", ".pt", "*")) for pattern in allow_patterns)
        self.asked.append(local_files_only)
        if local_files_only:
            if self.cached is None:
                raise FileNotFoundError
            return str(self.cached)
        if isinstance(self.online, Exception):
            raise self.online
        return str(self.online)


def test_the_local_cache_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, partial = tmp_path / "full", tmp_path / "partial"
    for folder in (full, partial):
        folder.mkdir()
        (folder / "config.json").write_text("{}")
    (full / "model.safetensors").write_bytes(b"")
    library = _Library(full, RuntimeError("not to be asked"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)
    assert hub.fetch("a/b") == full
    assert library.asked == [True]
    library = _Library(partial, full)  # the cache holds a tokenizer that was fetched for a server
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)
    assert hub.fetch("a/b") == full
    assert library.asked == [True, False]


class GatedRepoError(Exception):
    pass


class OfflineModeIsEnabled(Exception):  # noqa: N818 - the library's name
    pass


@pytest.mark.parametrize(
    ("error", "match"),
    [
        (OfflineModeIsEnabled("a\nb"), "the hub cannot be reached"),
        (GatedRepoError(), "it is gated"),
        (RuntimeError("one\ntwo"), "cannot be downloaded: one"),
        (RuntimeError(), "cannot be downloaded: RuntimeError"),
    ],
)
def test_what_the_hub_refuses_is_one_line(
    error: Exception, match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", _Library(None, error))
    with pytest.raises(EngineError, match=match) as caught:
        hub.fetch("facebook/cwm")
    assert "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(EngineError, match="is not installed"):
        hub.fetch("facebook/cwm")


def test_the_key_of_a_server_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Any, Any]] = []
    monkeypatch.setattr(
        http_engine, "open_http", lambda url, model, api_key: asked.append((url, model, api_key))
    )
    monkeypatch.setenv(served.KEY_VARIABLE, "secret")
    served.connect("http://x/v1", model="m")
    monkeypatch.delenv(served.KEY_VARIABLE)
    served.connect("http://x/v1", model=None)
    assert asked == [("http://x/v1", "m", "secret"), ("http://x/v1", None, None)]
