"""Synaptic operations and activity: against counting them one by one, and against NengoDL's spikes."""

import dataclasses

import numpy as np
import pytest

from csnn import neurons
from csnn.evaluation import activity, cost
from csnn.event.compiler import compile_network
from csnn.event.network import IMAGE, Connection, Convolution, Layer, Network, Pooling, SparseMatrix
from csnn.model import cnn
from csnn.nengodl.conversion import convert
from csnn.nengodl_compat import nengo_dl

import nengo  # isort: skip

IMAGES = np.random.default_rng(0).random((3, 11, 11, 3)).astype(np.float32)
STEPS = 30


def small_cnn():
    """Return a CNN whose pooling leaves a row and a column over, with weights of zero among the others."""
    cnn.seed_everything(0)
    model = cnn.build((11, 11, 3), 4, filters=[3, 5], kernel=3, pool=2, pooling="average", dense_units=6)
    random = np.random.default_rng(1)
    model.set_weights([2 * weight * (random.random(weight.shape) < 0.7) + 0.01 * (weight.ndim == 1)
                       for weight in model.get_weights()])  # fmt: skip
    return model


def converted(name):
    """Return the converted and the compiled network of a neuron type."""
    converter = convert(small_cnn(), neurons.build(name, {}), tau_syn_s=0.005, max_rate_hz=300, seed=5)
    network = compile_network(
        converter.net, converter.inputs[converter.model.input], converter.outputs[converter.model.output], 5
    )
    return converter, network


def synapses(network: Network, layer: int, connection: Connection) -> np.ndarray:
    """Count the synapses of a connection one by one: what each unit would reach alone, window by window."""
    shape = network.input_shape if connection.source == IMAGE else network.layers[connection.source].shape
    reached = np.zeros(int(np.prod(shape)), int)
    for unit in range(len(reached)):
        image = np.zeros(int(np.prod(shape)))
        image[unit] = 1
        image = image.reshape(shape)
        for pooling in connection.views:
            rows, columns, _ = pooling.output_shape(image.shape)
            pooled = np.zeros((rows, columns, image.shape[2]))
            for r, c in np.ndindex(rows, columns):
                top, left = r * pooling.stride[0], c * pooling.stride[1]
                pooled[r, c] = image[top : top + pooling.size[0], left : left + pooling.size[1]].mean((0, 1))
            image = pooled
        linear = connection.linear
        if isinstance(linear, SparseMatrix):
            for active in np.flatnonzero(image):
                reached[unit] += np.count_nonzero(linear.weight[linear.first[active] : linear.first[active + 1]])
            continue
        for active in np.flatnonzero(image):
            alone = (np.arange(image.size) == active).reshape(image.shape)
            padded = np.pad(alone, [(p, 20) for p in linear.padding] + [(0, 0)])
            for r, c in np.ndindex(linear.output_shape[:2]):
                top, left = r * linear.stride[0], c * linear.stride[1]
                window = padded[top : top + linear.kernel.shape[0], left : left + linear.kernel.shape[1]]
                reached[unit] += np.count_nonzero(np.tensordot(window, linear.kernel, 3))
    return reached


def test_fan_out_is_the_number_of_units_that_each_unit_reaches():
    _, network = converted("SRL")
    for index, layer in enumerate(network.layers):
        for connection in layer.connections:
            counted = cost.fan_out(network, index, connection).ravel()
            np.testing.assert_array_equal(counted, synapses(network, index, connection))
            assert counted.sum() > 0


