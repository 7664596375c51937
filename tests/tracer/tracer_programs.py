"""Programs that together use every construct a trace depends on. Each has a ``main`` without arguments."""

from pathlib import Path

from opencwm.traces import Trace

PROGRAMS: dict[str, str] = {
    path.stem: path.read_bytes().decode()
    for path in sorted((Path(__file__).parent / "programs").glob("*.txt"))
}
"""Program by name: the files of the folder."""


def outline(trace: Trace) -> str:
    """Return a trace as text, one line a step, for golden files and for reading differences."""
    lines = [
        f"{trace.status} {trace.detail}".rstrip(),
        *(f"code {code.qualname} {code.firstlineno} {' '.join(code.local_names)}" for code in trace.codes),
    ]
    for step in trace.steps:
        parts = [f"{'  ' * step.depth}{step.kind} {trace.codes[step.code].qualname}:{step.lineno}"]
        parts += [f"{name}={value}" for name, value in step.changed]
        parts += [f"del {name}" for name in step.deleted]
        parts += [f"-> {step.value}"] if step.value is not None else []
        parts += [f"[{step.flags.name}]"] if step.flags else []
        lines.append(" ".join(parts))
    return "\n".join(lines) + "\n"
