"""What must be true of every number is checked while an experiment runs, and a wrong number stops it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss

from csnn import neurons
from csnn.evaluation import invariants, metrics
from csnn.files import InputError, write_json
from test_metrics import logits_and_labels, softmax


@settings(deadline=None, max_examples=30)
@given(logits_and_labels(15))  # scikit-learn takes no share below 2e-16
def test_metrics_and_scikit_learn_and_the_second_computation_agree(case):
    logits, labels = case
    logits = logits.astype(np.float32)
    scores = metrics.score(logits, labels)
    invariants.check_scores("test.npz", scores, logits, labels)
    classes = range(logits.shape[2])
    last = logits[:, -1].astype(np.float64)
    assert scores["accuracy_last_step"] == accuracy_score(labels, last.argmax(axis=1))
    loss = log_loss(labels, softmax(last), labels=classes)
    assert scores["loss_last_step"] == pytest.approx(loss, rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(logits_and_labels(3e38), st.integers(0, 3))
def test_extreme_logits_are_computed_stably_by_both(case, ties):
    logits, labels = case
    logits[:, :, : ties + 1] = logits[:, :, :1]  # of equal logits the first class wins
    logits = logits.astype(np.float32)
    scores = metrics.score(logits, labels)
    assert all(np.isfinite(scores[f"loss_{reading}"]) for reading in ("time_averaged", "last_step"))
    invariants.check_scores("test.npz", scores, logits, labels)


@pytest.mark.parametrize(
    "name", ["accuracy_time_averaged", "loss_time_averaged", "accuracy_last_step", "loss_last_step"]
)
def test_a_wrong_score_is_refused(name):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(50, 6, 4)).astype(np.float32), rng.integers(0, 4, 50)
    scores = metrics.score(logits, labels)
    wrong = scores | {name: scores[name] + 1e-6}
    with pytest.raises(
        InputError, match=f"{name} of test.npz is .* when computed again from the stored logits; delete"
    ):
        invariants.check_scores("test.npz", wrong, logits, labels)


def test_a_missing_or_doubled_image_is_refused():
    logits, labels = np.zeros((3, 2, 4), np.float32), np.zeros(3, int)
    with pytest.raises(InputError, match="images of test.npz is 3, but 2"):
        invariants.check_scores("test.npz", metrics.score(logits, labels), logits[:2], labels[:2])


def configurations(logits_of_seeds, seed_matters=True):
    return [
        {
            "neuron": "LIF",
            "tau_syn_s": 0.005,
            "seed": seed,
            "logits_sha256": invariants.fingerprint(logits),
            "seed_matters": seed_matters,
        }
        for seed, logits in enumerate(logits_of_seeds)
    ]


def test_seeds_must_differ_where_something_is_drawn():
    one, other = np.random.default_rng(0).random((2, 5, 4, 3), np.float32)
    invariants.check_seeds(configurations([one, other]))
    with pytest.raises(InputError, match="LIF, tau_syn_s 0.005, has the very same logits with the seeds 0 and 2"):
        invariants.check_seeds(configurations([one, other, one]))
    invariants.check_seeds(configurations([one, one], seed_matters=False))


def test_networks_that_no_spike_has_reached_may_be_alike():
    silent = np.tile(np.float32([0.1, 0.2, 0.3]), (5, 4, 1))
    assert invariants.fingerprint(silent) is None
    invariants.check_seeds(configurations([silent, silent]))
    spoken = silent.copy()
    spoken[4, 3, 2] = 0.4
    assert invariants.fingerprint(spoken) is not None


@pytest.mark.parametrize(
    ("neuron", "initial_voltage", "matters"),
    [("RLR", "random", False), ("LIF", "random", True), ("SRL", "half", False), ("A-LIF", "zero", False)],
)
def test_what_a_seed_changes(neuron, initial_voltage, matters):
    assert neurons.seed_matters(neuron, neurons.with_defaults(neuron, {}), initial_voltage) is matters


def test_scores_of_other_settings_or_images_are_refused():
    made_with = {"steps": 100}
    scores = {"a/scores.json": {"settings": made_with, "images_sha256": "sha256:1"}}
    invariants.check_origins(scores, [invariants.digest_of(made_with)], "sha256:1")
    with pytest.raises(InputError, match=r"^a/scores.json was made with other settings than belong here; delete it"):
        invariants.check_origins(scores, [invariants.digest_of({"steps": 50})], "sha256:1")
    with pytest.raises(InputError, match=r"^a/scores.json is of other images than those that the CNN was evaluated on"):
        invariants.check_origins(scores, [invariants.digest_of(made_with)], "sha256:2")


def test_a_certificate_must_prove_what_was_simulated(tmp_path):
    path = str(tmp_path / "LIF-seed-0.json")
    certificate = {"network": "LIF", "seed": 0, "largest_difference": 1e-15, "tolerance": 1e-9}
    certificate["compiled_network"] = "sha256:1"
    simulated = {"neuron": "LIF", "seed": 0, "network_sha256": "sha256:1"}
    write_json(path, certificate)
    invariants.check_certificates([path], [simulated])
    with pytest.raises(InputError, match="is of another compiled network than the one that was simulated; delete it"):
        invariants.check_certificates([path], [simulated | {"network_sha256": "sha256:2"}])
    write_json(path, certificate | {"largest_difference": 1e-8})
    with pytest.raises(InputError, match="shows a difference from NengoDL of 1e-08, more than its tolerance 1e-09"):
        invariants.check_certificates([path], [simulated])
