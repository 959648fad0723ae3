"""Images and labels: read from an ``.npz``, checked, selected.

The samples of a data set are images (height, width, channels), series (time, channels) or vectors (features); "image"
stands for all of them.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn.files import AGAIN, InputError, check_contents, check_pixels, read_npz, read_npz_with_metadata, write_npz

PREPARED = Path("data/prepared")
"""Where the workflow keeps each public data set as one ``.npz``."""

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_SAMPLED_BYTES = 10**7
"""How much of each array of images is looked at before a run."""
_SCALE_RATIO = 20
"""Training and test images whose mean values differ by more than this factor were not scaled alike."""


class Dataset(NamedTuple):
    """Images and labels of a training and a test set.

    Attributes
    ----------
    x_train, x_test : (n, height, width, channels), (n, time, channels) or (n, features) uint8 or float32
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


class Overview(NamedTuple):
    """What is known of a data set before it is read.

    Attributes
    ----------
    train, test : int
        Number of images.
    shape : tuple of int
        Of an image.
    classes : int
    test_labels : (test,) int, optional
        None for public data sets, whose test sets are not sorted.
    warnings : tuple of str
        What is probably wrong with the images, one sentence each.
    """

    train: int
    test: int
    shape: tuple[int, ...]
    classes: int
    test_labels: np.ndarray | None = None
    warnings: tuple[str, ...] = ()


def read_images(path: str | os.PathLike, identity: str | None = None) -> Dataset:
    """Read a data set from an ``.npz`` and check it.

    Parameters
    ----------
    path
        A file with ``x_train, y_train, x_test, y_test`` and, if wanted, ``class_names``. Images are uint8 or float and
        (n, height, width, channels), series (n, time, channels) or vectors (n, features); an array (n, size, size)
        holds images of one channel, as MNIST's. Labels are integers from 0, of shape (n,) or (n, 1).
    identity
        Which data set it must be: that of `write_images`, or the `csnn.files.hash_of_file` of a user's own file. None
        to accept any.

    Raises
    ------
    InputError
        Naming the file, the array, what is wrong with it and what would be right; or if it is another data set.
    """
    if Path(path).parent == PREPARED:
        arrays, metadata = read_npz_with_metadata(path)
        if identity not in (None, metadata["identity"]):
            raise InputError(f"{path} is another data set than belongs here; {AGAIN}")
    else:
        if identity is not None:
            check_contents([path], [identity])
        arrays = read_npz(path, checksum=False)
    _check_layout(path, arrays)
    x_train, x_test = (_checked_images(path, name, arrays[name]) for name in ("x_train", "x_test"))
    _check_scale(path, x_train, x_test)
    y_train, y_test, class_names = _checked_classes(path, arrays)
    return Dataset(x_train, y_train, x_test, y_test, class_names)


def write_images(path: str | os.PathLike, dataset: Dataset, identity: str) -> None:
    """Write a data set as an ``.npz`` that `read_images` reads; not compressed, since many jobs read it."""
    write_npz(path, dataset._asdict(), {"identity": identity}, compressed=False)


def examine(path: str | os.PathLike) -> Overview:
    """Check a user's ``.npz`` of images as far as that takes no time, before a run.

    Parameters
    ----------
    path
        A file as for `read_images`. Of its images only the first are read.

    Raises
    ------
    InputError
        As `read_images`.
    """
    try:
        with zipfile.ZipFile(path) as file:
            layout = {name.removesuffix(".npy"): _read_header(file, name) for name in file.namelist()}
            _check_layout(path, layout)
            x_train, x_test = (_first_values(file, f"{name}.npy") for name in ("x_train", "x_test"))
            small = {name: _read_array(file, name) for name in {"y_train", "y_test", "class_names"} & set(layout)}
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib, tokenizer and OS errors all mean the same to the user
        why = " ".join(str(error).split())
        raise InputError(f"{path} is not a readable .npz file ({why}); it must be written by numpy.savez") from error
    check_pixels(x_train, f"{path}: x_train")
    check_pixels(x_test, f"{path}: x_test")
    y_train, y_test, class_names = _checked_classes(path, small)
    shape = _with_channels(layout["x_train"]).shape[1:]
    warnings = tuple(_warnings(path, x_train, shape))
    return Overview(len(y_train), len(y_test), shape, len(class_names), y_test, warnings)


