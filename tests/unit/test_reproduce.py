"""`make reproduce` takes a provenance file for a stranger's, and `make check-config` runs nothing."""

import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import reproduce
from conftest import REPOSITORY, SMALL, changed
from csnn.experiment import configuration
from csnn.files import InputError, write_json

RECORD = {
    "configuration": {},
    "sha256": {kind: {f"results/small/{kind}": "0" * 64} for kind in reproduce.COMPARED},
    "code": {"commit": None, "changed": None},
    "machine": {"cpu": "abacus"},
    "packages": {"numpy": "2"},
}
TRAP = "__import__('pathlib').Path('run').touch()\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Return a working directory with files that a configuration can name, one of which tells whether it is run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CSNN_CIFAR10", raising=False)
    Path("mine.py").write_text(TRAP)
    Path("weights.h5").touch()
    images, labels = np.zeros((20, 4, 4, 1), np.uint8), np.arange(20) % 2
    for path in ("mine.npz", "../upward.npz"):
        np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    yield tmp_path
    assert not Path("run").exists()


def record(**changes):
    """Write the provenance of the small experiment, some values of its configuration changed; return its folder."""
    results = Path("results/small")
    config = changed(configuration.read(SMALL), changes.pop("configuration", {}))
    write_json(results / "provenance.json", RECORD | {"configuration": config} | changes)
    return results


def run(config: dict, *allowed: str) -> dict:
    """Return the configuration that would be run again."""
    return reproduce.checked_configuration(reproduce.read_record(record(configuration=config)), allowed)


IMAGES = {"data.source": "mine.npz", "figures.logit_image.index": 0}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"__use_yte__": True}, "config key __use_yte__ is unknown; the configuration takes experiment"),
        ({"__use_yte__": True, "experiment": "?__import__('os').system('touch run')"}, "config key "),
        ({"__definitions__": ["import os; os.system('touch run')"]}, "config key __definitions__ is unknown"),
        ({"snn.?if True": {}}, "config key snn.?if True is unknown"),
        ({"experiment": "../../../outside/x"}, "config key experiment is '../../../outside/x'; it must be a name"),
        ({"data.source": "../upward.npz"}, "config key data.source names ../upward.npz, which may lie outside of the"),
        ({"cnn.architecture.builder": "mine.py:f"}, "builder names mine.py, which holds code or weights; if you have"),
        ({"cnn.weights": "weights.h5"}, "config key cnn.weights names weights.h5, which holds code or weights"),
    ],
)
def test_what_of_a_configuration_is_refused(folder, changes, sentence):
    before = set(folder.rglob("*"))
    results = record(configuration=changes)
    with pytest.raises(InputError) as refusal:
        reproduce.reproduce(results, [], [])
    assert sentence in str(refusal.value)
    assert set(folder.rglob("*")) - before == {
        results.parent.absolute(),
        *map(Path.absolute, [results, results / "provenance.json"]),
    }


def test_an_absolute_path_is_refused(folder):
    with pytest.raises(InputError, match=r"data.source names /.*mine.npz, which may lie outside of the working dir"):
        run(IMAGES | {"data.source": str(folder / "mine.npz")})


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({}, []),
        (IMAGES, []),
        (IMAGES | {"data.source": "../upward.npz"}, ["../upward.npz"]),
        ({"cnn.architecture.builder": "mine.py:f"}, ["./mine.py"]),
        ({"cnn.weights": "weights.h5"}, ["weights.h5"]),
    ],
)
def test_what_the_user_names_is_taken(changes, allowed):
    changes = changes | {"data.test_images": 10, "corruptions": {"images": 10}}
    assert run(changes, *allowed) == configuration.read(changed(SMALL, changes))


