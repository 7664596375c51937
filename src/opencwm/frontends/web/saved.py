"""A session as one HTML file: every step that is known, to be looked at without a server.

Nothing in it can predict or execute; it holds the source, the steps, and the page.
"""

from __future__ import annotations

import re

from opencwm.frontends.web.assets import saved_page
from opencwm.frontends.web.desk import Desk

MAX_STEPS = 5_000
"""Most steps of all timelines together."""


def document(desk: Desk) -> str:
    """Return the file's text."""
    session = desk.saved(MAX_STEPS)
    shared = session["shared"]
    return saved_page(session, f"{shared['call'] or shared['file']} - OpenCWM")


def file_name(desk: Desk) -> str:
    """Return a name for the file, in letters that every system knows."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", desk.name.removesuffix(".py")).strip("-") or "session"
    return f"{stem[:60]}-session.html"
