"""The built page: its files, and how they are put together, with a server or in one file.

The files in ``page/`` are built from ``web/`` by ``npm ci && npm run build``.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import importlib.resources
import json
import secrets
from typing import Any, Final

_TYPES: Final = {"page.js": "text/javascript", "page.css": "text/css"}
_HEAD: Final = "<!--head-->"
_END: Final = "<!--end-->"
_SAVED_POLICY: Final = (
    "default-src 'none'; script-src '{script}'; style-src '{style}' 'nonce-{nonce}'; img-src data:;"
    " base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


@functools.cache
def _text(name: str) -> str:
    return (importlib.resources.files(__package__) / "page" / name).read_text(encoding="utf-8")


def asset(name: str) -> tuple[bytes, str] | None:
    """Return content and media type of a file that the served page asks for; None when there is none."""
    return (_text(name).encode(), _TYPES[name]) if name in _TYPES else None


def page(nonce: str) -> str:
    """Return the page that a server serves.

    Args:
        nonce: of this response's content security policy, for the style sheet that the editor makes.
    """
    head = (
        f'<title>OpenCWM</title>\n<meta name="style-nonce" content="{html.escape(nonce)}">\n'
        '<link rel="icon" href="data:,">\n<link rel="stylesheet" href="/assets/page.css">'
    )
    return _with(head, '<script src="/assets/page.js"></script>')


def saved_page(session: dict[str, Any], title: str) -> str:
    """Return a page that is complete in itself.

    Its policy allows the one script, by its hash, and nothing from anywhere else.

    Args:
        session: what the script reads, as JSON; ``<`` is escaped, so it cannot end its element.
        title: of the page.
    """
    script, style, nonce = _text("page.js").strip(), _text("page.css").strip(), secrets.token_urlsafe(16)
    policy = _SAVED_POLICY.format(script=_hash(script), style=_hash(style), nonce=nonce)
    data = json.dumps(session, separators=(",", ":")).replace("<", "\\u003c")
    head = (
        f"<title>{html.escape(_printable(title))}</title>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">\n'
        f'<meta name="style-nonce" content="{nonce}">\n<link rel="icon" href="data:,">\n'
        f"<style>{style}</style>"
    )
    end = f'<script type="application/json" id="session">{data}</script>\n<script>{script}</script>'
    return _with(head, end)


def _with(head: str, end: str) -> str:
    before, _, rest = _text("page.html").partition(_HEAD)
    middle, _, after = rest.partition(_END)
    return f"{before}{head}{middle}{end}{after}"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
