"""NengoDL on current TensorFlow: against Nengo's own simulator, and what its converter is documented to do."""

import subprocess
import sys

import nengo
import numpy as np
import pytest

from csnn import neurons, verification
from csnn.files import InputError
from csnn.model.graph import with_average_pooling
from csnn.nengodl.conversion import convert, rate_logits, rates_at_percentile
from csnn.nengodl.simulator import simulate
from csnn.nengodl_compat import nengo_dl, tf

IMAGES = np.random.default_rng(0).random((3, 8, 8, 3), np.float32)


def small_cnn(pooling=tf.keras.layers.AveragePooling2D, activation="relu") -> tf.keras.Model:
    """Return a CNN with every kind of layer that the paper's has; positive weights, so that all its neurons fire."""
    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Conv2D(5, 3, activation=activation, input_shape=(8, 8, 3), bias_initializer="ones"),
            pooling(2),
            layers.Conv2D(4, 2, activation=activation, bias_initializer="ones"),
            layers.Flatten(),
            layers.Dense(6, activation=activation, bias_initializer="ones"),
            layers.Dense(3),
        ]
    )


@pytest.mark.parametrize("name", neurons.NEURONS)
@pytest.mark.parametrize("tau_syn_s", [0.005, None])
def test_equals_nengos_own_simulator_in_double_precision(name, tau_syn_s):
    network = {"tau_syn_s": tau_syn_s, "max_rate_hz": 200, "seed": 3}
    logits = simulate(
        convert(small_cnn(), neurons.build(name, {}), **network), IMAGES, dt_s=0.001, steps=40, minibatch=2
    )
    converter = convert(small_cnn(), neurons.build(name, {}), **network)
    for image, ours in zip(IMAGES, logits, strict=True):
        converter.inputs[converter.model.input].output = image.ravel().astype(np.float64)
        with nengo.Simulator(converter.net, seed=3, progress_bar=False) as simulator:
            simulator.run_steps(40, progress_bar=False)
        np.testing.assert_allclose(ours, simulator.data[converter.outputs[converter.model.output]], atol=1e-12)
    assert np.ptp(logits) > 0.1


def test_rate_neurons_without_filter_give_the_logits_of_the_cnn():
    converter = convert(small_cnn(), neurons.build("RLR", {}), tau_syn_s=None, max_rate_hz=415, seed=0)
    logits = simulate(converter, IMAGES, dt_s=0.001, steps=3, minibatch=3)
    expected = small_cnn().predict(IMAGES, verbose=0)
    np.testing.assert_allclose(logits, np.repeat(expected[:, None], 3, axis=1), rtol=1e-5, atol=1e-6)


def test_max_pooling_becomes_average_pooling():
    as_max = convert(
        small_cnn(tf.keras.layers.MaxPooling2D), neurons.build("RLR", {}), tau_syn_s=None, max_rate_hz=1, seed=0
    )
    average = convert(small_cnn(), neurons.build("RLR", {}), tau_syn_s=None, max_rate_hz=1, seed=0)
    both = [simulate(c, IMAGES, dt_s=0.001, steps=2, minibatch=3) for c in (as_max, average)]
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("activation", ["relu", tf.nn.relu, tf.keras.activations.relu])
def test_every_spelling_of_relu_becomes_the_neuron(activation):
    converter = convert(
        small_cnn(activation=activation), neurons.build("LIF", {}), tau_syn_s=0.005, max_rate_hz=415, seed=0
    )
    kinds = {type(ensemble.neuron_type) for ensemble in converter.net.all_ensembles}
    assert kinds == {nengo.LIF}
    assert {ensemble.neuron_type.amplitude for ensemble in converter.net.all_ensembles} == {1 / 415}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RLR", "LIF"])
