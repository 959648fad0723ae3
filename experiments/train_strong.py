"""Train the CNNs of experiments/strong.yaml: strong.weights.h5 with ReLU, then strong-lif.weights.h5 with LIF.

Usage: python experiments/train_strong.py IMAGES.npz

Both files are committed; docs/strong.md describes them. The last images of the training set, data.validation_images of
strong.yaml, are kept out. A processor that multiplies bfloat16 takes about half of the time of another.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "workflow" / "scripts")]

import networks  # noqa: E402

from csnn import neurons  # noqa: E402
from csnn.data.images import pixels  # noqa: E402
from csnn.model import tuning  # noqa: E402
from csnn.nengodl_compat import tf  # noqa: E402

RELU, LIF = "strong.weights.h5", "strong-lif.weights.h5"

CYCLES = (
    {"file": RELU, "epochs": 28, "peak_learning_rate": 0.4, "cutout": 0},
    {"file": RELU, "epochs": 12, "peak_learning_rate": 0.15, "cutout": 10},
    {"file": RELU, "epochs": 20, "peak_learning_rate": 0.3, "cutout": 12},
    {"file": LIF, "epochs": 16, "peak_learning_rate": 0.1, "cutout": 10},
    {"file": LIF, "epochs": 8, "learning_rate": 0.05, "cutout": 12},
)
"""One after another, each from the weights that the one before left, rounded to half precision.

Where the learning rate is constant, the result is the mean of the weights after each epoch (Izmailov et al. 2018,
"Averaging weights leads to wider optima and better generalization").
"""

WARM_UP = 0.25
"""Share of a cycle's steps in which the learning rate rises."""

BATCH_SIZE, MOMENTUM, WEIGHT_DECAY, LABEL_SMOOTHING, SHIFT = 256, 0.9, 5e-4, 0.1, 4
VALIDATION_IMAGES = 2000
NEURON = neurons.with_defaults("LIF", {})
MAX_RATE_HZ = 415.0


