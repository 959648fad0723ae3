"""Convolutional spiking neural networks: train a CNN, convert it, simulate it, and set the results in tables and figures.

Everything that a user changes stands in config.yaml; the stages below stand in the order in which data flows.
"""

from snakemake.utils import min_version

min_version("9.16")


include: "workflow/rules/experiment.smk"  # the configuration, validated, and the sweep that it spans
include: "workflow/rules/sweep.smk"  # its networks, and where each one's files are
include: "workflow/rules/resources.smk"  # what jobs need of a machine
include: "workflow/rules/cluster.smk"  # what runs where there is a cluster
include: "workflow/rules/progress.smk"  # what a run says in the terminal
include: "workflow/rules/contents.smk"  # what the report shows, and where
include: "workflow/rules/data.smk"  # images
include: "workflow/rules/model.smk"  # CNN
include: "workflow/rules/simulate.smk"  # spiking networks, one job for each shard of each configuration
include: "workflow/rules/tables.smk"  # accuracy and cross-entropy
include: "workflow/rules/figures.smk"
include: "workflow/rules/decisions.smk"  # decisions over time, and single neurons
include: "workflow/rules/analyses.smk"  # beyond the paper
include: "workflow/rules/report.smk"


report: "workflow/report/opening.rst"


onstart:
    refuse_second_run()
    show_progress()


rule all:
    default_target: True
    input:
        [TARGETS[analysis] for analysis in ANALYSES],
        rules.report.output,
    localrule: True
