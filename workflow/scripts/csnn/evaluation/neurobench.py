"""NeuroBench's metrics under its own names, counted as its harness (package neurobench, version 2.3) would count them.

The harness runs a network as a torch module once per time step and looks at what enters its connections (``Conv2d`` and
``Linear``) and leaves its neurons; pooling and filters are no connections. The network here as it would see it: weights
and biases of every connection are parameters; membrane potentials, other state variables and the value of each filter
are buffers; all are stored in single precision. Images are shown one at a time.

`csnn.evaluation.cost` counts events instead. The two differ in four ways:

- Spikes that were pooled, filtered or scaled are real numbers, so that their synapses count as MACs here, not as ACs.
  An input counts as spikes only where all its values at a step are 0, 1 or -1.
- A filtered signal stays above zero after its first spike, so that its synapses count at each later step here.
- The image's synapses count at every step here, though the image does not change.
- Two spikes of a neuron in a step are one active value here.

Source: NeuroBench/neurobench on GitHub, ``neurobench/metrics``; Yik et al. 2025, "The NeuroBench framework for
benchmarking neuromorphic computing algorithms and systems".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn.evaluation import cost
from csnn.event.network import IMAGE, LINEAR, Connection, Convolution, Layer, Network
from csnn.event.plan import lowpass
from csnn.neurons import NENGO_NEURONS

BYTES = 4
"""Of a parameter or a buffer: torch's single precision."""

METRICS = (
    "Footprint",
    "ConnectionSparsity",
    "ParameterCount",
    "ActivationSparsity",
    "MembraneUpdates",
    "Effective_MACs",
    "Effective_ACs",
    "Dense",
)
"""In NeuroBench's order; the last three are its SynapticOperations."""


class Counts(NamedTuple):
    """What the harness counts while one image is shown.

    Attributes
    ----------
    activations, active : int
        Outputs of neurons over all steps, and those of them other than zero.
    membrane_updates : int
        See `membrane_updates`.
    macs, acs : int
        Effective synaptic operations on real numbers and on spikes; see `synaptic_operations`.
    """

    activations: int
    active: int
    membrane_updates: int
    macs: int
    acs: int


class Synapses(NamedTuple):
    """A connection, and the number of synapses with a weight other than zero from each unit behind its views."""

    connection: Connection
    fan_out: NDArray[np.int64]


def synapses(network: Network) -> list[Synapses]:
    """Return the synapses of each connection of a network, whose time constants are those that it is simulated with."""
    return [
        Synapses(connection, cost.fan_out(network, index, connection, pooled=True).ravel())
        for index, layer in enumerate(network.layers)
        for connection in layer.connections
    ]


def parameter_count(network: Network) -> int:
    """Count weights and biases (ParameterCount).

    A layer has a bias for each channel, or for each neuron where those of a channel differ, or none where all are 0.
    """
    weights = sum(cost.weight_count(connection) for layer in network.layers for connection in layer.connections)
    return weights + sum(map(_biases, network.layers))


def connection_sparsity(network: Network) -> float:
    """Return the share of weights that are zero, rounded to four decimals as the harness does (ConnectionSparsity)."""
    connections = [connection for layer in network.layers for connection in layer.connections]
    weights = sum(map(cost.weight_count, connections))
    return round((weights - sum(map(_nonzero, connections))) / weights, 4)


def footprint(network: Network) -> int:
    """Return the bytes of parameters, state variables of neurons and values of filters (Footprint)."""
    states = sum(values.size for layer in network.layers for values in layer.state.values())
    filters = sum(len(connection.time_constants_s) * fan_out.size for connection, fan_out in synapses(network))
    return BYTES * int(parameter_count(network) + states + filters)


def dense(network: Network, steps: int) -> int:
    """Count all synapses at all steps, with weights and inputs of zero (Dense of SynapticOperations)."""
    return steps * sum(
        cost.dense_synapses(network, index, connection)
        for index, layer in enumerate(network.layers)
        for connection in layer.connections
    )


def membrane_updates(voltages: NDArray) -> int:
    """Count how often a step changes a membrane potential (MembraneUpdates); the first step counts for each neuron.

    Parameters
    ----------
    voltages : ndarray, shape (steps, neurons)
        At the end of each step.
    """
    return int(voltages.shape[1] + np.count_nonzero(np.diff(voltages, axis=0)))


