"""CNNs as people bring them, against their own outputs in Keras, and against NengoDL's rate neurons without filter."""

import numpy as np
import pytest

from csnn import neurons
from csnn.files import InputError
from csnn.model.equivalent import equivalent
from csnn.model.graph import depth, neuron_layers, with_average_pooling
from csnn.nengodl.conversion import convert
from csnn.nengodl.simulator import simulate
from csnn.nengodl_compat import tf

L = tf.keras.layers
SHAPE = (11, 11, 2)
SERIES = (31, 3)


def stack(*layers, shape=SHAPE, end=()):
    return tf.keras.Sequential([L.Input(shape), *layers, L.Flatten(), L.Dense(4), *end])


def nested():
    block = tf.keras.Sequential([L.Conv2D(5, 3), L.BatchNormalization(), L.ReLU(), L.MaxPooling2D(2)], name="block")
    image = L.Input(SHAPE)
    backbone = tf.keras.Model(image, block(image), name="backbone")
    return tf.keras.Sequential([L.Input(SHAPE), backbone, L.Dropout(0.5), L.Flatten(), L.Dense(4)])


def shared():
    relu, convolution = L.ReLU(), L.Conv2D(2, 3, padding="same")
    image = L.Input(SHAPE)
    x = relu(convolution(relu(convolution(image))))
    return tf.keras.Model(image, L.Dense(4)(L.Flatten()(x)))


def residual():
    image = L.Input(SHAPE)
    x = L.Conv2D(6, 3, padding="same", use_bias=False)(image)
    x = tf.nn.relu(L.BatchNormalization()(x))
    y = L.BatchNormalization()(L.Conv2D(6, 3, padding="same")(x))
    z = L.Concatenate()([L.ReLU()(x + y), L.Conv2D(3, 1, activation="relu")(x)])
    z = L.Average()([z, L.Conv2D(9, 3, padding="same", activation="relu")(z)])
    return tf.keras.Model(image, L.Dense(4, activation="softmax")(L.GlobalAveragePooling2D()(z)))


def small_start(shape, dtype=None):
    return tf.random.normal(shape, stddev=0.3, dtype=dtype)


class OwnRegularizer(tf.keras.regularizers.Regularizer):
    def __call__(self, weight):
        return tf.reduce_sum(weight * weight)


class OwnTraining(tf.keras.Model):
    def train_step(self, data):
        return super().train_step(data)


def own_training():
    image = L.Input(SHAPE)
    return OwnTraining(image, L.Dense(4)(L.Flatten()(L.Conv2D(2, 3, activation="relu")(image))))


