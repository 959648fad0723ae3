"""How fast the engines are, side by side: `make bench`.

The paper's network is simulated by NengoDL, in single precision (at the minibatch that suits it best) and in double, by
Nengo's own simulator in one process per core, and by the event-driven engine in double and in single. They take turns
within each round, so that whatever else the machine does meets all of them alike; the smallest time of each counts.
Weights and images come from ``$CSNN_TEST_WEIGHTS`` and ``$CSNN_TEST_NPZ`` where these are set; else the network is
trained for a moment on scikit-learn's digits. Prints a Markdown table and writes ``benchmarks/results.json``.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SCRIPTS = Path(__file__).resolve().parent.parent / "workflow" / "scripts"
RESULTS = Path(__file__).parent / "results.json"
NEURONS = ("RLR", "SRL", "LIF", "A-LIF")
TAU_SYN_S, MAX_RATE_HZ, SEED, STEPS = 0.005, 415, 0, 100
CORES = len(os.sched_getaffinity(0))
ROUNDS = 3
MINIBATCHES = (10, 25, 50)
NENGODL_STEPS, NENGO_STEPS = STEPS, 50
EVENT_IMAGES = 40
LARGER_NEURONS, LARGER_MINIBATCH, LARGER_STEPS, LARGER_ROUNDS = ("SRL", "LIF"), 10, 30, 3
GROWTH_IMAGES, GROWTH_STEPS = (100, 1000, 10000), (100, 200, 400, 800)

DIVERGED = 1e-4
"""A logit that differs by more than this is no rounding error any more: a spike came at another step."""

sys.path.insert(0, str(SCRIPTS))


def model_and_images():
    """The paper's CNN with weights, and images with labels: (model, images, labels)."""
    from csnn.data.images import pixels, read_images
    from csnn.data.sources import read
    from csnn.model import cnn
    from csnn.model.keras_file import load_weights

    cnn.seed_everything(SEED)
    path = os.environ.get("CSNN_TEST_NPZ")
    dataset = read_images(path) if path else read("digits", [])
    model = cnn.build(dataset.x_test.shape[1:], 10)
    if os.environ.get("CSNN_TEST_WEIGHTS"):
        load_weights(model, os.environ["CSNN_TEST_WEIGHTS"])
    else:
        shown = pixels(dataset.x_train[:2000])
        cnn.train(model, shown, dataset.y_train[:2000], epochs=3, batch_size=32)
    return model, pixels(dataset.x_test[:1000]), dataset.y_test[:1000]


def converted(model, neuron: str, precision: str = "double"):
    """The network that NengoDL converts the CNN to."""
    from csnn import neurons
    from csnn.nengodl.conversion import convert

    options: dict[str, Any] = {"tau_syn_s": TAU_SYN_S, "max_rate_hz": MAX_RATE_HZ, "seed": SEED, "precision": precision}
    return convert(model, neurons.build(neuron, {}), **options)


def timed(function, *arguments) -> tuple[float, object]:
    """Seconds that a call took, and what it returned."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


class NengoDL:
    """A built NengoDL simulator; building it is not part of the time."""

    def __init__(self, converter, precision: str, minibatch: int, steps: int, images: np.ndarray):
        from csnn.nengodl_compat import nengo_dl

        self.work = minibatch * steps
        self.probe = converter.outputs[converter.model.output]
        dtype = {"single": np.float32, "double": np.float64}[precision]
        shown = np.repeat(images[:minibatch].reshape(minibatch, 1, -1), steps, axis=1).astype(dtype)
        self.shown = {converter.inputs[converter.model.input]: shown}
        self.simulator = nengo_dl.Simulator(converter.net, minibatch_size=minibatch, seed=SEED, progress_bar=False)
        self.run()  # the first call traces the network

    def run(self) -> np.ndarray:
        """Logits of the minibatch over all steps."""
        return self.simulator.predict_on_batch(self.shown)[self.probe]


_nengo: dict = {}


def run_nengo(neuron: str, image: int, steps: int) -> None:
    """Run Nengo's own simulator for some steps in this process; it is built before, at the first call."""
    import nengo

    if not _nengo:
        model, images, _ = model_and_images()
        for name in NEURONS:
            converter = converted(model, name)
            converter.inputs[converter.model.input].output = images[image].ravel().astype(np.float64)
            _nengo[name] = nengo.Simulator(converter.net, progress_bar=False)
    _nengo[neuron].run_steps(steps, progress_bar=False)


