"""Bug-fix tasks from any Python repository with tests: change it, keep what breaks some tests and not all.

Nothing is imported here; take names from the modules.
"""
