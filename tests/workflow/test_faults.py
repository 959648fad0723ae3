"""Whatever ends a run, the same command again brings it to the same end, from where it was.

Each test kills a real run at a random moment. `CSNN_TEST_SEED` repeats one: the seed is printed with every failure. One
of each kind is in ``make test``; ``make test-long`` repeats each many times.
"""

import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from conftest import REPOSITORY, Workflow

SEED = int(os.environ.get("CSNN_TEST_SEED") or random.SystemRandom().randrange(10**6))
REPEATS = [0, *(pytest.param(i, marks=pytest.mark.long) for i in range(1, int(os.environ.get("CSNN_TEST_REPEATS", 8))))]
TABLES = ("tables/scores.csv", "tables/table1.csv", "tables/table1.md", "tables/table2.csv", "tables/table2.md")
# with the profile, as a user gives it: it holds --rerun-incomplete
COMMAND = [*(f"results/small/{table}" for table in TABLES), "--profile", str(REPOSITORY / "profiles" / "local")]
COMMAND += ["--verbose"]  # so that the output names every job


@pytest.fixture
def unfinished(finished, tmp_path) -> Workflow:
    """Return an experiment without tables, of which two of three shards of one neuron are missing."""
    workflow = finished.copy(tmp_path / "run")
    for name in ("test-[23]-of-3.npz", "test.npz", "test-decisions.npz"):
        for path in workflow.results.glob(f"LIF/tau-*/seed-0/{name}"):
            path.unlink()
    shutil.rmtree(workflow.results / "tables")
    return workflow


