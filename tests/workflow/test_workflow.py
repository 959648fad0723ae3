"""The real Snakemake on small experiments: what runs, what runs again, and that the cut changes no number."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import REPOSITORY, SMALL, Workflow, changed, forked_snakemake
from csnn.evaluation import decisions

OF_DECISIONS = {"accuracy_over_time", "settling_time", "confusion_matrices", "agreement_with_cnn"}
FIGURES = {f"figure{i}" for i in range(1, 6)} | {"accuracy_vs_tau", "loss_vs_tau", "spikes_and_voltages"} | OF_DECISIONS
PAGES = {"opening", "explorer", "provenance", "table1_page", "table2_page", "confidence_page", "report"}
# what every change of a number ends in
AGGREGATES = {"scores", "tables", "figure3", "figure5", "accuracy_vs_tau", "loss_vs_tau", "all"}
AGGREGATES |= OF_DECISIONS | PAGES
HEALTH = {"health", "health_page", "neurobench_page"}  # of the first time constant and seed
# what a neuron other than RLR, which figure 3 shows, needs at two time constants
JOBS_OF_ONE_NEURON = Counter(
    {"compile_network": 1, "simulate": 3 + 1, "gather": 2, "decide": 2, "verify": 1}
    | {"record": 1, "spikes_and_voltages": 1, "record_activity": 1}
    | dict.fromkeys(AGGREGATES - {"figure3"} | HEALTH, 1)
)


def with_weights(finished: Workflow, folder, **options) -> Workflow:
    """Return another experiment with the finished one's trained CNN, so that nothing need be trained."""
    folder.mkdir(parents=True, exist_ok=True)
    config = changed(SMALL, {"cnn.weights": str(finished.results / "cnn" / "model.h5")})
    shutil.copytree(finished.folder / "data", folder / "data", symlinks=True)
    return Workflow(folder, config=changed(config, options.pop("changes", {})), **options)


def simulated_anew(finished: Workflow, folder, changes: dict) -> Workflow:
    """Return a copy of the finished experiment with other settings of the simulation, whose logits are not there."""
    workflow = finished.copy(folder / "copy")
    workflow.config = changed(SMALL, changes)
    for path in workflow.results.glob("*/tau-*/seed-*/*"):
        path.unlink()
    return workflow


def logits(workflow: Workflow) -> dict[str, bytes]:
    """Return the gathered logits of every configuration, as bytes."""
    found = {}
    for path in sorted(workflow.results.glob("*/tau-*/seed-*/test.npz")):
        with np.load(path) as file:
            found[str(path.relative_to(workflow.results).parent)] = file["logits"].tobytes()
    return found


LOGGER = """
import sys
from snakemake_interface_logger_plugins.base import LogHandlerBase


class LogHandler(LogHandlerBase):
    writes_to_stream, writes_to_file, has_filter, has_formatter, needs_rulegraph = True, False, False, False, False

    def __post_init__(self):
        pass

    def emit(self, record):
        print("mine:", record.getMessage(), file=sys.stderr, flush=True)
"""


@pytest.fixture
def repository(tmp_path):
    """Return a copy of the code to change."""
    folder = tmp_path / "repository"
    shutil.copytree(REPOSITORY / "workflow", folder / "workflow", copy_function=shutil.copy2)
    shutil.copytree(REPOSITORY / "envs", folder / "envs", copy_function=shutil.copy2)
    shutil.copy2(REPOSITORY / "Snakefile", folder)
    return folder


@pytest.fixture
def copy(finished, tmp_path) -> Workflow:
    """Return a copy of the finished experiment to change, with the times of its files and Snakemake's records."""
    return finished.copy(tmp_path / "copy")


