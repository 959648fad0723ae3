"""From the Nengo network that NengoDL's Converter returns to the compiled network of `csnn.network`.

The Nengo network is walked as a graph, from the output back to the input. What lies between two populations of neurons
is linear (convolutions, pooling, dense weights, padding, normalisation, sums, constants), and so is brought into the
form ``offset + sum of connections``. Nothing here knows the architecture of any particular network.

What the graph contains beyond that is refused with `NotCompilable`, before anything is simulated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import nengo
import numpy as np
from nengo.builder import Model
from nengo.ensemble import Neurons
from numpy.typing import NDArray
from scipy import sparse

from csnn.engines.neuron_steps import NEURON_STEPS
from csnn.network import IMAGE, READOUT, Connection, Convolution, Layer, Network, Pooling, Shape, SparseMatrix

MAX_SPARSE_ENTRIES = 50_000_000
"""Largest linear map without a structure of its own, in weights: 600 MB."""


class NotCompilable(ValueError):
    """The network contains something that the event-driven engine cannot simulate; the message names it."""

    def __init__(self, what: str):
        super().__init__(f"engine: event cannot simulate {what}; engine: nengo-dl can run it")


@dataclass(frozen=True)
class _Scale:
    """Each unit times a factor."""

    factor: NDArray[np.float64]


@dataclass(frozen=True)
class _Place:
    """Units placed at some positions among zeros: unit i becomes unit ``position[i]`` of `size`."""

    position: NDArray[np.intp]
    size: int


@dataclass(frozen=True)
class _Take:
    """Some of the units: unit ``position[i]`` becomes unit i."""

    position: NDArray[np.intp]
    size: int


@dataclass(frozen=True)
class _Dense:
    """A dense matrix, shape (outputs, inputs)."""

    weights: NDArray[np.float64]


_Step = _Scale | _Place | _Take | _Dense | Convolution | SparseMatrix | Pooling


@dataclass(frozen=True)
class _LinearPath:
    """A path from a source (image, neurons or a constant node) through linear steps, with at most one synapse."""

    source: object
    steps: tuple[object, ...]
    synapse: nengo.synapses.Synapse | None
