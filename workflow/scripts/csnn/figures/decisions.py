"""Figures of decisions over time and of single neurons, in the style of `figures`; only `figures.save` writes files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from csnn.figures.paper import PAGE_WIDTH, bare, laid_out, short, styled, tau_title
from csnn.evaluation.metrics import wilson_interval
from csnn.evaluation.recording import Recording
from csnn.evaluation.tables import CNN
from csnn.evaluation.readouts import settling_steps
from csnn.evaluation.timecourse import AGREEMENT, TimeCourse, agreement, confusion

# Time constants are an order, so their colours are one too: dark to light, also in grey print and to colour-blind
# readers; dashes tell neighbours apart.
DASHES = ["-", (0, (4, 1.2)), (0, (1, 1)), (0, (4, 1, 1, 1))]
NAMED_TAUS = 8
MOST_MATRICES = 9
# Light to dark in grey print as well; the first two are agreement.
AGREEMENT_COLOURS = ["#0B3C5D", "#328CC1", "#F2C57C", "#DD7230", "#D9D9D9"]


def tau_looks(taus: Iterable[float | None]) -> dict[float | None, dict]:
    """Return how each time constant is drawn, shortest darkest; beyond `NAMED_TAUS` only some carry a label."""
    taus = sorted(set(taus), key=lambda tau_syn_s: tau_syn_s or 0)
    shades = matplotlib.colormaps["cividis"](np.linspace(0, 0.85, max(len(taus), 2)))
    named = {taus[place] for place in np.linspace(0, len(taus) - 1, min(len(taus), NAMED_TAUS)).round().astype(int)}
    return {
        tau: {
            "color": shades[place],
            "linestyle": DASHES[place % len(DASHES)] if len(taus) <= NAMED_TAUS else "-",
            "label": tau_title(tau) if tau in named else "_",
        }
        for place, tau in enumerate(taus)
    }


def panels(names: Iterable[str], height: float, xlabel: str) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure as wide as a page with one panel for each name, two beside each other, with shared axes."""
    names = list(names)
    columns = min(2, len(names))
    rows = ceil(len(names) / columns)
    figure = Figure(figsize=(PAGE_WIDTH, height * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    for axes in grid[: len(names)][-columns:]:  # those that have no panel below them
        axes.set_xlabel(xlabel)
        axes.tick_params(labelbottom=True)
    for name, axes in zip(names, grid, strict=False):
        axes.set_title(name, fontweight="bold")
    return figure, dict(zip(names, grid, strict=False))


def over_time(course: TimeCourse, draw: Callable[[Axes, NDArray, str, float | None, dict], None]) -> Figure:
    """Draw something of each network over time: one panel for each neuron, one line for each time constant."""
    looks = tau_looks(tau_syn_s for _, tau_syn_s in course.networks)
    neurons = dict.fromkeys(neuron for neuron, _ in course.networks)
    figure, axes = panels(neurons, height=2.0, xlabel="Time since the image appeared (ms)")
    steps = next(iter(course.decisions.values())).shape[1]
    times_ms = 1000 * course.dt_s * np.arange(1, steps + 1)
    lines = {}
    for neuron, tau_syn_s in course.networks:
        draw(axes[neuron], times_ms, neuron, tau_syn_s, looks[tau_syn_s])
        for line in axes[neuron].lines:
            lines.setdefault(line.get_label(), line)
    # in the order of the time constants, the CNN last
    order = [look["label"] for look in looks.values()] + [CNN]
    named = {label: lines[label] for label in order if label in lines and not label.startswith("_")}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=5)
    next(iter(axes.values())).set(xlim=(0, times_ms[-1]), ylim=(0, 100))
    return figure


@styled
def accuracy_over_time(course: TimeCourse) -> Figure:
    """Draw the accuracy at each step, with 95 % intervals over images, and the CNN's level."""
    images = len(course.labels)
    cnn = (course.cnn == course.labels).mean()

    def draw(axes: Axes, times_ms: NDArray, neuron: str, tau_syn_s: float | None, look: dict) -> None:
        accuracy = course.right(neuron, tau_syn_s).mean(axis=0)
        bounds = np.array([wilson_interval(images * value, images) for value in accuracy])
        axes.fill_between(times_ms, *(100 * bounds.T), color=look["color"], alpha=0.13, linewidth=0)
        axes.plot(times_ms, 100 * accuracy, **look)
        axes.axhline(100 * cnn, color="black", linestyle=(0, (5, 2)), linewidth=0.8, zorder=1.5, label=CNN)

    figure = over_time(course, draw)
    figure.supylabel("Accuracy at this step (%)")
    return laid_out(figure)


@styled
def settling_time(course: TimeCourse) -> Figure:
    """Draw how settling times are distributed: the share of images whose decision does not change any more."""

    def draw(axes: Axes, times_ms: NDArray, neuron: str, tau_syn_s: float | None, look: dict) -> None:
        settled = settling_steps(course.of(neuron, tau_syn_s)).ravel()
        share = (settled[:, np.newaxis] <= np.arange(1, len(times_ms) + 1)).mean(axis=0)
        axes.step(times_ms, 100 * share, where="post", **look)

    figure = over_time(course, draw)
    figure.supylabel("Images whose decision is final (%)")
    return laid_out(figure)


@styled
def confusion_matrices(course: TimeCourse) -> Figure:
    """Draw what was decided for the images of each class: by the CNN, and by each neuron at its best time constant."""
    classes = len(course.class_names)
    matrices = {CNN: confusion(course.cnn, course.labels, classes)}
    for neuron in dict.fromkeys(neuron for neuron, _ in course.networks):
        tau_syn_s = course.best(neuron)
        last = course.of(neuron, tau_syn_s)[..., -1]
        matrices[f"{neuron}, {tau_title(tau_syn_s)}"] = confusion(last, course.labels, classes)
    matrices = dict(list(matrices.items())[:MOST_MATRICES])
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
                colour = "white" if share > 55 else "black"
                axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=4.5)
    names = [short(name, 12) for name in course.class_names] if few else []
    grid[0, 0].set_yticks(range(len(names)), names)
    grid[0, 0].set_xticks(range(len(names)), names, rotation=90)
    for axes in grid.ravel()[len(matrices) :]:
        axes.set_axis_off()
        grid[-2, axes.get_subplotspec().colspan.start].tick_params(labelbottom=True)
    figure.colorbar(image, ax=grid, shrink=0.5, label="Images of the true class (%)").outline.set_visible(False)
    figure.supxlabel("Decision")
    figure.supylabel("True class")
    return laid_out(figure)


