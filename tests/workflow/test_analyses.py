"""The real Snakemake beyond the paper, on a small experiment: variants, choices on validation images, reports."""

import json
import shutil
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import REPOSITORY, SMALL, Workflow, changed, run_once
from csnn import responses
from csnn.data import corruptions
from csnn.evaluation import conformal, decisions
from csnn.files import read_json

GAP = changed(
    SMALL,
    {
        "experiment": "gap",
        "data.validation_images": 20,
        "cnn.variants": {
            "tuned": {"architecture": {"pooling": "average"}, "tune": {"epochs": 1, "images": 500, "mirror": True}},
            "lif": {"from": "tuned", "tune": {"epochs": 1, "images": 500, "activation": "LIF"}},
        },
        "snn.neurons": {"SRL": {}, "LIF": {}},
        "snn.networks": [
            {"cnn": ["tuned"], "neurons": ["SRL"], "seeds": [0, 1]},
            {"cnn": ["lif"], "neurons": ["LIF"], "initial_voltage": ["half"]},
        ],
        "analyses": ["gap", "activity", "cost"],
        "readouts": {"windows": [3, 6], "margins": [0.1], "hold": 2, "conformal": {"coverage": 0.8}},
        "activity": {"images": 3},
    },
)


@pytest.fixture(scope="session")
def gap(tmp_path_factory) -> Workflow:
    """Return an experiment that chose on validation images and has run to its end."""
    return run_once(tmp_path_factory, "gap", GAP)


