"""A compiled network with disturbed weights: as a chip with weights of few bits, or with analog ones, would hold them.

What is disturbed are the weights of each connection: kernels of convolutions and dense layers, and the entries of
sparse matrices other than 0. Gains of neurons that the compiler folded into them are part of them. Biases, factors of
whole output channels and the neurons' parameters stay exact.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from csnn.event.network import Convolution, Network
from csnn.rounding import rounded

Weights = NDArray[np.floating]


def noisy(weights: Weights, share: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Add normal noise whose standard deviation is a share of the largest weight of the array.

    As in Joshi et al., Accurate deep neural network inference using computational phase-change memory (2020). Weights
    of exactly 0, which need not be stored, stay.
    """
    noise = rng.normal(scale=share * float(np.abs(weights).max(initial=0)), size=weights.shape)
    return weights.astype(np.float64) + np.where(weights != 0, noise, 0)


def quantise(network: Network, bits: int) -> Network:
    """Return the network with the weights of each connection `csnn.rounding.rounded`."""
    return _with_weights(network, lambda weights: rounded(weights, bits))


def add_noise(network: Network, share: float, seed: int) -> Network:
    """Return the network with the weights of each connection `noisy`, drawn once, the same for all images and steps."""
    rng = np.random.default_rng(seed)
    return _with_weights(network, lambda weights: noisy(weights, share, rng))


def _with_weights(network: Network, disturb: Callable[[Weights], NDArray[np.float64]]) -> Network:
    """Return the network with the weights of each connection changed."""
    layers = []
    for layer in network.layers:
        connections = []
        for connection in layer.connections:
            linear = connection.linear
            changed = (
                dataclasses.replace(linear, kernel=disturb(linear.kernel))
                if isinstance(linear, Convolution)
                else dataclasses.replace(linear, weight=disturb(linear.weight))
            )
            connections.append(dataclasses.replace(connection, linear=changed))
        layers.append(dataclasses.replace(layer, connections=tuple(connections)))
    return dataclasses.replace(network, layers=tuple(layers))
