"""Debugging with a model at a server is debugging with the model at hand, step by step."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opencwm.codec.native import NativeCodec
from opencwm.core.errors import EngineError
from opencwm.debugger.native_model import NativeWorldModel
from opencwm.debugger.session import Session
from opencwm.frontends.serve.served_model import ServedModel, open_served
from opencwm.frontends.serve.serving import ServeConfig, Served
from opencwm.model.bank import EngineBank
from opencwm.model.http_client import HttpConfig
from opencwm.model.http_engine import HttpEngine
from opencwm.model.speculation import SpeculativeEngine
from opencwm.traces import Program

from .conftest import EXAMPLES, Cli
from .served_models import Numbers, counting_model, serving

OPEN = ServeConfig(token=None, patience_s=1)
COUNT = "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"


@pytest.fixture(scope="module")
def served(model_folder: Path) -> Iterator[Served]:
    with serving(lambda: open_served(model_folder, num_rows=4), OPEN) as server:
        yield server


@pytest.mark.parametrize("options", [(), ("--detail", "line"), ("--unconstrained", "--working", "free")])
def test_the_whole_run_is_the_same(
    cli: Cli, served: Served, model_folder: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    file = tmp_path / "count.py"
    file.write_text(COUNT)
    command = ["debug", file, "--call", "f(3)", "--json", "--max-steps", "3", *options]
    here, there = (cli(*command, "--model", model) for model in (model_folder, served.url))
    assert here.status == 0
    assert json.loads(here.out)["steps"]
    assert there == here


def test_with_the_model_in_the_package_too(cli: Cli) -> None:
    command = ["debug", EXAMPLES / "strawberry.py", "--call", "f('berry', 'r')", "--commands", "s;s;u;n;w"]
    here = cli(*command)
    with serving(lambda: open_served(None, num_rows=2), OPEN) as server:
        assert cli(*command, "--model", server.url) == here


def test_two_debuggers_at_once_do_not_meet(served: Served, model_folder: Path) -> None:
    calls = ["f(2)", "f(3)", "f(4)"]

    def steps(world: NativeWorldModel, call: str) -> list[Any]:
        execution = world.execution(Program.from_call(COUNT, call))
        return [execution.get(index) for index in range(4)]

    at_hand = NativeWorldModel.load(model_folder)
    wanted = [steps(at_hand, call) for call in calls]
    found: dict[str, list[Any]] = {}
    worlds = [NativeWorldModel.load(served.url) for _ in calls]

    def debug(world: NativeWorldModel, call: str) -> None:
        found[call] = steps(world, call)

    threads = [threading.Thread(target=debug, args=pair) for pair in zip(worlds, calls, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[call] for call in calls] == wanted
    assert (worlds[0].name, worlds[0].revision) == ("tiny", at_hand.revision)
    assert at_hand.name == "tiny"


def test_a_server_that_goes_away_in_a_step_costs_no_step_and_the_session_goes_on_when_it_is_back(
    model_folder: Path,
) -> None:
    program = Program.from_call(COUNT, "f(3)")
    at_hand = NativeWorldModel.load(model_folder).execution(program)
    wanted = [at_hand.get(index) for index in range(4)]
    with serving(lambda: open_served(model_folder, num_rows=2), OPEN) as server:
        config = HttpConfig(attempts=2, first_wait_s=0.01)
        engine = HttpEngine.connect(server.url, config=config)
        world = NativeWorldModel(None, NativeCodec(), SpeculativeEngine(engine), remote=engine.remote)
        session = Session(world.execution(program))
        session.step_into()
        known = session.execution.num_known
        assert known >= 2
        port = int(server.url.split(":")[2].partition("/")[0])
    with pytest.raises(EngineError, match="cannot be reached"):
        session.execution.get(4)
    assert session.execution.num_known >= known
    again = ServeConfig(token=None, patience_s=1, port=port)
    with serving(lambda: open_served(model_folder, num_rows=2), again):
        found = [session.execution.get(index) for index in range(4)]
    engine.connection.close()
    assert found == wanted


def test_what_does_not_fit_is_one_line(cli: Cli, model_folder: Path) -> None:
    debug = ["debug", EXAMPLES / "strawberry.py", "--call", "f('a', 'a')", "--commands", "s", "--model"]

    def native(**about: Any) -> ServedModel:
        engine = EngineBank(NativeWorldModel.load(model_folder, speculative=False).engine, 1)
        return ServedModel(name="odd", bank=engine, names=Numbers(), about={"codec": "native", **about})

    with serving(counting_model, OPEN) as server:
        assert "the tokenizer of 'counting' is not known" in cli(*debug, server.url).refused()
    with serving(lambda: native(vocabulary_sha256="0"), OPEN) as server:
        assert "vocabulary is another than the one here" in cli(*debug, server.url).refused()
    digest = NativeCodec().vocabulary.digest()
    with serving(lambda: native(vocabulary_sha256=digest, full_logits=False), OPEN) as server:
        assert "does not give the logits of the whole vocabulary" in cli(*debug, server.url).refused()
    with serving(counting_model) as server:
        assert "set OPENCWM_API_KEY to its token" in cli(*debug, server.url).refused()
    assert "cannot be reached" in cli(*debug, server.url).refused()
    assert "not the address of a server" in cli(*debug, "http://:1/v1").refused()


def test_serve_prints_its_address_and_token(
    cli: Cli, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Served, "run", lambda server: (server.app.scheduler.close(), server._socket.close()))
    told = cli("serve", "--model", model_folder, "--rows", "2")
    assert told.status == 0
    assert told.out.startswith("http://127.0.0.1:")
    assert told.out.endswith("/v1\n")
    assert "export OPENCWM_API_KEY=" in told.err
    monkeypatch.setenv("OPENCWM_API_KEY", "secret-of-mine")
    told = cli("serve", "--model", model_folder, "--rows", "2", "--host", "0.0.0.0")  # noqa: S104
    assert "secret-of-mine" not in told.err
    assert "other machines can reach this server" in told.err
    told = cli("serve", "--model", model_folder, "--rows", "2", "--no-token")
    assert told.err == ""


def test_serve_says_in_one_line_what_is_wrong(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no such model folder" in cli("serve", "--model", tmp_path / "none").refused()
    assert "cannot listen there" in cli("serve", "--host", "no.such.host.invalid").refused()
    for name in [name for name in sys.modules if name.startswith("opencwm.frontends.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    assert "pip install 'opencwm[serve]'" in cli("serve").refused()
