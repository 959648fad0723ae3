"""Linear maps between layers: the steps that Nengo's connections consist of, and how steps in a row become one.

A map is a list of steps, applied in their order. `simplify` joins neighbours where the product is a single step that
costs no more than the two; `is_direct` tells whether the rest can be one connection of a compiled network. Where it
cannot, the compiler makes a layer of what lies between.

This module needs numpy and scipy only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from csnn.event.network import Convolution, Pooling, Reshape, Shape, SparseMatrix, View, same_padding

ACTIVE_SHARE = 0.1
"""Share of neurons that are taken to be active at a step where costs are compared."""


@dataclass(frozen=True)
class Gather:
    """A step in which each output is one of the inputs times a weight, or zero.

    Slices, concatenation, padding, upsampling and factors are such steps.

    Attributes
    ----------
    source : ndarray of int, shape (outputs,)
        Index of the input, or -1 for zero.
    weight : ndarray of float64, shape (outputs,)
    inputs : int
        Number of inputs.
    """

    source: NDArray[np.intp]
    weight: NDArray[np.float64]
    inputs: int

    @property
    def is_factor(self) -> bool:
        """Whether output i is input i times its weight."""
        return self.source.size == self.inputs and np.array_equal(self.source, np.arange(self.inputs))

    @property
    def is_identity(self) -> bool:
        """Whether outputs are the inputs."""
        return self.is_factor and bool((self.weight == 1).all())


@dataclass(frozen=True)
class Pool:
    """A step that is an average pooling of an image of a shape."""

    pooling: Pooling
    input_shape: Shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the pooled image."""
        return self.pooling.output_shape(self.input_shape)


@dataclass(frozen=True)
class Matrix:
    """Dense weights, shape (outputs, inputs), and a factor for each output."""

    weights: NDArray[np.floating]
    scale: NDArray[np.float64]


Step: TypeAlias = Convolution | Gather | Pool | Matrix | sparse.csr_array


# --- making steps -----------------------------------------------------------------------------------------------------


def compact(weights: NDArray[np.float64]) -> NDArray[np.floating]:
    """Return weights in single precision if that holds them exactly, as it does those that Keras learned."""
    with np.errstate(over="ignore"):
        single = weights.astype(np.float32)
    return single if np.array_equal(single, weights) else weights


def factor(weight: NDArray[np.float64]) -> Gather:
    """Make the step that multiplies each unit by its weight."""
    return Gather(np.arange(weight.size), weight, weight.size)


def slice_of(taken: NDArray[np.intp], inputs: int) -> Gather:
    """Make the step that takes some of the inputs."""
    return Gather(taken, np.ones(taken.size), inputs)


def placement(position: NDArray[np.intp], outputs: int) -> Gather:
    """Make the step that puts input i at ``position[i]`` among zeros."""
    source = np.full(outputs, -1)
    source[position] = np.arange(position.size)
    return Gather(source, np.ones(outputs), position.size)


def matrix(weights: NDArray[np.float64]) -> Matrix:
    """Make the step that multiplies by a dense matrix, shape (outputs, inputs)."""
    return Matrix(compact(weights), np.ones(len(weights)))


def sparse_matrix(weights: sparse.csr_array) -> Step:
    """Make the step that multiplies by a sparse matrix, a `Gather` if no output has more than one input."""
    weights = sparse.csr_array(weights)
    weights.sum_duplicates()
    entries = np.diff(weights.indptr)
    if entries.max(initial=0) > 1:
        return weights
    source, weight = np.full(len(entries), -1), np.zeros(len(entries))
    source[entries == 1], weight[entries == 1] = weights.indices, weights.data
    return Gather(source, weight, weights.shape[1])


