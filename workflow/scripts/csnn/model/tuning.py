"""Variants of a CNN: made from another by changing its architecture and tuning it, with ReLU or a neuron's rate curve.

A ReLU network converts to rectified linear neurons, but not to LIF neurons, whose firing rate is no multiple of a ReLU.
Tuned with the rate curve itself as activation, a network converts to them as well. The result is an ordinary Keras
model in which ``relu`` marks where the neurons go; gains and offsets of the neurons are folded into its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from csnn.data.augmentation import augmented
from csnn.files import InputError
from csnn.model.cnn import finite
from csnn.model.graph import (
    LAYERS,
    Rebuilt,
    activations,
    kernel_and_bias,
    neuron_layers,
    number_of_uses,
    scale_and_offset,
    walk,
    with_activations,
)
from csnn.nengodl_compat import tf

ABOVE_THRESHOLD = 19.0
"""Input current, in units of the threshold and above it, of a neuron whose activation is large."""

LARGE_PERCENTILE = 99.5
"""Which of the positive activations of a layer is called large."""

GAIN_IMAGES = 2000
"""Images, from the first, that set gains."""

RATE_WEIGHT = 0.1
"""Weight of the loss that draws firing rates to a target, beside the cross-entropy."""

AT_THRESHOLD = 1e-7
"""A current that is so little above the threshold is at it but for rounding in single precision."""

SMOOTHING = 0.3
"""Width of the soft threshold in the gradient, in units of the threshold."""


def lif_rate(current: tf.Tensor, tau_rc_s: float, tau_ref_s: float) -> tf.Tensor:
    """Firing rate in Hz of LIF neurons at a constant input current (`nengo.LIFRate`), with a gradient everywhere.

    Forwards this is the exact curve, which is steep at the threshold and flat below it; backwards it is NengoDL's
    `SoftLIFRate` (Hunsberger and Eliasmith 2015, "Spiking deep networks with LIF neurons").
    """
    return _curve(1.0, 0.0, 1.0, {"tau_rc_s": tau_rc_s, "tau_ref_s": tau_ref_s})(current)


def with_rate_curve(model: tf.keras.Model, max_rate_hz: float | Sequence[float], neuron: Mapping) -> tf.keras.Model:
    """Return the CNN that LIF neurons of a converted network stand for: each ReLU becomes ``rate(f x) / f``.

    Parameters
    ----------
    model
        The CNN that is converted.
    max_rate_hz
        The ``f`` of the conversion, one for all layers of neurons or one for each.
    neuron
        ``tau_rc_s`` and ``tau_ref_s``.
    """
    rates = np.broadcast_to(np.asarray(max_rate_hz, float), len(neuron_layers(model)))
    return with_activations(model, [_curve(float(f), 0.0, float(f), neuron) for f in rates])


def _curve(gain: float, bias: float, scale: float, neuron: Mapping) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the activation ``rate(gain x + bias) / scale``, see `lif_rate`.

    Compiled, because operation by operation it takes longer than the convolutions of a small CNN.
    """

    def rate(above: tf.Tensor) -> tf.Tensor:
        return 1 / (neuron["tau_ref_s"] + neuron["tau_rc_s"] * tf.math.log((1 + above) / above))

    @tf.function(jit_compile=True)
    def exact(x: tf.Tensor) -> tf.Tensor:
        above = gain * x + (bias - 1)
        return tf.where(above > AT_THRESHOLD, rate(tf.maximum(above, AT_THRESHOLD)) / scale, tf.zeros_like(above))

    @tf.function(jit_compile=True)
    def gradient(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
        scaled = (gain * x + (bias - 1)) / SMOOTHING
        tail = tf.exp(-tf.abs(scaled))
        softplus = tf.maximum(SMOOTHING * (tf.maximum(scaled, 0) + tf.math.log(1 + tail)), 1e-4)
        sigmoid = tf.where(scaled > 0, tf.ones_like(tail), tail) / (1 + tail)
        slope = neuron["tau_rc_s"] * rate(softplus) ** 2 / (softplus * (softplus + 1))
        return upstream * slope * sigmoid * (gain / scale)

    @tf.custom_gradient
    def activation(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        return exact(x), lambda upstream: gradient(x, upstream)

    return activation


def take_weights(model: tf.keras.Model, source: tf.keras.Model) -> list[str]:
    """Give a model the weights of another, layer by layer as far as their shapes agree.

    Returns
    -------
    list of str
        Names of the layers that keep their own, new weights.
    """
    with_weights = [[layer for layer in of.layers if layer.weights] for of in (model, source)]
    new = []
    for position, layer in enumerate(with_weights[0]):
        other = with_weights[1][position] if position < len(with_weights[1]) else None
        if other and [w.shape for w in other.get_weights()] == [w.shape for w in layer.get_weights()]:
            layer.set_weights(other.get_weights())
        else:
            new.append(layer.name)
    return new


def tune(
    model: tf.keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    label_smoothing: float = 0.0,
    rate_hz: float | None = None,
    output_hz: Mapping[str, float] = MappingProxyType({}),
    callbacks: Sequence[tf.keras.callbacks.Callback] = (),
    **augmentation,
) -> dict[str, list[float]]:
    """Train with Adam on the cross-entropy of the logits; the learning rate falls to zero along a cosine.

    Parameters
    ----------
    model
        Changed in place.
    images : (n, height, width, channels) float32
        Training images.
    labels : (n,) int
    epochs, batch_size
        As in Keras.
    learning_rate
        At the start.
    seed
        Of the order of the images and of how they are changed.
    label_smoothing
        Part of each label that is spread over all classes (see `cross_entropy`).
    rate_hz
        Firing rate, in Hz, to which the mean rate of each layer of neurons is drawn (see `rate_loss`); None for none.
    output_hz
        By the name of each layer of neurons the firing rate in Hz of one whose output is 1 (see `rates_of_outputs`).
    callbacks
        Keras callbacks, for instance for progress.
    augmentation
        How images are changed at random in each epoch: see `csnn.data.augmentation.augmented`.

    Returns
    -------
    dict
        ``loss`` and ``accuracy`` of each epoch, on the training images as Keras measures them while it trains.
    """
    if not epochs:
        return {}
    batches = Batches(images, labels, batch_size, seed, **augmentation)
    learner = tf.keras.Model(model.input, model.output)  # with the same layers, so that the model's own losses stay
    if rate_hz is not None:
        outputs = [model.get_layer(name).output for name in output_hz]
        learner.add_loss(rate_loss(outputs, rate_hz, list(output_hz.values())))
    learner.compile(
        tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(batches))),
        cross_entropy(label_smoothing),
        metrics=["accuracy"],
    )
    history = learner.fit(batches, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks)).history
    return finite(history)


