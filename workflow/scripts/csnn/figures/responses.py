"""Figures of responses: logits over time, and spikes and membrane potentials of single neurons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import ceil, sqrt
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from csnn.evaluation.recording import Recording
from csnn.figures.style import NAMED_TAUS, NEURON_COLOURS, PAGE_WIDTH, evenly_chosen, laid_out, short, styled
from csnn.responses import Responses
from csnn.words import tau

# Nine colours that colour-blind readers tell apart (Paul Tol's "muted" scheme), then again dashed and dotted. Black
# is kept for the true class.
MUTED = ["#CC6677", "#332288", "#DDCC77", "#117733", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499"]
LINES = [(colour, dashes) for dashes, colour in product(["-", (0, (4, 1.2)), (0, (1, 1))], MUTED)]
NAMED_CLASSES = 20


@styled
def logits_by_tau(responses: Sequence[Responses], image: Mapping[str, NDArray]) -> Figure:
    """Draw the first network's logits over time, one panel per synaptic time constant.

    Parameters
    ----------
    responses
        To one image, of each network and time constant.
    image
        Its ``labels`` (1,) and the ``class_names``.
    """
    logits = logits_of(responses)
    of_network = [key for key in logits if key[0] == responses[0].provenance["network"]]
    keys = evenly_chosen(of_network)
    columns = ceil(sqrt(len(keys)))
    panels = [keys[start : start + columns] for start in range(0, len(keys), columns)]
    name = class_name(image)
    figure, grid = logit_panels(panels, logits, responses[0].provenance["dt_s"], image, panel_height=1.9)
    for row, axes_row in zip(panels, grid, strict=True):
        for (_, tau_syn_s), axes in zip(row, axes_row, strict=False):
            axes.set_title(tau(tau_syn_s))
    figure.suptitle(f"{keys[0][0]}: logits over time for an image of class “{name}”{_left_out(keys, of_network, 'τ')}")
    return laid_out(figure)


@styled
def logits_grid(responses: Sequence[Responses], image: Mapping[str, NDArray]) -> Figure:
    """Draw the logits over time of every network (rows) and synaptic time constant (columns).

    Parameters are those of `logits_by_tau`; a combination without logits leaves its panel empty.
    """
    logits = logits_of(responses)
    all_networks, all_taus = (list(dict.fromkeys(parts)) for parts in zip(*logits, strict=True))
    networks, taus = evenly_chosen(all_networks), evenly_chosen(all_taus, NAMED_TAUS)
    panels = [[(network, tau_syn_s) for tau_syn_s in taus] for network in networks]
    figure, grid = logit_panels(panels, logits, responses[0].provenance["dt_s"], image, panel_height=1.4)
    for tau_syn_s, axes in zip(taus, grid[0], strict=True):
        axes.set_title(tau(tau_syn_s))
    for network, axes in zip(networks, grid[:, 0], strict=True):
        axes.set_ylabel(network, fontweight="bold")
    left_out = _left_out(networks, all_networks, "networks") + _left_out(taus, all_taus, "τ")
    figure.suptitle(f"Logits over time for an image of class “{class_name(image)}”{left_out}")
    return laid_out(figure)


def _left_out(shown: Sequence, known: Sequence, kind: str) -> str:
    """Say how many of something are shown, where it is not all."""
    return f"; {len(shown)} of {len(known)} {kind}" if len(shown) < len(known) else ""


def logits_of(responses: Sequence[Responses]) -> dict[tuple[str, float | None], NDArray]:
    """Return the logits (steps, classes) of each network and synaptic time constant."""
    return {
        (response.provenance["network"], response.provenance["tau_syn_s"]): response.logits[0] for response in responses
    }


def class_name(image: Mapping[str, NDArray]) -> str:
    """Return the name of an image's class, as long as a figure can hold it."""
    return short(image["class_names"][image["labels"][0]])


