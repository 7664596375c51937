"""The Model Context Protocol server: predictions and debugging sessions as tools for agents.

``service`` holds programs and sessions, ``predicting`` and ``debugging`` are what the tools do, ``answers``
what they say, ``server`` joins them to the protocol's library. Only the last imports that library.
"""
