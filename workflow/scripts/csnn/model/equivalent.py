"""Bring a Keras CNN into an equivalent one that NengoDL converts: a flat graph of few kinds of layers, without softmax.

People train CNNs with dropout, augmentation, preprocessing layers, nested models, shared layers and a softmax at the
end. What does nothing at inference is left out here, what is linear takes the form of a layer that NengoDL knows, and
what no spiking neuron computes is refused by one sentence that names the layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from csnn.files import InputError
from csnn.model.graph import LAYERS, RELU, Rebuilt, end_layer, neuron_layers, refused, walk
from csnn.nengodl_compat import tf

ROUNDING = 1e-4
"""Largest difference that float32 rounding makes between outputs of equivalent CNNs, in units of the largest output."""

CHECKED_IMAGES = 8
"""Images on which the outputs of a CNN and of its equivalent are compared in a run."""

KEPT = {
    *(LAYERS.Add, LAYERS.Average, LAYERS.Concatenate),
    *(LAYERS.AveragePooling1D, LAYERS.AveragePooling2D, LAYERS.AveragePooling3D),
    *(LAYERS.MaxPooling1D, LAYERS.MaxPooling2D, LAYERS.MaxPooling3D),
    *(LAYERS.GlobalAveragePooling1D, LAYERS.GlobalAveragePooling2D, LAYERS.GlobalAveragePooling3D),
    *(LAYERS.GlobalMaxPooling1D, LAYERS.GlobalMaxPooling2D, LAYERS.GlobalMaxPooling3D),
    *(LAYERS.ZeroPadding1D, LAYERS.ZeroPadding2D, LAYERS.ZeroPadding3D),
    *(LAYERS.Cropping1D, LAYERS.Cropping2D, LAYERS.Cropping3D),
    *(LAYERS.UpSampling1D, LAYERS.UpSampling2D, LAYERS.UpSampling3D),
    *(LAYERS.BatchNormalization, LAYERS.Flatten, LAYERS.Reshape, LAYERS.Permute, LAYERS.ReLU),
    *(LAYERS.Conv1D, LAYERS.Conv2D, LAYERS.Conv3D, LAYERS.DepthwiseConv1D, LAYERS.DepthwiseConv2D, LAYERS.Dense),
}
"""Layers that have a form in Nengo (see `csnn.nengodl.converter`)."""

LEFT_OUT = {
    *(LAYERS.Dropout, LAYERS.SpatialDropout1D, LAYERS.SpatialDropout2D, LAYERS.SpatialDropout3D),
    *(LAYERS.AlphaDropout, LAYERS.GaussianDropout, LAYERS.GaussianNoise, LAYERS.ActivityRegularization),
    *(LAYERS.RandomFlip, LAYERS.RandomRotation, LAYERS.RandomZoom, LAYERS.RandomTranslation),
    *(LAYERS.RandomContrast, LAYERS.RandomBrightness),
}
"""Layers that change nothing at inference."""

_LINEAR = (None, tf.keras.activations.linear)
_AT_END = {
    "softmax": (tf.keras.activations.softmax, tf.nn.softmax),
    "sigmoid": (tf.keras.activations.sigmoid, tf.nn.sigmoid),
}
_ACTIVATIONS = {LAYERS.Softmax, LAYERS.LeakyReLU, LAYERS.PReLU, LAYERS.ELU, LAYERS.ThresholdedReLU}
_NO_RELU = "{}; spiking neurons take the place of plain ReLUs only, so it must be a plain ReLU"
_CONVERTIBLE = (
    "what can be converted are convolutions and dense layers with ReLU, average and max pooling, flatten, sums, "
    "concatenation and batch normalization"
)


def equivalent(model: tf.keras.Model, images: np.ndarray | None = None) -> tf.keras.Model:
    """Return a CNN of layers that NengoDL converts, which gives the logits of another.

    Nested models are flattened and layers that are applied several times are split. Initializers, regularizers and
    constraints are dropped: they matter in training only. A model that is in this form already comes back as a copy.

    Parameters
    ----------
    model
        A functional or Sequential model with one input and one output, maybe with softmax or sigmoid at its end.
    images : (n, ...) float32
        If given, both must have the same outputs for them.

    Returns
    -------
    tf.keras.Model
        A functional model of layers in `KEPT`, whose activations are ReLU or none. Its outputs are the logits: the
        inputs of the softmax or sigmoid.

    Raises
    ------
    InputError
        Naming the layer that has no such form, why, and what would be right; or if the outputs for the images differ
        by more than float32 rounding.
    """
    end = end_layer(model)

    def form(layer: tf.keras.layers.Layer, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        return _form(rebuilt, layer, inputs, at_end=layer is end)

    rebuilt = Rebuilt(model)
    converted = rebuilt.model(walk(model, [rebuilt.image], form))
    if not neuron_layers(converted):
        raise InputError(
            "the CNN cannot be converted to a spiking network: no layer of it has ReLU as activation; "
            "at least one must, to become neurons"
        )
    if images is not None:
        _check_outputs(model, converted, images)
    return converted


def activation_at_end(model: tf.keras.Model) -> str | None:
    """Return which activation a CNN has at its end, ``softmax`` or ``sigmoid``, or None if it gives logits."""
    end = end_layer(model)
    if type(end) is LAYERS.Softmax:
        return "softmax"
    activation = getattr(end, "activation", None)
    return next((name for name, spellings in _AT_END.items() if activation in spellings), None)


def _check_outputs(original: tf.keras.Model, model: tf.keras.Model, images: np.ndarray) -> None:
    """Check that a CNN in the form of `equivalent` has the outputs of the original for these images."""
    expected, logits = (cnn(images, training=False).numpy() for cnn in (original, model))
    activation = activation_at_end(original)
    outputs = softmax(logits, axis=-1) if activation == "softmax" else expit(logits) if activation else logits
    difference = float(np.abs(outputs - expected).max())
    if not difference <= ROUNDING * max(1.0, float(np.abs(expected).max())):
        raise InputError(
            f"the CNN cannot be converted to a spiking network: its outputs differ by {difference:.1e} from those of "
            "the same CNN without the layers that do nothing at inference, more than float32 rounding explains; no "
            "layer may be random or of lower precision at inference"
        )


def _form(rebuilt: Rebuilt, layer: tf.keras.layers.Layer, inputs: Sequence[tf.Tensor], *, at_end: bool) -> tf.Tensor:
    """Apply a layer in a form that NengoDL converts."""
    kind = type(layer)
    symbol = getattr(layer, "symbol", None)  # of an operation on tensors, such as x + y
    if kind in LEFT_OUT:
        return inputs[0]
    if kind is LAYERS.Softmax and at_end:
        return inputs[0]
    if kind is LAYERS.Rescaling:
        return rebuilt.affine(layer.name, inputs[0], layer.scale, layer.offset)
    if kind is LAYERS.Normalization:
        return _normalization(rebuilt, layer, inputs[0])
    if symbol in ("math.add", "__operators__.add") and len(inputs) == 2:
        return rebuilt.new(LAYERS.Add, inputs, name=layer.name.replace("tf.__operators__.", "tf."))
    if symbol == "nn.relu":
        return rebuilt.new(LAYERS.ReLU, inputs, name=layer.name)
    if kind is LAYERS.Activation:
        return _activation(rebuilt, layer, inputs[0], at_end)
    if kind in (LAYERS.SeparableConv1D, LAYERS.SeparableConv2D):
        return _separable(rebuilt, layer, inputs, at_end)
    if kind in _ACTIVATIONS:
        raise refused(layer, _NO_RELU.format(f"computes {kind.__name__}"))
    if kind not in KEPT:
        raise refused(layer, f"has no form in Nengo; {_CONVERTIBLE}")
    _check(layer)
    tensor = inputs[0]
    if kind is LAYERS.ReLU:
        return rebuilt.add(layer, inputs)
    if kind is LAYERS.Flatten:
        if layer.data_format == "channels_first" and len(tensor.shape) > 2:
            # Keras puts the first axis last before it flattens
            order = (*range(2, len(tensor.shape)), 1)
            inputs = [rebuilt.new(LAYERS.Permute, inputs, dims=order, name=f"{layer.name}_permute")]
        return rebuilt.add(layer, inputs, data_format="channels_last")
    if getattr(layer, "padding", None) == "same" and hasattr(layer, "pool_size"):
        pairs = zip(tensor.shape[1:-1], layer.pool_size, layer.strides, strict=True)
        if all((-(-length // step) - 1) * step + size <= length for length, size, step in pairs):
            return rebuilt.add(layer, inputs, padding="valid")  # no window reaches over the edge
        return rebuilt.add(layer, inputs)
    if not hasattr(layer, "activation"):
        return rebuilt.add(layer, inputs)
    return _with_activation(rebuilt, layer, inputs, at_end)


def _with_activation(
    rebuilt: Rebuilt, layer: tf.keras.layers.Layer, inputs: Sequence[tf.Tensor], at_end: bool
) -> tf.Tensor:
    """Apply a convolution or dense layer."""
    activation = layer.activation
    name = _activation_name(layer, activation, at_end)
    changes: dict[str, Any] = {"activation": name}
    rank = len(inputs[0].shape)
    if type(layer) is LAYERS.Dense and rank > 2:  # along the channels at each position: a convolution of size 1
        kernel, *bias = layer.get_weights()
        changes |= {
            "filters": layer.units,
            "kernel_size": 1,
            "weights": [kernel.reshape(*(1,) * (rank - 2), *kernel.shape), *bias],
        }
        config = {key: getattr(layer, key) for key in ("name", "use_bias")}
        kind = getattr(LAYERS, f"Conv{rank - 2}D")
        return rebuilt.new(kind, inputs, changes.pop("weights"), **config | changes)
    if hasattr(layer, "dilation_rate"):
        inputs, window = _window(rebuilt, layer, inputs, layer.get_weights())
        changes |= window
    output = rebuilt.add(layer, inputs, **changes)
    if isinstance(activation, tf.keras.layers.Layer):
        return _form(rebuilt, activation, [output], at_end=at_end)
    return output


def _window(
    rebuilt: Rebuilt, layer: tf.keras.layers.Layer, inputs: Sequence[tf.Tensor], weights: Sequence[np.ndarray]
) -> tuple[Sequence[tf.Tensor], dict[str, Any]]:
    """Return what a convolution without dilation and causal padding takes to do the same: inputs and settings.

    Between the weights of a dilated kernel lie zeros; causal padding is a layer of its own.
    """
    kernel, *others = weights
    rates = np.broadcast_to(layer.dilation_rate, len(layer.kernel_size))
    size = tuple((length - 1) * int(rate) + 1 for length, rate in zip(layer.kernel_size, rates, strict=True))
    spread = np.zeros((*size, *kernel.shape[len(size) :]), kernel.dtype)
    spread[tuple(slice(None, None, rate) for rate in rates)] = kernel
    settings = {"kernel_size": size, "dilation_rate": 1, "padding": layer.padding, "weights": [spread, *others]}
    if layer.padding == "causal":
        name = f"{layer.name}_padding"
        inputs = [rebuilt.new(LAYERS.ZeroPadding1D, inputs, name=name, padding=(size[0] - 1, 0))]
        settings["padding"] = "valid"
    return inputs, settings


def _activation(rebuilt: Rebuilt, layer: tf.keras.layers.Layer, tensor: tf.Tensor, at_end: bool) -> tf.Tensor:
    """Apply an ``Activation``."""
    if isinstance(layer.activation, tf.keras.layers.Layer):
        return _form(rebuilt, layer.activation, [tensor], at_end=at_end)
    name = _activation_name(layer, layer.activation, at_end)
    return tensor if name == "linear" else rebuilt.new(LAYERS.ReLU, [tensor], name=layer.name)


def _activation_name(layer: tf.keras.layers.Layer, activation: Any, at_end: bool) -> str:
    """Return ``relu`` or ``linear``: what is left of an activation in the logits' CNN."""
    if activation in RELU:
        return "relu"
    if activation in _LINEAR or isinstance(activation, tf.keras.layers.Layer):
        return "linear"
    name = getattr(activation, "__name__", type(activation).__name__)
    name = next((known for known, spellings in _AT_END.items() if activation in spellings), name)
    if name in _AT_END and at_end:
        return "linear"
    raise refused(layer, _NO_RELU.format(f"has the activation {name}"))


