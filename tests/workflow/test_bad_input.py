"""Bad input: each ends before any simulation, in one sentence with the place, what is wrong and what would be right.

Mistakes that the configuration or the headers of the data show are refused by ``snakemake -n`` already, the others by
the first job that meets them. Most configurations are in tests/unit/test_configuration.py, without Snakemake.
"""

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from conftest import REPOSITORY, SMALL, Workflow, changed, dry_run
from csnn.data.images import read_images
from csnn.experiment import configuration
from csnn.files import InputError

MODEL = "results/small/cnn/model.h5"  # without which nothing is simulated


def refused(code: int, output: str, sentence: str) -> None:
    """Assert that a run ended with this sentence in one line, before any simulation and without a traceback."""
    assert code not in (0, None), output
    lines = [line for line in output.splitlines() if sentence in line]
    assert lines and all(line.startswith("Error: ") for line in lines), output
    assert "Traceback" not in output
    assert "rule simulate" not in output


FROM_1 = "it must be an integer from 1 to 1000000"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"experiment": "../elsewhere"}, "config key experiment is '../elsewhere'; it must be a name of at most 100"),
        ({"a\nb\u2028c": "red"}, r"config key a\nb\u2028c is unknown; the configuration takes experiment"),
        ({"data.source": "absent.npz"}, "config key data.source names absent.npz, which does not exist; it must be"),
        ({"data.test_images": 501}, "data.test_images is 501, but the test set of digits has 500 images; it must be"),
        ({"cnn.variants": {"a": {"from": "b"}, "b": {"from": "a"}}}, "a is made from itself (a from b from a)"),
        ({"snn.neurons": {"LIF": {"tau_rc_s": 0}}}, "LIF.tau_rc_s is 0; it must be a number above 0 and at most"),
        ({"snn.tau_syn_s": [float("nan")]}, "config key snn.tau_syn_s[0] is nan; it must be a finite number"),
        ({"snn.steps": 0}, f"config key snn.steps is 0; {FROM_1}"),
        ({"snn.networks": [{}, {}]}, "config key snn.networks has the network RLR twice; each must stand in it once"),
        ({"analyses": ["gap"]}, "config key data.validation_images is 0; it must be at least 1 for the analysis gap"),
    ],
)
def test_configurations(tmp_path, changes, sentence):
    """Ten of those that tests/unit/test_configuration.py has, through Snakemake."""
    code, output = dry_run(tmp_path, changed(SMALL, changes))
    refused(code, output, sentence)
    assert sentence in output.rstrip().splitlines()[-1]


def test_a_configuration_as_a_user_gives_it(tmp_path):
    """The same in a process of its own, as the cases above are run in forked ones."""
    process = Workflow(tmp_path).run("--dry-run", changes={"snn.steps": 0}, check=False)
    refused(process.returncode, process.stdout + process.stderr, f"config key snn.steps is 0; {FROM_1}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Config file must be given as JSON or YAML with keys at top level."),
        ("- a\n- list", "Config file must be given as JSON or YAML with keys at top level."),
        ("experiment: a: b", "Config file is not valid JSON or YAML."),
        ("snn:\n\tsteps: 5", "Config file is not valid JSON or YAML."),
        ("a: !!python/object/apply:os.system ['touch run']", "Config file is not valid JSON or YAML."),
        ("snn: {steps: 5}\nsnn: {steps: 6}", "has the key snn in line 1 and again in line 2; each key must stand once"),
    ],
)
def test_files_of_configuration(tmp_path, text, sentence):
    code, output = dry_run(tmp_path, text)
    assert code not in (0, None), output
    assert sentence in output
    assert "Traceback" not in output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"__use_yte__: true\nexperiment: \"?__import__('os').system('touch run')\"", "has the key __use_yte__, with"),
        (b"experiment: a: b", "config.yaml is not YAML (mapping values are not allowed here in "),
        (b"experiment: 2024-13-45", "config.yaml, line 1: YAML reads 2024-13-45 as a date, but month must be in 1..12"),
        ("experiment: café".encode("latin-1"), "config.yaml is not UTF-8 text (unexpected end of data at byte 15)"),
    ],
    ids=["code", "no YAML", "impossible date", "Latin-1"],
)
def test_a_config_yaml_is_checked_before_snakemake_reads_it(tmp_path, content, sentence):
    (tmp_path / "config.yaml").write_bytes(content)
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "1"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    refused(process.returncode, process.stdout + process.stderr, sentence)
    assert not (tmp_path / "run").exists()


