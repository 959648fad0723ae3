"""What every script does around its work: it checks its code, keeps a log, and says in one sentence why it failed."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from csnn.experiment import code
from csnn.files import InputError, sha256

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

LARGEST_CHECKED = 100_000_000
"""Size in bytes of the largest file whose content is compared, as in ``profiles/default/profile.yaml``."""


@contextmanager
def logged(job: Snakemake) -> Iterator[Callable[[str], None]]:
    """Send all output of a job to its log; on failure, print one sentence in the terminal too and exit with code 1.

    Parameters
    ----------
    job
        The object ``snakemake`` of a script. Without a log (in a debugger, see ``workflow/debug.py``) nothing is
        redirected and no exception caught.

    Yields
    ------
    function (str) -> None
        Prints a warning, one sentence, in the terminal and in the log.

    Notes
    -----
    Works on file descriptors, so that what TensorFlow's native code prints goes to the log as well. The log of a job
    that went well ends with what it made, and with what (see `made_with`).
    """
    if not job.log:
        yield print
        return
    log = job.log[0]
    sys.stdout.flush()
    sys.stderr.flush()
    terminal = os.dup(2)
    # as an exception, so that files that are being written are cleared away: schedulers end jobs so
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        with open(log, "w", encoding="utf-8") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
    except OSError as error:
        os.write(terminal, f"Error: {error.strerror}: {log}\n".encode())
        os._exit(1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        if planned := job.params.get("code"):
            _check_code(Path(str(sys.modules["__main__"].__file__)).name, planned)
        yield partial(_warn, terminal)
        print(made_with(job.rule, job.input, job.output, dict(job.params.items())), flush=True)
    except InputError as error:
        sentence = f"Error: {error}"
    except MemoryError:
        sentence = "Error: the job needs more memory than there is; give its rule more (mem_mb) or use smaller shards"
    except OSError as error:
        _print_traceback()
        sentence = f"Error: {error.strerror or error}: {error.filename or f'writing {log}'} (details: {log})"
    except Exception as error:
        _print_traceback()
        sentence = f"Error: {type(error).__name__}: {' '.join(str(error).split())} (details: {log})"
    else:
        return
    os.write(terminal, f"{sentence}\n".encode())
    with suppress(OSError):  # the log's disk may be full
        print(sentence, file=sys.stderr, flush=True)
    # without unwinding: an exception would print a traceback of the script around the sentence
    os._exit(1)


def _warn(terminal: int, sentence: str) -> None:
    """Print a warning in the terminal, a file descriptor, and in the log."""
    os.write(terminal, f"Warning: {sentence}\n".encode())
    print(f"Warning: {sentence}", flush=True)


def _print_traceback() -> None:
    """Print the exception to the log, unless the log's disk is full."""
    with suppress(OSError):
        traceback.print_exc()


def _check_code(script: str, planned: str) -> None:
    """Check that a job runs the code with which its run was planned, and import it before it can change.

    Raises
    ------
    InputError
        If a file was changed since, as ``git pull`` does.
    """
    times = {file: file.stat().st_mtime_ns for file in code.files(script)}
    same = code.digest(script) == planned
    if same:
        code.import_modules(script)
    if not same or times != {file: file.stat().st_mtime_ns for file in times}:
        raise InputError(
            f"the code of {script} was changed after this run had been planned, and what was made before would not "
            "belong to what is made now; give the same command again"
        )


def made_with(rule: str, inputs: Iterable[str], outputs: Iterable[str], params: Mapping[str, Any]) -> str:
    """Return a line of JSON that says what a job made, and with which files, settings and code.

    It says so in the form in which Snakemake does: so results whose records it has lost can be told from others (see
    `csnn.experiment.records`).
    """
    checksums = {path: sha256(path) for path in inputs if os.path.getsize(path) <= LARGEST_CHECKED}
    return json.dumps(
        {
            "rule": rule,
            "output": list(outputs),
            "params": {name: repr(value) for name, value in params.items()},
            "input": sorted(inputs),
            "input_checksums": checksums,
        }
    )


def progress(total: int, unit: str = "images", every_s: float = 5.0) -> Callable[[int], None]:
    """Return a function that prints how much is done and how long the rest will take, as lines of a log.

    Parameters
    ----------
    total
        How much there is to do.
    unit
        Of what.
    every_s
        Seconds between two lines; the last is always printed.
    """
    start = last = time.monotonic()
    print(f"0/{total} {unit}", flush=True)

    def done(count: int) -> None:
        nonlocal last
        now = time.monotonic()
        if count >= total or now - last >= every_s:
            last = now
            print(tqdm.format_meter(count, total, now - start, unit=f" {unit}", ncols=100, ascii=True), flush=True)

    return done
