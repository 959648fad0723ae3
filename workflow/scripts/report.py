"""Make the report of files that are there: Snakemake itself, in a run of its own, with this run's configuration."""

from csnn.job import logged

with logged(snakemake):
    import subprocess
    import sys
    import tempfile

    import yaml

    from csnn.experiment.code import FOLDER

    workflow = FOLDER.parent
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(snakemake.params.configuration, file, sort_keys=False)  # the order of neurons is that given
        file.flush()
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(workflow / "Snakefile"), "--cores", "1"]
        command += ["--configfile", file.name, "--profile", "none", "--workflow-profile", "none", "--nolock"]
        command += ["--report", snakemake.output[0], "--report-stylesheet", str(workflow / "report" / "report.css")]
        subprocess.run([*command, "--", *snakemake.input.shown], check=True)
