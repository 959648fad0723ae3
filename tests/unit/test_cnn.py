"""The CNN: its sizes, training, weights in every layout, builders of one's own."""

import h5py
import numpy as np
import pytest

from csnn.files import InputError
from csnn.model import cnn
from csnn.model.keras_file import load_weights
from csnn.nengodl_compat import tf

SHAPE = (32, 32, 3)


def test_the_papers_architecture():
    model = cnn.build(SHAPE, 10)
    assert model.count_params() == 122_570  # as the paper says
    shapes = [layer["output_shape"] for layer in cnn.describe(model)]
    assert shapes == [[32, 32, 3], [30, 30, 32], [15, 15, 32], [13, 13, 64], [6, 6, 64], [4, 4, 64], [1024], [64], [10]]
    assert sum(layer["parameters"] for layer in cnn.describe(model)) == 122_570
    assert cnn.describe(model)[1]["config"] == {"filters": 32, "kernel_size": (3, 3), "activation": "relu"}


def test_average_pooling():
    kinds = [layer["type"] for layer in cnn.describe(cnn.build(SHAPE, 10, pooling="average"))]
    assert kinds.count("AveragePooling2D") == 2
    assert "MaxPooling2D" not in kinds


def test_images_too_small_for_the_layers_are_refused():
    with pytest.raises(
        InputError, match=r"cnn.architecture has too many or too large layers for images of \(8, 8, 1\)"
    ):
        cnn.build((8, 8, 1), 10)


def test_training_learns_and_repeats():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    images = (rng.random((200, 8, 8, 1)) * 0.5 + labels[:, None, None, None] * 0.5).astype(np.float32)

    def trained():
        cnn.seed_everything(1)
        model = cnn.build((8, 8, 1), 2, filters=[2], dense_units=4)
        history = cnn.train(model, images, labels, epochs=20, batch_size=20)
        return model, history

    (model, history), (again, _) = trained(), trained()
    assert history["accuracy"][-1] > 0.9 > history["loss"][-1]
    assert (cnn.logits(model, images).argmax(1) == labels).mean() > 0.9
    for weight, same in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


def test_saved_and_loaded_model_gives_the_same_logits(tmp_path):
    model = cnn.build(SHAPE, 10)
    cnn.save(model, tmp_path / "model.h5")
    images = np.random.default_rng(0).random((4, *SHAPE), np.float32)
    np.testing.assert_array_equal(cnn.logits(model, images), cnn.logits(cnn.load(tmp_path / "model.h5"), images))


def old_layout(model, path):
    """Write weights as Keras 2 does from a notebook in which many layers were made: groups named and numbered."""
    layers = [layer for layer in model.layers if layer.weights]
    names = [f"{type(layer).__name__.lower()}_{98 + i}" for i, layer in enumerate(layers)]  # crosses 99 to 100
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = names
        for name, layer in zip(names, layers, strict=True):
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0", f"{name}/bias:0"]
            for part, value in zip(("kernel", "bias"), layer.get_weights(), strict=True):
                group[f"{name}/{part}:0"] = value


def keras3_layout(model, path):
    """Write weights as Keras 3 does in .weights.h5."""
    layers = [layer for layer in model.layers if layer.weights]
    with h5py.File(path, "w") as file:
        counts = {}
        for layer in layers:
            kind = type(layer).__name__.lower()
            name = kind if kind not in counts else f"{kind}_{counts[kind]}"
            counts[kind] = counts.get(kind, 0) + 1
            for i, value in enumerate(layer.get_weights()):
                file[f"layers/{name}/vars/{i}"] = value


@pytest.mark.parametrize(
    "write",
    [
        lambda model, path: model.save_weights(path),
        lambda model, path: cnn.save(model, path),
        old_layout,
        keras3_layout,
    ],
    ids=["weights", "whole model", "old", "keras 3"],
)
def test_weights_of_every_layout_load(tmp_path, write):
    # twelve convolutions, so that their numbers have one and two digits
    sizes = {"filters": [3] * 12, "kernel": 1, "pool": 1, "dense_units": 8}
    model = cnn.build((4, 4, 3), 5, **sizes)
    write(model, tmp_path / "weights.h5")
    other = cnn.build((4, 4, 3), 5, **sizes)
    load_weights(other, tmp_path / "weights.h5")
    for weight, loaded in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, loaded)


def test_weights_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "weights.h5"
    cnn.build(SHAPE, 10).save_weights(path)
    with pytest.raises(InputError, match=r"does not fit the CNN: array 1 is \(3, 3, 3, 32\) where \(3, 3, 3, 16\)"):
        load_weights(cnn.build(SHAPE, 10, filters=[16, 64, 64]), path)
    with pytest.raises(InputError, match="does not fit"):
        load_weights(cnn.build(SHAPE, 10, filters=[32, 64, 64, 64], kernel=1), path)
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(InputError, match="not a readable file of Keras"):
        load_weights(cnn.build(SHAPE, 10), tmp_path / "text.h5")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    model = cnn.build(SHAPE, 10)
    weights = model.get_weights()
    weights[0][0, 0, 0, 0] = np.nan
    model.set_weights(weights)
    model.save_weights(tmp_path / "weights.h5")
    with pytest.raises(InputError, match="NaN, infinite or beyond single precision"):
        load_weights(cnn.build(SHAPE, 10), tmp_path / "weights.h5")


BUILDER = """
from csnn.nengodl_compat import tf

def network(input_shape, classes):
    return tf.keras.Sequential([
        tf.keras.layers.Conv2D(2, 3, strides=2, activation="relu", input_shape=input_shape),
        tf.keras.layers.GlobalAveragePooling2D(),
        tf.keras.layers.Dense(classes),
    ])

def not_a_model(input_shape, classes):
    return "a model"

def other_classes(input_shape, classes):
    return network(input_shape, classes + 1)

def fails(input_shape, classes):
    raise RuntimeError("of its own")
"""


def test_a_builder_of_ones_own(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(BUILDER)
    model = cnn.build(SHAPE, 7, builder=f"{path}:network")
    assert model.output_shape == (None, 7)
    for name, message in {
        "not_a_model": "returned str; it must return a model of tf.keras",
        "other_classes": r"to \(None, 8\); it must take images of \(32, 32, 3\) and have 7 outputs",
        "fails": "failed: RuntimeError: of its own",
        "absent": "failed: AttributeError",
    }.items():
        with pytest.raises(InputError, match=message):
            cnn.build(SHAPE, 7, builder=f"{path}:{name}")


def test_logits_do_not_depend_on_how_many_images_go_together():
    model = cnn.build(SHAPE, 10)
    images = np.random.default_rng(0).random((7, *SHAPE), np.float32)
    np.testing.assert_allclose(cnn.logits(model, images)[:2], cnn.logits(model, images[:2]), atol=1e-6)
    assert isinstance(model, tf.keras.Model)
