"""What the benchmarks share: engines that take turns, the machine, and the file of its results."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
SCRIPTS = FOLDER.parent / "workflow" / "scripts"
CORES = len(os.sched_getaffinity(0))
ROUNDS = 5
"""How often everything that is compared runs, in turn."""

sys.path.insert(0, str(SCRIPTS))


def keep_memory() -> None:
    """Start this program again with an allocator that gives no memory back: all engines then run twice as steadily.

    Returning memory to the system and getting it again takes NengoDL up to half of its time on virtual machines.
    """
    settings = {"MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_MMAP_THRESHOLD_": "4000000000"}
    if any(os.environ.get(name) != value for name, value in settings.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | settings)


def take_turns(functions: Mapping[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Run functions in turn, so that whatever else the machine does meets all of them alike.

    Parameters
    ----------
    functions
        What is compared, by name. Each runs once before the first round.
    rounds
        How often each runs.

    Returns
    -------
    dict
        Seconds of each run, by name.
    """
    for function in functions.values():
        function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def per_image_step(seconds: Sequence[float], image_steps: int) -> dict[str, float]:
    """Return minimum, median and maximum in milliseconds for each image and step."""
    milliseconds = [1e3 * run / image_steps for run in seconds]
    return {
        "minimum_ms": min(milliseconds),
        "median_ms": statistics.median(milliseconds),
        "maximum_ms": max(milliseconds),
    }


def machine() -> dict[str, Any]:
    """Return what a time depends on: processor, its widest vectors, cores."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    name = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    flags = set(text.split())
    widest = next((flag for flag in ("avx512f", "avx2", "asimd") if flag in flags), platform.machine())
    return {
        "processor": name[1] if name else platform.processor() or platform.machine(),
        "vectors": widest,
        "cores": CORES,
        "system": platform.system(),
    }


def results_file() -> Path:
    """Return this machine's file of results."""
    here = machine()
    name = re.sub(r"[^a-z0-9]+", "-", f"{here['processor']} {here['vectors']}".lower())
    return FOLDER / f"results-{name}.json"


def record(section: str, content: Mapping[str, Any], packages: Iterable[str] = ()) -> None:
    """Put a section into this machine's file of results, beside the sections of other benchmarks.

    Parameters
    ----------
    section
        What was measured.
    content
        Its figures.
    packages
        Whose versions matter.
    """
    path = results_file()
    results = json.loads(path.read_text()) if path.exists() else {}
    versions = {"python": platform.python_version()} | {name: version(name) for name in packages}
    results["machine"] = machine()
    results[section] = {"versions": versions, **content}
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose columns after the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
