"""The functions behind `import csnn`: a Keras CNN converted, simulated, verified, saved and loaded."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import csnn
from csnn.files import InputError
from csnn.nengodl_compat import tf

IMAGES = np.random.default_rng(0).random((3, 8, 8, 2), np.float32)


@pytest.fixture(scope="module")
def model():
    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.layers
    image = tf.keras.Input((8, 8, 2))
    x = layers.Dropout(0.5)(layers.Conv2D(4, 3, activation="relu")(image))
    return tf.keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


def test_rate_neurons_without_filter_give_the_logits_of_the_cnn(model):
    logits = csnn.simulate(csnn.convert(model, "RLR", tau_syn_s=None), IMAGES, steps=2).logits
    np.testing.assert_allclose(tf.nn.softmax(logits[:, -1]), model.predict(IMAGES, verbose=0), rtol=1e-5)


def test_every_neuron_type_equals_nengodl(model):
    network = csnn.convert(model, "LIF", {"tau_ref_s": 0.001}, max_rate_hz=[300], initial_voltage="half", seed=3)
    comparison = csnn.verify(model, network, IMAGES, tau_syn_s=0.01, dt_s=0.002, steps=15)
    assert comparison["largest_difference"] < 1e-9
    assert (comparison["images"], comparison["steps"]) == (3, 15)


def test_a_network_in_a_file_is_the_same_network(model, tmp_path):
    network = csnn.convert(model, "SRL")
    csnn.save(network, tmp_path / "network.npz")
    (tmp_path / "network.npz").rename(tmp_path / "as I call it")
    loaded = csnn.load(tmp_path / "as I call it")
    csnn.save(loaded, tmp_path / "again")
    assert csnn.load(tmp_path / "again").provenance == network.provenance
    np.testing.assert_array_equal(*(csnn.simulate(of, IMAGES, steps=9).logits for of in (network, loaded)))
    assert csnn.verify(model, loaded, IMAGES, steps=3)["largest_difference"] < 1e-9


@pytest.mark.parametrize("synapse", ["alpha", {"rise_s": 0.001}])
def test_other_synapses_equal_nengodl_and_stay_with_the_network(model, synapse, tmp_path):
    csnn.save(csnn.convert(model, "SRL", synapse=synapse), tmp_path / "network.npz")
    network = csnn.load(tmp_path / "network.npz")
    assert csnn.verify(model, network, IMAGES, tau_syn_s=0.003, steps=15)["largest_difference"] < 1e-9
    assert csnn.verify(model, network, IMAGES, synapse="lowpass", steps=5)["largest_difference"] < 1e-9
    lowpass = csnn.convert(model, "SRL")
    given, own, other = (
        csnn.simulate(of, IMAGES, steps=15, **options).logits
        for of, options in ((lowpass, {"synapse": synapse}), (network, {}), (lowpass, {}))
    )
    assert np.array_equal(own, given)
    assert np.abs(other - own).max() > 1e-3
    with pytest.raises(InputError, match="synapse is 'beta'; it must be lowpass, alpha or"):
        csnn.convert(model, "SRL", synapse="beta")


def test_parameters_out_of_range_are_refused(model):
    with pytest.raises(ValueError, match=r"LIF.tau_rc_s is -1; it must be a number above 0"):
        csnn.convert(model, "LIF", {"tau_rc_s": -1})
    with pytest.raises(InputError, match="the model is a Other; it must be a Keras model or a model file's path"):
        csnn.convert(type("Other", (), {})())


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys, csnn; print([name for name in ('numpy', 'numba', 'tensorflow', 'nengo') if name in sys.modules])"
    )
    folder = Path(csnn.__file__).parents[1]
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    assert process.stdout.strip() == "[]"


def test_what_the_package_exports_can_be_imported():
    assert all(callable(getattr(csnn, name)) for name in csnn.__all__)
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        _ = csnn.absent


KERAS_3 = """
import keras, numpy as np
keras.utils.set_random_seed(0)
image = x = keras.Input((8, 8, 2))
x = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(x)))
model = keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
images = np.random.default_rng(0).random((3, 8, 8, 2), np.float32)
model.save("model.keras")
import csnn
for cnn in (model, "model.keras"):
    network = csnn.convert(cnn, "RLR", tau_syn_s=None)
    logits = csnn.simulate(network, images, steps=2).logits[:, -1]
    np.testing.assert_allclose(logits, model.predict(images, verbose=0), rtol=1e-4, atol=1e-6)
assert csnn.verify(model, network, images, tau_syn_s=None, steps=2)["largest_difference"] < 1e-9
try:
    csnn.convert(model, "LIF", max_rate_hz=[100, 200])
except ValueError as error:
    assert "this CNN has 1 layers of neurons" in str(error), error
else:
    raise AssertionError("a rate too many was taken")
print("done")
"""


@pytest.mark.slow
def test_keras_3_models_and_files_are_taken_where_keras_3_runs_already(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(csnn.__file__).parents[1]), "TF_USE_LEGACY_KERAS": "0"}
    command = [sys.executable, "-c", KERAS_3]
    process = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert process.stdout.endswith("done\n"), process.stdout + process.stderr
