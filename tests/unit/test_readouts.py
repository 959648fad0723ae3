"""Readouts of logits over time, on answers small enough to be read by eye."""

import numpy as np
import pytest

from csnn.evaluation import readouts
from csnn.evaluation.metrics import FINAL_STEP

# logits of one image over five steps, three classes: class 1 leads, then class 2 for good
ONE = np.array([[[0, 3, 0], [0, 3, 1], [0, 2, 2.5], [0, 1, 4], [0, 1, 4]]], np.float32)


def test_the_final_step_is_the_last():
    assert readouts.Readout(FINAL_STEP).decide(ONE) == ([2], [5])


@pytest.mark.parametrize(("window", "expected"), [(2, 2), (3, 2), (5, 2), (99, 2)])
def test_a_window_averages_its_last_steps(window, expected):
    assert readouts.mean_over_window(ONE, window) == ([expected], [5])


def test_a_window_weighs_early_steps_like_late_ones():
    early = ONE.copy()
    early[0, 0, 1] = 100
    assert readouts.mean_over_window(early, 4).classes == [2]
    assert readouts.mean_over_window(early, 5).classes == [1]


@pytest.mark.parametrize(
    ("margin", "hold", "expected", "step"),
    [
        (2, 1, 1, 1),  # class 1 leads by 3 at once
        (2, 2, 1, 2),  # and by 2 at the second step
        (2.5, 2, 2, 5),  # not by 2.5 twice in a row; class 2 leads by 3 at the last two steps
        (0.5, 3, 2, 5),  # the run of class 1 ends where class 2 takes the lead
        (50, 1, 2, 5),  # never: decided at the last step
    ],
)
def test_confidence_needs_the_margin_for_some_steps_in_a_row(margin, hold, expected, step):
    assert readouts.first_confidence(ONE, margin, hold) == ([expected], [step])


def test_every_image_decides_for_itself():
    two = np.concatenate([ONE, np.roll(ONE, 1, axis=2)])
    decided = readouts.first_confidence(two, 2, 2)
    assert (decided.classes.tolist(), decided.steps.tolist()) == ([1, 2], [2, 2])


@pytest.mark.parametrize(
    ("decisions", "step"), [([1, 1, 1], 1), ([2, 1, 1], 2), ([1, 2, 1], 3), ([1, 1, 2], 3), ([0], 1)]
)
def test_settling_step(decisions, step):
    assert readouts.settling_steps(np.array(decisions)) == step
    assert np.array_equal(readouts.settling_steps(np.array([[decisions]] * 2)), [[step]] * 2)


def test_names_tell_readouts_apart():
    configured = readouts.configured([5, 20], [1, 2.5], hold=3)
    assert [readout.name for readout in configured] == [
        "final step", "mean of last 5", "mean of last 20", "margin 1 for 3", "margin 2.5 for 3",
    ]  # fmt: skip
