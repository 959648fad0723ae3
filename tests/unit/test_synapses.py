"""Kinds of synapse: how they are written, how long they delay a signal, and what is refused."""

import pytest

from csnn import synapses, words


@pytest.mark.parametrize(
    ("synapse", "text", "in_words"),
    [
        ("lowpass", "lowpass", "lowpass"),
        ("alpha", "alpha", "alpha"),
        ({"rise_s": 0.0005}, "rise-0.0005", "double exponential, rise 0.5 ms"),
        ({"rise_s": 1}, "rise-1.0", "double exponential, rise 1000 ms"),
    ],
)
def test_a_kind_of_synapse_is_written_and_read(synapse, text, in_words):
    assert synapses.text(synapse) == text
    assert synapses.parse(text) == synapse
    assert words.synapse(text) == in_words
    synapses.check(synapse, 0.01)
    synapses.check(synapse, None)


@pytest.mark.parametrize("synapse", ["lowpass", "alpha", {"rise_s": 0.002}])
def test_the_mean_delay_is_that_of_nengos_impulse_response(synapse):
    import nengo
    import numpy as np

    from csnn.nengodl.conversion import nengo_synapse

    dt_s, signal = 1e-5, np.zeros((40000, 1))
    signal[0] = 1
    response = nengo_synapse(synapse, 0.01).filt(signal, dt=dt_s, y0=0)[:, 0]
    times_s = dt_s * (np.arange(len(signal)) + 0.5)
    assert isinstance(nengo_synapse(synapse, 0.01), nengo.LinearFilter)
    assert response.sum() == pytest.approx(1)
    assert times_s @ response == pytest.approx(synapses.mean_delay_s(synapse, 0.01), rel=1e-5)
    assert synapses.mean_delay_s(synapse, None) == 0


@pytest.mark.parametrize(
    ("synapse", "tau_syn_s", "sentence"),
    [
        ("beta", 0.01, r"synapse is 'beta'; it must be lowpass, alpha or \{rise_s: ...\}"),
        ({"fall_s": 1}, 0.01, r"synapse is \{'fall_s': 1\}; it must be lowpass"),
        ({"rise_s": 0}, 0.01, "rise_s of the synapse is 0; it must be a finite time in seconds above 0"),
        ("alpha", -1, "tau_syn_s is -1; it must be a finite time in seconds of at least 0, or None"),
    ],
)
def test_what_is_refused(synapse, tau_syn_s, sentence):
    with pytest.raises(ValueError, match=sentence):
        synapses.check(synapse, tau_syn_s)
