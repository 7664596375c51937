"""What goes into the ``tests`` folder of a task: files of the standard library and pytest alone.

``verify.py`` runs the task's test command and leaves the score; ``opencwm_recorder.py`` is the plugin
through which any command that ends in pytest says how each test went. Both are copied
into tasks and run on whatever Python the box has.
"""

from opencwm.agent.verifier.verify import CONFIGURATION

__all__ = ["CONFIGURATION"]
