"""CNNs and their spiking networks for the benchmarks, and NengoDL's simulator of them."""

from __future__ import annotations

from typing import Any

import measure  # noqa: F401 - puts csnn on the path
import numpy as np

from csnn import neurons
from csnn.event.compiler import compile_network
from csnn.event.network import Network
from csnn.nengodl.conversion import convert
from csnn.nengodl_compat import nengo_dl, tf

NEURONS = ("RLR", "SRL", "LIF", "A-LIF")
TAU_SYN_S, MAX_RATE_HZ, SEED = 0.005, 415, 0


def converted(model: tf.keras.Model, neuron: str, precision: str = "double") -> nengo_dl.Converter:
    """Return the network that NengoDL converts a CNN to."""
    options: dict[str, Any] = {"tau_syn_s": TAU_SYN_S, "max_rate_hz": MAX_RATE_HZ, "seed": SEED, "precision": precision}
    return convert(model, neurons.build(neuron, {}), **options)


def compiled(converter: nengo_dl.Converter) -> Network:
    """Return the same network for the event-driven engine."""
    ends = converter.inputs[converter.model.input], converter.outputs[converter.model.output]
    return compile_network(converter.net, *ends, seed=SEED)


class NengoDL:
    """A NengoDL simulator that was built; building it is not part of any time."""

    def __init__(self, model: tf.keras.Model, neuron: str, precision: str, images: np.ndarray, steps: int):
        converter = converted(model, neuron, precision)
        self.image_steps = len(images) * steps
        self.probe = converter.outputs[converter.model.output]
        dtype = {"single": np.float32, "double": np.float64}[precision]
        shown = np.repeat(images.reshape(len(images), 1, -1), steps, axis=1).astype(dtype)
        self.shown = {converter.inputs[converter.model.input]: shown}
        self.simulator = nengo_dl.Simulator(converter.net, minibatch_size=len(images), seed=SEED, progress_bar=False)

    def __call__(self) -> np.ndarray:
        """Return the logits of all images and steps."""
        return self.simulator.predict_on_batch(self.shown)[self.probe]

    def close(self) -> None:
        """Free its memory."""
        self.simulator.close()
