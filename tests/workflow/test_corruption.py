"""Files that were damaged, changed, swapped or made by another version are known when they are read, and said so."""

import json
import os
import random
import shutil

import numpy as np
import pytest

import test_network_file
from conftest import Workflow
from csnn import files, responses
from csnn.data.images import Dataset, read_images, write_images
from csnn.event import network
from csnn.files import InputError, read_json, read_npz, write_json, write_npz
from csnn.model import cnn
from csnn.responses import Responses
from test_workflow import with_weights

SEED = int(os.environ.get("CSNN_TEST_SEED") or random.SystemRandom().randrange(10**6))
REMEDY = r"; (delete it and give the same command again|bring it here anew or make it again)$"


def write_shard(path, seed: int) -> None:
    logits = np.random.default_rng(seed).random((20, 5, 3), np.float32)
    responses.write_shard(
        path, [Responses(logits, np.arange(20) % 3, np.arange(20), {"seed": seed, "tau_syn_s": 0.005})]
    )


def images(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.random((12, 6, 6, 1), np.float32), np.arange(12) % 3
    return {"x_train": x, "y_train": y, "x_test": x[:6], "y_test": y[:6], "class_names": np.array(list("abc"))}


def save_model(path, seed: int) -> None:
    cnn.seed_everything(seed)
    cnn.save(cnn.build((6, 6, 1), 3, filters=[2], dense_units=3), path, {"training": {"seed": seed}})


def save_network(path, seed: int) -> None:
    network.save_network(test_network_file.example(), path)


# by kind of file: its place, how it is written for a seed, how it is read, and whether it has a checksum
KINDS = {
    "shard": ("LIF/tau-0.005/seed-{}/test-1-of-2.npz", write_shard, responses.read_shard, True),
    "model": ("experiment-{}/cnn/model.h5", save_model, lambda p: cnn.load(p).get_weights(), True),
    "network": ("LIF/networks/seed-{}.npz", save_network, network.load_network, True),
    "images": ("experiment-{}/images/test.npz", lambda p, s: write_npz(p, images(s)), read_npz, True),
    "scores": ("LIF/tau-0.005/seed-{}/scores.json", lambda p, s: write_json(p, {"accuracy": s / 7}), read_json, True),
    "own images": ("mine-{}.npz", lambda p, s: np.savez(p, **images(s)), read_images, False),
}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    """Return path, reader and the path of another file of the same kind."""
    return prepared(request.param, tmp_path)


@pytest.fixture(params=[kind for kind, (*_, checksum) in KINDS.items() if checksum])
def kind_with_checksum(request, tmp_path):
    """Return the same, of the kinds that have a checksum: not of own images, whose hash provenance.json keeps."""
    return prepared(request.param, tmp_path)


def prepared(kind: str, tmp_path):
    """Write two files of a kind."""
    place, write, read, _ = KINDS[kind]
    path, other = (tmp_path / place.format(seed) for seed in (0, 1))
    for seed, one in enumerate((path, other)):
        one.parent.mkdir(parents=True, exist_ok=True)
        write(one, seed)
    read(path)
    return path, read, other


def refused(path, read) -> str:
    """Return the one sentence with which a file is refused."""
    with pytest.raises(InputError, match=REMEDY) as error:
        read(path)
    sentence = str(error.value)
    assert str(path) in sentence and "\n" not in sentence
    return sentence


def same(one, other) -> bool:
    return test_network_file.flat(one) == test_network_file.flat(other)


@pytest.mark.parametrize("kept", [0, 1, 0.1, 0.5, 0.9, -2])
def test_what_is_cut_off_is_refused(kind, kept):
    path, read, _ = kind
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else kept])
    refused(path, read)


def test_no_flipped_bit_is_read_as_something_else(kind):
    """Bits that hold no content, such as the times in a zip archive, may flip; every other flip is refused."""
    path, read, _ = kind
    content, right = path.read_bytes(), read(path)
    chance, detected = random.Random(SEED), 0
    print(f"CSNN_TEST_SEED={SEED}")
    for _ in range(60):
        position, bit = chance.randrange(len(content)), chance.randrange(8)
        flipped = bytearray(content)
        flipped[position] ^= 1 << bit
        path.write_bytes(flipped)
        try:
            found = read(path)
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            detected += 1
        else:
            assert same(found, right), f"bit {bit} of byte {position}, CSNN_TEST_SEED={SEED}"
    print(f"{detected} of 60 flipped bits refused, the others changed nothing")
    assert detected > 30


def test_no_array_is_hidden_by_a_flipped_bit(tmp_path):
    """In the archive's directory, the length of an entry's comment says where the next entry is."""
    path = tmp_path / "mine.npz"
    np.savez(path, **images(0))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 33] ^= 1
    path.write_bytes(content)
    assert "a comment hides the entries that follow" in refused(path, read_images)


@pytest.mark.parametrize("times", ["newer", "same"])
def test_a_copy_of_anothers_is_refused(kind_with_checksum, times):
    path, read, other = kind_with_checksum
    before = path.stat()
    shutil.copyfile(other, path)
    if times == "same":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert f"it was written as {other}" in refused(path, read)


def test_a_file_of_another_version_is_refused(kind_with_checksum, monkeypatch):
    path, read, _ = kind_with_checksum
    monkeypatch.setattr(files, "FORMAT", files.FORMAT + 1)
    assert f"made by another version of the workflow (format {files.FORMAT - 1}, not {files.FORMAT})" in refused(
        path, read
    )


