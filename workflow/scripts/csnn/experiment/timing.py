"""Whether signals can pass through the layers of a spiking network while an image is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from csnn.neurons import spikes
from csnn.synapses import mean_delay_s


def warnings(networks: Iterable[Mapping[str, Any]], depth: int, steps: int, dt_s: float) -> Iterator[str]:
    """Yield a sentence for synapses that are too slow and one for rates that are too low, if there are any.

    Parameters
    ----------
    networks
        Each with ``neuron``, ``neuron_parameters``, ``max_rate_hz``, ``synapse`` and the list ``tau_syn_s``, in
        seconds.
    depth
        Number of layers of neurons between image and logits.
    steps, dt_s
        Number of time steps for which an image is shown, and their length in seconds.
    """
    networks = list(networks)
    shown_s = steps * dt_s
    slow = {
        (tau, delay_s)
        for network in networks
        for tau in network["tau_syn_s"]
        if tau and tau <= shown_s < depth * (delay_s := mean_delay_s(network["synapse"], tau))
    }
    if slow:
        taus, delays_s = (sorted(set(values)) for values in zip(*slow, strict=True))
        yield (
            f"config key snn.tau_syn_s has {', '.join(f'{tau:g} s' for tau in taus)}, which delays a signal through "
            f"{depth} layers of neurons by {depth * delays_s[0]:g} s or more, more than the {shown_s:g} s of an image; "
            "take a shorter time constant or more snn.steps"
        )
    waiting_s = [_waiting_s(network["max_rate_hz"], depth) for network in networks if _spikes(network)]
    if waiting_s and max(waiting_s) > shown_s:
        yield (
            f"config key snn.max_rate_hz is so low that a spike takes {max(waiting_s):.2g} s through {depth} layers of "
            f"neurons whose activation is 1, and an image is shown for {shown_s:g} s only; take higher rates or more "
            "snn.steps"
        )


def _spikes(network: Mapping[str, Any]) -> bool:
    """Whether a network's neurons send spikes."""
    return spikes(network["neuron"], network["neuron_parameters"])


def _waiting_s(max_rate_hz: Any, depth: int) -> float:
    """Return how long one spike of each layer takes, one after the other, in seconds."""
    if isinstance(max_rate_hz, Mapping):
        max_rate_hz = max_rate_hz["hz"]
    rates_hz = max_rate_hz if isinstance(max_rate_hz, list) else [max_rate_hz] * depth
    return sum(1 / rate for rate in rates_hz)
