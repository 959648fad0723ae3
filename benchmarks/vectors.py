"""What the innermost loop is worth, and how near it comes to what the processor can: `python benchmarks/vectors.py`.

Sums the weights of events as the second layer of the paper does (12 x 12 windows of 3 x 3 x 32 inputs, 64 outputs),
in double precision, with `vectors.add_windows` and with the same loop as numba compiles it. They take turns; the
smallest time of each counts. The last line has all inputs active: weights are read in order, as fast as they can be.
Prints a Markdown table.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from numba import njit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

from csnn.event.kernels import ConvolutionWeights
from csnn.event.plan import aligned
from csnn.event.vectors import add_windows

ROWS, COLUMNS, KERNEL, CHANNELS, OUTPUTS = 12, 12, 3, 32, 64
UNITS = (COLUMNS + KERNEL - 1) * CHANNELS
SHARES = {"SRL": 0.05, "LIF": 0.27, "RLR": 0.47, "all": 1.0}  # of inputs that are not zero
ROUNDS = 200


@njit(error_model="numpy", fastmath={"contract"})
def add_windows_plainly(first, unit, value, weights, origin, columns, width, result):
    """`add_windows` as one would write it: one event after the other onto the sums."""
    for column in range(columns):
        total = result[column * width : (column + 1) * width]
        for event in range(first[column], first[column + weights.kernel_columns]):
            row = weights.taps[origin + (unit[event] - column * weights.channels) * width :][:width]
            for i in range(width):
                total[i] += value[event] * row[i]


def over_rows(add):
    """Compile the sum over all rows of windows with one of the two functions."""

    @njit(nogil=True)
    def run(unit, value, first, weights, result):
        for row in range(ROWS):
            for kernel_row in range(KERNEL):
                origin, events = kernel_row * KERNEL * CHANNELS * OUTPUTS, row + kernel_row
                add(first[events], unit[events], value[events], weights, origin, COLUMNS, OUTPUTS, result[row])

    return run


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    taps = aligned(KERNEL * KERNEL * CHANNELS * OUTPUTS, np.float64)
    taps[:] = rng.normal(size=taps.size)
    weights = ConvolutionWeights(taps, np.zeros(0, np.int32), KERNEL, KERNEL, CHANNELS, OUTPUTS, OUTPUTS, 1, 1, 0, 0)
    ways = {"plain": over_rows(add_windows_plainly), "vectors": over_rows(add_windows)}
    print("| inputs not zero | loop | microseconds | billion multiply-adds a second |\n| --- | --- | ---: | ---: |")
    for neuron, share in SHARES.items():
        active = rng.random((ROWS + KERNEL - 1, UNITS)) < share
        unit, value = np.zeros(active.shape, np.int32), rng.random(active.shape)
        first = np.zeros((len(active), COLUMNS + KERNEL), np.int32)
        for row, which in enumerate(active):
            unit[row, : which.sum()] = np.flatnonzero(which)
            first[row, 1:] = np.cumsum(which.reshape(-1, CHANNELS).sum(axis=1))
        per_window = first[:, KERNEL:] - first[:, :-KERNEL]
        products = sum(per_window[row : row + KERNEL].sum() for row in range(ROWS)) * OUTPUTS
        result = aligned(ROWS * COLUMNS * OUTPUTS, np.float64).reshape(ROWS, -1)
        result[:] = 0
        times = dict.fromkeys(ways, np.inf)
        for _ in range(ROUNDS):
            for name, way in ways.items():
                start = time.perf_counter()
                way(unit, value, first, weights, result)
                times[name] = min(times[name], time.perf_counter() - start)
        for name, seconds in times.items():
            print(f"| {share:.0%} ({neuron}) | {name} | {seconds * 1e6:.1f} | {products / seconds / 1e9:.1f} |")


if __name__ == "__main__":
    main()
