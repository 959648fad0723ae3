"""The event-driven engine against NengoDL in double precision, Nengo's own simulator, and closed forms."""

import dataclasses
import getpass
import os
import subprocess
import sys
from pathlib import Path

import nengo
import numpy as np
import pytest

from conftest import REPOSITORY
from csnn import neurons
from csnn.event import plan
from csnn.event.compiler import NotCompilable, compile_network
from csnn.event.network import with_synapse
from csnn.event.simulator import Record, simulate, simulate_time_constants
from csnn.files import InputError
from csnn.nengodl.conversion import convert, nengo_synapse
from csnn.nengodl_compat import nengo_dl, tf
from csnn.verification import certificate, largest_difference
from event_networks import (
    LAYERS,
    TOLERANCE,
    compiled,
    converted,
    dense_network,
    ends,
    generated_case,
    images,
    nengodl_logits,
    small_cnn,
    with_random_weights,
)

SCRIPTS = REPOSITORY / "workflow" / "scripts"
NEURONS = list(neurons.NEURONS)
TAUS_S = [0.001, 0.005, 0.02, None]


# --- closed forms -----------------------------------------------------------------------------------------------------


def test_rate_neurons_through_one_filter_follow_the_step_response():
    decay = np.exp(-0.001 / 0.005)
    currents = np.array([50.0, 0.0, -3.0, 1.0])
    network = dense_network("RectifiedLinear", {"amplitude": 0.1}, {}, currents)
    logits = simulate(network, np.zeros((1, 4)), steps=60).logits[0]
    expected = 0.1 * np.maximum(currents, 0) * (1 - decay ** np.arange(60))[:, np.newaxis]
    assert np.abs(logits - expected).max() < 1e-12


def test_rate_neurons_through_two_filters_follow_the_closed_form():
    decay, t = np.exp(-0.001 / 0.005), np.arange(1, 251)
    network = dense_network("RectifiedLinear", {"amplitude": 1.0}, {}, [2.0], next_layers=["RectifiedLinear"])
    logits = simulate(network, np.zeros((1, 1)), steps=251).logits[0, 1:, 0]  # more steps than one block
    expected = 2 * ((1 - decay**t) - (1 - decay) * t * decay ** (t - 1))
    assert np.abs(logits - expected).max() < 1e-12


def test_rate_neurons_through_an_alpha_synapse_follow_its_step_response():
    network = dense_network("RectifiedLinear", {"amplitude": 0.1}, {}, [50.0, -3.0, 1.0])
    for synapse in ("alpha", {"rise_s": 0.005}):
        logits = simulate(network, np.zeros((1, 3)), tau_syn_s=0.005, synapse=synapse, steps=210).logits[0]
        t = 0.2 * np.arange(210)[:, np.newaxis]  # in time constants, one step late
        expected = 0.1 * np.array([50.0, 0.0, 1.0]) * (1 - (1 + t) * np.exp(-t))
        assert np.abs(logits - expected).max() < 1e-12


@pytest.mark.parametrize("steps", [1, 99, 100, 101, 250])
def test_integrate_and_fire_neurons_spike_as_often_as_their_current_says(steps):
    currents = np.array([-20.0, 0.0, 3.3, 41.7, 415.1, 2500.3])
    start = np.array([0.5, 0.99, 0.1, 0.2, 0.7, 0.4])
    network = dense_network("SpikingRectifiedLinear", {"amplitude": 1.0}, {"voltage": start}, currents)
    result = simulate(network, np.zeros((1, 6)), steps=steps, record=Record(True, {0: range(6)}))
    expected = np.floor(start + np.maximum(currents, 0) * steps * 0.001)
    assert np.array_equal(result.spikes[0][0].sum(axis=0).round(9), expected)
    assert result.spike_counts[0, 0] == pytest.approx(expected.sum())


@pytest.mark.parametrize("tau_rc", [0.005, 0.02, 0.05])  # the first is outside the range of the series
@pytest.mark.parametrize("tau_ref", [0.001, 0.002, 0.005])  # after a shorter one a step loses its rest, in Nengo too
def test_leaky_neurons_spike_at_the_times_of_the_exact_solution(tau_rc, tau_ref):
    currents, start = np.array([0.9, 1.3, 2.2, 6.1, 17.3]), np.array([0.9, 0.0, 0.3, 0.6, 0.95])
    steps, dt_s = 400, 0.001
    network = dense_network(
        "LIF",
        {"tau_rc": tau_rc, "tau_ref": tau_ref, "min_voltage": 0.0, "amplitude": 1.0},
        {"voltage": start, "refractory_time": np.zeros(5)},
        currents,
    )
    spikes = simulate(network, np.zeros((1, 5)), steps=steps, record=Record(neurons={0: range(5)})).spikes[0][0]
    assert not spikes[:, 0].any()
    for number in range(1, 5):
        current = currents[number]
        first = tau_rc * np.log((current - start[number]) / (current - 1))
        interval = tau_ref + tau_rc * np.log1p(1 / (current - 1))
        times = np.arange(first, steps * dt_s, interval)
        assert np.array_equal(np.flatnonzero(spikes[:, number]), np.floor(times / dt_s).astype(int))


