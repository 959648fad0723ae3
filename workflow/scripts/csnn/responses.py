"""Responses of a spiking network: the logits of every image and step, with where they come from.

A shard of one configuration and the whole of it are the same kind of file: an ``.npz`` with ``logits`` (n, steps,
classes) float32, ``labels`` (n,) and ``indices`` (n,), and with the provenance as its metadata.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np

from csnn.files import AGAIN, InputError, check_settings, read_npz_with_metadata, write_npz


class Responses(NamedTuple):
    """What a network answered to some images.

    Attributes
    ----------
    logits : (n, steps, classes) float32
        Logits at every step.
    labels : (n,) int64
        The true class of each image.
    indices : (n,) int64
        Position of each image in its split.
    provenance : dict
        What made it: engine, precision, seed, neuron and other values of the configuration, package versions.
    """

    logits: np.ndarray
    labels: np.ndarray
    indices: np.ndarray
    provenance: dict


def environment(*packages: str) -> dict[str, str]:
    """Return the versions of Python, the given packages and the kind of machine."""
    return {"python": platform.python_version(), "machine": platform.machine()} | {
        package: version(package) for package in packages
    }


def write(path: str | os.PathLike, responses: Responses) -> None:
    """Write responses atomically.

    Raises
    ------
    ValueError
        If shapes do not agree or a logit is not finite: such a file must not come to be.
    """
    logits, labels, indices, provenance = responses
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which is refused
        logits = logits.astype(np.float32)
    _check(Responses(logits, labels, indices, provenance))
    write_npz(path, {"logits": logits, "labels": labels, "indices": indices}, provenance)


def _check(responses: Responses) -> None:
    """Raise ValueError unless shapes and types are those of responses, and all logits finite."""
    logits, labels, indices, _ = responses
    if logits.ndim != 3 or 0 in logits.shape or labels.shape != indices.shape or labels.shape != logits.shape[:1]:
        raise ValueError(f"logits {logits.shape}, labels {labels.shape} and indices {indices.shape} do not agree")
    if logits.dtype != np.float32 or labels.dtype.kind not in "iu" or indices.dtype.kind not in "iu":
        raise ValueError(
            f"logits, labels and indices are {logits.dtype}, {labels.dtype} and {indices.dtype}; "
            "they must be float32 and integers"
        )
    if not np.isfinite(logits).all():
        raise ValueError(f"logits of image {indices[~np.isfinite(logits).all((1, 2))][0]} are not finite")


def read(path: str | os.PathLike) -> Responses:
    """Read responses.

    Raises
    ------
    InputError
        If the file is damaged or something else.
    """
    arrays, provenance = read_npz_with_metadata(path)
    if set(arrays) != {"logits", "labels", "indices"}:
        raise InputError(f"{path} does not hold responses of a network; {AGAIN}")
    responses = Responses(**arrays, provenance=provenance)
    try:
        _check(responses)
    except ValueError as error:
        raise InputError(f"{path} does not hold responses of a network ({error}); {AGAIN}") from error
    return responses


def gather(
    paths: Sequence[str | os.PathLike],
    labels: np.ndarray,
    indices: np.ndarray,
    settings: Mapping[str, Any] | None = None,
    classes: int | None = None,
) -> Responses:
    """Put the shards of one configuration together.

    Parameters
    ----------
    paths
        The shards' files, in order.
    labels, indices : (n,) int
        Of all the images that the shards must cover, each once and in this order.
    settings
        What the shards must have been made with: values of their provenance, of which ``steps`` is their length too.
    classes
        How many logits there must be at each step.

    Raises
    ------
    InputError
        If the shards do not cover the images exactly once, or were not made alike.
    """
    shards = [read(path) for path in paths]
    settings = settings or {}
    for path, shard in zip(paths, shards, strict=True):
        check_settings(path, shard.provenance, settings)
        _, steps, logits = shard.logits.shape
        if steps != settings.get("steps", steps) or logits != (classes or logits):
            raise InputError(
                f"{path} holds {steps} steps of {logits} logits, not {settings.get('steps', steps)} of "
                f"{classes or logits}; {AGAIN}"
            )
    for path, shard in zip(paths, shards, strict=True):
        if shard.provenance != shards[0].provenance:
            different = [key for key, value in shard.provenance.items() if shards[0].provenance.get(key) != value]
            raise InputError(
                f"{path} was made with another {', '.join(different)} than {paths[0]}; delete both to make them again"
            )
    whole = Responses(
        np.concatenate([shard.logits for shard in shards]),
        np.concatenate([shard.labels for shard in shards]),
        np.concatenate([shard.indices for shard in shards]),
        shards[0].provenance,
    )
    if not np.array_equal(whole.indices, indices) or not np.array_equal(whole.labels, labels):
        raise InputError(
            f"the shards {paths[0]} to {paths[-1]} do not hold each of the {len(indices)} images once; "
            "delete them to make them again"
        )
    return whole
