"""Figures of accuracy against what it costs: time, synaptic operations, and the choice of a synaptic time constant."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FixedLocator, LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from csnn.evaluation.comparisons import TIME_AVERAGED
from csnn.evaluation.decisions import Decided
from csnn.figures.paper import MARKERS, NEURON_COLOURS, PAGE_WIDTH, laid_out, styled, tau_positions, tau_title
from csnn.evaluation.readouts import LAST_STEP, WINDOW
from csnn.experiment.sweep import BASE
from csnn.evaluation.tables import milliseconds

COLUMN_SETTINGS = ["variant", "max_rate_hz", "initial_voltage"]


def column_titles(rows: pd.DataFrame) -> pd.Series:
    """Say in words which CNN and conversion each row is of, leaving out the settings that all of them share."""
    parts = {
        "variant": lambda name: "CNN itself" if name == BASE else str(name),
        "max_rate_hz": lambda rate: f"{rate} Hz",
        "initial_voltage": lambda voltage: f"start {voltage}",
    }
    shown = [key for key in COLUMN_SETTINGS if rows[key].astype(str).nunique() > 1] or ["variant"]
    return rows[shown].apply(lambda row: ", ".join(parts[key](row[key]) for key in shown), axis=1)


def network_titles(rows: pd.DataFrame) -> pd.Series:
    """Say in words which network each row is of: its CNN and conversion, and its neurons."""
    return column_titles(rows) + ", " + rows["neuron"]


def styles(names: Sequence[Hashable]) -> dict[Hashable, dict[str, Any]]:
    """Give each name a colour and a marker."""
    names = list(dict.fromkeys(names))
    return {
        name: {"color": NEURON_COLOURS[i % len(NEURON_COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        for i, name in enumerate(names)
    }


def _panels(titles: Sequence[str], columns: int, height: float) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure, and for each title its panel, that share their axes; `height` of a row is in inches."""
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(PAGE_WIDTH, height * rows + 0.8), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, title in zip(grid, titles, strict=False):
        axes.set_title(title)
    for empty in range(len(titles), len(grid)):
        grid[empty].set_axis_off()
        grid[empty - columns].tick_params(labelbottom=True)
    return figure, dict(zip(titles, grid, strict=False))


@styled
def accuracy_vs_latency(configurations: Sequence[Decided]) -> Figure:
    """Draw accuracy over the time for which an image is shown, one panel for each network."""
    table = pd.DataFrame([decided.about for decided in configurations])
    titles = network_titles(table)
    taus = sorted(dict.fromkeys(table["tau_syn_s"].dropna()))
    words = [milliseconds(tau) for tau in [*([None] if table["tau_syn_s"].isna().any() else []), *taus]]
    shades = dict(zip(words, colormaps["viridis"](np.linspace(0, 0.9, len(words))), strict=True))
    figure, panels = _panels(list(dict.fromkeys(titles)), columns=4, height=1.45)
    for decided, title in zip(configurations, titles, strict=True):
        axes = panels[title]
        time_ms = 1000 * decided.about["dt_s"] * np.arange(1, len(decided.right_per_step) + 1)
        axes.axhline(100 * decided.cnn_right.mean(), color="black", linestyle=(0, (5, 2)), zorder=1.5)
        shade = shades[milliseconds(decided.about["tau_syn_s"])]
        axes.plot(time_ms, 100 * decided.right_per_step, color=shade)
    handles = [*(Line2D([], [], color=shade) for shade in shades.values())]
    handles.append(Line2D([], [], color="black", linestyle=(0, (5, 2))))
    labels = [
        *(tau_title(None if word == milliseconds(None) else float(word) / 1000) for word in shades),
        "its own CNN",
    ]
    figure.legend(handles, labels, loc="outside upper center", ncols=7)
    figure.supxlabel("Time for which the image is shown (ms)")
    figure.supylabel("Accuracy at that time (%)")
    return laid_out(figure)


def pareto_front(costs: ArrayLike, gains: ArrayLike) -> NDArray[np.intp]:
    """Positions of the points that no other beats in both a lower cost and a higher gain, by rising cost."""
    costs, gains = np.asarray(costs), np.asarray(gains)
    order = np.lexsort((-gains, costs))
    best = np.maximum.accumulate(gains[order])
    rises = np.append(True, best[1:] > best[:-1])
    return order[rises]


