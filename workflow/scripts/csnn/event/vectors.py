"""The innermost loop of the simulator: weights of many events added up in the processor's vector registers.

Written for LLVM, because a loop that numba compiles keeps its sums in memory and reads and writes them for each event.
`benchmarks/vectors.py` measures what that is worth.
"""

from __future__ import annotations

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
"""Numbers that go together, where there are so many; LLVM makes of them what the processor has."""
BLOCK = 8 * LANES
"""Sums that are kept in registers at a time, at most."""


def _make_add_rows(vectors: int, lanes: int = LANES):
    """Make a function that adds rows of ``vectors * lanes`` weights, see `add_rows`."""

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

            sum_type, weight_type = of_type("result"), of_type("weights")
            vector = ir.VectorType(sum_type, lanes)

            def pointer_to(pointer, index, vector_index, kind):
                """Pointer to the vector of some index, and the alignment that can be relied on, in bytes."""
                here = builder.gep(pointer, [builder.add(index, ir.Constant(index.type, vector_index * lanes))])
                return builder.bitcast(here, ir.VectorType(kind, lanes).as_pointer()), 4 if kind == _FLOAT else 8

            def load(name, index, vector_index, kind):
                pointer, alignment = pointer_to(data(name), index, vector_index, kind)
                return builder.load(pointer, align=alignment)

            at = number("at")
            sums = [cgutils.alloca_once(builder, vector) for _ in range(vectors)]
            for i, total in enumerate(sums):
                builder.store(load("result", at, i, sum_type), total)
            unit_step = ir.Constant(at.type, 1)
            with cgutils.for_range_slice(builder, number("start"), number("stop"), unit_step, at.type) as (event, _):
                unit_of_event = builder.sext(builder.load(builder.gep(data("unit"), [event])), at.type)
                first = builder.add(number("origin"), builder.mul(number("stride"), unit_of_event))
                undefined, all_lanes = ir.Constant(vector, ir.Undefined), ir.VectorType(_INT, lanes)
                value_of_event = builder.load(builder.gep(data("value"), [event]))
                factor = builder.insert_element(undefined, value_of_event, ir.Constant(_INT, 0))
                factor = builder.shuffle_vector(factor, undefined, ir.Constant(all_lanes, [0] * lanes))
                for i, total in enumerate(sums):
                    weight = load("weights", first, i, weight_type)
                    if weight_type != sum_type:
                        weight = builder.fpext(weight, vector)
                    product = builder.fmul(factor, weight, flags=("contract",))
                    builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
            for i, total in enumerate(sums):
                pointer, alignment = pointer_to(data("result"), at, i, sum_type)
                builder.store(builder.load(total), pointer, align=alignment)
            return context.get_dummy_value()

        return signature, generate

    return add_rows_of_vectors


_ARGUMENTS = ("unit", "value", "start", "stop", "weights", "origin", "stride", "result", "at")
_FLOAT, _INT = ir.FloatType(), ir.IntType(32)
_add_rows_of_64, _add_rows_of_32, _add_rows_of_16, _add_rows_of_8 = (
    _make_add_rows(vectors) for vectors in (8, 4, 2, 1)
)
_add_rows_of_4, _add_rows_of_2 = _make_add_rows(1, 4), _make_add_rows(1, 2)


@njit(error_model="numpy", fastmath={"contract"})
def add_rows(unit, value, start, stop, weights, origin, stride, result, at, count):
    """Add to ``result[at : at + count]`` the weights of some events, each times its value.

    Parameters
    ----------
    unit : int32 array
        For each event its number, which says where its weights begin: at ``origin + stride * unit``.
    value : float array
    start, stop : int
        The events.
    weights : float array
        Of the same type as `result`, or of single precision.
    origin, stride : int
    result : float array
        Of the type of `value`.
    at, count : int

    Notes
    -----
    For each sum the events are added in their order, whatever `count` is. No index is checked.
    """
    done = 0
    while done + BLOCK <= count:
        _add_rows_of_64(unit, value, start, stop, weights, origin + done, stride, result, at + done)
        done += BLOCK
    if done + 32 <= count:
        _add_rows_of_32(unit, value, start, stop, weights, origin + done, stride, result, at + done)
        done += 32
    if done + 16 <= count:
        _add_rows_of_16(unit, value, start, stop, weights, origin + done, stride, result, at + done)
        done += 16
    if done + 8 <= count:
        _add_rows_of_8(unit, value, start, stop, weights, origin + done, stride, result, at + done)
        done += 8
    if done + 4 <= count:
        _add_rows_of_4(unit, value, start, stop, weights, origin + done, stride, result, at + done)
        done += 4
    if done + 2 <= count:
        _add_rows_of_2(unit, value, start, stop, weights, origin + done, stride, result, at + done)
        done += 2
    if done < count:
        total = result[at + done]
        for event in range(start, stop):
            total += value[event] * weights[origin + stride * unit[event] + done]
        result[at + done] = total