class TestDryRun:
    """`snakemake -n` says what would be done."""

    def test_lists_every_job_of_the_paper_without_data_or_tensorflow(self, tmp_path):
        script = "import sys\nfrom snakemake.cli import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n"
        script += "    assert not end.code, end.code\nassert not {'tensorflow', 'nengo', 'numba'} & set(sys.modules)\n"
        clone = tmp_path / "clone"
        files = subprocess.check_output(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=REPOSITORY, text=True
        )
        for name in files.splitlines():
            if (REPOSITORY / name).is_file():
                (clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, clone / name)
        process = subprocess.run([sys.executable, "-c", script, "-n"], cwd=clone, capture_output=True, text=True)
        assert process.returncode == 0, process.stdout + process.stderr
        listed = dict(line.split() for line in (process.stdout + process.stderr).splitlines() if len(line.split()) == 2)
        # 4 neurons, each with 4 shards and the image whose logits are shown, at 4 time constants together
        assert {key: listed[key] for key in ("simulate", "gather", "verify", "train_cnn", "download")} == {
            "simulate": "20",
            "gather": "16",
            "verify": "4",
            "train_cnn": "1",
            "download": "1",
        }

    def test_only_what_takes_long_is_sent_to_a_cluster(self, tmp_path):
        """Every other rule runs beside Snakemake, whatever is asked for."""
        outer = tmp_path / "outer.smk"
        outer.write_text(
            f'include: "{REPOSITORY / "workflow" / "Snakefile"}"\n'
            "local = workflow._localrules  # what Snakemake asks, except in a dry run, where everything is local\n"
            'print("sent:", *(rule.name for rule in workflow.rules if rule.name not in local), flush=True)\n'
        )
        changes = {"data.validation_images": 5, "cnn.variants": {"tuned": {"tune": {"epochs": 1}}}}
        config = tmp_path / "experiment.yaml"
        config.write_text(yaml.safe_dump(changed(SMALL, changes)))
        command = ["--snakefile", str(outer), "--configfile", str(config), "--cores", "1", "--dry-run", "--quiet"]
        process = forked_snakemake(command, tmp_path, tmp_path)
        assert process.returncode == 0, process.stdout + process.stderr
        sent = set(re.search(r"^sent: (.*)$", process.stdout, re.MULTILINE)[1].split())
        training = {"check_cnn", "train_cnn", "variant", "verify_cnn", "cnn_outputs", "quantise_cnn"}
        simulation = {
            "compile_network",
            "verify",
            "simulate",
            "gather",
            "record",
            "record_activity",
            "disturb_weights",
        }
        assert sent == training | simulation | {"decide"}


class TestRun:
    """A whole run."""

    def test_makes_every_table_and_figure(self, finished):
        tables = {path.name for path in (finished.results / "tables").iterdir() if path.suffix != ".sha256"}
        assert tables == {
            "scores.csv",
            "table1.csv",
            "table1.md",
            "table2.csv",
            "table2.md",
            "confidence.csv",
            "confidence.md",
            "health.csv",
            "findings.csv",
            "neurobench.csv",
        }
        figures = {path.name for path in (finished.results / "figures").iterdir()}
        assert figures == {f"{figure}.png" for figure in FIGURES}
        assert (finished.results / "report.html").is_file()

    def test_neurobench_counts_are_of_the_networks(self, finished):
        table = pd.read_csv(finished.results / "tables" / "neurobench.csv").set_index("network")
        assert list(table.index) == ["RLR", "LIF"]
        layers = json.loads((finished.results / "cnn" / "architecture.json").read_text())["layers"]
        assert (table["ParameterCount"] == sum(layer["parameters"] for layer in layers)).all()
        operations = table["Effective_MACs"] + table["Effective_ACs"]
        assert ((operations > 0) & (operations < table["Dense"])).all()
        assert table["ActivationSparsity"].between(0, 1, inclusive="neither").all()
        assert (table["MembraneUpdates"] > 0).tolist() == [False, True]
        assert (finished.results / "report" / "neurobench.html").is_file()

    def test_nothing_is_left_to_do_and_nothing_unfinished_lies_about(self, finished):
        assert finished.planned() == Counter()
        assert not [path for path in finished.results.rglob(".*") if path.is_file()]

    def test_scores_are_those_of_the_stored_logits(self, finished):
        scores = pd.read_csv(finished.results / "tables" / "scores.csv")
        assert len(scores) == 1 + 2 * 2 * (2 + 2 + 3)  # time-averaged, final step; windows within 12 steps; margins
        with np.load(finished.results / "cnn" / "test-logits.npz") as file:
            assert scores["accuracy"][0] == pytest.approx((file["logits"].argmax(1) == file["labels"]).mean())
            cnn = file["logits"].argmax(1)
        for (network, tau_syn_s, seed), rows in scores[1:].groupby(["network", "tau_syn_s", "seed"]):
            with np.load(finished.results / network / f"tau-{tau_syn_s}" / f"seed-{seed:.0f}" / "test.npz") as file:
                leaders, labels = file["logits"].argmax(2), file["labels"][:, None]
            assert leaders.shape == (15, 12)
            row = rows.set_index("readout")
            assert row.loc["time-averaged", "accuracy"] == pytest.approx((leaders == labels).mean())
            assert row.loc["final step", "accuracy"] == pytest.approx((leaders == labels)[:, -1].mean())
            assert row.loc["final step", "agreement"] == pytest.approx((leaders[:, -1] == cnn).mean())

    def test_the_terminal_tells_stages_and_the_log_every_job(self, tmp_path):
        workflow = Workflow(tmp_path)
        process = workflow.run("--until", "select_images")  # of the test images, and of the one whose logits are shown
        stages = re.findall(r"^(\w+) (\d+)/(\d+) +: +(\d+)%.*\| (\d)/3 \[", process.stderr, re.MULTILINE)
        assert (stages[0], stages[-1]) == (("prepare", "1", "1", "33", "1"), ("select_images", "2", "2", "100", "3"))
        assert "rule prepare" not in process.stderr and "Select jobs" not in process.stderr
        (log,) = (tmp_path / ".snakemake" / "log").glob("*.log")
        assert "rule prepare" in log.read_text() and "\n3 of " in log.read_text()

    def test_a_job_that_fails_is_told_with_its_log(self, finished, tmp_path):
        workflow = finished.copy(tmp_path / "copy")
        (workflow.results / "tables" / "scores.csv").unlink()
        path = workflow.results / "LIF" / "tau-0.01" / "seed-0" / "test-decisions.npz"
        before = path.stat()
        os.truncate(path, 10)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        process = workflow.run("results/small/tables/scores.csv", check=False)
        assert process.returncode != 0
        assert "Error in rule scores" in process.stderr
        last = process.stderr.splitlines()[-1]
        assert last.startswith(f"Error: {path.relative_to(workflow.folder)} ")
        assert last.endswith(" (log: results/small/logs/scores.log)")

    def test_a_logger_of_the_users_takes_over(self, tmp_path, monkeypatch):
        plugin = tmp_path / "plugins" / "snakemake_logger_plugin_mine"
        plugin.mkdir(parents=True)
        (plugin / "__init__.py").write_text(LOGGER)
        monkeypatch.setenv("PYTHONPATH", str(plugin.parent))
        process = Workflow(tmp_path).run("data/prepared/digits.npz", "--logger", "mine")
        assert "mine: " in process.stderr and "prepare 1/1" not in process.stderr

    def test_every_simulation_says_how_far_it_is(self, finished):
        logs = list((finished.results / "logs" / "simulate").rglob("*.log"))
        assert len(logs) == 2 * (3 + 1)
        assert all("100%" in log.read_text() for log in logs)


