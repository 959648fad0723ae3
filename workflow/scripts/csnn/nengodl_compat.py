"""NengoDL 3.6 on current TensorFlow: import ``tf`` and ``nengo_dl`` from here, before anything else imports TensorFlow.

NengoDL 3.6.0, the last release, imports two private names of Keras 2 (``keras.engine.functional`` and
``keras.layers.BatchNormalizationV1``/``V2``) that TensorFlow has since moved to the package ``tf_keras``. They are
lent to it under their old names while it is imported; afterwards every other module sees the real ``keras`` again.

NengoDL also asks for GPUs by starting a second Python that imports TensorFlow, which doubles the time that importing it
takes. Here this process answers instead.
"""

import importlib
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
    raise ImportError("import csnn.nengodl_compat before tensorflow: NengoDL needs TensorFlow's legacy Keras")
os.environ["TF_USE_LEGACY_KERAS"] = "1"


@contextmanager
def _without_native_messages() -> Iterator[None]:
    """Discard what native code prints, unless TF_CPP_MIN_LOG_LEVEL is set: TensorFlow's notes on absent GPUs.

    The level alone does not: what TensorFlow logs while it is imported is printed whatever it is.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    stderr = os.dup(2)
    with open(os.devnull, "w") as devnull:
        os.dup2(devnull.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


with _without_native_messages():
    import tensorflow as tf

    _GPUS = tf.config.list_physical_devices("GPU")

_LENT = {
    "keras": "tf_keras",
    "keras.layers": "tf_keras.src.layers",
    "keras.engine": "tf_keras.src.engine",
    "keras.engine.functional": "tf_keras.src.engine.functional",
}


def _import_nengo_dl():
    """Import NengoDL with the old Keras names in place and no second process, then restore what was there."""
    lent = {name: importlib.import_module(source) for name, source in _LENT.items()}
    real = {name: sys.modules.get(name) for name in _LENT}
    sys.modules.update(lent)
    try:
        # the exit code that the second Python would have: whether there is no GPU
        with warnings.catch_warnings(), mock.patch.object(subprocess, "call", lambda command: int(not _GPUS)):
            # Nengo 4.1 is newer than what NengoDL 3.6 declares: tests/unit/test_nengodl.py
            warnings.filterwarnings("ignore", message=".*has not been tested with your Nengo version.*")
            return importlib.import_module("nengo_dl")
    finally:
        for name, module in real.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


nengo_dl = _import_nengo_dl()

if not tf.keras.Model.__module__.startswith("tf_keras"):
    raise ImportError(
        f"tf.keras.Model comes from {tf.keras.Model.__module__}, but NengoDL needs tf_keras: "
        "import csnn.nengodl_compat before anything touches tf.keras"
    )

# Keras reads these from a file in the user's home folder, which is not to change what a run computes
tf.keras.backend.set_floatx("float32")
tf.keras.backend.set_image_data_format("channels_last")
tf.keras.backend.set_epsilon(1e-7)


def use_threads(threads: int) -> None:
    """Limit TensorFlow to the cores that the job was given.

    Parameters
    ----------
    threads
        Number of cores, as in a rule's ``threads``.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