class TestGap:
    """Choices are made on validation images and reported once."""

    def test_makes_its_tables_and_figures_and_nothing_is_left(self, gap):
        tables = {
            "validation.csv",
            "choices.csv",
            "gap.csv",
            "gap.md",
            "layers.csv",
            "costs.csv",
            "energy.csv",
            "breakeven.csv",
            "cost.csv",
            "cost.md",
        }
        tables |= {
            "health.csv",
            "findings.csv",
            "neurobench.csv",
            "conformal.csv",
            "conformal.md",
            "effort.csv",
            "effort.md",
        }
        checksums = {f"{name}.sha256" for name in tables}
        assert {path.name for path in (gap.results / "tables").iterdir()} == tables | checksums
        assert {path.stem for path in (gap.results / "figures").iterdir()} == {
            "gap", "accuracy_over_time", "accuracy_vs_operations", "readouts_vs_tau", "cost",
        }  # fmt: skip
        assert {path.stem for path in (gap.results / "report").iterdir()} == {
            "opening", "gap", "effort", "validation", "health", "neurobench", "layers", "costs",
            "energy", "breakeven", "cost", "conformal", "provenance",
        }  # fmt: skip
        assert (gap.results / "report.html").is_file()
        assert gap.planned() == Counter()

    def test_costs_stand_beside_those_of_the_quantised_cnn(self, gap):
        table = pd.read_csv(gap.results / "tables" / "cost.csv")
        named = table[["network", "value_bits"]].itertuples(index=False, name=None)
        tuned = [("tuned/CNN", bits) for bits in (32, 8, 4)]
        # a CNN that is adapted to LIF neurons is none to be run as it is
        assert list(named) == [*tuned, ("tuned/SRL", 32), ("lif/LIF/start-half", 32)]
        with np.load(gap.results / "cnn/tuned/quantised.npz") as copies:
            accuracies = (copies["classes"] == copies["labels"]).mean(axis=1)
        assert table["accuracy"][1:3].tolist() == accuracies.tolist()
        energy = pd.read_csv(gap.results / "tables" / "energy.csv").set_index(["network", "of"])["total_j"]
        assert table["memory_energy_uj"][3] == pytest.approx(1e6 * energy["tuned/SRL", "network"])

    def test_the_report_opens_with_what_was_chosen(self, gap):
        opening = (gap.results / "report" / "opening.rst").read_text()
        best = pd.read_csv(gap.results / "tables" / "gap.csv").query("best").iloc[0]
        assert "chosen on validation images and are reported here once" in opening
        named = f"{best.neuron} at τ = {1000 * best.tau_syn_s:g} ms ({best.readout}), made from the CNN {best.cnn}"
        assert f"Best on validation images of the networks that spike is {named}: on 15 test images" in opening
        assert f"classifies {100 * best.accuracy:.1f} % correctly" in opening and best.against_cnn in opening
        assert "effective synaptic operations" in opening

    def test_only_what_was_chosen_saw_the_test_images(self, gap):
        choices = pd.read_csv(gap.results / "tables" / "choices.csv")
        allowed = {f"{network}/tau-{tau}" for network, tau in choices[["network", "tau_syn_s"]].itertuples(index=False)}
        seen = {str(path.parent.parent.relative_to(gap.results)) for path in gap.results.rglob("seed-*/test.npz")}
        assert seen == allowed
        validated = {str(path.parent.parent.relative_to(gap.results)) for path in gap.results.rglob("validation.npz")}
        assert validated >= {f"{network}/tau-{tau}" for network in choices["network"] for tau in (0.005, 0.01)}

    def test_validation_images_are_the_last_of_the_training_set(self, gap):
        with np.load(gap.results / "images" / "validation.npz") as file:
            assert file["indices"].tolist() == list(range(1277, 1297))
            assert str(file["split"]) == "train"

    def test_the_gap_is_that_of_the_stored_decisions(self, gap):
        table = pd.read_csv(gap.results / "tables" / "gap.csv")
        assert len(table) == 2 * 3
        for row in table.itertuples():
            network = f"{row.cnn}/{row.neuron}" + ("/start-half" if row.neuron == "LIF" else "")
            folder = gap.results / network / f"tau-{row.tau_syn_s}"
            seeds = [decisions.read(path) for path in sorted(folder.glob("seed-*/test-decisions.npz"))]
            assert row.seeds == len(seeds) == (2 if row.neuron == "SRL" else 1)
            accuracy = np.mean([decided.right(row.readout).mean() for decided in seeds])
            assert row.accuracy == pytest.approx(accuracy)
            assert row.gap_points == pytest.approx(100 * (row.cnn_accuracy - accuracy))
        assert table["best"].sum() == 1

    def test_early_decisions_are_calibrated_on_the_validation_images(self, gap):
        table = pd.read_csv(gap.results / "tables" / "conformal.csv")
        assert table["neuron"].tolist() == ["SRL", "SRL", "LIF"] and table["seed"].tolist() == [0, 1, 0]
        for row in table.itertuples():
            folder = gap.results / row.network / f"tau-{row.tau_syn_s}" / f"seed-{row.seed}"
            calibration, test = (responses.read(folder / f"{images}.npz") for images in ("validation", "test"))
            assert row.threshold == conformal.threshold(calibration.logits, calibration.labels, 0.8)
            ended = conformal.decide(test.logits, row.threshold)
            assert row.covered == ended.sets[np.arange(15), test.labels].mean()
            assert row.single_share == (ended.sets.sum(axis=1) == 1).mean()
            assert row.latency_ms_p50 == row.latency_steps_p50 == sorted(ended.steps)[7]
            assert row.latency_steps_p99 == ended.steps.max()

    def test_what_was_done_to_each_cnn_stands_beside_its_cost(self, gap):
        effort = pd.read_csv(gap.results / "tables" / "effort.csv")
        assert effort["cnn"].tolist() == ["base", "tuned", "lif"]
        assert effort["from"].tolist()[1:] == ["base", "tuned"]
        assert effort["labelled_images"].tolist() == [1277, 500, 500]
        assert (effort["seconds"] > 0).all()
        table = pd.read_csv(gap.results / "tables" / "gap.csv").query("readout == 'final step'").set_index("cnn")
        for row in effort.iloc[1:].itertuples():
            assert row.accuracy == table.loc[row.cnn, "accuracy"]

    def test_costs_are_of_the_chosen_configurations(self, gap):
        costs = pd.read_csv(gap.results / "tables" / "costs.csv")
        assert set(costs["neuron"]) == {"SRL", "LIF"}
        assert (costs["energy_estimate_j"] > 0).all()
        assert costs["assumptions"].str.startswith("Estimates, not measurements").all()
        energy = pd.read_csv(gap.results / "tables" / "energy.csv")
        assert energy["of"].tolist() == ["network", "cnn"] * 2
        parts = ["operations_j", "addressing_j", "weights_j", "states_j", "inputs_outputs_j"]
        np.testing.assert_allclose(energy[parts].sum(axis=1), energy["total_j"])
        even = pd.read_csv(gap.results / "tables" / "breakeven.csv")
        rates = even["spikes_per_neuron_and_step"]
        np.testing.assert_allclose(even["arithmetic_energy_ratio"], rates / even["arithmetic_rate"])
        assert (even["memory_energy_ratio"] > 0).all()
        layers = pd.read_csv(gap.results / "tables" / "layers.csv")
        assert layers["layer"].tolist() == [1, 2, 3] * 2

    def test_a_further_rate_adds_its_own_jobs(self, gap):
        rows = [GAP["snn"]["networks"][0] | {"max_rate_hz": [415, 200]}, GAP["snn"]["networks"][1]]
        planned = gap.planned(changes={"snn.networks": rows})
        assert {key: planned[key] for key in ("compile_network", "simulate", "decide", "variant", "verify")} == {
            "compile_network": 1,
            "simulate": 4,  # shards of validation images
            "decide": 2,
            "variant": 0,
            "verify": 1,
        }

    def test_another_window_simulates_nothing(self, gap):
        planned = gap.planned(changes={"readouts.windows": [3, 6, 9]})
        assert planned["decide"] > 0
        assert not {"simulate", "compile_network", "variant", "train_cnn", "verify"} & set(planned)

    def test_a_variants_tuning_reruns_what_is_made_of_it(self, gap):
        variants = yaml.safe_load(yaml.safe_dump(GAP["cnn"]["variants"]))
        variants["lif"]["tune"]["epochs"] = 2
        planned = gap.planned(changes={"cnn.variants": variants})
        assert (planned["variant"], planned["train_cnn"], planned["compile_network"]) == (1, 0, 1)
        variants["tuned"]["tune"]["epochs"] = 2
        assert gap.planned(changes={"cnn.variants": variants})["variant"] == 2


