"""The kernels of the event-driven simulator: one image, one layer, a block of time steps.

Between layers, outputs travel as events: for every image row and step the positions and values of what is not zero.
Read `event.py` first, which calls these functions in order; ``docs/engine.md`` derives why the order is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from csnn.event.kernel_cache import kernel
from csnn.event.neuron_steps import step_neurons
from csnn.event.vectors import add_rows

_compiled = njit(error_model="numpy", fastmath={"contract"})


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
        The kernel (kernel rows, kernel columns, input channels, output channels), flattened. In single precision where
        that holds it exactly (see `csnn.event.plan.compact`), because half as much has to be read then.
    kernel_rows, kernel_columns, channels, outputs : int
        Size of the kernel, numbers of input and output channels.
    row_stride, column_stride, rows_above, columns_left : int
        Distance of neighbouring windows; zeros around the image.
    """

    taps: NDArray
    kernel_rows: int
    kernel_columns: int
    channels: int
    outputs: int
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
    """Convolve the events of one step: each window collects the weights of the events in it.

    Parameters
    ----------
    events : Events
    step : int
    weights : ConvolutionWeights
    first_row, rows, columns : int
        Which part of the output: `rows` rows from `first_row`, the first `columns` columns.
    result : float array, shape (rows * columns * output channels,)
        Overwritten.
    """
    image_rows, image_columns = events.first.shape[0], events.first.shape[2] - 1
    outputs = weights.outputs
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
            for column in range(columns):
                left = column * weights.column_stride - weights.columns_left
                start = first[min(max(left, 0), image_columns)]
                stop = first[min(max(left + weights.kernel_columns, 0), image_columns)]
                if start < stop:
                    # units are numbered from the image's left edge, weights from the window's
                    origin = (kernel_row * weights.kernel_columns - left) * weights.channels * outputs
                    at = (row * columns + column) * outputs
                    add_rows(unit, value, start, stop, weights.taps, origin, outputs, result, at, outputs)


@_compiled
def add_filtered(given, drive, lowpass, filtered, current):
    """Take one step of a connection's filter: ``current = given + y``, where `drive` is filtered into ``y``.

    All arrays are one-dimensional and at least as long as `current`. `filtered` is the filter's state, changed in
    place; `current` is overwritten and may be `given`.
    """
    decay, gain = lowpass.decay, lowpass.gain
    if lowpass.delayed:
        for i in range(current.size):
            y = filtered[i]
            current[i] = given[i] + y
            filtered[i] = decay * y + gain * drive[i]
    else:
        for i in range(current.size):
            y = decay * filtered[i] + gain * drive[i]
            current[i] = given[i] + y
            filtered[i] = y


@_compiled
def add_convolution(given, events, step, weights, lowpass, filtered, first_row, rows, columns, drive, current):
    """Add a filtered convolution to the input current of some rows of a layer, for one step.

    Parameters
    ----------
    given : float array, shape (rows * columns * channels,)
        The current from elsewhere.
    events, step, weights
        As in `convolve`. Events with a single step stand for all steps.
    lowpass : Lowpass
    filtered : float array, the shape of `given`
        The filter's state, changed in place.
    first_row, rows, columns : int
        The rows, and how long they are.
    drive : float array, the shape of `given`
        The convolution before it is filtered; kept from step to step.
    current : float array, the shape of `given`
        Overwritten with the sum; may be `given`.
    """
    if step < events.first.shape[1]:  # else the outputs, and with them the drive, stay as they are
        convolve(events, step, weights, first_row, rows, columns, drive)
    add_filtered(given, drive, lowpass, filtered, current)


