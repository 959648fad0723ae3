"""The layout and the arithmetic of the tables, on scores small enough to check by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from csnn.evaluation import metrics, tables

PUBLISHED = Path(tables.__file__).parents[3] / "resources" / "published_table2.csv"
READINGS = ["accuracy_time_averaged", "loss_time_averaged", "accuracy_last_step", "loss_last_step"]


def configuration(neuron: str, tau_syn_s: float | None, seed: int | None, accuracy: float, loss: float) -> dict:
    """Scores of one configuration, the last step better than the average by 0.1 and 0.5."""
    values = dict(zip(READINGS, (accuracy, loss, accuracy + 0.1, loss - 0.5), strict=True))
    bounds = {f"{name}_{bound}": value + shift for name, value in values.items() for bound, shift in BOUNDS.items()}
    return {"neuron": neuron, "tau_syn_s": tau_syn_s, "seed": seed, "images": 1000, **values, **bounds}


BOUNDS = {"low": -0.05, "high": 0.05}


@pytest.fixture
def paper() -> pd.DataFrame:
    """Two neurons and two taus, not in order."""
    return tables.scores(
        [
            configuration("RLR", 0.010, 0, 0.3125, 2.0),
            configuration("RLR", 0.005, 0, 0.4, 1.834),
            configuration("SRL", 0.005, 0, 0.39731, 1.736),
            configuration("CNN", None, None, 0.7103, 0.8935),
            configuration("SRL", 0.010, 0, 0.3, 2.0149),
        ]
    )


def test_scores_have_exactly_these_columns(paper):
    assert list(paper.columns[:8]) == ["neuron", "tau_syn_s", "seed", "images", *READINGS]
    assert set(paper.columns[8:]) == {f"{name}_{bound}" for name in READINGS for bound in BOUNDS}


def test_scores_are_one_row_each_the_cnn_first_then_as_configured(paper):
    assert list(paper["neuron"]) == ["CNN", "RLR", "RLR", "SRL", "SRL"]
    assert list(paper["tau_syn_s"][1:]) == [0.005, 0.010, 0.005, 0.010]
    assert paper.loc[0, ["tau_syn_s", "seed"]].isna().all()
    assert list(paper["accuracy_time_averaged"]) == [0.7103, 0.4, 0.3125, 0.39731, 0.3]


def test_scores_of_real_answers(paper):
    logits, labels = np.random.default_rng(0).normal(size=(20, 4, 3)), np.arange(20) % 3
    score = metrics.score(logits, labels)
    frame = tables.scores([{"neuron": "LIF", "tau_syn_s": None, "seed": 4, **score}])
    assert list(frame.columns) == list(paper.columns)
    assert frame.loc[0, list(score)].to_dict() == score


def test_bounds_that_are_unknown_are_empty(tmp_path):
    score = metrics.score(np.zeros((1, 4, 3)), np.array([0]))
    frame = tables.scores([{"neuron": "LIF", "tau_syn_s": 0.005, "seed": 0, **score}])
    assert frame["loss_last_step_low"].dtype == float and frame["loss_last_step_low"].isna().all()
    frame.to_csv(tmp_path / "scores.csv", index=False)
    pd.testing.assert_frame_equal(tables.scores(pd.read_csv(tmp_path / "scores.csv")), frame)


def test_scores_read_back_from_their_file_are_the_same(paper, tmp_path):
    paper.to_csv(tmp_path / "scores.csv", index=False)
    text = (tmp_path / "scores.csv").read_text().splitlines()
    assert text[1].startswith("CNN,,,1000,0.7103,0.8935,")
    assert text[2].startswith("RLR,0.005,0,1000,0.4,")
    pd.testing.assert_frame_equal(tables.scores(pd.read_csv(tmp_path / "scores.csv")), paper)


def test_no_filter_comes_before_the_taus():
    frame = tables.scores([configuration("LIF", tau, 0, 0.5, 1) for tau in (0.02, None, 0.005)])
    assert frame["tau_syn_s"].isna().tolist() == [True, False, False]
    assert list(tables.table2(frame)["tau (ms)"]) == ["no filter", "5", "20"]


@pytest.mark.parametrize("seeds", [(0, 0), (None, None)])
def test_a_configuration_that_comes_twice_is_refused(seeds):
    with pytest.raises(ValueError, match=r"LIF, tau 5 ms, .* come twice"):
        tables.scores([configuration("LIF", 0.005, seed, 0.5, 1) for seed in seeds])


def test_a_missing_score_is_refused():
    scores = configuration("LIF", 0.005, 0, 0.5, 1)
    with pytest.raises(ValueError, match="lack loss_last_step"):
        tables.scores([scores, configuration("LIF", 0.01, 0, 0.5, 1) | {"loss_last_step": np.nan}])
    del scores["loss_last_step"]
    with pytest.raises(ValueError, match="lack loss_last_step"):
        tables.scores([scores])


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
    frame = tables.scores(
        [
            configuration("CNN", None, None, 0.7, 0.9),
            configuration("LIF", 0.005, 0, 0.5, 1),
            configuration("SRL", 0.005, 0, 0.4, 1),
        ]
    )
    assert list(tables.table1(frame).columns[1:]) == ["CNN accuracy (%)", "CNN loss", "LIF accuracy (%)", "LIF loss"]
    assert list(tables.table1(frame, "SRL").columns[3:]) == ["SRL accuracy (%)", "SRL loss"]


def test_a_tau_that_one_neuron_lacks_is_an_empty_cell():
    frame = tables.scores([configuration("RLR", 0.005, 0, 0.4, 2), configuration("LIF", 0.01, 0, 0.5, 1)])
    assert tables.table2(frame).to_numpy().tolist() == [["5", "40.00", "2.00", "", ""], ["10", "", "", "50.00", "1.00"]]


@pytest.fixture
def seeds() -> pd.DataFrame:
    rows = [configuration("SRL", 0.005, seed, accuracy, 2.0) for seed, accuracy in enumerate((0.30, 0.32, 0.34))]
    return tables.scores([configuration("CNN", None, None, 0.7, 0.9), *rows])


def test_several_seeds_are_averaged_with_their_spread(seeds):
    assert tables.table2(seeds).loc[1, "SRL accuracy (%)"] == "32.00 ± 2.00"
    assert tables.table2(seeds).loc[0, "CNN accuracy (%)"] == "70.00"
    means = tables.over_seeds(seeds)
    assert means.loc[1, "accuracy_time_averaged_low"] == pytest.approx(0.27)
    assert means.loc[1, "accuracy_time_averaged_sd"] == pytest.approx(np.std([0.30, 0.32, 0.34], ddof=1))


def test_markdown_says_what_the_numbers_are(paper, seeds):
    caption, empty, header, rule, cnn, *rest = tables.to_markdown(tables.table2(paper), paper).splitlines()
    assert "all time steps" in caption and "paper" in caption
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
    table = tables.comparison(paper, published)
    assert list(table["neuron"]) == ["CNN", "SRL"]  # what only one side has cannot be compared
    assert table.loc[1, "tau_syn_ms"] == pytest.approx(5)
    assert list(table["accuracy_published_percent"]) == pytest.approx([70, 40])
    assert list(table["accuracy_ours_percent"]) == pytest.approx([71.03, 39.731])
    assert list(table["accuracy_difference_points"]) == pytest.approx([1.03, -0.269])
    assert list(table["loss_difference"]) == pytest.approx([0.0535, 0.236])
    text = tables.to_markdown(table, paper)
    assert "ours minus the paper's" in text.splitlines()[0]
    assert "+1.03" in text and "-0.27" in text


def test_published_table_fits_the_papers_experiment():
    """Every neuron and tau of the paper, and the trend that its text describes: RLR loses accuracy with rising tau."""
    published = pd.read_csv(PUBLISHED)
    ours = [configuration("CNN", None, None, 0.7, 0.9)]
    taus = (0.005, 0.010, 0.015, 0.020)
    ours += [configuration(neuron, tau, 0, 0.3, 2) for neuron in ("RLR", "SRL", "LIF", "A-LIF") for tau in taus]
    assert len(tables.comparison(tables.scores(ours), published)) == len(published) == 17
    rlr = published[published["neuron"] == "RLR"]
    assert rlr["accuracy"].is_monotonic_decreasing and rlr["loss"].is_monotonic_increasing
    assert published["accuracy"].between(0, 1).all()


def test_a_comparison_without_common_configurations_is_an_empty_table(paper):
    published = pd.read_csv(PUBLISHED)
    table = tables.comparison(paper[paper["neuron"] == "SRL"], published[published["neuron"] == "LIF"])
    assert table.empty
    assert tables.to_markdown(table, paper).startswith("Averages over all time steps")
