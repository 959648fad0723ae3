"""Responses of a spiking network: the logits of every image and step, with where they come from.

Those of one configuration are an ``.npz`` with ``logits`` (n, steps, classes) float32, ``labels`` (n,) and ``indices``
(n,), and with the provenance as its metadata. A shard is the same for all time constants that a job simulates together:
its ``logits`` are (taus, n, steps, classes), and ``tau_syn_s`` in its provenance is a list.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
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


_ARRAYS = ("logits", "labels", "indices")


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
    _write(path, _checked(responses))


def write_shard(path: str | os.PathLike, responses: Sequence[Responses]) -> None:
    """Write responses to the same images at several time constants atomically.

    Their provenance differs in ``tau_syn_s`` only.

    Raises
    ------
    ValueError
        As `write`.
    """
    checked = list(map(_checked, responses))
    taus_syn_s = [response.provenance["tau_syn_s"] for response in checked]
    logits = np.stack([response.logits for response in checked])
    _write(path, checked[0]._replace(logits=logits, provenance=checked[0].provenance | {"tau_syn_s": taus_syn_s}))


def _write(path: str | os.PathLike, responses: Responses) -> None:
    write_npz(path, {key: getattr(responses, key) for key in _ARRAYS}, responses.provenance)


def _checked(responses: Responses) -> Responses:
    """Return responses in single precision, or raise ValueError."""
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which is refused
        responses = responses._replace(logits=responses.logits.astype(np.float32))
    _check(responses)
    return responses


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
    return _read(path, lambda responses: [responses])[0]


def read_shard(path: str | os.PathLike) -> list[Responses]:
    """Read responses at several time constants, each with its own as ``tau_syn_s`` in its provenance.

    Raises
    ------
    InputError
        If the file is damaged or something else.
    """
    return _read(path, _by_tau)


def _by_tau(shard: Responses) -> list[Responses]:
    """Return the parts of a shard, or raise ValueError."""
    taus_syn_s = shard.provenance.get("tau_syn_s")
    if not isinstance(taus_syn_s, list) or shard.logits.ndim != 4 or len(taus_syn_s) != len(shard.logits):
        raise ValueError(f"logits {shard.logits.shape} are not of the time constants {taus_syn_s}")
    return [
        shard._replace(logits=logits, provenance=shard.provenance | {"tau_syn_s": tau_syn_s})
        for logits, tau_syn_s in zip(shard.logits, taus_syn_s, strict=True)
    ]


def _read(path: str | os.PathLike, parts: Callable[[Responses], list[Responses]]) -> list[Responses]:
    """Read a file, and return its parts."""
    arrays, provenance = read_npz_with_metadata(path)
    if set(arrays) != set(_ARRAYS):
        raise InputError(f"{path} does not hold responses of a network; {AGAIN}")
    try:
        responses = parts(Responses(**arrays, provenance=provenance))
        for part in responses:
            _check(part)
    except ValueError as error:
        raise InputError(f"{path} does not hold responses of a network ({error}); {AGAIN}") from error
    return responses


def gather(
    paths: Sequence[str | os.PathLike],
    labels: np.ndarray,
    indices: np.ndarray,
    settings: Mapping[str, Any],
    classes: int | None = None,
) -> Responses:
    """Put the shards of one configuration together.

    Parameters
    ----------
    paths
        The shards' files, in order. Each holds responses at this configuration's time constant, and may hold others.
    labels, indices : (n,) int
        Of all the images that the shards must cover, each once and in this order.
    settings
        What the shards must have been made with: values of their provenance, of which ``tau_syn_s`` selects a part and
        ``steps`` is its length too.
    classes
        How many logits there must be at each step.

    Raises
    ------
    InputError
        If the shards do not cover the images exactly once, or were not made alike.
    """
    shards = [_at_tau(path, settings["tau_syn_s"]) for path in paths]
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


def _at_tau(path: str | os.PathLike, tau_syn_s: float | None) -> Responses:
    """Return a shard's responses at one time constant."""
    shard = read_shard(path)
    for responses in shard:
        if responses.provenance["tau_syn_s"] == tau_syn_s:
            return responses
    taus_syn_s = [responses.provenance["tau_syn_s"] for responses in shard]
    raise InputError(f"{path} holds the time constants {taus_syn_s} in seconds, not {tau_syn_s}; {AGAIN}")
