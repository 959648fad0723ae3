"""A compiled network made ready for the kernels: precision, time step, time constants, and without what nobody reads.

See `csnn.event.simulator`, which simulates such a plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn import synapses
from csnn.event import kernels
from csnn.event.neuron_steps import NUMBERS
from csnn.event.network import (
    IMAGE,
    LINEAR,
    READOUT,
    Connection,
    Convolution,
    Layer,
    Network,
    Pooling,
    Reshape,
    Shape,
    SparseMatrix,
    View,
    check_numbers,
)
from csnn.neurons import NENGO_NEURONS
from csnn.neurons.neuron_type import NeuronType

NO_FILTER_BELOW = 0.03
"""Nengo and NengoDL do not smooth where tau <= 0.03 dt (nengo_dl/process_builders.py, LowpassBuilder)."""

ALIGNMENT = 64
"""Bytes of a cache line: vectors of numbers that lie across two take twice as long to read."""

STEPS_PER_BLOCK = 100
"""Time steps that a layer takes before the next layer follows, at most."""

EVENT_BYTES = 512 * 2**20
"""Memory for the events and currents of all layers over a block of steps, for each thread."""

CACHED_WEIGHT_BYTES = 3 * 2**18
"""Weights that stay in the processor's second-level cache while a layer is computed."""

CHANNELS_PER_TILE = 64
"""Output channels computed together where the weights of all do not stay in the cache."""

FUSED = 2
"""Connections of a layer that are computed together with its neurons, at most."""

PRECISIONS: dict[str, Any] = {"double": np.float64, "single": np.float32}


class Lowpass(NamedTuple):
    """A synaptic filter ``y[t] = decay y[t-1] + gain x[t]``; `delayed` if it arrives one step later."""

    decay: float
    gain: float
    delayed: bool


def lowpass(tau_syn_s: float | None, dt_s: float) -> Lowpass:
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
        return Lowpass(0.0, 1.0, False)
    if tau_syn_s <= NO_FILTER_BELOW * dt_s:
        return Lowpass(0.0, 1.0, True)
    return Lowpass(math.exp(-dt_s / tau_syn_s), -math.expm1(-dt_s / tau_syn_s), True)


class Rise(NamedTuple):
    """A lowpass before that of the decay: ``z[t] = decay z[t-1] + gain x[t]``, and ``y`` follows ``z``, see `rise`."""

    decay: float
    gain: float
    coupling: float
    passed: float


def rise(rise_s: float, tau_syn_s: float, dt_s: float) -> Rise:
    """The filter of a synapse that rises before it decays: two lowpasses in a row, with the input held over each step.

    ``z[t] = decay z[t-1] + gain x[t]`` and ``y[t] = d y[t-1] + coupling z[t-1] + passed gain x[t]``, where ``d`` is the
    decay of `lowpass`. This is the exact solution of ``rise_s z' = x - z`` and ``tau_syn_s y' = z - y`` over a step:
    what Nengo computes with matrix exponentials (nengo/synapses.py, LinearFilter, zero-order hold), in other
    coordinates. ``coupling`` is the integral of ``exp(-(dt - s) / tau_syn_s) exp(-s / rise_s) / tau_syn_s`` over ``s``
    from 0 to dt, in a form that holds for equal time constants too.

    Parameters
    ----------
    rise_s, tau_syn_s : float
        Time constants in seconds.
    dt_s : float
        Length of a step in seconds.
    """
    decay = math.exp(-dt_s / rise_s) if rise_s else 0.0
    gain = -math.expm1(-dt_s / rise_s) if rise_s else 1.0
    if tau_syn_s == 0:
        return Rise(decay, gain, decay, 1.0)
    difference = abs(dt_s / tau_syn_s - dt_s / rise_s)
    ratio = -math.expm1(-difference) / difference if difference else 1.0
    coupling = dt_s / tau_syn_s * math.exp(-dt_s / max(rise_s, tau_syn_s)) * ratio
    return Rise(decay, gain, coupling, (-math.expm1(-dt_s / tau_syn_s) - coupling) / gain)


