"""Energy with memory: arithmetic, addressing and memory access after Lemaire et al. 2022.

Lemaire, Cordone, Castagnetti, Novac, Courtois and Miramond, "An Analytical Estimation of Spiking Neural Networks Energy
Efficiency", ICONIP 2022, arXiv 2210.13107; equation numbers are those that the authors' own implementation gives
(``EnergyEstimationMetric`` of qualia-plugin-snn). A spiking layer reads each event that arrives, and for each synapse
of it reads a weight and updates a state; at every step it reads the constant current and updates the states of each
neuron. A layer of the CNN reads an input and a weight for each multiply-accumulate. Energy is in joules.

Here, where networks are not those of the paper:

- Synapses of an event are counted one by one (`csnn.evaluation.cost.fan_out`), so that edges and pooling count as they
  are, instead of as kernel size times output channels.
- States are the neuron's own and one for the synaptic filter; each that decays takes a multiply-accumulate at each
  step.
- The image's layer is computed once, as the CNN computes it; its result is the constant current of each neuron.
- Pooling costs nothing beyond the connections that read through it, in the CNN neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn.evaluation import cost
from csnn.event.network import IMAGE, LINEAR, Connection, Convolution, Network

ADD_J = {8: 0.03e-12, 32: 0.1e-12}
MULTIPLY_J = {8: 0.2e-12, 32: 3.1e-12}
"""Of an addition and a multiplication of integers by their bits, at 45 nm: Horowitz 2014, ISSCC, figure 1.1.9."""


def word_bits(bits: int) -> int:
    """Return of how many bits the integers are that hold so many: the fewest whose energy is known."""
    return next(known for known in sorted(ADD_J) if bits <= known)


def mac_j(bits: int) -> float:
    """Return the energy of a multiply-accumulate of integers of so many bits: a key of `ADD_J`."""
    return MULTIPLY_J[bits] + ADD_J[bits]


SRAM = ((8 * 1024, 10e-12), (32 * 1024, 20e-12), (1024 * 1024, 100e-12))
"""Bytes of a memory, and joules of an access to it, at 45 nm: Horowitz 2014, ISSCC, figure 1.1.9."""

QUEUE = 1000
"""Events that the queue before a layer holds, as in the experiments of Lemaire et al."""

DECAYING = {"SpikingRectifiedLinear": 0, "LIF": 1, "AdaptiveLIF": 2}
"""State variables of a neuron that decay at each step: membrane potential and adaptation."""

ASSUMPTIONS = (
    "Estimate after Lemaire et al. 2022: 45 nm, integers of 32 bits, all in on-chip SRAM; no caches, reuse, routing of "
    "spikes, DRAM or idle power"
)


class Energy(NamedTuple):
    """Where the energy of one image goes, in joules.

    Attributes
    ----------
    operations, addressing : float
        Arithmetic on values, and on addresses.
    weights, states, inputs_outputs : float
        Access to weights and constant currents, to state variables of neurons and filters, and to what layers send.
    """

    operations: float
    addressing: float
    weights: float
    states: float
    inputs_outputs: float

    @property
    def total(self) -> float:
        """Sum of all."""
        return sum(self)

    def __add__(self, other: tuple) -> Energy:
        """Add part by part."""
        return Energy(*(mine + others for mine, others in zip(self, other, strict=True)))


NOTHING = Energy(0.0, 0.0, 0.0, 0.0, 0.0)


def access_j(values: float, bits: int) -> float:
    """Return the energy of one access to a memory for so many values: the least-squares line through `SRAM`."""
    sizes, joules = np.array(SRAM).T
    slope, intercept = np.polyfit(sizes, joules, 1)
    return float(intercept + slope * values * bits / 8)


def spiking_layer(
    events: float,
    synaptic_events: float,
    spikes: float,
    *,
    neurons: int,
    steps: int,
    weights: int,
    states: int,
    decaying: int,
    convolution: bool,
    bits: int = 32,
) -> Energy:
    """Return the energy of a spiking layer for one image.

    Parameters
    ----------
    events, synaptic_events : float
        Spikes that arrive, and their synapses.
    spikes : float
        That the layer sends.
    neurons, steps, weights : int
    states, decaying : int
        State variables of each neuron with its filter, and those of them that decay.
    convolution : bool
        Whether an event's first target has to be computed from its coordinates.

    Notes
    -----
    Accumulates: ``synaptic_events + steps * neurons + spikes`` (synapses, constant currents, resets; eq. 1.4, 2.4);
    multiply-accumulates: ``decaying * steps * neurons`` (1.3, 2.3). Addressing: two multiply-accumulates for each event
    of a convolution (16.2), an accumulate for each of its synapses (16.3, 17.2). Access: each event (5), a weight for
    each synapse and a constant current for each neuron and step (7, 8), states likewise, read (9, 10) and written (14,
    15), and each spike sent (13).
    """
    add, multiply = ADD_J[bits], MULTIPLY_J[bits]
    updates = steps * neurons
    return Energy(
        operations=(synaptic_events + updates + spikes) * add + decaying * updates * (multiply + add),
        addressing=synaptic_events * add + (2 * events * (multiply + add) if convolution else 0.0),
        weights=synaptic_events * access_j(weights, bits) + updates * access_j(neurons, bits),
        states=2 * (synaptic_events + states * updates) * access_j(states * neurons, bits),
        inputs_outputs=(events + spikes) * access_j(QUEUE, bits),
    )


def dense_layer(
    synapses: int, *, inputs: int, neurons: int, weights: int, biases: int, kernel: int | None, bits: int = 32
) -> Energy:
    """Return the energy of a layer of the CNN for one image; none of its operations is left out for a zero.

    Parameters
    ----------
    synapses : int
        Multiply-accumulates.
    inputs, neurons, weights, biases : int
        Values that the layer reads, computes and holds.
    kernel : int or None
        Of a convolution its rows times columns times output channels; None for a dense layer.

    Notes
    -----
    Multiply-accumulates: `synapses` (eq. 1.1, 2.1); accumulates: biases (1.2, 2.2). Addressing, in accumulates: inputs,
    outputs and kernel of a convolution, synapses of a dense layer. Access: an input for each multiply-accumulate of a
    convolution (3), each input once in a dense layer (4), a weight for each multiply-accumulate and a bias for each
    neuron (6), each output once (11, 12).
    """
    add, multiply = ADD_J[bits], MULTIPLY_J[bits]
    reads, addresses = (inputs, synapses) if kernel is None else (synapses, inputs + neurons + kernel)
    return Energy(
        operations=synapses * (multiply + add) + neurons * add,
        addressing=addresses * add,
        weights=synapses * access_j(weights, bits) + neurons * access_j(biases, bits),
        states=0.0,
        inputs_outputs=reads * access_j(inputs, bits) + neurons * access_j(neurons, bits),
    )


def applies_to(network: Network) -> bool:
    """Whether a network's neurons send spikes, and every connection comes from neurons or the image."""
    return cost.is_spiking(network) and all(layer.neuron != LINEAR for layer in network.layers)


