"""Calibration: whether the probabilities that a classifier gives are as large as the shares in which it is right.

Probabilities are the softmax of the logits, of a CNN as of a spiking network at each time step: what the paper's
cross-entropy takes. They are not fitted to any images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from csnn.evaluation.metrics import checked

BINS = 15
"""Bins of equal width in which Guo et al. (2017) compare confidence with accuracy."""

MEANING = (
    "Probabilities are the softmax of the logits, of the CNN or of the network at one time step, as in the "
    "cross-entropy; they are not fitted to any images. Confidence is the largest of them, on average. ECE is the "
    f"expected calibration error of Guo et al. (2017): the mean difference between confidence and accuracy, in {BINS} "
    "bins of equal width. The Brier score is the squared error of all probabilities, summed over classes: 0 to 2, "
    "lower is better. ECE is biased upwards where images are few."
)
"""What the numbers are, for captions."""


def expected_calibration_error(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """Return the expected calibration error of Guo et al., On Calibration of Modern Neural Networks (ICML 2017), eq. 3.

    Images are binned by their confidence, bin m holding those in ((m - 1) / bins, m / bins]; the error is the mean over
    bins of the difference, without its sign, between accuracy and mean confidence, weighted by numbers of images.

    Parameters
    ----------
    confidence : array of float, shape (images,)
        The probability, in [0, 1], of the class that is decided for.
    right : array of bool, shape (images,)
        Whether the decision is right.
    bins
        Their number. Few images in a bin differ from their confidence by chance, which makes the error too large
        rather than too small.

    Returns
    -------
    float
        In [0, 1].
    """
    confidence, right = np.asarray(confidence, float), np.asarray(right, float)
    of_image = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(of_image, right - confidence, bins)).sum() / len(confidence))


def brier_score(probabilities: NDArray, labels: NDArray) -> float:
    """Return the Brier score: the mean over images of the squared error of all probabilities, summed over classes.

    In [0, 2], as Brier, Verification of forecasts expressed in terms of probability (1950), defines it for several
    classes; some libraries halve it. Always saying 1 / classes scores 1 - 1 / classes.

    Parameters
    ----------
    probabilities : array of float, shape (images, classes)
    labels : array of int, shape (images,)
    """
    true = np.take_along_axis(probabilities, labels[:, np.newaxis], axis=1)[:, 0]
    return float(np.mean((probabilities**2).sum(axis=1) - 2 * true + 1))


def over_time(logits: ArrayLike, labels: ArrayLike) -> dict[str, list[float]]:
    """Return the calibration at each time step.

    Parameters
    ----------
    logits, labels
        As `csnn.evaluation.metrics.checked` takes them.

    Returns
    -------
    dict
        Of each step ``confidence`` (mean over images of the largest probability), ``ece`` (see
        `expected_calibration_error`) and ``brier`` (see `brier_score`).
    """
    logits, labels = checked(logits, labels)
    values: dict[str, list[float]] = {"confidence": [], "ece": [], "brier": []}
    for step in range(logits.shape[1]):
        probabilities = softmax(logits[:, step].astype(np.float64), axis=-1)
        confidence, right = probabilities.max(axis=1), logits[:, step].argmax(axis=1) == labels
        values["confidence"].append(float(confidence.mean()))
        values["ece"].append(expected_calibration_error(confidence, right))
        values["brier"].append(brier_score(probabilities, labels))
    return values
