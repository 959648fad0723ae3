"""NengoDL's Converter without its fallbacks, with converters for further layers, and one sentence for what fails."""

from __future__ import annotations

import re
import warnings
from typing import Any

import nengo
import numpy as np

from csnn.files import InputError
from csnn.model.graph import name_and_class
from csnn.nengodl_compat import nengo_dl, tf

LAYERS: Any = tf.keras.layers
_LayerConverter: Any = nengo_dl.converter.LayerConverter
_KNOWN: Any = nengo_dl.Converter.converters


class _Permute(_LayerConverter):
    """Convert ``Permute``: each unit is connected to its new position."""

    def convert(self, node_id: int) -> nengo.Node:
        output = self.add_nengo_obj(node_id)
        axes = np.array(self.layer.dims) - 1
        sources = np.arange(output.size_in).reshape(self.input_shape(node_id)).transpose(axes).ravel()
        self.add_connection(node_id, output[np.argsort(sources)])
        return output


class _Cropping(_LayerConverter):
    """Convert cropping: the units that are left are connected to the next layer."""

    def convert(self, node_id: int) -> nengo.Node:
        output, source = self.add_nengo_obj(node_id), self.get_input_obj(node_id)
        shape = self.input_shape(node_id)
        cropped = np.atleast_2d(self.layer.cropping)
        inside = (slice(before, length - after) for length, (before, after) in zip(shape, cropped, strict=False))
        units = np.arange(source.size_out).reshape(shape)[tuple(inside)].ravel()
        synapse = self.converter.synapse if isinstance(source, nengo.ensemble.Neurons) else None
        self.set_trainable(nengo.Connection(source[units], output, synapse=synapse), False)
        return output


class _DepthwiseConv(_LayerConverter):
    """Convert a depthwise convolution: as many groups as input channels.

    The converter of ordinary convolutions reads kernel, filters and groups from the layer.
    """

    def __init__(self, layer: tf.keras.layers.Layer, converter: nengo_dl.Converter):
        super().__init__(_AsGroups(layer), converter)


class _AsGroups:
    """A depthwise convolution's layer, seen as one of groups."""

    def __init__(self, layer: tf.keras.layers.Layer):
        self._layer = layer
        *size, channels, multiplier = layer.depthwise_kernel.shape
        self.kernel = tf.reshape(layer.depthwise_kernel, (*size, 1, channels * multiplier))
        self.filters, self.groups = channels * multiplier, channels

    def __hash__(self) -> int:  # rates are looked up by layer
        return hash(self._layer)

    def __eq__(self, other: object) -> bool:
        return other is self._layer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)


class _SamePooling(_LayerConverter):
    """Convert pooling with padding "same", too: windows that reach over the edge average what lies within.

    A convolution with zeros around the image divides by the full size of the window; a factor for each unit mends that.
    """

    unsupported_args = ()

    def convert(self, node_id: int) -> nengo.Node:
        pooled = super().convert(node_id)
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


def _extended(mixin: type, kind: type) -> type:
    """Return NengoDL's converter of a kind of layer, extended."""
    return type(f"{mixin.__name__}{kind.__name__}", (mixin, _KNOWN[kind]), {})


_POOLING = (
    *(LAYERS.AveragePooling1D, LAYERS.AveragePooling2D, LAYERS.AveragePooling3D),
    *(LAYERS.MaxPooling1D, LAYERS.MaxPooling2D, LAYERS.MaxPooling3D),
)
CONVERTERS = _KNOWN | {
    LAYERS.Permute: _Permute,
    **dict.fromkeys((LAYERS.Cropping1D, LAYERS.Cropping2D, LAYERS.Cropping3D), _Cropping),
    LAYERS.DepthwiseConv1D: _extended(_DepthwiseConv, LAYERS.Conv1D),
    LAYERS.DepthwiseConv2D: _extended(_DepthwiseConv, LAYERS.Conv2D),
    **{kind: _extended(_SamePooling, kind) for kind in _POOLING},
}
"""NengoDL's converters of layers, and those for layers for which it has none."""


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
        Naming the layer that has no native Nengo form.
    """
    begun = []

    class Remembering(nengo_dl.Converter):
        converters = CONVERTERS

        def get_converter(self, layer: tf.keras.layers.Layer) -> nengo_dl.converter.LayerConverter:
            begun.append(layer)
            return super().get_converter(layer)

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*max_to_avg_pool.*")
            # a fallback would quietly turn a layer into a TensorNode, which neither spikes nor filters
            return Remembering(model, allow_fallback=False, inference_only=True, max_to_avg_pool=True, **options)
    except Exception as error:  # NengoDL raises whatever comes up first
        layer = name_and_class(begun[-1]) if begun else "the model"
        reason = str(error).partition(" Unable to convert layer")[0]
        reason = " ".join(re.sub(r" at 0x[0-9a-f]+", "", reason).split()).rstrip(".")
        raise InputError(
            f"the CNN cannot be converted to a spiking network: NengoDL does not convert {layer}: {reason}"
        ) from error
