"""Quantised CNNs: their grids, against rounding by hand, and what is left exact."""

import numpy as np
import pytest

from csnn.model import cnn
from csnn.model.equivalent import equivalent
from csnn.model.graph import activations, neuron_layers
from csnn.model.quantisation import LARGE_PERCENTILE, quantised
from csnn.model.tuning import without_batch_normalization
from csnn.nengodl_compat import tf

LAYERS = tf.keras.layers
IMAGES = np.random.default_rng(0).random((30, 8, 8, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> tf.keras.Model:
    """Return a CNN with a batch normalization whose statistics are not those of a new one."""
    cnn.seed_everything(0)
    signal = image = tf.keras.Input((8, 8, 2))
    signal = LAYERS.Conv2D(3, 3, use_bias=False)(signal)
    signal = LAYERS.ReLU()(LAYERS.BatchNormalization()(signal))
    signal = LAYERS.Flatten()(LAYERS.AveragePooling2D(2)(signal))
    signal = LAYERS.Dense(5, activation="relu")(signal)
    made = tf.keras.Model(image, LAYERS.Dense(4)(signal))
    made.layers[2].set_weights(
        [np.array(values, np.float32) for values in ([1, 2, 0.5], [0.1, 0, -0.2], [0.3] * 3, [2] * 3)]
    )
    return equivalent(made, IMAGES)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_weights_and_activations_lie_on_grids_of_so_many_bits(model, bits):
    made = quantised(model, IMAGES, bits)
    for layer in (layer for layer in made.layers if layer.get_weights()):
        kernel = layer.get_weights()[0]
        steps = kernel / (np.abs(kernel).max() / (2 ** (bits - 1) - 1))
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    folded = without_batch_normalization(model)
    names = [layer.name for layer in neuron_layers(folded)]
    for exact, outputs in zip(*(activations(of, IMAGES, names) for of in (folded, made)), strict=True):
        top = np.percentile(exact[exact > 0], LARGE_PERCENTILE)
        values = outputs / (top / (2**bits - 1))
        np.testing.assert_allclose(values, np.rint(values), atol=1e-3)
        assert outputs.min() == 0 and outputs.max() <= top * (1 + 1e-5)
        assert len(np.unique(np.rint(values))) > min(2**bits, 10) / 2


def test_more_bits_come_closer_to_the_exact_cnn_which_is_left_as_it_was(model):
    before, exact = model.get_weights(), cnn.logits(model, IMAGES)
    errors = [np.abs(cnn.logits(quantised(model, IMAGES, bits), IMAGES) - exact).max() for bits in (2, 4, 8)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2] > 0
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_dense_layer_is_rounded_as_by_hand():
    cnn.seed_everything(1)
    image = tf.keras.Input((1, 1, 3))
    hidden = LAYERS.Dense(4, activation="relu")(LAYERS.Flatten()(image))
    model = equivalent(tf.keras.Model(image, LAYERS.Dense(2)(hidden)), IMAGES[:, :1, :1, [0, 1, 0]])
    images = np.random.default_rng(1).normal(size=(40, 1, 1, 3)).astype(np.float32)
    weights = [layer.get_weights() for layer in model.layers if layer.get_weights()]
    (first, first_bias), (second, second_bias) = weights

    def by_hand(kernel):
        step = np.abs(kernel).max() / 7
        return np.rint(kernel / step) * step

    flat = images.reshape(40, 3)
    exact = np.maximum(flat @ first + first_bias, 0)
    step = np.percentile(exact[exact > 0], LARGE_PERCENTILE) / 15
    hidden = step * np.clip(np.rint(np.maximum(flat @ by_hand(first) + first_bias, 0) / step), 0, 15)
    expected = hidden @ by_hand(second) + second_bias
    np.testing.assert_allclose(cnn.logits(quantised(model, images, 4), images), expected, atol=1e-5)
