"""Whatever disturbs a run, the documented recovery brings it to the tables of an undisturbed one, or none is there.

Each test disturbs a real run at a random moment. `CSNN_TEST_SEED` repeats one: the seed is printed with every failure.
One try of each kind is in ``make test``; ``make test-long`` makes 8 more of each.
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

from conftest import OWN_IMAGES, REPOSITORY, Workflow, clone_code, edit, write_images

SEED = int(os.environ.get("CSNN_TEST_SEED") or random.SystemRandom().randrange(10**6))
REPEATS = int(os.environ.get("CSNN_TEST_REPEATS", 8))
TRIES = [0, *(pytest.param(i, marks=pytest.mark.long) for i in range(1, 1 + REPEATS))]
SCORES = "tables/scores.csv"
# with the profile, as a user gives it: it holds --rerun-incomplete
COMMAND = [f"results/small/{SCORES}", "--profile", str(REPOSITORY / "profiles" / "local")]
COMMAND += ["--verbose"]  # so that the output names every job
CHANGES = {"simulation.precision": "single"}
"""Another configuration with the same paths."""


@pytest.fixture
def unfinished(own, tmp_path) -> Workflow:
    """Return an experiment without tables, of which two of three shards are missing."""
    workflow = own.copy(tmp_path / "run")
    for path in workflow.results.glob("SRL/tau-*/seed-0/test*.npz"):
        if not path.match("tau-0.005+0.01/seed-0/test-1-of-3.npz"):
            path.unlink()
    shutil.rmtree(workflow.results / "tables")
    return workflow


@pytest.fixture(scope="module")
def changed_configuration(own, tmp_path_factory) -> Workflow:
    """Return an undisturbed run of another configuration."""
    workflow = own.copy(tmp_path_factory.mktemp("changed") / "configuration")
    workflow.run(*COMMAND, changes=CHANGES)
    assert (workflow.results / SCORES).read_bytes() != (own.results / SCORES).read_bytes()
    return workflow


class Started:
    """A run in a session of its own, as started from a terminal, with what it prints in a file."""

    def __init__(self, workflow: Workflow):
        self.workflow, self.printed = workflow, workflow.folder.parent / "printed.txt"
        self.plan_before = self.plan()
        with open(self.printed, "w") as printed:
            self.process = subprocess.Popen(
                workflow.command(*COMMAND), stdout=printed, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.known: dict[int, psutil.Process] = {}

    def watch(self, seconds: float) -> None:
        """Let it run, and note its processes: who loses a parent is no child any more."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            self.children()
            time.sleep(0.05)

    def go_on(self, chance: random.Random) -> None:
        """Let it run until it was planned, some simulations have started, and a while longer."""
        number, seconds = chance.randrange(3), chance.uniform(0, 3)
        print(f"{seconds:.2f} s after {number} simulations had started")
        while self.plan() == self.plan_before and self.process.poll() is None:
            self.watch(0.05)
        list(itertools.islice(self.simulations(), number))
        self.watch(seconds)

    def plan(self) -> int:
        """Return when it was last written down what a run was planned with."""
        return (self.workflow.results / "logs" / "run.json").stat().st_mtime_ns

    def children(self) -> list[psutil.Process]:
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self.known |= {child.pid: child for child in children}
        return children

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

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to Snakemake and its jobs, as a terminal does."""
        if self.process.poll() is None:
            os.killpg(os.getpgid(self.process.pid), number)

    def end(self) -> tuple[int, str]:
        """Wait for it and its jobs; return its exit code and what it printed."""
        code = self.process.wait(timeout=300)
        psutil.wait_procs(list(self.known.values()), timeout=120)
        printed = self.printed.read_text()
        print(f"exit code {code}, {len(made(printed))} shards were made\n{printed[-3000:]}")
        return code, printed


def made(printed: str) -> set[str]:
    """Return the shards that a run says it has finished."""
    shards = dict(
        re.findall(
            r"^(?:local)?rule simulate:\n(?:.*\n)*?    output: (\S+)\n(?:.*\n)*?    jobid: (\d+)$",
            printed,
            re.MULTILINE,
        )
    )
    ended = set(re.findall(r"Finished jobid: (\d+)", printed))
    return {shard for shard, job in shards.items() if job in ended}


def identity(workflow: Workflow, paths) -> dict[str, tuple[int, int]]:
    """Return inode and time of files: what a file that is written again does not keep."""
    states = {str(path): (workflow.folder / path).stat() for path in paths}
    return {path: (state.st_ino, state.st_mtime_ns) for path, state in states.items()}


def give_again(workflow: Workflow, changes: dict | None = None) -> subprocess.CompletedProcess:
    """Give the same command again, and first take away a lock that was left behind, as docs/faults.md says."""
    process = workflow.run(*COMMAND, changes=changes, check=False)
    if process.returncode and "cannot be locked" in process.stdout + process.stderr:
        assert "--unlock" in process.stdout + process.stderr
        workflow.run("--unlock")
        process = workflow.run(*COMMAND, changes=changes, check=False)
    return process


def recover(workflow: Workflow, undisturbed: Workflow, printed: str) -> None:
    """Give the same command again: finished shards are not made again, and the results are those of `undisturbed`."""
    first = "results/small/SRL/tau-0.005+0.01/seed-0/test-1-of-3.npz"
    before = identity(workflow, made(printed) | {first})
    process = give_again(workflow)
    assert process.returncode == 0, process.stdout + process.stderr
    assert identity(workflow, before) == before, "a finished shard was made again"
    assert_as(workflow, undisturbed)


def assert_as(workflow: Workflow, undisturbed: Workflow) -> None:
    """Hold table and logits to those of an undisturbed run, byte for byte."""
    paths = [SCORES, *(str(path.relative_to(undisturbed.results)) for path in undisturbed.results.rglob("test*.npz"))]
    for path in paths:
        assert (workflow.results / path).read_bytes() == (undisturbed.results / path).read_bytes(), path


def assert_none_or_as(workflow: Workflow, undisturbed: Workflow) -> None:
    """Check that there is no table, or that of an undisturbed run."""
    table = workflow.results / SCORES
    assert not table.exists() or table.read_bytes() == (undisturbed.results / SCORES).read_bytes()


def assert_nothing_left(workflow: Workflow) -> None:
    """Check that no temporary file lies among the results."""
    assert not list(workflow.results.resolve().rglob(".*"))


@pytest.fixture
def chance(request) -> random.Random:
    """Return what chooses the moment and what happens then."""
    print(f"CSNN_TEST_SEED={SEED}")
    return random.Random(f"{SEED} {request.node.name}")


@pytest.mark.parametrize("number", TRIES)
def test_killed(unfinished, own, chance, number):
    """By the system, which kills what takes most memory, or by the user."""
    who = chance.choice(["Snakemake", "a simulation", "all"])
    print(who)
    run = Started(unfinished)
    if who == "a simulation":
        job = next(itertools.islice(run.simulations(), chance.randrange(2), None))  # any but the last
        time.sleep(chance.uniform(0, 0.5))
        job.kill()
        code, printed = run.end()
        assert code == 1 and "Error in rule simulate" in printed
    else:
        run.watch(chance.uniform(1, 12))
        if who == "all":
            run.signal_all(signal.SIGKILL)
        else:
            run.process.kill()
        run.process.wait()
        printed = run.printed.read_text()
    try:
        recover(unfinished, own, printed)
    finally:
        run.end()  # for jobs that outlived Snakemake
    assert_as(unfinished, own)


@pytest.mark.parametrize("number", TRIES)
def test_interrupted(unfinished, own, chance, number):
    """By Ctrl-C, once or twice, or because the terminal was closed."""
    run = Started(unfinished)
    run.watch(chance.uniform(1, 12))
    how = chance.choice([[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGHUP]])
    print(how)
    for number_of_signal in how:
        run.signal_all(number_of_signal)
        run.watch(chance.uniform(0, 1))
    _, printed = run.end()
    recover(unfinished, own, printed)
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


@pytest.mark.parametrize("number", TRIES)
def test_disk_full(unfinished, own, disk, chance, number):
    folder, leave = disk
    shutil.copytree(unfinished.folder / "results", folder / "results", copy_function=shutil.copy2)
    shutil.rmtree(unfinished.folder / "results")
    (unfinished.folder / "results").symlink_to(folder / "results")
    pages = chance.randrange(8)
    print(f"{pages} pages of room")
    leave(2000)
    run = Started(unfinished)
    next(run.simulations())
    leave(pages)
    code, printed = run.end()
    assert code != 0
    assert re.search(r"no space is left to write results/small/\S+; make room|No space left on device", printed)
    leave(10_000)
    recover(unfinished, own, printed)
    assert_nothing_left(unfinished)
    assert not unfinished.planned(*COMMAND)


@pytest.mark.parametrize("number", TRIES)
def test_code_changed(unfinished, own, chance, number, tmp_path):
    """Pulled during a run; then taken back, or not."""
    unfinished.repository = clone_code(tmp_path / "clone")
    run = Started(unfinished)
    run.go_on(chance)
    old, new = "simulation.logits", "2 * simulation.logits"
    edit(unfinished.repository, "scripts/simulate_event.py", old, new)
    code, printed = run.end()
    assert code == 0 or "simulate_event.py was changed after this run had been planned" in printed
    assert_none_or_as(unfinished, own)
    if chance.choice([True, False]):
        edit(unfinished.repository, "scripts/simulate_event.py", new, old)
        recover(unfinished, own, printed)
    else:
        undisturbed = own.copy(tmp_path / "undisturbed")
        undisturbed.repository = unfinished.repository
        undisturbed.run(*COMMAND)
        assert (undisturbed.results / SCORES).read_bytes() != (own.results / SCORES).read_bytes()
        give_again(unfinished)
        assert_as(unfinished, undisturbed)
    assert_nothing_left(unfinished)


@pytest.mark.parametrize("number", TRIES)
def test_configuration_changed(unfinished, own, changed_configuration, chance, number):
    """During a run, which goes on with its own, or is killed."""
    run = Started(unfinished)
    run.go_on(chance)
    unfinished.command(changes=CHANGES)  # which writes the file
    killed = chance.choice([True, False])
    if killed:
        run.signal_all(signal.SIGKILL)
    code, _ = run.end()
    if not killed:
        assert code == 0
        assert_as(unfinished, own)
    assert_none_or_as(unfinished, own)
    if chance.choice([True, False]):
        shutil.rmtree(unfinished.folder / ".snakemake")
    process = give_again(unfinished, CHANGES)
    assert process.returncode == 0, process.stdout + process.stderr
    assert_as(unfinished, changed_configuration)


@pytest.mark.parametrize("number", TRIES)
def test_data_changed(unfinished, own, chance, number):
    """Another file is put in the place of the images during a run, older than they are; then the first comes back."""
    path = unfinished.folder / OWN_IMAGES
    first = path.rename(path.with_name("first.npz"))
    shutil.copy2(first, path)
    other = path.with_name("other.npz")
    write_images(other, 1)
    os.utime(other, (10**9, 10**9))
    run = Started(unfinished)
    run.go_on(chance)
    other.rename(path)
    if chance.choice([True, False]):
        run.process.kill()
    run.end()
    assert_none_or_as(unfinished, own)
    if chance.choice([True, False]):  # begun with the other images
        target = f"results/small/{SCORES if number % 4 == 3 else 'images/test.npz'}"  # all of it takes long
        print(unfinished.run(target, "--rerun-incomplete", "--nolock", check=False).stderr[-2000:])
    first.rename(path)
    process = give_again(unfinished)
    assert process.returncode == 0, process.stdout + process.stderr
    assert_as(unfinished, own)


@pytest.mark.parametrize("number", TRIES)
def test_folder_moved(unfinished, own, chance, number):
    """While a run goes on, or after it was killed; with Snakemake's records or without."""
    run = Started(unfinished)
    run.watch(chance.uniform(1, 12))
    if chance.choice([True, False]):
        run.signal_all(signal.SIGKILL)
        run.end()
    folder = unfinished.folder.rename(unfinished.folder.with_name("moved"))
    run.end()
    workflow = Workflow(folder, config=unfinished.config)
    assert_none_or_as(workflow, own)
    if chance.choice([True, False]):
        shutil.rmtree(folder / ".snakemake")
    process = give_again(workflow)
    assert process.returncode == 0, process.stdout + process.stderr
    assert_as(workflow, own)


