"""The layout and the arithmetic of the tables, on scores small enough to check by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from csnn import words
from csnn.evaluation import metrics, readouts, tables
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED
from csnn.files import write_table
from csnn.words import CNN
from example_decisions import LABELS, decided

PUBLISHED = Path(tables.__file__).parents[3] / "resources" / "published_table2.csv"


def rows(network: str, tau_syn_s: float | None, seed: int | None, accuracy: float, loss: float) -> list[dict]:
    """Rows of one configuration, the final step better than the time average by 0.1 and 0.5; or the row of a CNN."""
    settings = {"network": network, "cnn": "base", "neuron": network, "max_rate_hz": 415, "initial_voltage": "random"}
    settings |= {"tau_syn_s": tau_syn_s, "spiking": True, "seed": seed, "images": 1000}

    def scored(readout: str | None, accuracy: float, loss: float) -> dict:
        values = {"accuracy": accuracy, "loss": loss}
        bounds = {f"{name}_{bound}": value + shift for name, value in values.items() for bound, shift in BOUNDS.items()}
        return settings | {"readout": readout, "kind": readout} | values | bounds

    if network == CNN:
        return [scored(None, accuracy, loss)]
    return [scored(TIME_AVERAGED, accuracy, loss), scored(FINAL_STEP, accuracy + 0.1, loss - 0.5)]


BOUNDS = {"low": -0.05, "high": 0.05}


def table(*configurations: list[dict]) -> pd.DataFrame:
    """Return a table of scores of made-up configurations."""
    return tables.typed(pd.DataFrame([row for rows in configurations for row in rows], columns=tables.COLUMNS))


@pytest.fixture
def paper() -> pd.DataFrame:
    """Two neurons and two taus, these not in order."""
    return table(
        rows("CNN", None, None, 0.7103, 0.8935),
        rows("RLR", 0.010, 0, 0.3125, 2.0),
        rows("RLR", 0.005, 0, 0.4, 1.834),
        rows("SRL", 0.005, 0, 0.39731, 1.736),
        rows("SRL", 0.010, 0, 0.3, 2.0149),
    )


class TestScores:
    """The tidy table."""

    LOGITS = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)

    def test_has_a_row_for_each_cnn_and_for_each_readout_of_each_configuration(self):
        configured = readouts.configured([2], [1, 2], hold=1)
        configurations = [
            decided(network="SRL", tau=0.01, configured=configured),
            decided(network="SRL", tau=None, seed=2, configured=configured),
            decided(network="small/RLR", cnn="small", configured=configured),
        ]
        frame = tables.scores({"base": (self.LOGITS, LABELS), "small": (self.LOGITS[::-1], LABELS)}, configurations)
        assert list(frame.columns) == tables.COLUMNS
        assert list(frame["network"]) == ["CNN", "small/CNN"] + ["SRL"] * 10 + ["small/RLR"] * 5
        assert list(frame["readout"][2:7]) == [
            "time-averaged", "final step", "mean of last 2", "margin 1 for 1", "margin 2 for 1",
        ]  # fmt: skip
        assert frame.loc[:1, ["tau_syn_s", "seed", "readout"]].isna().all(axis=None)
        assert frame["tau_syn_s"][2:].isna().sum() == 5 and list(frame["seed"][2:12]) == [0] * 5 + [2] * 5
        assert not frame.loc[frame["network"] == "small/RLR", "spiking"].any()
        assert (frame["images"] == 400).all()

    def test_holds_the_scores_of_the_answers_unchanged(self):
        configuration = decided(leaders=self.LOGITS.argsort(axis=1))
        frame = tables.scores({"base": (self.LOGITS, LABELS)}, [configuration])
        cnn = metrics.score(self.LOGITS, LABELS)[FINAL_STEP]
        assert frame.loc[0, list(cnn)].to_dict() == cnn and frame.loc[0, "cnn_accuracy"] == cnn["accuracy"]
        for (_, row), scored in zip(frame[1:].iterrows(), configuration.scores, strict=True):
            for name, value in scored.items():
                assert row[name] == value or (pd.isna(row[name]) and value is None), name

    def test_bounds_that_are_unknown_are_empty(self):
        frame = tables.scores({"base": (np.zeros((400, 4)), LABELS)}, [])
        assert frame["loss_low"].dtype == float and frame["loss_low"].isna().all()

    def test_read_back_from_the_file_it_is_the_same(self, tmp_path):
        configurations = [decided(network="SRL", tau=tau, seed=seed) for tau in (0.005, None) for seed in (0, 1)]
        frame = tables.scores({"base": (self.LOGITS, LABELS)}, configurations)
        write_table(tmp_path / "scores.csv", frame)
        pd.testing.assert_frame_equal(tables.read(tmp_path / "scores.csv"), frame)


def test_no_filter_comes_before_the_taus():
    frame = table(*(rows("LIF", tau, 0, 0.5, 1) for tau in (0.02, None, 0.005)))
    assert list(tables.table2(frame)["tau (ms)"]) == ["no filter", "5", "20"]


def test_time_constants_that_read_alike_keep_a_line_each():
    frame = table(rows("LIF", 0.005, 0, 0.5, 1), rows("LIF", 0.005000000001, 0, 0.6, 1))
    assert tables.table2(frame).to_numpy().tolist() == [["5", "50.00", "1.00"], ["5", "60.00", "1.00"]]


def test_table2_has_the_papers_layout(paper):
    assert tables.table2(paper).to_csv(index=False) == (
        "tau (ms),CNN accuracy (%),CNN loss,RLR accuracy (%),RLR loss,SRL accuracy (%),SRL loss\n"
        "–,71.03,0.89,,,,\n"
        "5,,,40.00,1.83,39.73,1.74\n"
        "10,,,31.25,2.00,30.00,2.01\n"
    )


def test_table1_is_the_first_columns_of_table2(paper):
    whole = tables.table2(paper)
    pd.testing.assert_frame_equal(tables.table1(paper), whole[whole.columns[:5]])


def test_table1_without_rlr_takes_the_first_neuron():
    frame = table(rows("CNN", None, None, 0.7, 0.9), rows("LIF", 0.005, 0, 0.5, 1), rows("SRL", 0.005, 0, 0.4, 1))
    assert list(tables.table1(frame).columns[1:]) == ["CNN accuracy (%)", "CNN loss", "LIF accuracy (%)", "LIF loss"]
    assert list(tables.table1(frame, "SRL").columns[3:]) == ["SRL accuracy (%)", "SRL loss"]


def test_a_tau_that_one_neuron_lacks_is_an_empty_cell():
    frame = table(rows("RLR", 0.005, 0, 0.4, 2), rows("LIF", 0.01, 0, 0.5, 1))
    assert tables.table2(frame).to_numpy().tolist() == [["5", "40.00", "2.00", "", ""], ["10", "", "", "50.00", "1.00"]]


@pytest.fixture
def seeds() -> pd.DataFrame:
    of_seeds = [rows("SRL", 0.005, seed, accuracy, 2.0) for seed, accuracy in enumerate((0.30, 0.32, 0.34))]
    return table(rows("CNN", None, None, 0.7, 0.9), *of_seeds)


def test_several_seeds_are_averaged_with_their_spread(seeds):
    assert tables.table2(seeds).loc[1, "SRL accuracy (%)"] == "32.00 ± 2.00"
    assert tables.table2(seeds).loc[0, "CNN accuracy (%)"] == "70.00"
    means = tables.over_seeds(seeds)
    assert means.loc[1, "accuracy_low"] == pytest.approx(0.27)
    assert means.loc[1, "accuracy_sd"] == pytest.approx(np.std([0.30, 0.32, 0.34], ddof=1))


def test_markdown_says_what_the_numbers_are(paper, seeds):
    text = words.to_markdown(words.readable(tables.table2(paper)), tables.caption(paper))
    caption, empty, header, rule, cnn, *rest = text.splitlines()
    assert "all time steps" in caption
    assert "1000 test images" in caption and "seed 0 " in caption
    assert empty == "" and set(rule) == set("|-:")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, cnn, *rest)]
    assert cells == [list(tables.table2(paper)), *tables.table2(paper).to_numpy().tolist()]
    assert "seeds 0, 1, 2 " in tables.caption(seeds)
    assert "± standard deviation" in tables.caption(seeds)


def test_comparison_puts_ours_beside_the_published(paper):
    published = pd.DataFrame(
        {
            "neuron": ["CNN", "SRL", "SRL", "LIF"],
            "tau_syn_s": [None, 0.005, 0.015, 0.005],
            "accuracy": [0.7, 0.4, 0.3, 0.2],
            "loss": [0.84, 1.5, 2.0, 2.0],
            "source": "somewhere",
        }
    )
    compared = tables.comparison(paper, published)
    assert list(compared["neuron"]) == ["CNN", "SRL"]  # what only one side has cannot be compared
    assert compared.loc[1, "tau_syn_ms"] == pytest.approx(5)
    assert list(compared["accuracy_published_percent"]) == pytest.approx([70, 40])
    assert list(compared["accuracy_ours_percent"]) == pytest.approx([71.03, 39.731])
    assert list(compared["accuracy_difference_points"]) == pytest.approx([1.03, -0.269])
    assert list(compared["loss_difference"]) == pytest.approx([0.0535, 0.236])
    text = words.to_markdown(words.readable(compared), "Differences are ours minus the paper's.")
    assert "ours minus the paper's" in text.splitlines()[0]
    assert "+1.03" in text and "-0.27" in text


def test_published_table_fits_the_papers_experiment():
    """Every neuron and tau of the paper, and the trend that its text describes: RLR loses accuracy with rising tau."""
    published = pd.read_csv(PUBLISHED)
    ours = [rows("CNN", None, None, 0.7, 0.9)]
    taus = (0.005, 0.010, 0.015, 0.020)
    ours += [rows(neuron, tau, 0, 0.3, 2) for neuron in ("RLR", "SRL", "LIF", "A-LIF") for tau in taus]
    assert len(tables.comparison(table(*ours), published)) == len(published) == 17
    rlr = published[published["neuron"] == "RLR"]
    assert rlr["accuracy"].is_monotonic_decreasing and rlr["loss"].is_monotonic_increasing
    assert published["accuracy"].between(0, 1).all()


def test_a_comparison_without_common_configurations_is_an_empty_table(paper):
    published = pd.read_csv(PUBLISHED)
    compared = tables.comparison(paper[paper["neuron"] == "SRL"], published[published["neuron"] == "LIF"])
    assert compared.empty
    assert words.to_markdown(words.readable(compared), tables.caption(paper)).startswith(
        "Time-averaged, over all time steps"
    )


def test_variants_stand_in_table_2_with_their_own_cnn():
    frame = table(rows("CNN", None, None, 0.9, 0.5), rows("SRL", 0.005, 0, 0.8, 1))
    small = frame.assign(network="small/" + frame["network"], cnn="small", accuracy=[0.2, 0.17, 0.16])
    both = pd.concat([frame, small])
    assert list(tables.table2(both).columns[1::2]) == [
        f"{network} accuracy (%)" for network in ("CNN", "SRL", "small/CNN", "small/SRL")
    ]
    assert list(tables.table1(small).columns[1::2]) == ["small/CNN accuracy (%)", "small/SRL accuracy (%)"]


def test_a_table_reads_in_percent_milliseconds_and_intervals():
    frame = table(rows("CNN", None, None, 0.7, 0.9), rows("SRL", None, 0, 0.5, 1), rows("SRL", 0.0025, 0, 0.5, 1))
    read = words.readable(frame.assign(p=[0.0001, 0.5, 0.04, 0.05, 1]))
    assert list(read["τ (ms)"]) == ["", "no filter", "no filter", "2.5", "2.5"]
    assert read.loc[0, ["accuracy (%)", "accuracy, 95 % interval"]].tolist() == ["70.00", "65.00 to 75.00"]
    assert list(read["p"]) == ["< 0.001", "0.500", "0.040", "0.050", "1.000"]
    assert (read["agrees with its CNN (%)"] == "").all() and list(read["seed"]) == ["", "0", "0", "0", "0"]
    assert not [column for column in read if column.endswith(("_low", "_high"))]
