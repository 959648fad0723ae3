"""The experiment: config.yaml validated and completed, and the sweep that it spans."""

import os
import re
import sys
from pathlib import Path

from snakemake.logging import logger

# this repository, also where another workflow takes this one as a module: workflow.basedir is then the other's folder
REPOSITORY = Path(workflow.current_basedir.get_path_or_uri(secret_free=False)).parent.parent
# the package that holds the science lies beside the scripts, where they find it by themselves
sys.path.insert(0, str(REPOSITORY / "workflow" / "scripts"))

from csnn.experiment import configuration
from csnn.experiment.code import digest
from csnn.experiment.sweep import BASE, CONFIGURATION, Sweep, cnn_folder, parse_tau
from csnn.files import exit_on_input_error

# a file given by --configfile stands for itself: what it leaves out takes its default, the paper's value
if not workflow.overwrite_configfiles:
    default = next(path for path in (Path("config.yaml"), REPOSITORY / "config.yaml") if path.is_file())
    with exit_on_input_error():
        configuration.load(default)

    configfile: default


with exit_on_input_error():
    config = configuration.read(config, workflow.overwrite_configfiles or workflow.configfiles)
    if workflow.is_main_process:
        configuration.check_results_folder(Path("results", config["experiment"]))
        for warning in configuration.warnings(config):
            logger.warning(f"Warning: {warning}")

# paths spell the configuration: results/<experiment>/<network>/tau-<tau in s>/seed-<seed>/, where the network is
# <neuron>, <variant of the CNN>/<neuron>, and so on
sweep = Sweep(config)
ANALYSES, SNN = config["analyses"], config["snn"]
TEST_IMAGES, VALIDATION_IMAGES = config["data"]["test_images"], config["data"]["validation_images"]


pathvars:
    results=f"results/{config['experiment']}",
    logs=f"results/{config['experiment']}/logs",
    benchmarks=f"results/{config['experiment']}/benchmarks",


wildcard_constraints:
    network="|".join(map(re.escape, sweep.networks)),
    cnn="|".join(map(re.escape, map(cnn_folder, [BASE, *sweep.variants]))),
    tau=r"none|[0-9.e-]+",
    seed=r"\d+",
    images="test|validation|logit_image",
    table="[a-z0-9]+",


scattergather:
    test=sweep.number_of_shards("test"),
    validation=sweep.number_of_shards("validation"),
