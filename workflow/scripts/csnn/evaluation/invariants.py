"""What must be true of every experiment's numbers whatever they are: checked while it runs, before any table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csnn.files import AGAIN, InputError, read_json


def check_scores(path: str, scores: Mapping[str, Any], logits: NDArray, labels: NDArray) -> None:
    """Recompute accuracies and losses from stored logits by another route than `metrics`, and compare.

    Parameters
    ----------
    path
        Of the logits, for the message.
    scores
        What `metrics.score` gave.
    logits : (n, steps, classes) float32
    labels : (n,) int

    Raises
    ------
    InputError
        If any of the four means differs by more than rounding.
    """
    right, losses = np.empty(logits.shape[:2], bool), np.empty(logits.shape[:2])
    for answered, label, hits, loss in zip(logits.astype(np.float64), labels, right, losses, strict=True):
        own = answered[:, label]
        # of equal logits the first class wins: so those before must be less, those after may be equal
        hits[:] = (own > answered[:, :label].T).all(axis=0) & (own >= answered[:, label + 1 :].T).all(axis=0)
        loss[:] = np.logaddexp.reduce(answered - own[:, np.newaxis], axis=1)
    again = {
        "images": len(labels),
        "accuracy_time_averaged": right.sum() / right.size,
        "loss_time_averaged": losses.mean(),
        "accuracy_last_step": right[:, -1].sum() / len(right),
        "loss_last_step": losses[:, -1].mean(),
    }
    for name, value in again.items():
        if not np.isclose(scores[name], value, rtol=1e-9, atol=1e-9):
            raise InputError(
                f"{name} of {path} is {scores[name]}, but {value} when computed again from the stored logits; {AGAIN}, "
                "and report it if that happens again"
            )


def fingerprint(logits: NDArray) -> str | None:
    """Return a hash of logits (n, steps, classes); None if they never change: then no spike has reached them."""
    if (logits == logits[0, 0]).all():
        return None
    return hashlib.sha256(np.ascontiguousarray(logits)).hexdigest()


def check_seeds(configurations: Iterable[Mapping[str, Any]]) -> None:
    """Check that a network answers differently with another seed, where there is something to draw.

    Parameters
    ----------
    configurations
        Of each ``neuron`` (the network's name), ``tau_syn_s``, ``seed``, ``logits_sha256`` (see `fingerprint`) and
        ``seed_matters``.

    Raises
    ------
    InputError
        Naming two seeds with the same logits.
    """
    known: dict[tuple, int] = {}
    for one in configurations:
        if not one["seed_matters"] or one["logits_sha256"] is None:
            continue
        network = one["neuron"], one["tau_syn_s"]
        other = known.setdefault((*network, one["logits_sha256"]), one["seed"])
        if other != one["seed"]:
            raise InputError(
                f"{network[0]}, tau_syn_s {network[1]}, has the very same logits with the seeds {other} and "
                f"{one['seed']}, though its initial membrane potentials are random; delete the results of both and "
                "give the same command again"
            )


def check_certificates(paths: Iterable[str], configurations: Iterable[Mapping[str, Any]] = ()) -> None:
    """Check that certificates prove what they stand for.

    Parameters
    ----------
    paths
        Of the certificates.
    configurations
        Of each ``neuron`` (the network's name), ``seed`` and ``network_sha256``, what it was simulated from: a
        certificate of another compilation proves nothing about it.

    Raises
    ------
    InputError
        Naming the certificate.
    """
    simulated = {(one["neuron"], one["seed"]): one["network_sha256"] for one in configurations}
    for path in paths:
        one = read_json(path)
        if not one["largest_difference"] <= one["tolerance"]:
            raise InputError(
                f"{path} shows a difference from NengoDL of {one['largest_difference']}, more than its tolerance "
                f"{one['tolerance']}; {AGAIN}"
            )
        if one["compiled_network"] != simulated.get((one["network"], one["seed"]), one["compiled_network"]):
            raise InputError(f"{path} is of another compiled network than the one that was simulated; {AGAIN}")


def check_origins(scores: Mapping[str, Mapping[str, Any]], settings: Sequence[str], images: str) -> None:
    """Check that scores are of the configurations that they stand for, and all of the same images as the CNN's.

    Parameters
    ----------
    scores
        By path what `gather` wrote.
    settings
        `digest_of` what each configuration must have been made with, in the same order.
    images
        Hash of the file of the images that the CNN was evaluated on.

    Raises
    ------
    InputError
        Naming the file.
    """
    for (path, one), wanted in zip(scores.items(), settings, strict=True):
        if digest_of(one["settings"]) != wanted:
            raise InputError(f"{path} was made with other settings than belong here; {AGAIN}")
        if one["images_sha256"] != images:
            raise InputError(f"{path} is of other images than those that the CNN was evaluated on; {AGAIN}")


def digest_of(settings: Mapping[str, Any]) -> str:
    """Return a short hash of settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