@styled
def accuracy_vs_operations(configurations: Sequence[Decided], metrics: Sequence[Mapping]) -> Figure:
    """Draw accuracy over synaptic operations up to each step, with the Pareto front over all configurations and steps.

    Parameters
    ----------
    configurations : sequence of Decided
    metrics : sequence of mappings
        Of the same configurations, what `csnn.evaluation.activity` found: ``cost`` and ``operations_per_step``.
    """
    table = pd.DataFrame([decided.about for decided in configurations])
    titles = column_titles(table)
    looks = styles(table["neuron"])
    figure, panels = _panels(list(dict.fromkeys(titles)), columns=3, height=1.9)
    costs, gains = [], []
    for decided, one, title in zip(configurations, metrics, titles, strict=True):
        operations = np.cumsum(one["operations_per_step"]) + one["cost"]["macs"] * decided.about["spiking"]
        if not decided.about["spiking"]:  # its multiply-accumulates are those of the image and of all steps
            operations += one["cost"]["macs"] - operations[-1]
        accuracy = 100 * decided.right_per_step
        axes, look = panels[title], looks[decided.about["neuron"]]
        axes.plot(operations, accuracy, color=look["color"], linewidth=0.8, alpha=0.7)
        axes.plot(operations[-1], accuracy[-1], linestyle="none", markersize=4, **look)
        axes.plot(one["cost"]["cnn_macs"], 100 * decided.cnn_right.mean(), "*", color="black", markersize=7, zorder=3)
        costs.append(operations)
        gains.append(accuracy)
    costs, gains = np.concatenate(costs), np.concatenate(gains)
    front = pareto_front(costs, gains)
    for axes in panels.values():
        axes.step(costs[front], gains[front], where="post", color="0.75", linewidth=3, zorder=1)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator())
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_formatter(NullFormatter())
    figure.supxlabel(
        "Effective synaptic operations per image up to a step (ACs of spikes, MACs of rates and of the image)"
    )
    figure.supylabel("Accuracy at that step (%)")
    handles = [Line2D([], [], **look) for look in looks.values()]
    handles += [Line2D([], [], color="black", marker="*", linestyle="none"), Line2D([], [], color="0.75", linewidth=3)]
    labels = [*looks, "its own CNN (MACs)", "Pareto front of all panels"]
    figure.legend(handles, labels, loc="outside upper center", ncols=7)
    return laid_out(figure)


@styled
def readouts_vs_tau(table: pd.DataFrame) -> Figure:
    """Draw accuracy over the synaptic time constant: columns are readouts, rows CNNs and conversions.

    Parameters
    ----------
    table : DataFrame
        See `csnn.evaluation.comparisons.readout_table`; several seeds are averaged.
    """
    table = table[table["kind"].isin([LAST_STEP, WINDOW, "time averaged"])].copy()
    table["row"] = column_titles(table)
    looks = styles(table["neuron"])
    readouts = [LAST_STEP, *table.loc[table["kind"] == WINDOW, "readout"].unique(), TIME_AVERAGED]
    rows = list(dict.fromkeys(table["row"]))
    positions, ticks = tau_positions(table["tau_syn_s"], nearest=0.05 * len(readouts))
    figure = Figure(figsize=(PAGE_WIDTH, 1.5 * len(rows) + 0.9), layout="constrained")
    grid = figure.subplots(len(rows), len(readouts), sharex=True, sharey=True, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        here = table[(table["row"] == rows[row]) & (table["readout"] == readouts[column])]
        for neuron, of_neuron in here.groupby("neuron", sort=False):
            means = (
                of_neuron.groupby("tau_syn_s", dropna=False)[["accuracy", "accuracy_low", "accuracy_high"]].mean() * 100
            )
            x = [positions[milliseconds(tau)] for tau in means.index]
            bars = np.abs(means[["accuracy_low", "accuracy_high"]].to_numpy().T - means["accuracy"].to_numpy())
            axes.errorbar(x, means["accuracy"], bars, markersize=3, linewidth=0.8, **looks[neuron])
        axes.axhline(100 * here["cnn_accuracy"].mean(), color="black", linestyle=(0, (5, 2)), zorder=1.5)
        axes.set_xticks(list(ticks.values()), list(ticks))
        if row == 0:
            axes.set_title(textwrap.fill(readouts[column], 15))
        if column == 0:
            axes.set_ylabel(rows[row], fontweight="bold")
    handles = [Line2D([], [], **look) for look in looks.values()]
    handles.append(Line2D([], [], color="black", linestyle=(0, (5, 2))))
    note = f"{table['images'].iloc[0]} images; bars: 95 % intervals over images"
    figure.legend(handles, [*looks, "its own CNN"], loc="outside upper center", ncols=7, title=note)
    figure.supxlabel("Synaptic time constant τ (ms)")
    figure.supylabel("Accuracy (%)")
    return laid_out(figure)


@styled
def gap(table: pd.DataFrame) -> Figure:
    """Draw the gap between the CNN and each chosen network, by readout.

    Parameters
    ----------
    table : DataFrame
        See `csnn.evaluation.comparisons.gap_table`.
    """
    titles = network_titles(table) + ", " + table["tau_syn_s"].map(tau_title)
    rows = list(dict.fromkeys(titles))
    kinds = table["readout"].where(
        ~table["readout"].str.startswith(("mean", "margin")), table["readout"].str.split().str[0]
    )
    names = {"mean": "mean over the chosen window", "margin": "first confident step"}
    looks = styles(kinds)
    figure = Figure(figsize=(PAGE_WIDTH, 0.32 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    for order, (kind, look) in enumerate(looks.items()):
        here = table[kinds == kind]
        y = np.array([rows.index(title) for title in titles[kinds == kind]]) + 0.2 * (order - (len(looks) - 1) / 2)
        bars = np.abs(here[["gap_points_low", "gap_points_high"]].to_numpy().T - here["gap_points"].to_numpy())
        axes.errorbar(here["gap_points"], y, xerr=bars, linestyle="none", label=names.get(kind, kind), **look)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xscale("symlog", linthresh=1)  # gaps of tenths of a point beside gaps of tens
    axes.xaxis.set_major_locator(FixedLocator([-30, -10, -3, -1, -0.5, 0, 0.5, 1, 3, 10, 30]))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("Accuracy of the CNN minus that of the network (percentage points)")
    figure.legend(loc="outside upper center", ncols=3, title="Bars: 95 % intervals over images")
    return laid_out(figure)
