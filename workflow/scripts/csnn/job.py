"""What every script does around its work: its log, and one sentence when it fails."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tqdm import tqdm

from csnn.files import InputError

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake


@contextmanager
def logged(job: Snakemake) -> Iterator[None]:
    """Send all output of a job to its log; on failure, print one sentence in the terminal too and exit with code 1.

    Parameters
    ----------
    job
        The object ``snakemake`` of a script. Without a log (in a debugger, see `csnn.debug`) nothing is redirected and
        exceptions are not caught.

    Notes
    -----
    Works on file descriptors, so that what TensorFlow's native code prints goes to the log as well.
    """
    if not job.log:
        yield
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
    sys.stdout.reconfigure(line_buffering=True)
    try:
        yield
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


def _print_traceback() -> None:
    """Print the exception to the log, unless the log's disk is full."""
    with suppress(OSError):
        traceback.print_exc()


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
