"""Bad input: each ends before any simulation, in one sentence with the place, what is wrong and what would be right.

Every case goes through the real Snakemake: mistakes that the configuration or the headers of the data show are refused
by ``snakemake -n`` already, the others by the first job that meets them.
"""

import os
import subprocess

import h5py
import numpy as np
import pytest
import yaml

from conftest import REPOSITORY, SMALL, Workflow, changed, dry_run
from csnn.data.images import read_images
from csnn.files import InputError

NAN, INFINITE, HUGE = float("nan"), float("inf"), int("9" * 400)
VARIANT = {"tune": {"epochs": 1}}
FROM_1 = "it must be an integer from 1 to 1000000"
IN_SECONDS = "it must be a number above 0 and at most 1000 in seconds or null"
RATE = "it must be a number from 0.001 to 1000000 in Hz"
NAME = "it must be a name of at most 100 letters, digits"
TWICE = "each value must stand in it once"
MODEL = "results/small/cnn/model.h5"  # without which nothing is simulated

CONFIGURATIONS = [
    # ---- names, and keys
    ({"experiment": "a b"}, "config key experiment is 'a b'; it must be a name of at most 100 letters, digits, dots"),
    ({"experiment": "../elsewhere"}, f"config key experiment is '../elsewhere'; {NAME}"),
    ({"experiment": ""}, f"config key experiment is ''; {NAME}"),
    ({"experiment": "n" * 101}, f"config key experiment is '{'n' * 101}'; {NAME}"),
    ({"experiment": "mine\n"}, rf"config key experiment is 'mine\n'; {NAME}"),
    ({"experiment": "$(id)"}, f"config key experiment is '$(id)'; {NAME}"),
    ({"experiment": "it's"}, f"""config key experiment is "it's"; {NAME}"""),
    ({"experiment": "{x}"}, f"config key experiment is '{{x}}'; {NAME}"),
    ({"experiment": "é"}, f"config key experiment is 'é'; {NAME}"),
    ({"experiment": 2024}, "dashes and underscores, in quotes where YAML would read something else"),
    ({"experiment": None}, f"config key experiment is null; {NAME}"),
    ({"experiment": ["a"]}, f"config key experiment is ['a']; {NAME}"),
    ({"colour": "red"}, "config key colour is unknown; the configuration takes experiment, data, cnn, snn"),
    ({"1": "red"}, "config key 1 is unknown; the configuration takes experiment"),
    ({"a\nb\u2028c": "red"}, r"config key a\nb\u2028c is unknown; the configuration takes experiment"),
    ({"data.test_image": 10}, "config key data.test_image is unknown (did you mean test_images?)"),
    ({"data": None}, "config key data is null; it must be a mapping"),
    ({"snn": []}, "config key snn is []; it must be a mapping"),
    ({"report": True}, "config key report is true; it must be a mapping"),
    # ---- data
    ({"data.source": "mnist"}, "config key data.source is 'mnist'; it must be cifar10, digits or the path of an .npz"),
    (
        {"data.source": "absent.npz"},
        "config key data.source names absent.npz, which does not exist; it must be the path",
    ),
    (
        {"data.source": "folder.npz"},
        "config key data.source names folder.npz, which is a folder; it must be the path of a",
    ),
    ({"data.source": ["a.npz"]}, "config key data.source is ['a.npz']; it must be cifar10, digits or the path"),
    ({"data.source": f"{'a' * 5000}.npz"}, "aaa..., which does not exist; it must be the path of a file"),
    (
        {"data.source": "a{b}.npz"},
        "config key data.source names 'a{b}.npz', which has '{' in it; Snakemake reads braces",
    ),
    ({"data.source": "<results>.npz"}, "config key data.source names '<results>.npz', which has '<' in it"),
    ({"data.source": "a\nb.npz"}, r"config key data.source is 'a\nb.npz'; it must be cifar10, digits or the path"),
    ({"data.source": "a\tb.npz"}, r"config key data.source names 'a\tb.npz', which has '\t' in it"),
    ({"data.archive": ""}, "config key data.archive is ''; it must be a path or null"),
    ({"data.archive": "absent"}, "config key data.archive names absent, which does not exist; it must be the path"),
    ({"data.test_images": 0}, f"config key data.test_images is 0; {FROM_1}"),
    ({"data.test_images": -5}, f"config key data.test_images is -5; {FROM_1}"),
    ({"data.test_images": "many"}, f"config key data.test_images is 'many'; {FROM_1}"),
    ({"data.test_images": [15]}, f"config key data.test_images is [15]; {FROM_1}"),
    ({"data.test_images": HUGE}, "9...; it must be an integer from 1 to 1000000"),
    (
        {"data.test_images": 501},
        "data.test_images is 501, but the test set of digits has 500 images; it must be at most",
    ),
    (
        {"data.validation_images": 1297},
        "data.validation_images is 1297, but the train set of digits has 1297 images, of",
    ),
    ({"data.validation_images": None}, "config key data.validation_images is null; it must be an integer from 0"),
    # ---- CNN
    ({"cnn.architecture.filters": []}, "config key cnn.architecture.filters is []; it must be a list of at least one"),
    ({"cnn.architecture.filters": 4}, "config key cnn.architecture.filters is 4; it must be a list of at least one"),
    ({"cnn.architecture.filters": [4, 0]}, f"config key cnn.architecture.filters[1] is 0; {FROM_1}"),
    ({"cnn.architecture.kernel": [3, 3]}, f"config key cnn.architecture.kernel is [3, 3]; {FROM_1}"),
    ({"cnn.architecture.pooling": "min"}, "config key cnn.architecture.pooling is 'min'; it must be max or average"),
    ({"cnn.architecture.dense_units": HUGE}, "9...; it must be an integer from 1 to 1000000"),
    ({"cnn.architecture.builder": "mine.py"}, "config key cnn.architecture.builder is 'mine.py'; it must be path/to"),
    ({"cnn.architecture.builder": "no.py:f"}, "config key cnn.architecture.builder names no.py, which does not exist"),
    ({"cnn.weights": "weights.txt"}, "config key cnn.weights is 'weights.txt'; it must be the path of an .h5 file"),
    ({"cnn.weights": "absent.h5"}, "config key cnn.weights names absent.h5, which does not exist"),
    ({"cnn.weights": "w{1}.h5"}, "config key cnn.weights names 'w{1}.h5', which has '{' in it"),
    ({"cnn.training.epochs": 1.5}, f"config key cnn.training.epochs is 1.5; {FROM_1}"),
    ({"cnn.training.epochs": 2.0}, f"config key cnn.training.epochs is 2.0; {FROM_1}"),
    ({"cnn.training.epochs": NAN}, "config key cnn.training.epochs is nan; it must be"),
    ({"cnn.training.batch_size": True}, f"config key cnn.training.batch_size is true; {FROM_1}"),
    ({"cnn.training.seed": -1}, "config key cnn.training.seed is -1; it must be an integer from 0"),
    # ---- variants of the CNN
    ({"cnn.variants": ["a"]}, "config key cnn.variants is ['a']; it must be a mapping of names"),
    ({"cnn.variants": {"a/b": VARIANT}}, f"config key cnn.variants has the key 'a/b'; {NAME}"),
    ({"cnn.variants": {"a\n": VARIANT}}, rf"config key cnn.variants has the key 'a\n'; {NAME}"),
    ({"cnn.variants": {"tables": VARIANT}}, "config key cnn.variants has the name tables, which stands for something"),
    ({"cnn.variants": {"LIF": VARIANT}}, "config key cnn.variants has the name LIF, which stands for something else"),
    ({"cnn.variants": {"a": None}}, "config key cnn.variants.a is null; it must be a mapping"),
    (
        {"cnn.variants": {"a": {"tuned": {}}}},
        "cnn.variants.a.tuned is unknown (did you mean tune?); cnn.variants.a takes",
    ),
    ({"cnn.variants": {"a": {"from": "b"}}}, "config key cnn.variants has no b; known are base, a"),
    ({"cnn.variants": {"a": {"from": "b"}, "b": {"from": "a"}}}, "a is made from itself (a from b from a)"),
    (
        {"cnn.variants": {"a": {"architecture": {"builder": "f.py:f"}}}},
        "cnn.variants.a.architecture.builder is unknown",
    ),
    ({"cnn.variants": {"a": {"tune": {"epochs": -1}}}}, "config key cnn.variants.a.tune.epochs is -1; it must be an"),
    ({"cnn.variants": {"a": {"tune": {"epochs": 2.0}}}}, "config key cnn.variants.a.tune.epochs is 2.0; it must be an"),
    ({"cnn.variants": {"a": {"tune": {"learning_rate": 0}}}}, "cnn.variants.a.tune.learning_rate is 0; it must be a"),
    (
        {"cnn.variants": {"a": {"tune": {"mirror": 1}}}},
        "config key cnn.variants.a.tune.mirror is 1; it must be true or",
    ),
    ({"cnn.variants": {"a": {"tune": {"activation": "RLR"}}}}, "a.tune.activation is 'RLR'; it must be relu or LIF"),
    (
        {"cnn.variants": {"a": {"tune": {"images": 1298}}}},
        "a.tune.images is 1298, but the train set of digits has 1297",
    ),
    ({"cnn": {"variants": {"a": {}}, "architecture": {"builder": "b.py:f"}}}, "it cannot go with a builder"),
    # ---- spiking networks
    ({"snn.neurons": {}}, "config key snn.neurons names no neuron"),
    ({"snn.neurons": {"LIF": None}}, "config key snn.neurons names no neuron; it must name at least one"),
    ({"snn.neurons": ["LIF"]}, "config key snn.neurons is ['LIF']; it must be a mapping of neuron types"),
    ({"snn.neurons": {"Izhikevich": {}}}, "Izhikevich is not a known neuron type; known are RLR, SRL, LIF, A-LIF"),
    ({"snn.neurons": {"a": {"type": "b"}}}, "config key snn.neurons: b is not a known neuron type"),
    ({"snn.neurons": {"a;b": {"type": "LIF"}}}, f"config key snn.neurons has the key 'a;b'; {NAME}"),
    ({"snn.neurons": {"../a": {"type": "LIF"}}}, f"config key snn.neurons has the key '../a'; {NAME}"),
    ({"snn.neurons": {"{a}": {"type": "LIF"}}}, f"config key snn.neurons has the key '{{a}}'; {NAME}"),
    ({"snn.neurons": {"cnn": {"type": "LIF"}}}, "config key snn.neurons has the name cnn, which stands for something"),
    (
        {"snn.neurons": {"LIF": {"tau_rc": 1}}},
        "LIF.tau_rc is not a parameter of this neuron; it takes tau_rc_s, tau_ref_s",
    ),
    ({"snn.neurons": {"RLR": {"tau_rc_s": 1}}}, "RLR.tau_rc_s is not a parameter of this neuron; it takes none"),
    ({"snn.neurons": {"A-LIF": {"inc_n": -1}}}, "A-LIF.inc_n is -1; it must be a number of at least 0 and at most"),
    ({"snn.neurons": {"A-LIF": {"inc_n": 1, "inc_n_effective": 1}}}, "A-LIF has both inc_n and inc_n_effective"),
    ({"snn.neurons": {"A-LIF": {"inc_n": "big"}}}, "config key snn.neurons.A-LIF.inc_n is 'big'; it must be a number"),
    ({"snn.neurons": {"LIF": {"tau_rc_s": 0}}}, "LIF.tau_rc_s is 0; it must be a number above 0 and at most 1000000"),
    ({"snn.neurons": {"LIF": {"tau_rc_s": True}}}, "config key snn.neurons.LIF.tau_rc_s is true; it must be a number"),
    ({"snn.neurons": {"LIF": {"tau_rc_s": HUGE}}}, "it must be a number above 0 and at most 1000000"),
    ({"snn.neurons": {"LIF": {"tau_ref_s": NAN}}}, "config key snn.neurons.LIF.tau_ref_s is nan; it must be a finite"),
    ({"snn.tau_syn_s": []}, "config key snn.tau_syn_s is []; it must be a list of numbers above 0"),
    ({"snn.tau_syn_s": 0.005}, "config key snn.tau_syn_s is 0.005; it must be a list of numbers above 0"),
    ({"snn.tau_syn_s": [0.005, 0]}, f"config key snn.tau_syn_s[1] is 0; {IN_SECONDS}"),
    ({"snn.tau_syn_s": [-0.005]}, f"config key snn.tau_syn_s[0] is -0.005; {IN_SECONDS}"),
    ({"snn.tau_syn_s": [NAN]}, "config key snn.tau_syn_s[0] is nan; it must be a finite number"),
    ({"snn.tau_syn_s": [INFINITE]}, f"config key snn.tau_syn_s[0] is inf; {IN_SECONDS}"),
    ({"snn.tau_syn_s": [1e20]}, f"config key snn.tau_syn_s[0] is 1e+20; {IN_SECONDS}"),
    ({"snn.tau_syn_s": ["5 ms"]}, f"config key snn.tau_syn_s[0] is '5 ms'; {IN_SECONDS}"),
    ({"snn.tau_syn_s": [0.005, 0.005]}, f"config key snn.tau_syn_s is [0.005, 0.005]; {TWICE}"),
    ({"snn.tau_syn_s": [None, None]}, f"config key snn.tau_syn_s is [None, None]; {TWICE}"),
    ({"snn.max_rate_hz": 0}, f"config key snn.max_rate_hz is 0; {RATE}"),
    ({"snn.max_rate_hz": NAN}, "config key snn.max_rate_hz is nan; it must be a finite number"),
    ({"snn.max_rate_hz": []}, f"config key snn.max_rate_hz is []; {RATE}"),
    ({"snn.max_rate_hz": [100, -1, 100]}, f"config key snn.max_rate_hz[1] is -1; {RATE}"),
    (
        {"snn.max_rate_hz": [100, 100]},
        "snn.max_rate_hz is [100, 100] for the network LIF; its CNN has 3 layers of neurons",
    ),
    ({"snn.initial_voltage": "one"}, "config key snn.initial_voltage is 'one'; it must be random, zero or half"),
    ({"snn.dt_s": "1 ms"}, "config key snn.dt_s is '1 ms'; it must be a number from 0.000001 to 1 in seconds"),
    ({"snn.dt_s": 0}, "config key snn.dt_s is 0; it must be a number from 0.000001 to 1 in seconds"),
    ({"snn.steps": True}, f"config key snn.steps is true; {FROM_1}"),
    ({"snn.steps": 0}, f"config key snn.steps is 0; {FROM_1}"),
    ({"snn.seeds": []}, "config key snn.seeds is []; it must be a list of integers from 0"),
    ({"snn.seeds": [0, 0]}, f"config key snn.seeds is [0, 0]; {TWICE}"),
    ({"snn.seeds": [0.5]}, "config key snn.seeds[0] is 0.5; it must be an integer"),
    ({"snn.seeds": [2**31]}, "config key snn.seeds[0] is 2147483648; it must be an integer from 0 to 2147483647"),
    ({"snn.networks": []}, "config key snn.networks is []; it must be a list of at least one row"),
    ({"snn.networks": {}}, "config key snn.networks is {}; it must be a list of at least one row"),
    ({"snn.networks": [{"cnn": "base"}]}, "config key snn.networks[0].cnn is 'base'; it must be a list of names"),
    ({"snn.networks": [{"cnn": ["a"]}]}, "config key cnn.variants has no a; known are base"),
    ({"snn.networks": [{"neurons": ["SRL"]}]}, "snn.networks names the neuron SRL, which snn.neurons has not; it has"),
    (
        {"snn.networks": [{"neurons": ["LIF", "LIF"]}]},
        "snn.networks has the network LIF twice; each must stand in it once",
    ),
    ({"snn.networks": [{}, {}]}, "config key snn.networks has the network LIF twice; each must stand in it once"),
    ({"snn.networks": [{"seeds": [1, 1]}]}, f"config key snn.networks[0].seeds is [1, 1]; {TWICE}"),
    ({"snn.networks": [{"tau_syn_s": [0]}]}, f"config key snn.networks[0].tau_syn_s[0] is 0; {IN_SECONDS}"),
    ({"snn.networks": [{"max_rate_hz": [[9, 9]]}]}, "is [9, 9] for the network LIF/rate-9-9; its CNN has 3 layers"),
    ({"snn.networks": [{"dt_s": [1]}]}, "config key snn.networks[0].dt_s is unknown"),
    # ---- simulation, and what is made of it
    ({"simulation.engine": "brian"}, "config key simulation.engine is 'brian'; it must be event or nengo-dl"),
    ({"simulation.precision": 64}, "config key simulation.precision is 64; it must be double or single"),
    ({"simulation.images_per_shard": 0}, f"config key simulation.images_per_shard is 0; {FROM_1}"),
    (
        {"simulation.images_per_shard": 1, "data.test_images": 500, "snn.seeds": list(range(501))},
        "images_per_shard is 1; that makes 1002000 simulations of 2004 configurations on 500 images, more than",
    ),
    ({"simulation.minibatch": -1}, f"config key simulation.minibatch is -1; {FROM_1}"),
    ({"verification.images": 0}, f"config key verification.images is 0; {FROM_1}"),
    ({"verification.tolerance": 0}, "config key verification.tolerance is 0; it must be a number above 0"),
    ({"verification.tolerance": INFINITE}, "config key verification.tolerance is inf; it must be a number above 0"),
    ({"analyses": []}, "config key analyses is []; it must be a list of different ones of paper, readouts"),
    ({"analyses": "paper"}, "config key analyses is 'paper'; it must be a list of different ones of paper"),
    ({"analyses": ["all"]}, "config key analyses[0] is 'all'; it must be paper, readouts, claims, activity or gap"),
    (
        {"analyses": ["paper", "paper"]},
        "config key analyses is ['paper', 'paper']; it must be a list of different ones",
    ),
    ({"analyses": ["gap"]}, "config key data.validation_images is 0; it must be at least 1 for the analysis gap"),
    ({"analyses": ["gap", "paper"], "data.validation_images": 9}, "paper would show every configuration on the test"),
    ({"analyses": ["activity"], "simulation.engine": "nengo-dl"}, "activity, which the engine event alone counts"),
    ({"readouts.windows": [1]}, "config key readouts.windows[0] is 1; it must be an integer from 2 to 1000000"),
    ({"readouts.windows": [5, 5]}, "config key readouts.windows is [5, 5]; it must be a list of different integers"),
    ({"readouts.windows": 5}, "config key readouts.windows is 5; it must be a list of different integers"),
    ({"readouts.margins": [-1]}, "config key readouts.margins[0] is -1; it must be a number from 0 to 1000000"),
    ({"readouts.margins": [NAN]}, "config key readouts.margins[0] is nan; it must be a finite number"),
    ({"readouts.hold": 0}, f"config key readouts.hold is 0; {FROM_1}"),
    ({"readouts.hold": None}, f"config key readouts.hold is null; {FROM_1}"),
    ({"activity.images": 0}, f"config key activity.images is 0; {FROM_1}"),
    ({"activity.image": 1}, "config key activity.image is unknown (did you mean images?); activity takes images"),
    (
        {"tables.compare_with_paper": "maybe"},
        "config key tables.compare_with_paper is 'maybe'; it must be true or false",
    ),
    (
        {"figures.formats": []},
        "config key figures.formats is []; it must be a list of different ones of png, svg and pdf",
    ),
    ({"figures.formats": ["gif"]}, "config key figures.formats[0] is 'gif'; it must be png, svg or pdf"),
    (
        {"figures.formats": ["png", "png"]},
        "config key figures.formats is ['png', 'png']; it must be a list of different",
    ),
    ({"figures.logit_image": 3}, "config key figures.logit_image is 3; it must be a mapping"),
    ({"figures.logit_image.split": "both"}, "config key figures.logit_image.split is 'both'; it must be train or test"),
    ({"figures.logit_image.index": -1}, "config key figures.logit_image.index is -1; it must be an integer from 0"),
    ({"figures.logit_image.index": 1297}, "index is 1297, but the train set of digits has 1297 images, counted from 0"),
    (
        {"figures.logit_image": {"split": "test", "index": 500}},
        "index is 500, but the test set of digits has 500 images, counted from 0; it must be at most 499",
    ),
    ({"report.show_images": "if allowed"}, "config key report.show_images is 'if allowed'; it must be true or false"),
    ({"report.show_images": 1}, "config key report.show_images is 1; it must be true or false"),
]


