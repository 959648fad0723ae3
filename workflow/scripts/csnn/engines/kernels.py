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
def convolve(events, step, weights, first_row, rows, columns, result):
    """Convolve the events of one step: each adds its row of weights to the windows that contain it.

    Parameters
    ----------
    events : Events
    step : int
    weights : ConvolutionWeights
    first_row, rows, columns : int
        Which part of the output: `rows` rows from `first_row`, the first `columns` columns.
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
                left = column * weights.column_stride - weights.columns_left
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
def add_convolution(events, step, weights, lowpass, filtered, first_row, rows, columns, channels, drive, current):
    """Add a filtered convolution to the input current of some rows of a layer, for one step.

    Parameters
    ----------
    events, step, weights
        As in `convolve`. Events with a single step stand for all steps.
    lowpass : Lowpass
    filtered : float array, shape (rows * columns * channels,)
        The filter's state, changed in place.
    first_row, rows, columns, channels : int
        The layer's rows that are computed, and its shape.
    drive : float array, at least rows * columns * padded channels long
        The convolution before it is filtered; kept from step to step.
    current : float array, the shape of `filtered`
        Changed in place.
    """
    length = weights.rows.shape[1]
    if step < events.first.shape[1]:  # else the outputs, and with them the drive, stay as they are
        convolve(events, step, weights, first_row, rows, columns, drive)
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
        add_convolution(events, step, weights, lowpass, filtered, 0, rows, columns, channels, drive, current[step])


@_compiled
def collect_events(outputs, columns, channels, unit, value, first):
    """List what is not zero in one row of outputs, without a branch per value.

    Parameters
    ----------
    outputs : float array, at least columns * channels long
    unit, value, first
        One row and step of `Events`, filled.
    """
    found = 0
    for column in range(columns):
        first[column] = found
        for number in range(column * channels, (column + 1) * channels):
            unit[found] = number
            value[found] = outputs[number]
            found += outputs[number] != 0
    first[columns] = found


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
            collect_events(outputs, columns, channels, pooled.unit[row, step], pooled.value[row, step], pooled.first[row, step])


@_compiled
def pool_row(outputs, layer_columns, channels, rows, columns, pooled):
    """Average windows of (rows, columns) neurons that neither overlap nor leave gaps, for one row of windows.

    Parameters
    ----------
    outputs : float array, at least rows * layer_columns * channels long
        The neurons' outputs.
    layer_columns, channels : int
        Shape of the layer.
    rows, columns : int
        Size of a window.
    pooled : float array, shape (layer_columns // columns * channels,)
        Overwritten.
    """
    share = outputs.dtype.type(1) / outputs.dtype.type(rows * columns)
    line = layer_columns * channels
    for window in range(layer_columns // columns):
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
def record_step(recording, step, first, outputs, state):
    """Record the neurons from flat index `first` on, as many as `outputs` has."""
    for i in range(recording.neuron.size):
        neuron = recording.neuron[i] - first
        if 0 <= neuron < outputs.size:
            recording.output[step, i] = outputs[neuron]
            if state.shape[0] > 0:
                recording.voltage[step, i] = state[0, recording.neuron[i]]
    if recording.total.size > 0:
        for i in range(outputs.size):
            recording.total[0] += outputs[i]


@kernel
def advance_layer(
    number, constant, state, given, convolutional, events, weights, lowpass, filtered, shape, window, recording, result
):
    """Compute the outputs of a layer of neurons over a block of steps, some image rows at a time.

    Rows are taken so many at once that each tile makes one row of pooled events: the tile's currents, states and
    filters then stay in the processor's cache for all steps.

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
    drive = np.zeros(window_rows * columns * weights.rows.shape[1], state.dtype)
    all_current = np.empty(window_rows * columns * channels, state.dtype)
    all_output = np.zeros(window_rows * columns * channels, state.dtype)
    pooled = np.empty(columns // window_columns * channels, state.dtype)
    for first_row in range(0, rows, window_rows):
        tile_rows = min(window_rows, rows - first_row)
        first = first_row * columns * channels
        last = first + tile_rows * columns * channels
        current, output = all_current[: last - first], all_output[: last - first]
        result_row = first_row // window_rows
        emits = tile_rows == window_rows and result_row < result.first.shape[0]
        for step in range(steps):
            current[:] = given[min(step, given.shape[0] - 1), first:last]
            if convolutional:
                add_convolution(
                    events, step, weights, lowpass, filtered[first:last],
                    first_row, tile_rows, columns, channels, drive, current,
                )  # fmt: skip
            step_neurons(number, current, state, first, output, constant)
            record_step(recording, step, first, output, state)
            if emits:
                leaving = output
                if window_rows * window_columns > 1:
                    pool_row(output, columns, channels, window_rows, window_columns, pooled)
                    leaving = pooled
                collect_events(
                    leaving, columns // window_columns, channels,
                    result.unit[result_row, step], result.value[result_row, step], result.first[result_row, step],
                )  # fmt: skip
