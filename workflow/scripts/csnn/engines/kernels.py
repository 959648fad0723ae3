"""The kernels of the event-driven simulator: one image, one layer, a block of time steps.

Between layers, outputs travel as events: for every image row and step the positions and values of what is not zero.
Read `event.py` first, which calls these functions in order; ``docs/engine.md`` derives why the order is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from csnn.engines.kernel_cache import kernel
from csnn.engines.neuron_steps import step_neurons
from csnn.engines.register_blocks import add_weighted_rows

TILE_NEURONS = 256
"""Neurons that `advance_layer` takes at once, unless a single window has more: some 10 arrays of 4 kB."""

_compiled = njit(error_model="numpy", fastmath={"contract"})


class Events(NamedTuple):
    """Outputs of a layer (or pixels of an image) that are not zero, by image row and step.

    Attributes
    ----------
    unit : int32 array, shape (rows, steps, columns * channels + 1)
        ``column * channels + channel`` of each event, ascending. The last place takes values that turn out to be zero.
    value : float array of the same shape
    first : int32 array, shape (rows, steps, columns + 1)
        Position of the first event of each column; the last entry is the number of events.

    `steps` is 1 where the outputs are the same at every step.
    """

    unit: NDArray[np.int32]
    value: NDArray
    first: NDArray[np.int32]


class ConvolutionWeights(NamedTuple):
    """A convolution prepared for `convolve`.

    Attributes
    ----------
    rows : float array, shape (kernel rows * kernel columns * input channels, padded output channels)
        Padded with zeros to whole vectors.
    kernel_rows, kernel_columns, channels : int
        Size of the kernel and number of input channels.
    row_stride, column_stride, rows_above, columns_left : int
        Distance of neighbouring windows; zeros around the image.
    """

    rows: NDArray
    kernel_rows: int
    kernel_columns: int
    channels: int
    row_stride: int
    column_stride: int
    rows_above: int
    columns_left: int


class Lowpass(NamedTuple):
    """A synaptic filter ``y[t] = decay y[t-1] + gain x[t]``; `delayed` if it arrives one step later."""

    decay: float
    gain: float
    delayed: bool


@_compiled
def convolve(events, step, weights, first_row, rows, first_column, columns, result):
    """Convolve the events of one step: each adds its row of weights to the windows that contain it.

    Parameters
    ----------
    events : Events
    step : int
    weights : ConvolutionWeights
    first_row, rows, first_column, columns : int
        Which part of the output.
    result : float array, shape (rows * columns * padded output channels,)
        Overwritten.
    """
    image_rows, image_columns = events.first.shape[0], events.first.shape[2] - 1
    length = weights.rows.shape[1]
    result[: rows * columns * length] = 0
    for row in range(rows):
        for kernel_row in range(weights.kernel_rows):
            image_row = (first_row + row) * weights.row_stride + kernel_row - weights.rows_above
            if image_row < 0 or image_row >= image_rows:
                continue
            first, unit, value = events.first[image_row, step], events.unit[image_row, step], events.value[image_row, step]
            for column in range(columns):
                # the window's events are neighbours in the list, and their rows of weights lie as they do:
                # unit (column, channel) of the image is row (column - left, channel) of the kernel
                left = (first_column + column) * weights.column_stride - weights.columns_left
                start = first[min(max(left, 0), image_columns)]
                stop = first[min(max(left + weights.kernel_columns, 0), image_columns)]
                origin = (kernel_row * weights.kernel_columns - left) * weights.channels * length
                at = (row * columns + column) * length
                add_weighted_rows(weights.rows, origin, unit, value, start, stop, result, at)


@_compiled
def filter_into_current(filtered, drive, lowpass, current):
    """Filter one step of a connection's current, and add it to the layer's input current.

    All arrays are one-dimensional and equally long; `filtered` and `current` change in place.
    """
    decay, gain = lowpass.decay, lowpass.gain
    if lowpass.delayed:
        for i in range(current.size):
            current[i] += filtered[i]
            filtered[i] = decay * filtered[i] + gain * drive[i]
    else:
        for i in range(current.size):
            filtered[i] = decay * filtered[i] + gain * drive[i]
            current[i] += filtered[i]


@_compiled
def add_convolution(
    events, step, weights, lowpass, filtered, first_row, rows, first_column, columns, channels, drive, current
):
    """Add a filtered convolution to the input current of a part of a layer, for one step.

    Parameters
    ----------
    events, step, weights
        As in `convolve`. Events with a single step stand for all steps.
    lowpass : Lowpass
    filtered : float array, shape (rows * columns * channels,)
        The filter's state, changed in place.
    first_row, rows, first_column, columns : int
        The part of the layer.
    channels : int
        Channels of the layer.
    drive : float array, at least rows * columns * padded channels long
        The convolution before it is filtered; kept from step to step.
    current : float array, the shape of `filtered`
        Changed in place.
    """
    length = weights.rows.shape[1]
    if step < events.first.shape[1]:  # else the outputs, and with them the drive, stay as they are
        convolve(events, step, weights, first_row, rows, first_column, columns, drive)
    if length == channels:
        filter_into_current(filtered, drive, lowpass, current)
    else:
        for position in range(rows * columns):
            here = slice(position * channels, (position + 1) * channels)
            filter_into_current(filtered[here], drive[position * length :], lowpass, current[here])


@kernel
def add_sparse(events, channels, first, target, weight, lowpass, filtered, current):
    """Add a filtered sparse linear map to the input current of a whole layer, for every step of `current`.

    Parameters
    ----------
    events : Events
    channels : int
        Channels of the source, needed to number its units.
    first, target, weight
        As in `csnn.network.SparseMatrix`.
    lowpass : Lowpass
    filtered : float array, shape (neurons,)
        The filter's state, changed in place.
    current : float array, shape (steps, neurons)
    """
    drive = np.zeros(current.shape[1], current.dtype)
    row_length = (events.first.shape[2] - 1) * channels
    for step in range(current.shape[0]):
        if step < events.first.shape[1]:
            drive[:] = 0
            for row in range(events.first.shape[0]):
                for event in range(events.first[row, step, -1]):
                    unit = row * row_length + events.unit[row, step, event]
                    value = events.value[row, step, event]
                    for entry in range(first[unit], first[unit + 1]):
                        drive[target[entry]] += weight[entry] * value
        filter_into_current(filtered, drive, lowpass, current[step])


@kernel
def add_whole_convolution(events, weights, lowpass, filtered, rows, columns, channels, drive, current):
    """Add a filtered convolution to the input current of a whole layer, for every step of `current`.

    Parameters are those of `add_convolution`, but `current` has the shape (steps, neurons).
    """
    for step in range(current.shape[0]):
        add_convolution(events, step, weights, lowpass, filtered, 0, rows, 0, columns, channels, drive, current[step])


@_compiled
def collect_events(outputs, first_column, columns, channels, unit, value, first):
    """Append what is not zero to a list of events, without a branch per value.

    Parameters
    ----------
    outputs : float array, at least columns * channels long
        Outputs of some neighbouring columns.
    first_column, columns, channels : int
        Which columns these are; those before `first_column` are in the list already.
    unit, value, first
        One row and step of `Events`, changed in place.
    """
    found = first[first_column] if first_column > 0 else 0
    for column in range(columns):
        first[first_column + column] = found
        shift = first_column * channels
        for number in range(column * channels, (column + 1) * channels):
            unit[found] = shift + number
            value[found] = outputs[number]
            found += outputs[number] != 0
    first[first_column + columns] = found


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
        collect_events(image[row], 0, image.shape[1] // channels, channels,
                       events.unit[row, 0], events.value[row, 0], events.first[row, 0])  # fmt: skip


@kernel
def pool_events(events, channels, row_size, column_size, row_stride, column_stride, pooled):
    """Average-pool events with windows of any size and stride.

    Parameters
    ----------
    events : Events
    channels : int
    row_size, column_size, row_stride, column_stride : int
        Windows, see `csnn.network.Pooling`.
    pooled : Events
        Filled; its shape is the pooled image's.
    """
    rows, steps, columns = pooled.first.shape[0], pooled.first.shape[1], pooled.first.shape[2] - 1
    outputs = np.empty(columns * channels, events.value.dtype)
    share = events.value.dtype.type(1) / events.value.dtype.type(row_size * column_size)
    for row in range(rows):
        for step in range(steps):
            outputs[:] = 0
            for image_row in range(row * row_stride, row * row_stride + row_size):
                for column in range(columns):
                    left = column * column_stride
                    shift = (column - left) * channels
                    first = events.first[image_row, step]
                    for event in range(first[left], first[left + column_size]):
                        unit = events.unit[image_row, step, event]
                        outputs[column * channels + unit % channels] += events.value[image_row, step, event] * share
            collect_events(outputs, 0, columns, channels, pooled.unit[row, step], pooled.value[row, step], pooled.first[row, step])


@_compiled
def pool_row(outputs, tile_columns, channels, rows, columns, pooled):
    """Average windows of (rows, columns) neurons that neither overlap nor leave gaps, for one row of windows.

    Parameters
    ----------
    outputs : float array, at least rows * tile_columns * channels long
        Outputs of `rows` rows of neurons.
    tile_columns, channels : int
        Length of these rows.
    rows, columns : int
        Size of a window.
    pooled : float array, at least tile_columns // columns * channels long
        Overwritten.
    """
    share = outputs.dtype.type(1) / outputs.dtype.type(rows * columns)
    line = tile_columns * channels
    for window in range(tile_columns // columns):
        corner = window * columns * channels
        target = pooled[window * channels : (window + 1) * channels]
        if rows == 2 and columns == 2:
            upper, lower = outputs[corner:], outputs[corner + line :]
            for c in range(channels):
                target[c] = (upper[c] + upper[channels + c] + lower[c] + lower[channels + c]) * share
        else:
            target[:] = 0
            for row in range(rows):
                for column in range(columns):
                    source = outputs[corner + row * line + column * channels :]
                    for c in range(channels):
                        target[c] += source[c]
            for c in range(channels):
                target[c] *= share


class Recording(NamedTuple):
    """What to record of a layer's neurons besides their events; arrays of length 0 record nothing.

    Attributes
    ----------
    total : float array, shape (1,) or (0,)
        Sum of all outputs of all neurons, added up.
    neuron : int64 array, shape (recorded,)
        Flat indices of the neurons that are followed.
    output, voltage : float array, shape (steps, recorded)
    """

    total: NDArray
    neuron: NDArray[np.int64]
    output: NDArray
    voltage: NDArray


@_compiled
def record_step(recording, place, step, outputs, state):
    """Record one step of a tile: ``place`` says where in it each followed neuron lies, -1 if elsewhere."""
    for i in range(place.size):
        if place[i] >= 0:
            recording.output[step, i] = outputs[place[i]]
            if state.shape[0] > 0:
                recording.voltage[step, i] = state[0, place[i]]
    if recording.total.size > 0:
        for i in range(outputs.size):
            recording.total[0] += outputs[i]


@_compiled
def copy_tile(layer, first, row_length, tile, rows, columns_channels, into_tile):
    """Copy some rows of neurons, neighbours within a row, between a layer's array and a tile's."""
    for row in range(rows):
        here, there = row * columns_channels, first + row * row_length
        if into_tile:
            tile[here : here + columns_channels] = layer[there : there + columns_channels]
        else:
            layer[there : there + columns_channels] = tile[here : here + columns_channels]


@kernel
def advance_layer(
    number, constant, state, given, convolutional, events, weights, lowpass, filtered, shape, window, recording, result
):
    """Compute the outputs of a layer of neurons over a block of steps, tile by tile.

    A tile is one row of pooling windows high and so many columns wide that its currents, states and filters stay in the
    processor's nearest cache for all steps (`TILE_NEURONS`).

    Parameters
    ----------
    number, constant
        The neuron type, see `csnn.engines.neuron_steps.step_neurons`.
    state : float array, shape (state variables, neurons)
        Changed in place.
    given : float array, shape (steps or 1, neurons)
        Input current from everything but `events`; one step if it is constant.
    convolutional : bool
        Whether a convolution of `events` is to be added; `events`, `weights`, `lowpass` and `filtered` are used only then.
    events, weights, lowpass, filtered
        As in `add_convolution`; `filtered` has one value per neuron.
    shape : (int, int, int)
        Rows, columns and channels of the layer.
    window : (int, int)
        Rows and columns of the average pooling of the outputs; (1, 1) for none.
    recording : Recording
    result : Events
        The pooled outputs. Its number of steps is the length of the block, or 1 for outputs that never change.
    """
    rows, columns, channels = shape
    window_rows, window_columns = window
    steps = result.first.shape[1]
    row_length = columns * channels
    windows = max(TILE_NEURONS // (window_rows * window_columns * channels), 1)
    width = min(windows * window_columns, columns)
    capacity = window_rows * width * channels
    drive = np.zeros(window_rows * width * weights.rows.shape[1], state.dtype)
    tile_state = np.empty((state.shape[0], capacity), state.dtype)
    tile_filtered = np.zeros(capacity, state.dtype)
    whole_current = np.empty(capacity, state.dtype)
    whole_output = np.empty(capacity, state.dtype)
    pooled = np.empty(width // window_columns * channels, state.dtype)
    place = np.empty(recording.neuron.size, np.int64)
    for first_row in range(0, rows, window_rows):
        tile_rows = min(window_rows, rows - first_row)
        row = first_row // window_rows
        emits = tile_rows == window_rows and row < result.first.shape[0]
        for first_column in range(0, columns, width):
            tile_columns = min(width, columns - first_column)
            first = first_row * row_length + first_column * channels
            length = tile_columns * channels
            current, output = whole_current[: tile_rows * length], whole_output[: tile_rows * length]
            for variable in range(state.shape[0]):
                copy_tile(state[variable], first, row_length, tile_state[variable], tile_rows, length, True)
            if convolutional:
                copy_tile(filtered, first, row_length, tile_filtered, tile_rows, length, True)
            for i in range(place.size):
                neuron_row, neuron_column = divmod(recording.neuron[i] - first_row * row_length, row_length)
                neuron_column -= first_column * channels
                inside = 0 <= neuron_row < tile_rows and 0 <= neuron_column < length
                place[i] = neuron_row * length + neuron_column if inside else -1
            for step in range(steps):
                copy_tile(given[min(step, given.shape[0] - 1)], first, row_length, current, tile_rows, length, True)
                if convolutional:
                    add_convolution(
                        events, step, weights, lowpass, tile_filtered[: current.size],
                        first_row, tile_rows, first_column, tile_columns, channels, drive, current,
                    )  # fmt: skip
                step_neurons(number, current, tile_state, output, constant)
                record_step(recording, place, step, output, tile_state)
                if emits:
                    leaving = output
                    if window_rows * window_columns > 1:
                        pool_row(output, tile_columns, channels, window_rows, window_columns, pooled)
                        leaving = pooled
                    collect_events(
                        leaving, first_column // window_columns, tile_columns // window_columns, channels,
                        result.unit[row, step], result.value[row, step], result.first[row, step],
                    )  # fmt: skip
            for variable in range(state.shape[0]):
                copy_tile(state[variable], first, row_length, tile_state[variable], tile_rows, length, False)
            if convolutional:
                copy_tile(filtered, first, row_length, tile_filtered, tile_rows, length, False)


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
    rows, columns, channels = shape
    window_rows, window_columns = window
    size = window_rows * window_columns
    pooled_rows, steps, pooled_columns = result.first.shape[0], result.first.shape[1], result.first.shape[2] - 1
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
            for place in range(count):
                column, channel = awake[place] // channels, awake[place] % channels
                image_row = row * window_rows + member // window_columns
                image_column = column * window_columns + member % window_columns
                here = member * count + place
                neuron[here] = (image_row * columns + image_column) * channels + channel
                packed_current[here] = current[neuron[here]]
                for variable in range(state.shape[0]):
                    packed_state[variable, here] = state[variable, neuron[here]]
        for step in range(steps):
            step_neurons(number, packed_current[: size * count], packed_state, outputs[: size * count], constant)
            pooled[:count] = outputs[:count]
            for member in range(1, size):
                others = outputs[member * count : (member + 1) * count]
                for place in range(count):
                    pooled[place] += others[place]
            unit, value, first = result.unit[row, step], result.value[row, step], result.first[row, step]
            found = 0
            for column in range(pooled_columns):
                first[column] = found
                for place in range(first_awake[column], first_awake[column + 1]):
                    unit[found] = awake[place]
                    value[found] = pooled[place] * share
                    found += pooled[place] != 0
            first[pooled_columns] = found
        for here in range(size * count):
            for variable in range(state.shape[0]):
                state[variable, neuron[here]] = packed_state[variable, here]
