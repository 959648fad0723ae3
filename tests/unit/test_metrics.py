"""Scores against scikit-learn, SciPy, statsmodels and textbook values."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, log_loss
from statsmodels.stats.proportion import proportion_confint

from csnn.evaluation import metrics
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED


@pytest.fixture
def answers() -> tuple[np.ndarray, np.ndarray]:
    """Logits (images, steps, classes) that improve over time, and their labels."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 10, 200)
    logits = rng.normal(size=(200, 12, 10))
    logits[np.arange(200), :, labels] += np.linspace(0, 3, 12)
    return logits.astype(np.float32), labels


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(float))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_each_step_is_what_scikit_learn_says(answers):
    logits, labels = answers
    for step in range(logits.shape[1]):
        accuracy = accuracy_score(labels, logits[:, step].argmax(axis=1))
        loss = log_loss(labels, softmax(logits[:, step]), labels=range(10))
        assert metrics.correct(logits, labels)[:, step].mean() == pytest.approx(accuracy)
        assert metrics.cross_entropy(logits, labels)[:, step].mean() == pytest.approx(loss, rel=1e-12)


def test_time_average_counts_every_image_and_step_alike(answers):
    """As Keras does when labels are repeated over time."""
    logits, labels = answers
    flat, repeated = logits.reshape(-1, 10), np.repeat(labels, 12)
    scores = metrics.score(logits, labels)
    assert scores[TIME_AVERAGED]["accuracy"] == pytest.approx(accuracy_score(repeated, flat.argmax(axis=1)))
    assert scores[TIME_AVERAGED]["loss"] == pytest.approx(log_loss(repeated, softmax(flat), labels=range(10)))


def test_the_final_step_is_the_last(answers):
    logits, labels = answers
    scores = metrics.score(logits, labels)
    assert scores[FINAL_STEP]["accuracy"] == pytest.approx(accuracy_score(labels, logits[:, -1].argmax(axis=1)))
    assert scores[FINAL_STEP]["loss"] == pytest.approx(log_loss(labels, softmax(logits[:, -1]), labels=range(10)))


def test_a_network_without_time_scores_the_same_averaged_and_at_the_end(answers):
    logits, labels = answers
    scores = metrics.score(logits[:, -1], labels)
    assert scores == metrics.score(logits[:, -1:], labels)
    assert scores[TIME_AVERAGED] == scores[FINAL_STEP]


def test_of_equal_logits_the_first_class_wins():
    logits = np.zeros((3, 1, 4))
    assert metrics.correct(logits, np.array([0, 1, 3]))[:, 0].tolist() == [True, False, False]


@pytest.mark.parametrize("size", [1e4, 1e30, 1e300])
def test_loss_of_extreme_logits_is_exact(size):
    logits = np.array([[[size, 0.0, -size]]])
    assert metrics.cross_entropy(logits, np.array([0]))[0, 0] == 0
    assert metrics.cross_entropy(logits, np.array([1]))[0, 0] == size
    assert metrics.cross_entropy(logits, np.array([2]))[0, 0] == 2 * size


def test_single_precision_logits_are_scored_in_double():
    """Six classes at the same logit: log 6, also where float32 could not add their exponentials."""
    logits = np.full((1, 1, 6), 3e38, dtype=np.float32)
    assert metrics.cross_entropy(logits, np.array([2]))[0, 0] == pytest.approx(np.log(6), rel=1e-15)


def logits_and_labels(bound: float = 50.0):
    shapes = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(2, 7))
    return shapes.flatmap(
        lambda shape: st.tuples(
            hnp.arrays(np.float64, shape, elements=st.floats(-bound, bound)),
            hnp.arrays(np.int64, shape[0], elements=st.integers(0, shape[2] - 1)),
        )
    )


@given(logits_and_labels(), st.floats(-1e3, 1e3))
def test_loss_does_not_see_a_shift_of_all_logits(case, shift):
    logits, labels = case
    moved = metrics.cross_entropy(logits + shift, labels)
    np.testing.assert_allclose(moved, metrics.cross_entropy(logits, labels), atol=1e-10)


@given(logits_and_labels(), st.randoms(use_true_random=False))
def test_scores_do_not_see_the_order_of_images_or_the_names_of_classes(case, random):
    logits, labels = case
    images, classes = list(range(len(labels))), list(range(logits.shape[2]))
    random.shuffle(images)
    random.shuffle(classes)
    renamed = np.argsort(classes)[labels]
    losses = metrics.cross_entropy(logits, labels)
    np.testing.assert_allclose(metrics.cross_entropy(logits[images], labels[images]), losses[images], atol=1e-10)
    np.testing.assert_allclose(metrics.cross_entropy(logits[:, :, classes], renamed), losses, atol=1e-10)


@given(logits_and_labels(1e30))
def test_scores_are_finite_and_lie_within_their_intervals(case):
    logits, labels = case
    scores = metrics.score(logits, labels)
    for scored in scores.values():
        accuracy, loss = scored["accuracy"], scored["loss"]
        low, high = scored["accuracy_low"], scored["accuracy_high"]
        assert 0 <= low <= accuracy + 1e-12 and accuracy - 1e-12 <= high <= 1
        assert np.isfinite(loss) and loss >= 0


@given(logits_and_labels(3e38), st.integers(0, 3))
def test_extreme_logits_and_ties_are_scored_stably(case, ties):
    logits, labels = case
    logits[:, :, : ties + 1] = logits[:, :, :1]  # of equal logits the first class wins
    logits = logits.astype(np.float32)
    scores = metrics.score(logits, labels)
    largest = [[next(k for k, value in enumerate(step) if value == max(step)) for step in image] for image in logits]
    assert scores[TIME_AVERAGED]["accuracy"] == pytest.approx((np.array(largest) == labels[:, None]).mean())
    shifted = logits.astype(np.float64) - np.take_along_axis(logits, labels[:, None, None], axis=2)
    assert scores[TIME_AVERAGED]["loss"] == pytest.approx(np.logaddexp.reduce(shifted, axis=2).mean(), rel=1e-9)


