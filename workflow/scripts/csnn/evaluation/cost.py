"""What a decision costs: synaptic operations, neuron updates, and estimates of energy under named cost tables.

Synaptic operations are NeuroBench's (Yik et al. 2025, "The NeuroBench framework for benchmarking neuromorphic computing
algorithms and systems"): *dense* counts every synapse at every step; *effective* leaves out activations and weights of
zero, and is a multiply-accumulate (MAC) where a neuron's output is a real number, an accumulate (AC) where it is a
spike. Biases are not synapses.

Pooling and the weights after it count as one linear map: a spike uses the synapses of the window, or windows, that it
lies in. Filters belong to the receiving neuron and count with its update. The image does not change, so that its
synapses count once for each image, not at every step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn.event.network import (
    IMAGE,
    LINEAR,
    Connection,
    Convolution,
    Network,
    Pooling,
    Reshape,
    Shape,
    SparseMatrix,
    View,
)
from csnn.neurons import NENGO_NEURONS


class Device(NamedTuple):
    """Energy of the operations of a device, in joules.

    Attributes
    ----------
    mac_j, ac_j : float
        Per multiply-accumulate and per accumulate.
    neuron_j : float
        Per update of a neuron.
    source : str
    """

    mac_j: float
    ac_j: float
    neuron_j: float
    source: str


_KERAS_SPIKING = "device table of KerasSpiking's ModelEnergy"

DEVICES = {
    "45 nm": Device(
        4.6e-12, 0.9e-12, 0.0, "Horowitz 2014, ISSCC: 32-bit floating point, addition 0.9 pJ, multiplication 3.7 pJ"
    ),
    "CPU": Device(8.6e-9, 8.6e-9, 8.6e-9, f"Intel i7-4960X, {_KERAS_SPIKING}, from Cao et al. 2015"),
    "GPU": Device(0.3e-9, 0.3e-9, 0.3e-9, f"Nvidia GTX Titan Black, {_KERAS_SPIKING}, from Cao et al. 2015"),
    "ARM": Device(0.9e-9, 0.9e-9, 0.9e-9, f"ARM Cortex-A, {_KERAS_SPIKING}, from Cao et al. 2015"),
    "Loihi": Device(27.1e-12, 27.1e-12, 81e-12, f"{_KERAS_SPIKING}, from Davies et al. 2018"),
    "SpiNNaker": Device(13.3e-9, 13.3e-9, 26e-9, f"{_KERAS_SPIKING}, from Höppner et al. 2019"),
    "SpiNNaker 2": Device(450e-12, 450e-12, 2.19e-9, f"{_KERAS_SPIKING}, from Höppner et al. 2019"),
}

ASSUMPTIONS = (
    "Estimates, not measurements: operations times a cost for each. Memory traffic, communication, idle power and the "
    "conversion of the image are left out. Operations are counted on the simulated network (docs/analyses.md); that a "
    "device could run it, with this precision and number of synapses, is assumed."
)


def fan_out(network: Network, layer: int, connection: Connection, pooled: bool = False) -> NDArray[np.int64]:
    """Count the synapses with a weight other than zero from each unit that a connection comes from.

    Parameters
    ----------
    layer
        Index of the layer that the connection feeds.
    pooled
        Count from each unit after the connection's pooling instead of before it.

    Returns
    -------
    ndarray of the shape of the source, or of the source after pooling
    """
    shapes = [network.input_shape if connection.source == IMAGE else network.layers[connection.source].shape]
    for view in connection.views:
        shapes.append(view.output_shape(shapes[-1]))
    linear = connection.linear
    if isinstance(linear, Convolution):
        counts = _convolution_fan_out(linear)
    else:
        synapses = np.add.reduceat(
            np.append(linear.weight != 0, False), linear.first[:-1].astype(np.intp), dtype=np.int64
        )
        counts = np.where(np.diff(linear.first) > 0, synapses, 0).reshape(shapes[-1])
    if not pooled:
        for view, shape in zip(reversed(connection.views), reversed(shapes[:-1]), strict=True):
            counts = _spread(counts, view, shape)
    return counts


def nonzero_weights(linear: Convolution) -> NDArray[np.bool_]:
    """Return of each weight of a convolution's kernel whether it is other than zero."""
    first = np.zeros(linear.input_shape[2], np.int32) if linear.first is None else linear.first
    scale = np.ones(linear.output_shape[2]) if linear.scale is None else linear.scale
    of_outputs = scale[first[:, np.newaxis] + np.arange(linear.kernel.shape[3])]
    return (linear.kernel != 0) & (of_outputs != 0)


def _convolution_fan_out(linear: Convolution) -> NDArray[np.int64]:
    """Count the weights other than zero that leave each input of a convolution."""
    rows, columns, channels = linear.input_shape
    counts = np.zeros((rows, columns, channels), np.int64)
    nonzero = np.count_nonzero(nonzero_weights(linear), axis=3)
    for (i, j), weights in zip(np.ndindex(nonzero.shape[:2]), nonzero.reshape(-1, channels), strict=True):
        reached = []
        for start, stride, padding, length, outputs in (
            (i, linear.stride[0], linear.padding[0], rows, linear.output_shape[0]),
            (j, linear.stride[1], linear.padding[1], columns, linear.output_shape[1]),
        ):
            places = start - padding + stride * np.arange(outputs)
            reached.append(places[(places >= 0) & (places < length)])
        counts[np.ix_(*reached)] += weights
    return counts


