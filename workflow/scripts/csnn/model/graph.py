"""The graph of a Keras CNN: follow it through nested models, rebuild it with other layers, find its neurons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from csnn.files import InputError
from csnn.nengodl_compat import nengo_dl, tf

LAYERS: Any = tf.keras.layers
Value = TypeVar("Value")

RELU = (tf.keras.activations.relu, tf.nn.relu)
"""Every spelling of the activation that becomes neurons."""

AVERAGE_POOLING = {
    getattr(LAYERS, f"{prefix}Max{name}"): getattr(LAYERS, f"{prefix}Average{name}")
    for prefix in ("", "Global")
    for name in ("Pooling1D", "Pooling2D", "Pooling3D")
}
"""The average pooling that the conversion puts in place of each max pooling."""


def neuron_layers(model: tf.keras.Model) -> list[tf.keras.layers.Layer]:
    """Return the layers of a CNN in the form of `equivalent` that become neurons, in the order in which signals flow.

    A layer comes after all that feed it, and the inputs of a sum or concatenation in their order: the order of the
    populations in NengoDL's network, and in the compiled one.
    """
    return [node.layer for node in _nodes(model) if is_relu(node.layer)]


def is_relu(layer: tf.keras.layers.Layer) -> bool:
    """Tell whether a layer has a ReLU, within or as its own kind."""
    return isinstance(layer, LAYERS.ReLU) or getattr(layer, "activation", None) in RELU


def depth(model: tf.keras.Model) -> int:
    """Return how many layers of neurons the longest path from the image to the logits has."""
    return walk(model, [0], lambda layer, before: max(before) + is_relu(layer))


def name_and_class(layer: tf.keras.layers.Layer) -> str:
    """Name a layer in a sentence."""
    return f"layer {layer.name!r} ({type(layer).__name__})"


def number_of_uses(model: tf.keras.Model) -> Counter[str]:
    """Return how many layers each layer of a flat model feeds, by its name; the output of the model counts as one."""
    inputs = [tensor for node in _nodes(model) for tensor in node.keras_inputs]
    return Counter(tensor._keras_history.layer.name for tensor in [*inputs, *model.outputs])


def kernel_and_bias(layer: tf.keras.layers.Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of a convolution or dense layer; a bias that it has not is zero."""
    kernel, *bias = layer.get_weights()
    return kernel, bias[0] if bias else np.zeros(layer.output_shape[-1], np.float32)


