"""Train the CNN of experiments/strong.yaml: strong.weights.h5, which is committed (docs/strong.md describes it).

Usage: python experiments/train_strong.py IMAGES.npz

The last images of the training set, data.validation_images of strong.yaml, are kept out. A processor that multiplies
bfloat16 takes about half of the time of another.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "workflow" / "scripts")]

import networks  # noqa: E402

from csnn.data.images import pixels  # noqa: E402
from csnn.model.tuning import Batches, cross_entropy  # noqa: E402
from csnn.nengodl_compat import tf  # noqa: E402

CYCLES = (
    {"epochs": 28, "peak_learning_rate": 0.4, "cutout": 0},
    {"epochs": 12, "peak_learning_rate": 0.15, "cutout": 10},
)
"""One after another, each from the weights that the one before left, rounded to half precision."""

WARM_UP = 0.25
"""Share of a cycle's steps in which the learning rate rises."""

BATCH_SIZE, MOMENTUM, WEIGHT_DECAY, LABEL_SMOOTHING, SHIFT = 256, 0.9, 5e-4, 0.1, 4
VALIDATION_IMAGES = 2000


class OneCycle(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises in a straight line from zero to its peak, then falls in one to zero."""

    def __init__(self, peak: float, steps: int):
        self.peak, self.steps = peak, steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the learning rate of a step."""
        done = tf.cast(step, tf.float32) / self.steps
        return self.peak * tf.minimum(done / WARM_UP, (1 - done) / (1 - WARM_UP))


def build(precision: str, weights: list[np.ndarray] | None = None) -> tf.keras.Model:
    """Build the CNN in a precision of Keras, with these weights."""
    tf.keras.mixed_precision.set_global_policy(precision)
    model = networks.strong((32, 32, 3), 10)
    if weights is not None:
        model.set_weights(weights)
    return model


def main() -> None:
    """Train, save the weights in half precision after each cycle, and say how many of the test images are right."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("images", help="an .npz as data.source names it")
    parser.add_argument("--first", type=int, default=1, help="the cycle to begin with, 2 if the first has ended")
    parser.add_argument("--epochs", type=int, help="of each cycle; by default as in CYCLES")
    parser.add_argument("--output", default=FOLDER / "strong.weights.h5")
    arguments = parser.parse_args()
    data = np.load(arguments.images)
    images, labels = pixels(data["x_train"]), data["y_train"].reshape(-1)
    kept_out = images[-VALIDATION_IMAGES:], labels[-VALIDATION_IMAGES:]

    for number, cycle in list(enumerate(CYCLES, 1))[arguments.first - 1 :]:
        tf.keras.utils.set_random_seed(number - 1)
        model = build("mixed_bfloat16")
        if number > 1:
            model.load_weights(arguments.output)
        batches = Batches(
            images[:-VALIDATION_IMAGES],
            labels[:-VALIDATION_IMAGES],
            BATCH_SIZE,
            number - 1,
            mirror=True,
            shift=SHIFT,
            cutout=cycle["cutout"],
        )
        epochs = arguments.epochs or cycle["epochs"]
        for layer in model.layers:
            if hasattr(layer, "kernel"):
                model.add_loss(lambda kernel=layer.kernel: WEIGHT_DECAY / 2 * tf.reduce_sum(kernel**2))
        rate = OneCycle(cycle["peak_learning_rate"], epochs * len(batches))
        model.compile(
            tf.keras.optimizers.legacy.SGD(rate, momentum=MOMENTUM, nesterov=True),
            cross_entropy(LABEL_SMOOTHING),
            metrics=["accuracy"],
        )
        model.fit(batches, epochs=epochs, shuffle=False, verbose=2, validation_data=kept_out)
        saved = build("float16", model.get_weights())
        saved.save_weights(arguments.output)
        logits = build("float32", saved.get_weights()).predict(pixels(data["x_test"]), batch_size=500, verbose=0)
        right = (logits.argmax(1) == data["y_test"].reshape(-1)).mean()
        print(f"cycle {number}: {right:.2%} of the test images are right", flush=True)


if __name__ == "__main__":
    main()
