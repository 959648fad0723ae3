"""The CNNs of the studies that the paper builds on, for `cnn.architecture.builder`."""

from collections.abc import Callable, Sequence

from csnn.nengodl_compat import tf

LAYERS = tf.keras.layers


def honzik_mnist(input_shape: tuple[int, ...], classes: int) -> tf.keras.Model:
    """Two convolutions, the second of which halves the image: Honzik and Moucek 2021, on MNIST."""
    signal = image = tf.keras.Input(input_shape)
    signal = LAYERS.Conv2D(32, 3, activation="relu")(signal)
    signal = LAYERS.Conv2D(64, 3, strides=2, activation="relu")(signal)
    return tf.keras.Model(image, LAYERS.Dense(classes)(LAYERS.Flatten()(signal)))


def honzik_p300(input_shape: tuple[int, ...], classes: int) -> tf.keras.Model:
    """One convolution over channels and samples of an EEG epoch, and a dense layer: Honzik and Moucek 2021, on P300."""
    signal = image = tf.keras.Input(input_shape)
    signal = LAYERS.Conv2D(6, 3, activation="relu")(signal)
    signal = LAYERS.Dropout(0.5)(signal)
    signal = LAYERS.AveragePooling2D((1, 8), padding="same")(signal)
    signal = LAYERS.Dense(100, activation="relu")(LAYERS.Flatten()(signal))
    signal = LAYERS.Dropout(0.5)(LAYERS.BatchNormalization()(signal))
    return tf.keras.Model(image, LAYERS.Dense(classes)(signal))


def average_pooling(input_shape: tuple[int, ...], classes: int) -> tf.keras.Model:
    """Two convolutions with average pooling: stands for the CNN of Nguyen et al. 2021, whose sizes were not found."""
    signal = image = tf.keras.Input(input_shape)
    for filters in (32, 64):
        signal = LAYERS.Conv2D(filters, 3, activation="relu")(signal)
        signal = LAYERS.AveragePooling2D(2)(signal)
    signal = LAYERS.Dense(64, activation="relu")(LAYERS.Flatten()(signal))
    return tf.keras.Model(image, LAYERS.Dense(classes)(signal))


def strong(input_shape: tuple[int, ...], classes: int, activations: Sequence[Callable] = ()) -> tf.keras.Model:
    """Seven convolutions with batch normalization and ReLU, average pooling between them and over the last.

    For training, there may be other activations in the place of the ReLUs.
    """
    others = [LAYERS.Activation(activation) for activation in activations]
    signal = image = tf.keras.Input(input_shape)
    for depth, stage in enumerate(((32, 64), (64, 192), (192, 256), (256,))):
        if depth:
            signal = LAYERS.AveragePooling2D(2)(signal)
        for filters in stage:
            signal = LAYERS.Conv2D(filters, 3, padding="same", use_bias=False)(signal)
            signal = LAYERS.BatchNormalization(momentum=0.9)(signal)
            signal = (others.pop(0) if others else LAYERS.ReLU())(signal)
    signal = LAYERS.Dropout(0.1)(LAYERS.GlobalAveragePooling2D()(signal))
    return tf.keras.Model(image, LAYERS.Dense(classes, dtype="float32")(signal))