relu = {"activation": "relu"}
CNNS = {
    "dropout": lambda: stack(
        L.GaussianNoise(0.1), L.Conv2D(4, 3, **relu), L.SpatialDropout2D(0.5), L.ActivityRegularization(0.1)
    ),
    "softmax": lambda: stack(L.Conv2D(4, 3, **relu), end=[L.Activation("softmax")]),
    "softmax layer": lambda: stack(L.Conv2D(4, 3, **relu), end=[L.Softmax()]),
    "sigmoid": lambda: stack(L.Conv2D(4, 3, **relu), end=[L.Dense(3, activation="sigmoid")]),
    "preprocessing": lambda: stack(
        L.RandomFlip(), L.Rescaling(2.0, offset=-1.0), L.Normalization(mean=[0.2, -0.1], variance=[0.5, 2.0]),
        L.Conv2D(4, 3, padding="same", **relu),
    ),
    "layers as activations": lambda: stack(L.Conv2D(4, 3, activation=L.ReLU()), L.Activation("linear"), L.ReLU()),
    "flatten channels first": lambda: stack(
        L.Conv2D(4, 3, **relu), L.Flatten(data_format="channels_first"), L.Dense(5, **relu)
    ),
    "depthwise": lambda: stack(
        L.DepthwiseConv2D(3, depth_multiplier=2, strides=2, **relu),
        L.DepthwiseConv2D(3, padding="same", use_bias=False),
    ),
    "separable": lambda: stack(L.SeparableConv2D(6, 3, padding="same", depth_multiplier=2, **relu)),
    "groups": lambda: stack(L.Conv2D(4, 3, **relu), L.Conv2D(6, 3, groups=2, **relu)),
    "pooling over the edge": lambda: stack(
        L.Conv2D(4, 2, **relu), L.AveragePooling2D(3, 2, padding="same"), L.MaxPooling2D((3, 2), padding="same")
    ),
    "dense at each position": lambda: stack(L.Dense(5, **relu), L.Permute((3, 1, 2))),
    "series": lambda: stack(
        L.Conv1D(5, 3, **relu), L.AveragePooling1D(4, 3, padding="same"), L.SeparableConv1D(4, 3, **relu), shape=SERIES
    ),
    "dilated": lambda: stack(
        L.Conv2D(4, (3, 2), dilation_rate=(2, 3), padding="same", **relu), L.DepthwiseConv2D(2, dilation_rate=2),
        L.SeparableConv2D(3, 3, dilation_rate=2),
    ),
    "causal": lambda: stack(
        L.Conv1D(5, 3, 2, padding="causal", **relu), L.Conv1D(4, 2, dilation_rate=4, padding="causal", **relu),
        L.SeparableConv1D(3, 2, padding="causal"), shape=SERIES,
    ),
    "cropping": lambda: stack(L.Cropping2D(((1, 0), (2, 3))), L.Conv2D(4, 3, **relu), L.Cropping2D(1)),
    "nested": nested,
    "shared": shared,
    "residual": residual,
    "own initializer": lambda: stack(L.Conv2D(4, 3, kernel_initializer=small_start, **relu)),
    "own regularizer": lambda: stack(L.Conv2D(4, 3, kernel_regularizer=OwnRegularizer(), **relu)),
    "own training step": own_training,
}  # fmt: skip


@pytest.mark.parametrize(("name", "layers", "longest"), [("nested", 1, 1), ("shared", 2, 2), ("residual", 4, 3)])
def test_the_depth_is_that_of_the_longest_path(name, layers, longest):
    model = equivalent(CNNS[name]())
    assert (len(neuron_layers(model)), depth(model)) == (layers, longest)


def with_random_statistics(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "kernel" not in weight.name:
            low = 0.5 if "variance" in weight.name or "gamma" in weight.name else -0.3
            weight.assign(rng.uniform(low, low + 1, weight.shape))
    return model


@pytest.mark.parametrize("name", CNNS)
def test_the_equivalent_has_the_outputs_of_the_original_and_converts(name):
    model = with_random_statistics(CNNS[name]())
    images = np.random.default_rng(1).normal(0.3, 1, (3, *model.input_shape[1:])).astype(np.float32)
    own = equivalent(model, images)
    logits = own.predict(images, verbose=0)
    expected = model.predict(images, verbose=0)
    activation = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}.get(name.split()[0], tf.identity)
    if name == "residual":
        activation = tf.nn.softmax
    np.testing.assert_allclose(activation(logits), expected, rtol=1e-5, atol=1e-5)
    assert np.ptp(expected) > 0.01

    layers = neuron_layers(own)
    rates = [100.0 + 10 * i for i in range(len(layers))]
    converter = convert(model, neurons.build("RLR", {}), tau_syn_s=None, max_rate_hz=rates, seed=0)
    populations = converter.net.all_ensembles
    assert [population.label for population in populations] == [f"{layer.name}.0" for layer in layers]
    assert [1 / population.neuron_type.amplitude for population in populations] == pytest.approx(rates)
    as_rates = simulate(converter, images, dt_s=0.001, steps=1, minibatch=3)[:, 0]
    averaged = with_average_pooling(own).predict(images, verbose=0)
    np.testing.assert_allclose(as_rates, averaged, rtol=1e-5, atol=1e-5)


