"""One step of each neuron type, on arrays of neurons, and the registry of neuron types that the engine knows.

To add a neuron type: write its step function, register it in `NEURON_STEPS`, and add its line to `step_neurons`.

All step functions take the ``current`` (n,), ``state`` (state variables, at least n) and ``output`` (at least n) of n
neurons and ``constant``, the numbers that the registered function computed, all of one float type; they change `state`
and `output` in place. An output is what Nengo puts out: ``amplitude / dt`` per spike, ``amplitude`` times the rate for
rate neurons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

_compiled = njit(error_model="numpy", fastmath={"contract"})
_inlined = njit(error_model="numpy", fastmath={"contract"}, inline="always")

SERIES_LIMIT = 0.05
"""Largest dt / tau_rc for which `expm1_series` and `log1p_series` are exact to rounding in double precision."""


@_inlined
def series_coefficients(array):
    """Coefficients of `expm1_series` and `log1p_series`, in the precision of an array.

    Given as constants of that precision, because a number written in the source would turn single into double.
    """
    real = array.dtype.type
    taylor = (
        real(1), real(1 / 2), real(1 / 6), real(1 / 24), real(1 / 120), real(1 / 720),
        real(1 / 5040), real(1 / 40320), real(1 / 362880),
    )  # fmt: skip
    odd = (real(1), real(1 / 3), real(1 / 5), real(1 / 7), real(1 / 9), real(1 / 11))
    return taylor, odd


@_inlined
def expm1_series(x, taylor):
    """exp(x) - 1 for |x| <= `SERIES_LIMIT`, by its Taylor series; the first term left out is x^10 / 10!."""
    total = taylor[8]
    total = total * x + taylor[7]
    total = total * x + taylor[6]
    total = total * x + taylor[5]
    total = total * x + taylor[4]
    total = total * x + taylor[3]
    total = total * x + taylor[2]
    total = total * x + taylor[1]
    return x * (total * x + taylor[0])


@_inlined
def log1p_series(numerator, denominator, odd):
    """log(1 + numerator / denominator) = 2 artanh(numerator / (2 denominator + numerator)), by its series.

    For -`SERIES_LIMIT` <= numerator / denominator <= 0; the first term left out is s^13 / 13 with |s| < 0.026.
    """
    s = numerator / (denominator + denominator + numerator)
    square = s * s
    total = odd[5]
    total = total * square + odd[4]
    total = total * square + odd[3]
    total = total * square + odd[2]
    total = total * square + odd[1]
    return (s + s) * (total * square + odd[0])


@_compiled
def step_rectified_linear(current, state, output, constant):
    """Rate neurons: ``output = amplitude * max(J, 0)`` (nengo/neurons.py, RectifiedLinear.step)."""
    zero = current.dtype.type(0)
    amplitude = constant[0]
    for i in range(current.size):
        output[i] = max(current[i], zero) * amplitude


@_compiled
def step_spiking_rectified_linear(current, state, output, constant):
    """Integrate-and-fire neurons without leak: several spikes per step are possible.

    ``V += max(J, 0) dt; spikes = floor(V); V -= spikes`` (nengo/neurons.py, SpikingRectifiedLinear.step).
    """
    zero = current.dtype.type(0)
    dt, spike = constant[0], constant[1]
    voltage = state[0]
    for i in range(current.size):
        membrane = voltage[i] + max(current[i], zero) * dt
        spikes = np.floor(membrane)
        voltage[i] = membrane - spikes
        output[i] = spikes * spike


@_inlined
def relax_by_series(target, voltage, refractory, constant):
    """One LIF neuron over one step by short series and without branches, so that a loop over neurons runs on vectors.

    ``voltage`` relaxes towards ``target`` with ``tau_rc`` for the part of the step that is not refractory. Where it
    ends above 1 there is a spike: it is 0 and the refractory period runs from the moment in which it passed 1.

    Returns
    -------
    spiked, voltage, refractory
    """
    zero, one = constant.dtype.type(0), constant.dtype.type(1)
    dt, tau_rc, tau_ref, min_voltage, full_step, rate = (
        constant[0], constant[1], constant[2], constant[4], constant[5], constant[6],
    )  # fmt: skip
    taylor, odd = series_coefficients(constant)
    active = dt - refractory
    active = active if active > zero else zero
    active = active if active < dt else dt
    relaxed = expm1_series(active * rate, taylor)
    relaxed = relaxed if active < dt else full_step
    voltage = voltage + (voltage - target) * relaxed
    since_spike = -tau_rc * log1p_series(one - voltage, target - one, odd)
    spiked = voltage > one
    refractory = tau_ref - since_spike if spiked else refractory - dt
    voltage = voltage if voltage > min_voltage else min_voltage
    voltage = zero if spiked else voltage
    return spiked, voltage, refractory


@_inlined
def relax_by_functions(target, voltage, refractory, constant):
    """`relax_by_series` for any ratio of dt and tau_rc, by the mathematical functions."""
    zero, one = constant.dtype.type(0), constant.dtype.type(1)
    dt, tau_rc, tau_ref, min_voltage, full_step = constant[0], constant[1], constant[2], constant[4], constant[5]
    active = min(max(dt - refractory, zero), dt)
    relaxed = full_step
    if active < dt:
        relaxed = math.expm1(-active / tau_rc)
    voltage = voltage + (voltage - target) * relaxed
    if voltage > one:
        return True, zero, tau_ref + tau_rc * math.log1p((one - voltage) / (target - one))
    return False, max(voltage, min_voltage), refractory - dt


def _make_step_lif(relax):
    """Make the step of LIF neurons from the step of one."""

    @_compiled
    def step_lif(current, state, output, constant):
        zero, spike = constant.dtype.type(0), constant[3]
        voltage, refractory = state[0], state[1]
        for i in range(current.size):
            spiked, voltage[i], refractory[i] = relax(current[i], voltage[i], refractory[i], constant)
            output[i] = spike if spiked else zero

    return step_lif


def _make_step_adaptive_lif(relax):
    """Make the step of adaptive LIF neurons from the step of one LIF neuron."""

    @_compiled
    def step_adaptive_lif(current, state, output, constant):
        zero, spike = constant.dtype.type(0), constant[3]
        adaptation_rate, inc_n = constant[8], constant[9]
        voltage, refractory = state[0], state[1]
        adaptation = state[2]
        for i in range(current.size):
            n = adaptation[i]
            spiked, voltage[i], refractory[i] = relax(current[i] - n, voltage[i], refractory[i], constant)
            out = spike if spiked else zero
            adaptation[i] = n + adaptation_rate * (inc_n * out - n)
            output[i] = out

    return step_adaptive_lif


_lif_by_series, _lif_by_functions = _make_step_lif(relax_by_series), _make_step_lif(relax_by_functions)
_adaptive_by_series = _make_step_adaptive_lif(relax_by_series)
_adaptive_by_functions = _make_step_adaptive_lif(relax_by_functions)


@_compiled
def step_lif(current, state, output, constant):
    """Leaky integrate-and-fire neurons, exact over a step of constant current (nengo/neurons.py, LIF.step).

    The bookkeeping of refractory times is NengoDL's (nengo_dl/neuron_builders.py, LIFBuilder.step).
    """
    if constant[7] > 0:
        _lif_by_series(current, state, output, constant)
    else:
        _lif_by_functions(current, state, output, constant)


@_compiled
def step_adaptive_lif(current, state, output, constant):
    """LIF neurons whose current is lowered by an adaptation ``n`` that each spike raises.

    ``n`` follows ``tau_n dn/dt = inc_n output - n`` by Euler's rule after the step, where the output is the one scaled
    by the amplitude (nengo/neurons.py, AdaptiveLIF.step).
    """
    if constant[7] > 0:
        _adaptive_by_series(current, state, output, constant)
    else:
        _adaptive_by_functions(current, state, output, constant)


@dataclass(frozen=True)
class NeuronStep:
    """What the engine needs to know of a neuron type.

    Attributes
    ----------
    number : int
        Which line of `step_neurons` is its own.
    state : tuple of str
        Names of the state variables in Nengo, in the order of `state` in the step function.
    constants : callable (parameters, dt_s, largest initial voltage) -> sequence of float
        Computes what the step function finds in `constant`.
    spikes : bool
        Whether outputs are spikes rather than rates.
    silent_up_to : float
        With a constant current of at most this much, neurons whose initial state lies in `ordinary_state` never put out
        anything.
    ordinary_state : mapping of str to (float, float)
        By state variable the range, ends included, for which `silent_up_to` holds.
    """

    number: int
    state: tuple[str, ...]
    constants: Callable[[Mapping[str, float], float, float], list[float]]
    spikes: bool = True
    silent_up_to: float = -math.inf
    ordinary_state: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def threshold(self, state: Mapping[str, NDArray[np.float64]]) -> float:
        """The constant current up to which neurons with this initial state are silent."""
        ordinary = all(
            low <= np.min(state[name]) and np.max(state[name]) <= high
            for name, (low, high) in self.ordinary_state.items()
        )
        return self.silent_up_to if ordinary else -math.inf


def _lif_constants(parameters: Mapping[str, float], dt_s: float, largest_voltage: float) -> list[float]:
    """Constants of `step_lif`, the last of which says whether the series hold."""
    tau_rc_s = parameters["tau_rc"]
    # a membrane potential that starts above 1 leaves the range of log1p_series
    use_series = dt_s / tau_rc_s <= SERIES_LIMIT and largest_voltage <= 1
    return [
        dt_s,
        tau_rc_s,
        parameters["tau_ref"],
        parameters["amplitude"] / dt_s,
        parameters["min_voltage"],
        math.expm1(-dt_s / tau_rc_s),
        -1 / tau_rc_s,
        float(use_series),
    ]


def _adaptive_lif_constants(parameters: Mapping[str, float], dt_s: float, largest_voltage: float) -> list[float]:
    """Constants of `step_adaptive_lif`: those of `step_lif` and two more."""
    return [*_lif_constants(parameters, dt_s, largest_voltage), dt_s / parameters["tau_n"], parameters["inc_n"]]


def _rectified_linear_constants(parameters: Mapping[str, float], dt_s: float, largest_voltage: float) -> list[float]:
    """Constants of `step_rectified_linear`."""
    return [parameters["amplitude"]]


def _spiking_rectified_linear_constants(
    parameters: Mapping[str, float], dt_s: float, largest_voltage: float
) -> list[float]:
    """Constants of `step_spiking_rectified_linear`."""
    return [dt_s, parameters["amplitude"] / dt_s]


_BELOW_1 = (0.0, math.nextafter(1, 0))
_ANY_UP_TO_1 = (-math.inf, 1.0)
_NOT_NEGATIVE = (0.0, math.inf)

NEURON_STEPS: dict[str, NeuronStep] = {
    "RectifiedLinear": NeuronStep(0, (), _rectified_linear_constants, spikes=False, silent_up_to=0),
    "SpikingRectifiedLinear": NeuronStep(
        1, ("voltage",), _spiking_rectified_linear_constants, silent_up_to=0, ordinary_state={"voltage": _BELOW_1}
    ),
    "LIF": NeuronStep(
        2, ("voltage", "refractory_time"), _lif_constants, silent_up_to=1, ordinary_state={"voltage": _ANY_UP_TO_1}
    ),
    "AdaptiveLIF": NeuronStep(
        3, ("voltage", "refractory_time", "adaptation"), _adaptive_lif_constants,
        silent_up_to=1, ordinary_state={"voltage": _ANY_UP_TO_1, "adaptation": _NOT_NEGATIVE},
    ),
}  # fmt: skip


@_compiled
def step_neurons(number, current, state, output, constant):
    """Take one step of the neuron type whose `NeuronStep.number` is given."""
    if number == 0:
        step_rectified_linear(current, state, output, constant)
    elif number == 1:
        step_spiking_rectified_linear(current, state, output, constant)
    elif number == 2:
        step_lif(current, state, output, constant)
    elif number == 3:
        step_adaptive_lif(current, state, output, constant)
