"""The profile where there is no SLURM, and what jobs ask for."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from clone import MINUTES, Clone
from conftest import changed

SMALL = {"experiment": "asked", "data": {"source": "cifar10", "test_images": 100}}


def planned(clone: Clone, *arguments: str) -> str:
    """Return what ``snakemake --profile slurm -n`` prints where no program of SLURM is to be found."""
    programs = clone.folder / "programs"
    programs.mkdir(exist_ok=True)
    for name in ("bash", "sh", "which", "env"):
        if not (programs / name).exists():
            (programs / name).symlink_to(shutil.which(name))
    process = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", *arguments, "--profile", "slurm"],
        cwd=clone.folder, env=os.environ | {"PATH": str(programs)}, capture_output=True, text=True, timeout=5 * MINUTES,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout + process.stderr


def asked(printed: str) -> dict[str, dict[str, int]]:
    """Return the memory (MB) and time (minutes) that the jobs of each rule ask for, by rule."""
    jobs = re.findall(r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    resources: (.*)$", printed, re.MULTILINE)
    amounts = re.compile(r"(mem_mb|runtime)=(\d+)")
    return {rule: {key: int(value) for key, value in amounts.findall(text)} for rule, text in jobs}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    return Clone(tmp_path_factory.mktemp("profile") / "clone", SMALL)


def test_dry_run_of_the_paper_without_slurm(clone):
    rules = asked(planned(clone))
    assert {"train_cnn", "compile_network", "verify", "simulate", "gather"} <= rules.keys()
    targets = {"all", "figures", "decision_figures"}  # which make nothing themselves
    assert all(asks.keys() == {"mem_mb", "runtime"} for rule, asks in rules.items() if rule not in targets)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"data.test_images": 10_000}, "simulate"),  # in one shard
        ({"snn.steps": 100_000}, "simulate"),
        ({"data.test_images": 10_000}, "gather"),
    ],
    ids=["images of a shard", "steps", "images gathered"],
)
def test_larger_experiments_ask_for_more(clone, changes, rule):
    few = {"snn.neurons": {"RLR": {}}, "snn.tau_syn_s": [0.005], "simulation.images_per_shard": 10_000}
    found = []
    for config in (changed(SMALL, few), changed(SMALL, few | changes)):
        clone.configure(config)
        found.append(asked(planned(clone, "--configfile", "experiment.yaml"))[rule])
    small, large = found
    assert large["mem_mb"] > small["mem_mb"]
    assert large["runtime"] > small["runtime"]