def _check(layer: tf.keras.layers.Layer) -> None:
    """Refuse settings of a layer that have no form in Nengo."""
    if type(layer) is LAYERS.ReLU:
        settings = {"negative_slope": 0, "threshold": 0, "max_value": None}
        for key, value in settings.items():
            if (getattr(layer, key) or value) != value:
                raise refused(layer, _NO_RELU.format(f"has {key} {float(getattr(layer, key)):g}"))
    if type(layer) is not LAYERS.Flatten and getattr(layer, "data_format", None) == "channels_first":
        raise refused(layer, "has data_format channels_first; it must be channels_last")
    if getattr(layer, "interpolation", "nearest") != "nearest":
        raise refused(layer, f"has interpolation {layer.interpolation}; it must be nearest")


def _normalization(rebuilt: Rebuilt, layer: tf.keras.layers.Layer, tensor: tf.Tensor) -> tf.Tensor:
    """Apply ``(x - mean) / deviation`` by channel."""
    mean, variance = (np.asarray(value, np.float32) for value in (layer.mean, layer.variance))
    if layer.invert or not (mean.size == 1 or mean.shape[-1] == mean.size):
        raise refused(layer, "normalizes along other axes than the channels; axis must be -1 or None, invert False")
    scale = 1 / np.maximum(np.sqrt(variance.ravel()), tf.keras.backend.epsilon())
    return rebuilt.affine(layer.name, tensor, scale, -mean.ravel() * scale)


def _separable(rebuilt: Rebuilt, layer: tf.keras.layers.Layer, inputs: Sequence[tf.Tensor], at_end: bool) -> tf.Tensor:
    """Apply a separable convolution as a depthwise one and one of size 1."""
    _check(layer)
    rank = layer.rank
    depthwise, pointwise, *bias = layer.get_weights()
    inputs, window = _window(rebuilt, layer, inputs, [depthwise])
    middle = rebuilt.new(
        getattr(LAYERS, f"DepthwiseConv{rank}D"), inputs, name=f"{layer.name}_depthwise", use_bias=False,
        strides=layer.strides[0] if rank == 1 else layer.strides, depth_multiplier=layer.depth_multiplier, **window,
    )  # fmt: skip
    output = rebuilt.new(
        getattr(LAYERS, f"Conv{rank}D"), [middle], [pointwise, *bias], name=layer.name, filters=layer.filters,
        kernel_size=1, use_bias=layer.use_bias, activation=_activation_name(layer, layer.activation, at_end),
    )  # fmt: skip
    if isinstance(layer.activation, tf.keras.layers.Layer):
        return _form(rebuilt, layer.activation, [output], at_end=at_end)
    return output
