"""Energy with memory and the break-even: against the formulas of their sources, written out for one network."""

import dataclasses

import numpy as np
import pytest

from csnn.evaluation import break_even, memory_energy
from csnn.event.network import IMAGE, Connection, Convolution, Layer, Network, Pooling

ADD, MULTIPLY = 0.1e-12, 3.1e-12
STEPS = 10


def access(values: float, bits: int = 32) -> float:
    """Return the line that the authors' implementation has, in joules for so many values."""
    return (0.0000828160 * values * bits / 8 + 13.2563) * 1e-12


def convolution(size: int, inputs: int, outputs: int, length: int) -> Convolution:
    return Convolution(
        np.ones((size, size, inputs, outputs)), (1, 1), (0, 0), (length, length, inputs),
        (length - size + 1, length - size + 1, outputs),
    )  # fmt: skip


def network(neuron: str = "LIF") -> Network:
    """Return an image of 6x6x1, neurons of 4x4x2, pooled to 2x2x2, neurons of 1x1x3, and a readout of 2 classes."""
    state = {"LIF": ("voltage", "refractory_time"), "SpikingRectifiedLinear": ("voltage",)}.get(neuron, ())

    def layer(shape, connection, kind=neuron):
        size = int(np.prod(shape))
        states = {name: np.zeros(size) for name in (state if kind == neuron else ())}
        return Layer("", shape, kind, {"amplitude": 0.1}, states, np.ones(size), (connection,))

    first = layer((4, 4, 2), Connection(IMAGE, (), convolution(3, 1, 2, 6), None, False))
    second = layer((1, 1, 3), Connection(0, (Pooling((2, 2), (2, 2)),), convolution(2, 2, 3, 2), 0.005, True))
    readout = layer((1, 1, 2), Connection(1, (), convolution(1, 3, 2, 1), 0.005, True), "readout")
    return Network((6, 6, 1), (first, second, readout), 0)


COUNTS = [np.full((2, 32), 2.0), np.full((2, 3), 4.0)]


def test_an_access_costs_what_the_authors_line_says():
    for values in (1000, 8192, 10**6):
        assert memory_energy.access_j(values, 32) == pytest.approx(access(values), rel=1e-5)
    assert memory_energy.access_j(1024, 8) == pytest.approx(memory_energy.access_j(256, 32))


def test_the_cnn_takes_what_the_formulas_say():
    first = 16 * 2 * 9  # multiply-accumulates of the convolution: outputs times kernel
    second, third = 3 * 8, 6
    energy = memory_energy.of_cnn(network())
    assert energy.operations == pytest.approx((first + second + third) * (MULTIPLY + ADD) + (32 + 3 + 2) * ADD)
    assert energy.addressing == pytest.approx((36 + 32 + 2 * 9 + second + third) * ADD)
    assert energy.weights == pytest.approx(
        first * access(18) + 32 * access(2) + second * access(24) + 3 * access(3) + third * access(6) + 2 * access(2),
        rel=1e-5,
    )
    assert energy.inputs_outputs == pytest.approx(
        first * access(36) + 32 * access(32) + 8 * access(8) + 3 * access(3) + 3 * access(3) + 2 * access(2), rel=1e-5
    )
    assert energy.states == 0
    assert energy.total == pytest.approx(sum(energy))


@pytest.mark.parametrize(("neuron", "states", "decaying"), [("LIF", 2, 1), ("SpikingRectifiedLinear", 1, 0)])
def test_a_spiking_network_takes_what_the_formulas_say(neuron, states, decaying):
    """Spikes: 64 of the first layer, each with 3 synapses behind its window, 12 of the second, each with 2."""
    tested = network(neuron)
    image = memory_energy.of_connection(tested, 0, tested.layers[0].connections[0])
    energy = memory_energy.of_network(tested, COUNTS, STEPS)
    assert energy is not None
    synapses = (0, 64 * 3, 12 * 2)
    updates = (STEPS * 32, STEPS * 3, STEPS * 2)
    sent = (64, 12, 0)
    held = (states, states + 1, 1)  # the synapse's filter too
    fading = (decaying, decaying + 1, 1)
    parts = zip(synapses, updates, sent, held, fading, (32, 3, 2), (0, 24, 6), strict=True)
    operations = weights = stored = 0.0
    for reached, updated, spikes, state, decays, neurons, kernel in parts:
        operations += (reached + updated + spikes) * ADD + decays * updated * (MULTIPLY + ADD)
        weights += reached * access(kernel) + updated * access(neurons)
        stored += 2 * (reached + state * updated) * access(state * neurons)
    assert energy.operations - image.operations == pytest.approx(operations)
    assert energy.addressing - image.addressing == pytest.approx(sum(synapses) * ADD)
    assert energy.weights - image.weights == pytest.approx(weights, rel=1e-5)
    assert energy.states == pytest.approx(stored, rel=1e-5)
    queue = access(memory_energy.QUEUE)
    assert energy.inputs_outputs - image.inputs_outputs == pytest.approx((64 + 12 + 64 + 12) * queue, rel=1e-5)


