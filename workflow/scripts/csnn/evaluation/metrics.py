"""Accuracy and cross-entropy of classifiers that answer at every time step.

All functions take logits of shape (images, steps, classes) and integer labels of shape (images,). A network without
time, such as the CNN, may pass logits of shape (images, classes): one step, so its time-averaged scores are those of
its final step.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax

CONFIDENCE = 0.95
RESAMPLES = 9999

TIME_AVERAGED = "time-averaged"
FINAL_STEP = "final step"


def checked(logits: ArrayLike, labels: ArrayLike) -> tuple[NDArray, NDArray]:
    """Logits and labels as arrays that fit each other.

    Parameters
    ----------
    logits : array of float, shape (images, steps, classes) or (images, classes)
    labels : array of int, shape (images,)
        True class of each image, in [0, classes).

    Returns
    -------
    logits : ndarray, shape (images, steps, classes)
    labels : ndarray of int, shape (images,)

    Raises
    ------
    ValueError
        If the shapes do not fit, a logit is not finite, or a label is no class.
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.ndim == 2:
        logits = logits[:, np.newaxis, :]
    if logits.ndim != 3 or logits.size == 0:
        raise ValueError(f"logits must have the shape (images, steps, classes), none of them 0, not {logits.shape}.")
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"labels must have the shape {logits.shape[:1]}, one per image, not {labels.shape}.")
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers, not {labels.dtype}.")
    if labels.min() < 0 or labels.max() >= logits.shape[2]:
        raise ValueError(
            f"labels must lie in 0 to {logits.shape[2] - 1}, one per class, not {labels.min()} to {labels.max()}."
        )
    if logits.dtype.kind not in "fiu" or not np.isfinite(logits).all():
        raise ValueError("logits must be finite real numbers.")
    return logits, labels


def correct(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.bool_]:
    """Whether the largest logit is the true class's, shape (images, steps); of equal logits the first class wins."""
    logits, labels = checked(logits, labels)
    return logits.argmax(axis=-1) == labels[:, np.newaxis]


def cross_entropy(logits: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Cross-entropy in nats, shape (images, steps): Keras' SparseCategoricalCrossentropy(from_logits=True) of each."""
    logits, labels = checked(logits, labels)
    true_class = labels[:, np.newaxis]
    losses = np.empty(logits.shape[:2])
    # Step by step, so that memory in double precision stays at one step's logits.
    for step in range(logits.shape[1]):
        log_probabilities = log_softmax(logits[:, step].astype(np.float64), axis=-1)
        losses[:, step] = -np.take_along_axis(log_probabilities, true_class, axis=-1)[:, 0]
    return losses


def wilson_interval(successes: float, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a binomial proportion."""
    from statsmodels.stats.proportion import proportion_confint  # 1 s to import: only when it is needed

    low, high = proportion_confint(successes, trials, alpha=1 - CONFIDENCE, method="wilson")
    return float(low), float(high)


def bootstrap_interval(values: NDArray) -> tuple[float, float] | tuple[None, None]:
    """95 % percentile bootstrap interval of the mean over images.

    Parameters
    ----------
    values : ndarray, shape (images,)

    Returns
    -------
    low, high : float or None
        None where all values are equal, since resampling them says nothing about their spread.
    """
    if np.ptp(values) == 0:
        return None, None
    from scipy.stats import bootstrap  # 1 s to import: only when it is needed

    # A fixed seed: the same logits always give the same interval. The batch bounds the memory.
    interval = bootstrap(
        (values,),
        np.mean,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=100,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def accuracy_interval(shares: NDArray) -> tuple[float, float] | tuple[None, None]:
    """95 % interval of an accuracy, with the image as the unit.

    Parameters
    ----------
    shares : ndarray, shape (images,)
        Share of time steps, in [0, 1], at which each image is classified correctly.

    Returns
    -------
    low, high : float
        Wilson's interval where each image is either right or wrong, a binomial sample; otherwise the bootstrap. Time
        steps of one image depend on each other, so they do not count as trials.
    """
    binomial = np.isin(shares, (0, 1)).all()
    # Equal shares have no spread to resample; p (1 - p) bounds the variance of any share, so Wilson's errs to the
    # wide side.
    if binomial or np.ptp(shares) == 0:
        return wilson_interval(shares.sum(), len(shares))
    return bootstrap_interval(shares)


def with_interval(
    name: str, values: NDArray, interval: Callable[[NDArray], tuple[float | None, float | None]]
) -> dict[str, float | None]:
    """Return the mean of values (images,) by its name, and the bounds of its interval as ``*_low`` and ``*_high``."""
    low, high = interval(values)
    return {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}


def accuracy(shares: NDArray) -> dict[str, float | None]:
    """Return ``accuracy`` with its 95 % interval; `shares` as `accuracy_interval` takes them."""
    return with_interval("accuracy", np.asarray(shares, float), accuracy_interval)


def score(logits: ArrayLike, labels: ArrayLike) -> dict[str, dict[str, float | None]]:
    """Time-averaged and final-step scores of one configuration.

    Parameters
    ----------
    logits : array of float, shape (images, steps, classes) or (images, classes)
    labels : array of int, shape (images,)

    Returns
    -------
    dict
        Under `TIME_AVERAGED` and `FINAL_STEP` each: ``accuracy`` in [0, 1] and ``loss`` in nats, with the bounds
        ``*_low`` and ``*_high`` of their 95 % intervals over images (None for losses that are all equal).

    Raises
    ------
    ValueError
        See `checked`.
    """
    right, losses = correct(logits, labels), cross_entropy(logits, labels)
    of_images = {
        TIME_AVERAGED: (right.mean(axis=1), losses.mean(axis=1)),
        FINAL_STEP: (right[:, -1], losses[:, -1]),
    }
    return {
        readout: accuracy(shares) | with_interval("loss", loss, bootstrap_interval)
        for readout, (shares, loss) in of_images.items()
    }