def best_minibatch(model, images: np.ndarray) -> tuple[int, dict[int, float]]:
    """The minibatch at which NengoDL in single precision takes least time per image and step, and all times."""
    times = {}
    for minibatch in MINIBATCHES:
        simulator = NengoDL(converted(model, "SRL", "single"), "single", minibatch, 20, images)
        times[minibatch] = min(timed(simulator.run)[0] for _ in range(2)) / simulator.work * 1e3
        simulator.simulator.close()
    return min(times, key=lambda size: times[size]), times


def larger_networks() -> dict[str, dict[str, dict[str, float]]]:
    """Times of larger CNNs with random weights, in ms per image and step: by network, neuron and engine."""
    import networks

    from csnn.event.compiler import compile_network
    from csnn.event.simulator import simulate
    from csnn.verification import largest_difference

    results: dict = {}
    for name in networks.LARGER:
        model, images = networks.build(name)
        for neuron in LARGER_NEURONS:
            converter = converted(model, neuron)
            ends = converter.inputs[converter.model.input], converter.outputs[converter.model.output]
            network = compile_network(converter.net, *ends, seed=SEED)
            simulate(network, images[:1], steps=1)
            single = NengoDL(converted(model, neuron, "single"), "single", LARGER_MINIBATCH, LARGER_STEPS, images)
            options: dict[str, Any] = {"steps": LARGER_STEPS, "threads": CORES}
            seconds: dict[str, list[float]] = {"NengoDL single": [], "event double": []}
            for _ in range(LARGER_ROUNDS):
                seconds["NengoDL single"].append(timed(single.run)[0])
                seconds["event double"].append(timed(lambda: simulate(network, images, **options))[0])  # noqa: B023
            single.simulator.close()
            double = NengoDL(converter, "double", 2, LARGER_STEPS, images)
            difference = largest_difference(double.run(), simulate(network, images[:2], steps=LARGER_STEPS).logits)
            double.simulator.close()
            times = {engine: min(all_) * 1e3 / len(images) / LARGER_STEPS for engine, all_ in seconds.items()}
            speedup = times["NengoDL single"] / times["event double"]
            results.setdefault(name, {})[neuron] = times | {"speedup": speedup, "largest_difference": difference}
            print(f"{name}, {neuron}: {results[name][neuron]}", file=sys.stderr, flush=True)
    return results


