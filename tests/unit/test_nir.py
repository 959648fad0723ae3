"""NIR files: read back by the package nir, and simulated from nothing but the file."""

import dataclasses

import nir
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import csnn
from csnn.event.network import IMAGE, Connection, Convolution, Layer, Network, Pooling, Reshape, SparseMatrix
from csnn.files import InputError
from test_cost import IMAGES, converted

STEPS, DT = 60, 0.001


def convolve(node, signal):
    """Return what a Conv2d makes of (channels, rows, columns)."""
    padded = np.pad(signal, [(0, 0), *((padding, padding) for padding in node.padding)])
    windows = sliding_window_view(padded, node.weight.shape[2:], axis=(1, 2))[:, :: node.stride[0], :: node.stride[1]]
    return np.tensordot(node.weight, windows, ((1, 2, 3), (0, 3, 4))) + node.bias[:, np.newaxis, np.newaxis]


def pool(node, signal):
    """Return what an AvgPool2d makes of (channels, rows, columns)."""
    rows, columns = node.stride
    return sliding_window_view(signal, tuple(node.kernel_size), axis=(1, 2))[:, ::rows, ::columns].mean(axis=(3, 4))


def simulate(graph, image):
    """Simulate a NIR graph step by step, by NIR's equations and the conventions in its metadata."""
    dt = float(graph.metadata["dt_s"])
    order, edges = [], [tuple(edge) for edge in graph.edges]
    while len(order) < len(graph.nodes):
        order += [name for name in graph.nodes if name not in order and all(a in order for a, b in edges if b == name)]
    state = {
        name: node.metadata["initial_voltage"].copy() if type(node) in (nir.IF, nir.LIF) else np.zeros_like(node.tau)
        for name, node in graph.nodes.items()
        if type(node) in (nir.IF, nir.LIF, nir.LI)
    }
    refractory = {
        n: node.metadata["initial_refractory_time"].copy() for n, node in graph.nodes.items() if type(node) is nir.LIF
    }
    logits = []
    for _ in range(STEPS):
        value = {}
        for name in order:
            node = graph.nodes[name]
            signal = sum(value[a] for a, b in edges if b == name)
            match node:
                case nir.Input():
                    value[name] = image.transpose(2, 0, 1)
                case nir.Conv2d():
                    value[name] = convolve(node, signal)
                case nir.Affine():
                    value[name] = node.weight @ signal + node.bias
                case nir.AvgPool2d():
                    value[name] = pool(node, signal)
                case nir.Flatten():
                    value[name] = signal.ravel()
                case nir.Scale():
                    value[name] = node.scale * signal
                case nir.LI():
                    value[name] = state[name]
                    state[name] = state[name] + (node.r * signal - state[name]) * -np.expm1(-dt / node.tau)
                case nir.IF():
                    voltage = state[name] + node.r * np.maximum(signal, 0) * dt
                    value[name] = np.floor(voltage / node.v_threshold)
                    state[name] = voltage - value[name] * node.v_threshold
                case nir.LIF():
                    active = np.clip(dt - refractory[name], 0, dt)
                    voltage = state[name] + (state[name] - node.r * signal) * np.expm1(-active / node.tau)
                    spiked = voltage > node.v_threshold
                    with np.errstate(all="ignore"):
                        since = -node.tau * np.log1p((node.v_threshold - voltage) / (signal - node.v_threshold))
                    rest = np.where(spiked, float(node.metadata["tau_ref_s"]) - since, refractory[name] - dt)
                    refractory[name] = rest
                    low = float(node.metadata["min_voltage"])
                    state[name] = np.where(spiked, node.v_reset, np.maximum(voltage, low))
                    value[name] = spiked.astype(float)
                case nir.Output():
                    value[name] = signal
        logits.append(value[next(iter(graph.outputs))])
    return np.array(logits)


def assert_the_file_gives_the_logits(network, images, path, tolerance=1e-10):
    csnn.export_nir(network, path)
    graph = nir.read(path)
    expected = csnn.simulate(network, images, steps=STEPS).logits
    assert np.abs(expected).max() > 0.1
    for image, logits in zip(images, expected, strict=True):
        np.testing.assert_allclose(simulate(graph, image.astype(float)), logits, rtol=0, atol=tolerance)


@pytest.mark.parametrize("neuron", ["SRL", "LIF"])
def test_a_converted_network_gives_its_logits_from_the_file_alone(neuron, tmp_path):
    network = converted(neuron)[1]
    assert_the_file_gives_the_logits(network, IMAGES, tmp_path / "network.nir")


