"""Networks for the tests of the event-driven engine: converted ones with NengoDL's answer, and hand-made ones."""

from dataclasses import dataclass

import nengo
import numpy as np

from csnn.event.compiler import compile_network
from csnn.event.network import IMAGE, READOUT, Connection, Convolution, Layer, Network
from csnn.model.equivalent import equivalent, neuron_layers
from csnn.nengodl.conversion import convert
from csnn.nengodl_compat import nengo_dl, tf

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


# --- generated networks -----------------------------------------------------------------------------------------------

LARGEST_SIGNAL = 2500
"""Units of the largest signal in a generated network."""


@dataclass(frozen=True)
class Case:
    """A generated network with what it is simulated with."""

    converter: "nengo_dl.Converter"
    images: np.ndarray
    dt_s: float
    steps: int


def generated_case(number: int) -> Case:
    """A random network, neuron and simulation; the number decides everything."""
    rng = np.random.default_rng(2000 + number)
    if number % 7 == 3:
        shape = (int(rng.integers(9, 30)), int(rng.integers(1, 4)))
    else:
        shape = (*(int(n) for n in rng.integers(5, 14, 2)), int(rng.integers(1, 4)))
    inputs = tf.keras.Input(shape)
    signal = LAYERS.ReLU()(_convolution(rng, inputs))
    for _ in range(int(rng.integers(1, 5))):
        block = _BLOCKS[rng.integers(len(_BLOCKS))]
        after = block(rng, signal)
        if np.prod(after.shape[1:]) <= LARGEST_SIGNAL:
            signal = after
    flat = LAYERS.Flatten()(signal)
    if rng.random() < 0.5:
        flat = LAYERS.Dense(int(rng.choice([1, 3, 17, 64])), activation="relu")(flat)
    model = with_random_weights(tf.keras.Model(inputs, LAYERS.Dense(10)(flat)), number)
    quantised = number % 5 == 4  # round currents, so that rounding decides when neurons spike
    low, high = [(0, 1), (0, 1), (-5, 5)][number % 3]
    shown = low + (high - low) * images(shape, 2, number)
    if quantised:
        model.set_weights([np.round(16 * weight) / 16 for weight in model.get_weights()])
        shown = np.round(4 * shown) / 4
    dt_s = 0.001 if quantised else float(np.exp(rng.uniform(np.log(0.0001), np.log(0.005))))
    tau_syn_s = [0.005, None, 0.02, 10.0, 0.001, 0.05][number % 6]
    layers = len(neuron_layers(equivalent(model)))
    rates = np.exp(rng.uniform(np.log(1), np.log(5000), layers)) if rng.random() < 0.3 else rng.uniform(30, 900, layers)
    converter = convert(
        model,
        _neuron(rng, number, dt_s, quantised),
        tau_syn_s=0.005 if quantised and tau_syn_s is None else tau_syn_s,  # without filter ties are nobody's
        max_rate_hz=[float(np.round(rate)) for rate in rates] if rng.random() < 0.5 else float(np.round(rates[0])),
        seed=number,
    )
    return Case(
        converter,
        shown.astype(np.float32),
        dt_s,
        int(rng.choice([1, 2, 20, 50, 100, 257], p=[0.1, 0.1, 0.2, 0.3, 0.2, 0.1])),
    )


