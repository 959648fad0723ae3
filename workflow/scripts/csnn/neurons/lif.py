"""LIF: leaky integrate-and-fire neurons with a refractory period, exact over a step of constant current."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from csnn.neurons.neuron_type import NeuronType, Parameter
from csnn.neurons.series import SERIES_LIMIT, expm1_series, log1p_series

MEMBRANE = {
    "tau_rc_s": Parameter("tau_rc", 0.02, "s", "Time constant of the membrane.", minimum_allowed=False),
    "tau_ref_s": Parameter("tau_ref", 0.002, "s", "Refractory period after a spike."),
}
AT_MOST_THRESHOLD = (-math.inf, 1.0)
"""Initial membrane potentials that Nengo and NengoDL agree on.

From a higher one, a neuron whose current is below the threshold spikes at a time that is no number.
"""


class State(NamedTuple):
    """Membrane potential in units of the threshold, and what is left of the refractory period, in seconds."""

    voltage: float
    refractory_time: float


class Constants(NamedTuple):
    """What a step needs.

    Attributes
    ----------
    dt, tau_rc, tau_ref : float
        Length of a step, time constant of the membrane, and refractory period, in seconds.
    min_voltage : float
        Lowest membrane potential.
    spike : float
        Output of one spike.
    decay_rate, decay : float
        ``-1 / tau_rc``, and ``expm1(-dt / tau_rc)``.
    """

    dt: float
    tau_rc: float
    tau_ref: float
    min_voltage: float
    spike: float
    decay_rate: float
    decay: float


def expm1_function(x, real):
    """exp(x) - 1 for any argument."""
    return math.expm1(x)


def log1p_function(numerator, denominator, real):
    """log(1 + numerator / denominator) for any argument."""
    return math.log1p(numerator / denominator)


def make_relax(expm1: Callable, log1p: Callable) -> Callable:
    """Make the function by which the membrane potential relaxes towards the current over one step."""

    def relax(current, voltage, refractory_time, constants, real):
        """Return the membrane potential, whether there was a spike, and the time in seconds since that spike.

        Nothing changes while the neuron is refractory. Where the membrane potential ends above the threshold there was
        a spike at the moment when it passed it, and it is 0.
        """
        zero, threshold = real(0), real(1)
        active = constants.dt - refractory_time
        active = active if active > zero else zero
        active = active if active < constants.dt else constants.dt
        decay = expm1(active * constants.decay_rate, real) if active < constants.dt else constants.decay
        voltage = voltage + (voltage - current) * decay
        spiked = voltage > threshold
        since = -constants.tau_rc * log1p(threshold - voltage, current - threshold, real) if spiked else zero
        voltage = voltage if voltage > constants.min_voltage else constants.min_voltage
        return zero if spiked else voltage, spiked, since

    return relax


relax_by_series = make_relax(expm1_series, log1p_series)
relax_by_functions = make_relax(expm1_function, log1p_function)


def make_step(relax: Callable) -> Callable:
    """Make the step from the relaxation of the membrane potential."""

    def step(current, state, constants, real):
        """As NengoDL keeps account of refractory times (nengo_dl/neuron_builders.py, LIFBuilder.step)."""
        voltage, spiked, since = relax(current, state.voltage, state.refractory_time, constants, real)
        refractory_time = constants.tau_ref - since if spiked else state.refractory_time - constants.dt
        return constants.spike if spiked else real(0), State(voltage, refractory_time)

    return step


step_by_series, step_by_functions = make_step(relax_by_series), make_step(relax_by_functions)


def series_hold(parameters: Mapping[str, float], dt_s: float) -> bool:
    """Whether the arguments of expm1 and log1p stay so small that the series are exact."""
    return dt_s / parameters["tau_rc"] <= SERIES_LIMIT


def membrane_constants(parameters: Mapping[str, float], dt_s: float) -> dict[str, Any]:
    """Compute `Constants`, by name."""
    tau_rc_s = parameters["tau_rc"]
    return {
        "dt": dt_s,
        "tau_rc": tau_rc_s,
        "tau_ref": parameters["tau_ref"],
        "min_voltage": parameters["min_voltage"],
        "spike": parameters["amplitude"] / dt_s,
        "decay_rate": -1 / tau_rc_s,
        "decay": math.expm1(-dt_s / tau_rc_s),
    }


def prepare(parameters: Mapping[str, float], dt_s: float) -> tuple:
    """See `NeuronType.prepare`."""
    step = step_by_series if series_hold(parameters, dt_s) else step_by_functions
    return step, Constants(**membrane_constants(parameters, dt_s))


NEURON = NeuronType(
    name="LIF",
    nengo_class="LIF",
    spikes=True,
    state=State,
    constants=Constants,
    steps=(step_by_series, step_by_functions),
    prepare=prepare,
    parameters=MEMBRANE,
    allowed_state={"voltage": AT_MOST_THRESHOLD},
    silent_up_to=1,
    ordinary_state={"voltage": AT_MOST_THRESHOLD},
)