REFUSED = {
    "sigmoid": (lambda: stack(L.Conv2D(4, 3, activation="sigmoid", name="mine"), L.ReLU()), "the activation sigmoid; "),
    "tanh": (lambda: stack(L.Conv2D(4, 3), L.Activation("tanh", name="mine"), L.ReLU()), "the activation tanh; "),
    "softmax inside": (lambda: stack(L.Conv2D(4, 3), L.Softmax(name="mine"), L.ReLU()), "computes Softmax; "),
    "leaky": (lambda: stack(L.Conv2D(4, 3), L.LeakyReLU(0.1, name="mine")), "computes LeakyReLU; "),
    "relu6": (lambda: stack(L.Conv2D(4, 3), L.ReLU(6.0, name="mine")), "has max_value 6; "),
    "slope": (lambda: stack(L.Conv2D(4, 3), L.ReLU(negative_slope=0.1, name="mine")), "has negative_slope 0.1; "),
    "channels first": (
        lambda: stack(L.Conv2D(4, 2, data_format="channels_first", name="mine", **relu)), "data_format channels_first"
    ),
    "random": (lambda: random_at_inference(), "is called with training=True"),
    "its own": (
        lambda: stack(type("Mine", (L.Conv2D,), {})(4, 3, name="mine", **relu)), "has no form in Nengo; what can be"
    ),
}  # fmt: skip


def random_at_inference():
    image = L.Input(SHAPE)
    x = L.Dropout(0.5, name="mine")(L.Conv2D(2, 3, activation="relu")(image), training=True)
    return tf.keras.Model(image, L.Dense(4)(L.Flatten()(x)))


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_converted_is_refused_by_name(name):
    build, sentence = REFUSED[name]
    with pytest.raises(InputError, match=rf"layer 'mine' \(\w+\) .*{sentence}") as refusal:
        equivalent(build())
    assert " at 0x" not in str(refusal.value)


def test_a_model_without_a_graph_is_refused():
    class Subclassed(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(4, activation="relu")

        def call(self, x):
            return self.dense(x)

    model = Subclassed()
    model(np.zeros((1, 3)))
    with pytest.raises(InputError, match="whose call is code of its own; it must be a functional or Sequential model"):
        equivalent(model)


def test_outputs_that_differ_are_refused():
    model = stack(L.Conv2D(4, 3, **relu))
    half = tf.keras.Sequential([L.Input(SHAPE), model, L.Activation("linear")])
    half.layers[-1].call = lambda x: x * 0.5  # as no layer of this kind does
    with pytest.raises(InputError, match="its outputs differ by .* more than float32 rounding explains"):
        equivalent(half, np.ones((2, *SHAPE), np.float32))


def test_rates_are_counted_over_all_layers_of_neurons():
    model = stack(L.Conv2D(4, 3), L.ReLU(name="first"), L.Dense(3, activation="relu", name="second"))
    for rates in ([415], [415, 415, 415]):
        with pytest.raises(
            InputError, match=r"has 2 layers of neurons \(first, second\), so it must be one rate or as"
        ):
            convert(model, neurons.build("SRL", {}), tau_syn_s=None, max_rate_hz=rates, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("end", [[L.Softmax()], [L.Activation("sigmoid")]])
def test_training_takes_the_logits_of_a_softmax_or_sigmoid(end):
    from csnn.model import cnn

    rng = np.random.default_rng(0)
    images, labels = rng.random((40, *SHAPE)).astype(np.float32), rng.integers(0, 4, 40)
    trained = []
    for last in ([], end):
        cnn.seed_everything(3)
        model = stack(L.Conv2D(4, 3, **relu), end=last)
        cnn.train(model, images, labels, epochs=2, batch_size=8)
        trained.append(equivalent(model).get_weights())
    for ours, expected in zip(*trained, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)
