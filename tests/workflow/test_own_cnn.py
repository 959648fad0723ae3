"""With a variant of the CNN, every number in tables, figures and the report is of each network's own CNN."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from conftest import SMALL, changed, run_once, unpacked
from csnn.evaluation import decisions

# neurons not in alphabetical order: everything keeps the order of the configuration
VARIANT = changed(
    SMALL,
    {
        "experiment": "variant",
        "data.test_images": 120,
        "cnn.training.epochs": 8,
        "cnn.variants": {"small": {"architecture": {"dense_units": 2}, "tune": {"epochs": 1, "images": 300}}},
        "snn.neurons": {"SRL": {}, "RLR": {}},
        "snn.networks": [{"cnn": ["base"], "neurons": ["SRL", "RLR"]}, {"cnn": ["small"], "neurons": ["SRL"]}],
        "snn.tau_syn_s": [0.002],
        "snn.steps": 40,
        "simulation.images_per_shard": 120,
        "analyses": ["paper", "readouts"],
    },
)
NETWORKS = {"SRL": "cnn", "RLR": "cnn", "small/SRL": "cnn/small"}


@pytest.fixture(scope="module")
def variant(tmp_path_factory):
    return run_once(tmp_path_factory, "variant", VARIANT)


@pytest.fixture(scope="module")
def right(variant) -> dict[str, dict[str, float]]:
    """Accuracies and agreement at the final step, computed here from the stored logits."""
    values = {}
    for network, cnn in NETWORKS.items():
        with np.load(variant.results / network / "tau-0.002" / "seed-0" / "test.npz") as file:
            labels, decided = file["labels"], file["logits"][:, -1].argmax(1)
        with np.load(variant.results / cnn / "test-logits.npz") as file:
            of_cnn = file["logits"].argmax(1)
        values[network] = {
            "accuracy": np.mean(decided == labels),
            "cnn_accuracy": np.mean(of_cnn == labels),
            "agreement": np.mean(decided == of_cnn),
        }
    assert values["SRL"]["cnn_accuracy"] > values["small/SRL"]["cnn_accuracy"] + 0.1  # or nothing would be tested
    return values


def test_the_table_of_scores(variant, right):
    scores = pd.read_csv(variant.results / "tables" / "scores.csv")
    assert list(scores["network"].unique()) == ["CNN", "small/CNN", *NETWORKS]
    cnns = scores[scores["neuron"] == "CNN"].set_index("cnn")
    final = scores[scores["readout"] == "final step"].set_index("network")
    for network, values in right.items():
        row = final.loc[network]
        assert row["accuracy"] == pytest.approx(values["accuracy"])
        assert row["cnn_accuracy"] == cnns.loc[row["cnn"], "accuracy"] == pytest.approx(values["cnn_accuracy"])
        assert row["agreement"] == pytest.approx(values["agreement"])
        gap = 100 * (values["cnn_accuracy"] - values["accuracy"])
        assert row["gap_points"] == pytest.approx(gap)
        assert row["gap_points_low"] <= gap <= row["gap_points_high"]


def test_the_papers_tables(variant, right):
    table = pd.read_csv(variant.results / "tables" / "table2.csv", dtype=str)
    assert list(table.columns[1::2]) == [f"{name} accuracy (%)" for name in ("CNN", "small/CNN", *NETWORKS)]
    assert table["CNN accuracy (%)"][0] == f"{100 * right['SRL']['cnn_accuracy']:.2f}"
    assert table["small/CNN accuracy (%)"][0] == f"{100 * right['small/SRL']['cnn_accuracy']:.2f}"


def test_what_the_figures_are_drawn_from(variant, right):
    for network, values in right.items():
        decided = decisions.read(variant.results / network / "tau-0.002" / "seed-0" / "test-decisions.npz")
        assert decided.cnn_right.mean() == pytest.approx(values["cnn_accuracy"])
        kinds = decisions.agreement(decided.leaders[:, -1], decided.cnn_classes, decided.labels)
        assert kinds[:2].sum() == pytest.approx(values["agreement"])


def test_the_opening_names_the_best_spiking_network_and_its_gap(variant, right):
    text = (variant.results / "report" / "opening.rst").read_text()
    assert re.search(rf"^CNN +– +{100 * right['SRL']['cnn_accuracy']:.1f} \(", text, re.MULTILINE)
    values = right["small/SRL"]
    row = rf"^small/SRL +2 +{100 * values['accuracy']:.1f} \(.*\) +{100 * values['cnn_accuracy']:.1f} "
    assert re.search(row, text, re.MULTILINE)
    best = max(("SRL", "small/SRL"), key=lambda network: right[network]["accuracy"])
    assert f"The best spiking network, {best} at τ = 2 ms, classifies {100 * right[best]['accuracy']:.1f} %" in text
    difference = 100 * (right[best]["accuracy"] - right[best]["cnn_accuracy"])
    sentence = text.partition("at the final step; ")[2]
    interval = decisions.read(variant.results / best / "tau-0.002/seed-0/test-decisions.npz").scores[1]
    if interval["gap_points_low"] <= 0 <= interval["gap_points_high"]:
        assert "no difference from its CNN is shown" in sentence
    else:
        assert f"{abs(difference):.1f} points (" in sentence and "its CNN" in sentence


def test_the_interactive_page(variant, right):
    html = unpacked(variant.results / "report" / "explorer.html")
    records, _ = json.JSONDecoder().raw_decode(html[html.index('"records": [') + len('"records": ') :])
    labels = np.load(variant.results / "images" / "test.npz")["labels"]
    for network, cnn in NETWORKS.items():
        answers = np.load(variant.results / cnn / "test-logits.npz")["logits"].argmax(1)
        of_network = [record for record in records if record["network"] == network]
        assert of_network
        for record in of_network:
            image = int(record["image"].partition(":")[0])
            outcome = "right" if answers[image] == labels[image] else "wrong"
            assert f"CNN: {answers[image]} ({outcome})" in record["description"]
    for values in right.values():
        assert f"{100 * values['agreement']:.1f}" in html
        assert f"{100 * (values['cnn_accuracy'] - values['accuracy']):.2f}" in html


def test_one_more_time_constant_neuron_or_seed_decides_nothing_anew(variant):
    changes = {"analyses": ["paper", "readouts", "activity"], "activity.images": 2}
    assert variant.planned(changes=changes)["record_activity"] == 3
    for change in ({"snn.tau_syn_s": [0.002, 0.01]}, {"snn.seeds": [0, 1]}):
        planned = variant.planned(changes=change)
        assert (planned["decide"], planned["gather"], planned["cnn_outputs"]) == (3, 3, 0)
