"""Figure of robustness: accuracy with disturbed images and weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from csnn.data.corruptions import CORRUPTIONS
from csnn.evaluation.robustness import CLEAN, WEIGHTS
from csnn.figures.style import CNN_LINE, PAGE_WIDTH, laid_out, looks, network_titles, short, styled
from csnn.words import CNN, tau

COLUMNS = 4


@styled
def corruptions(corruptions: pd.DataFrame) -> Figure:
    """Draw accuracy against strength: a panel for each kind of disturbance, a colour for each neuron.

    Parameters
    ----------
    corruptions : DataFrame
        See `csnn.evaluation.robustness.table`.
    """
    networks = corruptions[corruptions["neuron"] != CNN].copy()
    networks["title"] = network_titles(networks)
    if networks.groupby("title")["tau_syn_s"].nunique(dropna=False).max() > 1:
        networks["title"] += ", " + networks["tau_syn_s"].map(tau)
    cnns = corruptions[corruptions["neuron"] == CNN].assign(title=lambda rows: rows["network"])
    of_title = looks(networks["title"])
    kinds = [kind for kind in corruptions["corruption"].unique() if kind != CLEAN]
    titles = {kind: corruption.title for kind, corruption in CORRUPTIONS.items()} | WEIGHTS

    columns = min(COLUMNS, len(kinds))
    rows = -(-len(kinds) // columns)
    figure = Figure(figsize=(PAGE_WIDTH, 1.75 * rows + 0.8), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes in grid[len(kinds) :]:
        axes.set_axis_off()
    for kind, axes in zip(kinds, grid, strict=False):
        strengths = [0, *corruptions.loc[corruptions["corruption"] == kind, "strength"].unique()]
        for table, drawn in ((cnns, dict.fromkeys(cnns["title"], CNN_LINE)), (networks, of_title)):
            here = table[table["corruption"].isin([CLEAN, kind])]
            if kind in WEIGHTS and table is cnns:
                continue
            for title, of_one in here.groupby("title", sort=False):
                values = 100 * of_one[["accuracy", "accuracy_low", "accuracy_high"]].to_numpy()
                x = [strengths.index(strength) for strength in of_one["strength"]]
                bars = np.abs(values[:, 1:].T - values[:, 0])
                size = {"markersize": 3, "linewidth": 0.9}
                axes.errorbar(x, values[:, 0], None if table is cnns else bars, **size, **drawn[title])
        axes.set_xticks(
            range(len(strengths)), ["exact" if kind in WEIGHTS else "0", *map("{:g}".format, strengths[1:])]
        )
        axes.set_title(titles[kind], fontweight="bold")
        axes.set_xlim(-0.3, len(strengths) - 0.7)
    grid[0].set_ylim(bottom=0)
    handles = [*(Line2D([], [], **look) for look in of_title.values()), Line2D([], [], **CNN_LINE)]
    names = [*(short(str(title)) for title in of_title), "its own CNN" if cnns["cnn"].nunique() > 1 else CNN]
    figure.legend(handles, names, loc="outside upper center", ncols=6, title="Bars: 95 % intervals over images")
    figure.supxlabel("Strength")
    figure.supylabel("Accuracy at the final step (%)")
    return laid_out(figure)
