"""The Debug Adapter Protocol over the debugger's session: what editors speak.

From the wire inwards: ``serving`` (pipes and sockets), ``framing`` (bytes to messages), ``messages`` (what a
message is), ``arguments`` (what a request may say), ``rules`` and ``conversation`` (which request may come
when), ``adapter`` (what each does), ``debuggee`` (the session behind it); and what answers are made of:
``inspection``, ``places``, ``presentation``, ``values``, ``breakpoint_table``.

Source: https://microsoft.github.io/debug-adapter-protocol/specification. There is no maintained Python
library of the server's side to build on: ``dap-types`` has had no release since 2025-03, and ``dap-python``
is a client.
"""
