"""What the report shows: an entry for each figure and each page with a table; and the report made from them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from csnn.files import atomic_write
from csnn.job import made_with

HEADINGS = ["Results", "Responses", "Activity and cost", "Comparison with the paper", "Data and model", "Provenance"]
"""In the order in which a reader asks."""


@dataclass(frozen=True)
class Item:
    """A figure or a page with a table.

    Attributes
    ----------
    heading, part
        Of `HEADINGS`, and a part of it, if any.
    title
        Items of one part that share a title, and differ in a label, stand behind a switch.
    analyses
        It is shown where one of these is asked for; see ``analyses`` in the configuration.
    caption
        What is shown, of how many images, and with which intervals.
    input
        Files by the names of the arguments that they are read for.
    responses_of
        Networks whose responses to the image that is shown are read as the argument ``responses``.
    draw
        Of a figure: the function that draws it, as ``module.function`` of `csnn.figures`.
    labels
        What else tells it from others: under ``of`` which time constants and seeds it is of, where not of all.
    with_images
        Whether it shows images of the data set, which stay out of the report unless that is wanted.
    """

    heading: str
    title: str
    analyses: Collection[str]
    caption: str
    input: Mapping[str, Any] = field(default_factory=dict)
    responses_of: Collection[str] = ()
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


def make_report(inputs: Any, outputs: Any, params: Any, log: str | os.PathLike, repository: Path) -> None:
    """Make a report of files that are there: Snakemake itself, in a run of its own, with this run's configuration.

    Parameters
    ----------
    inputs, outputs, params
        Of the rule: files ``shown``, the report, the experiment's complete ``configuration``.
    log
        Where the output of that run goes, and what the report was made with.
    repository
        The folder of the workflow.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file, open(log, "w") as printed:
        yaml.safe_dump(params.configuration, file, sort_keys=False)  # the order of neurons is that of the configuration
        file.flush()
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile"), "--cores", "1"]
        command += ["--configfile", file.name, "--profile", "none", "--workflow-profile", "none", "--nolock"]
        command += ["--report", outputs[0], "--report-stylesheet", str(repository / "workflow/report/report.css")]
        subprocess.run([*command, "--", *inputs.shown], check=True, stdout=printed, stderr=subprocess.STDOUT)
        report, title = Path(outputs[0]), f"<title>{params.configuration['experiment']}: spiking networks</title>"
        html = report.read_text(encoding="utf-8").replace("<title>Snakemake Report</title>", title, 1)
        script = (repository / "workflow/report/report.js").read_text(encoding="utf-8")
        with atomic_write(report) as temporary:
            before, end, after = html.rpartition("</body>")
            Path(temporary).write_text(f"{before}<script>{script}</script>{end}{after}", encoding="utf-8")
        print(made_with("report", inputs, outputs, dict(params.items())), file=printed)
