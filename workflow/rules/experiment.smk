"""The experiment: config.yaml validated and completed, and the sweep that it spans."""

import os
import re
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

# this repository, also where another workflow takes this one as a module: workflow.basedir is then the other's folder
REPOSITORY = Path(workflow.current_basedir.get_path_or_uri(secret_free=False)).parent.parent
# the package that holds the science lies beside the scripts, where they find it by themselves
sys.path.insert(0, str(REPOSITORY / "workflow" / "scripts"))

from csnn.experiment import configuration
from csnn.experiment.code import digest
from csnn.experiment.sweep import BASE, CONFIGURATION, Sweep, cnn_folder, parse_tau
from csnn.files import InputError

SCHEMA = REPOSITORY / "workflow" / "schemas" / "config.schema.yaml"

# a file given by --configfile stands for itself: what it leaves out takes the schema's defaults, the paper's values
if not workflow.overwrite_configfiles:

    configfile: next(path for path in (Path("config.yaml"), REPOSITORY / "config.yaml") if path.is_file())


try:
    for path in workflow.overwrite_configfiles or workflow.configfiles:
        configuration.check_keys(path)
    schema = yaml.safe_load(SCHEMA.read_text())
    config = configuration.typed(config, schema)
    validate(config, str(SCHEMA))
    config = configuration.check(config, schema)
    if workflow.is_main_process:
        configuration.check_place(Path("results", config["experiment"]))
except WorkflowError as error:
    sys.exit(f"Error: {configuration.one_line(configuration.sentence(error.__context__))}")
except InputError as error:
    sys.exit(f"Error: {configuration.one_line(str(error))}")

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
