"""Figures of confidence: how far the probabilities of a spiking network can be trusted, at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from csnn.evaluation.decisions import Decided
from csnn.figures.style import over_time, styled


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

    def values(seeds: Sequence[Decided]) -> NDArray:
        return scale * np.mean([decided.confidence[measure] for decided in seeds], axis=0)

    def draw(axes: Axes, times_ms: NDArray, seeds: Sequence[Decided], look: dict[str, Any]) -> None:
        axes.plot(times_ms, values(seeds), **look)

    def of_cnn(decided: Decided) -> float:
        return scale * decided.confidence[f"cnn_{measure}"][0]

    highest = max(max(values([decided]).max(), of_cnn(decided)) for decided in decisions)
    return over_time(decisions, label, values, draw, of_cnn, largest=1.05 * highest)