def test_what_is_written_is_what_is_read(tmp_path):
    graph = csnn.export_nir(converted("LIF")[1], tmp_path / "network.nir")
    read = nir.read(tmp_path / "network.nir")
    assert [type(node).__name__ for node in read.nodes.values()].count("LIF") == 3
    assert set(map(tuple, read.edges)) == set(graph.edges)
    for name, node in graph.nodes.items():
        assert type(read.nodes[name]) is type(node)
        again = read.nodes[name].to_dict()
        assert set(node.metadata) == set(read.nodes[name].metadata)
        for key, value in node.to_dict().items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(again[key], value)
    assert read.metadata["dt_s"] == DT
    lif = next(node for node in read.nodes.values() if isinstance(node, nir.LIF))
    assert (lif.tau == 0.02).all() and lif.metadata["tau_ref_s"] == 0.002


def branches(**changes) -> Network:
    """Return a network with padding, strides, groups, a branch around a layer, pooling of all rows, and a readout."""
    random = np.random.default_rng(1)
    grouped = np.array([0, 0, 2, 2], np.int32)  # two groups of two channels

    def neurons(connections, shape, name):
        size = int(np.prod(shape))
        return Layer(name, shape, "SpikingRectifiedLinear", {"amplitude": 1 / 300}, {"voltage": random.random(size)},
                     np.tile(50 * random.random(shape[2]), shape[0] * shape[1]), connections)  # fmt: skip

    def convolution(shape, stride, padding, before, after, first=None):
        return Convolution(
            100 * random.standard_normal(shape), stride, padding, before, after, first, random.random(after[2])
        )

    strided = convolution((3, 3, 2, 4), (2, 2), (1, 1), (9, 9, 2), (5, 5, 4))
    first = neurons((Connection(IMAGE, (), strided, None, False),), (5, 5, 4), "first")
    around = Connection(0, (), convolution((1, 1, 4, 4), (1, 1), (0, 0), (5, 5, 4), (5, 5, 4)), None, True)
    through = Connection(0, (), convolution((3, 3, 4, 2), (1, 1), (1, 1), (5, 5, 4), (5, 5, 4), grouped), 0.005, True)
    second = neurons((through, around), (5, 5, 4), "second")
    dense = Convolution(random.standard_normal((1, 1, 16, 3)), (1, 1), (0, 0), (1, 1, 16), (1, 1, 3))
    flat = Connection(1, (Pooling((2, 2), (2, 2)), Reshape((1, 1, 16))), dense, 0.01, True)
    readout = Layer("readout", (1, 1, 3), "readout", {}, {}, random.standard_normal(3), (flat,))
    return Network((9, 9, 2), (first, dataclasses.replace(second, **changes), readout), 0)


def test_padding_strides_groups_branches_and_flattening(tmp_path):
    images = np.random.default_rng(2).random((2, 9, 9, 2))
    assert_the_file_gives_the_logits(branches(), images, tmp_path / "network.nir")


@pytest.mark.parametrize("neuron", ["RLR", "A-LIF"])
def test_neurons_that_nir_does_not_have_are_refused(neuron, tmp_path):
    with pytest.raises(InputError, match="NIR can hold SRL and LIF neurons only"):
        csnn.export_nir(converted(neuron)[1], tmp_path / "network.nir")
    assert not list(tmp_path.iterdir())


def refused() -> dict[str, Network]:
    """Return networks with something that NIR cannot say, by what the error says of it."""
    through, around = branches().layers[1].connections
    sparse = SparseMatrix(np.arange(101), np.arange(100, dtype=np.int32), np.ones(100), 100)
    narrow = dataclasses.replace(through.linear, padding=(1, 0))
    wide = dataclasses.replace(through.linear, kernel=through.linear.kernel[:, 1:], padding=(1, 0))
    over = Pooling((2, 2), (1, 1), same=True)
    return {
        "biases that differ": branches(offset=np.arange(100.0)),
        "no convolution or dense layer": branches(connections=(dataclasses.replace(around, linear=sparse),)),
        "unequal padding": branches(connections=(dataclasses.replace(through, linear=narrow),)),
        "synapses of the kind alpha": branches(connections=(dataclasses.replace(through, synapse="alpha"),)),
        "over the edge": branches(connections=(dataclasses.replace(through, views=(over,)),)),
        "in a new shape": branches(connections=(dataclasses.replace(through, views=(Reshape((10, 10, 1)),)),)),
        "square ones only": branches(connections=(dataclasses.replace(through, linear=wide),)),
    }


@pytest.mark.parametrize(("words", "network"), refused().items())
def test_what_nir_cannot_say_is_refused_by_name(words, network, tmp_path):
    with pytest.raises(InputError, match=f"layer second .*{words}"):
        csnn.export_nir(network, tmp_path / "network.nir")
