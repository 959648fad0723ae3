"""Statistics of classifiers on the same images: intervals, paired tests, and their results in words.

The image is the unit: steps and seeds of one image depend on each other. Sampling error, over images, and spread over
seeds are kept apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csnn.evaluation.metrics import CONFIDENCE

SIGNIFICANT = 1 - CONFIDENCE


def paired_difference(ours: ArrayLike, theirs: ArrayLike) -> tuple[float, float, float]:
    """Difference of two accuracies on the same images, with the 95 % interval of a paired t-test over images.

    Parameters
    ----------
    ours, theirs : array, shape (images,)
        Whether, or for what share of seeds or steps, each image is classified correctly.

    Returns
    -------
    difference, low, high : float
        Ours - theirs. Where all images differ alike the interval is that one value.
    """
    from scipy.stats import ttest_1samp  # 1 s to import: only when it is needed

    differences = np.asarray(ours, float) - np.asarray(theirs, float)
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return mean, mean, mean
    interval = ttest_1samp(differences, 0).confidence_interval(CONFIDENCE)
    return mean, float(interval.low), float(interval.high)


def gap_points(cnn_right: ArrayLike, right: ArrayLike) -> dict[str, float]:
    """Return by how many percentage points a CNN is more accurate than a network, with the interval.

    Parameters
    ----------
    cnn_right, right : array, shape (images,)
        As `paired_difference` takes them.

    Returns
    -------
    dict
        ``gap_points``, ``gap_points_low`` and ``gap_points_high``.
    """
    difference, low, high = paired_difference(cnn_right, right)
    return {"gap_points": 100 * difference, "gap_points_low": 100 * low, "gap_points_high": 100 * high}


def mcnemar(ours: ArrayLike, theirs: ArrayLike) -> float:
    """Return p of McNemar's exact test that two classifiers are right on the same share of images.

    Parameters
    ----------
    ours, theirs : array of bool, shape (images,)
    """
    from statsmodels.stats.contingency_tables import mcnemar as test  # 1 s to import: only when it is needed

    ours, theirs = np.asarray(ours, bool), np.asarray(theirs, bool)
    table = [[np.sum(a & b) for b in (theirs, ~theirs)] for a in (ours, ~ours)]
    return float(test(table, exact=True).pvalue)


def wilcoxon(ours: ArrayLike, theirs: ArrayLike) -> float:
    """Return p of Wilcoxon's signed-rank test for shares in [0, 1] of the same images; 1 where none differs."""
    from scipy.stats import wilcoxon as test  # 1 s to import: only when it is needed

    differences = np.asarray(ours, float) - np.asarray(theirs, float)
    return float(test(differences).pvalue) if differences.any() else 1.0


def paired_p(ours: ArrayLike, theirs: ArrayLike) -> float:
    """Return p of the paired test that fits: McNemar's for right or wrong, Wilcoxon's for shares."""
    binary = all(np.isin(values, (0, 1)).all() for values in (ours, theirs))
    return mcnemar(ours, theirs) if binary else wilcoxon(ours, theirs)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p for the number of tests by Holm's method."""
    from statsmodels.stats.multitest import multipletests

    p_values = np.asarray(p_values, float)
    return multipletests(p_values, method="holm")[1] if p_values.size else p_values


def verdict(difference: float, p: float) -> str:
    """Say in words what a two-sided test of a difference has shown."""
    if not p < SIGNIFICANT:
        return "no difference shown"
    return "higher" if difference > 0 else "lower"


def mean_over_seeds(right: ArrayLike) -> tuple[NDArray[np.float64], float | None]:
    """Share of seeds with which each image is right, and the standard deviation over seeds of the accuracy.

    Parameters
    ----------
    right : array of bool, shape (seeds, images)

    Returns
    -------
    shares : ndarray, shape (images,)
    spread : float or None
        Sample standard deviation of the seeds' accuracies; None for one seed.
    """
    right = np.asarray(right, float)
    spread = float(right.mean(axis=1).std(ddof=1)) if len(right) > 1 else None
    return right.mean(axis=0), spread
