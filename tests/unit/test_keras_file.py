"""CNNs and weights from files of Keras 2 and 3, against what Keras itself answers; nothing in a file is run."""

import json
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from csnn.files import InputError
from csnn.model.equivalent import equivalent
from csnn.model.keras_file import load_weights, read_model
from csnn.nengodl_compat import tf

SHAPE = (10, 10, 3)
CNNS = """
def usual(keras, operations):
    L = keras.layers
    image = L.Input((10, 10, 3))
    block = keras.Sequential([L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), L.ReLU()], name="block")
    inner = L.Input((10, 10, 4))
    backbone = keras.Model(inner, L.AveragePooling2D(2)(L.DepthwiseConv2D(3, activation=L.ReLU())(inner)), name="bb")
    x = block(L.Rescaling(2.0)(L.RandomFlip()(image)))
    x = backbone(L.Conv2D(4, 3, padding="same", activation="relu")(x))
    x = operations.relu(L.Conv2D(4, 1)(x) + x)
    return keras.Model(image, L.Dense(5, activation="softmax")(L.Dropout(0.5)(L.Flatten()(x))))


def nested_alike(keras, operations):  # a nested block before a convolution of the same shape
    L = keras.layers
    image, inner, features = (L.Input((10, 10, 3)) for _ in range(3))
    block = keras.Model(inner, L.Conv2D(3, 3, padding="same", activation="relu")(inner), name="block")
    head = keras.Model(features, L.Dense(5)(L.Flatten()(features)), name="head")
    return keras.Model(image, head(L.Conv2D(3, 3, padding="same", activation="relu")(block(image))))


def sequential(keras, operations):
    L = keras.layers
    return keras.Sequential([
        L.Input((10, 10, 3)), L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU(), L.GlobalAveragePooling2D(), L.Dense(5)
    ])
"""
exec(CNNS)
BUILDERS = {"usual": usual, "nested_alike": nested_alike, "sequential": sequential}  # noqa: F821
KERAS_3 = f"""
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
{CNNS}
rng = np.random.default_rng(0)
images = rng.random((3, 10, 10, 3)).astype(np.float32)
for build in (usual, nested_alike, sequential):
    model = build(keras, keras.ops)
    for weight in model.weights:
        if "seed" not in weight.path:
            low = 0.5 if "variance" in weight.path else -0.3
            weight.assign(rng.uniform(low, low + 0.6, weight.shape))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, np.arange(3), verbose=0)  # so that an optimizer and metrics are saved as well
    name = build.__name__
    np.savez(f"{{name}}.npz", images=images, outputs=model.predict(images, verbose=0))
    model.save(f"{{name}}.keras")
    model.save(f"{{name}}.h5")
    model.save_weights(f"{{name}}.weights.h5")
"""


@pytest.fixture(scope="module")
def keras3(tmp_path_factory):
    """Return a folder with files that Keras 3 wrote."""
    folder = tmp_path_factory.mktemp("keras3")
    subprocess.run([sys.executable, "-c", KERAS_3], cwd=folder, check=True, capture_output=True)
    return folder


def outputs(model, images):
    return model(images, training=False).numpy()


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_model_of_keras_3(keras3, name, ending):
    answer = np.load(keras3 / f"{name}.npz")
    model = read_model(keras3 / f"{name}.{ending}")
    np.testing.assert_allclose(outputs(model, answer["images"]), answer["outputs"], atol=1e-6)
    equivalent(model, answer["images"])


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("ending", ["weights.h5", "h5", "keras"])
def test_weights_of_keras_3(keras3, name, ending):
    answer = np.load(keras3 / f"{name}.npz")
    model = BUILDERS[name](tf.keras, tf.nn)
    assert np.abs(outputs(model, answer["images"]) - answer["outputs"]).max() > 1e-3
    load_weights(model, keras3 / f"{name}.{ending}")
    np.testing.assert_allclose(outputs(model, answer["images"]), answer["outputs"], atol=1e-6)


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("frozen", [False, True])
def test_files_of_keras_2(tmp_path, name, frozen):
    model = BUILDERS[name](tf.keras, tf.nn)
    if frozen:  # which changes the order in which Keras lists weights
        model.layers[-1 if name == "sequential" else 3].trainable = False
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.1, 0.7, weight.shape))
    images = rng.random((3, *SHAPE)).astype(np.float32)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, np.arange(3), verbose=0)  # so that an optimizer and metrics are saved as well
    expected = outputs(model, images)
    for ending in ("h5", "keras"):
        model.save(tmp_path / f"model.{ending}")
        np.testing.assert_array_equal(outputs(read_model(tmp_path / f"model.{ending}"), images), expected)
    for ending in ("h5", "weights.h5"):
        model.save_weights(tmp_path / f"only.{ending}")
        other = BUILDERS[name](tf.keras, tf.nn)
        load_weights(other, tmp_path / f"only.{ending}")
        np.testing.assert_array_equal(outputs(other, images), expected)


def test_weights_that_fit_in_two_ways_are_refused(keras3, tmp_path):
    layers = tf.keras.layers
    flat = tf.keras.Sequential(
        [layers.Input(SHAPE)]
        + [layers.Conv2D(3, 3, padding="same", activation="relu") for _ in range(2)]
        + [layers.Flatten(), layers.Dense(5)]
    )
    with pytest.raises(
        InputError, match="fits the CNN in two ways: which of its layers .* nothing says; save the whole"
    ):
        load_weights(flat, keras3 / "nested_alike.weights.h5")
    names = ["first", "second"]
    for order in (names, names[::-1]):
        model = tf.keras.Sequential([layers.Input((4,)), *(layers.Dense(4, name=name) for name in order)])
        if order == names:
            model.save_weights(tmp_path / "weights.h5")
    with pytest.raises(InputError, match="in two ways: by the names of its layers and by their order"):
        load_weights(model, tmp_path / "weights.h5")


