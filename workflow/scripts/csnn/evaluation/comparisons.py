"""Comparisons on the same images: choices on validation images, the gap to the CNN, and tests of the paper's claims.

Accuracies are shares in [0, 1], differences are in percentage points; ``*_low`` and ``*_high`` bound 95 % intervals
over images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from csnn.evaluation import metrics, statistics
from csnn.evaluation.decisions import Decided, by_network
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED
from csnn.evaluation.readouts import CONFIDENCE, WINDOW
from csnn.evaluation.tables import SYNAPSE, settings, settings_in, with_synapses
from csnn.synapses import LOWPASS
from csnn.words import CNN, milliseconds

TOLERATED_POINTS = 0.5
"""By how much an early decision may be less accurate than the best readout to be chosen for its speed."""

CONVERSION = ["cnn", "max_rate_hz", "initial_voltage"]
"""What networks share between which neurons are compared."""


def choose(validation: pd.DataFrame) -> pd.DataFrame:
    """Choose time constant and readouts of every network by its accuracy on validation images.

    A network has one time constant: that with the highest mean of its accuracy at the final step and with the best
    window (of equal ones the shortest). At it, three readouts are chosen: the final step; the most accurate window; and
    of the margins those no less accurate than the best of these minus `TOLERATED_POINTS`, and among them the one that
    decides earliest (or, if there is none, the most accurate).

    Parameters
    ----------
    validation : DataFrame
        See `csnn.evaluation.tables.scores`, for one seed of every network.

    Returns
    -------
    DataFrame
        Columns network to spiking of the scores, ``readout``, ``kind``, ``window``, ``margin``, ``hold``,
        ``validation_accuracy``, and ``best``: whether it is the most accurate on validation images of all networks with
        spiking neurons.
    """
    chosen: list[pd.Series] = []
    decisions = validation[(validation["neuron"] != CNN) & (validation["readout"] != TIME_AVERAGED)]
    for _, of_network in decisions.groupby("network", sort=False):
        by_tau = dict(iter(of_network.groupby("tau_syn_s", dropna=False)))
        rows = by_tau[max(by_tau, key=lambda tau_syn_s: _steady_accuracy(by_tau[tau_syn_s]))]
        steady, early = rows[rows["kind"].isin([FINAL_STEP, WINDOW])], rows[rows["kind"] == CONFIDENCE]
        enough = early[early["accuracy"] >= steady["accuracy"].max() - TOLERATED_POINTS / 100]
        for picked in (
            steady[steady["kind"] == FINAL_STEP],
            steady[steady["kind"] == WINDOW].nlargest(1, "accuracy"),
            enough.nsmallest(1, "latency_ms") if len(enough) else early.nlargest(1, "accuracy"),
        ):
            chosen += [row for _, row in picked.iterrows()]
    table = pd.DataFrame(chosen).rename(columns={"accuracy": "validation_accuracy"}).reset_index(drop=True)
    spiking = table["spiking"].astype(bool)
    table["best"] = False
    if spiking.any():
        table.loc[table.loc[spiking, "validation_accuracy"].idxmax(), "best"] = True
    return table[[*settings_in(table), "readout", "kind", "window", "margin", "hold", "validation_accuracy", "best"]]


def _steady_accuracy(rows: pd.DataFrame) -> float:
    """Return the mean of the accuracy at the final step and with the best window, if there is one."""
    return float(np.nanmean([rows.loc[rows["kind"] == kind, "accuracy"].max() for kind in (FINAL_STEP, WINDOW)]))


def gap_table(choices: pd.DataFrame, test: Iterable[Decided]) -> pd.DataFrame:
    """The gap between the CNN and each chosen configuration on the test images.

    Parameters
    ----------
    choices : DataFrame
        See `choose`.
    test : iterable of Decided
        Of every chosen network and time constant, all seeds.

    Returns
    -------
    DataFrame
        Columns ``cnn`` to ``spiking`` of the scores, ``readout``, ``cnn_accuracy``, ``accuracy`` and ``gap_points``
        (CNN - network), each with its interval; ``p`` of McNemar's test on the first seed, adjusted for the number of
        rows by Holm's method, and its result in words, ``against_cnn``; ``seeds``, ``seed_sd_points`` (spread of the
        accuracy over seeds), ``images``, ``latency_ms``, ``settling_ms_median``, ``agreement``,
        ``validation_accuracy`` and ``best`` (see `choose`). Accuracies are means over seeds.
    """
    of_network = {network: seeds for (network, _), seeds in by_network(test).items()}
    rows, differences = [], []
    for choice in choices.to_dict("records"):
        readout, seeds = choice["readout"], of_network[choice["network"]]
        first, row = seeds[0], seeds[0].readouts.index(readout)
        right = np.array([decided.right(readout) for decided in seeds])
        shares, spread = statistics.mean_over_seeds(right)
        dt_ms = 1000 * first.configuration["dt_s"]
        rows.append(
            settings(first)
            | {"readout": readout}
            | metrics.with_interval("cnn_accuracy", first.cnn_right.astype(float), metrics.accuracy_interval)
            | metrics.accuracy(shares)
            | statistics.gap_points(first.cnn_right, shares)
            | {
                "p": statistics.mcnemar(right[0], first.cnn_right),
                "seeds": len(seeds),
                "seed_sd_points": None if spread is None else 100 * spread,
                "images": len(first.labels),
                "latency_ms": dt_ms * np.mean([decided.steps[row].mean() for decided in seeds]),
                "settling_ms_median": dt_ms * np.median([decided.settling_steps for decided in seeds]),
                "agreement": np.mean([(decided.classes[row] == decided.cnn_classes).mean() for decided in seeds]),
                "validation_accuracy": choice["validation_accuracy"],
                "best": choice["best"],
            }
        )
        differences.append(right[0].mean() - first.cnn_right.mean())
    table = with_synapses(pd.DataFrame(rows))
    table["p"] = statistics.holm(table["p"])
    table["against_cnn"] = list(map(statistics.verdict, differences, table["p"]))
    return table.drop(columns="network")


def effort_table(making: Mapping[str, Mapping], seconds: Mapping[str, float], gap: pd.DataFrame) -> pd.DataFrame:
    """What was done to each CNN, what that cost, and how accurate its networks then are at the final step.

    Parameters
    ----------
    making
        By the CNN's name, from the first: ``from``, ``made_by``, ``labelled_images``, ``unlabelled_images``.
    seconds
        By the CNN's name how long that took, where it is known; without what it is made from.
    gap : DataFrame
        See `gap_table`.

    Returns
    -------
    DataFrame
        Columns ``cnn``, those of `making`, ``seconds``; and a row for each network, or one without network:
        ``cnn_accuracy``, ``neuron``, ``max_rate_hz``, ``tau_syn_s``, ``accuracy`` with its interval.
    """
    rows = [{"cnn": cnn, **how, "seconds": seconds.get(cnn, np.nan)} for cnn, how in making.items()]
    scores = ["accuracy", "accuracy_low", "accuracy_high"]
    final = gap.loc[
        gap["readout"] == FINAL_STEP, ["cnn", "cnn_accuracy", "neuron", "max_rate_hz", "tau_syn_s", *scores]
    ]
    return pd.DataFrame(rows).merge(final, on="cnn", how="left")


def claims(configurations: Sequence[Decided]) -> pd.DataFrame:
    """Test what the paper says of LIF and A-LIF neurons, for time-averaged accuracies and under every readout.

    *Robustness*: from the shortest to the longest time constant, LIF and A-LIF lose less accuracy than RLR and SRL.
    *Adaptation*: A-LIF is more accurate than LIF at each time constant.

    Returns
    -------
    DataFrame
        Columns ``claim``, ``cnn``, ``max_rate_hz``, ``initial_voltage``, ``synapse`` if any is not a lowpass,
        ``readout``, ``comparison``,
        ``difference_points`` with its interval, ``p`` (of a paired test, adjusted by Holm's method within each claim
        and readout) and ``answer``.
    """
    keys = [*CONVERSION, SYNAPSE] if any(SYNAPSE in decided.configuration for decided in configurations) else CONVERSION
    groups: dict[str, tuple[dict, list[Decided]]] = {}
    for decided in configurations:
        conversion = {key: ({SYNAPSE: LOWPASS} | decided.configuration)[key] for key in keys}
        groups.setdefault(str(conversion), (conversion, []))[1].append(decided)
    families = []
    for conversion, members in groups.values():
        for readout in (*members[0].readouts, TIME_AVERAGED):
            right = _right_by_configuration(members, readout)
            for claim, comparisons in (
                ("robust against tau", _robustness(right)),
                ("A-LIF above LIF", _adaptation(right)),
            ):
                rows = [
                    {"claim": claim, **conversion, "readout": readout, "comparison": words} | _difference(ours, theirs)
                    for words, ours, theirs in comparisons
                ]
                families.append(_answered(claim, rows))
    columns = ["claim", *keys, "readout", "comparison", "difference_points", "difference_points_low"]
    columns += ["difference_points_high", "p", "answer"]
    return pd.DataFrame([row for rows in families for row in rows], columns=columns)


_ANSWERS = {
    "robust against tau": {
        "lower": "loses less: supported",
        "higher": "loses more: contradicted",
        "no difference shown": "no difference shown",
    },
    "A-LIF above LIF": {
        "higher": "higher: supported",
        "lower": "lower: contradicted",
        "no difference shown": "no difference shown",
    },
}


def _answered(claim: str, rows: list[dict]) -> list[dict]:
    """Adjust p for the number of tests of a claim under one readout, and add the answer that follows."""
    adjusted = statistics.holm([row["p"] for row in rows])
    return [
        row | {"p": p, "answer": _ANSWERS[claim][statistics.verdict(row["difference_points"], p)]}
        for row, p in zip(rows, adjusted, strict=True)
    ]


def _right_by_configuration(
    configurations: Iterable[Decided], readout: str
) -> dict[tuple[str, float], NDArray[np.float64]]:
    """Share of seeds (and of steps, if time-averaged) with which each image is right, by neuron and tau."""
    return {
        (seeds[0].configuration["neuron"], tau_syn_s): np.mean([decided.right(readout) for decided in seeds], axis=0)
        for (_, tau_syn_s), seeds in by_network(configurations).items()
        if tau_syn_s is not None
    }


Comparison = tuple[str, NDArray[np.float64], NDArray[np.float64]]
"""Words for what is compared, and of each image the two values."""


def _robustness(right: Mapping[tuple[str, float], NDArray]) -> Iterator[Comparison]:
    """Compare what neurons lose from the shortest to the longest time constant."""
    taus = sorted({tau_syn_s for _, tau_syn_s in right})
    losses = {
        neuron: right[neuron, taus[0]] - right[neuron, taus[-1]]
        for neuron in dict.fromkeys(neuron for neuron, _ in right)
        if len(taus) > 1 and all((neuron, tau_syn_s) in right for tau_syn_s in (taus[0], taus[-1]))
    }
    for robust, other in product(("LIF", "A-LIF"), ("RLR", "SRL")):
        if robust in losses and other in losses:
            span = f"{milliseconds(taus[0])} to {milliseconds(taus[-1])} ms"
            yield f"loss of {robust} - loss of {other}, tau {span}", losses[robust], losses[other]


def _adaptation(right: Mapping[tuple[str, float], NDArray]) -> Iterator[Comparison]:
    """Compare A-LIF with LIF at each time constant that both have."""
    for tau_syn_s in sorted({tau_syn_s for _, tau_syn_s in right}):
        if ("LIF", tau_syn_s) in right and ("A-LIF", tau_syn_s) in right:
            words = f"A-LIF - LIF, tau {milliseconds(tau_syn_s)} ms"
            yield words, right["A-LIF", tau_syn_s], right["LIF", tau_syn_s]


def _difference(ours: NDArray, theirs: NDArray) -> dict[str, float]:
    """Difference in points with its interval, and p."""
    values = statistics.paired_difference(ours, theirs)
    named = zip(("", "_low", "_high"), values, strict=True)
    return {f"difference_points{bound}": 100 * value for bound, value in named} | {
        "p": statistics.paired_p(ours, theirs)
    }
