"""The sweep that a configuration spans: which networks there are, and where each one's results lie.

A network is a CNN with neurons and with the settings of its conversion. Its name is a path that spells these: the
variant of the CNN (left out for the one of ``cnn.architecture``), the neuron, and each setting that differs from that
under ``snn``. So a further value of a setting adds a folder and touches no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from csnn.files import InputError

BASE = "base"
"""Name of the CNN of ``cnn.architecture``, from which variants are made."""

RESERVED = {"cnn", "images", "tables", "figures", "logs", "benchmarks", "verification", "report", BASE}
"""Folders of an experiment, after which no variant and no neuron can be named."""


def cnn_folder(variant: str) -> str:
    """Return the folder of a CNN in the experiment's results."""
    return "cnn" if variant == BASE else f"cnn/{variant}"


def tau_text(tau_syn_s: float | None) -> str:
    """Write a time constant as paths do: in seconds, or ``none``."""
    return "none" if tau_syn_s is None else str(float(tau_syn_s))


def lineage(variants: Mapping[str, Mapping], name: str) -> list[str]:
    """Return a variant and what it was made from, step by step, without the base.

    Raises
    ------
    InputError
        If a variant is unknown or made from itself.
    """
    line: list[str] = []
    while name not in (BASE, None):
        if name in line:
            made = " from ".join([*line, name])
            raise InputError(
                f"config key cnn.variants: {name} is made from itself ({made}); one must be from base or null"
            )
        if name not in variants:
            raise InputError(f"config key cnn.variants has no {name}; known are {', '.join([BASE, *variants])}")
        line.append(name)
        name = variants[name]["from"]
    return line


def activation(variants: Mapping[str, Mapping], name: str) -> str:
    """Return the activation that a CNN has: that of the last step of its making that tuned it, else ReLU."""
    for variant in lineage(variants, name):
        if variants[variant]["tune"]["epochs"]:
            return variants[variant]["tune"]["activation"]
    return "relu"


def architecture(variants: Mapping[str, Mapping], base: Mapping, name: str) -> dict:
    """Return the sizes of a CNN: those of the base, changed by each step of its making."""
    changed = dict(base)
    for variant in reversed(lineage(variants, name)):
        changed |= variants[variant]["architecture"]
    return changed


def networks(snn: Mapping, variants: Mapping[str, Mapping]) -> dict[str, dict]:
    """Return every network of the sweep by its name.

    Parameters
    ----------
    snn
        The configuration's ``snn``: each row of its table ``networks`` crosses the lists that it names; what it leaves
        out is as under ``snn``.
    variants
        The configuration's ``cnn.variants``.

    Returns
    -------
    dict
        Of each network ``variant``, ``neuron``, ``neuron_parameters``, ``max_rate_hz`` (one, or one for each layer),
        ``initial_voltage``, ``tau_syn_s`` (list) and ``seeds`` (list).

    Raises
    ------
    InputError
        If a row names an unknown neuron or variant, or a network stands in two rows.
    """
    found: dict[str, dict] = {}
    for row in snn["networks"]:
        for variant, neuron, max_rate_hz, initial_voltage in product(
            row.get("cnn", [BASE]),
            row.get("neurons", snn["neurons"]),
            row.get("max_rate_hz", [snn["max_rate_hz"]]),
            row.get("initial_voltage", [snn["initial_voltage"]]),
        ):
            lineage(variants, variant)
            if neuron not in snn["neurons"]:
                raise InputError(
                    f"config key snn.networks names the neuron {neuron}, which snn.neurons has not; "
                    f"it has {', '.join(snn['neurons'])}"
                )
            parts = [neuron] if variant == BASE else [variant, neuron]
            if max_rate_hz != snn["max_rate_hz"]:
                parts.append(f"rate-{_joined(max_rate_hz)}")
            if initial_voltage != snn["initial_voltage"]:
                parts.append(f"start-{initial_voltage}")
            name = "/".join(parts)
            if name in found:
                raise InputError(f"config key snn.networks has the network {name} twice; each must stand in it once")
            found[name] = {
                "variant": variant,
                "neuron": neuron,
                "neuron_parameters": snn["neurons"][neuron],
                "max_rate_hz": max_rate_hz,
                "initial_voltage": initial_voltage,
                "tau_syn_s": row.get("tau_syn_s", snn["tau_syn_s"]),
                "seeds": row.get("seeds", snn["seeds"]),
            }
    return found


def _joined(max_rate_hz: float | Sequence[float]) -> str:
    """Write one maximal rate, or one for each layer, as paths do."""
    rates = max_rate_hz if isinstance(max_rate_hz, Sequence) else [max_rate_hz]
    return "-".join(f"{rate:g}" for rate in rates)


def configurations(networks: Mapping[str, Mapping], seeds: int | None = None) -> Iterator[tuple[str, str, int]]:
    """Yield network, time constant (as in paths) and seed of each configuration; of each network the first `seeds`."""
    for name, network in networks.items():
        for tau_syn_s, seed in product(network["tau_syn_s"], network["seeds"][:seeds]):
            yield name, tau_text(tau_syn_s), seed
