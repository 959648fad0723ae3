"""The neuron types that a network can be converted to: the one place where a further type is added.

An entry names a Nengo neuron type and maps each parameter of ``config.yaml`` to Nengo's own, with its default and the
range that makes sense. Importing this module is cheap: Nengo itself is imported when a neuron is built.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import nengo


class Parameter(NamedTuple):
    """A parameter of a neuron type: Nengo's name for it, its default and its lower bound."""

    nengo_name: str
    default: float
    minimum: float = 0.0
    zero_allowed: bool = True

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return f"a finite number {'of at least' if self.zero_allowed else 'above'} {self.minimum:g}"

    def allows(self, value: object) -> bool:
        """Whether `value` is a finite number within the bounds."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return value > self.minimum or (self.zero_allowed and value == self.minimum)


class NeuronType(NamedTuple):
    """A neuron type: the name of its class in Nengo, and its parameters by their name in ``config.yaml``."""

    nengo_class: str
    parameters: Mapping[str, Parameter]


_MEMBRANE = {
    "tau_rc_s": Parameter("tau_rc", 0.02, zero_allowed=False),
    "tau_ref_s": Parameter("tau_ref", 0.002),
}

NEURONS: dict[str, NeuronType] = {
    "RLR": NeuronType("RectifiedLinear", {}),
    "SRL": NeuronType("SpikingRectifiedLinear", {}),
    "LIF": NeuronType("LIF", _MEMBRANE),
    "A-LIF": NeuronType(
        "AdaptiveLIF",
        _MEMBRANE | {"tau_n_s": Parameter("tau_n", 1.0, zero_allowed=False), "inc_n": Parameter("inc_n", 0.01)},
    ),
}


def with_defaults(name: str, parameters: Mapping[str, float]) -> dict[str, float]:
    """Complete a neuron's parameters with the defaults of its type.

    Parameters
    ----------
    name
        A key of `NEURONS`.
    parameters
        Values by their name in ``config.yaml``; times in seconds.

    Raises
    ------
    ValueError
        If the neuron type or a parameter is unknown or a value is not allowed; says what is.
    """
    if name not in NEURONS:
        raise ValueError(f"{name} is not a known neuron type; known are {', '.join(NEURONS)}")
    known = NEURONS[name].parameters
    for key, value in parameters.items():
        if key not in known:
            raise ValueError(f"{name}.{key} is not a parameter of this neuron; it takes {', '.join(known) or 'none'}")
        if not known[key].allows(value):
            raise ValueError(f"{name}.{key} is {value!r}; it must be {known[key].allowed}")
    return {key: float(parameters.get(key, parameter.default)) for key, parameter in known.items()}


def build(name: str, parameters: Mapping[str, float]) -> nengo.neurons.NeuronType:
    """Build the Nengo neuron type with the given parameters.

    Parameters
    ----------
    name
        A key of `NEURONS`.
    parameters
        Values by their name in ``config.yaml``, times in seconds; what is left out takes its default.

    Raises
    ------
    ValueError
        As `with_defaults`.
    """
    import nengo

    known = NEURONS[name].parameters if name in NEURONS else {}
    values = with_defaults(name, parameters)
    return getattr(nengo, NEURONS[name].nengo_class)(**{known[key].nengo_name: value for key, value in values.items()})
