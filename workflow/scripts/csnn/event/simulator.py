"""The event-driven simulator: the exact outputs of a compiled network, layer by layer over all time steps.

The network has no loops, so a layer's outputs over all steps can be known before the next layer starts; what is zero
need not be touched; and filters can be moved behind the linear maps that they precede, where the signal is no longer
sparse but need not be stored. ``docs/engine.md`` derives this. Importing this module imports numpy and numba only.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csnn.event import kernels
from csnn.event.kernel_cache import compiling_alone
from csnn.event.plan import ALIGNMENT, FUSED, PRECISIONS, Path, Plan, Stage, aligned, prepare
from csnn.event.network import (
    IMAGE,
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
    with_synapse,
)
from csnn.files import check_pixels
from csnn.synapses import Synapse


@dataclass(frozen=True)
class Record:
    """What to record besides the logits.

    Attributes
    ----------
    spike_counts : bool
        Whether to count the spikes of every layer of neurons.
    neurons : mapping of int to sequence of int
        For an index into `Network.layers`: flat indices of the neurons to follow over time.
    """

    spike_counts: bool = False
    neurons: Mapping[int, Sequence[int]] | None = None


@dataclass(frozen=True)
class Simulation:
    """What a simulation gives.

    Attributes
    ----------
    logits : ndarray of float64, shape (images, steps, classes)
    spike_counts : ndarray of float64, shape (images, layers of neurons), or None
        Number of spikes of each layer over all steps; for rate neurons the expected number, the sum of rate times dt.
    spikes : mapping of int to ndarray of float64, shape (images, steps, recorded neurons)
        Spikes per step of the neurons that `Record.neurons` names; for rate neurons the rate times dt.
    voltages : mapping of int to ndarray of float64, shape (images, steps, recorded neurons)
        Their membrane potentials at the end of each step; NaN for rate neurons, which have none.
    """

    logits: NDArray[np.float64]
    spike_counts: NDArray[np.float64] | None
    spikes: Mapping[int, NDArray[np.float64]]
    voltages: Mapping[int, NDArray[np.float64]]


class _Workspace:
    """Arrays that one thread uses again for each image and block of steps."""

    def __init__(self, real: type):
        self.real = real
        self.arrays: dict[object, NDArray] = {}

    def array(self, key: object, shape: tuple[int, ...], dtype: type) -> NDArray:
        """Return an array with arbitrary content, the same memory whenever the same key is asked for."""
        size = math.prod(shape)
        if key not in self.arrays or self.arrays[key].size < size:
            self.arrays[key] = aligned(size, dtype)
        return self.arrays[key][:size].reshape(shape)

    def events(self, key: object, shape: Shape, steps: int, *time_constants: int) -> kernels.Events:
        """Return room for the events of an image of `shape`; with a number of time constants as first dimension."""
        rows, columns, channels = shape
        most = steps * columns * channels + 1
        return kernels.Events(
            self.array((key, "unit"), (*time_constants, rows, most), np.int32),
            self.array((key, "value"), (*time_constants, rows, most), self.real),
            self.array((key, "first"), (*time_constants, rows, steps, columns + 1), np.int32),
        )


class _Signals:
    """Events of the image and of the layers over the current block of steps, seen as connections ask for."""

    def __init__(self, plan: Plan, workspace: _Workspace):
        self.plan = plan
        self.workspace = workspace
        self.events: dict[tuple[int, int, tuple[View, ...]], tuple[kernels.Events, Shape]] = {}

    def set_image(self, image: NDArray) -> None:
        """Take the events of an image of the plan's input shape."""
        rows, columns, channels = self.plan.input_shape
        events = self.workspace.events(IMAGE, self.plan.input_shape, 1)
        kernels.events_of_image(image.reshape(rows, columns * channels), channels, events)
        self.events = {(IMAGE, 0, ()): (events, self.plan.input_shape)}

    def start_block(self) -> None:
        """Forget what belongs to the previous block."""
        self.events = {key: value for key, value in self.events.items() if key[0] == IMAGE}

    def seen(self, source: int, tau: int, views: tuple[View, ...]) -> tuple[kernels.Events, Shape]:
        """Events of a source at a time constant, after some views, and the shape of that image."""
        if source == IMAGE or self.plan.stages[source].shared:
            tau = 0
        key = (source, tau, views)
        if key not in self.events:
            events, shape = self.seen(source, tau, views[:-1])
            view = views[-1]
            shape_after = view.output_shape(shape)
            result = self.workspace.events(key, shape_after, events.first.shape[1])
            if isinstance(view, Reshape):
                kernels.reshape_events(events, shape[2], shape_after[2], result)
            else:
                kernels.pool_events(events, shape[2], view.size, view.stride, view.before(shape), result)
            self.events[key] = (result, shape_after)
        return self.events[key]

    def synapses(self, path: Path, taus: slice, filtered: NDArray) -> kernels.Synapses:
        """Give a connection its events and the states of its filters, at some time constants."""
        events, _ = self.seen(path.source, taus.start, path.views)
        return kernels.Synapses(
            events, path.convolution, path.decay[taus], path.delayed, path.gain[taus], path.rise[taus], path.channel,
            path.stride, filtered[taus],
        )  # fmt: skip


