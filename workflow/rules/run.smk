"""What jobs ask for, where they run, and what a run says in the terminal."""

from collections import Counter

from csnn.experiment.resources import megabytes, minutes, scaled_by_attempt
from csnn.files import write_text
from csnn.run import print_results, refuse_second_run, show_progress


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


def keep_plan():
    """Let jobs that a cluster runs read the configuration as it is now, and compare their code with that of now."""
    path = Path("results", config["experiment"], "logs", "run.json").absolute()
    write_text(path, json.dumps(config | {"code": CODE}))
    workflow.config_settings.configfiles, workflow.config_settings.config_args = [path], None
