"""How fast the engines are on the paper's network, side by side; part of `make bench`.

On scikit-learn's digits with the weights that benchmarks/train_digits.py made, and where ``$CSNN_TEST_NPZ`` names
CIFAR-10's images and ``$CSNN_TEST_WEIGHTS`` weights, on these too. Simulated by NengoDL in single precision (at the
minibatch that suits it best) and in double, by Nengo's own simulator in one process per core, and by the event-driven
engine in double and in single. All take turns. Also: how far the engine is from NengoDL in double precision, and
NengoDL in single precision from NengoDL in double.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import sys
from collections.abc import Callable
from typing import Any

import measure
import numpy as np
from measure import CORES
from spiking import NEURONS, NengoDL, compiled, converted
from train_digits import WEIGHTS

from csnn.data.images import Dataset, pixels, read_images
from csnn.data.sources import read
from csnn.evaluation.metrics import correct
from csnn.event.simulator import simulate, simulate_time_constants
from csnn.model import cnn
from csnn.model.keras_file import load_weights
from csnn.nengodl_compat import use_threads
from csnn.verification import largest_difference

MINIBATCHES = (10, 25, 50)
NENGODL_STEPS, NENGO_STEPS = 20, 50
EVENT_IMAGES, STEPS = 40, 100
TAUS_SYN_S = (0.005, 0.010, 0.015, 0.020)
CHECKED_IMAGES = 10
DIVERGED = 1e-4
"""A logit that differs by more than this is no rounding error any more: a spike came at another step."""
NENGODL, NENGO, EVENT = "NengoDL single", f"Nengo, {CORES} processes", "event double"
PACKAGES = ("numpy", "numba", "tensorflow", "nengo", "nengo-dl")


def data_sets() -> dict[str, tuple[Dataset, str]]:
    """Return data sets by name, each with the file of the paper's CNN's weights for it."""
    known = {"digits": (read("digits", []), str(WEIGHTS))}
    if "CSNN_TEST_NPZ" in os.environ and "CSNN_TEST_WEIGHTS" in os.environ:
        known["CIFAR-10"] = read_images(os.environ["CSNN_TEST_NPZ"]), os.environ["CSNN_TEST_WEIGHTS"]
    return known


def model_of(name: str):
    """Return the paper's CNN with its weights for a data set, and images with labels: (model, images, labels)."""
    dataset, weights = data_sets()[name]
    model = cnn.build(dataset.x_test.shape[1:], 10)
    load_weights(model, weights)
    return model, pixels(dataset.x_test[:50]), dataset.y_test[:50]


@functools.cache
def nengo_simulator(name: str, neuron: str, image: int):
    """Return Nengo's own simulator of an image, once for each process."""
    import nengo

    model, images, _ = model_of(name)
    converter = converted(model, neuron)
    converter.inputs[converter.model.input].output = images[image].ravel().astype(np.float64)
    return nengo.Simulator(converter.net, progress_bar=False)


def run_nengo(name: str, neuron: str, image: int) -> None:
    """Run Nengo's own simulator for some steps in this process."""
    nengo_simulator(name, neuron, image).run_steps(NENGO_STEPS, progress_bar=False)


def best_minibatch(model, images: np.ndarray) -> int:
    """Return the minibatch at which NengoDL takes least time for each image and step."""
    simulators = {str(size): NengoDL(model, "SRL", "single", images[:size], NENGODL_STEPS) for size in MINIBATCHES}
    seconds = measure.take_turns(simulators, rounds=2)
    for simulator in simulators.values():
        simulator.close()
    return min(MINIBATCHES, key=lambda size: min(seconds[str(size)]) / size)


