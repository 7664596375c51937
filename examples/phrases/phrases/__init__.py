"""Texts: words, numerals, simple codes."""
