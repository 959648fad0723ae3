"""The Keras CNN: build it, train it or load its weights, evaluate and describe it."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import types
import warnings
from collections.abc import Mapping, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from csnn.files import AGAIN, InputError, atomic_write, check_record, check_settings, checksum_record
from csnn.model.equivalent import equivalent
from csnn.model.graph import inputs_of_layers, with_average_pooling
from csnn.model.keras_file import load_weights, read_model
from csnn.nengodl_compat import tf

_HEADER_BYTES = 8192
"""Size of the user block in front of a model, a power of 2 as HDF5 wants it."""

POOLING = {"max": tf.keras.layers.MaxPooling2D, "average": tf.keras.layers.AveragePooling2D}


def build(
    input_shape: Sequence[int],
    classes: int,
    *,
    filters: Sequence[int] = (32, 64, 64),
    kernel: int = 3,
    pool: int = 2,
    pooling: str = "max",
    dense_units: int = 64,
    builder: str | None = None,
    model: str | None = None,
) -> tf.keras.Model:
    """Build the paper's CNN: convolutions with pooling between them, a dense layer, and the logits.

    With a builder or a model file, the sizes do not count.

    Parameters
    ----------
    input_shape
        Height, width, channels.
    classes
        Number of logits.
    filters
        Number of filters of each convolution.
    kernel
        Height and width of each convolution's kernel.
    pool
        Height, width and stride of the pooling after each convolution but the last.
    pooling
        ``max`` or ``average``.
    dense_units
        Size of the dense layer.
    builder
        ``path/to/file.py:function`` of the user's own (see `build_with`).
    model
        A file of Keras that holds a CNN with its weights (see `csnn.model.keras_file.read_model`).

    Raises
    ------
    InputError
        If the images are too small for the layers, or the builder or the file holds no CNN for them.
    """
    if builder:
        return build_with(builder, input_shape, classes)
    if model:
        read = read_model(model)
        _check_shapes(f"cnn.model {model} holds", read, input_shape, classes)
        return read
    layers = tf.keras.layers
    x = image = tf.keras.Input(tuple(input_shape))
    try:
        for depth, count in enumerate(filters):
            if depth:
                x = POOLING[pooling](pool)(x)
            x = layers.Conv2D(count, kernel, activation="relu")(x)
    except ValueError as error:
        raise InputError(
            f"cnn.architecture has too many or too large layers for images of {tuple(input_shape)}: "
            f"convolution {depth + 1} has nothing left to see; take fewer filters, or a smaller kernel or pool"
        ) from error
    x = layers.Flatten()(x)
    x = layers.Dense(dense_units, activation="relu")(x)
    return tf.keras.Model(image, layers.Dense(classes)(x))


def build_with(builder: str, input_shape: Sequence[int], classes: int) -> tf.keras.Model:
    """Build a CNN with the user's own function.

    Parameters
    ----------
    builder
        ``path/to/file.py:function``; the function takes the input shape (height, width, channels) and the number of
        classes and returns a Keras model that ends in logits, or in a softmax or sigmoid of them.
    input_shape, classes
        What the function is called with.

    Raises
    ------
    InputError
        If the file or the function is not there, or what it returns is not such a model.
    """
    path, _, name = builder.rpartition(":")
    try:
        sys.path.append(os.path.dirname(os.path.realpath(path)))  # of modules that lie beside it
        loader = SourceFileLoader("user_architecture", path)
        module = types.ModuleType(loader.name)
        loader.exec_module(module)
        model = getattr(module, name)(tuple(input_shape), classes)
        if isinstance(model, tf.keras.Sequential) and not model.built:
            model.build((None, *input_shape))
        known = isinstance(model, tf.keras.Model) and model.input_shape and model.output_shape
    except (Exception, SystemExit) as error:  # whatever the user's own code raises
        raise InputError(
            f"cnn.architecture.builder {builder} failed: {type(error).__name__}: {' '.join(str(error).split())}; "
            "it must be path/to/file.py:function, a function of (input_shape, classes) that returns a Keras model"
        ) from error
    if not known:
        raise InputError(
            f"cnn.architecture.builder {builder} returned {type(model).__name__}; it must return a model of tf.keras, "
            "imported by `from csnn.nengodl_compat import tf`"
        )
    _check_shapes(f"cnn.architecture.builder {builder} returned", model, input_shape, classes)
    return model


def _check_shapes(origin: str, model: tf.keras.Model, input_shape: Sequence[int], classes: int) -> None:
    """Check that a CNN is one for these images."""
    if (model.input_shape, model.output_shape) != ((None, *input_shape), (None, classes)):
        raise InputError(
            f"{origin} a model from {model.input_shape} to {model.output_shape}; it must take images of "
            f"{tuple(input_shape)} and have {classes} outputs"
        )


def build_equivalent(
    images: np.ndarray, classes: int, architecture: Mapping[str, Any], weights: str | None = None
) -> tf.keras.Model:
    """Build a CNN in the form that converts, by the settings of a configuration.

    Parameters
    ----------
    images : (n, ...) float32
        Some images, for which the outputs must be those of the CNN as it was built.
    classes
        Number of logits.
    architecture
        Arguments of `build`. Beside a builder or a model file, ``pooling: average`` replaces max pooling.
    weights
        A file of Keras with its weights (see `csnn.model.keras_file.load_weights`); by default it keeps those that it
        was built with.
    """
    built = build(images.shape[1:], classes, **architecture)
    if weights:
        load_weights(built, weights)
    model = equivalent(built, images)
    of_sizes = architecture.keys().isdisjoint(("builder", "model"))
    return model if of_sizes or architecture.get("pooling") != "average" else with_average_pooling(model)


def save(model: tf.keras.Model, path: str | os.PathLike, settings: Mapping[str, Any] | None = None) -> None:
    """Save architecture and weights in one ``.h5`` file, with a checksum.

    Parameters
    ----------
    model
    path
    settings
        What it was made with, for readers to check.

    Notes
    -----
    The checksum is JSON in the file's user block, which HDF5 leaves alone: it covers all bytes that HDF5 reads.
    """
    with atomic_write(path) as temporary:
        with h5py.File(temporary, "w", userblock_size=_HEADER_BYTES) as file:
            model.save(file, save_format="h5", include_optimizer=False)
        write_checksum(temporary, path, settings or {})


def write_checksum(file: str | os.PathLike, path: str | os.PathLike, settings: Mapping[str, Any]) -> None:
    """Put the checksum that `load` checks into a model's file, which is or will be at `path`."""
    with open(file, "r+b") as model:
        model.seek(_HEADER_BYTES)
        settings_json = json.dumps(settings, sort_keys=True)
        content = hashlib.sha256(settings_json.encode() + model.read()).hexdigest()
        header = json.dumps(checksum_record(path, content) | {"settings": settings_json}).encode()
        if len(header) > _HEADER_BYTES:
            raise ValueError(f"the settings of {path} take {len(header)} bytes, more than {_HEADER_BYTES}")
        model.seek(0)
        model.write(header.ljust(_HEADER_BYTES, b"\0"))


