"""A user's own files: their content counts, not their time, and no command writes to them or deletes them."""

import json
import os
import shutil

import numpy as np
import pytest

from conftest import Workflow
from csnn.files import sha256

OWN = "data/cifar10.npz"  # where a public data set could be thought to be
CONFIG = {
    "experiment": "small",
    "data": {"source": OWN, "test_images": 6},
    "cnn": {"architecture": {"filters": [2], "dense_units": 4}, "training": {"epochs": 1}},
    "snn": {"neurons": {"RLR": {}}, "tau_syn_s": [0.005], "steps": 5},
    "verification": {"images": 1},
    "analyses": ["readouts"],
}


def write_images(path, seed: int) -> None:
    """Write images of three classes."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 256, (30, 8, 8, 1)).astype(np.uint8), np.arange(30) % 3
    path.parent.mkdir(exist_ok=True)
    np.savez(path, x_train=x, y_train=y, x_test=x[:9], y_test=y[:9])


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Workflow:
    """Return a finished experiment with a user's own images."""
    workflow = Workflow(tmp_path_factory.mktemp("own") / "run", config=CONFIG)
    write_images(workflow.folder / OWN, 0)
    workflow.run()
    return workflow


@pytest.fixture
def copy(own, tmp_path) -> Workflow:
    """Return a copy of it to change."""
    return own.copy(tmp_path / "copy")


def test_the_hash_of_every_named_file_is_in_the_provenance(own):
    record = json.loads((own.results / "provenance.json").read_text())
    assert record["sha256"]["files"] == {OWN: sha256(own.folder / OWN)}
    assert record["sha256"]["images"] == {OWN: sha256(own.folder / OWN)}


def test_the_same_content_with_a_newer_time_reruns_nothing(copy):
    path = copy.folder / OWN
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    assert not copy.planned()


def test_another_content_with_an_older_time_reruns_what_was_made_from_it(copy):
    write_images(copy.folder / "older.npz", 1)
    os.utime(copy.folder / "older.npz", (10**9, 10**9))
    shutil.move(copy.folder / "older.npz", copy.folder / OWN)
    assert {"select_images", "train_cnn", "cnn_outputs", "compile_network", "simulate"} <= set(copy.planned())


def test_results_of_other_images_are_refused_by_whoever_reads_them(copy):
    """As if the images had been replaced while a run was under way."""
    images, model = copy.results / "images" / "test.npz", copy.results / "cnn" / "model.h5"
    before = images.read_bytes(), model.read_bytes()
    write_images(copy.folder / OWN, 1)
    copy.run("results/small/images/test.npz")
    assert images.read_bytes() != before[0]
    now = images.read_bytes()
    images.write_bytes(before[0])
    target = "results/small/RLR/tau-0.005/seed-0/test-1-of-1.npz"
    process = copy.run("--allowed-rules", "simulate", "--force", target, check=False)
    assert process.returncode != 0
    assert "Error: results/small/images/test.npz holds images of another data set than belongs here" in process.stderr
    images.write_bytes(now)
    process = copy.run("--allowed-rules", "simulate", "--force", target, check=False)
    assert "RLR/networks/seed-0.npz was made with another cnn than belongs here" in process.stderr


def test_no_command_touches_a_users_own_files(copy):
    archive = copy.folder / "data" / "cifar-10-binary.tar.gz"
    archive.write_bytes(b"brought by hand")
    shutil.copy(copy.folder / OWN, copy.folder / "data" / "digits.npz")
    kept = [archive, copy.folder / OWN, copy.folder / "data" / "digits.npz"]
    before = [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in kept]
    copy.run("--forceall", "results/small/images/test.npz", "data/prepared/digits.npz")
    process = copy.run("--forceall", "data/prepared/cifar10.npz", check=False)
    assert "Error: data/cifar-10-binary.tar.gz is not CIFAR-10's official file" in process.stderr
    assert "delete" not in process.stderr
    copy.run("--delete-all-output")
    assert [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in kept] == before