def refused(code: int, output: str, sentence: str) -> None:
    """Assert that a run ended with this sentence in one line, before any simulation and without a traceback."""
    assert code not in (0, None), output
    lines = [line for line in output.splitlines() if sentence in line]
    assert lines and all(line.startswith("Error: ") for line in lines), output
    assert "Traceback" not in output
    assert "rule simulate" not in output


@pytest.mark.parametrize(("changes", "sentence"), CONFIGURATIONS, ids=[str(case)[:60] for case, _ in CONFIGURATIONS])
def test_configurations(tmp_path, changes, sentence):
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "b.py").touch()
    code, output = dry_run(tmp_path, changed(SMALL, changes))
    refused(code, output, sentence)
    assert sentence in output.rstrip().splitlines()[-1]


def test_a_configuration_as_a_user_gives_it(tmp_path):
    """The same in a process of its own, as the cases above are run in forked ones."""
    process = Workflow(tmp_path).run("--dry-run", changes={"snn.steps": 0}, check=False)
    refused(process.returncode, process.stdout + process.stderr, f"config key snn.steps is 0; {FROM_1}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Config file must be given as JSON or YAML with keys at top level."),
        ("- a\n- list", "Config file must be given as JSON or YAML with keys at top level."),
        ("experiment: a: b", "Config file is not valid JSON or YAML."),
        ("snn:\n\tsteps: 5", "Config file is not valid JSON or YAML."),
        ("a: !!python/object/apply:os.system ['touch run']", "Config file is not valid JSON or YAML."),
        ("snn: {steps: 5}\nsnn: {steps: 6}", "has the key snn in line 1 and again in line 2; each key must stand once"),
        ("snn:\n  steps: 5\n  dt_s: 0.001\n  steps: 6\n", "has the key steps in line 2 and again in line 4; each key"),
        ("experiment: 2024-01-01", "config key experiment is 2024-01-01; it must be a name of at most 100 letters"),
        ("experiment: !!binary aGk=", "config key experiment is b'hi'; it must be a name"),
        ("analyses: !!set {paper}", "config key analyses is {'paper'}; it must be a list of different ones"),
        ("? null\n: 1", "config key None is unknown"),
    ],
)
def test_files_of_configuration(tmp_path, text, sentence):
    code, output = dry_run(tmp_path, text)
    assert code not in (0, None), output
    assert sentence in output
    assert "Traceback" not in output
    assert not (tmp_path / "run").exists()


