"""`snakemake --profile slurm` on a real SLURM cluster: the results of a local run, whatever happens on the way.

The profile is the real one; given on the command line are the values of this site (its partition) and, where a limit of
a job shall be too little, that limit. Every wait has its end.
"""

import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from clone import MINUTES, Clone
from cluster import Cluster, missing, wait_for
from conftest import REPOSITORY, changed

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(missing() is not None, reason=str(missing()))]

EXPERIMENT = yaml.safe_load((Path(__file__).parent / "experiment.yaml").read_text())
# the demo with half of its neurons and time constants, without its further CNNs
DEMO = changed(
    yaml.safe_load((REPOSITORY / "profiles/demo/config.yaml").read_text()),
    {
        "snn.neurons": {"RLR": {}, "LIF": {}},
        "snn.tau_syn_s": [0.005, 0.01],
        "cnn.variants": {},
        "snn.networks": [{}],
    },
)
SIMULATIONS = 4  # of EXPERIMENT's table: one of each shard, at both time constants
JOBS = SIMULATIONS + 2 + 2  # and what gathers the shards and decides, for each time constant


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """Start a cluster of three nodes for all tests."""
    with Cluster(tmp_path_factory.mktemp("slurm") / "cluster") as cluster:
        yield cluster


@pytest.fixture
def records(slurm, capsys):
    """Return a function that gives what SLURM recorded of jobs that ended since the test began; print their nodes."""
    before = len(slurm.ended())

    def since() -> list[dict[str, str]]:
        return slurm.ended()[before:]

    yield since
    wait_for(lambda: not slurm.squeue("%i"), 5 * MINUTES, "the queue is empty")
    nodes, states = (Counter(record[key] for record in since()) for key in ("NodeList", "JobState"))
    with capsys.disabled():
        print(f" nodes {dict(sorted(nodes.items()))}, jobs {dict(sorted(states.items()))} ", end="", flush=True)


@pytest.fixture(scope="session")
def prepared(slurm, tmp_path_factory):
    """Return an experiment in which everything but the simulations was made, on this machine."""
    clone = Clone(tmp_path_factory.mktemp("prepared") / "clone", EXPERIMENT)
    made = ["cnn/test-logits.npz", "verification/SRL/seed-0/tau-0.005+0.01.json", "images/test.npz"]
    clone.finish(clone.start("--cores", "2", *(str(Path("results/cluster") / name) for name in made)))
    return clone


SCORES = "results/cluster/tables/scores.csv"


@pytest.fixture(scope="session")
def expected(prepared, tmp_path_factory):
    """Return the numbers that the experiment gives on this machine."""
    clone = prepared.copy(tmp_path_factory.mktemp("expected") / "clone")
    clone.finish(clone.start("--cores", "2", SCORES))
    return clone.numbers()


@pytest.fixture
def clone(slurm, records, prepared, expected, tmp_path):
    """Give the prepared experiment, to be simulated on the cluster."""
    clone = prepared.copy(tmp_path / "clone")
    yield clone
    clone.kill()
    # a test that failed leaves no job to the next
    subprocess.run(["scancel", "--user=root"], check=True, timeout=30)


def wait_until_running(slurm: Cluster, clone: Clone) -> list[str]:
    """Wait until simulations run on the cluster, and return these jobs: they have only just begun."""

    def running() -> list[str]:
        assert clone.started[-1].poll() is None, clone.printed[-8000:]
        return slurm.squeue("%A", "--states=RUNNING")

    return wait_for(running, 5 * MINUTES, "simulations run")


def test_demo_on_several_nodes_equals_a_local_run(slurm, records, tmp_path):
    local, cluster = Clone(tmp_path / "local", DEMO), Clone(tmp_path / "cluster", DEMO)
    local.finish(local.start("--cores", "2"))
    cluster.finish(cluster.submit())
    assert cluster.numbers() == local.numbers()
    assert {path.name for path in (cluster.results / "figures").iterdir()} == {
        path.name for path in (local.results / "figures").iterdir()
    }
    jobs = records()
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    assert len({job["NodeList"] for job in jobs}) > 1
    assert {job["Partition"] for job in jobs} == {Cluster.partition}
    # 2 neurons x (2 shards and the image that is shown), in an array of all that are ready at a time
    arrays = Counter(job["ArrayJobId"] for job in jobs if "ArrayJobId" in job)
    assert sum(arrays.values()) == 2 * 3
    assert len(arrays) <= 2


