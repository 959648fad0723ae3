"""From a Keras CNN to a spiking network that is simulated exactly: the functions behind `import csnn`."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from csnn import neurons, verification
from csnn.event import simulator as event
from csnn.event.compiler import compile_network
from csnn.event.network import Network
from csnn.files import InputError
from csnn.nengodl import simulator as nengodl
from csnn.nengodl.compat import tf
from csnn.nengodl.conversion import convert_to


def convert(
    model: Any,
    neuron: str = "LIF",
    neuron_parameters: Mapping[str, Any] | None = None,
    *,
    tau_syn_s: float | None = 0.005,
    max_rate_hz: float | Sequence[float] = 415.0,
    initial_voltage: str = "random",
    seed: int = 0,
) -> Network:
    """Convert a Keras CNN with NengoDL and compile the spiking network for the event-driven engine.

    Parameters
    ----------
    model : keras.Model, tf_keras.Model, or path of a model file
        The trained CNN, of Keras 2 or 3.
    neuron
        Neuron type that takes the place of each ReLU: a key of `csnn.neurons.NEURONS`.
    neuron_parameters
        Parameters of the neuron type by their names in ``config.yaml``, times in seconds; by default those of its type.
    tau_syn_s
        Synaptic time constant in seconds; None for no filter. `csnn.simulate` can set another one.
    max_rate_hz
        Firing rate of a neuron whose activation in the CNN is 1, in Hz; a sequence has one for each layer of neurons.
    initial_voltage
        ``random``, ``zero`` or ``half``: membrane potentials at the start, in units of the threshold.
    seed
        Seed of the random initial membrane potentials.

    Returns
    -------
    Network
        What `csnn.simulate`, `csnn.verify` and `csnn.save` take.

    Raises
    ------
    InputError
        If the CNN cannot be converted; names the layer, why, and what would be right.
    """
    conversion = {
        "neuron": neuron,
        "neuron_parameters": neurons.with_defaults(neuron, neuron_parameters or {}),
        "initial_voltage": initial_voltage,
        "max_rate_hz": max_rate_hz if isinstance(max_rate_hz, float | int) else list(max_rate_hz),
    }
    converter = _converter(_keras2(model), conversion, tau_syn_s, seed)
    network = compile_network(
        converter.net, converter.inputs[converter.model.input], converter.outputs[converter.model.output], seed
    )
    return dataclasses.replace(network, provenance=network.provenance | {"conversion": json.dumps(conversion)})


def verify(
    network: Network,
    model: Any,
    images: np.ndarray,
    *,
    tau_syn_s: float | None = 0.005,
    dt_s: float = 0.001,
    steps: int = 100,
) -> dict[str, Any]:
    """Compare the event-driven engine with NengoDL in double precision, on every image, step and logit.

    Parameters
    ----------
    network : Network
        From `convert`.
    model : keras.Model, tf_keras.Model, or path of a model file
        The CNN that the network was converted from.
    images : ndarray of float, shape (images, ...)
        As the CNN takes them.
    tau_syn_s
        Synaptic time constant in seconds; None for no filter.
    dt_s
        Length of a time step in seconds.
    steps
        Number of time steps.

    Returns
    -------
    dict
        ``largest_difference`` of any logit, ``largest_difference_of_each_image``, ``images``, ``steps``.
    """
    converter = _converter(_keras2(model), json.loads(network.provenance["conversion"]), tau_syn_s, network.seed)
    reference = nengodl.simulate(converter, images, minibatch=len(images), dt_s=dt_s, steps=steps)
    logits = event.simulate(network, images, tau_syn_s=tau_syn_s, dt_s=dt_s, steps=steps).logits
    return verification.certificate(reference, logits)


def _converter(model: tf.keras.Model, conversion: Mapping[str, Any], tau_syn_s: float | None, seed: int) -> Any:
    """Convert a CNN with NengoDL as `convert` records it."""
    return convert_to(model, conversion, max_rate_hz=conversion["max_rate_hz"], tau_syn_s=tau_syn_s, seed=seed)


def _keras2(model: Any) -> tf.keras.Model:
    """Return a CNN of Keras 2 or 3, or one in a file, as a model of the Keras that NengoDL takes."""
    if isinstance(model, tf.keras.Model):
        return model
    if isinstance(model, str | os.PathLike):
        return read_model(model)
    if not type(model).__module__.startswith("keras."):
        raise InputError(f"the model is a {type(model).__name__}; it must be a Keras model or the path of a model file")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        return read_model(path)
