"""Figures of decisions beside the labels and the CNN's decisions: settling times, confusion, agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from csnn.evaluation.decisions import AGREEMENT, Decided, agreement, confusion
from csnn.evaluation.metrics import FINAL_STEP
from csnn.evaluation.tables import cnn_name
from csnn.figures.style import (
    NAMED_TAUS,
    PAGE_WIDTH,
    bare,
    evenly_chosen,
    laid_out,
    over_time,
    panels,
    short,
    styled,
    titled,
)
from csnn.words import tau

MOST_MATRICES = 9
# Light to dark in grey print as well; the first two are agreement.
AGREEMENT_COLOURS = ["#0B3C5D", "#328CC1", "#F2C57C", "#DD7230", "#D9D9D9"]


@styled
def settling_time(decisions: Sequence[Decided]) -> Figure:
    """Draw how settling times are distributed: the share of images whose decision does not change any more."""

    def values(seeds: Sequence[Decided]) -> NDArray:
        settled = np.concatenate([decided.settling_steps for decided in seeds])
        return 100 * (settled[:, np.newaxis] <= np.arange(1, seeds[0].leaders.shape[1] + 1)).mean(axis=0)

    def draw(axes: Axes, times_ms: NDArray, seeds: Sequence[Decided], look: dict[str, Any]) -> None:
        axes.step(times_ms, values(seeds), where="post", **look)

    return over_time(decisions, "Images whose decision is final (%)", values, draw)


@styled
def confusion_matrices(decisions: Sequence[Decided], images: Mapping[str, NDArray]) -> Figure:
    """Draw what was decided for the images of each class: by each CNN, and by its networks at their best τ.

    Parameters
    ----------
    decisions
        Of all configurations, about the same images.
    images
        Their ``class_names``.
    """
    names = images["class_names"]
    classes = len(names)
    matrices: dict[str, NDArray] = {}
    for title, of_tau in titled(decisions).items():
        accuracies = {
            tau_syn_s: np.mean([decided.right(FINAL_STEP).mean() for decided in seeds])
            for tau_syn_s, seeds in of_tau.items()
        }
        best = max(accuracies, key=lambda tau_syn_s: accuracies[tau_syn_s])
        first = of_tau[best][0]
        matrices.setdefault(cnn_name(first.configuration["cnn"]), confusion(first.cnn_classes, first.labels, classes))
        final = np.array([decided.leaders[:, -1] for decided in of_tau[best]])
        matrices[f"{title}, {tau(best)}"] = confusion(final, first.labels, classes)
    shown = dict(list(matrices.items())[:MOST_MATRICES])
    left_out, matrices = len(matrices) - len(shown), shown
    columns = min(3, len(matrices))
    rows = ceil(len(matrices) / columns)
    figure = Figure(figsize=(PAGE_WIDTH, 2.3 * rows + 0.7), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    few = classes <= 12
    for axes, (title, matrix) in zip(grid.ravel(), matrices.items(), strict=False):
        image = axes.imshow(100 * matrix, cmap="Blues", vmin=0, vmax=100)
        axes.set_title(title, fontweight="bold")
        bare(axes)
        for (row, column), share in np.ndenumerate(100 * matrix if few else np.empty((0, 0))):
            if share >= 0.5:
                colour = "white" if share > 71 else "black"  # where both have a contrast of 4.5 to the blue
                axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=4.5)
    labels = [short(name, 12) for name in names] if few else []
    grid[0, 0].set_yticks(range(len(labels)), labels)
    grid[0, 0].set_xticks(range(len(labels)), labels)
    for axes in grid.ravel():  # that share these ticks, but not how they are turned
        axes.tick_params(axis="x", rotation=90 if max(map(len, labels), default=0) > 2 else 0)
    for axes in grid.ravel()[len(matrices) :]:
        axes.set_axis_off()
        grid[-2, axes.get_subplotspec().colspan.start].tick_params(labelbottom=True)
    figure.colorbar(image, ax=grid, shrink=0.5, label="Images of the true class (%)").outline.set_visible(False)
    figure.supxlabel("Decision" + (f" ({left_out} further networks are left out)" if left_out else ""))
    figure.supylabel("True class")
    return laid_out(figure)


@styled
def agreement_with_cnn(decisions: Sequence[Decided]) -> Figure:
    """Draw how often networks decide as their CNN does, at the final step, and who is right where they differ."""
    networks = titled(decisions)
    figure, axes = panels(networks, height=1.9, xlabel="Synaptic time constant τ")
    for title in axes:
        of_tau = networks[title]
        shares = 100 * np.array(
            [
                agreement(
                    np.array([decided.leaders[:, -1] for decided in seeds]), seeds[0].cnn_classes, seeds[0].labels
                )
                for seeds in of_tau.values()
            ]
        )
        positions, bottom = np.arange(len(of_tau)), np.zeros(len(of_tau))
        for kind, colour, values in zip(AGREEMENT, AGREEMENT_COLOURS, shares.T, strict=True):
            if len(of_tau) <= 3 * NAMED_TAUS:
                edge: dict[str, Any] = {"linewidth": 0.4, "edgecolor": "white"}
                axes[title].bar(positions, values, 0.75, bottom, color=colour, label=kind, **edge)
            else:
                axes[title].fill_between(positions, bottom, bottom + values, color=colour, label=kind, linewidth=0)
            bottom += values
        for position, share in zip(positions, shares[:, :2].sum(axis=1), strict=True):
            if len(of_tau) <= NAMED_TAUS:  # in the middle of the two lowest parts, which it is the sum of
                box = {"boxstyle": "round,pad=0.15", "color": "white", "alpha": 0.85}
                place = {"y": share / 2, "va": "center"} if share > 10 else {"y": share + 2, "va": "bottom"}
                axes[title].text(float(position), s=f"{share:.1f}", ha="center", fontsize=6.5, bbox=box, **place)
        named = positions if len(of_tau) <= NAMED_TAUS else evenly_chosen(positions, 4)
        axes[title].set_xticks(named, [tau(list(of_tau)[k]).removeprefix("τ = ") for k in named])
        axes[title].tick_params(labelbottom=True)
        axes[title].grid(axis="x", visible=False)
        axes[title].set_ylim(0, 100)
    handles, names = next(iter(axes.values())).get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=5, columnspacing=1.2, handlelength=1.2)
    figure.supylabel("Images (%)")
    return laid_out(figure)