def cross_entropy(label_smoothing: float = 0.0) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return a loss: the cross-entropy of logits with labels, of which a part is spread evenly over all classes.

    The source of label smoothing is Szegedy et al. 2016, "Rethinking the Inception architecture".
    """
    of_shares = tf.keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)

    def loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return of_shares(tf.one_hot(tf.cast(tf.reshape(labels, [-1]), tf.int32), logits.shape[-1]), logits)

    return loss


def rates_of_outputs(model: tf.keras.Model, output_hz: float | Sequence[float]) -> dict[str, float]:
    """Return by the name of each layer of neurons the firing rate in Hz of one whose output is 1.

    Parameters
    ----------
    model
        A network of ReLUs.
    output_hz
        One for all layers or one for each: of ReLUs the maximal rate of the conversion.
    """
    names = [layer.name for layer in neuron_layers(model)]
    return dict(zip(names, map(float, np.broadcast_to(np.asarray(output_hz, float), len(names))), strict=True))


def rate_loss(outputs: Sequence[tf.Tensor], rate_hz: float, output_hz: Sequence[float]) -> tf.Tensor:
    """Return `RATE_WEIGHT` times the squared distance of each layer's mean firing rate from a target, summed.

    Parameters
    ----------
    outputs
        Of each layer of neurons.
    rate_hz
        The target; distances are in units of it.
    output_hz
        Of each layer, the firing rate in Hz of a neuron whose output is 1.
    """
    means = tf.stack([tf.reduce_mean(output) for output in outputs])
    return RATE_WEIGHT * tf.reduce_sum((means * np.asarray(output_hz, np.float32) / rate_hz - 1) ** 2)


class Batches(tf.keras.utils.Sequence):
    """Batches in an order, and with changes of the images, that are drawn anew for each epoch.

    Parameters
    ----------
    images : (n, height, width, channels) float32
    labels : (n,) int
    batch_size
        The last batch of an epoch may be smaller.
    seed
        Of all that is drawn; a batch is the same however often it is asked for.
    augmentation
        Options of `csnn.data.augmentation.augmented`.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, batch_size: int, seed: int, **augmentation):
        self.images, self.labels, self.batch_size = images, labels, batch_size
        self.seed, self.epoch, self.augmentation = seed, -1, augmentation
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        random = np.random.default_rng((self.seed, self.epoch, number))
        return augmented(self.images[chosen], random, **self.augmentation), self.labels[chosen]

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        self.epoch += 1
        self.order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.images))


