"""Larger CNNs for `benchmarks/engine.py`, with random weights that keep a tenth to a half of the neurons active."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from csnn.nengodl_compat import tf

LAYERS = tf.keras.layers


def _convolution(signal: tf.Tensor, filters: int, size: int = 3, strides: int = 1) -> tf.Tensor:
    """A convolution with batch normalization."""
    signal = LAYERS.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(signal)
    return LAYERS.BatchNormalization()(signal)


def resnet20(inputs: tf.Tensor) -> tf.Tensor:
    """He et al. 2016: three stages of three residual blocks."""
    signal = LAYERS.ReLU()(_convolution(inputs, 16))
    for filters in (16, 32, 64):
        for block in range(3):
            strides = 2 if filters > 16 and block == 0 else 1
            branch = _convolution(LAYERS.ReLU()(_convolution(signal, filters, strides=strides)), filters)
            shortcut = _convolution(signal, filters, 1, strides) if strides > 1 else signal
            signal = LAYERS.ReLU()(LAYERS.Add()([branch, shortcut]))
    return LAYERS.GlobalAveragePooling2D()(signal)


def vgg16(inputs: tf.Tensor) -> tf.Tensor:
    """Simonyan and Zisserman 2015, for small images, with batch normalization."""
    signal = inputs
    for count, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            signal = LAYERS.ReLU()(_convolution(signal, filters))
        signal = LAYERS.AveragePooling2D(2)(signal)
    return LAYERS.Dense(512, activation="relu")(LAYERS.Flatten()(signal))


def papers(inputs: tf.Tensor) -> tf.Tensor:
    """The paper's CNN without its readout."""
    signal = inputs
    for filters, pools in ((32, True), (64, True), (64, False)):
        signal = LAYERS.Conv2D(filters, 3, activation="relu")(signal)
        signal = LAYERS.AveragePooling2D(2)(signal) if pools else signal
    return LAYERS.Dense(64, activation="relu")(LAYERS.Flatten()(signal))


LARGER: dict[str, tuple[tuple[int, int, int], Callable[[tf.Tensor], tf.Tensor]]] = {
    "ResNet-20": ((32, 32, 3), resnet20),
    "VGG-16": ((32, 32, 3), vgg16),
    "the paper's on 96x96x3": ((96, 96, 3), papers),
}


def build(name: str) -> tuple[tf.keras.Model, np.ndarray]:
    """One of `LARGER` with random weights, and random images: (model, images)."""
    shape, body = LARGER[name]
    inputs = tf.keras.Input(shape)
    model = tf.keras.Model(inputs, LAYERS.Dense(10)(body(inputs)))
    rng = np.random.default_rng(0)
    weights = []
    for weight in model.weights:
        if "kernel" in weight.name:
            weights.append(rng.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape))
        elif "variance" in weight.name or "gamma" in weight.name:
            weights.append(rng.uniform(0.5, 1.5, weight.shape))
        else:
            weights.append(rng.uniform(-0.2, 0.1, weight.shape))
    model.set_weights(weights)
    return model, rng.random((10, *shape), np.float32)
