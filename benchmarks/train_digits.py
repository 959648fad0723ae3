"""Train the paper's CNN on scikit-learn's digits to convergence: benchmarks/digits.weights.h5, which is committed.

Usage: python benchmarks/train_digits.py
"""

from measure import FOLDER

from csnn.data.images import pixels
from csnn.data.sources import read
from csnn.model import cnn
from csnn.nengodl_compat import tf

WEIGHTS = FOLDER / "digits.weights.h5"
SEED, BATCH_SIZE, PATIENCE, MOST_EPOCHS = 0, 32, 8, 100


def main() -> None:
    dataset = read("digits", [])
    images, labels = pixels(dataset.x_train), dataset.y_train
    cnn.seed_everything(SEED)
    model = cnn.build(images.shape[1:], len(dataset.class_names))
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    until = tf.keras.callbacks.EarlyStopping("loss", patience=PATIENCE, restore_best_weights=True)
    history = model.fit(images, labels, BATCH_SIZE, MOST_EPOCHS, callbacks=[until], verbose=2).history
    _, accuracy = model.evaluate(pixels(dataset.x_test), dataset.y_test, verbose=0)
    trained = cnn.build(images.shape[1:], len(dataset.class_names))  # without the optimizer's state
    trained.set_weights(model.get_weights())
    trained.save_weights(WEIGHTS)
    print(f"{len(history['loss'])} epochs; {accuracy:.2%} of the {len(dataset.y_test)} test images are right")


if __name__ == "__main__":
    main()