def test_readouts_and_claims_of_the_papers_sweep(finished, tmp_path):
    copy = finished.copy(tmp_path / "copy")
    changes = {"analyses": ["readouts", "claims"]}
    planned = copy.planned(changes=changes)
    assert not {"simulate", "gather", "decide", "compile_network", "train_cnn"} & set(planned)
    copy.run(changes=changes)
    assert {path.stem for path in (copy.results / "report").iterdir()} >= {"scores", "claims", "provenance"}
    claims = pd.read_csv(copy.results / "tables" / "claims.csv")
    assert set(claims["comparison"]) == {"loss of LIF - loss of RLR, tau 5 to 10 ms"}


def test_disturbed_images_and_weights_of_a_finished_experiment(finished, tmp_path):
    copy = finished.copy(tmp_path / "copy")
    asked = {"kinds": ["pixel_loss"], "strengths": [2, 5], "images": 4, "networks": ["LIF"]}
    changes = {"analyses": ["corruptions"], "corruptions": asked | {"weight_noise": [], "weight_bits": [16, 2]}}
    files = ["results/small/tables/corruptions.csv", "results/small/figures/corruptions.png"]
    planned = copy.planned(*files, changes=changes)
    expected = [
        "corrupt_images",
        "cnn_outputs",
        "gather",
        "decide",
        "disturb_weights",
        "corruption_table",
        "corruptions",
    ]
    assert planned == Counter({"simulate": 2} | dict.fromkeys(expected, 1))  # 2 strengths of 4 images, 6 in a shard
    copy.run(*files, changes=changes)
    assert copy.planned(*files, changes=changes) == Counter()
    table = pd.read_csv(copy.results / files[0].removeprefix("results/small/"))
    rows = table.set_index(["corruption", "strength", "network"])
    assert [name for name in rows.index if name[2] == "LIF"] == [
        ("clean", 0, "LIF"), ("pixel_loss", 2, "LIF"), ("pixel_loss", 5, "LIF"),
        ("weight_bits", 16, "LIF"), ("weight_bits", 2, "LIF"),
    ]  # fmt: skip
    folder = copy.results / "LIF" / "tau-0.005" / "seed-0"
    with (
        np.load(copy.results / "images" / "test.npz") as test,
        np.load(copy.results / "images" / "corrupted-pixel_loss.npz") as disturbed,
    ):
        np.testing.assert_array_equal(disturbed["images"][4:], corruptions.corrupt(test["images"][:4], "pixel_loss", 5))
        labels = test["labels"][:4]
    clean, made = (responses.read(folder / f"{name}.npz").logits[:, -1] for name in ("test", "corrupted-pixel_loss"))
    assert rows.loc[("clean", 0, "LIF"), "accuracy"] == (clean[:4].argmax(1) == labels).mean()
    assert rows.loc[("pixel_loss", 5, "LIF"), "accuracy"] == (made[4:].argmax(1) == labels).mean()
    with np.load(folder / "disturbed-weights.npz") as file:
        assert file["classes"].shape == (2, 4)
        accuracies = (file["classes"] == labels).mean(axis=1)
    assert rows.loc["weight_bits"]["accuracy"].tolist() == accuracies.tolist()


