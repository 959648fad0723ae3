"""How far one simulator's logits are from another's."""

from __future__ import annotations

import numpy as np


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
