"""Pages of the report: HTML that holds all it needs, so that it opens from a file without network."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from jinja2 import Environment
from markupsafe import Markup, escape

TEMPLATE = Path(__file__).with_name("page.html.jinja")


class Section(NamedTuple):
    """A part of a page: a heading and words, which are text, and a body, which is HTML."""

    heading: str
    words: str
    body: str


def page(title: str, sections: Iterable[Section], head: str = "") -> str:
    """Return a page; `head` is HTML, such as scripts."""
    template = Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    parts = [section._replace(body=Markup(section.body)) for section in sections]
    return template.render(title=title, sections=parts, head=Markup(head)) + "\n"


def table(frame: pd.DataFrame, words: bool = False) -> str:
    """Return a table as HTML; `words` aligns its columns as text instead of as numbers."""
    return frame.to_html(index=False, border=0, na_rep="–", classes=["plain", *(["words"] if words else [])])


def preformatted(text: str) -> str:
    """Return text as HTML that keeps its lines."""
    return f"<pre>{escape(text)}</pre>"


def packed(html: str) -> str:
    """Return a page that unpacks and shows the given one.

    The report holds each page as an address, and Chromium follows none of more than two million characters.
    """
    content = base64.b64encode(gzip.compress(html.encode(), mtime=0)).decode()
    return f"""<!doctype html>
<meta charset="utf-8">
<script>
const bytes = Uint8Array.from(atob("{content}"), letter => letter.charCodeAt(0));
const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
new Response(unpacked).text().then(html => {{ document.open(); document.write(html); document.close(); }});
</script>
"""
