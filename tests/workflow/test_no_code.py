"""Data are no code: nothing in an image file, a model, weights, an archive or a configuration is ever run."""

import io
import json
import re
import sys
import tarfile

import h5py
import numpy as np
import pytest

from conftest import REPOSITORY, SMALL, Workflow, changed
from csnn import files, responses
from csnn.data import images, sources
from csnn.event import network
from csnn.files import InputError
from csnn.model import cnn
from csnn.model.keras_file import load_weights
from csnn.nengodl_compat import tf

# what a shell, Python's format or a glob would take apart
NAME = """it's "quoted" $(touch run) `touch run`; touch run & ünï-日本 * ~ %s"""


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def ran(tmp_path):
    """Return a file that is there when code was run."""
    return tmp_path / "ran"


@pytest.mark.parametrize(
    "read", [files.read_npz, images.read_images, images.examine, network.load_network, responses.read]
)
def test_no_npz_is_unpickled(tmp_path, ran, read):
    objects = np.array([Touch(ran)], dtype=object)
    np.savez(tmp_path / "mine.npz", x_train=objects, y_train=objects, x_test=objects, y_test=objects, header=objects)
    np.load(tmp_path / "mine.npz", allow_pickle=True)["header"]
    ran.unlink()  # what the file holds does run, where it is let
    with pytest.raises(InputError):
        read(tmp_path / "mine.npz")
    assert not ran.exists()


def model_with_code(path, ran):
    """Write a model whose Lambda layer makes a file when it is loaded."""
    layers = tf.keras.layers
    image = layers.Input((4, 4, 1))
    code = layers.Lambda(eval(f"lambda x: (__import__('pathlib').Path({str(ran)!r}).touch(), x)[1]"), name="mine")
    x = layers.Flatten()(layers.Conv2D(2, 3, activation="relu")(image))
    cnn.save(tf.keras.Model(image, code(layers.Dense(3)(layers.Dense(5, activation="relu")(x)))), path)
    ran.unlink(missing_ok=True)


def test_no_model_brings_code(tmp_path, ran):
    path = tmp_path / "model.h5"
    model_with_code(path, ran)
    tf.keras.models.load_model(path, compile=False)
    assert ran.exists()  # what the file holds does run, where it is let
    ran.unlink()
    with pytest.raises(
        InputError, match=r"holds the layer 'mine' of class Lambda, which is none of Keras' own .* code is not run"
    ):
        cnn.load(path)
    assert not ran.exists()


@pytest.mark.parametrize("module", ["os", "keras.src.utils", "builtins", "csnn.cnn"])
def test_no_model_names_code(tmp_path, module):
    path = tmp_path / "model.h5"
    cnn.save(cnn.build((8, 8, 1), 3, filters=[2], dense_units=4), path)
    assert cnn.load(path).output_shape == (None, 3)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["config"]["kernel_initializer"]["module"] = module
        file.attrs["model_config"] = json.dumps(config)
    cnn.write_checksum(path, path, {})
    imported = set(sys.modules)
    assert cnn.load(path).output_shape == (None, 3)  # initializers are left out
    assert set(sys.modules) == imported
    config["config"]["layers"][1]["class_name"] = f"{module}.Conv2D"
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(config)
    cnn.write_checksum(path, path, {})
    with pytest.raises(InputError, match=rf"holds the layer 'conv2d.*' of class {module}.Conv2D, .* code is not run"):
        cnn.load(path)


def test_weights_are_read_as_arrays(tmp_path, ran):
    model_with_code(tmp_path / "weights.h5", ran)
    model = cnn.build((4, 4, 1), 3, filters=[2], dense_units=5)
    before = model.get_weights()[0]
    load_weights(model, tmp_path / "weights.h5")
    assert (model.get_weights()[0] != before).any()
    assert not ran.exists()


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Write an archive as CIFAR-10's with other members beside or instead; it passes for the official one."""
    folder = tmp_path / "archive"
    folder.mkdir()

    def write(*members, left_out=()):
        path = folder / "cifar-10-binary.tar.gz"
        names = ["batches.meta.txt", "test_batch.bin", *(f"data_batch_{i}.bin" for i in range(1, 6))]
        with tarfile.open(path, "w:gz") as tar:
            for name in names:
                content = b"a\nb\n" if name.endswith("txt") else bytes(1 + 3072)
                info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                info.size = len(content)
                if name not in left_out:
                    tar.addfile(info, io.BytesIO(content))
            for member in members:
                tar.addfile(member, io.BytesIO(b"evil") if member.isreg() else None)
        known = sources.SOURCES["cifar10"]._replace(files={path.name: files.sha256(path)})
        monkeypatch.setitem(sources.SOURCES, "cifar10", known)
        return path

    return write


