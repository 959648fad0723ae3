"""Decisions of one configuration, what is read from them, and what is refused."""

import numpy as np
import pytest

from csnn import neurons
from csnn.evaluation import decisions, metrics, readouts
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED
from csnn.files import InputError
from example_decisions import LABELS, classes, configuration, decided, logits_of

RANDOM = np.random.default_rng(0)
READOUTS = readouts.configured([2, 3], [1], hold=1)


@pytest.fixture
def noisy():
    """Logits that change at every step, of a network and of its CNN, and the decisions made from them."""
    logits = RANDOM.random((400, 6, 4)).astype(np.float32)
    return logits, decisions.decide(configuration(tau=None), logits, LABELS, logits[:, 0], READOUTS)


def test_decisions_are_read_as_they_were_written(tmp_path, noisy):
    _, written = noisy
    decisions.write(tmp_path / "decisions.npz", written)
    read = decisions.read(tmp_path / "decisions.npz")
    for name, ours, theirs in zip(written._fields, read, written, strict=True):
        if name in decisions.ARRAYS:
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype
        else:
            assert ours == theirs


def test_deciding_applies_every_readout_to_the_logits(noisy):
    logits, made = noisy
    for row, readout in enumerate(READOUTS):
        expected = readout.decide(logits)
        np.testing.assert_array_equal(made.classes[row], expected.classes)
        np.testing.assert_array_equal(made.steps[row], expected.steps)
        np.testing.assert_array_equal(made.right(readout.name), expected.classes == LABELS)
    leaders = logits.argmax(axis=2)
    np.testing.assert_array_equal(made.leaders, leaders)
    np.testing.assert_array_equal(made.right(TIME_AVERAGED), (leaders == LABELS[:, None]).mean(axis=1))
    np.testing.assert_array_equal(made.cnn_right, logits[:, 0].argmax(1) == LABELS)


def test_scores_are_those_of_the_logits_and_of_the_networks_own_cnn(noisy):
    logits, made = noisy
    names = [TIME_AVERAGED, FINAL_STEP, "mean of last 2", "mean of last 3", "margin 1 for 1"]
    assert [row["readout"] for row in made.scores] == names
    scored = metrics.score(logits, LABELS)
    for row, name in zip(made.scores, names, strict=True):
        right = made.right(name).mean()
        assert row["accuracy"] == pytest.approx(right)
        assert row["accuracy_low"] < right < row["accuracy_high"]
        assert row["cnn_accuracy"] == (logits[:, 0].argmax(1) == LABELS).mean()
        assert row["gap_points"] == pytest.approx(100 * (row["cnn_accuracy"] - right))
        if name in scored:
            assert {key: row[key] for key in scored[name]} == scored[name]
        else:
            assert "loss" not in row
    assert "agreement" not in made.scores[0] and "latency_ms" not in made.scores[0]
    assert made.scores[1]["agreement"] == (logits[:, -1].argmax(1) == logits[:, 0].argmax(1)).mean()
    assert made.scores[1]["latency_ms"] == 6


def test_a_right_and_a_wrong_network_against_their_cnn():
    time_averaged, final = decided(0.7, cnn_accuracy=0.8).scores
    assert (final["accuracy"], final["cnn_accuracy"], final["agreement"]) == (0.7, 0.8, 0.9)
    assert final["gap_points"] == pytest.approx(10) and 0 < final["gap_points_low"] < 10 < final["gap_points_high"]
    assert time_averaged["accuracy"] == pytest.approx(0.7)
    equal = decided(0.8, cnn_accuracy=0.8).scores[1]
    assert (equal["gap_points"], equal["gap_points_low"], equal["gap_points_high"]) == (0, 0, 0)


def test_confusion_counts_rows_by_true_class():
    matrix = decisions.confusion(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), 3)
    assert np.array_equal(matrix[:2], [[0.5, 0.5, 0], [0, 1, 0]]) and np.isnan(matrix[2]).all()


def test_agreement_tells_who_is_right():
    labels, cnn, ours = np.array([0, 0, 0, 0, 0]), np.array([0, 1, 0, 1, 1]), np.array([0, 1, 2, 0, 2])
    assert np.array_equal(decisions.agreement(ours, cnn, labels), [0.2] * 5)


def test_seeds_of_a_network_and_time_constant_stand_together():
    configurations = [decided(seed=0), decided(tau=None), decided(seed=3)]
    groups = decisions.by_network(configurations)
    assert list(groups) == [("LIF", 0.005), ("LIF", None)]
    assert [seed.configuration["seed"] for seed in groups["LIF", 0.005]] == [0, 3]


class TestRefused:
    """Files that do not belong together are refused in one sentence."""

    def test_decisions_of_other_settings(self, tmp_path):
        path = tmp_path / "test-decisions.npz"
        decisions.write(path, decided(settings="a"))
        assert len(decisions.read_all([path], ["a"])) == len(decisions.read_all([path])) == 1
        with pytest.raises(InputError, match=r"test-decisions.npz was made with other settings than belong here; give"):
            decisions.read_all([path], ["b"])

    def test_seeds_with_the_same_logits(self):
        one, other = logits_of(classes(0.5)[:, None]), logits_of(classes(0.4)[:, None])

        def of_seeds(logits, **described):
            return [
                decided(seed=seed, logits_sha256=decisions.fingerprint(of_seed), **described)
                for seed, of_seed in enumerate(logits)
            ]

        decisions.check_seeds(of_seeds([one, other]))
        with pytest.raises(InputError, match="LIF, tau_syn_s 0.005, has the very same logits with the seeds 0 and 2"):
            decisions.check_seeds(of_seeds([one, other, one]))
        decisions.check_seeds(of_seeds([one, one], seed_matters=False))

    def test_networks_that_no_spike_has_reached_may_be_alike(self):
        silent = np.tile(np.float32([0.1, 0.2, 0.3]), (5, 4, 1))
        assert decisions.fingerprint(silent) is None
        decisions.check_seeds([decided(seed=seed, logits_sha256=None) for seed in (0, 1)])
        spoken = silent.copy()
        spoken[4, 3, 2] = 0.4
        assert decisions.fingerprint(spoken) is not None


@pytest.mark.parametrize(
    ("neuron", "initial_voltage", "matters"),
    [("RLR", "random", False), ("LIF", "random", True), ("SRL", "half", False), ("A-LIF", "zero", False)],
)
def test_what_a_seed_changes(neuron, initial_voltage, matters):
    assert neurons.seed_matters(neuron, neurons.with_defaults(neuron, {}), initial_voltage) is matters
