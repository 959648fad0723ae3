"""Figures of accuracy: against the synaptic time constant, over time, against synaptic operations, and the gap."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, FixedLocator, LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from csnn.evaluation.decisions import Decided
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED, wilson_interval
from csnn.evaluation.readouts import WINDOW
from csnn.evaluation.tables import on_further_cnns, over_seeds
from csnn.figures.style import (
    CNN_LINE,
    HEAT,
    NAMED_TAUS,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    along_tau,
    configuration_titles,
    conversion_titles,
    evenly_chosen,
    laid_out,
    looks,
    network_titles,
    over_time,
    panels,
    short,
    styled,
    synapse_looks,
    tau_positions,
)
from csnn.synapses import LOWPASS
from csnn.words import CNN, MOST_CURVES, milliseconds, synapse, tau


@styled
def accuracy_vs_tau(scores: pd.DataFrame) -> Figure:
    """Draw time-averaged and final-step accuracy over the synaptic time constant.

    Parameters
    ----------
    scores : DataFrame
        See `csnn.evaluation.tables.scores`. Several seeds are averaged, values and bounds alike.
    """
    return _measure_vs_tau(scores, "accuracy", "Accuracy (%)", scale=100)


@styled
def loss_vs_tau(scores: pd.DataFrame) -> Figure:
    """Draw the cross-entropy loss over the synaptic time constant, like `accuracy_vs_tau`."""
    return _measure_vs_tau(scores, "loss", "Cross-entropy loss (nats)", scale=1)


def _measure_vs_tau(scores: pd.DataFrame, measure: str, label: str, scale: float) -> Figure:
    """Draw a measure time-averaged and at the final step side by side; a row for each CNN and conversion."""
    means = over_seeds(scores)
    networks, cnns = means[means["neuron"] != CNN].copy(), means[means["neuron"] == CNN].set_index("cnn")
    spiking = scores[scores["neuron"] != CNN]
    titles = dict(zip(spiking["network"], conversion_titles(spiking, with_synapse=False), strict=True))
    rows = list(dict.fromkeys(titles.values()))
    if len(rows) > MOST_CURVES:
        of_network = dict(zip(spiking["network"], network_titles(spiking), strict=True))
        return _measure_map(networks, of_network, label, measure, scale)
    kind_of = dict(zip(spiking["network"], _synapses(spiking), strict=True))
    networks["synapse"] = networks["network"].map(kind_of)
    networks["along"], xlabel = along_tau(networks)
    of_neuron, of_synapse = looks(networks["neuron"]), synapse_looks(networks["synapse"])
    many = networks["along"].nunique() > 3 * NAMED_TAUS
    positions, ticks = tau_positions(networks["along"], nearest=0.2 if many else 0.1)
    # Neurons with nearly the same scores stand side by side instead of hiding each other's intervals.
    places = np.unique(list(positions.values()))
    spacing = np.diff(places).min() if len(places) > 1 else 1.0
    nudges = 0.3 * spacing * (np.arange(len(of_neuron)) - (len(of_neuron) - 1) / 2) / max(len(of_neuron), 5)
    size: dict[str, Any] = {"markersize": 1.5, "capsize": 0, "linewidth": 0.6} if many else {}

    figure = Figure(figsize=(PAGE_WIDTH, 1.9 * len(rows) + 1.4), layout="constrained")
    grid = figure.subplots(len(rows), 2, sharex=True, sharey=True, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        here = networks[networks["network"].map(titles) == rows[row]]
        for cnn in here["cnn"].unique():
            if cnn in cnns.index:
                low, value, high = (scale * cnns.loc[cnn, f"{measure}{bound}"] for bound in ("_low", "", "_high"))
                axes.axhspan(low, high, color="0.9", linewidth=0, zorder=0.5)
                axes.axhline(value, zorder=1.5, **CNN_LINE)
        for nudge, (neuron, look) in zip(nudges, of_neuron.items(), strict=True):
            of_this = here[(here["neuron"] == neuron) & (here["readout"] == [TIME_AVERAGED, FINAL_STEP][column])]
            for kind, line in of_synapse.items():
                drawn = of_this[of_this["synapse"] == kind]
                x = np.array([positions[milliseconds(along)] for along in drawn["along"]])
                values = scale * drawn[measure].to_numpy()
                bars = np.abs(scale * drawn[[f"{measure}_low", f"{measure}_high"]].to_numpy().T - values)
                axes.errorbar(x + nudge, values, bars, **line, **look, **size)
        axes.set_title(["Time-averaged", "At the final step"][column] if row == 0 else "")
        axes.set_xticks(list(ticks.values()), list(ticks))
        axes.tick_params(labelleft=True)
        axes.set_xlabel(xlabel if row == len(rows) - 1 else "")
        if len(rows) > 1 and column == 0:
            axes.set_ylabel(rows[row], fontweight="bold")
    axes.set_ylim(bottom=0)
    if len(places) == 1:
        axes.set_xlim(places[0] - spacing, places[0] + spacing)
    seeds = scores["seed"].nunique()
    note = "Bars and band: 95 % intervals over images" + (f"; means over {seeds} seeds" if seeds > 1 else "")
    handles: list[Any] = [(Patch(color="0.9"), Line2D([], [], **CNN_LINE))] * bool(len(cnns))
    handles += [Line2D([], [], **look) for look in of_neuron.values()]
    names = [CNN if len(rows) == 1 else "its own CNN"] * bool(len(cnns)) + list(map(str, of_neuron))
    for_synapses, kinds = _synapse_legend(of_synapse)
    figure.legend(handles + for_synapses, names + kinds, loc="outside lower center", ncols=6, title=note)
    figure.supylabel(label)
    return laid_out(figure)


def _synapses(rows: pd.DataFrame) -> pd.Series:
    """Return the kind of synapse of each row of a table of scores."""
    return rows["synapse"] if "synapse" in rows else pd.Series(LOWPASS, rows.index)


def _synapse_legend(of_synapse: Mapping[str, dict[str, Any]]) -> tuple[list[Line2D], list[str]]:
    """Return handles and labels of the kinds of synapse, if there are several."""
    if len(of_synapse) == 1:
        return [], []
    lines = [Line2D([], [], color="black", marker="o", **look) for look in of_synapse.values()]
    return lines, list(map(synapse, of_synapse))


def _measure_map(means: pd.DataFrame, names: Mapping[str, str], label: str, measure: str, scale: float) -> Figure:
    """Draw a measure of many networks (rows) at each synaptic time constant (columns) as colours.

    Parameters
    ----------
    means
        See `csnn.evaluation.tables.over_seeds`, without the CNNs.
    names
        Of each network what it is called.
    label, measure, scale
    """
    means = means.assign(value=scale * means[measure], tau=means["tau_syn_s"].astype(float).fillna(0))  # 0: no filter
    networks, taus = list(dict.fromkeys(means["network"])), sorted(set(means["tau"]))
    rows, columns = evenly_chosen(range(len(networks)), 68), evenly_chosen(range(len(taus)), 6)
    figure = Figure(figsize=(PAGE_WIDTH, min(PAGE_HEIGHT, 0.13 * len(networks) + 1)), layout="constrained")
    for axes, readout in zip(figure.subplots(1, 2, sharey=True), (TIME_AVERAGED, FINAL_STEP), strict=True):
        values = means[means["readout"] == readout].pivot(index="network", columns="tau", values="value")
        highest = 100 if measure == "accuracy" else means["value"].max()
        values = values.reindex(index=networks, columns=taus)
        image = axes.imshow(values, cmap=HEAT, vmin=0, vmax=highest, aspect="auto")
        axes.set_xticks(columns, [milliseconds(taus[k] or None) for k in columns])
        axes.set_yticks(rows, [short(names[networks[k]], 30) for k in rows])
        axes.tick_params(axis="y", labelsize=5)
        axes.set_title("Time-averaged" if readout == TIME_AVERAGED else "At the final step")
        axes.grid(False)
    figure.colorbar(image, ax=figure.axes, label=label, shrink=0.5).outline.set_visible(False)
    figure.supxlabel("Synaptic time constant τ (ms)")
    return laid_out(figure)


@styled
def accuracy_over_time(decisions: Sequence[Decided]) -> Figure:
    """Draw the accuracy at each step, with 95 % intervals over images, and the level of each network's own CNN."""

    def values(seeds: Sequence[Decided]) -> NDArray:
        return 100 * np.mean([decided.right_over_time.mean(axis=0) for decided in seeds], axis=0)

    def draw(axes: Axes, times_ms: NDArray, seeds: Sequence[Decided], look: dict[str, Any]) -> None:
        accuracy, images = values(seeds), len(seeds[0].labels)
        if few:
            low, high = np.transpose([wilson_interval(images * value / 100, images) for value in accuracy])
            axes.fill_between(times_ms, 100 * low, 100 * high, color=look["color"], alpha=0.13, linewidth=0)
        axes.plot(times_ms, accuracy, **look)

    few = len({decided.configuration["tau_syn_s"] for decided in decisions}) <= NAMED_TAUS
    return over_time(
        decisions, "Accuracy at this step (%)", values, draw, of_cnn=lambda decided: 100 * decided.cnn_right.mean()
    )


