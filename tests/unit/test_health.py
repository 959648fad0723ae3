"""The health check: closed forms for rates, saturation and filters, and a sentence for each thing that goes wrong."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from csnn.evaluation.activity import layer_health
from csnn.evaluation.health import findings, settled_share, summary, tables

HEALTHY = {
    "silent_share": 0.5,
    "never_active_share": 0.1,
    "active_rate_hz_p50": 100.0,
    "active_rate_hz_p99": 300.0,
    "saturated_above_hz": 400.0,
    "saturated_share": 0.0,
    "rate_correlation": 0.99,
}


def explained(
    *layers: dict, spiking: bool = True, tau_syn_s: float | None = 0.005, max_pooling: bool = False
) -> list[str]:
    """Explain layers that differ from healthy ones as said, shown for 100 ms."""
    of_network = [HEALTHY | layer for layer in layers]
    options = {"spiking": spiking, "synapses": len(layers), "tau_syn_s": tau_syn_s, "max_pooling": max_pooling}
    causes = findings(of_network, "LIF", duration_s=0.1, **options)
    return [sentence for _, sentence in causes]


def test_a_layer_is_described_by_silence_rates_saturation_and_correlation():
    counts = np.array([[0, 10, 41, 45], [0, 0, 42, 45]], np.float32)
    health = layer_health(counts, counts / 7, duration_s=0.1, tau_ref_s=0.002)
    assert health["silent_share"] == 3 / 8
    assert health["never_active_share"] == 1 / 4
    assert health["active_rate_hz_p50"] == 420
    assert health["active_rate_hz_p99"] == pytest.approx(450)
    assert (health["saturated_above_hz"], health["saturated_share"]) == (400, 4 / 5)
    assert health["rate_correlation"] == pytest.approx(1)


def test_a_silent_layer_has_neither_rates_nor_correlation():
    health = layer_health(np.zeros((2, 3)), np.arange(6.0).reshape(2, 3), duration_s=0.1, tau_ref_s=0.002)
    assert (health["silent_share"], health["never_active_share"], health["saturated_share"]) == (1, 1, 0)
    assert health["active_rate_hz_p50"] is health["active_rate_hz_p99"] is health["rate_correlation"] is None


def test_without_refractory_period_nothing_saturates():
    health = layer_health(np.full((1, 2), 1000.0), np.ones((1, 2)), duration_s=0.1)
    assert health["saturated_share"] is health["saturated_above_hz"] is None


@pytest.mark.parametrize("synapses", [1, 2, 4])
def test_the_settled_share_is_the_step_response_of_the_chain(synapses):
    def chain(_, y):
        return (np.concatenate([[1.0], y[:-1]]) - y) / 0.02

    response = solve_ivp(chain, (0, 0.07), np.zeros(synapses), rtol=1e-10, atol=1e-12).y[-1, -1]
    assert settled_share(synapses, 0.02, 0.07) == pytest.approx(response, rel=1e-7)


@pytest.mark.parametrize("synapses", [1, 4])
@pytest.mark.parametrize("rise", [0.0003, 0.013, 0.02])
def test_the_settled_share_of_double_exponentials_is_the_step_response_of_their_chain(synapses, rise):
    taus = np.array([rise, 0.02] * synapses)

    def chain(_, y):
        return (np.concatenate([[1.0], y[:-1]]) - y) / taus

    response = solve_ivp(chain, (0, 0.07), np.zeros(2 * synapses), method="Radau", rtol=1e-9, atol=1e-12).y[-1, -1]
    kinds = [f"rise-{rise}"] + ["alpha"] * (rise == 0.02)
    for kind in kinds:
        assert settled_share(synapses, 0.02, 0.07, kind) == pytest.approx(response, rel=1e-5)


def test_slow_synapses_of_another_kind_are_named():
    ((_, sentence),) = findings(
        [HEALTHY] * 4, "LIF", spiking=True, synapses=4, tau_syn_s=0.015, duration_s=0.1, max_pooling=False,
        synapse="alpha",
    )  # fmt: skip
    assert sentence.startswith("The 4 synapses in a row, of 15 ms each (alpha), pass only 35 % of a constant signal")


def test_without_filter_a_signal_has_settled():
    assert settled_share(4, None, 0.1) == settled_share(0, 0.02, 0.1) == 1


def test_a_healthy_network_needs_no_sentence():
    assert explained({}, {}, {}) == []


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (
            [{"saturated_share": 0.95}, {"saturated_share": 0.9}],
            "LIF neurons of layer 1 are saturated: 95 % of the active ones fire above 400 Hz",
        ),
        ([{}, {"active_rate_hz_p50": None}], "No neuron of layer 2 fires for any image"),
        ([{}, {"active_rate_hz_p50": 15.0}], "Half of the active neurons of layer 2 fire fewer than 2 times in 100 ms"),
        (
            [{}, {"rate_correlation": 0.53}, {"rate_correlation": 0.1}],
            "Rates part from the CNN's activations in layer 2, where they correlate by 0.53 only",
        ),
    ],
)
def test_the_first_layer_that_fails_is_named(layers, sentence):
    sentences = explained(*layers)
    assert len(sentences) == 1
    assert sentences[0].startswith(sentence)


def test_low_rates_of_rate_neurons_are_no_finding():
    assert len(explained({"active_rate_hz_p50": 15.0})) == 1
    assert explained({"active_rate_hz_p50": 15.0}, spiking=False) == []


def test_slow_filters_are_named_with_what_they_pass():
    (sentence,) = explained({}, {}, {}, {}, tau_syn_s=0.03)
    assert sentence.startswith(
        "The 4 synapses in a row, of 30 ms each, pass only 43 % of a constant signal within 100 ms"
    )


def test_max_pooling_comes_first():
    sentences = explained({"saturated_share": 0.95}, max_pooling=True)
    assert [sentence.split()[0] for sentence in sentences] == ["The", "LIF"]
    assert "max pooling" in sentences[0]


def test_tables_have_a_row_for_each_layer_and_the_summary_each_finding_once():
    layers = [{"layer": 1, "neurons": 7, **HEALTHY}, {"layer": 2, "neurons": 3, **HEALTHY, "saturated_share": 0.9}]
    activities = [
        {
            "configuration": {"network": name, "cnn": cnn, "neuron": name, "tau_syn_s": 0.005, "spiking": True},
            "steps": 100,
            "dt_s": 0.001,
            "synapses_in_a_row": 2,
            "layers": layers,
        }
        for name, cnn in (("LIF", "base"), ("A-LIF", "base"), ("wide/LIF", "wide"))
    ]
    by_layer, causes = tables(activities, {"base": True, "wide": False})
    assert by_layer["network"].tolist() == ["LIF", "LIF", "A-LIF", "A-LIF", "wide/LIF", "wide/LIF"]
    assert by_layer["saturated_share"].tolist() == [0, 0.9] * 3
    assert causes["layer"].tolist() == [1, 2, 1, 2, 2]
    pooling, *saturated = summary(causes)
    assert pooling.startswith("LIF, A-LIF: The CNN has max pooling")
    assert [sentence.split(":")[0] for sentence in saturated] == ["LIF", "A-LIF", "wide/LIF"]
    assert summary(tables([], {})[1]) == []
