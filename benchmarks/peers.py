"""How fast other simulators run the same CNN as spiking network: SpikingJelly, snnTorch and sinabs, beside this engine.

The paper's CNN on scikit-learn's digits, with average pooling and integrate-and-fire neurons (SRL); the same images and
steps, all cores. The other libraries compute in single precision, each with the batch size that suits it best. They
leave out parts of NengoDL's model, which `PEERS` names and the table repeats. All take turns. They need torch, which
is no part of the project's environment: the first command writes what the project's environment knows (weights, images,
the compiled network), the last one measures in an environment of its own, with Python 3.11.

    .venv/bin/python benchmarks/peers.py --prepare build/peers
    python3.11 -m venv peers-venv && peers-venv/bin/pip install -r benchmarks/peers-requirements.txt
    peers-venv/bin/python benchmarks/peers.py build/peers
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import measure
import numpy as np
from measure import CORES
from numpy.typing import NDArray

from csnn.event.network import load_network, save_network
from csnn.event.simulator import simulate
from csnn.files import read_npz, write_npz

if TYPE_CHECKING:
    from torch import Tensor, nn

IMAGES, STEPS, DT_S = 40, 100, 0.001
BATCH_SIZES = (5, 10, 20, 40)
LARGEST_DIFFERENCE = 1e-4
"""By how much a logit of the CNN may differ between torch and Keras, both in single precision."""
PACKAGES = ("numpy", "numba", "torch", "spikingjelly", "snntorch", "sinabs")


class Peer(NamedTuple):
    """A library's neurons.

    Attributes
    ----------
    neurons
        For each layer, what turns input currents into spikes.
    reset
        Starts anew, before each batch.
    time_axis
        Of currents and spikes of all steps; None where the library computes one step at a time.
    gain
        What its synapses' input is multiplied by, so that a constant current passes them unchanged.
    """

    neurons: Sequence[Callable[[Tensor], Tensor]]
    reset: Callable[[], object]
    time_axis: int | None
    gain: float


def spikingjelly(layers: int, decay: float | None) -> Peer:
    """Build SpikingJelly's neurons, all steps of a layer in one call; its leaky integrator is the synapse."""
    import torch
    from spikingjelly.activation_based import neuron

    nodes = [neuron.IFNode(v_reset=None, step_mode="m").eval() for _ in range(layers)]

    def after_synapse(node: nn.Module, decay: float) -> Callable[[Tensor], Tensor]:
        synapse = neuron.NonSpikingLIFNode(1 / (1 - decay))
        return lambda current: node(torch.stack(synapse(current)))

    neurons = nodes if decay is None else [nodes[0], *(after_synapse(node, decay) for node in nodes[1:])]
    return Peer(neurons, lambda: [node.reset() for node in nodes], 0, 1)


def snntorch(layers: int, decay: float | None) -> Peer:
    """Build snnTorch's neurons, which compute one step at a time."""
    from snntorch import Leaky, Synaptic

    def later() -> nn.Module:
        if decay is None:
            return Leaky(beta=1.0, init_hidden=True)
        return Synaptic(alpha=decay, beta=1.0, init_hidden=True)

    nodes = [Leaky(beta=1.0, init_hidden=True), *(later() for _ in range(layers - 1))]
    return Peer(nodes, lambda: [node.reset_mem() for node in nodes], None, 1 if decay is None else 1 - decay)


def sinabs(layers: int, decay: float | None) -> Peer:
    """Build sinabs' neurons, all steps of a layer in one call."""
    from sinabs.layers import IAF

    synapse: dict[str, float] = {} if decay is None else {"tau_syn": -1 / math.log(decay)}
    nodes = [IAF(), *(IAF(**synapse) for _ in range(layers - 1))]
    gain = 1 if decay is None else (1 - decay) / decay
    return Peer(nodes, lambda: [node.reset_states() for node in nodes], 1, gain)


ALL_LEAVE_OUT = (
    "membrane potentials that start at random (0 instead)",
    "rectified currents (negative ones lower the membrane potential)",
    "the delay of a step by each synapse",
    "constant currents that pass no synapse (biases do)",
)
ONE_SPIKE = "several spikes in a step"
PEERS: dict[str, tuple[Callable[[int, float | None], Peer], tuple[str, ...]]] = {
    "SpikingJelly": (spikingjelly, (ONE_SPIKE, *ALL_LEAVE_OUT)),
    "snnTorch": (snntorch, (ONE_SPIKE, *ALL_LEAVE_OUT)),
    "sinabs": (sinabs, ALL_LEAVE_OUT),
}
"""The libraries, and what each leaves out of NengoDL's network of SRL neurons; all reset by subtraction."""


