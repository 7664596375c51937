"""The engines behind OpenAI's completions API, for debuggers and agents on other machines.

Needs the extra ``serve``.
"""
