"""The table of disturbed images and weights, on decisions made up so that the answer is known."""

import numpy as np
import pytest

from csnn import words
from csnn.evaluation import decisions, readouts, robustness, statistics, tables
from csnn.evaluation.robustness import Weights
from csnn.files import InputError, write_npz
from example_decisions import LABELS, classes, configuration, decided, logits_of

IMAGES = 200  # the first of 400


def disturbed(*accuracies: tuple[float, float], **described) -> decisions.Decided:
    """Return decisions about the first images at one strength after another: accuracies of network and CNN."""
    labels = np.tile(LABELS[:IMAGES], len(accuracies))
    both = [
        np.concatenate([classes(share / 2)[:IMAGES] for share in shares]) for shares in zip(*accuracies, strict=True)
    ]
    network, cnn = map(logits_of, both)
    return decisions.decide(
        configuration(**described), network[:, np.newaxis], labels, cnn, readouts.configured([], [], 1)
    )


@pytest.fixture
def table():
    clean = [decided(0.45, 0.475, network="LIF"), decided(0.45, 0.475, network="SRL")]  # of the first 200: 90 and 95 %
    blur = [
        disturbed((0.85, 0.9), (0.4, 0.7), network="LIF"),
        disturbed((0.85, 0.9), (0.65, 0.7), network="SRL"),
    ]
    half = Weights([("weight_bits", 4)], (classes(0.25)[:IMAGES])[np.newaxis], LABELS[:IMAGES])
    return robustness.table(clean, {"blur": blur}, [1, 5], [half, half._replace(labels=LABELS[:IMAGES])], IMAGES)


def test_rows_are_of_every_disturbance_and_network_and_of_the_cnn_where_it_is_disturbed(table):
    assert list(table[["corruption", "strength", "network"]].itertuples(index=False, name=None)) == [
        *(("clean", 0, name) for name in ("CNN", "LIF", "SRL")),
        *(("blur", 1, name) for name in ("CNN", "LIF", "SRL")),
        *(("blur", 5, name) for name in ("CNN", "LIF", "SRL")),
        *(("weight_bits", 4, name) for name in ("LIF", "SRL")),
    ]
    assert set(table["images"]) == {IMAGES}
    np.testing.assert_allclose(table["accuracy"], [0.95, 0.9, 0.9, 0.9, 0.85, 0.85, 0.7, 0.4, 0.65, 0.5, 0.5])
    assert (table["accuracy_low"] < table["accuracy"]).all() and (table["accuracy"] < table["accuracy_high"]).all()


def test_losses_are_paired_with_the_same_images_clean(table):
    lost = table[table["corruption"] != "clean"].set_index(["corruption", "strength", "network"])
    np.testing.assert_allclose(lost["lost_points"], [5, 5, 5, 25, 50, 25, 40, 40], atol=1e-9)
    right, before = np.arange(IMAGES) < 80, np.arange(IMAGES) < 180
    row = lost.loc[("blur", 5, "LIF")]
    difference, low, high = statistics.paired_difference(before, right)
    expected = [100 * difference, 100 * low, 100 * high]
    np.testing.assert_allclose([row["lost_points"], row["lost_points_low"], row["lost_points_high"]], expected)
    assert set(lost["against_clean"]) == {"lower"}
    clean = table[table["corruption"] == "clean"]
    assert clean[["lost_points", "p", "against_clean", "p_lost_more"]].isna().all(axis=None)


def test_p_is_of_mcnemar_adjusted_by_holm(table):
    lost = table[table["p"].notna()]
    before = {"CNN": 190, "LIF": 180, "SRL": 180}
    alone = [
        statistics.mcnemar(np.arange(IMAGES) < before[row.network], np.arange(IMAGES) < round(row.accuracy * IMAGES))
        for row in lost.itertuples()
    ]
    expected = [*statistics.holm(alone[:6]), *statistics.holm(alone[6:])]  # of blur, and of weights
    np.testing.assert_allclose(lost["p"], expected)


def test_a_network_that_loses_more_than_its_cnn_is_told_from_one_that_does_not(table):
    more = table[table["p_lost_more"].notna()].set_index(["strength", "network"])
    assert len(more) == 4
    assert more.loc[(5, "LIF"), "lost_more_points"] == pytest.approx(50 - 25)
    assert more.loc[(5, "LIF"), "against_cnn"] == "loses more"
    assert more.loc[(5, "SRL"), "lost_more_points"] == pytest.approx(0)
    assert more.loc[(5, "SRL"), "against_cnn"] == "no difference shown"


def test_a_network_that_loses_nothing():
    clean = [decided(0.5, 0.5)]
    table = robustness.table(clean, {"blur": [disturbed((1, 1))]}, [3], [], IMAGES)
    row = table[(table["network"] == "LIF") & (table["corruption"] == "blur")].iloc[0]
    assert (row["lost_points"], row["p"], row["against_clean"]) == (0, 1, "no difference shown")
    assert (row["lost_more_points"], row["p_lost_more"], row["against_cnn"]) == (0, 1, "no difference shown")


def test_weights_alone():
    noisy = Weights([("weight_noise", 0.1)], classes(0.1)[np.newaxis, :IMAGES], LABELS[:IMAGES])
    table = robustness.table([decided(0.5, 0.5)], {}, [1], [noisy], IMAGES)
    assert table["accuracy"].tolist() == [1, 1, 0.2]
    readable = words.readable(tables.brief(table))
    assert not {"CNN", "neuron", "seed", "images", "spiking"} & set(readable) and {"network", "τ (ms)"} < set(readable)
    assert readable["against clean"].tolist() == ["", "", "lower"]


def test_decisions_of_other_weights_are_refused(tmp_path):
    arrays, path = {"classes": np.zeros((1, 2), int), "labels": np.zeros(2, int)}, tmp_path / "weights.npz"
    clean = decided(settings="a")
    made = {"conditions": [("weight_bits", 8)], "settings": "a", "compiled_network": "sha256:1"}
    write_npz(path, arrays, made)
    assert robustness.read_weights(path, clean).conditions == [("weight_bits", 8)]
    for other in ({"settings": "b"}, {"compiled_network": "sha256:2"}):
        write_npz(path, arrays, made | other)
        with pytest.raises(InputError, match=r"weights.npz was made with other settings than belong here"):
            robustness.read_weights(path, clean)
