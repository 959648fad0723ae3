"""What one configuration decides about its images, and its scores: all that tables, figures and tests are made from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn.evaluation import confidence, conformal, metrics, readouts, statistics
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED
from csnn.files import ALL_AGAIN, InputError, read_npz_with_metadata, write_npz


ARRAYS = ("classes", "steps", "leaders", "labels", "cnn_classes")


class Decided(NamedTuple):
    """What one configuration, a network with a synaptic time constant and a seed, decided about some images.

    Attributes
    ----------
    configuration : dict
        What was simulated: ``network``, ``cnn``, ``neuron``, ``tau_syn_s``, ``seed`` and so on.
    readouts : list of str
        Names of the readouts; see `csnn.evaluation.readouts`.
    classes, steps : (readouts, images) int
        The class that each readout decides for, and the step, from 1, at which it does.
    leaders : (images, steps) uint16
        The class of the largest logit at each step.
    labels : (images,) int
    cnn_classes : (images,) int
        What the CNN decides that the network was converted from.
    scores : list of dict
        One row of the table of scores for each readout, the time-averaged scores first; see `score_readouts`.
    confidence : dict of str to list of float
        How far probabilities can be trusted at each step, see `csnn.evaluation.confidence.over_time`; and of the CNN
        that the network was converted from, under the same names with ``cnn_`` before them, its one value.
    """

    configuration: dict[str, Any]
    readouts: list[str]
    classes: NDArray[np.int64]
    steps: NDArray[np.int64]
    leaders: NDArray[np.uint16]
    labels: NDArray[np.int64]
    cnn_classes: NDArray[np.int64]
    scores: list[dict[str, Any]]
    confidence: dict[str, list[float]]

    @property
    def network(self) -> tuple[str, float | None]:
        """Name and synaptic time constant (s): what several seeds share."""
        return self.configuration["network"], self.configuration["tau_syn_s"]

    @property
    def cnn_right(self) -> NDArray[np.bool_]:
        """Which images the CNN classifies correctly, shape (images,)."""
        return self.cnn_classes == self.labels

    @property
    def right_over_time(self) -> NDArray[np.bool_]:
        """Which images are classified correctly at each step, shape (images, steps)."""
        return self.leaders == self.labels[:, np.newaxis]

    @property
    def settling_steps(self) -> NDArray[np.int64]:
        """Step, from 1, from which on each image's decision stays the same, shape (images,)."""
        return readouts.settling_steps(self.leaders)

    def right(self, readout: str) -> NDArray:
        """Which images a readout classifies correctly; for `TIME_AVERAGED` at which share of the steps."""
        if readout == TIME_AVERAGED:
            return self.right_over_time.mean(axis=1)
        return self.classes[self.readouts.index(readout)] == self.labels


def decide(
    configuration: Mapping[str, Any],
    logits: NDArray,
    labels: NDArray,
    cnn_logits: NDArray,
    configured: Sequence[readouts.Readout],
) -> Decided:
    """Apply readouts to the logits of one configuration and score them.

    Parameters
    ----------
    configuration
        What was simulated; ``dt_s`` is its time step in seconds.
    logits : (images, steps, classes) float
    labels : (images,) int
    cnn_logits : (images, classes) float
        Of the CNN that the network was converted from.
    configured
        The readouts.
    """
    decisions = [readout.decide(logits) for readout in configured]
    decided = Decided(
        configuration=dict(configuration),
        readouts=[readout.name for readout in configured],
        classes=np.array([decision.classes for decision in decisions]),
        steps=np.array([decision.steps for decision in decisions]),
        leaders=logits.argmax(axis=2).astype(np.uint16),
        labels=labels,
        cnn_classes=cnn_logits.argmax(axis=1),
        scores=[],
        confidence=confidence.over_time(logits, labels)
        | {f"cnn_{name}": values for name, values in confidence.over_time(cnn_logits, labels).items()},
    )
    rows = score_readouts(decided, configured, metrics.score(logits, labels))
    for row, readout in zip(rows[1:], configured, strict=True):
        if readout.kind == readouts.CONFORMAL and readout.margin is not None:
            sets = conformal.decide(logits, readout.margin).sets
            row |= {"coverage": readout.coverage, **covered(sets, labels)}
    return decided._replace(scores=rows)


def covered(sets: NDArray[np.bool_], labels: NDArray) -> dict[str, float | None]:
    """Describe the prediction sets (images, classes) in which a readout with a guarantee ended.

    Returns
    -------
    dict
        ``covered``, the share of images whose set holds the true class, with its 95 % interval; ``single_share`` of
        sets with one class; and ``set_size``, their mean number of classes.
    """
    holds, sizes = np.take_along_axis(sets, labels[:, np.newaxis], axis=1)[:, 0], sets.sum(axis=1)
    return metrics.with_interval("covered", holds.astype(float), metrics.accuracy_interval) | {
        "single_share": float((sizes == 1).mean()),
        "set_size": float(sizes.mean()),
    }


