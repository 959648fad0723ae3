"""The first lines of the report: the words follow from the numbers."""

import re

import numpy as np
import pandas as pd
import pytest

from csnn.report import opening
from example_decisions import LABELS, classes, decided


def networks(accuracies) -> list:
    """Return decisions of each network and time constant with the given accuracy; the CNN's is 90 %."""
    return [decided(accuracy, network=network, tau=tau) for (network, tau), accuracy in accuracies.items()]


def table_of(decisions) -> pd.DataFrame:
    """Return the table of the first lines, by network."""
    return opening.summary_table(opening.networks(decisions)).set_index("Network")


def meaning_of(accuracies, reason="") -> str:
    return opening.meaning(opening.networks(networks(accuracies)), reason)


def numbers_of(cell: str) -> list[float]:
    """Return a value and the bounds of its interval."""
    return [float(number.replace("−", "-")) for number in re.findall(r"[−\d.]+", cell)]


SEVERAL = {("RLR", 0.005): 0.9, ("SRL", 0.005): 0.8, ("SRL", 0.02): 0.85, ("LIF", 0.005): 0.23, ("LIF", 0.02): 0.13}
POOLING = opening.health.MAX_POOLING
SATURATED = "LIF neurons of layer 1 are saturated."
OF_OTHERS = "A-LIF neurons of layer 1 are saturated."
FINDINGS = pd.DataFrame(
    {
        "network": ["SRL", "LIF", "LIF", "A-LIF"],
        "layer": 1,
        "finding": [POOLING, POOLING, SATURATED, OF_OTHERS],
    }
)


class TestTable:
    """One row for each CNN and each network, in the order of the configuration."""

    def test_each_network_is_at_its_best_time_constant(self):
        table = table_of(networks(SEVERAL))
        assert list(table.index) == ["CNN", "RLR, rate neurons", "SRL", "LIF"]
        assert table["Best τ (ms)"].tolist() == ["–", "5", "20", "5"]
        assert [numbers_of(cell)[0] for cell in table["Final step (%)"]] == [90, 90, 85, 23]
        value, low, high = numbers_of(table.loc["LIF", "Gap to its CNN (points)"])
        deviation = 100 * (0.67 * 0.33 / 400) ** 0.5  # 268 of 400 images differ
        assert (value, low, high) == pytest.approx((67, 67 - 1.96 * deviation, 67 + 1.96 * deviation), abs=0.1)

    def test_loss_is_from_the_shortest_to_the_longest_time_constant(self):
        (column,) = [column for column in table_of(networks(SEVERAL)) if column.startswith("Loss")]
        assert column == "Loss from the shortest to the longest τ (points)"
        assert table_of(networks(SEVERAL)).loc["RLR, rate neurons", column] == "–"
        table = table_of(networks({("SRL", 0.02): 0.8, ("SRL", None): 0.5}))
        assert numbers_of(table.loc["SRL", "Loss from no filter to 20 ms (points)"])[0] == -30
        assert not [column for column in table_of(networks({("SRL", None): 0.5})) if "Loss" in column]

    def test_equal_on_every_image_is_no_difference(self):
        assert table_of(networks(SEVERAL)).loc["RLR, rate neurons", "Gap to its CNN (points)"].startswith("none")

    def test_the_gap_is_to_the_networks_own_cnn(self):
        small = decided(0.25, cnn_accuracy=0.3, network="small/SRL", cnn="small")
        table = table_of([small, decided(0.2, cnn_accuracy=0.9, network="SRL")])
        assert [numbers_of(cell)[0] for cell in table["Final step (%)"]] == [30, 90, 25, 20]
        assert [numbers_of(cell)[0] for cell in table["Gap to its CNN (points)"][2:]] == [5, 70]


