"""Spikes and membrane potentials of some neurons under one image, the same neurons for every neuron type."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn.files import read_npz_with_metadata, write_npz

PER_LAYER = 40
"""Neurons of each layer whose spikes are kept."""


class Recording(NamedTuple):
    """What some neurons did while one image was shown.

    Attributes
    ----------
    spikes : dict
        By neuron type: of each layer spikes per step, shape (steps, neurons); of rate neurons the rate times dt.
    voltages : dict
        By neuron type: membrane potential, in units of the threshold, of one neuron of the first layer, the same for
        every type and under the same input, shape (steps,); not a number for rate neurons, which have none.
    output : dict
        By neuron type: spikes per step of that neuron, shape (steps,).
    tau_syn_s, dt_s : float
    """

    spikes: dict[str, list[NDArray[np.float64]]]
    voltages: dict[str, NDArray[np.float64]]
    output: dict[str, NDArray[np.float64]]
    tau_syn_s: float | None
    dt_s: float


def sample(
    spikes: Mapping[str, Mapping[int, NDArray]],
    voltages: Mapping[str, NDArray],
    *,
    tau_syn_s: float | None,
    dt_s: float,
) -> Recording:
    """Draw a sample of neurons, small enough for a figure, from everything that they did under one image.

    Parameters
    ----------
    spikes
        By neuron type and layer: spikes per step of all neurons, shape (steps, neurons).
    voltages
        By neuron type: membrane potentials of the first layer, shape (steps, neurons).
    tau_syn_s, dt_s

    Notes
    -----
    Neurons are drawn at random, with a fixed seed, among those of their layer that fire in any of the networks: most
    neurons are silent under one image. The one whose membrane potential is kept fires, in the first spiking network,
    nearest to 30 Hz: often enough to be seen there, and seldom enough for LIF neurons, whose rate soon saturates.
    """
    rng = np.random.default_rng(0)
    chosen = []
    for layer in next(iter(spikes.values())):
        fires = np.flatnonzero(sum(trains[layer].sum(axis=0) for trains in spikes.values()))
        chosen.append(np.sort(rng.permutation(fires)[:PER_LAYER]))
    first = next((name for name in spikes if not np.isnan(voltages[name]).all()), next(iter(spikes)))
    rates_hz = spikes[first][0].mean(axis=0) / dt_s
    example = int(np.abs(rates_hz - 30).argmin())
    return Recording(
        {name: [trains[layer][:, shown] for layer, shown in enumerate(chosen)] for name, trains in spikes.items()},
        {name: potentials[:, example] for name, potentials in voltages.items()},
        {name: trains[0][:, example] for name, trains in spikes.items()},
        tau_syn_s,
        dt_s,
    )


def write(path: str | os.PathLike, recording: Recording) -> None:
    """Write a recording."""
    arrays = {
        "voltages": np.array(list(recording.voltages.values())),
        "output": np.array(list(recording.output.values())),
    }
    for layer, spikes in enumerate(zip(*recording.spikes.values(), strict=True)):
        arrays[f"layer{layer}"] = np.array(spikes)
    metadata = {"neurons": list(recording.spikes), "tau_syn_s": recording.tau_syn_s, "dt_s": recording.dt_s}
    write_npz(path, arrays, metadata)


def read(path: str | os.PathLike) -> Recording:
    """Read what `write` wrote."""
    arrays, metadata = read_npz_with_metadata(path)
    names = metadata.pop("neurons")
    layers = [arrays[f"layer{layer}"] for layer in range(len(arrays) - 2)]
    return Recording(
        {name: [layer[i] for layer in layers] for i, name in enumerate(names)},
        dict(zip(names, arrays["voltages"], strict=True)),
        dict(zip(names, arrays["output"], strict=True)),
        **metadata,
    )
