"""Change images at random while a CNN learns, in ways that leave their class as it is."""

from __future__ import annotations

import numpy as np


def augmented(images: np.ndarray, random: np.random.Generator, *, mirror: bool = False, shift: int = 0) -> np.ndarray:
    """Mirror about half of the images left to right, and shift each by up to a number of pixels along both axes.

    Parameters
    ----------
    images : (n, height, width, channels)
    random
        Draws which are mirrored, and how far each is shifted.
    mirror
        Whether images are mirrored.
    shift
        Largest shift, in pixels; what comes in from outside is the image reflected at its edge.

    Returns
    -------
    (n, height, width, channels)
        A copy, if anything changes.
    """
    if mirror:
        images = np.where(random.random(len(images))[:, None, None, None] < 0.5, images[:, :, ::-1], images)
    if shift:
        padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[1:3], axis=(1, 2))
        rows, columns = random.integers(2 * shift + 1, size=(2, len(images)))
        images = np.moveaxis(windows[np.arange(len(images)), rows, columns], 1, -1)
    return images