def _neuron(rng: np.random.Generator, number: int, dt_s: float, quantised: bool) -> "nengo.neurons.NeuronType":
    """A neuron type with random parameters."""
    leak = {"tau_rc": float(rng.uniform(0.005, 0.05)), "tau_ref": float(rng.uniform(0, 5)) * dt_s}
    min_voltage = float(rng.choice([0, -0.5, -np.inf]))
    start = {"voltage": nengo.dists.Choice([0])} if quantised else {"voltage": nengo.dists.Uniform(0, 1)}
    return [
        nengo.RectifiedLinear(amplitude=float(rng.uniform(0.5, 2))),
        nengo.SpikingRectifiedLinear(initial_state=start),
        nengo.LIF(**leak, min_voltage=min_voltage, initial_state=start),
        nengo.AdaptiveLIF(**leak, tau_n=0.1, inc_n=float(rng.choice([0.01, 5.0]))),
    ][(number // 4 + number) % 4]


def _layer(rank: int, name: str):
    """A kind of layer for series (rank 1) or images (rank 2)."""
    return getattr(LAYERS, f"{name}{rank}D")


def _convolution(rng, signal, channels=None, **options):
    """A convolution without activation; strides and padding are random unless given."""
    rank = len(signal.shape) - 2
    size = tuple(int(k) for k in rng.integers(1, 1 + np.minimum(4, signal.shape[1:-1])))
    settings = {"padding": str(rng.choice(["same", "valid"])), "use_bias": bool(rng.integers(2)), "kernel_size": size}
    settings |= {"strides": tuple(int(s) for s in rng.choice([1, 1, 2], rank))} | options
    if "groups" in settings:
        settings["strides"] = 1
    return _layer(rank, "Conv")(channels or int(rng.choice([1, 3, 8, 17])), **settings)(signal)


def _neurons(rng, signal):
    """Neurons, with batch normalization before or after them, or without."""
    signal = LAYERS.BatchNormalization()(signal) if rng.random() < 0.4 else signal
    signal = LAYERS.ReLU()(signal)
    return LAYERS.BatchNormalization()(signal) if rng.random() < 0.3 else signal


def _ordinary(rng, signal):
    return _neurons(rng, _convolution(rng, signal))


def _linear_bottleneck(rng, signal):
    signal = _convolution(rng, signal, 2, kernel_size=1, strides=1)
    return _neurons(rng, _convolution(rng, _convolution(rng, signal), 6))


def _grouped(rng, signal):
    channels = 2 * signal.shape[-1]
    return _neurons(rng, _convolution(rng, signal, channels, groups=signal.shape[-1]))


def _depthwise(rng, signal):
    rank = len(signal.shape) - 2
    multiplier = int(rng.integers(1, 3))
    signal = _layer(rank, "DepthwiseConv")(2, padding="same", depth_multiplier=multiplier)(signal)
    signal = LAYERS.ReLU()(signal) if rng.random() < 0.5 else signal
    return _neurons(rng, _convolution(rng, signal, 5, kernel_size=1, strides=1))


def _pooled(rng, signal):
    rank, kind = len(signal.shape) - 2, str(rng.choice(["MaxPooling", "AveragePooling"]))
    size = tuple(int(k) for k in np.minimum(rng.integers(1, 4, rank), signal.shape[1:-1]))
    strides = size if rng.random() < 0.5 else tuple(int(s) for s in rng.integers(1, 4, rank))
    return _layer(rank, kind)(size, strides, padding=str(rng.choice(["same", "valid"])))(signal)


def _padded(rng, signal):
    rank = len(signal.shape) - 2
    around = tuple(tuple(int(n) for n in rng.integers(0, 3, 2)) for _ in range(rank))
    signal = _layer(rank, "ZeroPadding")(around if rank > 1 else around[0])(signal)
    return _pooled(rng, signal) if rng.random() < 0.5 else _ordinary(rng, signal)


def _upsampled(rng, signal):
    signal = _layer(len(signal.shape) - 2, "UpSampling")(2)(signal)
    return _ordinary(rng, signal) if rng.random() < 0.7 else signal


def _residual(rng, signal):
    """A sum of a signal and a branch, with neurons behind it or, as in later residual networks, within the branch."""
    channels, same = signal.shape[-1], {"padding": "same", "strides": 1}
    if rng.random() < 0.5:
        branch = LAYERS.ReLU()(_convolution(rng, signal, 4, **same))
        return LAYERS.ReLU()(LAYERS.Add()([signal, _convolution(rng, branch, channels, **same)]))
    for _ in range(2):
        branch = LAYERS.ReLU()(LAYERS.BatchNormalization()(signal))
        signal = LAYERS.Add()([signal, _convolution(rng, branch, channels, **same)])
    return signal


def _dense_block(rng, signal):
    """Concatenation of all that came before, at each layer."""
    for _ in range(3):
        branch = _neurons(rng, signal)
        branch = _convolution(rng, branch, 3, padding="same", strides=1)
        signal = LAYERS.Concatenate()([signal, branch])
    return signal


def _branches(rng, signal):
    """Concatenation or average of branches of several kinds."""
    rank, same = len(signal.shape) - 2, {"padding": "same", "strides": 1}
    if rng.random() < 0.3:
        return LAYERS.Average()([_convolution(rng, signal, 4, **same) for _ in range(2)])
    pooled = _layer(rank, "AveragePooling")(3, 1, padding="same")(signal)
    branches = [
        LAYERS.ReLU()(_convolution(rng, signal, 4, **same)),
        _convolution(rng, signal, 3, **same),
        pooled,
        signal,
    ]
    signal = LAYERS.Concatenate()([branches[i] for i in rng.permutation(4)[: rng.integers(2, 5)]])
    return _pooled(rng, signal) if rng.random() < 0.5 else signal


def _reshaped(rng, signal):
    *lengths, channels = signal.shape[1:]
    signal = LAYERS.Reshape(
        (lengths[0], int(np.prod(lengths[1:])), channels) if len(lengths) > 1 else (lengths[0], 1, channels)
    )(signal)
    return _ordinary(rng, LAYERS.Reshape((signal.shape[2], signal.shape[1], channels))(signal))


_BLOCKS = (
    *(_ordinary, _ordinary, _linear_bottleneck, _grouped, _depthwise, _pooled, _padded, _upsampled),
    *(_residual, _dense_block, _branches, _branches, _reshaped),
)  # fmt: skip
