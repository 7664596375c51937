"""Twins: the same tasks in another dress, to tell knowing a benchmark from being able to do it."""
