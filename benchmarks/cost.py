"""What a large sweep costs on a cluster, measured with a finished experiment: core hours, storage and jobs.

One job simulates a shard of images at five time constants together.

Usage: python benchmarks/cost.py [results/paper [number of image simulations]]
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
SCRIPTS = REPOSITORY / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

from csnn.event.network import load_network  # noqa: E402
from csnn.event.simulator import simulate_time_constants  # noqa: E402
from csnn.experiment import code, configuration  # noqa: E402
from csnn.files import read_npz  # noqa: E402

RESULTS = Path(__file__).with_suffix(".json")
STEPS = 100
IMAGES = 100
TAUS_SYN_S = (0.005, 0.010, 0.015, 0.020, 0.025)
IMAGES_PER_SHARD = (100, 250, 1000, 10_000)


def core_seconds(command: list) -> float:
    """Return the time that a command keeps cores busy."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, cwd=SCRIPTS)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start_up() -> float:
    """Return the core seconds of a job before it simulates: Snakemake starts twice in it, then the engine.

    A job's own Snakemake is told configuration and code as they were planned (`workflow/rules/run.smk`).
    """
    scripts = {path.name: code.digest(path.name) for path in SCRIPTS.glob("*.py")}
    planned = configuration.read_file(REPOSITORY / "config.yaml") | {
        "code": scripts | {"rules": code.digest_of_rules()}
    }
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "planned.json"
        told.write_text(json.dumps(planned))
        command = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile", "--configfile", told]
        options = ["--mode", "remote", "--dry-run", "--directory", folder]
        snakemake = core_seconds([*command, *options, "--", "data/prepared/digits.npz"])
    engine = "import numpy; from csnn.event.simulator import compile_kernels; compile_kernels(numpy.float64)"
    return 2 * snakemake + core_seconds([sys.executable, "-c", engine])


def measure(network: Path, images: np.ndarray) -> dict:
    """Measure one core's time for one neuron, and the size of the shards that the experiment stored for it."""
    compiled = load_network(network)
    simulate_time_constants(compiled, images[:1], TAUS_SYN_S, steps=STEPS)  # compiles the kernels
    milliseconds = []
    for _ in range(3):
        start = time.process_time()
        simulate_time_constants(compiled, images, TAUS_SYN_S, steps=STEPS)
        milliseconds.append(1000 * (time.process_time() - start) / (len(images) * STEPS * len(TAUS_SYN_S)))
    sizes = []
    for shard in network.parent.parent.glob("tau-*/seed-*/test-*-of-*.npz"):
        sizes.append(shard.stat().st_size / np.prod(read_npz(shard)["logits"].shape[:-1]))
    return {
        "neuron": network.parent.parent.name,
        "milliseconds_per_image_step": round(min(milliseconds), 4),
        "bytes_per_image_step": round(float(np.mean(sizes)), 1),
    }


def main(results: str = "results/paper", simulations: str = "1000000") -> None:
    networks = sorted(Path(results).glob("*/networks/seed-0.npz"))
    if not networks:
        sys.exit(f"{results} holds no compiled networks; run that experiment first")
    images = read_npz(Path(results) / "images" / "test.npz")["images"][:IMAGES]
    neurons = [measure(network, images) for network in networks]
    per_job = start_up()
    image_steps = int(simulations) * STEPS
    simulating = image_steps * float(np.mean([row["milliseconds_per_image_step"] for row in neurons])) / 1000
    sweeps = [
        {
            "images_per_shard": size,
            "jobs": (jobs := -(-int(simulations) // (size * len(TAUS_SYN_S)))),
            "core_hours_of_starting": round(jobs * per_job / 3600, 2),
            "core_hours_of_simulating": round(simulating / 3600, 2),
            "core_minutes_per_job": round((per_job + simulating / jobs) / 60, 2),
        }
        for size in IMAGES_PER_SHARD
    ]
    cost = {
        "environment": {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()},
        "image_simulations": int(simulations),
        "steps": STEPS,
        "neurons": neurons,
        "core_seconds_to_start_a_job": round(per_job, 1),
        "gigabytes_of_shards": round(
            image_steps * float(np.mean([row["bytes_per_image_step"] for row in neurons])) / 1e9, 2
        ),
        "sweeps": sweeps,
    }
    RESULTS.write_text(json.dumps(cost, indent=2) + "\n")
    for rows in (neurons, sweeps):
        print("| " + " | ".join(name.replace("_", " ") for name in rows[0]) + " |\n" + "| ---: " * len(rows[0]) + "|")
        for row in rows:
            print(
                "| "
                + " | ".join(f"{value:,}" if isinstance(value, int) else str(value) for value in row.values())
                + " |"
            )
        print()
    print("core seconds to start a job: {core_seconds_to_start_a_job}".format(**cost))
    print("shards of {image_simulations:,} images of {steps} steps: {gigabytes_of_shards} GB".format(**cost))


if __name__ == "__main__":
    main(*sys.argv[1:])
