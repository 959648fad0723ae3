"""What the tests share: running the real Snakemake on small experiments, each in a folder of its own."""

import base64
import copy
import fcntl
import gzip
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parent.parent

# as small as an experiment can be that still has two neurons, two time constants, shards and every rule
SMALL = {
    "experiment": "small",
    "data": {"source": "digits", "test_images": 15},
    "cnn": {
        "architecture": {"filters": [4, 4], "kernel": 3, "pool": 4, "dense_units": 8},
        "training": {"epochs": 1, "batch_size": 64},
    },
    "snn": {"neurons": {"RLR": {}, "LIF": {}}, "tau_syn_s": [0.005, 0.01], "steps": 12},
    "simulation": {"images_per_shard": 6},
    "verification": {"images": 2},
    "figures": {"formats": ["png"]},
    "report": {"show_images": True},
}

OWN_IMAGES = "data/cifar10.npz"  # where a public data set could be thought to be
# of a user's own images: the smallest in which shards and time constants of two runs could be mixed
OWN = {
    "experiment": "small",
    "data": {"source": OWN_IMAGES, "test_images": 6},
    "cnn": {"architecture": {"filters": [2], "dense_units": 4}, "training": {"epochs": 1}},
    "snn": {"neurons": {"SRL": {}}, "tau_syn_s": [0.005, 0.01], "steps": 5},
    "simulation": {"images_per_shard": 2},
    "verification": {"images": 1},
    "analyses": ["readouts"],
}

# what a dry run imports, by and by
PRELOADED = ["snakemake.cli", "snakemake.utils", "snakemake.report", "jsonschema", "pandas", "smart_open"]
PRELOADED += ["snakemake_executor_plugin_slurm"]


def changed(config: dict, changes: dict) -> dict:
    """Return a configuration with some values changed; keys are dotted: ``snn.steps``."""
    config = copy.deepcopy(config)
    for key, value in changes.items():
        *parents, last = key.split(".")
        part = config
        for parent in parents:
            part = part.setdefault(parent, {})
        part[last] = value
    return config


class Workflow:
    """The real Snakemake in a folder, as a user runs it."""

    def __init__(self, folder: Path, repository: Path = REPOSITORY, config: dict = SMALL):
        self.folder, self.repository, self.config = folder, repository, config
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self, *arguments: str, cores: int = 2, changes: dict | None = None) -> list[str]:
        """Return the command line of ``snakemake`` with the folder's configuration, changed as said."""
        path = self.folder / "experiment.yaml"
        path.write_text(yaml.safe_dump(changed(self.config, changes or {}), sort_keys=False))
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(self.repository / "Snakefile")]
        command += ["--directory", str(self.folder), "--configfile", str(path), "--cores", str(cores)]
        return [*command, *arguments]

    def run(self, *arguments: str, cores: int = 2, changes: dict | None = None, check: bool = True):
        """Run ``snakemake`` with the folder's configuration, changed as said; return the finished process."""
        command = self.command(*arguments, cores=cores, changes=changes)
        if "--dry-run" in arguments:
            process = forked_snakemake(command[3:], Path.cwd(), self.folder)
        else:
            process = subprocess.run(command, capture_output=True, text=True, timeout=900)
        if check:
            assert process.returncode == 0, process.stdout + process.stderr
        return process

    def planned(self, *arguments: str, **options) -> Counter:
        """Return how many jobs of each rule a dry run lists."""
        process = self.run("--dry-run", *arguments, **options)
        listed = re.search(r"Job stats:\njob +count\n[- ]+\n(.*?)\ntotal ", process.stdout + process.stderr, re.DOTALL)
        if listed is None:
            assert "Nothing to be done" in process.stdout + process.stderr
            return Counter()
        return Counter({rule: int(count) for rule, count in (line.split() for line in listed[1].splitlines())})

    def copy(self, folder: Path) -> "Workflow":
        """Return a copy to change, with the times of its files and Snakemake's records."""
        shutil.copytree(self.folder, folder, symlinks=True, copy_function=shutil.copy2)
        return Workflow(folder, self.repository, self.config)

    @property
    def results(self) -> Path:
        """The experiment's results."""
        return self.folder / "results" / self.config["experiment"]


def dry_run(folder: Path, config: dict | str, *arguments: str) -> tuple[int, str]:
    """Run ``snakemake -n`` with a configuration; return its exit code and all that it prints."""
    folder.mkdir(parents=True, exist_ok=True)
    text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
    (folder / "experiment.yaml").write_text(text)
    command = ["-n", "--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(folder / "experiment.yaml"), "--cores", "1", *arguments]
    process = forked_snakemake(command, Path.cwd(), folder)
    return process.returncode, process.stdout + process.stderr


def forked_snakemake(arguments: list[str], folder: Path, printed: Path) -> subprocess.CompletedProcess:
    """Run ``snakemake`` in a folder, forked from a process that has imported it: in a third of the time.

    What it prints goes to two files in the folder `printed`.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    files = [printed / "stdout.txt", printed / "stderr.txt"]
    process = context.Process(target=_snakemake, args=(arguments, folder, files, dict(os.environ)))
    process.start()
    process.join(120)
    process.kill()
    return subprocess.CompletedProcess(arguments, process.exitcode, *(path.read_text() for path in files))


def _snakemake(arguments: list[str], folder: Path, files: list[Path], environment: dict[str, str]) -> None:
    from snakemake.cli import main

    for number, path in enumerate(files, start=1):
        with open(path, "w") as file:
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    main(arguments)


def unpacked(path: Path) -> str:
    """Return the page within a packed page of the report."""
    return gzip.decompress(base64.b64decode(re.search(r'atob\("(.*?)"\)', path.read_text())[1])).decode()


def write_images(path: Path, seed: int) -> None:
    """Write images of three classes."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 256, (30, 8, 8, 1)).astype(np.uint8), np.arange(30) % 3
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, x_train=x, y_train=y, x_test=x[:9], y_test=y[:9])


def clone_code(folder: Path) -> Path:
    """Return a clone of the code to change: other times of files, another place."""
    for name in ("workflow", "envs", "profiles"):
        shutil.copytree(REPOSITORY / name, folder / name, copy_function=shutil.copyfile)
    shutil.copyfile(REPOSITORY / "Snakefile", folder / "Snakefile")
    return folder


def edit(clone: Path, file: str, old: str, new: str) -> None:
    """Replace a text that a file of the code has once."""
    path = clone / "workflow" / file
    text = path.read_text()
    assert text.count(old) == 1, (file, old)
    path.write_text(text.replace(old, new))


def run_once(tmp_path_factory, name: str, config: dict, prepare: Callable[[Path], None] = lambda _: None) -> Workflow:
    """Return an experiment that has run to its end: the first of pytest-xdist's workers runs it, each has a copy."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with open(f"{shared}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            workflow = Workflow(tmp_path_factory.mktemp("running") / name, config=config)
            prepare(workflow.folder)
            workflow.run()
            workflow.folder.rename(shared)
    return Workflow(shared, config=config).copy(tmp_path_factory.mktemp("finished") / name)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Workflow:
    """Return a small experiment that has run to its end; tests that change its results copy it."""
    return run_once(tmp_path_factory, "small", SMALL)


@pytest.fixture(scope="session")
def own(tmp_path_factory) -> Workflow:
    """Return a small experiment with a user's own images that has run to its end."""
    return run_once(tmp_path_factory, "own", OWN, lambda folder: write_images(folder / OWN_IMAGES, 0))
