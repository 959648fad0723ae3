"""The parts of the event-driven engine, each against the obvious way to compute the same."""

import dataclasses
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import lfilter

from csnn.event import kernels, plan
from csnn.event.linear import compact
from csnn.event.network import IMAGE, READOUT, Connection, Convolution, Layer, Network, Pooling, SparseMatrix
from csnn.event.neuron_steps import NUMBERS, step_neurons
from csnn.event.plan import ALIGNMENT, NO_FILTER_BELOW, PRECISIONS, STEPS_PER_BLOCK, aligned, lowpass, silent_up_to
from csnn.event.simulator import Record, compile_kernels, simulate
from csnn.event.vectors import BLOCK, VECTOR_BITS, add_windows
from csnn.files import InputError
from csnn.neurons import NENGO_NEURONS, adaptive_lif, lif
from csnn.neurons.series import SERIES_LIMIT, expm1_series, log1p_series

LANES = VECTOR_BITS // 64  # in double precision
REALS = [np.float64, np.float32]
PARAMETERS = {
    "tau_rc": 0.02, "tau_ref": 0.002, "min_voltage": 0.0, "amplitude": 1.0, "tau_n": 0.1, "inc_n": 0.5,
    "base_amplitude": 1.0,
}  # fmt: skip


# --- series -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("real", REALS)
def test_expm1_series_is_exact_to_rounding_in_its_range(real):
    x = np.concatenate([np.linspace(-SERIES_LIMIT, 0, 20001), -np.logspace(-12, math.log10(SERIES_LIMIT), 999)]).astype(
        real
    )
    result = expm1_series(x, real)
    exact = np.expm1(x.astype(np.longdouble))
    assert (np.abs(result - exact) <= 3 * np.finfo(real).eps * np.abs(exact)).all()


@pytest.mark.parametrize("real", REALS)
def test_log1p_series_is_exact_to_rounding_in_its_range(real):
    rng = np.random.default_rng(0)
    denominator = rng.uniform(0.001, 500, 20001).astype(real)
    numerator = (-denominator * np.linspace(0, SERIES_LIMIT, 20001)).astype(real)
    result = log1p_series(numerator, denominator, real)
    exact = np.log1p(numerator.astype(np.longdouble) / denominator)
    assert (np.abs(result - exact) <= 4 * np.finfo(real).eps * np.abs(exact)).all()


def test_the_series_are_left_where_they_do_not_hold():
    for kind, module in (("LIF", lif), ("AdaptiveLIF", adaptive_lif)):
        assert NENGO_NEURONS[kind].prepare(PARAMETERS, SERIES_LIMIT * 0.02)[0] is module.step_by_series
        assert NENGO_NEURONS[kind].prepare(PARAMETERS, SERIES_LIMIT * 0.02 * 1.001)[0] is module.step_by_functions


# --- neurons ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["LIF", "AdaptiveLIF"])
def test_series_and_functions_give_the_same_neurons(name):
    rng, n, kind = np.random.default_rng(1), 200, NENGO_NEURONS[name]
    constants = np.array(kind.prepare(PARAMETERS, 0.001)[1])
    start = np.zeros((len(kind.state._fields), n))
    start[0] = rng.random(n)
    states, outputs = [start.copy(), start.copy()], [np.empty(n), np.empty(n)]
    total = 0.0
    for _ in range(300):
        current = rng.normal(20, 40, n)
        for state, output, step in zip(states, outputs, kind.steps, strict=True):
            step_neurons(NUMBERS[step], current, state, output, constants)
        assert np.array_equal(outputs[0], outputs[1])
        total += outputs[0].sum()
        assert np.abs(states[0] - states[1]).max() < 1e-12
    assert total > 0


@pytest.mark.parametrize("name", NENGO_NEURONS)
def test_neurons_below_the_threshold_are_silent(name):
    kind, rng = NENGO_NEURONS[name], np.random.default_rng(2)
    state = np.zeros((len(kind.state._fields), 500))
    if len(state):
        state[0] = rng.random(500)
        state[0, :2] = 0, math.nextafter(1, 0)
    threshold = silent_up_to(kind, dict(zip(kind.state._fields, state, strict=True)))
    assert math.isfinite(threshold)
    current = np.concatenate([np.full(250, threshold), rng.uniform(threshold - 50, threshold, 250)])
    output = np.empty(500)
    step, constants = kind.prepare(PARAMETERS, 0.001)
    for _ in range(200):
        step_neurons(NUMBERS[step], current, state, output, np.array(constants))
        assert not output.any()


