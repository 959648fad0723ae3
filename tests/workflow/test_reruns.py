"""What runs again: what a change touches, and nothing else. So says `snakemake -n` of a finished experiment."""

import json
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from conftest import Workflow, clone_code, edit

# what takes long; all else is made from the results of these
COMPUTING = {"prepare", "select_images", "train_cnn", "cnn_outputs", "compile_network", "verify", "simulate"}
COMPUTING |= {"gather", "decide"}


@pytest.fixture
def copy(finished, tmp_path) -> Workflow:
    """Return a copy of the finished experiment to change, with the times of its files and Snakemake's records."""
    return finished.copy(tmp_path / "copy")


@pytest.fixture
def clone(tmp_path) -> Path:
    """Return a clone of the code to change: other times of files, another place."""
    return clone_code(tmp_path / "clone")


def planned_outputs(workflow: Workflow, **options) -> dict[str, list[str]]:
    """Return what a dry run would make, by rule."""
    process = workflow.run("--dry-run", **options)
    job = r"^(?:local)?rule (\w+):\n(?:    (?!output).*\n)*    output: (.*)\n"
    outputs: dict[str, list[str]] = {}
    for rule, files in re.findall(job, process.stdout + process.stderr, re.MULTILINE):
        outputs.setdefault(rule, []).extend(files.split(", "))
    return outputs


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        ({"snn.tau_syn_s": [0.005, 0.02, 0.01]}, "tau-0.02"),
        ({"snn.neurons": {"SRL": {}, "RLR": {}, "LIF": {}}}, "/SRL/"),
        ({"snn.seeds": [0, 1]}, "seed-1"),
    ],
)
def test_one_more_of_the_sweep_runs_its_own_jobs_and_the_aggregation(finished, changes, own):
    outputs = planned_outputs(finished, changes=changes)
    computing = {rule: files for rule, files in outputs.items() if rule in COMPUTING}
    assert {"simulate", "gather", "verify"} <= set(computing)
    assert not [file for files in computing.values() for file in files if own not in file]
    assert "results/small/tables/scores.csv" in [file for files in outputs.values() for file in files]


def test_one_less_of_the_sweep_computes_nothing(finished):
    assert not COMPUTING & set(finished.planned(changes={"snn.tau_syn_s": [0.01]}))


def test_a_time_constant_is_verified_once(finished, tmp_path):
    """Certificates that are there stay, whatever time constants they were made for together."""
    copy = finished.copy(tmp_path / "copy")
    folder = copy.results / "verification/LIF/seed-0"
    (certificate,) = folder.iterdir()
    assert certificate.name == "tau-0.005+0.01.json"
    shutil.copy2(certificate, folder / "tau-0.02.json")  # as if it had been added before
    outputs = planned_outputs(copy, changes={"snn.tau_syn_s": [0.005, 0.02, 0.01, 0.03]})
    assert sorted(file for file in outputs["verify"] if "LIF" in file) == [
        "results/small/verification/LIF/seed-0/tau-0.02.json",  # which no job here has made
        "results/small/verification/LIF/seed-0/tau-0.03.json",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("scripts/simulate_event.py", "    settings = ", "    # what the shard is made with\n    settings = "),
        ("scripts/simulate_event.py", '"""Simulate a shard', '"""Simulate one shard'),
        ("scripts/csnn/event/plan.py", "def prepare(", "# a comment\n\n\ndef prepare("),
        ("scripts/csnn/files.py", "it was written as", "it was made as"),
        ("scripts/csnn/responses.py", "are not finite", "are infinite"),
        ("scripts/csnn/model/cnn.py", "training of the CNN failed", "the CNN's training failed"),
        ("scripts/csnn/job.py", "every_s: float = 5.0", "every_s: float = 7.0"),
        ("scripts/csnn/job.py", "needs more memory than there is", "ran out of memory"),
        ("scripts/csnn/run.py", "every_s: float = 5", "every_s: float = 7"),
        ("scripts/csnn/experiment/resources.py", "return 10 + 10", "return 20 + 10"),
        ("rules/simulate.smk", "rule gather:", "# a comment\nrule gather:"),
    ],
)
def test_what_changes_no_number_reruns_nothing(finished, clone, file, old, new):
    finished = Workflow(finished.folder, clone)
    edit(clone, file, old, new)
    assert finished.planned() == Counter()


@pytest.mark.parametrize(
    ("file", "old", "new", "reruns", "leaves"),
    [
        ("scripts/csnn/event/plan.py", "Lowpass(math.exp(", "Lowpass(np.exp(", {"simulate", "verify"}, {"train_cnn"}),
        (
            "scripts/simulate_event.py",
            "simulation.logits",
            "1 * simulation.logits",
            {"simulate"},
            {"verify", "train_cnn"},
        ),
        ("scripts/csnn/neurons/lif.py", "\nNEURON = ", "\nADDED = sorted([])\nNEURON = ", {"simulate"}, {"train_cnn"}),
        ("scripts/csnn/model/cnn.py", '"adam"', '"sgd"', {"train_cnn"}, {"select_images", "figure1"}),
    ],
)
def test_what_changes_numbers_reruns_what_it_computes(finished, clone, file, old, new, reruns, leaves):
    finished = Workflow(finished.folder, clone)
    edit(clone, file, old, new)
    planned = set(finished.planned("--rerun-triggers", "params"))
    assert reruns <= planned
    assert not leaves & planned