def pareto_front(costs: ArrayLike, gains: ArrayLike) -> NDArray[np.intp]:
    """Positions of the points that no other beats in both a lower cost and a higher gain, by rising cost."""
    costs, gains = np.asarray(costs), np.asarray(gains)
    order = np.lexsort((-gains, costs))
    best = np.maximum.accumulate(gains[order])
    rises = np.append(True, best[1:] > best[:-1])
    return order[rises]


@styled
def accuracy_vs_operations(decisions: Sequence[Decided], activity: Sequence[Mapping]) -> Figure:
    """Draw accuracy over synaptic operations up to each step, with the Pareto front over all configurations and steps.

    Parameters
    ----------
    decisions
    activity : sequence of mappings
        Of the same configurations: ``cost`` and ``operations_per_step``; see `csnn.evaluation.activity`.
    """
    table = pd.DataFrame([decided.configuration for decided in decisions])
    titles = conversion_titles(table)
    of_neuron = looks(table["neuron"])
    label = "Effective synaptic operations per image up to a step\n(ACs of spikes, MACs of rates and of the image)"
    figure, panel = panels(titles, height=1.9, xlabel=label, columns=3)
    all_costs, all_gains = [], []
    for decided, counted, title in zip(decisions, activity, titles, strict=True):
        macs = counted["cost"]["macs"]
        operations = np.cumsum(counted["operations_per_step"])
        # multiply-accumulates are those of the image; of rate neurons, those of all steps too
        operations += macs if decided.configuration["spiking"] else macs - operations[-1]
        accuracy = 100 * decided.right_over_time.mean(axis=0)
        axes, look = panel.get(title), of_neuron[decided.configuration["neuron"]]
        all_costs.append(operations)
        all_gains.append(accuracy)
        if axes is None:
            continue
        axes.plot(operations, accuracy, color=look["color"], linewidth=0.8, alpha=0.7)
        axes.plot(operations[-1], accuracy[-1], linestyle="none", markersize=4, **look)
        axes.plot(counted["cost"]["cnn_macs"], 100 * decided.cnn_right.mean(), "k*", markersize=7, zorder=3)
    costs, gains = np.concatenate(all_costs), np.concatenate(all_gains)
    front = pareto_front(costs, gains)
    for axes in panel.values():
        axes.step(costs[front], gains[front], where="post", color="0.75", linewidth=3, zorder=1)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator())
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_formatter(NullFormatter())
    figure.supylabel("Accuracy at that step (%)")
    handles = [Line2D([], [], **look) for look in of_neuron.values()]
    handles += [Line2D([], [], color="black", marker="*", linestyle="none"), Line2D([], [], color="0.75", linewidth=3)]
    labels = [*map(str, of_neuron), "its own CNN (MACs)", "Pareto front of all panels"]
    figure.legend(handles, labels, loc="outside upper center", ncols=7)
    return laid_out(figure)


