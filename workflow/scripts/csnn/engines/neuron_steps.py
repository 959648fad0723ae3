"""One step of each neuron type, on arrays of neurons, and the registry of neuron types that the engine knows.

To add a neuron type: write its step function, register it in `NEURON_STEPS`, and add its line to `step_neurons`.

All step functions take the ``current`` of n neurons, the ``state`` of the whole layer (state variables, neurons), in which
theirs begins at ``first``, their ``output`` (n,) and ``constant``, the numbers that the registered function computed, all
of one float type; they change `state` and `output` in place. An output is what Nengo puts out: ``amplitude / dt`` per
spike, ``amplitude`` times the rate for rate neurons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

_compiled = njit(error_model="numpy", fastmath={"contract"})
_inlined = njit(error_model="numpy", fastmath={"contract"}, inline="always")

SERIES_LIMIT = 0.05
"""Largest dt / tau_rc for which `expm1_series` and `log1p_series` are exact to rounding in double precision."""


@_inlined
def expm1_series(x, one):
    """exp(x) - 1 for |x| <= `SERIES_LIMIT`, by its Taylor series; the first term left out is x^10 / 10!.

    ``one`` is 1 in the precision of the calculation.
    """
    total = one / 362880
    total = total * x + one / 40320
    total = total * x + one / 5040
    total = total * x + one / 720
    total = total * x + one / 120
    total = total * x + one / 24
    total = total * x + one / 6
    total = total * x + one / 2
    return x * (total * x + one)


@_inlined
def log1p_series(numerator, denominator, one):
    """log(1 + numerator / denominator) = 2 artanh(numerator / (2 denominator + numerator)), by its series.

    For -`SERIES_LIMIT` <= numerator / denominator <= 0; the first term left out is s^13 / 13 with |s| < 0.026.
    """
    s = numerator / (denominator + denominator + numerator)
    square = s * s
    total = one / 11
    total = total * square + one / 9
    total = total * square + one / 7
    total = total * square + one / 5
    total = total * square + one / 3
    return (s + s) * (total * square + one)


@_compiled
def step_rectified_linear(current, state, first, output, constant):
    """Rate neurons: ``output = amplitude * max(J, 0)`` (nengo/neurons.py, RectifiedLinear.step)."""
    zero = current.dtype.type(0)
    amplitude = constant[0]
    for i in range(current.size):
        output[i] = max(current[i], zero) * amplitude


@_compiled
def step_spiking_rectified_linear(current, state, first, output, constant):
    """Integrate-and-fire neurons without leak: several spikes per step are possible.

    ``V += max(J, 0) dt; spikes = floor(V); V -= spikes`` (nengo/neurons.py, SpikingRectifiedLinear.step).
    """
    zero = current.dtype.type(0)
    dt, spike = constant[0], constant[1]
    voltage = state[0, first : first + current.size]
    for i in range(current.size):
        membrane = voltage[i] + max(current[i], zero) * dt
        spikes = np.floor(membrane)
        voltage[i] = membrane - spikes
        output[i] = spikes * spike


@_inlined
def relax_by_series(target, voltage, refractory, dt, tau_rc, tau_ref, min_voltage, full_step, one):
    """One LIF neuron over one step by short series and without branches, so that a loop over neurons runs on vectors.

    ``voltage`` relaxes towards ``target`` with ``tau_rc`` for the part of the step that is not refractory. Where it ends
    above 1 there is a spike: it is 0 and the refractory period runs from the moment in which it passed 1.

    Returns
    -------
    spiked, voltage, refractory
    """
    zero = one - one
    active = min(max(dt - refractory, zero), dt)
    relaxed = full_step if active == dt else expm1_series(-active / tau_rc, one)
    voltage = voltage + (voltage - target) * relaxed
    spiked = voltage > one
    since_spike = -tau_rc * log1p_series(one - voltage, target - one, one)
    refractory = tau_ref - since_spike if spiked else refractory - dt
    voltage = zero if spiked else max(voltage, min_voltage)
    return spiked, voltage, refractory


@_inlined
def relax_by_functions(target, voltage, refractory, dt, tau_rc, tau_ref, min_voltage, full_step, one):
    """`relax_by_series` for any ratio of dt and tau_rc, by the mathematical functions."""
    zero = one - one
    active = min(max(dt - refractory, zero), dt)
    relaxed = full_step
    if active != dt:
        relaxed = math.expm1(-active / tau_rc)
    voltage = voltage + (voltage - target) * relaxed
    if voltage > one:
        return True, zero, tau_ref + tau_rc * math.log1p((one - voltage) / (target - one))
    return False, max(voltage, min_voltage), refractory - dt


def _make_step_lif(relax):
    """Make the step of LIF neurons from the step of one."""

    @_compiled
    def step_lif(current, state, first, output, constant):
        zero, one = current.dtype.type(0), current.dtype.type(1)
        dt, tau_rc, tau_ref = constant[0], constant[1], constant[2]
        spike, min_voltage, full_step = constant[3], constant[4], constant[5]
        voltage, refractory = state[0, first : first + current.size], state[1, first : first + current.size]
        for i in range(current.size):
            spiked, voltage[i], refractory[i] = relax(
                current[i], voltage[i], refractory[i], dt, tau_rc, tau_ref, min_voltage, full_step, one
            )
            output[i] = spike if spiked else zero

    return step_lif


def _make_step_adaptive_lif(relax):
    """Make the step of adaptive LIF neurons from the step of one LIF neuron."""

    @_compiled
    def step_adaptive_lif(current, state, first, output, constant):
        zero, one = current.dtype.type(0), current.dtype.type(1)
        dt, tau_rc, tau_ref = constant[0], constant[1], constant[2]
        spike, min_voltage, full_step = constant[3], constant[4], constant[5]
        adaptation_rate, inc_n = constant[7], constant[8]
        voltage, refractory = state[0, first : first + current.size], state[1, first : first + current.size]
        adaptation = state[2, first : first + current.size]
        for i in range(current.size):
            spiked, voltage[i], refractory[i] = relax(
                current[i] - adaptation[i], voltage[i], refractory[i],
                dt, tau_rc, tau_ref, min_voltage, full_step, one,
            )  # fmt: skip
            out = spike if spiked else zero
            adaptation[i] += adaptation_rate * (inc_n * out - adaptation[i])
            output[i] = out

    return step_adaptive_lif


_lif_by_series, _lif_by_functions = _make_step_lif(relax_by_series), _make_step_lif(relax_by_functions)
_adaptive_by_series = _make_step_adaptive_lif(relax_by_series)
_adaptive_by_functions = _make_step_adaptive_lif(relax_by_functions)


@_compiled
def step_lif(current, state, first, output, constant):
    """Leaky integrate-and-fire neurons, exact over a step of constant current (nengo/neurons.py, LIF.step).

    The bookkeeping of refractory times is NengoDL's (nengo_dl/neuron_builders.py, LIFBuilder.step).
    """
    if constant[6] > 0:
        _lif_by_series(current, state, first, output, constant)
    else:
        _lif_by_functions(current, state, first, output, constant)


@_compiled
def step_adaptive_lif(current, state, first, output, constant):
    """LIF neurons whose current is lowered by an adaptation ``n`` that each spike raises.

    ``n`` follows ``tau_n dn/dt = inc_n output - n`` by Euler's rule after the step, where the output is the one scaled by
    the amplitude (nengo/neurons.py, AdaptiveLIF.step).
    """
    if constant[6] > 0:
        _adaptive_by_series(current, state, first, output, constant)
    else:
        _adaptive_by_functions(current, state, first, output, constant)


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
    """

    number: int
    state: tuple[str, ...]
    constants: Callable[[Mapping[str, float], float, float], list[float]]
    spikes: bool = True


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
        float(use_series),
    ]


