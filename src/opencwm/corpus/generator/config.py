"""Settings of the generator: one dial for how much a program does, and a curriculum that turns it.

``size`` is the dial; everything else about a program's extent follows from it here and nowhere else.
"""

from __future__ import annotations

import dataclasses
import random

from opencwm.core.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """What kind of program to generate.

    Attributes:
        size: 0.0 to 1.0. 0 gives *echo* programs of 1-3 lines that only move their arguments; up to about 0.3
            straight-line code; then loops and branches; above 0.5 several functions, recursion and classes.
        raise_fraction: share of programs meant to end with an uncaught exception, 0 to 1.
        max_steps: programs that take more recorded steps are discarded.
        max_value_chars: programs in which a rendered value is longer are discarded.
    """

    size: float = 0.5
    raise_fraction: float = 0.08
    max_steps: int = 200
    max_value_chars: int = 160

    def __post_init__(self) -> None:
        for name in ("size", "raise_fraction"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"{name} is {value}, outside 0.0 to 1.0", where=f"GeneratorConfig.{name}")
        for name in ("max_steps", "max_value_chars"):
            if getattr(self, name) < 8:
                raise ConfigError(f"{name} is below 8", where=f"GeneratorConfig.{name}")

    @property
    def expression_depth(self) -> int:
        """Deepest nesting of generated expressions."""
        return 1 if self.size < 0.2 else 2 if self.size < 0.7 else 3

    @property
    def max_functions(self) -> int:
        """Most functions in a module."""
        return 1 if self.size < 0.3 else 2 if self.size < 0.6 else 4

    @property
    def max_statements(self) -> int:
        """Most top-level statements of a function's body besides its return."""
        return 2 + round(6 * self.size)

    @property
    def loops(self) -> bool:
        """Whether there are loops and branches at all."""
        return self.size >= 0.25


@dataclasses.dataclass(frozen=True, kw_only=True)
class CurriculumConfig:
    """How the dial moves while a model is trained.

    Attributes:
        echo_fraction: share of echo programs that is always kept, whatever the progress.
        initial_echo_fraction: share of echo programs at progress 0; falls linearly to ``echo_fraction`` at
            ``echo_until``.
        echo_until: progress at which the share of echo programs has come down.
        full_at: progress from which every size up to 1.0 is drawn.
        generator: the other settings; its ``size`` is overwritten.
    """

    echo_fraction: float = 0.10
    initial_echo_fraction: float = 0.70
    echo_until: float = 0.15
    full_at: float = 0.35
    generator: GeneratorConfig = GeneratorConfig()

    def __post_init__(self) -> None:
        if not 0.0 <= self.echo_fraction <= self.initial_echo_fraction <= 1.0:
            raise ConfigError(
                "echo fractions must satisfy 0 <= echo_fraction <= initial_echo_fraction <= 1",
                where="CurriculumConfig.echo_fraction",
            )
        if not 0.0 < self.echo_until <= 1.0 or not 0.0 < self.full_at <= 1.0:
            raise ConfigError("echo_until and full_at must lie in (0, 1]", where="CurriculumConfig")


def sample_config(
    rng: random.Random, progress: float = 1.0, curriculum: CurriculumConfig | None = None
) -> GeneratorConfig:
    """Draw the settings of one program at ``progress``, 0.0 (start of training) to 1.0 (its end).

    Early programs are mostly echo and 1-3 lines; the largest size that occurs grows until ``full_at``,
    and from there on sizes are drawn from the whole range. The default progress gives the full mixture.
    """
    curriculum = curriculum or CurriculumConfig()
    progress = min(max(progress, 0.0), 1.0)
    done = min(progress / curriculum.echo_until, 1.0)
    echo = curriculum.initial_echo_fraction + done * (
        curriculum.echo_fraction - curriculum.initial_echo_fraction
    )
    if rng.random() < echo:
        return dataclasses.replace(curriculum.generator, size=0.0)
    largest = 0.15 + 0.85 * min(progress / curriculum.full_at, 1.0)
    size = 0.02 + (largest - 0.02) * rng.random()
    return dataclasses.replace(curriculum.generator, size=round(size, 3))
