"""How far one simulator's logits are from another's, and what rounding alone does to NengoDL's own."""

from __future__ import annotations

import numpy as np

from csnn.evaluation.metrics import correct

DIVERGED = 1e-4
"""A logit that differs by more than this is no rounding error any more: a spike came at another step."""


def largest_difference(reference: np.ndarray, logits: np.ndarray) -> float:
    """Return the largest absolute difference of any logit, over images, steps and classes.

    Parameters
    ----------
    reference, logits : (n, steps, classes) float64

    Raises
    ------
    ValueError
        If the shapes differ or a logit is not finite: then nothing was compared.
    """
    if reference.shape != logits.shape:
        raise ValueError(f"logits have shape {logits.shape}, the reference {reference.shape}")
    if not (np.isfinite(reference).all() and np.isfinite(logits).all()):
        raise ValueError("logits to be compared are not all finite")
    return float(np.abs(reference - logits).max())


def certificate(reference: np.ndarray, logits: np.ndarray) -> dict:
    """Return what a comparison of logits (n, steps, classes) has shown, for a certificate in JSON."""
    return {
        "largest_difference": largest_difference(reference, logits),
        "largest_difference_of_each_image": [
            largest_difference(reference[i : i + 1], logits[i : i + 1]) for i in range(len(logits))
        ],
        "images": len(logits),
        "steps": logits.shape[1],
    }


def rounding_divergence(double: np.ndarray, single: np.ndarray, labels: np.ndarray) -> dict[str, float | int]:
    """Return how far NengoDL in single precision is from itself in double: what rounding does to a published number.

    Parameters
    ----------
    double, single : (n, steps, classes) float
        NengoDL's logits in double and in single precision.
    labels : (n,) int

    Returns
    -------
    dict
        ``images``; ``diverged_share``, the share of them with a logit that differs by more than `DIVERGED` at any step;
        ``largest_difference``; and the accuracy in both precisions, as the mean over all steps
        (``accuracy_mean_double``, ``accuracy_mean_single``) and at the last step (``accuracy_last_double``,
        ``accuracy_last_single``).
    """
    differences = [largest_difference(double[i : i + 1], single[i : i + 1]) for i in range(len(labels))]
    right_double, right_single = correct(double, labels), correct(single, labels)
    return {
        "images": len(labels),
        "diverged_share": float(np.mean([difference > DIVERGED for difference in differences])),
        "largest_difference": max(differences),
        "accuracy_mean_double": float(right_double.mean()),
        "accuracy_mean_single": float(right_single.mean()),
        "accuracy_last_double": float(right_double[:, -1].mean()),
        "accuracy_last_single": float(right_single[:, -1].mean()),
    }
