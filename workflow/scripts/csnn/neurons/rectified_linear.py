"""RLR: rate neurons, whose output is proportional to the current where that is positive."""

from collections.abc import Mapping
from typing import NamedTuple

from csnn.neurons.neuron_type import NeuronType


class State(NamedTuple):
    """Rate neurons have none."""


class Constants(NamedTuple):
    """What a step needs: the output per unit of current."""

    amplitude: float


def step(current, state, constants, real):
    """``output = amplitude * max(J, 0)`` (nengo/neurons.py, RectifiedLinear.step)."""
    return max(current, real(0)) * constants.amplitude, state


def prepare(parameters: Mapping[str, float], dt_s: float) -> tuple:
    """See `NeuronType.prepare`."""
    return step, Constants(parameters["amplitude"])


NEURON = NeuronType(
    name="RLR",
    nengo_class="RectifiedLinear",
    spikes=False,
    state=State,
    constants=Constants,
    steps=(step,),
    prepare=prepare,
    silent_up_to=0,
)
