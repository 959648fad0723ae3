"""The sweep that a configuration spans, and the paths that spell it."""

import pytest

from csnn.experiment import sweep
from csnn.files import InputError

SNN = {
    "neurons": {"RLR": {}, "LIF": {"tau_rc_s": 0.02}},
    "tau_syn_s": [0.005, None],
    "max_rate_hz": 415,
    "initial_voltage": "random",
    "seeds": [0, 1],
    "networks": [{}],
}


def variant(parent="base", architecture=None, **tune):
    """Return a variant as the schema completes it."""
    return {"from": parent, "architecture": architecture or {}, "tune": {"epochs": 0, "activation": "relu"} | tune}


VARIANTS = {
    "swapped": variant(architecture={"pooling": "average"}),
    "lif": variant("swapped", epochs=2, activation="LIF"),
    "wide": variant("lif", {"dense_units": 256}),
    "new": variant(None, {"dense_units": 8}, epochs=1),
}


def test_without_a_table_every_neuron_is_a_network_of_the_cnn_itself():
    found = sweep.networks(SNN, {})
    assert list(found) == ["RLR", "LIF"]
    assert found["LIF"] == {
        "variant": "base",
        "neuron": "LIF",
        "neuron_parameters": {"tau_rc_s": 0.02},
        "max_rate_hz": 415,
        "initial_voltage": "random",
        "tau_syn_s": [0.005, None],
        "seeds": [0, 1],
    }


def test_rows_cross_their_lists_and_names_say_what_differs():
    rows = [
        {"cnn": ["base", "lif"], "neurons": ["LIF"], "max_rate_hz": [415, 200.5], "seeds": [7]},
        {"neurons": ["RLR"], "initial_voltage": ["half"], "max_rate_hz": [[100, 200]], "tau_syn_s": [0.03]},
    ]
    found = sweep.networks(SNN | {"networks": rows}, VARIANTS)
    assert list(found) == ["LIF", "LIF/rate-200.5", "lif/LIF", "lif/LIF/rate-200.5", "RLR/rate-100-200/start-half"]
    assert list(sweep.configurations(found))[:3] == [
        ("LIF", "0.005", 7),
        ("LIF", "none", 7),
        ("LIF/rate-200.5", "0.005", 7),
    ]
    assert list(sweep.configurations(found))[-1] == ("RLR/rate-100-200/start-half", "0.03", 1)
    assert list(sweep.configurations(found, seeds=1))[-1] == ("RLR/rate-100-200/start-half", "0.03", 0)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{}, {"neurons": ["LIF"]}], "the network LIF twice"),
        ([{"neurons": ["SRL"]}], "names the neuron SRL, which snn.neurons has not; it has RLR, LIF"),
        ([{"cnn": ["other"]}], "cnn.variants has no other; known are base, swapped, lif"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(rows, sentence):
    with pytest.raises(InputError, match=sentence):
        sweep.networks(SNN | {"networks": rows}, VARIANTS)


def test_variants_change_what_they_are_made_from():
    base = {"pooling": "max", "dense_units": 64}
    assert sweep.architecture(VARIANTS, base, "base") == base
    assert sweep.architecture(VARIANTS, base, "wide") == {"pooling": "average", "dense_units": 256}
    assert sweep.architecture(VARIANTS, base, "new") == {"pooling": "max", "dense_units": 8}


def test_activation_is_that_of_the_last_tuning():
    assert {name: sweep.activation(VARIANTS, name) for name in ("base", *VARIANTS)} == {
        "base": "relu",
        "swapped": "relu",
        "lif": "LIF",
        "wide": "LIF",
        "new": "relu",
    }


def test_a_variant_made_from_itself_is_refused():
    with pytest.raises(InputError, match="a is made from itself"):
        sweep.lineage({"a": variant("b"), "b": variant("a")}, "a")