@pytest.mark.parametrize("stride", [1, 2])
def test_fan_out_with_padding_strides_and_overlapping_pooling(stride):
    random = np.random.default_rng(stride)
    kernel = random.random((3, 2, 2, 3)) * (random.random((3, 2, 2, 3)) < 0.5)
    pooled = (6, 6, 2)
    convolution = Convolution(
        kernel, (stride, stride), (1, 0), pooled, ((6 - 1) // stride + 1, (6 - 2) // stride + 1, 3)
    )
    sparse = SparseMatrix(np.array([0, 0, 2] + [3] * 96), np.array([0, 1, 1], np.int32), np.array([1.0, 0, 2]), 2)
    first = Layer("a", (7, 7, 2), "LIF", {}, {}, np.zeros(98), ())
    second = Layer("b", convolution.output_shape, "LIF", {}, {}, np.zeros(1),
                   (Connection(0, (Pooling((2, 2), (1, 1)),), convolution, 0.005, True),))  # fmt: skip
    third = Layer("c", (1, 1, 2), "LIF", {}, {}, np.zeros(2), (Connection(0, (), sparse, 0.005, True),))
    network = Network((1, 1, 1), (first, second, third), 0)
    for index in (1, 2):
        (connection,) = network.layers[index].connections
        np.testing.assert_array_equal(
            cost.fan_out(network, index, connection).ravel(), synapses(network, index, connection)
        )
    both = sum(synapses(network, index, network.layers[index].connections[0]) for index in (1, 2))
    np.testing.assert_array_equal(cost.layer_fan_out(network, 0), both)


def test_dense_operations_are_those_of_the_cnn():
    network = converted("SRL")[1]
    weights = small_cnn().get_weights()
    positions = [9 * 9, 2 * 2, 1, 1]
    expected = sum(count * np.count_nonzero(kernel) for count, kernel in zip(positions, weights[::2], strict=True))
    assert cost.dense_operations(network) == expected


@pytest.mark.parametrize("name", neurons.NEURONS)
def test_counts_are_those_of_nengodls_spikes_and_operations_follow_from_them(name):
    converter, network = converted(name)
    with converter.net:
        probes = [nengo.Probe(ensemble.neurons) for ensemble in converter.net.all_ensembles]
    shown = np.repeat(IMAGES.reshape(3, 1, -1), STEPS, axis=1).astype(np.float64)
    with nengo_dl.Simulator(converter.net, minibatch_size=3, seed=5, progress_bar=False) as simulator:
        data = simulator.predict_on_batch({converter.inputs[converter.model.input]: shown})
    found = activity.record(network, IMAGES, tau_syn_s=0.005, dt_s=0.001, steps=STEPS)
    for layer, probe in enumerate(probes):
        spikes = data[probe] * 300 * 0.001  # amplitude 1 / 300, and a spike is 1 / dt high
        np.testing.assert_allclose(found.counts[layer], spikes.sum(axis=1), rtol=1e-5, atol=1e-5)
        reached = sum(
            synapses(network, index, connection)
            for index, target in enumerate(network.layers)
            for connection in target.connections
            if connection.source == layer
        )
        events = spikes > 0 if name == "RLR" else np.rint(spikes)
        np.testing.assert_allclose(found.operations[:, layer], events @ reached)
        assert found.operations[:, layer].sum() > 0
    assert found.image_operations.tolist() == [synapses(network, 0, network.layers[0].connections[0]).sum()] * 3


def test_cost_separates_spikes_from_rates():
    for name in ("RLR", "SRL"):
        network = converted(name)[1]
        found = activity.record(network, IMAGES, tau_syn_s=0.005, dt_s=0.001, steps=STEPS)
        activations = [np.ones((3, network.layers[layer].size)) for layer in range(3)]
        table = activity.cost_table(network, found, IMAGES, activations)
        operations = found.operations.sum(axis=(1, 2)).mean()
        of_image = found.image_operations.mean()
        expected = (of_image + operations, 0) if name == "RLR" else (of_image, operations)
        assert (table["macs"], table["acs"]) == pytest.approx(expected)
        assert table["cnn_macs"] == table["cnn_dense_macs"]  # nothing is zero but weights
        assert table["neuron_updates"] == STEPS * (9 * 9 * 3 + 2 * 2 * 5 + 6)
        assert table["energy_j"]["45 nm"] == pytest.approx(4.6e-12 * expected[0] + 0.9e-12 * expected[1])
        loihi = 27.1e-12 * sum(expected) + 81e-12 * table["neuron_updates"]
        assert table["energy_j"]["Loihi"] == pytest.approx(loihi)


def test_activations_of_zero_cost_the_cnn_nothing():
    network = converted("SRL")[1]
    ones = [np.ones(network.layers[layer].size) for layer in range(3)]
    silent = [np.zeros_like(layer) for layer in ones]
    image = IMAGES[0]
    assert cost.cnn_operations(network, image, silent) == cost.image_operations(network, image)
    last = [*silent[:2], ones[2]]
    readout = np.count_nonzero(small_cnn().get_weights()[-2])
    assert cost.cnn_operations(network, image, last) == cost.image_operations(network, image) + readout
    assert cost.image_operations(network, np.zeros_like(image)) == 0


def test_a_sum_between_layers_of_neurons_is_none_of_them():
    network = converted("LIF")[1]
    first, *others = network.layers
    sums = dataclasses.replace(first, neuron="linear", parameters={})
    counts = [np.full((1, network.layers[layer].size), 9, np.float32) for layer in range(3)]
    found = activity.Activity(counts, np.zeros((1, 3, 20)), np.zeros(1, np.int64))
    with_sum = dataclasses.replace(network, layers=(first, sums, *others))
    for layer in activity.layer_table(with_sum, found, counts, duration_s=0.02):
        assert (layer["neuron_type"], layer["saturated_above_hz"], layer["saturated_share"]) == ("LIF", 400, 1)


def test_layers_are_described_by_rates_silence_and_correlation():
    network = converted("LIF")[1]
    counts = [np.zeros((2, network.layers[layer].size), np.float32) for layer in range(3)]
    counts[2][:] = [[0, 1, 2, 3, 4, 0], [0, 1, 2, 3, 4, 6]]
    found = activity.Activity(counts, np.zeros((2, 3, 10)), np.zeros(2, np.int64))
    first, _, third = activity.layer_table(network, found, [2 * layer for layer in counts], duration_s=0.01)
    assert (first["silent_share"], first["rate_correlation"], first["rate_hz_max"]) == (1, None, 0)
    assert third["rate_hz_mean"] == pytest.approx(100 * 26 / 12)
    assert (third["silent_share"], third["never_active_share"]) == pytest.approx((3 / 12, 1 / 6))
    assert third["rate_correlation"] == pytest.approx(1)
    assert third["spikes_per_image"] == 13
    assert (third["rate_hz_p50"], third["rate_hz_max"]) == (200, 600)
