"""Readouts: rules that decide for a class from the logits of all time steps.

All take stored logits (images, steps, classes); nothing is simulated. A readout gives for each image the class that it
decides for and the step, from 1, at which it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn.evaluation import conformal
from csnn.evaluation.metrics import FINAL_STEP

WINDOW = "window"
CONFIDENCE = "confidence"
CONFORMAL = "conformal"


class Decisions(NamedTuple):
    """What a readout gives: `classes` and `steps`, each of shape (images,) and int."""

    classes: NDArray[np.int64]
    steps: NDArray[np.int64]


class Readout(NamedTuple):
    """A readout and its parameters.

    Attributes
    ----------
    kind : str
        `FINAL_STEP`, `WINDOW`, `CONFIDENCE` or `CONFORMAL`.
    window : int or None
        Of `WINDOW`: number of last steps over which logits are averaged.
    margin : float or None
        Of `CONFIDENCE` and `CONFORMAL`: by how much the largest logit must exceed the second largest.
    hold : int or None
        Of `CONFIDENCE`: for how many steps in a row.
    coverage : float or None
        Of `CONFORMAL`: the coverage for which the margin was calibrated.
    """

    kind: str
    window: int | None = None
    margin: float | None = None
    hold: int | None = None
    coverage: float | None = None

    @property
    def name(self) -> str:
        """Its name in tables."""
        if self.kind == WINDOW:
            return f"mean of last {self.window}"
        if self.kind == CONFIDENCE:
            return f"margin {self.margin:g} for {self.hold}"
        if self.kind == CONFORMAL:
            return f"conformal, coverage {self.coverage:g}"
        return self.kind

    def decide(self, logits: NDArray) -> Decisions:
        """Decide from logits (images, steps, classes)."""
        if self.margin is not None and self.hold is not None:
            return first_confidence(logits, self.margin, self.hold)
        if self.margin is not None:
            ended = conformal.decide(logits, self.margin)
            return Decisions(ended.classes, ended.steps)
        return mean_over_window(logits, self.window or 1)


def configured(
    windows: Iterable[int],
    margins: Iterable[float],
    hold: int,
    conformal: Mapping[str, float] | None = None,
    validation: tuple[NDArray, NDArray] | None = None,
) -> list[Readout]:
    """Return the readout of the final step, and one for each configured window and margin.

    Parameters
    ----------
    windows, margins, hold, conformal
        The configuration's ``readouts``.
    validation
        Logits (images, steps, classes) and labels (images,) of the validation images, on which the readout with a
        guarantee is calibrated; None leaves it out.
    """
    readouts = [
        Readout(FINAL_STEP),
        *(Readout(WINDOW, window=window) for window in windows),
        *(Readout(CONFIDENCE, margin=margin, hold=hold) for margin in margins),
    ]
    if conformal and validation:
        readouts.append(calibrated(*validation, conformal["coverage"]))
    return readouts


def calibrated(logits: NDArray, labels: NDArray, coverage: float) -> Readout:
    """Return the readout that is calibrated on images, with logits (images, steps, classes), for a coverage."""
    return Readout(CONFORMAL, margin=conformal.threshold(logits, labels, coverage), coverage=coverage)


def mean_over_window(logits: NDArray, window: int) -> Decisions:
    """Decide for the largest mean logit over the last `window` steps, or over all if there are fewer."""
    classes = logits[:, -window:].mean(axis=1, dtype=np.float64).argmax(axis=1)
    return Decisions(classes, np.full(len(logits), logits.shape[1]))


def first_confidence(logits: NDArray, margin: float, hold: int) -> Decisions:
    """Decide as soon as one class has led by at least `margin` for `hold` steps in a row; else at the final step."""
    second, first = np.partition(logits, -2, axis=2)[:, :, -2:].transpose(2, 0, 1)
    leader = logits.argmax(axis=2)
    run = np.zeros(len(logits), np.int64)
    steps = np.full(len(logits), logits.shape[1])
    decided = np.zeros(len(logits), bool)
    classes = leader[:, -1].copy()
    for step in range(logits.shape[1]):
        goes_on = (leader[:, step] == leader[:, step - 1]) if step else np.zeros(len(logits), bool)
        confident = first[:, step] - second[:, step] >= margin
        run = np.where(confident, np.where(goes_on, run, 0) + 1, 0)
        now = ~decided & (run >= hold)
        classes[now], steps[now] = leader[now, step], step + 1
        decided |= now
    return Decisions(classes, steps)


def settling_steps(decisions: NDArray) -> NDArray[np.int64]:
    """Return the step, from 1, from which on the decision is that of the final step.

    Parameters
    ----------
    decisions : array, shape (..., steps)
        The class of the largest logit at each step.

    Returns
    -------
    array, shape (...)
        An image whose decision changes at the final step may not have settled at all.
    """
    same = (decisions == decisions[..., -1:])[..., ::-1]
    return same.shape[-1] + 1 - np.where(same.all(axis=-1), same.shape[-1], same.argmin(axis=-1))