def prepare(folder: Path) -> None:
    """Write what `main` needs into a folder, in the project's environment."""
    from spiking import MAX_RATE_HZ, TAU_SYN_S, compiled, converted
    from train_digits import WEIGHTS

    from csnn.data.images import pixels
    from csnn.data.sources import read
    from csnn.model import cnn
    from csnn.model.keras_file import load_weights

    dataset = read("digits", [])
    images = pixels(dataset.x_test[:IMAGES])
    model = cnn.build(images.shape[1:], len(dataset.class_names), pooling="average")
    load_weights(model, WEIGHTS)
    folder.mkdir(parents=True, exist_ok=True)
    save_network(compiled(converted(model, "SRL")), folder / "SRL.npz")
    arrays = {f"weight{index}": weight for index, weight in enumerate(model.get_weights())}
    arrays |= {"images": images, "labels": dataset.y_test[:IMAGES], "logits": model.predict(images, verbose=0)}
    write_npz(folder / "cnn.npz", arrays | {"max_rate_hz": MAX_RATE_HZ, "tau_syn_s": TAU_SYN_S})


def linear_maps(weights: Sequence[NDArray], spikes: float = 1, gain: float = 1) -> list[nn.Module]:
    """Return what lies between the neurons of the CNN, one module for each layer and one for the logits.

    Parameters
    ----------
    weights
        Keras' weights and biases: three convolutions (rows, columns, inputs, outputs), two dense layers
        (inputs, outputs).
    spikes
        Spikes in a step that stand for an activation of 1. Each layer then gives currents in spikes per step.
    gain
        Factor of the currents of all layers of neurons but the first, whose input passes no synapse.
    """
    import torch
    from torch import nn

    def assign(module: nn.Module, weight: NDArray, bias: NDArray) -> nn.Module:
        module.weight = nn.Parameter(torch.tensor(np.ascontiguousarray(weight), dtype=torch.float32))
        module.bias = nn.Parameter(torch.tensor(bias, dtype=torch.float32))
        return module

    def convolution(kernel: NDArray, bias: NDArray) -> nn.Module:
        size, _, inputs, outputs = kernel.shape
        return assign(nn.Conv2d(inputs, outputs, size), kernel.transpose(3, 2, 0, 1), bias)

    def dense(matrix: NDArray, bias: NDArray) -> nn.Module:
        return assign(nn.Linear(*matrix.shape), matrix.T, bias)

    (first, second, third, hidden, last), biases = weights[::2], weights[1::2]
    b1, b2, b3, b4, b5 = biases
    channels = third.shape[3]
    side = math.isqrt(len(hidden) // channels)
    # Keras flattens (row, column, channel), torch (channel, row, column)
    hidden = hidden.reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(hidden.shape)
    return [
        convolution(first * spikes, b1 * spikes),
        nn.Sequential(nn.AvgPool2d(2), convolution(second * gain, b2 * spikes * gain)),
        nn.Sequential(nn.AvgPool2d(2), convolution(third * gain, b3 * spikes * gain)),
        nn.Sequential(nn.Flatten(), dense(hidden * gain, b4 * spikes * gain)),
        dense(last / spikes, b5),
    ]


def check_cnn(weights: Sequence[NDArray], images: Tensor, expected: NDArray) -> None:
    """Compare the CNN in torch with the one in Keras; end the program where they differ."""
    import torch

    first, *others = linear_maps(weights)
    with torch.inference_mode():
        signal = first(images)
        for linear in others:
            signal = linear(signal.relu())
    difference = float(np.abs(signal.numpy() - expected).max())
    print(f"The CNN's logits in torch differ from those in Keras by at most {difference:.1e}.")
    if not difference <= LARGEST_DIFFERENCE:
        sys.exit(f"More than {LARGEST_DIFFERENCE}: this is not the same CNN.")


def all_steps(peer: Peer, maps: Sequence[nn.Module], images: Tensor) -> Tensor:
    """Return logits of a batch, shape (images, steps, classes). The image's own current is computed once."""
    import torch

    current = maps[0](images)
    if peer.time_axis is None:
        logits = []
        for _ in range(STEPS):
            signal = current
            for neuron, linear in zip(peer.neurons, maps[1:], strict=True):
                signal = linear(neuron(signal))
            logits.append(signal)
        return torch.stack(logits, 1)
    signal = current.expand(STEPS, *current.shape).movedim(0, peer.time_axis)
    for neuron, linear in zip(peer.neurons, maps[1:], strict=True):
        spikes = neuron(signal)
        signal = linear(spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2])
    return signal.movedim(peer.time_axis, 1)


