"""The committed strong CNN: that it is what its experiment says, converts exactly, and can be trained again."""

import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from conftest import REPOSITORY
from csnn import neurons
from csnn.data.images import pixels
from csnn.event import simulator as event
from csnn.event.compiler import compile_network
from csnn.model import cnn
from csnn.model.equivalent import equivalent
from csnn.model.keras_file import load_weights
from csnn.nengodl import simulator as nengodl
from csnn.nengodl.conversion import convert

BUILDER = str(REPOSITORY / "experiments/networks.py:strong")
TRAINING = REPOSITORY / "experiments/train_strong.py"
EXPERIMENT = yaml.safe_load((REPOSITORY / "experiments/strong.yaml").read_text())
IMAGES = np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32)


def strong():
    """Return the CNN with its committed weights."""
    model = cnn.build((32, 32, 3), 10, builder=BUILDER)
    load_weights(model, str(REPOSITORY / EXPERIMENT["cnn"]["weights"]))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SRL", "LIF"])
def test_the_converted_network_is_nengodls(name):
    model = equivalent(strong(), IMAGES)
    converter = convert(model, neurons.build(name, {}), tau_syn_s=0.005, max_rate_hz=415, seed=0)
    network = compile_network(
        converter.net, converter.inputs[converter.model.input], converter.outputs[converter.model.output], 0
    )
    logits = event.simulate(network, IMAGES, steps=30, threads=2).logits
    reference = nengodl.simulate(converter, IMAGES, dt_s=0.001, steps=30, minibatch=2)
    assert np.abs(logits - reference).max() < 1e-9 and np.ptp(logits[:, -1]) > 0.01


@pytest.mark.skipif("CSNN_TEST_NPZ" not in os.environ, reason="set CSNN_TEST_NPZ to CIFAR-10 as .npz")
def test_accuracy_on_the_first_test_images():
    with np.load(os.environ["CSNN_TEST_NPZ"]) as data:
        images, labels = pixels(data["x_test"][:1000]), data["y_test"][:1000].reshape(-1)
    assert (cnn.logits(strong(), images).argmax(1) == labels).mean() == pytest.approx(0.909, abs=0.003)


@pytest.mark.slow
def test_the_training_script_trains_and_keeps_validation_images_out(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 2300).astype(np.int64)
    images = rng.integers(0, 256, (2300, 32, 32, 3)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", x_train=images, y_train=labels, x_test=images[:20], y_test=labels[:20])
    output = tmp_path / "weights.h5"
    command = [sys.executable, TRAINING, tmp_path / "images.npz", "--epochs", "1", "--output", output]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    # 300 images are learnt from, in batches of 256
    assert process.stdout.count("2/2 - ") == 2 and "cycle 2: " in process.stdout
    model = cnn.build((32, 32, 3), 10, builder=BUILDER)
    load_weights(model, str(output))
    assert output.stat().st_size < 4_000_000
    declared = EXPERIMENT["data"]["validation_images"]
    assert f"VALIDATION_IMAGES = {declared}\n" in TRAINING.read_text()
