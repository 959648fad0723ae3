"""Train the CNN of experiments/strong.yaml: strong.weights.h5, which is committed (docs/strong.md describes it).

Usage: python experiments/train_strong.py IMAGES.npz [--epochs 28] [--output experiments/strong.weights.h5]

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

from csnn.model.tuning import Batches, cross_entropy  # noqa: E402
from csnn.nengodl_compat import tf  # noqa: E402

EPOCHS, BATCH_SIZE, SEED = 28, 256, 0
PEAK_LEARNING_RATE, WARM_UP, MOMENTUM, WEIGHT_DECAY, LABEL_SMOOTHING = 0.4, 0.25, 0.9, 5e-4, 0.1
VALIDATION_IMAGES = 2000


class OneCycle(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises in a straight line for the first part of the steps, then falls in one to zero."""

    def __init__(self, steps: int):
        self.steps = steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Return the learning rate of a step."""
        done = tf.cast(step, tf.float32) / self.steps
        return PEAK_LEARNING_RATE * tf.minimum(done / WARM_UP, (1 - done) / (1 - WARM_UP))


def main() -> None:
    """Train, say how many of the test images are right, and save the weights in half precision."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("images", help="an .npz as data.source names it")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--output", default=FOLDER / "strong.weights.h5")
    arguments = parser.parse_args()
    data, epochs = np.load(arguments.images), arguments.epochs
    images, labels = data["x_train"].astype(np.float32) / 255, data["y_train"].reshape(-1)
    learnt, kept_out = slice(None, -VALIDATION_IMAGES), slice(-VALIDATION_IMAGES, None)
    batches = Batches(images[learnt], labels[learnt], BATCH_SIZE, SEED, mirror=True, shift=4)

    tf.keras.utils.set_random_seed(SEED)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = networks.strong(images.shape[1:], 10)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            model.add_loss(lambda kernel=layer.kernel: WEIGHT_DECAY / 2 * tf.reduce_sum(kernel**2))
    model.compile(
        tf.keras.optimizers.legacy.SGD(OneCycle(epochs * len(batches)), momentum=MOMENTUM, nesterov=True),
        cross_entropy(LABEL_SMOOTHING),
        metrics=["accuracy"],
    )
    model.fit(batches, epochs=epochs, shuffle=False, verbose=2, validation_data=(images[kept_out], labels[kept_out]))
    tf.keras.mixed_precision.set_global_policy("float16")
    half_precision = networks.strong(images.shape[1:], 10)
    half_precision.set_weights(model.get_weights())
    half_precision.save_weights(arguments.output)
    model.set_weights(half_precision.get_weights())
    logits = model.predict(data["x_test"].astype(np.float32) / 255, batch_size=500, verbose=0)
    print(f"{(logits.argmax(1) == data['y_test'].reshape(-1)).mean():.2%} of the test images are right")


if __name__ == "__main__":
    main()
