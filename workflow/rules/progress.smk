"""What a run says in the terminal, and in the file of a batch job: which stage, how much is finished, and time left."""

import logging
import time
from collections import Counter

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent
from tqdm import tqdm


class Progress(logging.Handler):
    """Prints a line when all of a rule's jobs are finished, and else every few seconds."""

    def __init__(self, jobs, every_s=5):
        super().__init__()
        self.jobs, self.every_s = jobs, every_s  # jobs: how many, by rule
        self.rules, self.finished = {}, Counter()
        self.start = self.last = time.monotonic()

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            self.rules[record.jobid] = record.rule_name
        elif event == LogEvent.JOB_FINISHED:
            self.rule = self.rules[record.job_id]
            self.finished[self.rule] += 1
        elif event == LogEvent.PROGRESS:
            self.say(record.done, record.total)

    def say(self, done, total):
        now, finished = time.monotonic(), self.finished[self.rule]
        jobs = max(finished, self.jobs[self.rule])  # choices made on the way add jobs
        if finished == jobs or now - self.last >= self.every_s:
            self.last = now
            stage, seconds = f"{self.rule} {finished}/{jobs}", now - self.start
            print(
                tqdm.format_meter(done, total, seconds, prefix=f"{stage:<30}", unit=" jobs", ascii=True, ncols=100),
                file=sys.stderr,
                flush=True,
            )


def of_a_single_job(record):
    """Whether Snakemake tells what only its log needs to hold: the start and end of one job that went well."""
    chatter = (LogEvent.JOB_INFO, LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.PROGRESS, LogEvent.SHELLCMD)
    return getattr(record, "event", None) in chatter or record.getMessage() == "Select jobs to execute..."


def show_progress():
    """Say from now on how far the run is; every job stands in Snakemake's log, and with --verbose here as well."""
    if workflow.output_settings.verbose:
        return
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            handler.addFilter(lambda record: not of_a_single_job(record))
    logger.addHandler(Progress(Counter(job.rule.name for job in workflow.dag.needrun_jobs())))