class TestReruns:
    """Only what a change touches runs again."""

    def test_adding_a_time_constant_adds_its_jobs(self, finished):
        planned = finished.planned(changes={"snn.tau_syn_s": [0.005, 0.01, 0.02]})
        assert planned == Counter(
            {"simulate": 2 * (3 + 1), "gather": 2, "decide": 2, "verify": 2} | dict.fromkeys(AGGREGATES, 1)
        )

    def test_adding_a_neuron_adds_its_jobs(self, finished):
        planned = finished.planned(changes={"snn.neurons": {"RLR": {}, "LIF": {}, "SRL": {}}})
        assert planned == JOBS_OF_ONE_NEURON

    def test_adding_a_seed_adds_its_jobs(self, finished):
        planned = finished.planned(changes={"snn.seeds": [0, 1]})
        jobs = {"compile_network": 2, "simulate": 2 * 3, "gather": 4, "decide": 4, "verify": 2}
        jobs |= dict.fromkeys(AGGREGATES, 1)
        # the figures of logits show the first seed
        assert planned == Counter(jobs) - Counter({"figure3": 1, "figure5": 1})

    def test_changing_a_neuron_parameter_reruns_that_neuron(self, finished):
        planned = finished.planned(changes={"snn.neurons": {"RLR": {}, "LIF": {"tau_rc_s": 0.03}}})
        assert planned == JOBS_OF_ONE_NEURON

    def test_other_shards_leave_the_cnn_and_the_networks_alone(self, finished):
        planned = finished.planned(changes={"simulation.images_per_shard": 8})
        assert planned["simulate"] == 2 * 2
        assert not {"train_cnn", "compile_network", "verify", "select_images"} & set(planned)

    @pytest.mark.parametrize("cores", [1, 4])
    def test_other_cores_rerun_nothing(self, finished, cores):
        assert finished.planned(cores=cores) == Counter()

    def test_another_figure_format_draws_figures_only(self, finished):
        planned = finished.planned(changes={"figures.formats": ["png", "svg"]})
        assert set(planned) == FIGURES | {"provenance", "report", "all"}  # which show the configuration

    def test_a_lost_shard_is_made_again_alone(self, copy):
        for name in ("0.005+0.01/seed-0/test-2-of-3.npz", "0.01/seed-0/test.npz", "0.01/seed-0/test-decisions.npz"):
            (copy.results / "LIF" / f"tau-{name}").unlink()
        (copy.results / "tables" / "scores.csv").unlink()
        before = logits(copy)
        process = copy.run()
        assert "\nscores: results/small/tables/scores.csv\nreport: results/small/report.html\n" in process.stderr
        assert copy.planned() == Counter()
        after = logits(copy)
        assert {key: value for key, value in after.items() if key in before} == before


