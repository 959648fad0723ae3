"""The compiled network: what a converted network is once Nengo's objects are gone, and the one file it travels in.

A network is a list of layers in the order in which signals flow. Each layer receives an input current
``J[t] = offset + sum over connections of W y[t]`` and turns it into outputs by its neuron type; the last layer is the
readout, whose current is the logits. Gains of the neurons are part of the weights and of the offset.
Neurons of a layer lie in an image of shape (rows, columns, channels), flattened in that order.

This module needs numpy only.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csnn import synapses
from csnn.files import AGAIN, InputError, check_settings, read_npz, write_npz
from csnn.neurons import NENGO_NEURONS
from csnn.synapses import LOWPASS, Synapse

FORMAT = "csnn-network"
FORMAT_VERSION = 5
IMAGE = -1
"""The `source` of a connection that comes from the image itself."""

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Pooling:
    """Average pooling: windows of `size` (rows, columns), one every `stride` (rows, columns).

    With `same`, windows reach over the edges as TensorFlow's "same" padding has it, and average what lies within.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    same: bool = False

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the pooled image of an image of `shape`."""
        rows, columns = (
            -(-length // step) if self.same else (length - size) // step + 1
            for length, size, step in zip(shape[:2], self.size, self.stride, strict=True)
        )
        return (rows, columns, shape[2])

    def before(self, shape: Shape) -> tuple[int, int]:
        """Rows and columns by which the first windows reach over the edge of an image of `shape`."""
        if not self.same:
            return (0, 0)
        rows, columns = (
            same_padding(length, windows, size, step)
            for length, windows, size, step in zip(
                shape[:2], self.output_shape(shape)[:2], self.size, self.stride, strict=True
            )
        )
        return (rows, columns)


def same_padding(length: int, windows: int, size: int, stride: int) -> int:
    """TensorFlow's rule for "same" padding: by how much the first window reaches over the edge."""
    return max((windows - 1) * stride + size - length, 0) // 2


@dataclass(frozen=True)
class Reshape:
    """The same units in the same order, as rows, columns and channels of another number."""

    shape: Shape

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of an image of `shape` after it."""
        return self.shape


View = Pooling | Reshape
"""How a connection reads its source."""


@dataclass(frozen=True)
class Convolution:
    """A convolution as neural networks mean it (a correlation); a dense layer is one whose kernel covers the image.

    Each input channel feeds `width` neighbouring output channels: all of them in an ordinary convolution, those of its
    group in a grouped one, a single one in a depthwise one. A connection that feeds a slice of a layer's channels, as
    the branches of a concatenation do, leaves out the others.

    Attributes
    ----------
    kernel : ndarray of float32 or float64, shape (kernel rows, kernel columns, input channels, width)
        In single precision where that holds it exactly.
    stride : (int, int)
        Rows and columns between neighbouring windows.
    padding : (int, int)
        Zeros above and left of the image (a negative number leaves out rows or columns); below and right follow from
        the output's shape.
    input_shape, output_shape : (rows, columns, channels)
    first : ndarray of int32, shape (input channels,), or None
        The first output channel that each input channel feeds; None if that is 0 for all.
    scale : ndarray of float64, shape (output channels,), or None
        Factor of each output channel; None for 1.
    """

    kernel: NDArray[np.floating]
    stride: tuple[int, int]
    padding: tuple[int, int]
    input_shape: Shape
    output_shape: Shape
    first: NDArray[np.int32] | None = None
    scale: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class SparseMatrix:
    """Any other linear map, as the columns of a sparse matrix: unit ``i`` feeds ``target[first[i]:first[i + 1]]``.

    Attributes
    ----------
    first : ndarray of int64, shape (inputs + 1,)
    target : ndarray of int32
        Flat index of the receiving unit.
    weight : ndarray of float64, the shape of `target`
    size : int
        Number of receiving units.
    """

    first: NDArray[np.int64]
    target: NDArray[np.int32]
    weight: NDArray[np.float64]
    size: int


@dataclass(frozen=True)
class Connection:
    """A linear path from the image or a layer to a layer: views, then a linear map, with at most one synaptic filter.

    Attributes
    ----------
    source : int
        Index of the layer it comes from, or `IMAGE`.
    views : tuple of Pooling or Reshape
        Applied to the source's outputs, in this order.
    linear : Convolution or SparseMatrix
    tau_syn_s : float or None
        Synaptic time constant in seconds, with which comes a delay of one step; None for neither filter nor delay.
    has_synapse : bool
        Whether the converted network has its synapse here: only then `with_synapse` changes the time constant. NengoDL
        puts it on connections that leave neurons, except those of upsampling.
    synapse : str or mapping
        Kind of synapse, see `csnn.synapses`.
    """

    source: int
    views: tuple[View, ...]
    linear: Convolution | SparseMatrix
    tau_syn_s: float | None
    has_synapse: bool
    synapse: Synapse = LOWPASS

    @property
    def time_constants_s(self) -> tuple[float, ...]:
        """Of the lowpasses in a row that its filter is, in seconds; none if there is no filter."""
        if self.tau_syn_s is None:
            return ()
        rise_s = synapses.rise_s(self.synapse, self.tau_syn_s)
        return (self.tau_syn_s,) if rise_s is None else (rise_s, self.tau_syn_s)


@dataclass(frozen=True)
class Layer:
    """A population of neurons of one type, or a sum that several others read, or the readout.

    Attributes
    ----------
    name : str
        Label of the Nengo object.
    shape : (rows, columns, channels)
    neuron : str
        Name of the neuron type in `csnn.neurons.NENGO_NEURONS` (``LIF``, ...); ``linear`` where the output is the
        current itself; ``readout`` for the last layer, whose current is the logits.
    parameters : mapping of str to float
        The neuron type's parameters under Nengo's names: time constants in seconds, ``amplitude`` of a spike.
    state : mapping of str to ndarray of float64, each of shape (neurons,)
        Initial values of the state variables under Nengo's names.
    offset : ndarray of float64, shape (neurons,)
        Input current without any input: gain times constant inputs, plus bias.
    connections : tuple of Connection
    """

    name: str
    shape: Shape
    neuron: str
    parameters: Mapping[str, float]
    state: Mapping[str, NDArray[np.float64]]
    offset: NDArray[np.float64]
    connections: tuple[Connection, ...]

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


READOUT = "readout"
LINEAR = "linear"
SETTINGS = ("neuron", "neuron_parameters", "max_rate_hz", "initial_voltage", "cnn")
"""What a network is compiled with, beside its seed: names of the rule's params."""


