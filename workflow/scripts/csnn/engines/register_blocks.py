"""The inner loop of the engine: a weighted sum of rows of a matrix, with the sum held in vector registers.

In plain numba the sum lives in memory and is read and written again for every row, which makes this loop about half
as fast (``benchmarks/engine.py`` measures both); numba has no type for a vector register, hence the few lines of LLVM.
"""

from __future__ import annotations

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

VECTOR_BYTES = 64
"""Rows are a multiple of this long. LLVM splits vectors where the machine's registers are shorter."""


def lanes(itemsize: int) -> int:
    """How many values of `itemsize` bytes a vector holds."""
    return VECTOR_BYTES // itemsize


def _add_rows_of(vectors: int):
    """Make the loop for rows of `vectors` vectors: that many registers hold the sum."""

    @intrinsic
    def add_rows(typing_context, weights, first, index, value, start, stop, total, at):
        real = weights.dtype
        width = lanes(real.bitwidth // 8)
        signature = types.void(weights, types.intp, index, value, types.intp, types.intp, total, types.intp)

        def generate(context, builder, signature, arguments):
            weights, first, index, value, start, stop, total, at = arguments
            array_types = signature.args

            def data(position, array):
                return context.make_array(array_types[position])(context, builder, array).data

            word = ir.IntType(64)
            scalar = context.get_value_type(real)
            vector = ir.VectorType(scalar, width)
            splat = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
            undefined = ir.Constant(vector, ir.Undefined)
            fma = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(vector, [vector] * 3),
                f"llvm.fma.v{width}f{real.bitwidth}",
            )

            def load(pointer, number):
                register = builder.load(builder.gep(pointer, [word(number)]))
                register.align = real.bitwidth // 8
                return register

            totals = builder.bitcast(builder.gep(data(6, total), [at]), vector.as_pointer())
            row_length = builder.mul(word(1), _row_length(context, builder, array_types[0], weights))
            origin = builder.gep(data(0, weights), [first])
            before = builder.block
            loop, end = builder.append_basic_block("rows"), builder.append_basic_block("done")
            initial = [load(totals, number) for number in range(vectors)]
            builder.cbranch(builder.icmp_signed("<", start, stop), loop, end)

            builder.position_at_end(loop)
            event = builder.phi(word)
            sums = [builder.phi(vector) for _ in range(vectors)]
            row = builder.sext(builder.load(builder.gep(data(2, index), [event])), word)
            weight_row = builder.bitcast(builder.gep(origin, [builder.mul(row, row_length)]), vector.as_pointer())
            factor = builder.load(builder.gep(data(3, value), [event]))
            factor = builder.shuffle_vector(
                builder.insert_element(undefined, factor, ir.IntType(32)(0)), undefined, splat
            )
            added = [builder.call(fma, [factor, load(weight_row, k), sums[k]]) for k in range(vectors)]
            following = builder.add(event, word(1))
            event.add_incoming(start, before)
            event.add_incoming(following, loop)
            for number in range(vectors):
                sums[number].add_incoming(initial[number], before)
                sums[number].add_incoming(added[number], loop)
            builder.cbranch(builder.icmp_signed("<", following, stop), loop, end)

            builder.position_at_end(end)
            results = [builder.phi(vector) for _ in range(vectors)]
            for number, result in enumerate(results):
                result.add_incoming(initial[number], before)
                result.add_incoming(added[number], loop)
            for number, result in enumerate(results):
                store = builder.store(result, builder.gep(totals, [word(number)]))
                store.align = real.bitwidth // 8
            return context.get_dummy_value()

        return signature, generate

    return add_rows


def _row_length(context, builder, array_type, array):
    """Number of values in a row of a two-dimensional C-contiguous array."""
    return builder.extract_value(context.make_array(array_type)(context, builder, array).shape, 1)


_eight, _four, _two, _one = (_add_rows_of(vectors) for vectors in (8, 4, 2, 1))


@njit(error_model="numpy")
def add_weighted_rows(weights, first, index, value, start, stop, total, at):
    """Add rows of weights, each times a value: ``total[at:at + n] += sum_e value[e] * row(index[e])``.

    Parameters
    ----------
    weights : (rows, n) array of float
        C-contiguous; `n` is a multiple of a vector (see `lanes`).
    first : int
        Where, in the flattened weights, row number 0 begins: it may lie outside as long as no row that is used does.
    index : array of int32
        Row of each event.
    value : array of float
        Factor of each event.
    start, stop : int
        Which events count.
    total : one-dimensional array of float
        Changed in place from position `at`.
    """
    vector = VECTOR_BYTES // weights.itemsize
    n = weights.shape[1]
    done = 0
    while done + 8 * vector <= n:
        _eight(weights, first + done, index, value, start, stop, total, at + done)
        done += 8 * vector
    if done + 4 * vector <= n:
        _four(weights, first + done, index, value, start, stop, total, at + done)
        done += 4 * vector
    if done + 2 * vector <= n:
        _two(weights, first + done, index, value, start, stop, total, at + done)
        done += 2 * vector
    if done < n:
        _one(weights, first + done, index, value, start, stop, total, at + done)
