"""What pyproject.toml cannot say yet: the accelerator of the tracer, left out where it cannot be compiled."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension("opencwm.tracer._accelerator", ["src/opencwm/tracer/_accelerator.c"], optional=True),
    ]
)