def test_images_are_independent_of_what_they_are_simulated_with(name):
    images = np.random.default_rng(1).random((15, 8, 8, 3), np.float32)

    def in_shards(size):
        parts = [images[start : start + size] for start in range(0, 15, size)]
        network = {"tau_syn_s": 0.005, "max_rate_hz": 200, "seed": 0}
        time = {"dt_s": 0.001, "steps": 15, "minibatch": 4}
        return [simulate(convert(small_cnn(), neurons.build(name, {}), **network), part, **time) for part in parts]

    whole, three, eight = (in_shards(size) for size in (15, 6, 2))
    assert [len(parts) for parts in (whole, three, eight)] == [1, 3, 8]
    np.testing.assert_array_equal(whole[0], np.concatenate(three))
    np.testing.assert_array_equal(whole[0], np.concatenate(eight))


def test_the_seed_sets_the_initial_membrane_potentials():
    def run(seed):
        converter = convert(small_cnn(), neurons.build("SRL", {}), tau_syn_s=0.005, max_rate_hz=200, seed=seed)
        return simulate(converter, IMAGES, dt_s=0.001, steps=20, minibatch=3)

    np.testing.assert_array_equal(run(1), run(1))
    assert np.abs(run(1) - run(2)).max() > 1e-3


def test_single_precision_differs_from_double_by_rounding_only():
    def run(precision):
        converter = convert(
            small_cnn(), neurons.build("RLR", {}), tau_syn_s=0.005, max_rate_hz=200, seed=0, precision=precision
        )
        return simulate(converter, IMAGES, dt_s=0.001, steps=20, minibatch=3)

    single, double = run("single"), run("double")
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert 0 < np.abs(single - double).max() < 1e-4


def test_a_layer_without_a_native_form_is_refused():
    model = tf.keras.Sequential(
        [tf.keras.layers.Conv2D(2, 3, activation="relu", input_shape=(8, 8, 3)), tf.keras.layers.LayerNormalization()]
    )
    with pytest.raises(InputError, match="LayerNormalization"):
        convert(model, neurons.build("LIF", {}), tau_syn_s=0.005, max_rate_hz=415, seed=0)


@pytest.mark.parametrize("rate", [np.nan, np.inf, 0.0, -5.0, [415.0, np.nan, 415.0]])
def test_rates_that_are_no_rates_are_refused(rate):
    with pytest.raises(InputError, match="snn.max_rate_hz is (nan|inf|0.0|-5.0); a rate must be a finite"):
        convert(small_cnn(), neurons.build("SRL", {}), tau_syn_s=0.005, max_rate_hz=rate, seed=0)


@pytest.mark.parametrize("tau_syn_s", [np.nan, np.inf, -0.005])
def test_time_constants_that_are_none_are_refused(tau_syn_s):
    with pytest.raises(InputError, match="tau_syn_s is (nan|inf|-0.005); it must be a finite time"):
        convert(small_cnn(), neurons.build("SRL", {}), tau_syn_s=tau_syn_s, max_rate_hz=415, seed=0)


def test_pixels_that_are_not_finite_are_refused():
    converter = convert(small_cnn(), neurons.build("RLR", {}), tau_syn_s=None, max_rate_hz=415, seed=0)
    with pytest.raises(InputError, match="pixels that are NaN, infinite or beyond"):
        simulate(converter, np.full_like(IMAGES, np.nan), dt_s=0.001, steps=1, minibatch=1)


@pytest.mark.parametrize("weight", [np.nan, -np.inf])
def test_weights_that_are_not_finite_are_refused(weight):
    model = small_cnn()
    weights = model.get_weights()
    weights[-1][0] = weight
    model.set_weights(weights)
    with pytest.raises(InputError, match="of the CNN holds NaN or infinite weights"):
        convert(model, neurons.build("SRL", {}), tau_syn_s=0.005, max_rate_hz=415, seed=0)


