"""The Debug Adapter Protocol over the debugger's session: what editors speak.

From the wire inwards: ``framing`` (bytes to messages), ``messages`` (what a message is), ``arguments`` (what a
request may say), ``adapter`` (one client's session, in the order the protocol wants), and beside it what the
answers are made of: ``places``, ``presentation``, ``values``. ``serving`` opens the pipes and sockets.

Source: https://microsoft.github.io/debug-adapter-protocol/specification. There is no maintained Python library
of the server's side to build on: ``dap-types`` has had no release since 2025-03, ``dap-python`` is a client.
"""
