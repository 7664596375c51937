"""Reinforcement learning with rewards from real runs: environments, and GRPO on them.

No torch, TRL or ``datasets`` is imported here, nor by an environment: only by the files that train.
"""
