"""Mistakes in the configuration: each ends before any job, in one sentence with key, value and what is allowed."""

import pytest

from conftest import Workflow

BAD = [
    ({"experiment": "a b"}, "config key experiment is 'a b'; it must be a name of letters, digits, dots"),
    ({"experiment": "../elsewhere"}, "config key experiment is '../elsewhere'; it must be a name"),
    ({"data.source": "mnist"}, "config key data.source is 'mnist'; it must be cifar10, digits or the path of an .npz"),
    ({"data.source": "absent.npz"}, "config key data.source names absent.npz, which does not exist"),
    ({"data.test_images": 0}, "config key data.test_images is 0; it must be an integer of at least 1"),
    ({"data.test_images": "many"}, "config key data.test_images is 'many'; it must be an integer of at least 1"),
    ({"data.test_image": 10}, "config key data.test_image is unknown (did you mean test_images?)"),
    ({"data": None}, "config key data is null; it must be a mapping"),
    ({"cnn.architecture.filters": []}, "config key cnn.architecture.filters is []; it must be a list of at least one"),
    ({"cnn.architecture.filters": [4, 0]}, "config key cnn.architecture.filters[1] is 0; it must be an integer of"),
    ({"cnn.architecture.pooling": "min"}, "config key cnn.architecture.pooling is 'min'; it must be max or average"),
    ({"cnn.architecture.builder": "mine.py"}, "config key cnn.architecture.builder is 'mine.py'; it must be path/to"),
    ({"cnn.architecture.builder": "no.py:f"}, "config key cnn.architecture.builder names no.py, which does not exist"),
    ({"cnn.weights": "weights.txt"}, "config key cnn.weights is 'weights.txt'; it must be the path of an .h5 file"),
    ({"cnn.weights": "absent.h5"}, "config key cnn.weights names absent.h5, which does not exist"),
    ({"cnn.training.epochs": 1.5}, "config key cnn.training.epochs is 1.5; it must be an integer of at least 1"),
    ({"cnn.training.epochs": 2.0}, "config key cnn.training.epochs is 2.0; it must be an integer"),
    ({"cnn.training.seed": -1}, "config key cnn.training.seed is -1; it must be an integer from 0"),
    ({"snn.neurons": {}}, "config key snn.neurons names no neuron"),
    ({"snn.neurons": {"Izhikevich": {}}}, "Izhikevich is not a known neuron type; known are RLR, SRL, LIF, A-LIF"),
    (
        {"snn.neurons": {"LIF": {"tau_rc": 1}}},
        "LIF.tau_rc is not a parameter of this neuron; it takes tau_rc_s, tau_ref_s",
    ),
    ({"snn.neurons": {"RLR": {"tau_rc_s": 1}}}, "RLR.tau_rc_s is not a parameter of this neuron; it takes none"),
    ({"snn.neurons": {"A-LIF": {"inc_n": -1}}}, "A-LIF.inc_n is -1; it must be a finite number of at least 0"),
    ({"snn.neurons": {"LIF": {"tau_rc_s": 0}}}, "LIF.tau_rc_s is 0; it must be a finite number above 0"),
    ({"snn.neurons": {"LIF": {"tau_ref_s": float("nan")}}}, "config key snn.neurons.LIF.tau_ref_s is nan"),
    ({"snn.neurons": {"A-LIF": {"inc_n": "big"}}}, "config key snn.neurons.A-LIF.inc_n is 'big'; it must be a number"),
    ({"snn.neurons": ["LIF"]}, "config key snn.neurons is ['LIF']; it must be a mapping of neuron types"),
    ({"snn.tau_syn_s": []}, "config key snn.tau_syn_s is []; it must be a list of numbers above 0"),
    ({"snn.tau_syn_s": 0.005}, "config key snn.tau_syn_s is 0.005; it must be a list of numbers above 0"),
    ({"snn.tau_syn_s": [0.005, 0]}, "config key snn.tau_syn_s[1] is 0; it must be a number above 0 in seconds or null"),
    ({"snn.tau_syn_s": [-0.005]}, "config key snn.tau_syn_s[0] is -0.005; it must be a number above 0"),
    ({"snn.tau_syn_s": [float("inf")]}, "config key snn.tau_syn_s[0] is inf; it must be a finite number"),
    ({"snn.tau_syn_s": [0.005, 0.005]}, "config key snn.tau_syn_s is [0.005, 0.005]; each value must stand in it once"),
    ({"snn.seeds": [0, 0]}, "config key snn.seeds is [0, 0]; each value must stand in it once"),
    ({"snn.seeds": [0.5]}, "config key snn.seeds[0] is 0.5; it must be an integer"),
    ({"snn.max_rate_hz": 0}, "config key snn.max_rate_hz is 0; it must be a number above 0 in Hz"),
    ({"snn.max_rate_hz": float("nan")}, "config key snn.max_rate_hz is nan; it must be a finite number"),
    ({"snn.dt_s": "1 ms"}, "config key snn.dt_s is '1 ms'; it must be a number above 0 and at most 1 in seconds"),
    ({"snn.steps": True}, "config key snn.steps is true; it must be an integer of at least 1"),
    ({"simulation.engine": "brian"}, "config key simulation.engine is 'brian'; it must be event or nengo-dl"),
    ({"simulation.precision": 64}, "config key simulation.precision is 64; it must be double or single"),
    ({"simulation.images_per_shard": 0}, "config key simulation.images_per_shard is 0; it must be an integer of at"),
    ({"verification.tolerance": 0}, "config key verification.tolerance is 0; it must be a number above 0"),
    ({"figures.formats": ["gif"]}, "config key figures.formats[0] is 'gif'; it must be png, svg or pdf"),
    ({"figures.logit_image.split": "both"}, "config key figures.logit_image.split is 'both'; it must be train or test"),
    (
        {"figures.logit_image.index": -1},
        "config key figures.logit_image.index is -1; it must be an integer of at least",
    ),
    ({"colour": "red"}, "config key colour is unknown; the configuration takes experiment, data, cnn, snn"),
]