@dataclass(frozen=True, eq=False)
class Path:
    """A connection made ready for the kernels.

    Attributes
    ----------
    source, views
        See `csnn.event.network.Connection`.
    shape : (rows, columns, channels)
        What is computed of the layer that it feeds: its first rows and columns, and some channels.
    decay, delayed, gain, rise, channel, stride
        See `csnn.event.kernels.Synapses`.
    weights : ConvolutionWeights or None
    sparse : tuple of ndarray, or None
        ``first``, ``target`` and ``weight`` of a `csnn.event.network.SparseMatrix`.
    covers : bool
        Whether it computes the layer's rows, columns and channels, not only as many units.
    """

    source: int
    views: tuple[View, ...]
    shape: Shape
    decay: NDArray
    delayed: bool
    gain: NDArray
    rise: NDArray
    channel: int
    stride: int
    weights: kernels.ConvolutionWeights | None
    sparse: tuple[NDArray, NDArray, NDArray] | None
    covers: bool

    @property
    def convolution(self) -> kernels.ConvolutionWeights:
        """The weights of a path that is a convolution."""
        assert self.weights is not None
        return self.weights

    @property
    def has_memory(self) -> bool:
        """Whether a constant signal leaves this connection as one that changes."""
        return self.delayed or bool(self.decay.any())

    @property
    def same_at_all_taus(self) -> bool:
        """Whether the filter is the same at every time constant."""
        return bool((self.decay == self.decay[0]).all() and (self.rise == self.rise[0]).all())

    @property
    def state_shape(self) -> tuple[int, int]:
        """Number of state variables of the filter, and of their values, for one time constant."""
        return (2 if self.rise.size else 1, math.prod(self.shape) if self.has_memory else 0)


@dataclass(frozen=True)
class Stage:
    """A layer made ready for the kernels.

    Attributes
    ----------
    shape : (int, int, int)
        Of that part of the layer which reaches the readout: pooling and strides can leave last rows and columns unused.
    fused : tuple of Path
        The convolutions that are computed tile by tile together with the neurons.
    separate : tuple of Path
        All other connections; their currents are computed beforehand.
    window : (int, int)
        Average pooling applied as the neurons' outputs leave the layer.
    block : int
        Number of channels of a tile.
    constant_current, constant : bool
        Whether the current from `separate`, and whether the layer's output, is the same at every step.
    shared : bool
        Whether the layer's output is the same at all time constants.
    together : tuple of slice
        Which time constants are simulated by one call: all if `fused` are the only connections, from shared layers.
    """

    shape: Shape
    number: int
    constants: NDArray
    state: NDArray
    offset: NDArray
    fused: tuple[Path, ...]
    separate: tuple[Path, ...]
    window: tuple[int, int]
    block: int
    constant_current: bool
    constant: bool
    shared: bool
    together: tuple[slice, ...]
    recorded: NDArray[np.int64]
    silent_up_to: np.floating

    @property
    def paths(self) -> tuple[Path, ...]:
        """All connections that feed the layer."""
        return (*self.separate, *self.fused)


@dataclass(frozen=True)
class Plan:
    """A network made ready for the kernels at one precision, time step and set of time constants.

    All layers take `steps_per_block` steps at most before the first takes the next.
    """

    input_shape: Shape
    stages: tuple[Stage, ...]
    time_constants: int
    dt_s: float
    real: type
    count_spikes: bool
    records: bool
    populations: tuple[int, ...]
    output_per_spike: tuple[float, ...]
    steps_per_block: int


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
            for view in connection.views:
                shapes.append(view.output_shape(shapes[-1]))
            linear = connection.linear
            for axis in (0, 1):
                needed = shapes[-1][axis]
                if isinstance(linear, Convolution):
                    needed = _needed(
                        used[index][axis] if not _reshapes(connection, layer) else linear.output_shape[axis],
                        linear.kernel.shape[axis], linear.stride[axis], linear.padding[axis], needed,
                    )  # fmt: skip
                for view, shape in zip(reversed(connection.views), reversed(shapes[:-1]), strict=True):
                    if isinstance(view, Reshape):
                        needed = shape[axis]
                    else:
                        before = view.before(shape)[axis]
                        needed = _needed(needed, view.size[axis], view.stride[axis], before, shape[axis])
                used[connection.source][axis] = max(used[connection.source][axis], needed)
    return [(rows, columns, channels) for rows, columns, channels in used]


def _reshapes(connection: Connection, layer: Layer) -> bool:
    """Whether a connection numbers the layer's neurons otherwise than by the layer's rows and columns."""
    return not isinstance(connection.linear, Convolution) or connection.linear.output_shape != layer.shape