def of_network(network: Network, counts: Sequence[NDArray], steps: int, bits: int = 32) -> Energy | None:
    """Return the energy of a spiking network for one image, as a mean over images; None unless `applies_to` it.

    Parameters
    ----------
    network
        With the time constants that it was simulated with.
    counts : sequence of ndarray, one per layer of neurons, shape (images, neurons)
        Spikes of each neuron over all steps.
    steps
        Number of time steps.
    bits
        Of all integers: a key of `ADD_J`.
    """
    if not applies_to(network):
        return None
    mean = {layer: of_layer.mean(axis=0) for layer, of_layer in zip(network.populations, counts, strict=True)}
    total = NOTHING
    for index, layer in enumerate(network.layers):
        events = synaptic_events = 0.0
        weights, convolution, filtered = 0, False, 0
        for connection in layer.connections:
            if connection.source == IMAGE:
                total += of_connection(network, index, connection, bits)
                continue
            spikes = mean[connection.source]
            events += float(spikes.sum())
            synaptic_events += float(spikes @ cost.fan_out(network, index, connection).ravel())
            weights += cost.weight_count(connection)
            convolution |= _kernel(connection) is not None
            filtered = max(filtered, len(connection.time_constants_s) if connection.tau_syn_s else 0)
        total += spiking_layer(
            events,
            synaptic_events,
            float(mean[index].sum()) if index in mean else 0.0,
            neurons=layer.size,
            steps=steps,
            weights=weights,
            states=max(len(layer.state) + filtered, 1),
            decaying=DECAYING.get(layer.neuron, 0) + filtered,
            convolution=convolution,
            bits=bits,
        )
    return total


def of_cnn(network: Network, bits: int = 32) -> Energy:
    """Return the energy of the CNN that a network was converted from, with average pooling, for one image."""
    connections = [(i, connection) for i, layer in enumerate(network.layers) for connection in layer.connections]
    return sum((of_connection(network, i, connection, bits) for i, connection in connections), NOTHING)


def of_connection(network: Network, index: int, connection: Connection, bits: int = 32) -> Energy:
    """Return the energy of what the CNN computes where a network has a connection."""
    layer = network.layers[index]
    return dense_layer(
        cost.dense_synapses(network, index, connection),
        inputs=cost.fan_out(network, index, connection, pooled=True).size,
        neurons=layer.size,
        weights=cost.weight_count(connection),
        biases=layer.shape[2],
        kernel=_kernel(connection),
        bits=bits,
    )


def _kernel(connection: Connection) -> int | None:
    """Return rows times columns times output channels of a convolution; None where the kernel covers the image."""
    linear = connection.linear
    if not isinstance(linear, Convolution) or linear.kernel.shape[:2] == linear.input_shape[:2]:
        return None
    return int(np.prod(linear.kernel.shape[:2])) * linear.output_shape[2]
