"""The public data sets that ``data.source`` knows: where their files come from, what they must be, how to read them."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from csnn.data.images import Dataset, Overview, examine
from csnn.files import AGAIN, InputError, atomic_write, sha256

FOLDER = Path("data")
"""Where files that were brought by hand are found."""

DOWNLOADS = FOLDER / "downloads"
"""Where the workflow puts what it downloads."""

ARCHIVE_VARIABLE = "CSNN_CIFAR10"
"""Environment variable that names CIFAR-10's archive, where ``data.archive`` does not."""


class Source(NamedTuple):
    """A public data set.

    Attributes
    ----------
    title : str
        As its authors call it.
    licence : str
        And the condition under which it may be used, in short.
    addresses : tuple of str
        Folders from which the files can be downloaded: the official one, then mirrors.
    files : dict
        SHA-256 of each file, by its path below `FOLDER` and `DOWNLOADS`.
    read : function
        Makes a `Dataset` of the paths of the files.
    train, test : int
        Number of images.
    shape : tuple of int
        Of an image: height, width, channels.
    classes : int
    """

    title: str
    licence: str
    addresses: tuple[str, ...]
    files: dict[str, str]
    read: Callable[[Sequence[Path]], Dataset]
    train: int
    test: int
    shape: tuple[int, ...]
    classes: int = 10


def overview(source: str) -> Overview:
    """Return what is known of the data set that ``data.source`` names before it is read.

    Raises
    ------
    InputError
        If it is a file that cannot be used.
    """
    if source not in SOURCES:
        return examine(source)
    known = SOURCES[source]
    return Overview(known.train, known.test, known.shape, known.classes)


def warnings(source: str, test_images: int) -> Iterator[str]:
    """Yield what is probably a mistake in a data set of which the first test images are used, one sentence each."""
    known = overview(source)
    yield from known.warnings
    if known.test_labels is not None:
        absent = sorted(set(range(known.classes)) - set(known.test_labels[:test_images].tolist()))
        if absent:
            listed = ", ".join(map(str, absent[:5])) + ", ..." * (len(absent) > 5)
            yield (
                f"{source}: the first {test_images} test images lack {len(absent)} of the {known.classes} classes "
                f"({listed}); shuffle a test set that is sorted by class, or raise data.test_images"
            )


def identity(source: str) -> str:
    """Return what tells a public data set from others: its name and a hash of its files' SHA-256."""
    return f"{source}:{hashlib.sha256(''.join(SOURCES[source].files.values()).encode()).hexdigest()[:16]}"


def archive_by_variable(source: str) -> str | None:
    """Return what the environment variable says in place of ``data.archive``."""
    return os.environ.get(ARCHIVE_VARIABLE) or None if source == "cifar10" else None


def brought(source: str, archive: str | None) -> dict[str, Path]:
    """Return where those files of a source are that need not be downloaded.

    Parameters
    ----------
    source
        A key of `SOURCES`.
    archive
        The source's only file, or a folder that holds its files (``data.archive``); None to look in `FOLDER`.

    Returns
    -------
    dict
        Path of the file by its key in `Source.files`.
    """
    files = SOURCES[source].files
    archive = archive or archive_by_variable(source)
    if archive is None:
        places = {file: FOLDER / file for file in files}
        return {file: path for file, path in places.items() if path.is_file()}
    if len(files) == 1 and not Path(archive).is_dir():
        return dict.fromkeys(files, Path(archive))
    return {file: Path(archive, Path(file).name) for file in files}


def files_of(source: str, archive: str | None) -> list[str]:
    """Return the files of a source: brought by hand (see `brought`), or else downloaded."""
    there = brought(source, archive)
    return [str(there.get(file, DOWNLOADS / file)) for file in SOURCES[source].files]


def source_of(file: str) -> str:
    """Return the source that a file belongs to."""
    return next(name for name, source in SOURCES.items() if file in source.files)