def scale_and_offset(layer: tf.keras.layers.Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return what a batch normalization multiplies each channel by at inference, and what it adds then."""
    mean, variance = layer.moving_mean.numpy().astype(float), layer.moving_variance.numpy().astype(float)
    scale = (layer.gamma.numpy() if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    return scale, (layer.beta.numpy() if layer.center else 0.0) - mean * scale


def walk(
    model: tf.keras.Model, inputs: Sequence[Value], apply: Callable[[tf.keras.layers.Layer, Sequence[Value]], Value]
) -> Value:
    """Follow the graph of a model, through nested models, with a function in place of its layers.

    Parameters
    ----------
    model
    inputs
        One value for each input of the model.
    apply
        Takes a layer and the values at its inputs, and returns the value at its output.

    Raises
    ------
    InputError
        If a model has no graph, or a layer more than one output.
    """
    if isinstance(model, tf.keras.Sequential):
        (value,) = inputs
        for layer in model.layers:
            value = _apply_one(layer, [value], apply)
        return value
    _check_graph(model)
    values = {id(tensor): value for tensor, value in zip(model.inputs, inputs, strict=True)}
    for node in _nodes(model):
        if node.is_input:
            continue
        if node.call_kwargs.get("training"):
            raise refused(node.layer, "is called with training=True, so it is random at inference; it must not be")
        if not tf.is_tensor(node.outputs):
            raise refused(node.layer, "has several outputs; it must have one")
        values[id(node.outputs)] = _apply_one(node.layer, [values[id(tensor)] for tensor in node.keras_inputs], apply)
    return values[id(model.outputs[0])]


def _apply_one(
    layer: tf.keras.layers.Layer,
    inputs: Sequence[Value],
    apply: Callable[[tf.keras.layers.Layer, Sequence[Value]], Value],
) -> Value:
    """Apply a function to a layer, or to the layers of a nested model."""
    if isinstance(layer, tf.keras.Model):
        return walk(layer, inputs, apply)
    return apply(layer, inputs)


def _check_graph(model: tf.keras.Model) -> None:
    """Refuse a model whose layers are known to its own code only, or that has several outputs."""
    if not getattr(model, "_is_graph_network", False):
        raise InputError(
            f"the CNN cannot be converted to a spiking network: {type(model).__name__} {model.name!r} is a model whose "
            "call is code of its own; it must be a functional or Sequential model of Keras"
        )
    if len(model.outputs) != 1:
        raise InputError(
            f"the CNN cannot be converted to a spiking network: the model {model.name!r} has {len(model.outputs)} "
            "outputs; it must have one"
        )


def _nodes(model: tf.keras.Model) -> list[Any]:
    """Return the applications of layers in a functional model: each after those that it needs, depth first."""
    return nengo_dl.compat._build_map(model.outputs)[0]


def inputs_of_layers(model: tf.keras.Model) -> dict[str, list[str]]:
    """Return the names of the layers that feed each layer of a model, by its name."""
    return {
        node.layer.name: [tensor._keras_history.layer.name for tensor in node.keras_inputs] for node in _nodes(model)
    }


def end_layer(model: tf.keras.Model) -> tf.keras.layers.Layer:
    """Return the layer whose output is the model's."""
    if isinstance(model, tf.keras.Sequential):
        layer = model.layers[-1]
    else:
        _check_graph(model)
        layer = model.outputs[0]._keras_history.layer
    return end_layer(layer) if isinstance(layer, tf.keras.Model) else layer


def activations(model: tf.keras.Model, images: np.ndarray, names: Sequence[str]) -> list[np.ndarray]:
    """Return what the layers of these names put out for images, each of shape (images, units)."""
    hidden = [model.get_layer(name).output for name in names]
    outputs = tf.keras.Model(model.input, hidden).predict(images, batch_size=500, verbose=0)
    return [output.reshape(len(images), -1) for output in (outputs if isinstance(outputs, list) else [outputs])]


def with_average_pooling(model: tf.keras.Model) -> tf.keras.Model:
    """Return a copy of a CNN in the form of `equivalent` with average pooling in place of max pooling."""
    rebuilt = Rebuilt(model)

    def apply(layer: tf.keras.layers.Layer, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        return rebuilt.add(layer, inputs, kind=AVERAGE_POOLING.get(type(layer)))

    return rebuilt.model(walk(model, [rebuilt.image], apply))


def with_activations(model: tf.keras.Model, functions: Sequence[Callable]) -> tf.keras.Model:
    """Return a copy of a CNN in the form of `equivalent` with other activations, one for each layer of neurons."""
    chosen = dict(zip((layer.name for layer in neuron_layers(model)), functions, strict=True))
    rebuilt = Rebuilt(model)

    def apply(layer: tf.keras.layers.Layer, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        if layer.name not in chosen:
            return rebuilt.add(layer, inputs)
        if isinstance(layer, LAYERS.ReLU):
            return rebuilt.new(LAYERS.Activation, inputs, name=layer.name, activation=chosen[layer.name])
        return rebuilt.add(layer, inputs, activation=chosen[layer.name])

    return rebuilt.model(walk(model, [rebuilt.image], apply))


class Rebuilt:
    """A functional model in the making: copies of layers, each under a name of its own."""

    def __init__(self, model: tf.keras.Model):
        shape = model.input_shape
        if (isinstance(shape, list) and len(shape) != 1) or not isinstance(model.output_shape, tuple):
            raise InputError("the CNN cannot be converted to a spiking network: it must have one input and one output")
        (shape,) = shape if isinstance(shape, list) else (shape,)
        self.names: Counter[str] = Counter()
        self.name = model.name
        first = model.inputs[0]._keras_history.layer if model.inputs else None
        self.image = tf.keras.Input(shape[1:], name=self._new_name(first.name if first is not None else "input"))

    def add(
        self, layer: tf.keras.layers.Layer, inputs: Sequence[tf.Tensor], kind: Any = None, **changes: Any
    ) -> tf.Tensor:
        """Apply a copy of a layer, of another class or with other settings; with the same weights where it has some.

        Parameters
        ----------
        layer
        inputs
            Tensors of the model in the making.
        kind
            Class of the copy, if not the layer's own.
        changes
            Settings of its configuration that differ; ``weights``, if others than the layer's own.
        """
        weights = changes.pop("weights", None)
        settings = _config(layer) | {"dtype": "float32"} | changes
        return self.new(kind or type(layer), inputs, layer.get_weights() if weights is None else weights, **settings)

    def new(
        self, kind: Any, inputs: Sequence[tf.Tensor], weights: Sequence[np.ndarray] = (), **settings: Any
    ) -> tf.Tensor:
        """Apply a new layer of a class, with these weights and settings of its configuration."""
        settings["name"] = self._new_name(settings["name"])
        layer = kind.from_config(settings)
        output = layer(list(inputs) if len(inputs) > 1 else inputs[0])
        layer.set_weights(list(weights))
        return output

    def affine(self, name: str, tensor: tf.Tensor, scale: float | np.ndarray, offset: float | np.ndarray) -> tf.Tensor:
        """Apply ``scale x + offset`` by channel: a batch normalization whose statistics make it just that."""
        channels = tensor.shape[-1]
        epsilon = 1e-3
        gamma, beta = (np.broadcast_to(np.asarray(value, np.float32), channels) for value in (scale, offset))
        weights = [gamma, beta, np.zeros(channels, np.float32), np.full(channels, 1 - epsilon, np.float32)]
        settings = {"name": name, "epsilon": epsilon, "trainable": False}
        return self.new(LAYERS.BatchNormalization, [tensor], weights, **settings)

    def model(self, output: tf.Tensor) -> tf.keras.Model:
        """Return the model, from its image to this tensor."""
        return tf.keras.Model(self.image, output, name=self.name)

    def _new_name(self, name: str) -> str:
        """Return a name that no layer has yet."""
        self.names[name] += 1
        return name if self.names[name] == 1 else self._new_name(f"{name}_{self.names[name] - 1}")


def _config(layer: tf.keras.layers.Layer) -> dict[str, Any]:
    """Return a layer's configuration without what matters in training only: that may be code of the user's own."""
    training = [name for name in vars(layer) if name.endswith(("_initializer", "_regularizer", "_constraint"))]
    values = {name: getattr(layer, name) for name in training}
    try:
        for name in training:
            setattr(layer, name, None)
        config = layer.get_config()
    finally:
        for name, value in values.items():
            setattr(layer, name, value)
    return {key: value for key, value in config.items() if key not in (*training, "batch_input_shape")}


def refused(layer: tf.keras.layers.Layer, why: str) -> InputError:
    """Return the sentence for a layer that cannot be converted."""
    symbol = getattr(layer, "symbol", None)
    name = f"the operation {symbol}" if symbol else name_and_class(layer)
    return InputError(f"the CNN cannot be converted to a spiking network: {name} {why}")