def tune_to_rate_curve(
    model: tf.keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    neuron: Mapping,
    max_rate_hz: float | Sequence[float],
    **tuning,
) -> tuple[tf.keras.Model, dict[str, list[float]]]:
    """Tune a ReLU network to the rate curve of LIF neurons.

    Each layer's activation becomes ``rate(1 + g x) / k`` (see `gains_and_slopes`), so that tuning starts close to the
    network that was given.

    Parameters
    ----------
    model
        In the form of `csnn.model.equivalent.equivalent`; its batch normalizations are folded first.
    images, labels
        Training images.
    neuron
        ``tau_rc_s`` and ``tau_ref_s``.
    max_rate_hz
        Of the conversion to come, into which gains are folded.
    tuning
        See `tune`.

    Returns
    -------
    model, history
        The model folded for conversion (see `fold`), and what `tune` returns.
    """
    model = without_batch_normalization(model)
    gains, slopes = gains_and_slopes(model, images, neuron)
    curved = with_activations(model, activations_of(gains, slopes, neuron))
    history = tune(curved, images, labels, output_hz=rates_of_outputs(model, slopes), **tuning)
    # the copy that was tuned has the same layers
    model.set_weights(curved.get_weights())
    return fold(model, gains, slopes, max_rate_hz), history


def gains_and_slopes(model: tf.keras.Model, images: np.ndarray, neuron: Mapping) -> tuple[list[float], list[float]]:
    """Choose for each layer of LIF neurons the curve ``rate(1 + g x) / k`` that takes the place of a ReLU.

    Zero is at the neurons' threshold; a large activation drives them at `ABOVE_THRESHOLD`; and ``k`` is the slope with
    which the curve is nearest to the ReLU.

    Parameters
    ----------
    model
        In the form of `csnn.model.equivalent.equivalent`.
    images : (n, ...)
        The first `GAIN_IMAGES` count.
    neuron
        ``tau_rc_s`` and ``tau_ref_s``.

    Returns
    -------
    gains, slopes
        ``g`` and ``k`` of each layer, in the order of `neuron_layers`.

    Raises
    ------
    InputError
        If a layer is silent.
    """
    gains, slopes = [], []
    for layer in neuron_layers(model):
        (outputs,) = activations(model, images[:GAIN_IMAGES], [layer.name])
        positive = outputs[outputs > 0].astype(float)
        if not positive.size:
            raise InputError(
                f"layer {layer.name!r} of the CNN has no activation above zero, so its neurons cannot be given a gain"
            )
        gains.append(ABOVE_THRESHOLD / np.percentile(positive, LARGE_PERCENTILE))
        rates = lif_rate(tf.constant(1 + gains[-1] * positive), neuron["tau_rc_s"], neuron["tau_ref_s"]).numpy()
        slopes.append((rates @ positive) / (positive @ positive))
    return gains, slopes


def activations_of(gains: Sequence[float], slopes: Sequence[float], neuron: Mapping) -> list[Callable]:
    """Return the activation ``rate(1 + g x) / k`` of each layer."""
    return [_curve(float(g), 1.0, float(k), neuron) for g, k in zip(gains, slopes, strict=True)]