def test_every_key_that_is_missing_takes_its_default(tmp_path):
    schema = yaml.safe_load((REPOSITORY / "workflow/schemas/config.schema.yaml").read_text())

    def keys(schema, place=""):
        for key, described in schema.get("properties", {}).items():
            yield f"{place}{key}", described
            yield from keys(described, f"{place}{key}.")

    without_default = [key for key, described in keys(schema) if "default" not in described]
    assert without_default == []
    assert not [key for key, described in keys(schema) if "required" in described]
    code, output = dry_run(tmp_path, "experiment: paper")
    assert code == 0, output


def test_the_variable_of_the_archive(tmp_path, monkeypatch):
    monkeypatch.setenv("CSNN_CIFAR10", str(tmp_path / "absent.tar.gz"))
    process = Workflow(tmp_path).run("--dry-run", changes={"data.source": "cifar10"}, check=False)
    sentence = "config key data.archive, from CSNN_CIFAR10, names"
    refused(process.returncode, process.stdout + process.stderr, sentence)


RNG = np.random.default_rng(0)


def arrays(**changes):
    """Return the arrays of a good data set, some of them changed; None removes one."""
    good = {
        "x_train": RNG.integers(0, 256, (20, 16, 16, 1)).astype(np.uint8),
        "y_train": np.arange(20) % 4,
        "x_test": RNG.integers(0, 256, (8, 16, 16, 1)).astype(np.uint8),
        "y_test": np.arange(8) % 4,
    }
    return {key: value for key, value in (good | changes).items() if value is not None}


