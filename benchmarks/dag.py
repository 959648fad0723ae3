"""How long Snakemake plans 100, 1000 and 10,000 simulations, and how much memory that takes: `make bench-dag`.

Each simulates a shard at all time constants together.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).with_suffix(".json")
NEURONS: dict[str, dict] = {"RLR": {}, "SRL": {}, "LIF": {}, "A-LIF": {}}
TAUS = [0.005, 0.010, 0.015, 0.020, 0.025]


def plan(shards: int) -> dict:
    """Measure ``snakemake -n`` of a sweep with so many shards in an empty folder."""
    config = {
        "data": {"test_images": shards},
        "snn": {"neurons": NEURONS, "tau_syn_s": TAUS},
        "simulation": {"images_per_shard": len(NEURONS)},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.yaml"
        path.write_text(yaml.safe_dump(config))
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "snakemake",
            "--dry-run",
            "--snakefile",
            REPOSITORY / "Snakefile",
        ]
        command += ["--profile", REPOSITORY / "profiles" / "slurm", "--configfile", path]
        with open(Path(folder) / "printed.txt", "w+") as printed:
            start = time.perf_counter()
            process = subprocess.Popen(command, cwd=folder, stdout=printed, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            printed.seek(0)
            counts = dict(line.split() for line in printed if len(line.split()) == 2)
    if process.returncode or int(counts["simulate"]) < shards:
        sys.exit(f"snakemake -n of {shards} shards ended with {process.returncode} and planned {counts}")
    return {
        "shards": shards,
        "jobs": int(counts["total"]),
        "seconds": round(seconds, 1),
        "core_seconds": round(usage.ru_utime + usage.ru_stime, 1),  # what it takes where nothing else runs
        "peak_memory_mb": round(usage.ru_maxrss / 1024),  # Linux counts in KiB
    }


def main() -> None:
    rows = [plan(shards) for shards in (100, 1000, 10_000)]
    environment = {"snakemake": version("snakemake"), "python": platform.python_version(), "cores": os.cpu_count()}
    RESULTS.write_text(json.dumps({"environment": environment, "sweeps": rows}, indent=2) + "\n")
    print("| shards | jobs in all | seconds | core seconds | peak memory (MB) |\n| ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        print("| {shards:,} | {jobs:,} | {seconds} | {core_seconds} | {peak_memory_mb} |".format(**row))


if __name__ == "__main__":
    main()
