"""Atomic, checksummed file I/O, and `InputError`."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 2
"""Version of the layout of files. Files of another version are made again, not guessed at."""

AGAIN = "delete it and give the same command again"
ALL_AGAIN = "give the same command once more with --forceall to make the experiment again"

_CHECKSUM, _METADATA = "checksum", "metadata"
_ABANDONED_S = 600
"""A temporary file that nobody has written to for so long was left by a process that was killed."""


class InputError(ValueError):
    """Unusable input. The message is one sentence: what is wrong, where, and what would be right."""


LARGEST_PIXEL = 1e12
"""With larger ones input currents are so large that rounding decides at which step LIF neurons spike."""


def check_pixels(images: np.ndarray, name: str = "the array of images") -> None:
    """Check that no pixel is NaN, infinite, or beyond `LARGEST_PIXEL`.

    Raises
    ------
    InputError
        Naming the array.
    """
    if images.size and not (images.min() >= -LARGEST_PIXEL and images.max() <= LARGEST_PIXEL):
        raise InputError(
            f"{name} has pixels that are NaN, infinite or beyond {LARGEST_PIXEL:g}; every pixel must be a number from "
            f"-{LARGEST_PIXEL:g} to {LARGEST_PIXEL:g}"
        )


@contextmanager
def exit_on_input_error() -> Iterator[None]:
    """End the program with the sentence of an `InputError`, without a traceback."""
    try:
        yield
    except InputError as error:
        sys.exit(f"Error: {error}")


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Write a file completely or not at all.

    The content is on the disk before the file gets its name, so that not even a power failure leaves half a file.

    Parameters
    ----------
    path
        The final path. Its folder is made if need be.

    Yields
    ------
    Path
        A temporary path in the same folder, with the same suffix, that becomes `path` when the block ends. It is
        removed if the block fails; if the process is killed, by a later call for the same `path`.

    Raises
    ------
    InputError
        If no space is left.
    """
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}~", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        _sync(temporary)
        temporary.replace(path)
        with suppress(OSError):  # not every file system can sync a folder
            _sync(path.parent)
    except OSError as error:
        # HDF5 passes on the words of the system, not always its number
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) and os.strerror(errno.ENOSPC) not in str(error):
            raise
        raise InputError(f"no space is left to write {path}; make room, then give the same command again") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove old temporary files of `path`. A process that still writes to one fails when it renames it."""
    prefix = f".{path.name}~"
    for entry in os.scandir(path.parent):
        with suppress(FileNotFoundError):  # its writer has just ended
            if entry.name.startswith(prefix) and time.time() - entry.stat().st_mtime > _ABANDONED_S:
                os.unlink(entry.path)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """Return the process's umask, which Python can only read by setting it."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


def checksum_record(path: str | os.PathLike, sha256: str) -> dict[str, Any]:
    """Return what a file carries for its readers to check.

    Parameters
    ----------
    path
        Where it is written. Paths spell the configuration, so a copy of another configuration's file is detected.
    sha256
        Of the content.
    """
    return {"format": FORMAT, "path": os.fspath(path), "sha256": sha256}


def check_record(
    path: str | os.PathLike, record: Mapping[str, Any] | None, sha256: str, *, renamed: bool = False
) -> None:
    """Check a file's checksum, origin and format version.

    Parameters
    ----------
    path
        Where it was read from. Only the folders that both paths have are compared: a folder of results may be moved.
    record
        The `checksum_record` that it carries, if any.
    sha256
        Of its content as read.
    renamed
        Whether it may have been written to another path.

    Raises
    ------
    InputError
        If the file was changed, was written to another path, or by another version of the workflow.
    """
    if not isinstance(record, Mapping) or set(record) != {"format", "path", "sha256"}:
        raise InputError(f"{path} was not made by this version of the workflow: it has no checksum; {AGAIN}")
    if record["format"] != FORMAT:
        raise InputError(
            f"{path} was made by another version of the workflow (format {record['format']}, not {FORMAT}); {AGAIN}"
        )
    if record["sha256"] != sha256:
        raise InputError(f"{path} was changed after it was written: its checksum does not fit; {AGAIN}")
    written, read = Path(record["path"]).parts, Path(path).parts
    common = min(len(written), len(read))
    if not renamed and written[-common:] != read[-common:]:
        raise InputError(f"{path} is not what its name says: it was written as {record['path']}; {AGAIN}")