def floats(images, **values):
    """Return float images, one pixel of them as given."""
    pixels = RNG.random((images, 16, 16, 1))
    pixels[-1, -1, -1, 0] = values.get("pixel", 0)
    return pixels


OWN = {"data": {"source": "mine.npz", "test_images": 8}}
LAYOUTS = [
    ({"x_test": None}, "mine.npz has no x_test; it must hold x_train, y_train, x_test, y_test"),
    ({"x_train": None, "images": np.zeros(3)}, "mine.npz has no x_train; it must hold"),
    ({"x_test": np.zeros((8, 8, 16, 1), np.uint8)}, "x_train are (16, 16, 1) and of x_test (8, 16, 1); they must be"),
    (
        {"x_test": np.zeros((8, 256), np.uint8)},
        "x_test has shape (8, 256); it must be (images, height, width, channels)",
    ),
    ({"x_test": np.zeros((0, 16, 16, 1), np.uint8)}, "x_test has shape (0, 16, 16, 1); it must be"),
    ({"x_test": np.zeros((8, 16, 16, 1), np.int32)}, "x_test is int32; images must be uint8 (0 to 255) or float"),
    ({"x_test": np.zeros((8, 16, 16, 1), bool)}, "x_test is bool; images must be uint8 (0 to 255) or float"),
    ({"x_test": np.zeros((8, 16, 16, 1), complex)}, "x_test is complex128; images must be uint8"),
    ({"x_test": np.array([{"an": "object"}] * 8).reshape(8, 1, 1, 1)}, "x_test is object; images must be uint8"),
    ({"x_test": np.zeros((8, 16, 16, 1))}, "x_train is uint8 and x_test float64; both must be uint8, or both float"),
    ({"y_test": np.zeros(7, int)}, "y_test has shape (7,); it must be (8,), one label for each image"),
    ({"y_test": np.eye(8, dtype=int)}, "y_test has shape (8, 8); it must be (8,), one label for each image"),
    ({"y_test": np.zeros(8)}, "y_test is float64; labels must be integers from 0"),
    ({"y_test": np.array(["cat"] * 8)}, "y_test is <U3; labels must be integers from 0"),
    (
        {"x_test": np.zeros((5, 16, 16, 1), np.uint8), "y_test": np.zeros(5, int)},
        "the test set of mine.npz has 5 images",
    ),
]
CONTENTS = [
    (
        {"x_train": floats(20), "x_test": floats(8, pixel=np.nan)},
        "mine.npz: x_test has pixels that are NaN or infinite",
    ),
    (
        {"x_train": floats(20, pixel=1e300), "x_test": floats(8)},
        "mine.npz: x_train has pixels that are NaN or infinite",
    ),
    ({"y_test": np.full(8, -1)}, "mine.npz: y_test has the label -1; labels must be integers from 0"),
    ({"y_train": np.full(20, 2**63, np.uint64)}, "y_train has the label 9223372036854775808; labels must be integers"),
    ({"y_test": np.full(8, 2**31 - 1)}, "no image of class '4' (4), but labels or names up to"),
    ({"y_train": np.arange(20) % 3}, "mine.npz: y_train has no image of class '3' (3), but labels or names up to 3"),
    (
        {"y_train": np.zeros(20, int), "y_test": np.zeros(8, int)},
        "y_train has one class only; it must have at least two",
    ),
    ({"class_names": np.array(["a", "b"])}, "class_names has shape (2,); it must name each of the 4 classes"),
    ({"class_names": np.array(["a", "a", "b", "c"])}, "class_names has a name twice; each class must have its own"),
    ({"class_names": np.array(["é".encode()] * 4)}, "class_names are bytes beyond ASCII; they must be text"),
    ({"class_names": np.array(["a", "b", "c", "d", "e"])}, "mine.npz: y_train has no image of class 'e' (4)"),
    ({"class_names": np.array(["a", "b", {}, "d"])}, "mine.npz is not a readable .npz file"),
]


