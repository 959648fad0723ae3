"""Variants of a CNN: rate curves against Nengo's own, folding against conversion, and tuning on small images."""

import numpy as np
import pytest

from csnn import neurons
from csnn.data.augmentation import augmented
from csnn.files import InputError
from csnn.model import cnn, tuning
from csnn.model.equivalent import equivalent
from csnn.model.graph import activations, neuron_layers, with_activations, with_average_pooling
from csnn.nengodl.conversion import convert
from csnn.nengodl.simulator import simulate
from csnn.nengodl_compat import nengo_dl, tf

import nengo  # isort: skip

NEURON = {"tau_rc_s": 0.02, "tau_ref_s": 0.002}
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 2, 60)
IMAGES = RANDOM.random((60, 12, 12, 3)).astype(np.float32)
IMAGES[LABELS == 1, :6] += 0.5  # brighter above
OPTIONS = {"epochs": 2, "batch_size": 16, "learning_rate": 0.001, "mirror": True, "seed": 0}


def small(pooling="average", dense_units=6) -> tf.keras.Model:
    """Return a CNN of the paper's kind."""
    cnn.seed_everything(0)
    return cnn.build((12, 12, 3), 2, filters=[4, 5], kernel=3, pool=2, pooling=pooling, dense_units=dense_units)


@pytest.mark.parametrize(("precision", "rtol"), [("float64", 1e-11), ("float32", 1e-5)])
@pytest.mark.parametrize("neuron", [NEURON, {"tau_rc_s": 0.01, "tau_ref_s": 0.001}])
def test_rate_is_nengos_own(precision, rtol, neuron):
    current = np.array([-3, 0, 1, 1 + 1e-5, 1.001, 1.5, 2, 20, 300], precision)
    rates = tuning.lif_rate(tf.constant(current), **neuron).numpy()
    assert rates.dtype == precision
    expected = nengo.LIFRate(tau_rc=neuron["tau_rc_s"], tau_ref=neuron["tau_ref_s"]).rates(current, 1, 0).ravel()
    np.testing.assert_allclose(rates, expected, rtol=rtol, atol=1e-9)


def test_gradient_is_nengodls_soft_curve():
    current = np.array([0.5, 0.9, 1, 1.1, 2, 20])
    soft = nengo_dl.SoftLIFRate(sigma=tuning.SMOOTHING, tau_rc=0.02, tau_ref=0.002)
    ours = tf.Variable(current)
    with tf.GradientTape() as tape:
        rates = tuning.lif_rate(ours, **NEURON)
    step = 1e-5
    expected = np.diff([soft.rates(current + s, 1, 0).ravel() for s in (-step, step)], axis=0)[0] / (2 * step)
    np.testing.assert_allclose(tape.gradient(rates, ours), expected, rtol=1e-3)
    assert expected[0] > 0  # where the exact curve is flat


@pytest.mark.parametrize("max_rate_hz", [415, [300, 400, 500]])
def test_the_rate_curve_cnn_is_what_neurons_of_the_converted_network_compute(max_rate_hz):
    model = small()
    model.set_weights([10 * weight + 0.02 for weight in model.get_weights()])  # so that neurons fire
    converter = convert(model, nengo.LIFRate(), tau_syn_s=None, max_rate_hz=max_rate_hz, seed=0)
    expected = simulate(converter, IMAGES[:4], dt_s=0.001, steps=1, minibatch=4)[:, 0]
    logits = cnn.logits(tuning.with_rate_curve(model, max_rate_hz, NEURON), IMAGES[:4])
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(logits) > 0.1


@pytest.mark.parametrize("max_rate_hz", [415.0, [300.0, 400.0, 500.0]])
def test_folding_changes_no_logit(max_rate_hz):
    model = small()
    gains, slopes = [3.0, 2.0, 5.0], [40.0, 70.0, 20.0]
    curves = [lambda x, g=g, k=k: tuning.lif_rate(1 + g * x, **NEURON) / k for g, k in zip(gains, slopes, strict=True)]
    curves = list(map(tf.keras.layers.Activation, curves))
    image = x = tf.keras.Input((12, 12, 3))
    for layer in model.layers[1:]:
        x = layer(x) if layer not in neuron_layers(model) else curves.pop(0)(linear(layer, x))
    expected = tf.keras.Model(image, x).predict(IMAGES, verbose=0)
    folded = tuning.fold(model, gains, slopes, max_rate_hz)
    logits = cnn.logits(tuning.with_rate_curve(folded, max_rate_hz, NEURON), IMAGES)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(logits) > 0.1