def _spread(counts: NDArray[np.int64], view: View, shape: Shape) -> NDArray[np.int64]:
    """Give each unit of an image of `shape` the fan-outs of what a view makes of it: of the windows that it lies in."""
    if isinstance(view, Reshape):
        return counts.reshape(shape)
    spread = np.zeros(shape, np.int64)
    for (rows, of_rows), (columns, of_columns) in _window_units(view, shape):
        spread[np.ix_(rows, columns)] += counts[np.ix_(of_rows, of_columns)]
    return spread


def _window_units(pooling: Pooling, shape: Shape) -> Iterator[list[tuple[NDArray, NDArray]]]:
    """Yield for each offset in a window, by axis, the units at that offset and the windows that have one there."""
    before, windows = pooling.before(shape), pooling.output_shape(shape)
    for offset in np.ndindex(pooling.size):
        units = [np.arange(windows[axis]) * pooling.stride[axis] + offset[axis] - before[axis] for axis in (0, 1)]
        inside = [(unit >= 0) & (unit < shape[axis]) for axis, unit in enumerate(units)]
        yield [(unit[within], np.flatnonzero(within)) for unit, within in zip(units, inside, strict=True)]


def layer_fan_out(network: Network, source: int, pooled: bool = False) -> NDArray[np.int64]:
    """Count the synapses that leave each unit of a layer, or of the image, over all its connections, flattened."""
    counts = [
        fan_out(network, index, connection, pooled).ravel()
        for index, layer in enumerate(network.layers)
        for connection in layer.connections
        if connection.source == source
    ]
    return np.sum(counts, axis=0)


def dense_synapses(network: Network, index: int, connection: Connection) -> int:
    """Count the synapses of a connection that feeds the layer `index`, with those whose weight is zero."""
    linear = connection.linear
    full: Convolution | SparseMatrix
    if isinstance(linear, Convolution):
        full = dataclasses.replace(linear, kernel=np.ones_like(linear.kernel), scale=None)
    else:
        full = dataclasses.replace(linear, weight=np.ones_like(linear.weight))
    return int(fan_out(network, index, dataclasses.replace(connection, linear=full), pooled=True).sum())


def weight_count(connection: Connection) -> int:
    """Count the weights that a connection holds."""
    linear = connection.linear
    return int(linear.kernel.size if isinstance(linear, Convolution) else linear.weight.size)


def is_spiking(network: Network) -> bool:
    """Whether the network's neurons send spikes rather than rates."""
    return all(NENGO_NEURONS[network.layers[index].neuron].spikes for index in network.populations)


def neuron_updates_per_step(network: Network) -> int:
    """Number of neurons, each of which is updated at every step; the readout has none."""
    return sum(network.layers[index].size for index in network.populations)


def sum_operations_per_step(network: Network) -> int:
    """Multiply-accumulates at each step of the connections that leave sums without neurons, which are rarely zero."""
    sums = (index for index, layer in enumerate(network.layers) if layer.neuron == LINEAR)
    return int(sum(layer_fan_out(network, index).sum() for index in sums))


def dense_operations(network: Network) -> int:
    """Synapses of the network: multiply-accumulates of the CNN, with average pooling, for one image."""
    sources = [IMAGE, *range(len(network.layers) - 1)]
    return int(sum(layer_fan_out(network, source, pooled=True).sum() for source in sources))


def image_operations(network: Network, image: NDArray) -> int:
    """Effective multiply-accumulates of the first layer for one image."""
    return int(layer_fan_out(network, IMAGE)[np.ravel(image) != 0].sum())


def cnn_operations(network: Network, image: NDArray, activations: list[NDArray]) -> int:
    """Effective multiply-accumulates of the CNN that the network was made from, for one image.

    Parameters
    ----------
    image
        As the CNN takes it.
    activations : list of ndarray
        Of each layer of neurons, as the CNN computes them; pooled here, as the network's connections do.
    """
    total = image_operations(network, image)
    for index, layer in enumerate(network.layers):
        for connection in layer.connections:
            if connection.source == IMAGE:
                continue
            source = network.layers[connection.source]
            if source.neuron == LINEAR:
                units = np.ones(source.shape)
            else:
                units = activations[network.populations.index(connection.source)].reshape(source.shape)
            for view in connection.views:
                units = through(units, view)
            total += int(fan_out(network, index, connection, pooled=True).ravel()[units.ravel() != 0].sum())
    return total


def through(units: NDArray, view: View, combine: np.ufunc = np.add, start: float = 0) -> NDArray:
    """Combine units over the windows of a pooling, from a start value on, by default by their sum; or reshape them."""
    if isinstance(view, Reshape):
        return units.reshape(view.shape)
    pooled = np.full(view.output_shape(units.shape), start, units.dtype)
    for (rows, of_rows), (columns, of_columns) in _window_units(view, units.shape):
        windows = np.ix_(of_rows, of_columns)
        pooled[windows] = combine(pooled[windows], units[np.ix_(rows, columns)])
    return pooled


def energy_j(macs: float, acs: float, neuron_updates: float) -> dict[str, float]:
    """Estimate the energy of so many operations in joules, by device; see `ASSUMPTIONS`."""
    return {
        name: macs * device.mac_j + acs * device.ac_j + neuron_updates * device.neuron_j
        for name, device in DEVICES.items()
    }