@pytest.mark.parametrize(("changes", "sentence"), LAYOUTS, ids=[sentence[:40] for _, sentence in LAYOUTS])
def test_names_shapes_and_types_of_images(tmp_path, changes, sentence):
    np.savez(tmp_path / "mine.npz", **arrays(**changes))
    code, output = dry_run(tmp_path, changed(SMALL, OWN))
    refused(code, output, sentence)


@pytest.mark.parametrize(("changes", "sentence"), CONTENTS, ids=[sentence[:40] for _, sentence in CONTENTS])
def test_what_is_in_images(tmp_path, monkeypatch, changes, sentence):
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", **arrays(**changes))
    with pytest.raises(InputError) as refusal:
        read_images("mine.npz")
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 nor this"], ids=["empty", "text", "damaged"])
def test_what_is_no_npz(tmp_path, content):
    (tmp_path / "mine.npz").write_bytes(content)
    code, output = dry_run(tmp_path, changed(SMALL, OWN))
    refused(code, output, "Error: mine.npz is not a readable .npz file (")


@pytest.mark.parametrize(("changes", "sentence"), [CONTENTS[i] for i in (0, 2, 5, -1)])
def test_every_rule_that_reads_images_says_so(tmp_path, changes, sentence):
    np.savez(tmp_path / "mine.npz", **arrays(**changes))
    targets = ["images/test.npz", "images/logit_image.npz", "figures/figure1.png"]
    targets += ["cnn/model.h5"] if changes == CONTENTS[0][0] else []  # which takes TensorFlow, and so its time
    workflow = Workflow(tmp_path, config=changed(SMALL, OWN))
    process = workflow.run("--keep-going", *(f"results/small/{target}" for target in targets), check=False)
    refused(process.returncode, process.stdout + process.stderr, sentence)
    logs = [path.read_text() for path in workflow.results.glob("logs/**/*.log")]
    assert len(logs) == len(targets)
    assert all(sentence in log for log in logs)


