"""RSRL: regular spikes at the rates of rectified linear neurons (``nengo.RegularSpiking``).

Conversion multiplies the current by ``max_rate_hz`` and divides the amplitude of the spikes by it. For rates that are
proportional to the current the two cancel; for other base types they do not (nengo-dl issue 206), so there is none.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from csnn.neurons.neuron_type import NeuronType
from csnn.neurons.spiking_rectified_linear import BELOW_THRESHOLD, State


class Constants(NamedTuple):
    """What a step needs: its length in seconds, the rate per unit of current, and the output of one spike."""

    dt: float
    rate: float
    spike: float


def step(current, state, constants, real):
    """``V += rate dt; spikes = floor(V); V -= spikes`` (nengo/neurons.py, RegularSpiking.step)."""
    voltage = state.voltage + max(current, real(0)) * constants.rate * constants.dt
    spikes = np.floor(voltage)
    return spikes * constants.spike, State(voltage - spikes)


def prepare(parameters: Mapping[str, float], dt_s: float) -> tuple:
    """See `NeuronType.prepare`."""
    return step, Constants(dt_s, parameters["base_amplitude"], parameters["amplitude"] / dt_s)


NEURON = NeuronType(
    name="RSRL",
    nengo_class="RegularSpiking",
    nengo_base_class="RectifiedLinear",
    spikes=True,
    state=State,
    constants=Constants,
    steps=(step,),
    prepare=prepare,
    silent_up_to=0,
    ordinary_state={"voltage": BELOW_THRESHOLD},
)
