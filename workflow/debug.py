"""Run the script that makes one file of an experiment in this process, so that a debugger can stop in it.

The script gets the object ``snakemake`` that its rule gives it, but without a log: it prints to the terminal, and an
exception ends where it was raised. The inputs of the file must be there: run the workflow first. For instance::

    python -m pdb workflow/debug.py results/demo/LIF/tau-0.005/seed-0/test.npz --configfile profiles/demo/config.yaml
"""

from __future__ import annotations

import argparse
import os
import runpy
from collections.abc import Sequence
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.iocontainers import Log, Snakemake
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

SNAKEFILE = Path(__file__).resolve().parent / "Snakefile"


def mock_snakemake(path: str, configfiles: Sequence[Path] = ()) -> tuple[Path, Snakemake]:
    """Return the script that makes a file, and the object ``snakemake`` that it gets, without a log.

    Parameters
    ----------
    path
        The file, relative to the working folder: an output of a rule that has a script.
    configfiles
        As of ``snakemake --configfile``.
    """
    with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
        planned = api.workflow(
            ResourceSettings(cores=1), ConfigSettings(configfiles=list(configfiles)), snakefile=SNAKEFILE
        )
        planned.dag(DAGSettings(targets={path}, forcetargets=True))
        workflow = planned._workflow
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        job = next(job for job in workflow.dag.jobs if path in job.output)
        snakemake = Snakemake(
            job.input, job.output, job.params, job.wildcards, job.threads, job.resources, Log(), workflow.config,
            job.rule.name, None,
        )  # fmt: skip
        return Path(job.rule.basedir.join(job.rule.script).get_path_or_uri(secret_free=True)), snakemake


def main() -> None:
    """Run the script that makes the file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", help="a result, for instance results/demo/tables/scores.csv")
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], help="as of snakemake")
    parser.add_argument("--directory", default=".", help="the working folder")
    arguments = parser.parse_args()
    configfiles = [path.absolute() for path in arguments.configfile]
    os.chdir(arguments.directory)
    script, snakemake = mock_snakemake(arguments.file, configfiles)
    runpy.run_path(str(script), {"snakemake": snakemake}, run_name="__main__")


if __name__ == "__main__":
    main()
