"""The protocol's own JSON schema, from debugpy's wheel: every message a test sees is checked with it."""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any

import jsonschema

_PLACE = "_vendored/pydevd/_pydevd_bundle/_debug_adapter/debugProtocol.json"


@functools.cache
def schema() -> dict[str, Any]:
    found = importlib.util.find_spec("debugpy")  # not imported: its import starts things
    assert found is not None
    assert found.origin is not None
    loaded: dict[str, Any] = json.loads((Path(found.origin).parent / _PLACE).read_text(encoding="utf-8"))
    return loaded


@functools.cache
def _validator(definition: str) -> jsonschema.Draft4Validator:
    assert definition in schema()["definitions"], f"the protocol has no {definition}"
    return jsonschema.Draft4Validator({**schema(), "$ref": f"#/definitions/{definition}"})


def definition_of(message: dict[str, Any]) -> str:
    if message["type"] == "event":
        return f"{message['event'][0].upper()}{message['event'][1:]}Event"
    if not message["success"]:
        return "ErrorResponse"
    command = message["command"]
    return f"{command[0].upper()}{command[1:]}Response"


def check(message: dict[str, Any]) -> None:
    """Fail unless a message of the server follows the protocol."""
    _validator("ProtocolMessage").validate(message)
    _validator(definition_of(message)).validate(message)
    body = message.get("body") or {}
    unknown = set(body) - _properties(definition_of(message))
    assert not unknown, f"{definition_of(message)} has no {unknown}"


@functools.cache
def _properties(definition: str) -> frozenset[str]:
    """Every key that the body of a message may have: the schema itself would let any pass."""
    found: set[str] = set()
    waiting = [schema()["definitions"][definition]]
    while waiting:
        node = waiting.pop()
        waiting += node.get("allOf", [])
        body = node.get("properties", {}).get("body", {})
        if "$ref" in body:
            body = schema()["definitions"][body["$ref"].rpartition("/")[2]]
        found.update(body.get("properties", {}))
    return frozenset(found)
