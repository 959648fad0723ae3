"""The innermost loop of the simulator: weights of many events added up in the processor's vector registers.

Written for LLVM, because a loop that numba compiles keeps its sums in memory and reads and writes them for each event.
`benchmarks/vectors.py` measures what that is worth.
"""

from __future__ import annotations

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from csnn.event.kernel_cache import ALLOCATES_NOTHING

VECTOR_BITS = 512
"""Size of the numbers that are added together, where there are so many; LLVM makes of it what the processor has."""
BLOCK = 64
"""Sums that are kept in registers at a time, at most."""


def _make_add_rows(outputs: int):
    """Make a function that adds the rows of ``outputs`` weights of some events, each times its value.

    ``add_rows(unit, value, start, stop, weights, origin, stride, result, at)`` adds to ``result[at:]``; the weights of
    an event begin at ``origin + stride * unit``.
    """

    @intrinsic
    def add_rows_of_vectors(typing, unit, value, start, stop, weights, origin, stride, result, at):
        signature = types.void(unit, value, start, stop, weights, origin, stride, result, at)

        def generate(context, builder, signature, arguments):
            typed_arguments = dict(zip(_ARGUMENTS, zip(signature.args, arguments, strict=True), strict=True))

            def data(name):
                kind, array = typed_arguments[name]
                return context.make_array(kind)(context, builder, array).data

            def number(name):
                kind, argument = typed_arguments[name]
                return context.cast(builder, argument, kind, types.intp)

            def of_type(name):
                return context.get_data_type(typed_arguments[name][0].dtype)

            real, real_type = typed_arguments["result"][0].dtype, of_type("result")
            lanes, alignment = min(outputs, VECTOR_BITS // real.bitwidth), real.bitwidth // 8
            vectors, vector = outputs // lanes, ir.VectorType(real_type, lanes)

            def pointer_to(pointer, index, vector_index):
                """Pointer to the vector of some index."""
                here = builder.gep(pointer, [builder.add(index, ir.Constant(index.type, vector_index * lanes))])
                return builder.bitcast(here, vector.as_pointer())

            def load(name, index, vector_index):
                return builder.load(pointer_to(data(name), index, vector_index), align=alignment)

            at = number("at")
            sums = [cgutils.alloca_once(builder, vector) for _ in range(vectors)]
            for i, total in enumerate(sums):
                builder.store(load("result", at, i), total)
            unit_step = ir.Constant(at.type, 1)
            with cgutils.for_range_slice(builder, number("start"), number("stop"), unit_step, at.type) as (event, _):
                unit_of_event = builder.sext(builder.load(builder.gep(data("unit"), [event])), at.type)
                first = builder.add(number("origin"), builder.mul(number("stride"), unit_of_event))
                undefined, all_lanes = ir.Constant(vector, ir.Undefined), ir.VectorType(_INT, lanes)
                value_of_event = builder.load(builder.gep(data("value"), [event]))
                factor = builder.insert_element(undefined, value_of_event, ir.Constant(_INT, 0))
                factor = builder.shuffle_vector(factor, undefined, ir.Constant(all_lanes, [0] * lanes))
                for i, total in enumerate(sums):
                    product = builder.fmul(factor, load("weights", first, i), flags=("contract",))
                    builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
            for i, total in enumerate(sums):
                builder.store(builder.load(total), pointer_to(data("result"), at, i), align=alignment)
            return context.get_dummy_value()

        return signature, generate

    return add_rows_of_vectors


_ARGUMENTS = ("unit", "value", "start", "stop", "weights", "origin", "stride", "result", "at")
_INT = ir.IntType(32)


def _make_add_windows(outputs: int):
    """Make `add_windows` for so many output channels, from `done` on, of the `width` that there are."""
    add_rows = _make_add_rows(outputs)

    def add_windows_of(first, unit, value, weights, origin, columns, width, done, result):
        image_columns = first.size - 1
        for column in range(columns):
            left = column * weights.column_stride - weights.columns_left
            start = first[min(max(left, 0), image_columns)]
            stop = first[min(max(left + weights.kernel_columns, 0), image_columns)]
            if start < stop:
                # units are numbered from the image's left edge, weights from the window's
                here = origin - left * weights.channels * width + done
                add_rows(unit, value, start, stop, weights.taps, here, width, result, column * width + done)

    # machine code is linked by names, so that each of these functions needs one of its own
    add_windows_of.__qualname__ += f"_{outputs}"
    return njit(fastmath={"contract"}, **ALLOCATES_NOTHING)(add_windows_of)


_of_64, _of_32, _of_16, _of_8, _of_4, _of_2, _of_1 = (
    _make_add_windows(outputs) for outputs in (64, 32, 16, 8, 4, 2, 1)
)


@njit(fastmath={"contract"}, **ALLOCATES_NOTHING)
def add_windows(first, unit, value, weights, origin, columns, width, result):
    """Add to each output position of a row the weights of the events in one row of its window, each times its value.

    Parameters
    ----------
    first : int32 array, shape (image columns + 1,)
    unit : int32 array
    value : float array
        One row and step of `csnn.event.kernels.Events`.
    weights : ConvolutionWeights
        In which every input channel feeds all outputs.
    origin : int
        Where in `weights.taps` the row of the kernel begins.
    columns, width : int
        Output positions, and channels of each.
    result : float array, shape (columns * width,)
        Added to.

    Notes
    -----
    For each sum the events are added in their order, whatever `columns` and `width` are. No index is checked.
    """
    done = 0
    while done + BLOCK <= width:
        _of_64(first, unit, value, weights, origin, columns, width, done, result)
        done += BLOCK
    if width & 32:
        _of_32(first, unit, value, weights, origin, columns, width, done, result)
        done += 32
    if width & 16:
        _of_16(first, unit, value, weights, origin, columns, width, done, result)
        done += 16
    if width & 8:
        _of_8(first, unit, value, weights, origin, columns, width, done, result)
        done += 8
    if width & 4:
        _of_4(first, unit, value, weights, origin, columns, width, done, result)
        done += 4
    if width & 2:
        _of_2(first, unit, value, weights, origin, columns, width, done, result)
        done += 2
    if width & 1:
        _of_1(first, unit, value, weights, origin, columns, width, done, result)
