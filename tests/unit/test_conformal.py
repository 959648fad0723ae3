"""Early decisions with a guarantee: the rule by hand, the score by brute force, the promise by simulation."""

import numpy as np
import pytest

from csnn.evaluation import conformal, decisions, readouts
from example_decisions import LABELS, configuration

# logits of one image over five steps, three classes: class 1 leads, then class 2 for good; margins 3, 2, 0.5, 3, 4
ONE = np.array([[[0, 3, 0], [0, 3, 1], [0, 2, 2.5], [0, 1, 4], [0, 1, 5]]], np.float32)


def noisy(images: int, seed: int, steps: int = 8, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that begin as noise and come to favour the true class of most images, and the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    drift = rng.normal(0.3, 0.4, (images, 1, 1)) * np.eye(classes)[labels][:, np.newaxis]
    walk = np.cumsum(drift + rng.normal(0, 0.5, (images, steps, classes)), axis=1)
    return walk.astype(np.float32), labels


@pytest.mark.parametrize(
    ("at_most", "step", "leader", "left"),
    [
        (2, 1, 1, [1]),  # the margin of 3 at once
        (3, 5, 2, [2]),  # which must be exceeded
        (4, 5, 2, [1, 2]),  # never: two classes are within 4 of the largest logit
        (5, 5, 2, [0, 1, 2]),
    ],
)
def test_the_first_step_at_which_one_class_is_left_decides(at_most, step, leader, left):
    ended = conformal.decide(ONE, at_most)
    assert (ended.steps, ended.classes) == ([step], [leader])
    assert np.flatnonzero(ended.sets[0]).tolist() == left


@pytest.mark.parametrize(("label", "score"), [(0, 5), (1, 4), (2, 3)])
def test_scores_by_hand(label, score):
    """Class 2 is in the set from a threshold of 3 on, which class 1 does not exceed; 1 and 0 if none is decided for."""
    assert conformal.scores(ONE, np.array([label])) == [score]


def test_with_one_step_the_score_is_how_far_the_true_class_is_behind():
    logits, labels = noisy(200, 0, steps=1)
    behind = logits[:, 0].max(1).astype(float) - logits[np.arange(200), 0, labels]
    np.testing.assert_array_equal(conformal.scores(logits, labels), behind)


def test_the_score_is_the_smallest_threshold_from_which_on_the_true_class_is_left():
    logits, labels = noisy(60, 1)
    differences = (logits.max(axis=2, keepdims=True).astype(float) - logits).ravel()
    thresholds = np.unique(np.append(differences, 0))  # all at which anything changes
    held = np.array([conformal.decide(logits, at_most).sets[np.arange(60), labels] for at_most in thresholds])
    from_there_on = np.logical_and.accumulate(held[::-1], axis=0)[::-1]
    np.testing.assert_array_equal(conformal.scores(logits, labels), thresholds[from_there_on.argmax(axis=0)])
    assert (held & ~from_there_on).any()  # some images come, and go again


@pytest.mark.parametrize(("images", "coverage", "rank"), [(9, 0.9, 9), (19, 0.9, 18), (99, 0.95, 95), (100, 0.95, 96)])
def test_rank_of_the_threshold(images, coverage, rank):
    assert conformal.rank(images, coverage) == rank
    logits, labels = noisy(images, 2)
    assert conformal.threshold(logits, labels, coverage) == np.sort(conformal.scores(logits, labels))[rank - 1]


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match=r"8 calibration images are too few for a coverage of 0.9"):
        conformal.threshold(*noisy(8, 0), 0.9)


@pytest.mark.parametrize(("images", "coverage"), [(19, 0.9), (50, 0.6)])
def test_the_promise_holds_over_many_calibrations(images, coverage):
    """On average over draws of calibration and test images, as many are covered as promised, and hardly more."""
    logits, labels = noisy(40_000, 3)
    held = []
    for start in range(0, len(labels), 2 * images):
        calibration, test = slice(start, start + images), slice(start + images, start + 2 * images)
        at_most = conformal.threshold(logits[calibration], labels[calibration], coverage)
        sets = conformal.decide(logits[test], at_most).sets
        held.append(np.take_along_axis(sets, labels[test, np.newaxis], axis=1).mean())
    error = np.std(held) / np.sqrt(len(held))
    assert coverage - 3 * error < np.mean(held) < coverage + 0.05
    assert (conformal.decide(logits, at_most).steps < 8).any()


def test_as_a_readout_it_is_calibrated_on_other_images_and_described():
    logits, labels = noisy(400, 4)
    labels[:] = LABELS
    others = noisy(300, 5)
    (readout,) = readouts.configured([], [], 1, conformal={"coverage": 0.8}, validation=others)[1:]
    assert readout == readouts.Readout(readouts.CONFORMAL, margin=conformal.threshold(*others, 0.8), coverage=0.8)
    assert readouts.configured([], [], 1, conformal={"coverage": 0.8}) == readouts.configured([], [], 1)
    decided = decisions.decide(configuration(), logits, labels, logits[:, -1], [readout])
    ended = conformal.decide(logits, readout.margin)
    row = decided.scores[-1]
    assert row["readout"] == decided.readouts[0] == "conformal, coverage 0.8"
    assert row["covered"] == ended.sets[np.arange(400), labels].mean()
    assert row["covered_low"] < row["covered"] < row["covered_high"]
    assert row["single_share"] == (ended.sets.sum(1) == 1).mean()
    assert row["set_size"] == ended.sets.sum(1).mean()
    assert row["accuracy"] == (ended.classes == labels).mean()
    np.testing.assert_array_equal(decided.steps[0], ended.steps)
