"""Weights and engines. Importing this package loads neither torch nor onnxruntime."""