def test_another_kind_of_synapse_adds_its_own_jobs_and_a_column(finished, tmp_path):
    copy, scores = finished.copy(tmp_path / "copy"), "results/small/tables/scores.csv"
    before = pd.read_csv(copy.folder / scores)
    row = {"neurons": ["LIF"], "synapse": ["alpha"], "tau_syn_s": [0.0025]}
    changes = {"snn.networks": [{}, row]}
    planned = copy.planned(scores, changes=changes)
    assert planned == {"compile_network": 1, "verify": 1, "simulate": 3, "gather": 1, "decide": 1, "scores": 1}
    copy.run(scores, changes=changes)
    table = pd.read_csv(copy.folder / scores)
    alpha = table[table["synapse"] == "alpha"]
    assert set(alpha["network"]) == {"LIF/alpha"} and set(alpha["tau_syn_s"]) == {0.0025}
    pd.testing.assert_frame_equal(table[: len(before)].drop(columns="synapse"), before)
    certificate = read_json(copy.results / "verification/LIF/alpha/seed-0/tau-0.0025.json")
    assert certificate["largest_difference"] < 1e-9
    assert not np.array_equal(
        *(decisions.read(copy.results / f"{path}/seed-0/test-decisions.npz").leaders
          for path in ("LIF/tau-0.005", "LIF/alpha/tau-0.0025"))
    )  # fmt: skip


def test_a_cnn_is_calibrated_and_its_history_says_how(finished, tmp_path):
    copy = finished.copy(tmp_path / "copy")
    variants = {"calibrated": {"calibrate": {"images": 200}}}
    changes = {"cnn.variants": variants, "snn.networks": [{}, {"cnn": ["calibrated"], "neurons": ["LIF"]}]}
    folder = "results/small/cnn/calibrated"
    process = copy.run(f"{folder}/history.json", changes=changes)
    assert "rule train_cnn" not in process.stdout + process.stderr
    history = json.loads((copy.folder / folder / "history.json").read_text())["calibration"]
    assert {key: history[key] for key in ("neuron", "method", "images", "held_out")} == {
        "neuron": "LIF", "method": "least-squares", "images": 200, "held_out": 40,
    }  # fmt: skip
    assert all(set(layer) == {"layer", "ridge", "error_before", "error_after"} for layer in history["layers"])
    assert len(history["layers"]) == 4
    assert sum(layer["error_after"] for layer in history["layers"]) < sum(
        layer["error_before"] for layer in history["layers"]
    )