def _adaptive_lif_constants(parameters: Mapping[str, float], dt_s: float, largest_voltage: float) -> list[float]:
    """Constants of `step_adaptive_lif`: those of `step_lif` and two more."""
    return [*_lif_constants(parameters, dt_s, largest_voltage), dt_s / parameters["tau_n"], parameters["inc_n"]]


NEURON_STEPS: dict[str, NeuronStep] = {
    "RectifiedLinear": NeuronStep(0, (), lambda parameters, dt_s, _: [parameters["amplitude"]], spikes=False),
    "SpikingRectifiedLinear": NeuronStep(1, ("voltage",), lambda parameters, dt_s, _: [dt_s, parameters["amplitude"] / dt_s]),
    "LIF": NeuronStep(2, ("voltage", "refractory_time"), _lif_constants),
    "AdaptiveLIF": NeuronStep(3, ("voltage", "refractory_time", "adaptation"), _adaptive_lif_constants),
}


@_compiled
def step_neurons(number, current, state, first, output, constant):
    """Take one step of the neuron type whose `NeuronStep.number` is given."""
    if number == 0:
        step_rectified_linear(current, state, first, output, constant)
    elif number == 1:
        step_spiking_rectified_linear(current, state, first, output, constant)
    elif number == 2:
        step_lif(current, state, first, output, constant)
    elif number == 3:
        step_adaptive_lif(current, state, first, output, constant)
