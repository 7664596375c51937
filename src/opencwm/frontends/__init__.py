"""Thin skins over the library: what a person or another program talks to. No logic of its own lives here."""
