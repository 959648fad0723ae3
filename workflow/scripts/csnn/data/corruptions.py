"""Disturbed images: five kinds of corruption at five strengths.

In the style of Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and Perturbations
(ICLR 2019): the formulas, and the severities of CIFAR-10-C, of its noise, blur, contrast and brightness. Pixel loss is
this project's own. Pixels are not rounded to 8 bits, as they are in CIFAR-10-C.

Formulas are for pixels in [0, 1]; those of other ranges are brought there and back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

LEVELS = 5
"""Strengths are levels from 1 to this."""


class Corruption(NamedTuple):
    """A kind of corruption.

    Attributes
    ----------
    title
        Its name in figures and tables.
    values
        The formula's parameter at each level.
    formula
        Takes images (images, rows, columns, channels) in [0, 1], the parameter and a random generator.
    """

    title: str
    values: tuple[float, ...]
    formula: Callable[[NDArray, float, Generator], NDArray]


def gaussian_noise(images: NDArray, standard_deviation: float, rng: Generator) -> NDArray:
    """Add normal noise to each pixel and channel."""
    return images + rng.normal(scale=standard_deviation, size=images.shape)


def blur(images: NDArray, sigma_pixels: float, rng: Generator) -> NDArray:
    """Filter rows and columns with a Gaussian, in pixels; the edge pixels go on beyond the edges."""
    from scipy.ndimage import gaussian_filter  # only where it is needed

    return gaussian_filter(images, sigma_pixels, axes=(1, 2), mode="nearest")


def contrast(images: NDArray, factor: float, rng: Generator) -> NDArray:
    """Bring pixels nearer to the mean of their image and channel by a factor."""
    means = images.mean(axis=(1, 2), keepdims=True)
    return means + factor * (images - means)


def brightness(images: NDArray, more: float, rng: Generator) -> NDArray:
    """Raise the value of each pixel in the HSV colour space, its largest channel, and keep hue and saturation."""
    value = images.max(axis=3, keepdims=True)
    raised = np.minimum(value + more, 1)
    return np.where(value > 0, images * (raised / np.where(value > 0, value, 1)), raised)


def pixel_loss(images: NDArray, share: float, rng: Generator) -> NDArray:
    """Set a share of the pixels, drawn at random, to 0 in all channels."""
    return images * (rng.random(images.shape[:3]) >= share)[..., np.newaxis]


CORRUPTIONS = {
    "gaussian_noise": Corruption("Gaussian noise", (0.04, 0.06, 0.08, 0.09, 0.10), gaussian_noise),
    "blur": Corruption("Blur", (0.4, 0.6, 0.7, 0.8, 1.0), blur),
    "contrast": Corruption("Contrast", (0.75, 0.5, 0.4, 0.3, 0.15), contrast),
    "brightness": Corruption("Brightness", (0.05, 0.1, 0.15, 0.2, 0.3), brightness),
    "pixel_loss": Corruption("Pixel loss", (0.05, 0.1, 0.2, 0.3, 0.5), pixel_loss),
}
"""Every kind by its name in the configuration."""


def corrupt(images: NDArray, kind: str, strength: int, seed: int = 0) -> NDArray[np.float32]:
    """Disturb images.

    Parameters
    ----------
    images : array of float, shape (images, rows, columns, channels)
        As the CNN takes them. Their range is 0 to 1, or as far beyond as the smallest and largest of these pixels are;
        no disturbed pixel leaves it.
    kind
        One of `CORRUPTIONS`.
    strength
        A level from 1 to `LEVELS`.
    seed
        Of what is drawn at random; the first images are disturbed alike however many follow.
    """
    corruption = CORRUPTIONS[kind]
    low, high = min(0.0, float(images.min())), max(1.0, float(images.max()))
    unit = (images.astype(np.float64) - low) / (high - low)
    rng = np.random.default_rng([seed, strength])
    disturbed = np.clip(corruption.formula(unit, corruption.values[strength - 1], rng), 0, 1)
    return (low + (high - low) * disturbed).astype(np.float32)


def stack(selection: dict[str, NDArray], kind: str, strengths: Sequence[int], images: int, seed: int) -> dict:
    """Return a selection (see `csnn.data.images.select`) of its first images at one strength after another."""
    first = selection["images"][:images]
    return selection | {
        "images": np.concatenate([corrupt(first, kind, strength, seed) for strength in strengths]),
        **{name: np.tile(selection[name][:images], len(strengths)) for name in ("labels", "indices")},
    }
