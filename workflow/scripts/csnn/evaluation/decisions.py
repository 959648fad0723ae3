"""Decisions of one configuration under every readout: small files, from which tables and tests are made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn.evaluation import metrics
from csnn.evaluation import readouts
from csnn.files import read_npz, write_npz
from csnn.evaluation.invariants import check_seeds


class Decided(NamedTuple):
    """What one configuration decided on some images.

    Attributes
    ----------
    about : dict
        The configuration: ``network``, ``variant``, ``neuron``, ``tau_syn_s``, ``seed`` and so on.
    readouts : list of Readout
    classes, steps : (readouts, images) int
        The class decided for, and the step, from 1, at which it was.
    labels : (images,) int
    cnn_classes : (images,) int
        What the CNN decided.
    settling_steps : (images,) int
        After which step the largest logit's class did not change any more.
    right_share : (images,) float
        Share of steps at which the largest logit was the true class's.
    right_per_step : (steps,) float
        Share of images of which it was, at each step.
    """

    about: dict
    readouts: list[readouts.Readout]
    classes: NDArray[np.int64]
    steps: NDArray[np.int64]
    labels: NDArray[np.int64]
    cnn_classes: NDArray[np.int64]
    settling_steps: NDArray[np.int64]
    right_share: NDArray[np.float64]
    right_per_step: NDArray[np.float64]

    def right(self, readout: int) -> NDArray[np.bool_]:
        """Which images a readout, by its position, classifies correctly."""
        return self.classes[readout] == self.labels

    @property
    def cnn_right(self) -> NDArray[np.bool_]:
        """Which images the CNN classifies correctly."""
        return self.cnn_classes == self.labels


def decide(
    about: Mapping, logits: NDArray, labels: NDArray, cnn_logits: NDArray, chosen: Sequence[readouts.Readout]
) -> Decided:
    """Apply readouts to logits (images, steps, classes); `cnn_logits` are (images, classes)."""
    decided = [readout.decide(logits) for readout in chosen]
    right = metrics.correct(logits, labels)
    return Decided(
        dict(about),
        list(chosen),
        np.array([one.classes for one in decided]),
        np.array([one.steps for one in decided]),
        labels,
        cnn_logits.argmax(axis=1),
        readouts.settling_steps(logits.argmax(axis=2)),
        right.mean(axis=1),
        right.mean(axis=0),
    )


def write(path: str | os.PathLike, decided: Decided) -> None:
    """Write decisions whole."""
    text = {
        "about": json.dumps(decided.about, sort_keys=True),
        "readouts": json.dumps([readout._asdict() for readout in decided.readouts]),
    }
    write_npz(path, decided._asdict() | {name: np.array(content) for name, content in text.items()})


def read_all(paths: Iterable[str | os.PathLike]) -> list[Decided]:
    """Read the decisions of many configurations, and check that seeds differ."""
    found = [read(path) for path in paths]
    check_seeds({**one.about, "neuron": one.about["network"]} for one in found)
    return found


def read(path: str | os.PathLike) -> Decided:
    """Read decisions written by `write`."""
    arrays = read_npz(path)
    about = json.loads(str(arrays.pop("about")))
    known = [readouts.Readout(**record) for record in json.loads(str(arrays.pop("readouts")))]
    return Decided(about=about, readouts=known, **arrays)
