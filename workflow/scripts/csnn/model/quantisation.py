"""A quantised CNN: weights and activations of few bits, the baseline that a spiking network has to beat."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from csnn.model.graph import LAYERS, activations, neuron_layers, with_activations
from csnn.model.tuning import without_batch_normalization
from csnn.nengodl_compat import tf
from csnn.rounding import rounded

GRID_IMAGES = 500
"""Training images, from the first, that set the grids of activations in the workflow."""

LARGE_PERCENTILE = 99.9
"""Which of the positive activations of a layer the largest step of its grid stands for; larger ones are clipped."""


def quantised(model: tf.keras.Model, images: np.ndarray, bits: int) -> tf.keras.Model:
    """Return a copy of a CNN whose weights and activations are rounded after training, without any tuning.

    Batch normalizations are folded first. The weights of each layer are rounded to a symmetric grid of ``2**bits - 1``
    values (see `csnn.rounding.rounded`), the output of each ReLU to ``2**bits`` values from 0 up to a large
    activation. Biases, sums, pooling and logits stay exact, as the accumulators of integer arithmetic are wide
    (Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient inference", sections 2 and 3).

    Parameters
    ----------
    model
        In the form of `csnn.model.equivalent.equivalent`.
    images : (n, ...) float32
        That set the grids of the activations.
    bits
        Of each weight and activation.
    """
    model = without_batch_normalization(model)
    steps = [_step(activations(model, images, [layer.name])[0], bits) for layer in neuron_layers(model)]
    made = with_activations(model, [_on_grid(step, bits) for step in steps])
    for layer in made.layers:
        if layer.get_weights() and not isinstance(layer, LAYERS.BatchNormalization):
            kernel, *bias = layer.get_weights()
            layer.set_weights([rounded(kernel, bits), *bias])
    return made


def _step(outputs: np.ndarray, bits: int) -> float:
    """Return the distance of two values of a layer's grid."""
    positive = outputs[outputs > 0]
    return float(np.percentile(positive, LARGE_PERCENTILE)) / (2**bits - 1) if positive.size else 1.0


def _on_grid(step: float, bits: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the activation that is a multiple of `step`, of which there are ``2**bits``."""

    def activation(x: tf.Tensor) -> tf.Tensor:
        return step * tf.round(tf.clip_by_value(x / step, 0.0, 2.0**bits - 1))

    return activation
