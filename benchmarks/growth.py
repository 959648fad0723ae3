"""How time and memory of the event-driven engine grow with images and steps; part of `make bench`.

The paper's network of SRL neurons on the digits; each size in a process of its own, in which nothing else runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import measure
import numpy as np
from measure import CORES

IMAGES, STEPS = (100, 500, 2500), (100, 200, 400, 800)
CODE = """
import sys, time
started = time.perf_counter()
import numpy as np
from csnn.event.network import load_network
from csnn.event.simulator import simulate
network, source = load_network(sys.argv[1]), np.load(sys.argv[2])
count, steps, threads = map(int, sys.argv[3:])
simulate(network, source[:1], steps=1)
ready = time.perf_counter()
images = source[np.arange(count) % len(source)]
logits = simulate(network, images, steps=steps, threads=threads).logits
done = time.perf_counter()
# not getrusage: its maximum includes the process that this one was started from
peak = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")][0] / 1024
print(ready - started, done - ready, peak, (images.nbytes + logits.nbytes) / 2**20)
"""


def grow(network: Path, images: Path, count: int, steps: int) -> dict[str, float]:
    """Return time and peak memory of so many images and steps."""
    command = [sys.executable, "-c", CODE, str(network), str(images), str(count), str(steps), str(CORES)]
    environment = os.environ | {"PYTHONPATH": str(measure.SCRIPTS)}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    start_up_s, simulation_s, peak_mb, held_mb = map(float, output.split())
    return {
        "images": count,
        "steps": steps,
        "start_up_s": start_up_s,
        "simulation_s": simulation_s,
        "ms_per_image_step": simulation_s * 1e3 / count / steps,
        "peak_memory_mb": peak_mb,
        "of_which_images_and_logits_mb": held_mb,
    }


def main() -> None:
    from engine import model_of
    from spiking import compiled, converted

    from csnn.event.network import save_network

    model, images, _ = model_of("digits")
    with tempfile.TemporaryDirectory() as folder:
        network, shown = Path(folder) / "SRL.npz", Path(folder) / "images.npy"
        save_network(compiled(converted(model, "SRL")), network)
        np.save(shown, images)
        sizes = [(count, STEPS[0]) for count in IMAGES] + [(IMAGES[0], steps) for steps in STEPS[1:]]
        rows = [grow(network, shown, *size) for size in sizes]
    measure.record("growth", {"rows": rows}, ("numpy", "numba"))
    head = ["images", "steps", "seconds", "ms for each image and step", "peak memory, MB", "images and logits, MB"]
    cells = [
        [
            f"{row['images']}",
            f"{row['steps']}",
            f"{row['simulation_s']:.2f}",
            f"{row['ms_per_image_step']:.4f}",
            f"{row['peak_memory_mb']:.0f}",
            f"{row['of_which_images_and_logits_mb']:.0f}",
        ]
        for row in rows
    ]
    print(measure.table(head, cells))
    print(f"\nStart-up of a simulation with compiled kernels: {min(row['start_up_s'] for row in rows):.2f} s.")


if __name__ == "__main__":
    main()
