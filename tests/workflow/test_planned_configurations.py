"""What a configuration may say beside plain values: text with types, null, and shards larger than the set."""

from conftest import Workflow


def test_nested_values_on_the_command_line_have_types(tmp_path):
    arguments = ["--config", "snn={steps: 50, tau_syn_s: [null, 5e-3], neurons: {RLR: {}, LIF: null, SRL: {}}}"]
    process = Workflow(tmp_path).run("--dry-run", *arguments, "verification={tolerance: 1e-8}")
    output = process.stdout + process.stderr
    assert "results/small/SRL/tau-none/seed-0/test-decisions.npz" in output
    assert "results/small/SRL/tau-0.005/seed-0/test-decisions.npz" in output
    assert "LIF" not in output.partition("Building DAG")[2]


def test_a_neuron_that_is_null_is_skipped(tmp_path):
    planned = Workflow(tmp_path).planned(changes={"snn.neurons": {"RLR": {}, "LIF": None}})
    assert planned["gather"] == 2


def test_no_filter_is_a_time_constant(tmp_path):
    process = Workflow(tmp_path).run("--dry-run", changes={"snn.tau_syn_s": [None, 0.005]})
    assert "results/small/LIF/tau-none/seed-0/test-decisions.npz" in process.stdout + process.stderr


def test_shards_larger_than_the_set_are_one_shard(tmp_path):
    planned = Workflow(tmp_path).planned(changes={"simulation.images_per_shard": 1000})
    assert planned["simulate"] == 2 * 2  # the test images, and the image whose logits are shown
