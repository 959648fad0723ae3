"""Weights of few bits, of quantised CNNs and of spiking networks alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rounded(weights: NDArray[np.floating], bits: int) -> NDArray[np.float64]:
    """Round weights to a symmetric grid of 2**bits - 1 values.

    Uniform, one step for the whole array, largest weight / (2**(bits - 1) - 1), as Krishnamoorthi, Quantizing deep
    convolutional networks for efficient inference (2018), section 2.2, has it for weights.
    """
    largest = np.abs(weights).max(initial=0)
    if not largest:
        return weights.astype(np.float64)
    step = float(largest) / (2 ** (bits - 1) - 1)
    return np.rint(weights.astype(np.float64) / step) * step