def test_every_key_that_is_missing_takes_its_default(tmp_path):
    code, output = dry_run(tmp_path, "experiment: paper")
    assert code == 0, output


def test_milliseconds_are_questioned_once(tmp_path):
    code, output = dry_run(tmp_path, changed(SMALL, {"snn.tau_syn_s": [5, 10]}))
    assert code == 0, output
    assert output.count("Warning: config key snn.tau_syn_s has 5 s, 10 s, longer than an image is shown") == 1


RNG = np.random.default_rng(0)


def arrays(**changes):
    """Return the arrays of a good data set, some of them changed; None removes one."""
    good = {
        "x_train": RNG.integers(0, 256, (20, 16, 16, 1)).astype(np.uint8),
        "y_train": np.arange(20) % 4,
        "x_test": RNG.integers(0, 256, (8, 16, 16, 1)).astype(np.uint8),
        "y_test": np.arange(8) % 4,
    }
    return {key: value for key, value in (good | changes).items() if value is not None}


def floats(images, **values):
    """Return float images, one pixel of them as given."""
    pixels = RNG.random((images, 16, 16, 1))
    pixels[-1, -1, -1, 0] = values.get("pixel", 0)
    return pixels


OWN = {"data": {"source": "mine.npz", "test_images": 8}}
LAYOUTS = [
    ({"x_test": None}, "mine.npz has no x_test; it must hold x_train, y_train, x_test, y_test"),
    ({"x_train": None, "images": np.zeros(3)}, "mine.npz has no x_train; it must hold"),
    ({"x_test": np.zeros((8, 8, 16, 1), np.uint8)}, "x_train are (16, 16, 1) and of x_test (8, 16, 1); they must be"),
    ({"x_test": np.zeros(8, np.uint8)}, "x_test has shape (8,); it must be (images, height, width, channels)"),
    ({"x_test": np.zeros((8, 256), np.uint8)}, "x_train are (16, 16, 1) and of x_test (256,); they must be"),
    (
        {"x_train": np.zeros((20, 256), np.uint8), "x_test": np.zeros((8, 256), np.uint8)},
        "names mine.npz, which holds samples of shape (256,); the CNN of cnn.architecture takes images",
    ),
    ({"x_test": np.zeros((0, 16, 16, 1), np.uint8)}, "x_test has shape (0, 16, 16, 1); it must be"),
    ({"x_test": np.zeros((8, 16, 16, 1), np.int32)}, "x_test is int32; images must be uint8 (0 to 255) or float"),
    ({"x_test": np.zeros((8, 16, 16, 1), bool)}, "x_test is bool; images must be uint8 (0 to 255) or float"),
    ({"x_test": np.zeros((8, 16, 16, 1), complex)}, "x_test is complex128; images must be uint8"),
    ({"x_test": np.array([{"an": "object"}] * 8).reshape(8, 1, 1, 1)}, "x_test is object; images must be uint8"),
    ({"x_test": np.zeros((8, 16, 16, 1))}, "x_train is uint8 and x_test float64; both must be uint8, or both float"),
    ({"y_test": np.zeros(7, int)}, "y_test has shape (7,); it must be (8,), one label for each image"),
    ({"y_test": np.eye(8, dtype=int)}, "y_test has shape (8, 8); it must be (8,), one label for each image"),
    ({"y_test": np.zeros(8)}, "y_test is float64; labels must be integers from 0"),
    ({"y_test": np.array(["cat"] * 8)}, "y_test is <U3; labels must be integers from 0"),
    (
        {"x_test": np.zeros((5, 16, 16, 1), np.uint8), "y_test": np.zeros(5, int)},
        "the test set of mine.npz has 5 images",
    ),
]
CONTENTS = [
    (
        {"x_train": floats(20), "x_test": floats(8, pixel=np.nan)},
        "mine.npz: x_test has pixels that are NaN, infinite or beyond",
    ),
    (
        {"x_train": floats(20, pixel=1e300), "x_test": floats(8)},
        "mine.npz: x_train has pixels that are NaN, infinite or beyond",
    ),
    ({"y_test": np.full(8, -1)}, "mine.npz: y_test has the label -1; labels must be integers from 0"),
    ({"y_train": np.full(20, 2**63, np.uint64)}, "y_train has the label 9223372036854775808; labels must be integers"),
    ({"y_test": np.full(8, 2**31 - 1)}, "no image of class '4' (4), but labels or names up to"),
    ({"y_train": np.arange(20) % 3}, "mine.npz: y_train has no image of class '3' (3), but labels or names up to 3"),
    (
        {"y_train": np.zeros(20, int), "y_test": np.zeros(8, int)},
        "y_train has one class only; it must have at least two",
    ),
    ({"class_names": np.array(["a", "b"])}, "class_names has shape (2,); it must name each of the 4 classes"),
    ({"class_names": np.array(["a", "a", "b", "c"])}, "class_names has a name twice; each class must have its own"),
    ({"class_names": np.array(["é".encode()] * 4)}, "class_names are bytes beyond ASCII; they must be text"),
    ({"class_names": np.array(["a", "b", "c", "d", "e"])}, "mine.npz: y_train has no image of class 'e' (4)"),
    ({"class_names": np.array(["a", "b", {}, "d"])}, "mine.npz is not a readable .npz file"),
]


