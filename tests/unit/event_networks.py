"""Networks for the tests of the event-driven engine: converted ones with NengoDL's answer, and hand-made ones."""

import nengo
import numpy as np

from csnn.event.compiler import compile_network
from csnn.event.network import IMAGE, READOUT, Connection, Convolution, Layer, Network
from csnn.nengodl.compat import nengo_dl, tf

LAYERS = tf.keras.layers
TOLERANCE = 1e-9


def images(shape: tuple[int, ...], count: int, seed: int = 0) -> np.ndarray:
    """Smooth images in [0, 1] with some black in them, shape (count, *shape)."""
    rng = np.random.default_rng(seed)
    fine = rng.random((count, *shape))
    for axis in range(1, len(shape)):  # neighbours resemble each other, as in photographs
        fine = (fine + np.roll(fine, 1, axis=axis)) / 2
    return np.clip(fine * 1.6 - 0.3, 0, 1).astype(np.float32)


def with_random_weights(model: "tf.keras.Model", seed: int = 0) -> "tf.keras.Model":
    """Set all weights, biases and statistics to random values that keep signals alive from layer to layer."""
    rng = np.random.default_rng(seed)
    weights = []
    for weight in model.weights:
        if "variance" in weight.name or "gamma" in weight.name:
            weights.append(rng.uniform(0.5, 1.5, weight.shape))
        elif "kernel" in weight.name:
            fan_in = np.prod(weight.shape[:-1])
            kernel = rng.normal(0.6 / fan_in, 1.5 / np.sqrt(fan_in), weight.shape)
            kernel[..., 0] = np.abs(kernel[..., 0])  # a layer of one channel is not to fall silent
            weights.append(kernel)
        else:
            weights.append(rng.uniform(-0.05, 0.3, weight.shape))
    model.set_weights(weights)
    return model


def small_cnn(seed: int = 0) -> "tf.keras.Model":
    """The paper's CNN, smaller: three convolutions, two poolings, two dense layers, for images (16, 16, 3)."""
    inputs = signal = tf.keras.Input((16, 16, 3))
    for filters, size in ((8, 3), (16, 3), (16, 2)):
        signal = LAYERS.Conv2D(filters, size, activation="relu")(signal)
        if size == 3:
            signal = LAYERS.MaxPooling2D(2)(signal)
    signal = LAYERS.Dense(16, activation="relu")(LAYERS.Flatten()(signal))
    return with_random_weights(tf.keras.Model(inputs, LAYERS.Dense(10)(signal)), seed)


def converted(model, neuron, *, synapse, scale=415, seed=0) -> "nengo_dl.Converter":
    """Convert in double precision."""
    converter = nengo_dl.Converter(
        model,
        allow_fallback=False,
        inference_only=True,
        max_to_avg_pool=True,
        scale_firing_rates=scale,
        swap_activations={nengo.RectifiedLinear(): neuron},
        synapse=synapse,
    )
    converter.net.seed = seed
    return converter


def compiled(converter) -> Network:
    """Compile what the Converter made."""
    return compile_network(converter.net, *ends(converter), seed=converter.net.seed)


def ends(converter):
    """The input node and the output probe of a converted network."""
    return converter.inputs[converter.model.input], converter.outputs[converter.model.output]


def nengodl_logits(converters, shown: np.ndarray, *, dt_s: float = 0.001, steps: int = 100) -> list[np.ndarray]:
    """NengoDL's logits in double precision for several converted networks, built and simulated together."""
    with nengo.Network(seed=0) as together:
        nengo_dl.configure_settings(dtype="float64", inference_only=True, stateful=False, trainable=None)
        for converter in converters:
            together.add(converter.net)
    flat = np.repeat(shown.reshape(len(shown), 1, -1).astype(np.float64), steps, axis=1)
    with nengo_dl.Simulator(together, dt=dt_s, minibatch_size=len(shown), seed=0, progress_bar=False) as simulator:
        answers = simulator.predict_on_batch({ends(converter)[0]: flat for converter in converters})
        return [answers[ends(converter)[1]] for converter in converters]


def dense_network(neuron, parameters, state, currents, *, next_layers=(), tau_syn_s=0.005) -> Network:
    """Neurons with the given constant currents, one to one through further layers of neurons to the readout."""
    size = len(currents)
    identity = Convolution(np.eye(size).reshape(1, 1, size, size), (1, 1), (0, 0), (1, 1, size), (1, 1, size))

    def layer(index, name, neuron, parameters, state, offset):
        source = IMAGE if index == 0 else index - 1
        connection = Connection(source, (), identity, None if index == 0 else tau_syn_s, index > 0)
        return Layer(name, (1, 1, size), neuron, parameters, state, offset, (connection,))

    zeros = np.zeros(size)
    layers = [layer(0, "first", neuron, parameters, state, np.asarray(currents, float))]
    for further in next_layers:
        layers.append(layer(len(layers), further, further, {"amplitude": 1.0}, {}, zeros))
    layers.append(layer(len(layers), "logits", READOUT, {}, {}, zeros))
    return Network((1, 1, size), tuple(layers), 0)