def _prepare_connection(connections: Sequence[Connection], layer: Layer, used: Shape, dt_s: float, real: type) -> Path:
    """Make a connection ready for the kernels.

    Parameters
    ----------
    connections
        The connection at each time constant.
    layer
        What it feeds.
    used
        The part of that layer that is simulated.
    """
    connection = connections[0]
    decays, filter_gains, delays = zip(*(lowpass(other.tau_syn_s, dt_s) for other in connections), strict=True)
    rises = [
        rise(first_s, tau_syn_s, dt_s)
        for other in connections
        if (tau_syn_s := other.tau_syn_s) is not None
        and (first_s := synapses.rise_s(other.synapse, tau_syn_s)) is not None
    ]
    if rises:
        filter_gains = tuple(filtered.gain for filtered in rises)
    decay: NDArray = np.array(decays, real)
    gain, delayed = np.array(filter_gains)[:, np.newaxis], delays[0]
    of_rise: NDArray = np.array(
        [[r.decay, r.coupling, r.passed] for r in rises] or np.zeros((len(connections), 0)), real
    )
    linear = connection.linear
    if isinstance(linear, SparseMatrix):
        return Path(
            source=connection.source,
            views=connection.views,
            shape=layer.shape,
            decay=decay,
            delayed=delayed,
            gain=np.repeat(gain, layer.size, axis=1).astype(real),
            rise=of_rise,
            channel=0,
            stride=layer.size,
            weights=None,
            sparse=(linear.first, linear.target, linear.weight.astype(real)),
            covers=False,
        )
    rows, columns, channels = linear.output_shape if _reshapes(connection, layer) else used
    kernel_rows, kernel_columns, inputs, width = linear.kernel.shape
    first = np.zeros(inputs, np.int32) if linear.first is None else linear.first
    low, high = int(first.min()), int(first.max()) + width
    scale = np.ones(channels) if linear.scale is None else linear.scale
    is_slice = high - low < channels
    gains = gain * (scale[low:high] if is_slice else np.tile(scale, columns))
    weights = kernels.ConvolutionWeights(
        taps=linear.kernel.astype(real),
        first=first - np.int32(low) if (first != low).any() else np.zeros(0, np.int32),
        kernel_rows=kernel_rows,
        kernel_columns=kernel_columns,
        channels=inputs,
        width=width,
        outputs=high - low,
        row_stride=linear.stride[0],
        column_stride=linear.stride[1],
        rows_above=linear.padding[0],
        columns_left=linear.padding[1],
    )
    return Path(
        source=connection.source,
        views=connection.views,
        shape=(rows, columns, high - low),
        decay=decay,
        delayed=delayed,
        gain=gains.astype(real),
        rise=of_rise,
        channel=low,
        stride=channels if is_slice else gains.shape[1],
        weights=weights,
        sparse=None,
        covers=not _reshapes(connection, layer),
    )


def _fused(paths: Sequence[Path], changing: Sequence[bool], channels: int) -> tuple[tuple[Path, ...], int]:
    """Choose the connections to compute together with a layer's neurons, and how many channels at a time.

    Returns
    -------
    fused : tuple of Path
        The first feeds all channels.
    block : int
    """
    candidates = [path for path, changes in zip(paths, changing, strict=True) if changes and path.covers]
    candidates.sort(key=lambda path: -path.convolution.taps.size)
    main = next((path for path in candidates if path.shape[2] == channels), None)
    if main is None:
        return (), channels
    if main.convolution.taps.nbytes > CACHED_WEIGHT_BYTES and main.convolution.first.size == 0:
        return (main,), min(CHANNELS_PER_TILE, channels)
    others = [path for path in candidates if path is not main]
    return (main, *others[: FUSED - 1]), channels


def _laid_out(path: Path, block: int) -> Path:
    """Lay out a convolution's weights for blocks of output channels."""
    if path.weights is None:
        return path
    kernel, width, gain = path.weights.taps, path.weights.width, path.gain
    taps = aligned(kernel.size, kernel.dtype.type)
    if path.weights.first.size > 0 or block >= width:
        taps[:] = kernel.ravel()
    else:
        parts = [kernel[..., low : low + block].ravel() for low in range(0, width, block)]
        np.concatenate(parts, out=taps)
        gain = gain[:, :width].copy()
    return replace(path, weights=path.weights._replace(taps=taps), gain=gain)