def download(source: str, file: str, path: str | os.PathLike) -> None:
    """Download a file of a data set, from the official address or else from a mirror, and check it.

    Parameters
    ----------
    source
        A key of `SOURCES`.
    file
        A key of its `Source.files`.
    path
        Where to write it.

    Raises
    ------
    InputError
        If it cannot be downloaded from any address.
    """
    failures = []
    for address in SOURCES[source].addresses:
        try:
            with atomic_write(path) as temporary:
                _fetch(address + Path(file).name, SOURCES[source].files[file], temporary)
            return
        except _DownloadError as error:
            failures.append(str(error))
    raise InputError(
        f"{SOURCES[source].title} could not be downloaded ({'; '.join(failures)}); give the same command again, or "
        f"where there is no network, bring the file here as {FOLDER / file}"
    )


class _DownloadError(Exception):
    """Says why a download failed."""


def _fetch(url: str, checksum: str, path: Path) -> None:
    """Download a file and check its SHA-256."""
    import pooch

    try:
        pooch.HTTPDownloader()(url, str(path), None)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise _DownloadError(f"{url}: {' '.join(str(error).split())}") from error
    if (downloaded := sha256(path)) != checksum:
        raise _DownloadError(f"{url}: what came has the SHA-256 {downloaded}, not {checksum}")


def read(source: str, paths: Sequence[str | os.PathLike]) -> Dataset:
    """Read a public data set from its files, without pickle and without unpacking archives to disk.

    Parameters
    ----------
    source
        A key of `SOURCES`.
    paths
        Of its files, in the order of `Source.files`.

    Raises
    ------
    InputError
        If a file is missing or not the official one.
    """
    title, files = SOURCES[source].title, SOURCES[source].files
    for path, (file, checksum) in zip(paths, files.items(), strict=True):
        if not Path(path).is_file():
            raise InputError(f"{path} does not exist; it must be {title}'s official file {Path(file).name}")
        if (actual := sha256(path)) != checksum:
            downloaded = Path(path).is_relative_to(DOWNLOADS)
            remedy = AGAIN if downloaded else f"it must be the one from {SOURCES[source].addresses[0]}"
            raise InputError(
                f"{path} is not {title}'s official file {Path(file).name}: its SHA-256 is {actual}, not {checksum}; "
                f"{remedy}"
            )
    return SOURCES[source].read([Path(path) for path in paths])


