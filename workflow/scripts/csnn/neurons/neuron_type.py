"""What a neuron type is: the record that each module of this package holds one of, as `NEURON`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Step = Callable[..., tuple[Any, Any]]
"""One step of one neuron: (current, state, constants, real) -> (output, state)."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a neuron type.

    Attributes
    ----------
    nengo_name : str
        Name of the parameter in Nengo.
    default : float or None
        None for a parameter that, where it is given, replaces the one with the same `nengo_name`.
    unit, description : str
    minimum, maximum : float
        Bounds; `minimum` itself is allowed if `minimum_allowed`.
    divided_by_amplitude : bool
        Whether conversion divides the value by the amplitude of the neurons' output.
    """

    nengo_name: str
    default: float | None
    unit: str
    description: str
    minimum: float = 0.0
    minimum_allowed: bool = True
    maximum: float = 1e6
    divided_by_amplitude: bool = False

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        lower = "of at least" if self.minimum_allowed else "above"
        return f"a number {lower} {self.minimum:g} and at most {self.maximum:.0f}"

    def allows(self, value: object) -> bool:
        """Whether `value` is a number within the bounds."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.minimum < value <= self.maximum or (self.minimum_allowed and value == self.minimum)


@dataclass(frozen=True)
class NeuronType:
    """A neuron type, for ``config.yaml``, for NengoDL and for the event-driven engine.

    Attributes
    ----------
    name : str
        Its name in ``config.yaml``.
    nengo_class : str
        Its class in Nengo.
    spikes : bool
        Whether its output is spikes, not a rate.
    state, constants : NamedTuple classes
        The state variables of one neuron under Nengo's names, and the numbers that a step needs.
    steps : tuple of functions
        See `Step`. Of plain Python that numba can compile: a step can call ``math``, ``numpy`` and functions of this
        package. ``real`` is `numpy.float64` or `numpy.float32`, what the simulation computes in; numbers in the source
        are written ``real(1)``, because a bare one would turn single precision into double. The output is what Nengo
        puts out: ``amplitude / dt`` per spike, ``amplitude`` times the rate for rate neurons.
    prepare : function (parameters, dt_s) -> (step, constants)
        Choose one of `steps` and compute its constants, from Nengo's parameters and the length of a step in seconds.
        The parameters of the base type have names that begin with ``base_``.
    nengo_base_class : str or None
        The class of the rate neurons that Nengo turns into spiking ones, as ``base_type`` of `nengo_class`.
    parameters : mapping of str to Parameter
        By their names in ``config.yaml``; times in seconds.
    allowed_state : mapping of str to (float, float)
        Lowest and highest initial value of state variables for which the steps are right. Others must be finite only.
    silent_up_to : float
        With a constant current of at most this much, neurons never put out anything if their initial state lies in
        `ordinary_state`.
    ordinary_state : mapping of str to (float, float)
        Lowest and highest initial value of state variables for which `silent_up_to` holds.
    """

    name: str
    nengo_class: str
    spikes: bool
    state: Any
    constants: Any
    steps: tuple[Step, ...]
    prepare: Callable[[Mapping[str, float], float], tuple[Step, tuple[float, ...]]]
    nengo_base_class: str | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    allowed_state: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    silent_up_to: float = -math.inf
    ordinary_state: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def nengo_name(self) -> str:
        """Its class in Nengo with that of its base type, for instance ``RegularSpiking(RectifiedLinear)``."""
        return f"{self.nengo_class}({self.nengo_base_class})" if self.nengo_base_class else self.nengo_class