@pytest.mark.parametrize(
    ("name", "voltage"), [("SpikingRectifiedLinear", 1.0), ("SpikingRectifiedLinear", -0.1), ("LIF", 1.01)]
)
def test_an_unusual_start_lifts_the_threshold(name, voltage):
    kind = NENGO_NEURONS[name]
    state = {variable: np.zeros(3) for variable in kind.state._fields} | {"voltage": np.array([0.1, voltage, 0.2])}
    assert silent_up_to(kind, state) == -math.inf


# --- sums of rows, convolution, pooling -------------------------------------------------------------------------------


def windows_of(events, columns, kernel_columns, stride, before, channels, width, real):
    """One row of random events, the weights of a kernel's row, and the sums of its windows by the obvious loop."""
    rng = np.random.default_rng([events, columns, width])
    units = columns * channels
    unit = np.sort(rng.choice(units, events, replace=False)).astype(np.int32)
    value = rng.normal(size=events).astype(real)
    first = np.searchsorted(unit, np.arange(columns + 1) * channels).astype(np.int32)
    taps = rng.normal(size=kernel_columns * channels * width).astype(real)
    weights = kernels.ConvolutionWeights(
        taps, np.zeros(0, np.int32), 1, kernel_columns, channels, width, width, 1, stride, 0, before
    )
    windows = (columns + 2 * before - kernel_columns) // stride + 1
    image = np.zeros(units)
    image[unit] = value
    padded = np.pad(image.reshape(columns, channels), ((before, before), (0, 0)))
    kernel = taps.astype(np.float64).reshape(-1, width)
    expected = [padded[w * stride :][:kernel_columns].ravel() @ kernel for w in range(windows)]
    return (first, unit, value, weights, 0, windows, width), np.array(expected)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("events", [0, 1, 9, 18])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("width", [1, LANES - 1, LANES, 3 * LANES + 5, 7 * LANES + 3, BLOCK, 2 * BLOCK + LANES + 1])
def test_sums_over_windows_equal_a_matrix_product(real, events, stride, width):
    arguments, expected = windows_of(events, 6, 3, stride, 1, 3, width, real)
    start = np.random.default_rng(0).normal(size=expected.size + 16).astype(real)
    result = start.copy()
    add_windows(*arguments, result)
    sums = result[: expected.size].reshape(expected.shape)
    assert np.abs(sums - start[: expected.size].reshape(expected.shape) - expected).max() < 80 * np.finfo(real).eps
    assert np.array_equal(result[expected.size :], start[expected.size :])


def test_a_sum_does_not_depend_on_what_is_computed_beside_it():
    (first, unit, value, weights, _, windows, width), _ = windows_of(18, 6, 3, 1, 1, 3, BLOCK, np.float64)
    whole = np.zeros((windows, width))
    add_windows(first, unit, value, weights, 0, windows, width, whole.reshape(-1))
    for part_width in (1, LANES, 3 * LANES + 2):
        taps = weights.taps.reshape(-1, width)[:, :part_width].ravel()
        part = np.zeros((windows, part_width))
        some = weights._replace(taps=taps, width=part_width, outputs=part_width)
        add_windows(first, unit, value, some, 0, windows, part_width, part.reshape(-1))
        assert np.array_equal(part, whole[:, :part_width])


def test_learned_weights_are_kept_in_single_precision():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 5)).astype(np.float32).astype(np.float64)
    assert compact(kernel).dtype == np.float32 and np.array_equal(compact(kernel), kernel)


@pytest.mark.parametrize("kernel", [np.full((1, 1, 1, 2), 1 / 3), np.full((1, 1, 1, 1), 1e300)])
def test_other_weights_stay_as_they_are(kernel):
    assert compact(kernel).dtype == np.float64 and np.array_equal(compact(kernel), kernel)


@pytest.mark.parametrize("real", REALS)
def test_work_space_begins_at_a_cache_line(real):
    for size in (1, 17, 4096):
        array = aligned(size, real)
        assert array.shape == (size,)
        assert array.dtype == real
        assert array.ctypes.data % ALIGNMENT == 0


