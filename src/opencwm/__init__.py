"""OpenCWM: predict what Python code does, line by line, without running it.

Importing this package loads neither torch nor onnxruntime; what is heavy is imported by the function that needs it.
"""

__version__ = "0.1.0"