def prepare(
    networks: Sequence[Network],
    dt_s: float,
    precision: str,
    *,
    count_spikes: bool = False,
    followed: Mapping[int, NDArray[np.int64]] | None = None,
) -> Plan:
    """Make a network ready for the kernels.

    Parameters
    ----------
    networks : sequence of Network
        A network at each time constant (see `csnn.event.network.with_synapse`): all with delays, or all without.
    dt_s : float
        Length of a step in seconds.
    precision : {"double", "single"}
    count_spikes, followed
        What is to be recorded, see `csnn.event.simulator.Record`, neurons in ascending order: then all are simulated.

    Raises
    ------
    InputError
        As `csnn.event.network.check_numbers`.
    """
    real, network = PRECISIONS[precision], networks[0]
    check_numbers(network, real)
    neurons = followed or {}
    everything = count_spikes or bool(neurons)
    used = [layer.shape for layer in network.layers] if everything else _used_shapes(network)
    stages: list[Stage] = []
    for index, layer in enumerate(network.layers):
        connections = zip(*(other.layers[index].connections for other in networks), strict=True)
        paths = [_prepare_connection(same, layer, used[index], dt_s, real) for same in connections]
        changing = [path.has_memory or (path.source != IMAGE and not stages[path.source].constant) for path in paths]
        fused, block = ((), 0) if layer.neuron == READOUT else _fused(paths, changing, layer.shape[2])
        if everything and fused and block < layer.shape[2]:
            block = layer.shape[2]
        constant_current = not any(changes for path, changes in zip(paths, changing, strict=True) if path not in fused)
        fed_alike = all(path.source == IMAGE or stages[path.source].shared for path in paths)
        shared = fed_alike and all(path.same_at_all_taus for path in paths)
        together = [slice(tau, tau + 1) for tau in range(1 if shared else len(networks))]
        if fed_alike and not shared and len(fused) == len(paths):
            together = [slice(0, len(networks))]
        shape = used[index]
        cropped = np.arange(layer.size).reshape(layer.shape)[: shape[0], : shape[1]].ravel()
        number, threshold = -1, -math.inf
        names: tuple[str, ...] = ()
        constants: tuple[float, ...] = ()
        if layer.neuron not in (LINEAR, READOUT):
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
                fused=tuple(_laid_out(path, block) for path in fused),
                separate=tuple(_laid_out(path, layer.shape[2]) for path in paths if path not in fused),
                window=_window(network, index),
                block=block,
                constant_current=constant_current,
                constant=not fused and constant_current and not names,
                shared=shared,
                together=tuple(together),
                recorded=neurons.get(index, np.zeros(0, np.int64)),
                silent_up_to=real(threshold),
            )
        )
    output_per_spike = tuple(layer.parameters.get("amplitude", 1.0) / dt_s for layer in network.layers)
    steps = _steps_per_block(stages, len(networks), np.dtype(real).itemsize)
    return Plan(
        network.input_shape, tuple(stages), len(networks), dt_s, real, count_spikes, everything, network.populations,
        output_per_spike, steps,
    )  # fmt: skip


def _steps_per_block(stages: Sequence[Stage], time_constants: int, size: int) -> int:
    """Choose how many steps a layer takes before the next follows, so that events and currents fit into `EVENT_BYTES`.

    Parameters
    ----------
    size : int
        Bytes of a number.
    """
    # of each step, if all units are active
    event_bytes = [(size + 4) * stage.offset.size * (1 if stage.shared else time_constants) for stage in stages]
    needed = sum(number for stage, number in zip(stages, event_bytes, strict=True) if not stage.constant)
    needed += max(stage.offset.size * size for stage in stages)
    views = {(path.source, path.views) for stage in stages for path in stage.paths if path.views}
    needed += sum(event_bytes[source] for source, _ in views if source != IMAGE)
    return max(1, min(STEPS_PER_BLOCK, EVENT_BYTES // max(needed, 1)))


def silent_up_to(kind: NeuronType, state: Mapping[str, NDArray[np.float64]]) -> float:
    """The constant current up to which neurons with this initial state are silent."""
    ordinary = all(
        low <= np.min(state[name]) and np.max(state[name]) <= high for name, (low, high) in kind.ordinary_state.items()
    )
    return kind.silent_up_to if ordinary else -math.inf


def _window(network: Network, index: int) -> tuple[int, int]:
    """The pooling to apply as outputs leave a layer: all that follows shares it, and its windows are disjoint."""
    first = {
        connection.views[0] if connection.views else None
        for layer in network.layers
        for connection in layer.connections
        if connection.source == index
    }
    if len(first) == 1:
        view = first.pop()
        if isinstance(view, Pooling) and view.size == view.stride and not view.same:
            return view.size
    return (1, 1)


def aligned(size: int, dtype: type) -> NDArray:
    """Return a one-dimensional array, not initialised, that begins at a multiple of `ALIGNMENT` bytes."""
    memory = np.empty(size * np.dtype(dtype).itemsize + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size * np.dtype(dtype).itemsize].view(dtype)