def run(peer: Peer, maps: Sequence[nn.Module], images: Tensor, decay: float | None, batch_size: int) -> NDArray:
    """Return logits, shape (images, steps, classes); where there are synapses, the logits pass one too."""
    import torch
    from scipy.signal import lfilter

    logits = []
    with torch.inference_mode():
        for batch in images.split(batch_size):
            peer.reset()
            logits.append(all_steps(peer, maps, batch))
    together = torch.cat(logits).numpy()
    return together if decay is None else lfilter([1 - decay], [1, -decay], together, axis=1)


def best_batch_size(peer: Peer, maps: Sequence[nn.Module], images: Tensor, decay: float | None) -> int:
    """Return the batch size at which a library takes least time for each image."""
    batches = {str(size): partial(run, peer, maps, images[:size], decay, size) for size in BATCH_SIZES}
    seconds = measure.take_turns(batches, rounds=2)
    return min(BATCH_SIZES, key=lambda size: min(seconds[str(size)]) / size)


def main(folder: Path) -> None:
    """Measure, in an environment with torch."""
    import torch

    torch.set_num_threads(CORES)
    network, prepared = load_network(folder / "SRL.npz"), read_npz(folder / "cnn.npz")
    weights = [prepared[f"weight{index}"] for index in range(10)]
    images, labels = prepared["images"], prepared["labels"]
    shown = torch.tensor(np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32))
    check_cnn(weights, shown, prepared["logits"])
    spikes, tau_syn_s = float(prepared["max_rate_hz"]) * DT_S, float(prepared["tau_syn_s"])

    functions: dict[tuple[str, str], Callable[[], NDArray]] = {}
    batch_sizes: dict[tuple[str, str], int] = {}
    for synapses, tau in (("no synapses", None), (f"synapses of {1e3 * tau_syn_s:g} ms", tau_syn_s)):
        options: dict[str, Any] = {"tau_syn_s": tau, "dt_s": DT_S, "steps": STEPS, "threads": CORES}
        for precision in ("double", "single"):
            functions[synapses, f"event {precision}"] = partial(
                lambda options: simulate(network, images, **options).logits, options | {"precision": precision}
            )
        decay = None if tau is None else math.exp(-DT_S / tau)
        for name, (build, _) in PEERS.items():
            peer = build(len(weights) // 2 - 1, decay)
            maps = linear_maps(weights, spikes, peer.gain)
            size = best_batch_size(peer, maps, shown, decay)
            functions[synapses, name] = partial(run, peer, maps, shown, decay, size)
            batch_sizes[synapses, name] = size

    logits: dict[str, NDArray] = {}

    def keep(key: tuple[str, str]) -> None:
        logits[", ".join(key)] = functions[key]()

    times = measure.take_turns({", ".join(key): partial(keep, key) for key in functions})
    results: dict[str, Any] = {}
    for synapses, name in functions:
        key = f"{synapses}, {name}"
        results[key] = measure.per_image_step(times[key], len(images) * STEPS) | {
            "accuracy_last": float(np.mean(logits[key][:, -1].argmax(1) == labels)),
            "accuracy_of_mean": float(np.mean(logits[key].mean(1).argmax(1) == labels)),
            "batch_size": batch_sizes.get((synapses, name)),
        }
    leaves_out = {name: left_out for name, (_, left_out) in PEERS.items()}
    accuracy = float(np.mean(prepared["logits"].argmax(1) == labels))
    settings = {"images": len(images), "steps": STEPS, "rounds": measure.ROUNDS, "cnn_accuracy": accuracy}
    measure.record("peers", {"settings": settings, "leaves_out": leaves_out} | results, PACKAGES)
    rows = [
        [
            key,
            f"{row['batch_size'] or '–'}",
            f"{row['minimum_ms']:.4f}",
            f"{row['median_ms']:.4f}",
            f"{row['accuracy_last']:.1%}",
            f"{row['accuracy_of_mean']:.1%}",
        ]
        for key, row in results.items()
    ]
    head = ["ms for each image and step", "batch", "minimum", "median", "accuracy, last step", "of the mean logits"]
    print(f"The CNN is right on {accuracy:.1%} of {len(images)} images.\n\n{measure.table(head, rows)}\n")
    for name, left_out in leaves_out.items():
        print(f"- {name} leaves out {'; '.join(left_out)}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepare", action="store_true", help="write the folder, in the project's environment")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare(arguments.folder)
    else:
        measure.keep_memory()
        main(arguments.folder)
