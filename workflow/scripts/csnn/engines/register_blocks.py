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
    def add_rows(typing_context, weights, origin, index, value, start, stop, total, at):
        real = weights.dtype
        width = lanes(real.bitwidth // 8)
        signature = types.void(weights, types.intp, index, value, types.intp, types.intp, total, types.intp)

        def generate(context, builder, signature, arguments):
            weights, origin, index, value, start, stop, total, at = arguments
            weights_type, _, index_type, value_type, _, _, total_type, _ = signature.args
            weights, index, value, total = (
                context.make_array(array_type)(context, builder, array)
                for array_type, array in (
                    (weights_type, weights), (index_type, index), (value_type, value), (total_type, total),
                )
            )  # fmt: skip
            word, lane = ir.IntType(64), ir.IntType(32)
            vector = ir.VectorType(context.get_value_type(real), width)
            undefined = ir.Constant(vector, ir.Undefined)
            splat = ir.Constant(ir.VectorType(lane, width), [0] * width)
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{width}f{real.bitwidth}"
            )

            def load(pointer, number):
                register = builder.load(builder.gep(pointer, [word(number)]))
                register.align = real.bitwidth // 8
                return register

            row_length = builder.extract_value(weights.shape, 1)
            first_row = builder.gep(weights.data, [origin])
            totals = builder.bitcast(builder.gep(total.data, [at]), vector.as_pointer())
            before, rows, end = builder.block, builder.append_basic_block("rows"), builder.append_basic_block("end")
            initial = [load(totals, k) for k in range(vectors)]
            builder.cbranch(builder.icmp_signed("<", start, stop), rows, end)

            builder.position_at_end(rows)
            event = builder.phi(word)
            sums = [builder.phi(vector) for _ in range(vectors)]
            row = builder.sext(builder.load(builder.gep(index.data, [event])), word)
            row = builder.bitcast(builder.gep(first_row, [builder.mul(row, row_length)]), vector.as_pointer())
            factor = builder.load(builder.gep(value.data, [event]))
            factor = builder.shuffle_vector(builder.insert_element(undefined, factor, lane(0)), undefined, splat)
            added = [builder.call(fma, [factor, load(row, k), sums[k]]) for k in range(vectors)]
            following = builder.add(event, word(1))
            event.add_incoming(start, before)
            event.add_incoming(following, rows)
            for k in range(vectors):
                sums[k].add_incoming(initial[k], before)
                sums[k].add_incoming(added[k], rows)
            builder.cbranch(builder.icmp_signed("<", following, stop), rows, end)

            builder.position_at_end(end)
            results = [builder.phi(vector) for _ in range(vectors)]
            for k in range(vectors):
                results[k].add_incoming(initial[k], before)
                results[k].add_incoming(added[k], rows)
            for k in range(vectors):
                store = builder.store(results[k], builder.gep(totals, [word(k)]))
                store.align = real.bitwidth // 8
            return context.get_dummy_value()

        return signature, generate

    return add_rows


_eight, _four, _two, _one = (_add_rows_of(vectors) for vectors in (8, 4, 2, 1))


@njit(error_model="numpy")
def add_weighted_rows(weights, origin, index, value, start, stop, total, at):
    """Add rows of weights, each times a value: ``total[at:at + n] += sum of value[e] * w(e)`` over ``start <= e < stop``.

    ``w(e)`` are the `n` weights that begin at ``origin + n * index[e]`` in the flattened weights.

    Parameters
    ----------
    weights : (rows, n) array of float
        C-contiguous; `n` is a multiple of a vector (see `lanes`).
    origin : int
        It may lie outside of the weights as long as no row that is used does.
    index : one-dimensional int32 array
    value : one-dimensional array of float
    start, stop : int
    total : one-dimensional array of float
        Changed in place from position `at`.
    at : int
    """
    vector = VECTOR_BYTES // weights.itemsize
    n = weights.shape[1]
    done = 0
    while done + 8 * vector <= n:
        _eight(weights, origin + done, index, value, start, stop, total, at + done)
        done += 8 * vector
    if done + 4 * vector <= n:
        _four(weights, origin + done, index, value, start, stop, total, at + done)
        done += 4 * vector
    if done + 2 * vector <= n:
        _two(weights, origin + done, index, value, start, stop, total, at + done)
        done += 2 * vector
    if done < n:
        _one(weights, origin + done, index, value, start, stop, total, at + done)