BUILDERS = """
import sys

from csnn.nengodl.compat import tf

layers = tf.keras.layers

def stack(*middle):
    return tf.keras.Sequential([layers.Input((32, 32, 3)), *middle, layers.Flatten(), layers.Dense(10)])

def text(shape, classes):
    return "a model"

def other_keras(shape, classes):
    import keras
    return keras.Sequential([keras.layers.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes)])

def other_classes(shape, classes):
    return tf.keras.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(classes + 1)])

class NoShape(tf.keras.Model):
    pass

def no_shape(shape, classes):
    return NoShape()

def raises(shape, classes):
    raise KeyError("of its own")

def leaves(shape, classes):
    sys.exit(0)

def normalized(shape, classes):
    return stack(layers.Conv2D(2, 3, activation="relu"), layers.LayerNormalization(name="mine"))

def code(shape, classes):
    return stack(layers.Lambda(lambda x: x, name="mine"), layers.Conv2D(2, 3, activation="relu"))

def smooth(shape, classes):
    return stack(layers.Conv2D(2, 3, activation="gelu", name="mine"))

def no_neurons(shape, classes):
    return stack(layers.Conv2D(2, 3))
"""
RETURNED = [
    ("text", "returned str; it must return a model of tf.keras"),
    ("other_keras", "returned Sequential; it must return a model of tf.keras, imported by"),
    ("other_classes", "returned a model from (None, 32, 32, 3) to (None, 11); it must take images of (32, 32, 3)"),
    ("no_shape", "failed: AttributeError: "),
    (
        "raises",
        "failed: KeyError: 'of its own'; it must be path/to/file.py:function, a function of (input_shape, classes)",
    ),
    ("leaves", "failed: SystemExit: 0; it must be path/to/file.py:function"),
    ("absent", "failed: AttributeError: module 'user_architecture' has no attribute 'absent'; it must be"),
]
LAYERS = [
    ("normalized", "layer 'mine' (LayerNormalization) has no form in Nengo"),
    ("code", "layer 'mine' (Lambda) has no form in Nengo"),
    ("smooth", "layer 'mine' (Conv2D) has the activation gelu; spiking neurons take the place of plain ReLUs only"),
    ("no_neurons", "no layer of it has ReLU as activation; at least one must, to become neurons"),
]