def with_events(image):
    """An image (rows, columns, channels) as events."""
    rows, columns, channels = image.shape
    most = columns * channels + 1
    events = kernels.Events(
        np.zeros((rows, most), np.int32), np.zeros((rows, most)), np.zeros((rows, 1, columns + 1), np.int32)
    )
    kernels.events_of_image(image.reshape(rows, -1), channels, events)
    return events


def test_events_of_an_image_are_what_is_not_zero():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(3, 4, 2)) * (rng.random((3, 4, 2)) < 0.4)
    events = with_events(image)
    for row in range(3):
        count = events.first[row, 0, -1]
        assert np.array_equal(events.unit[row, :count], np.flatnonzero(image[row]))
        assert np.array_equal(events.value[row, :count], image[row][image[row] != 0])
        assert np.array_equal(np.diff(events.first[row, 0]), (image[row] != 0).sum(axis=1))


def one_layer(connection, image_shape, size):
    """A network whose logits are a linear map of the image."""
    readout = Layer("out", (1, 1, size), READOUT, {}, {}, np.zeros(size), (connection,))
    return Network(image_shape, (readout,), 0)


@pytest.mark.parametrize("seed", range(12))
def test_convolution_and_pooling_equal_the_obvious_loops(seed):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(6, 11)), int(rng.integers(6, 11)), int(rng.choice([1, 3, 17])))
    image = rng.normal(size=shape) * (rng.random(shape) < 0.5)
    poolings, pooled = [], image
    if seed % 2:
        pooling = Pooling(tuple(rng.integers(1, 4, 2)), tuple(rng.integers(1, 3, 2)))
        poolings.append(pooling)
        rows, columns, _ = pooling.output_shape(shape)
        (height, width), (down, right) = pooling.size, pooling.stride
        pooled = np.array(
            [
                [
                    image[r * down : r * down + height, c * right : c * right + width].mean(axis=(0, 1))
                    for c in range(columns)
                ]
                for r in range(rows)
            ]
        )
    kernel = rng.normal(size=(int(rng.integers(1, 4)), int(rng.integers(1, 4)), shape[2], int(rng.choice([1, 5, 24]))))
    stride, padding = tuple(rng.integers(1, 4, 2)), tuple(rng.integers(0, 3, 2))
    padded = np.pad(pooled, ((padding[0], 3), (padding[1], 3), (0, 0)))
    out_rows = (pooled.shape[0] + padding[0] + 1 - kernel.shape[0]) // stride[0] + 1
    out_columns = (pooled.shape[1] + padding[1] + 1 - kernel.shape[1]) // stride[1] + 1
    expected = np.array(
        [
            [
                np.einsum(
                    "hwi,hwio->o",
                    padded[r * stride[0] :, c * stride[1] :][: kernel.shape[0], : kernel.shape[1]],
                    kernel,
                )
                for c in range(out_columns)
            ]
            for r in range(out_rows)
        ]
    )
    convolution = Convolution(kernel, stride, padding, pooled.shape, expected.shape)
    network = one_layer(Connection(IMAGE, tuple(poolings), convolution, None, False), shape, expected.size)
    logits = simulate(network, image[np.newaxis], steps=2).logits[0]
    assert np.abs(logits - expected.ravel()).max() < 1e-12


def test_a_sparse_matrix_equals_its_dense_form():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(7, 24)) * (rng.random((7, 24)) < 0.3)
    target, source = np.nonzero(matrix)
    order = np.lexsort((target, source))
    first = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=24))])
    sparse = SparseMatrix(first, target[order].astype(np.int32), matrix[target[order], source[order]], 7)
    image = rng.normal(size=(2, 4, 3))
    logits = simulate(
        one_layer(Connection(IMAGE, (), sparse, None, False), (2, 4, 3), 7), image[np.newaxis], steps=1
    ).logits
    assert np.abs(logits[0, 0] - matrix @ image.ravel()).max() < 1e-12


# --- filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dt_s", [0.0005, 0.001, 0.002])
@pytest.mark.parametrize("tau_syn_s", [0.0001, 0.003, 0.05])
def test_the_filter_is_nengos(dt_s, tau_syn_s):
    nengo = pytest.importorskip("nengo")
    signal = np.random.default_rng(0).normal(size=50)
    decay, gain, delayed = lowpass(tau_syn_s, dt_s)
    assert delayed
    ours = lfilter([gain], [1, -decay], signal)
    assert np.abs(nengo.Lowpass(tau_syn_s).filt(signal[:, np.newaxis], dt=dt_s, y0=0)[:, 0] - ours).max() < 1e-14


