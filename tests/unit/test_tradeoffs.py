"""Figures of trade-offs: the Pareto front, titles, and that what is drawn are the numbers."""

import numpy as np
import pandas as pd

from csnn.evaluation import comparisons, decisions, readouts
from csnn.figures import tradeoffs


def decided(neuron, variant="base", rate=415, tau=0.005, accuracy=(0.2, 0.6, 0.5)) -> decisions.Decided:
    """Return decisions whose accuracy at each step is given."""
    labels = np.zeros(10, int)
    right = np.array(accuracy)
    about = {"network": f"{variant}/{neuron}", "variant": variant, "neuron": neuron, "spiking": neuron != "RLR"}
    about |= {"max_rate_hz": rate, "initial_voltage": "random", "tau_syn_s": tau, "seed": 0, "dt_s": 0.001}
    classes = (np.arange(10) >= 10 * right[-1]).astype(int)[np.newaxis]
    return decisions.Decided(
        about, readouts.configured([], [], 1), classes, np.full((1, 10), 3), labels, labels, np.ones(10, int),
        np.full(10, right.mean()), right,
    )  # fmt: skip


def test_pareto_front_is_what_no_other_point_beats():
    costs, gains = [1, 2, 3, 4, 2], [0.1, 0.5, 0.4, 0.9, 0.3]
    assert tradeoffs.pareto_front(costs, gains).tolist() == [0, 1, 3]
    random = np.random.default_rng(0)
    costs, gains = random.integers(0, 20, 200), random.integers(0, 20, 200)
    front = tradeoffs.pareto_front(costs, gains)
    for cost, gain in zip(costs, gains, strict=True):
        on_front = any(cost == costs[i] and gain == gains[i] for i in front)
        beaten = ((costs <= cost) & (gains >= gain) & ((costs < cost) | (gains > gain))).any()
        assert on_front != beaten


def test_titles_say_only_what_differs():
    same = pd.DataFrame({"variant": ["base"] * 2, "max_rate_hz": [415] * 2, "initial_voltage": ["random"] * 2})
    assert tradeoffs.column_titles(same).tolist() == ["CNN itself"] * 2
    assert tradeoffs.column_titles(same.assign(variant=["base", "wide"])).tolist() == ["CNN itself", "wide"]
    differ = same.assign(max_rate_hz=[100, "[1, 2]"], initial_voltage=["zero", "half"])
    assert tradeoffs.column_titles(differ).tolist() == ["100 Hz, start zero", "[1, 2] Hz, start half"]


def test_operations_add_up_to_those_of_the_whole_time():
    spiking = {"cost": {"macs": 100.0, "cnn_macs": 150.0}, "operations_per_step": [10.0, 20.0, 30.0]}
    rate = {"cost": {"macs": 160.0, "cnn_macs": 150.0}, "operations_per_step": [10.0, 20.0, 30.0]}
    shown = [decided("SRL"), decided("RLR"), decided("SRL", "wide")]
    figure = tradeoffs.accuracy_vs_operations(shown, [spiking, rate, spiking])
    curves = {axes.get_title(): [line for line in axes.lines if line.get_linewidth() < 1] for axes in figure.axes}
    assert {title: len(lines) for title, lines in curves.items()} == {"CNN itself": 2, "wide": 1}
    for curve in (line for lines in curves.values() for line in lines):
        assert np.asarray(curve.get_xdata()).tolist() == [110, 130, 160]
        np.testing.assert_allclose(curve.get_ydata(), [20, 60, 50])


def test_every_network_has_its_panel_and_every_configuration_its_curve():
    shown = [decided("SRL"), decided("SRL", tau=None), decided("LIF", "lif", accuracy=(0.1, 0.1, 0.1))]
    figure = tradeoffs.accuracy_vs_latency(shown)
    panels = figure.axes
    assert [axes.get_title() for axes in panels] == ["CNN itself, SRL", "lif, LIF"]
    assert [sum(len(line.get_xdata()) == 3 for line in axes.lines) for axes in panels] == [2, 1]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["no filter", "τ = 5 ms", "its own CNN"]


def test_figures_of_tables_draw_their_numbers():
    configurations = [decided("SRL", tau=0.005), decided("SRL", tau=0.01), decided("LIF", "lif")]
    table = comparisons.readout_table(configurations)
    figure = tradeoffs.readouts_vs_tau(table)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["last step", "average over\nall steps"]
    drawn = figure.axes[0].lines[0]
    np.testing.assert_allclose(drawn.get_xydata(), [[5, 50], [10, 50]])
    figure = tradeoffs.gap(table[table["kind"] == "last step"])
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), [[50, 0], [50, 1], [50, 2]])