def _read_cifar(
    paths: Sequence[Path], *, folder: str, names: str, train: Sequence[str], test: str, labels: int
) -> Dataset:
    """Read the binary version of CIFAR-10 or CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html).

    Each file holds records of 1 or 2 bytes, `labels`, of which the last is the class, and 3072 bytes of pixels, one
    channel after another.
    """
    with tarfile.open(paths[0]) as tar:

        def member(name: str) -> bytes:
            info = tar.getmember(f"{folder}/{name}")
            file = tar.extractfile(info) if info.isreg() else None  # links may lead anywhere
            if file is None:
                raise InputError(f"{paths[0]}: {info.name} is not a file; it must be the official archive")
            return file.read()

        def records(name: str) -> tuple[np.ndarray, np.ndarray]:
            rows = np.frombuffer(member(name), np.uint8).reshape(-1, labels + 3072)
            pixels = rows[:, labels:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            return np.ascontiguousarray(pixels), rows[:, labels - 1].astype(np.int64)

        x_train, y_train = map(np.concatenate, zip(*map(records, train), strict=True))
        return Dataset(x_train, y_train, *records(test), np.array(member(names).decode().split()))


def _read_idx(paths: Sequence[Path], *, class_names: Sequence[str]) -> Dataset:
    """Read four files of MNIST's format: two zero bytes, type, rank, sizes as big-endian 32-bit integers, values."""

    def values(path: Path) -> np.ndarray:
        content = gzip.decompress(path.read_bytes())
        rank = content[3]
        sizes = np.frombuffer(content, ">u4", rank, offset=4)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(sizes)

    x_train, y_train, x_test, y_test = map(values, paths)
    return Dataset(
        x_train[..., np.newaxis],
        y_train.astype(np.int64),
        x_test[..., np.newaxis],
        y_test.astype(np.int64),
        np.array(class_names),
    )


def _read_svhn(paths: Sequence[Path]) -> Dataset:
    """Read SVHN's cropped digits from MATLAB files: images (32, 32, 3, n); labels 1 to 10, where 10 is the digit 0."""
    from scipy.io import loadmat

    def split(path: Path) -> tuple[np.ndarray, np.ndarray]:
        arrays = loadmat(path, variable_names=["X", "y"])
        return np.ascontiguousarray(arrays["X"].transpose(3, 0, 1, 2)), arrays["y"].ravel().astype(np.int64) % 10

    return Dataset(*split(paths[0]), *split(paths[1]), np.arange(10).astype(str))


def _read_digits(paths: Sequence[Path]) -> Dataset:
    """Return scikit-learn's 1797 handwritten digits, 8 x 8, scaled up to 32 x 32 x 3, in the range 0 to 1."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    scaled = zoom(digits.images / 16, (1, 4, 4), order=1, grid_mode=True, mode="nearest")
    images = np.repeat(scaled[..., np.newaxis], 3, axis=3).astype(np.float32)
    x_train, x_test, y_train, y_test = train_test_split(
        images, digits.target.astype(np.int64), test_size=500, random_state=0, stratify=digits.target
    )
    return Dataset(x_train, y_train, x_test, y_test, digits.target_names.astype(str))


def _idx_files(folder: str, *checksums: str) -> dict[str, str]:
    """Return the SHA-256 of each of the four files of a data set in MNIST's format."""
    names = [f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    return dict(zip([f"{folder}/{name}" for name in names], checksums, strict=True))


SOURCES = {
    "cifar10": Source(
        "CIFAR-10",
        "no licence is stated; cite A. Krizhevsky, Learning multiple layers of features from tiny images, 2009",
        ("https://www.cs.toronto.edu/~kriz/",),
        {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
        partial(
            _read_cifar,
            folder="cifar-10-batches-bin",
            names="batches.meta.txt",
            train=[f"data_batch_{i}.bin" for i in range(1, 6)],
            test="test_batch.bin",
            labels=1,
        ),
        50_000,
        10_000,
        (32, 32, 3),
    ),
    "cifar100": Source(
        "CIFAR-100",
        "no licence is stated; cite A. Krizhevsky, Learning multiple layers of features from tiny images, 2009",
        ("https://www.cs.toronto.edu/~kriz/",),
        {"cifar-100-binary.tar.gz": "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"},
        partial(
            _read_cifar,
            folder="cifar-100-binary",
            names="fine_label_names.txt",
            train=["train.bin"],
            test="test.bin",
            labels=2,
        ),
        50_000,
        10_000,
        (32, 32, 3),
        100,
    ),
    "mnist": Source(
        "MNIST",
        "CC BY-SA 3.0",
        (
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        _idx_files(
            "mnist",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        partial(_read_idx, class_names=[str(digit) for digit in range(10)]),
        60_000,
        10_000,
        (28, 28, 1),
    ),
    "fashion_mnist": Source(
        "Fashion-MNIST",
        "MIT licence",
        (
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        _idx_files(
            "fashion_mnist",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        partial(
            _read_idx,
            class_names=[
                "T-shirt",
                "trouser",
                "pullover",
                "dress",
                "coat",
                "sandal",
                "shirt",
                "sneaker",
                "bag",
                "ankle boot",
            ],
        ),
        60_000,
        10_000,
        (28, 28, 1),
    ),
    "kmnist": Source(
        "Kuzushiji-MNIST",
        "CC BY-SA 4.0: KMNIST Dataset (created by CODH), adapted from Kuzushiji Dataset (created by NIJL and others)",
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        _idx_files(
            "kmnist",
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
        partial(_read_idx, class_names=["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]),
        60_000,
        10_000,
        (28, 28, 1),
    ),
    "svhn_cropped": Source(
        "SVHN (cropped digits)",
        "for non-commercial use only",
        ("http://ufldl.stanford.edu/housenumbers/",),
        {
            "svhn_cropped/train_32x32.mat": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            "svhn_cropped/test_32x32.mat": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        },
        _read_svhn,
        73_257,
        26_032,
        (32, 32, 3),
    ),
    "digits": Source("scikit-learn's digits", "CC BY 4.0", (), {}, _read_digits, 1297, 500, (32, 32, 3)),
}
"""Every public data set by its name in ``data.source``."""
