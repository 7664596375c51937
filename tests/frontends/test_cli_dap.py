from __future__ import annotations

import json
import subprocess
import sys

from opencwm.frontends.dap.framing import FrameDecoder, encode

from .conftest import EXAMPLES, Cli

STRAWBERRY = EXAMPLES / "strawberry.py"
RUN = "import sys\nfrom opencwm.frontends.cli import main\nsys.exit(main(sys.argv[1:]))\n"


def test_what_cannot_be_served_is_refused(cli: Cli) -> None:
    assert "one of: predicted, real, compare" in cli("dap", STRAWBERRY, "--mode", "dreamt").refused()
    assert "--call and --entry need a FILE" in cli("dap", "--call", "f()").refused()
    assert "give a --token" in cli("dap", "--port", 0, "--host", "0.0.0.0").refused()  # noqa: S104
    assert "--port" in cli("dap", "--port", 70_000).refused()
    assert (
        "cannot listen there"
        in cli("dap", "--port", 0, "--host", "nowhere.invalid", "--token", "x").refused()
    )


def test_stdout_carries_messages_only_and_a_client_that_leaves_ends_the_server() -> None:
    requests = [
        {"seq": 1, "type": "request", "command": "initialize", "arguments": {"adapterID": "x"}},
        {"seq": 2, "type": "request", "command": "attach", "arguments": {}},
        {"seq": 3, "type": "request", "command": "configurationDone"},
    ]
    sent = b"".join(encode(json.dumps(request).encode()) for request in requests)
    call = ["dap", STRAWBERRY, "--call", "f('bar', 'r')", "--mode", "real"]
    outcome = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, call)], input=sent, capture_output=True, timeout=60, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    messages = [
        json.loads(payload) for payload in FrameDecoder().feed(outcome.stdout) if isinstance(payload, bytes)
    ]
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    answers = {message["request_seq"] for message in messages if message["type"] == "response"}
    assert answers == {1, 2, 3}
    stops = [message["body"]["reason"] for message in messages if message.get("event") == "stopped"]
    assert stops in (["entry"], [])  # the end of the input may come before the stop is told