def test_how_figures_are_drawn_reruns_no_computation(finished, clone):
    style = clone / "workflow/scripts/csnn/figures/figures.mplstyle"
    style.write_text(style.read_text() + "axes.facecolor: white\n")
    planned = set(Workflow(finished.folder, clone).planned())
    assert {"figure2", "figure5", "report"} <= planned
    assert not COMPUTING & planned


def test_a_fresh_clone_and_copied_results_rerun_nothing(finished, clone, tmp_path):
    """All files have new times, in the order in which they happen to be copied."""
    for name in ("results", ".snakemake", "data"):
        shutil.copytree(finished.folder / name, tmp_path / "here" / name, copy_function=shutil.copyfile)
    assert Workflow(tmp_path / "here", clone).planned() == Counter()


def test_another_time_of_a_file_reruns_nothing(copy):
    for path in [*copy.results.rglob("*"), *(copy.folder / "data").rglob("*")]:
        os.utime(path)
    assert copy.planned() == Counter()


class TestLostRecords:
    """Results whose records Snakemake has lost are what their jobs' logs say, or made again."""

    def test_the_same_settings_rerun_nothing(self, copy):
        shutil.rmtree(copy.folder / ".snakemake")
        assert copy.planned() == Counter()

    def test_other_settings_rerun_the_same_as_with_records(self, copy):
        changes = {"snn.steps": 20}
        expected = copy.planned(changes=changes)
        assert expected["simulate"] == 2 * (3 + 1)
        shutil.rmtree(copy.folder / ".snakemake")
        assert copy.planned(changes=changes) == expected

    def test_a_result_that_no_log_knows_is_made_again(self, copy):
        shutil.rmtree(copy.folder / ".snakemake")
        (copy.results / "logs/simulate/LIF/tau-0.005+0.01/seed-0/test-2-of-3.log").unlink()
        outputs = planned_outputs(copy)
        assert outputs["simulate"] == ["results/small/LIF/tau-0.005+0.01/seed-0/test-2-of-3.npz"]

    @pytest.mark.parametrize("keep", [0, 100])
    def test_a_record_that_was_cut_off_counts_as_lost(self, copy, keep):
        for record in (copy.folder / ".snakemake/metadata").iterdir():
            if '"rule": "train_cnn"' in record.read_text():
                os.truncate(record, keep)
        planned = copy.planned(changes={"cnn.training.epochs": 2, "cnn.training.batch_size": 64})
        assert planned["train_cnn"] == 1

    def test_no_table_mixes_settings(self, copy):
        """Not even where the records are wrong, as if files of another run had been put among those of this one."""
        for record in (copy.folder / ".snakemake/metadata").iterdir():
            record.write_text(record.read_text().replace("'steps': 12", "'steps': 20").replace('"12"', '"20"'))
        (copy.results / "LIF/tau-0.01/seed-0/test.npz").unlink()
        path = "results/small/LIF/tau-0.01/seed-0/test.npz"
        process = copy.run(path, changes={"snn.steps": 20}, check=False)
        assert process.returncode != 0
        assert "was made with another steps than belongs here; give the same command once more with" in process.stderr


class TestDuringARun:
    """Code and configuration may change while a run goes on."""

    def test_a_job_whose_code_was_changed_stops(self, copy, clone):
        copy.repository = clone
        (copy.results / "tables" / "scores.csv").unlink()
        before = {path: path.read_bytes() for path in copy.results.rglob("*.npz")}
        process = subprocess.Popen(copy.command("results/small/tables/scores.csv"), stderr=subprocess.PIPE, text=True)
        wait_for(copy.results / "logs" / "run.json")
        with open(clone / "workflow/scripts/csnn/files.py", "a") as file:
            file.write("\nADDED = sorted([])\n")
        _, printed = process.communicate(timeout=300)
        assert process.returncode != 0
        assert "was changed after this run had been planned" in printed
        assert {path: path.read_bytes() for path in copy.results.rglob("*.npz")} == before

    def test_a_run_keeps_its_configuration(self, own, tmp_path):
        copy = own.copy(tmp_path / "copy")
        expected = (copy.results / "tables" / "scores.csv").read_bytes()
        (copy.results / "tables" / "scores.csv").unlink()
        process = subprocess.Popen(copy.command(), stderr=subprocess.PIPE, text=True)
        run = wait_for(copy.results / "logs" / "run.json")
        (copy.folder / "experiment.yaml").write_text(yaml.safe_dump(copy.config | {"experiment": "other"}))
        _, printed = process.communicate(timeout=300)
        assert process.returncode == 0, printed
        assert (copy.results / "tables" / "scores.csv").read_bytes() == expected
        assert not (copy.folder / "results" / "other").exists()
        assert run["experiment"] == "small" and run["snn"]["steps"] == 5


def wait_for(path: Path) -> dict:
    """Return what a run that has just started says it was planned with."""
    end, known = time.monotonic() + 120, path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == known:
        assert time.monotonic() < end
        time.sleep(0.01)
    return json.loads(path.read_text())
