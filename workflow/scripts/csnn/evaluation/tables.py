"""Tables of an experiment: all scores, the paper's layout, and the paper's numbers beside ours.

The table of scores is tidy: one row for each network, synaptic time constant, seed and readout, and one for each CNN.
An empty tau_syn_s is no synaptic filter; a CNN has neither tau nor seed nor readout.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from csnn.evaluation import confidence, metrics
from csnn.evaluation.decisions import Decided
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED
from csnn.evaluation.readouts import CONFORMAL
from csnn.experiment.sweep import BASE
from csnn.files import read_table
from csnn.synapses import LOWPASS
from csnn.words import CNN, milliseconds

SYNAPSE = "synapse"
"""The column of the kind of synapse, which is there if any is not a lowpass; see `csnn.synapses.text`."""
SETTINGS = ["network", "cnn", "neuron", "max_rate_hz", "initial_voltage", "tau_syn_s", "spiking"]
COLUMNS = [
    *SETTINGS, "seed", "images", "readout", "kind", "window", "margin", "hold",
    "accuracy", "accuracy_low", "accuracy_high", "loss", "loss_low", "loss_high",
    "cnn_accuracy", "gap_points", "gap_points_low", "gap_points_high", "agreement",
    "latency_ms", "latency_ms_median", "settling_ms_median",
    "confidence", "ece", "brier",
]  # fmt: skip
MEASURES = ["accuracy", "loss"]
VALUES = [f"{measure}{bound}" for measure in MEASURES for bound in ("", "_low", "_high")]


def settings(decided: Decided) -> dict:
    """Return the columns that name a configuration, without its seed."""
    named = [*SETTINGS, SYNAPSE] if SYNAPSE in decided.configuration else SETTINGS
    return {key: decided.configuration[key] for key in named}


def settings_in(table: pd.DataFrame) -> list[str]:
    """Return which columns of a table name configurations."""
    return [*SETTINGS, SYNAPSE] if SYNAPSE in table else SETTINGS


def with_synapses(table: pd.DataFrame) -> pd.DataFrame:
    """Say lowpass in rows of networks that do not name their synapse, if others do."""
    if SYNAPSE in table:
        of_networks = table["neuron"] != CNN
        table[SYNAPSE] = table[SYNAPSE].mask(of_networks & table[SYNAPSE].isna(), LOWPASS)
    return table


def cnn_name(cnn: str) -> str:
    """Return how tables and figures name a CNN: "CNN", or a variant like a network, "<variant>/CNN"."""
    return CNN if cnn == BASE else f"{cnn}/{CNN}"


def scores(cnns: Mapping[str, tuple[NDArray, NDArray]], configurations: Iterable[Decided]) -> pd.DataFrame:
    """Collect the scores of CNNs and of networks in one tidy table.

    Parameters
    ----------
    cnns
        By the CNN's name its logits (images, classes) and the labels (images,).
    configurations
        Of the networks, in the order in which the table is to have them.

    Returns
    -------
    DataFrame
        With `COLUMNS`, and with `SYNAPSE` if any is not a lowpass: each CNN first, with its accuracy as
        ``cnn_accuracy`` too.
    """
    rows = []
    for cnn, (logits, labels) in cnns.items():
        scored = metrics.score(logits, labels)[FINAL_STEP]
        model = {"network": cnn_name(cnn), "cnn": cnn, "neuron": CNN, "images": len(labels)}
        trusted = {name: values[-1] for name, values in confidence.over_time(logits, labels).items()}
        rows.append(model | scored | {"cnn_accuracy": scored["accuracy"]} | trusted)
    for decided in configurations:
        model = settings(decided) | {"seed": decided.configuration["seed"], "images": len(decided.labels)}
        rows += [model | row for row in decided.scores]
    extra = [SYNAPSE] if any(SYNAPSE in row for row in rows) else []
    return typed(with_synapses(pd.DataFrame(rows, columns=[*SETTINGS, *extra, *COLUMNS[len(SETTINGS) :]])))


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Give the columns of a table of scores their types, which a file does not hold."""
    integers = dict.fromkeys(["seed", "window", "hold"], "Int64")
    floats = dict.fromkeys(COLUMNS[COLUMNS.index("accuracy") :], float) | {"tau_syn_s": float, "margin": float}
    return table.astype(integers | floats | {"spiking": "boolean"})


