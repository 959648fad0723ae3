"""What disturbed images and weights cost in accuracy, of CNNs and of the spiking networks made from them.

All is at the final step, first seed, and paired: the same images clean and disturbed, the same image seen by a network
and by its CNN.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from csnn.evaluation import metrics, statistics
from csnn.evaluation.decisions import Decided
from csnn.evaluation.metrics import FINAL_STEP
from csnn.evaluation.tables import cnn_name, settings, settings_in, with_synapses
from csnn.files import AGAIN, InputError, read_npz_with_metadata
from csnn.words import CNN

CLEAN = "clean"
WEIGHTS = {"weight_noise": "Weight noise", "weight_bits": "Bits of weights"}
"""What is disturbed of a converted network, by its name in the configuration: its title in figures."""

NOTE = (
    "Accuracy at the final step, first seed, with disturbed images or weights. Lost against clean: the accuracy on the "
    "same images clean, or with exact weights, minus this; p is of McNemar's exact test. Lost more than its CNN: what "
    "the network loses minus what its CNN loses on the same images, p of Wilcoxon's signed-rank test. Both p are "
    "adjusted by Holm's method within each kind of disturbance; intervals are of 95 %, paired and over images. "
    "Disturbed weights are the converted network's; its CNN keeps its own."
)


class Weights(NamedTuple):
    """What a network decides at the final step with disturbed weights.

    Attributes
    ----------
    conditions : list of (str, float)
        Kind, of `WEIGHTS`, and strength.
    classes : (conditions, images) int
    labels : (images,) int
    """

    conditions: list[tuple[str, float]]
    classes: NDArray[np.int64]
    labels: NDArray[np.int64]


def read_weights(path: str | os.PathLike, clean: Decided) -> Weights:
    """Read what a network decides with disturbed weights.

    Raises
    ------
    InputError
        If it is of another network or simulation than `clean`, its decisions with exact weights.
    """
    arrays, metadata = read_npz_with_metadata(path)
    if any(metadata[key] != clean.configuration[key] for key in ("settings", "compiled_network")):
        raise InputError(f"{path} was made with other settings than belong here; {AGAIN}")
    return Weights([(kind, strength) for kind, strength in metadata["conditions"]], **arrays)


def table(
    clean: Sequence[Decided],
    corrupted: Mapping[str, Sequence[Decided]],
    strengths: Sequence[int],
    weights: Sequence[Weights],
    images: int,
) -> pd.DataFrame:
    """Set accuracies with disturbed images and weights beside those without.

    Parameters
    ----------
    clean
        Of each configuration, on at least the images that were disturbed, these first.
    corrupted
        By kind of corruption the same configurations on the disturbed images, at one strength after another.
    strengths
    weights
        Of the same configurations, or empty.
    images
        How many images were disturbed.

    Returns
    -------
    DataFrame
        Columns ``corruption``, ``strength``, network to spiking of the scores, ``seed``, ``images``, ``accuracy``,
        ``cnn_accuracy``, ``lost_points`` against clean with its interval, ``p`` and ``against_clean``,
        ``lost_more_points`` than its CNN with its interval, ``p_lost_more`` and ``against_cnn``. CNNs have rows of
        their own; `CLEAN` is of strength 0. p are adjusted by Holm's method within each kind of disturbance.
    """
    rows: list[dict[str, Any]] = []
    for kind, strength, networks in _conditions(clean, corrupted, strengths, weights, images):
        of_cnns: dict[str, dict[str, Any]] = {}
        of_networks = []
        for decided, right, cnn_right in networks:
            before = decided.right(FINAL_STEP)[:images], decided.cnn_right[:images]
            named = {"corruption": kind, "strength": strength}
            cnn = decided.configuration["cnn"]
            if cnn_right is not None and cnn not in of_cnns:
                model = {"network": cnn_name(cnn), "cnn": cnn, "neuron": CNN, "images": images}
                of_cnns[cnn] = named | model | _lost(kind, before[1], cnn_right)
            row = named | settings(decided) | {"seed": decided.configuration["seed"], "images": images}
            row |= _lost(kind, before[0], right)
            if cnn_right is not None:
                row["cnn_accuracy"] = float(cnn_right.mean())
                row |= _lost_more(kind, before, (right, cnn_right))
            of_networks.append(row)
        rows += [*of_cnns.values(), *of_networks]
    columns = [
        "corruption",
        "strength",
        *settings_in(pd.DataFrame(rows)),
        "seed",
        "images",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
    ]
    columns += ["cnn_accuracy", "lost_points", "lost_points_low", "lost_points_high", "p", "against_clean"]
    columns += ["lost_more_points", "lost_more_points_low", "lost_more_points_high", "p_lost_more", "against_cnn"]
    made = with_synapses(pd.DataFrame(rows, columns=columns).astype({"seed": "Int64"}))
    for p, lost, answer, words in (
        ("p", "lost_points", "against_clean", {"higher": "lower", "lower": "higher"}),
        ("p_lost_more", "lost_more_points", "against_cnn", {"higher": "loses more", "lower": "loses less"}),
    ):
        tested = made[p].notna()
        made[p] = made[p].astype(float)
        for _, rows_of_kind in made[tested].groupby("corruption"):
            made.loc[rows_of_kind.index, p] = statistics.holm(rows_of_kind[p])
        verdicts = [statistics.verdict(row[lost], row[p]) for _, row in made[tested].iterrows()]
        made[answer] = made[answer].astype(object)
        made.loc[tested, answer] = [words.get(verdict, verdict) for verdict in verdicts]
    return made


Right = tuple[Decided, NDArray, NDArray | None]
"""What a configuration decides clean; which disturbed images it gets right, and which its CNN if that is disturbed."""


def _conditions(
    clean: Sequence[Decided],
    corrupted: Mapping[str, Sequence[Decided]],
    strengths: Sequence[int],
    weights: Sequence[Weights],
    images: int,
) -> Iterator[tuple[str, float, list[Right]]]:
    """Yield kind and strength of each disturbance, and what all configurations get right then; clean comes first."""
    yield CLEAN, 0, [(before, before.right(FINAL_STEP)[:images], before.cnn_right[:images]) for before in clean]
    for kind, networks in corrupted.items():
        both = list(zip(clean, networks, strict=True))
        for position, level in enumerate(strengths):
            part = slice(position * images, (position + 1) * images)
            yield kind, level, [(before, now.right(FINAL_STEP)[part], now.cnn_right[part]) for before, now in both]
    for position, (kind, strength) in enumerate(weights[0].conditions if weights else []):
        right = [made.classes[position] == made.labels for made in weights]
        yield kind, strength, [(before, now, None) for before, now in zip(clean, right, strict=True)]


def _lost(kind: str, before: NDArray, right: NDArray) -> dict[str, Any]:
    """Accuracy of a classifier, and what it lost against clean, with p of the paired test."""
    row: dict[str, Any] = metrics.accuracy(right)
    if kind == CLEAN:
        return row
    return row | _points("lost_points", before, right) | {"p": statistics.mcnemar(before, right)}


def _lost_more(kind: str, before: tuple[NDArray, NDArray], right: tuple[NDArray, NDArray]) -> dict[str, Any]:
    """What a network lost more than its CNN, with p of the paired test; both are pairs of network and CNN."""
    if kind == CLEAN:
        return {}
    lost, cnn_lost = (clean.astype(float) - disturbed for clean, disturbed in zip(before, right, strict=True))
    return _points("lost_more_points", lost, cnn_lost) | {"p_lost_more": statistics.wilcoxon(lost, cnn_lost)}


def _points(name: str, ours: NDArray, theirs: NDArray) -> dict[str, float]:
    """Return a paired difference in percentage points with its interval."""
    values = statistics.paired_difference(ours, theirs)
    return {f"{name}{bound}": 100 * value for bound, value in zip(("", "_low", "_high"), values, strict=True)}
