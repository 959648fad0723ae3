"""Decisions over time, and the words that follow from them."""

import re
from itertools import product

import numpy as np
import pytest

from csnn.evaluation import timecourse
from csnn.evaluation.timecourse import TimeCourse
from csnn.report import opening as summary
from csnn.responses import Responses

rng = np.random.default_rng(0)
LABELS = np.arange(400) % 4
NAMES = np.array(["ant", "bee", "cow", "dog"])


def course(accuracies, cnn=0.9, steps=5, seeds=(0,)) -> TimeCourse:
    """Return decisions that are right about the first images: of each network so many, of the CNN 90 %."""

    def decided(accuracy):
        right = np.arange(len(LABELS)) < round(accuracy * len(LABELS))
        return np.where(right, LABELS, (LABELS + 1) % 4).astype(np.uint16)

    decisions = {
        (*network, seed): np.repeat(decided(accuracy)[:, np.newaxis], steps, axis=1)
        for (network, accuracy), seed in product(accuracies.items(), seeds)
    }
    return TimeCourse(decisions, decided(cnn), LABELS, NAMES, 0.001)


class TestTimeCourse:
    def test_what_is_written_is_read(self, tmp_path):
        written = course({("LIF", 0.005): 0.5, ("LIF", None): 0.6}, seeds=(0, 3))
        timecourse.write(tmp_path / "course.npz", written)
        read = timecourse.read(tmp_path / "course.npz")
        assert list(read.decisions) == list(written.decisions)
        assert all(np.array_equal(read.decisions[key], written.decisions[key]) for key in written.decisions)
        assert np.array_equal(read.cnn, written.cnn) and read.dt_s == written.dt_s

    def test_decisions_are_of_the_largest_logit(self):
        logits = rng.normal(size=(6, 3, 4)).astype(np.float32)
        about = {"network": "SRL", "tau_syn_s": None, "seed": 2, "dt_s": 0.002}
        labels = np.arange(6) % 4
        found = timecourse.collect([Responses(logits, labels, labels, about)], logits[:, -1], labels, NAMES)
        assert np.array_equal(found.decisions["SRL", None, 2], logits.argmax(2))
        assert np.array_equal(found.cnn, logits[:, -1].argmax(1)) and found.dt_s == 0.002

    def test_best_time_constant_is_that_of_the_last_step(self):
        assert course({("LIF", 0.005): 0.5, ("LIF", 0.01): 0.7, ("SRL", 0.005): 0.9}).best("LIF") == 0.01

    def test_confusion_counts_rows_by_true_class(self):
        matrix = timecourse.confusion(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), 3)
        assert np.array_equal(matrix[:2], [[0.5, 0.5, 0], [0, 1, 0]]) and np.isnan(matrix[2]).all()

    def test_agreement_tells_who_is_right(self):
        labels, cnn, ours = np.array([0, 0, 0, 0, 0]), np.array([0, 1, 0, 1, 1]), np.array([0, 1, 2, 0, 2])
        assert np.array_equal(timecourse.agreement(ours, cnn, labels), [0.2] * 5)


class TestAnswer:
    """The words follow from the numbers."""

    def test_a_clear_gap_is_said_with_its_size(self):
        text = summary.answer(course({("LIF", 0.005): 0.5, ("LIF", 0.02): 0.4}))
        assert "LIF at τ = 5 ms is right most often at the last step, after 5 ms: 50.0 %" in text
        low, high = interval_of(r"40\.0 points \((.*?) to (.*?)\) below the CNN", text)
        deviation = 100 * (0.4 * 0.6 / 400) ** 0.5  # 160 of 400 images differ
        assert (low, high) == pytest.approx((40 - 1.96 * deviation, 40 + 1.96 * deviation), abs=0.5)
        assert interval_of(r"LIF 50\.0 and 40\.0 %, 10\.0 points \((.*?) to (.*?)\) less", text)[0] > 5
        assert "no difference" not in text and "no change" not in text

    def test_a_gap_within_its_interval_is_not_called_one(self):
        found = course({("SRL", 0.005): 0.9, ("SRL", 0.02): 0.9})
        one = found.decisions["SRL", 0.005, 0]
        one[:3], one[-4:] = (LABELS[:3, None] + 1) % 4, LABELS[-4:, None]  # 3 images worse, 4 better
        text = summary.answer(found)
        assert re.search(r"no difference from the CNN is shown \(−\d\.\d to \+\d\.\d points\)", text)
        assert "SRL 90.2 and 90.0 %, no change is shown" in text

    def test_a_better_network_is_above_the_cnn(self):
        text = summary.answer(course({("SRL", None): 0.95}))
        assert "The spiking network, SRL without filter, is right at the last step" in text
        assert interval_of(r"5\.0 points \((.*?) to (.*?)\) above the CNN", text)[0] > 2

    def test_one_time_constant_says_nothing_of_robustness(self):
        assert "robust" not in summary.answer(course({("SRL", None): 0.5}))

    def test_no_filter_is_the_shortest_time_constant(self):
        text = summary.answer(course({("SRL", 0.02): 0.5, ("SRL", None): 0.8}))
        assert "without filter and at τ = 20 ms: SRL 80.0 and 50.0 %" in text

    def test_equal_on_every_image_is_no_difference(self):
        assert "no difference from the CNN is shown (+0.0 to +0.0 points)" in summary.answer(
            course({("RLR", 0.005): 0.9})
        )


def interval_of(pattern: str, text: str) -> tuple[float, float]:
    low, high = re.search(pattern, text).groups()
    return float(low), float(high)
