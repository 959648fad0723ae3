"""Conversion of a trained Keras CNN into a spiking network by NengoDL."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import nengo

from csnn.model.cnn import relu_layers
from csnn.nengodl.converter import converter
from csnn.files import InputError
from csnn.nengodl.compat import nengo_dl, tf


def convert(
    model: tf.keras.Model,
    neuron: nengo.neurons.NeuronType,
    *,
    tau_syn_s: float | None,
    max_rate_hz: float | Sequence[float],
    seed: int,
    precision: str = "double",
    divided_by_amplitude: Collection[str] = (),
) -> nengo_dl.Converter:
    """Convert a CNN: its rectified linear units become `neuron`, its max pooling average pooling.

    Load the weights before converting: NengoDL scales biases by `max_rate_hz` while it converts.

    Parameters
    ----------
    model
        The trained CNN. Every layer must have a native Nengo form.
    neuron
        What takes the place of each rectified linear unit.
    tau_syn_s
        Time constant of the lowpass filter on every connection from neurons, in seconds; None for no filter.
    max_rate_hz
        Firing rate of a neuron whose activation in the CNN is 1, in Hz (``scale_firing_rates`` of NengoDL); a sequence
        has one for each layer with neurons.
    seed
        Seed of the initial membrane potentials.
    precision
        ``double`` or ``single``: what NengoDL computes in.
    divided_by_amplitude
        Parameters of the neurons, under Nengo's names, to be divided by the amplitude that conversion gives them (see
        `csnn.neurons.divided_by_amplitude`).

    Returns
    -------
    nengo_dl.Converter
        With ``net`` (the Nengo network), ``inputs`` and ``outputs`` (by the tensors of ``model``).

    Raises
    ------
    InputError
        If a layer has no native Nengo form, or there are not as many rates as layers of neurons.
    """
    scale: float | Sequence[float] | dict = max_rate_hz
    if isinstance(max_rate_hz, Sequence):
        layers = relu_layers(model)
        if len(max_rate_hz) != len(layers):
            raise InputError(
                f"config key snn.max_rate_hz is {list(max_rate_hz)}; this CNN has {len(layers)} layers of neurons, so "
                "it must be one rate or as many"
            )
        scale = dict(zip(layers, max_rate_hz, strict=True))
    converted = converter(
        model,
        scale_firing_rates=scale,
        # NengoDL first maps every spelling of ReLU to this neuron type, then applies the swap
        swap_activations={nengo.RectifiedLinear(): neuron},
        synapse=tau_syn_s,
    )
    for ensemble in converted.net.all_ensembles:
        scaled = ensemble.neuron_type  # the Converter made one for each ensemble, with its amplitude
        for name in divided_by_amplitude:
            getattr(type(scaled), name).data[scaled] = getattr(scaled, name) / scaled.amplitude
    converted.net.seed = seed
    with converted.net:
        nengo_dl.configure_settings(dtype={"double": "float64", "single": "float32"}[precision], stateful=False)
    return converted