def test_an_event_of_a_convolution_is_located_by_two_multiplications():
    one = {"neurons": 4, "steps": 1, "weights": 9, "states": 1, "decaying": 0}
    dense = memory_energy.spiking_layer(5, 20, 0, **one, convolution=False)
    located = memory_energy.spiking_layer(5, 20, 0, **one, convolution=True)
    assert located.addressing - dense.addressing == pytest.approx(10 * (MULTIPLY + ADD))
    assert located._replace(addressing=0) == dense._replace(addressing=0)


def test_rate_neurons_have_no_estimate():
    rates = network("RectifiedLinear")
    assert memory_energy.of_network(rates, COUNTS, STEPS) is None
    assert break_even.with_memory(rates, COUNTS, STEPS, 8) is None


@pytest.mark.parametrize(
    ("steps", "bits", "word"), [(1, 1, 8), (3, 2, 8), (5, 3, 8), (100, 7, 8), (255, 8, 8), (256, 9, 32)]
)
def test_equal_bits_tell_apart_as_many_values_as_spike_counts(steps, bits, word):
    assert (break_even.equal_bits(steps), memory_energy.word_bits(break_even.equal_bits(steps))) == (bits, word)
    assert 2 ** (bits - 1) < steps + 1 <= 2**bits


def test_arithmetic_breaks_even_where_the_source_says():
    """``T s = (1 - z) MAC / AC`` for s spikes per neuron and step and a share z of activations of zero."""
    steps, rate, zeros, synapses = 100, 0.02, 0.6, 1000
    found = break_even.arithmetic(rate, rate * steps * synapses, (1 - zeros) * synapses, 8)
    assert found is not None
    ratio = (0.2 + 0.03) / 0.03
    assert found.rate == pytest.approx((1 - zeros) * ratio / steps)
    assert found.energy_ratio == pytest.approx(rate / found.rate)
    assert break_even.arithmetic(0.0, 0.0, 1.0, 8) is None


def test_at_the_break_even_with_memory_both_take_the_same():
    weights = np.ones((2, 2, 2, 500))
    first, second, readout = network().layers
    (connection,) = second.connections
    wide = dataclasses.replace(connection.linear, kernel=weights, output_shape=(1, 1, 500))
    second = dataclasses.replace(
        second, shape=(1, 1, 500), offset=np.ones(500), connections=(dataclasses.replace(connection, linear=wide),)
    )
    (connection,) = readout.connections
    readout = dataclasses.replace(
        readout, connections=(dataclasses.replace(connection, linear=convolution(1, 500, 2, 1)),)
    )
    tested = Network((6, 6, 1), (first, second, readout), 0)
    counts = [np.full((1, 32), 0.1), np.full((1, 500), 0.1)]
    found = break_even.with_memory(tested, counts, 1, 8)
    assert found is not None and found.rate > 0
    factor = found.rate / 0.1
    image = memory_energy.of_connection(tested, 0, first.connections[0], 8).total
    spiking = memory_energy.of_network(tested, [factor * layer for layer in counts], 1, 8)
    cnn = memory_energy.of_cnn(tested, 8)
    assert spiking is not None
    assert spiking.total - image == pytest.approx(cnn.total - image)
    now = memory_energy.of_network(tested, counts, 1, 8)
    assert now is not None
    assert found.energy_ratio == pytest.approx((now.total - image) / (cnn.total - image))


def test_a_network_that_takes_more_without_spikes_never_breaks_even():
    assert break_even.break_even(0.1, 3.0, 1.0, 2.0) == (0.0, 2.0)
    assert break_even.break_even(0.1, 1.0, 1.0, 2.0) == pytest.approx((0.1, 1.0))