def check_settings(path: str | os.PathLike, recorded: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Check that a file was made with the expected settings.

    Raises
    ------
    InputError
        Naming the settings that differ.
    """
    expected = json.loads(json.dumps(expected))  # as they come back from a file
    different = [key for key, value in expected.items() if key not in recorded or recorded[key] != value]
    if different:
        raise InputError(f"{path} was made with another {', '.join(different)} than belongs here; {ALL_AGAIN}")


def write_text(path: str | os.PathLike, text: str, *, checksum: bool = False) -> None:
    """Write a text file atomically.

    Parameters
    ----------
    path, text
    checksum
        Whether to put ``<path>.sha256`` beside it, for `read_text` and for ``sha256sum --check``.
    """
    if checksum:
        line = f"{hashlib.sha256(text.encode()).hexdigest()}  {Path(path).name}\n"
        write_text(checksum_file(path), line)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_text(path: str | os.PathLike) -> str:
    """Read a text file that was written with a checksum.

    Raises
    ------
    InputError
        If the file is missing or was changed, or its checksum is missing.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give the same command again") from error
    try:
        record = checksum_file(path).read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise InputError(f"{path} has no checksum in {checksum_file(path).name}; {AGAIN}") from error
    if record != f"{hashlib.sha256(content).hexdigest()}  {Path(path).name}\n":
        raise InputError(f"{path} was changed after it was written: its checksum does not fit; {AGAIN}")
    return content.decode()


def checksum_file(path: str | os.PathLike) -> Path:
    """Return the path of a text file's checksum."""
    return Path(f"{os.fspath(path)}.sha256")


def write_table(path: str | os.PathLike, table: pd.DataFrame) -> None:
    """Write a table as CSV without its index, with a checksum beside it."""
    write_text(path, table.to_csv(index=False), checksum=True)


def read_table(path: str | os.PathLike) -> pd.DataFrame:
    """Read a table that `write_table` wrote.

    Raises
    ------
    InputError
        As `read_text`.
    """
    import pandas as pd

    return pd.read_csv(io.StringIO(read_text(path)))


def write_json(path: str | os.PathLike, content: Mapping[str, Any]) -> None:
    """Write a JSON object atomically, its checksum in one more key. NaN and infinity are refused: JSON has none."""
    with_checksum = {**content, _CHECKSUM: checksum_record(path, hash_of_json(content))}
    write_text(path, json.dumps(with_checksum, indent=2, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises
    ------
    InputError
        If the file is missing, damaged, or not the one that was written here.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give the same command again") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a readable JSON file ({error}); {AGAIN}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a JSON object; {AGAIN}")
    record = content.pop(_CHECKSUM, None)
    check_record(path, record, hash_of_json(content))
    return content


def _refuse_constant(name: str) -> float:
    """Refuse NaN and infinity, which Python's parser takes but JSON has not."""
    raise ValueError(f"{name} is not JSON")


def hash_of_json(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a JSON object, whatever its layout in a file."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def write_npz(
    path: str | os.PathLike,
    arrays: Mapping[str, np.ndarray],
    metadata: Mapping[str, Any] | None = None,
    *,
    compressed: bool = True,
) -> None:
    """Write arrays as an ``.npz`` atomically, its checksum in one more array.

    Parameters
    ----------
    path, arrays
    metadata
        What JSON can hold, for `read_npz_with_metadata`.
    compressed
        Whether to compress the arrays.
    """
    content: dict[str, Any] = {name: np.asanyarray(array) for name, array in arrays.items()}
    if metadata is not None:
        content[_METADATA] = np.array(json.dumps(metadata, sort_keys=True))
    content[_CHECKSUM] = np.array(json.dumps(checksum_record(path, hash_of_arrays(content))))
    with atomic_write(path) as temporary, open(temporary, "wb") as file:  # NumPy gives names an ending, files none
        (np.savez_compressed if compressed else np.savez)(file, **content)


def read_npz(path: str | os.PathLike, *, checksum: bool = True, renamed: bool = False) -> dict[str, np.ndarray]:
    """Read all arrays of an ``.npz``, without pickle.

    Parameters
    ----------
    path
    checksum
        Whether it must be one that `write_npz` wrote to this path. A user's own file has no checksum; the ``.npz``
        format's own checksums detect damage there.
    renamed
        Whether it may have been written to another path.

    Raises
    ------
    InputError
        If the file is missing, damaged, holds Python objects, or is not the one that was written here.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if any(entry.comment for entry in file.zip.infolist()):  # NumPy writes none: a flipped bit
                raise ValueError("a comment hides the entries that follow")
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except Exception as error:  # zipfile, zlib, numpy and OS errors all mean the same to the user
        if isinstance(error, MemoryError) and _is_undamaged(path):
            raise
        why = " ".join(str(error).split())
        remedy = AGAIN if checksum else "bring it here anew or make it again"
        raise InputError(f"{path} is not a readable .npz file ({why}); {remedy}") from error
    text = arrays.pop(_CHECKSUM, None)
    if checksum:
        try:
            record = None if text is None else json.loads(str(text))
        except ValueError:
            record = None
        check_record(path, record, hash_of_arrays(arrays), renamed=renamed)
    return arrays


def read_npz_with_metadata(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], Any]:
    """Read an ``.npz`` that `write_npz` wrote with metadata; return its arrays and the metadata.

    Raises
    ------
    InputError
        As `read_npz`, or if it has no metadata.
    """
    arrays = read_npz(path)
    if _METADATA not in arrays:
        raise InputError(f"{path} is not what its name says: it has no metadata; {AGAIN}")
    metadata = json.loads(str(arrays.pop(_METADATA)))
    return arrays, metadata


def _is_undamaged(path: str | os.PathLike) -> bool:
    """Tell whether an archive's checksums fit: a damaged shape may ask for more memory than there is."""
    with zipfile.ZipFile(path) as archive:
        return archive.testzip() is None


def hash_of_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of arrays: of their names, types, shapes and values, in any order."""
    content = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        content.update(f"{name} {array.dtype.str} {arrays[name].shape}\n".encode())
        content.update(array.tobytes())
    return content.hexdigest()


def hash_of_file(path: str | os.PathLike) -> str:
    """Return how a file is named by its content: ``sha256:`` and the hash."""
    return f"sha256:{sha256(path)}"


def check_contents(paths: Iterable[str | os.PathLike], expected: Iterable[str]) -> None:
    """Check that a user's files are still those with which a run was planned.

    Parameters
    ----------
    paths
    expected
        The `hash_of_file` of each then.

    Raises
    ------
    InputError
        If one was changed since.
    """
    for path, content in zip(paths, expected, strict=True):
        if hash_of_file(path) != content:
            raise InputError(f"{path} was changed after this run had been planned; give the same command again")


def sha256(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
