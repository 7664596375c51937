"""Training: token sources, packing, optimisation, evaluation, checkpoints. Importing it loads no torch."""