@pytest.mark.parametrize("dt_s", [0.0005, 0.002])
@pytest.mark.parametrize(
    ("rise_s", "tau_syn_s"), [(0.003, 0.003), (0.00299999, 0.003), (0.001, 0.05), (0.0001, 0.0001), (0.0002, 0.003)]
)
def test_two_lowpasses_in_a_row_are_nengos(rise_s, tau_syn_s, dt_s):
    nengo = pytest.importorskip("nengo")
    signal = np.random.default_rng(0).normal(size=200)
    rise, decay = plan.rise(rise_s, tau_syn_s, dt_s), math.exp(-dt_s / tau_syn_s)
    risen, filtered, ours = 0.0, 0.0, []
    for x in signal:
        filtered = decay * filtered + rise.coupling * risen + rise.passed * rise.gain * x
        risen = rise.decay * risen + rise.gain * x
        ours.append(filtered)
    filters = [nengo.LinearFilter([1], [rise_s * tau_syn_s, rise_s + tau_syn_s, 1])]
    filters += [nengo.Alpha(tau_syn_s)] if rise_s == tau_syn_s else []
    for theirs in filters:
        assert np.abs(theirs.filt(signal[:, np.newaxis], dt=dt_s, y0=0)[:, 0] - ours).max() < 1e-12


def test_two_lowpasses_of_which_one_smooths_nothing_are_the_other():
    assert plan.rise(0.0, 0.0, 0.001) == (0, 1, 0, 1)
    assert plan.rise(0.003, 0.0, 0.001)[::2] == (math.exp(-1 / 3), math.exp(-1 / 3))
    rise = plan.rise(1e-300, 0.003, 0.001)
    assert rise == pytest.approx((0, 1, 0, lowpass(0.003, 0.001).gain))
    assert plan.rise(0.003, 1e-300, 0.001) == pytest.approx(plan.rise(0.003, 0.0, 0.001))


def test_no_filter_and_a_very_short_one():
    assert lowpass(None, 0.001) == (0, 1, False)
    assert lowpass(NO_FILTER_BELOW * 0.001, 0.001) == (0, 1, True)
    assert lowpass(NO_FILTER_BELOW * 0.00101, 0.001).decay > 0


# --- blocks, cropping, recording --------------------------------------------------------------------------------------


def two_convolutions(neuron="LIF", seed=0):
    """Two layers of convolutions with pooling that leaves rows and columns over, then a dense readout."""
    rng = np.random.default_rng(seed)

    def layer(name, shape, connection):
        size = math.prod(shape)
        state = {variable: np.zeros(size) for variable in NENGO_NEURONS[neuron].state._fields}
        if state:
            state["voltage"] = rng.random(size)
        return Layer(
            name, shape, neuron, PARAMETERS | {"amplitude": 0.01}, state, rng.normal(0, 20, size), (connection,)
        )

    first = Convolution(rng.normal(0, 60, (3, 3, 2, 5)), (1, 1), (1, 1), (9, 10, 2), (9, 10, 5))
    second = Convolution(rng.normal(0, 40, (2, 2, 5, 6)), (1, 1), (0, 0), (4, 3, 5), (3, 2, 6))
    last = Convolution(rng.normal(0, 1, (1, 2, 6, 4)), (1, 1), (0, 0), (1, 2, 6), (1, 1, 4))
    pool = Pooling((2, 3), (2, 3))
    layers = (
        layer("a", (9, 10, 5), Connection(IMAGE, (), first, None, False)),
        layer("b", (3, 2, 6), Connection(0, (pool,), second, 0.004, True)),
        Layer(
            "out",
            (1, 1, 4),
            READOUT,
            {},
            {},
            np.ones(4),
            (Connection(1, (Pooling((3, 1), (3, 1)),), last, 0.004, True),),
        ),
    )
    return Network((9, 10, 2), layers, 0)


