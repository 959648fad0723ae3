"""The neuron types that a network can be converted to, one module each; a further one is a further module.

A module of this package that has a `NEURON` adds its `csnn.neurons.neuron_type.NeuronType`. Importing the package is
cheap: Nengo is imported when a neuron is built, and numba compiles the steps in `csnn.event.neuron_steps`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from csnn.neurons.neuron_type import NeuronType

if TYPE_CHECKING:
    import nengo

_MODULES = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]

NEURONS: dict[str, NeuronType] = {module.NEURON.name: module.NEURON for module in _MODULES if hasattr(module, "NEURON")}
"""The neuron types by their names in ``config.yaml``."""

NENGO_NEURONS: dict[str, NeuronType] = {kind.nengo_name: kind for kind in NEURONS.values()}
"""The neuron types by `NeuronType.nengo_name`, as compiled networks name them."""

INITIAL_VOLTAGES = {"random": None, "zero": 0.0, "half": 0.5}
"""Membrane potentials at the start, in units of the threshold; None for Nengo's own, uniform between 0 and 1."""


def with_defaults(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
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
    chosen = {key: value for key, value in parameters.items() if key != "type"}
    for key, value in chosen.items():
        if key not in known:
            raise ValueError(f"{name}.{key} is not a parameter of this neuron; it takes {', '.join(known) or 'none'}")
        if not known[key].allows(value):
            raise ValueError(f"{name}.{key} is {value!r}; it must be {known[key].allowed}")
    replacing = {known[key].nengo_name: key for key in chosen if known[key].default is None}
    complete: dict[str, Any] = {}
    for key, parameter in known.items():
        replaced_by = replacing.get(parameter.nengo_name, key)
        if key in chosen and replaced_by != key:
            raise ValueError(f"{name} has both {key} and {replaced_by}; it must have one of them")
        value = chosen.get(key, parameter.default)
        if value is not None and replaced_by == key:
            complete[key] = float(value)
    return complete | ({"type": kind} if kind != name else {})


def neuron_type(name: str, parameters: Mapping) -> str:
    """Return the type of a configured neuron: what its parameters say, or its name."""
    return parameters.get("type", name)


def spikes(name: str, parameters: Mapping) -> bool:
    """Whether a configured neuron sends spikes rather than a rate."""
    return NEURONS[neuron_type(name, parameters)].spikes


def seed_matters(name: str, parameters: Mapping, initial_voltage: str) -> bool:
    """Whether anything of a network is drawn at random: membrane potentials at the start."""
    return initial_voltage == "random" and "voltage" in NEURONS[neuron_type(name, parameters)].state._fields


def divided_by_amplitude(name: str, parameters: Mapping) -> tuple[str, ...]:
    """Return Nengo's names of those parameters that conversion divides by the amplitude of the neurons' output."""
    known = NEURONS[neuron_type(name, parameters)].parameters
    return tuple(known[key].nengo_name for key in parameters if key != "type" and known[key].divided_by_amplitude)


def nengo_name(neuron: nengo.neurons.NeuronType) -> str:
    """Return what `NENGO_NEURONS` would name one of Nengo's neurons; a class that is not Nengo's has its full name."""

    def name_of(kind: type) -> str:
        return kind.__name__ if kind.__module__ == "nengo.neurons" else f"{kind.__module__}.{kind.__name__}"

    base = getattr(neuron, "base_type", None)
    return name_of(type(neuron)) + (f"({name_of(type(base))})" if base is not None else "")


def build(name: str, parameters: Mapping[str, Any], initial_voltage: str = "random") -> nengo.neurons.NeuronType:
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
    arguments: dict[str, Any] = {
        kind.parameters[key].nengo_name: value for key, value in values.items() if key != "type"
    }
    if kind.nengo_base_class:
        arguments["base_type"] = getattr(nengo, kind.nengo_base_class)()
    voltage = INITIAL_VOLTAGES[initial_voltage]
    if voltage is not None and "voltage" in kind.state._fields:
        arguments["initial_state"] = {"voltage": nengo.dists.Choice([voltage])}
    return getattr(nengo, kind.nengo_class)(**arguments)
