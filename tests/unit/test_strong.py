"""The committed strong CNNs: that they are what their experiment says, convert exactly, and can be trained again."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from conftest import REPOSITORY
from csnn import neurons
from csnn.data.images import pixels
from csnn.event import simulator as event
from csnn.event.compiler import compile_network
from csnn.experiment import configuration
from csnn.model import cnn, tuning
from csnn.model.equivalent import equivalent
from csnn.model.keras_file import load_weights
from csnn.nengodl import simulator as nengodl
from csnn.nengodl.conversion import convert
from csnn.nengodl_compat import tf

EXPERIMENT = yaml.safe_load((REPOSITORY / "experiments/strong.yaml").read_text())
BUILDER = str(REPOSITORY / EXPERIMENT["cnn"]["architecture"]["builder"])
WEIGHTS = {"SRL": EXPERIMENT["cnn"]["weights"], "LIF": EXPERIMENT["cnn"]["variants"]["lif"]["weights"]}
TRAINING = REPOSITORY / "experiments/train_strong.py"
IMAGES = np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32)


def strong(name: str):
    """Return the CNN that converts to a neuron, with its committed weights."""
    model = cnn.build((32, 32, 3), 10, builder=BUILDER)
    load_weights(model, str(REPOSITORY / WEIGHTS[name]))
    return model


@pytest.fixture(scope="module")
def training():
    """Return the script that trained both."""
    spec = importlib.util.spec_from_file_location("train_strong", TRAINING)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SRL", "LIF"])
def test_the_converted_network_is_nengodls(name):
    model = equivalent(strong(name), IMAGES)
    converter = convert(model, neurons.build(name, {}), tau_syn_s=0.005, max_rate_hz=415, seed=0)
    network = compile_network(
        converter.net, converter.inputs[converter.model.input], converter.outputs[converter.model.output], 0
    )
    logits = event.simulate(network, IMAGES, steps=30, threads=2).logits
    reference = nengodl.simulate(converter, IMAGES, dt_s=0.001, steps=30, minibatch=2)
    assert np.abs(logits - reference).max() < 1e-9 and np.ptp(logits[:, -1]) > 0.01


@pytest.mark.skipif("CSNN_TEST_NPZ" not in os.environ, reason="set CSNN_TEST_NPZ to CIFAR-10 as .npz")
@pytest.mark.parametrize(("name", "accuracy"), [("SRL", 0.907), ("LIF", 0.910)])
def test_accuracy_on_the_first_test_images(name, accuracy):
    with np.load(os.environ["CSNN_TEST_NPZ"]) as data:
        images, labels = pixels(data["x_test"][:1000]), data["y_test"][:1000].reshape(-1)
    model = strong(name)
    if name == "LIF":
        model = tuning.with_rate_curve(model, 415, neurons.with_defaults(name, {}))
    assert (cnn.logits(model, images).argmax(1) == labels).mean() == pytest.approx(accuracy, abs=0.003)


def test_gains_are_folded_exactly(training):
    relu = strong("SRL")
    gains, slopes = tuning.gains_and_slopes(relu, IMAGES, training.NEURON)
    curves = tuning.activations_of(gains, slopes, training.NEURON)
    expected = cnn.logits(training.build("float32", relu.get_weights(), curves), IMAGES)
    folded = training.build("float32", training.folded(relu.get_weights(), gains, slopes))
    logits = cnn.logits(tuning.with_rate_curve(folded, training.MAX_RATE_HZ, training.NEURON), IMAGES)
    np.testing.assert_allclose(logits, expected, atol=0.01)  # rounding is large where currents are near the threshold
    assert np.ptp(expected) > 1


def test_training_is_for_what_the_experiment_is_of(training):
    assert tuple(Path(path).name for path in WEIGHTS.values()) == (training.RELU, training.LIF)
    assert EXPERIMENT["data"]["validation_images"] == training.VALIDATION_IMAGES
    assert configuration.read(EXPERIMENT)["snn"]["max_rate_hz"] == training.MAX_RATE_HZ


def test_a_tabulated_activation_has_its_values_and_slopes(training):
    (curve,) = tuning.activations_of([4.0], [120.0], training.NEURON)
    x = tf.constant([-1.0, 0.25, 0.5, 1.5, 8.0])  # numbers that bfloat16 has
    results = []
    for activation, inputs in ((curve, x), (training.tabulated(curve), tf.cast(x, tf.bfloat16))):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = activation(inputs)
        results.append([np.asarray(values, np.float32) for values in (outputs, tape.gradient(outputs, inputs))])
    np.testing.assert_allclose(results[1], results[0], rtol=2**-8)


@pytest.mark.slow
def test_the_training_script_trains_and_keeps_validation_images_out(training, tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 2300).astype(np.int64)
    images = rng.integers(0, 256, (2300, 32, 32, 3)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", x_train=images, y_train=labels, x_test=images[:20], y_test=labels[:20])
    last = [cycle["file"] for cycle in training.CYCLES].count(training.LIF) + 1  # those of LIF, and one before them
    shutil.copy(REPOSITORY / WEIGHTS["SRL"], tmp_path)
    options = ["--epochs", "1", "--first", str(len(training.CYCLES) - last + 1), "--folder", tmp_path]
    process = subprocess.run(
        [sys.executable, TRAINING, tmp_path / "images.npz", *options], capture_output=True, text=True, check=True
    )
    # 300 images are learnt from, in batches of 256
    assert process.stdout.count("2/2 - ") == process.stdout.count("of the test images are right") == last
    for name in (training.RELU, training.LIF):
        load_weights(cnn.build((32, 32, 3), 10, builder=BUILDER), str(tmp_path / name))
        assert (tmp_path / name).stat().st_size < 4_000_000
