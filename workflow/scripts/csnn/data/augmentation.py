"""Change images at random while a CNN learns, in ways that leave their class as it is."""

from __future__ import annotations

import numpy as np


def augmented(
    images: np.ndarray, random: np.random.Generator, *, mirror: bool = False, shift: int = 0, cutout: int = 0
) -> np.ndarray:
    """Mirror about half of the images left to right, shift each along both axes, and blacken a square of each.

    Parameters
    ----------
    images : (n, height, width, channels)
    random
        Draws which are mirrored, how far each is shifted, and where its square is.
    mirror
        Whether images are mirrored.
    shift
        Largest shift, in pixels; what comes in from outside is the image reflected at its edge.
    cutout
        Height and width of the square, in pixels, whose centre lies anywhere in the image (DeVries and Taylor 2017,
        "Improved regularization of convolutional neural networks with cutout").

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
    if cutout:
        starts = random.integers(images.shape[1:3], size=(len(images), 2)) - cutout // 2
        inside = [
            (start[:, None] <= pixels) & (pixels < start[:, None] + cutout)
            for start, pixels in zip(starts.T, map(np.arange, images.shape[1:3]), strict=True)
        ]
        images = np.where((inside[0][:, :, None] & inside[1][:, None, :])[..., None], images.dtype.type(0), images)
    return images