def linear(layer, x):
    """Apply a layer without its activation."""
    copy = type(layer).from_config(layer.get_config() | {"activation": None, "name": f"{layer.name}_linear"})
    y = copy(x)
    copy.set_weights(layer.get_weights())
    return y


@pytest.mark.slow
def test_tuning_to_the_rate_curve_starts_close_to_the_relu_network_and_learns():
    model = small(dense_units=16)
    tuning.tune(model, IMAGES, LABELS, **OPTIONS | {"epochs": 40, "learning_rate": 0.003})
    relu = cnn.logits(model, IMAGES)
    assert (relu.argmax(1) == LABELS).mean() >= 0.9
    to_lif = {"neuron": NEURON, "max_rate_hz": 415}

    def tuned(**options):
        copy = small(dense_units=16)
        copy.set_weights(model.get_weights())
        return tuning.tune_to_rate_curve(copy, IMAGES, LABELS, **to_lif, **OPTIONS | options)

    # with steps too small to change anything, what is left is the calibration
    start, _ = tuned(epochs=1, learning_rate=1e-9)
    own = cnn.logits(tuning.with_rate_curve(start, 415, NEURON), IMAGES)
    assert (own.argmax(1) == relu.argmax(1)).mean() > 0.85
    # as a ReLU network, what was folded for LIF neurons is another network
    assert np.abs(cnn.logits(start, IMAGES) - own).max() > 0.1
    assert [layer.activation for layer in neuron_layers(start)] == [tf.keras.activations.relu] * 3

    end, history = tuned(epochs=30, learning_rate=0.003)
    own = cnn.logits(tuning.with_rate_curve(end, 415, NEURON), IMAGES)
    assert history["loss"][-1] < history["loss"][0]
    assert (own.argmax(1) == LABELS).mean() >= 0.9


def test_weights_that_fit_are_kept():
    source, target = small("max", 6), small("average", 9)
    fresh = target.get_weights()
    new = tuning.take_weights(target, source)
    assert new == [layer.name for layer in target.layers if isinstance(layer, tf.keras.layers.Dense)]
    for i, (ours, theirs, before) in enumerate(zip(target.get_weights(), source.get_weights(), fresh, strict=True)):
        np.testing.assert_array_equal(ours, theirs if i < 4 else before)


def test_tuning_is_repeatable():
    runs = []
    for _ in range(2):
        model = small()
        tuning.tune(model, IMAGES, LABELS, **OPTIONS)
        runs.append(model.get_weights())
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first, second)


def test_augmentation_mirrors_half_of_the_images_and_shifts_each_within_bounds():
    random = np.random.default_rng(1)
    mirrored = augmented(IMAGES, random, mirror=True)
    turned = [np.array_equal(image, own[:, ::-1]) for image, own in zip(mirrored, IMAGES, strict=True)]
    kept = [np.array_equal(image, own) for image, own in zip(mirrored, IMAGES, strict=True)]
    assert all(np.add(turned, kept)) and 0.25 < np.mean(turned) < 0.75

    shifted = augmented(IMAGES, random, shift=2)
    moves = set()
    for image, own in zip(shifted, IMAGES, strict=True):
        padded = np.pad(own, ((2, 2), (2, 2), (0, 0)), mode="reflect")
        size = own.shape[0]
        (move,) = [
            (row, column)
            for row in range(5)
            for column in range(5)
            if np.array_equal(padded[row : row + size, column : column + size], image)
        ]
        moves.add(move)
    assert len(moves) > 15
    assert augmented(IMAGES, random) is IMAGES

    cut = augmented(IMAGES + 1, random, cutout=4)
    centres = set()
    for image, own in zip(cut, IMAGES + 1, strict=True):
        black = (image == 0).all(axis=2)
        np.testing.assert_array_equal(image[~black], own[~black])
        rows, columns = np.flatnonzero(black.any(1)), np.flatnonzero(black.any(0))
        assert black.sum() == len(rows) * len(columns) and 2 <= len(rows) <= 4 and 2 <= len(columns) <= 4
        centres.add((rows[0], columns[0]))
    assert len(centres) > 20