def _base_current(stage: Stage, signals: _Signals, taus: slice, filters: Mapping[int, NDArray], steps: int) -> NDArray:
    """Input current of a layer from all but its fused connections, shape (steps or 1, neurons).

    Where there are such connections, `taus` is one time constant.
    """
    if not stage.separate:
        return stage.offset
    workspace = signals.workspace
    current = workspace.array(
        "base_current", (1 if stage.constant_current else steps, stage.offset.size), workspace.real
    )
    current[:] = stage.offset
    for number, path in enumerate(stage.separate):
        if path.sparse is not None:
            tau = taus.start
            events, shape = signals.seen(path.source, tau, path.views)
            kernels.add_sparse(
                events, shape[2], *path.sparse, path.decay[tau], path.delayed, path.gain[tau], path.rise[tau],
                filters[number][tau], current,
            )  # fmt: skip
        else:
            drive = workspace.array("drive", (math.prod(path.shape),), workspace.real)
            synapses = signals.synapses(path, taus, filters[number])
            kernels.add_whole_convolution(synapses, *path.shape[:2], drive, current)
    return current


@cache
def _no_synapses(real: type) -> kernels.Synapses:
    """Synapses to stand where a layer has fewer connections than could be fused."""
    events = kernels.Events(np.zeros((1, 1), np.int32), np.zeros((1, 1), real), np.zeros((1, 1, 2), np.int32))
    weights = kernels.ConvolutionWeights(np.zeros(0, real), np.zeros(0, np.int32), *(0,) * 9)
    nothing: NDArray = np.zeros((1, 0), real)
    return kernels.Synapses(events, weights, np.zeros(1, real), False, nothing, nothing, 0, 0, nothing[np.newaxis])


