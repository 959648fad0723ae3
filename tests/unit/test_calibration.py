"""Calibration: closed forms, numpy's least squares with a ridge, Nengo's rate curve, and networks that need none."""

import numpy as np
import pytest

from csnn.files import InputError
from csnn.model import calibration, cnn, tuning
from csnn.model.graph import neuron_layers, with_average_pooling
from csnn.nengodl_compat import tf
from test_tuning import residual_network, small

import nengo  # isort: skip

LAYERS = tf.keras.layers
LIF = {"neuron": {"tau_rc_s": 0.02, "tau_ref_s": 0.002}, "max_rate_hz": 415.0}
RANDOM = np.random.default_rng(1)
IMAGES = RANDOM.random((60, 12, 12, 3)).astype(np.float32)


def one_layer() -> tf.keras.Model:
    """Return a CNN with one layer of neurons between two dense ones."""
    cnn.seed_everything(0)
    return tf.keras.Sequential(
        [LAYERS.Input((6,)), LAYERS.Dense(9, activation="relu"), LAYERS.Dense(3, bias_initializer="normal")]
    )


def rates_and_logits(model: tf.keras.Model, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what LIF neurons of the single layer send, in units of its activations, and the ReLU network's logits."""
    kernel, bias, *_ = (weight.astype(float) for weight in model.get_weights())
    current = values.astype(float) @ kernel + bias
    (gain,), (slope,) = tuning.gains_and_slopes(model, values, LIF["neuron"])
    neurons = nengo.LIFRate(**{name.removesuffix("_s"): value for name, value in LIF["neuron"].items()})
    return neurons.rates((1 + gain * current).ravel(), 1, 0).reshape(current.shape) / slope, model(values).numpy()


def test_least_squares_are_numpys_with_a_ridge():
    model, values = one_layer(), RANDOM.normal(size=(400, 6)).astype(np.float32)
    sent, logits = rates_and_logits(model, values)
    kernel, bias = model.layers[-1].get_weights()
    calibrated, history = calibration.calibrate(model, values, method="least-squares", **LIF)
    ridge = history["layers"][-1]["ridge"]
    # a ridge is a further row for each weight, of what the weight should not cost, which asks for 0
    cost = np.diag([*np.full(9, np.sqrt(ridge * (sent**2).sum(axis=0).mean())), 0.0])
    rows = np.vstack([np.column_stack([sent, np.ones(400)]), cost])
    missing = np.vstack([logits - sent @ kernel - bias, np.zeros((10, 3))])
    change = np.linalg.lstsq(rows, missing, rcond=None)[0]
    expected = sent @ (kernel + change[:-1]) + bias + change[-1]
    ours = cnn.logits(tuning.with_rate_curve(calibrated, LIF["max_rate_hz"], LIF["neuron"]), values)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(expected - sent @ kernel - bias).max() > 0.1


def test_the_ridge_is_best_on_images_that_were_held_out():
    model, values = one_layer(), RANDOM.normal(size=(400, 6)).astype(np.float32)
    sent, logits = rates_and_logits(model, values)
    kernel, bias = model.layers[-1].get_weights()
    missing = logits - sent @ kernel - bias
    rows = np.column_stack([sent, np.ones(400)])
    errors = {}
    for ridge in calibration.RIDGES:
        cost = np.diag([*np.full(9, ridge * (sent[:320] ** 2).sum(axis=0).mean()), 0.0])
        change = np.linalg.solve(rows[:320].T @ rows[:320] + cost, rows[:320].T @ missing[:320])
        errors[ridge] = np.sqrt(((missing - rows @ change)[320:] ** 2).mean()) / logits[320:].std()
    layer = calibration.calibrate(model, values, method="least-squares", **LIF)[1]["layers"][-1]
    assert errors[layer["ridge"]] == pytest.approx(min(errors.values()), rel=1e-3)
    assert layer["error_after"] == pytest.approx(min(errors.values()), rel=1e-3)
    assert layer["error_before"] == pytest.approx(np.sqrt((missing[320:] ** 2).mean()) / logits[320:].std(), rel=1e-3)
    assert layer["error_before"] > 1.1 * layer["error_after"]


def test_biases_make_means_equal():
    model = small()
    calibrated, history = calibration.calibrate(model, IMAGES, method="bias", **LIF)
    logits = cnn.logits(tuning.with_rate_curve(calibrated, LIF["max_rate_hz"], LIF["neuron"]), IMAGES)
    relu = cnn.logits(model, IMAGES)
    np.testing.assert_allclose(logits.mean(axis=0), relu.mean(axis=0), atol=1e-5)
    assert [layer["ridge"] for layer in history["layers"]] == [None] * 4
    folded = tuning.fold(model, *tuning.gains_and_slopes(model, IMAGES, LIF["neuron"]), LIF["max_rate_hz"])
    as_folded = cnn.logits(tuning.with_rate_curve(folded, LIF["max_rate_hz"], LIF["neuron"]), IMAGES)
    assert np.abs(as_folded.mean(axis=0) - relu.mean(axis=0)).max() > 1e-4


@pytest.mark.parametrize(("method", "make"), [("bias", small), ("least-squares", residual_network)])
def test_neurons_without_limit_leave_a_network_as_it_is(method, make):
    model = with_average_pooling(make())
    calibrated, _ = calibration.calibrate(model, IMAGES, method=method)
    np.testing.assert_allclose(cnn.logits(calibrated, IMAGES), cnn.logits(model, IMAGES), rtol=1e-4, atol=1e-4)


def test_average_pooling_is_made_up_for():
    cnn.seed_everything(0)
    model = tf.keras.Sequential(
        [
            LAYERS.Input((12, 12, 3)),
            LAYERS.Conv2D(4, 3, activation="relu"),
            LAYERS.MaxPooling2D(2),
            LAYERS.Conv2D(3, 1),
            LAYERS.GlobalAveragePooling2D(),
        ]
    )
    expected, swapped = cnn.logits(model, IMAGES), cnn.logits(with_average_pooling(model), IMAGES)
    calibrated, _ = calibration.calibrate(model, IMAGES, method="least-squares")
    assert not any(isinstance(layer, LAYERS.MaxPooling2D) for layer in calibrated.layers)
    assert np.abs(cnn.logits(calibrated, IMAGES) - expected).mean() < 0.5 * np.abs(swapped - expected).mean()


def test_residual_networks_are_calibrated():
    model = with_average_pooling(residual_network())
    expected = cnn.logits(model, IMAGES)

    def error(lif):
        logits = cnn.logits(tuning.with_rate_curve(lif, LIF["max_rate_hz"], LIF["neuron"]), IMAGES)
        return np.sqrt(((logits - expected) ** 2).mean()) / expected.std()

    flat = tuning.without_batch_normalization(model)
    folded = tuning.fold(flat, *tuning.gains_and_slopes(flat, IMAGES, LIF["neuron"]), LIF["max_rate_hz"])
    calibrated, history = calibration.calibrate(model, IMAGES, method="least-squares", **LIF)
    assert error(calibrated) < 0.6 * error(folded)
    assert len(neuron_layers(calibrated)) == len(neuron_layers(model)) == 4
    of_layer = {layer["layer"]: layer for layer in history["layers"]}
    (relu_of_sum,) = [layer.name for layer in neuron_layers(flat) if isinstance(layer, LAYERS.ReLU)]
    assert of_layer[relu_of_sum]["ridge"] is None and len(of_layer) == 6
    before, after = (sum(layer[f"error_{when}"] for layer in history["layers"]) for when in ("before", "after"))
    assert after < 0.8 * before


def test_the_last_layer_of_a_sum_sets_the_sum_right():
    image = LAYERS.Input((12, 12, 3))
    x = LAYERS.Conv2D(4, 3, activation="relu", name="first")(image)
    y = LAYERS.Conv2D(4, 1, name="shortcut")(x)
    z = LAYERS.Conv2D(4, 3, padding="same", activation="relu", name="inner")(x)
    z = LAYERS.Conv2D(4, 3, padding="same", name="last")(z)
    z = LAYERS.ReLU(name="relu")(LAYERS.Add(name="sum")([y, z]))
    model = tf.keras.Model(image, LAYERS.Dense(2, name="logits")(LAYERS.Flatten()(z)))
    ends = calibration._ends(model)
    own = {name: name for name in ("first", "shortcut", "inner", "relu", "logits")}
    assert ends == own | {"last": "sum"}
    assert list(ends) == ["first", "shortcut", "inner", "last", "relu", "logits"]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (LAYERS.Dense(4), (5,)),
        (LAYERS.Conv1D(4, 3, strides=2, padding="same"), (9, 2)),
        (LAYERS.Conv2D(4, (3, 2), strides=2, padding="same"), (7, 8, 3)),
        (LAYERS.Conv2D(6, 3, groups=2), (7, 8, 4)),
        (LAYERS.Conv3D(4, 2), (4, 5, 3, 2)),
        (LAYERS.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), (6, 7, 3)),
        (LAYERS.DepthwiseConv1D(3, depth_multiplier=2), (6, 3)),
    ],
)
def test_inputs_are_what_the_weights_of_a_layer_multiply(layer, shape):
    values = tf.constant(RANDOM.normal(size=(3, *shape)).astype(np.float32))
    cnn.seed_everything(0)
    model = tf.keras.Sequential([LAYERS.Input(shape), layer])
    kernel = layer.get_weights()[0]
    kernel[0] = 0 if kernel.ndim > 2 else kernel[0]  # a row that stays so
    layer.set_weights([kernel, RANDOM.normal(size=layer.output_shape[-1])])
    kernel, bias = layer.get_weights()
    inputs = calibration._Inputs(layer, bias_alone=False)
    rows = inputs.rows(values, 0)
    by_group = kernel.reshape(inputs.size, inputs.groups, -1)[inputs.used].transpose(1, 0, 2)
    weights = np.concatenate([by_group, bias.reshape(inputs.groups, 1, -1)], axis=1)
    expected = calibration._by_group(model(values).numpy(), inputs.groups)
    np.testing.assert_allclose(rows @ weights, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(inputs.kernel(weights), kernel)
    assert (inputs.number < inputs.size) == (kernel.ndim > 2)


def test_a_silent_layer_is_refused():
    model = small()
    model.layers[1].set_weights([weight * 0 - 1 for weight in model.layers[1].get_weights()])
    with pytest.raises(InputError, match="has no activation above zero, so its neurons cannot be given a gain"):
        calibration.calibrate(model, IMAGES, method="bias", **LIF)