def test_links_stay_within_the_reproduction(folder):
    outside = folder.parent / "outside.npz"
    outside.touch()
    for path in ("mine.npz", "../upward.npz", "../../outside.npz", "../../../outside.npz"):
        config = changed(configuration.read(SMALL), {"data.source": path})
        reproduce.give_the_same_data(Path("reproduced/small"), config)
    made = {str(path) for path in Path().rglob("*.npz") if path.is_symlink()}
    assert made == {"reproduced/small/mine.npz", "reproduced/upward.npz"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"configuration": 3}, "provenance.json is not as this workflow writes it (configuration: Input should be"),
        ({"sha256": {"tables": {"a": "b"}}}, "(sha256.tables.a: String should match pattern"),
        ({"sha256": {"tables": {}}}, "provenance.json has no hashes of weights; it must be a finished experiment's"),
        ({"machine": {"cpu\n\x1b[2J": 3}}, r"(machine.cpu\n\x1b[2J: Input should be a valid string)"),
        ({"packages": None}, "(packages: Input should be a valid dictionary)"),
    ],
)
def test_what_is_no_record_is_refused(changes, sentence):
    results = Path("results/small")
    write_json(results / "provenance.json", RECORD | changes)
    with pytest.raises(InputError) as refusal:
        reproduce.read_record(results)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("text", ["", "[]", '{"configuration": NaN}', "{", '{"a": ' + "9" * 5000 + "}", "{}"])
def test_what_is_no_json_of_the_workflow_is_refused(folder, text):
    (folder / "provenance.json").write_text(text)
    with pytest.raises(InputError, match=r"^\S*provenance.json "):
        reproduce.read_record(folder)


def test_what_differs_is_said(folder):
    first = reproduce.Record(**RECORD)
    other = copy.deepcopy(RECORD)
    assert all(same for _, same in reproduce.compare(first, reproduce.Record(**other)))
    other["sha256"]["tables"]["results/small/tables"] = "1" * 64
    del other["sha256"]["weights"]["results/small/weights"]
    other["machine"]["cpu"] = "slide rule"
    second = reproduce.Record(**other)
    differ = {path for path, same in reproduce.compare(first, second) if not same}
    assert differ == {"results/small/tables", "results/small/weights"}
    assert list(reproduce.circumstances(first, second)) == ["machine, cpu: abacus then, slide rule now"]


def check(config: dict | str) -> subprocess.CompletedProcess:
    """Check a configuration file as `make check-config` does."""
    Path("mine.yaml").write_text(config if isinstance(config, str) else yaml.safe_dump(config))
    command = [sys.executable, REPOSITORY / "workflow" / "check_config.py", "mine.yaml"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_check_config_tells_what_would_be_used():
    config = changed(SMALL, {"cnn.architecture": {"builder": "mine.py:f"}, "snn.tau_syn_s": [5, 10]})
    process = check(config)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == [
        "mine.yaml is valid: experiment small, 4 configurations of 2 networks",
        "Warning: config key snn.tau_syn_s has 5 s, 10 s, longer than an image is shown (0.012 s), so that logits stay "
        "near 0; it is in seconds: 5 ms are 0.005",
        "config key cnn.architecture.builder names mine.py, whose Python code would run",
    ]


# a few lines of YAML that stand for 10^9 values
ALIASES = "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("__use_yte__: true\nexperiment: \"?__import__('pathlib').Path('run').touch()\"", "has the key __use_yte__"),
        ("experiment: !!python/object/apply:os.system ['touch run']", "mine.yaml is not YAML (could not determine a"),
        ("a: b: c", "mine.yaml is not YAML (mapping values are not allowed here"),
        (ALIASES, "mine.yaml has more than 100000 values, counting what each alias (*name) stands for; it must have"),
        ("- a", "mine.yaml holds no keys at the top level; it must be a mapping of keys to values"),
        ("", "mine.yaml holds no keys at the top level"),
        ("snn: {steps: 0}", "config key snn.steps is 0; it must be an integer from 1 to 1000000"),
    ],
)
def test_check_config_refuses_without_running(text, sentence):
    process = check(text)
    assert process.returncode == 1
    assert process.stderr.startswith("Error: ") and sentence in process.stderr
    assert len(process.stderr.splitlines()) == 1
