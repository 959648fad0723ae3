"""From a Keras CNN to a spiking network that is simulated exactly: the functions behind `import csnn`."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from csnn import neurons, verification
from csnn.event import simulator as event
from csnn.event.network import Network, load_network, with_synapse
from csnn.files import InputError
from csnn.synapses import LOWPASS, Synapse


def with_legacy_keras(function: Callable) -> Callable:
    """Let a function of a tf_keras model take a Keras 3 model or the path of a model file as well.

    NengoDL needs TensorFlow's legacy Keras. Where TensorFlow runs with Keras 3 already, the function runs in a process
    of its own.
    """

    @wraps(function)
    def wrapper(model: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(model, str | os.PathLike):
            if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
                return _in_own_process(function.__name__, Path(model), arguments, options)
            from csnn.model.keras_file import read_model

            return function(read_model(model), *arguments, **options)
        if type(model).__module__.startswith("keras."):
            with tempfile.TemporaryDirectory() as folder:
                model.save(path := Path(folder, "model.keras"))
                return _in_own_process(function.__name__, path, arguments, options)
        if not any(kind.__module__.startswith("tf_keras.") for kind in type(model).__mro__):
            raise InputError(f"the model is a {type(model).__name__}; it must be a Keras model or a model file's path")
        return function(model, *arguments, **options)

    return wrapper


def _in_own_process(name: str, model: Path, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Call a function of this module with the path of a model file, in a process that starts with legacy Keras."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import serve; serve()"],
        input=pickle.dumps((name, (model, *arguments), dict(options))),
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path, "TF_USE_LEGACY_KERAS": "1"},
    )
    if process.returncode:
        raise RuntimeError(f"the process that converts {model} ended with exit code {process.returncode}")
    result = pickle.loads(process.stdout)
    if isinstance(result, Exception):
        raise result
    return result


def serve() -> None:
    """Answer one call of `_in_own_process`: arguments come from standard input, the result goes to standard output."""
    answer = os.dup(1)
    os.dup2(2, 1)  # what else is printed must not mix with the result
    name, arguments, options = pickle.load(sys.stdin.buffer)
    result: Any
    try:
        result = globals()[name](*arguments, **options)
    except (InputError, ValueError) as error:
        result = error
    with os.fdopen(answer, "wb") as stdout:
        pickle.dump(result, stdout)


@with_legacy_keras
def convert(
    model: Any,
    neuron: str = "LIF",
    neuron_parameters: Mapping[str, Any] | None = None,
    *,
    tau_syn_s: float | None = 0.005,
    synapse: Synapse = LOWPASS,
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
    synapse
        Kind of synapse: ``lowpass``, ``alpha`` or ``{"rise_s": seconds}``, a double exponential that decays with
        `tau_syn_s`. `csnn.simulate` can set another one.
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
    from csnn.event.compiler import compile_network

    conversion = {
        "neuron": neuron,
        "neuron_parameters": neurons.with_defaults(neuron, neuron_parameters or {}),
        "initial_voltage": initial_voltage,
        "max_rate_hz": max_rate_hz if isinstance(max_rate_hz, float | int) else list(max_rate_hz),
        **({"synapse": synapse} if synapse != LOWPASS else {}),
    }
    converter = _converter(model, conversion, tau_syn_s, seed)
    network = compile_network(
        converter.net, converter.inputs[converter.model.input], converter.outputs[converter.model.output], seed
    )
    if synapse != LOWPASS and network.with_synapses:  # from the coefficients of a filter its times follow inexactly
        network = with_synapse(network, tau_syn_s, synapse)
    return dataclasses.replace(network, provenance={**network.provenance, "conversion": json.dumps(conversion)})


@with_legacy_keras
def verify(
    model: Any,
    network: Network,
    images: np.ndarray,
    *,
    tau_syn_s: float | None = 0.005,
    synapse: Synapse | None = None,
    dt_s: float = 0.001,
    steps: int = 100,
) -> dict[str, Any]:
    """Compare the event-driven engine with NengoDL in double precision, on every image, step and logit.

    Parameters
    ----------
    model : keras.Model, tf_keras.Model, or path of a model file
        The CNN that the network was converted from.
    network : Network
        From `convert`.
    images : ndarray of float, shape (images, ...)
        As the CNN takes them.
    tau_syn_s
        Synaptic time constant in seconds; None for no filter.
    synapse
        Kind of synapse; by default the network's.
    dt_s
        Length of a time step in seconds.
    steps
        Number of time steps.

    Returns
    -------
    dict
        ``largest_difference`` of any logit, ``largest_difference_of_each_image``, ``images``, ``steps``.
    """
    from csnn.nengodl import simulator as nengodl

    synapse = network.synapse if synapse is None else synapse
    conversion = json.loads(network.provenance["conversion"]) | {"synapse": synapse}
    converter = _converter(model, conversion, tau_syn_s, network.seed)
    reference = nengodl.simulate(converter, images, minibatch=len(images), dt_s=dt_s, steps=steps)
    logits = event.simulate(network, images, tau_syn_s=tau_syn_s, synapse=synapse, dt_s=dt_s, steps=steps).logits
    return verification.certificate(reference, logits)


def load(path: str | os.PathLike) -> Network:
    """Read a network that `csnn.save` wrote, under whatever name it is now.

    Parameters
    ----------
    path

    Raises
    ------
    InputError
        If the file is missing or damaged, holds no network, or was written by another version of `csnn`.
    """
    return load_network(path, renamed=True)


def _converter(model: Any, conversion: Mapping[str, Any], tau_syn_s: float | None, seed: int) -> Any:
    """Convert a CNN with NengoDL as `convert` records it."""
    from csnn.nengodl.conversion import convert_to

    return convert_to(model, conversion, max_rate_hz=conversion["max_rate_hz"], tau_syn_s=tau_syn_s, seed=seed)
