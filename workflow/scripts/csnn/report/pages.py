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
    classes = ["plain", *(["words"] if words else [])]
    return f'<div class="scroll">{frame.to_html(index=False, border=0, na_rep="–", classes=classes)}</div>'


def sortable(frame: pd.DataFrame) -> tuple[str, str]:
    """Return a table that a reader can sort and search: what a page's head needs, and the table itself, as HTML."""
    from itables import options, to_html_datatable
    from itables.javascript import generate_init_offline_itables_html

    number = r"[-+−<≥]?\s?\d|$"
    numeric = [column for column, name in enumerate(frame) if frame[name].astype(str).str.match(number).all()]
    body = to_html_datatable(
        frame,
        columnDefs=[{"targets": numeric, "className": "number"}],
        connected=False,
        showIndex=False,
        paging=len(frame) > 50,
        pageLength=50,
        display_logo_when_loading=False,
        classes="display compact",
        style="margin: 0; width: auto",
        text_in_header_can_be_selected=False,  # a click anywhere on it sorts
        layout={"topStart": None, "topEnd": "search", "bottomStart": "info", "bottomEnd": "paging"},
    )
    return generate_init_offline_itables_html(options.dt_bundle), body


def table_page(title: str, words: str, frame: pd.DataFrame) -> str:
    """Return a page with a table that a reader can sort and search, and words that say how to read it."""
    head, body = sortable(frame)
    return packed(page(title, [Section("", words, body)], head))


def preformatted(text: str) -> str:
    """Return text as HTML that keeps its lines."""
    return f"<pre>{escape(text)}</pre>"


def packed(html: str) -> str:
    """Return a page that holds another compressed, and unpacks and shows it.

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
