"""One warm sandbox of each kind for the whole suite; without bubblewrap its tests are skipped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from opencwm.core.errors import SandboxError
from opencwm.sandbox import IsolationKind, Sandbox, SandboxConfig


def _started(kind: IsolationKind) -> Iterator[Sandbox]:
    sandbox = Sandbox(SandboxConfig(isolation=kind))
    try:
        isolation = sandbox.isolation
    except SandboxError as error:
        pytest.skip(str(error))
    assert isolation.kind is kind
    with sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def bubblewrap() -> Iterator[Sandbox]:
    """A sandbox in bubblewrap; skips where that is missing or refused."""
    yield from _started(IsolationKind.BUBBLEWRAP)


@pytest.fixture(scope="session")
def rlimits() -> Iterator[Sandbox]:
    """A sandbox with resource limits only, which works everywhere."""
    yield from _started(IsolationKind.RLIMITS)


@pytest.fixture(params=list(IsolationKind))
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Each kind of sandbox in turn."""
    started = request.getfixturevalue(request.param)
    assert isinstance(started, Sandbox)
    return started