# --- NengoDL in double precision --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_image_equals_nengodl_for_every_time_constant(neuron, seed):
    shown = images((16, 16, 3), 20, seed)
    model = small_cnn(seed)
    converters = [converted(model, neurons.build(neuron, {}), synapse=tau, seed=seed) for tau in TAUS_S]
    references = nengodl_logits(converters, shown)
    network = compiled(converters[0])
    for tau_syn_s, converter, reference in zip(TAUS_S, converters, references, strict=True):
        assert reference.std(axis=0).max() > 0.01, "images must differ"
        assert tau_syn_s is None or np.ptp(reference, axis=1).max() > 0.1, "logits must change over time"
        logits = simulate(network, shown, tau_syn_s=tau_syn_s, threads=2).logits
        assert largest_difference(reference, logits) < TOLERANCE
        own = simulate(compiled(converter), shown).logits
        assert np.array_equal(own, logits), "compiled with this time constant, or given it later: the same network"
    unfiltered = simulate(network, shown[:2], tau_syn_s=0.0).logits
    almost = simulate(network, shown[:2], tau_syn_s=0.00002).logits
    assert np.array_equal(unfiltered, almost), "NengoDL does not smooth up to 0.03 dt"


OTHER_SYNAPSES = [("alpha", 0.005), ("alpha", 0.0003), ({"rise_s": 0.002}, 0.01)]


@pytest.mark.parametrize("neuron", NEURONS)
def test_alpha_synapses_and_double_exponentials_equal_nengodl(neuron):
    shown, model, dt_s = images((16, 16, 3), 4), small_cnn(), 0.001 if neuron != "SRL" else 0.002
    kind = neurons.build(neuron, {})
    converters = [converted(model, kind, synapse=nengo_synapse(*synapse)) for synapse in OTHER_SYNAPSES]
    assert [type(converter.synapse).__name__ for converter in converters] == ["Alpha", "Alpha", "LinearFilter"]
    references = nengodl_logits(converters, shown, steps=100, dt_s=dt_s)
    network = compiled(converted(model, kind, synapse=0.005))
    for (synapse, tau_syn_s), converter, reference in zip(OTHER_SYNAPSES, converters, references, strict=True):
        assert np.ptp(reference, axis=1).max() > 0.1, "logits must change over time"
        own = compiled(converter)
        assert own.tau_syn_s == pytest.approx(tau_syn_s)
        assert own.synapse == ("alpha" if synapse == "alpha" else {"rise_s": pytest.approx(0.002)})
        for options in ({}, {"record": Record(True)}):
            given = simulate(network, shown, tau_syn_s=tau_syn_s, synapse=synapse, dt_s=dt_s, **options).logits
            assert largest_difference(reference, given) < TOLERANCE
        for steps in (1, 2, 100):
            logits = simulate(own, shown, steps=steps, dt_s=dt_s).logits
            assert largest_difference(reference[:, :steps], logits) < TOLERANCE


@pytest.mark.parametrize("synapse", ["alpha", {"rise_s": 0.001}])
def test_other_synapses_of_every_form_of_connection_equal_nengodl(synapse, monkeypatch):
    inputs = tf.keras.Input((7, 8, 2))
    signal = LAYERS.Conv2D(6, 3, padding="same", activation="relu")(inputs)
    signal = LAYERS.Cropping2D(((0, 1), (1, 1)))(signal)  # a sparse matrix
    signal = LAYERS.Conv2D(9, 3, padding="same", activation="relu")(signal)
    branch = LAYERS.Conv2D(9, 1, activation="relu")(LAYERS.AveragePooling2D(3, 1, padding="same")(signal))
    signal = LAYERS.ReLU()(LAYERS.Add()([signal, LAYERS.Conv2D(9, 1)(branch)]))  # two connections
    model = with_random_weights(tf.keras.Model(inputs, LAYERS.Dense(3)(LAYERS.Flatten()(signal))))
    shown = images((7, 8, 2), 3)
    kind = neurons.build("LIF", {})
    converter = convert(model, kind, tau_syn_s=0.003, synapse=synapse, max_rate_hz=415, seed=0)
    (reference,) = nengodl_logits([converter], shown, steps=50)
    network = compiled(converter)
    assert np.ptp(reference, axis=1).max() > 0.1
    assert largest_difference(reference, simulate(network, shown, steps=50).logits) < TOLERANCE
    monkeypatch.setattr(plan, "CACHED_WEIGHT_BYTES", 0)  # tiles of some channels
    monkeypatch.setattr(plan, "CHANNELS_PER_TILE", 4)
    assert largest_difference(reference, simulate(network, shown, steps=50).logits) < TOLERANCE
    monkeypatch.setattr(plan, "STEPS_PER_BLOCK", 7)
    assert largest_difference(reference, simulate(network, shown, steps=50).logits) < TOLERANCE


@pytest.mark.parametrize("neuron", NEURONS)
def test_logits_spikes_and_voltages_equal_nengos_own_simulator(neuron):
    shown = images((16, 16, 3), 2)
    converter = converted(small_cnn(), neurons.build(neuron, {}), synapse=0.005)
    network = compiled(converter)
    followed = {0: [0, 5, 300, 1567], 1: [17, 399], 3: [0, 1, 2, 15]}
    result = simulate(network, shown, steps=60, record=Record(True, followed))
    populations = sorted((e for e in converter.net.all_ensembles), key=lambda e: e.label)
    by_label = {e.label: e for e in populations}
    spiking = neuron != "RLR"
    with converter.net:
        outputs = {k: nengo.Probe(by_label[network.layers[k].name].neurons) for k in range(4)}
        voltages = {k: nengo.Probe(by_label[network.layers[k].name].neurons, "voltage") for k in range(4) if spiking}
    source, logits = ends(converter)
    for image in range(2):
        source.output = shown[image].ravel().astype(float)
        with nengo.Simulator(converter.net, progress_bar=False) as simulator:
            simulator.run_steps(60, progress_bar=False)
        assert np.abs(simulator.data[logits] - result.logits[image]).max() < TOLERANCE
        per_spike = {k: network.layers[k].parameters["amplitude"] / 0.001 for k in range(4)}
        for k in range(4):
            assert result.spike_counts[image, k] == pytest.approx(simulator.data[outputs[k]].sum() / per_spike[k])
        for k, chosen in followed.items():
            spikes = simulator.data[outputs[k]][:, chosen] / per_spike[k]
            assert np.abs(spikes - result.spikes[k][image]).max() < TOLERANCE
            if spiking:
                assert np.abs(simulator.data[voltages[k]][:, chosen] - result.voltages[k][image]).max() < TOLERANCE
            else:
                assert np.isnan(result.voltages[k]).all()


