"""Measure predictions against recorded runs: per step, over whole runs, and on output prediction."""
