"""The style of all figures, and what they share; only `save` writes files."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from csnn.evaluation.decisions import Decided, by_network
from csnn.experiment.sweep import BASE
from csnn.files import atomic_write
from csnn.synapses import LOWPASS, mean_delay_s, parse
from csnn.words import CNN, MOST_CURVES, milliseconds, synapse, tau

# Also while saving, since matplotlib makes some ticks only when it draws; nobody's own matplotlibrc changes the
# figures.
styled = style.context(str(Path(__file__).with_name("figures.mplstyle")), after_reset=True)

PAGE_WIDTH, PAGE_HEIGHT = 7.2, 9.5  # inches
# Okabe and Ito's colours, the lightest left out; each neuron has a marker of its own, so that grey print is enough.
NEURON_COLOURS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "<", ">"]
KNOWN_NEURONS = ["RLR", "SRL", "LIF", "A-LIF", "RSRL"]
"""Neurons that look the same in every figure and experiment; others take the looks that are left."""
MOST_PANELS = 12
"""Panels, or rows or columns of them, beyond which a figure shows a choice."""
HEAT = "cividis"
"""Colours of heat maps: of rising lightness, also in grey print and to colour-blind readers."""
# Time constants are an order, so their colours are one too: dark to light, also in grey print and to colour-blind
# readers; dashes tell neighbours apart.
DASHES: list[Any] = ["-", (0, (4, 1.2)), (0, (1, 1)), (0, (4, 1, 1, 1))]
NAMED_TAUS = 8
CNN_LINE: dict[str, Any] = {"color": "black", "linestyle": (0, (5, 2))}


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


def short(name: str, letters: int = 22) -> str:
    """Cut a name to what a legend or a margin can hold, in its middle: names often differ at their ends."""
    return name if len(name) <= letters else f"{name[: letters // 2]}…{name[len(name) - (letters - 1) // 2 :]}"


def bare(axes: Axes) -> None:
    """Leave an axes its image and its labels only."""
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def panels(titles: Iterable[str], height: float, xlabel: str, columns: int = 2) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure as wide as a page with one panel for each title, with shared axes.

    Of more than `MOST_PANELS` titles, some get a panel, evenly from the first to the last; the figure says so.

    Parameters
    ----------
    titles
    height
        Of a row of panels, in inches.
    xlabel
    columns
        Panels beside each other, if there are as many.
    """
    everything = list(dict.fromkeys(titles))
    titles = evenly_chosen(everything)
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(PAGE_WIDTH, height * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in grid[len(titles) :]:
        axes.set_axis_off()
    for axes in grid[: len(titles)][-columns:]:  # those that have no panel below them
        axes.set_xlabel(xlabel if columns <= 2 else "")
        axes.tick_params(labelbottom=True)
    for title, axes in zip(titles, grid, strict=False):
        axes.set_title(textwrap.fill(title, 76 // columns), fontweight="bold")
    chosen = f"{len(titles)} of {len(everything)} panels, evenly chosen" if len(titles) < len(everything) else ""
    if columns > 2:  # too narrow for a label each
        figure.supxlabel("\n".join(filter(None, [xlabel, chosen])))
    elif chosen:
        figure.suptitle(chosen)
    return figure, dict(zip(titles, grid, strict=False))


def tau_looks(taus: Iterable[float | None]) -> dict[float | None, dict[str, Any]]:
    """Return how each time constant is drawn, shortest darkest; beyond `NAMED_TAUS` only some carry a label."""
    taus = sorted(set(taus), key=lambda tau_syn_s: tau_syn_s or 0)
    shades = matplotlib.colormaps[HEAT](np.linspace(0, 0.85, max(len(taus), 2)))
    labelled = np.linspace(0, len(taus) - 1, min(len(taus), NAMED_TAUS)).round().astype(int)
    return {
        tau_syn_s: {
            "color": shades[rank],
            "linestyle": DASHES[rank % len(DASHES)] if len(taus) <= NAMED_TAUS else "-",
            "label": tau(tau_syn_s) if rank in labelled else "_",
        }
        for rank, tau_syn_s in enumerate(taus)
    }


def looks(names: Iterable[Hashable]) -> dict[Hashable, dict[str, Any]]:
    """Give each name a colour and a marker: `KNOWN_NEURONS` their own, other names those that are left."""
    names = list(dict.fromkeys(names))
    order = [*KNOWN_NEURONS, *(name for name in names if name not in KNOWN_NEURONS)]
    if not set(names) & set(KNOWN_NEURONS):
        order = names
    return {
        name: {
            "color": NEURON_COLOURS[order.index(name) % len(NEURON_COLOURS)],
            "marker": MARKERS[order.index(name) % len(MARKERS)],
        }
        for name in names
    }


def evenly_chosen(items: Iterable[Any], most: int = MOST_PANELS) -> list[Any]:
    """Return all items, or as many as allowed, evenly from the first to the last."""
    items = list(items)
    return items if len(items) <= most else [items[k] for k in np.linspace(0, len(items) - 1, most).round().astype(int)]


def conversion_titles(rows: pd.DataFrame, with_synapse: bool = True) -> pd.Series:
    """Say in words which CNN and conversion each row is of, leaving out the settings that all rows share.

    The kind of synapse is named wherever any is not a lowpass.
    """
    parts: dict[str, Callable[[Any], str]] = {
        "cnn": lambda name: "CNN itself" if name == BASE else str(name),
        "max_rate_hz": lambda rate: f"{str(rate).removesuffix('.0')} Hz",
        "initial_voltage": lambda voltage: f"start {voltage}",
    }
    shown = [key for key in parts if rows[key].astype(str).nunique() > 1]
    if with_synapse and "synapse" in rows:
        parts["synapse"] = lambda kind: synapse(LOWPASS if pd.isna(kind) else kind)
        shown.append("synapse")
    shown = shown or ["cnn"]
    return rows[shown].apply(lambda row: ", ".join(parts[key](row[key]) for key in shown), axis=1)


def network_titles(rows: pd.DataFrame) -> pd.Series:
    """Say in words which network each row is of: its CNN and conversion, and its neurons.

    Networks of one conversion of the base CNN are named by their neurons alone.
    """
    conversions = conversion_titles(rows)
    if conversions.nunique() == 1 and (rows["cnn"] == BASE).all() and "synapse" not in rows:
        return rows["neuron"].astype(str)
    return conversions + ", " + rows["neuron"]


def configuration_titles(rows: pd.DataFrame) -> pd.Series:
    """Say in words which network and synaptic time constant each row is of."""
    return network_titles(rows) + ", " + rows["tau_syn_s"].map(tau)


def synapse_looks(kinds: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return how lines of each kind of synapse are drawn, a lowpass first: solid, others dashed with open markers."""
    kinds = sorted(dict.fromkeys(kinds), key=lambda kind: kind != LOWPASS)
    return {
        kind: {"linestyle": DASHES[rank % len(DASHES)], **({"markerfacecolor": "white"} if rank else {})}
        for rank, kind in enumerate(kinds)
    }


def along_tau(rows: pd.DataFrame) -> tuple[pd.Series, str]:
    """Return where rows of a table of scores stand along an axis of time constants, in seconds, and its label.

    This is the synaptic time constant or, where there are several kinds of synapse, the mean delay of a synapse.
    """
    kinds = rows["synapse"].unique()
    if len(kinds) == 1:
        of_kind = "" if kinds[0] == LOWPASS else f", {synapse(kinds[0])}"
        return rows["tau_syn_s"], f"Synaptic time constant τ (ms){of_kind}"
    pairs = zip(rows["synapse"], rows["tau_syn_s"], strict=True)
    delays_s = [float("nan") if pd.isna(tau_s) else mean_delay_s(parse(kind), tau_s) for kind, tau_s in pairs]
    return pd.Series(delays_s, rows.index), "Mean delay of a synapse (ms)"


def tau_positions(taus_s: Iterable[float | None], nearest: float = 0.1) -> tuple[dict[str, float], dict[str, float]]:
    """Place synaptic time constants on an axis, "no filter" one step to the left of the shortest.

    The axis is linear in ms, or in their logarithm if they extend over more than a decade.

    Parameters
    ----------
    taus_s
        In seconds, None for no filter.
    nearest
        How near to each other labels may stand, as a share of the axis.

    Returns
    -------
    positions, ticks : dict from the words of `milliseconds` to the position
        All of them, and those that are labelled: a label too close to the one before it is left out.
    """
    numbers = sorted({1000 * tau for tau in taus_s if not pd.isna(tau)})
    logarithmic = len(numbers) > 2 and numbers[-1] > 10 * numbers[0]
    positions = {milliseconds(number / 1000): np.log10(number) if logarithmic else number for number in numbers}
    if any(pd.isna(tau) for tau in taus_s):
        placed = list(positions.values()) or [0.0]
        step = np.diff(placed).mean() if logarithmic else np.diff(placed).min() if len(placed) > 1 else placed[0] or 1.0
        positions = {milliseconds(None): placed[0] - step, **positions}
    width = max(positions.values()) - min(positions.values())
    ticks: dict[str, float] = {}
    for words, position in positions.items():
        if not ticks or position - max(ticks.values()) >= nearest * width:
            ticks[words] = position
    return positions, ticks


def titled(decisions: Sequence[Decided]) -> dict[str, dict[float | None, list[Decided]]]:
    """Return the seeds of each configuration by its network, in words, and its synaptic time constant."""
    titles = network_titles(pd.DataFrame([decided.configuration for decided in decisions]))
    title_of = {decided.configuration["network"]: title for decided, title in zip(decisions, titles, strict=True)}
    networks: dict[str, dict[float | None, list[Decided]]] = {}
    for (network, tau_syn_s), seeds in by_network(decisions).items():
        networks.setdefault(title_of[network], {})[tau_syn_s] = seeds
    return networks


Values = Callable[[Sequence[Decided]], NDArray]
"""Returns what a figure shows at each step of the seeds of one configuration."""
Draw = Callable[[Axes, NDArray, Sequence[Decided], dict[str, Any]], None]
"""Draws it on axes, over times (ms), in the given style."""


def over_time(
    decisions: Sequence[Decided],
    label: str,
    values: Values,
    draw: Draw,
    of_cnn: Callable[[Decided], float] | None = None,
    largest: float = 100,
) -> Figure:
    """Draw something of each configuration over time, in one panel for each network.

    One curve per synaptic time constant, or beyond `MOST_CURVES` one row of colours.

    Parameters
    ----------
    decisions
    label
        What is drawn, with its unit.
    values, draw
    of_cnn
        The same of the CNN that a network was made from, if there is such a thing.
    largest
        Where the scale ends; by default that of a percentage.
    """
    networks = titled(decisions)
    taus = sorted({decided.configuration["tau_syn_s"] for decided in decisions}, key=lambda tau_syn_s: tau_syn_s or 0)
    few = len(networks) <= 4
    figure, panel = panels(
        networks, height=2.0 if few else 1.45, xlabel="Time since the image appeared (ms)", columns=2 if few else 4
    )
    times_ms = 1000 * decisions[0].configuration["dt_s"] * np.arange(1, decisions[0].leaders.shape[1] + 1)
    if len(taus) > MOST_CURVES:
        for title, axes in panel.items():
            of_tau = {tau: values(seeds) for tau, seeds in networks[title].items()}
            image = _draw_rows(axes, times_ms, taus, of_tau, largest)
            if of_cnn:
                cnn, digits = of_cnn(next(iter(networks[title].values()))[0]), 1 if largest > 10 else 3
                axes.set_title(f"{axes.get_title()}\n(CNN: {cnn:.{digits}f})", fontweight="bold")
        figure.colorbar(image, ax=list(panel.values()), label=label).outline.set_visible(False)
        figure.supylabel("Synaptic time constant τ (ms)")
        return laid_out(figure)
    looks = tau_looks(taus)
    lines: dict[Any, Any] = {}
    for title, axes in panel.items():
        for tau_syn_s, seeds in networks[title].items():
            draw(axes, times_ms, seeds, looks[tau_syn_s])
            if of_cnn:
                axes.axhline(of_cnn(seeds[0]), **CNN_LINE, linewidth=0.8, zorder=1.5, label=CNN)
        for line in axes.lines:
            lines.setdefault(line.get_label(), line)
    # in the order of the time constants, the CNN last
    order = [look["label"] for look in looks.values()] + [CNN]
    named = {name: lines[name] for name in order if name in lines and not name.startswith("_")}
    side = "lower" if few else "upper"
    figure.legend(list(named.values()), list(named), loc=f"outside {side} center", ncols=5)  # type: ignore[call-overload]
    axes.set(xlim=(0, times_ms[-1]), ylim=(0, largest))
    figure.supylabel(label)
    return laid_out(figure)


def _draw_rows(
    axes: Axes,
    times_ms: NDArray,
    taus: Sequence[float | None],
    of_tau: Mapping[float | None, NDArray],
    largest: float,
) -> AxesImage:
    """Draw values over time (ms) as colours, with a row for each synaptic time constant, empty where unknown."""
    unknown = np.full(len(times_ms), np.nan)
    image = axes.imshow(
        [of_tau.get(tau_syn_s, unknown) for tau_syn_s in taus],
        cmap=HEAT,
        vmin=0,
        vmax=largest,
        aspect="auto",
        origin="lower",
        extent=(0, times_ms[-1], -0.5, len(taus) - 0.5),
    )
    shown = evenly_chosen(range(len(taus)), 6)
    axes.set_yticks(shown, [milliseconds(taus[k]) for k in shown])
    axes.grid(False)
    return image
