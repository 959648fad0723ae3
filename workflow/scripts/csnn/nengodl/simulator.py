"""The reference simulator: NengoDL itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from csnn.files import check_pixels
from csnn.nengodl_compat import nengo_dl


def simulate(
    converter: nengo_dl.Converter,
    images: np.ndarray,
    *,
    dt_s: float,
    steps: int,
    minibatch: int,
    on_images_done: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Show each image to the network for some steps and return the logits of every step.

    Parameters
    ----------
    converter
        The converted network, with seed and precision set (see `csnn.nengodl.conversion.convert`).
    images : (n, height, width, channels)
        Pixel values as the CNN takes them.
    dt_s
        Length of a time step in seconds.
    steps
        Number of time steps.
    minibatch
        Images simulated together. The last minibatch is filled up with black images, so that every image is
        computed by the same operations wherever a shard begins or ends.
    on_images_done
        Called after each minibatch with the number of images done so far.

    Returns
    -------
    (n, steps, classes) float32 or float64
        Logits at every step, in the network's precision.

    Raises
    ------
    InputError
        As `csnn.files.check_pixels`.
    """
    check_pixels(images)
    source = converter.inputs[converter.model.input]
    probe = converter.outputs[converter.model.output]
    flat = images.reshape(len(images), 1, -1)
    logits = []
    with nengo_dl.Simulator(
        converter.net, dt=dt_s, minibatch_size=minibatch, seed=converter.net.seed, progress_bar=False
    ) as simulator:
        dtype = simulator.tensor_graph.dtype
        for start in range(0, len(flat), minibatch):
            batch = flat[start : start + minibatch]
            shown = np.zeros((minibatch, steps, flat.shape[2]), dtype)
            shown[: len(batch)] = batch
            logits.append(simulator.predict_on_batch({source: shown})[probe][: len(batch)])
            if on_images_done:
                on_images_done(start + len(batch))
    return np.concatenate(logits)
