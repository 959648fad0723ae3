"""Accuracy, operations, energy and latency of CNNs, quantised CNNs and the spiking networks made from them.

All energies are estimates for integers at 45 nm (`csnn.evaluation.memory_energy`), so that CNN and spiking network are
counted alike: of arithmetic alone, from the effective operations of `csnn.evaluation.cost`, and with memory access.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from csnn.evaluation import metrics
from csnn.evaluation.decisions import Decided
from csnn.evaluation.memory_energy import ADD_J, mac_j, word_bits
from csnn.evaluation.metrics import FINAL_STEP
from csnn.evaluation.tables import cnn_name, settings, settings_in, with_synapses
from csnn.words import CNN

NETWORK_BITS = 32
"""Of the integers that weights and states of the spiking networks, and the exact CNN, are counted with."""

CLOSE_POINTS = 1.0
"""How near to its accuracy at the final step a network must stay to be counted as done."""

NOTE = (
    "Energies are estimates for one image at 45 nm (Horowitz 2014), with integers of so many bits as are named, or of "
    "8 where fewer are; of arithmetic alone from effective operations, and with memory access after Lemaire et al. "
    "2022, for CNNs and networks of spiking neurons. Networks are counted at the final step; their accuracy is that "
    "of the simulation, whose numbers are not rounded. Quantised CNNs are rounded after training. Intervals are of "
    "95 % and over images."
)

Quantised = Mapping[int, NDArray[np.bool_]]
"""By bits of weights and activations, which images a quantised CNN classifies correctly."""


def table(
    decisions: Sequence[Decided], activity: Sequence[Mapping[str, Any]], quantised: Mapping[str, Quantised]
) -> pd.DataFrame:
    """Set what decisions cost beside how often they are right.

    Parameters
    ----------
    decisions
        First seeds.
    activity : sequence of mapping
        Of the same configurations; see `csnn.evaluation.activity.cost_table` and `energy_table`.
    quantised
        By the name of each CNN with ReLUs its quantised copies. A CNN that is adapted to other neurons is left out: it
        is none to be run as it is.

    Returns
    -------
    DataFrame
        Rows of each CNN, of its quantised copies, and of each network at the final step: ``value_bits`` of the integers
        that are counted, ``accuracy`` with its interval, effective ``macs`` and ``acs`` per image,
        ``arithmetic_energy_uj`` and ``memory_energy_uj`` in microjoules (empty where the model does not apply),
        ``latency_ms``, and ``close_ms``: from when on the accuracy stays within `CLOSE_POINTS` of that at the final
        step.
    """
    of_cnns: dict[str, list[dict[str, Any]]] = {}
    of_networks = []
    for decided, counted in zip(decisions, activity, strict=True):
        cnn = decided.configuration["cnn"]
        if cnn in quantised and cnn not in of_cnns:
            of_cnns[cnn] = _of_cnn(decided, counted, quantised[cnn])
        spiking = counted["energy"]["network"]
        of_networks.append(
            settings(decided)
            | {"value_bits": NETWORK_BITS, "images": len(decided.labels)}
            | metrics.accuracy(decided.right(FINAL_STEP))
            | {key: counted["cost"][key] for key in ("macs", "acs")}
            | {"arithmetic_energy_uj": float(arithmetic_energy_uj(counted)[-1])}
            | {"memory_energy_uj": 1e6 * spiking["total"] if spiking else None}
            | {"latency_ms": 1000 * counted["dt_s"] * counted["steps"], "close_ms": close_ms(decided)}
        )
    made = pd.DataFrame([row for rows in [*of_cnns.values(), of_networks] for row in rows])
    measured = ["value_bits", "images", "accuracy", "accuracy_low", "accuracy_high", "macs", "acs"]
    measured += ["arithmetic_energy_uj", "memory_energy_uj", "latency_ms", "close_ms"]
    return with_synapses(made[[*settings_in(made), *measured]])


def _of_cnn(decided: Decided, counted: Mapping[str, Any], quantised: Quantised) -> list[dict[str, Any]]:
    """Return the row of a CNN and those of its quantised copies."""
    cnn, macs = decided.configuration["cnn"], counted["cost"]["cnn_macs"]
    of_bits = {NETWORK_BITS: decided.cnn_right, **quantised}
    with_memory = {NETWORK_BITS: counted["energy"]["cnn"]["total"], 8: counted["energy"]["cnn_8_bits"]["total"]}
    return [
        {"network": cnn_name(cnn), "cnn": cnn, "neuron": CNN, "value_bits": bits, "images": len(right)}
        | metrics.accuracy(right)
        | {"macs": macs, "acs": 0.0, "arithmetic_energy_uj": 1e6 * macs * mac_j(word_bits(bits))}
        | {"memory_energy_uj": 1e6 * with_memory[word_bits(bits)]}
        for bits, right in of_bits.items()
    ]


def arithmetic_energy_uj(counted: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the energy of arithmetic up to each step, in microjoules, as a mean over images."""
    macs, spikes = counted["cost"]["macs"], counted["cost"]["acs"] > 0
    operations = np.cumsum(counted["operations_per_step"])
    if spikes:
        return 1e6 * (macs * mac_j(NETWORK_BITS) + operations * ADD_J[NETWORK_BITS])
    return 1e6 * (macs - operations[-1] + operations) * mac_j(NETWORK_BITS)  # the image's operations come first


def close_ms(decided: Decided) -> float:
    """Return from when on the accuracy stays within `CLOSE_POINTS` of that at the final step, in ms."""
    accuracy = 100 * decided.right_over_time.mean(axis=0)
    far = np.flatnonzero(np.abs(accuracy - accuracy[-1]) > CLOSE_POINTS)
    return float(1000 * decided.configuration["dt_s"] * (far[-1] + 2 if far.size else 1))
