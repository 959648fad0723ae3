"""Snakemake's records of what results were made with, restored where they are lost.

Snakemake keeps in ``.snakemake`` what each file was made with, and makes it again where that has changed. A file
without a record passes for up to date. That is wrong for results that were moved or copied here, whose ``.snakemake``
was deleted, or whose jobs ended on a cluster while Snakemake was not running. The logs of jobs say the same
(`csnn.job.made_with`), and lie among the results.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence

UNKNOWN = {"rule": "unknown", "params": ["neither a record of Snakemake nor a log says what this was made with"]}
"""Stands for a file that no log knows. It differs from every setting, so Snakemake makes the file again."""

_NOT_RESULTS = {"logs", "benchmarks"}


def restore(results: Path) -> list[Path]:
    """Give Snakemake a record of each result that it has none of.

    Parameters
    ----------
    results
        The folder of the experiment, relative to the working directory as in Snakemake's rules.

    Returns
    -------
    list of Path
        The results that had no record.
    """
    if not results.is_dir():
        return []
    persistence = FilePersistence(nolock=True)
    record_path, known = partial(persistence._record_path, persistence._metadata_path), _records(persistence)
    lost = [path for path in _results(results) if record_path(str(path)) not in known]
    made = dict(_logged(results / "logs")) if lost else {}
    for path in lost:
        time = path.stat().st_mtime
        record = MetadataRecord(
            record_format_version=RECORD_FORMAT_VERSION,
            incomplete=False,
            starttime=time,
            endtime=time,
            **made.get(str(path), UNKNOWN),
        )
        persistence._write_record(str(path), record)
    return lost


def _results(folder: Path) -> Iterator[Path]:
    """Yield every file that a job made in an experiment's folder."""
    for place, folders, names in os.walk(folder):
        if place == str(folder):
            folders[:] = set(folders) - _NOT_RESULTS
        yield from (Path(place, name) for name in names if not name.startswith(".") and not name.endswith(".sha256"))


def _records(persistence: FilePersistence) -> set[str]:
    """Return the paths of the records that can be read."""
    known = set()
    for place, _, names in os.walk(persistence._metadata_path):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                if file.read()[-1:] == b"}":  # not cut off: Snakemake does not write them at once
                    known.add(path)
    return known


def _logged(logs: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each file that a job's log names as made, with what it was made with."""
    for path in logs.rglob("*.log"):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        try:
            line = json.loads(lines[-1])
            made = {key: line[key] for key in ("rule", "params", "input", "input_checksums")}
            MetadataRecord.model_validate(made)
            yield from ((file, made) for file in line["output"])
        except (IndexError, KeyError, TypeError, ValueError):  # of a job that failed, or no job's
            continue
