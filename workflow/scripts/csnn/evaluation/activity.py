"""Activity of a spiking network: who fires how often, how well rates follow the CNN, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from csnn.evaluation import break_even, cost, memory_energy, neurobench
from csnn.event.simulator import Record, simulate
from csnn.event.network import Network, with_synapse
from csnn.neurons import NENGO_NEURONS

PERCENTILES = (5, 50, 95)

SATURATED = 0.8
"""Share of the largest possible rate, one over the refractory period, above which a neuron counts as saturated."""


class Activity(NamedTuple):
    """What the layers of neurons did while images were shown.

    Attributes
    ----------
    counts : list of ndarray of float32, one per layer of neurons, shape (images, neurons)
        Spikes of each neuron over all steps; for rate neurons the expected number, the sum of rate times dt.
    operations : ndarray of float64, shape (images, layers of neurons, steps)
        Effective synaptic operations that each layer causes at each step: ACs of spikes, MACs of rates.
    image_operations : ndarray of int64, shape (images,)
        MACs of the synapses from the image.
    of_harness : sequence of `csnn.evaluation.neurobench.Counts`, one per image
        What NeuroBench's harness would count.
    """

    counts: list[NDArray[np.float32]]
    operations: NDArray[np.float64]
    image_operations: NDArray[np.int64]
    of_harness: Sequence[neurobench.Counts] = ()


def record(
    network: Network,
    images: NDArray,
    *,
    tau_syn_s: float | None,
    dt_s: float,
    steps: int,
    on_images_done: Callable[[int], None] | None = None,
) -> Activity:
    """Simulate images one by one, since each one's spike trains are large, and keep what is said under `Activity`."""
    layers = network.populations
    fan_outs = [cost.layer_fan_out(network, layer) for layer in layers]
    everything = Record(neurons={layer: range(network.layers[layer].size) for layer in layers})
    counts = [np.empty((len(images), network.layers[layer].size), np.float32) for layer in layers]
    operations = np.empty((len(images), len(layers), steps))
    connections = neurobench.synapses(with_synapse(network, tau_syn_s))
    of_harness = []
    for number, image in enumerate(images):
        shown = simulate(network, image[np.newaxis], tau_syn_s=tau_syn_s, dt_s=dt_s, steps=steps, record=everything)
        spikes, voltages = ({layer: of_images[0] for layer, of_images in followed.items()}
                            for followed in (shown.spikes, shown.voltages))  # fmt: skip
        of_harness.append(neurobench.count(network, connections, image, spikes, voltages, dt_s))
        for position, layer in enumerate(layers):
            of_steps = spikes[layer]
            counts[position][number] = of_steps.sum(axis=0)
            # a rate is one real number whatever its size; two spikes in a step are two accumulates
            events = np.rint(of_steps) if NENGO_NEURONS[network.layers[layer].neuron].spikes else of_steps != 0
            operations[number, position] = events @ fan_outs[position]
        if on_images_done:
            on_images_done(number + 1)
    of_image = np.array([cost.image_operations(network, image) for image in images])
    return Activity(counts, operations, of_image, of_harness)


def layer_health(
    counts: NDArray, activations: NDArray, duration_s: float, tau_ref_s: float | None = None
) -> dict[str, float | None]:
    """Describe the firing of one layer of neurons.

    Parameters
    ----------
    counts : ndarray, shape (images, neurons)
        Spike count of each neuron over the whole time; of rate neurons the rate times the time.
    activations : ndarray, shape (images, neurons)
        The CNN's activations for the same images.
    duration_s
        For how long each image is shown, in seconds.
    tau_ref_s
        Refractory period in seconds; None for neurons without one.

    Returns
    -------
    dict
        ``silent_share`` (of neurons and images: no spike), ``never_active_share`` (of neurons: no spike for any
        image), ``active_rate_hz_p50`` and ``active_rate_hz_p99`` (median and 99th percentile of the rates above zero;
        None where there are none), ``saturated_above_hz`` (`SATURATED` times the largest possible rate) and
        ``saturated_share`` (of the rates above zero, those above it; both None without a refractory period), and
        ``rate_correlation`` (Pearson's, of rates with activations; None where either is constant).
    """
    rates_hz = counts.astype(float) / duration_s
    active_hz = rates_hz[rates_hz > 0]
    median_hz, high_hz = np.percentile(active_hz, [50, 99]) if active_hz.size else (None, None)
    limit_hz = SATURATED / tau_ref_s if tau_ref_s else None
    saturated = (active_hz > limit_hz).sum() / max(active_hz.size, 1) if limit_hz else None
    varies = np.ptp(rates_hz) > 0 and np.ptp(activations) > 0
    return {
        "silent_share": float((counts == 0).mean()),
        "never_active_share": float((counts == 0).all(axis=0).mean()),
        "active_rate_hz_p50": None if median_hz is None else float(median_hz),
        "active_rate_hz_p99": None if high_hz is None else float(high_hz),
        "saturated_above_hz": limit_hz,
        "saturated_share": None if saturated is None else float(saturated),
        "rate_correlation": float(np.corrcoef(rates_hz.ravel(), activations.ravel())[0, 1]) if varies else None,
    }


