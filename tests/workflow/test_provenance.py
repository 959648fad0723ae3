"""Provenance: what made an experiment is recorded, makes it again, and is packed with it."""

import json
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml

from conftest import REPOSITORY, SMALL
from csnn.files import sha256
from csnn.report import provenance


@pytest.fixture(scope="module")
def record(finished):
    return json.loads((finished.results / "provenance.json").read_text())


class TestRecord:
    def test_hashes_are_those_of_the_files(self, finished, record):
        found = record["sha256"]
        assert set(found["images"]) == {"data/prepared/digits.npz"}
        assert set(found["weights"]) == {"results/small/cnn/model.h5"}
        assert set(found["networks"]) == {f"results/small/{n}/networks/seed-0.npz" for n in ("RLR", "LIF")}
        assert {path.rpartition("/")[2] for path in found["tables"]} == {
            "scores.csv", "table1.csv", "table1.md", "table2.csv", "table2.md", "confidence.csv", "confidence.md",
            "health.csv", "findings.csv",
            "neurobench.csv",
        }  # fmt: skip
        for files in found.values():
            for path, expected in files.items():
                assert sha256(finished.folder / path) == expected

    def test_configuration_is_complete(self, record):
        configuration = record["configuration"]
        assert configuration["snn"]["tau_syn_s"] == SMALL["snn"]["tau_syn_s"]
        assert configuration["snn"]["neurons"]["LIF"] == {"tau_rc_s": 0.02, "tau_ref_s": 0.002}
        assert list(configuration["snn"]["neurons"]) == list(SMALL["snn"]["neurons"]) == ["RLR", "LIF"]  # not sorted
        assert configuration["verification"] == {"images": 2, "tolerance": 1e-9}

    def test_engine_is_certified(self, record):
        assert record["engine"] == "event"
        assert record["largest_difference_from_nengo_dl"] < 1e-12
        assert set(record["certificates"]) == {
            f"results/small/verification/{n}/seed-0/tau-0.005+0.01.json" for n in ("RLR", "LIF")
        }

    def test_code_machine_and_packages(self, record):
        commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, text=True).strip()
        assert record["code"]["commit"] == commit
        assert record["packages"]["snakemake"] == record["versions"]["snakemake"]
        assert record["versions"]["simulation"]["numba"] == record["packages"]["numba"]
        assert record["versions"]["verification"]["nengo-dl"] == record["packages"]["nengo-dl"]
        assert record["machine"]["python"].startswith("3.1") and record["machine"]["cpu"]


def test_every_version_that_took_part_is_named():
    """A sweep may be extended after an update; `csnn.responses.gather` lets no configuration mix versions."""
    versions = provenance.versions([{"numpy": "2.4", "numba": "0.68"}, {"numpy": "2.3"}, {"numpy": "2.4"}])
    assert versions == {"numpy": "2.3, 2.4", "numba": "0.68"}


class TestReproduction:
    def test_gives_every_number_again(self, own, tmp_path):
        for folder in ("results", "data"):
            shutil.copytree(own.folder / folder, tmp_path / folder)
        command = [sys.executable, REPOSITORY / "workflow" / "reproduce.py", "results/small"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (
            done.stdout.endswith("every number is the same\n")
            and "same       results/small/tables/scores.csv" in done.stdout
        )
        again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert again.returncode == 1
        assert again.stderr == (
            "Error: reproduced/small exists already; delete it to reproduce the experiment once more\n"
        )


def test_archive_packs_what_a_publication_needs(finished, tmp_path):
    workflow = finished.copy(tmp_path / "copy")
    workflow.run("archive", changes={"report.show_images": False})
    with zipfile.ZipFile(workflow.results / "archive.zip") as archive:
        names = set(archive.namelist())
        assert archive.testzip() is None
        configuration = yaml.safe_load(archive.read("small/config.yaml"))
    assert {
        "small/provenance.json",
        "small/report.html",
        "small/tables/scores.csv",
        "small/tables/scores.csv.sha256",
        "small/figures/figure5.png",
    } <= names
    # they show images of the data set
    assert not {"small/figures/figure1.png", "small/figures/figure4.png"} & names
    assert configuration["report"]["show_images"] is False
