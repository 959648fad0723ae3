"""The steps of all neuron types of `csnn.neurons`, compiled for arrays of neurons."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from functools import cache

from numba import njit
from numba.extending import register_jitable
from numba.np.unsafe.ndarray import to_fixed_tuple

from csnn.event.kernel_cache import ALLOCATES_NOTHING
from csnn.neurons import NEURONS, series
from csnn.neurons.neuron_type import NeuronType, Step

_names = itertools.count()


def _name(function: Callable) -> None:
    """Give a function that is made several times a name of its own, the same in every process.

    Machine code from the cache and from this process is linked by names, so different functions must not share one.
    """
    function.__qualname__ = f"{function.__qualname__}_{next(_names)}"


def _compile(function: Callable) -> Callable:
    """Compile a function that is made several times.

    Rounding as in Nengo decides when a neuron spikes, so nothing is contracted; that has to be said, because functions
    inherit `fastmath` from those that call them.
    """
    _name(function)
    return njit(fastmath=False, **ALLOCATES_NOTHING)(function)


@cache
def _make_jitable(function: Callable) -> None:
    """Let compiled code call a function of plain Python, and whatever functions of `csnn.neurons` that one calls."""
    names = inspect.getclosurevars(function)
    for called in (*names.nonlocals.values(), *names.globals.values()):
        if inspect.isfunction(called):
            _make_jitable(called)
    _name(function)
    contraction = {"contract"} if function.__module__ == series.__name__ else False
    register_jitable(error_model="numpy", fastmath=contraction)(function)


@cache
def _columns(count: int) -> tuple[Callable, Callable]:
    """Make two functions that load and store one column of an array with `count` rows, as a tuple.

    One row after the other by functions of their own: with a loop over rows, neurons are not computed many at once.
    """
    if count == 0:
        return _compile(lambda array, i: ()), _compile(lambda array, i, values: None)
    load_others, store_others = _columns(count - 1)
    last = count - 1

    def load(array, i):
        return (*load_others(array, i), array[last, i])

    def store(array, i, values):
        store_others(array, i, values)
        array[last, i] = values[last]

    return _compile(load), _compile(store)


def _over_neurons(kind: NeuronType, step: Step) -> Callable:
    """Compile a step of one neuron into a step of arrays of neurons."""
    _make_jitable(step)
    load, store = _columns(len(kind.state._fields))
    state_type, constants_type, count = kind.state, kind.constants, len(kind.constants._fields)

    def step_all(number, current, state, output, numbers):
        real = numbers.dtype.type
        constants = constants_type(*to_fixed_tuple(numbers, count))  # type: ignore[call-arg]
        for i in range(current.size):
            output[i], new = step(current[i], state_type(*load(state, i)), constants, real)
            store(state, i, new)

    return _compile(step_all)


_STEPS: list[tuple[NeuronType, Step]] = [(kind, step) for kind in NEURONS.values() for step in kind.steps]

NUMBERS: dict[Step, int] = {step: number for number, (_, step) in enumerate(_STEPS)}
"""The number by which `step_neurons` knows a step."""


def _one_of(numbers: range) -> Callable:
    """Compile the function that takes the step with one of these numbers, by halves."""
    if len(numbers) == 1:
        return _over_neurons(*_STEPS[numbers[0]])
    half = len(numbers) // 2
    step_lower, step_upper, middle = _one_of(numbers[:half]), _one_of(numbers[half:]), numbers[half]

    def step_one_of(number, current, state, output, constants):
        if number < middle:
            step_lower(number, current, state, output, constants)
        else:
            step_upper(number, current, state, output, constants)

    return _compile(step_one_of)


step_neurons = _one_of(range(len(_STEPS)))
"""Take one step of neurons: ``step_neurons(number, current, state, output, constants)``.

Parameters
----------
number : int
    Which step, see `NUMBERS`.
current : float array, shape (n,)
state : float array, shape (state variables, at least n)
    In the order of `NeuronType.state`; changed in place.
output : float array, shape (at least n,)
    Filled.
constants : float array
    In the order of `NeuronType.constants`.

All arrays are of one float type.
"""