def test_batches_show_each_image_once_in_an_epoch_and_are_drawn_anew_for_the_next():
    numbers = np.arange(60)
    batches = tuning.Batches(IMAGES, numbers, 16, 1, mirror=True)
    epochs = []
    for _ in range(2):
        order = np.concatenate([batches[number][1] for number in range(len(batches))])
        np.testing.assert_array_equal(np.sort(order), numbers)
        np.testing.assert_array_equal(batches[2][0], batches[2][0])  # however often it is asked for
        epochs.append(order)
        batches.on_epoch_end()
    assert (epochs[0] != epochs[1]).any()


def test_labels_are_smoothed_as_defined():
    logits, labels, share = np.random.default_rng(0).normal(size=(5, 3)), np.array([0, 2, 1, 1, 0]), 0.3
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    shares = (1 - share) * np.eye(3)[labels] + share / 3
    expected = -(shares * log_p).sum(1).mean()
    loss = tuning.cross_entropy(share)(tf.constant(labels[:, None]), tf.constant(logits))
    assert float(loss) == pytest.approx(expected)


def test_tuning_draws_rates_to_their_target():
    """Of ReLU networks in units of the maximal rate, of LIF networks with their own rate curve."""
    options = {"epochs": 20, "batch_size": 16, "learning_rate": 0.003, "seed": 0}

    def rates_hz(model, factor):
        layers = [layer.name for layer in neuron_layers(model)]
        return np.array([factor * output.mean() for output in activations(model, IMAGES, layers)])

    for_relu = small()
    before = rates_hz(for_relu, 415)
    tuning.tune(for_relu, IMAGES, LABELS, rate_hz=30, output_hz=tuning.rates_of_outputs(for_relu, 415), **options)
    after = rates_hz(for_relu, 415)
    assert (np.abs(after / 30 - 1) < np.abs(before / 30 - 1)).all() and np.abs(after / 30 - 1).max() < 0.3
    assert not for_relu.losses

    for_lif, _ = tuning.tune_to_rate_curve(
        small(), IMAGES, LABELS, neuron=NEURON, max_rate_hz=415, rate_hz=30, **options
    )
    curved = tuning.with_rate_curve(for_lif, 415, NEURON)
    outputs = activations(curved, IMAGES, [layer.name for layer in neuron_layers(for_lif)])
    of_lif = np.array([415 * output.mean() for output in outputs])
    assert np.abs(of_lif / 30 - 1).max() < 0.3


def residual_network() -> tf.keras.Model:
    """Return a CNN with batch normalization before and behind ReLUs, a sum, a concatenation and global pooling."""
    layers = tf.keras.layers
    cnn.seed_everything(0)
    image = layers.Input((12, 12, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(image))
    x = layers.MaxPooling2D(2)(layers.ReLU()(x))
    y = layers.BatchNormalization()(layers.ReLU()(layers.DepthwiseConv2D(3, padding="same")(x)))
    z = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 1)(y)) + x)
    z = layers.Concatenate()([z, layers.Conv2D(3, 3, padding="same", activation="relu", use_bias=False)(y), x])
    z = layers.Conv2D(2, 1)(layers.BatchNormalization()(z))
    model = tf.keras.Model(image, layers.Softmax()(layers.GlobalAveragePooling2D()(z)))
    for weight in model.weights:
        if "kernel" not in weight.name:
            low = 0.5 if "variance" in weight.name or "gamma" in weight.name else -0.2
            weight.assign(RANDOM.uniform(low, low + 0.7, weight.shape))
    return equivalent(model)


def test_batch_normalization_is_folded_where_weights_come_before_it():
    model = residual_network()
    folded = tuning.without_batch_normalization(model)
    np.testing.assert_allclose(cnn.logits(folded, IMAGES), cnn.logits(model, IMAGES), rtol=1e-4, atol=1e-5)
    kinds = [type(layer).__name__ for layer in folded.layers]
    assert kinds.count("BatchNormalization") == 2  # behind a ReLU, and behind the concatenation
    assert kinds.count("ReLU") == 1  # of the sum
    assert isinstance(neuron_layers(folded)[0], tf.keras.layers.Conv2D)  # which has become its own activation


