"""On a cluster: which rules need no job, and why two jobs never write one file."""

import re
import shutil
import subprocess
from collections import Counter


# These take seconds, less than a job's way through a queue: they run beside Snakemake itself.
localrules:
    read_digits,
    select_images,
    score_table,
    tables,
    figure1,
    figure2,
    figure3,
    figure4,
    figure5,
    accuracy_vs_tau,
    loss_vs_tau,
    timecourse,
    accuracy_over_time,
    settling_time,
    confusion_matrices,
    agreement_with_cnn,
    opening,
    explorer,
    provenance,
    table1_page,
    table2_page,


def jobs_of_other_runs():
    """Run IDs of other runs in this folder that have jobs in SLURM's queue, with the number of these jobs."""
    if shutil.which("squeue") is None:
        return {}
    queue = subprocess.run(
        ["squeue", "--me", "--noheader", "--array", "--format=%j|%Z"], capture_output=True, text=True, timeout=60
    )
    jobs = (line.partition("|") for line in queue.stdout.splitlines())
    run_id = re.compile(r"([\w-]+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # the plugin's name for its jobs
    return Counter(name for name, _, folder in jobs if folder == workflow.workdir_init and run_id.fullmatch(name))


def refuse_second_run():
    """Stop where another run's jobs are queued.

    Snakemake forgets the jobs of a run that was killed; while they run, it would start others for the same files.
    """
    for run, jobs in jobs_of_other_runs().items():
        raise WorkflowError(
            f"{jobs} jobs of another run in this folder are in SLURM's queue; wait for them (squeue --name={run}) or end "
            f"them (scancel --name={run}), then start again; if that run is alive and makes other files, add --no-hooks"
        )
