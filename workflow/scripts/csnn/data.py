"""Image data: the official CIFAR-10 archive, scikit-learn's digits, or the user's own ``.npz``."""

from __future__ import annotations

import errno
import os
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from csnn.files import InputError, read_npz, sha256, whole_file, write_npz

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
PREPARED = {"cifar10": "data/cifar10.npz", "digits": "data/digits.npz"}
"""Where the workflow itself puts the sources that it knows; any other file is a user's own."""
_CIFAR10_FOLDER = "cifar-10-batches-bin"
_CIFAR10_SHAPE = (3, 32, 32)  # of a record: one byte of label, then the channels one after another


class Dataset(NamedTuple):
    """Images and labels of a training and a test set.

    Attributes
    ----------
    x_train, x_test : (n, height, width, channels) uint8 or float32
        Images; 0 to 255 if uint8, as the CNN takes them (usually 0 to 1) if float.
    y_train, y_test : (n,) int64
        Class of each image, from 0.
    class_names : (classes,) str
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: np.ndarray


def download_cifar10(path: str | os.PathLike) -> None:
    """Download CIFAR-10's official archive (the binary version, 162 MiB) and check it.

    Raises
    ------
    InputError
        If it cannot be fetched, or what arrives is not the archive.
    """
    import pooch

    elsewhere = f"bring the archive there as {path} or name it by data.archive or the variable CSNN_CIFAR10"
    with whole_file(path) as temporary:
        try:
            pooch.HTTPDownloader()(CIFAR10_URL, str(temporary), None)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            raise InputError(
                f"{CIFAR10_URL} could not be downloaded ({' '.join(str(error).split())}); give the same command again, "
                f"or where there is no network, {elsewhere}"
            ) from error
        found = sha256(temporary)
        if found != CIFAR10_SHA256:
            raise InputError(
                f"{CIFAR10_URL} could not be downloaded whole: what came has the SHA-256 {found}, not "
                f"{CIFAR10_SHA256}; give the same command again, or {elsewhere}"
            )


def read_cifar10(archive: str | os.PathLike) -> Dataset:
    """Read CIFAR-10's official archive without unpacking it to disk.

    Its binary version is read (https://www.cs.toronto.edu/~kriz/cifar.html): records of one byte of label and 3072
    bytes of pixels. Unlike the Python version it holds no pickles.

    Raises
    ------
    InputError
        If the archive is not the official one.
    """
    if not Path(archive).is_file():
        raise InputError(f"{archive} does not exist; it should be CIFAR-10's official archive {CIFAR10_URL}")
    found = sha256(archive)
    if found != CIFAR10_SHA256:
        raise InputError(
            f"{archive} is not CIFAR-10's official binary archive: its SHA-256 is {found}, "
            f"not {CIFAR10_SHA256}; delete it and start again to download it anew"
        )
    with tarfile.open(archive) as tar:
        names = tar.extractfile(f"{_CIFAR10_FOLDER}/batches.meta.txt").read().decode().split()
        train = [_records(tar, f"data_batch_{i}.bin") for i in range(1, 6)]
        x_test, y_test = _records(tar, "test_batch.bin")
    return Dataset(
        np.concatenate([x for x, _ in train]),
        np.concatenate([y for _, y in train]),
        x_test,
        y_test,
        np.array(names),
    )


def _records(tar: tarfile.TarFile, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one file of records: images (n, 32, 32, 3) uint8 and labels (n,)."""
    content = np.frombuffer(tar.extractfile(f"{_CIFAR10_FOLDER}/{name}").read(), np.uint8)
    records = content.reshape(-1, 1 + int(np.prod(_CIFAR10_SHAPE)))
    images = records[:, 1:].reshape(-1, *_CIFAR10_SHAPE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def read_digits(size: int = 32, test_images: int = 500, seed: int = 0) -> Dataset:
    """Return scikit-learn's 1797 handwritten digits, scaled up to `size` x `size` x 3, in the range 0 to 1.

    Parameters
    ----------
    size
        Height and width of the images in pixels; the originals have 8.
    test_images
        How many of the images make the test set.
    seed
        Of the stratified split into training and test set.
    """
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    scaled = zoom(digits.images / 16, (1, size / 8, size / 8), order=1, grid_mode=True, mode="nearest")
    images = np.repeat(scaled[..., np.newaxis], 3, axis=3).astype(np.float32)
    x_train, x_test, y_train, y_test = train_test_split(
        images, digits.target.astype(np.int64), test_size=test_images, random_state=seed, stratify=digits.target
    )
    return Dataset(x_train, y_train, x_test, y_test, digits.target_names.astype(str))


def read_images(path: str | os.PathLike) -> Dataset:
    """Read a user's own images from an ``.npz`` and check them.

    Parameters
    ----------
    path
        A file with ``x_train, y_train, x_test, y_test`` and, if wanted, ``class_names``. Images are
        (n, height, width, channels), or (n, height, width) for one channel, uint8 or float; labels are integers from
        0, of shape (n,) or (n, 1).

    Raises
    ------
    InputError
        Naming the file, the array, what is wrong with it and what would be right.
    """
    arrays = read_npz(path, sealed=os.fspath(path) in PREPARED.values())
    wanted = ("x_train", "y_train", "x_test", "y_test")
    if missing := [name for name in wanted if name not in arrays]:
        raise InputError(f"{path} has no {', '.join(missing)}; it must hold {', '.join(wanted)}")
    x_train, x_test = (_checked_images(path, name, arrays[name]) for name in ("x_train", "x_test"))
    if x_train.shape[1:] != x_test.shape[1:]:
        raise InputError(
            f"{path}: images of x_train are {x_train.shape[1:]} and of x_test {x_test.shape[1:]}; they must be alike"
        )
    if x_train.dtype != x_test.dtype:
        raise InputError(f"{path}: x_train is {x_train.dtype} and x_test {x_test.dtype}; they must be of one type")
    y_train = _checked_labels(path, "y_train", arrays["y_train"], len(x_train))
    y_test = _checked_labels(path, "y_test", arrays["y_test"], len(x_test))
    classes = int(max(y_train.max(), y_test.max())) + 1
    names = arrays.get("class_names", np.arange(classes)).astype(str)
    if names.ndim != 1 or len(names) < classes:
        raise InputError(f"{path}: class_names has shape {names.shape}; it must name each of the {classes} classes")
    if absent := sorted(set(range(len(names))) - set(y_train.tolist())):
        raise InputError(
            f"{path}: y_train has no image of class {str(names[absent[0]])!r} ({absent[0]}); each class must be in it"
        )
    return Dataset(x_train, y_train, x_test, y_test, names)


def _checked_images(path: str | os.PathLike, name: str, images: np.ndarray) -> np.ndarray:
    """Return images as (n, height, width, channels) uint8 or float32, or say why they are none."""
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or 0 in images.shape:
        raise InputError(f"{path}: {name} has shape {images.shape}; it must be (images, height, width, channels)")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise InputError(f"{path}: {name} is {images.dtype}; images must be uint8 (0 to 255) or float (0 to 1)")
    if not np.isfinite(images).all():
        raise InputError(f"{path}: {name} has pixels that are NaN or infinite; every pixel must be finite")
    return images.astype(np.float32)


def _checked_labels(path: str | os.PathLike, name: str, labels: np.ndarray, images: int) -> np.ndarray:
    """Return labels as (n,) int64, or say why they are none."""
    if labels.shape not in [(images,), (images, 1)]:
        raise InputError(f"{path}: {name} has shape {labels.shape}; it must be ({images},), one label for each image")
    if labels.dtype.kind not in "iu":
        raise InputError(f"{path}: {name} is {labels.dtype}; labels must be integers from 0")
    labels = labels.reshape(-1).astype(np.int64)
    if labels.min() < 0:
        raise InputError(f"{path}: {name} has the label {labels.min()}; labels must be integers from 0")
    return labels


def pixels(images: np.ndarray) -> np.ndarray:
    """Return images as the CNN takes them: float32, and uint8 scaled to the range 0 to 1."""
    return images.astype(np.float32) / np.float32(255) if images.dtype == np.uint8 else images


def training_set(dataset: Dataset, held_out: int, images: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return images, as the CNN takes them, and labels to train with.

    Parameters
    ----------
    held_out
        How many images, the last of the training set, are kept out.
    images
        How many of the rest, from the first, are taken; None for all.

    Raises
    ------
    InputError
        If that leaves no image, or fewer than are wanted.
    """
    left = len(dataset.x_train) - held_out
    wanted = left if images is None else images
    if left < 1 or wanted > left:
        raise InputError(
            f"the training set has {len(dataset.x_train)} images, of which data.validation_images keeps {held_out} "
            f"out; {max(wanted, 1)} of the others cannot be trained with"
        )
    return pixels(dataset.x_train[:wanted]), dataset.y_train[:wanted]


def select(dataset: Dataset, split: str, indices: np.ndarray) -> dict[str, np.ndarray]:
    """Take some images of one split.

    Parameters
    ----------
    dataset
        The whole data set.
    split
        ``train`` or ``test``.
    indices : (n,) int
        Positions in that split.

    Returns
    -------
    dict
        ``images`` (n, height, width, channels) float32 as the CNN takes them, ``labels`` (n,), ``indices`` (n,),
        ``split`` and ``class_names``.

    Raises
    ------
    InputError
        If the split has fewer images.
    """
    images, labels = (dataset.x_train, dataset.y_train) if split == "train" else (dataset.x_test, dataset.y_test)
    if indices.min() < 0:
        raise InputError(f"the {split} set has {len(images)} images, fewer than data.validation_images keeps out of it")
    if indices.max() >= len(images):
        raise InputError(f"the {split} set has {len(images)} images, so image {indices.max()} (from 0) does not exist")
    return {
        "images": pixels(images[indices]),
        "labels": labels[indices],
        "indices": indices,
        "split": np.array(split),
        "class_names": dataset.class_names,
    }


def write_images(path: str | os.PathLike, dataset: Dataset) -> None:
    """Write a data set as an ``.npz`` that `read_images` reads; not compressed, since every job reads it."""
    write_npz(path, dataset._asdict(), compressed=False)