@pytest.mark.parametrize("number", TRIES)
def test_older_files_put_in_place(unfinished, own, changed_configuration, chance, number):
    """Results of another configuration, older than all others, with their logs or without, before or during a run."""
    of_others = [
        path.relative_to(changed_configuration.folder)
        for path in changed_configuration.results.rglob("test*")
        if path.suffix == ".npz" and "SRL" in path.parts
    ]
    chosen = chance.sample(sorted(of_others), chance.randint(1, 4))
    with_logs = chance.choice([True, False])
    print(*chosen, "with logs" if with_logs else "")
    during = chance.choice([True, False])
    if during:
        run = Started(unfinished)
        run.go_on(chance)
    for path in chosen:
        shutil.copy(changed_configuration.folder / path, unfinished.folder / path)
        os.utime(unfinished.folder / path, (10**9, 10**9))
    if with_logs:
        logs = "results/small/logs"
        shutil.copytree(changed_configuration.folder / logs, unfinished.folder / logs, dirs_exist_ok=True)
    if during:
        run.end()
    elif chance.choice([True, False]):
        shutil.rmtree(unfinished.folder / ".snakemake")
    assert_none_or_as(unfinished, own)
    for _ in range(1 + len(of_others)):
        process = give_again(unfinished)
        if process.returncode == 0:
            break
        assert_none_or_as(unfinished, own)
        (path,) = set(re.findall(r"^Error: (\S+) (?:was|is|has|holds) ", process.stderr, re.MULTILINE))
        print(process.stderr[-1000:])
        (unfinished.folder / path).unlink()  # the file that it names, as docs/faults.md says
    assert_as(unfinished, own)
