"""Figures of confidence: how far the probabilities of a spiking network can be trusted, at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from csnn.evaluation.decisions import Decided
from csnn.figures.style import CNN_LINE, laid_out, over_time, styled
from csnn.words import CNN


@styled
def ece_over_time(decisions: Sequence[Decided]) -> Figure:
    """Draw the expected calibration error at each step, and that of each network's own CNN."""
    return _over_time(decisions, "ece", "Expected calibration error (%)", scale=100)


@styled
def brier_over_time(decisions: Sequence[Decided]) -> Figure:
    """Draw the Brier score at each step, and that of each network's own CNN."""
    return _over_time(decisions, "brier", "Brier score", scale=1)


def _over_time(decisions: Sequence[Decided], measure: str, label: str, scale: float) -> Figure:
    """Draw a measure of `csnn.evaluation.confidence.over_time`, averaged over seeds."""

    def draw(axes: Axes, times_ms: NDArray, seeds: Sequence[Decided], look: dict[str, Any]) -> None:
        values = scale * np.mean([decided.confidence[measure] for decided in seeds], axis=0)
        (of_cnn,) = seeds[0].confidence[f"cnn_{measure}"]
        axes.plot(times_ms, values, **look)
        axes.axhline(scale * of_cnn, **CNN_LINE, linewidth=0.8, zorder=1.5, label=CNN)
        highest.extend([values.max(), scale * of_cnn])

    highest: list[float] = []
    figure = over_time(decisions, draw)
    figure.axes[0].set_ylim(0, 1.05 * max(highest))
    figure.supylabel(label)
    return laid_out(figure)