@styled
def readouts_vs_tau(scores: pd.DataFrame) -> Figure:
    """Draw accuracy over the synaptic time constant: columns are readouts, rows CNNs and conversions.

    Parameters
    ----------
    scores : DataFrame
        See `csnn.evaluation.tables.scores`; several seeds are averaged.
    """
    table = scores[scores["kind"].isin([FINAL_STEP, WINDOW, TIME_AVERAGED])].copy()
    table["row"] = conversion_titles(table, with_synapse=False)
    table["synapse"] = _synapses(table)
    table["along"], xlabel = along_tau(table)
    of_neuron, of_synapse = looks(table["neuron"]), synapse_looks(table["synapse"])
    readouts = [FINAL_STEP, *table.loc[table["kind"] == WINDOW, "readout"].unique(), TIME_AVERAGED]
    everything = list(dict.fromkeys(table["row"]))
    rows = evenly_chosen(everything)
    positions, ticks = tau_positions(table["along"], nearest=0.05 * len(readouts))
    figure = Figure(figsize=(PAGE_WIDTH, 1.5 * len(rows) + 0.9), layout="constrained")
    grid = figure.subplots(len(rows), len(readouts), sharex=True, sharey=True, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        here = table[(table["row"] == rows[row]) & (table["readout"] == readouts[column])]
        for (neuron, kind), seeds in here.groupby(["neuron", "synapse"], sort=False):
            means = 100 * seeds.groupby("along", dropna=False)[["accuracy", "accuracy_low", "accuracy_high"]].mean()
            x = [positions[milliseconds(along)] for along in means.index]
            bars = np.abs(means[["accuracy_low", "accuracy_high"]].to_numpy().T - means["accuracy"].to_numpy())
            line = of_synapse[kind] | of_neuron[neuron]
            axes.errorbar(x, means["accuracy"], bars, markersize=3, linewidth=0.8, **line)
        axes.axhline(100 * here["cnn_accuracy"].mean(), **CNN_LINE, zorder=1.5)
        axes.set_xticks(list(ticks.values()), list(ticks))
        if row == 0:
            axes.set_title(textwrap.fill(readouts[column], 15))
        if column == 0:
            axes.set_ylabel(rows[row], fontweight="bold")
    handles = [*(Line2D([], [], **look) for look in of_neuron.values()), Line2D([], [], **CNN_LINE)]
    note = f"{table['images'].iloc[0]} images; bars: 95 % intervals over images"
    note += f"; {len(rows)} of {len(everything)} rows, evenly chosen" if len(rows) < len(everything) else ""
    for_synapses, kinds = _synapse_legend(of_synapse)
    names = [*map(str, of_neuron), "its own CNN", *kinds]
    figure.legend(handles + for_synapses, names, loc="outside upper center", ncols=7, title=note)
    figure.supxlabel(xlabel)
    figure.supylabel("Accuracy (%)")
    return laid_out(figure)


@styled
def by_cnn(scores: pd.DataFrame) -> Figure:
    """Draw the accuracy of networks of the same neurons on several CNNs, each at its best synaptic time constant.

    Parameters
    ----------
    scores : DataFrame
        See `csnn.evaluation.tables.scores`. Several seeds are averaged, values and bounds alike.
    """
    means = over_seeds(scores)
    cnns = means[means["neuron"] == CNN].set_index("cnn")
    final = means[means["readout"] == FINAL_STEP]
    best = final.loc[final.groupby("network", sort=False)["accuracy"].idxmax()]
    rows = on_further_cnns(best)
    of_neuron = looks(scores.loc[scores["neuron"] != CNN, "neuron"])
    figure = Figure(figsize=(PAGE_WIDTH, min(PAGE_HEIGHT, 0.3 * len(rows) + 1.3)), layout="constrained")
    axes = figure.subplots()
    for y, (_, row) in enumerate(rows.iterrows()):
        value, low, high = (100 * row[name] for name in ("accuracy", "accuracy_low", "accuracy_high"))
        axes.errorbar(value, y, xerr=[[value - low], [high - value]], linestyle="none", **of_neuron[row["neuron"]])
        axes.plot([100 * cnns.loc[row["cnn"], "accuracy"]] * 2, [y - 0.35, y + 0.35], color="black", linewidth=1.5)
    names = [
        short(f"{network}, {tau(tau_s)}", 40) for network, tau_s in zip(rows["network"], rows["tau_syn_s"], strict=True)
    ]
    axes.set_yticks(range(len(rows)), names)
    axes.set(xlim=(0, 100), ylim=(len(rows) - 0.5, -0.5), xlabel="Accuracy at the final step (%)")
    line = Line2D([], [], color="black", marker="|", markersize=9, markeredgewidth=1.5, linestyle="none")
    figure.legend([line], ["its own CNN"], loc="outside upper center", title="Bars: 95 % intervals over images")
    return laid_out(figure)


@styled
def gap_to_cnn(gap: pd.DataFrame) -> Figure:
    """Draw the gap between the CNN and each chosen network, by readout.

    Parameters
    ----------
    gap : DataFrame
        See `csnn.evaluation.comparisons.gap_table`.
    """
    titles = configuration_titles(gap)
    rows = list(dict.fromkeys(titles))
    kinds = gap["readout"].where(~gap["readout"].str.startswith(("mean", "margin")), gap["readout"].str.split().str[0])
    names = {"mean": "mean over the chosen window", "margin": "first confident step"}
    of_kind = looks(kinds)
    figure = Figure(figsize=(PAGE_WIDTH, max(0.14, min(0.32, 8 / len(rows))) * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    for order, (kind, look) in enumerate(of_kind.items()):
        here = gap[kinds == kind]
        y = np.array([rows.index(title) for title in titles[kinds == kind]]) + 0.2 * (order - (len(of_kind) - 1) / 2)
        bars = np.abs(here[["gap_points_low", "gap_points_high"]].to_numpy().T - here["gap_points"].to_numpy())
        axes.errorbar(here["gap_points"], y, xerr=bars, linestyle="none", label=names.get(str(kind), str(kind)), **look)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xscale("symlog", linthresh=1)  # gaps of tenths of a point beside gaps of tens
    axes.xaxis.set_major_locator(FixedLocator([-30, -10, -3, -1, -0.5, 0, 0.5, 1, 3, 10, 30]))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("Accuracy of the CNN minus that of the network (percentage points)")
    figure.legend(loc="outside upper center", ncols=3, title="Bars: 95 % intervals over images")
    return laid_out(figure)