def member(name, target=None, kind=tarfile.SYMTYPE):
    """Return a member of an archive: a file of four bytes, or a link."""
    info = tarfile.TarInfo(name)
    info.size = 4
    if target is not None:
        info.type, info.linkname, info.size = kind, target, 0
    return info


def test_nothing_in_the_archive_leaves_it(tmp_path, archive, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = sorted(tmp_path.rglob("*"))
    path = archive(
        member("../outside"),
        member("cifar-10-batches-bin/../../outside"),
        member(str(tmp_path / "absolute")),
        member("link", str(tmp_path)),
        member("link/through"),
        member("cifar-10-batches-bin/data_batch_6.bin"),
    )
    assert sources.read("cifar10", [path]).x_train.shape == (5, 32, 32, 3)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, path])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_no_link_in_the_archive_is_followed(tmp_path, archive, kind):
    (tmp_path / "secret").write_bytes(bytes(1 + 3072))
    name = "cifar-10-batches-bin/test_batch.bin"
    path = archive(member(name, str(tmp_path / "secret"), kind), left_out=["test_batch.bin"])
    with pytest.raises(InputError, match=f"{name} is not a file; it must be the official archive"):
        sources.read("cifar10", [path])


def test_the_archive_is_checked_before_it_is_opened(archive, monkeypatch):
    path = archive(member("../outside"))
    known = sources.SOURCES["cifar10"]._replace(files={path.name: "of another"})
    monkeypatch.setitem(sources.SOURCES, "cifar10", known)
    monkeypatch.setattr(sources.tarfile, "open", lambda *_: pytest.fail("opened"))
    with pytest.raises(InputError, match="is not CIFAR-10's official file cifar-10-binary.tar.gz"):
        sources.read("cifar10", [path])


def test_no_rule_has_a_shell_command_and_no_code_unpickles():
    """So no value of a configuration can reach a shell, but by Snakemake itself: see below."""
    code = [path for kind in ("*.py", "*.smk") for path in (REPOSITORY / "workflow").rglob(kind)]
    assert len(code) > 50
    forbidden = r"^\s*shell:|shell=True|os\.system|os\.popen|\bpickle\b|allow_pickle=True|yaml\.load\(|"
    forbidden += r"extractall|\beval\(|\bexec\("
    own_process = REPOSITORY / "workflow/scripts/csnn/spiking.py"  # unpickles what its own second process answers
    for path in {*code, REPOSITORY / "Snakefile"} - {own_process}:
        without_comments = re.sub(r'#.*|"""(.|\n)*?"""', "", path.read_text(encoding="utf-8"))
        assert not re.search(forbidden, without_comments, re.MULTILINE), path


BUILDER = """
from csnn.model import cnn

def build(shape, classes):
    return cnn.build(shape, classes, filters=[2], dense_units=4)
"""


def test_paths_are_taken_as_they_are(tmp_path):
    """Names that a shell would take apart: of the folder, and of every file that a configuration can name."""
    folder = tmp_path / NAME
    folder.mkdir()
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (12, 8, 8, 1)).astype(np.uint8), np.arange(12) % 3
    np.savez(folder / f"{NAME}.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    (folder / f"{NAME}.py").write_text(BUILDER)
    with h5py.File(folder / f"{NAME}.h5", "w") as file:
        shapes = {"conv2d": [(3, 3, 1, 2), (2,)], "dense": [(72, 4), (4,)], "dense_1": [(4, 3), (3,)]}
        for name, (kernel, bias) in shapes.items():
            file[f"layers/{name}/vars/0"], file[f"layers/{name}/vars/1"] = rng.random(kernel), rng.random(bias)
    changes = {
        "data": {"source": f"{NAME}.npz", "test_images": 5},
        "cnn": {"architecture": {"builder": f"{NAME}.py:build"}, "weights": f"{NAME}.h5"},
    }
    workflow = Workflow(folder, config=changed(SMALL, changes))
    workflow.run("results/small/cnn/model.h5", "results/small/images/test.npz")
    assert cnn.load(workflow.results / "cnn" / "model.h5").get_weights()[0].min() >= 0  # as random() gives them
    assert files.read_npz(workflow.results / "images" / "test.npz")["images"].shape == (5, 8, 8, 1)
    assert not list(tmp_path.rglob("run"))


def test_the_path_of_the_archive_is_taken_as_it_is(tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(b"something else")
    monkeypatch.setenv("CSNN_CIFAR10", NAME)
    process = Workflow(tmp_path).run("data/prepared/cifar10.npz", changes={"data.source": "cifar10"}, check=False)
    assert f"Error: {NAME} is not CIFAR-10's official file" in process.stdout + process.stderr
    assert not list(tmp_path.rglob("run"))
