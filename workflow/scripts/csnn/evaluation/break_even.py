"""Break-even: how many spikes a spiking network may send before the quantised CNN of equal bits takes less energy.

A rate-coded neuron that sends 0 to T spikes in T steps tells apart T + 1 values, as an activation of
``ceil(log2(T + 1))`` bits does; a CNN with such activations, the same weights and layers is the baseline (Yan, Bai,
Tang and Wong, "Reconsidering the Energy Efficiency of Spiking Neural Networks Inference from Analytical Perspectives",
arXiv 2409.08290, theorem 1). The image's layer is the same in both and is left out.

Energy of the spiking network is ``fixed + variable * spikes``. At break-even it is the CNN's; where `fixed` alone is
more, the break-even is 0: without any spike it takes more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn.evaluation import memory_energy
from csnn.event.network import IMAGE, Network

ASSUMPTIONS = (
    "Estimate: 45 nm (Horowitz 2014); arithmetic alone as in arXiv 2409.08290, with memory as in Lemaire et al. 2022"
)


class BreakEven(NamedTuple):
    """A break-even under one model.

    Attributes
    ----------
    rate : float
        Spikes per neuron and step at which both take the same energy; 0 if the spiking network always takes more.
    energy_ratio : float
        Energy of the spiking network over that of the CNN.
    """

    rate: float
    energy_ratio: float


def equal_bits(steps: int) -> int:
    """Return the bits of activations that tell apart as many values as spike counts of so many steps do."""
    return math.ceil(math.log2(steps + 1))


def break_even(rate: float, fixed_j: float, variable_j: float, cnn_j: float) -> BreakEven | None:
    """Solve ``fixed + variable * f = cnn`` for the factor f by which all spikes are more or fewer.

    Parameters
    ----------
    rate
        Spikes per neuron and step that were counted.
    fixed_j, variable_j
        Energy of the spiking network without any spike, and what these spikes add, in joules.
    cnn_j
        Energy of the CNN in joules.

    Returns
    -------
    BreakEven, or None where there were no spikes or the CNN takes nothing
    """
    if not variable_j or not cnn_j:
        return None
    return BreakEven(max(rate * (cnn_j - fixed_j) / variable_j, 0.0), (fixed_j + variable_j) / cnn_j)


def arithmetic(rate: float, accumulates: float, macs: float, bits: int) -> BreakEven | None:
    """Return the break-even of arithmetic alone.

    With s spikes per neuron and step, each with the synapses of its neuron, and a share z of activations of zero, this
    is ``T s = (1 - z) MAC / AC`` (arXiv 2409.08290, compute only).

    Parameters
    ----------
    rate
        Spikes per neuron and step that were counted.
    accumulates
        Of these spikes, per image.
    macs
        Of the CNN on its activations other than zero, per image.
    bits
        Of the integers.
    """
    add, multiply = memory_energy.ADD_J[bits], memory_energy.MULTIPLY_J[bits]
    return break_even(rate, 0.0, accumulates * add, macs * (multiply + add))


def with_memory(network: Network, counts: Sequence[NDArray], steps: int, bits: int) -> BreakEven | None:
    """Return the break-even with memory, in the model of `csnn.evaluation.memory_energy`.

    Parameters
    ----------
    network, counts, steps
        See `csnn.evaluation.memory_energy.of_network`.
    bits
        Of the integers.
    """
    active = memory_energy.of_network(network, counts, steps, bits)
    silent = memory_energy.of_network(network, [np.zeros_like(layer) for layer in counts], steps, bits)
    if active is None or silent is None:
        return None
    of_image = sum(
        memory_energy.of_connection(network, index, connection, bits).total
        for index, layer in enumerate(network.layers)
        for connection in layer.connections
        if connection.source == IMAGE
    )
    cnn_j = memory_energy.of_cnn(network, bits).total - of_image
    rate = spikes_per_neuron_and_step(counts, steps)
    return break_even(rate, silent.total - of_image, active.total - silent.total, cnn_j)


def spikes_per_neuron_and_step(counts: Sequence[NDArray], steps: int) -> float:
    """Return the mean number of spikes of a neuron in a step, over all layers.

    Parameters
    ----------
    counts : sequence of ndarray, shape (images, neurons)
    steps
        Number of time steps.
    """
    return float(sum(layer.mean(axis=0).sum() for layer in counts) / (sum(layer.shape[1] for layer in counts) * steps))