def layer_table(
    network: Network, activity: Activity, activations: Sequence[NDArray], duration_s: float
) -> list[dict[str, float | str | None]]:
    """Describe each layer of neurons.

    Parameters
    ----------
    activations : sequence of ndarray, one per layer of neurons, shape (images, neurons)
        The CNN's activations for the same images.
    duration_s : float
        For how long each image is shown.

    Returns
    -------
    list of dict
        Of each layer: ``layer`` (from 1), ``neurons``, ``rate_hz_mean`` and percentiles of the rates of single neurons
        (over neurons and images), those of `layer_health`, ``spikes_per_image``,
        ``operations_per_image``.
    """
    rows = []
    for number, (counts, cnn) in enumerate(zip(activity.counts, activations, strict=True)):
        layer = network.layers[network.populations[number]]
        rates_hz = counts.astype(float) / duration_s
        rows.append(
            {
                "layer": number + 1,
                "neuron_type": layer.neuron,
                "neurons": counts.shape[1],
                "rate_hz_mean": float(rates_hz.mean()),
                **{f"rate_hz_p{p}": float(np.percentile(rates_hz, p)) for p in PERCENTILES},
                "rate_hz_max": float(rates_hz.max()),
                **layer_health(counts, cnn, duration_s, layer.parameters.get("tau_ref")),
                "spikes_per_image": float(counts.sum(axis=1).mean()),
                "operations_per_image": float(activity.operations[:, number].sum(axis=1).mean()),
            }
        )
    return rows


def cost_table(
    network: Network, activity: Activity, images: NDArray, activations: Sequence[NDArray]
) -> dict[str, float | Mapping[str, float]]:
    """Say what the decision on one image costs, on average.

    Returns
    -------
    dict
        Of the spiking network over all steps: ``spikes`` (see `Activity.counts`), ``macs``, ``acs``,
        ``neuron_updates``; of the CNN that it was made from, computed once: ``cnn_dense_macs``, ``cnn_macs``
        (effective), ``cnn_neuron_updates``; and for each device of `csnn.evaluation.cost.DEVICES` an estimate of the
        energy of both in joules, ``energy_j`` and ``cnn_energy_j``.
    """
    of_neurons = float(activity.operations.sum(axis=(1, 2)).mean())
    of_image = float(activity.image_operations.mean())
    spiking = cost.is_spiking(network)
    steps = activity.operations.shape[2]
    of_image += float(cost.sum_operations_per_step(network) * steps)
    macs, acs = (of_image, of_neurons) if spiking else (of_image + of_neurons, 0.0)
    neurons = cost.neuron_updates_per_step(network)
    updates = float(neurons * steps)
    of_cnn = np.mean(
        [
            cost.cnn_operations(network, image, [layer[number] for layer in activations])
            for number, image in enumerate(images)
        ]
    )
    return {
        "spikes": float(sum(counts.sum(axis=1).mean() for counts in activity.counts)),
        "macs": macs,
        "acs": acs,
        "neuron_updates": updates,
        "cnn_dense_macs": float(cost.dense_operations(network)),
        "cnn_macs": float(of_cnn),
        "cnn_neuron_updates": float(neurons),
        "energy_j": cost.energy_j(macs, acs, updates),
        "cnn_energy_j": cost.energy_j(float(of_cnn), 0.0, float(neurons)),
    }


def energy_table(network: Network, activity: Activity, cnn_macs: float) -> dict[str, Any]:
    """Estimate energy with memory access, and at how many spikes the network and its CNN break even.

    Parameters
    ----------
    network
        With the time constants that it was simulated with.
    activity
    cnn_macs
        Effective multiply-accumulates of its CNN, as `cost_table` counts them.

    Returns
    -------
    dict
        ``energy``: parts of `csnn.evaluation.memory_energy.Energy` and ``total``, in joules, of the ``network`` (None
        unless the model applies to it) and of its ``cnn``, and the total of that with 8-bit integers, ``cnn_8_bits``;
        ``break_even`` (None likewise): ``bits``, ``word_bits``,
        ``spikes_per_neuron_and_step``, and `csnn.evaluation.break_even.BreakEven` of ``arithmetic`` and ``memory``.
    """
    steps = activity.operations.shape[2]
    spiking = memory_energy.of_network(network, activity.counts, steps)
    cnn = memory_energy.of_cnn(network)
    table: dict[str, Any] = {
        "energy": {
            "network": spiking and {**spiking._asdict(), "total": spiking.total},
            "cnn": {**cnn._asdict(), "total": cnn.total},
            "cnn_8_bits": {"total": memory_energy.of_cnn(network, 8).total},
        },
        "break_even": None,
    }
    if spiking:
        accumulates = float(activity.operations.sum(axis=(1, 2)).mean())
        cnn_macs -= float(activity.image_operations.mean())
        bits = memory_energy.word_bits(break_even.equal_bits(steps))
        rate = break_even.spikes_per_neuron_and_step(activity.counts, steps)
        models = {
            "arithmetic": break_even.arithmetic(rate, accumulates, cnn_macs, bits),
            "memory": break_even.with_memory(network, activity.counts, steps, bits),
        }
        table["break_even"] = {
            "bits": break_even.equal_bits(steps),
            "word_bits": bits,
            "spikes_per_neuron_and_step": rate,
            **{name: model and model._asdict() for name, model in models.items()},
        }
    return table
