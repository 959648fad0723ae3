"""Image data: the official CIFAR-10 archive, scikit-learn's digits, or the user's own ``.npz``."""

from __future__ import annotations

import errno
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from csnn.files import InputError, read_npz, sha256, atomic_write, write_npz

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
PREPARED = {"cifar10": "data/cifar10.npz", "digits": "data/digits.npz"}
"""Where the workflow itself puts the sources that it knows; any other file is a user's own."""
SIZES = {"cifar10": {"train": 50_000, "test": 10_000}, "digits": {"train": 1297, "test": 500}}
"""How many images the data sets that need no file of the user have."""

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
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
    with atomic_write(path) as temporary:
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
        names = _member(tar, "batches.meta.txt").decode().split()
        train = [_records(tar, f"data_batch_{i}.bin") for i in range(1, 6)]
        x_test, y_test = _records(tar, "test_batch.bin")
    return Dataset(
        np.concatenate([x for x, _ in train]),
        np.concatenate([y for _, y in train]),
        x_test,
        y_test,
        np.array(names),
    )


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    """Read a plain file of the archive: links, which may lead anywhere, are not followed."""
    name = f"{_CIFAR10_FOLDER}/{name}"
    try:
        member = tar.getmember(name)
    except KeyError:
        member = None
    if member is None or not member.isreg():
        raise InputError(f"{tar.name} holds no file {name}; it must be CIFAR-10's official archive {CIFAR10_URL}")
    return tar.extractfile(member).read()


def _records(tar: tarfile.TarFile, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one file of records: images (n, 32, 32, 3) uint8 and labels (n,)."""
    content = np.frombuffer(_member(tar, name), np.uint8)
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
    arrays = read_npz(path, checksum=os.fspath(path) in PREPARED.values())
    _check_layout(path, arrays)
    x_train, x_test = (_checked_images(path, name, arrays[name]) for name in ("x_train", "x_test"))
    y_train, y_test = (_checked_labels(path, name, arrays[name]) for name in ("y_train", "y_test"))
    classes = max(y_train.max(), y_test.max()) + 1
    names = _checked_names(path, arrays["class_names"], classes) if "class_names" in arrays else None
    classes = classes if names is None else len(names)
    present = np.unique(y_train)
    if len(present) < classes:
        absent = next(i for i in range(classes) if i >= len(present) or present[i] != i)
        name = absent if names is None else names[absent]
        raise InputError(
            f"{path}: y_train has no image of class {str(name)!r} ({absent}), but labels or names up to {classes - 1}; "
            "each class must be in it"
        )
    if classes < 2:
        raise InputError(f"{path}: y_train has one class only; it must have at least two")
    return Dataset(x_train, y_train, x_test, y_test, np.arange(classes).astype(str) if names is None else names)


def sizes(source: str) -> dict[str, int]:
    """Return how many images the ``train`` and ``test`` set of a source have, without reading them.

    Parameters
    ----------
    source
        A key of `SIZES`, or the path of an ``.npz``, whose names, shapes and types are checked as `read_images` does.

    Raises
    ------
    InputError
        As `read_images`.
    """
    if source in SIZES:
        return SIZES[source]
    try:
        with zipfile.ZipFile(source) as file:
            layout = {name.removesuffix(".npy"): _array_header(file, name) for name in file.namelist()}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(
            f"{source} is not a readable .npz file ({error}); it must be written by numpy.savez"
        ) from error
    _check_layout(source, layout)
    return {split: len(layout[f"x_{split}"]) for split in ("train", "test")}


def _array_header(file: zipfile.ZipFile, name: str) -> np.ndarray:
    """Return an array of the shape and type of one in an ``.npz``, without its content and without its memory."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with file.open(name) as member:
        shape, _, dtype = readers[np.lib.format.read_magic(member)](member)
    return np.broadcast_to(np.zeros((), dtype), shape)


def _check_layout(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Check names, shapes and types of a data set's arrays, whatever is in them."""
    if missing := [name for name in _ARRAYS if name not in arrays]:
        raise InputError(f"{path} has no {', '.join(missing)}; it must hold {', '.join(_ARRAYS)}")
    x_train, y_train, x_test, y_test = (arrays[name] for name in _ARRAYS)
    for name, images in (("x_train", x_train), ("x_test", x_test)):
        if images.ndim not in (3, 4) or 0 in images.shape:
            raise InputError(f"{path}: {name} has shape {images.shape}; it must be (images, height, width, channels)")
        if images.dtype != np.uint8 and images.dtype.kind != "f":
            raise InputError(f"{path}: {name} is {images.dtype}; images must be uint8 (0 to 255) or float (0 to 1)")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise InputError(
            f"{path}: images of x_train are {x_train.shape[1:]} and of x_test {x_test.shape[1:]}; they must be alike"
        )
    if x_train.dtype.kind != x_test.dtype.kind:
        raise InputError(
            f"{path}: x_train is {x_train.dtype} and x_test {x_test.dtype}; both must be uint8, or both float"
        )
    for name, labels, images in (("y_train", y_train, len(x_train)), ("y_test", y_test, len(x_test))):
        if labels.shape not in [(images,), (images, 1)]:
            raise InputError(
                f"{path}: {name} has shape {labels.shape}; it must be ({images},), one label for each image"
            )
        if labels.dtype.kind not in "iu":
            raise InputError(f"{path}: {name} is {labels.dtype}; labels must be integers from 0")


def _checked_images(path: str | os.PathLike, name: str, images: np.ndarray) -> np.ndarray:
    """Return images as (n, height, width, channels) uint8 or float32, or say why they are none."""
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.dtype == np.uint8:
        return images
    with np.errstate(over="ignore"):
        images = images.astype(np.float32)
    if not np.isfinite(images).all():
        raise InputError(f"{path}: {name} has pixels that are NaN or infinite; every pixel must be finite")
    return images


def _checked_labels(path: str | os.PathLike, name: str, labels: np.ndarray) -> np.ndarray:
    """Return labels as (n,) int64, or say why they are none."""
    for label in (labels.min(), labels.max()):
        if not 0 <= label < 2**31:
            raise InputError(f"{path}: {name} has the label {label}; labels must be integers from 0")
    return labels.reshape(-1).astype(np.int64)


def _checked_names(path: str | os.PathLike, names: np.ndarray, classes: int) -> np.ndarray:
    """Return the names of the classes as text, or say why they are none."""
    if names.ndim != 1 or len(names) < classes:
        raise InputError(f"{path}: class_names has shape {names.shape}; it must name each of the {classes} classes")
    try:
        names = names.astype(str)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: class_names are bytes beyond ASCII; they must be text") from error
    if len(set(names.tolist())) < len(names):
        raise InputError(f"{path}: class_names has a name twice; each class must have its own")
    return names


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