def test_wilson_interval_of_a_textbook_example():
    """Newcombe (1998), Statistics in Medicine 17:857, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for successes, trials, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        assert metrics.wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_last_step_has_a_wilson_interval(answers):
    logits, labels = answers
    scores = metrics.score(logits, labels)
    low, high = proportion_confint(round(200 * scores[FINAL_STEP]["accuracy"]), 200, method="wilson")
    assert (scores[FINAL_STEP]["accuracy_low"], scores[FINAL_STEP]["accuracy_high"]) == pytest.approx((low, high))


def test_time_average_has_an_interval_over_images_not_over_steps(answers):
    """The bootstrap agrees with the normal interval of the images' shares, and repeating every step changes nothing."""
    logits, labels = answers
    scores = metrics.score(logits, labels)
    shares = (logits.argmax(axis=2) == labels[:, np.newaxis]).mean(axis=1)
    half_width = 1.96 * shares.std(ddof=1) / np.sqrt(200)
    assert scores[TIME_AVERAGED]["accuracy_low"] == pytest.approx(shares.mean() - half_width, abs=0.1 * half_width)
    assert scores[TIME_AVERAGED]["accuracy_high"] == pytest.approx(shares.mean() + half_width, abs=0.1 * half_width)
    assert metrics.score(np.repeat(logits, 5, axis=1), labels)[TIME_AVERAGED] == pytest.approx(scores[TIME_AVERAGED])


def test_intervals_cover_the_truth_about_95_percent_of_the_time():
    rng = np.random.default_rng(3)
    truth, covered = 0.4, 0
    for _ in range(200):
        low, high = metrics.accuracy_interval(rng.beta(2, 3, size=80))
        covered += low <= truth <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_images_that_all_agree_still_have_an_interval():
    """Equal shares cannot be resampled; their interval is a binomial one, not a width of zero."""
    low, high = metrics.accuracy_interval(np.full(50, 0.5))
    assert (low, high) == pytest.approx(proportion_confint(25, 50, method="wilson"))
    assert metrics.accuracy_interval(np.ones(50))[0] == pytest.approx(0.9287, abs=1e-4)
    assert metrics.bootstrap_interval(np.full(50, 2.3)) == (None, None)


def test_scores_of_one_image_can_be_kept_as_json():
    scores = metrics.score(np.zeros((1, 5, 3)), np.array([1]))
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    assert scores[FINAL_STEP]["loss"] == pytest.approx(np.log(3)) and scores[FINAL_STEP]["loss_low"] is None


def test_the_same_logits_always_have_the_same_interval(answers):
    assert metrics.score(*answers) == metrics.score(*answers)


@pytest.mark.parametrize(
    ("logits", "labels", "sentence"),
    [
        (np.zeros(4), np.zeros(4, int), r"logits must have the shape \(images, steps, classes\)"),
        (np.zeros((0, 5, 3)), np.zeros(0, int), "none of them 0"),
        (np.zeros((4, 5, 3)), np.zeros(5, int), r"labels must have the shape \(4,\)"),
        (np.zeros((4, 5, 3)), np.zeros((4, 1), int), r"labels must have the shape \(4,\)"),
        (np.zeros((4, 5, 3)), np.zeros(4), "labels must be integers"),
        (np.zeros((4, 5, 3)), np.array([0, 1, 2, 3]), "labels must lie in 0 to 2"),
        (np.zeros((4, 5, 3)), np.array([0, 1, 2, -1]), "labels must lie in 0 to 2"),
        (np.array([[[0.0, np.nan]]]), np.array([0]), "logits must be finite"),
        (np.array([[[0.0, np.inf]]]), np.array([0]), "logits must be finite"),
        (np.array([[[0.0, 1j]]]), np.array([0]), "logits must be finite real numbers"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_sentence(logits, labels, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        metrics.score(logits, labels)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def run(code: str, *arguments: str) -> str:
    """Run Python in a process of its own: what it imports does not matter to other tests."""
    environment = os.environ | {"PYTHONPATH": str(Path(metrics.__file__).parents[2])}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def test_importing_does_not_import_what_takes_long():
    code = "import sys, csnn.evaluation.metrics; print('statsmodels' in sys.modules, 'tensorflow' in sys.modules)"
    assert run(code).split() == ["False", "False"]


def test_scores_are_those_of_keras(answers, tmp_path):
    """Keras' accuracy and loss, on labels repeated over time, as the paper's numbers were made."""
    logits, labels = answers
    np.savez(tmp_path / "answers.npz", logits=logits.reshape(-1, 10), labels=np.repeat(labels, logits.shape[1]))
    code = """
import sys, numpy, tensorflow
answers = numpy.load(sys.argv[1])
loss = tensorflow.keras.losses.SparseCategoricalCrossentropy(from_logits=True)(answers["labels"], answers["logits"])
hits = tensorflow.keras.metrics.sparse_categorical_accuracy(answers["labels"], answers["logits"])
print(float(loss), float(numpy.mean(hits)))
"""
    loss, accuracy = map(float, run(code, str(tmp_path / "answers.npz")).split())
    scores = metrics.score(logits, labels)
    assert scores[TIME_AVERAGED]["loss"] == pytest.approx(loss, rel=1e-5)
    assert scores[TIME_AVERAGED]["accuracy"] == pytest.approx(accuracy, rel=1e-5)
