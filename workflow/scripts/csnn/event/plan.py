"""A compiled network made ready for the kernels: at one precision, with one time step, and without what nobody reads.

See `csnn.event.simulator`, which simulates such a plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from csnn.event import kernels
from csnn.event.neuron_steps import NUMBERS
from csnn.event.network import (
    IMAGE,
    READOUT,
    Connection,
    Convolution,
    Layer,
    Network,
    Pooling,
    Shape,
    check_numbers,
)
from csnn.neurons import NENGO_NEURONS
from csnn.neurons.neuron_type import NeuronType

NO_FILTER_BELOW = 0.03
"""Nengo and NengoDL do not smooth where tau <= 0.03 dt (nengo_dl/process_builders.py, LowpassBuilder)."""

ALIGNMENT = 64
"""Bytes of a cache line: vectors of numbers that lie across two take twice as long to read."""

PRECISIONS = {"double": np.float64, "single": np.float32}


def lowpass(tau_syn_s: float | None, dt_s: float) -> kernels.Lowpass:
    """The filter of a synapse at a time step: ``y[t] = d y[t-1] + (1 - d) x[t]`` with ``d = exp(-dt / tau)``.

    The first-order lowpass with its input held over each step (nengo/synapses.py, LinearFilter, zero-order hold).
    Nengo lets every filtered signal arrive one step later.

    Parameters
    ----------
    tau_syn_s : float or None
        Synaptic time constant in seconds; None for neither filter nor delay.
    dt_s : float
        Length of a step in seconds.
    """
    if tau_syn_s is None:
        return kernels.Lowpass(0.0, 1.0, False)
    if tau_syn_s <= NO_FILTER_BELOW * dt_s:
        return kernels.Lowpass(0.0, 1.0, True)
    return kernels.Lowpass(math.exp(-dt_s / tau_syn_s), -math.expm1(-dt_s / tau_syn_s), True)


@dataclass(frozen=True)
class Path:
    """A connection made ready for the kernels; `shape` is what it computes of the layer that it feeds."""

    source: int
    poolings: tuple[Pooling, ...]
    lowpass: kernels.Lowpass
    weights: kernels.ConvolutionWeights | None
    sparse: tuple[NDArray, NDArray, NDArray] | None
    shape: Shape

    @property
    def has_memory(self) -> bool:
        """Whether a constant signal leaves this connection as one that changes."""
        return self.lowpass.decay != 0 or self.lowpass.delayed


@dataclass(frozen=True)
class Stage:
    """A layer made ready for the kernels.

    Attributes
    ----------
    shape : (int, int, int)
        Of that part of the layer which reaches the readout: pooling and strides can leave last rows and columns unused.
    fused : Path or None
        The convolution that is computed tile by tile together with the neurons.
    given : tuple of Path
        All other connections; their currents are computed beforehand.
    window : (int, int)
        Average pooling applied as the neurons' outputs leave the layer.
    constant_current, constant : bool
        Whether the current from `given`, and whether the layer's output, is the same at every step.
    """

    shape: Shape
    number: int
    constants: NDArray
    state: NDArray
    offset: NDArray
    fused: Path | None
    given: tuple[Path, ...]
    window: tuple[int, int]
    constant_current: bool
    constant: bool
    recorded: NDArray[np.int64]
    silent_up_to: float

    @property
    def paths(self) -> tuple[Path, ...]:
        """All connections that feed the layer."""
        return (*self.given, self.fused) if self.fused else self.given


@dataclass(frozen=True)
class Plan:
    """A network made ready for the kernels at one precision and time step."""

    input_shape: Shape
    stages: tuple[Stage, ...]
    dt_s: float
    real: type
    count_spikes: bool
    records: bool
    output_per_spike: tuple[float, ...]


def _needed(length: int, size: int, stride: int, before: int, available: int) -> int:
    """How many of `available` inputs `length` windows of `size`, one per `stride`, reach."""
    return min((length - 1) * stride + size - before, available)


def _used_shapes(network: Network) -> list[Shape]:
    """The part of each layer, from its first row and column, on which the readout depends."""
    used = [[0, 0, layer.shape[2]] for layer in network.layers]
    used[-1] = list(network.layers[-1].shape)
    for index in range(len(network.layers) - 1, -1, -1):
        layer = network.layers[index]
        if any(_reshapes(connection, layer) for connection in layer.connections):
            used[index] = list(layer.shape)
        for connection in layer.connections:
            if connection.source == IMAGE:
                continue
            source = network.layers[connection.source]
            shapes = [source.shape]
            for pooling in connection.poolings:
                shapes.append(pooling.output_shape(shapes[-1]))
            linear = connection.linear
            for axis in (0, 1):
                needed = shapes[-1][axis]
                if isinstance(linear, Convolution):
                    needed = _needed(
                        used[index][axis] if not _reshapes(connection, layer) else linear.output_shape[axis],
                        linear.kernel.shape[axis], linear.stride[axis], linear.padding[axis], needed,
                    )  # fmt: skip
                for pooling, shape in zip(reversed(connection.poolings), reversed(shapes[:-1]), strict=True):
                    needed = _needed(needed, pooling.size[axis], pooling.stride[axis], 0, shape[axis])
                used[connection.source][axis] = max(used[connection.source][axis], needed)
    return [(rows, columns, channels) for rows, columns, channels in used]


def _reshapes(connection: Connection, layer: Layer) -> bool:
    """Whether a connection numbers the layer's neurons otherwise than by the layer's rows and columns."""
    return not isinstance(connection.linear, Convolution) or connection.linear.output_shape != layer.shape


def _reshapes_convolution(connection: Connection, layer: Layer) -> bool:
    """Whether a connection is a convolution whose output has another shape than the layer."""
    return isinstance(connection.linear, Convolution) and _reshapes(connection, layer)


def _prepare_connection(connection: Connection, shape: Shape, dt_s: float, real: type, amplitude: float) -> Path:
    """Make a connection ready for the kernels; `amplitude` is that of the neurons that it feeds."""
    decay, gain, delayed = lowpass(connection.tau_syn_s, dt_s)
    linear = connection.linear
    if not isinstance(linear, Convolution):
        sparse = (linear.first, linear.target, linear.weight.astype(real))
        filter_ = kernels.Lowpass(real(decay), real(gain), delayed)
        return Path(connection.source, connection.poolings, filter_, None, sparse, shape)
    compacted, factor = compact(linear.kernel, amplitude)
    taps = aligned(compacted.size, np.float32 if real is np.float32 else compacted.dtype)
    taps[:] = compacted.ravel()
    weights = kernels.ConvolutionWeights(taps, *linear.kernel.shape, *linear.stride, *linear.padding)
    filter_ = kernels.Lowpass(real(decay), real(gain * factor), delayed)
    return Path(connection.source, connection.poolings, filter_, weights, None, shape)


def compact(kernel: NDArray[np.float64], amplitude: float) -> tuple[NDArray, float]:
    """Write a kernel as single-precision numbers times a factor, if that is the same to the last bit.

    Weights that Keras learned are numbers of single precision; what conversion multiplies them with is the neurons'
    gain, which is the inverse of their amplitude.

    Returns
    -------
    numbers : ndarray of float32 or, if no factor is found, of float64
    factor : float
    """
    inverse = 1 / amplitude
    for factor in (1.0, inverse, math.nextafter(inverse, 0), math.nextafter(inverse, math.inf)):
        with np.errstate(over="ignore"):
            numbers = (kernel / factor).astype(np.float32)
        if np.array_equal(numbers * np.float64(factor), kernel):
            return numbers, factor
    return kernel, 1.0


def prepare(
    network: Network,
    dt_s: float,
    precision: str,
    *,
    count_spikes: bool = False,
    followed: Mapping[int, Sequence[int]] | None = None,
) -> Plan:
    """Make a network ready for the kernels.

    Parameters
    ----------
    network : Network
    dt_s : float
        Length of a step in seconds.
    precision : {"double", "single"}
    count_spikes, followed
        What is to be recorded, see `csnn.event.simulator.Record`: then all neurons are simulated.

    Raises
    ------
    InputError
        As `csnn.event.network.check_numbers`.
    """
    real = PRECISIONS[precision]
    check_numbers(network, real)
    neurons = {index: np.asarray(chosen, np.int64) for index, chosen in (followed or {}).items()}
    everything = count_spikes or bool(neurons)
    used = [layer.shape for layer in network.layers] if everything else _used_shapes(network)
    stages: list[Stage] = []
    for index, layer in enumerate(network.layers):
        paths = [
            _prepare_connection(
                connection,
                connection.linear.output_shape if _reshapes_convolution(connection, layer) else used[index],
                dt_s,
                real,
                layer.parameters.get("amplitude", 1.0),
            )
            for connection in layer.connections
        ]
        changing = [path.has_memory or (path.source != IMAGE and not stages[path.source].constant) for path in paths]
        fused = None
        if layer.neuron != READOUT:
            candidates = [
                path
                for path, connection, changes in zip(paths, layer.connections, changing, strict=True)
                if changes and not _reshapes(connection, layer)
            ]
            fused = max(candidates, key=lambda path: path.weights.taps.size) if candidates else None
        given = tuple(path for path in paths if path is not fused)
        constant_current = not any(changes for path, changes in zip(paths, changing, strict=True) if path is not fused)
        shape = used[index]
        cropped = np.arange(layer.size).reshape(layer.shape)[: shape[0], : shape[1]].ravel()
        number, threshold = -1, -math.inf
        names: tuple[str, ...] = ()
        constants: tuple[float, ...] = ()
        if layer.neuron != READOUT:
            kind = NENGO_NEURONS[layer.neuron]
            step, constants = kind.prepare(layer.parameters, dt_s)
            number, names, threshold = NUMBERS[step], kind.state._fields, silent_up_to(kind, layer.state)
        state = np.array([layer.state[name][cropped] for name in names], real).reshape(len(names), len(cropped))
        stages.append(
            Stage(
                shape=shape,
                number=number,
                constants=np.array(constants, real),
                state=state,
                offset=layer.offset[cropped].astype(real)[np.newaxis],
                fused=fused,
                given=given,
                window=_window(network, index),
                constant_current=constant_current,
                constant=fused is None and constant_current and not names,
                recorded=neurons.get(index, np.zeros(0, np.int64)),
                silent_up_to=real(threshold),
            )
        )
    output_per_spike = tuple(layer.parameters.get("amplitude", 1.0) / dt_s for layer in network.layers)
    return Plan(network.input_shape, tuple(stages), dt_s, real, count_spikes, everything, output_per_spike)


def silent_up_to(kind: NeuronType, state: Mapping[str, NDArray[np.float64]]) -> float:
    """The constant current up to which neurons with this initial state are silent."""
    ordinary = all(
        low <= np.min(state[name]) and np.max(state[name]) <= high for name, (low, high) in kind.ordinary_state.items()
    )
    return kind.silent_up_to if ordinary else -math.inf


def _window(network: Network, index: int) -> tuple[int, int]:
    """The pooling to apply as outputs leave a layer: all that follows shares it, and its windows are disjoint."""
    first = {
        connection.poolings[0] if connection.poolings else None
        for layer in network.layers
        for connection in layer.connections
        if connection.source == index
    }
    if len(first) == 1:
        pooling = first.pop()
        if pooling is not None and pooling.size == pooling.stride:
            return pooling.size
    return (1, 1)


def aligned(size: int, dtype: type) -> NDArray:
    """Return a one-dimensional array, not initialised, that begins at a multiple of `ALIGNMENT` bytes."""
    memory = np.empty(size * np.dtype(dtype).itemsize + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size * np.dtype(dtype).itemsize].view(dtype)