def convolution(
    kernel: NDArray[np.float64],
    stride: tuple[int, int],
    padding: tuple[int, int],
    input_shape: Shape,
    output_shape: Shape,
    groups: int = 1,
) -> Convolution | Pool:
    """Make a convolution of a kernel as TensorFlow has it, or the average pooling that it is.

    Parameters
    ----------
    kernel : ndarray of float64, shape (kernel rows, kernel columns, input channels / groups, output channels)
    stride, padding, input_shape, output_shape
        See `csnn.event.network.Convolution`.
    groups : int
        Number of groups of channels that are convolved apart.
    """
    channels, outputs = input_shape[2], output_shape[2]
    inputs_per_group, width = channels // groups, outputs // groups
    group = np.arange(channels) // inputs_per_group
    first = group * width
    if groups > 1:
        by_group = kernel.reshape(*kernel.shape[:3], groups, width)
        kernel = by_group[:, :, np.arange(channels) % inputs_per_group, group]
    diagonal = np.arange(channels)
    if channels == outputs and width > 1:  # pooling comes as a full kernel with weights on its diagonal only
        alone = kernel[:, :, diagonal, diagonal - first]
        if np.count_nonzero(alone) == np.count_nonzero(kernel):
            kernel, first = alone[..., np.newaxis], diagonal
    made = Convolution(
        compact(kernel), stride, padding, input_shape, output_shape, first.astype(np.int32) if first.any() else None
    )
    if padding == (0, 0) and _is_average(made):
        pooling = Pooling(made.kernel.shape[:2], stride)
        if pooling.output_shape(input_shape) == output_shape:
            return Pool(pooling, input_shape)
    return made


def _is_average(step: Convolution) -> bool:
    """Whether a convolution averages full windows of each channel."""
    rows, columns, channels, width = step.kernel.shape
    per_channel = width == 1 and step.output_shape[2] == channels and np.array_equal(_first(step), np.arange(channels))
    return per_channel and step.scale is None and bool((step.kernel == 1 / (rows * columns)).all())


def _first(step: Convolution) -> NDArray[np.int32]:
    """First output channel of each input channel."""
    return np.zeros(step.kernel.shape[2], np.int32) if step.first is None else step.first


def _scale(step: Convolution) -> NDArray[np.float64]:
    """Factor of each output channel."""
    return np.ones(step.output_shape[2]) if step.scale is None else step.scale


def _as_convolution(step: Pool) -> Convolution:
    """Return an average pooling of full windows as a convolution."""
    size, channels = step.pooling.size, step.input_shape[2]
    kernel = compact(np.full((*size, channels, 1), 1 / math.prod(size)))
    first = np.arange(channels, dtype=np.int32)
    return Convolution(kernel, step.pooling.stride, (0, 0), step.input_shape, step.output_shape, first)


def _covering(step: Matrix, shape: Shape) -> Convolution:
    """Return a matrix as the convolution of an image of `shape` whose kernel covers it."""
    outputs = len(step.weights)
    kernel = np.ascontiguousarray(step.weights.T).reshape(*shape, outputs)
    return Convolution(kernel, (1, 1), (0, 0), shape, (1, 1, outputs), None, _unless_one(step.scale))


