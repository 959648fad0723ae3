"""The first lines of the report: the words follow from the numbers."""

import re

import numpy as np
import pandas as pd
import pytest

from csnn.evaluation import tables
from csnn.report import opening
from example_decisions import LABELS, classes, decided, logits_of


def networks(accuracies) -> list:
    """Return decisions of each network and time constant with the given accuracy; the CNN's is 90 %."""
    return [decided(accuracy, network=network, tau=tau) for (network, tau), accuracy in accuracies.items()]


class TestAnswer:
    """The words follow from the numbers."""

    def test_a_clear_gap_is_said_with_its_size(self):
        text = opening.answer(networks({("LIF", 0.005): 0.5, ("LIF", 0.02): 0.4}))
        assert "LIF at τ = 5 ms is right most often at the final step, after 5 ms: 50.0 %" in text
        low, high = interval_of(r"40\.0 points \((.*?) to (.*?)\) below its CNN", text)
        deviation = 100 * (0.4 * 0.6 / 400) ** 0.5  # 160 of 400 images differ
        assert (low, high) == pytest.approx((40 - 1.96 * deviation, 40 + 1.96 * deviation), abs=0.5)
        assert interval_of(r"LIF 50\.0 and 40\.0 %, 10\.0 points \((.*?) to (.*?)\) less", text)[0] > 5
        assert "no difference" not in text and "no change" not in text

    def test_a_gap_within_its_interval_is_not_called_one(self):
        better = classes(0.9)
        better[:3], better[-4:] = (LABELS[:3] + 1) % 4, LABELS[-4:]  # 3 images worse, 4 better
        leaders = np.repeat(better[:, None], 5, axis=1)
        text = opening.answer([decided(network="SRL", leaders=leaders), decided(0.9, network="SRL", tau=0.02)])
        assert re.search(r"no difference from its CNN is shown \(−\d\.\d to \+\d\.\d points\)", text)
        assert "SRL 90.2 and 90.0 %, no change is shown" in text

    def test_a_better_network_is_above_the_cnn(self):
        text = opening.answer(networks({("SRL", None): 0.95}))
        assert "The spiking network, SRL without filter, is right at the final step" in text
        assert interval_of(r"5\.0 points \((.*?) to (.*?)\) above its CNN", text)[0] > 2

    def test_one_time_constant_says_nothing_of_robustness(self):
        assert "robust" not in opening.answer(networks({("SRL", None): 0.5}))

    def test_no_filter_is_the_shortest_time_constant(self):
        text = opening.answer(networks({("SRL", 0.02): 0.5, ("SRL", None): 0.8}))
        assert "without filter and at τ = 20 ms: SRL 80.0 and 50.0 %" in text

    def test_equal_on_every_image_is_no_difference(self):
        assert "no difference from its CNN is shown (+0.0 to +0.0 points)" in opening.answer(
            networks({("RLR", 0.005): 0.9})
        )


def interval_of(pattern: str, text: str) -> tuple[float, float]:
    low, high = re.search(pattern, text).groups()
    return float(low), float(high)


class TestSeveralCnns:
    """Each network is compared with its own CNN."""

    def test_the_gap_is_to_the_networks_own_cnn(self):
        decisions = [
            decided(0.25, cnn_accuracy=0.3, network="small/SRL", cnn="small"),
            decided(0.2, cnn_accuracy=0.9, network="SRL"),
        ]
        text = opening.answer(decisions)
        assert "Of the 400 test images, the CNNs classify correctly: small/CNN 30.0 %" in text
        assert ", CNN 90.0 %" in text
        assert re.search(r"small/SRL at τ = 5 ms is right most often .*; 5\.0 points \(.*?\) below its CNN\.", text)

    def test_a_rate_neuron_is_not_the_best_spiking_network(self):
        text = opening.answer(networks({("RLR", 0.005): 0.85, ("SRL", 0.005): 0.8, ("LIF", 0.005): 0.3}))
        assert "Of the 2 spiking networks, SRL at τ = 5 ms is right most often at the final step" in text
        assert "With rate neurons, which do not spike, RLR at τ = 5 ms reaches 85.0 %" in text

    def test_rate_neurons_alone(self):
        text = opening.answer(networks({("RLR", 0.005): 0.85}))
        assert "spiking network" not in text and "RLR at τ = 5 ms reaches 85.0 %" in text


def test_table_2_stands_below_the_answer():
    decisions = networks({("SRL", 0.005): 0.8})
    scores = tables.scores({"base": (logits_of(classes(0.9)), LABELS)}, decisions)
    text = opening.opening(decisions, scores)
    assert text.startswith("**Question.** How much") and "**Table 2.** Averages over all time steps" in text
    assert re.search(r"^5 +80\.00", text, re.MULTILINE)


def test_costs_are_said_between_the_least_and_the_most():
    costs = pd.DataFrame({"macs": [1e6, 2e6], "acs": [0.5e6, 0], "cnn_macs": [3e6, 3e6]})
    assert "takes the spiking networks 1.5 to 2 million effective" in opening.costs_answer(costs)
    assert "their CNN 3 million multiply-accumulates" in opening.costs_answer(costs)
