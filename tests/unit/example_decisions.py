"""Decisions made up for tests: of networks that are right about a given share of the images."""

import numpy as np

from csnn.evaluation import decisions, readouts

LABELS = np.arange(400) % 4


def configuration(network="LIF", cnn="base", tau=0.005, seed=0, **other) -> dict:
    """Return a configuration as decisions name it."""
    neuron = network.split("/")[-1]
    described = {"network": network, "cnn": cnn, "neuron": neuron, "spiking": neuron != "RLR", "seed_matters": True}
    described |= {"max_rate_hz": 415, "initial_voltage": "random", "tau_syn_s": tau, "seed": seed, "dt_s": 0.001}
    described |= {"logits_sha256": f"{network} {tau} {seed}", "settings": "0", "compiled_network": "sha256:1"}
    return described | other


def classes(share: float) -> np.ndarray:
    """Return decisions (images,) that are right about the first images, so many as the share says."""
    right = np.arange(len(LABELS)) < round(share * len(LABELS))
    return np.where(right, LABELS, (LABELS + 1) % 4)


def logits_of(leaders: np.ndarray) -> np.ndarray:
    """Return logits (images, steps, classes) with these leading classes (images, steps)."""
    return np.eye(4, dtype=np.float32)[leaders]


def decided(accuracy=0.5, cnn_accuracy=0.9, steps=5, configured=(), leaders=None, **described) -> decisions.Decided:
    """Return decisions that are the same at every step, or have the given leading classes (images, steps)."""
    if leaders is None:
        leaders = np.repeat(classes(accuracy)[:, np.newaxis], steps, axis=1)
    configured = list(configured) or readouts.configured([], [], 1)
    cnn_logits = logits_of(classes(cnn_accuracy))
    return decisions.decide(configuration(**described), logits_of(leaders), LABELS, cnn_logits, configured)