def _unless_one(scale: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return factors, or None if they are all 1."""
    return None if (scale == 1).all() else scale


# --- joining steps ----------------------------------------------------------------------------------------------------


def simplify(steps: list[Step]) -> list[Step]:
    """Join neighbouring steps where one step does the same, and move average pooling to the front.

    The product of the steps stays the same, up to rounding. Pooling is kept apart and comes first where it can, because
    pooled signals are cheaper to convolve.
    """
    done: list[Step] = []
    waiting = list(reversed(steps))
    while waiting:
        step = waiting.pop()
        if isinstance(step, Gather) and step.is_identity:
            continue
        joined = _join(done[-1], step) if done else None
        if joined is None:
            done.append(step)
        else:
            done.pop()
            waiting.extend(reversed(joined))
    return done


def _join(first: Step, second: Step) -> list[Step] | None:
    """Return one step, or two in a better order, that do the same as two; None if there is nothing to gain."""
    joined: Step | None = None
    match first, second:
        case Gather(), Gather():
            joined = _gather_twice(first, second)
        case Gather(), Pool():
            return _gather_then_pool(first, second)
        case Gather(), Convolution():
            joined = _gather_then_convolve(first, second)
        case Gather(), Matrix():
            joined = replace(second, weights=compact(np.asarray(second.weights @ as_sparse(first))))
        case Convolution(), Gather():
            joined = _convolve_then_gather(first, second)
        case Convolution(), Pool() if first.output_shape == second.input_shape and _is_pointwise(first):
            shape = (*second.output_shape[:2], first.input_shape[2])
            pool = Pool(second.pooling, first.input_shape)
            return [pool, replace(first, input_shape=shape, output_shape=second.output_shape)]
        case Convolution(), Pool() if not second.pooling.same:
            joined = _compose(first, _as_convolution(second))
        case Convolution(), Convolution():
            joined = _compose(first, second)
        case Convolution(), Matrix():
            joined = _compose(first, _covering(second, first.output_shape))
        case Matrix(), Gather():
            weights = np.where(second.source[:, np.newaxis] >= 0, first.weights[second.source], 0)
            joined = Matrix(weights.astype(first.weights.dtype), first.scale[second.source] * second.weight)
        case Matrix(), Matrix():
            product = math.prod((len(second.weights), first.weights.shape[1]))
            if ACTIVE_SHARE * product <= ACTIVE_SHARE * first.weights.size + second.weights.size:
                joined = replace(second, weights=compact((second.weights * first.scale) @ first.weights))
        case (sparse.csr_array(), Gather()) | (Gather(), sparse.csr_array()):
            joined = sparse_matrix(as_sparse(second) @ as_sparse(first))
    return None if joined is None else [joined]


def _gather_twice(first: Gather, second: Gather) -> Gather:
    """Join two gathers."""
    source = np.where(second.source >= 0, first.source[second.source], -1)
    return Gather(source, second.weight * first.weight[second.source], first.inputs)


@dataclass(frozen=True)
class _Box:
    """A gather that puts an image, with a factor for each channel, into some channels of a larger one.

    Attributes
    ----------
    corner : (int, int)
        Row and column at which it begins.
    shape : (rows, columns, channels)
    channels : ndarray of int, shape (channels,)
        Where its channels go.
    weight : ndarray of float64, shape (channels,)
    """

    corner: tuple[int, int]
    shape: Shape
    channels: NDArray[np.intp]
    weight: NDArray[np.float64]


def _box(step: Gather, shape: Shape) -> _Box | None:
    """Return a gather into an image of `shape` as box, or None if it is none."""
    if step.source.size != math.prod(shape):
        return None
    source = step.source.reshape(shape)
    filled = source >= 0
    rows, columns, channels = (
        np.flatnonzero(filled.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))
    )  # fmt: skip
    if rows.size * columns.size * channels.size != step.inputs or not step.inputs:
        return None
    inside = np.ix_(rows, columns, channels)
    if not np.array_equal(source[inside].ravel(), np.arange(step.inputs)):
        return None
    if rows[-1] - rows[0] >= rows.size or columns[-1] - columns[0] >= columns.size:
        return None
    weight = step.weight.reshape(shape)[inside]
    if not (weight == weight[0, 0]).all():
        return None
    return _Box((int(rows[0]), int(columns[0])), (rows.size, columns.size, channels.size), channels, weight[0, 0])


def _gather_then_pool(first: Gather, second: Pool) -> list[Step] | None:
    """Pool first where a gather is a factor for each channel; else make a convolution of both."""
    box = _box(first, second.input_shape)
    if box is None:
        return None
    if box.shape == second.input_shape:
        return [second, factor(np.tile(box.weight, math.prod(second.output_shape[:2])))]
    return None if second.pooling.same else [first, _as_convolution(second)]


def _gather_then_convolve(first: Gather, second: Convolution) -> Convolution | None:
    """Use the part of the kernel that meets what is gathered."""
    box = _box(first, second.input_shape)
    if box is None:
        return None
    kernel = second.kernel if box.channels.size == second.kernel.shape[2] else second.kernel[:, :, box.channels]
    if not (box.weight == 1).all():
        kernel = compact(kernel * box.weight[:, np.newaxis])
    return replace(
        second,
        kernel=kernel,
        padding=(second.padding[0] + box.corner[0], second.padding[1] + box.corner[1]),
        input_shape=box.shape,
        first=None if second.first is None else second.first[box.channels],
    )


def _convolve_then_gather(first: Convolution, second: Gather) -> Step | None:
    """Scale a convolution's output channels and write them into a slice of others; or see a pooling with its edges."""
    pool = _same_pooling(first, second)
    if pool is not None:
        return pool
    shape = _placed_shape(second, first.output_shape)
    box = None if shape is None else _box(second, shape)
    if shape is None or box is None or box.shape != first.output_shape:
        return None
    if not np.array_equal(box.channels, box.channels[0] + np.arange(box.channels.size)):
        return None
    for axis in (0, 1):
        beside_before, beside_after = _is_zero_beside(first, axis)
        after = shape[axis] - box.corner[axis] - box.shape[axis]
        if (box.corner[axis] and not beside_before) or (after and not beside_after):
            return None
    scale = np.ones(shape[2])
    scale[box.channels] = box.weight * _scale(first)
    starts = _first(first) + np.int32(box.channels[0])
    return replace(
        first,
        padding=(
            first.padding[0] + box.corner[0] * first.stride[0],
            first.padding[1] + box.corner[1] * first.stride[1],
        ),
        output_shape=shape,
        first=starts if starts.any() else None,
        scale=_unless_one(scale),
    )


def _placed_shape(step: Gather, shape: Shape) -> Shape | None:
    """Return the shape of the image into which a gather puts one of `shape`, or None if that is not what it does."""
    position = np.flatnonzero(step.source >= 0)
    if position.size != math.prod(shape):
        return None
    position, size = position.reshape(shape), step.source.size
    rows, columns, _ = shape
    row_length = int(position[1, 0, 0] - position[0, 0, 0]) if rows > 1 else size
    channels = int(position[0, 1, 0] - position[0, 0, 0]) if columns > 1 else row_length  # a single column stays one
    if size % row_length or row_length % channels:
        return None
    return (size // row_length, row_length // channels, channels)


def _same_pooling(first: Convolution, second: Gather) -> Pool | None:
    """Return the average pooling that a convolution with zeros around the image is, if factors mend its edges."""
    if not second.is_factor or not _is_average(first):
        return None
    pool = Pool(Pooling(first.kernel.shape[:2], first.stride, same=True), first.input_shape)
    if pool.output_shape != first.output_shape or pool.pooling.before(first.input_shape) != first.padding:
        return None
    share = np.ones(first.output_shape)
    for axis in (0, 1):
        start = np.arange(first.output_shape[axis]) * first.stride[axis] - first.padding[axis]
        size = first.kernel.shape[axis]
        within = np.minimum(start + size, first.input_shape[axis]) - np.maximum(start, 0)
        share *= (within / size).reshape((-1, 1, 1) if axis == 0 else (-1, 1))
    return pool if np.allclose(second.weight.reshape(share.shape) * share, 1, rtol=1e-6, atol=0) else None


def _is_pointwise(step: Convolution) -> bool:
    """Whether each output position depends on the same input position alone."""
    return (
        step.kernel.shape[:2] == (1, 1)
        and step.stride == (1, 1)
        and step.padding == (0, 0)
        and step.input_shape[:2] == step.output_shape[:2]
    )


def _is_zero_beside(step: Convolution, axis: int) -> tuple[bool, bool]:
    """Whether further windows before and after those of a convolution would lie beside its image, and give zeros."""
    size, stride, padding = step.kernel.shape[axis], step.stride[axis], step.padding[axis]
    return size - stride <= padding, step.output_shape[axis] * stride - padding >= step.input_shape[axis]


def _compose(first: Convolution, second: Convolution) -> Convolution | None:
    """Return the convolution that does what two in a row do, or None if there is none or it would cost more.

    The second must read the image that the first writes. Beyond that image the second reads zeros, so its windows must
    lie within, or the first must give zeros there, too.
    """
    if first.output_shape != second.input_shape:
        return None
    for axis in (0, 1):
        before = second.padding[axis]
        after = (second.output_shape[axis] - 1) * second.stride[axis] + second.kernel.shape[axis] - before
        beside_before, beside_after = _is_zero_beside(first, axis)
        if (before > 0 and not beside_before) or (after > first.output_shape[axis] and not beside_after):
            return None
    middle = _first(first)[:, np.newaxis] + np.arange(first.kernel.shape[3])
    starts = _first(second)[middle]
    is_sum = bool((starts == starts[:, :1]).all())  # all that an input channel feeds feeds the same channels
    if not is_sum and (second.kernel.shape[3] > 1 or (np.diff(starts, axis=1) != 1).any()):
        return None
    rows, columns = ((second.kernel.shape[a] - 1) * first.stride[a] + first.kernel.shape[a] for a in (0, 1))
    channels, width = first.kernel.shape[2], second.kernel.shape[3] if is_sum else first.kernel.shape[3]
    positions = [math.prod(step.output_shape[:2]) for step in (first, second)]
    apart = ACTIVE_SHARE * first.kernel.size * positions[0] + second.kernel.size * positions[1]
    if ACTIVE_SHARE * rows * columns * channels * width * positions[1] > apart:
        return None
    kernel = np.zeros((rows, columns, channels, width))
    scaled = first.kernel * _scale(first)[middle]
    for row, column in np.ndindex(second.kernel.shape[:2]):
        top, left = row * first.stride[0], column * first.stride[1]
        part = kernel[top : top + first.kernel.shape[0], left : left + first.kernel.shape[1]]
        part += _mixed(scaled, second.kernel[row, column].astype(float), middle, is_sum)
    starts = starts[:, 0].astype(np.int32)
    return Convolution(
        compact(kernel),
        (first.stride[0] * second.stride[0], first.stride[1] * second.stride[1]),
        (
            first.padding[0] + second.padding[0] * first.stride[0],
            first.padding[1] + second.padding[1] * first.stride[1],
        ),
        first.input_shape,
        second.output_shape,
        starts if starts.any() else None,
        second.scale,
    )


def _mixed(
    kernel: NDArray[np.float64], tap: NDArray[np.float64], middle: NDArray[np.intp], is_sum: bool
) -> NDArray[np.float64]:
    """Follow a kernel (rows, columns, channels, width) by one tap, shape (middle channels, width), of the next one."""
    if not is_sum:
        return kernel * tap[middle, 0]
    if (middle == middle[0]).all():
        return kernel @ tap[middle[0]]
    mixed = [kernel[:, :, i] @ tap[channels] for i, channels in enumerate(middle)]
    return np.stack(mixed, axis=2)


# --- using steps ------------------------------------------------------------------------------------------------------


def is_direct(steps: list[Step]) -> bool:
    """Whether simplified steps can be one connection: poolings and at most one step after them."""
    return len(_after_pools(steps)) <= 1


def has_weights(steps: list[Step]) -> bool:
    """Whether there is more in simplified steps than pooling, slices and factors: something to do only once."""
    return any(not isinstance(step, Gather) for step in _after_pools(steps))


def is_placement(steps: list[Step]) -> bool:
    """Whether steps end by writing into a part of what they feed, as concatenation does."""
    return bool(steps) and isinstance(steps[-1], Gather) and bool((steps[-1].source < 0).any())


def _after_pools(steps: list[Step]) -> list[Step]:
    """Return the steps that follow the poolings at the front."""
    pools = next((i for i, step in enumerate(steps) if not isinstance(step, Pool)), len(steps))
    return steps[pools:]


def input_shape(steps: list[Step]) -> Shape | None:
    """Rows, columns and channels that the first step takes its input to have, if it says so."""
    return steps[0].input_shape if steps and isinstance(steps[0], Convolution | Pool) else None


def output_shape(steps: list[Step]) -> Shape | None:
    """Rows, columns and channels that the last step gives, if it says so."""
    if steps and isinstance(steps[-1], Matrix):
        return (1, 1, len(steps[-1].weights))
    return steps[-1].output_shape if steps and isinstance(steps[-1], Convolution | Pool) else None


def placed_shape(steps: list[Step], shape: Shape) -> Shape | None:
    """Rows, columns and channels that direct steps give of an image of `shape` which they put into a larger one."""
    pools, rest = steps[: len(steps) - len(_after_pools(steps))], _after_pools(steps)
    if len(rest) != 1 or not isinstance(rest[0], Gather):
        return None
    return _placed_shape(rest[0], output_shape(pools) or shape)


def apply(step: Step, signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply a step to a constant signal."""
    match step:
        case Gather():
            return np.where(step.source >= 0, signal[step.source] * step.weight, 0)
        case Matrix():
            return (step.weights @ signal) * step.scale
        case Pool() if step.pooling.same:
            within = _windows_sum(step, np.ones(math.prod(step.input_shape)))
            return _windows_sum(step, signal) / within
        case Pool():
            return _convolve(_as_convolution(step), signal)
        case Convolution():
            return _convolve(step, signal)
    return step @ signal


def _windows_sum(step: Pool, signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum a flat image over the windows of a pooling, as far as they lie within."""
    channels = step.input_shape[2]
    kernel, first = np.ones((*step.pooling.size, channels, 1)), np.arange(channels, dtype=np.int32)
    padding = step.pooling.before(step.input_shape)
    return _convolve(
        Convolution(kernel, step.pooling.stride, padding, step.input_shape, step.output_shape, first), signal
    )


def _taps(step: Convolution):
    """Yield for each tap of the kernel its index and the input and output positions that it connects, by axis."""
    for tap in np.ndindex(step.kernel.shape[:2]):
        inputs, outputs = [], []
        for axis in (0, 1):
            position = np.arange(step.output_shape[axis]) * step.stride[axis] + tap[axis] - step.padding[axis]
            inside = (position >= 0) & (position < step.input_shape[axis])
            inputs.append(position[inside])
            outputs.append(np.flatnonzero(inside))
        yield tap, inputs, outputs


def _convolve(step: Convolution, signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convolve a flat image."""
    image, result = signal.reshape(step.input_shape), np.zeros(step.output_shape)
    channels, width = step.kernel.shape[2:]
    reached = _first(step)[:, np.newaxis] + np.arange(width)
    weights = np.zeros((channels, step.output_shape[2]))
    for tap, inputs, outputs in _taps(step):
        weights[np.arange(channels)[:, np.newaxis], reached] = step.kernel[tap]
        result[np.ix_(*outputs)] += image[np.ix_(*inputs)] @ weights
    return (result * _scale(step)).ravel()


def as_sparse(step: Gather | sparse.csr_array) -> sparse.csr_array:
    """Return a step as a sparse matrix, shape (outputs, inputs)."""
    if not isinstance(step, Gather):
        return step
    filled = np.flatnonzero(step.source >= 0)
    return sparse.csr_array((step.weight[filled], (filled, step.source[filled])), (step.source.size, step.inputs))


def connection_of(
    steps: list[Step], source_shape: Shape, target_shape: Shape
) -> tuple[tuple[View, ...], Convolution | SparseMatrix]:
    """Bring direct steps (see `is_direct`) into the form of a connection between layers of two shapes."""
    views: list[View] = []
    shape = source_shape

    def see_as(wanted: Shape) -> None:
        if wanted != shape:
            views.append(Reshape(wanted))

    rest = _after_pools(steps)
    for step in steps[: len(steps) - len(rest)]:
        assert isinstance(step, Pool)
        see_as(step.input_shape)
        views.append(step.pooling)
        shape = step.output_shape
    (step,) = rest or [factor(np.ones(math.prod(shape)))]
    if isinstance(step, Matrix):
        step = _covering(step, shape)
    box = _box(step, target_shape) if isinstance(step, Gather) else None
    if box is not None:
        kernel = np.ones((1, 1, box.shape[2], 1), np.float32)
        scale = np.ones(target_shape[2])
        scale[box.channels] = box.weight
        step = Convolution(
            kernel, (1, 1), box.corner, box.shape, target_shape, box.channels.astype(np.int32), _unless_one(scale)
        )
    if isinstance(step, Convolution):
        see_as(step.input_shape)
        return tuple(views), step
    columns = sparse.csc_array(as_sparse(step))
    columns.sort_indices()
    return tuple(views), SparseMatrix(
        columns.indptr.astype(np.int64),
        columns.indices.astype(np.int32),
        columns.data.astype(np.float64),
        columns.shape[0],
    )


def convolution_in_space(
    kernel: NDArray[np.float64],
    stride: tuple[int, ...],
    same: bool,
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
) -> sparse.csr_array:
    """Return a convolution of any number of dimensions as a sparse matrix.

    Parameters
    ----------
    kernel : ndarray of float64, shape (*size, input channels, output channels)
    stride, same, input_shape, output_shape
        As in TensorFlow, channels last; `same` for padding "same".
    """
    axes = range(len(stride))
    shapes = input_shape, output_shape
    inputs, outputs = (np.arange(math.prod(shape), dtype=np.int32).reshape(shape) for shape in shapes)
    parts = []
    for tap in np.ndindex(kernel.shape[: len(stride)]):
        read, written = [], []
        for axis in axes:
            windows, length = output_shape[axis], input_shape[axis]
            before = same_padding(length, windows, kernel.shape[axis], stride[axis]) if same else 0
            position = np.arange(windows) * stride[axis] + tap[axis] - before
            inside = (position >= 0) & (position < length)
            read.append(position[inside])
            written.append(np.flatnonzero(inside))
        source, target = inputs[np.ix_(*read)][..., :, np.newaxis], outputs[np.ix_(*written)][..., np.newaxis, :]
        parts.append([part.ravel() for part in np.broadcast_arrays(kernel[tap], target, source)])
    weight, target, source = (np.concatenate(part) for part in zip(*parts, strict=True))
    del parts  # there may be many weights
    made = sparse.csr_array((weight, (target, source)), (outputs.size, inputs.size))
    made.eliminate_zeros()
    return made