def test_a_variant_with_given_weights_is_the_cnn_that_they_are_of(gap, tmp_path):
    copy = gap.copy(tmp_path / "copy")
    shutil.copy(gap.results / "cnn" / "lif" / "model.h5", copy.folder / "mine.h5")
    given = {"from": "tuned", "weights": "mine.h5", "activation": "LIF"}
    changes = {
        "cnn.variants": GAP["cnn"]["variants"] | {"given": given},
        "snn.networks": [*GAP["snn"]["networks"], GAP["snn"]["networks"][1] | {"cnn": ["given"]}],
    }
    responses_of = "{}/LIF/start-half/tau-0.005/seed-0/validation.npz"
    files = [f"results/gap/{responses_of.format('given')}", "results/gap/cnn/given/validation-logits.npz"]
    assert copy.planned(*files, changes=changes)["variant"] == 1
    copy.run(*files, changes=changes)
    for path in (responses_of, "cnn/{}/validation-logits.npz"):
        one, other = (np.load(copy.results / path.format(name))["logits"] for name in ("given", "lif"))
        np.testing.assert_array_equal(one, other)
    assert copy.planned(*files, changes=changes) == Counter()
    shutil.copy(gap.results / "cnn" / "model.h5", copy.folder / "mine.h5")
    assert copy.planned(files[1], changes=changes) == {"check_cnn": 1, "variant": 1, "cnn_outputs": 1}


@pytest.mark.parametrize("name", ["closing-the-gap", "robustness"])
def test_experiments_are_accepted_and_list_their_jobs(tmp_path, name):
    config = yaml.safe_load((REPOSITORY / "experiments" / f"{name}.yaml").read_text())
    planned = Workflow(tmp_path, config=config).planned()
    assert planned["variant"] == len(config["cnn"]["variants"])
    assert planned["train_cnn"] == 1
    assert planned["simulate"] >= 10


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"analyses": ["gap"]}, "config key data.validation_images is 0; it must be at least 1 for the analysis gap"),
        (
            {"analyses": ["gap", "readouts"], "data.validation_images": 10},
            "readouts would show every configuration on the test images",
        ),
        (
            {"analyses": ["all"]},
            "config key analyses[0] is 'all'; it must be paper, readouts, claims, activity, gap, corruptions or cost",
        ),
        ({"cnn.variants": {"RLR": {}}}, "config key cnn.variants has the name RLR, which stands for something else"),
        ({"cnn.variants": {"a": {"from": "b"}}}, "config key cnn.variants has no b; known are base, a"),
        (
            {"cnn.variants": {"a": {"tune": {"epochs": 1, "activation": "SRL"}}}},
            "config key cnn.variants.a.tune.activation is 'SRL'; it must be relu or LIF",
        ),
        ({"snn.networks": [{"taus": [1]}]}, "config key snn.networks[0].taus is unknown"),
        ({"snn.networks": [{"seeds": [1, 1]}]}, "config key snn.networks[0].seeds is [1, 1]; each value must stand"),
        ({"snn.networks": [{"max_rate_hz": [[100, 0]]}]}, "config key snn.networks[0].max_rate_hz[0][1] is 0"),
        ({"snn.initial_voltage": "full"}, "config key snn.initial_voltage is 'full'; it must be random, zero or half"),
        (
            {"snn.neurons": {"A-LIF": {"inc_n": 0.01, "inc_n_effective": 0.01}}},
            "A-LIF has both inc_n and inc_n_effective; it must have one of them",
        ),
        ({"snn.neurons": {"mine": {"type": "Izhikevich"}}}, "Izhikevich is not a known neuron type"),
    ],
)
def test_mistakes_are_refused_in_one_sentence(tmp_path, changes, sentence):
    process = Workflow(tmp_path).run("--dry-run", changes=changes, check=False)
    assert process.returncode != 0
    output = process.stdout + process.stderr
    assert [line for line in output.splitlines() if sentence in line], output
    assert "Traceback" not in output