@pytest.mark.parametrize(("name", "sentence"), RETURNED + LAYERS)
def test_builders(tmp_path, name, sentence):
    from csnn.model import cnn
    from csnn.model.equivalent import equivalent

    (tmp_path / "mine.py").write_text(BUILDERS)
    with pytest.raises(InputError) as refusal:
        equivalent(cnn.build((32, 32, 3), 10, builder=f"{tmp_path / 'mine.py'}:{name}"))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        (
            "import not_there\n",
            "f",
            "cnn.architecture.builder mine.py:f failed: ModuleNotFoundError: No module named 'not_",
        ),
        ("def f(:\n", "f", "cnn.architecture.builder mine.py:f failed: SyntaxError: "),
        (BUILDERS, "normalized", "the CNN cannot be converted to a spiking network: layer 'mine' (LayerNormalization)"),
    ],
    ids=["does not import", "is no Python", "cannot be converted"],
)
def test_builders_in_a_run(tmp_path, text, name, sentence):
    (tmp_path / "mine.py").write_text(text)
    config = changed(SMALL, {"cnn.architecture": {"builder": f"mine.py:{name}"}})
    process = Workflow(tmp_path, config=config).run(MODEL, check=False)
    refused(process.returncode, process.stdout + process.stderr, sentence)