def read(path: str | os.PathLike) -> pd.DataFrame:
    """Read the table of scores from its file, and check its checksum."""
    return typed(read_table(path))


def over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over seeds, one row per network, tau and readout, in the order of `scores`.

    Returns
    -------
    DataFrame
        Columns network, cnn, neuron, tau_syn_s, readout; the means of accuracy, loss and the bounds of their
        intervals; and ``accuracy_sd`` and ``loss_sd``, the sample standard deviations, not a number for one seed. All
        seeds see the same images, so averaging over them does not narrow an interval over images: its bounds are
        averaged.
    """
    groups = scores.groupby(["network", "cnn", "neuron", "tau_syn_s", "readout"], dropna=False, sort=False)
    return groups[VALUES].mean().join(groups[MEASURES].std().add_suffix("_sd")).reset_index()


def on_further_cnns(networks: pd.DataFrame) -> pd.DataFrame:
    """Return the networks of those neurons that not only the first CNN has, neuron by neuron.

    Parameters
    ----------
    networks : DataFrame
        Columns ``cnn`` and ``neuron``, a row for each network.
    """
    further = networks.loc[networks["cnn"] != networks["cnn"].iloc[0], "neuron"].unique()
    return pd.concat([networks[:0], *(networks[networks["neuron"] == neuron] for neuron in further)])


def table2(scores: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 2: tau (ms) down, CNNs and networks across, time-averaged accuracy (%) and loss.

    Returns
    -------
    DataFrame of str
        First column the tau, no filter first; then two columns per model. The first line is the CNN's, which has no
        tau. Two decimals; with several seeds, the mean ± the standard deviation over seeds.
    """
    means = over_seeds(scores[(scores["neuron"] == CNN) | (scores["readout"] == TIME_AVERAGED)])

    def cell(row: pd.Series, measure: str, scale: float) -> str:
        spread = row[f"{measure}_sd"]
        return f"{scale * row[measure]:.2f}" + ("" if pd.isna(spread) else f" ± {scale * spread:.2f}")

    # CNNs come first in the scores, and so does their line among those without a number for tau
    lines: dict[tuple[str, float | None], dict[str, str]] = {}
    for _, row in means.sort_values("tau_syn_s", na_position="first", kind="stable").iterrows():
        is_cnn, no_filter = row["neuron"] == CNN, pd.isna(row["tau_syn_s"])
        key = ("–" if is_cnn else milliseconds(row["tau_syn_s"]), None if no_filter else row["tau_syn_s"])
        lines.setdefault(key, {}).update(
            {
                f"{row['network']} accuracy (%)": cell(row, "accuracy", 100),
                f"{row['network']} loss": cell(row, "loss", 1),
            }
        )
    columns = [f"{network} {measure}" for network in means["network"].unique() for measure in ("accuracy (%)", "loss")]
    table = pd.DataFrame(list(lines.values()), columns=columns).fillna("")
    table.insert(0, "tau (ms)", [tau for tau, _ in lines])
    return table


def table1(scores: pd.DataFrame, network: str = "RLR") -> pd.DataFrame:
    """The paper's Table 1, columns of its Table 2: `network`, or the first one in its absence, and its CNN."""
    networks = scores[scores["neuron"] != CNN]
    chosen = networks[networks["network"] == (network if (networks["network"] == network).any() else None)]
    chosen = chosen if len(chosen) else networks[networks["network"] == networks["network"].iloc[0]]
    own_cnn = scores[(scores["neuron"] == CNN) & (scores["cnn"] == chosen["cnn"].iloc[0])]
    return table2(pd.concat([own_cnn, chosen]))


def confidence_table(scores: pd.DataFrame) -> pd.DataFrame:
    """How far the probabilities of CNNs, and of networks at the final step, can be trusted; means over seeds.

    Returns
    -------
    DataFrame
        Columns ``network``, ``neuron``, ``tau_syn_s``, ``accuracy``, ``confidence``, ``ece`` and ``brier`` (see
        `csnn.evaluation.confidence`), in the order of `scores`.
    """
    rows = scores[(scores["neuron"] == CNN) | (scores["readout"] == FINAL_STEP)]
    groups = rows.groupby(["network", "neuron", "tau_syn_s"], dropna=False, sort=False)
    return groups[["accuracy", "confidence", "ece", "brier"]].mean().reset_index()


