"""What the hand-written innermost loop and compact weights are worth: `python benchmarks/vectors.py`.

Sums the weights of events as the paper's second layer does (windows of 3 rows of 3 x 32 inputs, 64 outputs), with
`vectors.add_rows` and with the same loop as numba compiles it, for weights of double and of single precision. They take
turns; the smallest time of each counts. Prints a Markdown table.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from numba import njit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

from csnn.event.vectors import add_rows

WINDOWS, KERNEL_ROWS, UNITS, OUTPUTS = 144, 3, 96, 64  # UNITS: inputs in one row of a window
SHARES = {"SRL": 0.05, "LIF": 0.27, "RLR": 0.47}  # of inputs that are not zero
ROUNDS = 200


@njit(error_model="numpy", fastmath={"contract"})
def add_rows_plainly(unit, value, start, stop, weights, origin, stride, result, at, count):
    """`add_rows` as one would write it: one event after the other onto the sums."""
    total = result[at : at + count]
    for event in range(start, stop):
        row = weights[origin + stride * unit[event] :][:count]
        for i in range(count):
            total[i] += value[event] * row[i]


def over_windows(add):
    """Compile the sum over all windows with one of the two functions."""

    @njit(nogil=True)
    def run(unit, value, first, weights, result):
        for window in range(WINDOWS):
            for row in range(KERNEL_ROWS):
                start, stop = first[window * KERNEL_ROWS + row], first[window * KERNEL_ROWS + row + 1]
                origin = row * UNITS * OUTPUTS
                add(unit, value, start, stop, weights, origin, OUTPUTS, result, window * OUTPUTS, OUTPUTS)

    return run


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    ways = {"plain": over_windows(add_rows_plainly), "vectors": over_windows(add_rows)}
    print(
        "| inputs not zero | loop | weights | microseconds | against plain, double |\n| --- | --- | --- | ---: | ---: |"
    )
    for neuron, share in SHARES.items():
        active = rng.random((WINDOWS * KERNEL_ROWS, UNITS)) < share
        unit = np.nonzero(active)[1].astype(np.int32)
        first = np.concatenate([[0], np.cumsum(active.sum(axis=1))]).astype(np.int32)
        value, result = rng.random(unit.size), np.zeros(WINDOWS * OUTPUTS)
        cases = {
            (name, kind.__name__): (way, rng.normal(size=KERNEL_ROWS * UNITS * OUTPUTS).astype(kind))
            for name, way in ways.items()
            for kind in (np.float64, np.float32)
        }
        times = dict.fromkeys(cases, np.inf)
        for _ in range(ROUNDS):
            for case, (way, weights) in cases.items():
                start = time.perf_counter()
                way(unit, value, first, weights, result)
                times[case] = min(times[case], time.perf_counter() - start)
        for (name, kind), seconds in times.items():
            ratio = times["plain", "float64"] / seconds
            print(f"| {share:.0%} ({neuron}) | {name} | {kind} | {seconds * 1e6:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
