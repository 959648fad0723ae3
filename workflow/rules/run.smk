"""What jobs ask for, where they run, and what a run says in the terminal."""

from collections import Counter

from csnn.experiment.resources import megabytes, minutes, scaled_by_attempt
from csnn.files import write_text
from csnn.run import print_results, refuse_second_run, show_every_job, show_run

if workflow.output_settings.verbose:
    show_every_job()


def keep_plan():
    """Let jobs that a cluster runs read the configuration as it is now, and compare their code with that of now."""
    path = Path("results", config["experiment"], "logs", "run.json").absolute()
    write_text(path, json.dumps(config | {"code": CODE}))
    workflow.config_settings.configfiles, workflow.config_settings.config_args = [path], None
