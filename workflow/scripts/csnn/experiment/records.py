"""Snakemake's records of what results were made with, restored where they are lost.

Snakemake keeps in ``.snakemake`` what each file was made with, and makes it again where that has changed. A file
without a record passes for up to date. That is wrong for results that were moved or copied here, whose ``.snakemake``
was deleted, or whose jobs ended on a cluster while Snakemake was not running. The logs of jobs say the same
(`csnn.job.made_with`), and lie among the results.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence
from snakemake.rules import Rule

UNKNOWN = {"rule": "unknown", "params": ["neither a record of Snakemake nor a log says what this was made with"]}
"""Stands for a file that no log knows. It differs from every setting, so Snakemake makes the file again."""

_ALL = {"record_format_version": RECORD_FORMAT_VERSION, "incomplete": False}
_NOT_RESULTS = {"logs", "benchmarks"}


def restore(folders: Sequence[Path], rules: Iterable[Rule]) -> list[Path]:
    """Give Snakemake a record of each result that it has none of.

    Parameters
    ----------
    folders
        Where results are, and in ``logs`` the logs of their jobs; relative to the working folder, as in the rules.
    rules
        Every rule of the workflow.

    Returns
    -------
    list of Path
        The results that had no record.
    """
    persistence = FilePersistence(nolock=True)
    record_path, known = partial(persistence._record_path, persistence._metadata_path), _records(persistence)
    lost = [path for folder in folders for path in _results(folder) if record_path(str(path)) not in known]
    if not lost:
        return []
    compared = {rule.name: _compared(rule) for rule in rules}
    logged = {made: record for folder in folders for made, record in _logged(folder / "logs", compared)}
    for path in lost:
        record = logged.get(str(path), UNKNOWN)
        time = path.stat().st_mtime
        persistence._write_record(str(path), MetadataRecord(**_ALL | record, starttime=time, endtime=time))
    return lost


def _results(folder: Path) -> Iterator[Path]:
    """Yield every file that a job made in a folder."""
    for subfolder, folders, names in os.walk(folder):
        if subfolder == str(folder):
            folders[:] = set(folders) - _NOT_RESULTS
        yield from (
            Path(subfolder, name) for name in names if not name.startswith(".") and not name.endswith(".sha256")
        )


def _records(persistence: FilePersistence) -> set[str]:
    """Return the paths of the records that can be read."""
    known = set()
    for subfolder, _, names in os.walk(persistence._metadata_path):
        for name in names:
            path = os.path.join(subfolder, name)
            with open(path, "rb") as file:
                if file.read()[-1:] == b"}":  # not cut off: Snakemake does not write them at once
                    known.add(path)
    return known


def _compared(rule: Rule) -> set[str]:
    """Return the names of the parameters of a rule that Snakemake compares."""
    return {name for name, item in rule.params._allitems() if not rule._is_deriving_function(item)}


def _logged(logs: Path, compared: Mapping[str, set[str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each file that a job's log names as made, with Snakemake's record of it."""
    for path in logs.rglob("*.log"):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        try:
            # libraries may print something when a job's process ends
            line = json.loads(next(line for line in reversed(lines) if line.startswith('{"rule": ')))
            made = {key: line[key] for key in ("rule", "input", "input_checksums")}
            made["params"] = [value for name, value in line["params"].items() if name in compared[line["rule"]]]
            MetadataRecord.model_validate(made)
            yield from ((file, made) for file in line["output"])
        except (StopIteration, KeyError, TypeError, ValueError, AttributeError):  # of a job that failed, or no job's
            continue