@pytest.mark.parametrize("neuron", NENGO_NEURONS)
def test_a_longer_simulation_begins_like_a_shorter_one(neuron):
    image = np.random.default_rng(3).random((1, 9, 10, 2))
    long = simulate(two_convolutions(neuron), image, steps=2 * STEPS_PER_BLOCK + 7).logits
    for steps in (1, STEPS_PER_BLOCK, STEPS_PER_BLOCK + 1):
        assert np.abs(simulate(two_convolutions(neuron), image, steps=steps).logits - long[:, :steps]).max() < 1e-12
    assert np.ptp(long, axis=1).max() > 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offset": np.full(36, np.nan)}, "layer b of the network has .* NaN, infinite or beyond"),
        ({"offset": np.full(36, 1e39)}, "beyond 3.4e\\+38; all must be finite in float32"),
        ({"parameters": PARAMETERS | {"tau_ref": math.nan}}, "neurons of layer b have tau_ref NaN"),
        (
            {"state": {"voltage": np.full(36, 1.5), "refractory_time": np.zeros(36)}},
            r"b \(LIF\) start with voltage from 1.5 to 1.5; it must be at most 1",
        ),
        ({"state": {"voltage": np.full(36, np.nan), "refractory_time": np.zeros(36)}}, "initial states that are NaN"),
    ],
)
def test_numbers_that_are_not_finite_or_out_of_range_are_refused(change, message):
    network = two_convolutions()
    changed = (network.layers[0], dataclasses.replace(network.layers[1], **change), network.layers[2])
    with pytest.raises(InputError, match=message):
        simulate(dataclasses.replace(network, layers=changed), np.zeros((1, 9, 10, 2)), precision="single")


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(weight):
    network = two_convolutions()
    network.layers[1].connections[0].linear.kernel[0, 1, 2, 3] = weight
    with pytest.raises(InputError, match="layer b of the network has weights"):
        simulate(network, np.zeros((1, 9, 10, 2)))


@pytest.mark.parametrize("neuron", NENGO_NEURONS)
def test_recording_changes_no_logits_and_counts_all_neurons(neuron):
    image = np.random.default_rng(3).random((2, 9, 10, 2))
    network, steps = two_convolutions(neuron), STEPS_PER_BLOCK + 20
    plain = simulate(network, image, steps=steps)
    everything = {0: range(network.layers[0].size), 1: range(network.layers[1].size)}
    recorded = simulate(network, image, steps=steps, record=Record(True, everything))
    assert plain.spike_counts is None
    assert plain.spikes == {}
    assert np.abs(recorded.logits - plain.logits).max() < 1e-12
    for index in (0, 1):
        assert recorded.spikes[index].shape == (2, steps, network.layers[index].size)
        assert recorded.spike_counts[:, index] == pytest.approx(recorded.spikes[index].sum(axis=(1, 2)))
        assert recorded.spike_counts[:, index].min() > 0
        if NENGO_NEURONS[neuron].spikes:
            assert np.abs(recorded.spikes[index] - recorded.spikes[index].round()).max() < 1e-9
            assert np.isfinite(recorded.voltages[index]).all()
    some = simulate(network, image, steps=steps, record=Record(neurons={1: [7, 2]}))
    assert some.spike_counts is None
    assert np.array_equal(some.spikes[1], recorded.spikes[1][..., [7, 2]])


@pytest.mark.parametrize("precision", ["double", "single"])
def test_simulating_compiles_nothing_beyond_what_is_compiled_beforehand(precision):
    real = PRECISIONS[precision]
    compile_kernels(real)
    names = [name for name, value in vars(kernels).items() if hasattr(value, "signatures") and value.signatures]
    before = {name: len(getattr(kernels, name).signatures) for name in names}
    image = np.random.default_rng(3).random((1, 9, 10, 2))
    for neuron in NENGO_NEURONS:
        simulate(two_convolutions(neuron), image, precision=precision, steps=3, record=Record(True, {0: [1]}))
        simulate(two_convolutions(neuron), image, precision=precision, steps=3)
    assert {name: len(getattr(kernels, name).signatures) for name in names} == before
    assert {"advance_layer", "advance_layer_of_constant_current", "add_whole_convolution"} <= set(names)


def test_kernels_are_compiled_whatever_numbas_variable_says():
    script = "from csnn.event import kernels; print(hasattr(kernels.advance_layer, 'signatures'))"
    environment = os.environ | {"PYTHONPATH": "workflow/scripts", "NUMBA_DISABLE_JIT": "1"}
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert process.stdout == "True\n", process.stderr