def h5(path, arrays, **attributes):
    """Write arrays as Keras 3 does, with attributes of the file."""
    with h5py.File(path, "w") as file:
        for number, array in enumerate(arrays):
            file.create_dataset(f"layers/{number:02}/vars/0", data=array)
        file.attrs.update(attributes)


def right(fill=0.0):
    """Return weights that fit the small network."""
    shapes = [(3, 3, 3, 4), (4,), (3, 3, 4, 4), (4,), (100, 8), (8,), (8, 10), (10,)]
    return [np.full(shape, fill, np.float32) for shape in shapes]


WEIGHTS = [
    (lambda path: path.write_bytes(b"no HDF5"), "weights.h5 is not a readable .h5 file of weights ("),
    (
        lambda path: h5(path, right()[:-1]),
        "does not fit cnn.architecture: it has 7 arrays where 8 are wanted; both must",
    ),
    (lambda path: h5(path, [np.zeros(3), *right()[1:]]), "array 1 is (3,) where (3, 3, 3, 4) is wanted; both must be"),
    (lambda path: h5(path, right(np.nan)), "weights.h5 holds NaN or infinite weights; they must be finite"),
    (lambda path: h5(path, [a.astype("S1") for a in right()]), "weights.h5 holds something else than floating-point"),
    (lambda path: h5(path, right(), layer_names=["absent"]), "weights.h5 is not a readable .h5 file of weights ("),
    (lambda path: h5(path, right(), layer_names=7), "weights.h5 is not a readable .h5 file of weights ("),
]


@pytest.mark.parametrize(("write", "sentence"), WEIGHTS, ids=[sentence[:40] for _, sentence in WEIGHTS])
def test_weights(tmp_path, write, sentence):
    from csnn.model import cnn

    model = cnn.build((32, 32, 3), 10, **SMALL["cnn"]["architecture"])
    h5(tmp_path / "weights.h5", right())
    cnn.load_weights(model, tmp_path / "weights.h5")
    write(tmp_path / "weights.h5")
    with pytest.raises(InputError) as refusal:
        cnn.load_weights(model, tmp_path / "weights.h5")
    assert sentence in str(refusal.value)


def test_weights_that_do_not_fit_in_a_run(tmp_path):
    h5(tmp_path / "weights.h5", right()[:-2])
    process = Workflow(tmp_path, config=changed(SMALL, {"cnn.weights": "weights.h5"})).run(MODEL, check=False)
    sentence = "cnn.weights weights.h5 does not fit cnn.architecture: it has 6 arrays where 8 are wanted"
    refused(process.returncode, process.stdout + process.stderr, sentence)


def test_images_too_small_for_the_layers(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    config = changed(SMALL, OWN | {"cnn.architecture.filters": [4, 4, 4]})
    process = Workflow(tmp_path, config=config).run(MODEL, check=False)
    sentence = "cnn.architecture has too many or too large layers for images of (16, 16, 1): convolution 3 has nothing"
    refused(process.returncode, process.stdout + process.stderr, sentence)


def test_results_that_are_no_folder(tmp_path):
    (tmp_path / "results").write_text("a file")
    refused(*dry_run(tmp_path, SMALL), "results is a file; it must be a folder, for results go to results/small")
    (tmp_path / "results").unlink()
    (tmp_path / "results").symlink_to("/nowhere")
    refused(*dry_run(tmp_path, SMALL), "results is a link to /nowhere, which does not exist; it must be a folder")


@pytest.fixture
def disk(tmp_path):
    """Mount small disks, which needs root; a function of a folder and of the options of mount."""
    mounted = []

    def mount(folder, *options):
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
        if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("only root can mount a disk, and only where it is allowed to")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_results_that_are_not_writable(tmp_path, request):
    results = tmp_path / "results"
    if os.geteuid():
        results.mkdir(mode=0o555)
    else:  # whom no mode keeps from writing
        request.getfixturevalue("disk")(results, "ro")
    refused(*dry_run(tmp_path, SMALL), "results is not writable; results go to results/small, so it must be")


def test_no_space_at_the_start(tmp_path, disk):
    disk(tmp_path / "results", "size=900k")
    refused(*dry_run(tmp_path, SMALL), "results is on a disk with no space left (")


def test_no_space_for_the_images(tmp_path, disk):
    disk(tmp_path / "results", "size=1200k")
    x_test = RNG.random((100, 64, 64, 1)).astype(np.float32)  # 1.6 MB that do not compress
    x_train = np.zeros((20, 64, 64, 1), np.float32)
    np.savez(tmp_path / "mine.npz", **arrays(x_train=x_train, x_test=x_test, y_test=np.arange(100) % 4))
    config = changed(SMALL, OWN | {"data.test_images": 100})
    process = Workflow(tmp_path, config=config).run("results/small/images/test.npz", check=False)
    refused(
        process.returncode,
        process.stdout + process.stderr,
        "no space is left to write results/small/images/test.npz; make room",
    )
    assert not list((tmp_path / "results").rglob("*.npz"))
