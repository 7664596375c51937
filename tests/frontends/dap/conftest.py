from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opencwm.frontends.dap.adapter import Settings

from .dap_client import COUNT, DapClient, ScriptedModels


@pytest.fixture
def count_file(tmp_path: Path) -> Path:
    path = tmp_path / "count.py"
    path.write_text(COUNT, encoding="utf-8")
    return path


@pytest.fixture
def connect() -> Iterator[Callable[..., DapClient]]:
    """Connects clients to servers of this process; what is left at the end leaves."""
    clients: list[DapClient] = []

    def made(models: ScriptedModels | None = None, **settings: object) -> DapClient:
        chosen = Settings(models=models or ScriptedModels(), **settings)  # type: ignore[arg-type]
        clients.append(DapClient(chosen))
        return clients[-1]

    yield made
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Callable[..., DapClient]) -> DapClient:
    """A client of a server whose model is right about everything, at 90 %."""
    return connect()
