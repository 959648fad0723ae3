"""A real SLURM cluster on this machine: munge, a controller and some nodes, stopped by their process ids."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

CONFIGURATION = Path("/etc/slurm/slurm.conf")  # the plugin starts srun without SLURM_CONF: only this place works
DAEMONS = ("munged", "slurmctld", "slurmd")
PORT = 26817  # of the controller; the nodes listen on those that follow


def missing() -> str | None:
    """Say in one sentence why no cluster can be started here, or None."""
    absent = [program for program in (*DAEMONS, "sbatch") if not shutil.which(program, path=_PATH)]
    if os.geteuid() != 0:
        return "a SLURM cluster can only be started by root"
    if absent:
        return f"no {', '.join(absent)} here: apt-get install slurmctld slurmd slurm-client munge"
    if CONFIGURATION.exists():
        return f"{CONFIGURATION} exists: this machine belongs to a cluster already"
    return None


_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> object:
    """Return what `condition` gives as soon as it is true; raise TimeoutError if it is not within `seconds`."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.2)
    return result


class Cluster:
    """The cluster; use it in a ``with`` statement.

    Parameters
    ----------
    folder
        For its state and logs.
    nodes
        Number of nodes.
    cpus, memory_mb
        Of each node, as far as SLURM knows: all nodes are this machine.
    """

    partition = "day"

    def __init__(self, folder: Path, nodes: int = 3, cpus: int = 2, memory_mb: int = 8000):
        self.folder = folder
        self.nodes = [f"n{i}" for i in range(1, nodes + 1)]
        self.cpus = cpus
        self.memory_mb = memory_mb

    def __enter__(self) -> Cluster:
        try:
            self._configure()
            self._run("munged", f"--key-file={self.folder}/munge/key", f"--socket={self.folder}/munge/socket",
                      f"--pid-file={self.folder}/munge/pid", f"--log-file={self.folder}/munge/log",
                      f"--seed-file={self.folder}/munge/seed", "--force")  # fmt: skip
            self.start_controller()
            for node in self.nodes:
                self.start_node(node)
            wait_for(lambda: len(self.idle_nodes()) == len(self.nodes), 60, "all nodes idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        subprocess.run(["timeout", "-k", "5", "20", "scancel", "--user=root"], check=False, capture_output=True)
        for pid_file in [*(self.folder / f"{node}.pid" for node in self.nodes), self.folder / "slurmctld.pid",
                         self.folder / "munge" / "pid"]:  # fmt: skip
            _end(pid_file)
        # without its controller, every snakemake command on this machine would ask for it in vain
        CONFIGURATION.unlink(missing_ok=True)

    def _configure(self) -> None:
        for name in ("munge", "controller", *self.nodes):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        template = (Path(__file__).parent / "slurm.conf").read_text()
        CONFIGURATION.parent.mkdir(exist_ok=True)
        CONFIGURATION.write_text(
            template.format(
                folder=self.folder,
                partition=self.partition,
                controller_port=PORT,
                nodes="\n".join(
                    f"NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={PORT + i} CPUs={self.cpus} "
                    f"RealMemory={self.memory_mb}"
                    for i, node in enumerate(self.nodes, start=1)
                ),
            )
        )

    def start_controller(self) -> None:
        """Start the controller; what it saved when it stopped, it goes on with."""
        self._run("slurmctld")
        wait_for(lambda: _pid(self.folder / "slurmctld.pid"), 30, "slurmctld")

    def stop_controller(self) -> None:
        """Stop the controller, as for its maintenance; jobs run on."""
        _end(self.folder / "slurmctld.pid")

    def start_node(self, node: str) -> None:
        """Start a node, or bring it back."""
        self._run("slurmd", "-N", node)

    def kill_node(self, node: str) -> None:
        """Kill a node with all of its jobs, as when it loses its power."""
        # slurmd first: it must not report that its jobs ended
        _signal([int((self.folder / f"{node}.pid").read_text())], signal.SIGKILL)
        for job in self.squeue("%A", f"--nodelist={node}"):
            _signal(_processes(job), signal.SIGKILL)

    def freeze(self, job: str) -> None:
        """Stop a job's processes, as when they wait for a file system that does not answer."""
        # a job that SLURM has only just begun has none yet
        _signal(wait_for(lambda: _processes(job)[1:], 30, f"job {job} has processes"), signal.SIGSTOP)

    def thaw(self, job: str) -> None:
        """Let a frozen job go on."""
        _signal(_processes(job)[1:], signal.SIGCONT)

    def idle_nodes(self) -> set[str]:
        """Return the nodes that wait for jobs."""
        return set(_output("sinfo", "--noheader", "--Node", "--states=idle", "--format=%N").split())

    def squeue(self, form: str, *arguments: str) -> list[str]:
        """Return one line per job that is pending or runs, array tasks each on their own."""
        return _output("squeue", "--noheader", "--array", f"--format={form}", *arguments).splitlines()

    def ended(self) -> list[dict[str, str]]:
        """Return what SLURM recorded of each job that has ended: JobId, JobState, NodeList and more."""
        records = self.folder / "jobs.log"
        lines = records.read_text().splitlines() if records.exists() else []
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def _run(self, daemon: str, *arguments: str) -> None:
        subprocess.run([shutil.which(daemon, path=_PATH), *arguments], check=True, timeout=30, capture_output=True)


def _output(*command: str) -> str:
    """Return what a command of SLURM prints; nothing while the controller does not answer."""
    return subprocess.run(["timeout", "-k", "5", "20", *command], check=False, capture_output=True, text=True).stdout


def _pid(pid_file: Path) -> int | None:
    """Return the process that a daemon's file names, or None if it has ended."""
    try:
        pid = int(pid_file.read_text())
        status = Path(f"/proc/{pid}/status").read_text()
    except (OSError, ValueError):
        return None
    # a killed daemon's number may belong to another process, and a dead process stay a zombie where nobody asks for it
    daemon = status.partition("\n")[0].removeprefix("Name:\t") in DAEMONS
    return pid if daemon and "\nState:\tZ" not in status else None


def _end(pid_file: Path) -> None:
    """End a daemon, and kill it where it does not obey."""
    pid = _pid(pid_file)
    if pid is None:
        return
    _signal([pid], signal.SIGTERM)
    try:
        wait_for(lambda: _pid(pid_file) != pid, 20, f"process {pid} has ended")
    except TimeoutError:
        _signal([pid], signal.SIGKILL)


def _signal(processes: list[int], number: signal.Signals) -> None:
    """Send processes a signal, as far as they still live."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _processes(job: str) -> list[int]:
    """Return the slurmstepd that watches over a job here, and all processes of the job."""
    listed = [
        line.split(maxsplit=2) for line in _output("ps", "--no-headers", "-e", "-o", "pid,ppid,args").splitlines()
    ]
    found = [int(pid) for pid, _, command in listed if command.startswith(f"slurmstepd: [{job}.")]
    for parent in found:
        found += [int(pid) for pid, its_parent, _ in listed if int(its_parent) == parent]
    return found