def logit_panels(
    panels: Sequence[Sequence[tuple[str, float | None]]],
    logits: Mapping[tuple[str, float | None], NDArray],
    dt_s: float,
    image: Mapping[str, NDArray],
    panel_height: float,
) -> tuple[Figure, NDArray]:
    """Draw logits in rows and columns of panels, rows with a logit axis each, and one legend beside them all."""
    class_names, true_class = image["class_names"], int(image["labels"][0])
    # In a legend of more classes nobody finds one: the true class and those whose last logits are largest are named.
    last = np.mean([logits[key][-1] for row in panels for key in row if key in logits], axis=0)
    others = [int(k) for k in np.argsort(-last, kind="stable") if k != true_class]
    named, unnamed = sorted(others[: NAMED_CLASSES - 1]), others[NAMED_CLASSES - 1 :]
    looks: Iterable[dict[str, Any]] = (
        {"color": colour, "linestyle": dashes, "linewidth": 0.9} for colour, dashes in LINES
    )
    styles = dict(zip(named, looks, strict=False))
    styles[true_class] = {"color": "black", "linewidth": 2.0, "zorder": 3}
    pale: dict[str, Any] = {"color": "0.82", "linewidth": 0.5, "zorder": 1.5}

    columns = max(map(len, panels))
    legend_width = 0.6 + 0.058 * max(len(short(class_names[k])) + 13 * (k == true_class) for k in styles)
    figure = Figure(
        figsize=(
            max(PAGE_WIDTH, 1.2 * columns + legend_width + 0.5),
            max(panel_height * len(panels) + 0.7, 0.16 * len(styles) + 0.9),
        ),
        layout="constrained",
    )
    grid = figure.subplots(len(panels), columns, sharex=True, sharey="row", squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        trace = logits.get(panels[row][column]) if column < len(panels[row]) else None
        if trace is None:
            axes.set_axis_off()
            grid[row - 1, column].tick_params(labelbottom=True)  # it has no panel below that would show the times
            continue
        time_ms = 1000 * dt_s * np.arange(1, len(trace) + 1)  # as in Nengo, the first step ends at dt
        for k in unnamed:
            axes.plot(time_ms, trace[:, k], **pale)
        for k, look in styles.items():
            axes.plot(time_ms, trace[:, k], **look)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        axes.margins(x=0.02)
    handles = [Line2D([], [], **styles[true_class]), *(Line2D([], [], **styles[k]) for k in named)]
    labels = [f"{short(class_names[true_class])} (true class)", *(short(class_names[k]) for k in named)]
    if unnamed:
        handles.append(Line2D([], [], **pale))
        labels.append(f"{len(unnamed)} other classes")
    figure.legend(handles, labels, loc="outside right center", title="Class", alignment="left")
    figure.supxlabel("Time (ms)")
    figure.supylabel("Logit")
    return figure, grid


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
    rates = {name for name in names if np.isnan(recording.voltages[name]).all()}
    images = {}
    for kind, members, colours in (("rates", rates, "Blues"), ("spikes", set(names) - rates, "Greys")):
        most = max((np.max(layer, initial=1.0) for name in members for layer in recording.spikes[name]), default=1.0)
        # the square root of the number, so that one spike is seen beside several
        looks: dict[str, Any] = {"cmap": colours, "norm": PowerNorm(0.5, vmin=0, vmax=most), "aspect": "auto"}
        for name in members:
            column = grid[:, names.index(name)]
            column[0].set_title(f"{name} (rate neurons)" if kind == "rates" else name, fontweight="bold")
            for axes, layer in zip(column, recording.spikes[name], strict=False):
                images[kind] = axes.imshow(layer.T, extent=(0, times_ms[-1], layer.shape[1], 0), **looks)
                axes.set_yticks([])
                axes.grid(False)
    for name, (output, voltage) in zip(names, grid[-2:].T, strict=True):
        output.bar(times_ms - dt_ms / 2, recording.output[name], 0.6 * dt_ms, color=NEURON_COLOURS[0])
        if name in rates:
            voltage.text(0.5, 0.5, "none: a rate neuron", transform=voltage.transAxes, ha="center", va="center")
        else:
            voltage.plot(times_ms, recording.voltages[name], color=NEURON_COLOURS[3], linewidth=0.8)
        voltage.axhline(1, color="0.4", linestyle=(0, (1, 1)), linewidth=0.7)
    for row in range(layers):
        grid[row, 0].set_ylabel(f"layer {row + 1}\n{recording.spikes[names[0]][row].shape[1]} neurons")
    grid[-2, 0].set_ylabel("one neuron:\nspikes per step")
    grid[-1, 0].set_ylabel("its potential\n(threshold: 1)")
    grid[-1, 0].set_ylim(-0.05, 1.1)
    grid[-2, 0].set_ylim(bottom=0)
    for kind, rows, label in (("spikes", grid[:layers], "Spikes per step"), ("rates", grid[layers:], "Rate × dt")):
        if kind in images:
            bar = figure.colorbar(images[kind], ax=rows, shrink=0.8, pad=0.01, label=label)
            bar.outline.set_visible(False)
            bar.ax.yaxis.set_major_locator(MaxNLocator(4, integer=kind == "spikes"))
    figure.supxlabel("Time since the image appeared (ms)")
    return laid_out(figure)