@pytest.mark.parametrize("max_rate_hz", [415.0, [300.0, 400.0, 500.0, 600.0]])
def test_folding_follows_the_graph(max_rate_hz):
    model = tuning.without_batch_normalization(residual_network())
    gains, slopes = [3.0, 2.0, 5.0, 4.0], [40.0, 70.0, 20.0, 30.0]
    curves = [lambda x, g=g, k=k: tuning.lif_rate(1 + g * x, **NEURON) / k for g, k in zip(gains, slopes, strict=True)]
    expected = cnn.logits(with_activations(model, curves), IMAGES)
    folded = tuning.fold(model, gains, slopes, max_rate_hz)
    logits = cnn.logits(tuning.with_rate_curve(folded, max_rate_hz, NEURON), IMAGES)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(logits, axis=0).max() > 0.1
    # and LIF rate neurons of the converted network compute just this, with average pooling
    converter = convert(folded, nengo.LIFRate(), tau_syn_s=None, max_rate_hz=max_rate_hz, seed=0)
    rates = simulate(converter, IMAGES[:3], dt_s=0.001, steps=1, minibatch=3)[:, 0]
    averaged = tuning.with_rate_curve(with_average_pooling(folded), max_rate_hz, NEURON)
    np.testing.assert_allclose(rates, cnn.logits(averaged, IMAGES[:3]), rtol=1e-4, atol=1e-4)


def test_any_cnn_is_tuned_to_the_rate_curve_or_folded_without_training():
    model = with_average_pooling(residual_network())
    to_lif = {"neuron": NEURON, "max_rate_hz": 415.0}
    start, history = tuning.tune_to_rate_curve(model, IMAGES, LABELS, **to_lif, **OPTIONS | {"epochs": 0})
    assert history == {}
    own = cnn.logits(tuning.with_rate_curve(start, 415.0, NEURON), IMAGES)
    relu = cnn.logits(model, IMAGES)
    assert np.corrcoef(own.ravel(), relu.ravel())[0, 1] > 0.95
    end, history = tuning.tune_to_rate_curve(model, IMAGES, LABELS, **to_lif, **OPTIONS | {"epochs": 8})
    own = cnn.logits(tuning.with_rate_curve(end, 415.0, NEURON), IMAGES)
    assert history["loss"][-1] < history["loss"][0]


def test_initial_voltages_and_effective_adaptation_reach_the_network():
    model = small()
    for start, voltage in (("zero", 0.0), ("half", 0.5)):
        converter = convert(model, neurons.build("LIF", {}, start), tau_syn_s=0.005, max_rate_hz=200, seed=0)
        with nengo.Simulator(converter.net, progress_bar=False) as simulator:
            voltages = [
                simulator.signals[simulator.model.sig[ensemble.neurons]["voltage"]]
                for ensemble in converter.net.all_ensembles
            ]
        assert all((values == voltage).all() for values in voltages)
    parameters = {"inc_n_effective": 0.02}
    for rate in (200, [100, 200, 400]):
        converter = convert(
            model, neurons.build("A-LIF", parameters), tau_syn_s=0.005, max_rate_hz=rate, seed=0,
            divided_by_amplitude=neurons.divided_by_amplitude("A-LIF", parameters),
        )  # fmt: skip
        kinds = [ensemble.neuron_type for ensemble in converter.net.all_ensembles]
        assert [kind.inc_n * kind.amplitude for kind in kinds] == pytest.approx([0.02] * 3)
        assert [1 / kind.amplitude for kind in kinds] == pytest.approx(np.broadcast_to(rate, 3))


def test_as_many_rates_as_layers_are_needed():
    with pytest.raises(InputError, match=r"this CNN has 3 layers of neurons \(.*\), so it must be one rate or as many"):
        convert(small(), neurons.build("LIF", {}), tau_syn_s=0.005, max_rate_hz=[100, 200], seed=0)
