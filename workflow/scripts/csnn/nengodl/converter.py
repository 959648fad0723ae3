"""NengoDL's Converter without its fallbacks, and one sentence for a CNN that it cannot convert.

A CNN is checked by this module before it is trained; changes of `csnn.nengodl.conversion` train nothing anew.
"""

from __future__ import annotations

import warnings
from typing import Any

import nengo

from csnn.files import InputError
from csnn.nengodl.compat import nengo_dl, tf


def check(model: tf.keras.Model) -> None:
    """Check that a CNN just built can be converted to a spiking network; it is left as it is.

    Raises
    ------
    InputError
        As `converter`, or if a layer is applied more than once: of a Sequential, NengoDL quietly takes it once.
    """
    for layer in model.layers:
        if len(layer.inbound_nodes) > 1:
            raise InputError(
                f"the CNN cannot be converted to a spiking network: layer {layer.name!r} ({type(layer).__name__}) is "
                f"applied {len(layer.inbound_nodes)} times; each layer must be applied once"
            )
    converter(model, swap_activations={nengo.RectifiedLinear(): nengo.SpikingRectifiedLinear()})


def converter(model: tf.keras.Model, **options: Any) -> nengo_dl.Converter:
    """Convert a CNN as ``nengo_dl.Converter`` with these options does.

    Raises
    ------
    InputError
        Naming the layer that has no native Nengo form, or if no layer has neurons.
    """
    begun = []

    class Remembering(nengo_dl.Converter):
        def get_converter(self, layer: tf.keras.layers.Layer) -> nengo_dl.converter.LayerConverter:
            begun.append(layer)
            return super().get_converter(layer)

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*max_to_avg_pool.*")
            warnings.filterwarnings("error", message="swap_activations contained .* no layers in the model")
            # a fallback would quietly turn a layer into a TensorNode, which neither spikes nor filters
            return Remembering(model, allow_fallback=False, inference_only=True, max_to_avg_pool=True, **options)
    except UserWarning as error:
        raise InputError(
            "the CNN cannot be converted to a spiking network: no layer of it has ReLU as activation; "
            "at least one must, to become neurons"
        ) from error
    except Exception as error:  # NengoDL raises whatever comes up first
        layer = f"layer {begun[-1].name!r} ({type(begun[-1]).__name__})" if begun else "the model"
        reason = " ".join(str(error).partition(" Unable to convert layer")[0].split()).rstrip(".")
        raise InputError(
            f"the CNN cannot be converted to a spiking network: {layer} has no form in Nengo ({reason}); what can be "
            "converted are convolutions and dense layers with ReLU, average and max pooling, flatten, and batch "
            "normalization"
        ) from error
