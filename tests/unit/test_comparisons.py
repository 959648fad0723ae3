"""Tables of comparisons, on decisions made up so that the answer is known."""

import numpy as np
import pandas as pd
import pytest

from csnn.evaluation import comparisons, decisions, metrics, readouts

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 3, 400)
READOUTS = readouts.configured([2, 3], [1], hold=1)


def decided(accuracy, *, network="LIF", tau=0.005, seed=0, windows=(0.0, 0.0), latency=3, **about) -> decisions.Decided:
    """Return decisions with an accuracy at the last step; `windows` add to it, and early decisions take `latency`."""
    neuron = network.split("/")[-1]
    settings = {"network": network, "variant": "base", "neuron": neuron, "spiking": neuron != "RLR"}
    settings |= {"max_rate_hz": 415, "initial_voltage": "random", "tau_syn_s": tau, "seed": seed, "dt_s": 0.001}
    order = np.arange(400) / 400

    def classes(share):
        return np.where(order < share, LABELS, (LABELS + 1) % 3)

    return decisions.Decided(
        settings | about,
        READOUTS,
        np.array([classes(accuracy), *(classes(accuracy + more) for more in windows), classes(accuracy - 0.0025)]),
        np.array([[4] * 400] * 3 + [[latency] * 400]),
        LABELS,
        classes(0.8),
        np.full(400, 2),
        (order < accuracy) * 0.5,
        np.linspace(0, accuracy, 4),
    )


def test_decisions_are_read_as_they_were_written(tmp_path):
    written = decided(0.5, tau=None)
    decisions.write(tmp_path / "decisions.npz", written)
    read = decisions.read(tmp_path / "decisions.npz")
    assert (read.about, read.readouts) == (written.about, written.readouts)
    for ours, theirs in zip(read[2:], written[2:], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_deciding_applies_every_readout_to_the_logits():
    logits = RANDOM.random((400, 6, 3)).astype(np.float32)
    made = decisions.decide({}, logits, LABELS, logits[:, 0], READOUTS)
    for number, readout in enumerate(READOUTS):
        np.testing.assert_array_equal(made.classes[number], readout.decide(logits).classes)
        np.testing.assert_array_equal(made.right(number), readout.decide(logits).classes == LABELS)
    np.testing.assert_array_equal(made.cnn_right, logits[:, 0].argmax(1) == LABELS)
    assert made.right_share.mean() == pytest.approx(made.right_per_step.mean())


def test_every_readout_has_a_row_with_its_gap_to_the_cnn():
    table = comparisons.readout_table([decided(0.7, windows=(0.05, 0.1))])
    assert list(table["readout"]) == [
        "last step", "mean of last 2", "mean of last 3", "margin 1 for 1", "average over all steps",
    ]  # fmt: skip
    np.testing.assert_allclose(table["accuracy"], [0.7, 0.75, 0.8, 0.6975, 0.35], atol=1e-9)
    np.testing.assert_allclose(table["gap_points"], [10, 5, 0, 10.25, 45], atol=1e-9)
    assert (table["gap_points_low"] <= table["gap_points"]).all()
    assert table["gap_points_low"][0] > 0 == table["gap_points_low"][2]
    assert table["latency_ms"].tolist()[:4] == [4, 4, 4, 3]
    assert pd.isna(table["latency_ms"][4])
    assert table["agreement"][2] == 1


class TestChoice:
    """What is chosen on validation images."""

    def test_one_time_constant_and_its_readouts(self):
        validation = comparisons.readout_table(
            [decided(0.70, tau=0.005, windows=(0.0, 0.03)), decided(0.71, tau=0.01, windows=(0.04, 0.03)),
             decided(0.72, tau=0.02)]
        )  # fmt: skip
        chosen = comparisons.choose(validation)
        assert set(chosen["tau_syn_s"]) == {0.01}
        assert list(chosen["readout"]) == ["last step", "mean of last 2", "margin 1 for 1"]
        assert chosen["validation_accuracy"].iloc[:2].tolist() == pytest.approx([0.71, 0.75])
        assert chosen["best"].tolist() == [False, True, False]

    def test_the_best_is_among_networks_that_spike(self):
        validation = comparisons.readout_table([decided(0.79, network="RLR"), decided(0.6, network="SRL", tau=None)])
        chosen = comparisons.choose(validation)
        assert set(chosen.loc[chosen["best"], "network"]) == {"SRL"}
        assert len(chosen) == 6


def test_the_gap_is_of_means_over_seeds_on_the_test_images():
    choices = comparisons.choose(comparisons.readout_table([decided(0.7, windows=(0.0, 0.05))]))
    table = comparisons.gap_table(choices, [decided(0.6, windows=(0, 0.2)), decided(0.7, seed=1, windows=(0, 0.1))])
    assert list(table["readout"]) == ["last step", "mean of last 3", "margin 1 for 1"]
    np.testing.assert_allclose(table["accuracy"][:2], [0.65, 0.8])
    np.testing.assert_allclose(table["gap_points"][:2], [15, 0], atol=1e-9)
    np.testing.assert_allclose(table["seed_sd_points"][:2], [100 * np.std([0.6, 0.7], ddof=1), 0], atol=1e-9)
    assert list(table["against_cnn"]) == ["lower", "no difference shown", "lower"]
    assert set(table["seeds"]) == {2}
    markdown = comparisons.to_markdown(comparisons.with_intervals(table), "How to read it.")
    assert markdown.startswith("How to read it.\n\n|")
    low, high = metrics.wilson_interval(320, 400)
    assert f"80.00 [{100 * low:.2f}, {100 * high:.2f}]" in markdown
    assert "5 ms" in markdown


def test_claims_are_answered_by_tests():
    configurations = [
        decided(0.6, network="RLR", tau=0.005), decided(0.3, network="RLR", tau=0.02),
        decided(0.6, network="LIF", tau=0.005), decided(0.5, network="LIF", tau=0.02),
        decided(0.6, network="A-LIF", tau=0.005), decided(0.45, network="A-LIF", tau=0.02),
    ]  # fmt: skip
    table = comparisons.claims(configurations)
    last = table[table["readout"] == "last step"].set_index("comparison")
    robust = last.loc["loss of LIF - loss of RLR, tau 5 to 20 ms"]
    assert robust["difference_points"] == pytest.approx(-20)
    assert robust["answer"] == "loses less: supported"
    assert last.loc["A-LIF - LIF, tau 5 ms", "answer"] == "no difference shown"
    assert last.loc["A-LIF - LIF, tau 20 ms", "answer"] == "lower: contradicted"
    assert last.loc["A-LIF - LIF, tau 20 ms", "difference_points_high"] < 0
    assert set(table["readout"]) == {*(readout.name for readout in READOUTS), comparisons.TIME_AVERAGED}


def test_claims_without_the_neurons_are_an_empty_table():
    assert comparisons.claims([decided(0.5, network="SRL")]).empty
