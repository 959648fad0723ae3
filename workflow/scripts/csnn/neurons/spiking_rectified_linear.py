"""SRL: integrate-and-fire neurons without leak; several spikes per step are possible."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from csnn.neurons.neuron_type import NeuronType

BELOW_THRESHOLD = (0.0, math.nextafter(1, 0))
"""Membrane potentials from which neurons without a positive current never spike."""


class State(NamedTuple):
    """The membrane potential, in units of the threshold."""

    voltage: float


class Constants(NamedTuple):
    """What a step needs: its length in seconds, and the output of one spike in it."""

    dt: float
    spike: float


def step(current, state, constants, real):
    """``V += max(J, 0) dt; spikes = floor(V); V -= spikes`` (nengo/neurons.py, SpikingRectifiedLinear.step)."""
    voltage = state.voltage + max(current, real(0)) * constants.dt
    spikes = np.floor(voltage)
    return spikes * constants.spike, State(voltage - spikes)


def prepare(parameters: Mapping[str, float], dt_s: float) -> tuple:
    """See `NeuronType.prepare`."""
    return step, Constants(dt_s, parameters["amplitude"] / dt_s)


NEURON = NeuronType(
    name="SRL",
    nengo_class="SpikingRectifiedLinear",
    spikes=True,
    state=State,
    constants=Constants,
    steps=(step,),
    prepare=prepare,
    silent_up_to=0,
    ordinary_state={"voltage": BELOW_THRESHOLD},
)
