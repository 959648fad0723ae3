"""NeuroBench's metrics: against closed forms on small networks, and against counting unit by unit."""

import numpy as np
import pytest

from csnn.evaluation import activity, neurobench
from csnn.event.network import IMAGE, Connection, Convolution, Layer, Network, Pooling, SparseMatrix, with_synapse

DT = 0.001


def dense(weight: np.ndarray, source: int, tau: float | None, shape=(1, 1)) -> Connection:
    """Return a dense connection from an image of some rows and columns; weight has a row for each channel in."""
    rows, columns = shape
    kernel = np.tile(weight, (rows, columns, 1, 1))
    linear = Convolution(kernel, (1, 1), (0, 0), (rows, columns, len(weight)), (1, 1, weight.shape[1]))
    return Connection(source, (), linear, tau, tau is not None)


def two_layers(weight, *, tau: float | None, amplitude=0.1, currents=(0.0, 0.0, 0.0)) -> Network:
    """Return an image of 2 pixels, 3 integrate-and-fire neurons and a readout that they reach by `weight`."""
    first = Layer("a", (1, 1, 3), "SpikingRectifiedLinear", {"amplitude": amplitude}, {"voltage": np.zeros(3)},
                  np.array(currents), (dense(np.array([[1.0, 0, 2], [3, 0, 4]]), IMAGE, None),))  # fmt: skip
    readout = Layer("b", (1, 1, 2), "readout", {}, {}, np.array([0.5, 0.25]), (dense(np.array(weight), 0, tau),))
    return Network((1, 1, 2), (first, readout), 0)


WEIGHT = [[1.0, 2], [3, 0], [0, 0]]
SPIKES = np.array([[0, 1, 1], [1, 2, 0], [0, 0, 0], [1, 0, 0]], float)  # of 3 neurons in 4 steps


def operations(network, spikes, image=(0.5, 0)):
    connections = neurobench.synapses(network)
    return neurobench.synaptic_operations(network, connections, np.array(image), {0: spikes}, DT)


def test_static_metrics_are_those_of_the_weights():
    network = two_layers(WEIGHT, tau=0.005)
    assert neurobench.parameter_count(network) == 6 + 6 + 2  # the first layer's biases are 0: it has none
    assert neurobench.connection_sparsity(network) == round(5 / 12, 4)
    assert neurobench.footprint(network) == 4 * (14 + 3 + 3)  # membrane potentials, and what the filters hold
    assert neurobench.footprint(two_layers(WEIGHT, tau=None)) == 4 * (14 + 3)
    assert neurobench.footprint(with_synapse(network, 0.005, "alpha")) == 4 * (14 + 3 + 2 * 3)
    assert neurobench.dense(network, steps=4) == 4 * (6 + 6)
    assert neurobench.parameter_count(two_layers(WEIGHT, tau=None, currents=(0.0, 0, 1))) == 6 + 6 + 2 + 3


def test_a_filtered_spike_counts_at_every_later_step():
    macs, acs = operations(two_layers(WEIGHT, tau=0.005), SPIKES)
    of_image = 4 * 2  # one pixel other than 0, two synapses other than 0, four steps
    # first spikes in steps 2, 1 and 1; seen from the next step on, by 2, 1 and 0 synapses
    assert (macs, acs) == (of_image + 2 * 2 + 3 * 1 + 3 * 0, 0)


@pytest.mark.parametrize(
    ("amplitude", "tau", "expected"),
    [
        (DT, None, (0 + 2 + 1, 0 + 1 + 2)),  # spikes are 1 high: MACs in the step in which one is 2 high
        (DT, 0.0, (0 + 2 + 1, 0 + 1)),  # one step later: the last one is not seen
        (2 * DT, None, (0 + 1 + 2 + 1 + 2, 0)),  # scaled spikes are real numbers
    ],
)
def test_unfiltered_spikes_are_accumulates_where_all_are_0_or_1(amplitude, tau, expected):
    network = two_layers(WEIGHT, tau=tau, amplitude=amplitude)
    macs, acs = operations(network, SPIKES, image=(0, 0))
    assert (macs, acs) == expected


def test_an_image_of_zeros_and_ones_is_spikes():
    silent = np.zeros((4, 3))
    assert operations(two_layers(WEIGHT, tau=0.005), silent, image=(1, 0)) == (0, 4 * 2)
    assert operations(two_layers(WEIGHT, tau=0.005), silent, image=(1, 0.5)) == (4 * 4, 0)