def check_generated(number):
    """Compare a generated network with NengoDL: simulated as usual, with everything recorded, and with other taus."""
    case = generated_case(number)
    (reference,) = nengodl_logits([case.converter], case.images, dt_s=case.dt_s, steps=case.steps)
    network, options = compiled(case.converter), {"dt_s": case.dt_s, "steps": case.steps}
    for record in (None, Record(spike_counts=True)):
        logits = simulate(network, case.images, record=record, **options).logits
        assert largest_difference(reference, logits) < TOLERANCE * max(1, np.abs(reference).max())
    has_synapse = any(connection.has_synapse for layer in network.layers for connection in layer.connections)
    taus = ["as compiled", None, *([3 * case.dt_s, 9 * case.dt_s] if has_synapse else [])]
    for tau, together in zip(taus, simulate_time_constants(network, case.images, taus, **options), strict=True):
        assert np.array_equal(together.logits, simulate(network, case.images, tau_syn_s=tau, **options).logits)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_generated_networks_equal_nengodl(number):
    check_generated(number)


@pytest.mark.long
@pytest.mark.parametrize("number", range(20, 140))
def test_more_generated_networks_equal_nengodl(number):
    check_generated(number)


SERIES, IMAGE_SHAPE, VOLUME = (12, 3), (7, 6, 3), (4, 5, 4, 2)
LAYER_TYPES = {
    SERIES: {
        "Conv1D": LAYERS.Conv1D(4, 3, strides=2, padding="same"),
        "Conv1D causal": LAYERS.Conv1D(4, 3, padding="causal", dilation_rate=2),
        "Cropping1D": LAYERS.Cropping1D((1, 2)),
        "AveragePooling1D": LAYERS.AveragePooling1D(3, 2),
        "MaxPooling1D": LAYERS.MaxPooling1D(2),
        "GlobalAveragePooling1D": LAYERS.GlobalAveragePooling1D(),
        "GlobalMaxPooling1D": LAYERS.GlobalMaxPooling1D(),
        "UpSampling1D": LAYERS.UpSampling1D(2),
        "ZeroPadding1D": LAYERS.ZeroPadding1D((1, 2)),
    },
    IMAGE_SHAPE: {
        "Activation": LAYERS.Activation("relu"),
        "ReLU": LAYERS.ReLU(),
        "Add": lambda signal: LAYERS.Add()([signal, LAYERS.Conv2D(3, 1)(signal)]),
        "Average": lambda signal: LAYERS.Average()([signal, LAYERS.Conv2D(3, 1)(signal)]),
        "Concatenate": lambda signal: LAYERS.Concatenate()([signal, LAYERS.Conv2D(2, 1)(signal)]),
        "Concatenate along rows": lambda signal: LAYERS.Concatenate(axis=1)([signal, LAYERS.Conv2D(3, 1)(signal)]),
        "BatchNormalization": LAYERS.BatchNormalization(),
        "BatchNormalization of rows": LAYERS.BatchNormalization(axis=1),
        "Conv2D": LAYERS.Conv2D(4, (3, 2), strides=(1, 2), padding="same"),
        "Conv2D dilated": LAYERS.Conv2D(4, 3, dilation_rate=2, padding="same"),
        "Conv2D in groups": LAYERS.Conv2D(6, 2, groups=3),
        "DepthwiseConv2D": LAYERS.DepthwiseConv2D(3, depth_multiplier=2, strides=2, padding="same"),
        "SeparableConv2D": LAYERS.SeparableConv2D(4, 3),
        "Dense": lambda signal: LAYERS.Dense(5)(LAYERS.Flatten()(signal)),
        "Flatten": LAYERS.Flatten(),
        "Reshape": LAYERS.Reshape((6, 7, 3)),
        "Permute": LAYERS.Permute((2, 3, 1)),
        "AveragePooling2D": LAYERS.AveragePooling2D((3, 2), (1, 2)),
        "AveragePooling2D same": LAYERS.AveragePooling2D(3, 2, padding="same"),
        "MaxPooling2D": LAYERS.MaxPooling2D(2),
        "GlobalAveragePooling2D": LAYERS.GlobalAveragePooling2D(),
        "GlobalMaxPooling2D": LAYERS.GlobalMaxPooling2D(),
        "UpSampling2D": LAYERS.UpSampling2D((2, 3)),
        "ZeroPadding2D": LAYERS.ZeroPadding2D(((1, 0), (2, 1))),
        "Cropping2D": LAYERS.Cropping2D(((1, 0), (0, 2))),
    },
    VOLUME: {
        "Conv3D": LAYERS.Conv3D(3, (2, 3, 1), strides=(1, 2, 1), padding="same"),
        "AveragePooling3D": LAYERS.AveragePooling3D(2, 1),
        "MaxPooling3D": LAYERS.MaxPooling3D(2),
        "GlobalAveragePooling3D": LAYERS.GlobalAveragePooling3D(),
        "GlobalMaxPooling3D": LAYERS.GlobalMaxPooling3D(),
        "UpSampling3D": LAYERS.UpSampling3D(2),
        "ZeroPadding3D": LAYERS.ZeroPadding3D(((1, 0), (0, 2), (1, 1))),
        "Cropping3D": LAYERS.Cropping3D(((0, 1), (1, 0), (1, 1))),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", LAYER_TYPES, ids=["series", "images", "volumes"])
def test_every_type_of_layer_equals_nengodl(shape):
    shown, converters = images(shape, 2), {}
    kernel = (3,) * (len(shape) - 1)
    for seed, (name, layer) in enumerate(LAYER_TYPES[shape].items()):
        inputs = tf.keras.Input(shape)
        convolution = getattr(LAYERS, f"Conv{len(kernel)}D")
        signal = layer(convolution(3, kernel, padding="same", activation="relu")(inputs))
        if len(signal.shape) == len(shape) + 1:
            signal = convolution(4, 2, activation="relu")(signal)
        model = with_random_weights(tf.keras.Model(inputs, LAYERS.Dense(3)(LAYERS.Flatten()(signal))), seed)
        converters[name] = convert(model, nengo.RectifiedLinear(), tau_syn_s=0.005, max_rate_hz=100, seed=0)
    references = nengodl_logits(list(converters.values()), shown, steps=12)
    for (name, converter), reference in zip(converters.items(), references, strict=True):
        assert np.ptp(reference, axis=1).max() > 0.01, name
        assert largest_difference(reference, simulate(compiled(converter), shown, steps=12).logits) < TOLERANCE, name


def linear_stack(shape, *layers):
    """A CNN of some linear layers, a convolution with neurons, and a dense readout."""
    inputs = signal = tf.keras.Input(shape)
    for layer in layers:
        signal = layer(signal)
    return with_random_weights(tf.keras.Model(inputs, LAYERS.Dense(4)(LAYERS.Flatten()(signal))))


LINEAR_STACKS = {
    "padding only below and right": lambda: linear_stack(
        (8, 8, 2), LAYERS.Conv2D(3, 3, padding="same"), LAYERS.Conv2D(4, 3, 2, padding="same", activation="relu")
    ),
    "an even kernel": lambda: linear_stack(
        (8, 7, 2), LAYERS.Conv2D(3, 3, 2), LAYERS.Conv2D(4, 2, padding="same", activation="relu")
    ),
    "padding after a point-wise convolution": lambda: linear_stack(
        (8, 8, 2), LAYERS.Conv2D(3, 1), LAYERS.Conv2D(4, 3, 2, padding="same", activation="relu")
    ),
    "padding on both sides": lambda: linear_stack(
        (9, 9, 2), LAYERS.Conv2D(3, 3, padding="same"), LAYERS.Conv2D(4, 5, padding="same", activation="relu")
    ),
    "another shape between": lambda: linear_stack(
        (4, 2), LAYERS.Conv1D(4, 1), LAYERS.Reshape((2, 4, 2)), LAYERS.Conv2D(3, 2, activation="relu")
    ),
    "a series as an image": lambda: linear_stack(
        (32, 8), LAYERS.Conv1D(4, 1, use_bias=False), LAYERS.BatchNormalization(), LAYERS.Reshape((8, 4, 4)),
        LAYERS.Conv2D(5, 3, activation="relu"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("stack", LINEAR_STACKS)
def test_linear_layers_in_a_row_equal_nengodl(stack):
    model = LINEAR_STACKS[stack]()
    shown = images(model.input_shape[1:], 3)
    converter = converted(model, neurons.build("RLR", {}), synapse=0.005)
    (reference,) = nengodl_logits([converter], shown, steps=30)
    assert np.ptp(reference, axis=1).max() > 0.1
    assert largest_difference(reference, simulate(compiled(converter), shown, steps=30).logits) < TOLERANCE


def test_layers_of_nested_concatenations_are_images():
    inputs = tf.keras.Input((6, 5, 2))
    signal = LAYERS.Conv2D(4, 3, padding="same")(inputs)
    for _ in range(3):  # as in a DenseNet, where nothing but its sources says what shape a concatenation has
        branch = LAYERS.ReLU()(LAYERS.BatchNormalization()(signal))
        signal = LAYERS.Concatenate()([signal, LAYERS.Conv2D(3, 3, padding="same")(branch)])
    outputs = LAYERS.Dense(2)(LAYERS.GlobalAveragePooling2D()(LAYERS.ReLU()(signal)))
    network = compiled(converted(tf.keras.Model(inputs, outputs), neurons.build("RLR", {}), synapse=0.005))
    assert {layer.shape[:2] for layer in network.layers[:-1]} == {(6, 5)}


@pytest.mark.parametrize("tau_syn_s", [0.002, 0.01, None])
def test_the_time_constant_changes_only_where_nengodl_has_a_synapse(tau_syn_s):
    inputs = tf.keras.Input((4, 4, 2))
    signal = LAYERS.UpSampling2D(2)(LAYERS.Conv2D(3, 3, padding="same", activation="relu")(inputs))
    signal = LAYERS.Conv2D(2, 3, activation="relu")(signal)  # no synapse before it, since NengoDL upsamples without one
    model = with_random_weights(tf.keras.Model(inputs, LAYERS.Dense(3)(LAYERS.Flatten()(signal))))
    shown = images((4, 4, 2), 3)
    network = compiled(converted(model, neurons.build("SRL", {}), synapse=0.005))
    (reference,) = nengodl_logits([converted(model, neurons.build("SRL", {}), synapse=tau_syn_s)], shown, steps=60)
    assert largest_difference(reference, simulate(network, shown, tau_syn_s=tau_syn_s, steps=60).logits) < TOLERANCE


@pytest.mark.parametrize("neuron", ["SRL", "RSRL", "LIF", "A-LIF"])
@pytest.mark.parametrize(("initial_voltage", "rate_hz"), [("zero", 100), ("zero", 415), ("half", 400), ("random", 100)])
def test_neurons_that_reach_the_threshold_exactly_spike_in_nengodls_step(neuron, initial_voltage, rate_hz):
    rng = np.random.default_rng(0)
    inputs = tf.keras.Input((8, 8, 1))
    signal = LAYERS.AveragePooling2D(2)(LAYERS.Conv2D(8, 3, activation="relu")(inputs))
    signal = LAYERS.Dense(16, activation="relu")(LAYERS.Flatten()(signal))
    model = tf.keras.Model(inputs, LAYERS.Dense(10)(signal))
    model.set_weights([np.round(4 * rng.normal(0, 0.6, weight.shape)) / 4 for weight in model.get_weights()])
    shown = rng.integers(0, 2, (20, 8, 8, 1)).astype(np.float32)
    converter = converted(model, neurons.build(neuron, {}, initial_voltage), synapse=0.005, scale=rate_hz)
    (reference,) = nengodl_logits([converter], shown)
    assert np.ptp(reference, axis=1).max() > 0.1
    assert largest_difference(reference, simulate(compiled(converter), shown).logits) < TOLERANCE


def test_neurons_at_the_output_are_filtered_by_their_probe():
    inputs = tf.keras.Input((5, 5, 2))
    signal = LAYERS.Conv2D(4, 3, activation="relu")(inputs)
    outputs = LAYERS.Dense(6, activation="relu")(LAYERS.Flatten()(signal))
    model, shown = with_random_weights(tf.keras.Model(inputs, outputs)), images((5, 5, 2), 3)
    for neuron in ("RLR", "LIF"):
        converter = converted(model, neurons.build(neuron, {}), synapse=0.01)
        (reference,) = nengodl_logits([converter], shown, steps=40)
        assert largest_difference(reference, simulate(compiled(converter), shown, steps=40).logits) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("neuron", NEURONS)
def test_the_papers_network_with_its_weights_equals_nengodl(neuron):
    from csnn.model.keras_file import load_weights
    from csnn.nengodl import simulator as nengodl
    from csnn.nengodl.conversion import convert

    if not (os.environ.get("CSNN_TEST_WEIGHTS") and os.environ.get("CSNN_TEST_NPZ")):
        pytest.skip("CSNN_TEST_WEIGHTS and CSNN_TEST_NPZ are not set")
    with np.load(os.environ["CSNN_TEST_NPZ"]) as file:
        shown = file["x_test"][:20].astype(np.float32) / 255
    inputs = signal = tf.keras.Input((32, 32, 3))
    for filters in (32, 64, 64):
        signal = LAYERS.Conv2D(filters, 3, activation="relu")(signal)
        if signal.shape[1] > 10:
            signal = LAYERS.MaxPooling2D(2)(signal)
    signal = LAYERS.Dense(64, activation="relu")(LAYERS.Flatten()(signal))
    model = tf.keras.Model(inputs, LAYERS.Dense(10)(signal))
    load_weights(model, os.environ["CSNN_TEST_WEIGHTS"])
    for tau_syn_s in (0.005, None):
        options = {"tau_syn_s": tau_syn_s, "max_rate_hz": 415, "seed": 3}
        converter = convert(model, neurons.build(neuron, {}), **options)
        reference = nengodl.simulate(converter, shown, dt_s=0.001, steps=100, minibatch=20)
        assert largest_difference(reference, simulate(compiled(converter), shown, threads=2).logits) < TOLERANCE


# --- what a comparison must catch -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared():
    """A rate network and a spiking one, with NengoDL's logits of a few images."""
    shown = images((16, 16, 3), 4)
    built = {}
    for neuron in ("RLR", "SRL", "LIF"):
        converter = converted(small_cnn(), neurons.build(neuron, {}), synapse=0.005)
        built[neuron] = (compiled(converter), nengodl_logits([converter], shown)[0])
    return shown, built


def changed_layer(network, index, **changes):
    """The network with some fields of one layer replaced."""
    layers = list(network.layers)
    layers[index] = dataclasses.replace(layers[index], **changes)
    return dataclasses.replace(network, layers=tuple(layers))


@pytest.mark.parametrize("layer", range(5))
def test_a_wrong_bias_is_caught(compared, layer):
    shown, built = compared
    network, reference = built["RLR"]  # a bias off by so little moves no spike: rate neurons are there to show it
    wrong = changed_layer(network, layer, offset=network.layers[layer].offset + 1e-5)
    assert certificate(reference, simulate(network, shown).logits)["largest_difference"] < TOLERANCE
    assert certificate(reference, simulate(wrong, shown).logits)["largest_difference"] > TOLERANCE


@pytest.mark.parametrize("neuron", ["RLR", "SRL", "LIF"])
def test_a_missing_delay_is_caught(compared, neuron, monkeypatch):
    shown, built = compared
    network, reference = built[neuron]
    lowpass = plan.lowpass
    monkeypatch.setattr(plan, "lowpass", lambda *arguments: lowpass(*arguments)._replace(delayed=False))
    assert certificate(reference, simulate(network, shown).logits)["largest_difference"] > TOLERANCE


@pytest.mark.parametrize("neuron", ["SRL", "LIF"])
def test_a_wrong_initial_voltage_is_caught(compared, neuron):
    shown, built = compared
    network, reference = built[neuron]
    for layer in range(4):
        state = dict(network.layers[layer].state)
        state["voltage"] = state["voltage"][::-1]
        wrong = changed_layer(network, layer, state=state)
        assert certificate(reference, simulate(wrong, shown).logits)["largest_difference"] > TOLERANCE


def test_a_comparison_refuses_what_shows_nothing(compared):
    _, built = compared
    reference = built["RLR"][1]
    with pytest.raises(ValueError, match="shape"):
        largest_difference(reference, reference[:, :-1])
    broken = reference.copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        largest_difference(reference, broken)


# --- the same bits however the work is cut ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("neuron", ["RLR", "LIF"])
def test_logits_depend_neither_on_other_images_nor_on_threads(compared, neuron, precision):
    _, built = compared
    network, shown = built[neuron][0], images((16, 16, 3), 9, 5)
    alone = np.concatenate([simulate(network, shown[i : i + 1], precision=precision).logits for i in range(9)])
    for threads in (1, 2, 5):
        assert np.array_equal(simulate(network, shown, precision=precision, threads=threads).logits, alone)
    assert np.array_equal(simulate(network, shown[::-1], precision=precision).logits[::-1], alone)


TAUS_SYN_S = [0.005, None, 0.02, 0.00002, 0.001]  # with a filter, without one, with the delay alone


@pytest.mark.parametrize("neuron", ["RLR", "SRL", "LIF"])
def test_time_constants_give_the_same_bits_together_and_apart(compared, neuron):
    network, shown = compared[1][neuron][0], images((16, 16, 3), 3, 5)
    options = {"steps": 120, "record": Record(spike_counts=True, neurons={0: [3, 70], 1: [5], 3: [0, 1]})}
    for chosen in ({}, options):
        together = simulate_time_constants(network, shown, TAUS_SYN_S, threads=2, **chosen)
        assert len({simulation.logits.tobytes() for simulation in together}) == len(TAUS_SYN_S)
        for tau_syn_s, simulation in zip(TAUS_SYN_S, together, strict=True):
            apart = simulate(network, shown, tau_syn_s=tau_syn_s, **chosen)
            assert np.array_equal(simulation.logits, apart.logits)
            if chosen:
                assert np.array_equal(simulation.spike_counts, apart.spike_counts)
                for index in apart.spikes:
                    assert np.array_equal(simulation.spikes[index], apart.spikes[index])
                    assert np.array_equal(simulation.voltages[index], apart.voltages[index], equal_nan=True)


@pytest.mark.parametrize("synapse", ["alpha", {"rise_s": 0.0009}])
def test_the_work_can_be_cut_with_other_synapses_too(compared, synapse, monkeypatch):
    network, shown = compared[1]["LIF"][0], images((16, 16, 3), 3, 5)
    options = {"synapse": synapse, "steps": 60}
    together = simulate_time_constants(network, shown, TAUS_SYN_S, threads=2, **options)
    assert len({simulation.logits.tobytes() for simulation in together}) == len(TAUS_SYN_S)
    unfiltered = simulate(network, shown, tau_syn_s=None, steps=60).logits
    assert np.array_equal(together[TAUS_SYN_S.index(None)].logits, unfiltered)
    monkeypatch.setattr(plan, "STEPS_PER_BLOCK", 13)
    for tau_syn_s, simulation in zip(TAUS_SYN_S, together, strict=True):
        lowpass = simulate(network, shown, tau_syn_s=tau_syn_s, steps=60).logits
        smooths = tau_syn_s is not None and tau_syn_s > 0.0001
        assert not (smooths and np.array_equal(simulation.logits, lowpass))
        for number in range(3):
            alone = simulate(network, shown[number : number + 1], tau_syn_s=tau_syn_s, **options).logits
            assert np.array_equal(simulation.logits[number : number + 1], alone)


def test_a_kind_of_synapse_stays_with_the_network(compared):
    network, shown = compared[1]["SRL"][0], images((16, 16, 3), 1)
    alpha = with_synapse(network, 0.005, "alpha")
    assert (network.synapse, alpha.synapse, alpha.tau_syn_s) == ("lowpass", "alpha", 0.005)
    assert with_synapse(alpha, 0.01).synapse == "alpha"
    given = simulate(network, shown, synapse="alpha", steps=30).logits
    assert np.array_equal(simulate(alpha, shown, steps=30).logits, given)
    assert np.array_equal(
        simulate(alpha, shown, synapse="lowpass", steps=30).logits, simulate(network, shown, steps=30).logits
    )
    shorter = simulate(alpha, shown, tau_syn_s=0.002, steps=30).logits
    assert np.array_equal(shorter, simulate(network, shown, tau_syn_s=0.002, synapse="alpha", steps=30).logits)


def test_single_precision_is_close_and_not_the_same(compared):
    shown, built = compared
    network, reference = built["RLR"]
    logits = simulate(network, shown, precision="single").logits
    assert logits.dtype == np.float64
    assert 1e-9 < largest_difference(reference, logits) < 1e-3


def test_progress_counts_every_image(compared):
    shown, built = compared
    seen = []
    simulate(built["SRL"][0], shown, steps=3, threads=2, on_images_done=seen.append)
    assert seen == [1, 2, 3, 4]


def test_an_error_in_a_thread_reaches_the_caller(compared):
    shown, built = compared

    def fail(done):
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        simulate(built["SRL"][0], shown, steps=3, threads=2, on_images_done=fail)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": "half"}, "precision"),
        ({"steps": 0}, "steps"),
        ({"threads": 0}, "threads"),
        ({"dt_s": 0.0}, "dt_s"),
        ({"tau_syn_s": -0.001}, "tau_syn_s"),
        ({"synapse": "beta"}, "synapse is 'beta'; it must be lowpass, alpha or"),
        ({"record": Record(neurons={9: [0]})}, "layer 9"),
        ({"record": Record(neurons={0: [99999]})}, "neurons 0 to"),
    ],
)
def test_arguments_out_of_range_are_refused(compared, arguments, message):
    shown, built = compared
    with pytest.raises(ValueError, match=message):
        simulate(built["SRL"][0], shown, **arguments)


@pytest.mark.parametrize("pixel", [np.nan, np.inf, -np.inf, 3e38])
def test_pixels_that_are_not_finite_are_refused(compared, pixel):
    shown = images((16, 16, 3), 2).astype(np.float64)
    shown[1, 3, 4, 2] = pixel
    with pytest.raises(InputError, match=r"pixels that are NaN, infinite or beyond 1e\+12; every pixel must be"):
        simulate(compared[1]["RLR"][0], shown, steps=2)


@pytest.mark.parametrize(
    ("neuron", "state"),
    [
        (nengo.LIF, {"voltage": 1.05}),
        (nengo.AdaptiveLIF, {"voltage": 1.5}),
        (nengo.AdaptiveLIF, {"adaptation": -np.inf}),
        (nengo.SpikingRectifiedLinear, {"voltage": np.inf}),
    ],
)
def test_an_initial_state_without_one_right_answer_is_refused(neuron, state):
    initial = {name: nengo.dists.Choice([value]) for name, value in state.items()}
    with pytest.raises(InputError, match="of layer|layer .* initial states"):
        compiled(converted(small_cnn(), neuron(initial_state=initial), synapse=0.005))


@pytest.mark.parametrize(
    "neuron",
    [
        nengo.SpikingRectifiedLinear(initial_state={"voltage": nengo.dists.Uniform(-0.5, 3.7)}),
        nengo.RegularSpiking(
            nengo.RectifiedLinear(amplitude=0.7), initial_state={"voltage": nengo.dists.Uniform(-2, 2)}
        ),
        nengo.LIF(min_voltage=-np.inf, initial_state={"voltage": nengo.dists.Uniform(-3, 1)}),
        nengo.LIF(tau_ref=0, initial_state={"voltage": nengo.dists.Choice([1])}),
        nengo.LIF(initial_state={"refractory_time": nengo.dists.Uniform(-0.001, 0.005)}),
        nengo.AdaptiveLIF(initial_state={"refractory_time": nengo.dists.Uniform(-0.001, 0.005)}),
        nengo.AdaptiveLIF(initial_state={"adaptation": nengo.dists.Uniform(-2, 2)}),
    ],
)
def test_any_other_initial_state_equals_nengodl(neuron):
    shown = images((16, 16, 3), 3)
    converter = converted(small_cnn(), neuron, synapse=0.002)
    (reference,) = nengodl_logits([converter], shown, steps=50)
    assert largest_difference(reference, simulate(compiled(converter), shown, steps=50).logits) < TOLERANCE


def test_images_that_do_not_fit_are_refused(compared):
    _, built = compared
    with pytest.raises(ValueError, match=r"\(images, 16, 16, 3\)"):
        simulate(built["SRL"][0], np.zeros((2, 8, 8, 3)))
    with pytest.raises(ValueError, match="floating-point"):
        simulate(built["SRL"][0], np.zeros((2, 16, 16, 3), np.uint8))


# --- what is refused --------------------------------------------------------------------------------------------------


def small_nengo_network(change):
    """Three neurons between an input and an output, changed by `change(net, node, neurons, out)`."""
    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.zeros(3))
        hidden = nengo.Ensemble(3, 1, neuron_type=nengo.LIF(), gain=np.ones(3), bias=np.zeros(3), label="hidden")
        out = nengo.Node(size_in=3, label="out")
        nengo.Connection(node, hidden.neurons, synapse=None)
        options = change(net, node, hidden, out) or {}
        nengo.Connection(hidden.neurons, out, **{"synapse": 0.005, **options})
        probe = nengo.Probe(out)
    return net, node, probe


def recurrent(net, node, hidden, out):
    nengo.Connection(hidden.neurons, hidden.neurons, synapse=0.005)


def other_neuron(net, node, hidden, out):
    hidden.neuron_type = nengo.Izhikevich()


def noisy(net, node, hidden, out):
    hidden.noise = nengo.processes.WhiteNoise()


def function_node(net, node, hidden, out):
    nengo.Connection(nengo.Node(lambda t: [t] * 3, label="clock"), hidden.neurons, synapse=None)


def decoded(net, node, hidden, out):
    nengo.Connection(hidden, out[:1])


def learning(net, node, hidden, out):
    connection = nengo.Connection(hidden.neurons, out, transform=nengo.Dense((3, 3), init=np.eye(3)))
    connection.learning_rule_type = nengo.PES()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (recurrent, "recurrent"),
        (other_neuron, "Izhikevich"),
        (noisy, "noise of <Ensemble"),
        (function_node, "clock"),
        (decoded, "ensemble instead of its neurons"),
        (learning, "learning rule"),
        (lambda *_: {"synapse": nengo.synapses.Triangle(0.005)}, "Triangle"),
        (lambda *_: {"synapse": nengo.Alpha(0.005, analog=False)}, "Alpha"),
        (lambda *_: {"synapse": nengo.LinearFilter([1], [0.01, 1])}, "LinearFilter"),
        (lambda *_: {"synapse": nengo.LinearFilter([1], [1e-4, 0.01, 1])}, "LinearFilter"),  # it oscillates
        (lambda *_: {"synapse": nengo.LinearFilter([1e-3, 1], [1e-5, 0.01, 1])}, "LinearFilter"),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_name(change, named):
    net, node, probe = small_nengo_network(change)
    with pytest.raises(NotCompilable, match=named) as refusal:
        compile_network(net, node, probe, 0)
    assert "engine: nengo-dl can run it" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_tensor_node_is_refused():
    model = tf.keras.Sequential([tf.keras.Input((4,)), LAYERS.Dense(3, activation="relu"), LAYERS.Softmax()])
    with pytest.warns(UserWarning):
        converter = nengo_dl.Converter(model, inference_only=True, allow_fallback=True)
    with pytest.raises(NotCompilable, match="softmax"):
        compile_network(converter.net, *ends(converter), seed=0)


def test_compiling_changes_nothing_in_the_nengo_network(compared):
    converter = converted(small_cnn(), neurons.build("LIF", {}), synapse=0.005, seed=7)
    before = compile_network(converter.net, *ends(converter), seed=3)
    assert converter.net.seed == 7
    again = compile_network(converter.net, *ends(converter), seed=3)
    other = compile_network(converter.net, *ends(converter), seed=7)
    assert np.array_equal(before.layers[0].state["voltage"], again.layers[0].state["voltage"])
    assert not np.array_equal(before.layers[0].state["voltage"], other.layers[0].state["voltage"])
    assert with_synapse(before, None).layers[1].connections[0].tau_syn_s is None
    assert before.layers[1].connections[0].tau_syn_s == 0.005


# --- importing and compiling ------------------------------------------------------------------------------------------


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run some Python in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), **environment}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)