@pytest.mark.parametrize(("changes", "sentence"), LAYOUTS, ids=[sentence[:40] for _, sentence in LAYOUTS])
def test_names_shapes_and_types_of_images(tmp_path, monkeypatch, changes, sentence):
    """Of which the headers tell, so that a configuration that names the file is refused."""
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", **arrays(**changes))
    with pytest.raises(InputError) as refusal:
        configuration.read(changed(SMALL, OWN))
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(("changes", "sentence"), CONTENTS, ids=[sentence[:40] for _, sentence in CONTENTS])
def test_what_is_in_images(tmp_path, monkeypatch, changes, sentence):
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", **arrays(**changes))
    with pytest.raises(InputError) as refusal:
        read_images("mine.npz")
    assert sentence in str(refusal.value)
    with pytest.raises(InputError) as refusal:
        configuration.read(changed(SMALL, OWN))
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 nor this"], ids=["empty", "text", "damaged"])
def test_what_is_no_npz(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"^mine.npz is not a readable .npz file \("):
        configuration.read(changed(SMALL, OWN))


BUILDERS = """
import sys

from csnn.nengodl_compat import tf

layers = tf.keras.layers

def stack(*middle):
    return tf.keras.Sequential([layers.Input((32, 32, 3)), *middle, layers.Flatten(), layers.Dense(10)])

def text(shape, classes):
    return "a model"

def other_keras(shape, classes):
    import keras
    return keras.Sequential([keras.layers.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes)])

def other_classes(shape, classes):
    return tf.keras.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(classes + 1)])

class NoShape(tf.keras.Model):
    pass

def no_shape(shape, classes):
    return NoShape()

def raises(shape, classes):
    raise KeyError("of its own")

def leaves(shape, classes):
    sys.exit(0)

def normalized(shape, classes):
    return stack(layers.Conv2D(2, 3, activation="relu"), layers.LayerNormalization(name="mine"))

def code(shape, classes):
    return stack(layers.Lambda(lambda x: x, name="mine"), layers.Conv2D(2, 3, activation="relu"))

def smooth(shape, classes):
    return stack(layers.Conv2D(2, 3, activation="gelu", name="mine"))

def no_neurons(shape, classes):
    return stack(layers.Conv2D(2, 3))
"""
RETURNED = [
    ("text", "returned str; it must return a model of tf.keras"),
    ("other_keras", "returned Sequential; it must return a model of tf.keras, imported by"),
    ("other_classes", "returned a model from (None, 32, 32, 3) to (None, 11); it must take images of (32, 32, 3)"),
    ("no_shape", "failed: AttributeError: "),
    (
        "raises",
        "failed: KeyError: 'of its own'; it must be path/to/file.py:function, a function of (input_shape, classes)",
    ),
    ("leaves", "failed: SystemExit: 0; it must be path/to/file.py:function"),
    ("absent", "failed: AttributeError: module 'user_architecture' has no attribute 'absent'; it must be"),
]
LAYERS = [
    ("normalized", "layer 'mine' (LayerNormalization) has no form in Nengo"),
    ("code", "layer 'mine' (Lambda) has no form in Nengo"),
    ("smooth", "layer 'mine' (Conv2D) has the activation gelu; spiking neurons take the place of plain ReLUs only"),
    ("no_neurons", "no layer of it has ReLU as activation; at least one must, to become neurons"),
]


