"""How fast the engines are on larger CNNs with random weights (benchmarks/networks.py); part of `make bench`."""

from __future__ import annotations

import sys

import measure
import networks
from engine import EVENT, NENGODL, PACKAGES
from measure import CORES
from spiking import NengoDL, compiled, converted

from csnn.event.simulator import simulate
from csnn.nengodl_compat import use_threads
from csnn.verification import largest_difference

NEURONS = ("SRL", "LIF")
NENGODL_STEPS, STEPS, ROUNDS = 5, 30, 3
NENGODL_IMAGES = 4
"""A small minibatch: with more, NengoDL's states of these networks leave the processor's caches, and it is slower."""


def compare(name: str, neuron: str) -> dict:
    """Return the times of both engines for one network, and their difference in double precision."""
    model, images = networks.build(name)
    network = compiled(converted(model, neuron))
    single = NengoDL(model, neuron, "single", images[:NENGODL_IMAGES], NENGODL_STEPS)
    seconds = measure.take_turns(
        {NENGODL: single, EVENT: lambda: simulate(network, images, steps=STEPS, threads=CORES)}
    )
    single.close()
    double = NengoDL(model, neuron, "double", images[:NENGODL_IMAGES], NENGODL_STEPS)
    difference = largest_difference(double(), simulate(network, images[:NENGODL_IMAGES], steps=NENGODL_STEPS).logits)
    double.close()
    return {
        NENGODL: measure.per_image_step(seconds[NENGODL], single.image_steps),
        EVENT: measure.per_image_step(seconds[EVENT], len(images) * STEPS),
        "largest_difference": difference,
    }


def main() -> None:
    use_threads(CORES)
    results: dict = {}
    for name in networks.LARGER:
        for neuron in NEURONS:
            results[f"{name}, {neuron}"] = compare(name, neuron)
            measure.record("larger networks", results | {"rounds": ROUNDS}, PACKAGES)
            print(f"{name}, {neuron}: done", file=sys.stderr, flush=True)
    rows = [
        [
            name,
            f"{row[NENGODL]['minimum_ms']:.3g}",
            f"{row[EVENT]['minimum_ms']:.3g}",
            f"**{row[NENGODL]['minimum_ms'] / row[EVENT]['minimum_ms']:.3g} x**",
            f"{row['largest_difference']:.1e}",
        ]
        for name, row in results.items()
    ]
    head = ["ms for each image and step", NENGODL, EVENT, "factor", "largest difference from NengoDL double"]
    print(measure.table(head, rows), end="\n\n", flush=True)


if __name__ == "__main__":
    measure.keep_memory()
    main()
