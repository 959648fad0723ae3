"""Calibration: a ReLU network adapted to other neurons from images without labels, by forward passes alone.

Neurons whose firing rate is no multiple of a ReLU hand wrong values to the next layer; each layer adds to the error.
From the image to the logits, the weights of each layer (or its biases alone) are set such that what the layers before
really give reproduces the values that the ReLU network has there. Least squares of firing rates are the decoders of the
Neural Engineering Framework (Eliasmith and Anderson 2003, "Neural Engineering"); the shift of biases is the first step
of Li et al. 2021, "A free lunch from ANN: towards efficient, accurate spiking neural networks calibration".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csnn.model.graph import (
    LAYERS,
    Rebuilt,
    kernel_and_bias,
    neuron_layers,
    number_of_uses,
    walk,
    with_average_pooling,
)
from csnn.model.tuning import activations_of, fold, gains_and_slopes, without_batch_normalization
from csnn.nengodl_compat import tf

RIDGES = tuple(10.0**exponent for exponent in range(-7, 1))
"""Ridges that are tried, in units of the mean square of a layer's inputs."""

HELD_OUT = 0.2
"""Share of the images, the last ones, on which the ridge is chosen."""

ROWS_PER_INPUT = 1000
"""Output positions for each weight of an output channel that are enough: convolutions have them from fewer images."""

FEWEST_IMAGES = 1000
"""Images, of those that there are, that every layer is calibrated with."""

LARGEST_BATCH = 250
"""Images that pass the networks at once, at most."""

BYTES = 1e8
"""Size of a batch's matrix of inputs, in bytes, at most."""