@pytest.mark.parametrize(("name", "sentence"), RETURNED + LAYERS)
def test_builders(tmp_path, name, sentence):
    from csnn.model import cnn
    from csnn.model.equivalent import equivalent

    (tmp_path / "mine.py").write_text(BUILDERS)
    with pytest.raises(InputError) as refusal:
        equivalent(cnn.build((32, 32, 3), 10, builder=f"{tmp_path / 'mine.py'}:{name}"))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        (
            "import not_there\n",
            "f",
            "cnn.architecture.builder mine.py:f failed: ModuleNotFoundError: No module named 'not_",
        ),
        ("def f(:\n", "f", "cnn.architecture.builder mine.py:f failed: SyntaxError: "),
        (BUILDERS, "normalized", "the CNN cannot be converted to a spiking network: layer 'mine' (LayerNormalization)"),
    ],
    ids=["does not import", "is no Python", "cannot be converted"],
)
def test_builders_in_a_run(tmp_path, text, name, sentence):
    (tmp_path / "mine.py").write_text(text)
    config = changed(SMALL, {"cnn.architecture": {"builder": f"mine.py:{name}"}})
    process = Workflow(tmp_path, config=config).run(MODEL, check=False)
    refused(process.returncode, process.stdout + process.stderr, sentence)


def test_a_builder_behind_a_link_imports_what_lies_beside_its_file(tmp_path, monkeypatch):
    """As `make reproduce` links it."""
    from csnn.model import cnn

    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "units_of_mine.py").write_text("UNITS = 7\n")
    text = "from units_of_mine import UNITS\nfrom csnn.nengodl_compat import tf\nlayers = tf.keras.layers\n"
    text += "def f(shape, classes):\n    hidden = layers.Dense(UNITS, activation='relu')\n"
    text += "    return tf.keras.Sequential([layers.Input(shape), layers.Flatten(), hidden, layers.Dense(classes)])\n"
    (tmp_path / "far" / "mine.py").write_text(text)
    (tmp_path / "mine.py").symlink_to("far/mine.py")
    assert cnn.build((4, 4, 1), 3, builder=f"{tmp_path / 'mine.py'}:f").layers[1].units == 7


