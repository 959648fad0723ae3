"""The table of what accuracy costs, and its figure, on decisions and counts made up so that the answer is known."""

import numpy as np
import pytest

from csnn.evaluation import cost_comparison, decisions, readouts
from csnn.evaluation.memory_energy import ADD_J, MULTIPLY_J
from csnn.figures import cost
from example_decisions import LABELS, classes, configuration, logits_of

STEPS = 4
OF_CNN = {"cnn": {"total": 3e-6}, "cnn_8_bits": {"total": 1e-6}}


def counted(acs: float, energy: dict | None) -> dict:
    """Return activity with 500 operations from the image and 100 times the step at each step."""
    operations = [100.0, 200.0, 300.0, 400.0]
    macs = 500.0 if acs else 1500.0
    return {
        "dt_s": 0.001,
        "steps": STEPS,
        "cost": {"macs": macs, "acs": acs, "cnn_macs": 2000.0},
        "energy": {"network": energy, **OF_CNN},
        "operations_per_step": operations,
    }


def decided_over_time(*accuracies: float, **described) -> decisions.Decided:
    """Return decisions with these accuracies at the steps, and a CNN that is right about 80 %."""
    logits = np.stack([logits_of(classes(share)) for share in accuracies], axis=1)
    return decisions.decide(
        configuration(**described), logits, LABELS, logits_of(classes(0.8)), readouts.configured([], [], 1)
    )


@pytest.fixture
def sweep():
    decided = [
        decided_over_time(0.1, 0.5, 0.745, 0.75, network="RLR", neuron="RLR", spiking=False),
        decided_over_time(0.1, 0.3, 0.5, 0.7, network="SRL", neuron="SRL"),
    ]
    return decided, [counted(0.0, None), counted(1000.0, {"total": 2e-6})]


def test_energy_is_operations_times_their_energy_by_kind_and_bits(sweep):
    decided, activity = sweep
    table = cost_comparison.table(decided, activity, {"base": {8: classes(0.75) == LABELS}})
    assert list(table["network"]) == ["CNN", "CNN", "RLR", "SRL"]
    assert list(table["value_bits"]) == [32, 8, 32, 32]
    np.testing.assert_allclose(table["accuracy"], [0.8, 0.75, 0.75, 0.7])
    mac, small = MULTIPLY_J[32] + ADD_J[32], MULTIPLY_J[8] + ADD_J[8]
    expected = [2000 * mac, 2000 * small, 1500 * mac, 500 * mac + 1000 * ADD_J[32]]
    np.testing.assert_allclose(table["arithmetic_energy_uj"], 1e6 * np.array(expected))
    np.testing.assert_allclose(table["memory_energy_uj"], [3, 1, np.nan, 2])
    assert table["latency_ms"].isna().tolist() == [True, True, False, False]
    np.testing.assert_allclose(table["close_ms"][2:], [3, 4])


def test_energy_grows_step_by_step_from_that_of_the_image(sweep):
    _, (of_rates, of_spikes) = sweep
    mac = MULTIPLY_J[32] + ADD_J[32]
    operations = np.array([100, 300, 600, 1000])
    np.testing.assert_allclose(cost_comparison.arithmetic_energy_uj(of_rates), 1e6 * (500 + operations) * mac)
    spikes = 1e6 * (500 * mac + operations * ADD_J[32])
    np.testing.assert_allclose(cost_comparison.arithmetic_energy_uj(of_spikes), spikes)


def test_the_figure_shows_each_network_by_step_and_each_cnn_with_its_bits(sweep):
    decided, activity = sweep
    table = cost_comparison.table(decided, activity, {"base": {8: classes(0.75) == LABELS}})
    figure = cost.accuracy_against_cost(table, decided, activity)
    arithmetic, memory, time = figure.axes
    curves = [line for line in arithmetic.lines if len(line.get_xdata()) == STEPS]
    np.testing.assert_allclose(curves[1].get_xdata(), cost_comparison.arithmetic_energy_uj(activity[1]))
    np.testing.assert_allclose(curves[1].get_ydata(), [10, 30, 50, 70])
    stars = [line for line in memory.lines if line.get_marker() == "*"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in stars] == [(3, 80), (1, 75)]
    assert [text.get_text() for text in memory.texts] == ["32", "8"]
    np.testing.assert_allclose(time.lines[0].get_xdata(), [1, 2, 3, 4])
