"""Tables of comparisons, on decisions made up so that the answer is known."""

import numpy as np
import pandas as pd
import pytest

from csnn import words
from csnn.evaluation import comparisons, decisions, metrics, readouts, tables
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED
from example_decisions import LABELS, classes, configuration

READOUTS = readouts.configured([2, 3], [1], hold=1)


def decided(accuracy, *, windows=(0.0, 0.0), latency=3, **described) -> decisions.Decided:
    """Return decisions with an accuracy at the final step; `windows` add to it, and early decisions take `latency`."""
    leaders = np.repeat(classes(accuracy)[:, np.newaxis], 4, axis=1)
    leaders[:, :2] = (LABELS[:, np.newaxis] + 1) % 4  # wrong in half of the steps
    made = decisions.Decided(
        configuration(**described),
        [readout.name for readout in READOUTS],
        np.array([classes(accuracy), *(classes(accuracy + more) for more in windows), classes(accuracy - 0.0025)]),
        np.array([[4] * 400] * 3 + [[latency] * 400]),
        leaders,
        LABELS,
        classes(0.8),
        [],
        {},
    )
    scored = {name: metrics.accuracy(made.right(name)) for name in (TIME_AVERAGED, FINAL_STEP)}
    return made._replace(scores=decisions.score_readouts(made, READOUTS, scored))


def table(*configurations: decisions.Decided) -> pd.DataFrame:
    """Return the table of scores."""
    return tables.scores({"base": (np.eye(4)[classes(0.8)], LABELS)}, configurations)


def test_every_readout_has_a_row_with_its_gap_to_the_cnn():
    scores = table(decided(0.7, windows=(0.05, 0.1)))[1:]
    assert list(scores["readout"]) == [
        "time-averaged", "final step", "mean of last 2", "mean of last 3", "margin 1 for 1",
    ]  # fmt: skip
    np.testing.assert_allclose(scores["accuracy"], [0.35, 0.7, 0.75, 0.8, 0.6975], atol=1e-9)
    np.testing.assert_allclose(scores["gap_points"], [45, 10, 5, 0, 10.25], atol=1e-9)
    assert (scores["gap_points_low"] <= scores["gap_points"]).all()
    assert scores["gap_points_low"].iloc[1] > 0 == scores["gap_points_low"].iloc[3]
    assert scores["latency_ms"].tolist()[1:] == [4, 4, 4, 3]
    assert pd.isna(scores["latency_ms"].iloc[0])
    assert scores["agreement"].iloc[3] == 1


class TestChoice:
    """What is chosen on validation images."""

    def test_one_time_constant_and_its_readouts(self):
        validation = table(
            decided(0.70, tau=0.005, windows=(0.0, 0.03)),
            decided(0.71, tau=0.01, windows=(0.04, 0.03)),
            decided(0.72, tau=0.02),
        )
        chosen = comparisons.choose(validation)
        assert set(chosen["tau_syn_s"]) == {0.01}
        assert list(chosen["readout"]) == ["final step", "mean of last 2", "margin 1 for 1"]
        assert chosen["validation_accuracy"].iloc[:2].tolist() == pytest.approx([0.71, 0.75])
        assert chosen["best"].tolist() == [False, True, False]

    def test_the_best_is_among_networks_that_spike(self):
        validation = table(decided(0.79, network="RLR"), decided(0.6, network="SRL", tau=None))
        chosen = comparisons.choose(validation)
        assert set(chosen.loc[chosen["best"], "network"]) == {"SRL"}
        assert len(chosen) == 6


def test_the_gap_is_of_means_over_seeds_on_the_test_images():
    choices = comparisons.choose(table(decided(0.7, windows=(0.0, 0.05))))
    gap = comparisons.gap_table(choices, [decided(0.6, windows=(0, 0.2)), decided(0.7, seed=1, windows=(0, 0.1))])
    assert list(gap["readout"]) == ["final step", "mean of last 3", "margin 1 for 1"]
    np.testing.assert_allclose(gap["accuracy"][:2], [0.65, 0.8])
    np.testing.assert_allclose(gap["gap_points"][:2], [15, 0], atol=1e-9)
    np.testing.assert_allclose(gap["seed_sd_points"][:2], [100 * np.std([0.6, 0.7], ddof=1), 0], atol=1e-9)
    assert list(gap["against_cnn"]) == ["lower", "no difference shown", "lower"]
    assert set(gap["seeds"]) == {2}
    markdown = words.to_markdown(words.readable(gap), "How to read it.")
    assert markdown.startswith("How to read it.\n\n|")
    low, high = metrics.wilson_interval(320, 400)
    assert f"80.00          | {100 * low:.2f} to {100 * high:.2f}" in markdown
    assert "| 5        |" in markdown


