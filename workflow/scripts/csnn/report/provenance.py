"""Where an experiment's numbers come from: certificates, versions, seeds, hashes, run times, configuration."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from pathlib import Path

import pandas as pd

from csnn.files import read_text, sha256
from csnn.words import milliseconds

CODE = Path(__file__).resolve().parents[4]
"""The folder of the workflow."""


def machine() -> dict[str, str]:
    """Return processor, system and Python of this machine."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def packages() -> dict[str, str]:
    """Return every package installed here and its version."""
    return dict(sorted({package.metadata["Name"]: package.version for package in distributions()}.items()))


def code() -> dict[str, str | bool | None]:
    """Return the commit of the workflow's code, and whether files differ from it; None where there is no git."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=CODE, capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    changed = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": git("rev-parse", "HEAD"), "changed": None if changed is None else bool(changed)}


def hashes(paths: Iterable[str | os.PathLike]) -> dict[str, str]:
    """Return the SHA-256 of each file, by its path."""
    return {str(path): sha256(path) for path in paths}


def hashes_of_tables(paths: Iterable[str | os.PathLike]) -> dict[str, str]:
    """Return the SHA-256 of each table by its path.

    Raises
    ------
    InputError
        If a table was changed after it was written.
    """
    return {str(path): hashlib.sha256(read_text(path).encode()).hexdigest() for path in paths}


def certificates(read: Iterable[Mapping]) -> pd.DataFrame:
    """Return how far the engine's logits were from NengoDL's, one row for each configuration that was checked."""
    return pd.DataFrame(
        [
            {
                "network": certificate["network"],
                "seed": certificate["seed"],
                "τ (ms)": milliseconds(check["tau_syn_s"]),
                "images": check["images"],
                "steps": check["steps"],
                "largest difference of a logit": f"{check['largest_difference']:.1e}",
                "accepted up to": f"{certificate['tolerance']:.0e}",
            }
            for certificate in read
            for check in certificate["checks"]
        ]
    )


def cnn_certificates(certificates: Iterable[Mapping]) -> pd.DataFrame:
    """Return how far rate neurons without filters were from each CNN itself, one row for each setting of the rates."""
    return pd.DataFrame(
        [
            {
                "CNN": certificate["cnn"],
                "maximal rates (Hz)": ", ".join(f"{layer}: {hz:g}" for layer, hz in certificate["rates_hz"].items()),
                "images": certificate["images"],
                "largest logit": f"{certificate['largest_logit']:.3g}",
                "largest difference": f"{certificate['largest_difference']:.1e}",
                "accepted up to": f"{certificate['tolerance']:.0e}",
            }
            for certificate in certificates
        ]
    )


def run_times(folder: str | os.PathLike) -> pd.DataFrame:
    """Sum up what Snakemake measured of the jobs, by rule.

    Parameters
    ----------
    folder
        Of the benchmarks: ``<rule>.tsv``, or a folder named after the rule.
    """
    folder = Path(folder)
    jobs = pd.concat(
        [
            pd.read_csv(path, sep="\t", na_values="-").assign(
                rule=path.relative_to(folder).parts[0].removesuffix(".tsv")
            )
            for path in sorted(folder.rglob("*.tsv"))
        ]
    )
    of_rule = jobs.groupby("rule", sort=False)
    return pd.DataFrame(
        {
            "jobs": of_rule.size(),
            "seconds in all": of_rule["s"].sum().round(1),
            "longest (s)": of_rule["s"].max().round(1),
            "most memory (MB)": of_rule["max_rss"].max().round(),
        }
    ).reset_index()


def versions(sources: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return every package with its version, or with all of them where sources name several."""
    merged: dict[str, set[str]] = {}
    for source in sources:
        for package, version in source.items():
            merged.setdefault(package, set()).add(version)
    return {package: ", ".join(sorted(known)) for package, known in merged.items()}
