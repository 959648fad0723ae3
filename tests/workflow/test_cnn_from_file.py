"""A CNN as people bring one, from its file to the table: with what is left out, folded and refused on the way."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import REPOSITORY, SMALL, Workflow, changed

RNG = np.random.default_rng(0)
SHAPE, CLASSES = (28, 28, 1), 10


def images_with_bars(path):
    """Write images of Fashion-MNIST's shape whose class is where a bright bar lies."""
    arrays = {}
    for part, count in (("train", 1000), ("test", 20)):
        labels = np.arange(count) % CLASSES
        images = RNG.integers(0, 60, (count, *SHAPE))
        for image, label in zip(images, labels, strict=True):
            image[2 * label + 4 : 2 * label + 6] += 180
        arrays |= {f"x_{part}": images.astype(np.uint8), f"y_{part}": labels}
    np.savez(path, **arrays)
    return arrays["x_train"] / np.float32(255), arrays["y_train"], arrays["x_test"] / np.float32(255)


def in_readme():
    """Return the configuration that the README shows for a CNN of one's own."""
    (text,) = re.findall(r"```yaml\n# own-cnn.yaml\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    assert len(text.splitlines()) < 15
    return yaml.safe_load(text)


def trained(images, labels):
    """Return a trained CNN with dropout, batch normalization, a residual block, a nested model and a softmax."""
    from csnn.nengodl_compat import tf

    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(0)
    image = layers.Input(SHAPE)
    stem = tf.keras.Sequential(
        [layers.Conv2D(6, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU(), layers.AveragePooling2D(2)]
    )
    x = layers.Dropout(0.1)(stem(layers.RandomFlip("horizontal")(image)))
    y = layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same")(x))
    x = layers.AveragePooling2D(2)(layers.ReLU()(x + y))
    x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    model = tf.keras.Model(image, layers.Dense(CLASSES, activation="softmax")(layers.Dropout(0.2)(x)))
    model.compile(tf.keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(images, labels, epochs=8, verbose=0)
    return model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    train_images, labels, test_images = images_with_bars(folder / "bars.npz")
    model = trained(train_images, labels)
    model.save(folder / "mine.keras")
    config = in_readme()
    config["snn"]["networks"].append(
        {"neurons": ["RLR"], "max_rate_hz": [{"percentile": 99, "hz": 200}], "tau_syn_s": [0.03]}
    )
    config["snn"] |= {"tau_syn_s": [0.005], "steps": 60}
    config |= {
        "data": {"source": "bars.npz", "test_images": 20},
        "simulation": {"images_per_shard": 20},
        "verification": {"images": 2},
        "figures": {"formats": ["png"]},
    }
    workflow = Workflow(folder, config=config)
    process = workflow.run()
    return workflow, model, test_images, process.stdout + process.stderr


def read(path):
    return json.loads(path.read_text())


def test_the_networks_decide_as_the_users_own_cnn(run):
    workflow, model, test_images, _ = run
    logits = np.load(workflow.results / "cnn" / "test-logits.npz")["logits"]
    own = model(test_images, training=False).numpy()
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), own, atol=1e-5)
    responses = np.load(workflow.results / "RLR" / "tau-0.005" / "seed-0" / "test.npz")["logits"]
    assert (responses[:, -1].argmax(1) == own.argmax(1)).mean() > 0.9


def test_each_cnn_is_certified_at_its_rates_before_simulation(run):
    workflow, *_ = run
    folder = workflow.results / "verification"
    names = ["cnn-rate-415.json", "cnn-rate-200-at-99.json", "cnn/lif-rate-415.json"]
    certificates = [read(folder / name) for name in names]
    for certificate in certificates:
        assert certificate["largest_difference"] < 1e-5 * max(1, certificate["largest_logit"])
        assert len(certificate["rates_hz"]) == 3
    assert set(certificates[0]["rates_hz"].values()) == {415}
    assert len(set(certificates[1]["rates_hz"].values())) == 3
    page = (workflow.results / "report" / "provenance.html").read_text()
    assert "Before anything was simulated, each CNN was converted to rectified linear rate neurons" in page


def test_filters_too_slow_for_the_depth_of_the_cnn_are_named_once(run):
    *_, printed = run
    sentence = (
        "config key snn.tau_syn_s has 0.03 s, which delays a signal through 3 layers of neurons by 0.09 s or more"
    )
    assert printed.count(f"Warning: {sentence}, more than the 0.06 s of an image; take a shorter") == 1


def test_the_health_check_explains_the_loss_of_lif_neurons_and_nothing_of_those_tuned_for(run):
    workflow, *_ = run
    layers = pd.read_csv(workflow.results / "tables" / "health.csv").groupby("network")
    assert set(layers.groups) == {"RLR", "SRL", "LIF", "A-LIF", "lif/LIF", "RLR/rate-200-at-99"}
    assert all(list(rows["layer"]) == [1, 2, 3] for _, rows in layers)
    assert layers["rate_correlation"].min()["lif/LIF"] > 0.95 > layers["rate_correlation"].min()["LIF"]
    findings = pd.read_csv(workflow.results / "tables" / "findings.csv").groupby("network")["finding"].agg(list)
    assert set(findings.index) == {"LIF", "A-LIF", "RLR/rate-200-at-99"}
    assert re.search("^LIF neurons of layer 1 are saturated: .* tune the CNN to the neurons' rate", findings["LIF"][0])
    opening = (workflow.results / "report" / "opening.rst").read_text()
    log = (workflow.results / "logs" / "health.log").read_text()
    assert all(sentence in opening and sentence in log for sentences in findings for sentence in sentences)
    assert "lif/LIF accuracy (%)" in (workflow.results / "tables" / "table2.md").read_text()


def test_tuned_lif_neurons_decide_as_the_cnn_that_was_tuned_for_them(run):
    workflow, *_ = run
    agreement = {}
    for cnn, network in (("cnn", "LIF"), ("cnn/lif", "lif/LIF")):
        own = np.load(workflow.results / cnn / "test-logits.npz")["logits"].argmax(1)
        logits = np.load(workflow.results / network / "tau-0.005" / "seed-0" / "test.npz")["logits"]
        agreement[network] = (logits[:, -20:].mean(1).argmax(1) == own).mean()
    assert agreement["lif/LIF"] >= 0.9 > agreement["LIF"] + 0.4


def test_a_further_rate_trains_and_simulates_nothing_else(run):
    workflow, *_ = run
    assert not workflow.planned()
    networks = [*workflow.config["snn"]["networks"], {"neurons": ["RLR"], "max_rate_hz": [300]}]
    planned = workflow.planned(changes={"snn.networks": networks})
    assert {rule: planned[rule] for rule in ("check_cnn", "load_cnn", "verify_cnn", "compile_network", "simulate")} == {
        "check_cnn": 0, "load_cnn": 0, "verify_cnn": 1, "compile_network": 1, "simulate": 2,
    }  # fmt: skip


def test_a_builder_that_cannot_be_converted_or_has_other_layers_than_rates_is_refused_before_training(tmp_path):
    (tmp_path / "blocks.py").write_text("ACTIVATION = 'tanh'\n")
    (tmp_path / "mine.py").write_text(
        "from blocks import ACTIVATION\nfrom csnn.nengodl_compat import tf\nL = tf.keras.layers\n"
        "def build(shape, classes):\n"
        "    return tf.keras.Sequential([L.Conv2D(2, 3), L.ReLU(name='first'), L.Flatten(),\n"
        "        L.Dense(4, activation=ACTIVATION, name='second'), L.Dense(classes)])\n"
    )
    changes = {"cnn.architecture": {"builder": "mine.py:build"}, "snn.max_rate_hz": [100]}
    workflow = Workflow(tmp_path, config=changed(SMALL, changes))
    sentences = {
        "tanh": "layer 'second' (Dense) has the activation tanh; spiking neurons take the place of plain ReLUs only",
        "relu": "config key snn.max_rate_hz is [100]; this CNN has 2 layers of neurons (first, second), so it must be",
    }
    for activation, sentence in sentences.items():
        (tmp_path / "blocks.py").write_text(f"ACTIVATION = '{activation}'\n")
        process = workflow.run("results/small/cnn/model.h5", check=False)
        assert sentence in process.stdout + process.stderr
        assert not (workflow.results / "logs" / "train_cnn.log").exists()