@pytest.mark.parametrize("tau", [0.005, None])
def test_pooled_spikes_are_counted_window_by_window(tau):
    random = np.random.default_rng(3)
    linear = Convolution(random.random((2, 2, 2, 3)), (1, 1), (0, 0), (3, 3, 2), (2, 2, 3))
    pooling = Pooling((3, 3), (2, 2), same=True)  # windows overlap, and reach over the edge
    neurons = Layer("a", (5, 5, 2), "LIF", {"amplitude": DT}, {"voltage": np.zeros(50)}, np.zeros(50),
                    (Connection(IMAGE, (), SparseMatrix(np.arange(51), np.arange(50, dtype=np.int32), np.ones(50), 50),
                                None, False),))  # fmt: skip
    readout = Layer("b", (2, 2, 3), "readout", {}, {}, np.zeros(12), (Connection(0, (pooling,), linear, tau, True),))
    network = Network((5, 5, 2), (neurons, readout), 0)
    spikes = (random.random((6, 50)) < 0.03).astype(float)
    expected, seen = 0, np.zeros((3, 3, 2), bool)
    for of_step in spikes.reshape(6, 5, 5, 2):
        padded = np.pad(of_step, [(1, 1), (1, 1), (0, 0)])
        pooled = np.array(
            [[padded[2 * r : 2 * r + 3, 2 * c : 2 * c + 3].any((0, 1)) for c in range(3)] for r in range(3)]
        )
        visible = seen if tau else pooled  # a filter's output arrives one step later
        expected += 3 * sum(visible[r : r + 2, c : c + 2].sum() for r in range(2) for c in range(2))
        seen = seen | pooled
    found = neurobench.synaptic_operations(network, neurobench.synapses(network), np.zeros(50), {0: spikes}, DT)
    assert sum(found) == expected > 0


def test_membrane_updates_are_changes_after_the_first_step():
    voltages = np.array([[0.0, 0.5, 0.1], [0, 0.5, 0.2], [0, 0, 0.3]])
    assert neurobench.membrane_updates(voltages) == 3 + (0 + 1 + 2)


def test_what_is_recorded_follows_from_constant_currents():
    """A current of 250 / s reaches the threshold every fourth step; without current nothing ever changes."""
    network = two_layers(WEIGHT, tau=0.005, currents=(250.0, 0, 0))
    steps, image = 8, np.zeros((1, 1, 2))
    recorded = activity.record(network, image[np.newaxis], tau_syn_s=0.005, dt_s=DT, steps=steps)
    (counts,) = recorded.of_harness
    assert (counts.activations, counts.active) == (3 * steps, 2)
    assert counts.membrane_updates == 3 + (steps - 1)
    assert (counts.macs, counts.acs) == (2 * (steps - 1 - 3), 0)  # the first spike is in step 3
    metrics = neurobench.metrics(with_synapse(network, 0.005), [counts, counts], steps)
    assert list(metrics) == list(neurobench.METRICS)
    assert metrics["ActivationSparsity"] == pytest.approx(1 - 2 / 24)
    assert metrics["Effective_MACs"] == counts.macs and metrics["Dense"] == 12 * steps


def test_rate_neurons_have_no_membrane_and_count_as_active_at_every_step():
    network = two_layers(WEIGHT, tau=0.005, currents=(250.0, 0, 0))
    first, readout = network.layers
    rate = Layer(first.name, first.shape, "RectifiedLinear", first.parameters, {}, first.offset, first.connections)
    recorded = activity.record(
        Network(network.input_shape, (rate, readout), 0), np.zeros((1, 1, 1, 2)), tau_syn_s=0.005, dt_s=DT, steps=8
    )
    assert recorded.of_harness == [(24, 8, 0, 2 * 7, 0)]


def test_a_sum_without_neurons_counts_as_never_zero():
    first = two_layers(WEIGHT, tau=0.005).layers[0]
    linear = Layer("sum", (1, 1, 3), "linear", {}, {}, np.zeros(3), (dense(np.eye(3), 0, 0.005),))
    behind = Layer("b", (1, 1, 2), "readout", {}, {}, np.zeros(2), (dense(np.array(WEIGHT), 1, None),))
    network = Network((1, 1, 2), (first, linear, behind), 0)
    of_sum = 4 * 3  # three weights other than 0 in each of four steps
    of_filters = 2 + 3 + 3  # behind the first spikes of three neurons
    assert operations(network, SPIKES, image=(0, 0)) == (of_sum + of_filters, 0)
