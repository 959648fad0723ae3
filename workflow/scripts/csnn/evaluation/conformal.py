"""Early decisions with a guarantee: split conformal prediction for a network that answers at every time step.

At each step the prediction set holds the classes whose logit is at most a threshold below the largest logit. The first
step at which the set is a single class decides for it; an image for which that never happens keeps the set of the final
step. The threshold is calibrated once, for the whole rule, on images that no training has seen.

The rule's final set depends on the threshold not only through its size: a larger threshold decides later, and a
network may have changed its mind by then. So the score of an image is the smallest threshold from which on every larger
one too ends in a set with the true class.

Guarantee. The scores of n calibration images and of a test image are the same function of exchangeable images, so that
of the test image is at most the k-th smallest of the n, k = ceil((n + 1) * coverage), with a probability of at least
k / (n + 1) >= coverage (Vovk et al. 2005; Angelopoulos and Bates, A Gentle Introduction to Conformal Prediction, 2021,
section 1 and appendix D). A score of at most the threshold means, by its definition, that the set in which this
threshold ends holds the true class, whenever that was.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Sets(NamedTuple):
    """Where the rule ends.

    Attributes
    ----------
    classes : (images,) int
        The class of the largest logit at that step.
    steps : (images,) int
        The step, from 1; the final one where the set never is a single class.
    sets : (images, classes) bool
        The prediction sets at that step.
    """

    classes: NDArray[np.int64]
    steps: NDArray[np.int64]
    sets: NDArray[np.bool_]


def rank(images: int, coverage: float) -> int:
    """Return which of the scores of so many calibration images, from the smallest, is the threshold."""
    return math.ceil(round((images + 1) * coverage, 9))


def scores(logits: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Return of each image the smallest threshold from which on the rule ends in a set with the true class.

    Parameters
    ----------
    logits : array of float, shape (images, steps, classes)
    labels : array of int, shape (images,)

    Returns
    -------
    array, shape (images,)
        As the threshold grows, the rule decides at the next step whose margin (largest logit minus the second largest)
        exceeds all margins before, and not at all beyond the largest margin. So the score is the distance of the true
        class from the largest logit at the final step if that exceeds the largest margin, otherwise the margin of
        the last such step that decides for a wrong class, or 0.
    """
    margins = _margins(logits)
    before = np.maximum.accumulate(margins, axis=1)
    before = np.concatenate([np.zeros((len(logits), 1)), before[:, :-1]], axis=1)
    wrong = (margins > before) & (logits.argmax(axis=2) != labels[:, np.newaxis])
    last_wrong = np.where(wrong, margins, 0).max(axis=1)
    final = logits[:, -1].astype(np.float64)
    behind = final.max(axis=1) - np.take_along_axis(final, labels[:, np.newaxis], axis=1)[:, 0]
    return np.where(behind > margins.max(axis=1), behind, last_wrong)


def threshold(logits: NDArray, labels: NDArray, coverage: float) -> float:
    """Return the threshold, in units of the logits, that calibration images give for a coverage.

    Parameters
    ----------
    logits : array of float, shape (images, steps, classes)
    labels : array of int, shape (images,)
    coverage
        Share, in (0, 1), of images whose set is to hold the true class.

    Raises
    ------
    ValueError
        If there are fewer images than the `rank` of the threshold among them.
    """
    needed = rank(len(logits), coverage)
    if needed > len(logits):
        raise ValueError(f"{len(logits)} calibration images are too few for a coverage of {coverage}")
    return float(np.sort(scores(logits, labels))[needed - 1])


def decide(logits: NDArray, at_most: float) -> Sets:
    """Apply the rule.

    Parameters
    ----------
    logits : array of float, shape (images, steps, classes)
    at_most
        The threshold: how far below the largest logit those of the set may be.
    """
    single = _margins(logits) > at_most
    steps = np.where(single.any(axis=1), single.argmax(axis=1), logits.shape[1] - 1)
    there = np.take_along_axis(logits, steps[:, np.newaxis, np.newaxis], axis=1)[:, 0].astype(np.float64)
    return Sets(there.argmax(axis=1), steps + 1, there.max(axis=1, keepdims=True) - there <= at_most)


def _margins(logits: NDArray) -> NDArray[np.float64]:
    """Return by how much the largest logit exceeds the second largest, shape (images, steps)."""
    second, first = np.partition(logits, -2, axis=2)[:, :, -2:].astype(np.float64).transpose(2, 0, 1)
    return first - second
