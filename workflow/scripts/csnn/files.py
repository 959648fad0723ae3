"""Files that are whole or not there at all, sealed by a hash of their content, and the one error a user can act on."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import socket
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 1
"""Version of how files are sealed and laid out; files of another one are made again rather than guessed at."""

AGAIN = "delete it and give the same command again"

_SEAL = "seal"
_ABANDONED_S = 600
"""A temporary file of another machine, where its writer cannot be looked up, is abandoned after so long a silence."""


class InputError(ValueError):
    """Something that the user gave is not usable. The message is one sentence: what, where, and what would be right."""


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path to write to, which becomes `path` when everything was written.

    Parameters
    ----------
    path
        The final path; its folder is made if need be.

    Yields
    ------
    Path
        A path in the same folder with the same ending. It is removed if writing fails; if the process is killed, by the
        next one that writes `path`.

    Raises
    ------
    InputError
        If there is no space left.
    """
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        writer = f"{socket.gethostname()}~{os.getpid()}~{_started(os.getpid())}"
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}~{writer}~", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        # HDF5 passes on the words of the system, not always its number
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) and os.strerror(errno.ENOSPC) not in str(error):
            raise
        raise InputError(f"no space is left to write {path}; make room, then give the same command again") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of `path` whose writers were killed, and none of a writer that lives."""
    temporary = re.compile(rf"\.{re.escape(path.name)}~(?P<machine>[^~]+)~(?P<process>\d+)~(?P<started>\d+)~[^~]+")
    for entry in os.scandir(path.parent):
        writer = temporary.fullmatch(entry.name)
        if writer is None:
            continue
        try:
            if writer["machine"] == socket.gethostname():
                abandoned = _started(int(writer["process"])) != writer["started"]
            else:
                abandoned = time.time() - entry.stat().st_mtime > _ABANDONED_S
            if abandoned:
                os.unlink(entry.path)
        except FileNotFoundError:  # its writer has just ended
            continue


def _started(process: int) -> str | None:
    """Return when a process started, in the system's ticks, or None if it does not live: its number may come again."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state[0] in "ZX" else state[19]


def _umask() -> int:
    """Return the process's umask, which Python can only read by setting it."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file whole."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def seal(path: str | os.PathLike, content: str) -> dict[str, Any]:
    """Return what stands in a file for its readers to check: format version, its own path, and its content's hash.

    The path says what the file is for, since paths here spell the configuration: so a copy of another's file is known.
    """
    return {"format": FORMAT, "path": os.fspath(path), "sha256": content}


def check_seal(path: str | os.PathLike, found: Mapping[str, Any] | None, content: str) -> None:
    """Hold a file to its seal.

    Parameters
    ----------
    path
        Where it was read from. Folders above the one it was written in do not count.
    found
        The seal in it, if there is one.
    content
        The hash of its content as read.

    Raises
    ------
    InputError
        If the file was changed, belongs to another place, or was made by another version.
    """
    if not isinstance(found, Mapping) or set(found) != {"format", "path", "sha256"}:
        raise InputError(f"{path} was not made by this version of the workflow: it has no content hash; {AGAIN}")
    if found["format"] != FORMAT:
        raise InputError(
            f"{path} was made by another version of the workflow (format {found['format']}, not {FORMAT}); {AGAIN}"
        )
    if found["sha256"] != content:
        raise InputError(f"{path} was changed after it was written: its content hash does not fit; {AGAIN}")
    written, read = Path(found["path"]).parts, Path(path).parts
    common = min(len(written), len(read))
    if written[-common:] != read[-common:]:
        raise InputError(f"{path} is not what its name says: it was written as {found['path']}; {AGAIN}")


def check_settings(path: str | os.PathLike, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Hold the settings that a file was made with to those that its place in the experiment asks for.

    Raises
    ------
    InputError
        Naming the settings that differ.
    """
    wanted = json.loads(json.dumps(wanted))  # as they come back from a file
    different = [key for key, value in wanted.items() if key not in found or found[key] != value]
    if different:
        raise InputError(f"{path} was made with another {', '.join(different)} than belongs here; {AGAIN}")


def write_json(path: str | os.PathLike, content: Mapping[str, Any]) -> None:
    """Write a JSON object whole, sealed by one more key; NaN and infinity are refused because JSON has none."""
    sealed = {**content, _SEAL: seal(path, _hash_of_json(content))}
    write_text(path, json.dumps(sealed, indent=2, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises
    ------
    InputError
        If the file is missing, damaged, or not the one that was written here.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give the same command again") from error
    except ValueError as error:
        raise InputError(f"{path} is not a readable JSON file ({error}); {AGAIN}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a JSON object; {AGAIN}")
    found = content.pop(_SEAL, None)
    check_seal(path, found, _hash_of_json(content))
    return content


def _hash_of_json(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a JSON object, whatever its layout in the file."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def write_npz(path: str | os.PathLike, arrays: Mapping[str, np.ndarray], *, compressed: bool = True) -> None:
    """Write arrays as an ``.npz`` whole, sealed by one more array, a text."""
    arrays = {name: np.asanyarray(array) for name, array in arrays.items()}
    sealed = {**arrays, _SEAL: np.array(json.dumps(seal(path, hash_of_arrays(arrays))))}
    with whole_file(path) as temporary:
        (np.savez_compressed if compressed else np.savez)(temporary, **sealed)


def read_npz(path: str | os.PathLike, *, sealed: bool = True) -> dict[str, np.ndarray]:
    """Read all arrays of an ``.npz``, without pickle.

    Parameters
    ----------
    path
    sealed
        Whether it must be one that `write_npz` wrote to this path. A user's own file has no seal; the ``.npz`` format's
        own checksums find damage there.

    Raises
    ------
    InputError
        If the file is missing, damaged, holds Python objects, or is not the one that was written here.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except Exception as error:  # zipfile, zlib, numpy and OS errors all mean the same to the user
        if isinstance(error, MemoryError) and _sound(path):
            raise
        why = " ".join(str(error).split())
        remedy = AGAIN if sealed else "bring it here anew or make it again"
        raise InputError(f"{path} is not a readable .npz file ({why}); {remedy}") from error
    if sealed:
        found = arrays.pop(_SEAL, None)
        try:
            found = found and json.loads(str(found))
        except ValueError:
            found = None
        check_seal(path, found, hash_of_arrays(arrays))
    else:
        arrays.pop(_SEAL, None)
    return arrays


def write_fields(path: str | os.PathLike, fields: Mapping[str, Any]) -> None:
    """Write named values as an ``.npz``: arrays as they are, everything else as JSON."""
    write_npz(
        path,
        {
            name: value if isinstance(value, np.ndarray) else np.array(json.dumps(value, sort_keys=True))
            for name, value in fields.items()
        },
    )


def read_fields(path: str | os.PathLike) -> dict[str, Any]:
    """Read what `write_fields` wrote; a text array without dimensions holds JSON."""
    return {
        name: json.loads(str(array)) if array.dtype.kind == "U" and array.ndim == 0 else array
        for name, array in read_npz(path).items()
    }


def _sound(path: str | os.PathLike) -> bool:
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


def sha256(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
