"""Make the report of files that are there: Snakemake itself, in a run of its own, with this run's configuration."""

from csnn.job import logged

with logged(snakemake.log[0]):
    import subprocess
    import sys
    import tempfile
    from pathlib import Path

    import yaml

    repository = Path(snakemake.scriptdir).resolve().parent.parent
    shown = [*snakemake.input.shown, *snakemake.input.provenance]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(snakemake.params.configuration, file)
        file.flush()
        command = [sys.executable, "-m", "snakemake", "--snakefile", repository / "Snakefile", "--cores", "1"]
        command += ["--configfile", file.name, "--profile", "none", "--workflow-profile", "none", "--nolock"]
        command += ["--report", snakemake.output[0]]
        command += ["--report-stylesheet", repository / "workflow" / "report" / "report.css"]
        subprocess.run([*command, "--", *shown], check=True)