def test_simulating_imports_neither_tensorflow_nor_nengo():
    process = run_python(
        "import sys\n"
        "from csnn.event import network\n"
        "from csnn.event import kernels, simulator\n"
        "print([name for name in ('tensorflow', 'tf_keras', 'nengo', 'nengo_dl') if name in sys.modules])\n"
    )
    assert process.stdout.strip() == "[]", process.stdout + process.stderr


SIMULATE_ONCE = """
import numpy as np
from csnn.event import simulator as event
from csnn.event import kernel_cache
from csnn.event import kernels
event.compile_kernels(np.float64)
misses = sum(sum(getattr(kernels, name).stats.cache_misses.values()) for name in (
    'advance_layer', 'advance_layer_of_constant_current', 'add_sparse', 'add_whole_convolution',
    'pool_events', 'events_of_image'))
print(kernel_cache.cache_folder(), misses)
"""


@pytest.mark.slow
def test_kernels_are_compiled_once_by_processes_that_start_together(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "CSNN_CACHE": str(tmp_path)}
    started = [
        subprocess.Popen([sys.executable, "-c", SIMULATE_ONCE], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=300)[0].split() for process in started]
    assert all(folder.startswith(str(tmp_path)) for folder, _ in answers)
    assert sorted(int(misses) for _, misses in answers) == [0, 6]
    later = run_python(SIMULATE_ONCE, CSNN_CACHE=str(tmp_path))
    assert later.stdout.split()[1] == "0"


