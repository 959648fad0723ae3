"""Health check of a spiking network: what its layers of neurons do, and which of it explains a loss of accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from scipy.integrate import quad
from scipy.special import gammainc, gammaincinv

from csnn import words
from csnn.evaluation.tables import with_synapses
from csnn.synapses import LOWPASS, parse, rise_s

FOLLOWS = 0.9
"""Correlation of a layer's rates with the CNN's activations below which the layer has parted from the CNN."""

SETTLED = 0.9
"""Share of a constant signal that the chain of synapses must have passed by the final step."""

MOST = 0.5
"""Share of saturated neurons among the active ones from which on their layer counts as saturated."""

MAX_POOLING = (
    "The CNN has max pooling, which the spiking network replaces by average pooling; tune the CNN with average pooling."
)

COLUMNS = [
    "layer",
    "neurons",
    "silent_share",
    "never_active_share",
    "active_rate_hz_p50",
    "active_rate_hz_p99",
    "saturated_above_hz",
    "saturated_share",
    "rate_correlation",
]
"""What the health check shows of a layer."""

FEW_SPIKES = 2
"""Spike count below which a neuron cannot tell more than whether it is active."""


def settled_share(synapses: int, tau_syn_s: float | None, duration_s: float, synapse: str = LOWPASS) -> float:
    """Return how much of a constant signal a chain of equal synapses passes after some time.

    The step response of ``k`` first-order lowpasses in a row is the regularised lower incomplete gamma function
    ``P(k, t / tau)``: the impulse response of such a chain is the density of the Erlang distribution. Of two such
    chains in a row, those of the rises and of the decays, it is the mean of the second's step response over the delays
    of the first.

    Parameters
    ----------
    synapses
        Number of filters in the chain.
    tau_syn_s
        Time constant of each in seconds; None for no filter.
    duration_s
        Time since the signal began, in seconds.
    synapse
        Kind of synapse as tables hold it, see `csnn.synapses.text`.
    """
    if not tau_syn_s or not synapses:
        return 1.0
    rise = rise_s(parse(synapse), tau_syn_s)
    if rise is None or rise == tau_syn_s:
        return float(gammainc(synapses if rise is None else 2 * synapses, duration_s / tau_syn_s))

    def after_rises(quantile: float) -> float:
        left_s = duration_s - rise * gammaincinv(synapses, quantile)
        return float(gammainc(synapses, max(left_s, 0.0) / tau_syn_s))

    return float(quad(after_rises, 0, gammainc(synapses, duration_s / rise))[0])


def findings(
    layers: Sequence[Mapping[str, Any]],
    neuron: str,
    *,
    spiking: bool,
    synapses: int,
    tau_syn_s: float | None,
    duration_s: float,
    max_pooling: bool,
    synapse: str = LOWPASS,
) -> list[tuple[int, str]]:
    """Say in sentences what could explain a loss of accuracy.

    Parameters
    ----------
    layers : sequence of mapping
        See `csnn.evaluation.activity.layer_health`, of each layer of neurons from the image on.
    neuron
        Name of the neuron type.
    spiking
        Whether it sends spikes; a rate tells activations apart however low it is.
    synapses
        Largest number of synapses on a path from the image to the logits.
    tau_syn_s
        Synaptic time constant in seconds, or None.
    duration_s
        For how long each image is shown, in seconds.
    max_pooling
        Whether the CNN has max pooling, which the network replaces by average pooling.
    synapse
        Kind of synapse as tables hold it.

    Returns
    -------
    list of (int, str)
        The number of the layer, from 1, in which the cause is, and a sentence. Of what a layer's firing shows, the
        first layer alone is named: what goes wrong there goes on in those behind.
    """
    causes: list[tuple[int, str]] = []
    if max_pooling:
        causes.append((1, MAX_POOLING))
    impaired = (
        (number, _impairment(number, layer, neuron, spiking, duration_s)) for number, layer in enumerate(layers, 1)
    )
    causes += [(number, sentence) for number, sentence in impaired if sentence][:1]
    parted = [
        (
            number,
            f"Rates part from the CNN's activations in layer {number}, where they correlate by "
            f"{layer['rate_correlation']:.2f} only.",
        )
        for number, layer in enumerate(layers, 1)
        if layer["rate_correlation"] is not None and layer["rate_correlation"] < FOLLOWS
    ]
    causes += parted[:1]
    share = settled_share(synapses, tau_syn_s, duration_s, synapse)
    if tau_syn_s is not None and share < SETTLED:
        kind = "" if synapse == LOWPASS else f" ({words.synapse(synapse)})"
        sentence = (
            f"The {synapses} synapses in a row, of {1000 * tau_syn_s:g} ms each{kind}, pass only "
            f"{100 * share:.0f} % of a constant signal within {1000 * duration_s:g} ms; take more steps or a shorter "
            "synaptic time constant."
        )
        causes.append((len(layers), sentence))
    return causes


def _impairment(number: int, layer: Mapping[str, Any], neuron: str, spiking: bool, duration_s: float) -> str:
    """Say why a layer of neurons cannot tell activations apart, if so."""
    if layer["active_rate_hz_p50"] is None:
        return f"No neuron of layer {number} fires for any image; raise snn.max_rate_hz or take more steps."
    if (layer["saturated_share"] or 0) > MOST:
        return (
            f"{neuron} neurons of layer {number} are saturated: {100 * layer['saturated_share']:.0f} % of the active "
            f"ones fire above {layer['saturated_above_hz']:.0f} Hz; tune the CNN to the neurons' rate curve "
            "(activation: LIF), calibrate it, or lower snn.max_rate_hz."
        )
    if spiking and layer["active_rate_hz_p50"] * duration_s < FEW_SPIKES:
        return (
            f"Half of the active neurons of layer {number} fire fewer than {FEW_SPIKES} times in "
            f"{1000 * duration_s:g} ms; raise snn.max_rate_hz or take more steps."
        )
    return ""


def tables(
    activities: Iterable[Mapping[str, Any]], max_pooling: Mapping[str, bool]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the health check of several networks.

    Parameters
    ----------
    activities
        What `record_activity` writes of each network.
    max_pooling
        Of each CNN whether it has max pooling.

    Returns
    -------
    layers : DataFrame
        One row for each network and layer of neurons: ``network``, ``cnn``, ``neuron``, ``tau_syn_s``, ``synapse`` if
        any is not a lowpass, ``layer``, ``neurons``, and see `csnn.evaluation.activity.layer_health`.
    causes : DataFrame
        One row for each of `findings`: ``network``, ``layer`` and ``finding``.
    """
    layers, causes = [], []
    for activity in activities:
        named = ("network", "cnn", "neuron", "tau_syn_s", "synapse")
        network = {key: activity["configuration"][key] for key in named if key in activity["configuration"]}
        layers += [network | {key: layer[key] for key in COLUMNS} for layer in activity["layers"]]
        causes += [
            {"network": network["network"], "layer": number, "finding": sentence}
            for number, sentence in findings(
                activity["layers"],
                network["neuron"],
                spiking=activity["configuration"]["spiking"],
                synapses=activity["synapses_in_a_row"],
                tau_syn_s=network["tau_syn_s"],
                duration_s=activity["steps"] * activity["dt_s"],
                max_pooling=max_pooling[network["cnn"]],
                synapse=network.get("synapse", LOWPASS),
            )
        ]
    return with_synapses(pd.DataFrame(layers)), pd.DataFrame(causes, columns=["network", "layer", "finding"])


def summary(causes: pd.DataFrame) -> list[str]:
    """Return each finding once, with the networks that it is about.

    Parameters
    ----------
    causes : DataFrame
        See `tables`.
    """
    return [f"{', '.join(rows['network'])}: {finding}" for finding, rows in causes.groupby("finding", sort=False)]


def reason(causes: pd.DataFrame, network: str) -> str:
    """Return the finding that explains most of a network's loss: what its neurons do, or else anything; "" if none.

    Parameters
    ----------
    causes : DataFrame
        See `tables`.
    network
    """
    findings = causes.loc[causes["network"] == network, "finding"].tolist()
    return min(findings, key=lambda finding: finding == MAX_POOLING, default="")
