"""Which kind of box a spec asks for."""

from __future__ import annotations

import shutil

from opencwm.agent.box import Box, BoxKind, BoxSpec
from opencwm.agent.bubblewrap import BubblewrapBox
from opencwm.agent.containers import ContainerBox
from opencwm.core.errors import ConfigError, SandboxError


def choose(spec: BoxSpec) -> Box:
    """Return a box of the kind that ``spec`` asks for. See :func:`opencwm.agent.box.open_box`.

    Raises:
        ConfigError: an unknown kind, or an image with bubblewrap.
        SandboxError: what it needs is not installed.
    """
    known = ("auto", *BoxKind)
    if spec.kind not in known:
        raise ConfigError(
            f"unknown kind of box {spec.kind!r}", where="box.kind", hint=f"one of {', '.join(known)}"
        )
    if spec.kind == BoxKind.BUBBLEWRAP or (spec.kind == "auto" and spec.image is None):
        return BubblewrapBox(spec)
    wanted = [BoxKind.PODMAN, BoxKind.DOCKER] if spec.kind == "auto" else [BoxKind(spec.kind)]
    for kind in wanted:
        if executable := shutil.which(kind):
            return ContainerBox(spec, kind, executable)
    raise SandboxError(
        f"{' and '.join(wanted)} are not installed" if len(wanted) > 1 else f"{wanted[0]} is not installed",
        where=spec.image or "",
        hint="tasks that name an image need one",
    )
