"""What a run of Snakemake does beside its jobs: it says how far it is, and refuses to start beside another one."""

from __future__ import annotations

import atexit
import logging
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent
from tqdm import tqdm

_PER_JOB = (LogEvent.JOB_INFO, LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.PROGRESS, LogEvent.SHELLCMD)
_RUN_ID = re.compile(r"([\w-]+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""How Snakemake's SLURM plugin names its jobs."""


class Progress(logging.Handler):
    """Prints how many jobs are finished: when all of a rule are, and else every few seconds.

    Parameters
    ----------
    jobs
        How many jobs there are to do, by rule.
    every_s
        Seconds between two lines.
    """

    def __init__(self, jobs: Mapping[str, int], every_s: float = 5):
        super().__init__()
        self.jobs, self.every_s = jobs, every_s
        self.rules: dict[int, str] = {}
        self.finished: Counter[str] = Counter()
        self.rule = ""
        self.start = self.last = time.monotonic()
        self.left_out: int | None = None  # jobs that Snakemake counts, but that --until leaves out

    def emit(self, record: Any) -> None:
        """Count a job that has finished; print where Snakemake says how many have."""
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            self.rules[record.jobid] = record.rule_name
        elif event == LogEvent.JOB_FINISHED:
            self.rule = self.rules[record.job_id]
            self.finished[self.rule] += 1
        elif event == LogEvent.PROGRESS:
            self._print(record.done, record.total)

    def _print(self, done: int, total: int) -> None:
        now, finished = time.monotonic(), self.finished[self.rule]
        jobs = max(finished, self.jobs.get(self.rule, 0))  # a checkpoint adds jobs
        if self.left_out is None:
            self.left_out = total - sum(self.jobs.values())
        total -= self.left_out
        if finished == jobs or now - self.last >= self.every_s:
            self.last = now
            stage, seconds = f"{self.rule} {finished}/{jobs}", now - self.start
            meter = tqdm.format_meter(done, total, seconds, prefix=f"{stage:<30}", unit=" jobs", ascii=True, ncols=100)
            print(meter, file=sys.stderr, flush=True)


def is_per_job_detail(record: logging.LogRecord) -> bool:
    """Whether a record is per-job detail that belongs in the log file only."""
    return getattr(record, "event", None) in _PER_JOB or record.getMessage() == "Select jobs to execute..."


class Failures(logging.Handler):
    """Keeps which jobs have failed, and prints as the very last why, and where their logs are.

    Snakemake itself ends with lines of its own; and a profile that is quiet about rules is quiet about failed ones.

    Parameters
    ----------
    most
        Of how many jobs.
    """

    def __init__(self, most: int = 5):
        super().__init__()
        self.most = most
        self.failed: dict[int, str] = {}
        atexit.register(self.tell)

    def emit(self, record: Any) -> None:
        """Keep a job that has failed, until it went well when tried again."""
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_ERROR:
            logs = list(record.log or [])  # read now: at the end Snakemake has left the folder that they lie in
            sentence = next(filter(None, map(_sentence, logs)), f"Error: a job of the rule {record.rule_name} failed")
            self.failed[record.jobid] = " ".join([sentence, *(f"(log: {log})" for log in logs if log not in sentence)])
        elif event == LogEvent.JOB_FINISHED:
            self.failed.pop(record.job_id, None)

    def tell(self) -> None:
        """Print one sentence for each job, from the end of its log, and the log's path."""
        for sentence in list(self.failed.values())[: self.most]:
            print(sentence, file=sys.stderr)
        if len(self.failed) > self.most:
            print(f"... and {len(self.failed) - self.most} more jobs", file=sys.stderr)
        sys.stderr.flush()


def _sentence(log: str) -> str:
    """Return the last sentence in a job's log that says why it failed; "" if there is none."""
    try:
        lines = Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.startswith("Error: ")), "")


def show_run(jobs: Mapping[str, int], verbose: bool) -> None:
    """Print progress in the terminal instead of each job's details, which Snakemake's log file keeps; failures last.

    Where a logger plugin of the user's writes in the terminal, it alone does.

    Parameters
    ----------
    jobs
        How many jobs there are to do, by rule.
    verbose
        Whether to print each job's details instead of progress.
    """
    terminal = next((handler for handler in logger.handlers if handler.name == "DefaultStreamHandler"), None)
    if terminal is None:
        return
    logger.addHandler(Failures())
    if not verbose:
        terminal.addFilter(lambda record: not is_per_job_detail(record))
        logger.addHandler(Progress(jobs))


def show_every_job() -> None:
    """Print each job's details, also where a profile asks for quiet."""
    for handler in logger.handlers:
        for part in (handler.formatter, *handler.filters):
            if hasattr(part, "quiet"):
                part.quiet = set()


def print_results(files: Iterable[str]) -> None:
    """Print where the table of scores and the report are, if they are among the files of a run."""
    for name in sorted(files, reverse=True):
        if name.endswith(("/tables/scores.csv", "/report.html")):
            print(f"{'report' if name.endswith('html') else 'scores'}: {name}", file=sys.stderr, flush=True)


def refuse_second_run(folder: str) -> None:
    """Refuse to start where another run's jobs are in SLURM's queue.

    Snakemake forgets the jobs of a run that was killed; while they run, it would start others for the same files.

    Parameters
    ----------
    folder
        The working folder, as SLURM knows it.

    Raises
    ------
    WorkflowError
        Naming the run.
    """
    for run, jobs in _jobs_of_other_runs(folder).items():
        raise WorkflowError(
            f"{jobs} jobs of another run in this folder are in SLURM's queue; wait for them (squeue --name={run}) or "
            f"end them (scancel --name={run}), then start again; if that run is alive and makes other files, add "
            "--no-hooks"
        )


def _jobs_of_other_runs(folder: str) -> Counter[str]:
    """Count the jobs in SLURM's queue that Snakemake submitted from a folder, by the run's ID."""
    if shutil.which("squeue") is None:
        return Counter()
    queue = subprocess.run(
        ["squeue", "--me", "--noheader", "--array", "--format=%j|%Z"], capture_output=True, text=True, timeout=60
    )
    jobs = (line.partition("|") for line in queue.stdout.splitlines())
    return Counter(name for name, _, submitted_in in jobs if submitted_in == folder and _RUN_ID.fullmatch(name))
