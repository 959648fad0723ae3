"""A user's own files: their content counts, not their time, and no command writes to them or deletes them."""

import json
import os
import shutil

import pytest

from conftest import OWN_IMAGES, Workflow, write_images
from csnn.files import sha256


@pytest.fixture
def copy(own, tmp_path) -> Workflow:
    """Return a copy of it to change."""
    return own.copy(tmp_path / "copy")


def test_the_hash_of_every_named_file_is_in_the_provenance(own):
    record = json.loads((own.results / "provenance.json").read_text())
    assert record["sha256"]["files"] == {OWN_IMAGES: sha256(own.folder / OWN_IMAGES)}
    assert record["sha256"]["images"] == {OWN_IMAGES: sha256(own.folder / OWN_IMAGES)}


def test_the_same_content_with_a_newer_time_reruns_nothing(copy):
    path = copy.folder / OWN_IMAGES
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    assert not copy.planned()


def test_another_content_with_an_older_time_reruns_what_was_made_from_it(copy):
    write_images(copy.folder / "older.npz", 1)
    os.utime(copy.folder / "older.npz", (10**9, 10**9))
    shutil.move(copy.folder / "older.npz", copy.folder / OWN_IMAGES)
    assert {"select_images", "train_cnn", "cnn_outputs", "compile_network", "simulate"} <= set(copy.planned())


def test_results_of_other_images_are_refused_by_whoever_reads_them(copy):
    """As if the images had been replaced while a run was under way."""
    images, model = copy.results / "images" / "test.npz", copy.results / "cnn" / "model.h5"
    before = images.read_bytes(), model.read_bytes()
    write_images(copy.folder / OWN_IMAGES, 1)
    copy.run("results/small/images/test.npz")
    assert images.read_bytes() != before[0]
    now = images.read_bytes()
    images.write_bytes(before[0])
    target = "results/small/SRL/tau-0.005+0.01/seed-0/test-1-of-3.npz"
    process = copy.run("--allowed-rules", "simulate", "--force", target, check=False)
    assert process.returncode != 0
    assert "Error: results/small/images/test.npz holds images of another data set than belongs here" in process.stderr
    images.write_bytes(now)
    process = copy.run("--allowed-rules", "simulate", "--force", target, check=False)
    assert "SRL/networks/seed-0.npz was made with another cnn than belongs here" in process.stderr


def test_no_command_touches_a_users_own_files(copy):
    archive = copy.folder / "data" / "cifar-10-binary.tar.gz"
    archive.write_bytes(b"brought by hand")
    shutil.copy(copy.folder / OWN_IMAGES, copy.folder / "data" / "digits.npz")
    kept = [archive, copy.folder / OWN_IMAGES, copy.folder / "data" / "digits.npz"]
    before = [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in kept]
    copy.run("--forceall", "results/small/images/test.npz", "data/prepared/digits.npz")
    process = copy.run("--forceall", "data/prepared/cifar10.npz", check=False)
    assert "Error: data/cifar-10-binary.tar.gz is not CIFAR-10's official file" in process.stderr
    assert "delete" not in process.stderr
    copy.run("--delete-all-output")
    assert [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in kept] == before