def test_another_nesting_is_no_matter_where_one_layer_alone_fits(keras3):
    layers = tf.keras.layers
    image = layers.Input(SHAPE)
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3)(image)))
    inner = layers.Input(x.shape[1:])
    head = tf.keras.Model(inner, layers.Dense(5)(layers.GlobalAveragePooling2D()(inner)))
    model = tf.keras.Model(image, head(x))
    load_weights(model, keras3 / "sequential.weights.h5")
    answer = np.load(keras3 / "sequential.npz")
    np.testing.assert_allclose(outputs(model, answer["images"]), answer["outputs"], atol=1e-6)


class OwnLayer(tf.keras.layers.Layer):
    pass


@pytest.mark.parametrize("ending", ["h5", "keras"])
@pytest.mark.parametrize("kind", ["Lambda", "OwnLayer", "activation"])
def test_code_is_refused_by_name(tmp_path, ending, kind):
    layers = tf.keras.layers
    mine = {
        "Lambda": lambda: layers.Lambda(lambda x: 1 / 0 * x, name="mine", output_shape=SHAPE),
        "OwnLayer": lambda: OwnLayer(name="mine"),
        "activation": lambda: layers.Conv2D(3, 3, name="mine", activation="relu"),
    }[kind]()
    image = layers.Input(SHAPE)
    x = mine(image) if kind != "Lambda" else image
    model = tf.keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    path = tmp_path / f"model.{ending}"
    model.save(path)

    def change(config):
        if kind == "Lambda":
            config["config"]["layers"][1] |= {"class_name": "Lambda"}
            config["config"]["layers"][1]["config"] |= {"name": "mine", "function": ["code", None, None]}
        if kind == "activation":
            config["config"]["layers"][1]["config"]["activation"] = {
                "class_name": "function", "config": "system", "module": "os", "registered_name": "system",
            }  # fmt: skip
        return json.dumps(config)

    if ending == "h5":
        with h5py.File(path, "a") as file:
            file.attrs["model_config"] = change(json.loads(file.attrs["model_config"]))
    else:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, change(json.loads(content)) if name == "config.json" else content)
    sentence = "with the activation .*system" if kind == "activation" else f"of class {kind}"
    with pytest.raises(InputError, match=rf"holds the layer 'mine' {sentence}.* code is not run"):
        read_model(path)


def weights_file(path):
    model = tf.keras.Sequential([tf.keras.layers.Input((4,)), tf.keras.layers.Dense(3, name="dense")])
    model.save_weights(path)
    return model, "dense/dense/kernel:0"


def external_link(file, name, folder):
    file[name] = h5py.ExternalLink(str(folder / "other.h5"), "secret")


def soft_link(file, name, folder):
    file[name] = h5py.SoftLink("/dense/dense/bias:0")


def external_storage(file, name, folder):
    (folder / "secret").write_bytes(bytes(48))
    file.create_dataset(name, (4, 3), "f4", external=[(str(folder / "secret"), 0, 48)])


def virtual(file, name, folder):
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "secret", (4, 3))
    file.create_virtual_dataset(name, layout)


def too_large(file, name, folder):
    file.create_dataset(name, (10**6, 10**6), "f4", chunks=(100, 100))


def beyond_single_precision(file, name, folder):
    file.create_dataset(name, data=np.full((4, 3), 1e300))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (external_link, "holds a link at dense/kernel:0; weights must lie there themselves"),
        (soft_link, "holds a link at"),
        (external_storage, "weights that lie in another file"),
        (virtual, "weights that lie in another file"),
        (too_large, r"does not fit the CNN: array 1 is \(1000000, 1000000\) where \(4, 3\) is wanted"),
        (beyond_single_precision, "NaN, infinite or beyond single precision"),
    ],
)
def test_nothing_is_read_from_elsewhere_or_beyond_the_models_sizes(tmp_path, change, sentence):
    path = tmp_path / "weights.h5"
    model, name = weights_file(path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.ones((4, 3), np.float32)
    with h5py.File(path, "a") as file:
        del file[name]
        change(file, name, tmp_path)
    with pytest.raises(InputError, match=sentence):
        load_weights(model, path)


def test_memory_is_taken_for_no_more_weights_than_the_file_can_hold(tmp_path):
    path = tmp_path / "model.h5"
    layers = tf.keras.layers
    tf.keras.Sequential([layers.Input((4,)), layers.Dense(3, name="mine")]).save(path)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"units": 3', f'"units": {10**12}')
    with pytest.raises(InputError, match=r"describes the layer 'mine' with weights of \(4, 10+\), which the file is"):
        read_model(path)


def test_what_is_no_model_is_refused(tmp_path):
    weights_file(tmp_path / "weights.h5")
    with pytest.raises(InputError, match="holds weights but no architecture; it must be one that model.save of Keras"):
        read_model(tmp_path / "weights.h5")
    with pytest.raises(InputError, match="is a folder; a SavedModel is not read, .* and save it as .keras"):
        read_model(tmp_path)
    (tmp_path / "text.keras").write_text("no archive")
    with pytest.raises(InputError, match="is not a readable file of Keras"):
        read_model(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 65_000_000)
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(InputError, match="config.json claims 65000000 bytes, packed into"):
        read_model(tmp_path / "bomb.keras")