def calibrate(
    model: tf.keras.Model,
    images: np.ndarray,
    *,
    method: str,
    neuron: Mapping[str, Any] | None = None,
    max_rate_hz: float | Sequence[float] = 1.0,
    progress: Callable[[int, str], Callable[[int], None]] = lambda total, unit: lambda count: None,
) -> tuple[tf.keras.Model, dict[str, Any]]:
    """Calibrate a ReLU network to what neurons really give, and to average pooling.

    Each layer with weights, front to back, gets those with which it best reproduces, from what its inputs are now, what
    it puts out in the ReLU network before its activation. The last of the layers that meet in a sum reproduces the sum.
    A ReLU without weights of its own gets an offset for each channel. Max pooling stays in the ReLU network, and is
    average pooling in the other as in the conversion to come.

    Parameters
    ----------
    model
        In the form of `csnn.model.equivalent.equivalent`, trained with ReLU.
    images : (n, ...) float32
        Without labels, of the training set.
    method
        ``bias``: each output channel's bias is shifted by the mean of what is missing. ``least-squares``: all weights
        change, by ridge regression of what is missing.
    neuron
        ``tau_rc_s`` and ``tau_ref_s`` of LIF neurons; None for neurons whose rate is a multiple of a ReLU.
    max_rate_hz
        Of the conversion to come, into which gains are folded.
    progress
        Takes the number of layers and the word for them, and returns what is told after each how many are done.

    Returns
    -------
    model, history
        The model folded for conversion (see `csnn.model.tuning.fold`), and of each layer its ridge and its error before
        and after on the images that were held out: root mean square, in standard deviations of what should be there.

    Raises
    ------
    InputError
        If a layer is silent.
    """
    model = _with_biases(without_batch_normalization(model))
    number = len(neuron_layers(model))
    gains, slopes = gains_and_slopes(model, images, neuron) if neuron else ([1.0] * number, [1.0] * number)
    relu = _separated(model, [tf.nn.relu] * number)
    model = with_average_pooling(model)
    rated = _separated(model, activations_of(gains, slopes, neuron) if neuron else [tf.nn.relu] * number)
    held_out = max(1, int(HELD_OUT * len(images)))
    layers, offsets = [], {}
    ends = _ends(model)
    done = progress(len(ends), "layers")
    for name, end in ends.items():
        layer = rated[name]._keras_history.layer
        has_weights = hasattr(layer, "activation")
        inputs = _Inputs(layer, bias_alone=method == "bias" or not has_weights)
        networks = (
            tf.keras.Model(rated[IMAGE], [layer.input, rated[end]]),
            tf.keras.Model(relu[IMAGE], relu[end]),
        )
        enough = max(FEWEST_IMAGES, ROWS_PER_INPUT * inputs.number // _positions(networks[1]))
        parts = images[:-held_out][:enough], images[-held_out:][:enough]
        fitted, checked = (_moments(inputs, *networks, part) for part in parts)
        ridge = None
        if inputs.number:
            ridge = min(RIDGES, key=lambda ridge: checked.error(fitted.solution(ridge)))
        before, after = checked.error(), checked.error(fitted.solution(ridge))
        layers.append({"layer": name, "ridge": ridge, "error_before": before, "error_after": after})
        change = (fitted + checked).solution(ridge)
        kernel, bias, *statistics = layer.get_weights()  # gamma and beta, where the layer is an offset
        weights = [kernel + inputs.kernel(change), bias + change[:, -1].ravel()]
        layer.set_weights([*weights, *statistics])
        if has_weights:
            model.get_layer(name).set_weights(weights)
        else:
            offsets[name] = weights[1]
        done(len(layers))
    history = {"method": method, "images": len(images), "held_out": held_out, "layers": layers}
    return fold(model, gains, slopes, max_rate_hz, threshold=1.0 if neuron else 0.0, offsets=offsets), history


IMAGE = ""
"""Where `_separated` keeps the tensor of the image: no layer has this name."""


def _with_biases(model: tf.keras.Model) -> tf.keras.Model:
    """Return a copy of a CNN in which every layer with weights has a bias."""
    rebuilt = Rebuilt(model)

    def apply(layer: tf.keras.layers.Layer, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        if hasattr(layer, "activation"):
            return rebuilt.add(layer, inputs, weights=kernel_and_bias(layer), use_bias=True)
        return rebuilt.add(layer, inputs)

    return rebuilt.model(walk(model, [rebuilt.image], apply))


def _separated(model: tf.keras.Model, functions: Sequence[Callable]) -> dict[str, tf.Tensor]:
    """Copy a CNN such that activations are layers of their own, and the ReLUs other functions.

    Returns
    -------
    dict
        Of each layer by its name in `model` what its copy puts out; of layers of neurons before the activation. There,
        a ReLU without weights is a batch normalization that adds an offset, 0 at first.
    """
    rebuilt = Rebuilt(model)
    outputs = {IMAGE: rebuilt.image}
    chosen = dict(zip((layer.name for layer in neuron_layers(model)), functions, strict=True))

    def apply(layer: tf.keras.layers.Layer, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        if layer.name not in chosen:
            outputs[layer.name] = rebuilt.add(layer, inputs)
            return outputs[layer.name]
        if hasattr(layer, "activation"):
            output = rebuilt.add(layer, inputs, activation="linear")
        else:
            output = rebuilt.affine(layer.name, inputs[0], 1.0, 0.0)
        outputs[layer.name] = output
        return rebuilt.new(LAYERS.Activation, [output], name=f"{layer.name}_rate", activation=chosen[layer.name])

    walk(model, [rebuilt.image], apply)
    return outputs


def _ends(model: tf.keras.Model) -> dict[str, str]:
    """Return the layers that are calibrated, front to back, and the layer whose output each sets right.

    That is its own output, but for the last of the layers with weights that go into a sum, and nowhere else, the sum.
    """
    uses, neurons = number_of_uses(model), {layer.name for layer in neuron_layers(model)}
    ends: dict[str, str] = {}

    def apply(layer: tf.keras.layers.Layer, before: Sequence[str]) -> str:
        if hasattr(layer, "activation") or layer.name in neurons:
            ends[layer.name] = layer.name
        if isinstance(layer, LAYERS.Add):
            linear = [name for name in ends if name in before and name not in neurons and uses[name] == 1]
            ends.update(dict.fromkeys(linear[-1:], layer.name))
        return layer.name

    walk(model, [IMAGE], apply)
    return ends


class _Inputs:
    """What the weights of a layer multiply: for each group of channels a row for each output position.

    The layer itself picks them, with kernels of a single 1 each; so stride, padding and groups are its own. Weights
    that are 0 for all outputs, such as those between the weights of a dilated kernel, stay 0.

    Parameters
    ----------
    layer
        With weights, or a batch normalization.
    bias_alone
        Whether to leave out all inputs but the 1 that the bias multiplies.
    """

    def __init__(self, layer: tf.keras.layers.Layer, bias_alone: bool):
        kernel = layer.get_weights()[0]
        self.shape, self.groups, self.picking = kernel.shape, getattr(layer, "groups", 1), None
        depthwise = "Depthwise" in type(layer).__name__
        if depthwise:
            self.groups = kernel.shape[-2]
        self.size = np.prod(kernel.shape[: -2 if depthwise else -1], dtype=int)
        self.used = kernel.reshape(self.size, -1).any(axis=1) & (not bias_alone)
        if isinstance(layer, LAYERS.Dense) or not self.number:
            return
        one_hot = np.eye(self.size, dtype=np.float32)[:, self.used]
        if depthwise:
            number = {"depth_multiplier": self.number}
            one_hot = np.repeat(one_hot.reshape(*kernel.shape[:-2], 1, -1), self.groups, axis=-2)
        else:
            number = {"filters": self.groups * self.number}
            one_hot = np.tile(one_hot.reshape(*kernel.shape[:-1], -1), self.groups)
        settings = {"activation": None, "use_bias": False} | number
        self.picking = type(layer).from_config(layer.get_config() | settings)
        self.picking.build(layer.input_shape)
        self.picking.set_weights([one_hot])

    @property
    def number(self) -> int:
        """How many inputs each output has."""
        return int(self.used.sum())

    def rows(self, values: tf.Tensor, positions: int) -> NDArray[np.float64]:
        """Return the inputs and a 1 of each position, of shape (groups, positions, inputs + 1)."""
        if not self.number:
            return np.ones((self.groups, positions, 1))
        picked = values.numpy()[:, self.used] if self.picking is None else self.picking(values).numpy()
        by_group = _by_group(picked, self.groups)
        return np.concatenate([by_group, np.ones_like(by_group[..., :1])], axis=-1)

    def kernel(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the kernel for weights of shape (groups, inputs + 1, outputs)."""
        if not self.number:
            return np.zeros(self.shape)
        kernel = np.zeros((self.size, self.groups, change.shape[-1]))
        kernel[self.used] = change[:, :-1].transpose(1, 0, 2)
        return kernel.reshape(self.shape)


def _by_group(values: NDArray, groups: int) -> NDArray[np.float64]:
    """Return values of channels, of shape (..., channels), as (groups, positions, channels of the group)."""
    return values.reshape(-1, groups, values.shape[-1] // groups).transpose(1, 0, 2).astype(float)


@dataclass(frozen=True)
class _Moments:
    """Sums over positions, from which the regression of errors on inputs follows.

    Attributes
    ----------
    inputs : (groups, inputs + 1, inputs + 1)
        Products of inputs and a 1 with themselves.
    products : (groups, inputs + 1, outputs)
        Products of inputs and a 1 with the errors: what should be there minus what is.
    errors : float
        Squares of the errors.
    targets : (3,)
        What should be there: how many values, their sum, their squares.
    """

    inputs: NDArray[np.float64]
    products: NDArray[np.float64]
    errors: float
    targets: NDArray[np.float64]

    def __add__(self, other: _Moments) -> _Moments:
        return _Moments(
            self.inputs + other.inputs,
            self.products + other.products,
            self.errors + other.errors,
            self.targets + other.targets,
        )

    def solution(self, ridge: float | None) -> NDArray[np.float64]:
        """Return the change of weights and biases, (groups, inputs + 1, outputs); there is no ridge on biases."""
        penalty = np.zeros_like(self.inputs)
        if ridge is not None:
            diagonal = np.arange(penalty.shape[1] - 1)
            mean_square = self.inputs[:, diagonal, diagonal].mean(axis=1, keepdims=True)
            penalty[:, diagonal, diagonal] = ridge * np.where(mean_square > 0, mean_square, 1.0)
        return np.linalg.solve(self.inputs + penalty, self.products).astype(np.float64)

    def error(self, solution: NDArray[np.float64] | float = 0.0) -> float:
        """Return the root mean square of the error that is left, in standard deviations of what should be there."""
        if not isinstance(solution, float):
            square = self.errors + float(np.sum(solution * (self.inputs @ solution - 2 * self.products)))
        else:
            square = self.errors
        number, total, squares = self.targets
        deviation = np.sqrt(squares / number - (total / number) ** 2)
        return float(np.sqrt(max(square, 0.0) / number) / deviation) if deviation > 0 else 0.0


def _positions(model: tf.keras.Model) -> int:
    """Return how many positions a network's output has for each image."""
    return int(np.prod(model.output_shape[1:-1]))


def _moments(inputs: _Inputs, rated: tf.keras.Model, relu: tf.keras.Model, images: NDArray) -> _Moments:
    """Pass images through both networks, and sum up.

    Parameters
    ----------
    inputs
    rated
        From images to what the layer's inputs are now, and what it, or the sum behind it, puts out.
    relu
        From images to what it should put out.
    images
    """
    bytes_per_image = 8 * _positions(relu) * inputs.groups * (inputs.number + 1)
    batch = int(np.clip(BYTES // bytes_per_image, 1, LARGEST_BATCH))
    total: _Moments | None = None
    for start in range(0, len(images), batch):
        values, now = rated(images[start : start + batch], training=False)
        target = relu(images[start : start + batch], training=False).numpy().astype(float)
        error = _by_group(target - now.numpy(), inputs.groups)
        rows = inputs.rows(values, error.shape[1])
        turned = rows.transpose(0, 2, 1)
        squares = float(np.sum(error**2))
        targets = np.array([target.size, target.sum(), np.sum(target**2)])
        moments = _Moments(turned @ rows, turned @ error, squares, targets)
        total = moments if total is None else total + moments
    assert total is not None, "there is at least one image"
    return total