class TestVerification:
    """No table without proof that the engine gives NengoDL's logits."""

    def test_certificates(self, finished):
        for path in (finished.results / "verification").rglob("tau-*.json"):
            certificate = json.loads(path.read_text())
            assert certificate["largest_difference"] < certificate["tolerance"] == 1e-9
            assert [check["tau_syn_s"] for check in certificate["checks"]] == [0.005, 0.01]
            assert (certificate["images"], certificate["steps"]) == (2, 12)
            assert certificate["versions"]["nengo-dl"] == "3.6.0"

    def test_an_error_in_the_engine_stops_the_run(self, copy, repository):
        engine = repository / "workflow/scripts/csnn/event/plan.py"
        right, wrong = "math.exp(-dt_s / tau_syn_s)", "math.exp(-1.000001 * dt_s / tau_syn_s)"
        assert right in engine.read_text()
        engine.write_text(engine.read_text().replace(right, wrong))
        copy.repository = repository
        assert copy.planned()["scores"] == 1
        process = copy.run("results/small/verification/RLR/seed-0/tau-0.005+0.01.json", check=False)
        assert process.returncode != 0
        last = process.stderr.splitlines()[-1]
        assert last.startswith("Error: the engine's logits for RLR, tau_syn_s 0.005, seed 0 differ by ")
        assert last.endswith(" (log: results/small/logs/verify/RLR/seed-0/tau-0.005+0.01.log)")
        assert "cuda" not in (process.stderr + process.stdout).lower()
        assert not (copy.results / "verification/RLR/seed-0/tau-0.005+0.01.json").exists()


class TestSharding:
    """How the work is cut changes no bit of any logit."""

    @pytest.mark.parametrize(("images_per_shard", "shards", "cores"), [(15, 1, 1), (4, 4, 2)])
    def test_event_engine(self, finished, tmp_path, images_per_shard, shards, cores):
        workflow = simulated_anew(finished, tmp_path, {"simulation.images_per_shard": images_per_shard})
        expected = logits(finished)
        workflow.run(*(f"results/small/{configuration}/test.npz" for configuration in expected), cores=cores)
        assert len(list(workflow.results.rglob(f"test-*-of-{shards}.npz"))) == shards * 2  # neurons
        assert logits(workflow) == expected

    def test_nengo_dl_gives_the_same_bits_for_any_cut_and_the_same_scores_as_the_event_engine(self, finished, tmp_path):
        changes = {"simulation.engine": "nengo-dl", "simulation.minibatch": 4}
        target, runs = "LIF/tau-0.005/seed-0", []
        for images_per_shard, cores in ((15, 1), (8, 2)):  # whole; two shards, the last one shorter
            changes["simulation.images_per_shard"] = images_per_shard
            workflow = simulated_anew(finished, tmp_path / str(images_per_shard), changes)
            workflow.run(f"results/small/{target}/test-decisions.npz", cores=cores)
            runs.append(logits(workflow))
        assert list(runs[0]) == [target]
        assert runs[0] == runs[1]
        ours, theirs = (decisions.read(run.results / target / "test-decisions.npz") for run in (finished, workflow))
        assert ours.configuration["neuron"] == theirs.configuration["neuron"] == "LIF"
        for our, their in zip(ours.scores, theirs.scores, strict=True):
            numbers = [key for key, value in our.items() if isinstance(value, float)]
            assert len(numbers) > 8
            assert [our[key] for key in numbers] == pytest.approx([their[key] for key in numbers], rel=1e-6)


class TestCifar10:
    """CIFAR-10's official archive is downloaded unless it is there already."""

    def test_downloads_are_planned_only_where_the_archive_is_missing(self, tmp_path, monkeypatch):
        workflow = Workflow(tmp_path)
        assert workflow.planned(changes={"data.source": "cifar10"})["download"] == 1
        archive = tmp_path / "elsewhere.tar.gz"
        archive.write_bytes(b"")
        named = workflow.planned(changes={"data.source": "cifar10", "data.archive": str(archive)})
        assert (named["download"], named["prepare"]) == (0, 1)
        monkeypatch.setenv("CSNN_CIFAR10", str(archive))
        by_variable = workflow.planned(changes={"data.source": "cifar10"})
        assert (by_variable["download"], by_variable["prepare"]) == (0, 1)

    def test_something_else_than_the_archive_is_refused_before_any_simulation(self, tmp_path):
        workflow = Workflow(tmp_path)
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "cifar-10-binary.tar.gz").write_bytes(b"something else")
        process = workflow.run(changes={"data.source": "cifar10"}, check=False)
        output = process.stdout + process.stderr
        assert process.returncode != 0
        assert "Error: data/cifar-10-binary.tar.gz is not CIFAR-10's official file" in output
        assert "rule train_cnn" not in output
