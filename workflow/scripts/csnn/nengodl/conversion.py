"""Conversion of a trained Keras CNN into a spiking network by NengoDL."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import nengo
import numpy as np

from csnn import neurons, synapses
from csnn.files import InputError
from csnn.model.equivalent import equivalent
from csnn.model.graph import activations, neuron_layers, with_average_pooling
from csnn.nengodl_compat import nengo_dl, tf
from csnn.nengodl.converter import converter
from csnn.nengodl.simulator import simulate
from csnn.synapses import ALPHA, LOWPASS, Synapse


def convert(
    model: tf.keras.Model,
    neuron: nengo.neurons.NeuronType,
    *,
    tau_syn_s: float | None,
    max_rate_hz: float | Sequence[float],
    seed: int,
    synapse: Synapse = LOWPASS,
    precision: str = "double",
    divided_by_amplitude: Collection[str] = (),
) -> nengo_dl.Converter:
    """Convert a CNN: its rectified linear units become `neuron`, its max pooling average pooling.

    Load the weights before converting: NengoDL scales biases by `max_rate_hz` while it converts.

    Parameters
    ----------
    model
        The trained CNN; it is brought into the form of `csnn.model.equivalent.equivalent` first.
    neuron
        What takes the place of each rectified linear unit.
    tau_syn_s
        Time constant of the synapse on every connection from neurons, in seconds; None for no filter.
    max_rate_hz
        Firing rate of a neuron whose activation in the CNN is 1, in Hz (``scale_firing_rates`` of NengoDL); a sequence
        has one for each layer of neurons, in the order of `csnn.model.equivalent.neuron_layers`.
    seed
        Seed of the initial membrane potentials.
    synapse
        Kind of synapse, see `csnn.synapses`.
    precision
        ``double`` or ``single``: what NengoDL computes in.
    divided_by_amplitude
        Parameters of the neurons, under Nengo's names, to be divided by the amplitude that conversion gives them (see
        `csnn.neurons.divided_by_amplitude`).

    Returns
    -------
    nengo_dl.Converter
        With ``net`` (the Nengo network), ``model`` (the equivalent CNN), ``inputs`` and ``outputs`` (by its tensors).

    Raises
    ------
    InputError
        If a layer has no native Nengo form, a weight, a rate or the synapse is out of range, or there are not as
        many rates as layers of neurons.
    """
    try:
        synapses.check(synapse, tau_syn_s)
    except ValueError as error:
        raise InputError(str(error)) from error
    for weights in model.weights:
        if not np.isfinite(weights.numpy()).all():
            raise InputError(f"{weights.name} of the CNN holds NaN or infinite weights; all must be finite")
    model = equivalent(model)
    layers = neuron_layers(model)
    rates = rates_by_layer(max_rate_hz, layers)
    converted = converter(
        model,
        scale_firing_rates=dict(zip(layers, rates, strict=True)),
        # NengoDL first maps every spelling of ReLU to this neuron type, then applies the swap
        swap_activations={nengo.RectifiedLinear(): neuron},
        synapse=nengo_synapse(synapse, tau_syn_s),
    )
    for ensemble in converted.net.all_ensembles:
        scaled = ensemble.neuron_type  # the Converter made one for each ensemble, with its amplitude
        for name in divided_by_amplitude:
            getattr(type(scaled), name).data[scaled] = getattr(scaled, name) / scaled.amplitude
    converted.net.seed = seed
    with converted.net:
        nengo_dl.configure_settings(dtype={"double": "float64", "single": "float32"}[precision], stateful=False)
    return converted


def nengo_synapse(synapse: Synapse, tau_syn_s: float | None) -> nengo.synapses.Synapse | None:
    """Return Nengo's synapse of a kind (see `csnn.synapses`) and a time constant in seconds; None for no filter."""
    if tau_syn_s is None:
        return None
    rise_s = synapses.rise_s(synapse, tau_syn_s)
    if rise_s is None or tau_syn_s == 0:
        return nengo.Lowpass(rise_s or tau_syn_s)
    if synapse == ALPHA:
        return nengo.Alpha(tau_syn_s)
    return nengo.LinearFilter([1], [rise_s * tau_syn_s, rise_s + tau_syn_s, 1])


