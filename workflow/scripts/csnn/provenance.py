"""Where an experiment's numbers come from: certificates, versions, seeds, hashes, run times, configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from csnn import tables


def certificates(found: Iterable[Mapping]) -> pd.DataFrame:
    """Return how far the engine's logits were from NengoDL's, one row for each configuration that was checked."""
    return pd.DataFrame(
        [
            {
                "neuron": one["neuron"],
                "seed": one["seed"],
                "τ (ms)": tables.milliseconds(check["tau_syn_s"]),
                "images": check["images"],
                "steps": check["steps"],
                "largest difference of a logit": f"{check['largest_difference']:.1e}",
                "accepted up to": f"{one['tolerance']:.0e}",
            }
            for one in found
            for check in one["checks"]
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


def versions(sources: Iterable[Mapping[str, str]]) -> pd.DataFrame:
    """Return every package and its version, as the results themselves and their certificates name them."""
    merged: dict[str, set[str]] = {}
    for source in sources:
        for package, version in source.items():
            merged.setdefault(package, set()).add(version)
    return pd.DataFrame({"package": list(merged), "version": [", ".join(sorted(found)) for found in merged.values()]})
