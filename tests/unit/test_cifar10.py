"""Real CIFAR-10 images with the published weights, where environment variables name them.

``CSNN_TEST_NPZ`` names an ``.npz`` of CIFAR-10 in the official order and ``CSNN_TEST_WEIGHTS`` the published weights.
The expected scores were measured once on CIFAR-10's images as JPEG files with NengoDL; the paper's own, on the lossless
images, lie within some points of them.
"""

import os

import numpy as np
import pytest

from csnn import neurons
from csnn.data.images import read_images, select
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED, score
from csnn.event import simulator as event
from csnn.event.compiler import compile_network
from csnn.model import cnn
from csnn.model.keras_file import load_weights
from csnn.nengodl import simulator as nengodl
from csnn.nengodl.conversion import convert

NPZ, WEIGHTS = os.environ.get("CSNN_TEST_NPZ"), os.environ.get("CSNN_TEST_WEIGHTS")
pytestmark = pytest.mark.skipif(
    not (NPZ and WEIGHTS), reason="set CSNN_TEST_NPZ to CIFAR-10 as .npz and CSNN_TEST_WEIGHTS to the published weights"
)


@pytest.fixture(scope="module")
def images():
    dataset = read_images(NPZ)
    assert len(dataset.x_test) == 10_000
    return select(dataset, "test", np.arange(1000))


@pytest.fixture(scope="module")
def model():
    model = cnn.build((32, 32, 3), 10)
    load_weights(model, WEIGHTS)
    return model


def test_keras_scores_of_the_published_weights(images, model):
    scores = score(cnn.logits(model, images["images"]), images["labels"])
    # the paper's notebook on the lossless images: accuracy 0.7103, loss 0.8935
    assert scores[FINAL_STEP]["accuracy"] == pytest.approx(0.704, abs=0.002)
    assert scores[FINAL_STEP]["loss"] == pytest.approx(0.8969, abs=0.002)


def simulated(model, images, name, tau_syn_s, steps=100):
    converter = convert(model, neurons.build(name, {}), tau_syn_s=tau_syn_s, max_rate_hz=415, seed=0)
    network = compile_network(
        converter.net, converter.inputs[converter.model.input], converter.outputs[converter.model.output], 0
    )
    return converter, event.simulate(network, images["images"], steps=steps, threads=2).logits


def test_rate_network_scores(images, model):
    _, logits = simulated(model, images, "RLR", 0.005)
    scores = score(logits, images["labels"])
    assert scores[TIME_AVERAGED]["accuracy"] == pytest.approx(0.370, abs=0.001)
    assert scores[FINAL_STEP]["accuracy"] == pytest.approx(0.454, abs=0.001)


@pytest.mark.parametrize(("name", "published"), [("SRL", 0.3973), ("LIF", 0.3821), ("A-LIF", 0.3806)])
def test_spiking_network_scores_are_the_papers_within_sampling(images, model, name, published):
    some = {key: images[key][:200] for key in ("images", "labels")}
    _, logits = simulated(model, some, name, 0.005)
    scores = score(logits, some["labels"])[TIME_AVERAGED]
    # JPEG images sit up to three points under the lossless ones
    assert scores["accuracy_low"] - 0.03 < published < scores["accuracy_high"] + 0.03


@pytest.mark.parametrize("name", neurons.NEURONS)
def test_event_engine_gives_nengodls_logits(images, model, name):
    some = {"images": images["images"][:24]}
    converter, logits = simulated(model, some, name, 0.01)
    reference = nengodl.simulate(converter, some["images"], dt_s=0.001, steps=100, minibatch=24)
    assert np.abs(logits - reference).max() < 1e-9
