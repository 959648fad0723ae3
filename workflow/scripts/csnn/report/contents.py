"""What the report shows: an entry for each figure and each page with a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

HEADINGS = ["Results", "Responses", "Activity and cost", "Comparison with the paper", "Provenance"]
"""In the order in which a reader asks."""


@dataclass(frozen=True)
class Item:
    """A figure or a page with a table.

    Attributes
    ----------
    heading, part
        Of `HEADINGS`, and a part of it, if any.
    title
        Items of one part that share a title, and all labels but one, stand behind a switch.
    analyses
        It is shown where one of these is asked for; see ``analyses`` in the configuration.
    caption
        What is shown, of how many images, and with which intervals.
    input
        Files by the names of the arguments that they are read for.
    draw
        Of a figure: the function that draws it, as ``module.function`` of `csnn.figures`.
    labels
        Of which networks, time constants and seeds it is, where not of all.
    with_images
        Whether it shows images of the data set, which stay out of the report unless that is wanted.
    """

    heading: str
    title: str
    analyses: Collection[str]
    caption: str
    input: Mapping[str, Any] = field(default_factory=dict)
    draw: str = ""
    part: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    with_images: bool = False

    def requested(self, analyses: Iterable[str]) -> bool:
        """Whether one of the configured analyses shows it."""
        return not set(self.analyses).isdisjoint(analyses)


def numbered(heading: str, items: Iterable[Item], analyses: Collection[str]) -> str:
    """Return a heading with its number: the report sorts headings by name. Only those that hold something count."""
    held = {item.heading for item in items if item.requested(analyses)} | {"Provenance", heading}
    return f"{[known for known in HEADINGS if known in held].index(heading) + 1} {heading}"