def test_where_the_cache_cannot_be_written_another_place_is_found(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    code = "from csnn.event import kernel_cache\nprint(kernel_cache.cache_folder())"
    process = run_python(code, CSNN_CACHE=str(blocked / "cache"), TMPDIR=str(tmp_path))
    assert Path(process.stdout.strip()).is_relative_to(tmp_path), process.stderr
    process = run_python(code, CSNN_CACHE="", XDG_CACHE_HOME=str(tmp_path / "xdg"))
    assert Path(process.stdout.strip()).parent == tmp_path / "xdg" / "csnn", process.stderr


@pytest.mark.parametrize("prepared_by", ["nobody", "the user", "another user", "a link", "the user, open to all"])
def test_kernels_in_the_folder_for_temporary_files_are_the_users_own(tmp_path, prepared_by):
    """They are code that is run, and anybody can make folders there."""
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / f"csnn-{getpass.getuser()}"
    if prepared_by == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to("elsewhere")
    elif prepared_by != "nobody":
        folder.mkdir(mode=0o700)
        folder.chmod(0o777 if prepared_by.endswith("all") else 0o700)
    if prepared_by == "another user":
        if os.getuid() != 0:
            pytest.skip("only root can give a folder to another user")
        os.chown(folder, 65534, 65534)
    code = "from csnn.event import kernel_cache\nprint(kernel_cache.cache_folder())"
    process = run_python(code, CSNN_CACHE=str(tmp_path / "file" / "cache"), TMPDIR=str(tmp_path))
    used = Path(process.stdout.strip())
    assert used.is_dir() and used.is_relative_to(tmp_path), process.stderr
    assert used.is_relative_to(folder) == (prepared_by in ("nobody", "the user"))
    top = tmp_path / used.relative_to(tmp_path).parts[0]
    assert (top.stat().st_mode & 0o777, top.stat().st_uid) == (0o700, os.getuid())