def times(name: str, neuron: str, minibatch: int, pool) -> dict[str, dict[str, float]]:
    """Return the times of every engine for one kind of neuron; see `measure.per_image_step`."""
    model, images, _ = model_of(name)
    network, shown = compiled(converted(model, neuron)), images[:EVENT_IMAGES]
    options: dict[str, Any] = {"steps": STEPS, "threads": CORES}
    single = NengoDL(model, neuron, "single", images[:minibatch], NENGODL_STEPS)
    double = NengoDL(model, neuron, "double", images[:minibatch], NENGODL_STEPS)
    runs: dict[str, tuple[Callable[[], Any], int]] = {
        NENGODL: (single, single.image_steps),
        "NengoDL double": (double, double.image_steps),
        NENGO: (
            lambda: pool.starmap(run_nengo, [(name, neuron, image) for image in range(CORES)], chunksize=1),
            CORES * NENGO_STEPS,
        ),
        EVENT: (lambda: simulate(network, shown, **options), EVENT_IMAGES * STEPS),
        "event single": (lambda: simulate(network, shown, precision="single", **options), EVENT_IMAGES * STEPS),
        f"event double, {len(TAUS_SYN_S)} time constants together, each": (
            lambda: simulate_time_constants(network, shown, TAUS_SYN_S, **options),
            EVENT_IMAGES * STEPS * len(TAUS_SYN_S),
        ),
    }
    seconds = measure.take_turns({engine: run for engine, (run, _) in runs.items()})
    single.close()
    double.close()
    return {engine: measure.per_image_step(seconds[engine], work) for engine, (_, work) in runs.items()}


def differences(name: str, neuron: str) -> dict[str, float]:
    """Return what rounding does: to the engine and to NengoDL in single precision, against NengoDL in double."""
    model, images, labels = model_of(name)
    images, labels = images[:CHECKED_IMAGES], labels[:CHECKED_IMAGES]
    logits = {}
    for precision in ("double", "single"):
        simulator = NengoDL(model, neuron, precision, images, STEPS)
        logits[precision] = simulator()
        simulator.close()
    event = simulate(compiled(converted(model, neuron)), images, steps=STEPS).logits
    apart = [largest_difference(logits["double"][i : i + 1], logits["single"][i : i + 1]) for i in range(len(labels))]
    return {
        "images": len(labels),
        "event_double": largest_difference(logits["double"], event),
        "nengodl_single": max(apart),
        "nengodl_single_diverged_share": float(np.mean([difference > DIVERGED for difference in apart])),
    } | {f"accuracy_last_{precision}": float(correct(logits[precision], labels)[:, -1].mean()) for precision in logits}


def print_table(name: str, of_neuron: dict[str, dict[str, Any]]) -> None:
    """Print the smallest times and what follows from them."""
    smallest = {
        neuron: {engine: time["minimum_ms"] for engine, time in measured["times"].items()}
        for neuron, measured in of_neuron.items()
    }
    rows = [[engine, *(f"{smallest[neuron][engine]:.3g}" for neuron in NEURONS)] for engine in smallest[NEURONS[0]]]
    for slow in (NENGODL, NENGO):
        factors = [f"**{smallest[neuron][slow] / smallest[neuron][EVENT]:.3g} x**" for neuron in NEURONS]
        rows.append([f"**{EVENT} against {slow}**", *factors])
    rows.append(
        ["largest difference from NengoDL double"]
        + [f"{of_neuron[neuron]['differences']['event_double']:.1e}" for neuron in NEURONS]
    )
    print(measure.table([f"{name}, ms for each image and step", *NEURONS], rows), end="\n\n", flush=True)


def main() -> None:
    use_threads(CORES)
    for name in data_sets():
        model, images, _ = model_of(name)
        minibatch = best_minibatch(model, images)
        of_neuron: dict[str, dict[str, Any]] = {}
        for neuron in NEURONS:
            with multiprocessing.get_context("spawn").Pool(CORES) as pool:
                of_neuron[neuron] = {"times": times(name, neuron, minibatch, pool)}
            of_neuron[neuron]["differences"] = differences(name, neuron)
            print(f"{name}, {neuron}: done", file=sys.stderr, flush=True)
        settings = {"nengodl_minibatch": minibatch, "rounds": measure.ROUNDS}
        measure.record(f"the paper's network on {name}", {"settings": settings} | of_neuron, PACKAGES)
        print_table(name, of_neuron)


if __name__ == "__main__":
    measure.keep_memory()
    main()
