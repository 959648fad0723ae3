"""Paired comparisons on the same images, against what can be computed by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest

from csnn.evaluation import statistics

OURS = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 1], bool)
THEIRS = np.array([0, 0, 0, 0, 0, 0, 1, 0, 0, 1], bool)


def test_mcnemar_looks_at_the_images_on_which_two_classifiers_differ():
    # six images that only we get right, one that only they do
    assert statistics.mcnemar(OURS, THEIRS) == pytest.approx(binomtest(1, 7).pvalue)
    assert statistics.mcnemar(OURS, THEIRS) == statistics.mcnemar(THEIRS, OURS)
    assert statistics.mcnemar(OURS, OURS) == 1


def test_difference_is_ours_minus_theirs_with_an_interval_that_narrows_with_images():
    difference, low, high = statistics.paired_difference(OURS, THEIRS)
    assert difference == pytest.approx(0.5)
    assert low < difference < high
    _, many_low, many_high = statistics.paired_difference(np.tile(OURS, 100), np.tile(THEIRS, 100))
    assert many_high - many_low == pytest.approx((high - low) / 10, rel=0.2)
    assert statistics.paired_difference(OURS, OURS) == (0, 0, 0)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        theirs = random.random(500) < 0.7
        ours = np.where(random.random(500) < 0.1, random.random(500) < 0.5, theirs)  # truth: 0.1 * (0.5 - 0.7)
        _, low, high = statistics.paired_difference(ours, theirs)
        covered += low <= -0.02 <= high
    assert 0.92 < covered / 400 < 0.98


def test_shares_take_wilcoxons_test_and_right_or_wrong_mcnemars():
    shares = np.linspace(0, 1, 10)
    assert statistics.paired_p(OURS, THEIRS) == statistics.mcnemar(OURS, THEIRS)
    assert statistics.paired_p(shares + 0.01, shares) == pytest.approx(statistics.wilcoxon(shares + 0.01, shares))
    assert statistics.paired_p(shares + 0.01, shares) < 0.01
    assert statistics.paired_p(shares, shares) == 1


def test_holm_multiplies_the_smallest_p_by_the_number_of_tests():
    np.testing.assert_allclose(statistics.holm([0.04, 0.001, 0.5]), [0.08, 0.003, 0.5])


@pytest.mark.parametrize(
    ("difference", "p", "words"), [(1, 0.01, "higher"), (-1, 0.01, "lower"), (5, 0.2, "no difference shown")]
)
def test_words_follow_from_the_test(difference, p, words):
    assert statistics.verdict(difference, p) == words


def test_spread_over_seeds_is_apart_from_the_images():
    shares, spread = statistics.mean_over_seeds([OURS, THEIRS])
    assert shares.tolist() == [0.5] * 7 + [0, 0, 1]
    assert spread == pytest.approx(np.std([0.7, 0.2], ddof=1))
    assert statistics.mean_over_seeds([OURS])[1] is None
