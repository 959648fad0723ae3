"""How far one simulator's logits are from another's, and the certificates that record it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from csnn.files import AGAIN, InputError, read_json


def largest_difference(reference: np.ndarray, logits: np.ndarray) -> float:
    """Return the largest absolute difference of any logit, over images, steps and classes.

    Parameters
    ----------
    reference, logits : (n, steps, classes) or (n, classes) float

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


CNN_TOLERANCE = 1e-4
"""Accepted difference between the logits of rate neurons and of the CNN, in units of the largest logit or of 1."""


def cnn_certificate(logits_of_cnn: np.ndarray, logits: np.ndarray) -> dict:
    """Return what a comparison of rate neurons without filter with the CNN itself has shown, for a certificate.

    Parameters
    ----------
    logits_of_cnn : (n, classes) float32
        Of the CNN with average pooling in place of max pooling.
    logits : (n, classes) float
        Of the network that it was converted to, with rectified linear rate neurons and without filters.

    Raises
    ------
    InputError
        If they differ by more than the rounding of Keras' single precision.
    """
    difference = largest_difference(logits_of_cnn, logits)
    largest = float(np.abs(logits_of_cnn).max())
    tolerance = CNN_TOLERANCE * max(1.0, largest)
    if not difference <= tolerance:
        raise InputError(
            f"NengoDL's conversion changes the CNN: with rectified linear rate neurons and without filters a logit "
            f"differs by {difference:.1e} from the CNN's own, of which the largest is {largest:.2g}; a layer of it is "
            "not what NengoDL takes it for: please report it with the CNN"
        )
    return {"largest_difference": difference, "largest_logit": largest, "tolerance": tolerance, "images": len(logits)}


def certified_rates(certificate: Mapping[str, Any], model: str, max_rate_hz: Any) -> list[float]:
    """Return the maximal rate (Hz) of each layer of neurons, with which a CNN's conversion was certified.

    Parameters
    ----------
    certificate
        The content of a CNN's certificate.
    model
        The hash of the CNN's file, as provenance names it.
    max_rate_hz
        The setting: a rate, one for each layer, or a percentile of the activations with a rate.

    Raises
    ------
    InputError
        If the certificate is of another model or of other rates.
    """
    if certificate["model"] != model or certificate["max_rate_hz"] != max_rate_hz:
        raise InputError(f"the certificate of the CNN is of another model or of other rates than belong here; {AGAIN}")
    return list(certificate["rates_hz"].values())


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