def brief(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of networks without the settings that need not be said, being the same for all of them."""
    networks = table[table["neuron"] != CNN]
    same = [name for name in (*settings_in(table)[1:], "seed", "images") if networks[name].astype(str).nunique() <= 1]
    hidden = {*same, "spiking"} | ({"neuron"} if (table["neuron"] == table["network"]).all() else set())
    return table.drop(columns=list(hidden - {"tau_syn_s"}))


PERCENTILES = (50, 90, 99)
"""Of the latency of early decisions."""


def conformal(configurations: Iterable[Decided]) -> pd.DataFrame:
    """Early decisions with a guarantee: their coverage and latency on the test images.

    Returns
    -------
    DataFrame
        One row for each configuration: columns network to spiking of the scores, ``seed``, ``images``, ``coverage``
        (what was asked for), ``covered`` (the share of images whose prediction set holds the true class, with its
        interval), ``accuracy``, ``single_share`` and ``set_size`` (see `csnn.evaluation.decisions.covered`),
        ``threshold`` (in units of the logits), and ``latency_steps_p*`` and ``latency_ms_p*``: until which step so many
        percent of the images have ended. Images whose set never is a single class end at the final step.
    """
    rows = []
    for decided in configurations:
        scored = next(row for row in decided.scores if row["kind"] == CONFORMAL)
        steps = decided.steps[decided.readouts.index(scored["readout"])]
        latencies = np.percentile(steps, PERCENTILES, method="inverted_cdf")
        taken = ("coverage", "covered", "covered_low", "covered_high", "accuracy", "single_share", "set_size")
        rows.append(
            settings(decided)
            | {"seed": decided.configuration["seed"], "images": len(decided.labels)}
            | {name: scored[name] for name in taken}
            | {"threshold": scored["margin"]}
            | {f"latency_steps_p{p}": int(steps) for p, steps in zip(PERCENTILES, latencies, strict=True)}
            | {
                f"latency_ms_p{p}": 1000 * decided.configuration["dt_s"] * steps
                for p, steps in zip(PERCENTILES, latencies, strict=True)
            }
        )
    return with_synapses(pd.DataFrame(rows))


def comparison(scores: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """The published numbers beside ours, for each neuron and tau that both have.

    Parameters
    ----------
    scores : DataFrame
        See `scores`; several seeds are averaged.
    published : DataFrame
        Columns neuron, tau_syn_s, accuracy in [0, 1], loss and source. ``resources/published_table2.csv`` holds Table
        2 of Chouinard, "CSNN - An Exploration of Convolutional-Spiking Neural Networks".

    Returns
    -------
    DataFrame
        Columns neuron, tau_syn_ms, then published, ours and the difference, ours - published, of the accuracy in
        percent (the difference in percentage points) and of the loss; the source of the published numbers. All are
        time-averaged.
    """
    ours = over_seeds(scores[(scores["neuron"] == CNN) | (scores["readout"] == TIME_AVERAGED)])
    ours = ours.drop(columns="neuron").rename(columns={"network": "neuron"})  # networks of the base CNN are so named
    both = ours.merge(published, on=["neuron", "tau_syn_s"], suffixes=("", "_published"))
    return pd.DataFrame(
        {
            "neuron": both["neuron"],
            "tau_syn_ms": 1000 * both["tau_syn_s"],
            "accuracy_published_percent": 100 * both["accuracy_published"],
            "accuracy_ours_percent": 100 * both["accuracy"],
            "accuracy_difference_points": 100 * (both["accuracy"] - both["accuracy_published"]),
            "loss_published": both["loss_published"],
            "loss_ours": both["loss"],
            "loss_difference": both["loss"] - both["loss_published"],
            "source": both["source"],
        }
    )


def caption(scores: pd.DataFrame) -> str:
    """One line for above the paper's tables: what their numbers are, of how many images and which seeds."""
    images = " or ".join(str(count) for count in scores["images"].unique())
    seeds = sorted(scores["seed"].dropna().unique())
    of_seeds = "mean ± standard deviation over the seeds" if len(seeds) > 1 else "seed"
    return (
        "Time-averaged, over all time steps (not the values at the final step); "
        f"{images} test images; {of_seeds} {', '.join(map(str, seeds))} of the initial membrane potentials."
    )
