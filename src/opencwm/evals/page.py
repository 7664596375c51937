"""A report in Markdown as one HTML page with its pictures inside: one file that can be sent to somebody."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path

from opencwm.evals.report import Provenance

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid #ddd; padding: .25rem .75rem; text-align: left }
pre { background: #f5f5f5; padding: .75rem; overflow-x: auto } img { max-width: 100% }
"""


def heading(title: str, provenance: Provenance) -> list[str]:
    """Return the first lines of a report in Markdown: what it is, where from, and the command."""
    lines = [
        f"# {title}",
        "",
        f"By OpenCWM {provenance.opencwm_version}, Python {provenance.python}, on {provenance.data}.",
        "",
    ]
    return [*lines, "```", provenance.command, "```", ""] if provenance.command else lines


def html_page(title: str, markdown: str, pictures: Mapping[str, str], folder: Path) -> str:
    """Return the page.

    Args:
        title: of the page.
        markdown: its text; HTML in it is shown as text.
        pictures: what a picture shows -> its file name, as the text refers to it.
        folder: where the pictures are.
    """
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    for name in pictures.values():
        data = base64.b64encode((folder / name).read_bytes()).decode("ascii")
        body = body.replace(f'src="{name}"', f'src="data:image/png;base64,{data}"')
    plain = re.sub(r"[<>&]", "", title)
    head = f'<meta charset="utf-8"><title>{plain}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}</body></html>\n'