class Started:
    """A run in a session of its own, as started from a terminal, with what it prints in a file."""

    def __init__(self, workflow: Workflow):
        self.workflow, self.output = workflow, workflow.folder / "output.txt"
        with open(self.output, "w") as output:
            self.process = subprocess.Popen(
                workflow.command(*COMMAND), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.known: dict[int, psutil.Process] = {}

    def watch(self, seconds: float) -> None:
        """Let it run, and note its processes: who loses a parent is no child any more."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            self.children()
            time.sleep(0.05)

    def children(self) -> list[psutil.Process]:
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self.known |= {child.pid: child for child in found}
        return found

    def simulations(self) -> Iterator[psutil.Process]:
        """Yield the Python process of each simulation as soon as it is there, until the run ends."""
        seen = set()
        while self.process.poll() is None:
            for child in self.children():
                with suppress(psutil.NoSuchProcess):
                    simulates = child.name().startswith("python") and "simulate_event" in " ".join(child.cmdline())
                    if simulates and child.pid not in seen:
                        seen.add(child.pid)
                        yield child
            time.sleep(0.02)

    def wait(self) -> int:
        code = self.process.wait(timeout=300)
        psutil.wait_procs(list(self.known.values()), timeout=120)
        return code


def made(output: str) -> set[str]:
    """Return the shards that a run says it has finished."""
    shards = dict(
        re.findall(
            r"^(?:local)?rule simulate:\n(?:.*\n)*?    output: (\S+)\n(?:.*\n)*?    jobid: (\d+)$", output, re.MULTILINE
        )
    )
    ended = set(re.findall(r"Finished jobid: (\d+)", output))
    return {shard for shard, job in shards.items() if job in ended}


def identity(workflow: Workflow, paths) -> dict[str, tuple[int, int]]:
    """Return inode and time of files: what a file that is written again does not keep."""
    return {
        str(path): ((workflow.folder / path).stat().st_ino, (workflow.folder / path).stat().st_mtime_ns)
        for path in paths
    }


def recover(workflow: Workflow, finished: Workflow, output: str) -> None:
    """Do what docs/faults.md says: finished shards are not made again."""
    done = made(output) | {
        str(path.relative_to(workflow.folder)) for path in workflow.results.glob("*/*/*/test-1-of-3.npz")
    }
    before = identity(workflow, done)
    process = workflow.run(*COMMAND, check=False)
    if process.returncode and "cannot be locked" in process.stdout + process.stderr:
        assert "--unlock" in process.stdout + process.stderr
        workflow.run("--unlock")
        process = workflow.run(*COMMAND, check=False)
    said = process.stdout + process.stderr
    assert process.returncode == 0, said
    assert identity(workflow, done) == before, "a finished shard was made again"
    assert not made(said) & done
    assert_as_undisturbed(workflow, finished)


def assert_as_undisturbed(workflow: Workflow, finished: Workflow) -> None:
    """Hold tables and logits to those of an undisturbed run, byte for byte, and find nothing else left."""
    results = [*TABLES, *(str(path.relative_to(finished.results)) for path in finished.results.rglob("test*.npz"))]
    for path in results:
        assert (workflow.results / path).read_bytes() == (finished.results / path).read_bytes(), path
    for folder in ("results", "data"):
        left = list((workflow.folder / folder).resolve().rglob(".*"))
        assert not left, left


def moment(kind: str, repeat: int) -> random.Random:
    print(f"CSNN_TEST_SEED={SEED}")
    return random.Random(f"{SEED} {kind} {repeat}")


KILLS = ("snakemake", "simulation", "group", "interrupted", "interrupted twice")


@pytest.mark.parametrize("repeat", REPEATS)
@pytest.mark.parametrize("kind", KILLS)
def test_a_run_that_is_killed_goes_on(unfinished, finished, kind, repeat):
    chance = moment(kind, repeat)
    run = Started(unfinished)
    after = 0 if kind == "simulation" else chance.uniform(1, 12)
    run.watch(after)
    print(f"{kind} after {after:.2f} s")
    if kind == "simulation":
        job = next(itertools.islice(run.simulations(), chance.randrange(3), None))  # any but the last of four
        time.sleep(chance.uniform(0, 0.5))
        job.kill()
    elif run.process.poll() is None:
        group, snakemake = os.getpgid(run.process.pid), run.process
        if kind == "snakemake":
            snakemake.kill()
        elif kind == "group":
            os.killpg(group, signal.SIGKILL)
        else:
            os.killpg(group, signal.SIGINT)
            if kind == "interrupted twice":
                run.watch(chance.uniform(0, 1))
                if run.process.poll() is None:
                    os.killpg(group, signal.SIGINT)
    code = run.wait() if kind != "snakemake" else run.process.wait(timeout=300)
    output = run.output.read_text()
    print(f"exit code {code}, {len(made(output))} shards were made\n{output[-3000:]}")
    if kind == "simulation":
        assert code == 1 and "Error in rule simulate" in output
    try:
        recover(unfinished, finished, output)
    finally:
        run.wait()  # for jobs that outlived Snakemake
    assert_as_undisturbed(unfinished, finished)
    if kind != "snakemake":  # a job that outlived it may have written the same bytes again, later
        assert not unfinished.planned(*COMMAND)


@pytest.fixture
def disk(tmp_path):
    """Return a small disk of its own, as a folder and a function that sets how many pages of it are free."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a disk of its own cannot be mounted here, which needs root: {mounted.stderr.strip()}")

    def leave(pages: int) -> None:
        now = os.statvfs(folder)
        size = (now.f_blocks - now.f_bfree + pages) * now.f_bsize
        subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)

    yield folder, leave
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("repeat", REPEATS)
def test_a_run_whose_disk_is_full_goes_on_when_there_is_room(unfinished, finished, disk, repeat):
    folder, leave = disk
    chance = moment("disk", repeat)
    shutil.copytree(unfinished.folder / "results", folder / "results", copy_function=shutil.copy2)
    shutil.rmtree(unfinished.folder / "results")
    (unfinished.folder / "results").symlink_to(folder / "results")
    pages = chance.randrange(8)
    leave(2000)
    run = Started(unfinished)
    next(run.simulations())
    leave(pages)
    code = run.wait()
    output = run.output.read_text()
    print(f"{pages} pages of room, exit code {code}, {len(made(output))} shards were made\n{output[-3000:]}")
    assert code != 0
    assert re.search(r"no space is left to write results/small/\S+; make room|No space left on device", output)
    leave(10_000)
    recover(unfinished, finished, output)
    assert not unfinished.planned(*COMMAND)
