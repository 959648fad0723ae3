"""The kernels of the event-driven simulator: one image, one layer, a block of time steps.

Between layers, outputs travel as events: for every image row and step the positions and values of what is not zero.
Read `event.py` first, which calls these functions in order; ``docs/engine.md`` derives why the order is exact.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from csnn.event.kernel_cache import ALLOCATES_NOTHING, kernel
from csnn.event.neuron_steps import step_neurons
from csnn.event.vectors import add_windows

_compiled = njit(fastmath={"contract"}, **ALLOCATES_NOTHING)


class Events(NamedTuple):
    """Outputs of a layer (or pixels of an image) that are not zero, by image row and step.

    Attributes
    ----------
    unit : int32 array, shape (rows, steps * columns * channels + 1)
        ``column * channels + channel`` of each event, ascending; the events of a row's next step follow at once, so
        that what is read together lies together. The last place takes values that turn out to be zero.
    value : float array of the same shape
    first : int32 array, shape (rows, steps, columns + 1)
        Position of the first event of each column; the last entry is the end of the step's events.

    `steps` is 1 where the outputs are the same at every step.
    """

    unit: NDArray[np.int32]
    value: NDArray
    first: NDArray[np.int32]


class ConvolutionWeights(NamedTuple):
    """A convolution prepared for `convolve`.

    Attributes
    ----------
    taps : one-dimensional float array
        The kernel (kernel rows, kernel columns, input channels, width) for each block of output channels, flattened. In
        single precision where that holds it exactly, because half as much has to be read then.
    first : int32 array, shape (input channels,) or (0,)
        The first output that each input channel feeds; empty if every input channel feeds all.
    kernel_rows, kernel_columns, channels, width, outputs : int
        Size of the kernel, number of input channels, of outputs for each of them, and of outputs in all.
    row_stride, column_stride, rows_above, columns_left : int
        Distance of neighbouring windows; zeros around the image.
    """

    taps: NDArray
    first: NDArray[np.int32]
    kernel_rows: int
    kernel_columns: int
    channels: int
    width: int
    outputs: int
    row_stride: int
    column_stride: int
    rows_above: int
    columns_left: int


class Synapses(NamedTuple):
    """A connection with the events that it carries and the states of its filters, one for each time constant.

    A filter is ``y[t] = decay y[t-1] + gain x[t]`` for the convolution ``x``, which all of them share, or one of
    two lowpasses in a row, see `csnn.event.plan.rise`.

    Attributes
    ----------
    events : Events
        With a single step, they stand for all steps.
    weights : ConvolutionWeights
    decay : float array, shape (time constants,)
    delayed : bool
        Whether ``y`` arrives one step later.
    gain : float array, shape (time constants, n)
        For each output channel, or for each unit of a row of outputs.
    rise : float array, shape (time constants, 3) or (time constants, 0)
        Of two lowpasses in a row the decay of the first, ``coupling`` and ``passed``; ``gain`` is then the first's.
    channel, stride : int
        The i-th n of the outputs feed as many units from ``i * stride + channel`` on.
    filtered : float array, shape (time constants, 1 or 2, outputs)
        ``y`` and, of two lowpasses, ``z``; changed in place; of any size where there is neither filter nor delay.
    """

    events: Events
    weights: ConvolutionWeights
    decay: NDArray
    delayed: bool
    gain: NDArray
    rise: NDArray
    channel: int
    stride: int
    filtered: NDArray


@_compiled
def convolve(events, step, weights, first_row, rows, columns, low, width, result):
    """Convolve the events of one step: each window collects the weights of the events in it.

    Parameters
    ----------
    events : Events
    step : int
    weights : ConvolutionWeights
    first_row, rows, columns : int
        Which part of the output: `rows` rows from `first_row`, the first `columns` columns.
    low, width : int
        Which output channels: a block of those that `ConvolutionWeights.taps` is laid out in.
    result : float array, shape (rows * columns * width,)
        Overwritten.
    """
    image_rows, image_columns = events.first.shape[0], events.first.shape[2] - 1
    block = weights.kernel_rows * weights.kernel_columns * weights.channels * low
    result[:] = 0
    for row in range(rows):
        for kernel_row in range(weights.kernel_rows):
            image_row = (first_row + row) * weights.row_stride + kernel_row - weights.rows_above
            if image_row < 0 or image_row >= image_rows:
                continue
            first, unit, value = (
                events.first[image_row, step],
                events.unit[image_row],
                events.value[image_row],
            )
            line = result[row * columns * width : (row + 1) * columns * width]
            if weights.first.size > 0:
                for column in range(columns):
                    left = column * weights.column_stride - weights.columns_left
                    add_by_channel(first, unit, value, image_columns, weights, kernel_row, left, line, column * width)
            else:
                origin = block + kernel_row * weights.kernel_columns * weights.channels * width
                add_windows(first, unit, value, weights, origin, columns, width, line)


@_compiled
def add_by_channel(first, unit, value, image_columns, weights, kernel_row, left, result, at):
    """Add to one output position what the events in one row of its window give, each to the outputs that it feeds."""
    for kernel_column in range(max(-left, 0), min(image_columns - left, weights.kernel_columns)):
        column = left + kernel_column
        tap = (kernel_row * weights.kernel_columns + kernel_column) * weights.channels
        for event in range(first[column], first[column + 1]):
            channel = unit[event] - column * weights.channels
            to, weight = at + weights.first[channel], (tap + channel) * weights.width
            for i in range(weights.width):
                result[to + i] += value[event] * weights.taps[weight + i]


@_compiled
def add_filtered(base_current, drive, decay, delayed, gain, filtered, rise, risen, stride, channel, current):
    """Take one step of a connection's filter: ``current = base_current + y``, where `drive` is filtered into ``y``.

    Parameters
    ----------
    base_current : float array
        The current from elsewhere; may be `current`.
    drive : float array, shape (n * gain.size,)
    decay, delayed, gain, filtered, rise
        See `Synapses`, for one time constant; `filtered` is ``y``, of the shape of `drive`.
    risen : float array of the shape of `drive`
        ``z``; anything if there is no `rise`.
    stride, channel : int
        See `Synapses`.
    current : float array
        Where the drive feeds it, it is overwritten with the sum.
    """
    if rise.size > 0:
        add_risen(base_current, drive, decay, gain, filtered, rise, risen, stride, channel, current)
        return
    if decay == 0 and not delayed:
        add_unfiltered(base_current, drive, gain, stride, channel, current)
        return
    count = gain.size
    for segment in range(drive.size // count):
        # slices, because an index that might be negative keeps LLVM from computing many numbers at once
        at, to = segment * count, segment * stride + channel
        base, total = base_current[to : to + count], current[to : to + count]
        y, x = filtered[at : at + count], drive[at : at + count]
        if delayed:
            for i in range(count):
                total[i] = base[i] + y[i]
        for i in range(count):
            y[i] = decay * y[i] + gain[i] * x[i]
        if not delayed:
            for i in range(count):
                total[i] = base[i] + y[i]


@_compiled
def add_risen(base_current, drive, decay, gain, filtered, rise, risen, stride, channel, current):
    """`add_filtered` for two lowpasses in a row, which are always delayed."""
    decay_of_rise, coupling, passed = rise[0], rise[1], rise[2]
    count = gain.size
    for segment in range(drive.size // count):
        at, to = segment * count, segment * stride + channel
        base, total = base_current[to : to + count], current[to : to + count]
        y, z, x = filtered[at : at + count], risen[at : at + count], drive[at : at + count]
        for i in range(count):
            total[i] = base[i] + y[i]
        for i in range(count):
            arriving = gain[i] * x[i]
            y[i] = decay * y[i] + (coupling * z[i] + passed * arriving)
            z[i] = decay_of_rise * z[i] + arriving


@njit(fastmath=False, **ALLOCATES_NOTHING)
def add_unfiltered(base_current, drive, gain, stride, channel, current):
    """`add_filtered` for neither filter nor delay."""
    count = gain.size
    for segment in range(drive.size // count):
        at, to = segment * count, segment * stride + channel
        base, total, x = base_current[to : to + count], current[to : to + count], drive[at : at + count]
        for i in range(count):
            total[i] = base[i] + gain[i] * x[i]


@kernel
def add_sparse(events, channels, first, target, weight, decay, delayed, gain, rise, filtered, current):
    """Add a filtered sparse linear map to the input current of a whole layer, for every step of `current`.

    Parameters
    ----------
    events : Events
    channels : int
        Channels of the source, needed to number its units.
    first, target, weight
        As in `csnn.event.network.SparseMatrix`.
    decay, delayed, gain, rise, filtered
        See `Synapses`, for one time constant; `gain` is of shape (neurons,), `filtered` of shape (1 or 2, neurons).
    current : float array, shape (steps, neurons)
    """
    drive = np.zeros(current.shape[1], current.dtype)
    row_length = (events.first.shape[2] - 1) * channels
    for step in range(current.shape[0]):
        if step < events.first.shape[1]:
            drive[:] = 0
            for row in range(events.first.shape[0]):
                for event in range(events.first[row, step, 0], events.first[row, step, -1]):
                    unit = row * row_length + events.unit[row, event]
                    value = events.value[row, event]
                    for entry in range(first[unit], first[unit + 1]):
                        drive[target[entry]] += weight[entry] * value
        add_filtered(
            current[step], drive, decay, delayed, gain, filtered[0], rise, filtered[-1], drive.size, 0, current[step]
        )


@kernel
def add_whole_convolution(synapses, rows, columns, drive, current):
    """Add a filtered convolution to the input current of a whole layer, for every step of `current`.

    Parameters
    ----------
    synapses : Synapses
        With one time constant.
    rows, columns : int
        Of the outputs.
    drive : float array, shape (outputs,)
        Overwritten.
    current : float array, shape (steps, neurons)
    """
    events, weights = synapses.events, synapses.weights
    for step in range(current.shape[0]):
        if step < events.first.shape[1]:  # else the outputs, and with them the drive, stay as they are
            convolve(events, step, weights, 0, rows, columns, 0, weights.outputs, drive)
        add_filtered(
            current[step], drive, synapses.decay[0], synapses.delayed, synapses.gain[0], synapses.filtered[0, 0],
            synapses.rise[0], synapses.filtered[0, -1], synapses.stride, synapses.channel, current[step],
        )  # fmt: skip


@_compiled
def collect_events(outputs, columns, channels, unit, value, first, listed):
    """List what is not zero in one row of outputs, without a branch per value.

    Parameters
    ----------
    outputs : float array, at least columns * channels long
    unit, value
        One row of `Events`, filled from `listed` on.
    first
        One row and step of `Events`, filled.
    listed : int
        Number of the row's events so far.

    Returns
    -------
    int
        Number of the row's events after this step.
    """
    for column in range(columns):
        first[column] = listed
        for number in range(column * channels, (column + 1) * channels):
            unit[listed] = number
            value[listed] = outputs[number]
            listed += outputs[number] != 0
    first[columns] = listed
    return listed


@kernel
def events_of_image(image, channels, events):
    """List the pixels that are not zero.

    Parameters
    ----------
    image : float array, shape (rows, columns * channels)
    channels : int
    events : Events
        Filled; it has one step.
    """
    for row in range(image.shape[0]):
        collect_events(image[row], image.shape[1] // channels, channels,
                       events.unit[row], events.value[row], events.first[row, 0], 0)  # fmt: skip


@kernel
def pool_events(events, channels, size, stride, before, pooled):
    """Average-pool events with windows of any size and stride; those that reach over an edge average what lies within.

    Parameters
    ----------
    events : Events
    channels : int
    size, stride, before : (int, int)
        Rows and columns of the windows, of their distance, and by which the first reaches over the edge; see
        `csnn.event.network.Pooling`.
    pooled : Events
        Filled; its shape is the pooled image's.
    """
    rows, steps, columns = pooled.first.shape[0], pooled.first.shape[1], pooled.first.shape[2] - 1
    image_rows, image_columns = events.first.shape[0], events.first.shape[2] - 1
    outputs = np.empty(columns * channels, events.value.dtype)
    real = events.value.dtype.type
    for row in range(rows):
        listed = 0
        top, bottom = max(row * stride[0] - before[0], 0), min(row * stride[0] - before[0] + size[0], image_rows)
        for step in range(steps):
            outputs[:] = 0
            for image_row in range(top, bottom):
                first = events.first[image_row, step]
                for column in range(columns):
                    left = max(column * stride[1] - before[1], 0)
                    right = min(column * stride[1] - before[1] + size[1], image_columns)
                    share = real(1) / real((bottom - top) * (right - left))
                    for event in range(first[left], first[right]):
                        unit = events.unit[image_row, event]
                        outputs[column * channels + unit % channels] += events.value[image_row, event] * share
            listed = collect_events(
                outputs, columns, channels, pooled.unit[row], pooled.value[row], pooled.first[row, step], listed
            )


@kernel
def reshape_events(events, channels, new_channels, reshaped):
    """List the same events by the rows and columns of an image of another shape with as many units.

    Parameters
    ----------
    events : Events
    channels, new_channels : int
        Channels before and after.
    reshaped : Events
        Filled.
    """
    rows, steps, columns = reshaped.first.shape[0], reshaped.first.shape[1], reshaped.first.shape[2] - 1
    line, new_line = (events.first.shape[2] - 1) * channels, columns * new_channels
    listed = np.zeros(rows, np.int64)
    for step in range(steps):
        reshaped.first[:, step] = 0
        for image_row in range(events.first.shape[0]):
            for event in range(events.first[image_row, step, 0], events.first[image_row, step, -1]):
                row, unit = divmod(image_row * line + events.unit[image_row, event], new_line)
                at = listed[row] + reshaped.first[row, step, columns]
                reshaped.unit[row, at] = unit
                reshaped.value[row, at] = events.value[image_row, event]
                # the last entry counts the events of the step, the others those of each column, until they are summed
                reshaped.first[row, step, columns] += 1
                if unit // new_channels + 1 < columns:
                    reshaped.first[row, step, unit // new_channels + 1] += 1
        for row in range(rows):
            count = reshaped.first[row, step, columns]
            first = listed[row]
            for column in range(columns):
                first += reshaped.first[row, step, column]
                reshaped.first[row, step, column] = first
            listed[row] += count
            reshaped.first[row, step, columns] = listed[row]


@_compiled
def pool_row(outputs, layer_columns, channels, rows, columns, pooled):
    """Average windows of (rows, columns) neurons that neither overlap nor leave gaps, for one row of windows.

    Parameters
    ----------
    outputs : float array, at least rows * layer_columns * channels long
        Outputs of `rows` rows of neurons.
    layer_columns, channels : int
        Length of these rows.
    rows, columns : int
        Size of a window.
    pooled : float array, at least layer_columns // columns * channels long
        Overwritten.
    """
    share = outputs.dtype.type(1) / outputs.dtype.type(rows * columns)
    line = layer_columns * channels
    for window in range(layer_columns // columns):
        target = pooled[window * channels : (window + 1) * channels]
        corner = window * columns * channels
        if rows == 2 and columns == 2:
            upper, lower = (
                outputs[corner : corner + 2 * channels],
                outputs[corner + line : corner + line + 2 * channels],
            )
            for c in range(channels):
                target[c] = (upper[c] + upper[channels + c] + lower[c] + lower[channels + c]) * share
        else:
            target[:] = 0
            for row in range(rows):
                for column in range(columns):
                    at = corner + row * line + column * channels
                    source = outputs[at : at + channels]
                    for c in range(channels):
                        target[c] += source[c]
            for c in range(channels):
                target[c] *= share


class Recording(NamedTuple):
    """What to record of a layer's neurons besides their events; arrays of length 0 record nothing.

    Attributes
    ----------
    total : float64 array, shape (time constants, 1) or (time constants, 0)
        Sum of the outputs of all neurons over all steps, added to.
    neuron : int64 array, shape (recorded,)
        Flat indices of the neurons that are followed, in ascending order.
    output, voltage : float array, shape (time constants, steps, recorded)
    """

    total: NDArray
    neuron: NDArray[np.int64]
    output: NDArray
    voltage: NDArray


@_compiled
def record_step(recording, tau, step, first, outputs, state):
    """Record one step, at one time constant, of the neurons from flat index `first` on, as many as `outputs` has."""
    for i in range(np.searchsorted(recording.neuron, first), recording.neuron.size):
        neuron = recording.neuron[i] - first
        if neuron >= outputs.size:
            break
        recording.output[tau, step, i] = outputs[neuron]
        if state.shape[0] > 0:
            recording.voltage[tau, step, i] = state[0, neuron]
    if recording.total.shape[1] > 0:
        for i in range(outputs.size):
            recording.total[tau, 0] += outputs[i]


class WorkSpace(NamedTuple):
    """Arrays with arbitrary content in which `advance_layer` works, aligned for the sake of speed.

    Attributes
    ----------
    listed : int64 array, shape (time constants,)
    tile : float array, shape (4, at least the neurons of a tile)
    drive : float array, shape (connections, at least the neurons of a tile)
    filtered : float array, shape (time constants, 1 or 2, at least the neurons of a tile)
    state : float array, shape (time constants, state variables, at least the neurons of a tile)
    leaving : float array, shape (time constants, steps, pooled outputs of a tile)
        Of any shape if tiles have all channels.
    """

    listed: NDArray[np.int64]
    tile: NDArray
    drive: NDArray
    filtered: NDArray
    state: NDArray
    leaving: NDArray


@_compiled
def take_step(number, current, state, outputs, constant):
    """Take one step of neurons, see `step_neurons`; a negative number stands for a sum, whose output is the current."""
    if number < 0:
        for i in range(outputs.size):
            outputs[i] = current[i]
    else:
        step_neurons(number, current, state, outputs, constant)


@_compiled
def take_channels(units, channels, low, width, taken):
    """Copy some of the channels of each position from `units` to `taken`."""
    for position in range(units.size // channels):
        for i in range(width):
            taken[position * width + i] = units[position * channels + low + i]


@_compiled
def put_channels(taken, channels, low, width, units):
    """Copy back what `take_channels` took."""
    for position in range(units.size // channels):
        for i in range(width):
            units[position * channels + low + i] = taken[position * width + i]


@partial(kernel, allocates=False)
def advance_layer(
    number,
    constant,
    state,
    base_current,
    synapses,
    fused,
    shape,
    window,
    block,
    recording,
    work,
    result,
):
    """Compute the outputs of a layer of neurons over a block of steps, tile by tile, at one or several time constants.

    A tile is the rows of neurons that make one row of pooled outputs, with all channels or, so that the weights stay in
    the processor's cache, with some. Its currents, states and filters stay there for all steps.

    Parameters
    ----------
    number, constant
        The neurons' step, see `take_step`.
    state : float array, shape (time constants, state variables, neurons)
        Changed in place.
    base_current : float array, shape (steps or 1, neurons)
        Input current from everything but `synapses`; one step if it is constant.
    synapses : pair of Synapses
    fused : int
        How many of `synapses` are used; the first feeds all channels.
    shape : (int, int, int)
        Rows, columns and channels of the layer.
    window : (int, int)
        Rows and columns of the average pooling of the outputs; (1, 1) for none.
    block : int
        Number of channels of a tile; if less than all, there is one connection, and nothing is recorded.
    recording : Recording
    work : WorkSpace
    result : Events
        The pooled outputs, arrays with one more dimension in front, the time constants. The number of steps is the
        length of the block, or 1 for outputs that never change.
    """
    rows, columns, channels = shape
    window_rows, window_columns = window
    pooled_columns = columns // window_columns
    taus, steps = result.first.shape[0], result.first.shape[2]
    summed, outputs, pooled, tile_base = work.tile[0], work.tile[1], work.tile[2], work.tile[3]
    listed = work.listed
    for first_row in range(0, rows, window_rows):
        tile_rows = min(window_rows, rows - first_row)
        row = first_row // window_rows
        emits = tile_rows == window_rows and row < result.first.shape[1]
        first, last = first_row * columns * channels, (first_row + tile_rows) * columns * channels
        listed[:] = 0
        for low in range(0, channels, block):
            width = min(block, channels - low)
            whole = width == channels
            size = tile_rows * columns * width
            for tau in range(taus):
                for variable in range(state.shape[1]):
                    take_channels(state[tau, variable, first:last], channels, low, width, work.state[tau, variable])
                for part in range(0 if whole else work.filtered.shape[1]):
                    filtered = synapses[0].filtered[tau, part, first:last]
                    take_channels(filtered, channels, low, width, work.filtered[tau, part])
            for step in range(steps):
                for i in range(fused):
                    path = synapses[i]
                    fed = path.weights.outputs if whole else width
                    if step < path.events.first.shape[1]:  # else the drive stays as it is
                        drive = work.drive[i, : tile_rows * columns * fed]
                        convolve(path.events, step, path.weights, first_row, tile_rows, columns, low, fed, drive)
                base = base_current[min(step, base_current.shape[0] - 1), first:last]
                if not whole:
                    if step < base_current.shape[0]:
                        take_channels(base, channels, low, width, tile_base)
                    base = tile_base[:size]
                for tau in range(taus):
                    current = base
                    for i in range(fused):
                        path = synapses[i]
                        fed, stride = width, width
                        filtered, gain = work.filtered[tau, 0, :size], path.gain[tau, low : low + width]
                        risen = work.filtered[tau, -1, :size]
                        if whole:
                            fed, gain, stride = path.weights.outputs, path.gain[tau], path.stride
                            fed_before, fed_size = first_row * columns * fed, tile_rows * columns * fed
                            filtered = path.filtered[tau, 0, fed_before : fed_before + fed_size]
                            risen = path.filtered[tau, -1, fed_before : fed_before + fed_size]
                        add_filtered(
                            current, work.drive[i, : tile_rows * columns * fed], path.decay[tau], path.delayed, gain,
                            filtered, path.rise[tau], risen, stride, path.channel, summed[:size],
                        )  # fmt: skip
                        current = summed[:size]  # what the first path feeds is all of the tile
                    take_step(number, current, work.state[tau], outputs[:size], constant)
                    record_step(recording, tau, step, first, outputs[:size], work.state[tau])
                    if not emits:
                        continue
                    leaves = outputs
                    if window_rows * window_columns > 1:
                        pool_row(outputs, columns, width, window_rows, window_columns, pooled)
                        leaves = pooled
                    if whole:
                        listed[tau] = collect_events(
                            leaves, pooled_columns, channels, result.unit[tau, row], result.value[tau, row],
                            result.first[tau, row, step], listed[tau],
                        )  # fmt: skip
                    else:
                        leaving = work.leaving[tau, step, : pooled_columns * channels]
                        put_channels(leaves, channels, low, width, leaving)
            for tau in range(taus):
                for variable in range(state.shape[1]):
                    put_channels(work.state[tau, variable], channels, low, width, state[tau, variable, first:last])
                for part in range(0 if whole else work.filtered.shape[1]):
                    filtered = synapses[0].filtered[tau, part, first:last]
                    put_channels(work.filtered[tau, part], channels, low, width, filtered)
        if emits and block < channels:
            for tau in range(taus):
                for step in range(steps):
                    listed[tau] = collect_events(
                        work.leaving[tau, step], pooled_columns, channels,
                        result.unit[tau, row], result.value[tau, row], result.first[tau, row, step], listed[tau],
                    )  # fmt: skip


@_compiled
def advance_packed(number, constant, state, current, outputs, pooled, share, awake, first_awake, unit, value, first):
    """Take all steps of the neurons of one row of windows, packed by their place in the window.

    Parameters
    ----------
    number, constant, state, current, outputs
        As in `take_step`; `current` and `outputs` have as many values as there are neurons.
    pooled : float array, shape (windows,)
        Work space.
    share : float
        By which the sum of a window is multiplied.
    awake : int32 array
        Unit of each window.
    first_awake : int64 array, shape (columns + 1,)
        First window of each column.
    unit, value, first
        One row of `Events`, filled.
    """
    count, listed = pooled.size, 0
    for step in range(first.shape[0]):
        take_step(number, current, state, outputs, constant)
        for position in range(count):
            pooled[position] = outputs[position]
        for member in range(1, outputs.size // max(count, 1)):
            others = outputs[member * count : (member + 1) * count]
            for position in range(count):
                pooled[position] += others[position]
        for column in range(first.shape[1] - 1):
            first[step, column] = listed
            for position in range(first_awake[column], first_awake[column + 1]):
                unit[listed] = awake[position]
                value[listed] = pooled[position] * share
                listed += pooled[position] != 0
        first[step, -1] = listed


@kernel
def advance_layer_of_constant_current(number, constant, state, current, threshold, shape, window, result):
    """`advance_layer` for a current that never changes: neurons that it never makes spike are left out.

    The neurons of a tile are packed by windows of the pooling. A window in which no current is above `threshold` gives
    no event at any step, and its neurons' state is not advanced. Of what an image drives, that is about half.

    Parameters
    ----------
    number, constant, state, shape, window, result
        As in `advance_layer`.
    current : float array, shape (neurons,)
    threshold : float
        Neurons with a current of at most this much never spike.
    """
    _, columns, channels = shape
    window_rows, window_columns = window
    size = window_rows * window_columns
    pooled_rows, pooled_columns = result.first.shape[0], result.first.shape[2] - 1
    share = state.dtype.type(1) / state.dtype.type(size)
    most = pooled_columns * channels
    awake = np.empty(most, np.int32)
    first_awake = np.empty(pooled_columns + 1, np.int64)
    neuron = np.empty(size * most, np.int64)
    packed_current = np.empty(size * most, state.dtype)
    packed_state = np.empty((state.shape[0], size * most), state.dtype)
    outputs = np.empty(size * most, state.dtype)
    pooled = np.empty(most, state.dtype)
    for row in range(pooled_rows):
        count = 0
        for column in range(pooled_columns):
            first_awake[column] = count
            corner = (row * window_rows * columns + column * window_columns) * channels
            for channel in range(channels):
                wakes = False
                for member in range(size):
                    offset = (member // window_columns * columns + member % window_columns) * channels
                    wakes |= current[corner + offset + channel] > threshold
                awake[count] = column * channels + channel
                count += wakes
        first_awake[pooled_columns] = count
        for member in range(size):
            for position in range(count):
                column, channel = awake[position] // channels, awake[position] % channels
                image_row = row * window_rows + member // window_columns
                image_column = column * window_columns + member % window_columns
                here = member * count + position
                neuron[here] = (image_row * columns + image_column) * channels + channel
                packed_current[here] = current[neuron[here]]
                for variable in range(state.shape[0]):
                    packed_state[variable, here] = state[variable, neuron[here]]
        advance_packed(
            number, constant, packed_state, packed_current[: size * count], outputs[: size * count], pooled[:count],
            share, awake, first_awake, result.unit[row], result.value[row], result.first[row],
        )  # fmt: skip
        for here in range(size * count):
            for variable in range(state.shape[0]):
                state[variable, neuron[here]] = packed_state[variable, here]