def convert_to(model: tf.keras.Model, settings: Mapping[str, Any], **options: Any) -> nengo_dl.Converter:
    """Convert a CNN to the neurons of a network of the sweep.

    Parameters
    ----------
    model
    settings
        ``neuron``, ``neuron_parameters`` and ``initial_voltage`` of the network, and ``synapse`` if it is not lowpass.
    options
        What else `convert` takes.
    """
    return convert(
        model,
        neurons.build(settings["neuron"], settings["neuron_parameters"], settings["initial_voltage"]),
        synapse=settings.get("synapse", LOWPASS),
        divided_by_amplitude=neurons.divided_by_amplitude(settings["neuron"], settings["neuron_parameters"]),
        **options,
    )


def rate_logits(model: tf.keras.Model, images: np.ndarray, max_rate_hz: float | Sequence[float]) -> np.ndarray:
    """Return the logits of the network with rectified linear rate neurons and without filters.

    Apart from rounding these are the logits of the CNN itself with average pooling in place of max pooling: whatever
    differs, the conversion did.

    Parameters
    ----------
    model
    images : (n, ...)
    max_rate_hz
        As in `convert`: rate neurons send what the CNN's units do, whatever it is.

    Returns
    -------
    (n, classes) float64
    """
    converted = convert(model, nengo.RectifiedLinear(), tau_syn_s=None, max_rate_hz=max_rate_hz, seed=0)
    return simulate(converted, images, dt_s=0.001, steps=1, minibatch=len(images))[:, 0]


RATE_IMAGES = 500
"""Training images, from the first, on which `rates_at_percentile` looks at activations."""


def rates_at_percentile(model: tf.keras.Model, images: np.ndarray, percentile: float, hz: float) -> list[float]:
    """Return maximal rates (Hz) at which a large activation of each layer of neurons stands for the rate `hz`.

    Parameters
    ----------
    model
        In the form of `csnn.model.equivalent.equivalent`.
    images : (n, ...)
        The first `RATE_IMAGES` count.
    percentile
        Which of a layer's activations above zero is called large, as in Rueckauer et al. 2017, "Conversion of
        continuous-valued deep networks to efficient event-driven networks for image classification".
    hz
        The rate of a neuron with that activation.

    Returns
    -------
    list of float
        One for each layer, in the order of `neuron_layers`: the rate at an activation of 1.

    Raises
    ------
    InputError
        If a layer is silent.
    """
    averaged = with_average_pooling(model)
    rates = []
    for layer in neuron_layers(averaged):
        (outputs,) = activations(averaged, images[:RATE_IMAGES], [layer.name])
        positive = outputs[outputs > 0]
        if not positive.size:
            raise InputError(
                f"config key snn.max_rate_hz has a percentile, but layer {layer.name!r} of the CNN has no activation "
                "above zero; it must be a rate in Hz"
            )
        rates.append(hz / float(np.percentile(positive, percentile)))
    return rates


def rates_by_layer(max_rate_hz: float | Sequence[float], layers: Sequence[tf.keras.layers.Layer]) -> list[float]:
    """Return the maximal rate of each layer of neurons, in Hz.

    Raises
    ------
    InputError
        If there are not as many rates as layers, or a rate is not finite and above 0.
    """
    for rate in max_rate_hz if isinstance(max_rate_hz, Sequence) else [max_rate_hz]:
        if not (math.isfinite(rate) and rate > 0):
            raise InputError(f"config key snn.max_rate_hz is {rate}; a rate must be a finite number above 0, in Hz")
    if not isinstance(max_rate_hz, Sequence):
        return [max_rate_hz] * len(layers)
    if len(max_rate_hz) != len(layers):
        names = ", ".join(layer.name for layer in layers)
        raise InputError(
            f"config key snn.max_rate_hz is {list(max_rate_hz)}; this CNN has {len(layers)} layers of neurons "
            f"({names}), so it must be one rate or as many"
        )
    return list(max_rate_hz)
