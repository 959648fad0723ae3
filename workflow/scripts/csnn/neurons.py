"""The neuron types that a network can be converted to: the one place where a further type is added.

An entry names a Nengo neuron type and maps each parameter of ``config.yaml`` to Nengo's own, with its default and the
range that makes sense. Importing this module is cheap: Nengo itself is imported when a neuron is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import nengo


class Parameter(NamedTuple):
    """A parameter of a neuron type: Nengo's name for it, its default and its bounds.

    A parameter without a default takes the place of the one with the same name in Nengo where it is given.
    """

    nengo_name: str
    default: float | None
    minimum: float = 0.0
    zero_allowed: bool = True
    maximum: float = 1e6

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        lower = "of at least" if self.zero_allowed else "above"
        return f"a number {lower} {self.minimum:g} and at most {self.maximum:.0f}"

    def allows(self, value: object) -> bool:
        """Whether `value` is a number within the bounds."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.minimum < value <= self.maximum or (self.zero_allowed and value == self.minimum)


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
        _MEMBRANE
        | {
            "tau_n_s": Parameter("tau_n", 1.0, zero_allowed=False),
            "inc_n": Parameter("inc_n", 0.01),
            "inc_n_effective": Parameter("inc_n", None),
        },
    ),
}
"""The neuron types.

Nengo's AdaptiveLIF feeds the output scaled by its amplitude into the adaptation, and conversion sets the amplitude to
``1 / max_rate_hz``: ``inc_n`` acts that much weaker than it reads. ``inc_n_effective``, given instead of it, is what
acts: a neuron that fires at r Hz comes to receive a current lower by ``inc_n_effective * r`` (in units of the
threshold).
"""

INITIAL_VOLTAGES = {"random": None, "zero": 0.0, "half": 0.5}
"""Membrane potentials at the start, in units of the threshold; None for Nengo's own, uniform between 0 and 1."""


def with_defaults(name: str, parameters: Mapping[str, float]) -> dict[str, float]:
    """Complete a neuron's parameters with the defaults of its type.

    Parameters
    ----------
    name
        A key of `NEURONS`, or any name if the parameters hold ``type``, which is one.
    parameters
        Values by their name in ``config.yaml``; times in seconds.

    Raises
    ------
    ValueError
        If the neuron type or a parameter is unknown or a value is not allowed; says what is.
    """
    kind = neuron_type(name, parameters)
    if kind not in NEURONS:
        raise ValueError(f"{kind} is not a known neuron type; known are {', '.join(NEURONS)}")
    known = NEURONS[kind].parameters
    given = {key: value for key, value in parameters.items() if key != "type"}
    for key, value in given.items():
        if key not in known:
            raise ValueError(f"{name}.{key} is not a parameter of this neuron; it takes {', '.join(known) or 'none'}")
        if not known[key].allows(value):
            raise ValueError(f"{name}.{key} is {value!r}; it must be {known[key].allowed}")
    replaced = [known[key].nengo_name for key in given if known[key].default is None]
    complete = {}
    for key, parameter in known.items():
        if key in given and parameter.default is not None and parameter.nengo_name in replaced:
            raise ValueError(f"{name} has both {key} and {key}_effective; it must have one of them")
        if key in given or (parameter.default is not None and parameter.nengo_name not in replaced):
            complete[key] = float(given.get(key, parameter.default))
    return complete | ({"type": kind} if kind != name else {})


def neuron_type(name: str, parameters: Mapping) -> str:
    """Return the type of a configured neuron: what its parameters say, or its name."""
    return parameters.get("type", name)


def spikes(name: str, parameters: Mapping) -> bool:
    """Whether a configured neuron sends spikes rather than a rate."""
    return NEURONS[neuron_type(name, parameters)].nengo_class != "RectifiedLinear"


def seed_matters(name: str, parameters: Mapping, initial_voltage: str) -> bool:
    """Whether anything of a network is drawn at random: membrane potentials at the start."""
    return initial_voltage == "random" and spikes(name, parameters)


def adapts_effectively(parameters: Mapping[str, float]) -> bool:
    """Whether the adaptation is given as it acts, so that conversion must make up for the neurons' amplitude."""
    return "inc_n_effective" in parameters


def build(name: str, parameters: Mapping[str, float], initial_voltage: str = "random") -> nengo.neurons.NeuronType:
    """Build the Nengo neuron type with the given parameters.

    Parameters
    ----------
    name
        A key of `NEURONS`, or any name if the parameters hold ``type``.
    parameters
        Values by their name in ``config.yaml``, times in seconds; what is left out takes its default.
    initial_voltage
        A key of `INITIAL_VOLTAGES`; neurons without membrane potential have none.

    Raises
    ------
    ValueError
        As `with_defaults`.
    """
    import nengo

    values = with_defaults(name, parameters)
    kind = NEURONS[neuron_type(name, values)]
    arguments = {kind.parameters[key].nengo_name: value for key, value in values.items() if key != "type"}
    nengo_class = getattr(nengo, kind.nengo_class)
    voltage = INITIAL_VOLTAGES[initial_voltage]
    if voltage is not None and "voltage" in nengo_class.state:
        arguments["initial_state"] = {"voltage": nengo.dists.Choice([voltage])}
    return nengo_class(**arguments)