def growth(network: Path, images: Path, count: int, steps: int) -> dict[str, float]:
    """Time and peak memory of the event-driven engine in a process of its own, in which nothing else runs."""
    code = (
        "import sys, time\n"
        "started = time.perf_counter()\n"
        "import numpy as np\n"
        "from csnn.event.simulator import simulate\n"
        "from csnn.event.network import load_network\n"
        "network, source = load_network(sys.argv[1]), np.load(sys.argv[2])\n"
        "count, steps, threads = map(int, sys.argv[3:])\n"
        "simulate(network, source[:1], steps=1)\n"
        "ready = time.perf_counter()\n"
        "images = source[np.arange(count) % len(source)]\n"
        "logits = simulate(network, images, steps=steps, threads=threads).logits\n"
        "done = time.perf_counter()\n"
        # not getrusage: its maximum includes the process that this one was started from
        "peak = [int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM')][0] / 1024\n"
        "print(ready - started, done - ready, peak, (images.nbytes + logits.nbytes) / 2**20)\n"
    )
    command = [sys.executable, "-c", code, str(network), str(images), str(count), str(steps), str(CORES)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
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


def processor() -> str:
    """The processor's name."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].split(":")[1].strip() if names else platform.processor()


def table(results: dict) -> str:
    """The results as Markdown."""
    engines = list(results["ms_per_image_step"]["RLR"])
    lines = ["| ms per image and step | " + " | ".join(NEURONS) + " |", "| --- |" + " ---: |" * len(NEURONS)]
    for engine in engines:
        times = [f"{results['smallest_ms_per_image_step'][neuron][engine]:.4g}" for neuron in NEURONS]
        lines.append(f"| {engine} | " + " | ".join(times) + " |")
    for name, key in (
        ("event double against NengoDL single", "speedup"),
        ("event double against Nengo", "speedup_over_nengo"),
        ("event single against event double", "speedup_of_single"),
    ):
        lines.append(f"| **{name}** | " + " | ".join(f"**{results[key][neuron]:.3g} x**" for neuron in NEURONS) + " |")
    lines.append(
        "| largest difference from NengoDL double | "
        + " | ".join(f"{results['largest_difference'][neuron]:.1e}" for neuron in NEURONS)
        + " |"
    )
    lines.append(
        "| NengoDL single: images whose logits leave NengoDL double's | "
        + " | ".join(f"{results['nengodl_rounding'][neuron]['diverged_share']:.0%}" for neuron in NEURONS)
        + " |"
    )
    lines += ["", "| larger networks | neuron | NengoDL single, ms | event double, ms | factor | largest difference |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: |")
    for name, neurons in results["larger_networks"].items():
        for neuron, row in neurons.items():
            lines.append(
                f"| {name} | {neuron} | {row['NengoDL single']:.3g} | {row['event double']:.3g} "
                f"| **{row['speedup']:.3g} x** | {row['largest_difference']:.1e} |"
            )
    lines += ["", "| images | steps | seconds | ms per image and step | peak memory, MB | images and logits, MB |"]
    lines.append("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in results["growth"]:
        lines.append(
            f"| {row['images']} | {row['steps']} | {row['simulation_s']:.2f} | {row['ms_per_image_step']:.4f} "
            f"| {row['peak_memory_mb']:.0f} | {row['of_which_images_and_logits_mb']:.0f} |"
        )
    start_up_s = min(row["start_up_s"] for row in results["growth"])
    lines += ["", f"Start-up of a simulation job with a warm cache: {start_up_s:.2f} s."]
    return "\n".join(lines)


def rounding_divergence(double: np.ndarray, single: np.ndarray, labels: np.ndarray) -> dict[str, float | int]:
    """Return how far NengoDL in single precision is from itself in double: what rounding does to a published number.

    Parameters
    ----------
    double, single : (n, steps, classes) float
        NengoDL's logits in double and in single precision.
    labels : (n,) int

    Returns
    -------
    dict
        ``images``; ``diverged_share``, the share of them with a logit that differs by more than `DIVERGED` at any step;
        ``largest_difference``; and the accuracy in both precisions, time-averaged
        (``accuracy_mean_double``, ``accuracy_mean_single``) and at the final step (``accuracy_last_double``,
        ``accuracy_last_single``).
    """
    from csnn.evaluation.metrics import correct
    from csnn.verification import largest_difference

    differences = [largest_difference(double[i : i + 1], single[i : i + 1]) for i in range(len(labels))]
    right_double, right_single = correct(double, labels), correct(single, labels)
    return {
        "images": len(labels),
        "diverged_share": float(np.mean([difference > DIVERGED for difference in differences])),
        "largest_difference": max(differences),
        "accuracy_mean_double": float(right_double.mean()),
        "accuracy_mean_single": float(right_single.mean()),
        "accuracy_last_double": float(right_double[:, -1].mean()),
        "accuracy_last_single": float(right_single[:, -1].mean()),
    }


def main() -> None:
    from csnn.event.compiler import compile_network
    from csnn.event.network import load_network, save_network
    from csnn.event.simulator import simulate
    from csnn.nengodl_compat import use_threads
    from csnn.verification import largest_difference

    use_threads(CORES)
    started = time.perf_counter()
    model, images, labels = model_and_images()
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "images.npy", images)
        minibatch, minibatch_times = best_minibatch(model, images)
        print(f"NengoDL's best minibatch: {minibatch} of {minibatch_times}", file=sys.stderr, flush=True)
        networks, simulators = {}, {}
        for neuron in NEURONS:
            converter = converted(model, neuron)
            ends = converter.inputs[converter.model.input], converter.outputs[converter.model.output]
            path = Path(folder) / f"{neuron}.npz"
            save_network(compile_network(converter.net, *ends, seed=SEED), path)
            networks[neuron] = load_network(path)
            for precision in ("double", "single"):
                simulate(networks[neuron], images[:1], precision=precision, steps=1)
                simulators[neuron, precision] = NengoDL(
                    converted(model, neuron, precision), precision, minibatch, NENGODL_STEPS, images
                )
        times: dict = {neuron: {} for neuron in NEURONS}
        differences: dict[str, float] = {}
        rounding: dict[str, Any] = {}

        def measured(neuron: str, engine: str, seconds: float, work: int) -> None:
            times[neuron].setdefault(engine, []).append(seconds * 1e3 / work)

        with multiprocessing.get_context("spawn").Pool(CORES) as nengo_processes:
            for neuron in NEURONS:  # so that every process has built its simulators
                nengo_processes.starmap(run_nengo, [(neuron, image, 1) for image in range(CORES)], chunksize=1)
            for _ in range(ROUNDS):
                for neuron in NEURONS:
                    for precision in ("single", "double"):
                        simulator = simulators[neuron, precision]
                        seconds, logits = timed(simulator.run)
                        measured(neuron, f"NengoDL {precision}", seconds, simulator.work)
                        rounding.setdefault(neuron, {})[precision] = logits
                    tasks = [(neuron, image, NENGO_STEPS) for image in range(CORES)]
                    seconds, _ = timed(lambda tasks=tasks: nengo_processes.starmap(run_nengo, tasks, chunksize=1))
                    measured(neuron, f"Nengo, {CORES} processes", seconds, CORES * NENGO_STEPS)
                    for precision in ("double", "single"):
                        for _ in range(3):
                            start = time.perf_counter()
                            simulate(
                                networks[neuron],
                                images[:EVENT_IMAGES],
                                precision=precision,
                                steps=STEPS,
                                threads=CORES,
                            )
                            seconds = time.perf_counter() - start
                            measured(neuron, f"event {precision}", seconds, EVENT_IMAGES * STEPS)
        for neuron in NEURONS:
            logits = simulate(networks[neuron], images[:minibatch], steps=NENGODL_STEPS, threads=CORES).logits
            double, single = rounding[neuron]["double"], rounding[neuron]["single"]
            differences[neuron] = largest_difference(double, logits)
            rounding[neuron] = rounding_divergence(double, single, labels[:minibatch])
        for simulator in simulators.values():
            simulator.simulator.close()
        sizes = [(count, STEPS) for count in GROWTH_IMAGES] + [(100, steps) for steps in GROWTH_STEPS[1:]]
        grown = [growth(Path(folder) / "SRL.npz", Path(folder) / "images.npy", *size) for size in sizes]
    smallest = {neuron: {engine: min(all_) for engine, all_ in times[neuron].items()} for neuron in NEURONS}

    def ratio(slow: str, fast: str) -> dict[str, float]:
        return {neuron: smallest[neuron][slow] / smallest[neuron][fast] for neuron in NEURONS}

    results = {
        "machine": {"processor": processor(), "cores": CORES, "system": platform.platform()},
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numpy", "numba", "tensorflow", "nengo", "nengo-dl")},
        "settings": {
            "network": "trained weights" if os.environ.get("CSNN_TEST_WEIGHTS") else "trained on digits for a moment",
            "images": "CSNN_TEST_NPZ" if os.environ.get("CSNN_TEST_NPZ") else "digits",
            "tau_syn_s": TAU_SYN_S,
            "max_rate_hz": MAX_RATE_HZ,
            "seed": SEED,
            "nengodl_minibatch": minibatch,
            "nengodl_minibatch_ms_per_image_step": minibatch_times,
            "event_images": EVENT_IMAGES,
            "steps": STEPS,
            "nengodl_steps": NENGODL_STEPS,
        },
        "ms_per_image_step": times,
        "smallest_ms_per_image_step": smallest,
        "speedup": ratio("NengoDL single", "event double"),
        "speedup_over_nengo": ratio(f"Nengo, {CORES} processes", "event double"),
        "speedup_of_single": ratio("event double", "event single"),
        "largest_difference": differences,
        "nengodl_rounding": rounding,
        "growth": grown,
        "larger_networks": larger_networks(),
        "load_average": os.getloadavg(),
        "benchmark_s": time.perf_counter() - started,
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
