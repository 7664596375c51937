"""Acting on repositories: tasks, the boxes they are worked on in, tools, the agent's loop and its rollouts.

Nothing is imported here; take names from the modules.
"""