@pytest.mark.parametrize(("changes", "sentence"), BAD, ids=[str(changes) for changes, _ in BAD])
def test_mistakes_are_refused_in_one_sentence(tmp_path, changes, sentence):
    process = Workflow(tmp_path).run("--dry-run", changes=changes, check=False)
    assert process.returncode != 0
    output = process.stdout + process.stderr
    (line,) = [line for line in output.splitlines() if sentence in line]
    assert line.startswith("Error: ")
    assert "Traceback" not in output
    assert output.rstrip().endswith(line)


def test_more_images_than_there_are_end_before_any_simulation(finished, tmp_path):
    process = Workflow(tmp_path).run("--until", "simulate", changes={"data.test_images": 501}, check=False)
    assert process.returncode != 0
    output = process.stdout + process.stderr
    assert "Error: the test set has 500 images, so image 500 (from 0) does not exist" in output
    assert "rule simulate:" not in output
    assert "Traceback" not in output


def test_nested_values_on_the_command_line_have_types(tmp_path):
    arguments = ["--config", "snn={steps: 50, tau_syn_s: [null, 5e-3], neurons: {RLR: {}, LIF: null, SRL: {}}}"]
    process = Workflow(tmp_path).run("--dry-run", *arguments, "verification={tolerance: 1e-8}")
    output = process.stdout + process.stderr
    assert "results/small/SRL/tau-none/seed-0/scores.json" in output
    assert "results/small/SRL/tau-0.005/seed-0/scores.json" in output
    assert "LIF" not in output.partition("Building DAG")[2]


def test_a_neuron_that_is_null_is_skipped(tmp_path):
    planned = Workflow(tmp_path).planned(changes={"snn.neurons": {"RLR": {}, "LIF": None}})
    assert planned["gather"] == 2


def test_no_filter_is_a_time_constant(tmp_path):
    process = Workflow(tmp_path).run("--dry-run", changes={"snn.tau_syn_s": [None, 0.005]})
    assert "results/small/LIF/tau-none/seed-0/scores.json" in process.stdout + process.stderr
