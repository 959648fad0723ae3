"""NengoDL's Converter without its fallbacks, with converters for further layers, and one sentence for what fails."""

from __future__ import annotations

import re
import warnings
from typing import Any

import nengo
import numpy as np

from csnn.files import InputError
from csnn.model.equivalent import describe, neuron_layers
from csnn.nengodl.compat import nengo_dl, tf

LAYERS = tf.keras.layers
_LayerConverter = nengo_dl.converter.LayerConverter
_KNOWN = nengo_dl.Converter.converters


class _Permute(_LayerConverter):
    """Convert ``Permute``: each unit is connected to its new position."""

    def convert(self, node_id: int) -> nengo.Node:
        output = self.add_nengo_obj(node_id)
        axes = np.array(self.layer.dims) - 1
        sources = np.arange(output.size_in).reshape(self.input_shape(node_id)).transpose(axes).ravel()
        self.add_connection(node_id, output[np.argsort(sources)])
        return output


class _DepthwiseConv:
    """Convert a depthwise convolution: as many groups as input channels.

    The converter of ordinary convolutions reads kernel, filters and groups from the layer.
    """

    def __init__(self, layer: tf.keras.layers.Layer, converter: nengo_dl.Converter):
        super().__init__(_AsGroups(layer), converter)  # type: ignore[call-arg]


class _AsGroups:
    """A depthwise convolution's layer, seen as one of groups."""

    def __init__(self, layer: tf.keras.layers.Layer):
        self._layer = layer
        *size, channels, multiplier = layer.depthwise_kernel.shape
        self.kernel = tf.reshape(layer.depthwise_kernel, (*size, 1, channels * multiplier))
        self.filters, self.groups = channels * multiplier, channels

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)


class _DepthwiseConv1D(_DepthwiseConv, _KNOWN[LAYERS.Conv1D]):
    """Convert ``DepthwiseConv1D``."""


class _DepthwiseConv2D(_DepthwiseConv, _KNOWN[LAYERS.Conv2D]):
    """Convert ``DepthwiseConv2D``."""


class _SamePooling:
    """Convert pooling with padding "same", too: windows that reach over the edge average what lies within.

    A convolution with zeros around the image divides by the full size of the window; a factor for each unit mends that.
    """

    unsupported_args = ()

    def convert(self, node_id: int) -> nengo.Node:
        pooled = super().convert(node_id)  # type: ignore[misc]
        if self.layer.padding == "valid":
            return pooled
        shape = self.output_shape(node_id)
        lengths = zip(self.input_shape(node_id), shape, self.layer.pool_size, self.layer.strides, strict=False)
        factor = np.ones(shape)
        for axis, (length, windows, size, stride) in enumerate(lengths):
            before = max((windows - 1) * stride + size - length, 0) // 2  # TensorFlow's rule
            first = np.arange(windows) * stride - before
            within = np.minimum(first + size, length) - np.maximum(first, 0)
            factor *= (size / within).reshape(-1, *(1,) * (len(shape) - 1 - axis))
        output = self.add_nengo_obj(node_id)
        connection = nengo.Connection(pooled, output, transform=factor.ravel(), synapse=None)
        self.set_trainable(connection, False)
        return output


def _same(kind: type) -> type:
    """Return the converter of a kind of pooling, for both kinds of padding."""
    return type(f"_Same{kind.__name__}", (_SamePooling, _KNOWN[kind]), {})


CONVERTERS = _KNOWN | {
    LAYERS.Permute: _Permute,
    LAYERS.DepthwiseConv1D: _DepthwiseConv1D,
    LAYERS.DepthwiseConv2D: _DepthwiseConv2D,
    **{
        kind: _same(kind)
        for kind in (
            *(LAYERS.AveragePooling1D, LAYERS.AveragePooling2D, LAYERS.AveragePooling3D),
            *(LAYERS.MaxPooling1D, LAYERS.MaxPooling2D, LAYERS.MaxPooling3D),
        )
    },
}
"""NengoDL's converters of layers, and those for what it has none for."""


def converter(model: tf.keras.Model, **options: Any) -> nengo_dl.Converter:
    """Convert a CNN as ``nengo_dl.Converter`` with these options does.

    Parameters
    ----------
    model
        In the form of `csnn.model.equivalent.equivalent`.
    options
        See ``nengo_dl.Converter``.

    Raises
    ------
    InputError
        Naming the layer that has no native Nengo form, or if no layer has neurons.
    """
    begun = []

    class Remembering(nengo_dl.Converter):
        converters = CONVERTERS

        def get_converter(self, layer: tf.keras.layers.Layer) -> nengo_dl.converter.LayerConverter:
            begun.append(layer)
            return super().get_converter(layer)

    if not neuron_layers(model):
        raise InputError(
            "the CNN cannot be converted to a spiking network: no layer of it has ReLU as activation; "
            "at least one must, to become neurons"
        )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*max_to_avg_pool.*")
            # a fallback would quietly turn a layer into a TensorNode, which neither spikes nor filters
            return Remembering(model, allow_fallback=False, inference_only=True, max_to_avg_pool=True, **options)
    except Exception as error:  # NengoDL raises whatever comes up first
        layer = describe(begun[-1]) if begun else "the model"
        reason = str(error).partition(" Unable to convert layer")[0]
        reason = " ".join(re.sub(r" at 0x[0-9a-f]+", "", reason).split()).rstrip(".")
        raise InputError(
            f"the CNN cannot be converted to a spiking network: NengoDL does not convert {layer}: {reason}"
        ) from error