def synaptic_operations(
    network: Network,
    connections: Iterable[Synapses],
    image: NDArray,
    spikes: Mapping[int, NDArray],
    dt_s: float,
) -> tuple[int, int]:
    """Count the synapses with a weight and an input other than zero (Effective_MACs and Effective_ACs).

    Parameters
    ----------
    connections
        See `synapses`.
    image
        As the CNN takes it.
    spikes : mapping of int to ndarray, shape (steps, neurons)
        Of each layer of neurons: spikes per step; of rate neurons the rate times dt.
    dt_s
        Length of a time step in seconds.

    Returns
    -------
    macs, acs : int
        Over all steps. Sums without neurons count as never zero.
    """
    macs = acs = 0
    steps = len(next(iter(spikes.values())))
    for connection, fan_out in connections:
        if connection.source == IMAGE:
            operations, spiking = _seen_at_a_step(connection, np.reshape(image, network.input_shape), fan_out)
            macs, acs = (macs, acs + steps * operations) if spiking else (macs + steps * operations, acs)
            continue
        source = network.layers[connection.source]
        if source.neuron == LINEAR:
            macs += steps * int(fan_out.sum())
            continue
        outputs = spikes[connection.source]
        synapse = lowpass(connection.tau_syn_s, dt_s)
        if synapse.decay:  # above zero from the step after the first spike on, whose unit may be a window
            active = outputs != 0
            first = np.where(active.any(axis=0), active.argmax(axis=0), steps).reshape(source.shape)
            for view in connection.views:
                first = cost.through(first, view, np.minimum, steps)
            macs += int(fan_out @ np.maximum(steps - 1 - first.ravel(), 0))
            continue
        height = source.parameters["amplitude"] / dt_s
        for values in outputs[: steps - synapse.delayed]:
            operations, spiking = _seen_at_a_step(connection, height * values.reshape(source.shape), fan_out)
            macs, acs = (macs, acs + operations) if spiking else (macs + operations, acs)
    return macs, acs


def count(
    network: Network,
    connections: Iterable[Synapses],
    image: NDArray,
    spikes: Mapping[int, NDArray],
    voltages: Mapping[int, NDArray],
    dt_s: float,
) -> Counts:
    """Count what the harness would while one image is shown.

    Parameters
    ----------
    connections, image, spikes, dt_s
        See `synaptic_operations`.
    voltages : mapping of int to ndarray, shape (steps, neurons)
        Of each layer of neurons: membrane potentials at the end of each step. Rate neurons have none.
    """
    spiking = [layer for layer in spikes if NENGO_NEURONS[network.layers[layer].neuron].spikes]
    return Counts(
        sum(outputs.size for outputs in spikes.values()),
        sum(int(np.count_nonzero(outputs)) for outputs in spikes.values()),
        sum(membrane_updates(voltages[layer]) for layer in spiking),
        *synaptic_operations(network, connections, image, spikes, dt_s),
    )


def metrics(network: Network, counted: Sequence[Counts], steps: int) -> dict[str, float]:
    """Return NeuroBench's metrics by name, those of its workload as means over images.

    Parameters
    ----------
    counted : sequence of Counts
        Of each image.
    steps
        Number of time steps that an image is shown for.
    """
    mean = Counts(*np.mean(counted, axis=0).tolist())
    values = (
        footprint(network),
        connection_sparsity(network),
        parameter_count(network),
        1 - mean.active / mean.activations,
        mean.membrane_updates,
        mean.macs,
        mean.acs,
        dense(network, steps),
    )
    return dict(zip(METRICS, values, strict=True))


def _seen_at_a_step(connection: Connection, units: NDArray, fan_out: NDArray[np.int64]) -> tuple[int, bool]:
    """Return the operations on what a connection sees of its source at a step, and whether all of it is spikes."""
    for view in connection.views:
        units = cost.through(units, view) / cost.through(np.ones(units.shape), view)
    values = units.ravel()
    return int(fan_out[values != 0].sum()), bool(np.isin(values, (-1, 0, 1)).all())


def _nonzero(connection: Connection) -> int:
    """Count the weights other than zero of a connection."""
    linear = connection.linear
    nonzero = cost.nonzero_weights(linear) if isinstance(linear, Convolution) else linear.weight
    return int(np.count_nonzero(nonzero))


def _biases(layer: Layer) -> int:
    """Count the biases of a layer; see `parameter_count`."""
    if not layer.offset.any():
        return 0
    of_positions = layer.offset.reshape(-1, layer.shape[2])
    return layer.shape[2] if (of_positions == of_positions[0]).all() else layer.size