def test_networks_of_further_cnns_have_a_table_with_how_these_were_made():
    made_by = {"base": "training", "tuned": "2 epochs of tuning", "wide": "dense_units 256"}
    first = networks({("SRL", 0.005): 0.8, ("LIF", 0.005): 0.25})
    further = [
        decided(0.75, network="tuned/LIF", cnn="tuned"),
        decided(0.5, cnn_accuracy=0.6, network="wide/RSRL", cnn="wide"),
    ]
    table = opening.variants_table(opening.networks([*first, *further]), made_by)
    assert table["Network"].tolist() == ["LIF", "tuned/LIF", "wide/RSRL"]
    assert table["How its CNN was made"].tolist() == ["training", "2 epochs of tuning", "dense_units 256"]
    assert table["Its CNN (%)"].tolist() == ["90.0", "90.0", "60.0"]
    assert [numbers_of(cell)[0] for cell in table["Gap to its CNN (points)"]] == [65, 15, 10]
    text = opening.opening([*first, *further], made_by=made_by)
    before, after = text.split(opening.FURTHER_CNNS)
    assert "SRL" in before and "tuned/LIF" not in before and "2 epochs of tuning" in after
    assert opening.FURTHER_CNNS not in opening.opening(first, made_by=made_by)


class TestMeaning:
    """The best spiking network, and the one that loses most, with the reason that the health check knows."""

    def test_a_large_loss_is_said_with_its_reason(self):
        text = meaning_of(SEVERAL, SATURATED)
        assert text.startswith("The best spiking network, SRL at τ = 20 ms, classifies 85.0 % of the images correctly")
        assert "LIF loses most: at τ = 5 ms, its best, it classifies 23.0 % correctly, 67.0 points" in text
        assert text.endswith(f"The health check says why: {SATURATED}") and "RLR" not in text

    def test_a_gap_within_its_interval_is_not_called_one(self):
        better = classes(0.9)
        better[:3], better[-4:] = (LABELS[:3] + 1) % 4, LABELS[-4:]  # 3 images worse, 4 better
        network = decided(network="SRL", leaders=np.repeat(better[:, None], 5, axis=1))
        text = opening.meaning(opening.networks([network]), SATURATED)
        assert re.search(r"no difference from its CNN is shown \(−\d\.\d to \+\d\.\d points\)\.$", text)

    def test_equal_on_every_image_has_no_interval(self):
        text = meaning_of({("SRL", 0.005): 0.9})
        assert text.endswith("no difference from its CNN is shown: right on the same images.")

    def test_a_better_network_is_above_the_cnn(self):
        text = meaning_of({("SRL", None): 0.95})
        assert re.fullmatch(r"The spiking network, SRL without filter, .*; 5\.0 points \(.*\) above its CNN\.", text)

    def test_rate_neurons_alone_are_no_spiking_network(self):
        assert meaning_of({("RLR", 0.005): 0.85}).startswith("None of these networks spikes")


def test_the_paper_is_named_only_where_its_numbers_are_shown():
    text = opening.opening(networks(SEVERAL), findings=FINDINGS)
    assert text.startswith("**What was asked.** How much") and "paper" not in text
    assert "**What came out.**" in text and "**What it means.** The best spiking" in text
    assert text.count(f": {SATURATED}") == 1  # why LIF loses most, and not again in the list of what else was found
    assert text.endswith(f"What else the health check found:\n\n- SRL, LIF: {POOLING}\n- A-LIF: {OF_OTHERS}\n")
    assert "Jakeb Chouinard" in (text := opening.opening(networks(SEVERAL), paper=True)) and "2024" in text


def test_costs_are_said_between_the_least_and_the_most():
    costs = pd.DataFrame({"macs": [1e6, 2e6], "acs": [0.5e6, 0], "cnn_macs": [3e6, 3e6]})
    assert "takes the spiking networks 1.5 to 2 million effective" in opening.costs_meaning(costs)
    assert "their CNN 3 million multiply-accumulates" in opening.costs_meaning(costs)
