"""How far one simulator's logits are from another's, and the certificates that record it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from csnn.files import AGAIN, InputError, read_json


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


def check_certificates(paths: Iterable[str], simulated: Mapping[tuple[str, int], str | None]) -> None:
    """Check that certificates prove what was simulated.

    Parameters
    ----------
    paths
        Of the certificates.
    simulated
        By network and seed, the hash of the compiled network that it was simulated from: a certificate of another
        compilation proves nothing about it.

    Raises
    ------
    InputError
        Naming the certificate.
    """
    for path in paths:
        certified = read_json(path)
        if not certified["largest_difference"] <= certified["tolerance"]:
            raise InputError(
                f"{path} shows a difference from NengoDL of {certified['largest_difference']}, more than its tolerance "
                f"{certified['tolerance']}; {AGAIN}"
            )
        compiled = certified["compiled_network"]
        if compiled != simulated.get((certified["network"], certified["seed"]), compiled):
            raise InputError(f"{path} is of another compiled network than the one that was simulated; {AGAIN}")