def score_readouts(
    decided: Decided, configured: Sequence[readouts.Readout], scored: Mapping[str, Mapping[str, float | None]]
) -> list[dict[str, Any]]:
    """Score every readout against the labels and against the network's own CNN.

    Parameters
    ----------
    decided
    configured
        Its readouts.
    scored
        See `csnn.evaluation.metrics.score`.

    Returns
    -------
    list of dict
        Of the time-averaged scores, then of each readout: ``readout`` (its name), ``kind``, ``window``, ``margin``,
        ``hold``, ``accuracy`` and ``loss`` with their intervals, ``cnn_accuracy``, ``gap_points`` (CNN - network) with
        its interval, ``agreement`` (share of images on which both decide alike), ``latency_ms`` (mean, and
        ``latency_ms_median``) and ``settling_ms_median``; of the final step ``confidence``, ``ece`` and ``brier`` (see
        `csnn.evaluation.confidence`). Averages over time are no decisions, so they have neither latency nor agreement;
        only the time-averaged and final-step losses are defined.
    """
    dt_ms = 1000 * decided.configuration["dt_s"]
    shared = {
        "cnn_accuracy": float(decided.cnn_right.mean()),
        "settling_ms_median": dt_ms * float(np.median(decided.settling_steps)),
    }
    trusted = {name: values[-1] for name, values in decided.confidence.items() if not name.startswith("cnn_")}
    averaged = {"readout": TIME_AVERAGED, "kind": TIME_AVERAGED, **scored[TIME_AVERAGED]}
    rows = [averaged | statistics.gap_points(decided.cnn_right, decided.right(TIME_AVERAGED)) | shared]
    for readout, classes, steps in zip(configured, decided.classes, decided.steps, strict=True):
        right = classes == decided.labels
        rows.append(
            {"readout": readout.name, **{key: getattr(readout, key) for key in ("kind", "window", "margin", "hold")}}
            | ({**scored[FINAL_STEP], **trusted} if readout.kind == FINAL_STEP else metrics.accuracy(right))
            | statistics.gap_points(decided.cnn_right, right)
            | {
                "agreement": float((classes == decided.cnn_classes).mean()),
                "latency_ms": dt_ms * float(steps.mean()),
                "latency_ms_median": dt_ms * float(np.median(steps)),
            }
            | shared
        )
    return rows


def write(path: str | os.PathLike, decided: Decided) -> None:
    """Write decisions."""
    fields = decided._asdict()
    write_npz(path, {name: fields.pop(name) for name in ARRAYS}, fields)


def read(path: str | os.PathLike) -> Decided:
    """Read decisions written by `write`."""
    arrays, metadata = read_npz_with_metadata(path)
    fields: dict[str, Any] = arrays | metadata
    return Decided(**fields)


def read_all(paths: Iterable[str | os.PathLike], settings: Sequence[str] | None = None) -> list[Decided]:
    """Read the decisions of many configurations.

    Parameters
    ----------
    paths
    settings
        Hash of the settings that each configuration must have been made with, in the same order; None leaves this out.

    Raises
    ------
    InputError
        If a file was made with other settings, or if two seeds gave the same logits (see `check_seeds`).
    """
    paths = list(paths)
    configurations = [read(path) for path in paths]
    for path, decided, wanted in zip(paths, configurations, settings or [], strict=settings is not None):
        if decided.configuration["settings"] != wanted:
            raise InputError(f"{path} was made with other settings than belong here; {ALL_AGAIN}")
    check_seeds(configurations)
    return configurations


def fingerprint(logits: NDArray) -> str | None:
    """Return a hash of logits (images, steps, classes); None if they never change: then no spike has reached them."""
    if (logits == logits[0, 0]).all():
        return None
    return hashlib.sha256(logits.tobytes()).hexdigest()


def check_seeds(configurations: Iterable[Decided]) -> None:
    """Check that a network's logits differ from seed to seed, where anything is drawn at random.

    Raises
    ------
    InputError
        Naming two seeds with the same logits.
    """
    known: dict[tuple, int] = {}
    for decided in configurations:
        logits, seed = decided.configuration["logits_sha256"], decided.configuration["seed"]
        if not decided.configuration["seed_matters"] or logits is None:
            continue
        other = known.setdefault((*decided.network, logits), seed)
        if other != seed:
            network, tau_syn_s = decided.network
            raise InputError(
                f"{network}, tau_syn_s {tau_syn_s}, has the very same logits with the seeds {other} and {seed}, though "
                "its initial membrane potentials are random; delete the results of both and give the same command again"
            )


def compiled_networks(configurations: Iterable[Decided]) -> dict[tuple[str, int], str | None]:
    """Return the hash of the compiled network that each network and seed was simulated from; None for NengoDL's."""
    return {
        (decided.configuration["network"], decided.configuration["seed"]): decided.configuration["compiled_network"]
        for decided in configurations
    }


def by_network(configurations: Iterable[Decided]) -> dict[tuple[str, float | None], list[Decided]]:
    """Return the seeds of every network and time constant, in the order in which they come."""
    groups: dict[tuple[str, float | None], list[Decided]] = {}
    for decided in configurations:
        groups.setdefault(decided.network, []).append(decided)
    return groups


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