def _read_array(file: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read an array of an ``.npz``."""
    with file.open(f"{name}.npy") as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _read_header(file: zipfile.ZipFile, name: str) -> NDArray:
    """Return an array of the shape and type of one in an ``.npz``, without its content and without its memory."""
    with file.open(name) as member:
        shape, dtype = _shape_and_type(member)
        if not dtype.hasobject and member.tell() + prod(shape) * dtype.itemsize != file.getinfo(name).file_size:
            raise ValueError(f"{name} is not as long as its header says")
    return np.broadcast_to(np.zeros((), dtype), shape)


def _shape_and_type(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Read the header of an array in NumPy's format."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = readers[np.lib.format.read_magic(member)](member)
    return shape, dtype


def _first_values(file: zipfile.ZipFile, name: str) -> np.ndarray:
    """Return the first values of an array in an ``.npz``, flat and in the order in which they lie there."""
    with file.open(name) as member:
        _, dtype = _shape_and_type(member)
        content = member.read(_SAMPLED_BYTES // dtype.itemsize * dtype.itemsize)
    return np.frombuffer(content, dtype)


def _warnings(path: str | os.PathLike, values: NDArray, shape: tuple[int, ...]) -> Iterator[str]:
    """Yield what is probably wrong with images of a shape, some of whose values are given."""
    if len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) > 4:
        yield (
            f"{path}: images are {shape}, which looks like PyTorch's order (channels, height, width); they are read as "
            "(height, width, channels): x.transpose(0, 2, 3, 1) brings them into this order"
        )
    if values.dtype.kind == "f" and values.min() >= 0 and 20 < values.max() <= 255:
        yield (
            f"{path}: images are floats up to {values.max():g} and reach the CNN as they are; if its input is 0 to 1, "
            "divide them by 255, or save them as uint8, which is scaled to 0 to 1"
        )


def _check_scale(path: str | os.PathLike, x_train: NDArray, x_test: NDArray) -> None:
    """Check that training and test images are scaled alike, by the mean of their absolute values."""
    some = [images[:: 1 + len(images) // 1000].astype(np.float64) for images in (x_train, x_test)]
    train, test = (float(np.abs(images).mean()) for images in some)
    if min(train, test) > 0 and max(train, test) > _SCALE_RATIO * min(train, test):
        raise InputError(
            f"{path}: values of x_train are {train:.2g} on average and of x_test {test:.2g}; both must be scaled "
            "alike, for instance to the range 0 to 1"
        )


def _check_layout(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Check names, shapes and types of a data set's arrays, whatever is in them."""
    if missing := [name for name in _ARRAYS if name not in arrays]:
        raise InputError(f"{path} has no {', '.join(missing)}; it must hold {', '.join(_ARRAYS)}")
    x_train, y_train, x_test, y_test = (arrays[name] for name in _ARRAYS)
    for name, images in (("x_train", x_train), ("x_test", x_test)):
        if images.ndim < 2 or 0 in images.shape:
            raise InputError(
                f"{path}: {name} has shape {images.shape}; it must be (images, height, width, channels), "
                "(series, time, channels) or (vectors, features)"
            )
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
    for name, labels, number in (("y_train", y_train, len(x_train)), ("y_test", y_test, len(x_test))):
        if labels.shape not in [(number,), (number, 1)]:
            raise InputError(
                f"{path}: {name} has shape {labels.shape}; it must be ({number},), one label for each image"
            )
        if labels.dtype.kind not in "iu":
            raise InputError(f"{path}: {name} is {labels.dtype}; labels must be integers from 0")


def _with_channels(images: np.ndarray) -> np.ndarray:
    """Give images of one channel, which an array (n, size, size) holds, their axis of channels."""
    return images[..., np.newaxis] if images.ndim == 3 and images.shape[1] == images.shape[2] else images


def _checked_images(path: str | os.PathLike, name: str, images: np.ndarray) -> np.ndarray:
    """Return images with channels, as uint8 or float32, or say why they are none."""
    images = _with_channels(images)
    if images.dtype == np.uint8:
        return images
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which is refused
        images = images.astype(np.float32)
    check_pixels(images, f"{path}: {name}")
    return images


def _checked_classes(
    path: str | os.PathLike, arrays: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``y_train``, ``y_test`` and the names of the classes, or say what is wrong with them."""
    y_train, y_test = (_checked_labels(path, name, arrays[name]) for name in ("y_train", "y_test"))
    classes = int(max(y_train.max(), y_test.max())) + 1
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
    return y_train, y_test, np.arange(classes).astype(str) if names is None else names


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
        ``images`` (n, ...) float32 as the CNN takes them, ``labels`` (n,), ``indices`` (n,), ``split`` and
        ``class_names``.

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


def read_selection(path: str | os.PathLike, identity: str) -> dict[str, np.ndarray]:
    """Read images that `select` took from a data set, and check which data set that was.

    Raises
    ------
    InputError
        As `csnn.files.read_npz`, or if they are of another data set.
    """
    arrays = read_npz(path)
    if str(arrays["dataset"]) != identity:
        raise InputError(f"{path} holds images of another data set than belongs here; {AGAIN}")
    return arrays
