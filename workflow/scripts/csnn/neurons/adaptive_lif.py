"""A-LIF: LIF neurons whose current is lowered by an adaptation that each spike raises.

Nengo feeds the output scaled by the amplitude into the adaptation, and conversion sets the amplitude to
``1 / max_rate_hz``: ``inc_n`` acts that much weaker than it reads. ``inc_n_effective``, given instead of it, is what
acts: a neuron that fires at r Hz comes to receive a current lower by ``inc_n_effective * r`` (in units of the
threshold).
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from csnn.neurons import lif
from csnn.neurons.neuron_type import NeuronType, Parameter


class State(NamedTuple):
    """Membrane potential in units of the threshold, refractory time in seconds, and what is taken off the current."""

    voltage: float
    refractory_time: float
    adaptation: float


class Constants(NamedTuple):
    """What a step needs: `csnn.neurons.lif.Constants`, the adaptation's rate ``dt / tau_n``, and its increment."""

    dt: float
    tau_rc: float
    tau_ref: float
    min_voltage: float
    spike: float
    decay_rate: float
    decay: float
    adaptation_rate: float
    inc_n: float


def make_step(relax: Callable) -> Callable:
    """Make the step from the relaxation of the membrane potential."""

    def step(current, state, constants, real):
        """``tau_n dn/dt = inc_n output - n`` by Euler's rule after the step (nengo/neurons.py, AdaptiveLIF.step).

        NengoDL runs these neurons by Nengo's own function, which subtracts dt from the refractory time before its use.
        """
        refractory_time = state.refractory_time - constants.dt
        voltage, spiked, since = relax(current - state.adaptation, state.voltage, refractory_time, constants, real)
        refractory_time = constants.tau_ref + (constants.dt - since) if spiked else refractory_time
        output = constants.spike if spiked else real(0)
        change = constants.adaptation_rate * (constants.inc_n * output - state.adaptation)
        return output, State(voltage, refractory_time, state.adaptation + change)

    return step


step_by_series, step_by_functions = make_step(lif.relax_by_series), make_step(lif.relax_by_functions)


def prepare(parameters: Mapping[str, float], dt_s: float) -> tuple:
    """See `NeuronType.prepare`."""
    step = step_by_series if lif.series_hold(parameters, dt_s) else step_by_functions
    adaptation = {"adaptation_rate": dt_s / parameters["tau_n"], "inc_n": parameters["inc_n"]}
    return step, Constants(**lif.membrane_constants(parameters, dt_s), **adaptation)


NEURON = NeuronType(
    name="A-LIF",
    nengo_class="AdaptiveLIF",
    spikes=True,
    state=State,
    constants=Constants,
    steps=(step_by_series, step_by_functions),
    prepare=prepare,
    parameters=lif.MEMBRANE
    | {
        "tau_n_s": Parameter("tau_n", 1.0, "s", "Time constant of the adaptation.", minimum_allowed=False),
        "inc_n": Parameter("inc_n", 0.01, "", "How much the scaled output of a spike raises the adaptation."),
        "inc_n_effective": Parameter(
            "inc_n", None, "", "Instead of inc_n: the adaptation per Hz of firing rate.", divided_by_amplitude=True
        ),
    },
    allowed_state={"voltage": lif.AT_MOST_THRESHOLD},
    silent_up_to=1,
    ordinary_state={"voltage": lif.AT_MOST_THRESHOLD, "adaptation": (0.0, math.inf)},
)