@kernel
def add_sparse(events, channels, first, target, weight, lowpass, filtered, current):
    """Add a filtered sparse linear map to the input current of a whole layer, for every step of `current`.

    Parameters
    ----------
    events : Events
    channels : int
        Channels of the source, needed to number its units.
    first, target, weight
        As in `csnn.event.network.SparseMatrix`.
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
                for event in range(events.first[row, step, 0], events.first[row, step, -1]):
                    unit = row * row_length + events.unit[row, event]
                    value = events.value[row, event]
                    for entry in range(first[unit], first[unit + 1]):
                        drive[target[entry]] += weight[entry] * value
        add_filtered(current[step], drive, lowpass, filtered, current[step])


@kernel
def add_whole_convolution(events, weights, lowpass, filtered, rows, columns, drive, current):
    """Add a filtered convolution to the input current of a whole layer, for every step of `current`.

    Parameters are those of `add_convolution`, but `current` has the shape (steps, neurons).
    """
    for step in range(current.shape[0]):
        add_convolution(current[step], events, step, weights, lowpass, filtered, 0, rows, columns, drive, current[step])


@_compiled
def collect_events(outputs, columns, channels, unit, value, first, found):
    """List what is not zero in one row of outputs, without a branch per value.

    Parameters
    ----------
    outputs : float array, at least columns * channels long
    unit, value
        One row of `Events`, filled from `found` on.
    first
        One row and step of `Events`, filled.
    found : int
        Number of the row's events so far.

    Returns
    -------
    int
        Number of the row's events after this step.
    """
    for column in range(columns):
        first[column] = found
        for number in range(column * channels, (column + 1) * channels):
            unit[found] = number
            value[found] = outputs[number]
            found += outputs[number] != 0
    first[columns] = found
    return found


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
def pool_events(events, channels, row_size, column_size, row_stride, column_stride, pooled):
    """Average-pool events with windows of any size and stride.

    Parameters
    ----------
    events : Events
    channels : int
    row_size, column_size, row_stride, column_stride : int
        Windows, see `csnn.event.network.Pooling`.
    pooled : Events
        Filled; its shape is the pooled image's.
    """
    rows, steps, columns = pooled.first.shape[0], pooled.first.shape[1], pooled.first.shape[2] - 1
    outputs = np.empty(columns * channels, events.value.dtype)
    share = events.value.dtype.type(1) / events.value.dtype.type(row_size * column_size)
    for row in range(rows):
        found = 0
        for step in range(steps):
            outputs[:] = 0
            for image_row in range(row * row_stride, row * row_stride + row_size):
                for column in range(columns):
                    left = column * column_stride
                    first = events.first[image_row, step]
                    for event in range(first[left], first[left + column_size]):
                        unit = events.unit[image_row, event]
                        outputs[column * channels + unit % channels] += events.value[image_row, event] * share
            found = collect_events(
                outputs, columns, channels, pooled.unit[row], pooled.value[row], pooled.first[row, step], found
            )


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
    total : float64 array, shape (1,) or (0,)
        Sum of the outputs of all neurons over all steps, added to.
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
    """Record one step of the neurons from flat index `first` on, as many as `outputs` has."""
    for i in range(recording.neuron.size):
        place = recording.neuron[i] - first
        if 0 <= place < outputs.size:
            recording.output[step, i] = outputs[place]
            if state.shape[0] > 0:
                recording.voltage[step, i] = state[0, place]
    if recording.total.size > 0:
        for i in range(outputs.size):
            recording.total[0] += outputs[i]


@kernel
def advance_layer(
    number,
    constant,
    state,
    given,
    convolutional,
    events,
    weights,
    lowpass,
    filtered,
    shape,
    window,
    recording,
    scratch,
    result,
):
    """Compute the outputs of a layer of neurons over a block of steps, tile by tile.

    A tile is the rows of neurons that make one row of pooled outputs. Its currents, states and filters stay in the
    processor's cache for all steps.

    Parameters
    ----------
    number, constant
        The neurons' step, see `csnn.event.neuron_steps.step_neurons`.
    state : float array, shape (state variables, neurons)
        Changed in place.
    given : float array, shape (steps or 1, neurons)
        Input current from everything but `events`; one step if it is constant.
    convolutional : bool
        Whether a convolution of `events` is to be added; only then are the four that follow used.
    events, weights, lowpass, filtered
        As in `add_convolution`; `filtered` has one value per neuron.
    shape : (int, int, int)
        Rows, columns and channels of the layer.
    window : (int, int)
        Rows and columns of the average pooling of the outputs; (1, 1) for none.
    recording : Recording
    scratch : float array, shape (4 + state variables, at least the neurons of a tile)
        Work space, aligned for the sake of speed.
    result : Events
        The pooled outputs. Its number of steps is the length of the block, or 1 for outputs that never change.
    """
    rows, columns, channels = shape
    window_rows, window_columns = window
    steps = result.first.shape[1]
    drive, summed, outputs, pooled, tile_state = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4:]
    for first_row in range(0, rows, window_rows):
        tile_rows = min(window_rows, rows - first_row)
        row = first_row // window_rows
        emits = tile_rows == window_rows and row < result.first.shape[0]
        first = first_row * columns * channels
        last = first + tile_rows * columns * channels
        tile_outputs, tile_summed = outputs[: last - first], summed[: last - first]
        tile_state[:, : last - first] = state[:, first:last]
        found = 0
        for step in range(steps):
            current = given[min(step, given.shape[0] - 1), first:last]
            if convolutional:
                add_convolution(
                    current, events, step, weights, lowpass, filtered[first:last],
                    first_row, tile_rows, columns, drive[: last - first], tile_summed,
                )  # fmt: skip
                current = tile_summed
            step_neurons(number, current, tile_state, tile_outputs, constant)
            record_step(recording, step, first, tile_outputs, tile_state)
            if emits:
                leaving = tile_outputs
                if window_rows * window_columns > 1:
                    pool_row(tile_outputs, columns, channels, window_rows, window_columns, pooled)
                    leaving = pooled
                found = collect_events(
                    leaving, columns // window_columns, channels,
                    result.unit[row], result.value[row], result.first[row, step], found,
                )  # fmt: skip
        state[:, first:last] = tile_state[:, : last - first]


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
        unit, value, found = result.unit[row], result.value[row], 0
        for step in range(steps):
            step_neurons(number, packed_current[: size * count], packed_state, outputs[: size * count], constant)
            pooled[:count] = outputs[:count]
            for member in range(1, size):
                others = outputs[member * count : (member + 1) * count]
                for place in range(count):
                    pooled[place] += others[place]
            first = result.first[row, step]
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