class TestAgain:
    """The same command once more submits what is new, and nothing else."""

    @pytest.fixture(scope="class")
    def finished(self, slurm, prepared, expected, tmp_path_factory):
        clone = prepared.copy(tmp_path_factory.mktemp("finished") / "clone")
        before = len(slurm.ended())
        clone.finish(clone.submit(SCORES, "--slurm-array-limit", "3"))
        assert clone.numbers() == expected
        # four simulations are more than one array holds here: 3 and 1
        arrays = Counter(job["ArrayJobId"] for job in slurm.ended()[before:] if "ArrayJobId" in job)
        assert max(arrays.values()) == 3
        return clone

    def test_nothing_is_left_to_do(self, finished, records):
        assert "Nothing to be done" in finished.finish(finished.submit(SCORES))
        assert not records()

    def test_another_time_constant_runs_alone(self, finished, records):
        finished.configure(changed(EXPERIMENT, {"snn.tau_syn_s": [0.005, 0.010, 0.015]}))
        before = {path: path.stat().st_mtime_ns for path in finished.shards}
        finished.finish(finished.submit(SCORES))
        assert {path: path.stat().st_mtime_ns for path in before} == before
        # four shards, what gathers them and decides, and the certificate of the new time constant
        assert len(finished.shards) == len(before) + SIMULATIONS
        assert len(records()) == SIMULATIONS + 1 + 1 + 1


class TestFaults:
    """Runs in which something goes wrong end complete, with the numbers of a run in which nothing does."""

    def test_job_cancelled(self, slurm, records, clone, expected):
        process = clone.submit(SCORES)
        wait_until_running(slurm, clone)
        subprocess.run(["scancel", *slurm.squeue("%i")], check=True, timeout=MINUTES)
        clone.finish(process)
        assert clone.numbers() == expected
        states = Counter(record["JobState"] for record in records())
        assert states["CANCELLED"] > 0
        assert states["COMPLETED"] == JOBS

    def test_job_over_its_memory(self, slurm, records, clone, expected):
        clone.finish(clone.submit(SCORES, "--set-resources", "simulate:mem_mb=100 if attempt == 1 else 1000"))
        assert clone.numbers() == expected
        states = Counter(record["JobState"] for record in records())
        assert states == {"FAILED": SIMULATIONS, "COMPLETED": JOBS}
        printed = [path.read_text() for path in (clone.folder / "slurm_logs" / "rule_simulate").rglob("*.log")]
        assert sum("Exceeded job memory limit" in text for text in printed) == SIMULATIONS

    def test_job_over_its_time(self, slurm, records, clone, expected):
        process = clone.submit(SCORES, "--set-resources", "simulate:runtime=1 if attempt == 1 else 10")
        slurm.freeze(wait_until_running(slurm, clone)[-1])
        clone.finish(process)
        assert clone.numbers() == expected
        states = Counter(record["JobState"] for record in records())
        assert states["TIMEOUT"] > 0
        assert states["COMPLETED"] == JOBS

    def test_node_killed_with_its_jobs(self, slurm, records, clone, expected):
        process = clone.submit(SCORES)
        wait_until_running(slurm, clone)
        node = slurm.squeue("%N", "--states=RUNNING")[0]
        slurm.kill_node(node)
        try:
            clone.finish(process)
        finally:
            slurm.start_node(node)
            wait_for(lambda: node in slurm.idle_nodes(), MINUTES, f"{node} is back")
        assert clone.numbers() == expected
        assert "NODE_FAIL" in {record["JobState"] for record in records()}

    def test_controller_restarted(self, slurm, records, clone, expected):
        # as in the profile: the plugin turns to sacct, which has no answer here, where scontrol has none for 9 seconds
        process = clone.submit(SCORES, "--slurm-init-seconds-before-status-checks", "10")
        wait_until_running(slurm, clone)
        slurm.stop_controller()
        time.sleep(15)  # simulations end meanwhile
        slurm.start_controller()
        clone.finish(process)
        assert clone.numbers() == expected
        assert Counter(record["JobState"] for record in records()) == {"COMPLETED": JOBS}

    def test_snakemake_killed_while_its_jobs_run_on(self, slurm, records, clone, expected):
        clone.submit(SCORES)
        frozen = wait_until_running(slurm, clone)[-1]
        slurm.freeze(frozen)
        wait_for(lambda: clone.shards, 5 * MINUTES, "a shard is done")
        clone.kill()

        # the command again: its folder is locked, and when that is lifted, its jobs are still there
        again = clone.submit(SCORES)
        assert again.wait(5 * MINUTES) != 0
        assert "--unlock" in clone.printed
        clone.finish(clone.submit("--unlock"))
        again = clone.submit(SCORES)
        assert again.wait(5 * MINUTES) != 0
        assert "jobs of another run in this folder" in clone.printed

        slurm.thaw(frozen)
        wait_for(lambda: not slurm.squeue("%i"), 5 * MINUTES, "the queue is empty")
        made = {path: path.stat().st_mtime_ns for path in clone.shards}
        assert len(made) == SIMULATIONS
        clone.finish(clone.submit(SCORES))
        assert clone.numbers() == expected
        assert {path: path.stat().st_mtime_ns for path in clone.shards} == made
        assert Counter(record["JobState"] for record in records()) == {"COMPLETED": JOBS}
