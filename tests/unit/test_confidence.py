"""Calibration error and Brier score: closed forms, and scikit-learn."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import brier_score_loss

from csnn.evaluation import confidence

RANDOM = np.random.default_rng(0)


def test_the_calibration_error_weighs_the_difference_of_each_bin():
    # 10 images in the bin around 0.9, of which 6 are right; 30 in that around 0.5, of which 15 are
    sure = np.repeat([0.9, 0.5], [10, 30])
    right = np.concatenate([np.arange(10) < 6, np.arange(30) < 15])
    assert confidence.expected_calibration_error(sure, right) == pytest.approx(10 / 40 * 0.3)


def test_errors_within_a_bin_cancel_and_across_bins_do_not():
    sure, right = np.array([0.61, 0.65]), np.array([True, False])
    assert confidence.expected_calibration_error(sure, right, bins=1) == pytest.approx(0.13)
    assert confidence.expected_calibration_error(sure, right, bins=5) == pytest.approx(0.13)
    assert confidence.expected_calibration_error(sure, right, bins=16) == pytest.approx((0.39 + 0.65) / 2)


def test_bins_are_closed_above():
    """1 belongs to the last bin, k / 15 to the k-th, as (m - 1) / 15 < p <= m / 15 has it."""
    assert confidence.expected_calibration_error([1.0, 0.95], [True, False]) == pytest.approx(abs(1 - 1.95) / 2)
    both = confidence.expected_calibration_error([0.5, 0.51], [True, False], bins=2)
    assert both == pytest.approx((0.5 + 0.51) / 2)


def test_a_classifier_that_says_how_often_it_is_right_has_no_error():
    sure = RANDOM.uniform(0.1, 1, 200_000)
    right = RANDOM.random(sure.size) < sure
    assert confidence.expected_calibration_error(sure, right) < 0.005
    overconfident = RANDOM.random(sure.size) < sure - 0.1
    assert confidence.expected_calibration_error(sure, overconfident) == pytest.approx(0.1, abs=0.005)


def test_brier_score_is_that_of_scikit_learn():
    probabilities, labels = softmax(RANDOM.normal(size=(300, 5)), axis=1), RANDOM.integers(0, 5, 300)
    expected = brier_score_loss(labels, probabilities, labels=range(5), scale_by_half=False)
    assert confidence.brier_score(probabilities, labels) == pytest.approx(expected)


def test_brier_score_of_certainty_and_of_ignorance():
    labels = np.arange(4)
    assert confidence.brier_score(np.eye(4), labels) == 0
    assert confidence.brier_score(np.eye(4)[(labels + 1) % 4], labels) == 2
    assert confidence.brier_score(np.full((4, 4), 0.25), labels) == pytest.approx(1 - 1 / 4)


def test_over_time_is_of_the_softmax_of_each_step():
    logits, labels = RANDOM.normal(size=(50, 3, 4)).astype(np.float32), RANDOM.integers(0, 4, 50)
    values = confidence.over_time(logits, labels)
    for step in range(3):
        probabilities = softmax(logits[:, step].astype(float), axis=1)
        right = probabilities.argmax(1) == labels
        assert values["confidence"][step] == pytest.approx(probabilities.max(1).mean())
        expected = confidence.expected_calibration_error(probabilities.max(1), right)
        assert values["ece"][step] == pytest.approx(expected)
        assert values["brier"][step] == pytest.approx(confidence.brier_score(probabilities, labels))
    assert confidence.over_time(logits[:, -1], labels) == {name: values[name][-1:] for name in values}


def test_before_any_spike_arrives_all_classes_are_equally_likely():
    values = confidence.over_time(np.zeros((40, 1, 10)), np.arange(40) % 10)
    assert values["confidence"] == [pytest.approx(0.1)] and values["brier"] == [pytest.approx(0.9)]
    assert values["ece"] == [pytest.approx(0)]  # always class 0, right in a tenth of the cases