def h5(path, arrays, **attributes):
    """Write arrays as Keras 3 does, with attributes of the file."""
    with h5py.File(path, "w") as file:
        for number, array in enumerate(arrays):
            layer = ("conv2d", "conv2d_1", "dense", "dense_1")[number // 2]
            file.create_dataset(f"layers/{layer}/vars/{number % 2}", data=array)
        file.attrs.update(attributes)


def right(fill=0.0):
    """Return weights that fit the small network."""
    shapes = [(3, 3, 3, 4), (4,), (3, 3, 4, 4), (4,), (100, 8), (8,), (8, 10), (10,)]
    return [np.full(shape, fill, np.float32) for shape in shapes]


WEIGHTS = [
    (lambda path: path.write_bytes(b"no HDF5"), "weights.h5 is not a readable file of Keras ("),
    (
        lambda path: h5(path, right()[:-1]),
        "does not fit the CNN: it has 7 arrays where 8 are wanted; both must",
    ),
    (lambda path: h5(path, [np.zeros(3), *right()[1:]]), "array 1 is (3,) where (3, 3, 3, 4) is wanted; both must be"),
    (
        lambda path: h5(path, right(np.nan)),
        "weights.h5 holds weights that are NaN, infinite or beyond single precision; they must",
    ),
    (lambda path: h5(path, [a.astype("S1") for a in right()]), "weights.h5 holds something else than floating-point"),
    (
        lambda path: h5(path, right(), layer_names=["absent"]),
        "weights.h5 holds no layer absent, which it lists; it must",
    ),
    (lambda path: h5(path, right(), layer_names=7), "weights.h5 is not a readable file of Keras ("),
]


@pytest.mark.parametrize(("write", "sentence"), WEIGHTS, ids=[sentence[:40] for _, sentence in WEIGHTS])
def test_weights(tmp_path, write, sentence):
    from csnn.model import cnn
    from csnn.model.keras_file import load_weights

    model = cnn.build((32, 32, 3), 10, **SMALL["cnn"]["architecture"])
    h5(tmp_path / "weights.h5", right())
    load_weights(model, tmp_path / "weights.h5")
    write(tmp_path / "weights.h5")
    with pytest.raises(InputError) as refusal:
        load_weights(model, tmp_path / "weights.h5")
    assert sentence in str(refusal.value)


def test_weights_that_do_not_fit_in_a_run(tmp_path):
    h5(tmp_path / "weights.h5", right()[:-2])
    process = Workflow(tmp_path, config=changed(SMALL, {"cnn.weights": "weights.h5"})).run(MODEL, check=False)
    sentence = (
        "weights.h5 does not fit the CNN: it has 0 layers dense with weights of (8, 10), (10,) where 1 are wanted"
    )
    refused(process.returncode, process.stdout + process.stderr, sentence)


def test_images_too_small_for_the_layers(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    config = changed(SMALL, OWN | {"cnn.architecture.filters": [4, 4, 4]})
    process = Workflow(tmp_path, config=config).run(MODEL, check=False)
    sentence = "cnn.architecture has too many or too large layers for images of (16, 16, 1): convolution 3 has nothing"
    refused(process.returncode, process.stdout + process.stderr, sentence)


def test_results_that_are_no_folder(tmp_path):
    (tmp_path / "results").write_text("a file")
    refused(*dry_run(tmp_path, SMALL), "results is a file; it must be a folder, for results go to results/small")
    (tmp_path / "results").unlink()
    (tmp_path / "results").symlink_to("/nowhere")
    refused(*dry_run(tmp_path, SMALL), "results is a link to /nowhere, which does not exist; it must be a folder")


@pytest.fixture
def disk(tmp_path):
    """Mount small disks, which needs root; a function of a folder and of the options of mount."""
    mounted = []

    def mount(folder, *options):
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("only root can mount a disk, and only where it is allowed to")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_results_that_are_not_writable(tmp_path, request):
    results = tmp_path / "results"
    if os.geteuid():
        results.mkdir(mode=0o555)
    else:  # whom no mode keeps from writing
        request.getfixturevalue("disk")(results, "ro")
    refused(*dry_run(tmp_path, SMALL), "results is not writable; results go to results/small, so it must be")


def test_no_space_at_the_start(tmp_path, disk):
    disk(tmp_path / "results", "size=900k")
    refused(*dry_run(tmp_path, SMALL), "results is on a disk with no space left (")


def test_no_space_for_the_images(tmp_path, disk):
    disk(tmp_path / "results", "size=1200k")
    x_test = RNG.random((100, 64, 64, 1)).astype(np.float32)  # 1.6 MB that do not compress
    x_train = np.zeros((20, 64, 64, 1), np.float32)
    np.savez(tmp_path / "mine.npz", **arrays(x_train=x_train, x_test=x_test, y_test=np.arange(100) % 4))
    config = changed(SMALL, OWN | {"data.test_images": 100})
    process = Workflow(tmp_path, config=config).run("results/small/images/test.npz", check=False)
    refused(
        process.returncode,
        process.stdout + process.stderr,
        "no space is left to write results/small/images/test.npz; make room",
    )
    assert not list((tmp_path / "results").rglob("*.npz"))
