"""Figure of cost: what accuracy takes in energy and time, of CNNs, quantised CNNs and spiking networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from csnn.evaluation.cost_comparison import NETWORK_BITS, arithmetic_energy_uj
from csnn.evaluation.decisions import Decided
from csnn.figures.style import CNN_LINE, PAGE_WIDTH, configuration_titles, laid_out, looks, short, styled
from csnn.words import CNN


@styled
def accuracy_against_cost(cost: pd.DataFrame, decisions: Sequence[Decided], activity: Sequence[Mapping]) -> Figure:
    """Draw accuracy against energy of arithmetic, energy with memory, and time.

    Parameters
    ----------
    cost : DataFrame
        See `csnn.evaluation.cost_comparison.table`.
    decisions, activity
        Of its networks, in their order.
    """
    networks, cnns = cost[cost["neuron"] != CNN], cost[cost["neuron"] == CNN]
    titles = configuration_titles(networks)
    of_title = looks(titles)
    figure = Figure(figsize=(PAGE_WIDTH, 3.6), layout="constrained")
    arithmetic, memory, time = panels = figure.subplots(1, 3, sharey=True)
    for (_, row), title, decided, counted in zip(networks.iterrows(), titles, decisions, activity, strict=True):
        look = of_title[title]
        line = {"color": look["color"], "linewidth": 0.9}
        accuracy = 100 * decided.right_over_time.mean(axis=0)
        times_ms = 1000 * counted["dt_s"] * np.arange(1, len(accuracy) + 1)
        for axes, costs in ((arithmetic, arithmetic_energy_uj(counted)), (time, times_ms)):
            axes.plot(costs, accuracy, **line)
            axes.plot(costs[-1], accuracy[-1], linestyle="none", markersize=4, **look)
        memory.plot(row["memory_energy_uj"], 100 * row["accuracy"], linestyle="none", markersize=5, **look)
    for _, row in cnns.iterrows():
        fill = "black" if row["value_bits"] == NETWORK_BITS else "white"
        star = {"marker": "*", "color": "black", "markerfacecolor": fill, "markersize": 8, "zorder": 3}
        for axes, energy in ((arithmetic, "arithmetic_energy_uj"), (memory, "memory_energy_uj")):
            axes.plot(row[energy], 100 * row["accuracy"], linestyle="none", **star)
            axes.annotate(
                f"{row['value_bits']}", (row[energy], 100 * row["accuracy"]), (4, 3), textcoords="offset points"
            )
        if row["value_bits"] == NETWORK_BITS:
            time.axhline(100 * row["accuracy"], linewidth=0.8, zorder=1.5, **CNN_LINE)
    for axes, label in zip(panels, ("Energy of arithmetic", "Energy with memory access", "Time"), strict=True):
        axes.set_title(label, fontweight="bold")
        axes.set_xlabel("Time since the image appeared (ms)" if axes is time else "Energy per image (µJ)")
        if axes is not time:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if axes is memory else (1,)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
    arithmetic.set(ylabel="Accuracy (%)", ylim=(0, 100))
    handles = [Line2D([], [], **look) for look in of_title.values()]
    handles += [
        Line2D([], [], color="black", marker="*", linestyle="none", markerfacecolor=f) for f in ("black", "white")
    ]
    names = [*(short(str(title), 34) for title in of_title), "CNN, with its bits", "quantised CNN"]
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return laid_out(figure)
