"""The version of the package, and where it lies."""

from pathlib import Path

__version__ = "0.1.0"

PACKAGE = Path(__file__).absolute().parents[1]
"""The folder of the package ``opencwm``."""
