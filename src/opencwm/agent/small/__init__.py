"""A small model that acts: single-file tasks in numbers, demonstrations, and learning from what happens.

Everything here works on *small tasks*: a folder with ``solution.py`` (one module of a few functions, one
line of it wrong) and ``test_solution.py`` (examples of what it must do, from real runs).
"""
