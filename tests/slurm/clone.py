"""A fresh copy of the workflow, in which Snakemake runs as a user runs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from cluster import Cluster
from conftest import REPOSITORY

MINUTES = 60  # seconds


class Clone:
    """A fresh copy of the workflow, in which an experiment runs locally or on the cluster."""

    def __init__(self, folder: Path, config: dict):
        self.folder = folder
        self.started: list[subprocess.Popen] = []
        if not folder.exists():
            listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
            for name in subprocess.check_output(listed, cwd=REPOSITORY, text=True).splitlines():
                if (REPOSITORY / name).is_file() or (REPOSITORY / name).is_symlink():
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(REPOSITORY / name, folder / name, follow_symlinks=False)
        self.configure(config)

    def configure(self, config: dict) -> None:
        """Give the experiment another configuration."""
        self.config = config
        (self.folder / "experiment.yaml").write_text(yaml.safe_dump(config))

    def copy(self, folder: Path) -> Clone:
        """Return a copy with all results so far and Snakemake's records of them."""
        shutil.copytree(self.folder, folder, copy_function=shutil.copy2, symlinks=True)
        return Clone(folder, self.config)

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start ``snakemake`` as a user does; what it prints goes to a file."""
        command = ["timeout", "-k", "10", str(15 * MINUTES), sys.executable, "-m", "snakemake"]
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        with open(self.folder / "printed.txt", "w") as printed:
            process = subprocess.Popen(
                [*command, *arguments, "--configfile", "experiment.yaml"],
                cwd=self.folder, env=environment, stdout=printed, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        return process

    def kill(self) -> None:
        """Kill what was started and has not ended, so that it leaves its jobs alone."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(MINUTES)

    def submit(self, *arguments: str) -> subprocess.Popen:
        """Start ``snakemake --profile slurm`` with the values of this site."""
        often = ["--slurm-init-seconds-before-status-checks", "3"]  # this cluster has nobody else to answer
        site = ["--default-resources", f"slurm_partition={Cluster.partition}"]
        return self.start(*often, *arguments, *site, "--profile", "slurm")

    @property
    def printed(self) -> str:
        """What the command that was started last has printed."""
        return (self.folder / "printed.txt").read_text()

    def finish(self, process: subprocess.Popen) -> str:
        """Wait for a command's good end; return what it printed."""
        assert process.wait(16 * MINUTES) == 0, self.printed[-8000:]
        return self.printed

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.config["experiment"]

    @property
    def shards(self) -> list[Path]:
        """The shards of images that are there."""
        return sorted(self.results.glob("*/tau-*/seed-*/test-*-of-*.npz"))

    def numbers(self) -> dict[str, object]:
        """Return every result that holds numbers, by name: all bits of its arrays or texts."""
        found = {}
        for path in sorted(self.results.rglob("*.*")):
            name = str(path.relative_to(self.results))
            if name.startswith(("logs/", "benchmarks/")):
                continue
            if path.suffix == ".npz":
                with np.load(path) as file:
                    found[name] = {key: (file[key].dtype, file[key].shape, file[key].tobytes()) for key in file.files}
            elif path.suffix in (".json", ".csv", ".md"):
                found[name] = path.read_text()
        return found
