"""Training: token sources, packing, optimisation, evaluation and checkpoints. Importing this package does not load torch."""
