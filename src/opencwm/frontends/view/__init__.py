"""Trajectories in the browser, step by step, served or as one file."""