@dataclass(frozen=True)
class Network:
    """A compiled network; the last layer is the readout.

    Attributes
    ----------
    input_shape : (rows, columns, channels)
        Shape of an image.
    layers : tuple of Layer
        Every connection comes from the image or from an earlier layer.
    seed : int
        Seed of the initial state.
    provenance : mapping of str to str
        Versions of what compiled it, ``model``, the hash of the CNN that it was converted from, and ``settings``, JSON.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]
    seed: int
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def populations(self) -> tuple[int, ...]:
        """Indices of the layers of neurons."""
        return tuple(i for i, layer in enumerate(self.layers) if layer.neuron not in (LINEAR, READOUT))

    @property
    def depth(self) -> int:
        """Largest number of synapses on a path from the image to the logits."""
        depths = [0] * len(self.layers)
        for i, layer in enumerate(self.layers):
            before = [
                connection.has_synapse + (depths[connection.source] if connection.source != IMAGE else 0)
                for connection in layer.connections
            ]
            depths[i] = max(before, default=0)
        return depths[-1]

    @property
    def with_synapses(self) -> list[Connection]:
        """The connections that have the converted network's synapse."""
        return [connection for layer in self.layers for connection in layer.connections if connection.has_synapse]

    @property
    def synapse(self) -> Synapse:
        """Kind of synapse of the converted network."""
        return self.with_synapses[0].synapse if self.with_synapses else LOWPASS

    @property
    def tau_syn_s(self) -> float | None:
        """Synaptic time constant of the converted network in seconds; None for no filter."""
        return self.with_synapses[0].tau_syn_s if self.with_synapses else None

    @property
    def classes(self) -> int:
        """Number of logits."""
        return self.layers[-1].size


def check_numbers(network: Network, real: type = np.float64) -> None:
    """Check that all numbers of a network are finite in a float type, and initial states in the range of their neurons.

    Raises
    ------
    InputError
        Naming the layer, what is wrong and what would be right.
    """
    largest = np.finfo(real).max
    for layer in network.layers:
        arrays: dict[str, NDArray] = {}
        _describe(layer, arrays)
        for array in arrays.values():
            if array.size and array.dtype.kind == "f" and not (-largest <= array.min() and array.max() <= largest):
                raise InputError(
                    f"layer {layer.name} of the network has weights, input currents or initial states that are NaN, "
                    f"infinite or beyond {largest:.1e}; all must be finite in {np.dtype(real).name}"
                )
        for name, parameter in layer.parameters.items():
            if math.isnan(parameter):
                raise InputError(f"neurons of layer {layer.name} have {name} NaN; it must be a number")
        allowed = NENGO_NEURONS[layer.neuron].allowed_state if layer.neuron in NENGO_NEURONS else {}
        for name, (low, high) in allowed.items():
            least, most = layer.state[name].min(), layer.state[name].max()
            if not (low <= least and most <= high):
                raise InputError(
                    f"neurons of layer {layer.name} ({layer.neuron}) start with {name} from {least:g} to {most:g}; "
                    + (f"it must be from {low:g} to {high:g}" if low > -math.inf else f"it must be at most {high:g}")
                )