def load(path: str | os.PathLike, settings: Mapping[str, Any] | None = None) -> tf.keras.Model:
    """Load a model saved by `save`.

    Parameters
    ----------
    path
    settings
        What it must have been made with; None to accept any.

    Raises
    ------
    InputError
        If the file is missing, damaged, not the model that belongs there, or one that holds code.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give the same command again") from error
    try:
        header = json.loads(content[:_HEADER_BYTES].rstrip(b"\0"))
        settings_json = header.pop("settings")
        check_record(path, header, hashlib.sha256(settings_json.encode() + content[_HEADER_BYTES:]).hexdigest())
        check_settings(path, json.loads(settings_json), settings or {})
        return read_model(path)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged or no model that this version of the workflow made; {AGAIN}") from error


def train(
    model: tf.keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int,
    batch_size: int,
    callbacks: Sequence[tf.keras.callbacks.Callback] = (),
) -> dict[str, list[float]]:
    """Train with Adam on the cross-entropy of the logits, as the paper does.

    Of a softmax or sigmoid at the end Keras itself takes the logits.

    Parameters
    ----------
    model
        Changed in place.
    images : (n, height, width, channels) float32
        Training images.
    labels : (n,) int
        Their classes.
    epochs, batch_size
        As in Keras.
    callbacks
        Keras callbacks, for instance for progress.

    Returns
    -------
    dict
        ``loss`` and ``accuracy`` of each epoch, on the training images as Keras measures them while it trains.
    """
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*received `from_logits=True`, but.*")
        history = model.fit(
            images, labels, epochs=epochs, batch_size=batch_size, verbose=0, callbacks=list(callbacks)
        ).history
    return finite(history)


def finite(history: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """Return ``loss`` and ``accuracy`` of what Keras recorded of a training that did not diverge.

    Raises
    ------
    InputError
        If the loss is not finite.
    """
    if not np.isfinite(history["loss"]).all():
        raise InputError(
            "training of the CNN failed: its loss is not finite; pixels must be of the order of 1 if they are float"
        )
    return {name: [float(value) for value in history[name]] for name in ("loss", "accuracy")}


def seed_everything(seed: int) -> None:
    """Make building and training a model repeatable: seed Python, NumPy and TensorFlow, deterministic operations."""
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def logits(model: tf.keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the logits (n, classes) float32 of images (n, height, width, channels)."""
    return model.predict(images, batch_size=500, verbose=0)


_DRAWN = ("filters", "kernel_size", "pool_size", "units", "activation")
"""Keys of a layer's Keras configuration that a drawing shows."""


def describe(model: tf.keras.Model) -> list[dict]:
    """Describe each layer for a drawing: its name, type, inputs (names of layers), settings, shape and parameters."""
    inputs = inputs_of_layers(model)
    return [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "inputs": inputs.get(layer.name, []),
            "config": {key: value for key, value in layer.get_config().items() if key in _DRAWN},
            "output_shape": list(
                (layer.output_shape[0] if isinstance(layer.output_shape, list) else layer.output_shape)[1:]
            ),
            "parameters": layer.count_params(),
        }
        for layer in model.layers
    ]
