"""``opencwm doctor``."""

from __future__ import annotations

import dataclasses

import typer

from opencwm.frontends.cli.options import Json, Model


def doctor(model: Model = None, as_json: Json = False) -> None:
    """Say what is in force on this machine.

    Python and packages, the sandbox with each of its protections, and the model. A protection is attacked,
    and what came of that is said: it holds, it does not hold, or it could not be tested. Exit status 1 when
    something does not work, or a protection does not hold that should; less than could be had is only said.
    """
    from opencwm.frontends.cli.output import console, print_json, visible
    from opencwm.frontends.diagnosis import Verdict, diagnose

    checks = list(diagnose(model))
    if as_json:
        print_json({"kind": "doctor", "checks": [dataclasses.asdict(check) for check in checks]})
    else:
        styles = {Verdict.GOOD: "green", Verdict.WEAK: "yellow", Verdict.BAD: "red"}
        screen = console()
        area = ""
        for check in checks:
            if check.area != area:
                area = check.area
                screen.print(area, style="bold")
            screen.print(f"  {check.verdict:<5}", style=styles[check.verdict], end="")
            screen.print(f" {check.name:<16} {visible(check.detail)}", soft_wrap=True)
    if any(check.verdict is Verdict.BAD for check in checks):
        raise typer.Exit(1)