def with_synapse(network: Network, tau_syn_s: float | None, synapse: Synapse | None = None) -> Network:
    """Return the network with another synapse on every connection that has the converted network's.

    Nothing else depends on the synapse, the initial state least of all, so one compiled network serves a whole sweep.

    Parameters
    ----------
    network : Network
    tau_syn_s : float or None
        Synaptic time constant in seconds (0 or more), or None for neither filter nor delay.
    synapse : str or mapping, optional
        Kind of synapse, see `csnn.synapses`; by default the network's own.

    Raises
    ------
    ValueError
        If the time constant or the kind of synapse is not allowed, or the network was compiled without a synapse, so
        that it does not say which connections would have it.
    """
    synapse = network.synapse if synapse is None else synapse
    synapses.check(synapse, tau_syn_s)
    if tau_syn_s is not None and not network.with_synapses:
        raise ValueError(
            "the network was compiled without a synapse and has no place for one; convert it with any time constant"
        )
    layers = tuple(
        dataclasses.replace(
            layer,
            connections=tuple(
                dataclasses.replace(connection, tau_syn_s=tau_syn_s, synapse=synapse)
                if connection.has_synapse
                else connection
                for connection in layer.connections
            ),
        )
        for layer in network.layers
    )
    return dataclasses.replace(network, layers=layers)


def save_network(network: Network, path: str | os.PathLike) -> None:
    """Write a network as one ``.npz`` with a checksum: arrays, a JSON description and its format version.

    The file is written completely or not at all, and the same network gives the same bytes.
    """
    arrays: dict[str, NDArray] = {}
    description = json.dumps(_describe(network, arrays), sort_keys=True)
    header = {
        "format": np.array(FORMAT),
        "version": np.array(FORMAT_VERSION),
        "description": np.array(description),
    }
    write_npz(path, header | arrays, compressed=False)


def load_network(
    path: str | os.PathLike, settings: Mapping[str, Any] | None = None, *, renamed: bool = False
) -> Network:
    """Read a network written by `save_network`.

    Parameters
    ----------
    path
    settings
        What it must have been compiled with: keys of its ``settings``, ``synapse`` if it is not lowpass, and ``seed``.
        None to accept any.
    renamed
        Whether the file may have been written to another path.

    Raises
    ------
    InputError
        If the file is missing, damaged, changed, another's, or written by another version; says what to do.
    """
    arrays = read_npz(path, renamed=renamed)
    names = ("format", "version", "description")
    if not arrays.keys() >= {*names} or str(arrays["format"]) != FORMAT:
        raise InputError(f"{path} is not a compiled network; {AGAIN}")
    header = {name: arrays.pop(name) for name in names}
    if int(header["version"]) != FORMAT_VERSION:
        raise InputError(
            f"{path} was made by another version of the workflow (a network of version {int(header['version'])}, "
            f"not {FORMAT_VERSION}); {AGAIN}"
        )
    network = _restore(json.loads(str(header["description"])), arrays)
    if settings is not None:
        compiled_with = json.loads(network.provenance.get("settings", "{}"))
        known = compiled_with | {"seed": network.seed, "synapse": network.synapse}
        check_settings(path, known, {"synapse": LOWPASS} | dict(settings))
    return network


_KINDS = {kind.__name__: kind for kind in (Pooling, Reshape, Convolution, SparseMatrix, Connection, Layer, Network)}


def _describe(value: Any, arrays: dict[str, NDArray]) -> Any:
    """Turn a value into JSON, with each array replaced by its name in `arrays`."""
    if isinstance(value, np.ndarray):
        name = f"array{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if dataclasses.is_dataclass(value):
        fields = {item.name: _describe(getattr(value, item.name), arrays) for item in dataclasses.fields(value)}
        if fields.get("synapse") == LOWPASS:  # left out, as before there were others
            del fields["synapse"]
        return {"kind": type(value).__name__, "fields": fields}
    if isinstance(value, Mapping):
        return {"mapping": {key: _describe(item, arrays) for key, item in value.items()}}
    if isinstance(value, tuple):
        return [_describe(item, arrays) for item in value]
    return value


def _restore(value: Any, arrays: Mapping[str, NDArray]) -> Any:
    """Undo `_describe`."""
    if isinstance(value, list):
        return tuple(_restore(item, arrays) for item in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "mapping" in value:
        return {key: _restore(item, arrays) for key, item in value["mapping"].items()}
    return _KINDS[value["kind"]](**{name: _restore(item, arrays) for name, item in value["fields"].items()})