class OneCycle(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises in a straight line from zero to its peak, then falls in one to zero."""

    def __init__(self, peak: float, steps: int):
        self.peak, self.steps = peak, steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the learning rate of a step."""
        done = tf.cast(step, tf.float32) / self.steps
        return self.peak * tf.minimum(done / WARM_UP, (1 - done) / (1 - WARM_UP))


def build(
    precision: str, weights: list[np.ndarray] | None = None, activations: Sequence[Callable] = ()
) -> tf.keras.Model:
    """Build the CNN in a precision of Keras, with these weights and, in the place of ReLUs, these activations."""
    tf.keras.mixed_precision.set_global_policy(precision)
    model = networks.strong((32, 32, 3), 10, activations)
    if weights is not None:
        model.set_weights(weights)
    return model


def tabulated(activation: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Look an activation and its gradient up for each of the 65,536 numbers in bfloat16: five times as fast."""
    numbers = np.arange(2**16, dtype=np.uint16).view(tf.bfloat16.as_numpy_dtype).astype(np.float32)
    inputs = tf.constant(np.where(np.isfinite(numbers), numbers, 0))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = activation(inputs)
    values, slopes = (tf.cast(table, tf.bfloat16) for table in (outputs, tape.gradient(outputs, inputs)))

    @tf.custom_gradient
    def looked_up(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        index = tf.cast(tf.bitcast(x, tf.uint16), tf.int32)
        return tf.gather(values, index), lambda upstream: upstream * tf.gather(slopes, index)

    return looked_up


def folded(weights: list[np.ndarray], gains: Sequence[float], slopes: Sequence[float]) -> list[np.ndarray]:
    """Return the weights with which ``rate(f x) / f`` is what ``rate(1 + g x) / k`` was: see `tuning.fold`."""
    weights, factor = list(weights), 1.0
    for layer, (gain, slope) in enumerate(zip(gains, slopes, strict=True)):
        kernel, scale, offset = range(5 * layer, 5 * layer + 3)  # behind them mean and variance
        weights[kernel] = weights[kernel] * factor
        weights[scale] = weights[scale] * (gain / MAX_RATE_HZ)
        weights[offset] = (weights[offset] * gain + 1) / MAX_RATE_HZ
        factor = MAX_RATE_HZ / slope
    weights[-2] = weights[-2] * factor
    return weights


def fit(model: tf.keras.Model, images: np.ndarray, labels: np.ndarray, cycle: Mapping[str, Any], seed: int) -> None:
    """Train through a cycle of the learning rate; the last images measure how well."""
    learnt, kept_out = slice(None, -VALIDATION_IMAGES), slice(-VALIDATION_IMAGES, None)
    augmentation = {"mirror": True, "shift": SHIFT, "cutout": cycle["cutout"]}
    batches = tuning.Batches(images[learnt], labels[learnt], BATCH_SIZE, seed, **augmentation)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            model.add_loss(lambda kernel=layer.kernel: WEIGHT_DECAY / 2 * tf.reduce_sum(kernel**2))
    rate = cycle.get("learning_rate") or OneCycle(cycle["peak_learning_rate"], cycle["epochs"] * len(batches))
    model.compile(
        tf.keras.optimizers.legacy.SGD(rate, momentum=MOMENTUM, nesterov=True),
        tuning.cross_entropy(LABEL_SMOOTHING),
        metrics=["accuracy"],
    )
    validation = images[kept_out], labels[kept_out]
    after_epochs: list[list[np.ndarray]] = []
    keep = tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: after_epochs.append(model.get_weights()))
    options = {"validation_data": validation, "callbacks": [keep], "shuffle": False, "verbose": 2}
    model.fit(batches, epochs=cycle["epochs"], **options)
    if "learning_rate" in cycle:
        model.set_weights([np.mean(weights, axis=0) for weights in zip(*after_epochs, strict=True)])
        for number in range(min(100, len(batches))):  # means and variances of the layers' inputs are others now
            model(batches[number][0], training=True)


def main() -> None:
    """Train, save the weights in half precision after each cycle, and say how many of the test images are right."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("images", help="an .npz as data.source names it")
    parser.add_argument("--first", type=int, default=1, help="the cycle to begin with, if those before have ended")
    parser.add_argument("--epochs", type=int, help="of each cycle; by default as in CYCLES")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the weights are")
    arguments = parser.parse_args()
    data = np.load(arguments.images)
    images, labels = pixels(data["x_train"]), data["y_train"].reshape(-1)

    for number, cycle in list(enumerate(CYCLES))[arguments.first - 1 :]:
        tf.keras.utils.set_random_seed(number)
        curves: list[Callable] = []
        if cycle["file"] == LIF:
            relu = build("float32")
            relu.load_weights(arguments.folder / RELU)
            gains, slopes = tuning.gains_and_slopes(relu, images, NEURON)
            curves = tuning.activations_of(gains, slopes, NEURON)
        model = build("mixed_bfloat16", activations=list(map(tabulated, curves)))
        if number:
            model.load_weights(arguments.folder / CYCLES[number - 1]["file"])
        fit(model, images, labels, cycle | ({"epochs": arguments.epochs} if arguments.epochs else {}), number)
        saved = build("float16", model.get_weights())
        scored = build("float32", saved.get_weights(), curves)
        if cycle is CYCLES[-1]:
            saved.set_weights(folded(saved.get_weights(), gains, slopes))
        saved.save_weights(arguments.folder / cycle["file"])
        logits = scored.predict(pixels(data["x_test"]), batch_size=500, verbose=0)
        right = (logits.argmax(1) == data["y_test"].reshape(-1)).mean()
        print(f"cycle {number + 1}: {right:.2%} of the test images are right", flush=True)


if __name__ == "__main__":
    main()