@pytest.mark.slow
def test_claims_are_answered_by_tests():
    configurations = [
        decided(0.6, network="RLR", tau=0.005), decided(0.3, network="RLR", tau=0.02),
        decided(0.6, network="LIF", tau=0.005), decided(0.5, network="LIF", tau=0.02),
        decided(0.6, network="A-LIF", tau=0.005), decided(0.45, network="A-LIF", tau=0.02),
    ]  # fmt: skip
    claims = comparisons.claims(configurations)
    last = claims[claims["readout"] == "final step"].set_index("comparison")
    robust = last.loc["loss of LIF - loss of RLR, tau 5 to 20 ms"]
    assert robust["difference_points"] == pytest.approx(-20)
    assert robust["answer"] == "loses less: supported"
    assert last.loc["A-LIF - LIF, tau 5 ms", "answer"] == "no difference shown"
    assert last.loc["A-LIF - LIF, tau 20 ms", "answer"] == "lower: contradicted"
    assert last.loc["A-LIF - LIF, tau 20 ms", "difference_points_high"] < 0
    assert set(claims["readout"]) == {*(readout.name for readout in READOUTS), TIME_AVERAGED}


@pytest.mark.slow
def test_kinds_of_synapse_are_told_apart_where_any_is_not_a_lowpass():
    lowpass = [decided(0.6, network=name, tau=tau) for name in ("RLR", "LIF") for tau in (0.005, 0.02)]
    alpha = [
        decided(share, network=f"{name}/alpha", neuron=name, spiking=name == "LIF", tau=tau, synapse="alpha")
        for name, share in (("RLR", 0.2), ("LIF", 0.5))
        for tau in (0.005, 0.02)
    ]
    scores = table(*lowpass, *alpha)
    assert list(scores.columns) == [*tables.SETTINGS, "synapse", *tables.COLUMNS[len(tables.SETTINGS) :]]
    assert scores["synapse"].isna().tolist() == [True] + [False] * (len(scores) - 1), "the CNN has none"
    assert dict(zip(scores["network"][1:], scores["synapse"][1:], strict=True)) == {
        "RLR": "lowpass", "LIF": "lowpass", "RLR/alpha": "alpha", "LIF/alpha": "alpha",
    }  # fmt: skip
    assert list(table(*lowpass).columns) == tables.COLUMNS
    assert {"RLR/alpha accuracy (%)", "RLR accuracy (%)"} <= set(tables.table2(scores))
    chosen = comparisons.choose(scores)
    assert set(chosen["synapse"]) == {"lowpass", "alpha"}
    gap = comparisons.gap_table(chosen, [*lowpass[1::2], *alpha[1::2]])
    assert gap["synapse"].tolist() == ["lowpass"] * 6 + ["alpha"] * 6
    assert words.readable(gap)["synapse"].tolist() == gap["synapse"].tolist()
    claims = comparisons.claims([*lowpass, *alpha])
    assert set(claims["synapse"]) == {"lowpass", "alpha"} and len(claims) == 2 * (len(READOUTS) + 1)
    assert "synapse" not in comparisons.claims(lowpass)


def test_claims_without_the_neurons_are_an_empty_table():
    assert comparisons.claims([decided(0.5, network="SRL")]).empty


def test_effort_has_each_cnn_with_its_networks_at_the_final_step():
    making = {"base": {"from": None, "made_by": "training"}, "lsq": {"from": "base", "made_by": "least squares"}}
    columns = ["cnn", "cnn_accuracy", "neuron", "max_rate_hz", "tau_syn_s", "readout"]
    scores = {"accuracy": 0.7, "accuracy_low": 0.6, "accuracy_high": 0.8}
    rows = [("lsq", 0.8, "LIF", 415, 0.01, "final step"), ("lsq", 0.8, "LIF", 415, 0.01, "mean of last 20")]
    gap = pd.DataFrame([dict(zip(columns, row, strict=True)) | scores for row in rows])
    effort = comparisons.effort_table(making, {"lsq": 12.5}, gap)
    assert effort["cnn"].tolist() == ["base", "lsq"]  # one has no network, the other one readout
    assert effort["seconds"].isna().tolist() == [True, False]
    assert effort["neuron"].isna().tolist() == [True, False]
    assert effort.loc[1, ["accuracy", "from"]].tolist() == [0.7, "base"]