def _advance(
    signals: _Signals,
    index: int,
    taus: slice,
    steps: int,
    base_current: NDArray,
    state: NDArray,
    filters: Mapping[int, NDArray],
) -> kernels.Recording:
    """Compute the events of a layer of neurons over a block of steps, at some time constants.

    Returns
    -------
    Recording
        Of each step, or of one where the layer's outputs never change.
    """
    plan, workspace = signals.plan, signals.workspace
    real, stage = plan.real, plan.stages[index]
    rows, columns, channels = stage.shape
    pooled_shape = (rows // stage.window[0], columns // stage.window[1], channels)
    block = 1 if stage.constant else steps
    count = taus.stop - taus.start
    result = workspace.events((index, taus.start), pooled_shape, block, count)
    pooling = () if stage.window == (1, 1) else (Pooling(stage.window, stage.window),)
    for tau in range(count):
        events = kernels.Events(*(array[tau] for array in result))
        signals.events[index, taus.start + tau, pooling] = (events, pooled_shape)
    recording = kernels.Recording(
        np.zeros((count, 1 if plan.count_spikes else 0)),
        stage.recorded,
        np.empty((count, block, stage.recorded.size), real),
        np.full((count, block, stage.recorded.size), np.nan, real),
    )
    if not stage.fused and stage.constant_current and not plan.records:
        kernels.advance_layer_of_constant_current(
            stage.number, stage.constants, state[taus.start], base_current[0], stage.silent_up_to, stage.shape,
            stage.window, events,
        )  # fmt: skip
        return recording
    synapses = [
        signals.synapses(path, taus, filters[number]) for number, path in enumerate(stage.fused, len(stage.separate))
    ]
    synapses += [_no_synapses(real)] * (FUSED - len(synapses))
    tile = -(-stage.window[0] * columns * stage.block // ALIGNMENT) * ALIGNMENT
    leaving = math.prod(pooled_shape[1:]) if stage.block < channels else 0
    work = kernels.WorkSpace(
        np.zeros(count, np.int64),
        workspace.array("tile", (4, tile), real),
        workspace.array("tile drive", (FUSED, tile), real),
        workspace.array("tile filters", (count, max((p.state_shape[0] for p in stage.fused), default=1), tile), real),
        workspace.array("tile state", (count, len(stage.state), tile), real),
        workspace.array("leaving", (count, block, leaving), real),
    )
    kernels.advance_layer(
        stage.number, stage.constants, state[taus], base_current, tuple(synapses), len(stage.fused),
        stage.shape, stage.window, stage.block, recording, work, result,
    )  # fmt: skip
    return recording


def _simulate_image(
    plan: Plan,
    image: NDArray,
    workspace: _Workspace,
    logits: NDArray[np.float64],
    spike_counts: NDArray[np.float64],
    followed: Mapping[int, tuple[NDArray, NDArray]],
) -> None:
    """Simulate one image: block after block of steps, and within a block layer after layer.

    Parameters
    ----------
    logits : shape (time constants, steps, classes), filled
    spike_counts : shape (time constants, layers of neurons) or (time constants, 0), filled
    followed : for each stage with recorded neurons their spikes and voltages, each of shape (time constants, steps,
        neurons), filled
    """
    real = plan.real
    steps = logits.shape[1]
    blocks = -(-steps // plan.steps_per_block)
    length = -(-steps // blocks)
    signals = _Signals(plan, workspace)
    signals.set_image(np.ascontiguousarray(image, real))
    states, filters = [], []
    for index, stage in enumerate(plan.stages):
        taus = stage.together[-1].stop
        states.append(workspace.array((index, "state"), (taus, *stage.state.shape), real))
        filters.append(
            {
                number: workspace.array((index, "filter", number), (taus, *path.state_shape), real)
                for number, path in enumerate(stage.paths)
            }
        )
        states[-1][:] = stage.state
        for filtered in filters[-1].values():
            filtered[:] = 0
    totals = np.zeros((plan.time_constants, len(plan.stages)))
    for start in range(0, steps, length):
        stop = min(start + length, steps)
        signals.start_block()
        for index, stage in enumerate(plan.stages):
            for taus in stage.together:
                # what does not depend on the time constant is computed once
                all_taus = slice(None) if stage.shared else taus
                base_current = _base_current(stage, signals, taus, filters[index], stop - start)
                if index == len(plan.stages) - 1:
                    logits[all_taus, start:stop] = base_current
                    continue
                recording = _advance(signals, index, taus, stop - start, base_current, states[index], filters[index])
                if plan.count_spikes:
                    totals[all_taus, index] += recording.total[:, 0] * ((stop - start) // recording.output.shape[1])
                if index in followed:
                    spikes, voltages = followed[index]
                    spikes[all_taus, start:stop] = recording.output
                    voltages[all_taus, start:stop] = recording.voltage
    if plan.count_spikes:
        spike_counts[:] = totals[:, plan.populations] / np.take(plan.output_per_spike, plan.populations)
    for index, (spikes, _) in followed.items():
        spikes /= plan.output_per_spike[index]


AS_COMPILED: Literal["as compiled"] = "as compiled"


def simulate(
    network: Network,
    images: ArrayLike,
    *,
    tau_syn_s: float | Literal["as compiled"] | None = AS_COMPILED,
    synapse: Synapse | None = None,
    dt_s: float = 0.001,
    steps: int = 100,
    precision: str = "double",
    threads: int = 1,
    on_images_done: Callable[[int], None] | None = None,
    record: Record | None = None,
) -> Simulation:
    """Simulate a compiled network on images, each shown unchanged for all steps.

    Parameters
    ----------
    network : Network
    images : array of float, shape (images, rows, columns, channels)
        What the network's input node puts out, pixels in [0, 1] for a network converted from an image classifier.
    tau_syn_s : float or None, optional
        Synaptic time constant in seconds of every connection that leaves neurons, None for no filter; by default what
        the network was compiled with.
    synapse : str or mapping, optional
        Kind of synapse: ``lowpass``, ``alpha`` or ``{"rise_s": seconds}``, a double exponential that decays with
        `tau_syn_s` (see `csnn.synapses`); by default what the network was compiled with.
    dt_s : float
        Length of a step in seconds.
    steps : int
        Number of steps.
    precision : {"double", "single"}
    threads : int
        Threads, each of which simulates one image at a time.
    on_images_done : callable, optional
        Called, one call at a time, with the number of images simulated so far.
    record : Record, optional
        What to record besides the logits.

    Returns
    -------
    Simulation
        Its numbers depend on neither the number of threads nor on the other images.

    Raises
    ------
    ValueError
        If an argument is out of range, the images do not fit the network, or numbers are not finite.
    """
    return simulate_time_constants(
        network, images, [tau_syn_s], synapse=synapse, dt_s=dt_s, steps=steps, precision=precision, threads=threads,
        on_images_done=on_images_done, record=record,
    )[0]  # fmt: skip


def simulate_time_constants(
    network: Network,
    images: ArrayLike,
    taus_syn_s: Sequence[float | Literal["as compiled"] | None],
    *,
    synapse: Synapse | None = None,
    dt_s: float = 0.001,
    steps: int = 100,
    precision: str = "double",
    threads: int = 1,
    on_images_done: Callable[[int], None] | None = None,
    record: Record | None = None,
) -> list[Simulation]:
    """`simulate` at several synaptic time constants, which share what does not depend on them.

    Parameters
    ----------
    network, images, synapse, dt_s, steps, precision, threads, record
        As for `simulate`.
    taus_syn_s : sequence of float or None
        Synaptic time constants, each as for `simulate`.
    on_images_done : callable, optional
        Called with the number of images simulated so far at all time constants.

    Returns
    -------
    list of Simulation
        For each time constant what `simulate` gives, to the last bit.

    Raises
    ------
    ValueError
        As `simulate`.
    """
    networks = [_with_synapse(network, tau_syn_s, synapse) for tau_syn_s in taus_syn_s]
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; it must be {' or '.join(PRECISIONS)}")
    for name, value in (("steps", steps), ("threads", threads)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
    if not (math.isfinite(dt_s) and dt_s > 0):
        raise ValueError(f"dt_s is {dt_s}; it must be a time in seconds above 0")
    images = np.asarray(images)
    if images.ndim < 2 or images.dtype.kind != "f" or math.prod(images.shape[1:]) != math.prod(network.input_shape):
        raise ValueError(
            f"images are {images.dtype} of shape {images.shape}; they must be floating-point numbers of shape "
            f"(images, {', '.join(map(str, network.input_shape))})"
        )
    check_pixels(images)
    record = record or Record()
    asked = record.neurons or {}
    for index, chosen in asked.items():
        if index not in network.populations:
            raise ValueError(
                f"layer {index} cannot be recorded; layers of neurons are {', '.join(map(str, network.populations))}"
            )
        if len(chosen) and not 0 <= min(chosen) <= max(chosen) < network.layers[index].size:
            raise ValueError(f"layer {index} has neurons 0 to {network.layers[index].size - 1} only")
    neurons = {index: np.unique(np.asarray(chosen, np.int64)) for index, chosen in asked.items()}
    # with a filter comes a delay: time constants with one go together, then those without
    order = sorted(range(len(networks)), key=lambda index: taus_syn_s[index] is None)
    filtered = sum(tau is not None for tau in taus_syn_s)
    plans = {}
    for first, last in ((0, filtered), (filtered, len(order))):
        if first < last:
            together = [networks[index] for index in order[first:last]]
            plans[first, last] = prepare(together, dt_s, precision, count_spikes=record.spike_counts, followed=neurons)
    shape = (len(networks), len(images))
    logits = np.empty((*shape, steps, network.classes))
    spike_counts = np.empty((*shape, len(network.populations) if record.spike_counts else 0))
    spikes, voltages = (
        {index: np.empty((*shape, steps, len(chosen))) for index, chosen in neurons.items()} for _ in range(2)
    )
    compile_kernels(PRECISIONS[precision])
    remaining = iter(range(len(images)))
    lock = threading.Lock()
    done = 0
    stopped = False

    def simulate_images() -> None:
        nonlocal done
        workspace = _Workspace(PRECISIONS[precision])
        while not stopped:
            with lock:
                number = next(remaining, None)
            if number is None:
                return
            for (first, last), plan in plans.items():
                part = slice(first, last), number
                followed = {index: (spikes[index][part], voltages[index][part]) for index in spikes}
                _simulate_image(plan, images[number], workspace, logits[part], spike_counts[part], followed)
            with lock:
                done += 1
                if on_images_done:
                    on_images_done(done)

    with ThreadPoolExecutor(threads) as executor:
        try:
            for worker in [executor.submit(simulate_images) for _ in range(threads)]:
                worker.result()
        finally:
            stopped = True
    return [
        Simulation(
            logits[position],
            spike_counts[position] if record.spike_counts else None,
            {index: _in_order(array[position], neurons[index], asked[index]) for index, array in spikes.items()},
            {index: _in_order(array[position], neurons[index], asked[index]) for index, array in voltages.items()},
        )
        for position in np.argsort(order)
    ]


def _in_order(recorded: NDArray, neurons: NDArray[np.int64], asked: Sequence[int]) -> NDArray:
    """Return what was recorded of neurons, in ascending order, in the order in which they were asked for."""
    return recorded if np.array_equal(neurons, asked) else recorded[..., np.searchsorted(neurons, asked)]


def _with_synapse(
    network: Network, tau_syn_s: float | Literal["as compiled"] | None, synapse: Synapse | None
) -> Network:
    """Return the network with the synapse that `simulate` is asked for."""
    if tau_syn_s != AS_COMPILED:
        return with_synapse(network, tau_syn_s, synapse)
    if synapse is None or synapse == network.synapse:
        return network
    return with_synapse(network, network.tau_syn_s, synapse)


@cache
def compile_kernels(real: type) -> None:
    """Compile or load the kernels for one precision, before threads would do so at the same time.

    Parameters
    ----------
    real : type
        ``numpy.float64`` or ``numpy.float32``.
    """
    pooling = Pooling((1, 1), (1, 1))
    convolution = Convolution(np.ones((1, 1, 1, 1)), (1, 1), (0, 0), (1, 1, 1), (1, 1, 1))
    sparse = SparseMatrix(np.array([0, 1]), np.zeros(1, np.int32), np.ones(1), 1)
    layer = Layer(
        "",
        (1, 1, 1),
        "RectifiedLinear",
        {"amplitude": 1.0},
        {},
        np.zeros(1),
        (Connection(IMAGE, (pooling,), convolution, None, False),),
    )
    views = (pooling, Reshape((1, 1, 1)))
    hidden = dataclasses.replace(layer, connections=(Connection(0, views, convolution, 0.0, True),))
    readout = Layer(
        "", (1, 1, 1), READOUT, {}, {}, np.zeros(1),
        (Connection(1, (), convolution, 0.0, True), Connection(1, (Pooling((1, 1), (2, 2)),), sparse, 0.0, True)),
    )  # fmt: skip
    network = Network((1, 1, 1), (layer, hidden, readout), 0)
    precision = next(name for name, known in PRECISIONS.items() if known is real)
    plan = prepare([network], 1.0, precision)
    with compiling_alone(precision):
        _simulate_image(plan, np.ones(1), _Workspace(real), np.empty((1, 1, 1)), np.empty((1, 0)), {})
