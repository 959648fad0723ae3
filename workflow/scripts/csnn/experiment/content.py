"""What the files that a user named hold: hashes that stand in the parameters of rules.

Snakemake compares parameters with those of the last run. So a file that was replaced, even by an older one, reruns what
was made from it, and one that was only copied or touched reruns nothing.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from csnn.files import atomic_write, hash_of_file

KNOWN = Path(".snakemake") / "content.json"
"""Hashes of files whose size and times have not changed since they were computed."""

_SETTLED_NS = 2_000_000_000
"""A file that changed so lately may change again within the resolution of its times: its hash is not kept."""


def digest(path: str | os.PathLike) -> str:
    """Return what tells the content of a file from others (see `csnn.files.hash_of_file`).

    It is computed once for each file, and again when size, time of change or inode differ.
    """
    known = _known()
    state = os.stat(path)
    entry = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
    key = os.path.abspath(path)
    if key in known and known[key][:-1] == entry:
        return known[key][-1]
    content = hash_of_file(path)
    if time.time_ns() - state.st_ctime_ns > _SETTLED_NS:
        with suppress(OSError, ValueError), atomic_write(KNOWN) as temporary:  # without it, it is computed again
            temporary.write_text(json.dumps(known | {key: [*entry, content]}), encoding="utf-8")
    return content


def _known() -> dict[str, list]:
    """Read the hashes that were computed before."""
    try:
        known = json.loads(KNOWN.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) and all(isinstance(entry, list) for entry in known.values()) else {}
