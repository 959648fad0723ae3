"""Figures of an experiment. Every function takes arrays or tables and returns a figure; only `save` writes files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, product
from math import ceil, sqrt
from os import PathLike
from pathlib import Path
from textwrap import wrap

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from csnn.files import atomic_write
from csnn.evaluation.tables import CNN, milliseconds, over_seeds

# Also while saving, since matplotlib makes some ticks only when it draws; nobody's own matplotlibrc changes the
# figures.
styled = style.context(str(Path(__file__).with_name("figures.mplstyle")), after_reset=True)

PAGE_WIDTH, PAGE_HEIGHT = 7.2, 9.5  # inches
# Nine colours that colour-blind readers tell apart (Paul Tol's "muted" scheme), then again dashed and dotted. Black
# is kept for the true class.
MUTED = ["#CC6677", "#332288", "#DDCC77", "#117733", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499"]
LINES = [(colour, dashes) for dashes, colour in product(["-", (0, (4, 1.2)), (0, (1, 1))], MUTED)]
NAMED_CLASSES = 20
# Okabe and Ito's colours, the lightest left out; each neuron has a marker of its own, so that grey print is enough.
NEURON_COLOURS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
LAYER_COLOURS = {"Conv": "#D6E6F4", "Pool": "#FBE5CB", "Dense": "#D5ECDF"}

Logits = Mapping[tuple[str, float | None], ArrayLike]


@styled
def save(figure: Figure, paths: Iterable[str | PathLike]) -> None:
    """Write a figure to each path in the format of its ending: each file whole or not at all, always the same bytes."""
    for path in paths:
        date = {".svg": "Date", ".pdf": "CreationDate"}.get(Path(path).suffix)
        with atomic_write(path) as temporary:
            figure.savefig(temporary, metadata={date: None} if date else None)


def laid_out(figure: Figure) -> Figure:
    """Compute a figure's layout once and for all: computed anew for each file, it would drift a little every time."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def displayable(images: ArrayLike) -> NDArray[np.float64]:
    """Return images as RGB in [0, 1], shape (n, height, width, 3).

    Parameters
    ----------
    images : array, shape (n, height, width) or (n, height, width, channels)
        uint8, or float in [0, 1]; values beyond are scaled to fit. Other than three channels are averaged to grey.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.dtype == np.uint8:
        images = images / 255
    low, high = min(images.min(), 0.0), max(images.max(), 1.0)
    images = (images - low) / (high - low)
    return images if images.shape[3] == 3 else np.repeat(images.mean(axis=3, keepdims=True), 3, axis=3)


def short(name: str, letters: int = 22) -> str:
    """Cut a name to what a legend or a margin can hold, in its middle: names often differ at their ends."""
    return name if len(name) <= letters else f"{name[: letters // 2]}…{name[len(name) - (letters - 1) // 2 :]}"


def bare(axes: Axes) -> None:
    """Leave an axes its image and its labels only."""
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


@styled
def sample_images(images: ArrayLike, labels: ArrayLike, class_names: Sequence[str], per_class: int = 10) -> Figure:
    """Draw the first images of every class, one row per class.

    Parameters
    ----------
    images : array, shape (n, height, width) or (n, height, width, channels)
        See `displayable`.
    labels : array of int, shape (n,)
    class_names : sequence of str, one per class
    per_class : int
        Images per row at most; a class that has fewer leaves the rest of its row white.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    height, width = images.shape[1:3]
    gap = max(1, height // 16)
    # More classes than fit below each other on a page stand in blocks side by side: fewer images and shorter names.
    blocks = ceil(len(class_names) / 34)
    rows = ceil(len(class_names) / blocks)
    per_class = per_class if blocks == 1 else max(1, min(per_class, 15 // blocks))
    names = [short(name, 22 if blocks == 1 else 14) for name in class_names]
    margin = 0.2 + 0.065 * max(map(len, names))  # of 7-point letters
    aspect = (height + gap) / (width + gap)
    column = max(0.2, min(0.5, (PAGE_WIDTH / blocks - margin) / per_class, PAGE_HEIGHT / rows / aspect))
    size = (blocks * (per_class * column + margin), rows * column * aspect + 0.15)
    figure = Figure(figsize=size, layout="compressed")
    chosen = [np.flatnonzero(labels == label)[:per_class] for label in range(len(names))]
    pictures = displayable(images[np.concatenate(chosen)])
    of_class = np.split(pictures, np.cumsum([len(indices) for indices in chosen])[:-1])
    for block, axes in enumerate(figure.subplots(1, blocks, squeeze=False)[0]):
        classes = range(block * rows, min((block + 1) * rows, len(names)))
        montage = np.ones((rows * (height + gap) - gap, per_class * (width + gap) - gap, 3))
        for row, label in enumerate(classes):
            for place, picture in enumerate(of_class[label]):
                top, left = row * (height + gap), place * (width + gap)
                montage[top : top + height, left : left + width] = picture
        axes.imshow(montage)
        axes.set_yticks(
            np.arange(len(classes)) * (height + gap) + (height - 1) / 2, [names[label] for label in classes]
        )
        axes.set_xticks([])
        bare(axes)
    return laid_out(figure)


@styled
def labelled_image(image: ArrayLike, label: str, caption: str = "") -> Figure:
    """Draw one image with its label above and a caption below, such as where it comes from.

    Parameters
    ----------
    image : array, shape (height, width) or (height, width, channels)
        See `displayable`.
    """
    picture = displayable(np.asarray(image)[np.newaxis])[0]
    figure = Figure(figsize=(2.6, 3.1), layout="constrained")
    axes = figure.subplots()
    axes.imshow(picture)
    axes.set_title("\n".join(wrap(label, 28)), fontsize=10, fontweight="bold")
    axes.set_xlabel("\n".join(wrap(caption, 40)))
    axes.set_xticks([])
    axes.set_yticks([])
    bare(axes)
    return laid_out(figure)


@styled
def architecture(layers: Sequence[Mapping]) -> Figure:
    """Draw a network's layers as boxes in the order in which data flows, down one column and on at the top of the next.

    Parameters
    ----------
    layers : sequence of mappings
        One per layer: ``name``, ``type`` of the Keras layer, ``detail`` (its settings in words, may be empty),
        ``output_shape`` (without the batch) and ``parameters`` (their number).
    """
    import schemdraw
    from schemdraw import elements, flow

    # All lengths are in inches, which are made the drawing's unit too.
    width, line, arrow, gap, margin = 2.1, 0.13, 0.34, 0.3, 0.1
    details = [layer_lines(layer) for layer in layers]
    height = 0.1 + line * (1 + max(map(len, details)))
    pitch = height + arrow
    rows = ceil(len(layers) / min(3, ceil(len(layers) / 6)))
    columns = ceil(len(layers) / rows)

    drawing = schemdraw.Drawing(show=False)
    drawing.config(unit=1, inches_per_unit=1, fontsize=7, lw=0.8)
    for index, (layer, lines) in enumerate(zip(layers, details, strict=True)):
        column, row = divmod(index, rows)
        x, y = column * (width + gap), -row * pitch
        bottom = y - height
        box = flow.RoundBox(w=width, h=height, cornerradius=0.06).anchor("N").at((x, y)).theta(0)
        box.fill(next((fill for kind, fill in LAYER_COLOURS.items() if kind in layer["type"]), "#F0F0F0"))
        for place, words in enumerate([layer["type"], *lines]):
            box.label(words, "center", ofst=(0, line * (len(lines) / 2 - place)))
        shape = " × ".join(map(str, layer["output_shape"]))
        drawing += box.label(shape, "S", ofst=(0.07, -0.4 * arrow), halign="left", valign="center")
        path = [(x, bottom), (x, y - pitch)]
        if row == rows - 1 and index < len(layers) - 1:
            # On to the next column: through the gap between the columns and into the first box from above.
            turn, side, next_x = bottom - 0.8 * arrow, x + (width + gap) / 2, x + width + gap
            path = [(x, bottom), (x, turn), (side, turn), (side, 0.8 * arrow), (next_x, 0.8 * arrow), (next_x, 0)]
        for start, end in pairwise(path):
            head = {"arrow": "->", "arrowwidth": 0.07, "arrowlength": 0.1} if end == path[-1] else {}
            drawing += elements.Line(**head).at(start).to(end)

    # The total stands above the columns, clear of the line that arrives there from the column before.
    top = 0.25 + (arrow if columns > 1 else 0)
    size = (columns * (width + gap) - gap + 2 * margin, top + rows * pitch + 2 * margin)
    figure = Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1))
    drawing.draw(canvas=axes, show=False)
    left, bottom = -width / 2 - margin, -rows * pitch - margin
    axes.set(xlim=(left, left + size[0]), ylim=(bottom, bottom + size[1]))
    axes.set_axis_off()
    for text in axes.texts:
        text.set_fontweight("bold" if text.get_text() in {layer["type"] for layer in layers} else "normal")
    total = sum(layer["parameters"] for layer in layers)
    axes.text(left + size[0] / 2, top - 0.1, f"{total:,} parameters in all", ha="center", va="center")
    return figure


def layer_lines(layer: Mapping) -> list[str]:
    """Put a layer's settings, name and parameters into the lines of its box below its type."""
    parameters = f", {layer['parameters']:,} parameters" if layer["parameters"] else ""
    return [short(line, 36) for line in [*wrap(layer.get("detail") or "", 36), f"{layer['name']}{parameters}"]]


@styled
def logits_by_tau(logits: Logits, neuron: str, class_names: Sequence[str], true_class: int, dt_s: float) -> Figure:
    """Draw one neuron's logits over time, one panel per synaptic time constant.

    Parameters
    ----------
    logits : mapping from (neuron, tau_syn_s) to array, shape (steps, classes)
        A tau_syn_s of None is no filter.
    neuron : str
    class_names : sequence of str, one per class
    true_class : int
    dt_s : float
        Time step in seconds.
    """
    keys = [key for key in logits if key[0] == neuron]
    columns = ceil(sqrt(len(keys)))
    panels = [keys[start : start + columns] for start in range(0, len(keys), columns)]
    figure, grid = logit_panels(panels, logits, class_names, true_class, dt_s, panel_height=1.9)
    for row, axes_row in zip(panels, grid, strict=True):
        for (_, tau_syn_s), axes in zip(row, axes_row, strict=False):
            axes.set_title(tau_title(tau_syn_s))
    figure.suptitle(f"{neuron}: logits over time for an image of class “{short(class_names[true_class])}”")
    return laid_out(figure)


@styled
def logits_grid(logits: Logits, class_names: Sequence[str], true_class: int, dt_s: float) -> Figure:
    """Draw the logits over time of every neuron (rows) and synaptic time constant (columns).

    Parameters are those of `logits_by_tau`; a combination without logits leaves its panel empty.
    """
    neurons, taus = (list(dict.fromkeys(parts)) for parts in zip(*logits, strict=True))
    panels = [[(neuron, tau_syn_s) for tau_syn_s in taus] for neuron in neurons]
    figure, grid = logit_panels(panels, logits, class_names, true_class, dt_s, panel_height=1.4)
    for tau_syn_s, axes in zip(taus, grid[0], strict=True):
        axes.set_title(tau_title(tau_syn_s))
    for neuron, axes in zip(neurons, grid[:, 0], strict=True):
        axes.set_ylabel(neuron, fontweight="bold")
    figure.suptitle(f"Logits over time for an image of class “{short(class_names[true_class])}”")
    return laid_out(figure)


def tau_title(tau_syn_s: float | None) -> str:
    """Name a synaptic time constant above a panel."""
    words = milliseconds(tau_syn_s)
    return f"τ = {words} ms" if words[0].isdigit() else words


def logit_panels(
    panels: Sequence[Sequence[tuple[str, float | None]]],
    logits: Logits,
    class_names: Sequence[str],
    true_class: int,
    dt_s: float,
    panel_height: float,
) -> tuple[Figure, NDArray]:
    """Draw logits in rows and columns of panels with shared axes and one legend beside them all."""
    traces = {key: np.asarray(array) for key, array in logits.items()}
    # In a legend of more classes nobody finds one: the true class and those whose last logits are largest are named.
    last = np.mean([traces[key][-1] for row in panels for key in row if key in traces], axis=0)
    others = [int(k) for k in np.argsort(-last, kind="stable") if k != true_class]
    named, unnamed = sorted(others[: NAMED_CLASSES - 1]), others[NAMED_CLASSES - 1 :]
    looks = ({"color": colour, "linestyle": dashes, "linewidth": 0.9} for colour, dashes in LINES)
    styles = dict(zip(named, looks, strict=False))
    styles[true_class] = {"color": "black", "linewidth": 2.0, "zorder": 3}
    pale = {"color": "0.82", "linewidth": 0.5, "zorder": 1.5}

    columns = max(map(len, panels))
    legend_width = 0.6 + 0.058 * max(len(short(class_names[k])) + 13 * (k == true_class) for k in styles)
    figure = Figure(
        figsize=(
            max(PAGE_WIDTH, 1.2 * columns + legend_width + 0.5),
            max(panel_height * len(panels) + 0.7, 0.16 * len(styles) + 0.9),
        ),
        layout="constrained",
    )
    grid = figure.subplots(len(panels), columns, sharex=True, sharey=True, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        key = panels[row][column] if column < len(panels[row]) else None
        if key not in traces:
            axes.set_axis_off()
            grid[row - 1, column].tick_params(labelbottom=True)  # it has no panel below that would show the times
            continue
        time_ms = 1000 * dt_s * np.arange(1, len(traces[key]) + 1)  # as in Nengo, the first step ends at dt
        for k in unnamed:
            axes.plot(time_ms, traces[key][:, k], **pale)
        for k, look in styles.items():
            axes.plot(time_ms, traces[key][:, k], **look)
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
def accuracy_vs_tau(scores: pd.DataFrame) -> Figure:
    """Draw accuracy over the synaptic time constant, averaged over time steps and at the last one.

    Parameters
    ----------
    scores : DataFrame
        See `tables.scores`. Several seeds are averaged, values and bounds alike.
    """
    return readings_vs_tau(scores, "accuracy", "Accuracy (%)", scale=100)


@styled
def loss_vs_tau(scores: pd.DataFrame) -> Figure:
    """Draw the cross-entropy loss over the synaptic time constant, like `accuracy_vs_tau`."""
    return readings_vs_tau(scores, "loss", "Cross-entropy loss (nats)", scale=1)


def readings_vs_tau(scores: pd.DataFrame, measure: str, label: str, scale: float) -> Figure:
    """Draw both readings of a measure side by side, each neuron as a line, the CNN as a level."""
    means = over_seeds(scores)
    neurons = [neuron for neuron in means["neuron"].unique() if neuron != CNN]
    spiking = means[means["neuron"] != CNN]
    positions, ticks = tau_positions(spiking["tau_syn_s"])
    # Neurons with nearly the same scores stand side by side instead of hiding each other's intervals.
    places = np.unique(list(positions.values()))
    spacing = np.diff(places).min() if len(places) > 1 else 1.0
    nudge = 0.3 * spacing / max(len(neurons), 5)

    figure = Figure(figsize=(PAGE_WIDTH, 3.3), layout="constrained")
    titles = {"time_averaged": "Averaged over all time steps, as in the paper", "last_step": "At the last time step"}
    for (reading, title), axes in zip(titles.items(), figure.subplots(1, 2, sharex=True, sharey=True), strict=True):
        column = f"{measure}_{reading}"
        values = scale * means[column]
        bars = np.abs(scale * means[[f"{column}_low", f"{column}_high"]].to_numpy().T - values.to_numpy())
        handles = []
        for index in np.flatnonzero(means["neuron"] == CNN):
            band = axes.axhspan(*(values[index] + bars[:, index] * (-1, 1)), color="0.9", linewidth=0, zorder=0.5)
            line = axes.axhline(values[index], color="black", linestyle=(0, (5, 2)), zorder=1.5)
            handles.append((band, line))
        for order, neuron in enumerate(neurons):
            rows = np.flatnonzero(means["neuron"] == neuron)
            x = np.array([positions[milliseconds(tau)] for tau in means["tau_syn_s"][rows]])
            handles.append(
                axes.errorbar(
                    x + nudge * (order - (len(neurons) - 1) / 2),
                    values[rows],
                    bars[:, rows],
                    color=NEURON_COLOURS[order % len(NEURON_COLOURS)],
                    marker=MARKERS[order % len(MARKERS)],
                    linestyle="-",
                )
            )
        axes.set_title(title)
        axes.set_xticks(list(ticks.values()), list(ticks))
        axes.set_xlabel("Synaptic time constant τ (ms)")
        axes.tick_params(labelleft=True)
    axes.set_ylim(bottom=0)
    if len(places) == 1:
        axes.set_xlim(places[0] - spacing, places[0] + spacing)
    names = [*([CNN] if len(handles) > len(neurons) else []), *neurons]
    seeds = scores["seed"].nunique()
    note = "Bars and band: 95 % intervals over images" + (f"; means over {seeds} seeds" if seeds > 1 else "")
    figure.legend(handles, names, loc="outside lower center", ncols=6, title=note)
    figure.supylabel(label)
    return laid_out(figure)


def tau_positions(taus_s: Iterable[float | None], nearest: float = 0.1) -> tuple[dict[str, float], dict[str, float]]:
    """Place synaptic time constants on an axis in ms, "no filter" one step to the left of the shortest.

    Parameters
    ----------
    taus_s
        In seconds, None for no filter.
    nearest
        How near to each other labels may stand, as a share of the axis.

    Returns
    -------
    positions, ticks : dict from words to position in ms
        All of them, and those that are labelled: a label too close to the one before it is left out.
    """
    numbers = sorted({1000 * tau for tau in taus_s if not pd.isna(tau)})
    positions = {milliseconds(number / 1000): number for number in numbers}
    if any(pd.isna(tau) for tau in taus_s):
        step = np.diff(numbers).min() if len(numbers) > 1 else (numbers or [1.0])[0]
        positions = {milliseconds(None): (numbers[0] if numbers else 0.0) - step, **positions}
    places = list(positions.values())
    ticks: dict[str, float] = {}
    for words, place in positions.items():
        if not ticks or place - max(ticks.values()) >= nearest * (places[-1] - places[0]):
            ticks[words] = place
    return positions, ticks
