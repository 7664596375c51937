"""Trace to token ids and back: ``cwm`` (published, byte-exact) and ``native`` (what our own models use).

Codecs never see a model: engines speak token ids, callers join the two.
"""