@styled
def agreement_with_cnn(course: TimeCourse) -> Figure:
    """Draw how often a network decides as the CNN does, at the last step, and who is right where it does not."""
    neurons = list(dict.fromkeys(neuron for neuron, _ in course.networks))
    figure, axes = panels(neurons, height=1.9, xlabel="Synaptic time constant τ")
    for neuron in neurons:
        taus = [tau_syn_s for known, tau_syn_s in course.networks if known == neuron]
        shares = 100 * np.array(
            [agreement(course.of(neuron, tau_syn_s)[..., -1], course.cnn, course.labels) for tau_syn_s in taus]
        )
        places, bottom = np.arange(len(taus)), np.zeros(len(taus))
        for kind, colour, values in zip(AGREEMENT, AGREEMENT_COLOURS, shares.T, strict=True):
            axes[neuron].bar(places, values, 0.75, bottom, color=colour, label=kind, linewidth=0.4, edgecolor="white")
            bottom += values
        for place, share in zip(places, shares[:, :2].sum(axis=1), strict=True):
            if len(taus) <= NAMED_TAUS:
                box = {"boxstyle": "round,pad=0.15", "color": "white", "alpha": 0.85}
                axes[neuron].text(place, share - 3, f"{share:.1f}", ha="center", va="top", fontsize=6.5, bbox=box)
        axes[neuron].set_xticks(places, [tau_title(tau_syn_s).removeprefix("τ = ") for tau_syn_s in taus])
        axes[neuron].tick_params(labelbottom=True)
        axes[neuron].grid(axis="x", visible=False)
        axes[neuron].set_ylim(0, 100)
    handles, names = axes[neurons[0]].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=5, columnspacing=1.2, handlelength=1.2)
    figure.supylabel("Images (%)")
    return laid_out(figure)


@styled
def spikes_and_voltages(recording: Recording) -> Figure:
    """Draw spikes of some neurons of every layer, and one neuron's membrane potential, one column per neuron type."""
    names = list(recording.spikes)
    layers = len(recording.spikes[names[0]])
    steps = len(recording.output[names[0]])
    dt_ms = 1000 * recording.dt_s
    times_ms = dt_ms * np.arange(1, steps + 1)
    figure = Figure(figsize=(max(PAGE_WIDTH, 1.7 * len(names)), 1.05 * layers + 2.6), layout="constrained")
    grid = figure.subplots(layers + 2, len(names), sharex=True, sharey="row", squeeze=False)
    most = max(np.max(layer, initial=1.0) for spikes in recording.spikes.values() for layer in spikes)
    for name, column in zip(names, grid.T, strict=True):
        column[0].set_title(name, fontweight="bold")
        for axes, spikes in zip(column, recording.spikes[name], strict=False):
            size = spikes.shape[1]
            shown = axes.imshow(
                spikes.T, cmap="Greys", vmin=0, vmax=min(most, 1), aspect="auto", extent=(0, times_ms[-1], size, 0)
            )
            axes.set_yticks([])
            axes.grid(False)
        output, voltage = column[-2:]
        output.bar(times_ms - dt_ms / 2, recording.output[name], 0.6 * dt_ms, color="#0072B2")
        if np.isnan(recording.voltages[name]).all():
            voltage.text(0.5, 0.5, "none: a rate neuron", transform=voltage.transAxes, ha="center", va="center")
        else:
            voltage.plot(times_ms, recording.voltages[name], color="#D55E00", linewidth=0.8)
        voltage.axhline(1, color="0.4", linestyle=(0, (1, 1)), linewidth=0.7)
    for row in range(layers):
        grid[row, 0].set_ylabel(f"layer {row + 1}\n{recording.spikes[names[0]][row].shape[1]} neurons")
    grid[-2, 0].set_ylabel("one neuron:\nspikes per step")
    grid[-1, 0].set_ylabel("its potential\n(threshold: 1)")
    grid[-1, 0].set_ylim(-0.05, 1.1)
    grid[-2, 0].set_ylim(bottom=0)
    bar = figure.colorbar(
        shown, ax=grid[:layers], shrink=0.6, pad=0.01, label="Spikes per step (rate neurons: rate × dt)"
    )
    bar.outline.set_visible(False)
    figure.supxlabel("Time since the image appeared (ms)")
    return laid_out(figure)