def test_a_file_without_a_checksum_is_refused(kind_with_checksum):
    path, read, _ = kind_with_checksum
    if path.suffix == ".npz":
        np.savez(path, **read_npz(path))
    elif path.suffix == ".json":
        path.write_text(json.dumps({"accuracy": 0.5}))
    else:
        cnn.load(path).save(path, save_format="h5")
    assert "this version of the workflow" in refused(path, read)


def test_a_folder_that_was_moved_can_still_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json("results/small/scores.json", {"accuracy": 0.5})
    shutil.copytree("results", "elsewhere/results")
    assert read_json(tmp_path / "elsewhere/results/small/scores.json") == {"accuracy": 0.5}


def test_prepared_data_must_be_the_workflows_own(tmp_path, monkeypatch):
    """A user's own file among the prepared data sets is refused, and read anywhere else."""
    monkeypatch.chdir(tmp_path)
    write_images("data/prepared/digits.npz", Dataset(**images(0)), "digits:0")
    read_images("data/prepared/digits.npz", "digits:0")
    np.savez("data/prepared/digits.npz", **images(1))
    assert "no checksum" in refused("data/prepared/digits.npz", read_images)
    shutil.copy("data/prepared/digits.npz", "data/digits.npz")
    read_images("data/digits.npz")
    write_images("data/prepared/cifar10.npz", Dataset(**images(1)), "cifar10:0")
    shutil.copy("data/prepared/cifar10.npz", "data/prepared/digits.npz")
    assert "it was written as data/prepared/cifar10.npz" in refused("data/prepared/digits.npz", read_images)


def test_a_model_of_other_settings_is_refused(tmp_path):
    path = tmp_path / "cnn" / "model.h5"
    save_model(path, 3)
    cnn.load(path, {"training": {"seed": 3}})
    with pytest.raises(InputError, match="was made with another training than belongs here; give the same command"):
        cnn.load(path, {"training": {"seed": 4}})


@pytest.fixture(scope="module")
def others(finished, tmp_path_factory) -> Workflow:
    """Return an experiment of the same name in another folder: given weights instead of training, other steps."""
    workflow = with_weights(finished, tmp_path_factory.mktemp("others"), changes={"snn.steps": 9})
    workflow.run(f"results/small/{SHARD}")
    return workflow


@pytest.fixture(scope="module")
def spoilt(finished, tmp_path_factory) -> Workflow:
    """Return a copy of the finished experiment, which each test spoils and mends."""
    folder = tmp_path_factory.mktemp("spoilt") / "copy"
    return finished.copy(folder)


CONFIGURATION = "LIF/tau-0.01/seed-0"
GATHERED, DECISIONS = f"{CONFIGURATION}/test.npz", f"{CONFIGURATION}/test-decisions.npz"
SHARD, NETWORK, MODEL = "LIF/tau-0.005+0.01/seed-0/test-2-of-3.npz", "LIF/networks/seed-0.npz", "cnn/model.h5"
CERTIFICATE = "verification/LIF/seed-0/tau-0.005+0.01.json"
OTHER_CNN = "made with another training, held_out than belongs here"
# what is put in the place of which file, the target of the run, and what is said
REMEDIES = ("; delete it and give the same command again", "with --forceall to make the experiment again")
SPOILT = {
    "half a table": (None, "tables/scores.csv", "tables/table2.csv", "was changed after it was written"),
    "half a shard": (None, SHARD, GATHERED, "is not a readable .npz file"),
    "shard of another neuron": ("RLR/tau-0.005+0.01/seed-0/test-2-of-3.npz", SHARD, GATHERED, "was written as"),
    "shard of another experiment": (
        "others",
        SHARD,
        GATHERED,
        "made with another cnn, steps, compiled_network than belongs here",
    ),
    "network of another experiment": ("others", NETWORK, SHARD, "made with another cnn than belongs here"),
    "decisions of another tau": (
        "LIF/tau-0.005/seed-0/test-decisions.npz",
        DECISIONS,
        "tables/scores.csv",
        "was written as",
    ),
    "certificate of another": (
        "verification/RLR/seed-0/tau-0.005+0.01.json",
        CERTIFICATE,
        "tables/scores.csv",
        "was written as",
    ),
    "model of another experiment": ("others", MODEL, "cnn/test-logits.npz", OTHER_CNN),
}


# which file it is does not depend on its time: that is shown with another experiment's
CASES = [(case, "newer") for case in SPOILT] + [
    (case, "same") for case, spoilt in SPOILT.items() if spoilt[0] == "others"
]


@pytest.mark.parametrize(("case", "times"), CASES)
def test_a_run_stops_at_a_spoilt_file_and_goes_on_when_it_was_deleted(spoilt, others, case, times):
    source, place, target, said = SPOILT[case]
    path, result = spoilt.results / place, spoilt.results / target
    right, before = result.read_bytes(), path.stat()
    if source:
        shutil.copyfile(others.results / place if source == "others" else spoilt.results / source, path)
    else:
        path.write_bytes(path.read_bytes()[: before.st_size // 2])
    if times == "same":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    result.unlink()

    process = spoilt.run(f"results/small/{target}", check=False)
    output = process.stdout + process.stderr
    errors = [line for line in output.splitlines() if line.startswith("Error: ") and place in line]
    (sentence,) = {line.split(" (log: ")[0] for line in errors}
    assert process.returncode != 0
    assert said in sentence and sentence.endswith(REMEDIES)
    assert "Traceback" not in output
    assert not result.exists()

    path.unlink()
    spoilt.run(f"results/small/{target}")
    assert result.read_bytes() == right
