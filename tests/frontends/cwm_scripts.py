"""An execution in the cwm format whose steps are scripted: one is impossible, one can be forced."""

from __future__ import annotations

import dataclasses

from opencwm.codec.cwm import CwmCodec
from opencwm.codec.testing import tiny_tokenizer
from opencwm.debugger.cwm_execution import CwmConfig, CwmExecution
from opencwm.model.generation import EngineGenerator
from opencwm.model.testing import ScriptedEngine
from opencwm.tracer import record
from opencwm.traces import Program, Step

SOURCE = "def double(x):\n    y = x + x\n    return y\n"
OBJECTION = "line 2 cannot follow line 2"
"""What is said of step 4, from 0."""


def scripted_cwm() -> CwmExecution:
    """Return a prediction that runs line 2 twice; told that a return follows the call, it returns 4."""
    codec = CwmCodec(tiny_tokenizer())
    trace = record(Program.from_call(SOURCE, "double(2)", filename="double.py"))
    steps = list(trace.steps)
    assert [(step.kind, step.lineno) for step in steps[2:5]] == [("call", 1), ("line", 2), ("line", 3)]

    def ids_of(changed: list[Step]) -> list[int]:
        return list(codec.encode(dataclasses.replace(trace, steps=tuple(changed))).ids)

    impossible = dataclasses.replace(steps[4], lineno=2)
    scripts = [ids_of([*steps[:4], impossible, *steps[5:]]), ids_of([*steps[:3], *steps[5:]])]
    engine = ScriptedEngine.saying(tiny_tokenizer().vocab_size, scripts)
    return CwmExecution(trace.program, codec, EngineGenerator(engine), CwmConfig())