def fold(
    model: tf.keras.Model,
    gains: Sequence[float],
    slopes: Sequence[float],
    max_rate_hz: float | Sequence[float],
    *,
    threshold: float = 1.0,
    offsets: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> tf.keras.Model:
    """Fold gains into weights, so that ``rate(f x) / f`` in the folded network is what ``rate(1 + g x) / k`` was.

    The folded neurons' inputs are ``x' = (1 + g x) / f`` and their outputs ``k / f`` times what they were. Such a
    factor goes on through pooling and what only moves units, until the next layer with weights takes it up. Where
    branches with different factors meet, and before a ReLU without weights, a batch normalization sets it right.

    Parameters
    ----------
    model
        In the form of `csnn.model.equivalent.equivalent`.
    gains, slopes
        ``g`` and ``k`` of each layer of neurons, in the order of `neuron_layers`.
    max_rate_hz
        ``f``, one for all layers or one for each.
    threshold
        Input current of a neuron at ``x = 0``, in units of its threshold: 1, or 0 for neurons that have none.
    offsets
        By the name of a ReLU without weights what is added to its ``x``, for each channel.
    """
    rates = np.broadcast_to(np.asarray(max_rate_hz, float), len(gains))
    names = [layer.name for layer in neuron_layers(model)]
    curves = dict(zip(names, zip(gains, slopes, rates, strict=True), strict=True))
    rebuilt = Rebuilt(model)

    def scaled(name: str, tensor: tf.Tensor, factor: float) -> tf.Tensor:
        return tensor if factor == 1.0 else rebuilt.affine(f"{name}_scale", tensor, factor, 0.0)

    def apply(layer: tf.keras.layers.Layer, inputs: Sequence[tuple[tf.Tensor, float]]) -> tuple[tf.Tensor, float]:
        tensors, factors = [tensor for tensor, _ in inputs], [factor for _, factor in inputs]
        factor = factors[0]
        if len(set(factors)) > 1:
            pairs = zip(tensors, factors, strict=True)
            tensors, factor = [scaled(layer.name, *pair) for pair in pairs], 1.0
        if layer.name in curves:
            gain, slope, rate = curves[layer.name]
            if hasattr(layer, "activation"):
                kernel, bias = kernel_and_bias(layer)
                weights = [kernel * (gain / rate * factor), bias * (gain / rate) + threshold / rate]
                return rebuilt.add(layer, tensors, weights=weights, use_bias=True), rate / slope
            offset = (threshold + gain * offsets.get(layer.name, 0.0)) / rate
            current = rebuilt.affine(f"{layer.name}_gain", tensors[0], gain / rate * factor, offset)
            return rebuilt.add(layer, [current]), rate / slope
        if hasattr(layer, "activation"):
            kernel, *bias = layer.get_weights()
            return rebuilt.add(layer, tensors, weights=[kernel * factor, *bias]), 1.0
        if isinstance(layer, LAYERS.BatchNormalization):
            return rebuilt.add(layer, [scaled(layer.name, tensors[0], factor)]), 1.0
        return rebuilt.add(layer, tensors), factor

    output, factor = walk(model, [(rebuilt.image, 1.0)], apply)
    return rebuilt.model(scaled("logits", output, factor))


def without_batch_normalization(model: tf.keras.Model) -> tf.keras.Model:
    """Return a copy of a CNN whose batch normalizations are folded into the layers with weights before them.

    A ReLU that follows becomes the activation of that layer. A batch normalization behind anything else becomes one
    that is not trained.

    Parameters
    ----------
    model
        In the form of `csnn.model.equivalent.equivalent`.
    """
    rebuilt, uses = Rebuilt(model), number_of_uses(model)

    def apply(layer: tf.keras.layers.Layer, inputs: Sequence[tf.Tensor | _Linear]) -> tf.Tensor | _Linear:
        before = inputs[0]
        linear = isinstance(before, _Linear)
        normalizes = isinstance(layer, LAYERS.BatchNormalization) and layer.axis[0] == len(layer.output_shape) - 1
        if linear and normalizes:
            return before.normalized(*scale_and_offset(layer))
        if linear and isinstance(layer, LAYERS.ReLU):
            return rebuilt.add(before.layer, before.inputs, **before.settings, activation="relu")
        tensors = [before.apply(rebuilt) if isinstance(before, _Linear) else before for before in inputs]
        if normalizes:
            return rebuilt.affine(layer.name, tensors[0], *scale_and_offset(layer))
        if hasattr(layer, "activation") and layer.name not in neurons and uses[layer.name] == 1:
            return _Linear(layer, tensors)
        return rebuilt.add(layer, tensors)

    neurons = {layer.name for layer in neuron_layers(model)}
    output = walk(model, [rebuilt.image], apply)
    return rebuilt.model(output.apply(rebuilt) if isinstance(output, _Linear) else output)


@dataclass(frozen=True)
class _Linear:
    """A layer with weights and without activation, yet to be applied, and what its copy will have other than it."""

    layer: tf.keras.layers.Layer
    inputs: Sequence[tf.Tensor]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, rebuilt: Rebuilt) -> tf.Tensor:
        return rebuilt.add(self.layer, self.inputs, **self.settings)

    def normalized(self, scale: np.ndarray, offset: np.ndarray) -> _Linear:
        """Multiply each output channel and add to it."""
        kernel, bias = self.settings.get("weights") or kernel_and_bias(self.layer)
        by_channel = scale.reshape(kernel.shape[-2:]) if "Depthwise" in type(self.layer).__name__ else scale
        weights = [kernel * by_channel, bias * scale + offset]
        return replace(self, settings={"weights": weights, "use_bias": True})
