"""What every network decides about every image at every step: the small file from which figures and words are made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn.files import read_npz, write_npz
from csnn.responses import Responses


class TimeCourse(NamedTuple):
    """Decisions of the spiking networks over time, and of the CNN, about the same images.

    Attributes
    ----------
    decisions : dict
        By (neuron, tau_syn_s, seed): the class of the largest logit, shape (images, steps); uint16.
    cnn : (images,) uint16
        The CNN's decisions.
    labels : (images,) int64
        The true class of each image.
    class_names : (classes,) str
    dt_s : float
        Time step in seconds.
    """

    decisions: dict[tuple[str, float | None, int], NDArray[np.uint16]]
    cnn: NDArray[np.uint16]
    labels: NDArray[np.int64]
    class_names: NDArray[np.str_]
    dt_s: float

    @property
    def networks(self) -> list[tuple[str, float | None]]:
        """Neurons and time constants (s, None for no filter), in their order."""
        return list(dict.fromkeys((neuron, tau_syn_s) for neuron, tau_syn_s, _ in self.decisions))

    def of(self, neuron: str, tau_syn_s: float | None) -> NDArray[np.uint16]:
        """Return the decisions of every seed, shape (seeds, images, steps)."""
        return np.array([found for key, found in self.decisions.items() if key[:2] == (neuron, tau_syn_s)])

    def right(self, neuron: str, tau_syn_s: float | None) -> NDArray[np.float64]:
        """Return the share of seeds that are right about each image at each step, shape (images, steps)."""
        return (self.of(neuron, tau_syn_s) == self.labels[:, np.newaxis]).mean(axis=0)

    def best(self, neuron: str) -> float | None:
        """Return the neuron's time constant of the highest accuracy at the last step; of equal ones the first."""
        taus = [tau_syn_s for known, tau_syn_s in self.networks if known == neuron]
        return max(taus, key=lambda tau_syn_s: self.right(neuron, tau_syn_s)[:, -1].mean())


def collect(
    responses: Iterable[Responses], cnn_logits: NDArray, labels: NDArray[np.int64], class_names: NDArray[np.str_]
) -> TimeCourse:
    """Take the decisions out of every network's responses, one network at a time.

    Parameters
    ----------
    responses
        Of every configuration, to the same images.
    cnn_logits : (images, classes) float
    labels : (images,) int64
    class_names : (classes,) str
    """
    decisions, dt_s = {}, None
    for one in responses:
        about, dt_s = one.provenance, one.provenance["dt_s"]
        decisions[about["network"], about["tau_syn_s"], about["seed"]] = one.logits.argmax(axis=2).astype(np.uint16)
    return TimeCourse(decisions, cnn_logits.argmax(axis=1).astype(np.uint16), labels, class_names, dt_s)


def write(path: str | os.PathLike, course: TimeCourse) -> None:
    """Write decisions over time whole."""
    write_npz(
        path,
        {
            "configurations": np.array(json.dumps(list(course.decisions))),
            "decisions": np.array(list(course.decisions.values())),
            "cnn": course.cnn,
            "labels": course.labels,
            "class_names": course.class_names,
            "dt_s": np.array(course.dt_s),
        },
    )


def read(path: str | os.PathLike) -> TimeCourse:
    """Read what `write` wrote."""
    arrays = read_npz(path)
    keys = map(tuple, json.loads(str(arrays["configurations"])))
    decisions = dict(zip(keys, arrays["decisions"], strict=True))
    return TimeCourse(decisions, arrays["cnn"], arrays["labels"], arrays["class_names"], float(arrays["dt_s"]))


def confusion(decided: NDArray, labels: NDArray, classes: int) -> NDArray[np.float64]:
    """Return the share of each true class's images (rows) that each class was decided for (columns).

    Parameters
    ----------
    decided : array of int, shape (..., images)
    labels : array of int, shape (images,)
    classes : int

    Returns
    -------
    array, shape (classes, classes)
        Rows add up to 1; not a number for a class without images.
    """
    counts = np.zeros((classes, classes))
    np.add.at(counts, (np.broadcast_to(labels, decided.shape), decided), 1)
    with np.errstate(invalid="ignore"):
        return counts / counts.sum(axis=1, keepdims=True)


AGREEMENT = [
    "both right",
    "same wrong class",
    "only the CNN right",
    "only the spiking network right",
    "different wrong",
]
"""What a spiking network's and the CNN's decisions about an image can be; the first two are agreement."""


def agreement(decided: NDArray, cnn: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Return the share of images for each of `AGREEMENT`.

    Parameters
    ----------
    decided : array of int, shape (..., images)
        The spiking network's decisions.
    cnn, labels : array of int, shape (images,)
    """
    ours, theirs, same = decided == labels, cnn == labels, decided == cnn
    kinds = [same & ours, same & ~ours, theirs & ~ours, ours & ~theirs, ~same & ~ours & ~theirs]
    return np.array([kind.mean() for kind in np.broadcast_arrays(*kinds)])
