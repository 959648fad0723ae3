"""Where compiled kernels are kept, and the decorator that compiles them.

Numba keeps what it compiled, per type of machine, in a folder. Here that folder is ``$CSNN_CACHE``, else the user's
cache folder (``$XDG_CACHE_HOME/csnn`` or ``~/.cache/csnn``), else, where that cannot be written, one below the system's
folder for temporary files that only the user can read and write. The code's own folder may be read-only. Kernels lie in
a subfolder named after the content of the engine's and the neuron types' sources, because numba itself would miss a
change in a module that a kernel calls.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numba
from llvmlite.binding import get_host_cpu_features, get_host_cpu_name
from numba.core import config

from csnn import neurons

_numba_settings: dict[str, Any] = vars(config)
# whatever $NUMBA_DISABLE_JIT says: the loops of csnn.event.vectors exist compiled only
_numba_settings["DISABLE_JIT"] = 0
if _numba_settings["CPU_FEATURES"] is None and get_host_cpu_features().get("avx512f"):
    # LLVM would split vectors of 512 bits on many processors that have them: steps of neurons take a tenth longer then
    _numba_settings["CPU_FEATURES"] = get_host_cpu_features().flatten() + ",-prefer-256-bit"


ALLOCATES_NOTHING: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
"""Numba's options for functions that allocate no arrays: without counting references, an atomic operation per slice."""


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _is_private(folder: Path) -> bool:
    """Whether `folder`, which is made if need be, is the user's and nobody else's: what lies in it is run."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid() and not state.st_mode & 0o077


@cache
def cache_folder() -> Path:
    """The folder for the kernels of this version of the engine; it exists and can be written."""
    sources = hashlib.sha256(numba.__version__.encode())
    packages = (Path(__file__).parent, Path(neurons.__file__).parent)
    for source in sorted(source for package in packages for source in package.glob("*.py")):
        sources.update(source.read_bytes())
    version = sources.hexdigest()[:16]
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "csnn"
    wanted = Path(os.environ["CSNN_CACHE"]) if os.environ.get("CSNN_CACHE") else user_cache
    temporary = Path(tempfile.gettempdir()) / f"csnn-{getpass.getuser()}"
    if _is_writable(wanted / version):
        return wanted / version
    if _is_private(temporary) and _is_writable(temporary / version):
        return temporary / version
    return Path(tempfile.mkdtemp(prefix="csnn-"))


def kernel(function: Callable, allocates: bool = True) -> Callable:
    """Compile a function with numba on its first call: without the GIL, kept in `cache_folder`.

    Multiplications and additions may be contracted to one rounding; nothing else that changes a result is allowed.
    A function that does not allocate arrays need not count references to them.
    """
    options = {"error_model": "numpy"} if allocates else ALLOCATES_NOTHING
    with mock.patch.object(config, "CACHE_DIR", str(cache_folder())):
        return numba.njit(cache=True, nogil=True, fastmath={"contract"}, **options)(function)


@contextmanager
def compiling_alone(what: str) -> Iterator[None]:
    """Let one process at a time compile into the cache; those that come later find it filled.

    Numba's own index of a cache folder can lose or mix up entries that two processes add at once.

    Parameters
    ----------
    what
        Name of the set of kernels, for example their precision. Once it was compiled nobody waits any more.
    """
    done = cache_folder() / f"{what}-{get_host_cpu_name()}.compiled"
    if done.exists():
        yield
        return
    with open(cache_folder() / "lock", "w") as lock:
        with suppress(OSError):  # a file system without locks: compile without one
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
        done.touch()
