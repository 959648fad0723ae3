"""What jobs ask for: memory and time by the size of the experiment, and more each time that a job is tried again.

Measured on one core for the paper's network in double precision (``benchmarks/cost.py``), rounded up. Jobs ask for ten
times as long: for slower cores and larger networks, and because a job that ends early costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

SECONDS_PER_IMAGE_STEP = {"event": 2e-4, "nengo-dl": 6e-3}
"""Of simulation, by engine."""


def scaled_by_attempt(first: float) -> Callable[[Any, int], int]:
    """Return a limit for Snakemake: `first` at the first attempt, then twice, then three times as much."""

    def limit(wildcards: Any, attempt: int) -> int:
        return math.ceil(first * attempt)

    return limit


def minutes(images: int, steps: int, engine: str) -> float:
    """Return minutes to ask for to simulate images, beside 10 for the start of a job on a busy cluster."""
    return 10 + 10 * images * steps * SECONDS_PER_IMAGE_STEP[engine] / 60


def megabytes(images_read: int, images_simulated: int, steps: int) -> float:
    """Return memory (MB) to ask for without TensorFlow: Python itself, pixels, and logits with their copies."""
    return 700 + 0.04 * images_read + 5e-4 * steps * images_simulated