def test_it_must_be_imported_before_tensorflow():
    script = "import tensorflow\nimport csnn.nengodl_compat"
    environment = {"PYTHONPATH": "workflow/scripts", "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert "import csnn.nengodl_compat before tensorflow" in process.stderr


def test_only_nengodl_sees_the_lent_modules():
    import keras

    assert keras.__version__.startswith("3.")
    assert "keras.engine.functional" not in sys.modules
    assert nengo_dl.compat.Functional.__module__.startswith("tf_keras")


def test_keras_own_settings_file_changes_nothing(tmp_path):
    settings = '{"floatx": "float16", "image_data_format": "channels_first", "epsilon": 0.1, "backend": "tensorflow"}'
    (tmp_path / "keras.json").write_text(settings)
    script = "from csnn.nengodl_compat import tf\nbackend = tf.keras.backend\n"
    script += "print(backend.floatx(), backend.image_data_format(), backend.epsilon())\n"
    script += "print(tf.keras.layers.Conv2D(1, 1)(tf.keras.Input((3, 4, 5))).shape[1:])"
    environment = {"PYTHONPATH": "workflow/scripts", "PATH": "", "KERAS_HOME": str(tmp_path), "HOME": str(tmp_path)}
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert process.stdout.splitlines() == ["float32 channels_last 1e-07", "(3, 4, 1)"], process.stderr


def test_importing_it_starts_no_second_tensorflow_and_leaves_the_threads_free_to_set():
    script = "import subprocess, csnn.nengodl_compat as compat\n"
    script += "assert subprocess.call(['true']) == 0\ncompat.use_threads(1)\n"
    script += "print(compat.nengo_dl.utils.tf_gpu_installed, bool(compat.tf.config.list_physical_devices('GPU')))\n"
    script += "print(compat.tf.config.threading.get_intra_op_parallelism_threads())"
    environment = {"PYTHONPATH": "workflow/scripts", "PATH": "/usr/bin:/bin"}
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert process.stdout.split() in (["False", "False", "1"], ["True", "True", "1"]), process.stderr
    assert process.stderr == ""  # nothing of absent GPUs before the sentence of a job that fails


def test_the_certificate_compares_rate_neurons_with_the_cnn_itself():
    model = small_cnn(tf.keras.layers.MaxPooling2D)
    expected = with_average_pooling(model).predict(IMAGES, verbose=0)
    logits = rate_logits(model, IMAGES, [100, 200, 300])
    certificate = verification.cnn_certificate(expected, logits)
    assert 0 < certificate["largest_difference"] < 1e-5 < certificate["tolerance"]
    assert certificate["largest_logit"] == np.abs(expected).max()
    with pytest.raises(InputError, match="NengoDL's conversion changes the CNN: .* a logit differs by"):
        verification.cnn_certificate(model.predict(IMAGES, verbose=0), logits)  # with its max pooling


def test_certified_rates_belong_to_their_model_and_setting():
    certificate = {"model": "sha256:1", "max_rate_hz": 415, "rates_hz": {"conv2d": 415, "dense": 415}}
    assert verification.certified_rates(certificate, "sha256:1", 415) == [415, 415]
    for other in (("sha256:2", 415), ("sha256:1", 400)):
        with pytest.raises(InputError, match="is of another model or of other rates"):
            verification.certified_rates(certificate, *other)


def test_rates_at_a_percentile_of_the_activations():
    model = small_cnn(tf.keras.layers.MaxPooling2D)
    images = np.random.default_rng(1).random((50, 8, 8, 3), np.float32)
    first, second, third = rates_at_percentile(model, images, percentile=90, hz=200)
    outputs = tf.keras.Model(model.input, model.layers[0].output).predict(images, verbose=0)
    assert first == pytest.approx(200 / np.percentile(outputs[outputs > 0], 90), rel=1e-6)
    assert len({first, second, third}) == 3
    # the same weights twice as large: half the rate at an activation of 1
    model.layers[0].set_weights([2 * weight for weight in model.layers[0].get_weights()])
    assert rates_at_percentile(model, images, percentile=90, hz=200)[0] == pytest.approx(first / 2)
    model.layers[-2].set_weights([-np.abs(weight) for weight in model.layers[-2].get_weights()])
    with pytest.raises(
        InputError, match="has a percentile, but layer 'dense.*' of the CNN has no activation above zero"
    ):
        rates_at_percentile(model, images, percentile=90, hz=200)
