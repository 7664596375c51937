"""The page and how it is put together, with a server or in one file.

Its script makes text nodes only, so nothing that a trajectory contains becomes a part of the page; the policy
of both forms forbids every other script, and everything from elsewhere.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import importlib.resources
import json
from typing import Any, Final

_TYPES: Final = {"view.js": "text/javascript", "view.css": "text/css"}
_POLICY: Final = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; base-uri 'none';"
    " form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


@functools.cache
def _text(name: str) -> str:
    return (importlib.resources.files(__package__) / "page" / name).read_text(encoding="utf-8")


def asset(name: str) -> tuple[bytes, str] | None:
    """Return content and media type of a file that the served page asks for; None when there is none."""
    return (_text(name).encode(), _TYPES[name]) if name in _TYPES else None


def served_page() -> str:
    """Return the page that asks its server for trajectories."""
    head = '<title>Rollouts - OpenCWM</title>\n<link rel="stylesheet" href="/assets/view.css">'
    return _with(head, '<script src="/assets/view.js"></script>')


def saved_page(index: list[dict[str, Any]], trajectories: list[dict[str, Any]], title: str) -> str:
    """Return a page that is complete in itself.

    Args:
        index: what the list says of each trajectory.
        trajectories: in the same order.
        title: of the page.
    """
    script, style = _text("view.js").strip(), _text("view.css").strip()
    policy = html.escape(_POLICY.format(script=_hash(script), style=_hash(style)))
    # < is escaped, so nothing can end the element; a lone surrogate stays an escape
    data = json.dumps({"index": index, "trajectories": trajectories}, separators=(",", ":"))
    shown = title.encode("utf-8", "replace").decode()
    head = (
        f"<title>{html.escape(shown)} - OpenCWM</title>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>'
    )
    held = data.replace("<", "\\u003c")
    end = f'<script type="application/json" id="data">{held}</script>\n<script>{script}</script>'
    return _with(head, end)


def _with(head: str, end: str) -> str:
    return _text("view.html").replace("<!--head-->", head).replace("<!--end-->", end)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
