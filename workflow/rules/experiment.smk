"""The experiment: config.yaml validated and completed, and the sweep that it spans."""

import json
import os
import re
import sys
from pathlib import Path

from snakemake.logging import logger
from snakemake.sourcecache import LocalSourceFile

if not isinstance(workflow.current_basedir, LocalSourceFile):
    sys.exit(
        "Error: this workflow must be cloned, for its scripts import its package: name workflow/Snakefile of a clone"
    )

# this repository, also where another workflow takes this one as a module: workflow.basedir is then the other's folder
REPOSITORY = Path(workflow.current_basedir.get_path_or_uri(secret_free=False)).parent.parent
if set("{}") & set(str(REPOSITORY)):
    sys.exit(f"Error: the workflow is in {REPOSITORY}; Snakemake reads braces in paths as its own: use a path without")
# no file of the working folder stands for a module, be it called random.py: neither here nor in a job
sys.path[:] = [path for path in sys.path if path not in ("", os.getcwd(), str(REPOSITORY))]
os.environ.update(PYTHONSAFEPATH="1")
# the package that holds the science lies beside the scripts, where they find it by themselves
sys.path.insert(0, str(REPOSITORY / "workflow" / "scripts"))

from csnn.experiment import code, configuration, content, records
from csnn.experiment.sweep import BASE, CONFIGURATION, Sweep, cnn_folder, parse_tau
from csnn.files import exit_on_input_error

# a file given by --configfile stands for itself: what it leaves out takes its default, the paper's value
if not workflow.overwrite_configfiles:
    default = next(path for path in (Path("config.yaml"), REPOSITORY / "config.yaml") if path.is_file())
    with exit_on_input_error():
        configuration.load(default)

    configfile: default


CODE = {"rules": code.digest_of_rules()}  # and the digest of each script, by its name
if "code" in config and not workflow.is_main_process:
    # a job with a Snakemake of its own, on a cluster: configuration and code are those with which the run was planned
    config = json.loads(json.dumps(config))
    planned = config.pop("code")
    if planned["rules"] != CODE["rules"]:
        sys.exit("Error: the rules were changed after this run had been planned; give the same command again")
    CODE = planned
else:
    with exit_on_input_error():
        config = configuration.read(config, workflow.overwrite_configfiles or workflow.configfiles)
if workflow.is_main_process:
    with exit_on_input_error():
        configuration.check_results_folder(Path("results", config["experiment"]))
    for warning in configuration.warnings(config):
        logger.warning(f"Warning: {warning}")


def digest(script):
    """The code of a script, or in a job that with which the run was planned."""
    if script not in CODE:
        CODE[script] = code.digest(script)
    return CODE[script]


# paths spell the configuration: results/<experiment>/<network>/tau-<tau in s>/seed-<seed>/, where the network is
# <neuron>, <variant of the CNN>/<neuron>, and so on
sweep = Sweep(config, digest)
ANALYSES, SNN = config["analyses"], config["snn"]
TEST_IMAGES, VALIDATION_IMAGES = config["data"]["test_images"], config["data"]["validation_images"]
MOST_IMAGES = max(sweep.number_of_images.values())


pathvars:
    results=f"results/{config['experiment']}",
    logs=f"results/{config['experiment']}/logs",
    benchmarks=f"results/{config['experiment']}/benchmarks",


wildcard_constraints:
    network="|".join(map(re.escape, sweep.networks)),
    cnn="|".join(map(re.escape, map(cnn_folder, [BASE, *sweep.variants]))),
    tau=r"none|[0-9.e-]+",
    taus=r"[none0-9.e+-]+",
    rates=r"[0-9.ex+-]+(-at-[0-9.]+)?",
    seed=r"\d+",
    shard=r"\d+-of-\d+",
    images="|".join(["test", "validation", "logit_image", *sweep.corrupted]),
    corrupted="|".join(sweep.corrupted) or "none",
    table="[a-z0-9]+",
